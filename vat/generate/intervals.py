"""Shares and differences with scenes as the unit: what one model writes about one scene is of one piece, so scenes are counted, not actions.

Shapes: N actions, S scenes, G groups of actions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t

from vat.types import Bools, Floats, Ints

LEVEL = 0.95
"""Of every interval here."""


class Estimate(NamedTuple):
    """A number and its 95% interval; all NaN where it is not known."""

    number: float
    low: float
    high: float


NOT_KNOWN = Estimate(float("nan"), float("nan"), float("nan"))


def share_over_scenes(hit_N: Bools, scene_N: Ints, group_N: Ints | None = None, *, variance_factor: float = 1.0) -> Estimate:
    """Share of hits; with groups, the mean of their shares, so that large groups count no more than small ones.

    The interval is Wilson's with as many trials as independent ones would have to be for the same error over scenes, never more than N.
    At a share of exactly 0 or 1 no error can be seen, and scenes are the trials.

    Args:
        hit_N: Whether each action is a hit.
        scene_N: 0, 1, 2 … for the scene of each action.
        group_N: 0, 1, 2 … for the group of each action, every one of them present.
        variance_factor: How many times the variance is that of scenes which know nothing of each other.
    Returns:
        NOT_KNOWN with fewer than two scenes.
    Source: Wilson (1927); effective number of trials after Korn and Graubard (1998). Differs: Wilson's interval where theirs is Clopper and
        Pearson's.
    """
    n_scenes = len(np.unique(scene_N))
    if n_scenes < 2:
        return NOT_KNOWN
    group_N = np.zeros(len(hit_N), dtype=np.int64) if group_N is None else group_N
    count_SG, hits_SG = (_sums(weight_N, scene_N, group_N) for weight_N in (np.ones(len(hit_N)), hit_N.astype(float)))
    share_G = hits_SG.sum(axis=0) / count_SG.sum(axis=0)
    share = float(share_G.mean())
    influence_S = ((hits_SG - share_G * count_SG) / count_SG.sum(axis=0)).mean(axis=1)
    variance = float((influence_S**2).sum()) * n_scenes / (n_scenes - 1)
    spread = share * (1 - share)
    trials = n_scenes if spread < 1e-12 else len(hit_N) if variance <= spread / len(hit_N) else spread / variance
    return Estimate(share, *_wilson(share, trials / variance_factor, float(student_t.ppf(0.5 + LEVEL / 2, n_scenes - 1))))


def standardised_difference(number_N: Floats, first_N: Bools, scene_N: Ints) -> Estimate:
    """Mean of the first side less mean of the other, in standard deviations within sides; the interval by leaving out a scene at a time.

    Args:
        number_N: A number of each action.
        first_N: Whether it is of the first side.
        scene_N: 0, 1, 2 … for the scene of each action.
    Returns:
        NOT_KNOWN with fewer than three scenes, or where nothing varies within sides.
    Source: Cohen (1988), pooled; jackknife with Student's quantile. Differs: none.
    """
    side_N = first_N.astype(np.int64)
    sums_KSG = np.stack([_sums(weight_N, scene_N, side_N, n_groups=2) for weight_N in (np.ones(len(number_N)), number_N, number_N**2)])
    sums_KSG = sums_KSG[:, sums_KSG[0].sum(axis=1) > 0]
    n_scenes = sums_KSG.shape[1]
    if n_scenes < 3:
        return NOT_KNOWN
    whole = float(_cohen(sums_KSG.sum(axis=1)))
    left_S = _cohen(sums_KSG.sum(axis=1)[:, None] - sums_KSG)
    error = np.sqrt((n_scenes - 1) / n_scenes * ((left_S - left_S.mean()) ** 2).sum())
    reach = float(error * student_t.ppf(0.5 + LEVEL / 2, n_scenes - 1))
    return NOT_KNOWN if np.isnan(whole + reach) else Estimate(whole, whole - reach, whole + reach)


def _sums(weight_N: Floats, scene_N: Ints, group_N: Ints, *, n_groups: int | None = None) -> Floats:
    """(S, G) sums of weights by scene and group."""
    n_groups = int(group_N.max(initial=0)) + 1 if n_groups is None else n_groups
    n_scenes = int(scene_N.max(initial=0)) + 1
    sums = np.bincount(scene_N * n_groups + group_N, weights=weight_N, minlength=n_scenes * n_groups)
    return np.asarray(sums, dtype=float).reshape(n_scenes, n_groups)


def _wilson(share: float, trials: float, quantile: float) -> tuple[float, float]:
    square = quantile**2 / trials
    middle = (share + square / 2) / (1 + square)
    reach = float(np.sqrt(share * (1 - share) * square + square**2 / 4)) / (1 + square)
    return min(share, max(0.0, middle - reach)), max(share, min(1.0, middle + reach))


def _cohen(sums_KG: Floats) -> Floats:
    """Counts, sums and sums of squares (3, …, 2) → second group less first, in pooled standard deviations."""
    count_G, sum_G, square_G = sums_KG
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_G = sum_G / count_G
        within = (square_G - sum_G * mean_G).sum(axis=-1) / (count_G.sum(axis=-1) - 2)
        spread = np.sqrt(np.where(within > 1e-9, within, np.nan))
        return np.asarray((mean_G[..., 1] - mean_G[..., 0]) / spread)
