"""Agreement of rankings: scipy's numbers, by brute force and by hand; and that noise which agrees with itself is told from a ranking."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, kendalltau, spearmanr

from vat.errors import DataError
from vat.measure.coupling import couple
from vat.measure.robustness import _combined, granularity_agreement, metric_agreement, rank_agreement
from vat.measure.tax import value_tax

NAN = float("nan")
LEVEL = 0.05
ITEM_VALUE = np.repeat(np.arange(6), [5, 4, 3, 3, 2, 1])
SCHWARTZ = np.repeat(np.arange(10), [9, 9, 7, 6, 6, 5, 5, 4, 3, 2])
taxes = st.lists(st.tuples(*2 * [st.sampled_from([0.1, 0.2, 0.3, 0.7, 1.1, NAN])]), min_size=1, max_size=8)


def items(random, *, scenes=40, item_value=ITEM_VALUE, within=0.5, load=0.0):
    """Items that share `within` of their variance with their value; values that load on one factor."""
    load = np.broadcast_to(np.sqrt(load), item_value.max() + 1)
    values = load * random.normal(size=(scenes, 1)) + np.sqrt(1 - load**2) * random.normal(size=(scenes, len(load)))
    own = random.normal(size=(scenes, len(item_value)))
    return np.clip(np.round(1.5 * (np.sqrt(within) * values[:, item_value] + np.sqrt(1 - within) * own)), -4, 4) / 2


def values_of(shift_SU, item_value=ITEM_VALUE):
    return np.array(pd.DataFrame(shift_SU).T.groupby(item_value).mean().T)


def by_items(shift_SU, item_value=ITEM_VALUE, **options):
    return granularity_agreement(shift_SU, item_value, values_of(shift_SU, item_value), **options)


def tax(shift, method="spearman"):
    return value_tax(couple(shift, method=method).coupling_VV)


@settings(deadline=None)
@given(taxes)
def test_agreement_is_scipys_over_values_that_both_define(pairs):
    a, b = np.array(pairs).T
    both = np.isfinite(a) & np.isfinite(b)
    found = rank_agreement(a, b)
    assert found.n == both.sum()
    if both.sum() < 3 or np.ptp(a[both]) == 0 or np.ptp(b[both]) == 0:
        assert np.isnan([found.spearman, found.kendall, found.p]).all()
    else:
        assert found.spearman == pytest.approx(spearmanr(a[both], b[both]).statistic, abs=1e-12)
        assert found.kendall == pytest.approx(kendalltau(a[both], b[both]).statistic, abs=1e-12)
        assert 0 < found.p <= 1
    assert np.isnan(found[3:6]).all()


@pytest.mark.parametrize("seed", range(4))
def test_p_is_the_share_of_arrangements_that_agree_as_well(seed):
    random = np.random.default_rng(seed)
    a, b = random.normal(size=6), np.append(random.integers(0, 4, size=5), NAN)
    every = np.array([spearmanr(a[:5], b[list(order)]).statistic for order in permutations(range(5))])
    assert rank_agreement(a, b).p == pytest.approx((every >= every[0] - 1e-9).mean())


def test_p_is_drawn_where_arrangements_are_too_many():
    a = np.arange(10.0)
    assert rank_agreement(a, a).p == 1 / 2000
    assert rank_agreement(a, -a).p == 1
    mixed = a[[3, 1, 0, 6, 2, 9, 8, 4, 5, 7]]
    assert rank_agreement(a, mixed, seed=1).p == rank_agreement(a, mixed, seed=1).p
    assert rank_agreement(a, mixed, seed=1).p != rank_agreement(a, mixed, seed=2).p


def test_taxes_that_differ_by_float_noise_only_are_ties():
    assert rank_agreement(np.array([0.3, 0.1 + 0.2, 1]), np.array([1.0, 1, 2])).spearman == pytest.approx(1)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_metrics_are_compared_over_values_that_move(missing):
    random = np.random.default_rng(0)
    shift = values_of(items(random))
    shift[random.random(shift.shape) < missing] = NAN
    shift[:, 2] = 0.5
    live = np.arange(6) != 2
    found = metric_agreement(shift, n_boot=3)
    expected = rank_agreement(tax(shift)[live], tax(shift, "kendall")[live])
    assert found[:3] == pytest.approx(expected[:3])
    assert found.n == 5


def test_items_are_averaged_over_those_of_a_value_that_move():
    shift = items(np.random.default_rng(0))
    shift[:, [0, 17]] = 0.25  # one of value 0's, and value 5's only item
    live = np.arange(18) % 17 != 0
    of_items = pd.Series(tax(shift)[live]).groupby(ITEM_VALUE[live]).mean()
    expected = rank_agreement(of_items.to_numpy(), tax(values_of(shift))[:5])
    found = by_items(shift, n_boot=3)
    assert found[:3] == pytest.approx(expected[:3])
    assert found.n == 5


def test_values_that_are_their_only_item_agree_with_it():
    shift = values_of(items(np.random.default_rng(0)))
    order = np.array([3, 0, 5, 1, 4, 2])
    found = granularity_agreement(shift[:, order], order, shift, n_boot=9)
    assert found[:2] == pytest.approx((1, 1))
    assert found[3:5] == pytest.approx((1, 1))
    assert found.spearman_split < 0.9


@pytest.mark.parametrize("measure", [metric_agreement, by_items])
def test_the_interval_is_of_scenes_drawn_again(measure):
    shift = items(np.random.default_rng(1)) if measure is by_items else values_of(items(np.random.default_rng(1)))
    found, agreements = measure(shift, n_boot=20, seed=5), []
    for rows in np.random.default_rng(5).integers(40, size=(20, 40)):
        drawn = shift[rows]
        other = pd.Series(tax(drawn)).groupby(ITEM_VALUE).mean() if measure is by_items else tax(drawn, "kendall")
        agreements.append(spearmanr(other, tax(values_of(drawn) if measure is by_items else drawn)).statistic)
    np.testing.assert_allclose(found[3:5], np.quantile(agreements, [0.025, 0.975]), atol=1e-12)


def test_a_metric_agrees_with_another_about_noise_but_not_between_halves():
    random = np.random.default_rng(0)
    found = [metric_agreement(random.normal(size=(40, 6)), n_boot=1, seed=seed) for seed in range(8)]
    assert np.mean([one.spearman for one in found]) > 0.9
    assert abs(np.mean([one.spearman_split for one in found])) < 0.25
    assert np.mean([one.p <= LEVEL for one in found]) < 0.5


def test_agreement_with_siblings_depends_on_which_values_are_large():
    random = np.random.default_rng(0)
    for load, low, high in ((np.linspace(0, 0.5, 10), -0.6, 0.5), (np.linspace(0.5, 0, 10), 0.7, 1)):
        many = [items(random, scenes=80, item_value=SCHWARTZ, load=load) for _ in range(10)]
        either = [np.mean([by_items(shift, SCHWARTZ, siblings=siblings, n_boot=1).spearman for shift in many]) for siblings in (True, False)]
        assert low < either[0] < high
        assert either[1] > 0.8


def test_without_siblings_the_tax_of_an_item_is_from_items_of_other_values():
    shift, matrix = items(np.random.default_rng(4)), couple(items(np.random.default_rng(4))).coupling_VV
    of_items = [np.sqrt(sum(matrix[u, w] ** 2 for w in range(18) if ITEM_VALUE[w] != ITEM_VALUE[u])) for u in range(18)]
    expected = rank_agreement(pd.Series(of_items).groupby(ITEM_VALUE).mean().to_numpy(), tax(values_of(shift)))
    assert by_items(shift, siblings=False, n_boot=1)[:3] == pytest.approx(expected[:3])


def rejections(data_sets, *, siblings=True, item_value=ITEM_VALUE, scenes=40, **planted):
    """Mean agreement, mean split and the shares in which permuting values finds either too good."""
    random, found = np.random.default_rng(0), []
    for seed in range(data_sets):
        shift = items(random, scenes=scenes, item_value=item_value, **planted)
        one = by_items(shift, item_value, siblings=siblings, n_boot=1, seed=seed)
        of_items = pd.Series(tax(shift)).groupby(item_value).mean().to_numpy()
        plain = rank_agreement(of_items, tax(values_of(shift, item_value)), seed=seed).p  # with siblings
        found.append([one.spearman, one.spearman_split, plain <= LEVEL, one.p <= LEVEL])
    return np.mean(found, axis=0)


def test_values_that_do_not_couple_are_not_taken_for_a_ranking():
    assert rejections(80)[3] * 80 <= binom.interval(0.999, 80, LEVEL)[1]


def test_a_ranking_that_is_there_is_found_in_either_half():
    shift = items(np.random.default_rng(0), scenes=200, within=0.8, load=np.array([0.8, 0.8, 0.5, 0.3, 0.1, 0.0]))
    found = by_items(shift, n_boot=19)
    assert found.spearman_split > 0.7
    assert found.p < 0.02
    assert found.spearman_low > 0.5
    plain = metric_agreement(values_of(shift[:80]), n_boot=1)
    assert plain.spearman_split > 0.7
    assert plain.p < 0.02


@pytest.mark.slow
def test_calibration_at_full_size(capsys):
    lines = []
    for within, load in ((0, 0.0), (0.5, 0.0), (0.5, np.linspace(0, 0.5, 10)), (0.5, np.linspace(0.5, 0, 10))):
        for siblings in (True, False):
            found = rejections(300, siblings=siblings, item_value=SCHWARTZ, scenes=80, within=within, load=load)
            planted = f"items share {within}, loads {np.min(load)} to {np.max(load)}, siblings {siblings}"
            lines.append(f"{planted}: agree {found[0]:5.2f}  split {found[1]:5.2f}  plain p {found[2]:5.1%}  p {found[3]:5.1%}")
            assert np.any(load) or found[3] * 300 <= binom.interval(0.999, 300, LEVEL)[1]
    random = np.random.default_rng(0)
    noise = [metric_agreement(np.round(2 * random.normal(size=(80, 10))) / 4, n_boot=1, seed=seed) for seed in range(200)]
    agree, split = np.array([one.spearman for one in noise]), np.mean([one.spearman_split for one in noise])
    low, high = np.quantile(agree, [0.05, 0.95])
    rejected = np.mean([one.p <= LEVEL for one in noise])
    lines.append(f"metrics about noise: agree {agree.mean():5.2f} ({low:4.2f} to {high:4.2f})  split {split:5.2f}  p {rejected:5.1%}")
    assert rejected * 200 <= binom.interval(0.999, 200, LEVEL)[1]
    with capsys.disabled():
        print("", *lines, sep="\n")


def test_the_order_of_items_does_not_matter():
    shift = items(np.random.default_rng(2))
    order = np.random.default_rng(0).permutation(18)
    expected, found = by_items(shift, n_boot=3), granularity_agreement(shift[:, order], ITEM_VALUE[order], values_of(shift), n_boot=3)
    assert found == pytest.approx(expected, abs=1e-12)


def test_one_seed_gives_one_agreement():
    shift = items(np.random.default_rng(3))
    first, again, other = (by_items(shift, n_boot=9, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first[:3] == other[:3]
    assert first.spearman_low != other.spearman_low
    assert first.spearman_split != other.spearman_split


def test_what_is_not_defined_is_nan():
    shift = values_of(items(np.random.default_rng(0)))
    few = metric_agreement(shift[:5], n_boot=3)
    assert np.isfinite(few.spearman)
    assert np.isnan([few.spearman_split, few.p]).all()
    two = metric_agreement(shift[:, :2], n_boot=3)
    assert two.n == 2
    assert np.isnan([*two[:2], *two[3:]]).all()
    assert np.isnan(metric_agreement(np.ones((9, 4)), n_boot=3).spearman)


def test_without_halves_that_rank_there_is_no_split():
    shift = np.full((30, 4), NAN)
    shift[:3] = [[1, 1, 1, 2], [2, 3, 1, 1], [3, 2, 2, 1]]  # all there is; one half has less than all
    found = metric_agreement(shift, n_boot=3)
    assert np.isfinite(found[:2]).all()
    assert np.isnan([found.spearman_split, found.p]).all()


def test_without_resamples_that_rank_there_is_no_interval():
    shift = np.array([[1, 1, 1.0], [0, 1, 0], [0, 0, 2], [0, 0, 0], [0, 0, 0]])
    found = [metric_agreement(shift, n_boot=1, seed=seed) for seed in range(40)]
    undefined = sum(np.isnan(one.spearman_low) for one in found)
    assert np.isfinite([one.spearman for one in found]).all()
    assert 0 < undefined < 40


def test_a_value_without_items_is_not_compared():
    shift = items(np.random.default_rng(0))
    assert granularity_agreement(shift[:, :17], ITEM_VALUE[:17], values_of(shift), n_boot=1).n == 5


def test_one_halving_that_disagrees_wholly_does_not_outweigh_the_others():
    assert _combined(np.array([1.0, *[0.001] * 49])) < 0.01
    assert _combined(np.full(50, 0.3)) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rank_agreement(np.ones(3), np.ones(4)), r"^b_V: must be a vector as long as a_V; got shapes \(4,\) and \(3,\)\. .*\.$"),
        (lambda: rank_agreement(np.eye(3), np.eye(3)), r"^b_V: must be a vector .*\.$"),
        (lambda: metric_agreement(np.ones((9, 4)), n_boot=0), r"^n_boot: needs at least 1 resample; got 0\. .*\.$"),
        (lambda: metric_agreement(np.ones((2, 4))), r"^shift_SV: "),
        (
            lambda: granularity_agreement(np.ones((9, 4)), np.arange(4) // 2, np.ones((8, 2))),
            r"^shift_SU: needs the 8 scenes of shift_SV; got 9\. .*\.$",
        ),
        (
            lambda: granularity_agreement(np.ones((9, 4)), np.arange(3) // 2, np.ones((9, 2))),
            r"^item_value_U: .* for each of 4 items; got shape \(3,\), .*\.$",
        ),
        (lambda: granularity_agreement(np.ones((9, 4)), np.arange(4), np.ones((9, 2))), r"^item_value_U: .*, values \[0, 1, 2, 3\]\. .*\.$"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call, said):
    with pytest.raises(DataError, match=said) as refused:
        call()
    assert "\n" not in str(refused.value)
