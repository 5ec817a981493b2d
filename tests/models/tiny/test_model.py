"""What the embedded model is for: visible doses, a tax beyond chance, and a control without either. On held-out scenes."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import pytest

from tests.align.tasks import task
from vat.align.examples import PromptStrategy
from vat.align.placebo import Placebo
from vat.align.steering import Steering
from vat.data.template import TemplateData
from vat.elicit.rating import RatingElicitation
from vat.elicit.states import paired_states, rating_array
from vat.measure.tax import TaxReport, measure_tax
from vat.models.tiny import CAVEAT
from vat.models.tiny.model import TinyModel
from vat.theory.schwartz import SCHWARTZ
from vat.types import Judgements, Probe

MODEL = TinyModel(dtype="float32", device="cpu", memory_gib=1.0, attention="auto", template_options={})
SPLIT = TemplateData(test_share=0.3, split_seed=0, limit=None).split(SCHWARTZ)
ELICIT = RatingElicitation(
    mode="direct", format="chat", name_item=True, reversed=False, wording=0, min_mass=0.5, max_missing=0.2, answer_tokens=16, reasoning_tokens=64
)
TASKS = [("power", -1), ("security", 1)]


def ask(probes: tuple[Probe, ...]) -> Judgements:
    return ELICIT.judge(MODEL, probes, (), SCHWARTZ)


@lru_cache
def before() -> Judgements:
    return ask(SPLIT.test.rows)


@lru_cache
def after(strategy: type[PromptStrategy], value: str, direction: int, shots: int) -> Judgements:
    state = next(strategy(shots=shots).states(task(value, direction, MODEL, ask)))
    return ELICIT.judge(MODEL, SPLIT.test.rows, state.shots, SCHWARTZ)


def measured(strategy: type[PromptStrategy], value: str, direction: int, shots: int, *, which: Literal["mode", "expected"]) -> TaxReport:
    judged = (before(), after(strategy, value, direction, shots))
    pre_SV, post_SV = paired_states(*(rating_array(judgements, SCHWARTZ, which=which) for judgements in judged), SCHWARTZ)
    target = SCHWARTZ.values.index(value)
    return measure_tax(pre_SV, post_SV, target=target, direction=direction, factors=SPLIT.test.scene_factors, n_perm=999, seed=0)


@pytest.mark.parametrize(("value", "direction"), TASKS)
def test_more_examples_push_further_in_visible_steps(value: str, direction: int) -> None:
    gains = [measured(Steering, value, direction, shots, which="expected").gain for shots in (2, 4, 8)]
    assert gains[0] > 0.1
    assert gains[1] > gains[0] + 0.05
    assert gains[2] > gains[1] + 0.05


@pytest.mark.parametrize(("value", "direction"), TASKS)
def test_eight_examples_cost_a_tax_beyond_chance(value: str, direction: int) -> None:
    report = measured(Steering, value, direction, 8, which="mode")
    assert report.nvat_p < 0.01
    assert report.nvat > report.nvat_null


@pytest.mark.parametrize(("value", "direction"), TASKS)
def test_its_own_ratings_as_examples_push_nothing(value: str, direction: int) -> None:
    report = measured(Placebo, value, direction, 8, which="expected")
    assert abs(report.gain) < 0.1


def test_it_answers_everything_on_template_text() -> None:
    assert before().missing_rate == 0


def test_its_numbers_carry_their_caveat() -> None:
    assert MODEL.capabilities().caveat == CAVEAT
    assert "never a finding" in CAVEAT
