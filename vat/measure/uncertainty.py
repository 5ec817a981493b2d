"""How sure each tax is: resamples of scenes, and intervals whose method was chosen, statistic by statistic, by measured coverage.

The choice, with its measurements, is in docs/calibration.md. Couplings: jackknife on Fisher's scale. nVAT and VAT: jackknife of the
squared tax, bias-corrected and counted from its level under independence, where it is well behaved down to no tax at all; on a log
scale for nVAT, on the cube-root scale of Wilson and Hilferty (1931) for VAT. Gini: inversion of a simulated test, since a Gini of noisy
taxes lies far above the Gini of true ones. Percentile, basic, bias-corrected and subsampling intervals of these cover 0 to 90%: a resample
adds to the squared couplings the same chance again that the sample had.

Shapes: S scenes, V values, B draws.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from vat.errors import DataError
from vat.measure.coupling import Coupling, checked
from vat.measure.indices import gini, system_tax, value_tax
from vat.measure.jackknife import Factors, Statistic, jackknife
from vat.measure.resample import bootstrap_weights, level_codes, resampled_couplings, subsample_weights
from vat.types import Bools, Floats

_LIMIT = 1 - 1e-12
"""Of a coupling on Fisher's scale, which has no room for 1."""
_LONGEST = 50.0
"""On the log scale: far beyond any tax."""


class Draws(NamedTuple):
    """What B resamples of the scenes give; NaN where a resample does not define it.

    coupling_BVV: couplings. value_tax_BV: VAT. nvat_B, gini_B: nVAT and Gini of each resample.
    """

    coupling_BVV: Floats
    value_tax_BV: Floats
    nvat_B: Floats
    gini_B: Floats


def bootstrap(shift_SV: Floats, *, groups: object = None, n_boot: int = 10_000, seed: int = 0) -> Draws:
    """Couplings and taxes of scenes drawn with replacement.

    For spreads, rankings and functions of one's own; a percentile interval of a tax from it does not cover: see `tax_intervals`.

    Args:
        shift_SV: (S, V) shifts in [-2, 2], NaN where missing.
        groups: Level of each scene (a country, a cell of country and topic): whole groups are drawn. None: single scenes.
        n_boot: Draws.
        seed: Of the draws.
    Raises:
        DataError: As `coupling_matrix`; groups of another length than S; no draws.
    Source: Efron (1979). Differs: none.
    """
    shift_SV = checked(shift_SV)
    _positive(n_boot, "n_boot")
    group_S = None if groups is None else level_codes(groups, len(shift_SV), where="groups")
    return _drawn(shift_SV, bootstrap_weights(len(shift_SV), group_S=group_S, n_boot=n_boot, seed=seed))


def subsample(shift_SV: Floats, *, share: float = 0.8, n_draws: int = 1_000, seed: int = 0) -> Draws:
    """Couplings and taxes of a share of the scenes, drawn without replacement.

    Args:
        shift_SV: (S, V) shifts in [-2, 2], NaN where missing.
        share: Of the scenes that each draw keeps, in (0, 1).
        n_draws: Draws.
        seed: Of the draws.
    Raises:
        DataError: As `coupling_matrix`; fewer than 3 scenes kept, or all; no draws.
    Source: Value Alignment Tax, appendix C (80% of the scenes, mean and standard deviation of nVAT). Differs: none. The spread of such
        draws is too small: sqrt(kept / left out), 2 at 80%, times as much is the standard error (Politis and Romano 1994).
    """
    shift_SV = checked(shift_SV)
    _positive(n_draws, "n_draws")
    n_kept = round(share * len(shift_SV))
    if not 3 <= n_kept < len(shift_SV):
        raise DataError(f"share: must keep at least 3 of {len(shift_SV)} scenes and not all; got {share:g}, which keeps {n_kept}. Use share=0.8.")
    return _drawn(shift_SV, subsample_weights(len(shift_SV), n_kept=n_kept, n_draws=n_draws, seed=seed))


class TaxIntervals(NamedTuple):
    """Bounds of two-sided 95% intervals; NaN for what is not defined."""

    coupling_low_VV: Floats
    coupling_high_VV: Floats
    value_tax_low_V: Floats
    value_tax_high_V: Floats
    nvat_low: float
    nvat_high: float
    gini_low: float
    gini_high: float


def tax_intervals(shift_SV: Floats, couplings: Coupling, *, factors: Factors | None, n_boot: int, seed: int) -> TaxIntervals:
    """Intervals for the couplings and taxes that all scenes of this kind have, beyond those in the sample.

    Args:
        shift_SV: (S, V) shifts on the rounding grid, NaN where missing.
        couplings: Of these shifts.
        factors: Factor name → level of each of the S scenes: intervals are for other countries and topics too. None: scenes are independent.
        n_boot: Simulated taxes at each step of the Gini's inversion.
        seed: Of those.
    Returns:
        nVAT and VAT in the `rms` form. The plug-in nVAT is biased upward and may lie above its interval.
    Source: none in the paper. Methods and coverage: docs/calibration.md. Differs: see there.
    """
    if not couplings.pair_VV.any():
        nan_VV, nan = np.full(couplings.pair_VV.shape, np.nan), float("nan")
        return TaxIntervals(nan_VV, nan_VV, nan_VV[0], nan_VV[0], nan, nan, nan, nan)
    resampled = partial(_resampled, shift_SV, couplings.pair_VV)
    coupling_low_VV, coupling_high_VV = _coupling_bounds(resampled, couplings, factors, len(shift_SV))
    return TaxIntervals(coupling_low_VV, coupling_high_VV, *_tax_bounds(resampled, couplings, factors, len(shift_SV), n_boot, seed))


def _resampled(shift_SV: Floats, pair_VV: Bools, weight_BS: Floats) -> Floats:
    """(B, V, V) couplings, NaN for pairs that have none."""
    return np.where(pair_VV, resampled_couplings(shift_SV, weight_BS), np.nan)


def _coupling_bounds(resampled: Statistic, couplings: Coupling, factors: Factors | None, n_scenes: int) -> tuple[Floats, Floats]:
    """Each coupling's interval on Fisher's scale."""
    upper = np.triu_indices(len(couplings.pair_VV), 1)

    def fisher(weight_BS: Floats) -> Floats:
        return np.asarray(np.arctanh(np.clip(resampled(weight_BS)[:, *upper], -_LIMIT, _LIMIT)), dtype=float)

    fisher_P = fisher(np.ones((1, n_scenes)))[0]
    reach_P = jackknife(fisher, fisher_P, n_scenes, factors=factors).reach_K
    bounds = np.full((2, *couplings.pair_VV.shape), np.nan)
    bounds[:, *upper] = np.tanh(fisher_P - reach_P), np.tanh(fisher_P + reach_P)
    bounds = np.fmax(bounds, np.swapaxes(bounds, -1, -2))  # the lower triangle was NaN
    return bounds[0], bounds[1]


def _tax_bounds(
    resampled: Statistic, couplings: Coupling, factors: Factors | None, n_scenes: int, n_boot: int, seed: int
) -> tuple[Floats, Floats, float, float, float, float]:
    """Intervals of VAT, nVAT and Gini, from the squares of the first two."""
    pair_VV = couplings.pair_VV
    live_V = np.asarray(pair_VV.any(axis=1))

    def squares(weight_BS: Floats) -> Floats:
        coupling_BVV = resampled(weight_BS)
        defined_BV = ~np.isnan(coupling_BVV).all(axis=-1)
        tax_BL = np.where(defined_BV, value_tax(coupling_BVV), np.nan)[:, live_V]
        nvat_B = np.where(defined_BV.any(axis=-1), system_tax(coupling_BVV, pairs=pair_VV), np.nan)
        return np.concatenate([tax_BL, nvat_B[:, None]], axis=1) ** 2

    square_K = squares(np.ones((1, n_scenes)))[0]
    variation = jackknife(squares, square_K, n_scenes, factors=factors)
    chance_VV = np.where(pair_VV, 1 / np.maximum(couplings.count_VV - 1, 1), 0.0)
    chance_K = np.append(chance_VV.sum(axis=1)[live_V], chance_VV[pair_VV].mean())
    level_K = np.maximum(square_K - variation.bias_K, 0.0) + chance_K
    relative_K = variation.reach_K / level_K

    cube_L, chance_L = np.cbrt(level_K[:-1]), chance_K[:-1]
    bound_2L = np.stack([cube_L * (1 - relative_K[:-1] / 3), cube_L * (1 + relative_K[:-1] / 3)]) ** 3 - chance_L
    bound_2V = np.full((2, len(live_V)), np.nan)
    bound_2V[:, live_V] = np.sqrt(np.clip(bound_2L, 0.0, pair_VV.sum(axis=1)[live_V]))

    low, high = level_K[-1] * np.exp([-relative_K[-1], min(relative_K[-1], _LONGEST)]) - chance_K[-1]
    covariance_LL = variation.covariance_KK[:-1, :-1] / 9 / np.outer(cube_L, cube_L) ** 2
    ginis = _gini_interval(cube_L, covariance_LL, chance_L, n_boot=n_boot, seed=seed)
    return bound_2V[0], bound_2V[1], float(np.sqrt(np.clip(low, 0.0, 1.0))), float(np.sqrt(np.clip(high, 0.0, 1.0))), *ginis


_SPREADS = np.concatenate([np.linspace(0, 1, 11), np.linspace(1.2, 3, 8)])


def _gini_interval(cube_L: Floats, covariance_LL: Floats, chance_L: Floats, *, n_boot: int, seed: int) -> tuple[float, float]:
    """Ginis that are compatible with the observed one, by inverting a test.

    Hypotheses: the estimated taxes drawn together or apart on the cube-root scale, from all equal to three times as unequal as estimated.
    Under each, estimates are simulated with their error; it is kept if the observed Gini lies in the middle 95% of the simulated ones.
    """
    if np.isnan(covariance_LL).any():
        return float("nan"), float("nan")
    size_L, direction_LL = np.linalg.eigh(covariance_LL)
    noise_BL = np.random.default_rng(seed).normal(size=(n_boot, len(size_L))) @ (direction_LL * np.sqrt(np.maximum(size_L, 0.0))).T

    def gini_at(cube_L: Floats) -> Floats:
        return gini(np.sqrt(np.maximum(cube_L**3 - chance_L, 0.0)))

    together = cube_L.mean()
    hypotheses = [together + spread * (cube_L - together) for spread in _SPREADS]
    truth_H = np.array([gini_at(hypothesis_L) for hypothesis_L in hypotheses])
    reach_H2 = np.array([np.quantile(gini_at(hypothesis_L + noise_BL), [0.025, 0.975]) for hypothesis_L in hypotheses])
    low_H, high_H = np.maximum.accumulate(reach_H2, axis=0).T
    observed = float(gini_at(cube_L))
    low = 0.0 if high_H[0] >= observed else float(np.interp(observed, high_H, truth_H))
    high = 0.0 if low_H[0] > observed else float(np.interp(observed, low_H, truth_H))
    return low, high


def _drawn(shift_SV: Floats, weight_BS: Floats) -> Draws:
    coupling_BVV = resampled_couplings(shift_SV, weight_BS)
    defined_BVV = ~np.isnan(coupling_BVV) & ~np.eye(shift_SV.shape[1], dtype=bool)
    tax_BV = np.where(defined_BVV.any(axis=-1), value_tax(coupling_BVV), np.nan)
    nvat_B = np.where(defined_BVV.any(axis=(-1, -2)), system_tax(coupling_BVV, pairs=defined_BVV), np.nan)
    return Draws(coupling_BVV, tax_BV, nvat_B, gini(tax_BV))


def _positive(count: int, where: str) -> None:
    if count < 1:
        raise DataError(f"{where}: needs at least 1 draw; got {count}. Use 1000 or more.")
