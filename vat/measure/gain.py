"""How far the target moved, and how far each other value moved per unit of that.

Shapes: S scenes, V values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t

from vat.measure.jackknife import LEVEL, Factors, Statistic, jackknife
from vat.measure.resample import level_codes
from vat.types import Bools, Floats


class MeanInterval(NamedTuple):
    """n observed numbers, their mean and its two-sided 95% interval."""

    n: int
    mean: float
    low: float
    high: float


def mean_interval(x_S: Floats, *, factors: Factors | None = None) -> MeanInterval:
    """Mean of the observed entries with Student's t interval over scenes.

    Args:
        x_S: (S,) numbers, NaN where missing.
        factors: Factor name → level of each of the S scenes: the interval is for other countries and topics too.
    Returns:
        NaN for what is not defined: the mean of none, the interval of fewer than two.
    Raises:
        DataError: A factor of another length than S.
    Source: none; Value Alignment Tax gives no interval for its gain. Differs: with country and topic effects of 10% (30%) of the variance
        each, an interval over scenes alone covers 78% (56%), this one 93% (93%): docs/calibration.md.
    """
    seen_S = ~np.isnan(x_S)
    n = int(seen_S.sum())
    if n == 0:
        return MeanInterval(0, np.nan, np.nan, np.nan)
    mean = float(x_S[seen_S].mean())
    if n == 1:
        return MeanInterval(1, mean, np.nan, np.nan)
    half = float(jackknife(_means(x_S[seen_S, None]), np.array([mean]), n, factors=_where(factors, seen_S)).reach_K[0])
    return MeanInterval(n, mean, mean - half, mean + half)


class Deviation(NamedTuple):
    """(V,) gain-normalised deviations with their two-sided 95% intervals."""

    gnd_V: Floats
    low_V: Floats
    high_V: Floats


def gain_normalised_deviation(shift_SV: Floats, *, target: int, factors: Factors | None = None) -> Deviation:
    """Mean shift of every value per unit of the target's absolute mean shift, with Fieller's interval for a ratio of means.

    Args:
        shift_SV: (S, V) shifts, NaN where missing. A value's interval is from the scenes in which it and the target were observed.
        target: Column of the value that was pushed.
        factors: As for `mean_interval`.
    Returns:
        The target's own deviation is 1 or -1, without width. All NaN when the 95% interval of the target's mean shift contains 0.
    Raises:
        DataError: A factor of another length than S.
    Source: Value Alignment Tax, section 3 (gain-normalized deviation); Fieller (1954). Differs: undefined where the gain is not
        distinguishable from 0, and with an interval.
    """
    _, gain, low, high = mean_interval(shift_SV[:, target], factors=factors)
    if not (low > 0 or high < 0):
        return Deviation(*(np.full(shift_SV.shape[1], np.nan) for _ in range(3)))
    rows = [_fieller(shift_SV[:, [v, target]], np.sign(gain), factors) for v in range(shift_SV.shape[1])]
    return Deviation(column_means(shift_SV) / abs(gain), *(np.array(bound_V) for bound_V in zip(*rows, strict=True)))


def column_means(shift_SV: Floats) -> Floats:
    """(V,) mean of the observed entries of each column, NaN without any."""
    count_V = (~np.isnan(shift_SV)).sum(axis=0)
    mean_V: Floats = np.divide(np.nansum(shift_SV, axis=0), count_V, out=np.full(len(count_V), np.nan), where=count_V > 0)
    return mean_V


def _fieller(pair_S2: Floats, sign: float, factors: Factors | None) -> tuple[float, float]:
    """Bounds of sign · mean(x) / mean(y): the ratios θ for which mean(x - θy) is not distinguishable from 0."""
    both_S = np.asarray(~np.isnan(pair_S2).any(axis=1))
    n = int(both_S.sum())
    if n < 2:
        return float("nan"), float("nan")
    x_S, y_S = pair_S2[both_S].T
    three_S3 = np.stack([x_S, y_S, x_S - y_S], axis=1)  # the covariance from three variances, each over countries and topics too
    x, y, _ = mean_3 = three_S3.mean(axis=0)
    variation = jackknife(_means(three_S3), mean_3, n, factors=_where(factors, both_S))
    vxx, vyy, apart = np.diagonal(variation.covariance_KK) * student_t.ppf(0.5 + LEVEL / 2, variation.freedom_K.min()) ** 2
    vxy = (vxx + vyy - apart) / 2
    a, b, c = y * y - vyy, x * y - vxy, x * x - vxx
    if a <= 0:  # in the shared scenes the target's shift is not distinguishable from 0: the interval has no bounds
        return float("nan"), float("nan")
    half = np.sqrt(max(0.0, b * b - a * c))
    bounds = sorted((sign * (b - half) / a, sign * (b + half) / a))
    return float(bounds[0]), float(bounds[1])


def _means(x_SK: Floats) -> Statistic:
    """Weights of scenes → means of the columns."""

    def statistic(weight_BS: Floats) -> Floats:
        total_B = weight_BS.sum(axis=1)
        return np.asarray(weight_BS @ x_SK / np.where(total_B > 0, total_B, np.nan)[:, None], dtype=float)

    return statistic


def _where(factors: Factors | None, seen_S: Bools) -> Factors | None:
    """The factors of the scenes that are observed."""
    if factors is None:
        return None
    return {name: level_codes(levels, len(seen_S), where=f"factors[{name!r}]")[seen_S] for name, levels in factors.items()}
