"""One tidy table for everything that is measured: one row an estimate, its uncertainty beside it. MLflow and analysis read nothing else.

A record's fields become rows by their names: X is an estimate, and X_low, X_high, X_null, X_p, X_q stand in its row. A field of V entries
gives a row for each value, a symmetric (V, V) one a row for each pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

ASPECTS = ("low", "high", "null", "p", "q")
_SHORT = {"value_tax": "vat"}
"""Where the name in MLflow is not the field's."""


class Row(NamedTuple):
    """An estimate: of the whole system, of a value, or of a pair of values. NaN: not defined for these shifts; None: it has none.

    low, high: 95% interval. null: level under independence. p: share of independent data at least as extreme; q: false discovery rate.
    """

    statistic: str
    value: str
    other: str
    estimate: float
    low: float | None = None
    high: float | None = None
    null: float | None = None
    p: float | None = None
    q: float | None = None


def tidy(record: Mapping[str, Any], values: Sequence[str]) -> tuple[Row, ...]:
    """Rows of a record's fields, in their order.

    Args:
        record: Field name → number, (V,) or (V, V) array.
        values: Names of the V values.
    Returns:
        One row for each number, value or pair; of a symmetric matrix the upper triangle.
    Source: none. Differs: none.
    """
    owned = {f"{name}_{aspect}": name for name in record for aspect in ASPECTS if f"{name}_{aspect}" in record}
    rows = []
    for name, estimate in record.items():
        if name in owned:
            continue
        columns = {aspect: np.asarray(record[f"{name}_{aspect}"]) for aspect in ASPECTS if f"{name}_{aspect}" in record}
        shape = np.shape(estimate)
        places = zip(*np.triu_indices(shape[0], 1), strict=True) if len(shape) == 2 else np.ndindex(shape)
        for place in places:
            numbers = {aspect: float(column[place]) for aspect, column in columns.items()}
            value, other = [*(values[index] for index in place), "", ""][:2]
            rows.append(Row(_SHORT.get(name, name), value, other, float(np.asarray(estimate)[place]), **numbers))
    return tuple(rows)


def metrics(rows: Iterable[Row]) -> dict[str, float]:
    """Numbers by their names in MLflow: gain, gain_low, shift/power, shift_low/power, …; pairs of values are left to the table.

    Args:
        rows: Of one state.
    Returns:
        Estimates with the intervals, levels and p-values that they have; NaN for what is not defined.
    Source: none. Differs: none.
    """
    named = {}
    for row in rows:
        if row.other:
            continue
        place = f"/{row.value}" if row.value else ""
        named[f"{row.statistic}{place}"] = row.estimate
        named |= {f"{row.statistic}_{aspect}{place}": getattr(row, aspect) for aspect in ASPECTS if getattr(row, aspect) is not None}
    return named
