"""What a sweep says about methods at equal gain: a tax that came with less gain is no smaller tax.

A strategy's doses, the checkpoints of a training or the numbers of examples, are a path through gain and tax. Two paths are compared where both
first reach a gain, interpolated between doses: at the largest gain that all their replicates reach, and at half of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vat.analyse.table import interval, number, plain_table
from vat.measure.base import Shifted
from vat.measure.compare import Difference, Estimate, over_replicates, paired_difference
from vat.measure.null import false_discovery_q
from vat.programs.record import shifted_of
from vat.programs.replicates import FEW, LEFT
from vat.types import Floats

_PATH = ("model", "value", "direction", "strategy", "settings")
_HEADER = (
    "model", "value", "dir", "with", "replicates", "at gain", "first", "tax", "[95% interval]", "second", "tax", "[95% interval]",
    "first - second", "[95% interval]", "p", "q",
)  # fmt: skip


class _Path(NamedTuple):
    """Replicate → shifts of its doses in order (C, S, V), the gains that all replicates reach, and what they have in common."""

    doses: Mapping[Any, Floats]
    reached: float
    one: Shifted


class _Compared(NamedTuple):
    """Two paths at a gain."""

    names: tuple[Any, ...]
    other: str
    n_replicates: int
    gain: float
    taxes: tuple[Estimate, Estimate]
    difference: Difference


def equal_gain_table(rows: Sequence[Mapping[str, Any]], folders: Mapping[str, Sequence[Path]]) -> str:
    """Every two strategies that moved the same value of the same model for sure, at equal gain; "" if there are none.

    Args:
        rows: As `closing_table` takes them.
        folders: Job → folders of its states, in order of their step.
    """
    paths = _paths(rows, folders)
    found = [
        compared
        for (a, first), (b, second) in combinations(paths.items(), 2)
        if [n for n in range(len(_PATH)) if a[n] != b[n]] == [_PATH.index("strategy")] and first.one.scenes == second.one.scenes
        for compared in _compared(a, b[_PATH.index("strategy")], first, second)
    ]
    if not found:
        return ""
    q = false_discovery_q(np.array([compared.difference.p for compared in found]))
    note = FEW.get(min(compared.n_replicates for compared in found), "over replicates and scenes")
    lines = [_line(compared, float(q[n])) for n, compared in enumerate(found)]
    return f"Tax at equal gain, free of chance ({note}):\n\n{plain_table(_HEADER, lines, left={*LEFT, 'first', 'second'})}"


def _paths(rows: Sequence[Mapping[str, Any]], folders: Mapping[str, Sequence[Path]]) -> dict[tuple[Any, ...], _Path]:
    """The paths whose last dose moved the value for sure, each with the doses that all its replicates have."""
    found: dict[tuple[Any, ...], dict[Any, dict[tuple[int, int], Path]]] = {}
    for row in rows:
        if row.get("metrics", {}).get("gain") is not None:
            doses = found.setdefault(tuple(row.get(name, "") for name in _PATH), {}).setdefault(row["replicate"], {})
            doses |= {(row["shots"] or 0, n): folder for n, folder in enumerate(folders[row["job"]])}
    paths = {}
    for names, of_replicate in found.items():
        common = sorted(set.intersection(*map(set, of_replicate.values())))
        states = {replicate: [shifted_of(doses[dose]) for dose in common] for replicate, doses in of_replicate.items()}
        if not common or len({state.scenes for of_one in states.values() for state in of_one}) > 1:
            continue
        one = next(iter(states.values()))[0]
        last = np.stack([of_one[-1].post_SV - of_one[-1].pre_SV for of_one in states.values()])
        if over_replicates(last, target=one.target, direction=one.direction, of="gain", factors=one.factors).low > 0:
            doses_of = {replicate: np.stack([state.post_SV - state.pre_SV for state in of_one]) for replicate, of_one in states.items()}
            gains = [(one.direction * np.nanmean(shift_CSV[..., one.target], axis=1)).max() for shift_CSV in doses_of.values()]
            paths[names] = _Path(doses_of, float(min(gains)), one)
    return paths


def _compared(names: tuple[Any, ...], other: str, first: _Path, second: _Path) -> list[_Compared]:
    common = sorted(set(first.doses) & set(second.doses))
    if not common:
        return []
    one_RCSV, other_RCSV = (np.stack([path.doses[replicate] for replicate in common]) for path in (first, second))
    given: dict[str, Any] = {"target": first.one.target, "direction": first.one.direction, "factors": first.one.factors}
    whole = math.floor(1000 * min(first.reached, second.reached)) / 1000
    gains = [round(whole / 2, 3), whole] if min(one_RCSV.shape[1], other_RCSV.shape[1]) > 1 else [whole]
    compared = []
    for gain in gains:
        taxes = (over_replicates(one_RCSV, at_gain=gain, **given), over_replicates(other_RCSV, at_gain=gain, **given))
        difference = paired_difference(one_RCSV, other_RCSV, at_gain=gain, **given)
        compared.append(_Compared(names, other, len(common), gain, taxes, difference))
    return compared


def _line(compared: _Compared, q: float) -> list[str]:
    model, value, direction, strategy, settings = compared.names
    first, second = ([number(tax.estimate), interval(tax.low, tax.high)] for tax in compared.taxes)
    apart = compared.difference
    return [
        model, value, f"{direction:+d}", settings, str(compared.n_replicates), number(compared.gain, "+.3f"),
        strategy, *first, compared.other, *second,
        number(apart.estimate, "+.3f"), interval(apart.low, apart.high, "+.3f"), number(apart.p, ".4f"), number(q, ".4f"),
    ]  # fmt: skip
