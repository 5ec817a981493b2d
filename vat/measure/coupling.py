"""Value–value coupling of alignment-induced shifts.

Shapes: S scenes, V values.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import kendalltau, rankdata

from vat.errors import DataError
from vat.types import Bools, Floats, Ints

Method = Literal["spearman", "kendall"]

GRID = 6
"""Decimals to which shifts are rounded before ranking: they are multiples of a small fraction, and float noise would split ties."""


FEWEST = 3
"""Scenes that two values must share for their coupling to be defined."""


class Coupling(NamedTuple):
    """A coupling matrix and what stands behind it.

    coupling_VV: as of `coupling_matrix`. count_VV: scenes in which both values were observed. live_V: values that move at all.
    pair_VV: symmetric, true where a coupling is defined: two values that move and share at least 3 scenes.
    """

    coupling_VV: Floats
    count_VV: Ints
    live_V: Bools
    pair_VV: Bools


def coupling_matrix(shift_SV: Floats, *, method: Method = "spearman") -> Floats:
    """Rank-correlate every pair of value trajectories, over the scenes in which both were observed.

    Args:
        shift_SV: (S, V) shifts in [-2, 2], NaN where a scene does not probe a value. Rounded to 1e-6 before ranking.
        method: `spearman` (the paper's) or `kendall` (τ-b).
    Returns:
        (V, V) symmetric, diagonal 1; a value that never moves is 0 everywhere off the diagonal.
    Raises:
        DataError: Not two-dimensional, fewer than 3 scenes, fewer than 2 values, infinite entries, or another method.
    Source: Value Alignment Tax, section 3.1. Differs: ties by rounding, pairwise complete, zero-variance values defined.
    """
    return couple(shift_SV, method=method).coupling_VV


def couple(shift_SV: Floats, *, method: Method = "spearman") -> Coupling:
    """`coupling_matrix` together with the number of scenes behind each entry and which values are live. Raises as it does."""
    shift_SV = checked(shift_SV)
    seen_SV = ~np.isnan(shift_SV)
    count_VV = seen_SV.T.astype(int) @ seen_SV.astype(int)
    if method not in _METHODS:
        raise DataError(f"method: must be one of {', '.join(_METHODS)}; got {method!r}. Use method='spearman'.")
    correlate = _METHODS[method]
    if seen_SV.all() and method == "spearman":
        coupling_VV = pearson(centred_ranks(shift_SV))
    else:
        coupling_VV = np.eye(shift_SV.shape[1])
        for u, w in zip(*np.triu_indices(len(coupling_VV), 1), strict=True):
            both_S = seen_SV[:, u] & seen_SV[:, w]
            coupling_VV[u, w] = coupling_VV[w, u] = correlate(shift_SV[both_S, u], shift_SV[both_S, w])
    live_V = np.array([np.unique(column[seen]).size > 1 for column, seen in zip(shift_SV.T, seen_SV.T, strict=True)])
    pair_VV = np.outer(live_V, live_V) & (count_VV >= FEWEST) & ~np.eye(len(live_V), dtype=bool)
    return Coupling(coupling_VV, count_VV, live_V, pair_VV)


def checked(shift_SV: Floats) -> Floats:
    """The shifts as floats on the rounding grid, or a DataError that says what is wrong with them."""
    shift_SV = np.asarray(shift_SV, dtype=float)
    if shift_SV.ndim != 2 or shift_SV.shape[0] < FEWEST or shift_SV.shape[1] < 2:
        raise DataError(f"shift_SV: needs at least 3 scenes and 2 values, as (scenes, values); got shape {shift_SV.shape}. Add scenes.")
    if np.isinf(shift_SV).any():
        raise DataError("shift_SV: must be finite, or NaN where missing; got an infinite entry. Mark what is missing as NaN.")
    return np.round(shift_SV, GRID) + 0.0


def centred_ranks(column_SV: Floats) -> Floats:
    """Mid-ranks of each column minus their mean; NaN stays NaN."""
    rank_SV: Floats = np.asarray(rankdata(column_SV, axis=0, nan_policy="omit"), dtype=float)
    mean_V: Floats = np.nansum(rank_SV, axis=0) / np.maximum((~np.isnan(rank_SV)).sum(axis=0), 1)
    return rank_SV - mean_V


def pearson(centred_SV: Floats) -> Floats:
    """(…, S, V) centred columns → (…, V, V) correlations; constant columns are 0 off the diagonal."""
    scale = np.sqrt(np.einsum("...sv,...sv->...v", centred_SV, centred_SV))
    unit_SV = np.divide(centred_SV, scale[..., None, :], out=np.zeros_like(centred_SV), where=scale[..., None, :] > 0)
    coupling_VV: Floats = np.clip(np.swapaxes(unit_SV, -1, -2) @ unit_SV, -1.0, 1.0)
    diagonal = np.arange(coupling_VV.shape[-1])
    coupling_VV[..., diagonal, diagonal] = 1.0
    return coupling_VV


def _spearman(x_S: Floats, y_S: Floats) -> float:
    if len(x_S) < FEWEST:
        return 0.0
    return float(pearson(centred_ranks(np.stack([x_S, y_S], axis=1)))[0, 1])


def _kendall(x_S: Floats, y_S: Floats) -> float:
    if len(x_S) < FEWEST or np.ptp(x_S) == 0 or np.ptp(y_S) == 0:
        return 0.0
    return float(kendalltau(x_S, y_S).statistic)


_METHODS = {"spearman": _spearman, "kendall": _kendall}
