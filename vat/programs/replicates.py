"""What a sweep says about methods: over replicates and scenes together, and one strategy against another on the same scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from vat.analyse.table import interval, number, plain_table
from vat.measure.base import Shifted
from vat.measure.compare import Difference, over_replicates, paired_difference
from vat.measure.null import false_discovery_q
from vat.measure.pseudo_values import Of
from vat.programs.trajectories import States

_CELL = ("model", "value", "direction", "strategy", "shots", "settings")
LEFT = {"model", "value", "strategy", "first", "second", "with"}
_OF: tuple[Of, Of] = ("gain", "nvat")
FEW = {1: "this draw only, not the method: add replicate=0,1,2,3", 2: "over replicates and scenes; with 2 replicates p < 0.05 comes in 10%, not 5%"}


def false_discoveries(rows: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """For each row the false discovery rate of its nvat_p over the distinct jobs of a sweep; None where there is none, or only one."""
    p_of = {row["job"]: row["metrics"]["nvat_p"] for row in rows if "nvat_p" in row.get("metrics", {})}
    if len(p_of) < 2:
        return [None] * len(rows)
    q = false_discovery_q(np.array([np.nan if p is None else p for p in p_of.values()]))
    q_of = {job: None if np.isnan(of_job) else float(of_job) for job, of_job in zip(p_of, q, strict=True)}
    return [q_of.get(row["job"]) for row in rows]


def replicate_tables(rows: Sequence[Mapping[str, Any]], states: States) -> list[str]:
    """The two tables, as far as there is something to put into them.

    Args:
        rows: As `closing_table` takes them.
        states: Job → its states in order of their step; the last is taken.
    """
    cells: dict[tuple[Any, ...], dict[Any, Shifted]] = {}
    for row in rows:
        if "gain" in row.get("metrics", {}) and row["metrics"]["gain"] is not None:
            cell = tuple(row.get(name, "") for name in _CELL)
            cells.setdefault(cell, {})[row["replicate"]] = states[row["job"]][-1]()
    cells = {cell: replicates for cell, replicates in cells.items() if len({shifted.scenes for shifted in replicates.values()}) == 1}
    return [table for table in (_over_replicates(cells), _differences(cells)) if table]


def _over_replicates(cells: Mapping[tuple[Any, ...], Mapping[Any, Shifted]]) -> str:
    header = ("model", "value", "dir", "strategy", "shots", "with", "replicates", "gain", "[95% interval]", "tax", "[95% interval]")
    lines = []
    for cell, replicates in cells.items():
        if len(replicates) > 1:
            one, shift_RSV = _stacked(replicates, sorted(replicates))
            gain, tax = (over_replicates(shift_RSV, target=one.target, direction=one.direction, of=of, factors=one.factors) for of in _OF)
            numbers = [number(gain.estimate, "+.3f"), interval(gain.low, gain.high, "+.3f"), number(tax.estimate), interval(tax.low, tax.high)]
            lines.append([*_named(cell), str(len(replicates)), *numbers])
    return f"Over replicates and scenes, tax free of chance:\n\n{plain_table(header, lines, left=LEFT)}" if lines else ""


def _differences(cells: Mapping[tuple[Any, ...], Mapping[Any, Shifted]]) -> str:
    header = (
        "model", "value", "dir", "first", "second", "shots", "with", "replicates", "gain", "[95% interval]", "p", "tax", "[95% interval]", "p", "q",
    )  # fmt: skip
    found: list[tuple[list[str], int, Difference, Difference]] = []
    for (a, of_a), (b, of_b) in combinations(cells.items(), 2):
        common = sorted(set(of_a) & set(of_b))
        if [n for n in range(len(_CELL)) if a[n] != b[n]] != [_CELL.index("strategy")] or not common:
            continue
        (one, first_RSV), (other, second_RSV) = _stacked(of_a, common), _stacked(of_b, common)
        if one.scenes == other.scenes:
            gain, tax = (
                paired_difference(first_RSV, second_RSV, target=one.target, direction=one.direction, of=of, factors=one.factors) for of in _OF
            )
            model, value, direction, _, shots, given = _named(a)
            found.append(([model, value, direction, a[3], b[3], shots, given], len(common), gain, tax))
    if not found:
        return ""
    q = false_discovery_q(np.array([tax.p for *_, tax in found]))
    lines = [
        [
            *what, str(count), number(gain.estimate, "+.3f"), interval(gain.low, gain.high, "+.3f"), number(gain.p, ".4f"),
            number(tax.estimate, "+.3f"), interval(tax.low, tax.high, "+.3f"), number(tax.p, ".4f"), number(float(q[n]), ".4f"),
        ]
        for n, (what, count, gain, tax) in enumerate(found)
    ]  # fmt: skip
    fewest = min(count for _, count, *_ in found)
    note = FEW.get(fewest, "over replicates and scenes")
    return f"First minus second strategy on the same scenes ({note}):\n\n{plain_table(header, lines, left=LEFT)}"


def _stacked(replicates: Mapping[Any, Shifted], order: Sequence[Any]) -> tuple[Shifted, Any]:
    return replicates[order[0]], np.stack([replicates[name].post_SV - replicates[name].pre_SV for name in order])


def _named(cell: tuple[Any, ...]) -> list[str]:
    model, value, direction, strategy, shots, settings = cell
    return [model, value, f"{direction:+d}", strategy, "" if shots is None else str(shots), settings]
