"""Chance: the level, the tests against it, and that they reject as often as they say."""

import numpy as np
import pytest
from scipy.stats import binom, chi2, rankdata

from vat.errors import DataError
from vat.measure.coupling import couple
from vat.measure.null import chance_level, chi2_p, false_discovery_q, pairwise_pearson, permutation_null, random_orders
from vat.measure.tax import measure_tax

NAN = float("nan")
SCENES, VALUES, LEVEL = 80, 10, 0.05


def crossed_shifts(seed, *, share=0.0, missing=0.0):
    """Independent values in 80 of 12 countries × 11 topics × 2 scenes; either factor carries `share` of the variance of each value."""
    random = np.random.default_rng(seed)
    scene = random.choice(264, SCENES, replace=False)
    country, topic = scene % 12, scene // 12 % 11
    effects = random.normal(size=(12, VALUES))[country] + random.normal(size=(11, VALUES))[topic]
    own = random.normal(size=(SCENES, VALUES))
    shift = np.round((np.sqrt(share) * effects + np.sqrt(1 - 2 * share) * own) * 5) / 20
    shift[random.random(shift.shape) < missing] = np.nan
    return shift, {"country": [f"c{n}" for n in country], "topic": [f"t{n}" for n in topic]}


def rejections(data_sets, *, n_perm, factors=True, **planted):
    """In how many independent data sets the test rejects at the nominal level."""
    count = 0
    for seed in range(data_sets):
        shift, levels = crossed_shifts(seed, **planted)
        count += permutation_null(shift, factors=levels if factors else None, n_perm=n_perm, seed=seed).p <= LEVEL
    return count


def coupled_shifts(seed, rho, scenes=SCENES):
    """Values of which each pair correlates by rho, through one common factor."""
    random = np.random.default_rng(seed)
    common, own = random.normal(size=(scenes, 1)), random.normal(size=(scenes, VALUES))
    return np.round((np.sqrt(rho) * common + np.sqrt(1 - rho) * own) * 5) / 20


def p_value(shift, *, factors=None, n_perm=99, seed=0):
    return permutation_null(shift, factors=factors, n_perm=n_perm, seed=seed).p


@pytest.mark.parametrize(
    ("planted", "factors"),
    [({}, False), ({}, True), ({"share": 0.3}, True), ({"share": 0.3, "missing": 0.1}, True)],
    ids=["exchangeable, free", "exchangeable, factors", "effects of 30%, factors", "effects of 30%, a tenth missing, factors"],
)
def test_independent_values_are_rejected_as_often_as_the_test_says(planted, factors):
    low, high = binom.interval(0.999, 400, LEVEL)
    assert low <= rejections(400, n_perm=99, factors=factors, **planted) <= high


def test_a_free_permutation_takes_shared_countries_and_topics_for_coupling():
    assert rejections(40, n_perm=99, factors=False, share=0.3) > 30  # what the factors are for


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_calibration_at_full_size(share, missing, capsys):
    low, high = binom.interval(0.999, 400, LEVEL)
    within = rejections(400, n_perm=499, share=share, missing=missing)
    free = rejections(400, n_perm=499, share=share, missing=missing, factors=False)
    with capsys.disabled():
        print(f"\neffects {share:4.0%}  missing {missing:4.0%}  nvat_p rejects {within / 400:6.2%}  nvat_p_free rejects {free / 400:6.2%}")
    assert low <= within <= high
    assert low <= free <= high if share == 0 else free > high


@pytest.mark.parametrize("factors", [None, {"country": [f"c{n % 12}" for n in range(SCENES)]}], ids=["free", "factors"])
@pytest.mark.parametrize("seed", range(5))
def test_a_planted_common_factor_is_detected(seed, factors):
    assert p_value(coupled_shifts(seed, 0.4), factors=factors, n_perm=199) < 0.01


def test_coupling_beyond_what_countries_share_is_detected():
    shift, factors = crossed_shifts(0, share=0.3)
    assert p_value(shift, factors=factors, n_perm=199) > LEVEL
    assert p_value(shift + 0.5 * coupled_shifts(1, 0.5), factors=factors, n_perm=199) < 0.01


def test_coupling_that_only_countries_share_is_not_counted_beyond_them():
    random = np.random.default_rng(0)
    country = np.arange(SCENES) % 8
    shift = 5 * random.normal(size=(8, 1))[country] + random.normal(size=(SCENES, VALUES))
    assert p_value(shift) == 0.01
    assert p_value(shift, factors={"country": country.astype(str)}) > LEVEL


def test_lockstep_is_as_unlikely_as_the_permutations_can_tell():
    shift = np.outer(np.linspace(-1, 1, 20), [1, -1, 0.5])
    for n_perm in (99, 600):  # more than one chunk
        null = permutation_null(shift, factors=None, n_perm=n_perm, seed=0)
        assert null.p == 1 / (n_perm + 1)
        assert null.nvat_B.shape == (n_perm,)
        assert (null.nvat_B <= 1).all()


def test_chance_level_is_one_over_scenes_less_one():
    found = couple(coupled_shifts(0, 0.2))
    assert chance_level(found) == pytest.approx(1 / (SCENES - 1), abs=1e-15)


def test_chance_level_is_the_mean_over_pairs_that_move_and_share_three_scenes():
    shift = np.arange(40.0).reshape(8, 5) % 7 / 10
    shift[5:, 1], shift[:6, 2], shift[:, 3] = NAN, NAN, 0.2  # 0-1 and 1-4 share 5 scenes, 0-2 and 2-4 two, 0-4 eight; 3 never moves
    assert chance_level(couple(shift)) == pytest.approx((1 / 4 + 1 / 4 + 1 / 7) / 3)
    shift[:, [1, 2, 4]] = 0.1
    assert np.isnan(chance_level(couple(shift)))


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_independent_values_couple_at_the_chance_level_ties_or_not(missing):
    shift = crossed_shifts(3, missing=missing)[0]
    shift[:, :3] = np.round(shift[:, :3] * 2) / 2  # three levels only
    found = couple(shift)
    simulated = permutation_null(shift, factors=None, n_perm=2000, seed=0)
    assert (simulated.nvat_B**2).mean() == pytest.approx(chance_level(found), rel=0.02)
    assert simulated.gini == pytest.approx(0.11, abs=0.02)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_the_closed_form_agrees_with_free_permutations(seed, rho):
    shift = coupled_shifts(seed, rho)
    assert chi2_p(couple(shift)) == pytest.approx(p_value(shift, n_perm=999), abs=0.07)


def test_without_a_live_pair_nothing_can_be_tested():
    still = np.column_stack([np.linspace(0, 1, 10), np.zeros(10), np.full(10, NAN)])
    null = permutation_null(still, factors=None, n_perm=99, seed=0)
    assert np.isnan(null.p)
    assert np.isnan(null.gini)
    assert null.nvat_B.size == 0
    assert np.isnan(chi2_p(couple(still)))


def test_factors_that_explain_every_scene_leave_nothing_to_test():
    assert np.isnan(p_value(coupled_shifts(0, 0.9, scenes=8), factors={"scene": list("abcdefgh")}))


def test_one_seed_gives_one_p_value_and_another_seed_a_near_one():
    shift, factors = crossed_shifts(0, missing=0.1)
    first, again, other = (permutation_null(shift, factors=factors, n_perm=499, seed=seed) for seed in (7, 7, 8))
    assert first.p == again.p
    np.testing.assert_array_equal(first.nvat_B, again.nvat_B)
    assert not np.array_equal(first.nvat_B, other.nvat_B)
    assert first.p == pytest.approx(other.p, abs=0.12)


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_p_values_do_not_depend_on_where_shifts_start_or_what_levels_are_called(missing):
    shift, factors = crossed_shifts(2, share=0.1, missing=missing)
    renamed = {"land": [f"x{level}" for level in factors["country"]], "theme": np.array(factors["topic"])}
    expected = p_value(shift, factors=factors)
    assert p_value(shift + 0.25, factors=factors) == expected
    assert p_value(shift, factors=renamed) == expected
    assert p_value(shift, factors=factors | {"again": factors["country"]}) == expected
    assert p_value(shift + 0.25) == p_value(shift)


def test_without_factors_the_p_value_is_the_free_one():
    shift, factors = crossed_shifts(1, share=0.3)
    pushed = {"pre_SV": -np.clip(shift, -2, 2) / 2, "post_SV": np.clip(shift, -2, 2) / 2, "target": 0, "direction": 1, "n_perm": 99, "seed": 0}
    for none in (None, {}):
        report = measure_tax(**pushed, factors=none)
        assert report.nvat_p == report.nvat_p_free == p_value(shift, factors=none)
    report = measure_tax(**pushed, factors=factors)
    assert (report.nvat_p, report.nvat_p_free) == (p_value(shift, factors=factors), p_value(shift))
    assert report.nvat_p > report.nvat_p_free


def test_pairs_correlate_over_common_rows_as_numpy_says():
    shift = crossed_shifts(0, missing=0.3)[0]
    seen = ~np.isnan(shift)
    found = pairwise_pearson(np.nan_to_num(shift), seen)
    for u, w in zip(*np.triu_indices(VALUES, 1), strict=True):
        both = seen[:, u] & seen[:, w]
        assert found[u, w] == pytest.approx(np.corrcoef(shift[both, u], shift[both, w])[0, 1], abs=1e-12)
    np.testing.assert_array_equal(np.diag(found), 0)


@pytest.mark.parametrize("levels", [[], ["a"] * (SCENES - 1), ["a"] * (SCENES + 1)])
def test_factors_of_another_length_are_refused_in_one_line(levels):
    shift, factors = crossed_shifts(0)
    with pytest.raises(
        DataError, match=rf"^factors\['topic'\]: needs one level for each of the 80 scenes; got {len(levels)}\. Pair them by scene\.$"
    ):
        permutation_null(shift, factors=factors | {"topic": levels}, n_perm=99, seed=0)


def saturated(seed):
    """States before that are coupled, and shifts that only take each to its ceiling, give or take."""
    random = np.random.default_rng(seed)
    common, own = random.normal(size=(SCENES, 1)), random.normal(size=(SCENES, VALUES))
    before = np.round(np.clip((0.5 * common + 0.87 * own) * 0.3, -1, 1) * 10) / 10
    after = np.clip(np.round((0.9 + 0.05 * random.normal(size=own.shape)) * 20) / 20, -1, 1)
    return before, after - before


def test_shifts_to_a_ceiling_are_coupled_and_no_longer_when_cleared_of_the_state_before():
    plain, cleared = 0, 0
    for seed in range(200):
        before, shift = saturated(seed)
        plain += permutation_null(shift, factors=None, n_perm=99, seed=seed).p <= LEVEL
        cleared += permutation_null(shift, factors=None, covariate_SV=before, n_perm=99, seed=seed).p <= LEVEL
    assert plain > 190
    low, high = binom.interval(0.999, 200, LEVEL)
    assert low <= cleared <= high


def test_coupling_of_ones_own_remains_when_shifts_are_cleared_of_the_state_before():
    before = saturated(0)[0]
    null = permutation_null(coupled_shifts(1, 0.4), factors=None, covariate_SV=before, n_perm=199, seed=0)
    assert null.p < 0.01
    assert null.nvat > 2 * null.level


def test_the_level_of_a_null_is_the_closed_form():
    shift = crossed_shifts(5)[0]
    assert permutation_null(shift, factors=None, n_perm=2000, seed=0).level == pytest.approx(np.sqrt(1 / (SCENES - 1)), rel=0.01)


def test_a_pair_that_couples_is_found_among_pairs_that_do_not():
    shift = crossed_shifts(6)[0]
    shift[:, 1] = shift[:, 0] + 0.2 * shift[:, 1]
    found = permutation_null(shift, factors=crossed_shifts(6)[1], n_perm=999, seed=0).pair_p_VV
    np.testing.assert_array_equal(found, found.T)
    assert np.isnan(np.diag(found)).all()
    assert found[0, 1] == 1 / 1000
    rest = found[np.triu_indices(VALUES, 1)][1:]
    assert np.mean(rest <= 0.05) < 0.25


def test_false_discoveries_are_controlled_over_the_tests_there_are():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5])
    np.testing.assert_allclose(false_discovery_q(p), [0.04, np.nan, 0.16 / 3, 0.16 / 3, 0.5])
    assert np.isnan(false_discovery_q(np.full(3, np.nan))).all()


def hubs(seed):
    """One value that each of the others follows in part, and nothing else between them."""
    shift = crossed_shifts(seed)[0]
    shift[:, 0] = np.round(shift[:, 1:].sum(axis=1) * 20 / 3) / 20
    return shift


def test_ginis_of_independent_values_are_rejected_as_often_as_the_test_says():
    low, high = binom.interval(0.999, 400, LEVEL)
    rejected = 0
    for seed in range(400):
        shift, factors = crossed_shifts(seed, share=0.3)
        rejected += permutation_null(shift, factors=factors, n_perm=99, seed=seed).gini_p <= LEVEL
    assert low <= rejected <= high


def test_a_tax_that_gathers_in_one_value_is_no_chance_and_one_shared_alike_is_none():
    gathered = permutation_null(hubs(0), n_perm=199)
    assert gathered.gini_p < LEVEL
    lockstep = permutation_null(np.outer(np.linspace(-1, 1, 20), [1, -1, 0.5]), n_perm=199)
    assert lockstep.p == 1 / 200
    assert lockstep.gini_p == 1


@pytest.mark.parametrize("factors", [None, {"country": np.arange(SCENES) % 12}], ids=["free", "factors"])
def test_the_p_of_a_gini_is_its_place_among_those_of_the_permutations(factors):
    """By itself: permuting the ranks of each value (residuals, projected again) and asking what is at least as unequal."""
    shift = 0.5 * hubs(1) + crossed_shifts(2)[0]
    random = np.random.default_rng(5)
    design = np.ones((SCENES, 1)) if factors is None else np.eye(12)[factors["country"]]
    project = np.eye(SCENES) - design @ np.linalg.pinv(design)
    residual = project @ rankdata(shift, axis=0)

    def centralisation(x):
        coupling = np.corrcoef(x.T)
        np.fill_diagonal(coupling, 0)
        tax = np.sort(np.sqrt((coupling**2).sum(axis=0)))
        return (2 * np.arange(1, VALUES + 1) - VALUES - 1) @ tax / (VALUES * tax.sum())

    drawn = np.array([centralisation(project @ random.permuted(residual, axis=0)) for _ in range(999)])
    expected = (1 + (drawn >= centralisation(residual)).sum()) / 1000
    null = permutation_null(shift, factors=factors, n_perm=999)
    assert null.gini_p == pytest.approx(expected, abs=4 * np.sqrt(2 * expected * (1 - expected) / 1000))
    assert null.gini == pytest.approx(drawn.mean(), abs=0.01)


def test_nothing_that_couples_has_no_gini():
    null = permutation_null(np.column_stack([np.linspace(0, 1, 10), np.zeros(10)]), n_perm=99)
    assert np.isnan([null.gini, null.gini_p, null.nvat, null.level]).all()


def test_by_default_scenes_are_exchangeable_and_permuted_1999_times_from_seed_0():
    shift = crossed_shifts(0)[0]
    found, expected = permutation_null(shift), permutation_null(shift, factors=None, covariate_SV=None, n_perm=1999, seed=0)
    assert (found.p, found.gini, found.gini_p) == (expected.p, expected.gini, expected.gini_p)
    np.testing.assert_array_equal(found.nvat_B, expected.nvat_B)
    assert len(found.nvat_B) == 1999


@pytest.mark.parametrize("n_perm", [0, -1])
def test_no_permutations_are_refused_in_one_line(n_perm):
    with pytest.raises(DataError, match=rf"^n_perm: needs at least 1 permutation; got {n_perm}\. Use 999 or more\.$"):
        permutation_null(crossed_shifts(0)[0], n_perm=n_perm)


def test_two_values_without_any_coupling_have_a_p_of_1():
    shift = np.array([[-1, -1, 1, 1], [-1, -1, 1, 1], [-1, 1, -1, 1]]).T / 4  # the last couples to neither, exactly
    found = permutation_null(shift, n_perm=99).pair_p_VV
    assert found[0, 1] < 1
    np.testing.assert_array_equal(found[2], [1, 1, NAN])


def test_every_order_is_as_likely_as_another():
    orders = random_orders(np.random.default_rng(0), 24_000, 4)
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.broadcast_to(np.arange(4), orders.shape))
    _, times = np.unique(orders, axis=0, return_counts=True)
    assert len(times) == 24
    assert ((times - 1000) ** 2 / 1000).sum() < chi2.ppf(0.999, 23)
    for n in (1, 2, 80, 600):
        np.testing.assert_array_equal(np.sort(random_orders(np.random.default_rng(0), 3, n), axis=1), np.broadcast_to(np.arange(n), (3, n)))
