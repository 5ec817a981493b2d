"""Strategies that put a text before every question: what it says, and that the steered prompt is the default one after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from tests.align import tasks
from vat.align.intensity_anchor import IntensityAnchor
from vat.align.preamble import PreambleStrategy
from vat.align.user_texts import BINS, UserTexts
from vat.config import AlignSpec
from vat.data.open_question import open_prompt
from vat.data.question import Question, after
from vat.errors import ConfigError, DataError
from vat.fanout.grids import points_of
from vat.intensity.anchors import ANCHORS
from vat.models.base import Capabilities, Model
from vat.models.scripted import ScriptedModel
from vat.programs.align import align, baseline_of, describe, direction_of, job_of
from vat.theory.file import TheoryFile
from vat.theory.schwartz import SCHWARTZ
from vat.track.runs import Runs
from vat.types import Answered, Prompt, Shot

PROBES = tasks.SPLIT.test.rows[:2]
SWEEPS = Path(__file__).parents[2] / "conf" / "sweeps"


def anchor(strength: Literal[1, 2] = 2, **also: Literal[-2, -1, 1, 2]) -> IntensityAnchor:
    return IntensityAnchor(strength=strength, also=also)


@pytest.mark.parametrize("question", [tasks.QUESTION, Question("plain", False, True, 1, SCHWARTZ.definitions)], ids=["chat", "plain"])
@pytest.mark.parametrize("shots", [(), (Shot(PROBES[1], 5),)], ids=["alone", "after an example"])
def test_the_steered_prompt_is_the_default_one_after_the_preamble_and_nothing_else(question: Question, shots: tuple[Shot, ...]) -> None:
    text = anchor().preamble(SCHWARTZ, "power", -1, replicate=0)
    for default, steered in (
        (question.prompt(PROBES[0], shots), after(text, question.prompt(PROBES[0], shots))),
        (open_prompt("At the fair.", shots, question), open_prompt("At the fair.", shots, question, text)),
    ):
        assert steered.labels == default.labels
        assert steered.text == (f"{text}\n\n{default.text}" if default.text else "")
        assert [turn.role for turn in steered.messages] == [turn.role for turn in default.messages]
        assert [turn.content for turn in steered.messages[1:]] == [turn.content for turn in default.messages[1:]]
        if default.messages:
            assert steered.messages[0].content == f"{text}\n\n{default.messages[0].content}"


def test_no_preamble_leaves_the_prompt_as_it_is() -> None:
    prompt = tasks.QUESTION.prompt(PROBES[0])
    assert after("", prompt) is prompt
    assert open_prompt("At the fair.", (), tasks.QUESTION, "") == open_prompt("At the fair.", (), tasks.QUESTION)


def test_each_target_has_words_of_its_own_about_the_value_as_the_theory_defines_it() -> None:
    texts = [anchor(strength).preamble(SCHWARTZ, "self_direction", direction, replicate=0) for strength in (1, 2) for direction in (1, -1)]
    assert len(set(texts)) == 4
    assert all("self direction: thinking and choosing for oneself." in text for text in texts)
    assert len({text.partition("\n")[0] for text in texts}) == 1


def test_strong_and_weak_are_told_in_words_that_mean_it() -> None:
    words = {(1, 2): "very much about", (1, 1): "a little about", (-1, 1): "somewhat against", (-1, 2): "strongly against"}
    for (direction, strength), said in words.items():
        assert f"{said} power: " in anchor(2 if strength == 2 else 1).preamble(SCHWARTZ, "power", direction, replicate=0)


def test_whatever_changes_the_preamble_is_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tasks.database(tmp_path)
    strategies: list[PreambleStrategy] = [anchor(1), anchor(2), anchor(2, power=1), anchor(2, power=2)]
    strategies += [user_texts(folder, 1), user_texts(folder), user_texts(folder, count=4), user_texts(folder, theory="schwartz")]
    keys = [strategy.identity() for strategy in strategies]
    assert all(keys.count(key) == 1 for key in keys)
    for module in ("intensity_anchor", "user_texts"):
        monkeypatch.setattr(f"vat.align.{module}.VERSION", 2)
    assert not [strategy for strategy, key in zip(strategies, keys, strict=True) if strategy.identity() == key]


def test_several_values_stand_in_the_order_of_the_theory_whichever_the_job_is_about() -> None:
    one = anchor(2, universalism=1, power=-2).preamble(SCHWARTZ, "hedonism", 1, replicate=0)
    other = anchor(1, hedonism=2, power=-2).preamble(SCHWARTZ, "universalism", 1, replicate=0)
    assert one == other
    assert [re.search(r"(?:about|against) (\w+)", line)[1] for line in one.splitlines()[1:]] == ["universalism", "power", "hedonism"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("also", "said"),
    [
        ({"power": 1}, "strategy.also: holds values beside that of the job; got power itself"),
        ({"powr": 1}, "strategy.also: each must be a value of theory schwartz; got 'powr'. Did you mean power?"),
    ],
)
def test_a_further_value_that_cannot_be_is_one_line(also: dict[str, Literal[-2, -1, 1, 2]], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        anchor(2, **also).preamble(SCHWARTZ, "power", 1, replicate=0)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_further_values_are_given_on_the_command_line(compose: Callable[..., AlignSpec]) -> None:
    strategy = compose("strategy=intensity_anchor", "strategy.strength=1", "strategy.also={hedonism:-2,security:1}").strategy
    assert strategy == anchor(1, hedonism=-2, security=1)
    assert (
        strategy.identity()
        == compose("strategy=intensity_anchor", "strategy.strength=1", "strategy.also={security:1,hedonism:-2}").strategy.identity()
    )


@pytest.mark.parametrize("setting", ["strategy.strength=0", "strategy.strength=3", "strategy.also={hedonism:0}", "strategy.also={hedonism:3}"])
def test_a_target_is_one_of_four(setting: str, compose: Callable[..., AlignSpec]) -> None:
    with pytest.raises(ConfigError, match=r"^strategy\.(strength|also)") as caught:
        compose("strategy=intensity_anchor", setting)
    assert "\n" not in str(caught.value)


def user_texts(folder: Path, strength: Literal[1, 2] = 2, *, count: int = 3, theory: str | None = None) -> UserTexts:
    return UserTexts(vidb=str(folder), strength=strength, count=count, theory=theory)


@pytest.mark.parametrize(
    ("strength", "direction", "inside", "outside"),
    [(2, -1, (-10.0, -7.0), (-6.9,)), (1, -1, (-6.9, -3.0), (-7.0, -2.9)), (1, 1, (3.0, 6.9), (2.9, 7.0)), (2, 1, (7.0, 10.0), (6.9,))],
)
def test_a_text_at_a_border_belongs_to_one_bin(
    strength: Literal[1, 2], direction: int, inside: tuple[float, ...], outside: tuple[float, ...], tmp_path: Path
) -> None:
    rows = [{"theory": "schwartz", "value": "power", "text": f"{x}", "intensity": x, "error": 0.5, "flagged": False} for x in (*inside, *outside)]
    (tmp_path / ANCHORS).parent.mkdir()
    pd.DataFrame(rows).to_parquet(tmp_path / ANCHORS)
    text = user_texts(tmp_path, strength, count=len(inside)).preamble(SCHWARTZ, "power", direction, replicate=0)
    assert sorted(map(float, re.findall(r"^- (.*)$", text, re.M))) == sorted(inside)
    with pytest.raises(DataError, match=rf"got {len(inside)}\."):
        user_texts(tmp_path, strength, count=len(inside) + 1).preamble(SCHWARTZ, "power", direction, replicate=0)


@pytest.mark.parametrize("strength", [1, 2])
@pytest.mark.parametrize("direction", [1, -1])
def test_texts_are_of_the_targets_bin_and_none_that_a_panel_doubts(strength: Literal[1, 2], direction: int, tmp_path: Path) -> None:
    folder, shown = tasks.database(tmp_path), set()
    table = pd.read_parquet(folder / ANCHORS).query("value == 'power'").set_index("text")
    low, high = BINS[direction * strength]
    for replicate in range(40):
        text = user_texts(folder, strength).preamble(SCHWARTZ, "power", direction, replicate=replicate)
        drawn = re.findall(r"^- (.*)$", text, re.M)
        assert len(set(drawn)) == 3
        shown |= set(drawn)
    found = table.loc[sorted(shown)]
    assert not found["flagged"].any()
    assert found["intensity"].between(low, high).all()
    wanted = table[~table["flagged"] & table["intensity"].between(low, high)]
    at_borders = wanted["intensity"].isin([-7.0, -3.0, 3.0, 7.0])
    assert set(wanted[~at_borders].index) <= shown, "all of them come up"
    assert user_texts(folder, strength).preamble(SCHWARTZ, "power", direction, replicate=3) == user_texts(folder, strength).preamble(
        SCHWARTZ, "power", direction, replicate=3
    )


def test_what_the_database_does_not_have_is_one_line(tmp_path: Path) -> None:
    folder = tasks.database(tmp_path)
    with pytest.raises(DataError, match=r"needs 20 texts of value power with intensities from 7 to 10; got \d\. Use a larger database"):
        user_texts(folder, count=20).preamble(SCHWARTZ, "power", 1, replicate=0)
    with pytest.raises(DataError, match=r"must hold values of theory schwartz; got none of 'tradition'"):
        user_texts(folder).preamble(SCHWARTZ, "tradition", 1, replicate=0)
    with pytest.raises(DataError, match="must hold the theory svt"):
        user_texts(folder).preamble(TheoryFile(path="svt").load(), "power", 1, replicate=0)
    assert user_texts(folder, theory="schwartz").preamble(TheoryFile(path="svt").load(), "power", 1, replicate=0)


@pytest.mark.parametrize(
    ("given", "hint"), [("mlruns/vidb/anchor", "Did you mean anchors"), ("anchors", "Give its path, as mlruns/vidb/<name>, or make one")]
)
def test_a_database_is_given_by_its_path_and_one_that_is_none_is_one_line(
    given: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tasks.database(Path("mlruns"))
    assert user_texts(Path("mlruns/vidb/anchors")).identity()["strategy"] == "user_texts"
    for use in (lambda one: one.identity(), lambda one: one.preamble(SCHWARTZ, "power", 1, replicate=0)):
        with pytest.raises(ConfigError) as caught:
            use(user_texts(Path(given)))
        assert str(caught.value).startswith(f"strategy.vidb={given}: must be a folder with {ANCHORS}; got none. {hint}")
        assert "\n" not in str(caught.value)


def test_texts_come_from_the_half_whose_intensities_are_known_best(tmp_path: Path) -> None:
    folder = tasks.database(tmp_path)
    table = pd.read_parquet(folder / ANCHORS)
    inside = table.index[(table["value"] == "power") & ~table["flagged"] & (table["intensity"] >= 7)]
    table.loc[inside, "error"] = [0.2 * n for n in range(len(inside) - 1)] + [float("nan")]
    table.to_parquet(folder / ANCHORS)
    half = set(table.loc[inside, "text"][: -(-len(inside) // 2)])

    def shown(count: int) -> set[str]:
        texts = [user_texts(folder, count=count).preamble(SCHWARTZ, "power", 1, replicate=replicate) for replicate in range(40)]
        return {drawn for text in texts for drawn in re.findall(r"^- (.*)$", text, re.M)}

    assert shown(3) == half
    assert shown(len(inside)) == set(table.loc[inside, "text"]), "all of them where so many are wanted, the unknown one last"


def test_another_database_is_another_job(tmp_path: Path) -> None:
    folder = tasks.database(tmp_path)
    before = user_texts(folder).identity()
    table = pd.read_parquet(folder / ANCHORS)
    table.loc[0, "intensity"] += 0.1
    table.to_parquet(folder / ANCHORS)
    assert user_texts(folder).identity() != before


def test_runs_of_other_targets_have_other_names_and_parameters(compose: Callable[..., AlignSpec]) -> None:
    def told(*given: str) -> tuple[str, dict[str, object]]:
        description = describe(compose("strategy=intensity_anchor", "model=scripted", *given))
        return description.name, {name: description.params.get(name) for name in ("strength", "also", "shots")}

    assert told("strategy.strength=1") == ("scripted · power -1 · intensity_anchor · strength 1 · r0", {"strength": 1, "also": None, "shots": ""})
    also = "security -2, universalism +1"
    assert told("strategy.also={universalism:1,security:-2}") == (
        f"scripted · power -1 · intensity_anchor · strength 2 · also {also} · r0", {"strength": 2, "also": also, "shots": ""},
    )  # fmt: skip
    assert describe(compose("model=scripted", "strategy=steering", "shots=4")).name == "scripted · power -1 · steering · 4 shots · r0"


def values_of(key: str, text: str) -> list[str]:
    override = OverridesParser.create().parse_override(f"{key}={text}")
    if override.is_sweep_override():
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [f"{key}={override.get_value_element_as_str()}"]


@pytest.mark.parametrize(("sweep", "points"), [("steerability", 40), ("two_values", 16), ("five_values", 5)])
def test_a_sweep_of_targets_has_no_fault_and_no_point_twice(sweep: str, points: int, compose: Callable[..., AlignSpec]) -> None:
    grids = OmegaConf.to_container(OmegaConf.load(SWEEPS / f"{sweep}.yaml").hydra.sweeper.grids)
    found = [compose("model=scripted", *point) for point in points_of(grids, {}, values_of)]  # type: ignore[arg-type]
    texts = {spec.strategy.preamble(SCHWARTZ, spec.value, direction_of(spec), replicate=0) for spec in found}
    assert len(found) == len(texts) == points


@pytest.mark.parametrize("name", ["intensity_anchor", "user_texts"])
def test_an_interrupted_job_asks_the_embedded_model_only_what_is_missing(
    name: str, compose: Callable[..., AlignSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (f"strategy.vidb={tasks.database(tmp_path)}",) if name == "user_texts" else ()
    few = ("measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99", "data.limit=6", "direction=1")
    spec = compose(f"strategy={name}", "model=tiny", *few, *given)
    runs = Runs(spec.tracking, None)
    align(baseline_of(spec), runs)
    ratings, asked, answered, left = type(spec.model).ratings, set[Prompt](), list[Prompt](), [1]

    def halting(self: Model, prompts: Sequence[Prompt], **more: Any) -> Iterator[Answered]:
        asked.update(prompts)
        for part in ratings(self, prompts, **more):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            answered.extend(prompts[row] for row in part.rows)
            yield part

    monkeypatch.setattr(type(spec.model), "ratings", halting)
    with pytest.raises(KeyboardInterrupt):
        align(spec, runs)
    assert not job_of(spec).is_done
    assert 0 < len(answered) < len(asked)
    left[0] = 1_000
    result = align(spec, runs)
    assert job_of(spec).is_done
    assert len(answered) == len(asked), "nothing twice"
    assert set(answered) == asked
    assert align(spec, runs) == result
    assert len(answered) == len(asked), "done once"


@pytest.mark.parametrize("name", ["intensity_anchor", "user_texts"])
def test_a_job_asks_every_question_after_the_preamble_and_is_done_once(
    name: str, compose: Callable[..., AlignSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (f"strategy.vidb={tasks.database(tmp_path)}",) if name == "user_texts" else ()
    few = ("measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99", "data.limit=12", "direction=1")
    spec = compose(f"strategy={name}", "model=scripted", *few, *given)
    spec.strategy.check(Capabilities(trainable=False, caveat=""))
    asked: list[str] = []
    ratings = ScriptedModel.ratings

    def seen(self: ScriptedModel, prompts, **more):  # type: ignore[no-untyped-def]
        asked.extend(prompt.messages[0].content for prompt in prompts)
        return ratings(self, prompts, **more)

    monkeypatch.setattr(ScriptedModel, "ratings", seen)
    runs = Runs(spec.tracking, None)
    align(baseline := baseline_of(spec), runs)
    assert job_of(baseline).is_done
    default = list(asked)
    asked.clear()
    result = align(spec, runs)
    text = spec.strategy.preamble(SCHWARTZ, "power", 1, replicate=0)
    assert set(asked) - set(default) == {f"{text}\n\n{content}" for content in default}
    assert result["steps"]["0"]["gain"] is not None
    asked.clear()
    assert align(spec, runs) == result
    assert not asked
