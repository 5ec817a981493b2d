"""Utilities from rankings: the Plackett–Luce model, fitted to windows of any length.

A window is a ranking of a few items, best first. Item i has a utility θ_i, and the window i_1 … i_k the probability
Π_j exp θ_{i_j} / Σ_{l≥j} exp θ_{i_l}.
A small ridge keeps the utilities of items finite that won, or lost, all of their windows. Utilities are known up to a constant, and only among items
that windows connect: they have mean 0 in each pool of connected items, and how far two pools lie apart is not known.

Shapes: I items, W windows of k items.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from vat.errors import DataError, shown
from vat.types import Bools, Floats, Ints

Windows = npt.NDArray[np.integer] | Sequence[Sequence[int]]
"""(W, k) numbers of items, best first; or a list of rankings of different lengths."""
RIDGE = 0.1
"""Half of it times the squared utility is taken from the log-likelihood: a normal prior with a standard deviation of 3.2."""
TOLERANCE = 2e-5
"""How far utilities may lie from the maximum, in standard errors; the log-likelihood of 1,000 items is then right to about 1e-7."""
MOST_EVALUATIONS = 500
MOST_DENSE = 2000
"""So many items at most have their errors from the whole inverse; beyond that it is probed."""
PROBES = 64
"""Random signs that probe an inverse: errors are then right to 2% where each item stands against sixty others."""
LOGISTIC = 0.346
"""A logistic curve, averaged over a normal of variance v, is about as flat as one divided by √(1 + 0.346 v)."""
LOWEST = -300.0
"""Utilities that lie farther below the largest weigh as much as one here, so that no weight or its square is lost."""


class Utilities(NamedTuple):
    """What rankings say of I items.

    utility_I: mean 0 within each pool; NaN for items that no window holds. error_I: their standard errors, with the ridge as a prior.
    log_likelihood: of all windows, without the ridge.
    windows_I: how many windows hold each item.
    pool_I: the pool that an item is in, numbered from the largest; −1 for items that no window holds. One pool is what one wants.
    unbeaten_I, beaten_I: items that were never ranked below, never above another: only the ridge says how far out they are.
    converged: whether the maximum was reached. evaluations: of the likelihood with its gradient.
    """

    utility_I: Floats
    error_I: Floats
    log_likelihood: float
    windows_I: Ints
    pool_I: Ints
    unbeaten_I: Bools
    beaten_I: Bools
    converged: bool
    evaluations: int

    @property
    def pools(self) -> int:
        """How many groups of items there are that no window connects."""
        return int(self.pool_I.max(initial=-1)) + 1


def fit(windows: Windows, n_items: int, *, ridge: float = RIDGE, start: Floats | None = None, with_errors: bool = True) -> Utilities:
    """The utilities that make the rankings most likely.

    Args:
        windows: Rankings, best first; each of two items or more, none twice.
        n_items: Items have the numbers 0 … n_items − 1.
        ridge: Positive. Without it an item that won everything has no finite utility.
        start: (I,) utilities to begin with, of fewer windows say; NaN where none are known.
        with_errors: Whether standard errors are wanted; else they are NaN.
    Raises:
        DataError: A window that is no ranking, no windows at all, or a ridge that is not positive.
    Source: ValueFlow, section 5.1 and appendix C.2. Differs: the paper takes fifty steps of a summed gradient, which diverges for windows of six, and
        starts at random; here the maximum is reached, a ridge makes it unique, and it has standard errors.
    """
    if not ridge > 0:
        raise DataError(f"ridge={ridge}: must be positive; got something else. Use {RIDGE:g}.")
    likelihood = _Likelihood(_checked(windows, n_items), n_items)
    first_I = likelihood.guess() if start is None else np.where(np.isnan(start), likelihood.guess(), start)
    pool_I = likelihood.pools()
    utility_I, converged, evaluations = _maximised(likelihood, first_I, pool_I, ridge)
    error_I = _errors(likelihood, utility_I, pool_I, ridge) if with_errors else np.full(n_items, np.nan)
    seen_I = likelihood.windows_I > 0
    return Utilities(
        np.where(seen_I, utility_I, np.nan), np.where(seen_I, error_I, np.nan), likelihood.value(utility_I)[0], likelihood.windows_I, pool_I,
        seen_I & (likelihood.losses_I == 0), seen_I & (likelihood.wins_I == 0), converged, evaluations,
    )  # fmt: skip


def log_likelihood(windows: Windows, utility_I: Floats) -> float:
    """Of rankings under given utilities, without a ridge. Raises as `fit`."""
    return _Likelihood(_checked(windows, len(utility_I)), len(utility_I)).value(utility_I)[0]


class _Likelihood:
    """The likelihood of windows, by their length. wins_I, losses_I: how many items each was ranked above and below, in all."""

    def __init__(self, groups: Sequence[Ints], n_items: int) -> None:
        self._groups = [np.ascontiguousarray(group.T) for group in groups]  # (k, W): one place at a time is then contiguous
        self.n_items = n_items
        self.windows_I = np.zeros(n_items, dtype=np.int64)
        self._chosen_I = np.zeros(n_items)  # how often an item was chosen while at least one other was left
        self.wins_I, self.losses_I = np.zeros(n_items, dtype=np.int64), np.zeros(n_items, dtype=np.int64)
        for places in self._groups:
            for place, row in enumerate(places):
                of_place = np.bincount(row, minlength=n_items)
                self.windows_I += of_place
                self._chosen_I += of_place * (place < len(places) - 1)
                self.wins_I += of_place * (len(places) - 1 - place)
                self.losses_I += of_place * place

    def value(self, utility_I: Floats) -> tuple[float, Floats]:
        """The log-likelihood and its gradient."""
        largest = float(utility_I.max())
        weight_I = np.exp(np.maximum(utility_I - largest, LOWEST))
        total = float(self._chosen_I @ (utility_I - largest))
        expected_I = np.zeros(self.n_items)
        for places in self._groups:
            left_kW = _left(weight_I, places)
            total -= float(np.log(left_kW).sum())
            chance_kW = _summed(np.reciprocal(left_kW, out=left_kW))  # of an item with weight 1 to be chosen, over the choices so far
            for place, row in enumerate(places):
                expected_I += np.bincount(row, weights=chance_kW[min(place, len(places) - 2)], minlength=self.n_items)
        return total, self._chosen_I - weight_I * expected_I

    def diagonal(self, utility_I: Floats) -> Floats:
        """(I,) the diagonal of `curvature`."""
        weight_I = np.exp(np.maximum(utility_I - float(utility_I.max()), LOWEST))
        found_I = np.zeros(self.n_items)
        for places in self._groups:
            once_kW = np.reciprocal(_left(weight_I, places))
            twice_kW = _summed(once_kW**2)
            once_kW = _summed(once_kW)
            for place, row in enumerate(places):
                until = min(place, len(places) - 2)
                found_I += weight_I * np.bincount(row, weights=once_kW[until], minlength=self.n_items)
                found_I -= weight_I**2 * np.bincount(row, weights=twice_kW[until], minlength=self.n_items)
        return np.maximum(found_I, 0.0)

    def curvature(self, utility_I: Floats) -> sparse.csr_array:
        """(I, I) the negative Hessian, which is the Laplacian of a weighted graph."""
        weight_I = np.exp(np.maximum(utility_I - float(utility_I.max()), LOWEST))
        matrix = sparse.csr_array((self.n_items, self.n_items))
        for places in self._groups:
            squares_kW = _summed(_left(weight_I, places) ** -2)  # two items stand against each other until the first of them is chosen
            for one, other in itertools.combinations(range(len(places)), 2):
                both_W = weight_I[places[one]] * weight_I[places[other]] * squares_kW[min(one, len(places) - 2)]
                matrix = matrix + sparse.coo_array((both_W, (places[one], places[other])), shape=matrix.shape).tocsr()
        matrix = matrix + matrix.T
        return (sparse.diags_array(matrix.sum(axis=1)) - matrix).tocsr()

    def pools(self) -> Ints:
        """(I,) the pool that an item is in, from the largest; −1 for items that no window holds."""
        rows = np.concatenate([row for places in self._groups for row in [places[0]] * (len(places) - 1)])
        columns = np.concatenate([places[1:].ravel() for places in self._groups])
        edges = sparse.coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(self.n_items, self.n_items))
        _, found_I = connected_components(edges, directed=False)
        sizes = np.bincount(found_I[self.windows_I > 0], minlength=found_I.max() + 1)
        rank = np.empty_like(sizes)
        rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
        return np.where(self.windows_I > 0, rank[found_I], -1)

    def guess(self) -> Floats:
        """(I,) from the share of the others that an item was ranked above."""
        share_I = (self.wins_I + 0.5) / (self.wins_I + self.losses_I + 1)
        against_the_middle_I = np.log(share_I / (1 - share_I))
        spread = min(float(against_the_middle_I.var()) * LOGISTIC, 0.5)
        return np.asarray(against_the_middle_I / (1 - spread) ** 0.5)  # others are spread as widely, which blurs what a share tells


def _left(weight_I: Floats, places: Ints) -> Floats:
    """(k − 1, W) the weight of who is left at each choice."""
    left_kW = weight_I[places[:-1]]
    left_kW[-1] += weight_I[places[-1]]
    for place in range(len(left_kW) - 2, -1, -1):
        left_kW[place] += left_kW[place + 1]
    return left_kW


def _summed(x_kW: Floats) -> Floats:
    """In place, over the choices so far. NumPy's own cumsum over the first axis takes five times as long."""
    for place in range(1, len(x_kW)):
        x_kW[place] += x_kW[place - 1]
    return x_kW


def _maximised(likelihood: _Likelihood, first_I: Floats, pool_I: Ints, ridge: float) -> tuple[Floats, bool, int]:
    """The utilities, whether the maximum was reached, and evaluations. Variables are scaled by what is known of each: that makes it round."""
    from scipy.optimize import minimize

    scale_I = 1 / np.sqrt(ridge + likelihood.diagonal(first_I))

    def loss(scaled_I: Floats) -> tuple[float, Floats]:
        utility_I = _centred(scaled_I * scale_I, pool_I)
        value, gradient_I = likelihood.value(utility_I)
        return -value + 0.5 * ridge * float(utility_I @ utility_I), _centred(ridge * utility_I - gradient_I, pool_I) * scale_I

    options = {"maxfun": MOST_EVALUATIONS, "maxiter": MOST_EVALUATIONS, "gtol": TOLERANCE, "ftol": 1e-15, "maxcor": 12}
    found = minimize(loss, first_I / scale_I, jac=True, method="L-BFGS-B", options=options)
    return _centred(found.x * scale_I, pool_I), bool(found.success), int(found.nfev)


def _centred(x_I: Floats, pool_I: Ints) -> Floats:
    """Mean 0 within each pool; 0 outside of all."""
    at = pool_I >= 0
    sums, counts = np.bincount(pool_I[at], x_I[at]), np.bincount(pool_I[at])
    return np.where(at, x_I - (sums / counts)[pool_I], 0.0)


def _errors(likelihood: _Likelihood, utility_I: Floats, pool_I: Ints, ridge: float) -> Floats:
    """(I,) of utilities whose mean in each pool is 0: from the inverse of the curvature, without what it says of a pool as a whole."""
    curvature = likelihood.curvature(utility_I) + ridge * sparse.eye_array(likelihood.n_items)
    if likelihood.n_items > MOST_DENSE:
        return np.sqrt(_probed_diagonal(curvature.tocsr(), pool_I))
    of_pool_I = 1 / (ridge * np.bincount(pool_I + 1)[pool_I + 1])  # a constant is an eigenvector: only the ridge holds it
    return np.sqrt(np.maximum(0.0, np.diag(np.linalg.inv(curvature.toarray())) - of_pool_I))


def _probed_diagonal(curvature: sparse.csr_array, pool_I: Ints) -> Floats:
    """(I,) the same by solving for random signs (Bekas, Kokiopoulou and Saad, 2007), which needs no matrix of all pairs."""
    from scipy.sparse.linalg import cg

    random = np.random.default_rng(0)
    rough = sparse.diags_array(1 / curvature.diagonal())
    total_I = np.zeros(len(pool_I))
    for _ in range(PROBES):
        sign_I = random.choice([-1.0, 1.0], len(pool_I))
        solved_I, _ = cg(curvature, _centred(sign_I, pool_I), rtol=1e-4, M=rough)
        total_I += sign_I * _centred(solved_I, pool_I)
    return np.maximum(0.0, total_I / PROBES)


def _checked(windows: Windows, n_items: int) -> list[Ints]:
    """The windows as arrays (W, k), by their length."""
    if isinstance(windows, np.ndarray):
        groups = [windows] if windows.size else []
    else:
        of_length: dict[int, list[Sequence[int]]] = {}
        for window in windows:
            of_length.setdefault(len(window), []).append(window)
        groups = [np.asarray(of_length[length]) for length in sorted(of_length)]
    if not groups:
        raise DataError("windows: must be one ranking at least; got none. See why they were lost.")
    for group in groups:
        if group.ndim != 2 or group.dtype.kind not in "iu" or group.shape[1] < 2:
            raise DataError(f"windows: must be rankings of two items or more, by their numbers; got {shown(group[:1].tolist(), 60)}. Leave it out.")
        ordered = np.sort(group, axis=1)
        if ordered[:, 0].min() < 0 or ordered[:, -1].max() >= n_items:
            found = int(ordered[:, 0].min()) if ordered[:, 0].min() < 0 else int(ordered[:, -1].max())
            raise DataError(f"windows: items have the numbers 0 … {n_items - 1}; got {found}. Number them anew.")
        if (twice := np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))).size:
            raise DataError(f"windows: an item stands in a window once; got {group[twice[0]].tolist()}. Leave that window out.")
    return [group.astype(np.int32) for group in groups]
