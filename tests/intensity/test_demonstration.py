"""The corpus that comes with vat."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from vat.intensity.demonstration import demonstration
from vat.intensity.pool import corpus_texts, seed_pool
from vat.theory.file import TheoryFile

VALUES = {(name, value) for name in ("svt", "mft", "duty", "rights") for value in TheoryFile(path=name).load().values}


def test_it_has_sixteen_texts_for_and_sixteen_against_each_target_value_and_thirty_two_about_none() -> None:
    count = Counter((row["theory"], row["value"], row["direction"]) for row in demonstration())
    assert count.pop(("", "", 0)) == 32
    assert count == dict.fromkeys(((*value, side) for value in VALUES for side in (1, -1)), 16)


def test_each_text_stands_there_once_and_is_short() -> None:
    texts = [str(row["text"]) for row in demonstration()]
    assert len({text.casefold() for text in texts}) == len(texts) == 1056
    assert all(re.fullmatch("[A-Z][^.?!]*[.?!]", text) and 4 <= len(text.split()) <= 25 for text in texts)


def test_no_text_says_what_another_says_with_a_word_changed() -> None:
    texts = [set(re.findall("[a-z']+", str(row["text"]).lower())) for row in demonstration()]
    words = sorted(set().union(*texts))
    holds_TW = np.array([[word in text for word in words] for text in texts], dtype=float)
    shared_TT, length_T = holds_TW @ holds_TW.T, holds_TW.sum(1)
    alike_TT = shared_TT / (length_T[:, None] + length_T - shared_TT) - np.eye(len(texts))
    assert alike_TT.max() < 0.6


def test_texts_about_no_value_name_none() -> None:
    named = {word for _, value in VALUES for word in value.split("_") if word not in ("group", "non", "self")}
    neutral = [str(row["text"]).lower() for row in demonstration() if not row["direction"]]
    assert not [text for text in neutral if named & set(re.findall("[a-z]+", text))]


def test_how_long_a_text_is_tells_little_of_the_side_it_is_on() -> None:
    length = {side: [len(str(row["text"]).split()) for row in demonstration() if row["direction"] == side] for side in (1, -1)}
    mean = {side: sum(of_side) / len(of_side) for side, of_side in length.items()}
    assert abs(mean[1] - mean[-1]) < 1


def test_it_is_a_corpus() -> None:
    found = seed_pool(corpus_texts(demonstration(), where="demonstration"), theory="mft", value="care", names={"care"}, size=96, seed=0)
    assert found.about == 32
    assert len(found.texts) == 96
    assert found.duplicates == 0
    assert found.balance()[1] == found.balance()[-1] == 16
