"""Claims over replicates and between methods: where they reduce to what is known, by hand, antisymmetry, and how often they are wrong."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binom, ttest_1samp
from scipy.stats import t as student_t

from vat.errors import DataError
from vat.measure.compare import over_replicates, paired_difference
from vat.measure.coupling import checked, couple
from vat.measure.gain import mean_interval
from vat.measure.indices import system_tax
from vat.measure.null import chance_level
from vat.measure.uncertainty import tax_intervals

NAN = float("nan")
UP = {"target": 0, "direction": 1}


def method(seed, rho=0.3, *, replicates=4, scenes=80, values=10, shared=0.5, gain=0.3, missing=0.0):
    """(R, S, V) shifts of which half of the variance is the scenes' own and the rest the replicate's, values coupled by rho in both."""
    random = np.random.default_rng(seed)

    def coupled(*shape):
        return np.sqrt(rho) * random.normal(size=(*shape, 1)) + np.sqrt(1 - rho) * random.normal(size=(*shape, values))

    of_scene, of_replicate = coupled(scenes), coupled(replicates, scenes)
    shift = np.round((np.sqrt(shared) * of_scene + np.sqrt(1 - shared) * of_replicate + gain) * 5) / 40
    shift[random.random(shift.shape) < missing] = NAN
    return shift


def levels(scenes=80):
    return {"country": np.arange(scenes) % 7, "topic": [f"t{n // 9}" for n in range(scenes)]}


def by_hand(mean, scene_variance, scene_freedom, *own):
    """Estimate, low, high and p from the variance of the scenes' means and the (variance, freedom) that replicates add; Satterthwaite."""
    total = scene_variance + sum(variance for variance, _ in own)
    freedom = total**2 / (scene_variance**2 / scene_freedom + sum(variance**2 / freedom for variance, freedom in own))
    reach = np.sqrt(total) * student_t.ppf(0.975, freedom)
    return mean, mean - reach, mean + reach, 2 * student_t.sf(abs(mean) / np.sqrt(total), freedom)


@pytest.mark.parametrize("factors", [None, levels()], ids=["scenes", "factors"])
@pytest.mark.parametrize(("target", "direction"), [(0, 1), (3, -1)])
def test_the_gain_of_one_replicate_is_the_mean_with_students_interval(target, direction, factors):
    shift = method(0, replicates=1)
    found = over_replicates(shift, target=target, direction=direction, of="gain", factors=factors)
    _, mean, low, high = mean_interval(direction * shift[0, :, target], factors=factors)
    np.testing.assert_allclose([found.estimate, found.low, found.high], [mean, low, high], atol=1e-12)
    assert np.isnan(found.sd_replicate)
    assert (found.n_replicates, found.n_scenes) == (1, 80)
    for got, expected in zip(over_replicates(shift[0], target=target, direction=direction, of="gain", factors=factors), found, strict=True):
        np.testing.assert_equal(got, expected)  # (S, V) is one replicate


def test_the_spread_of_a_gain_over_scenes_is_their_standard_deviation():
    shift = method(0, replicates=1)
    assert over_replicates(shift, **UP, of="gain").sd_scene == pytest.approx(shift[0, :, 0].std(ddof=1))


def test_the_tax_of_one_replicate_has_the_interval_of_a_report_around_the_tax_free_of_bias():
    for seed, rho in ((0, 0.3), (1, 0.1), (2, 0.0)):
        shift = method(seed, rho, replicates=1)[0]
        found = over_replicates(shift, **UP)
        bounds = tax_intervals(checked(shift), couple(shift), factors=None, n_boot=1, seed=0)
        np.testing.assert_allclose([found.low, found.high], [bounds.nvat_low, bounds.nvat_high], atol=1e-12)
        plug_in = float(system_tax(couple(shift).coupling_VV)) ** 2
        assert found.estimate**2 == pytest.approx(max(0.0, plug_in - chance_level(couple(shift))), abs=0.01)


def test_the_tax_is_debiased_value_by_value_of_the_jackknife():
    shift = method(3, replicates=1, scenes=12, values=4)[0]
    whole = float(system_tax(couple(shift).coupling_VV)) ** 2
    left = [float(system_tax(couple(np.delete(shift, scene, axis=0)).coupling_VV)) ** 2 for scene in range(12)]
    assert over_replicates(shift, **UP).estimate ** 2 == pytest.approx(12 * whole - 11 * np.mean(left), abs=1e-12)


def test_the_gain_of_replicates_has_both_levels_of_spread():
    shift = method(1, replicates=5)
    gains = shift[:, :, 0]
    between = gains.mean(axis=1).var(ddof=1)
    expected = by_hand(gains.mean(), gains.mean(axis=0).var(ddof=1) / 80, 79, (between / 5, 4))
    found = over_replicates(shift, **UP, of="gain")
    np.testing.assert_allclose([found.estimate, found.low, found.high], expected[:3], atol=1e-12)
    np.testing.assert_allclose([found.sd_replicate, found.sd_scene], [np.sqrt(between), gains.mean(axis=0).std(ddof=1)], atol=1e-12)
    assert (found.n_replicates, found.n_scenes) == (5, 80)


def test_a_difference_in_gain_pairs_scenes_and_replicates():
    first, second = method(1), method(2, gain=0.1)
    apart = first[:, :, 0] - second[:, :, 0]
    between = apart.mean(axis=1).var(ddof=1)
    expected = by_hand(apart.mean(), apart.mean(axis=0).var(ddof=1) / 80, 79, (between / 4, 3))
    found = paired_difference(first, second, **UP, of="gain")
    np.testing.assert_allclose([found.estimate, found.low, found.high, found.p], expected, atol=1e-12)
    np.testing.assert_allclose([found.first, found.second], [first[:, :, 0].mean(), second[:, :, 0].mean()], atol=1e-12)
    np.testing.assert_allclose([found.sd_replicate, found.sd_scene], [np.sqrt(between), apart.mean(axis=0).std(ddof=1)], atol=1e-12)


def test_replicates_of_unequal_number_are_not_paired_but_their_scenes_are():
    first, second = method(1, replicates=3), method(2, replicates=5, gain=0.1)
    a, b = first[:, :, 0], second[:, :, 0]
    apart = a.mean(axis=0) - b.mean(axis=0)
    own = [(x.mean(axis=1).var(ddof=1) / len(x), len(x) - 1) for x in (a, b)]
    found = paired_difference(first, second, **UP, of="gain")
    expected = by_hand(apart.mean(), apart.var(ddof=1) / 80, 79, *own)
    np.testing.assert_allclose([found.estimate, found.low, found.high, found.p], expected, atol=1e-12)
    assert (found.n_replicates, found.n_scenes) == (3, 80)
    one = paired_difference(first, second[0], **UP, of="gain")  # of one replicate no spread is known: the claim is about this one
    apart = a.mean(axis=0) - b[0]
    np.testing.assert_allclose([one.estimate, one.low, one.high, one.p], by_hand(apart.mean(), apart.var(ddof=1) / 80, 79, own[0]), atol=1e-12)


def test_one_replicate_each_is_the_paired_t_test():
    first, second = method(1, replicates=1), method(2, replicates=1, gain=0.1)
    test = ttest_1samp(first[0, :, 0] - second[0, :, 0], 0.0)
    found = paired_difference(first, second, **UP, of="gain")
    interval = test.confidence_interval(0.95)
    np.testing.assert_allclose([found.p, found.low, found.high], [test.pvalue, interval.low, interval.high], atol=1e-12)


@pytest.mark.parametrize("of", ["nvat", "gain"])
@pytest.mark.parametrize("factors", [None, levels()], ids=["scenes", "factors"])
@pytest.mark.parametrize("replicates", [(1, 1), (4, 4), (3, 5)], ids=str)
def test_swapped_methods_swap_signs(replicates, factors, of):
    for seed, rho in ((0, 0.3), (1, 0.0)):
        first, second = method(seed, rho, replicates=replicates[0]), method(seed + 10, 0.05, replicates=replicates[1], gain=0.0)
        there, back = (paired_difference(a, b, **UP, of=of, factors=factors) for a, b in ((first, second), (second, first)))
        np.testing.assert_allclose([back.estimate, back.low, back.high], [-there.estimate, -there.high, -there.low], atol=1e-12)
        np.testing.assert_allclose([back.p, back.first, back.second], [there.p, there.second, there.first], atol=1e-12)
        np.testing.assert_allclose([back.sd_replicate, back.sd_scene], [there.sd_replicate, there.sd_scene], atol=1e-12)


def test_swapped_methods_swap_signs_when_one_lacks_more_answers():
    for seed in range(5):
        first, second = method(seed, 0.0, replicates=1, scenes=40), method(seed + 10, 0.0, replicates=1, scenes=40, missing=0.5)
        there, back = paired_difference(first, second, **UP), paired_difference(second, first, **UP)
        np.testing.assert_allclose([back.estimate, back.low, back.high], [-there.estimate, -there.high, -there.low], atol=1e-12)


@pytest.mark.parametrize("of", ["nvat", "gain"])
def test_an_interval_leaves_0_out_just_when_p_is_below_a_twentieth(of):
    beyond = []
    for seed in range(60):
        found = paired_difference(method(seed, 0.2, replicates=3), method(seed + 100, 0.34, replicates=3, gain=0.0), **UP, of=of)
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
        assert found.low <= found.estimate <= found.high
        beyond.append(found.p < 0.05)
    assert 5 < sum(beyond) < 55  # both happen


@pytest.mark.parametrize("of", ["nvat", "gain"])
def test_nothing_depends_on_the_order_of_scenes_or_of_other_values(of):
    first, second, random = method(0, missing=0.05), method(1, missing=0.05), np.random.default_rng(0)
    scenes, values = random.permutation(80), np.append(0, 1 + random.permutation(9))
    moved = {name: np.array(of_scene)[scenes] for name, of_scene in levels().items()}
    expected = paired_difference(first, second, **UP, of=of, factors=levels())
    found = paired_difference(first[:, scenes][..., values], second[:, scenes][..., values], **UP, of=of, factors=moved)
    np.testing.assert_allclose(found, expected, atol=1e-10)
    paired = random.permutation(4)
    np.testing.assert_allclose(paired_difference(first[paired], second[paired], **UP, of=of, factors=levels()), expected, atol=1e-10)


def test_a_method_against_itself_differs_by_nothing():
    shift = method(0)
    found = paired_difference(shift, shift, **UP)
    assert (found.estimate, found.low, found.high) == (0, 0, 0)
    assert np.isnan(found.p)


@pytest.mark.parametrize("shift", [np.zeros((2, 8, 3)), np.full((2, 8, 3), NAN), np.eye(3)[None] / 4], ids=["still", "not observed", "three scenes"])
def test_where_no_coupling_is_defined_there_is_no_tax_to_compare(shift):
    """Leaving one of three scenes out leaves two, in which nothing is defined: a tax without an interval would claim certainty."""
    assert np.isnan(over_replicates(shift, **UP)[:3]).all()
    other = method(0, replicates=2, scenes=shift.shape[1], values=3)
    assert np.isnan(paired_difference(shift, other, **UP)[:4]).all()
    assert np.isnan(paired_difference(other, shift, **UP)[:4]).all()


def steps(*gains, scenes=40):
    """Checkpoints whose target shifts alike in all scenes; how the others couple differs from one to the next."""
    trajectory = np.stack([method(10 + n, 0.5 + 0.1 * n, replicates=1, scenes=scenes, values=5)[0] for n in range(len(gains))])
    trajectory[:, :, 0] = np.array(gains)[:, None]
    return trajectory


def squared(shift, **options):
    return over_replicates(shift, **UP, **options).estimate ** 2


def test_a_tax_at_a_gain_lies_between_the_checkpoints_as_the_gain_does():
    trajectory = steps(0.25, 0.75, 0.5)
    low, high = squared(trajectory[0]), squared(trajectory[1])
    for at_gain, expected in ((0.25, low), (0.5, (low + high) / 2), (0.625, (low + 3 * high) / 4), (0.75, high)):
        assert squared(trajectory, at_gain=at_gain) == pytest.approx(expected, abs=1e-12)  # the first time that 0.5 is reached


def test_before_the_first_checkpoint_there_is_neither_gain_nor_tax():
    trajectory = steps(0.5, 0.75)
    assert squared(trajectory, at_gain=0.125) == pytest.approx(squared(trajectory[0]) / 4, abs=1e-12)


def test_replicates_meet_at_the_gain_each_where_it_reaches_it():
    first, second = steps(0.25, 0.75), steps(0.75, 0.8)
    both = np.stack([first, second])
    expected = (squared(first, at_gain=0.5) + squared(second, at_gain=0.5)) / 2
    assert squared(both, at_gain=0.5) == pytest.approx(expected, abs=1e-12)
    down = over_replicates(-both, target=0, direction=-1, at_gain=0.5)
    assert down.estimate**2 == pytest.approx(expected, abs=1e-12)


def test_the_gain_at_a_gain_is_that_gain():
    found = over_replicates(np.stack([0.5 * method(0), method(0)], axis=1), **UP, of="gain", at_gain=0.02)
    np.testing.assert_allclose([found.estimate, found.low, found.high], 0.02, atol=1e-12)


def test_a_single_dose_compares_with_a_trajectory_at_the_same_gain():
    trained, prompted = steps(0.25, 0.75), steps(0.5)
    found = paired_difference(trained, prompted, **UP, at_gain=0.5)
    assert found.first**2 == pytest.approx(squared(trained, at_gain=0.5), abs=1e-12)
    assert found.second**2 == pytest.approx(squared(prompted[0]), abs=1e-12)
    assert found.estimate == pytest.approx(found.first - found.second, abs=1e-12)


@pytest.mark.parametrize(("at_gain", "most"), [(0.9, "0.75"), (0.0, "0.75"), (-0.5, "0.75"), (NAN, "0.75")])
def test_a_gain_that_is_not_reached_is_refused_in_one_line(at_gain, most):
    trajectories = np.stack([steps(0.25, 1.0), steps(0.25, 0.75)])[::-1]
    with pytest.raises(DataError, match=rf"^at_gain: must be above 0 and reached by every replicate; got [^\n]+ has {most}\. Lower it\.$"):
        over_replicates(trajectories, **UP, at_gain=at_gain)


def test_the_replicate_that_does_not_reach_a_gain_is_named():
    with pytest.raises(DataError, match=r"got 0\.9, shift\[1\] has 0\.75\."):
        over_replicates(np.stack([steps(0.25, 1.0), steps(0.25, 0.75)]), **UP, at_gain=0.9)
    with pytest.raises(DataError, match=r"got 0\.9, second\[0\] has 0\.75\."):
        paired_difference(steps(0.25, 1.0), steps(0.25, 0.75), **UP, at_gain=0.9)


def test_a_target_that_was_never_observed_has_no_gain():
    shift = method(0)
    shift[:, :, 0] = NAN
    assert np.isnan(over_replicates(shift, **UP, of="gain")[:3]).all()
    with pytest.raises(DataError, match=r"^at_gain: [^\n]+\. Lower it\.$"):
        over_replicates(shift[:, None], **UP, at_gain=0.1)
    assert over_replicates(shift, **UP).estimate > 0  # the others still couple


@example(np.array([[[0.1, 0.3, 0.2], [0.2, 0.1, 0.3], [0.3, 0.2, 0.1]]]))
@settings(deadline=None, max_examples=60)
@given(arrays.arrays(float, st.tuples(st.integers(1, 3), st.integers(3, 9), st.integers(2, 4)), elements=st.integers(-4, 4).map(lambda k: k / 4)))
def test_a_tax_lies_in_its_interval_and_both_between_0_and_1(shift):
    found = over_replicates(shift, **UP)
    assert np.isnan(found.low) or 0 <= found.low <= found.estimate + 1e-12
    assert np.isnan(found.high) or found.estimate - 1e-12 <= found.high <= 1


GOOD = np.zeros((2, 5, 3))


@pytest.mark.parametrize(
    ("shift", "options", "message"),
    [
        (np.zeros(5), {}, r"shift: needs shifts as \(replicates, scenes, values\); got shape \(5,\)\. Stack them in that order\."),
        (np.zeros((1, 2, 5, 3)), {}, r"shift: needs shifts as \(replicates, scenes, values\); got shape \(1, 2, 5, 3\)\. [^\n]+\."),
        (np.zeros((0, 5, 3)), {}, r"shift: needs shifts as \(replicates, scenes, values\); got shape \(0, 5, 3\)\. [^\n]+\."),
        (np.zeros((5, 3)), {"at_gain": 0.1}, r"shift: needs shifts as \(replicates, checkpoints, scenes, values\); got shape \(5, 3\)\. [^\n]+\."),
        (GOOD[0], {"of": "hypervolume"}, r"shift: needs shifts as \(replicates, checkpoints, scenes, values\); got shape \(5, 3\)\. [^\n]+\."),
        (GOOD[None, :0], {"of": "hypervolume"}, r"shift: needs shifts as \(replicates, checkpoints, scenes, values\); got shape [^\n]+\."),
        (GOOD, {"of": "hypervolume", "at_gain": 0.1}, r"at_gain: must be None for a hypervolume, which is of all gains; got 0\.1\. Leave it out\."),
        (np.zeros((2, 2, 3)), {}, r"shift_SV: needs at least 3 scenes and 2 values, as \(scenes, values\); got shape \(2, 3\)\. Add scenes\."),
        (np.zeros((2, 5, 1)), {}, r"shift_SV: needs at least 3 scenes and 2 values, as \(scenes, values\); got shape \(5, 1\)\. Add scenes\."),
        (np.full((2, 5, 3), np.inf), {}, r"shift_SV: must be finite[^\n]+\."),
        (GOOD, {"of": "gini"}, r"of: must be one of nvat, gain, hypervolume; got 'gini'\. Use of='nvat'\."),
        (GOOD, {"target": 3}, r"target, direction: a column of the shifts, and 1 or -1; got 3 and 1\. Fix them\."),
        (GOOD, {"target": -1}, r"target, direction: a column of the shifts, and 1 or -1; got -1 and 1\. Fix them\."),
        (GOOD, {"direction": 0}, r"target, direction: a column of the shifts, and 1 or -1; got 0 and 0\. Fix them\."),
        (GOOD, {"factors": {"topic": list("abcd")}}, r"factors\['topic'\]: needs one level for each of the 5 scenes; got 4\. Pair them by scene\."),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(shift, options, message):
    with pytest.raises(DataError, match=f"^{message}$"):
        over_replicates(shift, **(UP | options))


@pytest.mark.parametrize("second", [np.zeros((2, 6, 3)), np.zeros((2, 5, 4)), np.zeros((6, 3))], ids=lambda x: str(x.shape))
def test_methods_on_other_scenes_or_values_are_refused_in_one_line(second):
    with pytest.raises(DataError, match=r"^second: must have the scenes and values of first; got shapes [^\n]+\. Pair them\.$"):
        paired_difference(GOOD, second, **UP)


def test_a_fault_is_found_in_the_method_that_has_it():
    with pytest.raises(DataError, match=r"^second: needs shifts as"):
        paired_difference(GOOD, np.zeros(3), **UP)
    with pytest.raises(DataError, match=r"^first: needs shifts as"):
        paired_difference(np.zeros(3), GOOD, **UP)


@pytest.mark.parametrize(("replicates", "data_sets"), [(1, 150), (4, 100)])
@pytest.mark.parametrize("rho", [0.0, 0.2])
def test_methods_that_do_not_differ_are_told_apart_no_more_often_than_one_in_twenty(rho, replicates, data_sets):
    pairs = [(method(seed, rho, replicates=replicates), method(seed + 500, rho, replicates=replicates)) for seed in range(data_sets)]
    for of in ("nvat", "gain"):
        rejected = sum(paired_difference(first, second, **UP, of=of).p < 0.05 for first, second in pairs)
        assert rejected <= binom.ppf(0.999, data_sets, 0.05), of


def test_methods_that_differ_are_told_apart():
    found = [paired_difference(method(seed, 0.2), method(seed + 500, 0.4), **UP) for seed in range(60)]
    assert np.mean([difference.p < 0.05 for difference in found]) > 0.8
    assert all(difference.estimate < 0 for difference in found if difference.p < 0.05)
    true = 6 / np.pi * (np.arcsin(0.1) - np.arcsin(0.2))
    assert np.mean([difference.low <= true <= difference.high for difference in found]) >= binom.ppf(0.001, 60, 0.95) / 60
