"""Sentences and words, counted."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vat.generate.languages import language
from vat.generate.sentences import sentences, word_count

ENGLISH = language("English")
ONE = {
    "English": [
        "I ask Dr. Khan at 5 p.m. to come.", "I pay Ms. Lee.", "I ask Mdm. Tan, Engr. Obi, Atty. Cruz and Brgy. Captain Reyes.",
        "I call J. R. Smith.",
        "I agree with Smith & Co. and leave.", "I pay approx. 30 pesos.", "I vote for No. 5.", "I am no. 1.", "I donate Rs. 500 to the school.",
        "I call the bldg. manager.", "I buy rice, beans, etc. and go.", "I live in the U.S. with my aunt.", "At 5 p.m. I go home.",
        "At Smith & Co. I stay.",
        '"Stop!" I say to him.', "“Stop!” I say to him.", 'I shout "Stop! Go home." and leave.', 'I ask, "Why? Because I can."',
        "I tell Gov. Okoye, \"No!\" and run.",
        "I hesitate … I leave.", "I wait... and then go.", "I do two things: 1. call her and 2. leave.", "I refuse; I go.", "i refuse to go.",
        "I pay 3.50 euros.",
        "(I leave.)", "I leave",
    ],
    "French": ["Je dis à M. Dupont que non.", "« Non ! » dis-je."],
    "Spanish": ["Firmo la petición a las 5 p. m. en la plaza.", "¿Por qué?, le pregunto."],
    "German": ["Am 3. Mai gehe ich zu Fr. Dr. Meier, d. h. zum Arzt.", "Ich rufe ca. 20 Leute an.", "„Nein!“ sage ich."],
    "Indonesian": ["Saya menolak dll. dan pulang."],
    "Japanese": ["私は「だめ。」と言って断る。"],
    "Chinese": ["我说：“不行。”然后离开。"],
    "Thai": ["ฉันปฏิเสธคำขอ"],
}  # fmt: skip
TWO = {
    "English": [
        "I refuse. My boss agrees.", "I say no. I leave.", "I say no.I leave.", "I refuse.Then I go.", "I meet him at 5 p.m. I leave.",
        "I buy rice, etc. I leave.",
        "I buy rice, etc. Then I leave.", "I live in the U.S. I stay there.", "I choose option A. I stay.", 'I tell her "No." Then I leave.',
        "i say it. i leave.",
        "I do it?! Yes.", "I pick number 5. Then I go.", "I agree with Smith & Co. My boss agrees.", "I go: 1. Call her. 2. Leave.",
        'I leave. "Goodbye." I wave.',
    ],
    "Spanish": ["Le digo al Sr. Pérez que no. Me voy."],
    "Chinese": ["我拒绝了。然后我走了。"],
    "Hindi": ["मैं चुप रहता हूँ। फिर मैं जाता हूँ।"],
    "Urdu": ["میں انکار کرتا ہوں۔ پھر جاتا ہوں۔"],
    "Arabic": ["أرفض الطلب. ثم أغادر؟"],
    "Bengali": ["আমি না বলি। আমি যাই।"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in ONE.items() for text in texts])
def test_one_sentence_is_one(name, text):
    assert sentences(text, language(name)) == (text,)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in TWO.items() for text in texts])
def test_two_sentences_are_two(name, text):
    found = sentences(text, language(name))
    assert len(found) == 2
    assert "".join("".join(found).split()) == "".join(text.split())


@given(st.lists(st.sampled_from(["I leave.", "She stays at home!", "Do they know?", "We met Mr. Obi at 5 p.m. in town."]), min_size=1, max_size=6))
def test_plain_sentences_are_counted(parts):
    assert sentences(" ".join(parts), ENGLISH) == tuple(parts)


@example("a!b", "English")
@example("I wait at 5 p.m. I go.", "English")
@given(st.text(), st.sampled_from(["English", "Japanese", "Hindi"]))
def test_no_letter_is_lost_and_white_space_does_not_matter(text, name):
    found = sentences(text, language(name))
    assert "".join("".join(found).split()) == "".join(text.split())
    assert sentences(f"  {text}\n", language(name)) == sentences("  ".join(text.split()), language(name)) == found


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0), ("…", 0), (" - – — ", 0), ("I leave.", 2), ("I wait - and go.", 4), ("I wait—and go.", 4), ("wait…then", 2),
        ("and/or well-known o'clock", 3),
        ("5 p.m. (maybe)", 3), ("$500 and 30%", 3), ("मैं चुप रहता हूँ।", 4), ("나는 거절한다.", 2), ("我拒绝签字。", 3),
        ("私は断る。", 2), ("我用 iPhone 拍照。", 3),
        ("กา", 1),
        ("ที่นี่", 1),
    ],
)  # fmt: skip
def test_words_are_counted_and_characters_where_none_are_apart(text, count):
    assert word_count(text) == count


@given(st.lists(st.from_regex(r"[a-zé]{1,8}(?:-[a-z]{1,3})?[,.]?", fullmatch=True), max_size=80))
def test_words_apart_are_counted_one_by_one(words):
    assert word_count(" ".join(words)) == word_count(" \n ".join(words)) == len(words)


@given(st.text(alphabet="我拒绝签字", max_size=60), st.integers(0, 5))
def test_two_characters_are_one_word(text, english):
    assert word_count(text + " word" * english) == (len(text) + 1) // 2 + english
