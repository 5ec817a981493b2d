"""What a text says itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vat.elicit.wording import SPEECH, own_words, said_at_last


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ('"Stop!" I say to him.', '"". I say to him.'),
        ('I say, "I quit." and leave.', 'I say, "" and leave.'),
        ('She says "No." He goes.', 'She says "". He goes.'),
        ('"Why?", she asks', '"", she asks'),
        ("I tell the workers' union 'I don't agree,' and leave the boss' car.", "I tell the workers' union \"\" and leave the boss' car."),
        ("Er sagt: „Nein.“ Ich gehe.", 'Er sagt: "". Ich gehe.'),
        ("Je dis « non » et je pars.", 'Je dis "" et je pars.'),
        ("我说：“不行。”然后离开。", '我说: ""然后离开.'),
        ("I don't say what's mine.", "I don't say what's mine."),
    ],
)
def test_quoted_speech_is_left_out_and_may_end_a_sentence(text, own):
    assert own_words(text) == own


@given(st.text(alphabet="ab .,!?'\n", max_size=40).filter(lambda said: '"' not in said))
def test_what_is_said_between_marks_never_counts(said):
    assert "a" not in own_words(f'x "{said}" y')
    assert own_words(f'x "{said}" y').startswith(f"x {SPEECH}")


def test_thoughts_and_what_follows_the_end_of_a_turn_are_no_part_of_what_is_said():
    assert said_at_last("<think>I must refuse.</think>\n I stay. <|im_end|>user") == "I stay."
    assert said_at_last("<think>I wonder whether") == ""
