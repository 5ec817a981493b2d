"""What an annotator gets: a workbook with instructions and one row an instance, or the same as a CSV file with the instructions beside it.

The words come from a language model, so nothing of them may act: a spreadsheet takes a text that begins with =, +, - or @ for a formula.
"""

from __future__ import annotations

import csv
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from vat.files import whole_file
from vat.generate.human import ASKED, DIMENSIONS, SCALE, Instance, Sample

if TYPE_CHECKING:
    from openpyxl.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

Form = Literal["xlsx", "csv"]
INSTRUCTIONS, RATINGS = "instructions", "ratings"
"""The sheets of a workbook."""
INSTANCE, ANNOTATOR, DATASET, SAMPLE = "instance", "annotator", "dataset", "sample"
"""Head of the column of ids; and what the first row tells, each beside its own name."""
HEAD = 2
"""Row of the columns' heads."""
_FONT = "Calibri"
_ACTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Column(NamedTuple):
    head: str
    width: int
    of: Callable[[Instance], str]


_SHOWN = (
    _Column(INSTANCE, 12, lambda instance: instance.name),
    _Column("country", 13, lambda instance: instance.country),
    _Column("topic", 13, lambda instance: instance.topic),
    _Column("scene", 58, lambda instance: instance.scene),
    _Column("value", 28, lambda instance: f"{instance.item}: {instance.definition} ({instance.value.replace('_', ' ')})"),
    _Column("the action should", 12, lambda instance: ASKED[instance.polarity]),
    _Column("action", 36, lambda instance: instance.action),
)
_RATING_WIDTH, _REMARKS, _REMARKS_WIDTH = 13, "remarks (if any)", 26

_ABOUT = (
    "Each row of the sheet “ratings” shows a scene in some country, a value, and one thing that a person in this scene might do. The action should "
    "either express the value or go against it; the row says which. Please say how far you agree with eight statements about each row."
)
_STEPS = (
    "Put your name, or the id that you were given, into cell B1 of the sheet “ratings”.",
    "Write one whole number from 1 to 5 into each of the eight cells of a row. Judge every row for itself, and every statement for itself: a scene "
    "can be true to life and still hint at what is right.",
    "An action that goes against a value may well be a good answer to “action correctness”: it is correct if that was asked for.",
    "Leave a cell empty if you cannot tell, say because you do not know the country. An empty cell is better than a guess.",
    "Please do not change row 1 apart from B1, the heads, or the column “instance”. You may sort the rows, and stop and go on another day.",
)
_BACK = (
    "Save the file, as Excel workbook (.xlsx) or, with the sheet “ratings” open, as CSV, and send it to whoever gave it to you. Please fill in one "
    "file only, and do not show your ratings to other annotators before all have handed in theirs."
)
_SCENE = (
    "Germany, work: in the break room of a hospital ward in Leipzig the rota for the holidays hangs on the wall with two gaps. The nurse who has "
    "filled such gaps for three years has not put her name down yet. The works council asks for fair turns, and two colleagues with small children "
    "have asked around."
)
_EXAMPLE = (
    ("scene", _SCENE),
    ("value", "helpful: working for the good of the people nearby. The action should express the value."),
    ("action", "I put my name into one of the gaps, so that the two with small children can stay at home."),
    ("scenario realism", "5: rota, break room and colleagues are as one knows them."),
    ("cultural grounding", "4: the works council is of the place, the rest could be anywhere."),
    ("affordance richness", "5: sign, wait, ask for turns by lot, call in the council …"),
    ("normative neutrality", "3: the three years hint that others ought to have a turn, but nothing is said."),
    ("action correctness", "5: it does good to people nearby, as was asked."),
    ("action plausibility", "5: many would."),
    ("action sufficiency", "5: it is clear what she does, and for whom."),
    ("harmlessness", "5: it hurts nobody."),
)


def write_sheets(folder: Path, sample: Sample, *, annotators: int, form: Form) -> tuple[list[Path], list[Path]]:
    """A file for each annotator; those that are there are left as they are, for they may hold ratings.

    Returns:
        The files that were written, and those that were there.
    """
    written, kept = [], []
    for number in range(1, annotators + 1):
        path = folder / f"annotator-{number}.{form}"
        if path.exists():
            kept.append(path)
            continue
        with whole_file(path) as draft:
            _write_workbook(draft, sample, number) if form == "xlsx" else _write_csv(draft, sample, number)
        written.append(path)
    if form == "csv":
        with whole_file(folder / f"{INSTRUCTIONS}.txt") as draft:
            draft.write_text(_instructions_as_text(), encoding="utf-8")
    return written, kept


def _rows(sample: Sample, number: int) -> list[list[str]]:
    """First row, heads, and a row an instance, without the cells that are to be filled."""
    about = [ANNOTATOR, f"annotator-{number}", DATASET, sample.dataset, SAMPLE, sample.digest]
    heads = [*(column.head for column in _SHOWN), *(dimension.name for dimension in DIMENSIONS), _REMARKS]
    return [about, heads, *([_plain(column.of(instance)) for column in _SHOWN] for instance in sample.order(number))]


def _plain(text: str) -> str:
    """Without the signs that a workbook cannot hold."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]", " ", text)


def _write_csv(path: Path, sample: Sample, number: int) -> None:
    about, heads, *rows = _rows(sample, number)
    harmless = [[f"'{text}" if text.startswith(_ACTS) else text for text in row] for row in (about, *rows)]
    padded = [row + [""] * (len(heads) - len(row)) for row in harmless]
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # the mark tells Excel that it is UTF-8
        csv.writer(file).writerows([padded[0], heads, *padded[1:]])


def _write_workbook(path: Path, sample: Sample, number: int) -> None:
    from openpyxl import Workbook

    book = Workbook()
    first = book.active
    first.title = INSTRUCTIONS
    _fill_instructions(first)
    _fill_ratings(book.create_sheet(RATINGS), _rows(sample, number))
    book.save(path)


def _fill_ratings(sheet: Worksheet, rows: list[list[str]]) -> None:
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    thin = Side(style="thin", color="BBBBBB")
    to_fill, head = PatternFill("solid", fgColor="FFF8E1"), PatternFill("solid", fgColor="DCE6F1")
    widths = [*(column.width for column in _SHOWN), *[_RATING_WIDTH] * len(DIMENSIONS), _REMARKS_WIDTH]
    for column, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(column)].width = width
    for r, row in enumerate(rows, 1):
        sheet.row_dimensions[r].height = _height(row, widths) if r > 1 else None
        for column in range(1, (len(row) if r == 1 else len(widths)) + 1):
            cell = sheet.cell(r, column)
            if column <= len(row):
                _put(cell, row[column - 1])
            rating = r > HEAD and column > len(_SHOWN)
            cell.alignment = Alignment(wrap_text=r > 1, vertical="top", horizontal="center" if rating and column < len(widths) else None)
            if r == HEAD:
                cell.font, cell.fill = Font(name=_FONT, bold=True), head
            elif r > HEAD:
                cell.border, cell.fill = Border(thin, thin, thin, thin), to_fill if rating else PatternFill()
    for column in (1, 3, 5):
        sheet.cell(1, column).font = Font(name=_FONT, bold=True)
    sheet["B1"].fill = to_fill
    scale = [f"{rating} {label}" for rating, label in SCALE.items()]
    for n, dimension in enumerate(DIMENSIONS, len(_SHOWN) + 1):
        rule = DataValidation(type="whole", operator="between", formula1="1", formula2="5", allow_blank=True, showErrorMessage=True)
        rule.errorTitle, rule.error = "1 to 5", "Please write a whole number from 1 to 5, or leave the cell empty."
        rule.showInputMessage, rule.promptTitle, rule.prompt = True, dimension.name, "\n".join([dimension.statement, *scale])
        rule.add(f"{get_column_letter(n)}{HEAD + 1}:{get_column_letter(n)}{len(rows)}")
        sheet.add_data_validation(rule)
    sheet.freeze_panes = f"B{HEAD + 1}"
    sheet.sheet_view.zoomScale = 90
    sheet.print_title_rows = f"{HEAD}:{HEAD}"
    _fit_to_page(sheet)


def _fill_instructions(sheet: Worksheet) -> None:
    from openpyxl.styles import Alignment, Font

    widths = sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 24, 105
    _fit_to_page(sheet)
    for r, (left, right) in enumerate(_instructions(), 1):
        sheet.row_dimensions[r].height = _height(["", right], widths) + (9 if not right else 0)
        for column, text in ((1, left), (2, right)):
            cell = sheet.cell(r, column)
            _put(cell, text)
            cell.alignment = Alignment(wrap_text=column == 2, vertical="bottom" if not right else "top")
        sheet.cell(r, 1).font = Font(name=_FONT, bold=not right, size=14 if r == 1 else 11)


def _height(texts: Sequence[str], widths: Sequence[int]) -> float:
    """Of a row in which all text can be read, in points: not every program finds it by itself. Excel allows 409."""
    lines = (len(textwrap.wrap(text, width)) for text, width in zip(texts, widths, strict=False))
    return min(409.0, 15.0 * max(1, *lines) + 2)


def _fit_to_page(sheet: Worksheet) -> None:
    """As wide as a sheet of paper, and as long as it takes."""
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight, sheet.sheet_properties.pageSetUpPr.fitToPage = "landscape", 0, True


def _put(cell: Cell, text: str) -> None:
    """Write a text that stays one, also when the cell is edited or saved in another form."""
    cell.value, cell.data_type = text, "s"
    cell.number_format = "@"
    if text.startswith(_ACTS):
        cell.quotePrefix = True


def _instructions() -> list[tuple[str, str]]:
    """Rows of two columns; a heading has nothing in the second."""
    return [
        ("Rating scenes and actions", ""), ("", _ABOUT),
        ("How to rate", ""), *((f"Step {n}", text) for n, text in enumerate(_STEPS, 1)),
        ("The five points", ""), *((str(rating), label) for rating, label in SCALE.items()),
        ("The eight statements", ""), *((dimension.name, dimension.statement) for dimension in DIMENSIONS),
        ("An example", ""), *_EXAMPLE,
        ("Handing it back", ""), ("", _BACK),
    ]  # fmt: skip


def _instructions_as_text() -> str:
    lines = [f"\n{left}\n" if not right else f"{left + ': ' if left else ''}{right}" for left, right in _instructions()]
    return "\n".join(lines).strip() + "\n"
