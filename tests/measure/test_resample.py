"""Resampled couplings: against scipy and pandas on rows that are really repeated, and the weights that say which."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import chi2, spearmanr

from vat.errors import DataError
from vat.measure.resample import (
    BLOCK,
    FEWEST,
    bootstrap_weights,
    leave_one_out_weights,
    level_codes,
    resampled_couplings,
    subsample_weights,
)

NAN = float("nan")
quarters = st.integers(-4, 4).map(lambda k: k / 4)


def tied_shifts(seed, missing=0.0, scenes=30, values=4):
    """Correlated shifts in quarters, so that half of all pairs are ties, with a share of the entries missing."""
    random = np.random.default_rng(seed)
    shift = np.round(2 * (random.normal(size=(scenes, values)) + random.normal(size=(scenes, 1)))) / 4
    shift[random.random(shift.shape) < missing] = NAN
    return shift


def repeated(shift, weight):
    return np.repeat(shift, weight.astype(int), axis=0)


def by_pandas(shift, weight):
    """Spearman of the rows as often as they are drawn; pandas counts rows, so what rests on fewer than 3 different scenes is taken out."""
    coupling = pd.DataFrame(repeated(shift, weight)).corr("spearman", min_periods=3).to_numpy(copy=True)
    drawn = (~np.isnan(shift[weight > 0])).astype(int)
    coupling[drawn.T @ drawn < FEWEST] = NAN
    np.fill_diagonal(coupling, 1.0)
    return coupling


@pytest.mark.parametrize("seed", range(5))
def test_a_resample_couples_as_scipy_says_of_its_rows(seed):
    shift = tied_shifts(seed)
    weight = bootstrap_weights(len(shift), n_boot=20, seed=seed)
    for found, of_scene in zip(resampled_couplings(shift, weight), weight, strict=True):
        np.testing.assert_allclose(found, spearmanr(repeated(shift, of_scene)).statistic, atol=1e-12, rtol=0)


@pytest.mark.parametrize("missing", [0.0, 0.2, 0.6, 0.85])
@pytest.mark.parametrize("seed", range(3))
def test_a_resample_with_gaps_couples_as_pandas_says_of_its_rows(seed, missing):
    shift = tied_shifts(seed, missing)
    weight = bootstrap_weights(len(shift), n_boot=15, seed=seed)
    for found, of_scene in zip(resampled_couplings(shift, weight), weight, strict=True):
        np.testing.assert_allclose(found, by_pandas(shift, of_scene), atol=1e-12, rtol=0)


@settings(deadline=None)
@given(st.data())
def test_any_resample_of_any_shifts_couples_as_pandas_says_of_its_rows(data):
    scenes, values = data.draw(st.integers(2, 8)), data.draw(st.integers(2, 4))
    shift = data.draw(arrays.arrays(float, (scenes, values), elements=quarters | st.just(NAN)))
    weight = data.draw(arrays.arrays(float, (2, scenes), elements=st.integers(0, 3).map(float)))
    found = resampled_couplings(shift, weight)
    for b in range(2):
        np.testing.assert_allclose(found[b], by_pandas(shift, weight[b]), atol=1e-12, rtol=0)


def test_every_scene_once_is_the_sample_itself():
    shift = tied_shifts(0)
    np.testing.assert_allclose(resampled_couplings(shift, np.ones((1, 30)))[0], spearmanr(shift).statistic, atol=1e-12, rtol=0)
    thrice = resampled_couplings(shift, np.full((1, 30), 3.0))
    np.testing.assert_allclose(thrice, resampled_couplings(shift, np.ones((1, 30))), atol=1e-15, rtol=0)


@pytest.mark.parametrize("gap", [False, True], ids=["complete", "with a gap elsewhere"])
@pytest.mark.parametrize("weight", [[1, 1, 0, 0, 0], [9, 0, 0, 3, 0], [5, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
def test_fewer_than_three_different_scenes_define_no_coupling(weight, gap):
    shift = np.array([[1, 5, 2], [2, 4, 4], [3, 3, 1], [4, 2, 5], [5, 1, 3]]) / 5
    if gap:
        shift[4, 2] = NAN
    found = resampled_couplings(shift, np.array([weight, [1, 1, 1, 0, 0]], dtype=float))
    np.testing.assert_array_equal(np.isnan(found[0]), ~np.eye(3, dtype=bool))
    assert not np.isnan(found[1]).any()
    assert found[1, 0, 1] == pytest.approx(-1, abs=1e-15)


def test_what_does_not_move_in_a_resample_has_no_coupling_there():
    shift = np.array([[0, 1, 2], [0, 2, 1], [0, 3, 5], [1, 4, 4]]) / 5
    with_the_mover, without_it = resampled_couplings(shift, np.array([[1, 1, 1, 1], [2, 1, 1, 0]], dtype=float))
    assert not np.isnan(with_the_mover).any()
    np.testing.assert_array_equal(np.isnan(without_it), [[False, True, True], [True, False, False], [True, False, False]])
    np.testing.assert_array_equal(np.diag(without_it), 1)


def test_a_pair_is_judged_by_the_scenes_that_it_shares():
    shift = np.array([[0.1, NAN, 0.3], [0.2, 0.1, 0.1], [0.3, 0.2, NAN], [0.4, 0.4, 0.2], [NAN, 0.3, 0.4]])
    found = resampled_couplings(shift, np.array([[1, 1, 1, 1, 0]], dtype=float))[0]
    assert found[0, 1] == pytest.approx(1, abs=1e-15)  # scenes 1, 2, 3
    assert np.isnan(found[1, 2])  # scenes 1, 3
    assert found[0, 2] == pytest.approx(-0.5)  # scenes 0, 1, 3: ranks 1 2 3 and 3 1 2


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_resamples_are_the_same_bits_whatever_stands_beside_them(missing):
    shift = tied_shifts(0, missing, scenes=80, values=10)
    block = BLOCK // shift.size
    weight = bootstrap_weights(80, n_boot=2 * block + 1, seed=0)
    found = resampled_couplings(shift, weight)
    for count in (1, block - 1, block, block + 1, 2 * block):
        np.testing.assert_array_equal(resampled_couplings(shift, weight[:count]), found[:count])
    np.testing.assert_array_equal(resampled_couplings(shift, weight[block:]), found[block:])


def test_a_sample_larger_than_a_block_couples_as_scipy_says():
    shift = tied_shifts(0, scenes=BLOCK // 3, values=4)
    weight = bootstrap_weights(len(shift), n_boot=2, seed=0)
    for found, of_scene in zip(resampled_couplings(shift, weight), weight, strict=True):
        np.testing.assert_allclose(found, spearmanr(repeated(shift, of_scene)).statistic, atol=1e-12, rtol=0)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_neither_the_order_of_scenes_nor_a_monotone_recoding_changes_a_coupling(missing):
    shift, random = tied_shifts(1, missing), np.random.default_rng(1)
    weight = bootstrap_weights(30, n_boot=10, seed=1)
    expected = resampled_couplings(shift, weight)
    scenes, values = random.permutation(30), random.permutation(4)
    np.testing.assert_array_equal(resampled_couplings(shift[scenes], weight[:, scenes]), expected)
    np.testing.assert_allclose(resampled_couplings(shift[:, values], weight), expected[:, values][:, :, values], atol=1e-15, rtol=0)
    np.testing.assert_array_equal(resampled_couplings(np.exp(shift) * [1, 2, 3, 4] - [5, 0, 1, 0], weight), expected)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_two_values_couple_the_same_either_way_to_the_bit(missing):
    shift = tied_shifts(2, missing)
    found = resampled_couplings(shift, bootstrap_weights(30, n_boot=20, seed=2))
    np.testing.assert_array_equal(found, found.swapaxes(1, 2))


def test_neither_shifts_nor_weights_are_changed():
    shift, weight = tied_shifts(0, 0.2), bootstrap_weights(30, n_boot=3, seed=0)
    kept = shift.copy(), weight.copy()
    resampled_couplings(shift, weight)
    resampled_couplings(np.nan_to_num(shift), weight)
    np.testing.assert_array_equal(shift, kept[0])
    np.testing.assert_array_equal(weight, kept[1])


def test_a_bootstrap_draws_as_many_scenes_as_there_are_each_as_often_as_another():
    weight = bootstrap_weights(20, n_boot=4000, seed=0)
    np.testing.assert_array_equal(weight.sum(axis=1), 20)
    assert (weight == np.round(weight)).all()
    assert (weight >= 0).all()
    drawn = weight.sum(axis=0)
    assert ((drawn - 4000) ** 2 / 4000).sum() < chi2.ppf(0.999, 19)
    assert weight.var() == pytest.approx(1 - 1 / 20, rel=0.03)  # binomial(20, 1/20)


def test_groups_are_drawn_whole_and_as_many_as_there_are():
    group = level_codes(list("abacdbadcc"), 10, where="groups")
    weight = bootstrap_weights(10, group_S=group, n_boot=4000, seed=0)
    for g in range(4):
        assert (weight[:, group == g] == weight[:, group == g][:, :1]).all()
    of_group = np.stack([weight[:, group == g][:, 0] for g in range(4)], axis=1)
    np.testing.assert_array_equal(of_group.sum(axis=1), 4)
    assert ((of_group.sum(axis=0) - 4000) ** 2 / 4000).sum() < chi2.ppf(0.999, 3)


def test_groups_of_one_scene_are_scenes():
    alone = bootstrap_weights(12, n_boot=50, seed=3)
    np.testing.assert_array_equal(bootstrap_weights(12, group_S=np.arange(12), n_boot=50, seed=3), alone)


def test_a_subsample_keeps_its_number_of_scenes_each_as_often_as_another():
    weight = subsample_weights(10, n_kept=8, n_draws=4000, seed=0)
    assert set(np.unique(weight)) == {0.0, 1.0}
    np.testing.assert_array_equal(weight.sum(axis=1), 8)
    np.testing.assert_allclose(weight.mean(axis=0), 0.8, atol=4 * np.sqrt(0.16 / 4000))
    assert len(np.unique(weight, axis=0)) == 45  # every choice of the two left out


@pytest.mark.parametrize(("weights", "size"), [(bootstrap_weights, {"n_boot": 9}), (subsample_weights, {"n_kept": 9, "n_draws": 9})])
def test_one_seed_draws_the_same_and_another_does_not(weights, size):
    np.testing.assert_array_equal(weights(30, **size, seed=1), weights(30, **size, seed=1))
    assert not np.array_equal(weights(30, **size, seed=1), weights(30, **size, seed=2))


def test_leaving_out_a_group_keeps_every_other_scene_once():
    group = np.array([0, 1, 0, 2, 1])
    expected = np.array([[0, 1, 0, 1, 1], [1, 0, 1, 1, 0], [1, 1, 1, 0, 1]])
    np.testing.assert_array_equal(leave_one_out_weights(group, 0, 3), expected)
    np.testing.assert_array_equal(leave_one_out_weights(group, 1, 2), expected[1:2])
    np.testing.assert_array_equal(leave_one_out_weights(group, 2, 99), expected[2:])
    np.testing.assert_array_equal(leave_one_out_weights(np.arange(4), 0, 4), 1 - np.eye(4))


def test_levels_are_numbered_in_their_order():
    np.testing.assert_array_equal(level_codes(("b", "a", "c", "a"), 4, where="groups"), [1, 0, 2, 0])
    np.testing.assert_array_equal(level_codes(np.array([30, -1, 30]), 3, where="groups"), [1, 0, 1])


@pytest.mark.parametrize("levels", [[], ["a"] * 4, ["a"] * 6, "abcde", 3, None], ids=str)
def test_levels_of_another_length_are_refused_in_one_line(levels):
    with pytest.raises(DataError, match=r"^groups: needs one level for each of the 5 scenes; got \d+\. Pair them by scene\.$"):
        level_codes(levels, 5, where="groups")
