"""How rows become panels, and titles lines: what does not fit goes on elsewhere, and what belongs together stays together."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from vat.analyse.figures.base import _in_lines
from vat.analyse.figures.stability import paneled

WIDE = 30 * 0.071
TITLES = {
    "tiny · power ↓ · steering": ["tiny · power ↓ · steering"],
    "Qwen/Qwen3-4B-Instruct-2507 · power ↓ · steering · 4 shots": ["Qwen/Qwen3-4B-Instruct-2507", "power ↓ · steering · 4 shots"],
    "tiny · sft\na=1 b=2": ["tiny · sft", "a=1 b=2"],
    "x" * 70: ["x" * 30, "x" * 30, "x" * 10],
    "\n".join("abcdefg"): ["a", "b", "c", "d", "… g"],
}


@pytest.mark.parametrize("title", TITLES)
def test_a_title_is_broken_between_its_parts_and_within_them_only_if_need_be(title: str) -> None:
    assert _in_lines(title, WIDE).split("\n") == TITLES[title]


def rows(values: int, ways: int = 1) -> pd.DataFrame:
    """A row a way and value; ways after each other."""
    made = itertools.product(range(ways), range(values))
    return pd.DataFrame([{"model": "m", "strategy": "s", "settings": "", "value": f"v{v}", "direction": 1, "dose": 4, "way": w} for w, v in made])


def test_too_many_bars_are_shared_evenly_by_several_panels() -> None:
    assert paneled(rows(24))["panel"].unique().tolist() == ["m · s"]
    assert paneled(rows(50))["panel"].value_counts(sort=False).to_dict() == {"m · s": 17, "m · s (2)": 17, "m · s (3)": 16}


def test_the_bars_of_a_pushed_value_stay_in_one_panel() -> None:
    found = paneled(rows(10, ways=3), most=8)
    assert found["panel"].value_counts(sort=False).to_dict() == {"m · s": 15, "m · s (2)": 15}
    assert (found.groupby("value")["panel"].nunique() == 1).all()
    assert found["value"].drop_duplicates().tolist() == [f"v{n}" for n in range(10)], "in the order in which they came"
    assert found["way"].tolist() == [0, 1, 2] * 10
