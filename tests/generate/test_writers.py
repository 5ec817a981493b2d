"""A writing prompt as a program of DSPy: what is tried in the search is to the letter what is frozen afterwards."""

from __future__ import annotations

import json
import time
from pathlib import Path

import dspy
import pytest

from tests.elicit.desks import Speaker, desk_of
from vat.generate.plan import OF_SEARCH
from vat.generate.prompts import Example, WritingPrompt
from vat.generate.writers import TRIES, LettersOfOurs, Writer, lm, patient, prompt_of
from vat.types import Prompt

GIVEN = {"country": "Chile", "topic": "Religion"}
PROMPT = WritingPrompt("scene", "Write well.", (Example((("country", "Peru"), ("topic", "Work")), "A hall in Lima."),), "Spanish")


def program(prompt: WritingPrompt) -> Writer:
    writer = Writer(prompt, list(GIVEN))
    writer.write.demos = [dspy.Example(**dict(example.given), text=example.text) for example in prompt.examples]
    return writer


def test_a_program_shows_a_model_what_its_prompt_shows_and_is_that_prompt_again(tmp_path: Path) -> None:
    speaker = Speaker(lambda prompt: " A market in Arica. ")
    with dspy.context(lm=lm(desk_of(tmp_path, {"writer": speaker}), "writer", max_new_tokens=9), adapter=LettersOfOurs("scene", "Spanish")):
        prediction = program(PROMPT)(**GIVEN)
    assert (prediction.text, prediction.prompt) == ("A market in Arica.", PROMPT)
    assert speaker.asked == [PROMPT.prompt(GIVEN, OF_SEARCH)]
    assert prompt_of(program(PROMPT)).digest == PROMPT.digest


def test_an_example_that_is_not_whole_is_shown_nowhere() -> None:
    writer = program(PROMPT)
    writer.write.demos.append(dspy.Example(country="Peru", topic="Work"))
    assert prompt_of(writer) == PROMPT


def test_the_same_question_again_is_the_next_draw(tmp_path: Path) -> None:
    speaker = Speaker(lambda prompt: f"scene {prompt.draw - OF_SEARCH}")
    with dspy.context(lm=lm(desk_of(tmp_path, {"writer": speaker}), "writer", max_new_tokens=9), adapter=LettersOfOurs("scene", "Spanish")):
        assert [program(PROMPT)(**GIVEN).text for _ in range(3)] == ["scene 0", "scene 1", "scene 2"]


@pytest.mark.parametrize(("reply", "text"), [("", ""), ("<think>Hm.</think> I go.", "I go."), ("Action: I go.", "I go.")])
def test_a_text_is_judged_as_it_would_stand_in_the_dataset_be_it_empty(reply: str, text: str, tmp_path: Path) -> None:
    with dspy.context(
        lm=lm(desk_of(tmp_path, {"writer": Speaker(lambda prompt: reply)}), "writer", max_new_tokens=9), adapter=LettersOfOurs("scene", "Spanish")
    ):
        assert program(PROMPT)(**GIVEN).text == text


def test_no_text_is_written_anew_because_it_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(prompt: Prompt) -> str:
        time.sleep(1.5)  # DSPy looks about once a second
        return "A market."

    speaker, clock = Speaker(slow), time.time
    monkeypatch.setattr(dspy.utils.parallelizer.time, "time", lambda: 1000 * clock())
    desk = desk_of(tmp_path, {"writer": speaker})
    evaluate = dspy.Evaluate(devset=[dspy.Example(**GIVEN).with_inputs(*GIVEN)], metric=lambda example, prediction: 1.0, num_threads=2)
    with dspy.context(lm=lm(desk, "writer", max_new_tokens=9), adapter=LettersOfOurs("scene", "Spanish")), patient():
        assert evaluate(program(PROMPT)).score == 100
    assert len(speaker.asked) == 1


class Proposal(dspy.Signature):  # type: ignore[misc]
    """Propose."""

    basic = dspy.InputField()
    instruction = dspy.OutputField()
    prefix = dspy.OutputField()


def test_a_proposal_that_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    whole = json.dumps({"instruction": "Do it.", "prefix": "It:"})
    speaker = Speaker(lambda prompt: ["Sure!", '{"instruction": "Do it."}', whole][prompt.draw - OF_SEARCH])
    with dspy.context(lm=lm(desk_of(tmp_path, {"proposer": speaker}), "proposer", max_new_tokens=9), adapter=LettersOfOurs("scene", "Spanish")):
        found = dspy.Predict(Proposal)(basic="x")
    assert (found.instruction, found.prefix) == ("Do it.", "It:")
    mute = Speaker(lambda prompt: "Sure!")
    with (
        dspy.context(lm=lm(desk_of(tmp_path / "b", {"proposer": mute}), "proposer", max_new_tokens=9), adapter=LettersOfOurs("scene", "Spanish")),
        pytest.raises(dspy.utils.exceptions.AdapterParseError),
    ):
        dspy.Predict(Proposal)(basic="x")
    assert len(mute.asked) == TRIES


def test_what_dspy_says_before_the_turns_opens_the_first(tmp_path: Path) -> None:
    speaker = Speaker(lambda prompt: json.dumps({"instruction": "Do it.", "prefix": "It:"}))
    with dspy.context(lm=lm(desk_of(tmp_path, {"proposer": speaker}), "proposer", max_new_tokens=9), adapter=LettersOfOurs("scene", "Spanish")):
        dspy.Predict(Proposal)(basic="x")
    [asked] = speaker.asked
    assert [message.role for message in asked.messages] == ["user"]
    assert "Propose." in asked.messages[0].content


def test_nothing_of_dspy_is_left_on_disk_or_asked_twice(tmp_path: Path) -> None:
    speaker = Speaker(lambda prompt: "A hall.")
    desk = desk_of(tmp_path, {"writer": speaker})
    with dspy.context(lm=lm(desk, "writer", max_new_tokens=9), adapter=LettersOfOurs("scene", "Spanish")):
        program(PROMPT)(**GIVEN)
    assert isinstance(speaker.asked[0], Prompt)
    assert not dspy.cache.enable_disk_cache
    assert not dspy.cache.enable_memory_cache
