"""Couplings of many resamples of the same scenes at once. A resample is how often it takes each scene, so one kernel serves the
bootstrap, subsamples and the jackknife, over scenes or over groups of them.

Ranks are not sorted again: levels are counted, and a level's mid-rank follows from the counts. Doubled centred mid-ranks are integers, so
every sum is exact whatever its order.

Shapes: S scenes, V values, B resamples, L levels of all values together, G groups.
"""

from __future__ import annotations

import numpy as np

from vat.errors import DataError
from vat.types import Floats, Ints

FEWEST = 3
"""Scenes that two values must share for their coupling to be defined."""
BLOCK = 1 << 15
"""Numbers held at once: a block of ranks stays in the processor's cache (measured: flat from 2^14 to 2^17, slower below)."""


def resampled_couplings(shift_SV: Floats, weight_BS: Floats) -> Floats:
    """Spearman coupling of every pair of values in each resample, over the scenes in which both were observed.

    Args:
        shift_SV: (S, V) shifts on the rounding grid, NaN where missing.
        weight_BS: (B, S) how often each resample takes each scene: 0, 1, 2 …
    Returns:
        (B, V, V) symmetric, diagonal 1; NaN where two values share fewer than 3 different scenes or one of them does not move there.
    Source: Spearman (1904), mid-ranks. Differs: none; equal to ranking each resample anew.
    """
    seen_SV = ~np.isnan(shift_SV)
    n_values = shift_SV.shape[1]
    if seen_SV.all():
        coupling_BVV = _complete(shift_SV, weight_BS)
        coupling_BVV[(weight_BS > 0).sum(axis=1) < FEWEST] = np.nan
    else:
        coupling_BVV = np.full((len(weight_BS), n_values, n_values), np.nan)
        for u, w in zip(*np.triu_indices(n_values, 1), strict=True):
            both_S = seen_SV[:, u] & seen_SV[:, w]
            if both_S.sum() >= FEWEST:
                pair_B = _complete(shift_SV[both_S][:, [u, w]], weight_BS[:, both_S])[:, 0, 1]
                pair_B[(weight_BS[:, both_S] > 0).sum(axis=1) < FEWEST] = np.nan
                coupling_BVV[:, u, w] = coupling_BVV[:, w, u] = pair_B
    diagonal = np.arange(n_values)
    coupling_BVV[:, diagonal, diagonal] = 1.0
    return coupling_BVV


def bootstrap_weights(n_scenes: int, *, group_S: Ints | None = None, n_boot: int, seed: int) -> Floats:
    """(B, S) counts of scenes drawn with replacement; with `group_S`, of whole groups of scenes drawn with replacement."""
    random = np.random.default_rng(seed)
    n_units = n_scenes if group_S is None else int(group_S.max()) + 1
    drawn_BU = random.integers(0, n_units, size=(n_boot, n_units)) + np.arange(n_boot)[:, None] * n_units
    weight_BU = np.bincount(drawn_BU.ravel(), minlength=n_boot * n_units).reshape(n_boot, n_units).astype(float)
    return weight_BU if group_S is None else weight_BU[:, group_S]


def subsample_weights(n_scenes: int, *, n_kept: int, n_draws: int, seed: int) -> Floats:
    """(B, S) 1 for each of `n_kept` scenes drawn without replacement, else 0."""
    kept_BS = np.zeros((n_draws, n_scenes))
    kept_BS[:, :n_kept] = 1.0
    return np.random.default_rng(seed).permuted(kept_BS, axis=1)


def leave_one_out_weights(group_S: Ints, start: int, stop: int) -> Floats:
    """(G, S) every scene once but for those of one group, for the groups from `start` to before `stop`."""
    return np.asarray(group_S != np.arange(start, min(stop, group_S.max() + 1))[:, None], dtype=float)


def level_codes(levels: object, n_scenes: int, *, where: str) -> Ints:
    """(S,) 0, 1, 2 … for the level of each scene.

    Raises:
        DataError: Not one level for each scene.
    """
    names = np.asarray(levels)
    if names.shape != (n_scenes,):
        raise DataError(f"{where}: needs one level for each of the {n_scenes} scenes; got {len(names) if names.ndim else 1}. Pair them by scene.")
    return np.unique(names, return_inverse=True)[1]


def _complete(shift_SV: Floats, weight_BS: Floats) -> Floats:
    """`resampled_couplings` without missing entries; the diagonal is not set."""
    code_VS, value_L = _codes(shift_SV)
    (n_values, n_scenes), n_levels, n_draws = code_VS.shape, len(value_L), len(weight_BS)
    size = max(1, min(n_draws, BLOCK // code_VS.size))
    place_BVS = code_VS + (np.arange(size) * n_levels)[:, None, None]
    rank_BVS, weighted_BVS = np.empty((2, size, n_values, n_scenes))
    gram_BVV = np.empty((n_draws, n_values, n_values))
    for start in range(0, n_draws, size):
        weight = weight_BS[start : start + size]
        b = len(weight)
        weighted_BVS[:b] = weight[:, None]
        count_BL = np.bincount(place_BVS[:b].ravel(), weighted_BVS[:b].ravel(), b * n_levels).astype(np.int64).reshape(b, n_levels)
        middle_BL = count_BL.cumsum(axis=1)  # of whole numbers: a third faster than of floats
        middle_BL *= 2
        middle_BL -= count_BL
        middle_BL -= (2 * value_L + 1) * weight.sum(axis=1).astype(np.int64)[:, None]
        np.take(middle_BL.astype(float).ravel(), place_BVS[:b], out=rank_BVS[:b], mode="clip")
        weighted_BVS[:b] *= rank_BVS[:b]
        np.matmul(weighted_BVS[:b], rank_BVS[:b].swapaxes(1, 2), out=gram_BVV[start : start + b])
    return _normalised(gram_BVV)


def _codes(shift_SV: Floats) -> tuple[Ints, Ints]:
    """(V, S) level of each entry, numbered through over all values in increasing order; (L,) the value that each level belongs to."""
    codes = [np.unique(column, return_inverse=True)[1] for column in shift_SV.T]
    counts = np.array([code.max() + 1 for code in codes])
    first_V = counts.cumsum() - counts
    return np.stack(codes) + first_V[:, None], np.repeat(np.arange(len(counts)), counts)


def _normalised(gram_BVV: Floats) -> Floats:
    """Sums of products → correlations, NaN for what has no spread. In place."""
    spread_BV = np.sqrt(np.einsum("bvv->bv", gram_BVV))
    spread_BV[spread_BV == 0] = np.nan
    gram_BVV /= spread_BV[:, :, None] * spread_BV[:, None, :]
    return np.clip(gram_BVV, -1.0, 1.0, out=gram_BVV)
