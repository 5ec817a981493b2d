import pytest

from vat.generate.words import length_of, normalised, parts_of, unit_of


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“I  REFUSE”, he said…\n", "i refuse he said"),
        ("don’t 'quote' me", "don't quote me"),
        ("ｆｕｌｌ Straße", "full strasse"),
        ("हिंदी में, बोलो।", "हिंदी में बोलो"),
        ("我帮忙。他不！", "我帮忙 他不"),
        ("می‌روم", "میروم"),
        ("—!?", ""),
    ],
)
def test_texts_that_say_the_same_but_for_case_and_punctuation_are_the_same_in_any_script(text, plain):
    assert normalised(text) == plain == normalised(plain)


@pytest.mark.parametrize(("code", "unit"), [("en", "words"), ("zh", "characters"), ("zh-Hant", "characters"), ("TH", "characters"), ("hi", "words")])
def test_characters_stand_for_words_where_writing_has_no_spaces(code, unit):
    assert unit_of(code) == unit


def test_runs_of_characters_end_at_spaces():
    assert parts_of("ab cde", "words") == ["ab", "cde"]
    assert sorted(parts_of("ab cde", "characters")) == sorted(["a", "b", "ab", "c", "d", "e", "cd", "de", "cde"])


def test_length_is_counted_in_words_or_in_characters_without_spaces():
    assert (length_of("ab cde", "words"), length_of("ab cde", "characters"), length_of("", "words")) == (2, 5, 0)
