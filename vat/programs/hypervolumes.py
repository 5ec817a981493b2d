"""What a sweep says about methods over all their doses: how much of gain × tax each commands, and whether another commands more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vat.measure.compare import Difference, Estimate, over_replicates, paired_difference
from vat.measure.null import false_discovery_q
from vat.programs.trajectories import States, pairs, trajectories


class Hypervolume(NamedTuple):
    """That of a strategy over its replicates, each with as many doses."""

    model: str
    value: str
    direction: int
    strategy: str
    settings: str
    n_replicates: int
    n_doses: int
    hypervolume: Estimate


class HypervolumeDifference(NamedTuple):
    """First minus second strategy over the replicates that both have, with its p, and the false discovery rate over all differences."""

    model: str
    value: str
    direction: int
    settings: str
    first: str
    second: str
    n_replicates: int
    n_doses: tuple[int, int]
    difference: Difference
    q: float


class Hypervolumes(NamedTuple):
    """Of every strategy, and of every two that pushed the same value of the same model."""

    each: list[Hypervolume]
    differences: list[HypervolumeDifference]


def hypervolumes(rows: Sequence[Mapping[str, Any]], states: States) -> Hypervolumes:
    """Hypervolumes with intervals, of strategies that moved nothing too: theirs is about 0.

    More doses command more: compare strategies with as many of them, or read the difference as one of what was tried.

    Args:
        rows: As `closing_table` takes them.
        states: Job → its states in order of their step.
    """
    found = trajectories(rows, states)
    each = []
    for trajectory in found:
        shift_RCSV = trajectory.shift_RCSV()
        area = over_replicates(shift_RCSV, of="hypervolume", **trajectory.given)
        each.append(Hypervolume(*trajectory.cell, n_replicates=shift_RCSV.shape[0], n_doses=shift_RCSV.shape[1], hypervolume=area))
    apart = []
    for first, second, replicates in pairs(found):
        one_RCSV, other_RCSV = first.shift_RCSV(replicates), second.shift_RCSV(replicates)
        difference = paired_difference(one_RCSV, other_RCSV, of="hypervolume", **first.given)
        model, value, direction, strategy, settings = first.cell
        names = (model, value, direction, settings, strategy, second.cell.strategy)
        apart.append(HypervolumeDifference(*names, len(replicates), (one_RCSV.shape[1], other_RCSV.shape[1]), difference, float("nan")))
    q = false_discovery_q(np.array([compared.difference.p for compared in apart]))
    return Hypervolumes(each, [compared._replace(q=float(q[n])) for n, compared in enumerate(apart)])
