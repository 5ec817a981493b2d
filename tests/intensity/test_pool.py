"""Pools of a value's texts."""

from __future__ import annotations

from collections import Counter

import pytest

from vat.errors import DataError
from vat.intensity.pool import CorpusText, Pool, corpus_texts, id_of, seed_pool


def corpus(*, own_for: int, own_against: int, other_for: int = 0, other_against: int = 0, neutral: int = 0) -> list[CorpusText]:
    rows = [CorpusText(f"For care {n}.", "mft", "care", 1, "a") for n in range(own_for)]
    rows += [CorpusText(f"Against care {n}.", "mft", "kindness", -1, "a") for n in range(own_against)]
    rows += [CorpusText(f"For duty {n}.", "duty", "justice", 1, "b") for n in range(other_for)]
    rows += [CorpusText(f"Against duty {n}.", "duty", "justice", -1, "b") for n in range(other_against)]
    return rows + [CorpusText(f"Rain {n}.", "", "", 0, "c") for n in range(neutral)]


def pool(rows: list[CorpusText], size: int, seed: int = 0) -> Pool:
    return seed_pool(rows, theory="mft", value="care", names={"care", "kindness"}, size=size, seed=seed)


def kinds(found: Pool) -> Counter[str]:
    return Counter(text.text.rpartition(" ")[0] for text in found.texts)


def test_texts_about_the_value_come_first_and_the_rest_is_filled_up() -> None:
    found = pool(corpus(own_for=10, own_against=10, neutral=200), 50)
    assert kinds(found) == {"For care": 10, "Against care": 10, "Rain": 30}
    assert found.about == 20
    assert found.balance() == {-1: 10, 0: 30, 1: 10}


def test_of_more_than_enough_as_many_are_for_as_against() -> None:
    assert kinds(pool(corpus(own_for=900, own_against=60, neutral=50), 100)) == {"For care": 50, "Against care": 50}
    assert kinds(pool(corpus(own_for=900, own_against=20, neutral=50), 100)) == {"For care": 80, "Against care": 20}, "as far as there are any"


def test_what_fills_up_makes_up_for_a_side_that_is_lacking() -> None:
    found = kinds(pool(corpus(own_for=20, own_against=0, other_for=300, other_against=300), 100))
    assert found["For care"] + found["For duty"] == 50
    assert found["Against duty"] == 50


def test_others_are_drawn_by_chance_and_a_new_text_changes_nothing_else() -> None:
    rows = corpus(own_for=0, own_against=0, neutral=1000)
    one, other = pool(rows, 100), pool(rows, 100, seed=1)
    assert one == pool(list(reversed(rows)), 100), "nor does their order"
    assert 0 < len({*one.texts} & {*other.texts}) < 30
    more = pool([*rows, CorpusText("Snow.", "", "", 0, "c")], 100)
    assert len({*one.texts} - {*more.texts}) <= 1


def test_a_text_is_there_once_and_one_that_stands_for_both_sides_says_neither() -> None:
    rows = [CorpusText(text, "mft", "care", side, "a") for text, side in (("I help.", 1), ("I  help. ", 1), ("I go.", 1), ("I go.", -1))]
    found = pool(rows, 10)
    assert {text.text: text.direction for text in found.texts} == {"I help.": 1, "I go.": 0}
    assert found.duplicates == 2


def test_a_label_of_another_theory_is_not_about_the_value_and_one_without_a_theory_is() -> None:
    rows = [CorpusText("One.", "other", "care", 1, "a"), CorpusText("Two.", "", "care", 1, "a")]
    assert {text.text: text.direction for text in pool(rows, 5).texts} == {"One.": 0, "Two.": 1}
    assert pool(rows, 1).texts[0].text == "Two."


def test_rows_of_a_table_are_read_strictly() -> None:
    rows: list[dict[str, object]] = [
        {"text": "I help.", "value": "care", "direction": 1.0},
        {"text": "Rain.", "value": None, "direction": float("nan")},
    ]
    assert corpus_texts(rows, where="mine.csv") == [CorpusText("I help.", "", "care", 1, "mine.csv"), CorpusText("Rain.", "", "", 0, "mine.csv")]
    assert len(id_of("I help.")) == 16


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": ""}, "mine.csv: row 2, column text: must hold a text; got ''"),
        ({"words": "I help."}, "mine.csv: row 2, column text: must hold a text; got None"),
        ({"text": "I help.", "direction": 2}, "mine.csv: row 2, column direction: must be -1, 0 or 1; got 2"),
        ({"text": "I help.", "direction": "for"}, "mine.csv: row 2, column direction: must be -1, 0 or 1; got 'for'"),
    ],
)
def test_a_row_that_is_none_is_one_line(row: dict[str, object], said: str) -> None:
    with pytest.raises(DataError) as caught:
        corpus_texts([{"text": "I help."}, row], where="mine.csv")
    assert str(caught.value).startswith(said)


def test_an_empty_corpus_is_one_line() -> None:
    with pytest.raises(DataError, match=r"^corpus: must hold texts; got none"):
        pool([], 10)


def test_a_value_is_known_by_its_name_however_it_is_written() -> None:
    rows = [
        CorpusText(f"Text {n}.", "", name, 1, "a") for n, name in enumerate(["Self Direction", "self_direction", " SELF-direction ", "selfdirection"])
    ]
    found = seed_pool(rows, theory="svt", value="self_direction", names={"self_direction", "Own goals"}, size=9, seed=0)
    assert {text.text: text.direction for text in found.texts} == {"Text 0.": 1, "Text 1.": 1, "Text 2.": 1, "Text 3.": 0}
    assert seed_pool([CorpusText("I go.", "", "own goals", 1, "a")], theory="svt", value="x", names={"Own goals"}, size=9, seed=0).about == 1
