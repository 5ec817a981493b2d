"""Resamples of scenes and intervals of taxes: against data that are really resampled, what they must not depend on, and that they cover."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binom
from scipy.stats import t as student_t

from vat.errors import DataError
from vat.measure.coupling import checked, couple
from vat.measure.gain import mean_interval
from vat.measure.indices import gini, system_tax, value_tax
from vat.measure.resample import bootstrap_weights, level_codes, subsample_weights
from vat.measure.uncertainty import TaxIntervals, bootstrap, subsample, tax_intervals

NAN = float("nan")
GINI = ("gini_low", "gini_high")
quarters = st.integers(-4, 4).map(lambda k: k / 4)


def coupled_shifts(seed, rho=0.4, scenes=80, values=10, missing=0.0):
    """Values of which each pair correlates by rho, through one common factor; 5 steps to a standard deviation."""
    random = np.random.default_rng(seed)
    common, own = random.normal(size=(scenes, 1)), random.normal(size=(scenes, values))
    shift = np.round((np.sqrt(rho) * common + np.sqrt(1 - rho) * own) * 5) / 20
    shift[random.random(shift.shape) < missing] = NAN
    return checked(shift)


def intervals(shift, *, factors=None, n_boot=200, seed=0):
    shift = checked(shift)
    return tax_intervals(shift, couple(shift), factors=factors, n_boot=n_boot, seed=seed)


def assert_same(found, expected, atol=1e-9, but=()):
    for name in TaxIntervals._fields:
        if name not in but:
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=atol, rtol=0, err_msg=name)


def taxes_of_rows(shift, weight):
    """VAT, nVAT and Gini of the rows as often as they are drawn, from pandas' couplings; for draws of 3 different scenes at least."""
    rows = pd.DataFrame(np.repeat(shift, weight.astype(int), axis=0))
    coupling = rows.corr("spearman", min_periods=3).to_numpy(copy=True)
    np.fill_diagonal(coupling, NAN)
    tax = np.where(np.isnan(coupling).all(axis=1), NAN, np.sqrt(np.nansum(coupling**2, axis=1)))
    pairs = coupling[~np.isnan(coupling)]
    return tax, np.sqrt((pairs**2).mean()) if len(pairs) else NAN, gini(tax)


@pytest.mark.parametrize("groups", [None, ["a", "b", "c", "d", "e"] * 8], ids=["scenes", "groups"])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_bootstrap_draws_are_the_taxes_of_resampled_data(missing, groups):
    shift = coupled_shifts(0, scenes=40, values=4, missing=missing)
    draws = bootstrap(shift, groups=groups, n_boot=20, seed=5)
    codes = None if groups is None else level_codes(groups, 40, where="groups")
    assert draws.coupling_BVV.shape == (20, 4, 4)
    for b, weight in enumerate(bootstrap_weights(40, group_S=codes, n_boot=20, seed=5)):
        tax, nvat, centre = taxes_of_rows(shift, weight)
        np.testing.assert_allclose(draws.value_tax_BV[b], tax, atol=1e-12)
        np.testing.assert_allclose([draws.nvat_B[b], draws.gini_B[b]], [nvat, centre], atol=1e-12)


def test_subsamples_are_the_taxes_of_the_scenes_they_keep():
    shift = coupled_shifts(1, scenes=25, values=4, missing=0.1)
    draws = subsample(shift, share=0.6, n_draws=20, seed=5)
    for b, weight in enumerate(subsample_weights(25, n_kept=15, n_draws=20, seed=5)):
        tax, nvat, centre = taxes_of_rows(shift, weight)
        np.testing.assert_allclose(draws.value_tax_BV[b], tax, atol=1e-12)
        np.testing.assert_allclose([draws.nvat_B[b], draws.gini_B[b]], [nvat, centre], atol=1e-12)


@pytest.mark.parametrize("draw", [bootstrap, subsample, lambda shift, seed: bootstrap(shift, groups=np.arange(80) // 8, n_boot=99, seed=seed)])
def test_one_seed_gives_one_set_of_draws_and_another_another(draw):
    shift = coupled_shifts(0, values=3)
    first, again, other = (draw(shift, seed=seed) for seed in (1, 1, 2))
    for found, expected in zip(again, first, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(first.nvat_B, other.nvat_B)


def test_what_a_draw_does_not_define_is_nan():
    shift = np.array([[0.25, 0.5, 0], [0, 0.25, 0], [0, 0, 0.25], [0, 0.75, 0], [0, 1.0, 0]])  # the first and the last move in one scene
    draws = bootstrap(shift, n_boot=400, seed=0)
    weight = bootstrap_weights(5, n_boot=400, seed=0)
    still = (weight[:, 0] == 0) | ((weight > 0).sum(axis=1) < 3)
    np.testing.assert_array_equal(np.isnan(draws.coupling_BVV[:, 0, 1]), still)
    nothing = np.isnan(draws.coupling_BVV[:, *np.triu_indices(3, 1)]).all(axis=1)
    assert 0 < nothing.sum() < 400
    np.testing.assert_array_equal(np.isnan(draws.nvat_B), nothing)
    np.testing.assert_array_equal(np.isnan(draws.gini_B), nothing)
    np.testing.assert_array_equal(np.isnan(draws.value_tax_BV[:, 0]), np.isnan(draws.coupling_BVV[:, 0, 1:]).all(axis=1))


def test_subsamples_spread_half_as_much_as_samples_do():
    """sqrt(left out / kept), so 1/2 at 80%: why their standard deviation is not a standard error. Of nvat², which is smooth."""
    within = np.mean([(subsample(coupled_shifts(seed), n_draws=200).nvat_B ** 2).std() for seed in range(10)])
    among = np.std([system_tax(couple(coupled_shifts(seed)).coupling_VV) ** 2 for seed in range(600)])
    assert within / among == pytest.approx(0.5, rel=0.15)


@pytest.mark.parametrize(
    ("draw", "options", "message"),
    [
        (bootstrap, {"n_boot": 0}, r"n_boot: needs at least 1 draw; got 0\. Use 1000 or more\."),
        (bootstrap, {"n_boot": -5}, r"n_boot: needs at least 1 draw; got -5\. Use 1000 or more\."),
        (bootstrap, {"groups": ["a"] * 79}, r"groups: needs one level for each of the 80 scenes; got 79\. Pair them by scene\."),
        (bootstrap, {"groups": []}, r"groups: needs one level for each of the 80 scenes; got 0\. Pair them by scene\."),
        (subsample, {"n_draws": 0}, r"n_draws: needs at least 1 draw; got 0\. Use 1000 or more\."),
        (subsample, {"share": 0.02}, r"share: must keep at least 3 of 80 scenes and not all; got 0\.02, which keeps 2\. Use share=0\.8\."),
        (subsample, {"share": 1.0}, r"share: must keep at least 3 of 80 scenes and not all; got 1, which keeps 80\. Use share=0\.8\."),
        (subsample, {"share": -0.5}, r"share: must keep at least 3 of 80 scenes and not all; got -0\.5, which keeps -40\. Use share=0\.8\."),
    ],
)
def test_draws_that_make_no_sense_are_refused_in_one_line(draw, options, message):
    with pytest.raises(DataError, match=f"^{message}$"):
        draw(coupled_shifts(0), **options)


@pytest.mark.parametrize("draw", [bootstrap, subsample])
@pytest.mark.parametrize("shift", [np.zeros((2, 3)), np.zeros((5, 1)), np.zeros(5), np.full((5, 2), np.inf)], ids=str)
def test_shifts_that_have_no_coupling_are_refused_in_one_line(draw, shift):
    with pytest.raises(DataError, match=r"^shift_SV: [^\n]+; got [^\n]+\. [A-Z][^\n]+\.$"):
        draw(shift)


@pytest.mark.parametrize("factors", [False, True], ids=["scenes", "factors"])
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_intervals_do_not_depend_on_the_order_of_scenes_or_values_or_on_the_unit_of_shifts(missing, factors):
    shift, random = coupled_shifts(0, 0.3, values=5, missing=missing), np.random.default_rng(0)
    levels = {"country": np.arange(80) % 12, "topic": np.arange(80) % 11} if factors else None
    expected = intervals(shift, factors=levels, n_boot=2000)
    scenes, values = random.permutation(80), random.permutation(5)
    reordered = intervals(shift[scenes], factors=levels and {name: of[scenes] for name, of in levels.items()}, n_boot=2000)
    assert_same(reordered, expected, but=GINI)
    recoded = intervals(np.exp(shift) * [1, 2, 3, 4, 5], factors=levels, n_boot=2000)
    assert_same(recoded, expected)
    shuffled = intervals(shift[:, values], factors=levels, n_boot=2000)
    in_order = expected._replace(
        **{name: getattr(expected, name)[values][:, values] for name in ("coupling_low_VV", "coupling_high_VV")},
        **{name: getattr(expected, name)[values] for name in ("value_tax_low_V", "value_tax_high_V")},
    )
    assert_same(shuffled, in_order, but=GINI)
    for other in (reordered, shuffled):  # other simulated taxes
        np.testing.assert_allclose([other.gini_low, other.gini_high], [expected.gini_low, expected.gini_high], atol=0.02)


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_bounds_are_those_of_the_jackknife_over_countries_and_topics_each_on_its_scale(missing):
    """By loops and pandas: leave out each scene, country, topic and cell; couplings by Fisher, VAT by cube roots, nvat by logs."""
    shift = coupled_shifts(4, 0.5, scenes=30, values=3, missing=missing)
    country, topic = np.arange(30) % 5, np.arange(30) // 8
    factors, scenes, upper, off = {"country": country, "topic": topic}, np.arange(30), np.triu_indices(3, 1), ~np.eye(3, dtype=bool)

    def statistics(rows):
        coupling = pd.DataFrame(shift[rows]).corr("spearman", min_periods=3).to_numpy()
        square = np.where(off, coupling, 0.0) ** 2
        return np.concatenate([np.arctanh(coupling[upper]), square.sum(axis=1), [square[off].mean()]])

    def left_out(group):
        left = np.array([statistics(scenes[group != level]) for level in np.unique(group)])
        count, apart = len(left), left - left.mean(axis=0)
        return (count - 1) * (left.mean(axis=0) - estimate), (count - 1) / count * (apart**2).sum(axis=0)

    estimate = statistics(scenes)
    (_, alone), of_country, of_topic, of_cell = (left_out(group) for group in (scenes, country, topic, 10 * country + topic))
    bias, crossed = (a + b - c for a, b, c in zip(of_country, of_topic, of_cell, strict=True))
    variance = np.maximum(alone, crossed)
    freedom = 1 / ((1 - alone / variance) ** 2 / 3 + (alone / variance) ** 2 / 29)
    reach = np.sqrt(variance) * student_t.ppf(0.975, freedom)
    assert (crossed > alone).any()
    assert (crossed < alone).any()

    found = intervals(shift, factors=factors)
    np.testing.assert_allclose(found.coupling_low_VV[upper], np.tanh(estimate - reach)[:3], atol=1e-9)
    np.testing.assert_allclose(found.coupling_high_VV[upper], np.tanh(estimate + reach)[:3], atol=1e-9)
    seen = (~np.isnan(shift)).astype(int)
    chance = np.where(off, 1 / (seen.T @ seen - 1), 0.0)
    chance = np.append(chance.sum(axis=1), chance[off].mean())
    level = np.maximum(estimate - bias, 0)[3:] + chance
    for sign, tax, nvat in ((-1, found.value_tax_low_V, found.nvat_low), (1, found.value_tax_high_V, found.nvat_high)):
        relative = sign * reach[3:] / level
        expected = level[:3] * (1 + relative[:3] / 3) ** 3 - chance[:3]
        np.testing.assert_allclose(tax, np.sqrt(np.clip(expected, 0, 2)), atol=1e-9)
        np.testing.assert_allclose(nvat, np.sqrt(np.clip(level[3] * np.exp(relative[3]) - chance[3], 0, 1)), atol=1e-9)


def test_only_the_ginis_interval_is_simulated():
    shift = coupled_shifts(0, 0.3, missing=0.1)
    one, many, again, other = (intervals(shift, n_boot=n_boot, seed=seed) for n_boot, seed in ((10, 0), (2000, 0), (2000, 0), (2000, 1)))
    assert_same(again, many, atol=0)
    for found in (one, other):
        assert_same(found, many, atol=0, but=GINI)
    assert (one.gini_low, one.gini_high) != (many.gini_low, many.gini_high)
    np.testing.assert_allclose([other.gini_low, other.gini_high], [many.gini_low, many.gini_high], atol=0.02)


@example(np.array([[0.0, 0.0], [0.0, 0.0], [0.25, 0.25]]), None)
@settings(deadline=None, max_examples=60)
@given(
    arrays.arrays(float, st.tuples(st.integers(3, 10), st.integers(2, 4)), elements=quarters | st.just(NAN)),
    st.none() | st.lists(st.integers(0, 2), min_size=10, max_size=10),
)
def test_bounds_lie_in_their_ranges_and_in_their_order_whatever_the_shifts(shift, levels):
    couplings = couple(shift)
    found = intervals(shift, factors=None if levels is None else {"country": levels[: len(shift)]}, n_boot=20)
    most = np.sqrt(shift.shape[1] - 1)
    bounds = ((found.coupling_low_VV, found.coupling_high_VV, -1, 1), (found.value_tax_low_V, found.value_tax_high_V, 0, most),
              (found.nvat_low, found.nvat_high, 0, 1), (found.gini_low, found.gini_high, 0, 1))  # fmt: skip
    for low, high, least, greatest in bounds:
        np.testing.assert_array_equal(np.isnan(low), np.isnan(high))
        defined = ~np.isnan(low)
        assert (np.less_equal(least, low) | ~defined).all()
        assert (np.less_equal(low, high) | ~defined).all()
        assert (np.less_equal(high, greatest + 1e-12) | ~defined).all()
    assert np.isnan(found.coupling_low_VV[~couplings.pair_VV]).all()
    assert np.isnan(found.value_tax_low_V[~couplings.pair_VV.any(axis=1)]).all()
    np.testing.assert_array_equal(found.coupling_low_VV, found.coupling_low_VV.T)
    np.testing.assert_array_equal(found.coupling_high_VV, found.coupling_high_VV.T)


APART = np.full((8, 2), NAN)
APART[:4, 0] = APART[4:, 1] = np.arange(4) / 4
STILL = {
    "nothing moves": np.zeros((8, 3)),
    "nothing observed": np.full((8, 3), NAN),
    "one moves": np.column_stack([np.arange(8) / 8, np.zeros(8)]),
    "no scene in common": APART,
}


@pytest.mark.parametrize("shift", STILL.values(), ids=STILL)
def test_where_nothing_couples_every_bound_is_nan(shift):
    for bound in intervals(shift):
        assert np.isnan(bound).all()


@pytest.mark.parametrize("still", [0.0, 0.25, NAN], ids=["zero", "constant", "never observed"])
def test_a_value_that_never_moves_has_no_interval_and_changes_no_other(still):
    shift = coupled_shifts(0, values=4)
    alone, beside = intervals(shift), intervals(np.column_stack([shift, np.full(80, still)]))
    assert np.isnan([beside.value_tax_low_V[-1], beside.value_tax_high_V[-1]]).all()
    assert np.isnan(beside.coupling_low_VV[-1]).all()
    cut = beside._replace(
        **{name: getattr(beside, name)[:4, :4] for name in ("coupling_low_VV", "coupling_high_VV")},
        **{name: getattr(beside, name)[:4] for name in ("value_tax_low_V", "value_tax_high_V")},
    )
    assert_same(cut, alone)


def test_a_perfectly_coupled_pair_is_certain_and_its_values_pay_at_least_that():
    shift = coupled_shifts(0, 0.2, values=4)
    shift[:, 1] = 2 * shift[:, 0] + 0.25
    found = intervals(shift)
    assert found.coupling_low_VV[0, 1] == pytest.approx(1, abs=1e-9)
    assert found.coupling_high_VV[0, 1] == pytest.approx(1, abs=1e-9)
    assert found.coupling_high_VV[0, 2] - found.coupling_low_VV[0, 2] > 0.2
    assert (found.value_tax_high_V[:2] > 1).all()
    assert (found.value_tax_low_V[:2] > 0.9).all()


def test_everything_in_lockstep_is_certain():
    found = intervals(np.outer(np.linspace(-1, 1, 21), [1, -1, 0.5]))
    np.testing.assert_allclose([found.nvat_low, found.nvat_high], 1, atol=1e-9)
    np.testing.assert_allclose([found.value_tax_low_V, found.value_tax_high_V], np.sqrt(2), atol=1e-9)
    np.testing.assert_allclose([found.gini_low, found.gini_high], 0, atol=1e-9)


def test_three_scenes_tell_nothing_of_others():
    """Leaving one out leaves two, in which no coupling is defined: an interval without width would claim certainty."""
    for bound in intervals([[0.1, 0.3, 0.2], [0.2, 0.1, 0.3], [0.3, 0.2, 0.1]]):
        assert np.isnan(bound).all()


def test_a_country_that_holds_nearly_all_scenes_cannot_be_left_out():
    """Without it two scenes remain and no tax is defined; that resample is left out, and not taken for one without tax."""
    shift = coupled_shifts(0)
    alone, found = intervals(shift), intervals(shift, factors={"country": ["large"] * 78 + ["small"] * 2})
    assert np.isnan(found.nvat_high) or (found.nvat_low > alone.nvat_low - 0.05 and found.nvat_high < alone.nvat_high + 0.05)


def test_a_factor_of_another_length_is_refused_in_one_line():
    with pytest.raises(DataError, match=r"^factors\['topic'\]: needs one level for each of the 80 scenes; got 3\. Pair them by scene\.$"):
        intervals(coupled_shifts(0), factors={"topic": list("abc")})


@pytest.mark.parametrize("rho", [0.2, 0.4])
def test_intervals_cover_a_planted_common_factor_95_times_in_100(rho):
    """Each pair's coupling is 6/π·asin(ρ/2), of which the rounding to fifths of a standard deviation takes 0.4%: a fiftieth of nvat's interval.

    Shares over couplings and values of one data set vary less than one yes or no, so the band of yes and no holds for them, too.
    """
    data_sets, upper, true = 120, np.triu_indices(10, 1), 6 / np.pi * np.arcsin(rho / 2)
    hits = []
    for seed in range(data_sets):
        shift = coupled_shifts(1000 + seed, rho)
        found, gained = intervals(shift, n_boot=1), mean_interval(shift[:, 0])
        hits.append([
            ((found.coupling_low_VV <= true) & (true <= found.coupling_high_VV))[upper].mean(),
            ((found.value_tax_low_V <= 3 * true) & (3 * true <= found.value_tax_high_V)).mean(),
            found.nvat_low <= true <= found.nvat_high,
            gained.low <= 0 <= gained.high,
        ])  # fmt: skip
    low, high = binom.interval(0.999, data_sets, 0.95)
    covered = np.sum(hits, axis=0)
    assert (covered >= low).all(), covered
    assert (covered <= high).all(), covered
    assert (covered[:2] >= 0.92 * data_sets).all(), covered  # of 5400 couplings and 1200 values
    assert (covered[:2] <= 0.98 * data_sets).all(), covered


def test_the_plug_in_tax_of_independent_values_lies_above_its_interval_which_begins_at_0():
    plug_in, lows, highs = [], [], []
    for seed in range(60):
        shift = coupled_shifts(seed, 0.0)
        found = intervals(shift, n_boot=1)
        plug_in, lows, highs = [*plug_in, system_tax(couple(shift).coupling_VV)], [*lows, found.nvat_low], [*highs, found.nvat_high]
    assert np.mean(np.array(lows) == 0) >= 0.9
    assert np.median(highs) < np.median(plug_in)


def test_vat_intervals_of_independent_values_begin_at_0():
    low = np.concatenate([intervals(coupled_shifts(seed, 0.0), n_boot=1).value_tax_low_V for seed in range(30)])
    assert np.mean(low == 0) >= 0.85


def test_a_gini_of_equal_taxes_may_be_0_and_one_of_unequal_taxes_may_not():
    equal = [intervals(coupled_shifts(seed, 0.4)).gini_low for seed in range(20)]
    assert np.mean(np.array(equal) == 0) >= 0.8
    unequal = []
    for seed in range(20):
        shift = coupled_shifts(seed, 0.0)
        shift[:, :2] = coupled_shifts(500 + seed, 0.9)[:, :2]
        found = intervals(shift)
        unequal.append((found.gini_low, gini(value_tax(couple(shift).coupling_VV)), found.gini_high))
    low, _, high = np.array(unequal).T
    assert np.median(low) > 0.3
    assert (high > low).all()
