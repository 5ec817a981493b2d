"""Golden prompts. After a change of wording raise VERSION, then `python tests/data/test_question.py` records them anew."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vat.data.question import INSTRUCTIONS, POINTS, VERSION, Question
from vat.types import Probe, Prompt, Shot

GOLDEN = Path(__file__).with_name("golden") / "question.json"
DEFINITIONS = {"honest": "Telling the truth.", "tidy": "Keeping things clean."}
PROBE = Probe("1", "India", "Work", "A shop closes early.", "honest", 1, "I say why.")
SHOTS = (
    Shot(Probe("2", "Egypt", "Religion", "A hall is full.", "tidy", 1, "I sweep the floor."), 5),
    Shot(Probe("3", "Canada", "Leisure", "A match is lost.", "tidy", -1, "I leave my cup."), 1),
)
CASES = {
    "A chat: two examples as turns of their own, then the question. Instruction and scale stand in the first turn only.": {},
    "One plain text for base models: the answers stand behind the examples, and the labels begin with a space.": {"format": "plain"},
    "The scale printed the other way round, as a control: an example's 5 is shown as 1.": {"reversed": True},
    "The item and its definition left out, so that only the action speaks.": {"name_item": False},
    **{f"The instruction in other words, as a control: wording {n}.": {"wording": n} for n in range(1, len(INSTRUCTIONS))},
}
formats = pytest.mark.parametrize("settings", [{}, {"format": "plain"}, {"reversed": True}, {"name_item": False}], ids=str)


def question(**changed) -> Question:
    return Question(**{"format": "chat", "name_item": True, "reversed": False, "wording": 0, "definitions": DEFINITIONS} | changed)


def rendered() -> list[dict]:
    """Every case as the golden file has it."""
    prompts = {about: question(**settings).prompt(PROBE, SHOTS) for about, settings in CASES.items()}
    return [{"description": about, "settings": CASES[about], "prompt": as_tree(prompt)} for about, prompt in prompts.items()]


def as_tree(prompt: Prompt) -> dict:
    return {"messages": [turn._asdict() for turn in prompt.messages], "text": prompt.text, "labels": list(prompt.labels)}


def whole(prompt: Prompt) -> str:
    return prompt.text or "".join(f"<{turn.role}>{turn.content}" for turn in prompt.messages)


def test_every_prompt_is_as_recorded_for_this_version():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert golden["version"] == VERSION, "VERSION was raised: record the prompts anew"
    assert golden["cases"] == rendered(), "the wording changed: raise VERSION, then record the prompts anew"


@formats
def test_two_prompts_for_a_scene_are_the_same_up_to_the_action(settings):
    other = PROBE._replace(item="tidy", polarity=-1, action="Nothing is said by me.")
    ask = question(**settings)
    head, other_head = (whole(ask.prompt(probe, SHOTS)).rpartition("Action: ")[0] for probe in (PROBE, other))
    assert head == other_head
    assert head.endswith(f"Situation: {PROBE.scene}\n")
    assert ask.prompt(PROBE, SHOTS) != ask.prompt(other, SHOTS)


@formats
def test_prompts_after_the_same_examples_are_the_same_up_to_the_scene(settings):
    ask = question(**settings)
    head, other_head = (whole(ask.prompt(PROBE._replace(scene=scene), SHOTS)).rpartition("Situation: ")[0] for scene in ("A rainy day.", "Noon."))
    assert head == other_head
    assert all(shot.probe.action in head for shot in SHOTS)


@pytest.mark.parametrize("format", ["chat", "plain"])
def test_a_reversed_scale_shows_flipped_ratings_under_flipped_points(format):
    shots = [Shot(PROBE._replace(action=f"I act {rating}."), rating) for rating in range(1, 6)]
    for flipped, printed, points in ((False, "12345", POINTS), (True, "54321", POINTS[::-1])):
        ask = question(format=format, reversed=flipped)
        prompt = ask.prompt(PROBE, shots)
        turns = [turn.content for turn in prompt.messages if turn.role == "assistant"]
        shown = turns or [block.rpartition("Your answer: ")[2] for block in prompt.text.split("\n\n")[1:-1]]
        assert "".join(shown) == printed
        assert "\n".join(f"{n} = {point}" for n, point in enumerate(points, start=1)) in whole(prompt)


@given(rating=st.integers(1, 5), flipped=st.booleans())
def test_what_is_printed_reads_back_as_the_rating(rating, flipped):
    ask = question(reversed=flipped)
    assert ask.printed(ask.printed(rating)) == rating
    assert ask.opening()[1 + ask.printed(rating)].endswith(f"= {POINTS[rating - 1]}")


def test_an_unnamed_item_appears_nowhere():
    assert "honest" in whole(question().prompt(PROBE))
    text = whole(question(name_item=False, definitions={}).prompt(PROBE, SHOTS))
    assert not any(word in text for pair in DEFINITIONS.items() for word in pair)


def test_a_chat_is_turn_about_and_ends_with_the_user():
    roles = [turn.role for turn in question().prompt(PROBE, SHOTS).messages]
    assert roles == ["user", "assistant", "user", "assistant", "user"]


@formats
def test_every_prompt_ends_with_the_answer_cue(settings):
    for shots in ((), SHOTS):
        assert whole(question(**settings).prompt(PROBE, shots)).endswith("\nYour answer:")


def test_the_polarity_and_the_place_of_a_probe_are_never_shown():
    hidden = PROBE._replace(polarity=-1, scene_id="9", country="Peru", topic="Sport")
    assert question().prompt(hidden, SHOTS) == question().prompt(PROBE, SHOTS)


def record() -> None:
    """Write the golden file; refused while VERSION is the recorded one and the text is not."""
    if GOLDEN.exists():
        golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
        assert golden["version"] != VERSION or golden["cases"] == rendered(), "raise VERSION first"
    GOLDEN.parent.mkdir(exist_ok=True)
    about = "What a model is asked, one case for each setting; all with the two examples and the probe of test_question.py."
    GOLDEN.write_text(
        json.dumps({"description": about, "version": VERSION, "cases": rendered()}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    record()
