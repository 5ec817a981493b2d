"""Means with their intervals, and what the other values did per unit of gain."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binom, ttest_1samp
from scipy.stats import t as student_t

from vat.errors import DataError
from vat.measure.gain import gain_normalised_deviation, mean_interval
from vat.measure.jackknife import jackknife

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


def crossed_shifts(seed, share, values=1, scenes=80):
    """Scenes of 12 countries × 11 topics × 2, of which each factor carries `share` of the variance."""
    random = np.random.default_rng(seed)
    scene = random.choice(264, scenes, replace=False)
    factors = {"country": scene % 12, "topic": scene // 12 % 11}
    effects = random.normal(size=(12, values))[factors["country"]] + random.normal(size=(11, values))[factors["topic"]]
    return np.sqrt(share) * effects + np.sqrt(1 - 2 * share) * random.normal(size=(scenes, values)), factors


def test_the_interval_for_other_countries_and_topics_comes_out_as_worked_by_hand():
    """Two countries by two topics: variance 8/3 with 3 degrees of freedom, as in test_jackknife."""
    found = mean_interval(np.array([0.0, 0, 4, 4]), factors={"country": list("aabb"), "topic": list("xyxy")})
    reach = np.sqrt(8 / 3) * 3.182446305284263
    np.testing.assert_allclose(found, (4, 2, 2 - reach, 2 + reach), rtol=1e-9)


def test_factors_count_where_the_number_was_observed():
    x, factors = crossed_shifts(0, 0.3)
    x[3::7] = np.nan
    seen = ~np.isnan(x[:, 0])
    expected = mean_interval(x[seen, 0], factors={name: levels[seen] for name, levels in factors.items()})
    assert mean_interval(x[:, 0], factors=factors) == expected
    assert mean_interval(x[:, 0], factors=factors)[2] < mean_interval(x[:, 0])[2]


def test_the_order_of_scenes_and_the_names_of_levels_do_not_matter():
    x, factors = crossed_shifts(1, 0.3, values=3)
    x[:, 0] += 3
    order = np.random.default_rng(1).permutation(80)
    other = {f"the {name}": [f"{name} {99 - level}" for level in levels[order]] for name, levels in factors.items()}
    np.testing.assert_allclose(mean_interval(x[order, 0], factors=other), mean_interval(x[:, 0], factors=factors), atol=1e-12)
    for found, expected in zip(
        gain_normalised_deviation(x[order], target=0, factors=other), gain_normalised_deviation(x, target=0, factors=factors), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("factors", [None, {}, {"model": ["one"] * 80}], ids=str)
def test_without_factors_of_two_levels_scenes_are_independent(factors):
    x, _ = crossed_shifts(2, 0.3, values=2)
    x[:, 0] += 3
    assert mean_interval(x[:, 0], factors=factors) == mean_interval(x[:, 0])
    np.testing.assert_array_equal(gain_normalised_deviation(x, target=0, factors=factors), gain_normalised_deviation(x, target=0))


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_with_factors_an_interval_covers_where_one_over_scenes_alone_does_not(share):
    """6000 data sets: 92.8% and 94.0% with factors, 79.7% and 61.0% without."""
    data_sets, within, alone = 400, 0, 0
    for seed in range(data_sets):
        x, factors = crossed_shifts(seed, share)
        _, _, low, high = mean_interval(x[:, 0], factors=factors)
        within += low <= 0 <= high
        _, _, low, high = mean_interval(x[:, 0])
        alone += low <= 0 <= high
    assert binom.ppf(0.001, data_sets, 0.93) <= within <= binom.ppf(0.999, data_sets, 0.95)
    assert alone < binom.ppf(0.001, data_sets, 0.9)


def test_a_gain_that_countries_make_uncertain_defines_no_deviation():
    country = np.arange(80) % 4
    shift = np.column_stack([np.array([1.0, 1, 1, -1])[country], np.ones(80)]) + np.random.default_rng(0).normal(size=(80, 2)) / 10
    assert not np.isnan(gain_normalised_deviation(shift, target=0)).any()
    assert np.isnan(gain_normalised_deviation(shift, target=0, factors={"country": country})).all()


def test_with_factors_a_deviation_is_the_same_and_less_sure_and_the_targets_own_as_sure_as_ever():
    x, factors = crossed_shifts(3, 0.3, values=3)
    x[:, 0] -= 3
    alone, within = gain_normalised_deviation(x, target=0), gain_normalised_deviation(x, target=0, factors=factors)
    np.testing.assert_array_equal(within.gnd_V, alone.gnd_V)
    assert (within.low_V[0], within.high_V[0]) == pytest.approx((-1, -1))
    assert (within.high_V[1:] - within.low_V[1:] > alone.high_V[1:] - alone.low_V[1:]).all()


@pytest.mark.parametrize("factors", [False, True], ids=["scenes", "factors"])
def test_the_bounds_of_a_deviation_are_the_ratios_that_are_just_distinguishable(factors):
    """Fieller: at a bound θ the mean of x - θy lies Student's quantile of its own standard errors from 0."""
    shift, levels = crossed_shifts(4, 0.1, values=2)
    shift[:, 0], levels = shift[:, 0] + 3, levels if factors else None
    _, low, high = gain_normalised_deviation(shift, target=0, factors=levels)
    three = np.column_stack([shift, shift[:, 1] - shift[:, 0]])
    varied = jackknife(lambda weight: weight @ three / weight.sum(axis=1)[:, None], three.mean(axis=0), 80, factors=levels)
    quantile = student_t.ppf(0.975, varied.freedom_K.min())
    assert (quantile > 2.02) == factors  # fewer degrees of freedom than of 80 scenes
    gain, other, difference = np.diagonal(varied.covariance_KK)
    covariance = (gain + other - difference) / 2
    for ratio, sign in ((low[1], 1), (high[1], -1)):
        error = np.sqrt(other - 2 * ratio * covariance + ratio**2 * gain)
        assert shift[:, 1].mean() - ratio * shift[:, 0].mean() == pytest.approx(sign * quantile * error, rel=1e-9)


@pytest.mark.parametrize("levels", [["a"] * 79, [], "a"], ids=["one short", "none", "a word"])
def test_factors_of_another_length_are_refused_in_one_line(levels):
    x, factors = crossed_shifts(0, 0.1, values=2)
    refused = r"^factors\['topic'\]: needs one level for each of the 80 scenes; got \d+\. Pair them by scene\.$"
    with pytest.raises(DataError, match=refused):
        mean_interval(x[:, 0], factors=factors | {"topic": levels})
    with pytest.raises(DataError, match=refused):
        gain_normalised_deviation(x, target=0, factors=factors | {"topic": levels})
