"""Kendall's τ-b between all pairs of columns at once: exact counts of pairs of scenes, without a loop over pairs of values.

Shapes: S scenes, V values, P pairs of values, L scenes and places left empty, I pairs of scenes.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from vat.errors import DataError, MissingDependency
from vat.measure import kendall_numba
from vat.measure.resample import FEWEST
from vat.types import Bools, Floats, Ints

Numbers = npt.NDArray[np.unsignedinteger]
Engine = Literal["auto", "numpy", "numba"]

_FEW_SCENES = 100
"""Up to here comparing all scenes with each other is faster than sorting them (ten values, some missing: 120 µs against 186)."""
_WORTH_COMPILING = 100_000_000
"""Scenes × pairs of values from which a single call gains, at about 11 ns each, the 1.1 s that numba takes to load and compile."""
_BLOCK = 1 << 16
"""Scenes × pairs of values sorted at a time: what bounds memory, and stays in the cache."""


class Counts(NamedTuple):
    """Pairs of scenes in which two values were both observed.

    agree_VV: those that the two values order alike, less those that they order oppositely; symmetric.
    apart_VV: those between which the value of the row differs.
    """

    agree_VV: Ints
    apart_VV: Ints


def kendall_matrix(shift_SV: Floats, *, engine: Engine = "auto") -> Floats:
    """Kendall's τ-b of every pair of value trajectories, over the scenes in which both were observed.

    Every engine counts pairs of scenes in whole numbers, so that all give the same bits.

    Args:
        shift_SV: (S, V) shifts on the rounding grid, NaN where missing.
        engine: `numpy`; `numba`, which compiles for over a second once a process and then takes half to four fifths of the time; `auto`:
            numba where it is installed and a single call is large enough to gain that second.
    Returns:
        (V, V) symmetric, diagonal 1; 0 where two values share fewer than 3 scenes, or one of them never moves among those shared.
    Raises:
        DataError: Not two-dimensional, or another engine.
        MissingDependency: engine='numba' without numba.
    Source: Kendall (1945); counting by sorting: Knight (1966). Differs: all pairs at once, pairwise complete, defined for constants.
    """
    shift_SV = np.asarray(shift_SV, dtype=float)
    if shift_SV.ndim != 2:
        raise DataError(f"shift_SV: needs shifts as (scenes, values); got shape {shift_SV.shape}. Give one column for each value.")
    column_VS = np.ascontiguousarray(shift_SV.T)
    seen_VS = ~np.isnan(column_VS)
    count_VV = seen_VS.astype(float) @ seen_VS.T
    agree_VV, apart_VV = _count(column_VS, seen_VS, engine)
    scale_VV = np.sqrt(apart_VV) * np.sqrt(apart_VV.T)
    tau_VV: Floats = np.divide(agree_VV, scale_VV, out=np.zeros_like(count_VV), where=(scale_VV > 0) & (count_VV >= FEWEST))
    np.fill_diagonal(tau_VV, 1.0)
    return np.clip(tau_VV, -1.0, 1.0)


def _count(column_VS: Floats, seen_VS: Bools, engine: Engine) -> Counts:
    if engine not in get_args(Engine):
        raise DataError(f"engine: must be auto, numpy or numba; got {engine!r}. Use engine='auto'.")
    n_values, n_scenes = column_VS.shape
    few = n_scenes <= _FEW_SCENES
    if engine == "numba" or (engine == "auto" and not few and n_scenes * n_values * (n_values - 1) // 2 >= _WORTH_COMPILING):
        try:
            return Counts(*kendall_numba.compiled()(column_VS, np.argsort(column_VS, axis=1)))
        except MissingDependency:
            if engine == "numba":
                raise
    return _by_signs(column_VS, seen_VS) if few else _by_sorting(column_VS, seen_VS)


def _by_signs(column_VS: Floats, seen_VS: Bools) -> Counts:
    """One product of sign matrices. Scenes stand in a circle of an odd number of places: those at most half of it apart are each pair once."""
    n_values, n_scenes = column_VS.shape
    places = n_scenes | 1
    n_pairs = places * (places // 2)
    circle = np.arange(places + places // 2) % places
    column_VL = np.full((n_values, places), np.nan)
    column_VL[:, :n_scenes] = column_VS
    column_VL = column_VL[:, circle]
    this_VIL, other_VIL = column_VL[:, None, :places], sliding_window_view(column_VL, places, axis=1)[:, 1:]
    sign_VI = np.subtract(this_VIL > other_VIL, this_VIL < other_VIL, dtype=np.float32).reshape(n_values, n_pairs)
    agree_VV = (sign_VI @ sign_VI.T).astype(int)
    if seen_VS.all():
        return Counts(agree_VV, np.repeat(np.diag(agree_VV)[:, None], n_values, axis=1))
    seen_VL = (~np.isnan(column_VL)).astype(np.float32)
    seen_VI = (seen_VL[:, None, :places] * sliding_window_view(seen_VL, places, axis=1)[:, 1:]).reshape(n_values, n_pairs)
    return Counts(agree_VV, (np.abs(sign_VI, out=sign_VI) @ seen_VI.T).astype(int))


def _by_sorting(column_VS: Floats, seen_VS: Bools) -> Counts:
    """Knight's: sort scenes by one value and, within its ties, the other; what the other then has in the wrong order, they order oppositely.

    A scene without one of the two values, as a place left empty, comes last in both, where it is neither tied nor out of order.
    """
    n_values, n_scenes = column_VS.shape
    merges = max(1, (-(-n_scenes // 16) - 1).bit_length())
    width = -(-n_scenes // 2**merges)
    length = width << merges
    bits, whole = (16, np.uint32) if length <= 1 << 15 else (32, np.uint64)
    level_VL = np.zeros((n_values, length), dtype=whole)
    level_VL[:, :n_scenes] = _levels(column_VS)
    last_L = np.arange(length, 2 * length, dtype=whole)
    last_VL = np.tile(last_L << bits | last_L, (n_values, 1))
    last_VL[:, :n_scenes][seen_VS] = 0
    count_VV = (seen_VS.astype(float) @ seen_VS.T).astype(int)
    pairs_VV = count_VV * (count_VV - 1) // 2
    agree_VV, apart_VV = np.zeros_like(pairs_VV), np.zeros_like(pairs_VV)
    u_P, w_P = np.triu_indices(n_values, 1)
    step = max(1, _BLOCK // length)
    for first in range(0, len(u_P), step):
        u, w = u_P[first : first + step], w_P[first : first + step]
        key_PL = level_VL[u] << bits | level_VL[w]
        key_PL = np.maximum(np.maximum(key_PL, last_VL[u]), last_VL[w])
        key_PL.sort(axis=1)
        opposed_P, ordered_PL = _inversions(key_PL & whole(2**bits - 1), width)
        apart_VV[u, w] = pairs_VV[u, w] - _tied_pairs(key_PL >> bits)
        apart_VV[w, u] = pairs_VV[u, w] - _tied_pairs(ordered_PL)
        both_apart_P = apart_VV[u, w] + apart_VV[w, u] - pairs_VV[u, w] + _tied_pairs(key_PL)
        agree_VV[u, w] = agree_VV[w, u] = both_apart_P - 2 * opposed_P
    return Counts(agree_VV, apart_VV)


def _levels(column_VS: Floats) -> Ints:
    """0 for the lowest number of a column, 1 for the next; what NaN becomes is not to be used."""
    order_VS = np.argsort(column_VS, axis=1)
    ordered_VS = np.take_along_axis(column_VS, order_VS, axis=1)
    level_VS = np.zeros(column_VS.shape, dtype=int)
    np.cumsum(ordered_VS[:, 1:] != ordered_VS[:, :-1], axis=1, out=level_VS[:, 1:])
    unordered_VS = np.empty_like(level_VS)
    np.put_along_axis(unordered_VS, order_VS, level_VS, axis=1)
    return unordered_VS


def _inversions(number_PL: Numbers, width: int) -> tuple[Ints, Numbers]:
    """Pairs of places in each row of which the first holds the larger number, and the rows in order; L is `width` times a power of 2.

    Stretches of `width` are counted pair by pair. Then two stretches at a time are merged, and each number of the second has passed
    as many of the first as now stand above it.
    """
    n_rows, length = number_PL.shape
    place_WN = np.ascontiguousarray(number_PL.reshape(-1, width).T)
    below_WN = np.zeros(place_WN.shape, dtype=np.uint8)
    for distance in range(1, width):
        below_WN[distance:] += place_WN[distance:] < place_WN[:-distance]
    opposed_P = below_WN.sum(axis=0, dtype=np.int64).reshape(n_rows, -1).sum(axis=1)
    number_PL = np.left_shift(number_PL, 1)  # the last bit says which stretch a number came from, and that equal ones keep their order
    second_PL = np.empty_like(number_PL)
    while width < length:
        number_PL.reshape(-1, 2, width)[:, 1] |= 1
        own, width = width * (width - 1) // 2, 2 * width
        number_PL = number_PL.reshape(-1, width)
        number_PL.sort(axis=1)
        second_PL = second_PL.reshape(number_PL.shape)
        np.bitwise_and(number_PL, 1, out=second_PL)
        number_PL ^= second_PL
        above_P = second_PL @ np.arange(width, dtype=number_PL.dtype)[::-1]
        opposed_P += above_P.reshape(n_rows, -1).sum(axis=1, dtype=np.int64) - length // width * own
    return opposed_P, number_PL.reshape(n_rows, length)


def _tied_pairs(ordered_PL: Numbers) -> Ints:
    """Pairs of equal numbers in each row of ordered numbers."""
    n_rows, length = ordered_PL.shape
    like_PL = np.zeros((n_rows, length + 1), dtype=bool)  # as the number before
    np.equal(ordered_PL[:, 1:], ordered_PL[:, :-1], out=like_PL[:, 1:-1])
    first = np.flatnonzero(like_PL[:, :-1] < like_PL[:, 1:])
    last = np.flatnonzero(like_PL[:, :-1] > like_PL[:, 1:])
    tied = last - first + 1
    return np.bincount(first // length, tied * (tied - 1) // 2, minlength=n_rows).astype(int)
