"""The corpus that comes with vat."""

from __future__ import annotations

from collections import Counter

from vat.intensity.demonstration import demonstration
from vat.intensity.pool import corpus_texts, seed_pool
from vat.theory.file import TheoryFile


def test_it_has_four_texts_for_and_four_against_each_target_value_and_some_about_none() -> None:
    rows = demonstration()
    values = {(name, value) for name in ("svt", "mft", "duty", "rights") for value in TheoryFile(path=name).load().values}
    count = Counter((row["theory"], row["value"], row["direction"]) for row in rows)
    assert count.pop(("", "", 0)) == 24
    assert count == dict.fromkeys(((*value, side) for value in values for side in (1, -1)), 4)


def test_each_text_stands_there_once_and_is_short() -> None:
    texts = [str(row["text"]) for row in demonstration()]
    assert len({text.casefold() for text in texts}) == len(texts) == 280
    assert all(text[0].isupper() and text.endswith(".") and 4 <= len(text.split()) <= 25 for text in texts)


def test_it_is_a_corpus() -> None:
    found = seed_pool(corpus_texts(demonstration(), where="demonstration"), theory="mft", value="care", names={"care"}, size=40, seed=0)
    assert found.about == 8
    assert len(found.texts) == 40
    assert found.duplicates == 0
