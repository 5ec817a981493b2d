"""Which of several results are worth having: those that no other beats in gain and in tax.

Shapes: N points.
"""

from __future__ import annotations

import numpy as np

from vat.types import Bools, Floats


def pareto_front(gain_N: Floats, tax_N: Floats) -> Bools:
    """(N,) whether no other point has at least as much gain for at most as much tax, and more or less of one of them; NaN is on no front."""
    gain_N, tax_N = np.asarray(gain_N, dtype=float), np.asarray(tax_N, dtype=float)
    as_good_NN = (gain_N[:, None] >= gain_N) & (tax_N[:, None] <= tax_N)
    better_NN = (gain_N[:, None] > gain_N) | (tax_N[:, None] < tax_N)
    front_N: Bools = ~(as_good_NN & better_NN).any(axis=0) & np.isfinite(gain_N) & np.isfinite(tax_N)
    return front_N
