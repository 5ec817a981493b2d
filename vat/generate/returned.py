"""What annotators hand back: workbooks or CSV files → ratings, strictly. An empty cell is a missing rating; anything else that is none is a fault.

Cells are named as spreadsheets name them: N7 is column N, row 7.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vat.errors import DataError, choose, shown
from vat.generate.agreement import Ratings
from vat.generate.human import DIMENSIONS, SCALE, Sample
from vat.generate.sheets import ANNOTATOR, DATASET, INSTANCE, RATINGS, SAMPLE
from vat.types import Floats

NAMES = tuple(dimension.name for dimension in DIMENSIONS)
LARGEST = 20 * 2**20
"""Bytes of a file, unpacked: a hundred times what a filled workbook has."""
ROWS = 100_000
"""Of a sheet that are read: a stray cell may make it a million."""
Rows = Sequence[Sequence[Any]]


class _Head(NamedTuple):
    """Where the columns are: index of their row, of the ids, and of each dimension."""

    row: int
    instance: int
    of_D: list[int]


def read_ratings(paths: Sequence[Path], sample: Sample) -> Ratings:
    """All that was handed in.

    Args:
        paths: Files that `write_sheets` made, filled in; workbooks and CSV files mixed.
        sample: That they are about.
    Raises:
        DataError: One line for each fault of all files.
    """
    faults: list[str] = []
    found: dict[str, tuple[Path, Floats]] = {}
    seen: set[Path] = set()
    for path in paths:
        try:
            if path.resolve() in seen:
                raise DataError(f"{path}: must be given once; got it twice. Name each file once.")
            seen.add(path.resolve())
            annotator, rating_ID = _read_sheet(path, sample)
            if annotator in found:
                rule = f"{path}: must be of an annotator who has no other file; got {shown(annotator)}, as in {found[annotator][0]}"
                raise DataError(f"{rule}. Leave one of them out, or put the right name into B1.")
            found[annotator] = (path, rating_ID)
        except DataError as error:
            faults += str(error).splitlines()
    if faults:
        raise DataError("\n".join(faults))
    return Ratings(tuple(found), np.stack([rating_ID for _, rating_ID in found.values()]))


def _read_sheet(path: Path, sample: Sample) -> tuple[str, Floats]:
    """The annotator and the (I, D) ratings of one file; raises as `read_ratings`."""
    rows = _table(path)
    head = _head(path, rows)
    annotator = _checked_about(path, rows[: head.row], sample)
    place = {instance.name: n for n, instance in enumerate(sample.instances)}
    rating_ID, seen, faults = np.full((len(place), len(NAMES)), np.nan), dict[str, int](), []
    for r, row in enumerate(rows[head.row + 1 :], head.row + 1):
        name = _text(_at(row, head.instance))
        given = {d: _at(row, column) for d, column in enumerate(head.of_D) if _text(_at(row, column))}
        if not name and not given:
            continue
        if name not in place:
            rule = f"{_cell(path, r, head.instance)}: must be an instance of the sample; got {shown(name)}"
            faults.append(f"{rule}. Bring back the id, or drop the row.")
            continue
        if name in seen:
            rule = f"{_cell(path, r, head.instance)}: an instance stands once; got {name} again, see row {seen[name] + 1}"
            faults.append(f"{rule}. Drop one of them.")
            continue
        seen[name] = r
        for d, content in given.items():
            rating = _rating(content)
            if rating is None:
                rule = f"{_cell(path, r, head.of_D[d])}: must be a whole number from 1 to 5, or empty; got {shown(content, 60)}"
                faults.append(f"{rule}. Ask the annotator, or empty the cell.")
            else:
                rating_ID[place[name], d] = rating
    if not faults and np.isnan(rating_ID).all():
        faults.append(f"{path}: needs ratings; got none. Leave the file out, or hand it back filled in.")
    if faults:
        raise DataError("\n".join(faults))
    return annotator, rating_ID


def _head(path: Path, rows: Rows) -> _Head:
    for r, row in enumerate(rows):
        names = [" ".join(_text(content).lower().split()) for content in row]
        if INSTANCE not in names:
            continue
        for name in (INSTANCE, *NAMES):
            if name not in names:
                raise DataError(f"{path}: needs a column {name!r}; got {', '.join(filter(None, names))}. {choose(name, filter(None, names))}")
            if names.count(name) > 1:
                raise DataError(f"{path}: a column stands once; got {name!r} {names.count(name)} times. Remove one.")
        return _Head(r, names.index(INSTANCE), [names.index(name) for name in NAMES])
    raise DataError(f"{path}: needs a column {INSTANCE!r}; got none. Hand in the sheet {RATINGS}, with its heads.")


def _checked_about(path: Path, rows: Rows, sample: Sample) -> str:
    """The annotator, if the file is about this sample."""
    about: dict[str, str] = {}
    for row in rows:
        pairs = pairwise(_text(content) for content in row)
        about |= {name: after for name, after in pairs if name in (ANNOTATOR, DATASET, SAMPLE)}
    if about.get(SAMPLE) != sample.digest:
        got = f"sample {about[SAMPLE]} of {about.get(DATASET) or 'no name'}" if about.get(SAMPLE) else "a file whose first row names none"
        rule = f"{path}: must be of sample {sample.digest} of dataset {sample.dataset}; got {shown(got)}"
        raise DataError(f"{rule}. Take what was exported for this dataset, with its first row.")
    if not about.get(ANNOTATOR):
        raise DataError(f"{path}: needs the annotator's name in B1; got an empty cell. Fill it in.")
    return about[ANNOTATOR]


def _rating(content: Any) -> int | None:
    """4, 4.0, "4", "4,0", "agree" and "4 - agree" are 4; what contradicts itself, or is between two points, is no rating."""
    if isinstance(content, bool):
        return None
    if isinstance(content, int | float):
        return int(content) if content in SCALE else None
    labels = {label: rating for rating, label in SCALE.items()}
    words = " ".join(_text(content).lower().split())
    if words in labels:
        return labels[words]
    parts = re.fullmatch(r"([1-5])(?:[.,]0+)?(?:[ \-–—:.=(]+([a-z ]+)\)?)?", words)
    if not parts or (parts[2] and labels.get(parts[2].strip()) != int(parts[1])):
        return None
    return int(parts[1])


def _text(content: Any) -> str:
    return "" if content is None else str(content).strip()


def _at(row: Sequence[Any], column: int) -> Any:
    """Rows end at their last cell that has something in it."""
    return row[column] if column < len(row) else None


def _cell(path: Path, row: int, column: int) -> str:
    from openpyxl.utils import get_column_letter

    return f"{path}:{get_column_letter(column + 1)}{row + 1}"


def _table(path: Path) -> Rows:
    """The rows of a CSV file, or of that sheet of a workbook that has ids."""
    if not path.is_file():
        raise DataError(f"{path}: must be an existing file; got none of that name. Check the path.")
    if path.suffix.lower() not in (".xlsx", ".csv"):
        raise DataError(f"{path}: must end in .xlsx or .csv; got {path.suffix or 'no ending'}. Save it as one of them.")
    if _size(path) > LARGEST:
        raise DataError(f"{path}: must be at most {LARGEST >> 20} MiB, unpacked; got {_size(path) >> 20}. Hand in the exported file, filled in.")
    tables = list(_read_csv(path) if path.suffix.lower() == ".csv" else _read_workbook(path))
    has_ids = (rows for rows in tables if any(INSTANCE in (_text(content).lower() for content in row) for row in rows))
    return next(has_ids, [])


def _size(path: Path) -> int:
    """In bytes; of a workbook, which is packed, once it is unpacked."""
    if path.suffix.lower() == ".csv" or not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as packed:
        return sum(file.file_size for file in packed.infolist())


def _read_csv(path: Path) -> Iterator[Rows]:
    """As it reads with each of the signs that spreadsheets put between cells."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")  # as older Excel saves it; ids and ratings are the same in both
    for between in ",;\t":
        try:
            yield list(csv.reader(io.StringIO(text, newline=""), delimiter=between))
        except csv.Error as error:
            raise DataError(f"{path}: must be CSV; got {error}. Save it again from the spreadsheet.") from error


def _read_workbook(path: Path) -> list[Rows]:
    """All its sheets."""
    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what other programs put into a workbook and openpyxl does not know
            with contextlib.closing(load_workbook(path, read_only=True, data_only=True, keep_links=False)) as book:
                for sheet in book.worksheets:
                    sheet.reset_dimensions()  # which some programs state wrongly: rows would be cut
                return [list(sheet.iter_rows(max_row=ROWS, values_only=True)) for sheet in book.worksheets]
    except Exception as error:  # openpyxl raises whatever its parts raise
        raise DataError(f"{path}: must be an Excel workbook without a password; got {shown(str(error), 80)}. Save it again as .xlsx.") from error
