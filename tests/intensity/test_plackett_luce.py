"""Utilities against choix, brute force, and judges of known utilities."""

from __future__ import annotations

import itertools

import choix
import numpy as np
import pytest
from scipy.optimize import minimize

from tests.intensity.simulated import rank
from vat.errors import DataError
from vat.intensity.plackett_luce import MOST_DENSE, Windows, fit, log_likelihood
from vat.types import Floats, Ints

ALMOST_NONE = 1e-7


def judged(utility_I: Floats, k: int, m: int, seed: int) -> Ints:
    """m windows of k for each item as a Plackett–Luce judge ranks them."""
    random = np.random.default_rng(seed)
    n = len(utility_I)
    focal = np.repeat(np.arange(n), m)
    others = np.stack([random.choice(n - 1, k - 1, replace=False) for _ in focal])
    window = np.concatenate([focal[:, None], others + (others >= focal[:, None])], axis=1)
    return np.take_along_axis(window, rank(utility_I[window], rng=random), axis=1)


def written_out(window: tuple[int, ...], utility_I: Floats) -> float:
    """A window's probability as the formula is printed."""
    weight = np.exp(utility_I[list(window)])
    return float(np.prod([weight[j] / weight[j:].sum() for j in range(len(window))]))


@pytest.mark.parametrize("k", [2, 3, 4, 5, 6])
def test_the_likelihood_is_that_of_the_formula_and_sums_to_one(k: int) -> None:
    utility_I = np.random.default_rng(k).normal(size=k) * 2
    orders = list(itertools.permutations(range(k)))
    chances = [np.exp(log_likelihood([order], utility_I)) for order in orders]
    np.testing.assert_allclose(chances, [written_out(order, utility_I) for order in orders], rtol=1e-12)
    assert sum(chances) == pytest.approx(1)


@pytest.mark.parametrize("k", [2, 6])
def test_utilities_are_those_of_choix(k: int) -> None:
    windows, n = judged(np.random.default_rng(1).normal(size=40), k, 20, seed=2), 40
    peer = choix.ilsr_pairwise if k == 2 else choix.ilsr_rankings
    theirs_I = peer(n, [tuple(window) for window in windows.tolist()])
    found = fit(windows, n, ridge=ALMOST_NONE)
    assert found.converged
    np.testing.assert_allclose(found.utility_I, theirs_I - theirs_I.mean(), atol=1e-4)
    assert found.log_likelihood == pytest.approx(log_likelihood(windows, theirs_I), rel=1e-8)


def test_with_windows_of_all_lengths_and_a_ridge_it_is_the_maximum_that_brute_force_finds() -> None:
    random = np.random.default_rng(3)
    windows = [tuple(random.choice(6, random.integers(2, 7), replace=False).tolist()) for _ in range(25)]

    def loss(utility_I: Floats) -> float:
        return 0.15 * float(utility_I @ utility_I) - sum(np.log(written_out(window, utility_I)) for window in windows)

    brute = minimize(loss, np.zeros(6), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20_000, "maxfev": 20_000})
    np.testing.assert_allclose(fit(windows, 6, ridge=0.3).utility_I, brute.x, atol=1e-4)


def test_errors_are_those_of_the_curvature_written_out() -> None:
    windows, ridge, step = judged(np.random.default_rng(5).normal(size=7), 3, 8, seed=4), 0.2, 1e-4
    found = fit(windows, 7, ridge=ridge)
    bump = np.eye(7) * step
    hessian = [
        [
            sum(s * t * log_likelihood(windows, found.utility_I + s * bump[i] + t * bump[j]) for s in (1, -1) for t in (1, -1)) / (4 * step**2)
            for j in range(7)
        ]
        for i in range(7)
    ]
    centre = np.eye(7) - 1 / 7
    covariance = centre @ np.linalg.inv(ridge * np.eye(7) - np.array(hessian)) @ centre
    np.testing.assert_allclose(found.error_I, np.sqrt(np.diag(covariance)), rtol=1e-4)


@pytest.mark.parametrize("k", [2, 5])
def test_intervals_cover_the_truth(k: int) -> None:
    misses = []
    for seed in range(12):
        true_I = np.random.default_rng(seed).normal(size=150) * 1.5
        found = fit(judged(true_I, k, 30 if k == 2 else 6, seed=seed + 100), 150)
        misses.append((found.utility_I - (true_I - true_I.mean())) / found.error_I)
    within = (np.abs(misses) < 1.96).mean()
    assert 0.93 < within < 0.97, "1,800 intervals, whose share has a standard error of half a percent"


@pytest.mark.parametrize("sharpness", [0.5, 1.0])
def test_utilities_are_recovered_from_thirty_pairs_a_text(sharpness: float) -> None:
    true_I = np.random.default_rng(0).normal(size=1000) * 10 / 3
    found = fit(judged(sharpness * true_I, 2, 30, seed=1), 1000)
    assert np.corrcoef(found.utility_I, true_I)[0, 1] >= 0.95
    assert found.evaluations <= 30


def test_errors_of_many_items_are_probed_and_nearly_those_of_the_whole_inverse(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = judged(np.random.default_rng(0).normal(size=400), 2, 30, seed=1)
    whole_I = fit(windows, 400).error_I
    monkeypatch.setattr("vat.intensity.plackett_luce.MOST_DENSE", 10)
    assert MOST_DENSE > 400
    probed_I = fit(windows, 400).error_I
    assert not np.array_equal(probed_I, whole_I)
    np.testing.assert_allclose(probed_I, whole_I, rtol=0.08)
    assert abs((probed_I / whole_I).mean() - 1) < 0.01


def test_who_is_never_beaten_is_finite_and_said() -> None:
    windows = [(0, 1), (0, 2), (1, 2), (2, 1), (0, 1)]
    found = fit(windows, 3)
    assert np.isfinite(found.utility_I).all()
    assert found.utility_I[0] == found.utility_I.max()
    assert found.error_I[0] > found.error_I[1:].max()
    assert found.unbeaten_I.tolist() == [True, False, False]
    assert not found.beaten_I.any()
    assert fit([tuple(reversed(window)) for window in windows], 3).beaten_I.tolist() == [True, False, False]


def test_pools_without_a_window_between_them_are_told_apart_and_each_has_its_own_zero() -> None:
    found = fit([(0, 1), (1, 0), (1, 2), (2, 0), (3, 5), (5, 3), (3, 5)], 7)
    assert found.pools == 2
    assert found.pool_I.tolist() == [0, 0, 0, 1, -1, 1, -1]
    assert found.utility_I[[0, 1, 2]].sum() == pytest.approx(0, abs=1e-9)
    assert found.utility_I[3] == pytest.approx(-found.utility_I[5])
    assert np.isnan(found.utility_I[[4, 6]]).all()
    assert np.isnan(found.error_I[[4, 6]]).all()
    assert found.windows_I.tolist() == [3, 3, 2, 3, 0, 3, 0]
    alone = fit([(0, 1), (1, 0), (0, 1)], 2)
    np.testing.assert_allclose(found.utility_I[[3, 5]], alone.utility_I, atol=1e-5)
    np.testing.assert_allclose(found.error_I[[3, 5]], alone.error_I, rtol=1e-5)


def test_more_windows_go_on_from_the_utilities_of_fewer() -> None:
    true_I = np.random.default_rng(7).normal(size=300) * 2
    windows = judged(true_I, 2, 30, seed=8)
    random = np.random.default_rng(0)
    some = random.permutation(len(windows))
    before = fit(windows[some[: len(some) * 19 // 20]], 300)
    cold, warm = fit(windows, 300), fit(windows, 300, start=before.utility_I)
    np.testing.assert_allclose(warm.utility_I, cold.utility_I, atol=1e-4)
    assert warm.evaluations < cold.evaluations
    start_I = before.utility_I.copy()
    start_I[:5] = np.nan
    np.testing.assert_allclose(fit(windows, 300, start=start_I).utility_I, cold.utility_I, atol=1e-4)


def test_utilities_far_apart_neither_overflow_nor_lose_their_order() -> None:
    windows = [(i, i + 1) for i in range(60) for _ in range(40)]
    found = fit(windows, 61, ridge=1e-3)
    assert found.converged
    assert (np.diff(found.utility_I) < 0).all()
    assert np.ptp(found.utility_I) > 100
    assert np.isfinite(found.error_I).all()


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        ([], "windows: must be one ranking at least; got none"),
        (np.empty((0, 2), dtype=int), "windows: must be one ranking at least; got none"),
        ([(0, 1), (2,)], r"windows: must be rankings of two items or more, by their numbers; got \[\[2\]\]"),
        (np.array([[0.0, 1.0]]), "windows: must be rankings of two items or more, by their numbers; got"),
        ([(0, 1, 0)], r"windows: an item stands in a window once; got \[0, 1, 0\]"),
        ([(0, 3)], "windows: items have the numbers 0 … 2; got 3"),
        ([(-1, 2)], "windows: items have the numbers 0 … 2; got -1"),
    ],
)
def test_what_is_no_ranking_is_one_line(windows: Windows, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        fit(windows, 3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ridge", [0.0, -1.0, float("nan")])
def test_a_ridge_is_positive(ridge: float) -> None:
    with pytest.raises(DataError, match=r"^ridge=.*: must be positive"):
        fit([(0, 1)], 2, ridge=ridge)
