"""The value alignment tax: what pushing one value gained, and how far it dragged the others along.

Shapes: S scenes, V values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from vat.errors import DataError
from vat.measure.coupling import GRID, Coupling, checked, couple
from vat.measure.gain import gain_normalised_deviation, mean_interval
from vat.measure.indices import gini, system_tax, value_tax
from vat.measure.jackknife import LEVEL, Factors
from vat.measure.null import chance_level, chi2_p, false_discovery_q, permutation_null
from vat.measure.uncertainty import subsample, tax_intervals
from vat.types import Bools, Floats

_KEPT = 0.8
"""Share of the scenes in the paper's resamples."""


@dataclass(frozen=True)
class TaxReport:
    """Everything measured on one state of a model against the state before. NaN: not defined for these shifts.

    A field X may come with X_low and X_high, its 95% interval; X_null, its level under independence; X_p, the share of independent data at
    least as extreme; X_q, the false discovery rate at which it is one.

    n_scenes: scenes with an observed target shift.
    gain: direction × mean shift of the target, in units of evidence (-2 … 2).
    shift: (V,) mean shift of each value. gnd: (V,) the same per unit of |gain|.
    coupling: (V, V) Spearman correlations; value_tax: (V,) VAT; live: (V,) values that moved at all.
    nvat, nvat_frobenius: system tax in both forms. The interval of nvat is for the tax of all such scenes: nvat itself, which has the
        noise of few scenes on top, may lie above it. Its low end is 0 where the test does not reject.
    nvat_excess_sq, nvat_excess: nvat² - nvat_null², signed, and the root of its positive part: the estimate free of that noise.
    nvat_p: coupling beyond the scene factors; nvat_p_free: scenes taken as exchangeable; nvat_p_chi2: closed form of the latter.
    nvat_subsample, nvat_subsample_std: mean and standard deviation over draws of 80% of the scenes, as the paper reports them; the standard
        error of nvat is about twice that.
    gini: centralisation of the tax. Taxes that are noise differ too: compare it with gini_null (scenes exchangeable) and its interval, not
        with 0. gini_p tests, as nvat_p, the taxes beyond the scene factors, whose Gini is another.
    nvat_pre: the tax that the states before would have, were they shifts: coupling that was there already.
    nvat_partial: the tax of the shifts' ranks cleared each of its own state before. Where the state after saturates, shifts repeat
        the coupling of the states before: a high nvat with a nvat_partial at its null says so.
    ceiling_pre, ceiling_post: share of the value states at an end of the scale, before and after.
    """

    n_scenes: int
    gain: float
    gain_low: float
    gain_high: float
    shift: Floats
    shift_low: Floats
    shift_high: Floats
    gnd: Floats
    gnd_low: Floats
    gnd_high: Floats
    coupling: Floats
    coupling_low: Floats
    coupling_high: Floats
    coupling_p: Floats
    coupling_q: Floats
    value_tax: Floats
    value_tax_low: Floats
    value_tax_high: Floats
    value_tax_null: Floats
    live: Bools
    nvat: float
    nvat_low: float
    nvat_high: float
    nvat_null: float
    nvat_p: float
    nvat_p_free: float
    nvat_p_chi2: float
    nvat_excess_sq: float
    nvat_excess: float
    nvat_frobenius: float
    nvat_subsample: float
    nvat_subsample_std: float
    gini: float
    gini_low: float
    gini_high: float
    gini_null: float
    gini_p: float
    nvat_pre: float
    nvat_pre_null: float
    nvat_pre_p: float
    nvat_partial: float
    nvat_partial_null: float
    nvat_partial_p: float
    ceiling_pre: float
    ceiling_post: float


def measure_tax(
    pre_SV: Floats,
    post_SV: Floats,
    *,
    target: int,
    direction: int,
    factors: Factors | None = None,
    n_boot: int = 1000,
    n_perm: int = 1999,
    seed: int = 0,
) -> TaxReport:
    """Measure what changed between two value states of a model on the same scenes.

    Args:
        pre_SV, post_SV: (S, V) value states in [-1, 1] from `paired_states`, NaN where nothing was observed in both.
        target: Column of the value that was pushed.
        direction: 1 if it was pushed up, -1 if down.
        factors: What scenes share (country, topic): name → level of each scene. p-values are for coupling beyond them, intervals for other
            countries and topics too. None: scenes are independent and nvat_p is nvat_p_free.
        n_boot: Draws for the paper's subsamples and for the interval of the Gini.
        n_perm: Permutations for the p-values; the smallest possible p is 1 / (n_perm + 1).
        seed: Of draws and permutations.
    Raises:
        DataError: Shapes differ, states outside [-1, 1], fewer than 3 scenes or 2 values, factors of another length, no draws or permutations.
    Source: Value Alignment Tax, section 3. Differs: see the fields, and every tax comes with its level under independence.
    """
    pre_SV, post_SV = _state(pre_SV, "pre_SV"), _state(post_SV, "post_SV")
    if pre_SV.shape != post_SV.shape:
        raise DataError(f"post_SV: must have the shape of pre_SV; got {post_SV.shape} and {pre_SV.shape}. Pair them with paired_states.")
    raw_SV = np.round(post_SV - pre_SV, 12)  # states that are equal but for float noise have not moved
    shift_SV = checked(raw_SV)
    if target not in range(shift_SV.shape[1]) or direction not in (1, -1):
        raise DataError(f"target, direction: a column of the states, and 1 or -1; got {target} and {direction}. Fix them.")
    if n_boot < 1:
        raise DataError(f"n_boot: needs at least 1 draw; got {n_boot}. Use 1000 or more.")
    pre_SV, post_SV = np.where(np.isnan(raw_SV), np.nan, (pre_SV, post_SV))
    independence = partial(permutation_null, n_perm=n_perm, seed=seed)

    n_scenes, gain, low, high = mean_interval(direction * raw_SV[:, target], factors=factors)
    _, shift_V, shift_low_V, shift_high_V = (np.array(column) for column in zip(*(mean_interval(x, factors=factors) for x in raw_SV.T), strict=True))
    deviation = gain_normalised_deviation(raw_SV, target=target, factors=factors)

    couplings, before = couple(shift_SV), couple(pre_SV)
    free = independence(shift_SV)
    within = independence(shift_SV, factors=factors) if factors else free
    within_before = independence(checked(pre_SV), factors=factors)
    cleared = independence(shift_SV, covariate_SV=pre_SV)
    within_cleared = independence(shift_SV, factors=factors, covariate_SV=pre_SV) if factors else cleared

    bounds = tax_intervals(shift_SV, couplings, factors=factors, n_boot=n_boot, seed=seed)
    parts = subsample(shift_SV, share=_KEPT, n_draws=n_boot, seed=seed).nvat_B if round(_KEPT * len(shift_SV)) >= 3 else np.empty(0)
    nvat, null_sq, value_tax_V, live_V = _nvat(couplings), chance_level(couplings), value_tax(couplings.coupling_VV), couplings.live_V
    coupled = bool(couplings.pair_VV.any())
    return TaxReport(
        n_scenes=n_scenes, gain=gain, gain_low=low, gain_high=high,
        shift=shift_V, shift_low=shift_low_V, shift_high=shift_high_V,
        gnd=deviation.gnd_V, gnd_low=deviation.low_V, gnd_high=deviation.high_V,
        coupling=couplings.coupling_VV, coupling_low=bounds.coupling_low_VV, coupling_high=bounds.coupling_high_VV,
        coupling_p=within.pair_p_VV, coupling_q=_pair_q(within.pair_p_VV),
        value_tax=value_tax_V, value_tax_low=bounds.value_tax_low_V, value_tax_high=bounds.value_tax_high_V,
        value_tax_null=np.sqrt(np.where(couplings.pair_VV, 1 / np.maximum(couplings.count_VV - 1, 1), 0.0).sum(axis=1)), live=live_V,
        nvat=nvat, nvat_low=bounds.nvat_low if within.p <= 1 - LEVEL else np.minimum(bounds.nvat_low, 0.0), nvat_high=bounds.nvat_high,
        nvat_null=float(np.sqrt(null_sq)), nvat_p=within.p, nvat_p_free=free.p, nvat_p_chi2=chi2_p(couplings),
        nvat_excess_sq=nvat**2 - null_sq, nvat_excess=float(np.sqrt(max(0.0, nvat**2 - null_sq))) if coupled else np.nan,
        nvat_frobenius=float(system_tax(couplings.coupling_VV, form="frobenius")),
        nvat_subsample=_defined(parts, np.mean), nvat_subsample_std=_defined(parts, np.std),
        gini=float(gini(value_tax_V[live_V])) if coupled else np.nan, gini_low=bounds.gini_low, gini_high=bounds.gini_high,
        gini_null=free.gini, gini_p=within.gini_p,
        nvat_pre=_nvat(before), nvat_pre_null=float(np.sqrt(chance_level(before))), nvat_pre_p=within_before.p,
        nvat_partial=cleared.nvat, nvat_partial_null=cleared.level, nvat_partial_p=within_cleared.p,
        ceiling_pre=_at_the_ends(pre_SV), ceiling_post=_at_the_ends(post_SV),
    )  # fmt: skip


def _state(state_SV: Floats, name: str) -> Floats:
    state_SV = np.asarray(state_SV, dtype=float)
    if (np.abs(state_SV[~np.isnan(state_SV)]) > 1 + 1e-9).any():
        raise DataError(f"{name}: value states lie in [-1, 1]; got {np.nanmax(np.abs(state_SV)):g}. Make them with paired_states.")
    return state_SV


def _nvat(couplings: Coupling) -> float:
    return float(system_tax(couplings.coupling_VV, pairs=couplings.pair_VV)) if couplings.pair_VV.any() else float("nan")


def _defined(x_B: Floats, summary: Callable[[Floats], Floats]) -> float:
    """Mean or spread of the draws that define it."""
    x_B = x_B[~np.isnan(x_B)]
    return float(summary(x_B)) if len(x_B) > 1 else float("nan")


def _at_the_ends(state_SV: Floats) -> float:
    seen = np.abs(state_SV[~np.isnan(state_SV)])
    return float((seen >= 1 - 10.0**-GRID).mean()) if len(seen) else float("nan")


def _pair_q(pair_p_VV: Floats) -> Floats:
    """Adjusted over the pairs, each counted once."""
    upper = np.triu_indices(len(pair_p_VV), 1)
    q_VV = np.full_like(pair_p_VV, np.nan)
    q_VV[upper] = false_discovery_q(pair_p_VV[upper])
    q_VV.T[upper] = q_VV[upper]
    return q_VV
