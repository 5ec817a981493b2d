"""Responses that a judge gives a number each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.elicit.desks import Speaker, desk_of, scripted
from vat.errors import BackendError
from vat.intensity.by_rating import Rating, rating_prompt, read_rating
from vat.intensity.evaluator import Scale, Scored
from vat.intensity.ranking import Target
from vat.models.base import Model
from vat.types import Prompt

CARE = Target("self_care", "Looking after oneself.")
READ = {
    "7": 7.0, "-3.5": -3.5, "+10": 10.0, "−10": -10.0, "0": 0.0, "Score: 4": 4.0, "**8**": 8.0, "My rating is -2.": -2.0,
    "The text helps.\nAnswer: 6": 6.0,
    "5\n\nIt supports the value.": 5.0, "<think>9 or 3?</think>3": 3.0, "-7.": -7.0,
}  # fmt: skip
NOT_READ = {
    "": "empty", "  \n": "empty", "<think>perhaps 3": "cut short", "I would say 7": "prose", "7/10": "prose", "7 out of 10": "prose",
    "between 3 and 5": "prose",
    "11": "out of range", "-10.5": "out of range", "3\n5": "several", "7\nor 8 perhaps": "prose", "It is strongly supportive.": "prose",
    "I'm sorry, but I can't help with that.": "refusal", "1e1": "prose", "100": "prose", "5, 6": "prose", "seven": "prose",
}  # fmt: skip


@pytest.mark.parametrize("reply", READ)
def test_a_number_alone_is_read(reply: str) -> None:
    assert read_rating(reply) == (READ[reply], "")


@pytest.mark.parametrize("reply", NOT_READ)
def test_anything_else_is_missing_with_a_reason(reply: str) -> None:
    rating, why = read_rating(reply)
    assert math.isnan(rating)
    assert why == NOT_READ[reply]


def rated(folder: Path, judge: Model, responses: dict[str, str], wording: int = 0) -> tuple[Scored, int]:
    told: list[None] = []
    desk = desk_of(folder, {"judge": judge})
    found = Rating(wording=wording).score(desk, "judge", Scale(CARE), responses, drawn_as=str, max_new_tokens=9, told=lambda: told.append(None))
    return found, len(told)


def test_each_response_has_its_number_and_what_cannot_be_read_or_is_too_long_is_missing(tmp_path: Path) -> None:
    class Short(Speaker):
        def too_long(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 0) -> set[int]:
            return {n for n, prompt in enumerate(prompts) if "number 50" in prompt.messages[0].content}

    def says(prompt: Prompt) -> str:
        number = int(prompt.messages[0].content.split("number ")[1].split()[0])
        return "I will not." if number == 7 else str(number % 21 - 10)

    responses = {f"r{n}": f"This is number {n} of all." for n in range(60)}
    judge = Short(says)
    found, told = rated(tmp_path, judge, responses)
    assert found.found is not None
    assert [math.isnan(x) for x in found.found.intensity_R] == [n in (7, 50) for n in range(60)]
    assert found.found.intensity_R[59] == 59 % 21 - 10
    assert (found.asked, dict(found.lost), told, found.places) == (60, {"prose": 1, "too long": 1}, 59, [])
    assert all(math.isnan(x) for x in (*found.found.low_R, *found.found.high_R)), "a number has no interval"
    assert len(judge.asked) == 59
    assert rated(tmp_path, judge, responses)[0].found.intensity_R[0] == -10  # type: ignore[union-attr]
    assert len(judge.asked) == 59, "what was said is not asked again"


def test_a_judge_who_gives_no_numbers_ends_it_soon_in_one_line(tmp_path: Path) -> None:
    judge = Speaker(lambda prompt: "Quite strongly, I think.")
    with pytest.raises(
        BackendError, match=r"^judge: must give a number from -10 to 10; got 'Quite strongly, I think\.' and 19 more .*20 prose"
    ) as caught:
        rated(tmp_path, judge, {f"r{n}": f"Text {n}." for n in range(90)})
    assert "\n" not in str(caught.value)
    assert len(judge.asked) == 20
    few, _ = rated(tmp_path / "few", judge, {"r": "Text."})
    assert (few.found, few.why) == (None, "no rating could be read")


def test_wordings_ask_for_the_same_in_other_words_and_the_scripted_model_understands_both(tmp_path: Path) -> None:
    asked = [rating_prompt(CARE, "I rest.\nOften.", wording=n).messages[0].content for n in (0, 1)]
    assert asked[0] != asked[1]
    assert all("Value: self care\nMeaning: Looking after oneself." in text and ": I rest. Often.\n" in text for text in asked)
    scores = [rated(tmp_path / str(n), scripted(), {f"r{k}": f"I rest {k} times." for k in range(40)}, n)[0].found for n in (0, 1)]
    assert all(one is not None and (abs(one.intensity_R) <= 10).all() for one in scores)
    assert scores[0].intensity_R.tolist() != scores[1].intensity_R.tolist()  # type: ignore[union-attr]
