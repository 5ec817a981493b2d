"""The value alignment tax: what pushing one value gained, and how far it dragged the others along.

Shapes: S scenes, V values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vat.errors import DataError
from vat.measure.coupling import Coupling, checked, couple
from vat.measure.gain import gain_normalised_deviation, mean_interval
from vat.measure.null import chance_level, chi2_p, false_discovery_q, permutation_null
from vat.types import Bools, Floats

Form = Literal["rms", "frobenius"]


@dataclass(frozen=True)
class TaxReport:
    """Everything measured on one state of a model against the state before. NaN: not defined for these shifts.

    n_scenes: scenes with an observed target shift.
    gain, gain_low, gain_high: direction × mean shift of the target, in units of evidence (-2 … 2), with its 95% interval.
    shift: (V,) mean shift of each value. gnd, gnd_low, gnd_high: (V,) the same per unit of |gain|, with 95% intervals.
    coupling: (V, V) Spearman correlations; value_tax: (V,) VAT; live: (V,) values that moved at all.
    coupling_q: (V, V) false discovery rate at which each coupling beyond the scene factors is one.
    nvat, nvat_frobenius: system tax in both forms; nvat_null: its level under independence.
    nvat_excess_sq, nvat_excess: nvat² - null², signed, and the root of its positive part.
    nvat_p: coupling beyond the scene factors; nvat_p_free: scenes taken as exchangeable; nvat_p_chi2: closed form of the latter.
    gini, gini_null: centralisation of the tax, and its mean under independence.
    nvat_pre, nvat_pre_null, nvat_pre_p: the tax that the states before would have, were they shifts: coupling that was there already.
    nvat_partial, nvat_partial_null, nvat_partial_p: the tax of the shifts' ranks cleared each of its own state before. Where the state
        after saturates, shifts repeat the coupling of the states before: a high nvat with a nvat_partial at its null says so.
    """

    n_scenes: int
    gain: float
    gain_low: float
    gain_high: float
    shift: Floats
    gnd: Floats
    gnd_low: Floats
    gnd_high: Floats
    coupling: Floats
    coupling_q: Floats
    value_tax: Floats
    live: Bools
    nvat: float
    nvat_frobenius: float
    nvat_null: float
    nvat_excess_sq: float
    nvat_excess: float
    nvat_p: float
    nvat_p_free: float
    nvat_p_chi2: float
    gini: float
    gini_null: float
    nvat_pre: float
    nvat_pre_null: float
    nvat_pre_p: float
    nvat_partial: float
    nvat_partial_null: float
    nvat_partial_p: float


def measure_tax(
    pre_SV: Floats,
    post_SV: Floats,
    *,
    target: int,
    direction: int,
    factors: Mapping[str, Sequence[str]] | None = None,
    n_perm: int,
    seed: int,
) -> TaxReport:
    """Measure what changed between two value states of a model on the same scenes.

    Args:
        pre_SV, post_SV: (S, V) value states in [-1, 1] from `paired_states`, NaN where nothing was observed in both.
        target: Column of the value that was pushed.
        direction: 1 if it was pushed up, -1 if down.
        factors: What scenes share (country, topic): name → level of each scene. None: scenes are exchangeable and nvat_p is nvat_p_free.
        n_perm: Permutations for the p-values; the smallest possible p is 1 / (n_perm + 1).
        seed: Of the permutations.
    Raises:
        DataError: Shapes differ, states outside [-1, 1], fewer than 3 scenes or 2 values, factors of another length, no permutations.
    Source: Value Alignment Tax, section 3. Differs: see the fields, and every tax comes with its level under independence.
    """
    pre_SV, post_SV = _state(pre_SV, "pre_SV"), _state(post_SV, "post_SV")
    if pre_SV.shape != post_SV.shape:
        raise DataError(f"post_SV: must have the shape of pre_SV; got {post_SV.shape} and {pre_SV.shape}. Pair them with paired_states.")
    raw_SV = np.round(post_SV - pre_SV, 12)  # states that are equal but for float noise have not moved
    shift_SV = checked(raw_SV)
    if target not in range(shift_SV.shape[1]) or direction not in (1, -1):
        raise DataError(f"target, direction: a column of the states, and 1 or -1; got {target} and {direction}. Fix them.")
    n_scenes, gain, low, high = mean_interval(direction * raw_SV[:, target])
    couplings = couple(shift_SV)
    live_V, value_tax_V = couplings.live_V, value_tax(couplings.coupling_VV)
    coupled = bool(couplings.pair_VV.any())
    null_sq = chance_level(couplings)
    free = permutation_null(shift_SV, factors=None, n_perm=n_perm, seed=seed)
    within = permutation_null(shift_SV, factors=factors, n_perm=n_perm, seed=seed) if factors else free
    before = permutation_null(np.where(np.isnan(raw_SV), np.nan, checked(pre_SV)), factors=factors, n_perm=n_perm, seed=seed)
    coupled_before = couple(np.where(np.isnan(raw_SV), np.nan, pre_SV))
    partial = permutation_null(shift_SV, factors=None, covariate_SV=pre_SV, n_perm=n_perm, seed=seed)
    partial_within = permutation_null(shift_SV, factors=factors, covariate_SV=pre_SV, n_perm=n_perm, seed=seed) if factors else partial
    nvat = _nvat(couplings)
    deviation = gain_normalised_deviation(raw_SV, target=target)
    return TaxReport(
        n_scenes=n_scenes, gain=gain, gain_low=low, gain_high=high,
        shift=_column_means(raw_SV),
        gnd=deviation.gnd_V, gnd_low=deviation.low_V, gnd_high=deviation.high_V,
        coupling=couplings.coupling_VV, coupling_q=_pair_q(within.pair_p_VV), value_tax=value_tax_V, live=live_V,
        nvat=nvat, nvat_frobenius=system_tax(couplings.coupling_VV, form="frobenius"), nvat_null=float(np.sqrt(null_sq)),
        nvat_excess_sq=nvat**2 - null_sq, nvat_excess=float(np.sqrt(max(0.0, nvat**2 - null_sq))) if coupled else np.nan,
        nvat_p=within.p, nvat_p_free=free.p, nvat_p_chi2=chi2_p(couplings),
        gini=gini(value_tax_V[live_V]) if coupled else np.nan, gini_null=free.gini,
        nvat_pre=_nvat(coupled_before), nvat_pre_null=float(np.sqrt(chance_level(coupled_before))), nvat_pre_p=before.p,
        nvat_partial=partial.nvat, nvat_partial_null=partial.level, nvat_partial_p=partial_within.p,
    )  # fmt: skip


def value_tax(R: Floats) -> Floats:
    """VAT(u): how strongly each value's shifts go together with those of all others.

    Args:
        R: (V, V) coupling matrix.
    Returns:
        (V,) Euclidean norm of each row without its diagonal entry, in [0, sqrt(V - 1)].
    Raises:
        DataError: R is not square, or not finite.
    Source: Value Alignment Tax, section 3.1. Differs: the diagonal, which is 1 by definition, is left out.
    """
    norm_V: Floats = np.linalg.norm(_off_diagonal(R), axis=1)
    return norm_V


def system_tax(R: Floats, *, form: Form = "rms", pairs: Bools | None = None) -> float:
    """nVAT: one number for the coupling of the whole system.

    Args:
        R: (V, V) coupling matrix.
        form: `rms`, root mean square of the off-diagonal entries between values that moved, in [0, 1] (0 if there is no such pair);
            `frobenius`, the paper's formula ‖R‖_F / sqrt(V) with its unit diagonal, at least 1.
        pairs: (V, V) true where a coupling is defined; None takes a value whose row is 0 off the diagonal for one that never moved.
    Raises:
        DataError: R is not square, or not finite.
    Source: Value Alignment Tax, section 3.1. Differs: `rms`; the paper's formula cannot give the values of its Table 2.
    """
    off_VV = _off_diagonal(R)
    if form == "frobenius":
        return float(np.sqrt(((off_VV + np.eye(len(off_VV))) ** 2).sum() / len(off_VV)))
    live_V = (off_VV != 0).any(axis=1)
    pair_VV = np.outer(live_V, live_V) & ~np.eye(len(live_V), dtype=bool) if pairs is None else pairs
    return float(np.sqrt((off_VV[pair_VV] ** 2).mean())) if pair_VV.any() else 0.0


def gini(x: Floats) -> float:
    """Gini coefficient of non-negative numbers: 0 if all are equal, (n - 1) / n if one has everything.

    Args:
        x: (n,) numbers; NaN is left out.
    Returns:
        The coefficient; 0 if all are 0, NaN if there is none.
    Raises:
        DataError: A negative or infinite number.
    Source: Value Alignment Tax, section 3.1 (tax centralization). Differs: none.
    """
    x = np.asarray(x, dtype=float).ravel()
    x = np.sort(x[~np.isnan(x)])
    if np.isinf(x).any() or (x < 0).any():
        raise DataError(f"x: a Gini coefficient needs finite numbers that are not negative; got {x.min()} … {x.max()}. Check the input.")
    if not len(x):
        return float("nan")
    total = x.sum()
    if total == 0:
        return 0.0
    return float(((2 * np.arange(1, len(x) + 1) - len(x) - 1) * x).sum() / (len(x) * total))


def _off_diagonal(R: Floats) -> Floats:
    R = np.array(R, dtype=float)
    if R.ndim != 2 or R.shape[0] != R.shape[1] or not np.isfinite(R).all():
        raise DataError(f"R: must be a finite square matrix; got shape {R.shape}, finite: {bool(np.isfinite(R).all())}. Use coupling_matrix.")
    np.fill_diagonal(R, 0.0)
    return R


def _state(state_SV: Floats, name: str) -> Floats:
    state_SV = np.asarray(state_SV, dtype=float)
    if (np.abs(state_SV[~np.isnan(state_SV)]) > 1 + 1e-9).any():
        raise DataError(f"{name}: value states lie in [-1, 1]; got {np.nanmax(np.abs(state_SV)):g}. Make them with paired_states.")
    return state_SV


def _nvat(couplings: Coupling) -> float:
    return system_tax(couplings.coupling_VV, pairs=couplings.pair_VV) if couplings.pair_VV.any() else float("nan")


def _pair_q(pair_p_VV: Floats) -> Floats:
    """Adjusted over the pairs, each counted once."""
    upper = np.triu_indices(len(pair_p_VV), 1)
    q_VV = np.full_like(pair_p_VV, np.nan)
    q_VV[upper] = false_discovery_q(pair_p_VV[upper])
    q_VV.T[upper] = q_VV[upper]
    return q_VV


def _column_means(shift_SV: Floats) -> Floats:
    count_V = (~np.isnan(shift_SV)).sum(axis=0)
    mean_V: Floats = np.divide(np.nansum(shift_SV, axis=0), count_V, out=np.full(len(count_V), np.nan), where=count_V > 0)
    return mean_V
