"""What a sweep says about methods at equal gain: a tax that came with less gain is no smaller tax.

Two trajectories through gain and tax are compared where both first reach a gain, interpolated between doses: at the largest gain that all their
replicates reach, and at half of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vat.analyse.table import interval, number, plain_table
from vat.measure.compare import Difference, Estimate, over_replicates, paired_difference
from vat.measure.null import false_discovery_q
from vat.programs.replicates import FEW, LEFT
from vat.programs.trajectories import Pair, States, Trajectory, pairs, trajectories

_HEADER = (
    "model", "value", "dir", "with", "replicates", "at gain", "first", "tax", "[95% interval]", "second", "tax", "[95% interval]",
    "first - second", "[95% interval]", "p", "q",
)  # fmt: skip


class AtEqualGain(NamedTuple):
    """Two strategies (first, second) at a gain: their taxes, the difference with its p, and the false discovery rate over all that is compared."""

    model: str
    value: str
    direction: int
    settings: str
    first: str
    second: str
    n_replicates: int
    gain: float
    first_tax: Estimate
    second_tax: Estimate
    difference: Difference
    q: float


def equal_gain_table(rows: Sequence[Mapping[str, Any]], states: States) -> str:
    """What `at_equal_gain` finds, printed; "" if there is nothing."""
    found = at_equal_gain(rows, states)
    if not found:
        return ""
    note = FEW.get(min(compared.n_replicates for compared in found), "over replicates and scenes")
    return f"Tax at equal gain, free of chance ({note}):\n\n{plain_table(_HEADER, list(map(_line, found)), left={*LEFT, 'first', 'second'})}"


def at_equal_gain(rows: Sequence[Mapping[str, Any]], states: States) -> list[AtEqualGain]:
    """Every two strategies whose last dose moved the same value of the same model for sure, at equal gain.

    Args:
        rows: As `closing_table` takes them.
        states: Job → its states in order of their step.
    """
    moved = [trajectory for trajectory in trajectories(rows, states) if _gain(trajectory) > 0]
    found = [compared for pair in pairs(moved) for compared in _compared(pair)]
    q = false_discovery_q(np.array([compared.difference.p for compared in found]))
    return [compared._replace(q=float(q[n])) for n, compared in enumerate(found)]


def _gain(trajectory: Trajectory) -> float:
    """Lower end of the interval of the last dose's gain."""
    return over_replicates(trajectory.shift_RCSV()[:, -1], of="gain", **trajectory.given).low


def _compared(pair: Pair) -> list[AtEqualGain]:
    first, second, replicates = pair
    one_RCSV, other_RCSV = first.shift_RCSV(replicates), second.shift_RCSV(replicates)
    whole = math.floor(1000 * min(_reached(first), _reached(second))) / 1000
    gains = [round(whole / 2, 3), whole] if min(one_RCSV.shape[1], other_RCSV.shape[1]) > 1 else [whole]
    model, value, direction, strategy, settings = first.cell
    return [
        AtEqualGain(
            model, value, direction, settings, strategy, second.cell.strategy, len(replicates), gain,
            over_replicates(one_RCSV, at_gain=gain, **first.given), over_replicates(other_RCSV, at_gain=gain, **first.given),
            paired_difference(one_RCSV, other_RCSV, at_gain=gain, **first.given), float("nan"),
        )
        for gain in gains
    ]  # fmt: skip


def _reached(trajectory: Trajectory) -> float:
    """The largest gain that all replicates reach."""
    gain_RC = trajectory.one.direction * np.nanmean(trajectory.shift_RCSV()[..., trajectory.one.target], axis=2)
    return float(gain_RC.max(axis=1).min())


def _line(compared: AtEqualGain) -> list[str]:
    first, second = ([number(tax.estimate), interval(tax.low, tax.high)] for tax in (compared.first_tax, compared.second_tax))
    apart = compared.difference
    return [
        compared.model, compared.value, f"{compared.direction:+d}", compared.settings, str(compared.n_replicates), number(compared.gain, "+.3f"),
        compared.first, *first, compared.second, *second,
        number(apart.estimate, "+.3f"), interval(apart.low, apart.high, "+.3f"), number(apart.p, ".4f"), number(compared.q, ".4f"),
    ]  # fmt: skip
