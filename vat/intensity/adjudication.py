"""What people say of texts whose intensity a panel doubts: a sheet of them, read back strictly, and blended with what was estimated.

Source: ValueFlow, appendix C.2, "Post-processing", steps 2 and 3.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from vat.errors import DataError, shown
from vat.files import whole_file
from vat.intensity.calibration import LARGEST

COLUMNS = ("id", "theory", "value", "meaning", "text", "proposed", "rating")
WEIGHT = 0.5
"""Of people against the estimate."""
_ACTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet would take a text for that begins so: a formula."""


class Doubted(NamedTuple):
    """A text whose intensity may be wrong. id: of the text, for one value. proposed: the intensity, as estimated."""

    id: str
    theory: str
    value: str
    meaning: str
    text: str
    proposed: float


def write_sheet(path: Path, doubted: Sequence[Doubted]) -> None:
    """A CSV file for an annotator, who puts a whole number from −10 to 10 into `rating`: the proposed one, if it is acceptable."""
    with whole_file(path) as draft, draft.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for one in doubted:
            out.writerow([*map(_harmless, one[:5]), f"{round(one.proposed):d}", ""])


def read_sheets(paths: Sequence[Path], doubted: Sequence[Doubted]) -> dict[tuple[str, str, str], float]:
    """(theory, value, id) → the mean of what annotators gave; texts that nobody rated are not in it.

    Raises:
        DataError: One line for each fault of all files.
    """
    known = {(*one[1:3], one.id) for one in doubted}
    given: dict[tuple[str, str, str], list[int]] = {}
    faults: list[str] = []
    for path in paths:
        try:
            for key, rating in _sheet(path, known).items():
                given.setdefault(key, []).append(rating)
        except DataError as error:
            faults += str(error).splitlines()
    if faults:
        raise DataError("\n".join(faults))
    return {key: sum(ratings) / len(ratings) for key, ratings in given.items()}


def blended(intensity: float, human: float, *, weight: float = WEIGHT) -> float:
    """Of what was estimated and the mean of what people say."""
    return (1 - weight) * intensity + weight * human


def _sheet(path: Path, known: set[tuple[str, str, str]]) -> Mapping[tuple[str, str, str], int]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: must be a CSV file in UTF-8; got {shown(str(error), 80)}. Save it as CSV UTF-8.") from error
    first = text.partition("\n")[0]
    rows = list(csv.reader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ","))
    if not rows or [cell.strip() for cell in rows[0]] != list(COLUMNS):
        raise DataError(f"{path}: must have the columns {', '.join(COLUMNS)}; got {shown(','.join(rows[0]) if rows else '')}. Keep its first row.")
    found: dict[tuple[str, str, str], int] = {}
    faults: list[str] = []
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        cells = [cell.strip() for cell in row]
        if len(cells) != len(COLUMNS) or (key := (cells[1], cells[2], cells[0])) not in known:
            faults.append(f"{path}: row {number}: must be a text of the sheet that was exported; got id {shown(cells[0])}. Keep all other columns.")
        elif key in found:
            faults.append(f"{path}: row {number}: a text is rated once; got id {shown(cells[0])} twice. Keep one of the rows.")
        elif cells[6]:
            try:
                found[key] = int(cells[6].removesuffix(".0"))
            except ValueError:
                found[key] = round(LARGEST) + 1
            if abs(found[key]) > LARGEST:
                rule = (
                    f"{path}: row {number}, column rating: must be a whole number from -{LARGEST:g} to {LARGEST:g}, or empty; got {shown(cells[6])}"
                )
                faults.append(f"{rule}. Correct it.")
    if faults:
        raise DataError("\n".join(faults))
    return found


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_ACTS) else cell
