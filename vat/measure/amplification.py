"""Whether the values that shift together with many others also shift further: amplification, hubs against the rest, and cases to read.

Shapes: S scenes, V values, H hubs, R values that are no hubs, B draws, L choices of hubs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from scipy.stats import mannwhitneyu, rankdata
from scipy.stats import t as student_t

from vat.errors import DataError
from vat.measure.coupling import GRID, checked
from vat.types import Bools, Floats, Ints

MOST_CHOICES = 3000
"""Choices of hubs that are all tried; beyond that as many are drawn as scenes are resampled."""
_EPS = 1e-12


class HubContrast(NamedTuple):
    """Amplification of the hubs against that of the other values. NaN where it is not defined.

    hub_V: the hubs. median_hub, median_rest: of the entries (scene, value) of either group.
    effect: P(hub > rest) - P(hub < rest) over pairs of entries, in [-1, 1] (Cliff's delta); effect_low, effect_high: its 95% interval.
    u, p_mannwhitney: Mann-Whitney's test, two-sided, as if entries were independent.
    p: two-sided, over scenes: whether THESE values would amplify more than the rest in other scenes, too.
    p_hubs: two-sided, over values: whether being a hub goes with amplification. A claim about hubs needs this one.
    """

    hub_V: Bools
    median_hub: float
    median_rest: float
    effect: float
    effect_low: float
    effect_high: float
    u: float
    p_mannwhitney: float
    p: float
    p_hubs: float


class Case(NamedTuple):
    """One value in one scene: its state before and after, and how far it shifted per unit of gain."""

    scene: int
    value: int
    amplification: float
    pre: float
    post: float


def amplification(shift_SV: Floats, *, gain: float) -> Floats:
    """How far each value shifted in each scene, per unit of what the target gained on average.

    Args:
        shift_SV: (S, V) shifts, NaN where missing.
        gain: Mean shift of the target; NaN where it is not distinguishable from 0.
    Returns:
        (S, V) absolute shifts over the absolute gain; NaN where missing, and everywhere if the gain is NaN or 0.
    Source: Value Alignment Tax, section 6.4. Differs: the paper gives no formula; this is its gain-normalised deviation, scene by scene.
    """
    scale = abs(gain) if np.isfinite(gain) and gain != 0 else np.nan
    shifted_SV: Floats = np.abs(np.asarray(shift_SV, dtype=float)) / scale
    return shifted_SV


def hub_contrast(shift_SV: Floats, value_tax_V: Floats, *, gain: float, target: int, hubs: int = 3, n_boot: int = 999, seed: int = 0) -> HubContrast:
    """Compare the amplification of the values of highest VAT with that of the others.

    The target is in neither group: it moves because it was pushed. Nor is a value whose shift never varies: it has no tax by definition
    and mostly no amplification either, and as one of the rest would make hubs look amplified whatever the data.
    Entries of one scene belong together, so the interval resamples scenes, hubs held fixed, and `p` flips the signs of the scenes' own
    effects. Values differ in how far they move, hubs or not, and hubs move together: so `p_hubs` compares these hubs with every other
    choice of as many values, each by its effect within scenes over the standard error of that. It cannot be below 1 over the number of
    choices, 1 / 84 for 3 of 9.

    Rejecting without cause at a level of 5%, hubs found in the same data, 10 values in 80 scenes (1000 data sets, ±1.4%):
        entries independent                  Mann-Whitney  4%   p  4%   p_hubs 5%
        scenes differ in size                Mann-Whitney  1%   p  4%   p_hubs 5%
        hubs in lockstep                     Mann-Whitney 16%   p  4%   p_hubs 2%
        values differ in size                Mann-Whitney 60%   p 61%   p_hubs 5%
        countries and topics, 30% each       Mann-Whitney 18%   p 16%   p_hubs 7%
    Choices compared by the effect alone, without its standard error, rejected 20% in lockstep; within scenes, Student's t and Wilcoxon's
    test as often as the flips, which assume no shape. The interval covers 95% (20 scenes: 94-96%), plain percentiles 94% (92-94%).
    No p here clears the contrast of the number of items: a value of few has coarser and larger shifts, one of many couples more. Where all
    of Schwartz's 56 items share a factor, hubs are the values of many items, their effect is -0.05 to -0.09 and p_hubs rejects 10-12%.

    Args:
        shift_SV: (S, V) shifts, NaN where missing. Rounded to 1e-6, so that equal shifts tie.
        value_tax_V: (V,) VAT of each value, NaN where undefined.
        gain: Mean shift of the target; NaN where it is not distinguishable from 0.
        target: Column of the value that was pushed.
        hubs: Number of hubs; equal VAT goes by the order of columns.
        n_boot: Resamples of scenes, and flips of signs; the smallest possible p is 1 / (n_boot + 1).
        seed: Of both.
    Returns:
        All NaN, and no hubs, if the gain is NaN or 0 or no value is left for the rest.
    Raises:
        DataError: Shapes that do not fit, a target that is no column, no hubs, no resamples, or what `couple` refuses.
    Source: Value Alignment Tax, section 6.4; Cliff (1993) for the effect. Differs: the paper compares distributions by eye.
    """
    shift_SV, value_tax_V = checked(shift_SV), np.asarray(value_tax_V, dtype=float)
    moved_SV, n_values = amplification(shift_SV, gain=gain), shift_SV.shape[1]
    if value_tax_V.shape != (n_values,) or target not in range(n_values):
        found = f"shape {value_tax_V.shape} and {target}"
        raise DataError(f"value_tax_V, target: one VAT for each of {n_values} values, and one of their columns; got {found}. Use one report's.")
    if hubs < 1 or n_boot < 1:
        raise DataError(f"hubs, n_boot: need at least 1; got {hubs} and {n_boot}. Use 3 and 999.")
    hub_V = np.zeros(n_values, dtype=bool)
    eligible_V = np.array([np.unique(column[~np.isnan(column)]).size > 1 for column in shift_SV.T]) & ~np.isnan(value_tax_V)
    eligible_V[target] = False
    if np.isnan(moved_SV).all() or eligible_V.sum() <= hubs:
        return HubContrast(hub_V, *[float("nan")] * 9)
    column_R = np.flatnonzero(eligible_V)
    hub_V[column_R[np.argsort(-value_tax_V[column_R], kind="stable")[:hubs]]] = True
    hub_SH, rest_SR = moved_SV[:, hub_V], moved_SV[:, eligible_V & ~hub_V]
    hub, rest = hub_SH[~np.isnan(hub_SH)], rest_SR[~np.isnan(rest_SR)]
    wins_SS, pairs_SS = _wins(hub_SH, rest_SR)
    random = np.random.default_rng(seed)
    low, high = _interval(wins_SS, pairs_SS, random, n_boot)
    return HubContrast(
        hub_V, float(np.median(hub)), float(np.median(rest)),
        effect=float(wins_SS.sum() / pairs_SS.sum()), effect_low=low, effect_high=high,
        u=float((wins_SS.sum() + pairs_SS.sum()) / 2), p_mannwhitney=float(mannwhitneyu(hub, rest).pvalue),
        p=_flipped_p(wins_SS, pairs_SS, random, n_boot), p_hubs=_chosen_p(moved_SV[:, eligible_V], hub_V[eligible_V], random, n_boot),
    )  # fmt: skip


def largest_cases(pre_SV: Floats, post_SV: Floats, *, gain: float, values: Sequence[int] | None = None, count: int = 10) -> tuple[Case, ...]:
    """The entries that amplify most, to be read as cases; picked by this rule alone, never by what the answers say.

    Args:
        pre_SV, post_SV: (S, V) value states, NaN where missing.
        gain: Mean shift of the target; NaN where it is not distinguishable from 0.
        values: Columns to choose from, such as the hubs; None means all.
        count: Cases at most. A scene comes once for each value that amplifies enough.
    Returns:
        Largest first; equal ones by the state nearest to neutral before, then by scene, then by the order of `values`. None without a gain.
    Raises:
        DataError: Shapes that differ, a value that is no column, or no cases asked for.
    Source: Value Alignment Tax, appendix D.1. Differs: a rule, where the paper gives criteria.
    """
    pre_SV, post_SV = np.asarray(pre_SV, dtype=float), np.asarray(post_SV, dtype=float)
    if pre_SV.ndim != 2 or pre_SV.shape != post_SV.shape:
        raise DataError(f"post_SV: must have the shape of pre_SV, (scenes, values); got {post_SV.shape} and {pre_SV.shape}. Pair the states.")
    columns = list(range(pre_SV.shape[1]) if values is None else values)
    if count < 1 or not set(columns) <= set(range(pre_SV.shape[1])):
        raise DataError(f"values, count: columns of the states, and at least 1 case; got {columns} and {count}. Fix them.")
    moved_SV = amplification(np.round(post_SV - pre_SV, GRID), gain=gain)
    entries = [(scene, place) for scene in range(len(moved_SV)) for place in range(len(columns)) if not np.isnan(moved_SV[scene, columns[place]])]

    def rule(entry: tuple[int, int]) -> tuple[float, float, int, int]:
        """What a smaller one of comes first."""
        scene, place = entry
        return -moved_SV[scene, columns[place]], round(abs(pre_SV[scene, columns[place]]), GRID), scene, place

    return tuple(
        Case(scene, columns[place], *(float(state_SV[scene, columns[place]]) for state_SV in (moved_SV, pre_SV, post_SV)))
        for scene, place in sorted(entries, key=rule)[:count]
    )


def _wins(hub_SH: Floats, rest_SR: Floats) -> tuple[Floats, Floats]:
    """(S, S) pairs that the hubs of one scene win less those they lose against the rest of another, and how many pairs there are."""
    wins_SS = np.zeros(2 * [len(hub_SH)])
    for hub_S in hub_SH.T:
        for rest_S in rest_SR.T:
            wins_SS += np.nan_to_num(np.sign(hub_S[:, None] - rest_S))
    return wins_SS, np.outer((~np.isnan(hub_SH)).sum(axis=1), (~np.isnan(rest_SR)).sum(axis=1)).astype(float)


def _interval(wins_SS: Floats, pairs_SS: Floats, random: np.random.Generator, n_boot: int) -> tuple[float, float]:
    """Student's t interval, with the standard error from resampled scenes; a resample without a hub or without a rest has no effect."""
    n = len(wins_SS)
    times_BS = random.multinomial(n, np.full(n, 1 / n), size=n_boot).astype(float)
    wins_B, pairs_B = (((times_BS @ matrix_SS) * times_BS).sum(axis=1) for matrix_SS in (wins_SS, pairs_SS))
    if (pairs_B > 0).sum() < 2:
        return float("nan"), float("nan")
    error = (wins_B[pairs_B > 0] / pairs_B[pairs_B > 0]).std(ddof=1) * np.sqrt(n / (n - 1))
    reach = student_t.ppf(0.975, n - 1) * error
    low, high = np.clip(wins_SS.sum() / pairs_SS.sum() + np.array([-reach, reach]), -1, 1)
    return float(low), float(high)


def _flipped_p(wins_SS: Floats, pairs_SS: Floats, random: np.random.Generator, n_boot: int) -> float:
    """Share of sign flips (none counted in) whose mean of the scenes' own effects is at least the observed."""
    wins_S, pairs_S = np.diag(wins_SS), np.diag(pairs_SS)
    if not pairs_S.any():
        return float("nan")
    effect_S = wins_S[pairs_S > 0] / pairs_S[pairs_S > 0]
    sum_B = random.choice([-1.0, 1.0], size=(n_boot, len(effect_S))) @ effect_S
    return float((1 + np.count_nonzero(np.abs(sum_B) >= abs(effect_S.sum()) - _EPS)) / (n_boot + 1))


def _chosen_p(moved_SR: Floats, hub_R: Bools, random: np.random.Generator, n_boot: int) -> float:
    """Share of choices of as many hubs (the observed counted in) whose effect within scenes is as many standard errors from 0."""
    n_values, hubs = len(hub_R), int(hub_R.sum())
    if comb(n_values, hubs) <= MOST_CHOICES:
        chosen_LH: Ints = np.array(list(combinations(range(n_values), hubs)))
    else:
        drawn_LH = np.argsort(random.random((n_boot, n_values)), axis=1)[:, :hubs]
        chosen_LH = np.concatenate([np.flatnonzero(hub_R)[None], drawn_LH])
    seen_SR = ~np.isnan(moved_SR)
    rank_SR = np.nan_to_num(rankdata(moved_SR, axis=1, nan_policy="omit"))
    errors = _standard_errors(rank_SR, seen_SR, np.flatnonzero(hub_R)[None])[0]
    if np.isnan(errors):
        return float("nan")
    return float((~(_standard_errors(rank_SR, seen_SR, chosen_LH) < errors - 1e-9)).mean())  # a choice without an effect counts as extreme


def _standard_errors(rank_SR: Floats, seen_SR: Bools, chosen_LH: Ints) -> Floats:
    """(L,) how far from 0 the mean over scenes of the effect within a scene lies, in standard errors; NaN for fewer than two scenes."""
    chosen_RL = np.zeros((rank_SR.shape[1], len(chosen_LH)))
    chosen_RL[chosen_LH.T, np.arange(len(chosen_LH))] = 1.0
    n_SL = seen_SR @ chosen_RL
    pairs_SL = n_SL * (seen_SR.sum(axis=1)[:, None] - n_SL)
    effect_SL = 2 * (rank_SR @ chosen_RL - n_SL * (n_SL + 1) / 2) / np.where(pairs_SL > 0, pairs_SL, np.nan) - 1
    count_L = (pairs_SL > 0).sum(axis=0)
    mean_L = np.nansum(effect_SL, axis=0) / np.where(count_L > 1, count_L, np.nan)
    spread_L = np.sqrt(np.nansum((effect_SL - mean_L) ** 2, axis=0) / np.maximum(count_L * (count_L - 1), 1))
    errors_L: Floats = np.abs(mean_L) / np.maximum(spread_L, _EPS)
    return errors_L
