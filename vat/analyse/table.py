"""The closing table: one row a job, every tax beside its level under independence and its p-value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

HEADER = ("model", "value", "dir", "strategy", "shots", "rep", "with", "gain", "[95% interval]", "nvat", "by chance", "p", "gini", "by chance", "job")
_LEFT = {"model", "value", "strategy", "with", "job"}


def closing_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format rows of `model, value, direction, strategy, shots, replicate, settings, job` and either `metrics` or `failed`.

    The column `with`, for other settings in which rows differ, is there only if they do.
    """
    cells = [HEADER, *(_cells(row) for row in rows)]
    shown = [name != "with" or any(row.get("settings") for row in rows) for name in HEADER]
    cells = [tuple(text for text, show in zip(row, shown, strict=True) if show) for row in cells]
    header = cells[0]
    widths = [max(len(row[n]) for row in cells) for n in range(len(header))]
    lines = []
    for row in cells:
        padded = (text.ljust(width) if name in _LEFT else text.rjust(width) for name, text, width in zip(header, row, widths, strict=True))
        lines.append("  ".join(padded).rstrip())
    failures = [f"  {row['job']}: {row['failed']}" for row in rows if row.get("failed")]
    return "\n".join([*lines, *(["", "Failed:", *failures] if failures else [])])


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    shots = "" if row["shots"] is None else str(row["shots"])
    what = (
        row["model"],
        row["value"],
        f"{row['direction']:+d}" if row["direction"] else "",
        row["strategy"],
        shots,
        str(row["replicate"]),
        row.get("settings", ""),
    )
    if row.get("failed"):
        return (*what, "failed", "", "", "", "", "", "", row["job"])
    numbers = row["metrics"]
    if "gain" not in numbers:
        return (*what, "", "", "", "", "", "", "", row["job"])
    interval = f"[{_number(numbers['gain_low'], '+.3f')}, {_number(numbers['gain_high'], '+.3f')}]"
    return (
        *what, _number(numbers["gain"], "+.3f"), interval, _number(numbers["nvat"]), _number(numbers["nvat_null"]), _number(numbers["nvat_p"], ".4f"),
        _number(numbers["gini"]), _number(numbers["gini_null"]), row["job"],
    )  # fmt: skip


def _number(x: float | None, form: str = ".3f") -> str:
    return "–" if x is None or math.isnan(x) else format(x, form)
