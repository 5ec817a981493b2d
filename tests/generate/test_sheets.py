"""What annotators get, opened with openpyxl."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.generate.datasets import CARE, FIRST, drawn, filled
from vat.data.base import Probes
from vat.generate.human import DIMENSIONS, SCALE, Sample, draw_sample
from vat.generate.sheets import HEAD, INSTRUCTIONS, RATINGS, write_sheets
from vat.types import Probe

FORMULAS = ("=1+1", "+49 30 1234", "-2+3", "@SUM(A1)", "=HYPERLINK(\"http://x\")", "#N/A", "\t=1", "- a list")  # fmt: skip


def of_texts(*texts: str) -> Sample:
    """A sample in which each text is a country, a scene and an action."""
    rows = tuple(Probe(f"s{n}", text, "Work", text, "free", 1, text) for n, text in enumerate(texts))
    return draw_sample(Probes(rows), CARE, dataset="mine", count=len(texts), seed=0)


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_there_is_a_workbook_for_each_annotator_with_a_row_an_instance(tmp_path: Path) -> None:
    sample = drawn()
    written, kept = write_sheets(tmp_path, sample, annotators=3, form="xlsx")
    assert [path.name for path in written] == [f"annotator-{n}.xlsx" for n in (1, 2, 3)] == sorted(path.name for path in tmp_path.iterdir())
    assert kept == []
    for number, path in enumerate(written, 1):
        book = load_workbook(path)
        assert book.sheetnames == [INSTRUCTIONS, RATINGS]
        rows = list(book[RATINGS].iter_rows(values_only=True))
        assert rows[0][:6] == ("annotator", f"annotator-{number}", "dataset", "mine", "sample", sample.digest)
        assert rows[1][FIRST - 1 : FIRST + 7] == tuple(dimension.name for dimension in DIMENSIONS)
        assert [row[0] for row in rows[HEAD:]] == [instance.name for instance in sample.order(number)]
        for row, instance in zip(rows[HEAD:], sample.order(number), strict=True):
            assert (row[1], row[2], row[3], row[6]) == (instance.country, instance.topic, instance.scene, instance.action)
            assert row[4] == f"{instance.item}: {instance.definition} ({instance.value.replace('_', ' ')})"
            assert row[5] == ("express the value" if instance.polarity == 1 else "go against the value")
            assert row[FIRST - 1 :] == (None,) * 9


def test_the_cells_to_fill_take_whole_numbers_from_1_to_5_and_say_what_they_mean(tmp_path: Path) -> None:
    [[path], _] = write_sheets(tmp_path, drawn(), annotators=1, form="xlsx")
    sheet = load_workbook(path)[RATINGS]
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    assert list(rules) == [f"{column}3:{column}8" for column in "HIJKLMNO"]
    for rule, dimension in zip(rules.values(), DIMENSIONS, strict=True):
        assert (rule.type, rule.operator, rule.formula1, rule.formula2, rule.allow_blank) == ("whole", "between", "1", "5", True)
        assert rule.showErrorMessage
        assert rule.prompt.splitlines() == [dimension.statement, *(f"{n} {label}" for n, label in SCALE.items())]
        assert len(rule.prompt) <= 255, "Excel's limit; it calls the file broken otherwise"
        assert len(rule.promptTitle) <= 32
    assert sheet.freeze_panes == "B3"


def test_all_text_wraps_in_rows_that_are_high_enough(tmp_path: Path) -> None:
    sample = of_texts("word " * 120, "short")
    [[path], _] = write_sheets(tmp_path, sample, annotators=1, form="xlsx")
    sheet = load_workbook(path)[RATINGS]
    height = {sheet.cell(row, 4).value: sheet.row_dimensions[row].height for row in (3, 4)}
    assert height["word " * 120] > 15 * 600 / 36, "600 signs in a column of 36"
    assert height["short"] < 50
    assert all(sheet.cell(row, column).alignment.wrap_text for row in (2, 3, 4) for column in range(1, 8))
    assert sheet.column_dimensions["D"].width > 40


def test_the_instructions_explain_scale_statements_an_example_and_how_to_hand_back(tmp_path: Path) -> None:
    [[path], _] = write_sheets(tmp_path, drawn(), annotators=1, form="xlsx")
    rows = [(left or "", right or "") for left, right in load_workbook(path)[INSTRUCTIONS].iter_rows(values_only=True)]
    assert {(str(n), label) for n, label in SCALE.items()} <= set(rows)
    assert {(dimension.name, dimension.statement) for dimension in DIMENSIONS} <= set(rows)
    said = " ".join(" ".join(row) for row in rows)
    for word in ("An example", "Handing it back", "cell B1", "empty cell is better than a guess"):
        assert word in said
    assert [left for left, right in rows if right[:2] in {f"{n}:" for n in range(1, 6)}] == [dimension.name for dimension in DIMENSIONS]


def test_no_text_of_a_model_becomes_a_formula(tmp_path: Path) -> None:
    sample = of_texts(*FORMULAS)
    [[path], _] = write_sheets(tmp_path, sample, annotators=1, form="xlsx")
    cells = [cell for row in load_workbook(path)[RATINGS].iter_rows(min_row=3, max_col=7) for cell in row]
    assert {cell.data_type for cell in cells} == {"s"}
    assert {cell.number_format for cell in cells} == {"@"}, "nor when it is edited"
    assert set(FORMULAS) <= {cell.value for cell in cells}
    assert {cell.quotePrefix for cell in cells if cell.value in FORMULAS and cell.value != "#N/A"} == {True}


def test_no_text_of_a_model_becomes_a_formula_in_a_csv(tmp_path: Path) -> None:
    sample = of_texts(*FORMULAS)
    [[path], _] = write_sheets(tmp_path, sample, annotators=1, form="csv")
    cells = [cell for row in rows_of(path) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert {f"'{text}" for text in FORMULAS if text != "#N/A"} <= set(cells)


def test_signs_that_a_workbook_cannot_hold_are_left_out_and_all_scripts_stay(tmp_path: Path) -> None:
    sample = of_texts("bell\x07 null\x00 esc\x1b", "می‌خواهم", "क्या", "👩‍🌾 é", "two\nlines")
    [[path], _] = write_sheets(tmp_path, sample, annotators=1, form="xlsx")
    found = {row[6] for row in load_workbook(path)[RATINGS].iter_rows(min_row=3, values_only=True)}
    assert found == {"bell  null  esc ", "می‌خواهم", "क्या", "👩‍🌾 é", "two\nlines"}


def test_a_csv_has_the_same_rows_and_the_instructions_beside_it(tmp_path: Path) -> None:
    sample = drawn()
    write_sheets(tmp_path, sample, annotators=2, form="xlsx")
    written, _ = write_sheets(tmp_path, sample, annotators=2, form="csv")
    for path in written:
        sheet = load_workbook(path.with_suffix(".xlsx"))[RATINGS].iter_rows(values_only=True)
        assert rows_of(path) == [[cell or "" for cell in row] for row in sheet]
    said = (tmp_path / f"{INSTRUCTIONS}.txt").read_text()
    assert all(f"{dimension.name}: {dimension.statement}" in said for dimension in DIMENSIONS)


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_what_an_annotator_may_have_filled_in_is_never_written_over(tmp_path: Path, form: str) -> None:
    path = filled(tmp_path, drawn()).rename(tmp_path / f"annotator-1.{form}")
    before = path.read_bytes()
    written, kept = write_sheets(tmp_path, drawn(), annotators=2, form=form)  # type: ignore[arg-type]
    assert [file.name for file in written] == [f"annotator-2.{form}"]
    assert kept == [path]
    assert path.read_bytes() == before
