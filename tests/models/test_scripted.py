from __future__ import annotations

import numpy as np
import pytest

from vat.errors import BackendError
from vat.models.scripted import ScriptedModel
from vat.types import Message, Prompt

LABELS = tuple("12345")


def asked(count: int, shown: str = "") -> list[Prompt]:
    before = (Message("user", "example"), Message("assistant", shown)) if shown else ()
    return [Prompt((*before, Message("user", f"question {n}")), "", LABELS) for n in range(count)]


def test_it_answers_the_same_question_the_same_way() -> None:
    model = ScriptedModel(sway=0.5, refusals=0.0, fails_on="")
    np.testing.assert_array_equal(model.rate(asked(20)).probability_N5, model.rate(asked(20)).probability_N5)


def test_examples_sway_it_toward_their_ratings() -> None:
    model = ScriptedModel(sway=0.5, refusals=0.0, fails_on="")
    low, high = (model.rate(asked(50, shown)).probability_N5 @ np.arange(1, 6) for shown in "15")
    assert (low < high).all()


def test_it_refuses_as_often_as_it_is_told() -> None:
    scores = ScriptedModel(sway=0.5, refusals=0.3, fails_on="").rate(asked(1000))
    assert (scores.mass_N < 0.5).mean() == pytest.approx(0.3, abs=0.06)


def test_it_breaks_on_order() -> None:
    with pytest.raises(BackendError, match="fails on 'question 3'"):
        ScriptedModel(sway=0.5, refusals=0.0, fails_on="question 3").rate(asked(5))
