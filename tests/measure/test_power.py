"""Planning: a design planned for 80% finds the tax, the gain or the difference in 80% of simulated data sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2, nct, ncx2, pearson3
from scipy.stats import t as student_t

from vat.errors import DataError
from vat.measure.gain import mean_interval
from vat.measure.null import permutation_null
from vat.measure.power import (
    difference_power,
    replicates_needed,
    scenes_needed,
    scenes_needed_for_difference,
    smallest_detectable_gain,
    smallest_detectable_tax,
    tax_power,
)

NAN = float("nan")
VALUES, PAIRS, LEVEL, POWER = 10, 45, 0.05, 0.8
CROSSED = (12, 11)
PAIR = np.triu_indices(VALUES, 1)


def normal_correlation(nvat, structure):
    """(V, V) correlations of normals whose Spearman couplings have the root mean square nvat."""
    spearman = np.zeros((VALUES, VALUES))
    if structure == "one common factor":
        spearman[PAIR] = nvat
    elif structure == "three pairs":
        spearman[[0, 2, 4], [1, 3, 5]] = nvat * np.sqrt(PAIRS / 3)
    elif structure == "circle":  # neighbours go together, opposites against each other, as in Schwartz
        cosine = np.cos(2 * np.pi * np.subtract.outer(np.arange(VALUES), np.arange(VALUES)) / VALUES)[PAIR]
        spearman[PAIR] = nvat * cosine / np.sqrt((cosine**2).mean())
    return 2 * np.sin(np.pi / 6 * (spearman + spearman.T)) + np.eye(VALUES)


def kept(share):
    """What is left of a weak coupling in the residuals of ranks, if each of two effects carries `share` of the variance: ranks are not additive."""
    return (1 - 2 * share) / (4 * np.pi) / (1 / 12 - np.arcsin(share / 2) / np.pi) / (3 / np.pi)


def coupled_shifts(seed, nvat, *, structure, n_scenes, share):
    """Shifts on the grid, nvat beyond country and topic, and those two; share None: scenes without factors."""
    random = np.random.default_rng(seed)
    correlation = normal_correlation(nvat / (kept(share) if share else 1), structure)
    own = random.normal(size=(n_scenes, VALUES)) @ np.linalg.cholesky(correlation).T
    if share is None:
        return np.round(own * 5) / 20, None
    scene = random.permutation(528)[:n_scenes]
    country, topic = scene % 12, scene // 12 % 11
    effects = random.normal(size=(12, VALUES))[country] + random.normal(size=(11, VALUES))[topic]
    shift = np.round((np.sqrt(share) * effects + np.sqrt(1 - 2 * share) * own) * 5) / 20
    return shift, {"country": [f"c{n}" for n in country], "topic": [f"t{n}" for n in topic]}


def found(nvat, *, n_scenes, data_sets, n_perm, structure="one common factor", share=None):
    """In how many data sets the permutation test finds the tax."""
    count = 0
    for seed in range(data_sets):
        shift, factors = coupled_shifts(seed, nvat, structure=structure, n_scenes=n_scenes, share=share)
        count += permutation_null(shift, factors=factors, n_perm=n_perm, seed=seed).p <= LEVEL
    return count


def plain_scenes_needed(nvat):
    """As the noncentral χ² would have it that takes pairs for independent."""
    return next(n for n in range(3, 10_000) if ncx2.sf(chi2.isf(LEVEL, PAIRS), PAIRS, (n - 1) * PAIRS * nvat**2) >= POWER)


@pytest.mark.parametrize("share", [None, 0.1], ids=["no factors", "country and topic of 10%"])
def test_a_planned_tax_of_one_common_factor_is_found_as_often_as_planned(share):
    levels = () if share is None else CROSSED
    n_scenes = scenes_needed(0.15, n_values=VALUES, n_factor_levels=levels)
    low, high = binom.interval(0.999, 500, tax_power(0.15, n_scenes=n_scenes, n_values=VALUES, n_factor_levels=levels))
    assert low <= found(0.15, n_scenes=n_scenes, share=share, data_sets=500, n_perm=99) <= high


def test_a_plain_noncentral_chi_square_plans_too_few_scenes():
    low, _ = binom.interval(0.999, 500, POWER)
    assert found(0.15, n_scenes=plain_scenes_needed(0.15), data_sets=500, n_perm=99) < low  # what the covariance of the pairs is for


def test_a_few_strong_pairs_are_found_more_often_than_planned():
    _, high = binom.interval(0.999, 300, POWER)
    assert found(0.15, n_scenes=scenes_needed(0.15, n_values=VALUES), structure="three pairs", data_sets=300, n_perm=99) > high


@pytest.mark.slow
@pytest.mark.parametrize("share", [None, 0.0, 0.1, 0.3])
@pytest.mark.parametrize("structure", ["one common factor", "three pairs", "circle"])
@pytest.mark.parametrize("nvat", [0.05, 0.08, 0.12, 0.2])
def test_planned_power_at_full_size(nvat, structure, share, capsys):
    levels = () if share is None else CROSSED
    n_scenes = scenes_needed(nvat, n_values=VALUES, n_factor_levels=levels)
    planned = tax_power(nvat, n_scenes=n_scenes, n_values=VALUES, n_factor_levels=levels)
    measured = found(nvat, n_scenes=n_scenes, structure=structure, share=share, data_sets=1000, n_perm=199)
    low, high = binom.interval(0.999, 1000, planned)
    effects = "no factors" if share is None else f"effects {share:4.0%}"
    with capsys.disabled():
        print(f"\nnvat {nvat:.2f}  {structure:17}  {effects:12}  {n_scenes:4} scenes  planned {planned:.3f}  measured {measured / 1000:.3f}")
    assert low <= measured
    assert measured <= high or structure != "one common factor"


@pytest.mark.slow
@pytest.mark.parametrize("nvat", [0.05, 0.08, 0.12, 0.2])
def test_how_far_a_plain_noncentral_chi_square_falls_short(nvat, capsys):
    n_scenes = plain_scenes_needed(nvat)
    measured = found(nvat, n_scenes=n_scenes, data_sets=1000, n_perm=199)
    foreseen = tax_power(nvat, n_scenes=n_scenes, n_values=VALUES)
    with capsys.disabled():
        print(f"\nnvat {nvat:.2f}  {n_scenes:4} scenes  plain χ² {POWER:.3f}  tax_power {foreseen:.3f}  measured {measured / 1000:.3f}")
    low, high = binom.interval(0.999, 1000, foreseen)
    assert low <= measured <= high
    assert measured < binom.ppf(0.001, 1000, POWER)


def matrix_power(nvat, free, n_values):
    """tax_power from the whole covariance matrix of the correlations, each entry as of Pearson and Filon (1898)."""
    r = np.full((n_values, n_values), nvat) + (1 - nvat) * np.eye(n_values)
    pairs = list(zip(*np.triu_indices(n_values, 1), strict=True))
    covariance = np.array([[
        (r[j, h] - r[j, k] * r[k, h]) * (r[k, m] - r[k, h] * r[h, m]) + (r[j, m] - r[j, h] * r[h, m]) * (r[k, h] - r[k, j] * r[j, h])
        + (r[j, h] - r[j, m] * r[m, h]) * (r[k, m] - r[k, j] * r[j, m]) + (r[j, m] - r[j, k] * r[k, m]) * (r[k, h] - r[k, m] * r[m, h])
        for h, m in pairs] for j, k in pairs]) / 2  # fmt: skip
    mean = np.full(len(pairs), nvat * np.sqrt(free - 1 + nvat**2))
    variance = 2 * np.trace(covariance @ covariance) + 4 * mean @ covariance @ mean
    third = 8 * np.trace(covariance @ covariance @ covariance) + 24 * mean @ covariance @ covariance @ mean
    narrow = np.sqrt((free - 1) / (free + 2))
    rejected_from = len(pairs) + (chi2.isf(LEVEL, len(pairs)) - len(pairs)) * narrow
    return pearson3.sf(rejected_from, third / variance**1.5, np.trace(covariance) + mean @ mean, np.sqrt(variance) * narrow)


@pytest.mark.parametrize("n_values", [2, 3, 4, 10])
@pytest.mark.parametrize("nvat", [0.01, 0.1, 0.3, 0.8])
def test_the_three_eigenvalues_stand_for_the_whole_covariance_matrix(nvat, n_values):
    assert tax_power(nvat, n_scenes=30, n_values=n_values) == pytest.approx(matrix_power(nvat, 29, n_values), abs=1e-9)
    assert tax_power(nvat, n_scenes=51, n_values=n_values, n_factor_levels=CROSSED) == pytest.approx(matrix_power(nvat, 29, n_values), abs=1e-9)


designs = {"n_values": st.integers(2, 20), "n_factor_levels": st.sampled_from([(), (4,), CROSSED])}


@given(**designs, nvat=st.floats(0.01, 1), spare=st.integers(3, 400), more=st.integers(1, 50), step=st.floats(0, 0.5))
@settings(deadline=None)
def test_more_scenes_and_more_tax_are_found_more_often(n_values, n_factor_levels, nvat, spare, more, step):
    def power(nvat, spare):
        return tax_power(nvat, n_scenes=1 + sum(n_factor_levels) - len(n_factor_levels) + spare, n_values=n_values, n_factor_levels=n_factor_levels)

    assert LEVEL - 1e-9 <= power(nvat, spare) <= power(nvat, spare + more) + 1e-9
    assert power(nvat, spare) <= power(min(1.0, nvat + step), spare) + 1e-9


@given(**designs, nvat=st.floats(0.02, 0.9), power=st.floats(0.1, 0.99), level=st.floats(0.001, 0.09))
@settings(deadline=None)
def test_scenes_needed_are_enough_and_one_less_is_not(n_values, n_factor_levels, nvat, power, level):
    design = {"n_values": n_values, "n_factor_levels": n_factor_levels, "level": level}
    n_scenes = scenes_needed(nvat, power=power, **design)
    assert tax_power(nvat, n_scenes=n_scenes, **design) >= power
    assert n_scenes == 3 or not tax_power(nvat, n_scenes=n_scenes - 1, **design) >= power
    smallest = smallest_detectable_tax(n_scenes=n_scenes, power=power, **design)
    assert smallest <= nvat + 1e-9
    assert tax_power(smallest, n_scenes=n_scenes, **design) == pytest.approx(power, abs=1e-6)


def test_without_a_tax_the_test_rejects_at_its_level():
    assert tax_power(1e-6, n_scenes=80, n_values=VALUES, level=0.01) == pytest.approx(0.01, abs=1e-6)


def test_factors_cost_the_scenes_they_explain():
    assert scenes_needed(0.1, n_values=VALUES, n_factor_levels=CROSSED) == scenes_needed(0.1, n_values=VALUES) + 21


@pytest.mark.parametrize(("n_scenes", "tested"), [(8, False), (9, False), (10, True)])
def test_a_tax_is_planned_for_where_the_permutation_test_has_scenes_left(n_scenes, tested):
    shift = np.random.default_rng(0).normal(size=(n_scenes, VALUES))
    assert np.isfinite(permutation_null(shift, factors={"country": [f"c{n % 8}" for n in range(n_scenes)]}, n_perm=9, seed=0).p) == tested
    assert np.isfinite(tax_power(0.5, n_scenes=n_scenes, n_values=VALUES, n_factor_levels=(8,))) == tested
    assert np.isfinite(smallest_detectable_tax(n_scenes=n_scenes, n_values=VALUES, n_factor_levels=(8,))) == tested


def test_two_values_in_three_scenes_show_no_tax_whatever_its_size():
    assert np.isnan(smallest_detectable_tax(n_scenes=3, n_values=2))


def two_sided(steps, free):
    critical = student_t.isf(LEVEL / 2, free)
    return nct.sf(critical, free, steps) + nct.cdf(-critical, free, steps)


@pytest.mark.parametrize("n_scenes", [4, 34, 80, 1000])
def test_the_smallest_detectable_gain_is_that_of_the_noncentral_t(n_scenes):
    gain = smallest_detectable_gain(0.3, n_scenes=n_scenes)
    assert two_sided(gain / 0.3 * np.sqrt(n_scenes), n_scenes - 1) == pytest.approx(POWER, abs=1e-9)


def test_half_a_standard_deviation_takes_the_textbooks_34_scenes():
    assert smallest_detectable_gain(1.0, n_scenes=34) < 0.5 < smallest_detectable_gain(1.0, n_scenes=33)


def test_a_planned_gain_is_found_as_often_as_planned():
    gain = smallest_detectable_gain(0.3, n_scenes=40)
    shifts = np.random.default_rng(0).normal(gain, 0.3, size=(2000, 40))
    intervals = [mean_interval(shift) for shift in shifts]
    low, high = binom.interval(0.999, 2000, POWER)
    assert low <= sum(interval.low > 0 or interval.high < 0 for interval in intervals) <= high


def differences_found(difference, *, sd_replicate, sd_scene, n_replicates, n_scenes, data_sets):
    """Share of data sets in which replicates and scenes, both drawn anew, show a difference; its degrees of freedom estimated too."""
    random = np.random.default_rng(0)
    replicate_BK = random.normal(difference, sd_replicate, size=(data_sets, n_replicates))
    scene_BN = random.normal(0, sd_scene, size=(data_sets, n_scenes))
    by_replicate, by_scene = replicate_BK.var(axis=1, ddof=1) / n_replicates, scene_BN.var(axis=1, ddof=1) / n_scenes
    variance = by_replicate + by_scene
    free = variance**2 / (by_replicate**2 / (n_replicates - 1) + by_scene**2 / (n_scenes - 1))
    return (np.abs(replicate_BK.mean(axis=1) + scene_BN.mean(axis=1)) > student_t.isf(LEVEL / 2, free) * np.sqrt(variance)).mean()


@pytest.mark.parametrize(("sd_replicate", "sd_scene"), [(0.1, 0.3), (0.1, 0.01), (0.08, 0.35)])
def test_a_planned_difference_is_found_as_often_as_planned(sd_replicate, sd_scene):
    spreads = {"sd_replicate": sd_replicate, "sd_scene": sd_scene}
    n_replicates = replicates_needed(0.12, **spreads, n_scenes=80)
    n_scenes = scenes_needed_for_difference(0.12, **spreads, n_replicates=n_replicates)
    assert n_scenes <= 80
    for scenes in {n_scenes, 80}:
        design = {**spreads, "n_replicates": n_replicates, "n_scenes": scenes}
        planned = difference_power(0.12, **design)
        low, high = binom.interval(0.999, 4000, planned)
        assert low <= 4000 * differences_found(0.12, **design, data_sets=4000) <= high


@pytest.mark.slow
@pytest.mark.parametrize("n_replicates", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("sd_replicate", [0.03, 0.1, 0.3])
def test_how_far_few_replicates_can_be_planned(n_replicates, sd_replicate, capsys):
    design = {"sd_replicate": sd_replicate, "sd_scene": 0.3, "n_replicates": n_replicates, "n_scenes": 80}
    difference = min(np.geomspace(0.01, 10, 2000), key=lambda difference: abs(difference_power(difference, **design) - POWER))
    planned = difference_power(difference, **design)
    measured, level = (differences_found(size, **design, data_sets=100_000) for size in (difference, 0.0))
    ratio = sd_replicate**2 / n_replicates / (0.3**2 / 80)
    with capsys.disabled():
        print(
            f"\nK {n_replicates}  terms {ratio:6.2f} : 1  planned {planned:.3f}  measured {measured:.3f}  rejected without a difference {level:.3f}"
        )
    assert measured == pytest.approx(planned, abs=0.02 if n_replicates >= 4 else 0.06)


def test_a_difference_without_one_of_its_spreads_is_a_one_sample_t_test_over_the_other():
    of_scenes = difference_power(0.1, sd_replicate=0.0, sd_scene=0.3, n_replicates=1, n_scenes=50)
    assert of_scenes == pytest.approx(two_sided(0.1 / 0.3 * np.sqrt(50), 49), abs=1e-9)
    of_replicates = difference_power(-0.1, sd_replicate=0.1, sd_scene=0.0, n_replicates=6, n_scenes=50)
    assert of_replicates == pytest.approx(two_sided(np.sqrt(6), 5), abs=1e-9)


def test_a_difference_next_to_nothing_is_found_at_the_level():
    assert difference_power(1e-200, **DIFFERENCE) == pytest.approx(LEVEL, abs=1e-9)


def test_numbers_needed_for_a_difference_are_enough_and_one_less_is_not():
    spreads = {"sd_replicate": 0.1, "sd_scene": 0.3}
    n_replicates = replicates_needed(0.12, **spreads, n_scenes=80)
    powers = [difference_power(0.12, **spreads, n_replicates=n, n_scenes=80) for n in (n_replicates, n_replicates - 1)]
    assert powers[0] >= POWER > powers[1]
    n_scenes = scenes_needed_for_difference(0.12, **spreads, n_replicates=12)
    powers = [difference_power(0.12, **spreads, n_replicates=12, n_scenes=n) for n in (n_scenes, n_scenes - 1)]
    assert powers[0] >= POWER > powers[1]


def test_what_no_number_reaches_is_none():
    assert replicates_needed(0.05, sd_replicate=0.1, sd_scene=0.3, n_scenes=80) is None  # the scenes alone hide it
    assert scenes_needed_for_difference(0.05, sd_replicate=0.1, sd_scene=0.3, n_replicates=10) is None  # the replicates alone hide it


def test_one_replicate_of_what_varies_shows_nothing_to_test_against():
    assert np.isnan(difference_power(9.0, sd_replicate=0.1, sd_scene=0.3, n_replicates=1, n_scenes=80))
    assert replicates_needed(9.0, sd_replicate=0.1, sd_scene=0.3, n_scenes=80) == 2
    assert replicates_needed(9.0, sd_replicate=0.0, sd_scene=0.3, n_scenes=80) == 1


TAX = {"n_scenes": 80, "n_values": 10}
DIFFERENCE = {"sd_replicate": 0.1, "sd_scene": 0.3, "n_replicates": 3, "n_scenes": 80}


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: tax_power(0.0, **TAX), "nvat: must lie in (0, 1]; got 0.0. Give the smallest tax that would matter."),
        (lambda: scenes_needed(1.1, n_values=10), "nvat: must lie in (0, 1]; got 1.1. Give the smallest tax that would matter."),
        (lambda: scenes_needed(NAN, n_values=10), "nvat: must lie in (0, 1]; got nan. Give the smallest tax that would matter."),
        (lambda: tax_power(0.1, n_scenes=2, n_values=10), "n_scenes: needs at least 3; got 2. Add scenes."),
        (lambda: tax_power(0.1, n_scenes=80, n_values=1), "n_values: needs at least 2; got 1. Add values."),
        (lambda: tax_power(0.1, **TAX, n_factor_levels=(12, 0)), "n_factor_levels: each needs at least 1; got (12, 0). Drop that factor."),
        (lambda: tax_power(0.1, **TAX, level=0.0), "level: must lie in (0, 1); got 0.0. Use 0.05."),
        (lambda: scenes_needed(0.1, n_values=10, power=1.0), "power: must lie between level=0.05 and 1; got 1.0. Use 0.8."),
        (lambda: smallest_detectable_tax(**TAX, power=0.05), "power: must lie between level=0.05 and 1; got 0.05. Use 0.8."),
        (lambda: smallest_detectable_gain(0.0, n_scenes=80), "sd: must be positive and finite; got 0.0. Take it from a pilot run."),
        (lambda: smallest_detectable_gain(1.0, n_scenes=2), "n_scenes: needs at least 3; got 2. Add scenes."),
        (lambda: difference_power(0.0, **DIFFERENCE), "difference: must be finite and not 0; got 0.0. Give the smallest that would matter."),
        (
            lambda: difference_power(0.1, **DIFFERENCE | {"sd_scene": -0.1}),
            "sd_scene: must be finite and not negative; got -0.1. Take it from a pilot run.",
        ),
        (
            lambda: difference_power(0.1, **DIFFERENCE | {"sd_scene": 0.0, "sd_replicate": 0.0}),
            "sd_replicate, sd_scene: one must be positive; got (0.0, 0.0). Take them from a pilot run.",
        ),
        (lambda: difference_power(0.1, **DIFFERENCE | {"n_replicates": 0}), "n_replicates: needs at least 1; got 0. Plan 4 or more."),
        (lambda: replicates_needed(0.1, sd_replicate=1, sd_scene=1, n_scenes=2), "n_scenes: needs at least 3; got 2. Add scenes."),
        (
            lambda: scenes_needed_for_difference(0.1, sd_replicate=1, sd_scene=1, n_replicates=4, power=NAN),
            "power: must lie between level=0.05 and 1; got nan. Use 0.8.",
        ),
    ],
)
def test_senseless_designs_are_refused_in_one_line(ask, said):
    with pytest.raises(DataError) as refusal:
        ask()
    assert str(refusal.value) == said
