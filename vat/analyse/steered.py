"""Intensities of states beside what was asked of them, sorted by how many values were steered at once: steerability is drawn from these."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vat.analyse.figures.base import over_replicates
from vat.analyse.study import STATE, Study

if TYPE_CHECKING:
    from pandas import DataFrame

TARGETS = (-2, -1, 1, 2)
_OF_TARGETS = re.compile(r"strategy\.(?:strength|also\.\S+?)=\S+ ?")
"""What of a strategy's settings only says which targets it has: jobs that differ in these alone are of one method."""


def scored(study: Study) -> DataFrame:
    """Every value of a state whose open answers were scored, in the theory's order, beside the columns of `points`.

    `steered` counts values that were not scored, too. `settings` are without those of targets.
    """
    place = {value: n for n, value in enumerate(study.theory.values)}
    found = study.points.merge(study.intensities.sort_values("of", key=lambda of: of.map(place), kind="stable"), on=[*STATE])
    return found.assign(steered=found["steered"].astype(int), settings=found["settings"].str.replace(_OF_TARGETS, "", regex=True).str.strip())


def alone(study: Study) -> DataFrame:
    """Δ of values that were steered by themselves, one row a value, target and method: delta, low and high; over replicates as `over_replicates`."""
    found = scored(study)
    found = found[(found["steered"] == 1) & found["strongest"] & found["target"].notna() & found["delta"].notna()]
    found = found.rename(columns={"delta": "estimate", "delta_low": "low", "delta_high": "high"})
    return over_replicates(found, "of", "target").rename(columns={"estimate": "delta"})
