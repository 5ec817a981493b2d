"""Who declines: the model, or somebody whom it writes of."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vat.elicit.refusals import READ, is_refusal

REPLIES = json.loads((Path(__file__).parent / "golden" / "refusals.json").read_text(encoding="utf-8"))
WITH_THE_RULE = REPLIES["with the rule"]


@pytest.mark.parametrize("reply", WITH_THE_RULE["refusals"])
def test_a_model_that_declines_is_known(reply):
    assert is_refusal(reply)


@pytest.mark.parametrize("text", WITH_THE_RULE["none"])
def test_somebody_who_declines_in_a_text_is_no_refusal(text):
    assert not is_refusal(text)


def test_how_often_it_errs_on_what_was_written_when_it_was_final():
    """The rule was not changed for these: 55 of 61 refusals are known, 2 of 88 texts are taken for one, and those were meant to be hard."""
    fresh, errors = REPLIES["after the rule"], REPLIES["errors after the rule"]
    assert [reply for reply in fresh["refusals"] if not is_refusal(reply)] == errors["missed"]
    assert [text for text in fresh["none"] if is_refusal(text)] == errors["false alarms"]
    assert (len(fresh["refusals"]), len(errors["missed"])) == (61, 6)
    assert (len(fresh["none"]), len(errors["false alarms"])) == (88, 2)


@pytest.mark.parametrize(
    "reply", ["I'm sorry, but I can't assist with that.", "As an AI, I cannot vote.", "Je suis désolé, mais je ne peux pas vous aider."]
)
@pytest.mark.parametrize("wrapped", ["{}", "**{}**", '"{}"', "“{}”", "```\n{}\n```", "<think>hm</think>{}", "  {}\n", "{}<|eot_id|>"])
def test_wrapping_hides_no_refusal(reply, wrapped):
    assert is_refusal(wrapped.format(reply))


@pytest.mark.parametrize("reply", ["I'm sorry, but I can't help with that.", "I cannot create content that promotes violence."])
@pytest.mark.parametrize("told", ['I tell the caller, "{}"', "“{}” I say to the officer, and close the door.", "I text my boss: '{}'"])
def test_a_refusal_that_somebody_speaks_is_a_text(reply, told):
    assert is_refusal(reply)
    assert not is_refusal(told.format(reply))


def test_an_empty_reply_is_no_refusal():
    assert not any(map(is_refusal, ["", " \n", "<think>I cannot", '""']))


def test_a_thought_that_declines_is_no_refusal():
    assert not is_refusal("<think>I can't help with that? It is fine.</think>I refuse to sign the petition.")


@given(st.text())
def test_any_text_is_a_refusal_or_none(text):
    assert is_refusal(text) in (True, False)


@given(st.text(alphabet="abc'\"., I\n", max_size=200))
def test_letters_at_random_are_no_refusal(text):
    assert not is_refusal(text)


@pytest.mark.parametrize(
    "piece",
    ["i can't ", "i cannot write a ", "as an ", "my ", "sorry ", "“", "'", "this request ", "i am ", "es tut mir leid ", ", and ", "tell that i "],
)
def test_a_long_reply_takes_no_time(piece):
    start = time.process_time()
    is_refusal((piece * READ)[: 10 * READ])
    assert time.process_time() - start < 0.5  # 1 to 20 ms here
