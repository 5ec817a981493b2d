"""Which languages are known, and by which names."""

import pytest
from sentencex import segment

from vat.errors import ConfigError
from vat.generate.languages import language, languages

OF_THE_COUNTRIES = [
    "English", "Spanish", "French", "German", "Arabic", "Hindi", "Bengali", "Urdu", "Punjabi", "Filipino", "Hausa", "Igbo", "Yoruba", "Luganda",
    "Swahili",
]  # fmt: skip
FIRST_PERSON = {
    "German": ("Am Mittag schließe ich den Laden.", "Am Mittag schließt er den Laden."),
    "French": ("À midi, j’ouvre la boutique.", "À midi, elle ouvre la boutique."),
    "Dutch": ("'s Avonds sluit ik de winkel.", "'s Avonds sluit hij de winkel."),
    "Swedish": ("På kvällen stänger jag butiken.", "På kvällen stänger han butiken."),
    "Chinese": ("中午我关上店门。", "中午他关上店门。"),
    "Indonesian": ("Pada siang hari saya menutup toko.", "Pada siang hari dia menutup toko."),
    "Filipino": ("Isinasara ko ang tindahan sa tanghali.", "Isinasara niya ang tindahan sa tanghali."),
    "Yoruba": ("Mo pa ilẹ̀kùn ilé ìtajà dé.", "Ó pa ilẹ̀kùn ilé ìtajà dé."),
    "Igbo": ("Ana m emechi ụlọ ahịa ahụ.", "Ọ na-emechi ụlọ ahịa ahụ."),
    "Hausa": ("Ina rufe kanti da rana.", "Yana rufe kanti da rana."),
    "Nigerian Pidgin": ("For afternoon I dey close di shop.", "For afternoon im dey close di shop."),
    "English": ("At noon I close the shop.", "At noon he closes the shop."),
}


@pytest.mark.parametrize("known", languages(), ids=lambda known: known.name)
def test_a_language_is_known_by_its_name_and_its_code_in_any_case(known):
    for name in (known.name, known.name.upper(), f" {known.name.lower()} ", known.code, known.code.upper()):
        assert language(name) == known


def test_names_and_codes_are_distinct():
    names = [name.lower() for known in languages() for name in (known.name, known.code)]
    assert len(set(names)) == len(names)


def test_the_languages_of_the_twelve_countries_are_there():
    assert {language(name).name for name in OF_THE_COUNTRIES} == set(OF_THE_COUNTRIES)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Germn", "data.language: must be the name or the code of a language; got 'Germn'. Did you mean German?"),
        ("xx", "data.language: must be the name or the code of a language; got 'xx'. Choose from Arabic, Bengali, "),
        ("", "data.language: must be the name or the code of a language; got ''. Choose from "),
    ],
)
def test_an_unknown_language_gets_one_clear_line(name, line):
    with pytest.raises(ConfigError) as error:
        language(name)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


def test_each_language_whose_first_person_is_checked_has_an_example_here():
    assert {known.name for known in languages() if known.first_person} == set(FIRST_PERSON)


@pytest.mark.parametrize("name", FIRST_PERSON)
def test_the_first_person_is_told_from_the_third(name):
    pattern, (mine, theirs) = language(name).first_person, FIRST_PERSON[name]
    assert pattern.search(mine.replace("’", "'"))
    assert not pattern.search(theirs)


@pytest.mark.parametrize("name", ["Spanish", "Hindi", "Japanese", "Arabic", "Italian", "Turkish", "Korean", "Swahili"])
def test_where_the_pronoun_may_be_dropped_no_word_is_asked_for(name):
    assert language(name).first_person is None


def test_words_are_not_apart_in_chinese_japanese_and_thai():
    assert {known.name for known in languages() if not known.words_apart} == {"Chinese", "Japanese", "Thai"}


@pytest.mark.parametrize("known", languages(), ids=lambda known: known.name)
def test_sentences_can_be_found_in_each(known):
    assert segment(known.code, "A b.")
