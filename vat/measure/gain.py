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


def gain_normalised_deviation(shift_SV: np.ndarray, *, target: int) -> Floats:
    """Mean shift of every value per unit of the target's absolute mean shift.

    Args:
        shift_SV: (S, V) shifts, NaN where missing.
        target: Column of the value that was pushed.
    Returns:
        (V,) deviations; the target's own is 1 or -1. All NaN when the 95% interval of the target's mean shift contains 0.
    Source: Value Alignment Tax, section 3 (gain-normalized deviation). Differs: undefined where the gain is not distinguishable from 0.
    """
    _, gain, low, high = mean_interval(shift_SV[:, target])
    if not (low > 0 or high < 0):
        return np.full(shift_SV.shape[1], np.nan)
    means_V = np.array([mean_interval(column).mean for column in shift_SV.T])
    return means_V / abs(gain)
