"""Many texts: each checked, each wanted once, whatever the model says first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.elicit.desks import Speaker, desk_of
from vat.errors import BackendError
from vat.generate.bulk import SAMPLE, Wanted, write
from vat.generate.languages import language
from vat.generate.prompts import base_prompt
from vat.types import Prompt

ENGLISH = language("English")
ACTION = base_prompt("action", "English")
REFUSAL = "I'm sorry, but I can't help with that request."


def wanted(count: int, among: str = "one scene") -> list[Wanted]:
    return [Wanted(f"{among} {n}", {"scene": among, "value": f"value {n}"}, among) for n in range(count)]


def n_of(prompt: Prompt) -> int:
    return int(prompt.messages[-1].content.split("Value: value ")[1].split("\n")[0])


def test_what_breaks_a_rule_is_asked_for_again_until_it_does_not(tmp_path: Path) -> None:
    speaker = Speaker(lambda prompt: f"I do number {n_of(prompt)}." if prompt.draw >= n_of(prompt) % 3 else "We do it.")
    written = write(desk_of(tmp_path, {"writer": speaker}), ACTION, wanted(90), ENGLISH, tries=3, max_new_tokens=9)
    assert written.texts == {f"one scene {n}": f"I do number {n}." for n in range(90)}
    assert list(written.texts) == [one.id for one in wanted(90)]
    assert written.missing == []
    assert len(written.rejected) == 30 + 60 - 30 + 30
    assert len(speaker.asked) == 90 + 60 + 30


def test_what_no_try_brings_is_missing_and_every_attempt_is_kept(tmp_path: Path) -> None:
    speaker = Speaker(lambda prompt: REFUSAL if n_of(prompt) == 7 else f"I do number {n_of(prompt)}.")
    written = write(desk_of(tmp_path, {"writer": speaker}), ACTION, wanted(9), ENGLISH, tries=4, max_new_tokens=9)
    assert written.missing == ["one scene 7"]
    assert [(one.id, one.attempt, one.faults, one.text) for one in written.rejected] == [("one scene 7", n, "refusal", REFUSAL) for n in (1, 2, 3, 4)]


def test_what_is_there_already_in_the_same_scene_is_asked_for_again(tmp_path: Path) -> None:
    speaker = Speaker(lambda prompt: f"I do number {n_of(prompt)}." if prompt.draw else "I do -- the SAME.")
    both = [*wanted(3, "one scene"), *wanted(2, "another scene")]
    written = write(desk_of(tmp_path, {"writer": speaker}), ACTION, both, ENGLISH, tries=2, max_new_tokens=9)
    assert list(written.texts.values()) == ["I do -- the SAME.", "I do number 1.", "I do number 2.", "I do -- the SAME.", "I do number 1."]
    assert {one.faults for one in written.rejected} == {"twice"}


def test_texts_of_which_the_same_is_given_are_draws_of_their_own(tmp_path: Path) -> None:
    speaker = Speaker(lambda prompt: f"I do number {prompt.draw}.")
    same = [Wanted(f"{n}", {"scene": "s", "value": "value 0"}, "", n) for n in range(3)]
    written = write(desk_of(tmp_path, {"writer": speaker}), ACTION, same, ENGLISH, tries=5, max_new_tokens=9, first_draw=100)
    assert list(written.texts.values()) == ["I do number 100.", "I do number 105.", "I do number 110."]


@pytest.mark.parametrize(("reply", "found"), [(REFUSAL, f"{SAMPLE} refusals"), ("We do it.", "rules broken")])
def test_a_model_of_which_nothing_can_be_used_is_asked_a_sample_and_no_more(tmp_path: Path, reply: str, found: str) -> None:
    speaker = Speaker(lambda prompt: reply)
    with pytest.raises(BackendError, match=rf"must write actions that keep to the rules; got none in {SAMPLE} \({found}") as caught:
        write(desk_of(tmp_path, {"writer": speaker}), ACTION, wanted(500), ENGLISH, tries=3, max_new_tokens=9)
    assert "\n" not in str(caught.value)
    assert len(speaker.asked) == SAMPLE


def test_progress_counts_every_text_once(tmp_path: Path) -> None:
    told: list[int] = []
    speaker = Speaker(lambda prompt: f"I do number {n_of(prompt)}." if prompt.draw or n_of(prompt) % 2 else "We do it.")
    write(desk_of(tmp_path, {"writer": speaker}), ACTION, wanted(50), ENGLISH, tries=2, max_new_tokens=9, told=told.append)
    assert sum(told) == 50
