from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vat.elicit.rating import PART, RatingElicitation
from vat.errors import BackendError
from vat.models.base import Progress
from vat.models.scripted import ScriptedModel
from vat.theory.schwartz import SCHWARTZ
from vat.types import LabelScores, Probe, Prompt, Shot

ELICIT = RatingElicitation(format="chat", name_item=True, reversed=False, wording=0, min_mass=0.5, max_missing=0.2)
PROBES = [Probe(f"s{n}", "c", "t", f"scene {n}", SCHWARTZ.items[n % 56], 1 if n % 2 else -1, f"I do {n}.") for n in range(PART + 300)]


class Fixed(ScriptedModel):
    """Gives the scores it is told to, and counts what it was asked."""

    def __init__(self, probability_5: Sequence[float], mass: float = 1.0, dies_after: int = 10**9) -> None:
        super().__init__(sway=0.0, refusals=0.0, fails_on="")
        self.__dict__.update(probability_5=probability_5, mass=mass, dies_after=dies_after, asked=[])

    def rate(self, prompts: Sequence[Prompt], progress: Progress = lambda done: None) -> LabelScores:
        if len(self.asked) >= self.dies_after:
            raise KeyboardInterrupt
        self.asked.append(len(prompts))
        progress(len(prompts))
        return LabelScores(np.tile(self.probability_5, (len(prompts), 1)), np.full(len(prompts), self.mass))


class Memory:
    """A store that keeps its parts, as a job's folder does."""

    def __init__(self) -> None:
        self.parts: dict[Any, LabelScores] = {}

    def read(self, part: int, prompts: Sequence[Prompt]) -> LabelScores | None:
        return self.parts.get((part, tuple(prompts)))

    def write(self, part: int, prompts: Sequence[Prompt], scores: LabelScores) -> None:
        self.parts[part, tuple(prompts)] = scores


@pytest.mark.parametrize(
    ("probability_5", "mode"),
    [
        ((0.1, 0.2, 0.4, 0.2, 0.1), 3),
        ((0.4, 0.05, 0.1, 0.05, 0.4), 1),  # both as far from 3: the lower
        ((0.0, 0.4, 0.2, 0.4, 0.0), 2),
        ((0.3, 0.0, 0.3, 0.0, 0.4), 5),
        ((0.35, 0.35, 0.1, 0.1, 0.1), 2),  # the nearer to 3
        ((0.2, 0.2, 0.2, 0.2, 0.2), 3),
    ],
)
def test_a_tie_of_the_mode_goes_to_the_nearest_to_3_and_then_to_the_lower(probability_5: Sequence[float], mode: int) -> None:
    judged = ELICIT.judge(Fixed(probability_5), PROBES[:4], (), SCHWARTZ)
    assert (judged.rating_N == mode).all()
    assert judged.expected_N == pytest.approx(np.dot(probability_5, [1, 2, 3, 4, 5]))


def test_an_answer_without_enough_mass_on_the_labels_is_missing_and_never_zero() -> None:
    judged = replace(ELICIT, max_missing=1.0).judge(Fixed((0, 0, 0, 0, 1), mass=0.49), PROBES[:4], (), SCHWARTZ)
    assert np.isnan(judged.rating_N).all()
    assert np.isnan(judged.expected_N).all()
    assert judged.missing_rate == 1
    assert ELICIT.judge(Fixed((0, 0, 0, 0, 1), mass=0.5), PROBES[:4], (), SCHWARTZ).missing_rate == 0


def test_a_model_without_an_answer_is_missing() -> None:
    judged = replace(ELICIT, max_missing=1.0).judge(Fixed((np.nan,) * 5), PROBES[:4], (), SCHWARTZ)
    assert judged.missing_rate == 1


def test_too_many_missing_answers_fail_and_show_what_the_model_said() -> None:
    with pytest.raises(BackendError, match=r"at most 20% of answers missing; got 3[0-9]%, as .*I would rather not say") as caught:
        ELICIT.judge(ScriptedModel(sway=0, refusals=0.35, fails_on=""), PROBES[:400], (), SCHWARTZ)
    assert "\n" not in str(caught.value)


def test_on_a_reversed_scale_the_same_stance_is_the_same_rating() -> None:
    plain = ELICIT.judge(Fixed((0.0, 0.1, 0.2, 0.6, 0.1)), PROBES[:4], (), SCHWARTZ)
    turned = replace(ELICIT, reversed=True).judge(Fixed((0.1, 0.6, 0.2, 0.1, 0.0)), PROBES[:4], (), SCHWARTZ)
    np.testing.assert_array_equal(plain.rating_N, turned.rating_N)
    np.testing.assert_allclose(plain.expected_N, turned.expected_N)
    np.testing.assert_array_equal(plain.probability_N5, turned.probability_N5)


def test_an_interrupted_job_goes_on_after_its_last_part_and_ends_with_the_same_answers() -> None:
    store, shots = Memory(), [Shot(PROBES[0], 5)]
    with pytest.raises(KeyboardInterrupt):
        ELICIT.judge(Fixed((0.1, 0.2, 0.3, 0.3, 0.1), dies_after=1), PROBES, shots, SCHWARTZ, store=store)
    model, seen = Fixed((0.1, 0.2, 0.3, 0.3, 0.1)), []
    judged = ELICIT.judge(model, PROBES, shots, SCHWARTZ, store=store, progress=seen.append)
    assert model.asked == [300]
    assert sum(seen) == len(PROBES)
    undisturbed = ELICIT.judge(Fixed((0.1, 0.2, 0.3, 0.3, 0.1)), PROBES, shots, SCHWARTZ)
    np.testing.assert_array_equal(judged.probability_N5, undisturbed.probability_N5)


def test_what_decides_only_whether_answers_are_accepted_is_no_part_of_the_identity() -> None:
    assert replace(ELICIT, max_missing=0.9).identity() == ELICIT.identity()
    for change in ({"format": "plain"}, {"name_item": False}, {"reversed": True}, {"wording": 2}, {"min_mass": 0.4}):
        assert replace(ELICIT, **change).identity() != ELICIT.identity(), change
