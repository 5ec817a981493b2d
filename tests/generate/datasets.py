"""Small datasets that people could rate, and sheets as they would fill them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl import load_workbook

from vat.data.base import Probes
from vat.generate.human import DIMENSIONS, Sample, draw_sample
from vat.generate.sheets import HEAD, RATINGS, write_sheets
from vat.theory.base import Theory, Value
from vat.types import Probe

CARE = Theory(
    "care", "",
    (
        Value("kindness", "Being good.", 1, None, (("helpful", "Helping."), ("gentle", "Being soft."), ("warm", "Being near."))),
        Value("self_rule", "Going one's way.", 1, None, (("free", "Asking nobody."),)),
    ),
)  # fmt: skip
FIRST = 8
"""Column of the first rating."""


def probes(countries: int = 3, topics: int = 4, scenes: int = 2, *, action: str = "I do it") -> Probes:
    """Every item of CARE, for and against, in every scene of every cell."""
    return Probes(
        tuple(
            Probe(f"c{c}-t{t}-{s}", f"C{c}", f"T{t}", f"Scene {c} {t} {s}.", item, polarity, f"{action}: {item} {polarity} {c} {t} {s}.")
            for c in range(countries) for t in range(topics) for s in range(scenes) for item in CARE.items for polarity in (1, -1)
        )
    )  # fmt: skip


def drawn(count: int = 6, seed: int = 0, **of_probes: Any) -> Sample:
    return draw_sample(probes(**of_probes), CARE, dataset="mine", count=count, seed=seed)


def filled(
    folder: Path, sample: Sample, rating: Callable[[str, int], Any] | Any = 4, *, number: int = 1, cells: Mapping[str, Any] | None = None
) -> Path:
    """The workbook of an annotator, who gives `rating`, or what it says for an instance and a dimension; and writes into cells, as "B1"."""
    write_sheets(folder, sample, annotators=number, form="xlsx")
    path = folder / f"annotator-{number}.xlsx"
    book = load_workbook(path)
    sheet = book[RATINGS]
    for row in range(HEAD + 1, sheet.max_row + 1):
        for d in range(len(DIMENSIONS)):
            sheet.cell(row, FIRST + d).value = rating(sheet.cell(row, 1).value, d) if callable(rating) else rating
    for place, content in (cells or {}).items():
        sheet[place] = content
    book.save(path)
    return path


def as_csv(path: Path, *, between: str = ",", encoding: str = "utf-8-sig") -> Path:
    """The sheet of ratings of a workbook, saved as a spreadsheet saves it."""
    table = pd.read_excel(path, sheet_name=RATINGS, header=None, dtype=object, keep_default_na=False)
    table.to_csv(path.with_suffix(".csv"), sep=between, encoding=encoding, header=False, index=False)
    return path.with_suffix(".csv")
