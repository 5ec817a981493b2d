import numpy as np
import pytest
from scipy.stats import binomtest

from vat.generate.intervals import NOT_KNOWN, share_over_scenes, standardised_difference


def clumped(random, *, share, scenes=60, each=10):
    """Hits of scenes whose own shares differ: (hits, scenes)."""
    own = random.beta(2 * share, 2 * (1 - share), size=scenes)
    return random.random(scenes * each) < np.repeat(own, each), np.repeat(np.arange(scenes), each)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5])
def test_the_interval_of_a_share_covers_it_where_hits_come_in_clumps(share):
    random = np.random.default_rng(1)
    found = [share_over_scenes(*clumped(random, share=share)) for _ in range(400)]
    assert np.mean([e.low <= share <= e.high for e in found]) > 0.92
    naive = [binomtest(int(h.sum()), len(h)).proportion_ci(method="wilson") for h, _ in (clumped(random, share=share) for _ in range(400))]
    assert np.mean([e.low <= share <= e.high for e in naive]) < 0.8


def test_a_share_that_does_not_clump_has_the_interval_of_independent_trials():
    random = np.random.default_rng(2)
    hit_N = random.random(3000) < 0.2
    found = share_over_scenes(hit_N, np.arange(3000) % 300)
    wilson = binomtest(int(hit_N.sum()), 3000).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=0.003)


@pytest.mark.parametrize("hits", [0, 1])
def test_where_all_or_none_are_hits_scenes_are_the_trials(hits):
    found = share_over_scenes(np.full(3000, bool(hits)), np.arange(3000) % 300)
    far = {0: found.high, 1: 1 - found.low}[hits]
    assert 0.005 < far < 0.02
    assert found.number == {0: found.low, 1: found.high}[hits] == hits


def test_a_large_group_counts_no_more_than_a_small_one():
    hit_N = np.array([True] * 90 + [False] * 10)
    group_N = np.array([0] * 90 + [1] * 10)
    scene_N = np.arange(100) % 10
    assert share_over_scenes(hit_N, scene_N).number == pytest.approx(0.9)
    assert share_over_scenes(hit_N, scene_N, group_N).number == pytest.approx(0.5)


def test_one_scene_tells_nothing_of_others():
    assert share_over_scenes(np.array([True, False]), np.array([3, 3])) is NOT_KNOWN
    assert standardised_difference(np.arange(4.0), np.array([True, False] * 2), np.array([0, 0, 1, 1])) is NOT_KNOWN


def test_a_planted_difference_is_found_in_standard_deviations():
    random = np.random.default_rng(3)
    first_N, scene_N = np.tile([True, False], 2000), np.repeat(np.arange(200), 20)
    found = standardised_difference(random.normal(20, 4, 4000) + 2 * first_N, first_N, scene_N)
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.2


def test_the_interval_of_a_difference_covers_nought_as_often_as_it_says_though_scenes_differ():
    random = np.random.default_rng(4)
    first_N, scene_N = np.tile([True, False], 300), np.repeat(np.arange(30), 20)
    covered = []
    for _ in range(300):
        tilt = np.repeat(random.normal(0, 2, 30), 20)  # in some scenes the first side is longer, in some the other
        found = standardised_difference(random.normal(20, 4, 600) + tilt * first_N, first_N, scene_N)
        covered.append(found.low <= 0 <= found.high)
    assert 0.91 < np.mean(covered) < 0.985


def test_what_does_not_vary_has_no_standardised_difference():
    assert standardised_difference(np.full(40, 7.0), np.tile([True, False], 20), np.repeat(np.arange(4), 10)) is NOT_KNOWN
