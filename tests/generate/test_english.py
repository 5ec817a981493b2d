"""Whose action, does it ask, does it take a side."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vat.data.template import all_scenes
from vat.elicit.wording import own_words
from vat.generate.english import asks_the_reader, begins_in_first_person, closes_with_a_question, takes_a_side
from vat.generate.languages import language
from vat.generate.sentences import sentences

TEXTS = json.loads((Path(__file__).parent / "golden" / "english.json").read_text(encoding="utf-8"))


def said(text):
    return sentences(own_words(text), language("English"))


@pytest.mark.parametrize("text", TEXTS["in the first person"])
def test_an_action_of_mine_begins_in_the_first_person(text):
    assert begins_in_first_person(own_words(text))


@pytest.mark.parametrize("text", TEXTS["not in the first person"])
def test_an_action_of_others_does_not(text):
    assert not begins_in_first_person(own_words(text))


@given(
    st.sampled_from(["refuse the bribe", "call my sister"]),
    st.sampled_from(["", "Then ", "Quietly, ", "At noon ", "When he asks, ", "Every morning, "]),
)
def test_what_may_stand_before_me_may_not_stand_before_others_instead(act, lead):
    assert begins_in_first_person(f"{lead}I {act}.")
    for others in ("we", "my sister and I", "she", "you", "the clerk"):
        assert not begins_in_first_person(f"{lead}{others} {act}.".capitalize())


@pytest.mark.parametrize("text", TEXTS["asks"])
def test_a_scene_that_asks_its_reader_is_known(text):
    assert asks_the_reader(said(text))


@pytest.mark.parametrize("text", TEXTS["takes a side"])
def test_a_narrator_who_takes_a_side_is_known(text):
    assert takes_a_side(said(text))


@pytest.mark.parametrize("text", TEXTS["neither"])
def test_what_persons_ask_and_think_is_theirs(text):
    assert not asks_the_reader(said(text))
    assert not takes_a_side(said(text))


@pytest.mark.parametrize("demand", ["What do you do?", "You must decide.", "You should help.", "It would be wrong to go."])
def test_the_same_words_are_free_in_quotation_marks(demand):
    scene = f"The street is full. {demand}"
    assert asks_the_reader(said(scene)) or takes_a_side(said(scene))
    quoted = f'The street is full. "{demand}" an old woman says to her son.'
    assert not asks_the_reader(said(quoted))
    assert not takes_a_side(said(quoted))


def test_the_embedded_scenes_do_neither():
    assert not [scene.text for scene in all_scenes() if asks_the_reader(said(scene.text)) or takes_a_side(said(scene.text))]


def test_a_closing_question_is_one_in_any_script():
    assert all(closes_with_a_question((text,)) for text in ["Why?", 'Who said "why?"', "为什么？", "لماذا؟", "¿Qué haces?"])
    assert not closes_with_a_question(("Why? Nobody knows.",))
    assert not closes_with_a_question(())


PIECES = [
    "at noon ",
    "when my boss ",
    "the next ",
    "quietly, ",
    '"" ',
    "only ",
    "you must ",
    "what do ",
    "should ",
    "clearly ",
    "the right ",
    ", says ",
    "a, ",
]


@pytest.mark.parametrize("piece", PIECES)
def test_a_long_text_takes_no_time(piece):
    text = piece * 3000
    start = time.process_time()
    begins_in_first_person(text)
    asks_the_reader((text,))
    takes_a_side((text[:6000],))
    assert time.process_time() - start < 2
