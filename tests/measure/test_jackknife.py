"""The jackknife over scenes and crossed groups: where theory gives the answer, by hand, and what it must not depend on."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import sem
from scipy.stats import t as student_t

from vat.errors import DataError
from vat.measure.jackknife import jackknife

NAN = float("nan")
SCENES = 24


def means_of(x_SK):
    """Weights of scenes → means of the columns; NaN without any scene."""

    def statistic(weight_BS):
        total_B = weight_BS.sum(axis=1)
        return weight_BS @ x_SK / np.where(total_B > 0, total_B, NAN)[:, None]

    return statistic


def variances_of(x_SK):
    """Weights of scenes → variances with divisor n, whose bias is known."""

    def statistic(weight_BS):
        mean_BK = means_of(x_SK)(weight_BS)
        return means_of(x_SK**2)(weight_BS) - mean_BK**2

    return statistic


def varied(x_SK, *, factors=None, statistic=means_of):
    return jackknife(statistic(x_SK), statistic(x_SK)(np.ones((1, len(x_SK))))[0], len(x_SK), factors=factors)


def crossed(seed, effect=2.0, scenes=SCENES):
    """Three columns with effects of 5 countries and 4 topics, the levels drawn at random."""
    random = np.random.default_rng(seed)
    country, topic = random.integers(5, size=scenes), random.integers(4, size=scenes)
    x_SK = random.normal(size=(scenes, 3)) + effect * (random.normal(size=(5, 3))[country] + random.normal(size=(4, 3))[topic])
    return x_SK, {"country": [f"c{n}" for n in country], "topic": [f"t{n}" for n in topic]}


def by_leaving_out(x_SK, group_S):
    """The classical delete-a-group jackknife of the means, group by group."""
    left_GK = np.array([x_SK[group_S != group].mean(axis=0) for group in np.unique(group_S)])
    n = len(left_GK)
    apart_GK = left_GK - left_GK.mean(axis=0)
    return (n - 1) * (left_GK.mean(axis=0) - x_SK.mean(axis=0)), (n - 1) / n * apart_GK.T @ apart_GK


@pytest.mark.parametrize("scenes", [2, 7, 80, 1100], ids=lambda n: f"{n} scenes")
def test_means_over_scenes_have_their_covariance_and_no_bias(scenes):
    x_SK = np.random.default_rng(scenes).normal(size=(scenes, 3)) @ [[1, 0.5, 0], [0, 1, -2], [0, 0, 1]]
    found = varied(x_SK)
    np.testing.assert_allclose(found.bias_K, 0, atol=1e-12 * scenes)
    np.testing.assert_allclose(found.covariance_KK, np.cov(x_SK.T) / scenes, atol=1e-12)
    np.testing.assert_allclose(found.error_K, sem(x_SK), atol=1e-12)
    np.testing.assert_array_equal(found.freedom_K, scenes - 1)
    np.testing.assert_allclose(found.reach_K, sem(x_SK) * student_t.ppf(0.975, scenes - 1), rtol=1e-12)


def test_the_bias_of_a_variance_over_n_is_removed_exactly():
    x_SK = np.random.default_rng(0).normal(size=(15, 2))
    found = varied(x_SK, statistic=variances_of)
    np.testing.assert_allclose(x_SK.var(axis=0) - found.bias_K, x_SK.var(axis=0, ddof=1), atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_one_factor_is_the_delete_a_group_jackknife(seed):
    x_SK, factors = crossed(seed)
    bias_K, covariance_KK = by_leaving_out(x_SK, np.array(factors["country"]))
    found = varied(x_SK, factors={"country": factors["country"]})
    np.testing.assert_allclose(found.bias_K, bias_K, atol=1e-12)
    np.testing.assert_allclose(np.diagonal(found.covariance_KK), np.maximum(np.diagonal(covariance_KK), sem(x_SK) ** 2), atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_factors_add_up_by_inclusion_and_exclusion(seed):
    x_SK, factors = crossed(seed)
    factors["kind"] = [f"k{n % 3}" for n in range(SCENES)]
    bias_K, variance_K = np.zeros(3), np.zeros(3)
    for size in (1, 2, 3):
        for names in combinations(factors, size):
            cell_S = np.array(["/".join(levels) for levels in zip(*(factors[name] for name in names), strict=True)])
            part_K, part_KK = by_leaving_out(x_SK, cell_S)
            bias_K, variance_K = bias_K - (-1) ** size * part_K, variance_K - (-1) ** size * np.diagonal(part_KK)
    found = varied(x_SK, factors=factors)
    np.testing.assert_allclose(found.bias_K, bias_K, atol=1e-11)
    np.testing.assert_allclose(np.diagonal(found.covariance_KK), np.maximum(variance_K, sem(x_SK) ** 2), atol=1e-12)


def test_two_countries_by_two_topics_come_out_as_worked_by_hand():
    """Scenes 0 0 | 4 4, mean 2. Without a country the mean is 4 or 0: variance 1/2 · (4 + 4) = 4. Without a topic it stays 2: 0. Cells are
    scenes: (16 / 3) / 4 = 4/3. In all 4 + 0 - 4/3 = 8/3, half of it beyond scenes: 1 / (0.5² / 1 + 0.5² / 3) = 3 degrees of freedom."""
    found = varied(np.array([[0.0], [0], [4], [4]]), factors={"country": list("aabb"), "topic": list("xyxy")})
    np.testing.assert_allclose(found.bias_K, 0, atol=1e-12)
    np.testing.assert_allclose(found.covariance_KK, 8 / 3, rtol=1e-12)
    np.testing.assert_allclose(found.freedom_K, 3, rtol=1e-12)
    np.testing.assert_allclose(found.reach_K, np.sqrt(8 / 3) * 3.182446305284263, rtol=1e-9)


def test_covariances_are_those_over_scenes_widened_as_the_variances_are():
    x_SK, factors = crossed(0)
    scenes, found = varied(x_SK), varied(x_SK, factors=factors)
    assert (found.error_K > scenes.error_K).all()
    np.testing.assert_allclose(found.covariance_KK / np.outer(found.error_K, found.error_K), np.corrcoef(x_SK.T), atol=1e-12)


@settings(deadline=None)
@given(arrays.arrays(float, (12, 2), elements=st.integers(-4, 4).map(float)), st.lists(st.integers(0, 3), min_size=24, max_size=24))
def test_the_variance_is_never_below_that_over_scenes_and_freedom_lies_between(x_SK, levels):
    factors = {"country": levels[:12], "topic": levels[12:]}
    scenes, found = varied(x_SK), varied(x_SK, factors=factors)
    assert (found.error_K >= scenes.error_K - 1e-12).all()
    fewest = min((len(set(of_scene)) - 1 for of_scene in factors.values() if len(set(of_scene)) > 1), default=11)
    assert (found.freedom_K >= min(fewest, 11) - 1e-9).all()
    assert (found.freedom_K <= fewest + 11 + 1e-9).all()
    assert (np.linalg.eigvalsh(found.covariance_KK) >= -1e-9).all()


def test_freedom_is_that_of_scenes_without_an_effect_and_near_that_of_levels_with_a_large_one():
    random = np.random.default_rng(0)
    country = np.arange(80) % 8
    even = np.tile(random.normal(size=(10, 1)), (1, 8)).reshape(80, 1)  # every country has the same scenes
    np.testing.assert_allclose(varied(even, factors={"country": country}).freedom_K, 79)
    steep = 1000.0 * random.normal(size=(8, 1))[country] + random.normal(size=(80, 1))
    found = varied(steep, factors={"country": country, "topic": np.arange(80) // 8}).freedom_K
    beyond = 1 - varied(steep).error_K ** 2 / varied(steep, factors={"country": country, "topic": np.arange(80) // 8}).error_K ** 2
    np.testing.assert_allclose(found, 1 / (beyond**2 / 7 + (1 - beyond) ** 2 / 79), rtol=1e-9)
    assert 7 < found < 10


@pytest.mark.parametrize("factors", [None, {}, {"model": ["one"] * SCENES}, {"model": ["one"] * SCENES, "data": [3] * SCENES}], ids=str)
def test_factors_of_one_level_are_none(factors):
    x_SK, _ = crossed(1)
    for found, expected in zip(varied(x_SK, factors=factors), varied(x_SK), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_factor_of_one_level_changes_nothing_beside_others():
    x_SK, factors = crossed(1)
    for found, expected in zip(varied(x_SK, factors=factors | {"model": ["one"] * SCENES}), varied(x_SK, factors=factors), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("statistic", [means_of, variances_of])
def test_neither_the_order_of_scenes_nor_the_names_of_levels_matter(statistic):
    x_SK, factors = crossed(2)
    order = np.random.default_rng(2).permutation(SCENES)
    expected = varied(x_SK, factors=factors, statistic=statistic)
    moved = {name: np.array(levels)[order] for name, levels in factors.items()}
    renamed = {"topic": [-int(level[1:]) for level in factors["topic"]], "land": [f"{9 - int(level[1:])} of them" for level in factors["country"]]}
    for other in (varied(x_SK[order], factors=moved, statistic=statistic), varied(x_SK, factors=renamed, statistic=statistic)):
        for found, wanted in zip(other, expected, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-10)


@pytest.mark.parametrize("factors", [False, True])
def test_a_resample_that_does_not_define_one_statistic_leaves_the_others_alone(factors):
    x_SK, levels = crossed(3)
    levels = levels if factors else None

    def gappy(weight_BS):
        mean_BK = means_of(x_SK)(weight_BS)
        mean_BK[weight_BS[:, 0] == 0, 1] = NAN  # undefined without the first scene
        return mean_BK

    found = jackknife(gappy, x_SK.mean(axis=0), SCENES, factors=levels)
    whole = varied(x_SK, factors=levels)
    for got, wanted in ((found.bias_K, whole.bias_K), (found.freedom_K, whole.freedom_K)):
        np.testing.assert_array_equal(got[[0, 2]], wanted[[0, 2]])
    np.testing.assert_array_equal(found.covariance_KK[np.ix_([0, 2], [0, 2])], whole.covariance_KK[np.ix_([0, 2], [0, 2])])
    assert not np.isnan(found.covariance_KK).any()


def test_what_a_resample_does_not_define_is_left_out():
    x_SK = np.array([[1.0], [2], [4], [9]])

    def gappy(weight_BS):
        return np.where(weight_BS[:, [0]] == 0, NAN, means_of(x_SK)(weight_BS))

    left = np.array([14, 12, 7]) / 3  # without 2, 4, 9
    found = jackknife(gappy, np.array([4.0]), 4)
    np.testing.assert_allclose(found.covariance_KK, 2 / 3 * ((left - 11 / 3) ** 2).sum(), rtol=1e-12)
    np.testing.assert_allclose(found.bias_K, 3 * (11 / 3 - 4), rtol=1e-12)


@pytest.mark.parametrize("defined", [0, 1])
def test_a_statistic_that_fewer_than_two_resamples_define_has_no_variation(defined):
    x_SK, _ = crossed(4)

    def rarely(weight_BS):
        mean_BK = means_of(x_SK)(weight_BS)
        mean_BK[(weight_BS[:, :defined] != 0).all(axis=1), 1] = NAN
        return mean_BK

    found = jackknife(rarely, x_SK.mean(axis=0), SCENES)
    whole = varied(x_SK)
    assert np.isnan([found.bias_K[1], found.error_K[1], found.reach_K[1]]).all()
    np.testing.assert_array_equal(np.isnan(found.covariance_KK), [[False, True, False], [True, True, True], [False, True, False]])
    np.testing.assert_array_equal(found.error_K[[0, 2]], whole.error_K[[0, 2]])


@pytest.mark.parametrize("levels", [["a"] * (SCENES - 1), [], "a"], ids=["one short", "none", "a word"])
def test_a_factor_of_another_length_is_refused_in_one_line(levels):
    x_SK, factors = crossed(0)
    with pytest.raises(DataError, match=r"^factors\['topic'\]: needs one level for each of the 24 scenes; got \d+\. Pair them by scene\.$"):
        varied(x_SK, factors=factors | {"topic": levels})
