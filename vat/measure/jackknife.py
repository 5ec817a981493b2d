"""How much a statistic would vary over other scenes, other countries and other topics: the jackknife over crossed groups of scenes.

Scenes that share a country or a topic shift alike, so they are not independent draws. Leaving out one scene at a time does not see that;
leaving out one country, and one topic, does. The variances add up by inclusion and exclusion: countries + topics - cells, and never less
than over scenes alone.

Shapes: S scenes, K statistics, G groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t

from vat.measure.resample import leave_one_out_weights, level_codes
from vat.types import Floats, Ints

LEVEL = 0.95
"""Of every interval that vat shows."""
_CHUNK = 512

Factors = Mapping[str, Sequence[object] | Ints]
Statistic = Callable[[Floats], Floats]
"""(B, S) how often each resample takes each scene → (B, K) statistics."""


class Variation(NamedTuple):
    """Jackknife bias and (K, K) covariance of K statistics, and the degrees of freedom of each variance."""

    bias_K: Floats
    covariance_KK: Floats
    freedom_K: Floats

    @property
    def error_K(self) -> Floats:
        """(K,) standard errors."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance_KK)), dtype=float)

    @property
    def reach_K(self) -> Floats:
        """(K,) half widths of 95% intervals: standard error times Student's quantile."""
        return np.asarray(self.error_K * student_t.ppf(0.5 + LEVEL / 2, self.freedom_K), dtype=float)


def jackknife(statistic: Statistic, estimate_K: Floats, n_scenes: int, *, factors: Factors | None = None) -> Variation:
    """Bias and covariance of statistics over scenes and over the levels of the factors that scenes share.

    Args:
        statistic: (B, S) weights of scenes → (B, K) statistics; NaN for a resample in which one is not defined, which is then left out.
        estimate_K: The statistics of all scenes.
        n_scenes: S.
        factors: Factor name → level of each of the S scenes; None: scenes are independent.
    Returns:
        NaN for a statistic that is not defined in two resamples at least. Covariances are those over scenes, widened as the variances are.
    Raises:
        DataError: A factor of another length than S.
    Source: Efron and Stein (1981); variance over crossed groups: Cameron, Gelbach and Miller (2011). Differs: never below the variance
        over scenes; degrees of freedom by Satterthwaite from those of scenes and of the factor with the fewest levels.
    """
    bias_K, scenes_KK = _left_out(statistic, estimate_K, np.arange(n_scenes))
    scenes_K, freedom_K = np.diagonal(scenes_KK), np.full(len(estimate_K), float(n_scenes - 1))
    groups = _groups(factors, n_scenes)
    if not groups:
        return Variation(bias_K, scenes_KK, freedom_K)
    parts = [(sign, *_left_out(statistic, estimate_K, group_S)) for sign, group_S in groups]
    crossed_bias_K = sum((sign * part_K for sign, part_K, _ in parts), np.zeros(len(estimate_K)))
    bias_K = np.where(np.isnan(crossed_bias_K), bias_K, crossed_bias_K)  # a factor may have too few levels that define a statistic
    crossed_K = sum((sign * np.diagonal(part_KK) for sign, _, part_KK in parts), np.zeros(len(estimate_K)))
    total_K = np.fmax(scenes_K, crossed_K)
    beyond_K = np.divide(total_K - scenes_K, total_K, out=np.zeros(len(estimate_K)), where=total_K > 0)
    fewest = min(int(group_S.max()) for _, group_S in groups)  # levels - 1
    wider_K = np.sqrt(np.divide(total_K, scenes_K, out=np.ones(len(estimate_K)), where=scenes_K > 0))
    covariance_KK = scenes_KK * np.outer(wider_K, wider_K)
    return Variation(bias_K, covariance_KK, 1 / (beyond_K**2 / fewest + (1 - beyond_K) ** 2 / freedom_K))


def crossed_bias(statistic: Statistic, estimate_K: Floats, n_scenes: int, *, factors: Factors | None = None) -> Floats:
    """(K,) jackknife bias over the levels of factors alone, as `jackknife` takes it; NaN without factors, or with too few levels of one.

    Squares of couplings are too large not only by what chance brings but by what scenes of one country, or topic, share.
    """
    parts = [sign * _left_out(statistic, estimate_K, group_S)[0] for sign, group_S in _groups(factors, n_scenes)]
    return np.sum(parts, axis=0, dtype=float) if parts else np.full(len(estimate_K), np.nan)


def _groups(factors: Factors | None, n_scenes: int) -> list[tuple[int, Ints]]:
    """Every set of factors that have more than one level: +1 for an odd number of factors, -1 for an even one, and the groups it makes."""
    codes = [level_codes(levels, n_scenes, where=f"factors[{name!r}]") for name, levels in (factors or {}).items()]
    codes = [code_S for code_S in codes if code_S.max(initial=0) > 0]
    groups = []
    for size in range(1, len(codes) + 1):
        for chosen in combinations(codes, size):
            groups.append(((-1) ** (size + 1), np.unique(np.stack(chosen), axis=1, return_inverse=True)[1].reshape(-1)))
    return groups


def _left_out(statistic: Statistic, estimate_K: Floats, group_S: Ints) -> tuple[Floats, Floats]:
    """Jackknife bias and covariance, one group left out at a time; a statistic's undefined resamples do not count for it."""
    n_groups = int(group_S.max()) + 1
    parts = [statistic(leave_one_out_weights(group_S, start, start + _CHUNK)) for start in range(0, n_groups, _CHUNK)]
    left_GK = np.concatenate(parts)
    defined_GK = ~np.isnan(left_GK)
    count_K = np.where(defined_GK.sum(axis=0) > 1, defined_GK.sum(axis=0), np.nan)
    mean_K = np.nansum(left_GK, axis=0) / count_K
    apart_GK = np.where(defined_GK, left_GK - mean_K, 0.0) * np.sqrt((count_K - 1) / count_K)
    return (n_groups - 1) * (mean_K - estimate_K), apart_GK.T @ apart_GK
