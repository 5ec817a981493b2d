"""Sheets of doubted texts, out and back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from vat.errors import DataError
from vat.intensity.adjudication import COLUMNS, Doubted, blended, read_sheets, write_sheet

DOUBTED = [
    Doubted("a1", "svt", "power", "Having a say.", "I lead, \"always\"; and you?", 7.4),
    Doubted("a1", "svt", "face", "Being respected.", "I lead, \"always\"; and you?", -2.0),
    Doubted("b2", "svt", "power", "Having a say.", "=1+1", -9.6),
]  # fmt: skip


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def filled(path: Path, ratings: list[str], *, delimiter: str = ",") -> Path:
    """A sheet as an annotator hands it back, saved with another separator perhaps."""
    write_sheet(path, DOUBTED)
    rows = rows_of(path)
    for row, rating in zip(rows[1:], ratings, strict=True):
        row[-1] = rating
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def test_what_people_give_comes_back_as_its_mean_by_text_and_value(tmp_path: Path) -> None:
    one = filled(tmp_path / "one.csv", ["7", "", "-10"])
    other = filled(tmp_path / "other.csv", ["4.0", "", "-8"], delimiter=";")
    assert read_sheets([one, other], DOUBTED) == {("svt", "power", "a1"): 5.5, ("svt", "power", "b2"): -9.0}


def test_a_sheet_proposes_a_whole_number_and_its_texts_cannot_act(tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.csv", DOUBTED)
    rows = rows_of(tmp_path / "sheet.csv")
    assert rows[0] == list(COLUMNS)
    assert [row[5] for row in rows[1:]] == ["7", "-2", "-10"]
    assert rows[3][4] == "'=1+1"
    assert rows[1][4] == DOUBTED[0].text


def test_people_and_estimate_count_alike() -> None:
    assert blended(8.0, -2.0) == 3.0


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (",7\r\n", ",11\r\n", "row 2, column rating: must be a whole number from -10 to 10, or empty; got '11'"),
        (",7\r\n", ",7.5\r\n", "row 2, column rating: must be a whole number from -10 to 10, or empty; got '7.5'"),
        (",7\r\n", ",strong\r\n", "row 2, column rating: must be a whole number from -10 to 10, or empty; got 'strong'"),
        ("b2,svt", "c3,svt", "row 4: must be a text of the sheet that was exported; got id 'c3'"),
        ("id,theory", "id,teory", "must have the columns id, theory"),
        ("a1,svt,face", "a1,svt,power", "row 3: a text is rated once; got id 'a1' twice"),
    ],
)
def test_a_sheet_that_was_spoilt_is_one_line(before: str, after: str, said: str, tmp_path: Path) -> None:
    path = filled(tmp_path / "sheet.csv", ["7", "1", "1"])
    text = path.read_bytes().decode()
    assert before in text
    path.write_bytes(text.replace(before, after, 1).encode())
    with pytest.raises(DataError) as caught:
        read_sheets([path], DOUBTED)
    assert f"{path}: {said}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_faults_of_all_files_come_together(tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError) as caught:
        read_sheets([tmp_path / "none.csv", tmp_path / "absent.csv", filled(tmp_path / "bad.csv", ["x", "1", "y"])], DOUBTED)
    assert len(str(caught.value).splitlines()) == 4
