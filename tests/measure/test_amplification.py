"""Amplification: hubs against the rest by scipy, by hand and by brute force; how often it errs; cases picked by rule."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, mannwhitneyu, permutation_test, rankdata, ttest_1samp
from scipy.stats import t as student_t

from vat.errors import DataError
from vat.measure.amplification import Case, _standard_errors, amplification, hub_contrast, largest_cases
from vat.measure.coupling import couple
from vat.measure.tax import value_tax

NAN = float("nan")
LEVEL = 0.05
TAX = np.array([9.0, 3, 2, 1, 0.5, 0.4, 0.3])  # the target's own VAT is the highest; the hubs are 1, 2 and 3
REST = [4, 5, 6]


def quarters(random, scale=1.0, shape=(80, 10)):
    return np.round(2 * scale * random.normal(size=shape)) / 4


def gappy(seed, scenes=20, missing=0.2):
    random = np.random.default_rng(seed)
    shift = quarters(random, shape=(scenes, 7))
    shift[random.random(shift.shape) < missing] = NAN
    return shift


def contrast(shift, tax=TAX, *, gain=0.5, target=0, **options):
    return hub_contrast(shift, tax, gain=gain, target=target, **{"n_boot": 99, **options})


def simulated(kind, random, scenes=80):
    """Ten values of which no hub amplifies more than it must."""
    scale = {"scenes": np.exp(0.8 * random.normal(size=(scenes, 1))), "values": np.exp(0.4 * random.normal(size=10))}.get(kind.split()[-1], 1.0)
    if kind == "countries":
        country, topic = random.integers(12, size=scenes), random.integers(11, size=scenes)
        effects = random.normal(size=(12, 10))[country] + random.normal(size=(11, 10))[topic]
        return np.round(2 * (np.sqrt(0.3) * effects + np.sqrt(0.4) * random.normal(size=(scenes, 10)))) / 4
    own = random.normal(size=(scenes, 10))
    if kind.startswith("lockstep"):
        own[:, 1:4] = np.sqrt(0.95) * own[:, 1:2] + np.sqrt(0.05) * random.normal(size=(scenes, 3))
    return np.round(2 * scale * own) / 4


def rejections(kind, data_sets, *, scenes=80, n_boot=99):
    """Share of data sets in which Mann-Whitney, p and p_hubs reject; hubs from the same data."""
    random, count = np.random.default_rng(0), np.zeros(3)
    for seed in range(data_sets):
        shift = simulated(kind, random, scenes)
        found = contrast(shift, value_tax(couple(shift).coupling_VV), n_boot=n_boot, seed=seed)
        count += np.array([found.p_mannwhitney, found.p, found.p_hubs]) <= LEVEL
    return count / data_sets


def amplified(random, scenes, scene_effects):
    """Values 1, 2 and 3 shift half as far again."""
    scale = np.exp(0.8 * random.normal(size=(scenes, 1))) if scene_effects else 1.0
    return quarters(random, scale * np.array([1, 1.5, 1.5, 1.5, *[1] * 6]), (scenes, 10))


def coverage(scenes, scene_effects, data_sets, *, n_boot):
    random, tax = np.random.default_rng(0), np.array([9.0, 3, 2, 1, *[0.1] * 6])
    many = np.abs(amplified(random, 100_000, scene_effects))
    hub, rest = many[:, 1:4].ravel(), many[:, 4:].ravel()
    true = 2 * mannwhitneyu(hub, rest).statistic / (hub.size * rest.size) - 1
    inside = 0
    for seed in range(data_sets):
        found = contrast(amplified(random, scenes, scene_effects), tax, n_boot=n_boot, seed=seed)
        inside += found.effect_low <= true <= found.effect_high
    return inside / data_sets


@pytest.mark.parametrize("gain", [0.5, -0.5])
def test_amplification_is_the_absolute_shift_per_unit_of_gain(gain):
    np.testing.assert_array_equal(amplification(np.array([[0.5, -1.0], [NAN, 0.0]]), gain=gain), [[1, 2], [NAN, 0]])


@pytest.mark.parametrize("gain", [NAN, 0.0, np.inf])
def test_without_a_gain_nothing_is_amplified(gain):
    assert np.isnan(amplification(np.ones((3, 2)), gain=gain)).all()
    found = contrast(gappy(0), gain=gain)
    assert np.isnan(found[1:]).all()
    assert not found.hub_V.any()
    assert largest_cases(np.zeros((3, 2)), np.ones((3, 2)), gain=gain) == ()


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_pooled_numbers_are_those_of_scipy(seed, missing):
    shift = gappy(seed, missing=missing)
    found = contrast(shift)
    hub, rest = (entries[~np.isnan(entries)] for entries in (np.abs(shift[:, 1:4]) / 0.5, np.abs(shift[:, REST]) / 0.5))
    said = mannwhitneyu(hub, rest, alternative="two-sided")
    assert found.u == said.statistic
    assert found.p_mannwhitney == said.pvalue
    assert found.effect == pytest.approx(2 * said.statistic / (len(hub) * len(rest)) - 1, abs=1e-12)
    assert (found.median_hub, found.median_rest) == (np.median(hub), np.median(rest))
    np.testing.assert_array_equal(found.hub_V, [False, True, True, True, False, False, False])


def test_a_contrast_worked_by_hand():
    shift = np.array([[2, 1, 0.5, 0], [2, -1, 1, 0.5], [1, 0, NAN, 0.5]])
    found = contrast(shift, np.array([0, 1, 0.2, 0.2]), gain=1.0, hubs=1)
    assert found.effect == pytest.approx((4 + 4 - 4) / 15)  # against 0.5 0 1 0.5 0.5 either 1 wins 4 and ties once, and the 0 loses 4
    assert found.u == (15 + 4) / 2


def test_the_p_over_scenes_is_that_of_all_sign_flips():
    shift = gappy(1, scenes=12)
    found = contrast(shift, n_boot=20_000)
    wins = np.sign(np.abs(shift[:, 1:4, None]) - np.abs(shift[:, None, REST]))
    effects = np.array([np.nanmean(scene) for scene in wins if not np.isnan(scene).all()])
    exact = permutation_test((effects,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    assert found.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))
    assert 0.02 < exact < 0.98


@pytest.mark.parametrize("missing", [0.2, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_the_p_over_values_is_that_of_every_other_choice_of_hubs(seed, missing):
    shift = np.abs(gappy(seed, missing=missing))
    shift[:, 2:4] += 0.25
    choices = np.array(list(combinations(range(1, 7), 3)))  # the first is the observed

    def errors(hubs):
        rest = sorted({1, 2, 3, 4, 5, 6} - set(hubs))
        wins = [np.sign(scene[list(hubs), None] - scene[rest]) for scene in shift]
        effects = [np.nanmean(scene) for scene in wins if not np.isnan(scene).all()]
        return abs(ttest_1samp(effects, 0).statistic)

    each = np.array([errors(hubs) for hubs in choices])
    rank = np.nan_to_num(rankdata(shift[:, 1:], axis=1, nan_policy="omit"))
    np.testing.assert_allclose(_standard_errors(rank, ~np.isnan(shift[:, 1:]), choices - 1), each, atol=1e-12)
    assert contrast(shift).p_hubs == pytest.approx((each >= each[0] - 1e-9).mean())


def test_choices_of_hubs_are_drawn_where_they_are_too_many_to_try(monkeypatch):
    shift = gappy(3)
    exact = contrast(shift, hubs=2).p_hubs
    monkeypatch.setattr("vat.measure.amplification.MOST_CHOICES", 14)
    drawn = contrast(shift, hubs=2, n_boot=4000).p_hubs
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=0.04)


def test_the_interval_is_of_scenes_drawn_whole():
    shift = gappy(2)
    found = contrast(shift, n_boot=49, seed=3)
    effects = []
    for times in np.random.default_rng(3).multinomial(20, np.full(20, 1 / 20), size=49):
        drawn = np.abs(np.repeat(shift, times, axis=0))
        effects.append(np.nanmean(np.sign(drawn[:, 1:4].ravel()[:, None] - drawn[:, REST].ravel())))
    reach = student_t.ppf(0.975, 19) * np.std(effects, ddof=1) * np.sqrt(20 / 19)
    np.testing.assert_allclose([found.effect_low, found.effect_high], [found.effect - reach, found.effect + reach], atol=1e-12)


def test_an_interval_does_not_leave_what_is_possible():
    shift = gappy(0, scenes=4, missing=0)
    shift[:, 1:4] += np.array([[4], [4], [4], [0]])
    assert contrast(shift).effect_high == 1


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10), st.randoms(use_true_random=False))
def test_a_contrast_depends_neither_on_the_gain_nor_on_the_order_of_scenes_or_values(seed, gain, random):
    shift = gappy(seed)
    expected, scaled = contrast(shift), contrast(shift, gain=gain)
    np.testing.assert_array_equal(scaled[3:], expected[3:])
    assert scaled.median_hub == pytest.approx(expected.median_hub * 0.5 / gain)
    scenes, values = random.sample(range(20), 20), random.sample(range(7), 7)
    moved = contrast(shift[scenes][:, values], TAX[values], target=values.index(0))
    np.testing.assert_array_equal(moved.hub_V, expected.hub_V[values])
    np.testing.assert_allclose([moved.effect, moved.u, moved.p_hubs], [expected.effect, expected.u, expected.p_hubs], atol=1e-12)


def test_hubs_of_equal_tax_go_by_the_order_of_columns():
    np.testing.assert_array_equal(np.flatnonzero(contrast(gappy(0), np.array([1, 0.2, 0.5, 0.2, 0.2, 0.2, 0.2]), hubs=2).hub_V), [1, 2])


@pytest.mark.parametrize("dead", [0.0, 0.5, NAN])
def test_the_target_and_values_that_never_move_are_in_neither_group(dead):
    shift = gappy(4)
    expected = contrast(shift[:, :6], TAX[:6])
    with_dead = shift.copy()
    with_dead[:, 6] = dead
    with_dead[:, 0] = 2.0
    found = contrast(with_dead, TAX)
    np.testing.assert_array_equal(found[1:], expected[1:])
    assert np.flatnonzero(found.hub_V).tolist() == [1, 2, 3]


@pytest.mark.parametrize("hubs", [3, 4])
def test_without_a_value_for_the_rest_there_is_no_contrast(hubs):
    assert np.isnan(contrast(gappy(0)[:, :4], TAX[:4], hubs=hubs)[1:]).all()
    assert contrast(gappy(0)[:, :5], TAX[:5], hubs=3).effect_low <= 1


def test_hubs_and_rest_that_share_no_scene_contrast_over_all_but_not_within_scenes():
    shift = gappy(0, missing=0)
    shift[:10, 1:4], shift[10:, 4:] = NAN, NAN
    found = contrast(shift)
    assert np.isnan([found.p, found.p_hubs]).all()
    assert np.isfinite(found[1:8]).all()


def test_entries_that_are_all_equal_do_not_contrast():
    shift = np.where(np.random.default_rng(0).random((20, 7)) < 0.5, 0.5, -0.5)
    found = contrast(shift)
    assert (found.effect, found.effect_low, found.effect_high) == (0, 0, 0)
    assert (found.p_mannwhitney, found.p, found.p_hubs) == (1, 1, 1)


def test_one_seed_gives_one_contrast():
    first, again, other = (contrast(gappy(6), seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first[1:], again[1:])
    assert first.effect_low != other.effect_low


@pytest.mark.parametrize("kind", ["independent", "scenes", "lockstep", "values", "lockstep values"])
def test_what_rejects_without_cause_and_what_does_not(kind):
    pooled, over_scenes, over_values = rejections(kind, 300)
    low, high = binom.interval(0.999, 300, LEVEL)[0] / 300, binom.interval(0.999, 300, LEVEL)[1] / 300
    assert over_values <= high
    if "values" in kind:
        assert min(pooled, over_scenes) > 0.4  # these values do differ: only not because they are hubs
    else:
        assert low <= over_scenes <= high
    if kind == "lockstep":
        assert pooled > high
    if kind == "scenes":
        assert pooled < 0.03


@pytest.mark.parametrize("scene_effects", [False, True])
def test_the_interval_of_the_effect_covers_it(scene_effects):
    assert binom.interval(0.999, 200, 0.95)[0] / 200 <= coverage(80, scene_effects, 200, n_boot=199) < 1


@pytest.mark.slow
def test_calibration_at_full_size(capsys):
    low, high = binom.interval(0.999, 1000, LEVEL)[0] / 1000, binom.interval(0.999, 1000, LEVEL)[1] / 1000
    lines = []
    for kind in ("independent", "scenes", "lockstep", "values", "lockstep values", "countries"):
        for scenes in (80, 20):
            found = rejections(kind, 1000, scenes=scenes, n_boot=499)
            lines.append(f"{kind:15} {scenes} scenes  Mann-Whitney {found[0]:5.1%}  p {found[1]:5.1%}  p_hubs {found[2]:5.1%}")
            assert found[2] <= high
            assert kind.split()[-1] in ("values", "countries") or low <= found[1] <= high
    for scene_effects in (False, True):
        for scenes in (80, 20):
            covered = coverage(scenes, scene_effects, 1000, n_boot=499)
            lines.append(f"scene effects {scene_effects}, {scenes} scenes: covers {covered:5.1%}")
            assert 0.927 < covered < 0.973
    with capsys.disabled():
        print("", *lines, sep="\n")


def test_the_largest_cases_come_by_rule():
    pre = np.array([[0.0, 0.5, 0.0], [-0.5, 0.0, 0.25], [0.25, 0.1, NAN]])
    post = np.array([[0.5, -0.5, 0.0], [0.5, 1.0, 0.75], [0.75, 0.1, 1.0]])
    everything = largest_cases(pre, post, gain=-0.5)
    assert everything[0] == Case(scene=1, value=1, amplification=2, pre=0, post=1)  # of three that amplify alike, the one that was neutral
    assert [case[:2] for case in everything] == [(1, 1), (0, 1), (1, 0), (0, 0), (1, 2), (2, 0), (0, 2), (2, 1)]
    assert largest_cases(pre, post, gain=-0.5, count=2) == everything[:2]
    assert [case[:2] for case in largest_cases(pre, post, gain=0.5, values=[2, 0])] == [(1, 0), (0, 0), (1, 2), (2, 0), (0, 2)]


def test_cases_that_differ_by_float_noise_only_are_ties():
    pre, post = np.array([[0.1, 0.0], [0.0, -0.3]]), np.array([[0.4, 0.1 + 0.2], [0.3, 0.0]])
    assert [case[:2] for case in largest_cases(pre, post, gain=1.0)] == [(0, 1), (1, 0), (0, 0), (1, 1)]
    assert [case[:2] for case in largest_cases(pre, post, gain=1.0, values=[1, 0])] == [(0, 1), (1, 0), (0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: contrast(gappy(0), TAX[:3]), r"^value_tax_V, target: one VAT for each of 7 values.*; got shape \(3,\) and 0\. .*\.$"),
        (lambda: contrast(gappy(0), target=7), r"^value_tax_V, target: .*; got shape \(7,\) and 7\. .*\.$"),
        (lambda: contrast(gappy(0), hubs=0), r"^hubs, n_boot: need at least 1; got 0 and 99\. .*\.$"),
        (lambda: contrast(gappy(0), n_boot=0), r"^hubs, n_boot: need at least 1; got 3 and 0\. .*\.$"),
        (lambda: contrast(gappy(0)[0]), r"^shift_SV: "),
        (
            lambda: largest_cases(np.zeros((3, 2)), np.zeros((2, 2)), gain=1),
            r"^post_SV: must have the shape of pre_SV.*; got \(2, 2\) and \(3, 2\)\. .*\.$",
        ),
        (lambda: largest_cases(np.zeros((3, 2)), np.zeros((3, 2)), gain=1, values=[2]), r"^values, count: .*; got \[2\] and 10\. .*\.$"),
        (lambda: largest_cases(np.zeros((3, 2)), np.zeros((3, 2)), gain=1, count=0), r"^values, count: .*; got \[0, 1\] and 0\. .*\.$"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call, said):
    with pytest.raises(DataError, match=said) as refused:
        call()
    assert "\n" not in str(refused.value)
