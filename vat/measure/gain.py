"""How far the target moved, and how far each other value moved per unit of that.

Shapes: S scenes, V values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t

from vat.types import Floats

LEVEL = 0.95


class MeanInterval(NamedTuple):
    """n observed numbers, their mean and its two-sided 95% interval."""

    n: int
    mean: float
    low: float
    high: float


def mean_interval(x_S: np.ndarray) -> MeanInterval:
    """Mean of the observed entries with Student's t interval over scenes.

    Args:
        x_S: (S,) numbers, NaN where missing.
    Returns:
        NaN for what is not defined: the mean of none, the interval of fewer than two.
    Source: none; Value Alignment Tax gives no interval for its gain. Differs: none.
    """
    x_S = x_S[~np.isnan(x_S)]
    n = len(x_S)
    if n == 0:
        return MeanInterval(0, np.nan, np.nan, np.nan)
    mean = float(x_S.mean())
    if n == 1:
        return MeanInterval(1, mean, np.nan, np.nan)
    half = float(student_t.ppf(0.5 + LEVEL / 2, n - 1) * x_S.std(ddof=1) / np.sqrt(n))
    return MeanInterval(n, mean, mean - half, mean + half)


class Deviation(NamedTuple):
    """(V,) gain-normalised deviations with their two-sided 95% intervals."""

    gnd_V: Floats
    low_V: Floats
    high_V: Floats


def gain_normalised_deviation(shift_SV: np.ndarray, *, target: int) -> Deviation:
    """Mean shift of every value per unit of the target's absolute mean shift, with Fieller's interval for a ratio of means.

    Args:
        shift_SV: (S, V) shifts, NaN where missing. A value's interval is from the scenes in which it and the target were observed.
        target: Column of the value that was pushed.
    Returns:
        The target's own deviation is 1 or -1, without width. All NaN when the 95% interval of the target's mean shift contains 0.
    Source: Value Alignment Tax, section 3 (gain-normalized deviation); Fieller (1954). Differs: undefined where the gain is not
        distinguishable from 0, and with an interval.
    """
    _, gain, low, high = mean_interval(shift_SV[:, target])
    if not (low > 0 or high < 0):
        return Deviation(*(np.full(shift_SV.shape[1], np.nan) for _ in range(3)))
    rows = [_fieller(column, shift_SV[:, target], np.sign(gain)) for column in shift_SV.T]
    means_V = np.array([mean_interval(column).mean for column in shift_SV.T])
    return Deviation(means_V / abs(gain), *(np.array(bound_V) for bound_V in zip(*rows, strict=True)))


def _fieller(x_S: np.ndarray, y_S: np.ndarray, sign: float) -> tuple[float, float]:
    """Bounds of sign · mean(x) / mean(y): the ratios θ for which mean(x - θy) is not distinguishable from 0."""
    both_S = ~np.isnan(x_S) & ~np.isnan(y_S)
    n = int(both_S.sum())
    if n < 2:
        return float("nan"), float("nan")
    x, y = x_S[both_S].mean(), y_S[both_S].mean()
    (vxx, vxy), (_, vyy) = np.cov(x_S[both_S], y_S[both_S]) / n * student_t.ppf(0.5 + LEVEL / 2, n - 1) ** 2
    a, b, c = y * y - vyy, x * y - vxy, x * x - vxx
    if a <= 0:  # in the shared scenes the target's shift is not distinguishable from 0: the interval has no bounds
        return float("nan"), float("nan")
    half = np.sqrt(max(0.0, b * b - a * c))
    bounds = sorted((sign * (b - half) / a, sign * (b + half) / a))
    return float(bounds[0]), float(bounds[1])
