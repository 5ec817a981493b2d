"""Doses of a method as points of gain and tax: which of them no other beats, and how much of the plane they command together.

Gain up is better, tax down is better. The front is the same for nvat, nvat² and nvat free of chance; the hypervolume is not.

Shapes: N points, B resamples.
"""

from __future__ import annotations

import numpy as np

from vat.errors import DataError
from vat.types import Bools, Floats

REFERENCE = (0.0, 1.0)
"""Nothing gained, and the most that nvat can be."""


def pareto_front(gain_N: Floats, tax_N: Floats) -> Bools:
    """The points that no other dominates: at least as much gain, at most as much tax, and one of them strictly.

    Args:
        gain_N, tax_N: The points; NaN where not defined.
    Returns:
        (N,) true on the front. Equal points share it; a point with a NaN is never on it and dominates none.
    Raises:
        DataError: Not two rows of as many numbers, or an infinite one.
    Source: none in the paper, which compares by eye. Differs: -. In N log N.
    """
    gain_N, tax_N = _points(gain_N, tax_N)
    place_N = np.flatnonzero(~np.isnan(gain_N) & ~np.isnan(tax_N))
    place_N = place_N[np.lexsort((tax_N[place_N], -gain_N[place_N]))]
    gain_N, tax_N, front_N = gain_N[place_N], tax_N[place_N], np.zeros(len(gain_N), dtype=bool)
    first_N = np.searchsorted(-gain_N, -gain_N)  # of as much gain, the one of least tax
    least_N = np.append(np.inf, np.minimum.accumulate(tax_N))[first_N]
    front_N[place_N] = (tax_N == tax_N[first_N]) & (tax_N < least_N)
    return front_N


def hypervolume(gain_N: Floats, tax_N: Floats, *, reference: tuple[float, float] = REFERENCE) -> float:
    """Area of gain × tax that the points dominate, as far as a reference.

    Args:
        gain_N, tax_N: The points; NaN where not defined: such a point adds nothing.
        reference: Gain and tax of the worst that counts; points with less gain or more tax add nothing.
    Returns:
        The area in units of gain × tax, 0 without a point.
    Raises:
        DataError: As `pareto_front`, or a reference that is not finite.
    Source: Zitzler and Thiele (1999). Differs: none.
    """
    gain_N, tax_N = _points(gain_N, tax_N)
    if not np.isfinite(reference).all():
        raise DataError(f"reference: must be a gain and a tax; got {reference}. Use {REFERENCE}.")
    return float(hypervolume_batch(gain_N[None], tax_N[None], reference=reference)[0])


def hypervolume_batch(gain_BN: Floats, tax_BN: Floats, *, reference: tuple[float, float] = REFERENCE) -> Floats:
    """(B,) hypervolumes of many sets of N points at once."""
    seen_BN = ~np.isnan(gain_BN) & ~np.isnan(tax_BN)
    gain_BN = np.where(seen_BN, np.fmax(gain_BN, reference[0]), reference[0])
    tax_BN = np.where(seen_BN, np.fmin(tax_BN, reference[1]), reference[1])
    order_BN = np.argsort(-gain_BN, axis=-1)
    gain_BN, tax_BN = (np.take_along_axis(x_BN, order_BN, axis=-1) for x_BN in (gain_BN, tax_BN))
    width_BN = -np.diff(gain_BN, axis=-1, append=reference[0])
    return np.asarray((width_BN * (reference[1] - np.minimum.accumulate(tax_BN, axis=-1))).sum(axis=-1), dtype=float)


def _points(gain_N: Floats, tax_N: Floats) -> tuple[Floats, Floats]:
    gain_N, tax_N = np.asarray(gain_N, dtype=float), np.asarray(tax_N, dtype=float)
    if gain_N.ndim != 1 or gain_N.shape != tax_N.shape:
        raise DataError(f"gain_N, tax_N: must be two rows of as many numbers; got shapes {gain_N.shape} and {tax_N.shape}. Pair them by point.")
    if np.isinf(gain_N).any() or np.isinf(tax_N).any():
        raise DataError("gain_N, tax_N: must be finite, or NaN where not defined; got an infinite one. Mark what is not defined as NaN.")
    return gain_N, tax_N
