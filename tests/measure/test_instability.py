"""Table 1 of ValueFlow: numbers by hand, by planted noise, and by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from vat.measure.instability import instability, interval_of, ranked_right
from vat.types import Floats

NAN = math.nan


def test_numbers_by_hand() -> None:
    score_SRV = np.array([[[4.0], [-2.0], [1.0]], [[2.0], [2.0], [NAN]], [[5.0], [-1.0], [3.0]]])
    label_RV = np.array([[1.0], [-1.0], [0.0]])
    found, _ = instability(score_SRV, ["a", "b", "a"], [0, 0, 1], label_RV)
    assert found.variance.estimate == pytest.approx((2 + 8) / 2), "two judges in one wording, the third response has one score only"
    assert found.range.estimate == pytest.approx((2 + 4) / 2)
    assert found.sign_flips.estimate == pytest.approx(1 / 2)
    assert found.prompt_change.estimate == pytest.approx((1 + 1 + 2) / 3), "of judge a alone"
    assert found.sign_right.estimate == pytest.approx(5 / 6)
    assert found.ranked_right.estimate == pytest.approx((1 + 0.5 + 1) / 3), "a tie is half right"


def test_what_cannot_be_told_is_missing_and_no_number() -> None:
    one = np.array([[[4.0], [-2.0]]])
    found, _ = instability(one, ["a"], [0], np.zeros((2, 1)))
    assert all(math.isnan(x) for estimate in found for x in estimate)
    found, _ = instability(np.full((2, 2, 1), NAN), ["a", "b"], [0, 0], np.ones((2, 1)))
    assert all(math.isnan(x) for estimate in found for x in estimate)


def noisy(R: int, seed: int, noise: float, judges: int = 4, wordings: int = 2) -> tuple[Floats, list[str], list[int], Floats]:
    """Scores with normal noise of their own each, of responses whose truth is ±3."""
    random = np.random.default_rng(seed)
    label_RV = random.choice([-1.0, 1.0], size=(R, 3))
    score_SRV = 3 * label_RV + random.normal(0, noise, (judges * wordings, R, 3))
    return score_SRV, [f"j{n}" for n in range(judges) for _ in range(wordings)], list(range(wordings)) * judges, label_RV


def test_planted_noise_is_recovered_and_intervals_hold_it() -> None:
    held = 0
    for seed in range(40):
        found, _ = instability(*noisy(80, seed, 2.0), n_boot=199, seed=seed)
        assert found.prompt_change.estimate == pytest.approx(2 * 2 / math.sqrt(math.pi), rel=0.12)
        assert found.sign_right.estimate == pytest.approx(0.933, abs=0.04)
        held += found.variance.low <= 4.0 <= found.variance.high
    assert held >= 33, "of 40, at 95%"


def test_the_same_responses_are_resampled_for_every_method_so_that_differences_are_paired() -> None:
    calm, loud = (noisy(60, 3, noise) for noise in (1.0, 1.4))
    first, second = (instability(*sets)[1] for sets in (calm, loud))
    again = instability(*calm)[1]
    assert all(np.array_equal(first[name], again[name]) for name in first)
    low, high = interval_of(second["variance"] - first["variance"])
    assert 0 < low < 1.4**2 - 1 < high


def test_the_share_of_pairs_is_the_area_under_the_curve_and_its_interval_covers() -> None:
    random = np.random.default_rng(0)
    score_R, label_R = np.round(random.normal(size=50), 1), random.choice([-1.0, 0.0, 1.0], size=50)
    labelled = label_R != 0
    found = ranked_right(score_R[:, None], label_R[:, None])
    assert found.estimate == pytest.approx(roc_auc_score(label_R[labelled] > 0, score_R[labelled]))
    [[shared]] = [instability(score_R[None, :, None], ["a"], [0], label_R[:, None])[0].ranked_right[:1]]
    assert shared == pytest.approx(found.estimate)
    held = 0
    for _ in range(200):
        label = np.repeat([-1.0, 1.0], 40)
        one = ranked_right((label + random.normal(0, 1.5, 80))[:, None], label[:, None])
        held += one.low <= 0.8271 <= one.high  # Φ(2 / (1.5 √2))
    assert held / 200 > 0.9
    assert all(math.isnan(x) for x in ranked_right(np.ones((3, 1)), np.ones((3, 1)))), "nobody is labelled against it"
