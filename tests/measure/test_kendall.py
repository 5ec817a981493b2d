from __future__ import annotations

import sys
import tracemalloc
from unittest.mock import patch

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from vat.errors import DataError, MissingDependency
from vat.measure import coupling, kendall, kendall_numba
from vat.measure.kendall import kendall_matrix

NAN = np.nan
WAYS = ["signs", "sorting", "loop"]


def tau(shift, way):
    """By one of the ways of counting, however many scenes there are; `loop` is what numba compiles, left as it is."""
    engine = "numba" if way == "loop" else "numpy"
    few = 0 if way == "sorting" else 10**9
    with patch.object(kendall, "_FEW_SCENES", few), patch.object(kendall_numba, "compiled", lambda: kendall_numba.count_pairs):
        return kendall_matrix(shift, engine=engine)


def by_scipy(shift):
    expected = np.eye(shift.shape[1])
    for u, w in zip(*np.triu_indices(shift.shape[1], 1), strict=True):
        x, y = shift[~np.isnan(shift[:, u] + shift[:, w])][:, [u, w]].T
        if len(x) >= 3 and np.ptp(x) and np.ptp(y):
            expected[u, w] = expected[w, u] = kendalltau(x, y).statistic
    return expected


def shifts(scenes, values=4, *, step=0.0, missing=0.0, seed=0):
    random = np.random.default_rng(seed)
    shift = random.normal(size=(scenes, values)) + random.normal(size=(scenes, 1))
    if step:
        shift = np.round(np.clip(shift, -2, 2) / step) * step
    shift[random.random(shift.shape) < missing] = NAN
    return shift


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("missing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("step", [0.0, 0.05, 0.5, 2.0])
@pytest.mark.parametrize("scenes", [3, 4, 16, 17, 80, 81, 130])
def test_every_pair_is_as_scipy_says(scenes, step, missing, way):
    shift = shifts(scenes, step=step, missing=missing)
    np.testing.assert_allclose(tau(shift, way), by_scipy(shift), rtol=0, atol=1e-12)


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("step", [0.0, 0.05])
@pytest.mark.parametrize("scenes", [100, 101, 1000, 9000, 2**15 + 1])
def test_so_it_is_for_many_scenes(scenes, step, missing):
    shift = shifts(scenes, values=3, step=step, missing=missing)
    np.testing.assert_allclose(kendall_matrix(shift), by_scipy(shift), rtol=0, atol=1e-12)


few_levels = arrays.arrays(
    float, arrays.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.sampled_from([-1.0, -0.0, 0.0, 0.25, 0.5, NAN])
)


@settings(deadline=None)
@given(few_levels)
def test_every_way_of_counting_gives_the_same_bits(shift):
    first, *others = (tau(shift, way) for way in WAYS)
    np.testing.assert_allclose(first, by_scipy(shift), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(first, first.T)
    for other in others:
        np.testing.assert_array_equal(first, other)


@settings(deadline=None)
@given(few_levels, st.sampled_from(WAYS), st.randoms(use_true_random=False))
def test_only_the_order_within_a_column_matters(shift, way, random):
    found = tau(shift, way)
    scenes, values = random.sample(range(shift.shape[0]), shift.shape[0]), random.sample(range(shift.shape[1]), shift.shape[1])
    np.testing.assert_array_equal(tau(shift[scenes][:, values], way), found[values][:, values])
    np.testing.assert_array_equal(tau(np.exp(3 * shift) - 7, way), found)
    flipped = shift * np.where(np.arange(shift.shape[1]) == 0, -1, 1)
    np.testing.assert_array_equal(tau(flipped, way)[0, 1:], -found[0, 1:])


@pytest.mark.parametrize("way", WAYS)
def test_by_hand(way):
    shift = np.array([[1, 1, 4, 1], [2, 3, 3, 1], [3, 2, 2, 2], [4, 4, 1, NAN]]) / 10
    half_tied = 2 / np.sqrt(3 * 2)  # of three scenes two are tied in column 3: two pairs alike, and one each way against column 1
    expected = [[1, 4 / 6, -1, half_tied], [4 / 6, 1, -4 / 6, 0], [-1, -4 / 6, 1, -half_tied], [half_tied, 0, -half_tied, 1]]
    np.testing.assert_allclose(tau(shift, way), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("way", WAYS)
def test_a_value_that_never_moves_among_the_scenes_shared_couples_to_nothing(way):
    still, moved, early = np.full(6, 0.5), np.arange(6.0), np.array([1, 1, 1, 2, 3, 4.0])
    late = np.array([1, 2, 3, NAN, NAN, NAN])
    found = tau(np.column_stack([still, moved, early, late, np.full(6, NAN)]), way)
    expected = np.eye(5)
    expected[1, 2] = expected[2, 1] = 12 / np.sqrt(15 * 12)
    expected[1, 3] = expected[3, 1] = 1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("shared", "expected"), [(0, 0), (1, 0), (2, 0), (3, 1)])
def test_a_coupling_needs_as_many_shared_scenes_as_elsewhere(shared, expected, way):
    rising = np.arange(10.0)
    partial = np.where(rising < shared, rising, NAN)
    assert tau(np.column_stack([rising, partial]), way)[0, 1] == expected
    assert kendall.FEWEST == coupling.FEWEST


@pytest.mark.parametrize("way", WAYS)
def test_zeros_of_either_sign_are_ties(way):
    shift = shifts(60, step=1.0)
    signed = np.where((shift == 0) & (np.arange(60)[:, None] % 2 == 0), -0.0, shift)
    assert np.signbit(signed).sum() > np.signbit(shift[shift < 0]).sum()
    np.testing.assert_array_equal(tau(signed, way), tau(np.abs(shift) * np.sign(shift) + 0.0, way))


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_pairs_sorted_in_blocks_are_the_pairs_sorted_at_once(missing):
    shift = shifts(150, values=9, step=0.05, missing=missing)
    at_once = kendall_matrix(shift)
    for block in (1, 7 * 160):
        with patch.object(kendall, "_BLOCK", block):
            np.testing.assert_array_equal(kendall_matrix(shift), at_once)


def test_the_shifts_are_left_as_they_were():
    for scenes in (50, 150):
        shift = shifts(scenes, step=0.05, missing=0.1)
        before = shift.copy()
        kendall_matrix(shift)
        np.testing.assert_array_equal(shift, before)


@pytest.mark.parametrize("shape", [(0, 2), (1, 3), (2, 2), (5, 0), (5, 1), (200, 1)])
def test_too_few_scenes_or_values_couple_to_nothing(shape):
    np.testing.assert_array_equal(kendall_matrix(np.zeros(shape)), np.eye(shape[1]))


def test_nine_thousand_scenes_take_a_few_megabytes():
    shift = shifts(9000, values=30, missing=0.1)
    tracemalloc.start()
    kendall_matrix(shift, engine="numpy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("shape", [(5,), (2, 5, 3)])
def test_anything_but_a_table_is_refused_in_one_line(shape):
    with pytest.raises(DataError, match=r"^shift_SV: needs shifts as \(scenes, values\); got shape \([^\n]*\)\. Give one column for each value\.$"):
        kendall_matrix(np.zeros(shape))


def test_another_engine_is_refused_in_one_line():
    with pytest.raises(DataError, match=r"^engine: must be auto, numpy or numba; got 'cuda'\. Use engine='auto'\.$"):
        kendall_matrix(shifts(5), engine="cuda")


@pytest.fixture
def without_numba(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    kendall_numba.compiled.cache_clear()


@pytest.mark.usefixtures("without_numba")
def test_numba_is_asked_for_by_name_where_it_is_missing():
    with pytest.raises(
        MissingDependency,
        match=r"^kendall_matrix\(engine='numba'\): needs the package numba; got none installed\. Run `pip install 'vat\[fast\]'`\.$",
    ):
        kendall_matrix(shifts(5), engine="numba")


@pytest.mark.usefixtures("without_numba")
def test_without_numba_auto_is_numpy():
    shift = shifts(150, step=0.05, missing=0.1)
    with patch.object(kendall, "_WORTH_COMPILING", 0):
        np.testing.assert_array_equal(kendall_matrix(shift), kendall_matrix(shift, engine="numpy"))


@pytest.mark.parametrize(("scenes", "values", "compiles"), [(101, 4, False), (102, 4, True), (100, 5, False)])
def test_auto_compiles_only_what_is_large(scenes, values, compiles):
    with patch.object(kendall, "_WORTH_COMPILING", 102 * 6), patch.object(kendall_numba, "compiled", return_value=kendall_numba.count_pairs) as asked:
        kendall_matrix(shifts(scenes, values=values))
    assert asked.called == compiles


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("step", [0.0, 0.05])
def test_compiled_it_gives_the_same_bits(step, missing):
    pytest.importorskip("numba")
    for scenes in (3, 80, 1000, 2**15 + 1):
        shift = shifts(scenes, step=step, missing=missing)
        np.testing.assert_array_equal(kendall_matrix(shift, engine="numba"), kendall_matrix(shift, engine="numpy"))
