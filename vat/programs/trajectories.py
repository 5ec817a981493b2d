"""A strategy's doses, the checkpoints of a training or the numbers of examples, as a trajectory that its replicates have in common.

Shapes: R replicates, C doses, S scenes, V values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from vat.measure.base import Shifted
from vat.types import Floats

States = Mapping[str, Sequence[Callable[[], Shifted]]]
"""Job → its states in order of their step, each read when called."""


class Cell(NamedTuple):
    """What the replicates and doses of a trajectory have in common."""

    model: str
    value: str
    direction: int
    strategy: str
    settings: str


class Trajectory(NamedTuple):
    """Replicate → shifts of its doses in order, (C, S, V); `one` of its states says what all have in common."""

    cell: Cell
    doses: Mapping[Any, Floats]
    one: Shifted

    @property
    def given(self) -> dict[str, Any]:
        """What `vat.measure.compare` is to know beside the shifts."""
        return {"target": self.one.target, "direction": self.one.direction, "factors": self.one.factors}

    def shift_RCSV(self, replicates: Sequence[Any] | None = None) -> Floats:
        """Shifts of all replicates, or of some, in order."""
        return np.stack([self.doses[replicate] for replicate in sorted(self.doses) if replicates is None or replicate in replicates])


class Pair(NamedTuple):
    """Two strategies that pushed the same value of the same model alike, on the same scenes, and the replicates that both have."""

    first: Trajectory
    second: Trajectory
    replicates: list[Any]


def trajectories(rows: Sequence[Mapping[str, Any]], states: States) -> list[Trajectory]:
    """Every trajectory of a sweep with the doses that all its replicates have; none where they have no dose, or not their scenes, in common.

    Args:
        rows: As `closing_table` takes them.
    """
    found: dict[Cell, dict[Any, dict[tuple[int, int], Callable[[], Shifted]]]] = {}
    for row in rows:
        if row.get("metrics", {}).get("gain") is not None:
            cell = Cell(*(row.get(name, "") for name in Cell._fields))
            doses = found.setdefault(cell, {}).setdefault(row["replicate"], {})
            doses |= {(row["shots"] or 0, n): state for n, state in enumerate(states[row["job"]])}
    read = []
    for cell, of_replicate in found.items():
        common = sorted(set.intersection(*map(set, of_replicate.values())))
        shifted = {replicate: [doses[dose]() for dose in common] for replicate, doses in of_replicate.items()}
        if common and len({state.scenes for of_one in shifted.values() for state in of_one}) == 1:
            doses_of = {replicate: np.stack([state.post_SV - state.pre_SV for state in of_one]) for replicate, of_one in shifted.items()}
            read.append(Trajectory(cell, doses_of, next(iter(shifted.values()))[0]))
    return read


def pairs(of: Sequence[Trajectory]) -> Iterator[Pair]:
    """Every two trajectories that differ in their strategy alone and share scenes and replicates."""
    for first, second in combinations(of, 2):
        replicates = sorted(set(first.doses) & set(second.doses))
        alike = first.cell._replace(strategy=second.cell.strategy) == second.cell != first.cell
        if alike and replicates and first.one.scenes == second.one.scenes:
            yield Pair(first, second, replicates)
