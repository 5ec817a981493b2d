"""Anchors are read strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vat.errors import ConfigError, DataError
from vat.intensity.anchors import ANCHORS, database_folder, read_anchors

ROWS: list[dict[str, Any]] = [
    {"theory": "svt", "value": "power", "text": "I lead.", "intensity": 8.0, "error": 0.5, "flagged": False, "human": None},
    {"theory": "svt", "value": "power", "text": "I obey.", "intensity": -6.0, "error": None, "flagged": True, "human": None},
    {"theory": "svt", "value": "power", "text": "I wait.", "intensity": 1.0, "error": 0.4, "flagged": True, "human": 2.0},
    {"theory": "mft", "value": "care", "text": "I lead.", "intensity": 0.0, "error": 0.4, "flagged": False, "human": None},
]  # fmt: skip


def database(folder: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    (folder / ANCHORS).parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(folder / ANCHORS)
    return folder


def test_a_value_has_its_texts_and_what_people_have_looked_at_is_no_longer_flagged(tmp_path: Path) -> None:
    found = read_anchors(database(tmp_path), "svt", "power")
    assert found.texts == ("I lead.", "I obey.", "I wait.")
    assert found.intensity_A.tolist() == [8, -6, 1]
    np.testing.assert_array_equal(found.error_A, [0.5, np.nan, 0.4])
    assert found.flagged_A.tolist() == [False, True, False]
    assert found.usable().texts == ("I lead.", "I wait.")
    assert found.usable().intensity_A.tolist() == [8, 1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"intensity": 10.5}, "value power: intensities lie from -10 to 10; got 10.5 for 'I lead.'"),
        ({"intensity": float("nan")}, "value power: intensities lie from -10 to 10; got"),
        ({"text": " "}, "value power: an anchor is a text; got ' '"),
        ({"text": "I obey."}, "value power: an anchor stands there once; got 'I obey.' twice"),
        ({"flagged": None}, "value power: flagged is true or false; got None for 'I lead.'"),
        ({"error": -0.5}, "value power: an error is a finite number from 0, or empty; got -0.5"),
        ({"error": float("inf")}, "value power: an error is a finite number from 0, or empty; got inf"),
        ({"human": 11.0}, "value power: what people say lies from -10 to 10, or is empty; got 11.0"),
    ],
)
def test_an_anchor_that_is_none_is_one_line(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    folder = database(tmp_path, [ROWS[0] | change, *ROWS[1:]])
    with pytest.raises(DataError) as caught:
        read_anchors(folder, "svt", "power")
    assert str(caught.value).startswith(f"{folder / ANCHORS}: {said}")
    assert "\n" not in str(caught.value)


def test_words_where_numbers_belong_are_one_line(tmp_path: Path) -> None:
    for column, said in (("error", "an error is a finite number"), ("human", "what people say lies from")):
        with pytest.raises(DataError, match=rf"value power: {said}.*; got 'much' for 'I lead\.'"):
            read_anchors(database(tmp_path, [ROWS[0] | {column: "much"}]), "svt", "power")


def test_a_row_of_no_theory_does_not_hide_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold the theory duty; got \['None', 'mft', 'svt'\]"):
        read_anchors(database(tmp_path, [*ROWS, ROWS[0] | {"theory": None}]), "duty", "justice")


def test_what_is_not_there_is_said_with_what_is(tmp_path: Path) -> None:
    folder = database(tmp_path)
    with pytest.raises(DataError, match=r"must hold values of theory svt; got none of 'powr'\. Did you mean power\?"):
        read_anchors(folder, "svt", "powr")
    with pytest.raises(DataError, match=r"must hold the theory duty; got \['mft', 'svt'\]"):
        read_anchors(folder, "duty", "justice")
    with pytest.raises(DataError, match=r"needs the columns .*; got none called flagged"):
        read_anchors(database(tmp_path / "less", [{k: v for k, v in row.items() if k != "flagged"} for row in ROWS]), "svt", "power")
    (folder / ANCHORS).write_bytes(b"broken")
    with pytest.raises(DataError, match=r"must be a parquet file; got"):
        read_anchors(folder, "svt", "power")


def test_a_database_is_found_by_its_name_or_its_folder(tmp_path: Path) -> None:
    folder = database(tmp_path / "vidb" / "mine")
    assert database_folder(tmp_path, "mine") == folder
    assert database_folder(tmp_path / "elsewhere", str(folder)) == folder
    with pytest.raises(ConfigError, match=r"^vidb=mien: must be a database in .*; got none\. Did you mean mine\?"):
        database_folder(tmp_path, "mien")
    with pytest.raises(ConfigError, match=r"got none\. Make one: -cn vidb"):
        database_folder(tmp_path / "elsewhere", "mine")
