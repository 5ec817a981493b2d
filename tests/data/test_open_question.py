"""The open question: as it stands alone, and after examples."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vat.data.open_question import WORDING, open_prompt
from vat.data.question import Question
from vat.types import Probe, Prompt, Shot

PROBES = [Probe(f"s{n}", "Chile", "Work", f"Scene {n}.", "wealth", 1, f"I do {n}.") for n in range(3)]
SHOTS = tuple(Shot(probe, rating) for probe, rating in zip(PROBES[:2], (1, 5), strict=True))
CHAT = Question("chat", True, False, 0, {"wealth": "Money."})
PLAIN = replace(CHAT, format="plain")


def test_without_examples_it_is_one_turn_about_the_scene_and_nothing_of_ratings() -> None:
    [turn] = open_prompt("At the fair.", (), CHAT).messages
    assert turn == ("user", f"Situation: At the fair.\n{WORDING}\nWhat I do:")
    assert open_prompt("At the fair.", (), PLAIN) == Prompt((), turn.content, ())


@pytest.mark.parametrize("question", [CHAT, replace(CHAT, reversed=True), replace(CHAT, reasoned=True)], ids=["plain scale", "reversed", "reasoned"])
@pytest.mark.parametrize("count", [1, 2])
def test_examples_stand_before_it_as_before_every_rating_question(question: Question, count: int) -> None:
    asked, rated = open_prompt("At the fair.", SHOTS[:count], question), question.prompt(PROBES[2], SHOTS[:count])
    assert asked.messages[:-1] == rated.messages[:-1]
    assert asked.messages[-1] == open_prompt("At the fair.", (), question).messages[-1]
    assert len(asked.messages) == 2 * count + 1


def test_as_one_text_it_follows_the_examples_as_the_rating_question_does() -> None:
    asked, rated = open_prompt("At the fair.", SHOTS, PLAIN), PLAIN.prompt(PROBES[2], SHOTS)
    alone = open_prompt("At the fair.", (), PLAIN).text
    assert asked.text.endswith(f"\n\n{alone}")
    assert rated.text.startswith(asked.text.removesuffix(alone))
    assert not asked.messages
