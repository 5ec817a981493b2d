"""The counts behind Kendall's τ-b as one compiled loop, for machines that have numba. Imported only where numba is asked for or pays.

Shapes: S scenes, V values, K levels of a value, C stretches of 64 scenes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import cast

import numpy as np

from vat.errors import MissingDependency
from vat.types import Floats, Ints

Kernel = Callable[[Floats, Ints], tuple[Ints, Ints]]


@cache
def compiled() -> Kernel:
    """`count_pairs`, compiled on its first call, for this process; nothing is written to disk. Raises MissingDependency without numba."""
    try:
        numba = import_module("numba")
    except ImportError as error:
        raise MissingDependency("numba", needed_by="kendall_matrix(engine='numba')", install="pip install 'vat[fast]'") from error
    return cast(Kernel, numba.njit(nogil=True)(count_pairs))


def count_pairs(column_VS: Floats, order_VS: Ints) -> tuple[Ints, Ints]:
    """Pairs of scenes that two values order alike less those they order oppositely, and pairs between which the value of the row differs.

    For each pair of values: scenes are dealt out by the first value in the order of the second, which sorts them by both. Passing along
    them, each scene is set against those before it whose second value is larger. They are found from running counts, of whole stretches
    of 64 ranks and within a stretch, which cost two additions of short vectors a scene.

    Args:
        column_VS: (V, S) shifts, NaN where missing.
        order_VS: Their argsort along the scenes, NaN last.
    Returns:
        Two (V, V) arrays, 0 on the diagonal.
    Source: Knight (1966). Differs: counting sort, and running counts for the merge sort.
    """
    n_values, n_scenes = column_VS.shape
    agree_VV, apart_VV = np.zeros((n_values, n_values), np.int64), np.zeros((n_values, n_values), np.int64)
    level_VS = np.full((n_values, n_scenes), -1, np.int32)
    for v in range(n_values):
        level, before = -1, np.nan
        for s in order_VS[v]:
            shift = column_VS[v, s]
            if shift != shift:
                break
            if shift != before:
                level, before = level + 1, shift
            level_VS[v, s] = level
    place_K = np.empty(n_scenes + 1, np.int32)
    rank_S, level_S, upper_S = np.empty(n_scenes, np.int32), np.empty(n_scenes, np.int32), np.empty(n_scenes, np.int32)
    coarse_C, fine_C64 = np.empty(n_scenes // 64 + 1, np.int32), np.empty((n_scenes // 64 + 1, 64), np.int32)
    for u in range(n_values):
        for w in range(u + 1, n_values):
            place_K[:] = 0
            for s in range(n_scenes):
                if level_VS[u, s] >= 0 and level_VS[w, s] >= 0:
                    place_K[level_VS[u, s] + 1] += 1
            tied_u, tied_w, tied_both, opposed = 0, 0, 0, 0
            for k in range(n_scenes):
                tied_u += place_K[k + 1] * (place_K[k + 1] - 1) // 2
                place_K[k + 1] += place_K[k]
            rank, group, before = 0, 0, -1
            for s in order_VS[w]:
                level = level_VS[u, s]
                if level_VS[w, s] < 0:
                    break
                if level < 0:
                    continue
                if level_VS[w, s] != before:
                    upper_S[group:rank] = rank  # the first rank above this group of ties
                    tied_w += (rank - group) * (rank - group - 1) // 2
                    group, before = rank, level_VS[w, s]
                rank_S[place_K[level]], level_S[place_K[level]] = rank, level
                place_K[level] += 1
                rank += 1
            upper_S[group:rank] = rank
            tied_w += (rank - group) * (rank - group - 1) // 2
            coarse_C[:] = 0
            fine_C64[:] = 0
            run = 0
            for s in range(rank):
                upper = upper_S[rank_S[s]]
                opposed += s - coarse_C[upper >> 6] - fine_C64[upper >> 6, upper & 63]
                stretch, within = rank_S[s] >> 6, rank_S[s] & 63
                for c in range(len(coarse_C)):
                    coarse_C[c] += c > stretch
                for c in range(64):
                    fine_C64[stretch, c] += c > within
                run = run + 1 if s and level_S[s] == level_S[s - 1] and upper == upper_S[rank_S[s - 1]] else 0
                tied_both += run
            pairs = rank * (rank - 1) // 2
            apart_VV[u, w], apart_VV[w, u] = pairs - tied_u, pairs - tied_w
            agree_VV[u, w] = agree_VV[w, u] = pairs - tied_u - tied_w + tied_both - 2 * opposed
    return agree_VV, apart_VV
