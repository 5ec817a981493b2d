"""The closing table: one row a job, every tax beside its level under independence and its p-value."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

HEADER = (
    "model", "value", "dir", "strategy", "shots", "rep", "with", "gain", "[95% interval]", "nvat", "by chance", "p", "q", "beyond", "[95% interval]",
    "gini", "by chance", "job",
)  # fmt: skip
MOST_TRAJECTORIES = 8
"""More would bury the table that follows."""
_LEFT = {"model", "value", "strategy", "with", "job"}


def described(params: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says of a job besides its numbers, from the parameters of its run."""
    row = {name: params.get(name, "") for name in ("model", "value", "strategy", "replicate")}
    return row | {"direction": params.get("direction"), "shots": params.get("shots") or None}


def closing_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format rows of `model, value, direction, strategy, shots, replicate, settings, job`, `q` and either `metrics` or `failed`.

    `q` is the false discovery rate of p over the table's jobs; `beyond` the tax free of chance, with the interval of nvat. The columns `with`,
    for other settings in which rows differ, and `q` are there only if a row has them.
    """
    lines = plain_table(HEADER, [_cells(row) for row in rows], left=_LEFT)
    failures = [f"  {row['job']}: {row['failed']}" for row in rows if row.get("failed")]
    return "\n".join([lines, *(["", "Failed:", *failures] if failures else [])])


def trajectory_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Every state of the jobs that have several, in order of their steps; "" if there are none.

    Args:
        rows: As `closing_table` takes them, with `steps`: step → metrics.
    """
    header = ("model", "value", "dir", "strategy", "rep", "with", "step", *HEADER[7:12], *HEADER[13:15], "job")
    lines = {}
    for row in rows:
        states = row.get("steps", {})
        for step in sorted(states, key=int) if len(states) > 1 else ():
            cells = _cells({**row, "metrics": states[step]})
            lines[row["job"], step] = [*cells[:4], cells[5], cells[6], str(step), *cells[7:12], *cells[13:15], cells[-1]]
    if len({job for job, _ in lines}) > MOST_TRAJECTORIES:
        return "Each checkpoint: see MLflow, or measures.csv in the folder of its step."
    if not lines:
        return ""
    return f"Each checkpoint:\n\n{plain_table(header, list(lines.values()), left=_LEFT)}"


def checkpoint_line(name: str, numbers: Mapping[str, float]) -> str:
    """One measured state of a trajectory, as it comes."""
    found = dict.fromkeys(("gain", "gain_low", "gain_high", "nvat", "nvat_null", "nvat_p")) | dict(numbers)
    gain = f"gain {number(found['gain'], '+.3f')} {interval(found['gain_low'], found['gain_high'], '+.3f')}"
    return f"{name}: {gain}   nvat {number(found['nvat'])}, by chance {number(found['nvat_null'])}, p {number(found['nvat_p'], '.4f')}"


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: Collection[str]) -> str:
    """Columns set in spaces, those named in `left` to the left; `with` and `q` only if a row has them."""
    kept = [n for n, name in enumerate(header) if name not in ("with", "q") or any(row[n] for row in rows)]
    header, rows = [header[n] for n in kept], [[row[n] for n in kept] for row in rows]
    table = [header, *rows]
    widths = [max(len(row[n]) for row in table) for n in range(len(header))]
    lines = []
    for row in table:
        padded = (text.ljust(width) if name in left else text.rjust(width) for name, text, width in zip(header, row, widths, strict=True))
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> list[str]:
    shots = "" if row["shots"] is None else str(row["shots"])
    direction = f"{row['direction']:+d}" if row["direction"] else ""
    what = [row["model"], row["value"], direction, row["strategy"], shots, str(row["replicate"]), row.get("settings", "")]
    if row.get("failed"):
        return [*what, "failed", *[""] * (len(HEADER) - len(what) - 2), row["job"]]
    numbers = row["metrics"]
    if "gain" not in numbers:
        return [*what, *[""] * (len(HEADER) - len(what) - 1), row["job"]]
    q = "" if row.get("q") is None else number(row["q"], ".4f")
    measured = [
        number(numbers["gain"], "+.3f"), interval(numbers["gain_low"], numbers["gain_high"], "+.3f"),
        number(numbers["nvat"]), number(numbers["nvat_null"]), number(numbers["nvat_p"], ".4f"), q,
        number(numbers["nvat_excess"]), interval(numbers["nvat_low"], numbers["nvat_high"]),
        number(numbers["gini"]), number(numbers["gini_null"]),
    ]  # fmt: skip
    return [*what, *measured, row["job"]]


def interval(low: float | None, high: float | None, form: str = ".3f") -> str:
    """[low, high]."""
    return f"[{number(low, form)}, {number(high, form)}]"


def number(x: float | None, form: str = ".3f") -> str:
    """A number in the given form; a dash for what is not defined."""
    return "–" if x is None or math.isnan(x) else format(x, form)


def probability(p: float | None) -> str:
    """A p-value or false discovery rate: four decimals, and never 0."""
    return "<0.0001" if p is not None and p < 0.00005 else number(p, ".4f")
