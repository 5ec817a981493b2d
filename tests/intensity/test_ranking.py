"""What judges are asked, and how their replies are read."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vat.errors import DataError
from vat.intensity.ranking import READ, Target, ranking_prompt, read_ranking
from vat.intensity.wording import WORDINGS, words

REPLIES = json.loads((Path(__file__).parent / "golden" / "replies.json").read_text(encoding="utf-8"))
HONESTY = Target("self_direction", "Deciding for\noneself.")
TEXTS = ["I lie.", "It rains {today}.", "I tell\n[1] the truth."]


@pytest.mark.parametrize(("size", "reply", "ranking"), REPLIES["read"])
def test_an_order_is_read_where_a_reply_gives_one(size: int, reply: str, ranking: list[int]) -> None:
    assert read_ranking(reply, size) == (tuple(number - 1 for number in ranking), "")


@pytest.mark.parametrize(("size", "reply", "why"), REPLIES["not read"])
def test_what_gives_no_order_or_more_than_one_is_not_read_and_it_is_said_why(size: int, reply: str, why: str) -> None:
    assert read_ranking(reply, size) == ((), why)


@pytest.mark.parametrize(("size", "reply", "ranking"), REPLIES["hard"])
def test_replies_that_are_meant_to_mislead_are_read_rightly_or_not_at_all(size: int, reply: str, ranking: list[int] | None) -> None:
    assert read_ranking(reply, size).places == tuple(number - 1 for number in ranking or [])


@given(st.integers(2, 9).flatmap(lambda size: st.permutations(range(1, size + 1))), st.sampled_from([" > ", ">", ", "]))
def test_every_order_is_read_in_every_form(order: list[int], between: str) -> None:
    assert read_ranking(between.join(map(str, order)), len(order)).places == tuple(number - 1 for number in order)


@given(st.text(alphabet="123> ,=.\n[]()", max_size=30), st.integers(2, 3))
def test_what_is_read_has_every_text_once(reply: str, size: int) -> None:
    places, why = read_ranking(reply, size)
    assert sorted(places) == ([] if why else list(range(size)))


@given(st.text(max_size=200), st.integers(2, 6))
def test_any_reply_can_be_looked_at(reply: str, size: int) -> None:
    places, why = read_ranking(reply, size)
    assert bool(places) != bool(why)


@pytest.mark.parametrize("piece", ["3 > ", "1, ", "text 1 > text 2\n", "1. text ", "[1", "oppose against ", "<think>", "(", "answer the "])
def test_a_long_reply_takes_no_time(piece: str) -> None:
    start = time.process_time()
    assert not read_ranking(piece * (READ // len(piece)), 3).places
    assert time.process_time() - start < 1.0


def test_a_judge_sees_value_meaning_and_numbered_texts_one_a_line() -> None:
    prompt = ranking_prompt(HONESTY, TEXTS)
    lines = prompt.messages[0].content.splitlines()
    assert {"Value: self direction", "Meaning: Deciding for oneself."} <= set(lines)
    assert [line for line in lines if line.startswith("[")] == ["[1] I lie.", "[2] It rains {today}.", "[3] I tell [1] the truth."]
    assert (prompt.labels, prompt.draw, len(prompt.messages)) == ((), 0, 1)


@pytest.mark.parametrize("size", [3, 6])
def test_the_form_that_is_shown_is_one_that_is_read(size: int) -> None:
    form = ranking_prompt(HONESTY, ["text"] * size).messages[0].content.splitlines()[-1]
    assert sorted(read_ranking(form, size).places) == list(range(size))


def test_of_two_texts_the_better_is_asked_for_and_its_number_may_be_a_label() -> None:
    plain, labelled = (ranking_prompt(HONESTY, TEXTS[:2], labelled=labelled) for labelled in (False, True))
    assert "1 or 2" in plain.messages[0].content.splitlines()[-1]
    assert (plain.messages, plain.labels, labelled.labels) == (labelled.messages, (), ("1", "2"))


def test_windows_of_a_value_begin_alike_up_to_their_texts() -> None:
    asked = [ranking_prompt(HONESTY, texts).messages[0].content for texts in itertools.permutations(TEXTS)]
    assert len({text.split("[1]")[0] for text in asked}) == 1
    assert len(set(asked)) == 6


def test_a_text_that_says_nothing_is_not_ranked() -> None:
    with pytest.raises(DataError, match=r"^judge: a text to be ranked must say something; got an empty one, text 2 of 3\. "):
        ranking_prompt(HONESTY, ["I lie.", " \n", "It rains."])


def test_the_wording_has_a_version_and_as_many_wordings_of_each_question_as_there_may_be() -> None:
    assert isinstance(words()["version"], int)
    for size, labelled in ((2, False), (2, True), (4, False), (4, True)):
        asked = [ranking_prompt(HONESTY, ["I lie."] * size, wording=n, labelled=labelled) for n in range(WORDINGS)]
        assert len({prompt.messages[0].content for prompt in asked}) == WORDINGS
        assert all(prompt.labels == (tuple("1234"[:size]) if labelled else ()) for prompt in asked)
        assert all(
            "Value: self direction\nMeaning: " in prompt.messages[0].content and "[2] I lie." in prompt.messages[0].content for prompt in asked
        )
    assert len(words()["rate"]) == WORDINGS
