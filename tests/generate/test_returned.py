"""What annotators hand back: real workbooks and CSV files."""

from __future__ import annotations

import datetime
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import load_workbook

from tests.generate.datasets import FIRST, as_csv, drawn, filled
from vat.errors import DataError
from vat.generate.human import DIMENSIONS, SCALE
from vat.generate.returned import read_ratings
from vat.generate.sheets import RATINGS, write_sheets

SAMPLE = drawn()


def some(name: str, d: int) -> int | None:
    """A rating that follows from instance and dimension, or none."""
    rating = (int(name[1:], 16) + d) % 6
    return rating or None


def expected() -> np.ndarray:
    return np.array([[some(instance.name, d) or np.nan for d in range(len(DIMENSIONS))] for instance in SAMPLE.instances])


def faults(*paths: Path) -> list[str]:
    with pytest.raises(DataError) as caught:
        read_ratings(paths, SAMPLE)
    return str(caught.value).splitlines()


def test_ratings_find_their_instance_whatever_the_order_of_rows(tmp_path: Path) -> None:
    found = read_ratings([filled(tmp_path, SAMPLE, some, number=number) for number in (1, 2, 3)], SAMPLE)
    assert found.annotators == ("annotator-1", "annotator-2", "annotator-3")
    np.testing.assert_array_equal(found.rating_AID, np.stack([expected()] * 3))


FORMS: dict[str, dict[str, str]] = {
    "excel": {}, "excel in german": {"between": ";"}, "older excel": {"between": ";", "encoding": "cp1252"}, "tabs": {"between": "\t"},
    "utf-8 without a mark": {"encoding": "utf-8"},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_csv_is_read_as_any_spreadsheet_saves_it(form: str, tmp_path: Path) -> None:
    book = filled(tmp_path, SAMPLE, some, cells={"B1": "Zoë", "D4": "An é, and a; and\ttwo\nlines", "P3": "\"really\""})  # fmt: skip
    found = read_ratings([as_csv(book, **FORMS[form])], SAMPLE)
    assert found.annotators == ("Zoë",)
    np.testing.assert_array_equal(found.rating_AID[0], expected())


def test_a_csv_of_ours_is_read_when_it_is_filled_in(tmp_path: Path) -> None:
    [[path], _] = write_sheets(tmp_path, SAMPLE, annotators=1, form="csv")
    text = path.read_text(encoding="utf-8-sig").rstrip("\n").split("\n")
    name = text[-1].split(",")[0]
    path.write_text("\n".join([*text[:-1], text[-1].replace(",,,,,,,,", ",5,4,3,2,1,,4.0,agree")]) + "\n", encoding="utf-8-sig")
    [rating_ID] = read_ratings([path], SAMPLE).rating_AID
    place = [instance.name for instance in SAMPLE.instances].index(name)
    np.testing.assert_array_equal(rating_ID[place], [5, 4, 3, 2, 1, np.nan, 4, 4])
    assert np.isnan(np.delete(rating_ID, place, axis=0)).all()


FOURS = (4, 4.0, "4", " 4 ", "4.0", "4,0", "4 - agree", "4 – Agree", "4: agree", "4 (agree)", "4 agree", "4. agree", "agree", "AGREE")
WRITTEN = [*((form, 4) for form in FOURS), *((f"{n} - {label}", n) for n, label in SCALE.items()), *((label, n) for n, label in SCALE.items())]
WRITTEN += [(form, None) for form in (None, "", "  ")]
BAD = (
    7, 0, -1, 4.5, 45, "7", "4.5", "3-4", "4 - disagree", "2 - agree", "maybe", "n/a", "?", True, "4/5", "agree agree",
    datetime.datetime(2026, 4, 5),
)  # fmt: skip
PLACES = [f"{column}{row}" for row in range(3, 9) for column in "HIJKLMNO"]
"""The cells to be filled, row by row."""


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_a_rating_may_be_written_in_several_ways_and_an_empty_cell_is_missing(form: str, tmp_path: Path) -> None:
    path = filled(tmp_path, SAMPLE, 3, cells=dict(zip(PLACES, (content for content, _ in WRITTEN), strict=False)))
    [rating_ID] = read_ratings([path if form == "xlsx" else as_csv(path)], SAMPLE).rating_AID
    place = [instance.name for instance in SAMPLE.instances]
    in_order = np.concatenate([rating_ID[place.index(instance.name)] for instance in SAMPLE.order(1)])
    wanted = [np.nan if rating is None else rating for _, rating in WRITTEN]
    np.testing.assert_array_equal(in_order, wanted + [3] * (48 - len(wanted)))


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_what_is_no_rating_is_a_line_that_names_file_and_cell(form: str, tmp_path: Path) -> None:
    path = filled(tmp_path, SAMPLE, 3, cells=dict(zip(PLACES, BAD, strict=False)))
    path = path if form == "xlsx" else as_csv(path)
    lines = faults(path)
    assert len(lines) == len(BAD)
    for line, place in zip(lines, PLACES, strict=False):
        assert line.startswith(f"{path}:{place}: must be a whole number from 1 to 5, or empty; got ")
        assert line.endswith(". Ask the annotator, or empty the cell.")


def test_all_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    first = filled(tmp_path, SAMPLE, 3, cells={"H3": 7, "K4": "x"})
    second = filled(tmp_path, SAMPLE, 3, number=2, cells={"A5": "i000000000", "O8": 9})
    lines = faults(first, tmp_path / "none.xlsx", second)
    assert [line.split(" ")[0] for line in lines] == [
        f"{first}:H3:", f"{first}:K4:", f"{tmp_path}/none.xlsx:", f"{second}:A5:", f"{second}:O8:",
    ]  # fmt: skip


def edited(path: Path, change: Any) -> Path:
    book = load_workbook(path)
    change(book)
    book.save(path)
    return path


def renamed(book: Any) -> None:
    book[RATINGS].title = "Tabelle1"
    book.move_sheet("Tabelle1", -1)


HARMLESS = {
    "another name and place of the sheet": renamed,
    "rows in another order": lambda book: book[RATINGS].move_range("A3:P3", rows=20),
    "a column in between": lambda book: book[RATINGS].insert_cols(5),
    "a row in between": lambda book: book[RATINGS].insert_rows(2),
    "heads in capitals": lambda book: [setattr(cell, "value", f" {cell.value} ".upper()) for cell in book[RATINGS][2]],
    "more sheets": lambda book: book.create_sheet("notes").append(["instances", "of what"]),
    "a stray cell far away": lambda book: book[RATINGS].cell(1_000_000, 16_000, "oops"),
    "no instructions": lambda book: book.remove(book.worksheets[0]),
    "a note without an instance": lambda book: book[RATINGS].cell(15, 16, "It was fun."),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_what_annotators_do_to_a_sheet_and_does_no_harm_is_borne(case: str, tmp_path: Path) -> None:
    [rating_ID] = read_ratings([edited(filled(tmp_path, SAMPLE, some), HARMLESS[case])], SAMPLE).rating_AID
    np.testing.assert_array_equal(rating_ID, expected())


def test_a_row_that_is_gone_is_missing(tmp_path: Path) -> None:
    [rating_ID] = read_ratings([edited(filled(tmp_path, SAMPLE, 3), lambda book: book[RATINGS].delete_rows(4))], SAMPLE).rating_AID
    assert np.isnan(rating_ID).sum() == 8


def cell(place: str, content: object) -> Any:
    return lambda book: book[RATINGS].__setitem__(place, content)


HARMFUL = {
    "an unknown instance": (cell("A4", "i123"), ":A4: must be an instance of the sample; got 'i123'. Bring back the id"),
    "ratings of nothing": (cell("A4", None), ":A4: must be an instance of the sample; got ''. Bring back the id"),
    "an instance twice": (
        lambda book: book[RATINGS].__setitem__("A5", book[RATINGS]["A4"].value),
        f":A5: an instance stands once; got {SAMPLE.order(1)[1].name} again, see row 4. Drop one of them.",
    ),
    "no annotator": (cell("B1", " "), ": needs the annotator's name in B1; got an empty cell. Fill it in."),
    "another sample": (cell("F1", "s0123"), f": must be of sample {SAMPLE.digest} of dataset mine; got 'sample s0123 of mine'."),
    "no sample": (lambda book: book[RATINGS].delete_rows(1), f": must be of sample {SAMPLE.digest} of dataset mine; got 'a file whose "),
    "no ids": (cell("A2", "id"), ": needs a column 'instance'; got none. Hand in the sheet ratings, with its heads."),
    "no such dimension": (cell("K2", "neutrality"), ": needs a column 'normative neutrality'; got instance, country, "),
    "a dimension twice": (cell("P2", "harmlessness"), ": a column stands once; got 'harmlessness' 2 times. Remove one."),
    "no sheet of ratings": (lambda book: book.remove(book[RATINGS]), ": needs a column 'instance'; got none. Hand in the sheet ratings"),
}  # fmt: skip


@pytest.mark.parametrize("case", HARMFUL)
def test_what_cannot_be_told_to_be_ours_is_refused_in_a_line(case: str, tmp_path: Path) -> None:
    change, message = HARMFUL[case]
    path = edited(filled(tmp_path, SAMPLE, 3), change)
    [line] = faults(path)
    assert line.startswith(f"{path}{message}"), line


def test_ratings_of_another_draw_or_of_other_words_are_refused(tmp_path: Path) -> None:
    for sample in (drawn(seed=1), drawn(action="I do that"), drawn(count=5)):
        shutil.rmtree(tmp_path)
        [line] = faults(filled(tmp_path, sample, 3))
        assert f"must be of sample {SAMPLE.digest} of dataset mine; got 'sample {sample.digest} of mine'" in line


def test_a_file_without_any_rating_is_refused_and_not_counted_as_missing(tmp_path: Path) -> None:
    path = filled(tmp_path, SAMPLE, None)
    assert faults(path) == [f"{path}: needs ratings; got none. Leave the file out, or hand it back filled in."]


def test_a_file_or_an_annotator_twice_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path, SAMPLE, 3)
    (tmp_path / "below").mkdir()
    assert faults(path, tmp_path / "below" / ".." / path.name) == [
        f"{tmp_path}/below/../{path.name}: must be given once; got it twice. Name each file once."
    ]
    [line] = faults(path, as_csv(path))
    assert line.startswith(f"{path.with_suffix('.csv')}: must be of an annotator who has no other file; got 'annotator-1', as in {path}.")


def no_zip(path: Path) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0 a workbook with a password")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def another_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.txt", "not a workbook")


def rewritten(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the sheet of ratings as it stands in the file."""
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    with zipfile.ZipFile(path, "w") as packed:
        for name, part in parts.items():
            packed.writestr(name, change(part) if name.endswith("sheet2.xml") else part)


def broken_inside(path: Path) -> None:
    rewritten(path, lambda part: part[:-50])


def huge(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet9.xml", b"0" * (21 * 2**20))


def test_a_sheet_that_states_its_size_wrongly_is_read_whole(tmp_path: Path) -> None:
    path = filled(tmp_path, SAMPLE, some)
    rewritten(path, lambda part: re.sub(rb'<dimension ref="[A-Z0-9:]+"', b'<dimension ref="A1"', part))
    np.testing.assert_array_equal(read_ratings([path], SAMPLE).rating_AID[0], expected())


@pytest.mark.parametrize("breaks", [no_zip, cut, another_zip, broken_inside])
def test_a_broken_workbook_is_refused_in_a_line(breaks: Any, tmp_path: Path) -> None:
    path = filled(tmp_path, SAMPLE, 3)
    breaks(path)
    [line] = faults(path)
    assert line.startswith(f"{path}: must be an Excel workbook without a password; got ")


def test_a_workbook_that_unpacks_to_very_much_is_not_unpacked(tmp_path: Path) -> None:
    path = filled(tmp_path, SAMPLE, 3)
    huge(path)
    assert path.stat().st_size < 2**17
    [line] = faults(path)
    assert line.startswith(f"{path}: must be at most 20 MiB, unpacked; got 21.")


@pytest.mark.parametrize(("name", "says"), [("a.ods", "must end in .xlsx or .csv; got .ods"), ("a", "must end in .xlsx or .csv; got no ending")])
def test_other_kinds_of_file_are_refused(name: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    [line] = faults(tmp_path / name)
    assert says in line


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe" * 50, b"a,b\n1,2\n"])
def test_a_file_that_is_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert faults(tmp_path / "a.csv") == [f"{tmp_path}/a.csv: needs a column 'instance'; got none. Hand in the sheet ratings, with its heads."]


def test_an_ending_in_capitals_is_one(tmp_path: Path) -> None:
    path = filled(tmp_path, SAMPLE, 3)
    assert read_ratings([path.rename(path.with_suffix(".XLSX"))], SAMPLE).rating_AID.shape == (1, 6, 8)
    assert FIRST == 8
