"""Intensities of responses among anchors, by judges whose sharpness is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from vat.errors import DataError
from vat.intensity.plackett_luce import log_likelihood as of_rankings
from vat.intensity.response import BELOW, PRIOR_SD, Rankings, fitted, intensities, log_likelihood, sharpness
from vat.types import Floats


def judged(true_R: Floats, sharp: float, *, m: int = 3, anchors: int = 5, seed: int = 0) -> Rankings:
    """m windows for each response, an anchor from each of equal bins of the scale, as a Plackett–Luce judge ranks them."""
    random = np.random.default_rng(seed)
    pool = random.normal(size=2000)
    pool *= 10 / np.abs(pool).max()
    edges = np.linspace(-10, 10, anchors + 1)
    anchor_RMA = np.stack([
        random.choice(pool[(pool >= low) & (pool <= high)], (len(true_R), m)) for low, high in itertools.pairwise(edges)
    ], axis=2)  # fmt: skip
    noisy_RMA = sharp * anchor_RMA + random.gumbel(size=anchor_RMA.shape)
    own_RM = sharp * true_R[:, None] + random.gumbel(size=(len(true_R), m))
    ranked_RMA = np.take_along_axis(anchor_RMA, np.argsort(-noisy_RMA, axis=2), axis=2)
    return Rankings(ranked_RMA, (noisy_RMA > own_RM[..., None]).sum(axis=2))


def uniform(count: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).uniform(-9, 9, count)


def test_the_likelihood_is_that_of_whole_rankings_up_to_a_constant() -> None:
    rankings = judged(uniform(4), 0.7, m=2, anchors=4)
    for row in range(4):
        there = [
            sum(
                of_rankings([list(range(5))], 0.7 * np.insert(anchor_A, place, x))
                for anchor_A, place in zip(rankings.anchor_RMA[row], rankings.place_RM[row], strict=True)
            ) for x in (-3.0, 0.0, 4.0)
        ]  # fmt: skip
        one = Rankings(rankings.anchor_RMA[[row] * 3], rankings.place_RM[[row] * 3])
        ours = log_likelihood(one, np.array([-3.0, 0.0, 4.0]), beta=0.7)
        np.testing.assert_allclose(np.diff(ours), np.diff(there), atol=1e-10)


@pytest.mark.parametrize("beta", [0.2, 1.0, 3.0])
def test_all_at_once_they_are_what_a_search_finds_one_by_one(beta: float) -> None:
    rankings = judged(uniform(60), beta)
    found_R = fitted(rankings, beta=beta)
    for row, found in enumerate(found_R):
        one = Rankings(rankings.anchor_RMA[row : row + 1], rankings.place_RM[row : row + 1])
        loss = lambda x, one=one: x * x / (2 * PRIOR_SD**2) - log_likelihood(one, np.array([x]), beta=beta)[0]  # noqa: E731
        assert found == pytest.approx(minimize_scalar(loss, bounds=(-80, 80), method="bounded", options={"xatol": 1e-9}).x, abs=1e-4)


def test_a_judge_as_sharp_as_the_anchors_say_is_off_by_less_than_one() -> None:
    true_R = uniform(2000)
    found = intensities(judged(true_R, 1.0))
    assert np.abs(found.intensity_R - true_R).mean() < 1.0


@pytest.mark.parametrize("sharp", [0.2, 0.5, 1.0])
def test_intervals_cover_at_every_sharpness_and_the_sharpness_is_found(sharp: float) -> None:
    true_R = uniform(1500)
    rankings = judged(true_R, sharp)
    known = sharpness(rankings)
    assert abs(known.beta - sharp) < 3.5 * known.error
    assert known.error < 0.02
    assert known.is_as_said == (sharp == 1.0)
    found = intensities(rankings, beta=known.beta)
    within = ((found.low_R <= true_R) & (true_R <= found.high_R)).mean()
    assert within > 0.93


def test_taking_a_blunt_judge_for_a_sharp_one_is_off_by_more_than_two_and_its_intervals_do_not_cover() -> None:
    true_R = uniform(1500)
    rankings = judged(true_R, 0.2)
    believed, known = intensities(rankings), intensities(rankings, beta=sharpness(rankings).beta)
    assert np.abs(believed.fitted_R - true_R).mean() > 2
    assert ((believed.low_R <= true_R) & (true_R <= believed.high_R)).mean() < 0.7
    assert np.median(known.high_R - known.low_R) > 2 * np.median(believed.high_R - believed.low_R)


def test_the_sharpness_has_an_interval_that_covers() -> None:
    covered = [(low := sharpness(judged(uniform(40, seed), 0.6, seed=seed))).low <= 0.6 <= low.high for seed in range(100)]
    assert 88 <= sum(covered) <= 100, "binomial of 95%: less than 88 happens once in 1,000"


def test_more_windows_make_it_surer() -> None:
    true_R = uniform(500)
    few, many = (intensities(judged(true_R, 1.0, m=m)) for m in (1, 10))
    assert np.mean(many.high_R - many.low_R) < 0.5 * np.mean(few.high_R - few.low_R)
    assert np.abs(many.intensity_R - true_R).mean() < 0.7 * np.abs(few.intensity_R - true_R).mean()


def test_last_in_every_window_is_just_below_the_least_anchor_and_first_in_every_window_at_the_greatest() -> None:
    anchors = np.array([[[6.0, 2.0, -1.0], [5.0, 1.0, -3.0]]] * 3)
    found = intensities(Rankings(anchors, np.array([[3, 3], [0, 0], [3, 0]])))
    assert found.intensity_R[:2].tolist() == [-3.0 - BELOW, 6.0]
    assert -3.0 < found.intensity_R[2] < 6.0
    assert found.below_R.tolist() == [True, False, False]
    assert found.above_R.tolist() == [False, True, False]
    assert np.isfinite(found.fitted_R).all()
    assert found.high_R[1] > 8
    assert found.low_R[0] < -6
    assert intensities(Rankings(anchors - 7, np.array([[3, 3]] * 3))).intensity_R[0] == -10, "and never off the scale"


def test_lost_windows_do_not_count_and_a_response_without_any_has_no_intensity() -> None:
    rankings = judged(uniform(3), 1.0)
    place_RM = rankings.place_RM.copy()
    place_RM[0, 1], place_RM[1] = -1, -1
    found = intensities(Rankings(rankings.anchor_RMA, place_RM))
    assert found.windows_R.tolist() == [2, 0, 3]
    for column_R in (found.intensity_R, found.low_R, found.high_R, found.fitted_R):
        assert np.isnan(column_R).tolist() == [False, True, False]
    left = Rankings(rankings.anchor_RMA[:1][:, [0, 2]], rankings.place_RM[:1][:, [0, 2]])
    assert found.intensity_R[0] == pytest.approx(intensities(left).intensity_R[0])
    assert not found.below_R[1]
    last = Rankings(rankings.anchor_RMA[:1], np.array([[5, -1, 5]]))
    assert intensities(last).below_R[0], "in every window that it has"
    first = Rankings(rankings.anchor_RMA[:1], np.array([[0, -1, 0]]))
    assert intensities(first).above_R[0]
    assert sharpness(Rankings(rankings.anchor_RMA, place_RM)).windows == 5


@pytest.mark.parametrize("anchors", [np.ones((4, 2, 3)), np.ones((4, 2, 1)), np.ones((0, 2, 3))], ids=["alike", "one", "none"])
def test_anchors_that_do_not_differ_say_nothing_of_sharpness(anchors: Floats) -> None:
    with pytest.raises(DataError, match=r"^sharpness: windows must hold anchors of different intensity; got none"):
        sharpness(Rankings(anchors, np.zeros(anchors.shape[:2], dtype=int)))


def test_a_judge_who_ranks_anchors_the_wrong_way_round_is_refused() -> None:
    rankings = judged(uniform(50), -0.5)
    assert sharpness(rankings).beta < 0
    with pytest.raises(DataError, match=r"^sharpness=-0\.\d+: must be positive; got a judge who ranks anchors against their order"):
        intensities(rankings, beta=sharpness(rankings).beta)


def test_anchors_that_are_all_in_their_order_have_no_finite_sharpness_but_an_end() -> None:
    ordered = np.broadcast_to(np.array([8.0, 3.0, -2.0, -7.0]), (30, 3, 4))
    found = sharpness(Rankings(ordered, np.zeros((30, 3), dtype=int)))
    assert found.beta > 1
    assert not found.is_as_said or found.error > 0.1
