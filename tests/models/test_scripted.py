from __future__ import annotations

import json

import numpy as np
import pytest

from vat.errors import BackendError
from vat.models.scripted import ScriptedModel
from vat.models.scripted_writer import HINTS
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


def writing(given: str, instruction: str = "Write.", draw: int = 0) -> Prompt:
    return Prompt((Message("user", f"{instruction}\n\n{given}"),), "", (), draw)


SCENE = "Country: Chile\nTopic: Work\nScene:"
ACTION = "Scene: A hall.\nValue: freedom\nMeaning: being free\nPolarity: against the value\nAction:"
JUDGED = 'Action: {}\n\nRate it.\n{{"correctness": 1-5, "plausible": true or false}}'


def test_it_writes_another_text_for_each_draw_and_the_same_for_the_same() -> None:
    model = ScriptedModel(sway=0.5, refusals=0.0, fails_on="")
    for given in (SCENE, ACTION):
        texts = model.generate([writing(given, draw=draw) for draw in (0, 1, 2, 0)], max_new_tokens=9)
        assert len(set(texts)) == 3
        assert texts[0] == texts[3]
    assert model.drawing(0.7) is model


def test_a_text_is_as_good_as_its_instruction_and_a_judge_sees_it() -> None:
    model, hints = ScriptedModel(sway=0.5, refusals=0.0, fails_on=""), f"{HINTS['concrete']} {HINTS['moment']}"
    means = []
    for instruction in ("Write.", hints):
        texts = model.generate([writing(ACTION, instruction, draw) for draw in range(60)], max_new_tokens=9)
        said = model.generate([Prompt((Message("user", JUDGED.format(text)),), "", ()) for text in texts], max_new_tokens=9)
        means.append(np.mean([json.loads(one)["correctness"] for one in said]))
    assert means[1] > means[0] + 1


def test_judges_of_another_sway_have_another_taste() -> None:
    asked = [Prompt((Message("user", JUDGED.format(f"I wait for Ms Rao {n}.")),), "", ()) for n in range(60)]
    one, other = (ScriptedModel(sway=sway, refusals=0.0, fails_on="").generate(asked, max_new_tokens=9) for sway in (0.5, 0.6))
    assert one != other
    apart = [abs(json.loads(a)["correctness"] - json.loads(b)["correctness"]) for a, b in zip(one, other, strict=True)]
    assert np.mean(apart) < 0.7
