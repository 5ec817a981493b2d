"""Laws that every strategy keeps, and what each one does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.align import tasks
from vat.align.base import Task
from vat.align.examples import draw_examples
from vat.align.paraphrase import Paraphrase
from vat.align.placebo import Placebo
from vat.align.steering import Steering
from vat.config import AlignSpec
from vat.data.base import Probes
from vat.errors import BackendError, ConfigError, DataError
from vat.models.base import Capabilities, Model
from vat.models.scripted import ScriptedModel
from vat.theory.schwartz import SCHWARTZ
from vat.types import Judgements, Probe

SPLIT = tasks.SPLIT
MODEL = ScriptedModel(sway=0.5, refusals=0.0, fails_on="")
NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "strategy").glob("*.yaml"))


TRAINED = {"sft", "dpo"}
SHORT = ("strategy.steps=2", "strategy.checkpoints=2", "strategy.batch=2")


def more(name: str, folder: Path) -> tuple[str, ...]:
    """What a strategy is to be given beside its name."""
    return SHORT if name in TRAINED else (f"strategy.vidb={tasks.database(folder)}",) if name == "user_texts" else ()


def task(
    value: str = "power", direction: int = -1, replicate: int = 0, rating: float = 4.0, model: Model = MODEL, folder: Path = Path("nowhere")
) -> Task:
    def ask(probes: Sequence[Probe]) -> Judgements:
        count = len(probes)
        return Judgements(tuple(probes), np.full(count, rating), np.full(count, rating), np.full((count, 5), 0.2), np.ones(count))

    return tasks.task(value, direction, model, ask, replicate=replicate, folder=folder)


@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_yields_states_in_order_from_train_scenes_only(name: str, compose: Callable[..., AlignSpec], tmp_path: Path) -> None:
    spec = compose(f"strategy={name}", *more(name, tmp_path))
    strategy, given = spec.strategy, task(model=spec.model if name in TRAINED else MODEL, folder=tmp_path)
    strategy.check(Capabilities(trainable=True, caveat=""))
    states = list(strategy.states(given))
    assert [state.step for state in states] == sorted({state.step for state in states})
    shown = {shot.probe.scene_id for state in states for shot in state.shots}
    assert not shown & set(SPLIT.test.scenes)
    assert states == list(strategy.states(given)), "the same task gives the same states"


@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_has_an_identity_that_names_it(name: str, compose: Callable[..., AlignSpec], tmp_path: Path) -> None:
    strategy = compose(f"strategy={name}", *more(name, tmp_path)).strategy
    assert strategy.identity()["strategy"] == strategy.label == name


@pytest.mark.parametrize("count", [2, 4, 8, 20])
@pytest.mark.parametrize("value", SCHWARTZ.values)
def test_half_of_the_examples_support_the_value_and_half_violate_it(value: str, count: int) -> None:
    examples = draw_examples(SPLIT.train, SCHWARTZ, value, count=count, replicate=0)
    assert Counter(probe.polarity for probe in examples) == {1: count // 2, -1: count // 2}
    assert {SCHWARTZ.value_of[probe.item] for probe in examples} == {value}
    assert len({(probe.scene_id, probe.polarity) for probe in examples}) == count, "no scene twice on one side"


def test_a_larger_dose_is_the_smaller_one_and_more() -> None:
    doses = [draw_examples(SPLIT.train, SCHWARTZ, "power", count=count, replicate=3) for count in (2, 4, 8)]
    assert doses[2][:4] == doses[1]
    assert doses[1][:2] == doses[0]


def test_another_replicate_is_another_draw() -> None:
    draws = [tuple(draw_examples(SPLIT.train, SCHWARTZ, "power", count=4, replicate=r)) for r in range(10)]
    assert len(set(draws)) == 10


def test_the_examples_do_not_depend_on_the_direction() -> None:
    up, down = (next(Steering(shots=4).states(task(direction=d))).shots for d in (1, -1))
    assert [shot.probe for shot in up] == [shot.probe for shot in down]
    assert [6 - shot.rating for shot in up] == [shot.rating for shot in down]


@pytest.mark.parametrize("direction", [1, -1])
def test_steering_shows_5_for_what_the_direction_asks_and_1_for_its_opposite(direction: int) -> None:
    for shot in next(Steering(shots=8).states(task(direction=direction))).shots:
        assert shot.rating == (5 if shot.probe.polarity == direction else 1)


def test_the_placebo_shows_the_same_examples_with_the_models_own_ratings() -> None:
    steered, placebo = (next(kind(shots=4).states(task(rating=2.0))).shots for kind in (Steering, Placebo))
    assert [shot.probe for shot in placebo] == [shot.probe for shot in steered]
    assert {shot.rating for shot in placebo} == {2}


def test_a_placebo_without_the_models_own_rating_is_an_error() -> None:
    with pytest.raises(BackendError, match="strategy=placebo: needs the model's own rating of examples; got none for "):
        list(Placebo(shots=2).states(task(rating=float("nan"))))


@pytest.mark.parametrize("wording", [1, 2, 3])
def test_a_paraphrase_asks_the_same_model_in_other_words(wording: int) -> None:
    states = list(Paraphrase(wording=wording).states(task()))
    assert [(state.shots, state.rewording) for state in states] == [((), wording)]


@pytest.mark.parametrize("shots", [-2, 0, 1, 3])
def test_an_odd_or_empty_dose_is_refused(shots: int) -> None:
    with pytest.raises(ConfigError, match=f"shots: .* even number from 2; got {shots}"):
        Steering(shots=shots).check(MODEL.capabilities())


def test_more_examples_than_there_are_is_an_error_that_counts_them() -> None:
    few = Probes(tuple(row for row in SPLIT.train.rows if row.item == "wealth")[:6])
    with pytest.raises(DataError, match="shots=8: needs 4 train probes of value power with polarity 1; got 3"):
        draw_examples(few, SCHWARTZ, "power", count=8, replicate=0)
