"""Means with their intervals, and what the other values did per unit of gain."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import ttest_1samp

from vat.measure.gain import gain_normalised_deviation, mean_interval

shifts = arrays.arrays(float, st.tuples(st.integers(3, 12), st.integers(2, 5)), elements=st.integers(-8, 8).map(lambda k: k / 4) | st.just(np.nan))


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_the_interval_of_a_mean_is_students(seed, missing):
    random = np.random.default_rng(seed)
    x = random.normal(0.2, 1, 30)
    x[random.random(30) < missing] = np.nan
    test = ttest_1samp(x, 0.0, nan_policy="omit")
    interval = test.confidence_interval(0.95)
    found = mean_interval(x)
    assert found.n == np.count_nonzero(~np.isnan(x))
    np.testing.assert_allclose(found[1:], [np.nanmean(x), interval.low, interval.high], atol=1e-12)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([], (0, np.nan, np.nan, np.nan)),
        ([np.nan, np.nan], (0, np.nan, np.nan, np.nan)),
        ([np.nan, 0.5], (1, 0.5, np.nan, np.nan)),
        ([0.5, 0.5, np.nan], (2, 0.5, 0.5, 0.5)),
    ],
)
def test_what_too_few_numbers_do_not_define_is_nan(x, expected):
    np.testing.assert_array_equal(mean_interval(np.array(x, dtype=float)), expected)


def test_a_95_percent_interval_covers_the_mean_95_times_in_100():
    samples = np.random.default_rng(0).normal(0.3, 1, (4000, 12))
    covered = sum(interval.low <= 0.3 <= interval.high for interval in map(mean_interval, samples))
    assert abs(covered / 4000 - 0.95) < 0.0114  # 3.3 standard errors


def test_deviations_are_mean_shifts_per_unit_of_gain():
    shift = np.array([[-0.5, 0.25, 0.0, np.nan], [-0.375, 0.25, 0.0, 1.5], [-0.625, 0.25, 0.0, np.nan]])
    np.testing.assert_allclose(gain_normalised_deviation(shift, target=0).gnd_V, [-1, 0.5, 0, 3])


@settings(deadline=None)
@given(shifts, st.floats(0.01, 1))
def test_the_target_deviates_by_one_and_the_unit_of_shifts_does_not_matter(shift, factor):
    shift[:, 0] = 1 + np.abs(shift[:, 0]) / 8  # at least 1, spread at most 0.25: the interval leaves 0 out
    assume(np.count_nonzero(~np.isnan(shift[:, 0])) > 2)
    found = gain_normalised_deviation(shift, target=0).gnd_V
    assert found[0] == 1
    assert gain_normalised_deviation(-shift, target=0).gnd_V[0] == -1
    np.testing.assert_allclose(gain_normalised_deviation(shift * factor, target=0).gnd_V, found, atol=1e-12)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(shift).all(axis=0))


@pytest.mark.parametrize(
    "target_shift",
    [[-0.5, 0.5, 0.25], [0.0, 0.0, 0.0], [0.0, 0.25, 0.5], [0.5, np.nan, np.nan], [np.nan] * 3],
    ids=["either way", "none", "too uncertain", "one scene", "no scene"],
)
def test_no_deviation_is_defined_while_the_gain_may_be_nothing(target_shift):
    shift = np.column_stack([target_shift, [0.5, 0.5, 0.5]])
    assert np.isnan(gain_normalised_deviation(shift, target=0)).all()
    assert gain_normalised_deviation(shift, target=1).gnd_V[1] == 1


def test_a_95_percent_interval_of_a_deviation_covers_it_95_times_in_100():
    random, covered = np.random.default_rng(0), 0
    for _ in range(2000):
        target = random.normal(-0.4, 0.5, 80)
        other = 0.5 * target + random.normal(0.3, 0.4, 80)  # mean 0.1, so 0.25 per unit of a gain of 0.4
        _, low, high = gain_normalised_deviation(np.column_stack([target, other]), target=0)
        covered += low[1] <= 0.25 <= high[1]
    assert abs(covered / 2000 - 0.95) < 0.0161  # 3.3 standard errors


def test_the_targets_own_deviation_is_certain_and_an_interval_holds_its_deviation():
    shift = np.random.default_rng(1).normal([-0.4, 0.1, 0.3], 0.3, (60, 3))
    gnd, low, high = gain_normalised_deviation(shift, target=0)
    assert (low[0], gnd[0], high[0]) == pytest.approx((-1, -1, -1))
    assert (low[1:] < gnd[1:]).all()
    assert (gnd[1:] < high[1:]).all()
    up = gain_normalised_deviation(-shift, target=0)
    np.testing.assert_allclose(up.low_V[1:], -high[1:])
