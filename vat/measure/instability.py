"""How much scores of the same responses change from judge to judge and from wording to wording, and how often they are right.

Shapes: S sets of scores, R responses, V values; C cells (a response and a value, under one comparison), B resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from vat.types import Floats

N_BOOT = 499
LEVEL = 0.95


class Estimate(NamedTuple):
    """A number with its 95% interval; NaN where there is nothing to tell it from."""

    estimate: float
    low: float
    high: float


class Instability(NamedTuple):
    """What sets of scores by one method say of it. The first three are between judges who were asked in the same words, by response and value.

    variance: of the judges' scores (with one less than their number below). range: from the least to the greatest.
    sign_flips: share in which one judge's score is above 0 and another's below.
    prompt_change: mean distance between one judge's scores in two wordings.
    sign_right: share of the labelled responses whose score has the sign of the label; a score of 0 has none.
    ranked_right: share of the pairs of responses, one labelled for a value and one against it, that are scored in this order; half of the ties.
    """

    variance: Estimate
    range: Estimate
    sign_flips: Estimate
    prompt_change: Estimate
    sign_right: Estimate
    ranked_right: Estimate


Resampled = dict[str, Floats]
"""Name of a number → (B,) what it is in each resample of the responses; the same resamples for all methods with as many responses."""


def instability(
    score_SRV: Floats, judges: Sequence[str], wordings: Sequence[int], label_RV: Floats, *, n_boot: int = N_BOOT, seed: int = 0
) -> tuple[Instability, Resampled]:  # fmt: skip
    """Of scores by one method, with intervals over responses.

    Args:
        score_SRV: NaN where missing. judges, wordings: of each set.
        label_RV: 1 for a value, −1 against it, 0 or NaN for a response that is not labelled with it.
    Source: ValueFlow, section 3.2, Table 1, which names the numbers and gives no formulas: these are ours. Differs: intervals.
    """
    S, R, _ = score_SRV.shape
    spread = _between_judges(score_SRV, judges, wordings)
    changes = [
        np.abs(score_SRV[a] - score_SRV[b]) for a, b in combinations(range(S), 2) if judges[a] == judges[b] and wordings[a] != wordings[b]
    ]  # fmt: skip
    labelled_RV = np.abs(np.nan_to_num(label_RV)) == 1
    right = [np.where(np.isfinite(one) & labelled_RV, np.sign(one) == label_RV, np.nan) for one in score_SRV]
    cells = dict(zip(("variance", "range", "sign_flips"), spread, strict=True)) | {"prompt_change": changes, "sign_right": right}
    means = {name: _mean_of(found) for name, found in cells.items()} | {"ranked_right": _ranked_right_of(score_SRV, label_RV)}
    weight_BR = np.random.default_rng(seed).multinomial(R, np.full(R, 1 / R), size=n_boot).astype(float)
    resampled = {name: mean(weight_BR) for name, mean in means.items()}
    whole = {name: float(mean(np.ones((1, R)))[0]) for name, mean in means.items()}
    return Instability(**{name: Estimate(whole[name], *interval_of(resampled[name])) for name in means}), resampled


def interval_of(x_B: Floats) -> tuple[float, float]:
    """The middle of resamples; NaN where some of them have no number."""
    if not len(x_B) or np.isnan(x_B).mean() > 1 - LEVEL:
        return np.nan, np.nan
    low, high = np.nanquantile(x_B, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def ranked_right(score_RV: Floats, label_RV: Floats) -> Estimate:
    """The same share for one set of scores.

    Source: DeLong et al. (1988), for the area under the curve. Differs: values are pooled by their pairs, and taken as independent.
    """
    from scipy.stats import rankdata

    total, pairs, variance = 0.0, 0.0, 0.0
    for score_R, label_R in zip(score_RV.T, label_RV.T, strict=True):
        for_P, against_N = _sides(score_R, label_R)
        P, N = len(for_P), len(against_N)
        if not P or not N:
            continue
        rank = rankdata(np.concatenate([for_P, against_N]))
        above_P, below_N = (rank[:P] - rankdata(for_P)) / N, 1 - (rank[P:] - rankdata(against_N)) / P
        total, pairs = total + P * N * float(above_P.mean()), pairs + P * N
        known = [float(x.var(ddof=1)) / len(x) if len(x) > 1 else np.nan for x in (above_P, below_N)]
        variance += (P * N) ** 2 * sum(known)
    if not pairs:
        return Estimate(np.nan, np.nan, np.nan)
    reach = 1.96 * float(np.sqrt(variance)) / pairs
    return Estimate(total / pairs, max(0.0, total / pairs - reach), min(1.0, total / pairs + reach))


def _between_judges(score_SRV: Floats, judges: Sequence[str], wordings: Sequence[int]) -> tuple[list[Floats], list[Floats], list[Floats]]:
    """Variance, range and flips of each wording that two judges or more were asked in, (R, V); NaN where fewer than two have a score."""
    variance, spread, flips = [], [], []
    for wording in dict.fromkeys(wordings):
        of_judges = {judge: score_SRV[n] for n, judge in enumerate(judges) if wordings[n] == wording}
        if len(of_judges) < 2:
            continue
        score_JRV = np.stack(list(of_judges.values()))
        count_RV = np.isfinite(score_JRV).sum(axis=0)
        few_RV = count_RV < 2
        mean_RV = np.nansum(score_JRV, axis=0) / np.maximum(count_RV, 1)
        squares_RV = np.nansum((score_JRV - mean_RV) ** 2, axis=0)
        variance.append(np.where(few_RV, np.nan, squares_RV / np.maximum(count_RV - 1, 1)))
        least_RV, most_RV = np.nan_to_num(score_JRV, nan=np.inf).min(axis=0), np.nan_to_num(score_JRV, nan=-np.inf).max(axis=0)
        spread.append(np.where(few_RV, np.nan, most_RV - least_RV))
        flips.append(np.where(few_RV, np.nan, (least_RV < 0) & (most_RV > 0)))
    return variance, spread, flips


def _mean_of(found: Sequence[Floats]) -> Callable[[Floats], Floats]:
    """Weights of the responses, (B, R) → (B,) the mean over all cells that there are."""
    cell_CRV = np.stack(found) if found else np.empty((0, 0, 0))

    def mean(weight_BR: Floats) -> Floats:
        if not len(cell_CRV):
            return np.full(len(weight_BR), np.nan)
        sum_R, count_R = np.nansum(cell_CRV, axis=(0, 2)), np.isfinite(cell_CRV).sum(axis=(0, 2))
        count_B = weight_BR @ count_R
        return np.where(count_B > 0, weight_BR @ sum_R / np.maximum(count_B, 1), np.nan)

    return mean


def _ranked_right_of(score_SRV: Floats, label_RV: Floats) -> Callable[[Floats], Floats]:
    """Weights of the responses, (B, R) → (B,) the share over all sets and values."""

    def share(weight_BR: Floats) -> Floats:
        won_B, pairs_B = np.zeros(len(weight_BR)), np.zeros(len(weight_BR))
        for score_RV in score_SRV:
            for score_R, label_R in zip(score_RV.T, label_RV.T, strict=True):
                known_R = np.isfinite(score_R)
                is_for_R, is_against_R = known_R & (label_R == 1), known_R & (label_R == -1)
                ahead_PN = score_R[is_for_R][:, None] - score_R[is_against_R][None]
                win_PN = (ahead_PN > 0) + 0.5 * (ahead_PN == 0)
                for_BP, against_BN = weight_BR[:, is_for_R], weight_BR[:, is_against_R]
                won_B += ((for_BP @ win_PN) * against_BN).sum(axis=1)
                pairs_B += for_BP.sum(axis=1) * against_BN.sum(axis=1)
        return np.where(pairs_B > 0, won_B / np.maximum(pairs_B, 1e-300), np.nan)

    return share


def _sides(score_R: Floats, label_R: Floats) -> tuple[Floats, Floats]:
    known_R = np.isfinite(score_R)
    return score_R[known_R & (label_R == 1)], score_R[known_R & (label_R == -1)]
