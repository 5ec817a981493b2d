"""What coupling chance alone would give. No tax is shown without it: ten independent values in 80 scenes have an nVAT of about 0.11.

Shapes: S scenes, V values, B permutations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, false_discovery_control

from vat.errors import DataError
from vat.measure.coupling import GRID, Coupling, centred_ranks
from vat.measure.indices import gini, value_tax
from vat.measure.jackknife import Factors
from vat.measure.resample import FEWEST, level_codes
from vat.types import Bools, Floats, Ints

FEWEST_FREE = 2
"""Dimensions that the factors must leave to a value's ranks; with one, all residuals are alike."""
_CHUNK = 256
_SAME = 1e-12
_FLAT = 1e-9


class Null(NamedTuple):
    """A permutation test of independence. NaN where nothing can couple.

    p: share of permutations (the observed order counted in) with at least the observed mean squared coupling.
    nvat: nVAT of the residuals as observed; nvat_B: of each permutation.
    gini: mean Gini of the value taxes over permutations; gini_p: share of them with at least the observed Gini, the observed counted in.
    pair_p_VV: the first test for each pair of values by itself, two-sided; not adjusted for their number.
    """

    p: float
    nvat: float
    nvat_B: Floats
    gini: float
    gini_p: float
    pair_p_VV: Floats

    @property
    def level(self) -> float:
        """nVAT under independence: root of the mean squared coupling over permutations."""
        return float(np.sqrt((self.nvat_B**2).mean())) if len(self.nvat_B) else float("nan")


def chance_level(couplings: Coupling) -> float:
    """Expected squared nVAT of independent values: the mean of 1 / (N - 1) over the pairs whose coupling is defined.

    Args:
        couplings: Spearman correlations and the number of scenes N behind each.
    Returns:
        The level, NaN without such a pair. Exact, ties or not.
    Source: variance of Spearman's ρ under independence, 1 / (N - 1) (Kendall and Gibbons 1990). Differs: none.
    """
    count_P = couplings.count_VV[couplings.pair_VV]
    return float((1.0 / (count_P - 1)).mean()) if len(count_P) else float("nan")


def chi2_p(couplings: Coupling) -> float:
    """Closed form of the free permutation test: Σ (N - 1) ρ² over defined pairs is about χ² with one degree of freedom a pair.

    Args:
        couplings: Spearman correlations and the number of scenes N behind each.
    Returns:
        p, or NaN without a defined pair.
    Source: normal approximation of Spearman's ρ under independence. Differs: none.
    """
    once_VV = np.triu(couplings.pair_VV)
    if not once_VV.any():
        return float("nan")
    return float(chi2.sf(((couplings.count_VV - 1) * couplings.coupling_VV**2)[once_VV].sum(), once_VV.sum()))


def permutation_null(
    shift_SV: Floats, *, factors: Factors | None = None, covariate_SV: Floats | None = None, n_perm: int = 1999, seed: int = 0
) -> Null:
    """Test whether values shift together, beyond what scenes of one country or topic share.

    The ranks of each value are cleared of the factors' main effects by projection. The residuals are permuted, each value for itself,
    and projected AGAIN: permuted residuals are no longer free of the factors, and without the second projection the test rejects half
    of all independent data. Without factors the ranks themselves are permuted.

    Args:
        shift_SV: (S, V) shifts, on the rounding grid, NaN where missing.
        factors: Factor name → level of each of the S scenes; None tests plain independence over exchangeable scenes.
        covariate_SV: (S, V) numbers of whose ranks each value is cleared too, its own column only, as the state before.
        n_perm: Permutations.
        seed: Of the permutations.
    Returns:
        NaN where no two values share enough scenes, or where the factors leave them no freedom.
    Raises:
        DataError: A factor of another length than S, or no permutations.
    Source: none in the paper, which reports no null. Permutation of projected residuals: Freedman and Lane (1983). Differs: ranks.
    """
    if n_perm < 1:
        raise DataError(f"n_perm: needs at least 1 permutation; got {n_perm}. Use 999 or more.")
    rank_SV = centred_ranks(shift_SV)
    seen_SV = ~np.isnan(rank_SV)
    if covariate_SV is not None:
        seen_SV &= ~np.isnan(covariate_SV)
        rank_SV = centred_ranks(np.where(seen_SV, shift_SV, np.nan))
        covariate_SV = centred_ranks(np.where(seen_SV, np.round(covariate_SV, GRID), np.nan))
    bases = [_basis(factors, seen_S, None if covariate_SV is None else covariate_SV[seen_S, v]) for v, seen_S in enumerate(seen_SV.T)]
    residual_SV = np.zeros_like(rank_SV)
    for v, (seen_S, basis) in enumerate(zip(seen_SV.T, bases, strict=True)):
        residual_SV[seen_S, v] = _project(rank_SV[seen_S, v][None], basis)[0]
    residual_SV[np.abs(residual_SV) < 1e-9 * max(1.0, np.nanmax(np.abs(rank_SV), initial=1.0))] = 0.0
    live_V = (residual_SV != 0).any(axis=0)
    residual_SV, seen_SV = residual_SV[:, live_V], seen_SV[:, live_V]
    bases = [basis for basis, live in zip(bases, live_V, strict=True) if live]
    if not _can_couple(seen_SV, bases):
        nan = float("nan")
        return Null(nan, nan, np.empty(0), nan, nan, np.full(2 * [len(live_V)], nan))
    observed_VV = pairwise_pearson(residual_SV, seen_SV)
    random = np.random.default_rng(seed)
    squares, ginis, as_strong_VV = [], [], np.ones_like(observed_VV)
    for start in range(0, n_perm, _CHUNK):
        coupling_BVV = pairwise_pearson(_shuffled(residual_SV, seen_SV, bases, random, min(_CHUNK, n_perm - start)), seen_SV)
        squares.append(_mean_square(coupling_BVV))
        ginis.append(gini(value_tax(coupling_BVV)))
        as_strong_VV += (np.abs(coupling_BVV) >= np.abs(observed_VV) - _SAME).sum(axis=0)
    square_B, gini_B = np.concatenate(squares), np.concatenate(ginis)
    observed = _mean_square(observed_VV)
    pair_p_VV = np.full(2 * [len(live_V)], np.nan)
    defined_VV = ~np.isnan(pairwise_pearson(residual_SV, seen_SV, undefined=np.nan))
    pair_p_VV[np.ix_(live_V, live_V)] = np.where(defined_VV, as_strong_VV / (n_perm + 1), np.nan)
    return Null(
        p=_p(square_B, observed), nvat=float(np.sqrt(observed)), nvat_B=np.sqrt(square_B),
        gini=float(gini_B.mean()), gini_p=_p(gini_B, gini(value_tax(observed_VV))), pair_p_VV=pair_p_VV,
    )  # fmt: skip


def false_discovery_q(p: Floats) -> Floats:
    """Adjust p-values of many tests so that rejecting at q bounds the expected share of false discoveries by q.

    Args:
        p: p-values in any shape; NaN is no test and stays NaN. For a symmetric matrix give one triangle.
    Returns:
        q of the same shape.
    Source: Benjamini and Hochberg (1995). Differs: none.
    """
    flat = np.asarray(p, dtype=float).ravel()
    tested = ~np.isnan(flat)
    q = np.full(flat.shape, np.nan)
    if tested.any():
        q[tested] = false_discovery_control(flat[tested], method="bh")
    return q.reshape(np.shape(p))


def pairwise_pearson(x_SV: Floats, seen_SV: Bools, *, undefined: float = 0.0) -> Floats:
    """(…, S, V) columns with 0 where `seen_SV` is false → (…, V, V) correlations over common rows; the diagonal counts as undefined."""
    x_VS = np.swapaxes(x_SV, -1, -2)
    n_values = x_SV.shape[-1]
    product_VV = x_VS @ x_SV
    if seen_SV.all():
        sum_V = x_SV.sum(axis=-2)
        product_VV -= sum_V[..., :, None] * sum_V[..., None, :] / len(seen_SV)
        square_V = np.einsum("...vv->...v", product_VV)
        scale_VV = np.sqrt(square_V[..., :, None] * square_V[..., None, :])
        usable_VV = scale_VV > _FLAT
    else:
        seen = seen_SV.astype(float)
        count_VV = seen.T @ seen
        sum_VV = x_VS @ seen
        spread_VV = (x_VS**2) @ seen - sum_VV**2 / np.maximum(count_VV, 1)
        product_VV -= sum_VV * np.swapaxes(sum_VV, -1, -2) / np.maximum(count_VV, 1)
        scale_VV = np.sqrt(np.maximum(spread_VV * np.swapaxes(spread_VV, -1, -2), 0.0))
        usable_VV = (scale_VV > _FLAT) & (count_VV >= FEWEST)
    usable_VV = usable_VV & ~np.eye(n_values, dtype=bool)
    coupling_VV: Floats = np.clip(np.divide(product_VV, scale_VV, out=np.full_like(product_VV, undefined), where=usable_VV), -1.0, 1.0)
    return coupling_VV


def _can_couple(seen_SV: Bools, bases: Sequence[Floats]) -> bool:
    """Whether any two of the values share enough scenes, with enough freedom left in each after the factors."""
    free_V = np.array([seen_S.sum() - basis.shape[1] for seen_S, basis in zip(seen_SV.T, bases, strict=True)])
    count_VV = seen_SV.T.astype(int) @ seen_SV.astype(int)
    pair_VV = (count_VV >= FEWEST) & (np.minimum.outer(free_V, free_V) >= FEWEST_FREE)
    return bool(np.triu(pair_VV, 1).any())


def _basis(factors: Factors | None, seen_S: Bools, covariate_S: Floats | None) -> Floats:
    """Orthonormal columns that span the intercept, the levels of every factor and a covariate, among the observed scenes."""
    columns = [np.ones((int(seen_S.sum()), 1))]
    for name, levels in (factors or {}).items():
        code_S = np.unique(level_codes(levels, len(seen_S), where=f"factors[{name!r}]")[seen_S], return_inverse=True)[1]
        columns.append(np.eye(code_S.max() + 1 if len(code_S) else 0)[code_S])
    if covariate_S is not None:
        columns.append(covariate_S[:, None] / max(1.0, np.abs(covariate_S).max(initial=0.0)))
    design = np.concatenate(columns, axis=1)
    left, size, _ = np.linalg.svd(design, full_matrices=False)
    return left[:, size > 1e-9 * max(1.0, size.max(initial=0.0))]


def _project(x_BS: Floats, basis: Floats) -> Floats:
    return x_BS - (x_BS @ basis) @ basis.T


def _shuffled(residual_SV: Floats, seen_SV: Bools, bases: Sequence[Floats], random: np.random.Generator, count: int) -> Floats:
    """(count, S, V) residuals, each value's permuted by itself among its observed scenes and projected again."""
    shuffled_BVS = np.zeros((count, *residual_SV.shape[::-1]))
    for v, basis in enumerate(bases):
        seen_S = seen_SV[:, v]
        shuffled_BVS[:, v, seen_S] = _project(residual_SV[seen_S, v][random_orders(random, count, int(seen_S.sum()))], basis)
    return np.swapaxes(shuffled_BVS, -1, -2)


def random_orders(random: np.random.Generator, count: int, n: int) -> Ints:
    """(count, n) random permutations of 0 … n - 1: places in the low bits of random numbers, sorted; a third faster than shuffling."""
    bits = n.bit_length()
    key_BS = random.integers(0, 1 << 62, size=(count, n)) >> bits << bits | np.arange(n)
    key_BS.sort(axis=1)
    return np.asarray(key_BS & ((1 << bits) - 1), dtype=np.int64)


def _mean_square(coupling_VV: Floats) -> Floats:
    n_values = coupling_VV.shape[-1]
    return np.asarray((coupling_VV**2).sum(axis=(-1, -2)) / (n_values * (n_values - 1)))


def _p(null_B: Floats, observed: Floats) -> float:
    return float((1 + np.count_nonzero(null_B >= observed - _SAME)) / (len(null_B) + 1))
