"""Rank correlation of shifts: against scipy and pandas, by hand, and where the usual definitions stop."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import kendalltau, spearmanr

from vat.errors import DataError
from vat.measure.coupling import centred_ranks, couple, coupling_batch, coupling_matrix, pearson

GOLDEN = json.loads((Path(__file__).parent / "golden" / "couplings.json").read_text(encoding="utf-8"))
METHODS = ("spearman", "kendall")

quarters = st.integers(-8, 8).map(lambda k: k / 4)
shapes = st.tuples(st.integers(3, 12), st.integers(2, 5))
shifts = arrays.arrays(float, shapes, elements=quarters)
gappy_shifts = arrays.arrays(float, shapes, elements=quarters | st.just(np.nan))


def tied_shifts(seed: int, missing: float = 0.0, scenes: int = 40, values: int = 5) -> np.ndarray:
    """Correlated shifts in quarters, so that half of all pairs are ties, with a share of the entries missing."""
    random = np.random.default_rng(seed)
    shift = np.round(2 * (random.normal(size=(scenes, values)) + random.normal(size=(scenes, 1)))) / 4
    shift[random.random(shift.shape) < missing] = np.nan
    return shift


@pytest.mark.parametrize("seed", range(5))
def test_complete_shifts_couple_as_scipy_says(seed):
    shift = tied_shifts(seed)
    np.testing.assert_allclose(coupling_matrix(shift), spearmanr(shift).statistic, atol=1e-12, rtol=0)
    tau = np.array([[kendalltau(x, y).statistic for x in shift.T] for y in shift.T])
    np.testing.assert_allclose(coupling_matrix(shift, method="kendall"), tau, atol=1e-12, rtol=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("missing", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(5))
def test_gappy_shifts_couple_as_pandas_says(seed, missing, method):
    shift = tied_shifts(seed, missing)
    expected = pd.DataFrame(shift).corr(method, min_periods=3).fillna(0.0).to_numpy(copy=True)
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(coupling_matrix(shift, method=method), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(5))
def test_a_pair_with_gaps_couples_as_scipy_says_of_their_common_scenes(seed, method):
    shift = tied_shifts(seed, missing=0.3)
    coupling, correlate = coupling_matrix(shift, method=method), {"spearman": spearmanr, "kendall": kendalltau}[method]
    for u, w in zip(*np.triu_indices(shift.shape[1], 1), strict=True):
        both = ~np.isnan(shift[:, [u, w]]).any(axis=1)
        assert coupling[u, w] == pytest.approx(correlate(shift[both, u], shift[both, w]).statistic, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["description"].split(".")[0])
def test_hand_worked_couplings_come_out(case, method):
    found = couple(np.array(case["shift"], dtype=float), method=method)
    np.testing.assert_allclose(found.coupling_VV, case[method], atol=1e-12)
    np.testing.assert_array_equal(found.count_VV, case["count"])
    np.testing.assert_array_equal(found.live_V, case["live"])


@settings(deadline=None)
@given(gappy_shifts)
def test_a_coupling_is_symmetric_with_unit_diagonal_and_within_one(shift):
    coupling = coupling_matrix(shift)
    np.testing.assert_array_equal(coupling, coupling.T)
    np.testing.assert_array_equal(np.diag(coupling), 1.0)
    assert (np.abs(coupling) <= 1).all()


@settings(deadline=None)
@given(gappy_shifts, st.randoms(use_true_random=False), st.sampled_from(METHODS))
def test_the_order_of_scenes_and_of_values_does_not_matter(shift, random, method):
    scenes = random.sample(range(shift.shape[0]), shift.shape[0])
    values = random.sample(range(shift.shape[1]), shift.shape[1])
    shuffled = coupling_matrix(shift[scenes][:, values], method=method)
    np.testing.assert_allclose(shuffled, coupling_matrix(shift, method=method)[np.ix_(values, values)], atol=1e-12)


@settings(deadline=None)
@given(gappy_shifts, st.lists(st.floats(1e-3, 9), min_size=17, max_size=17), st.booleans(), st.sampled_from(METHODS))
def test_a_strictly_monotone_recoding_of_a_value_changes_at_most_its_sign(shift, steps, falling, method):
    sign = -1 if falling else 1
    recoded = shift.copy()
    seen = ~np.isnan(shift[:, 0])
    recoded[seen, 0] = sign * np.cumsum(steps)[(shift[seen, 0] * 4 + 8).astype(int)]
    expected = coupling_matrix(shift, method=method)
    expected[0, 1:] *= sign
    expected[1:, 0] *= sign
    np.testing.assert_allclose(coupling_matrix(recoded, method=method), expected, atol=1e-12)


@settings(deadline=None)
@given(gappy_shifts, st.integers(0, 2**32 - 1), st.sampled_from(METHODS))
def test_float_noise_does_not_split_ties(shift, seed, method):
    noise = np.random.default_rng(seed).uniform(-1e-12, 1e-12, shift.shape)
    np.testing.assert_array_equal(coupling_matrix(shift + noise, method=method), coupling_matrix(shift, method=method))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("still", [0.0, 0.25, np.nan], ids=["zero", "constant", "never observed"])
def test_a_value_that_never_moves_couples_to_nothing(still, method):
    shift = tied_shifts(0)
    shift[:, 2] = still
    found = couple(shift, method=method)
    np.testing.assert_array_equal(found.coupling_VV[2], [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(found.live_V, [True, True, False, True, True])
    others = np.delete(shift, 2, axis=1)
    np.testing.assert_allclose(np.delete(np.delete(found.coupling_VV, 2, 0), 2, 1), coupling_matrix(others, method=method), atol=1e-12)


def test_a_value_that_moves_only_by_float_noise_is_not_live():
    shift = tied_shifts(0)
    shift[:, 0] = 0.3 + np.linspace(-1e-12, 1e-12, len(shift))
    assert not couple(shift).live_V[0]


@settings(deadline=None)
@given(gappy_shifts)
def test_centred_ranks_sum_to_nothing_and_leave_gaps_where_they_were(shift):
    rank = centred_ranks(shift)
    np.testing.assert_array_equal(np.isnan(rank), np.isnan(shift))
    np.testing.assert_allclose(np.nansum(rank, axis=0), 0.0, atol=1e-9)


@settings(deadline=None)
@given(shifts)
def test_stacked_columns_correlate_as_each_alone(shift):
    stack = np.stack([centred_ranks(shift), centred_ranks(shift[::-1])])
    np.testing.assert_allclose(pearson(stack)[0], coupling_matrix(shift), atol=1e-12)
    np.testing.assert_allclose(pearson(stack)[1], coupling_matrix(shift), atol=1e-12)


@pytest.mark.parametrize(
    ("shift", "rule"),
    [
        (np.zeros((2, 3)), "at least 3 scenes and 2 values"),
        (np.zeros((0, 3)), "at least 3 scenes and 2 values"),
        (np.zeros((5, 1)), "at least 3 scenes and 2 values"),
        (np.zeros(5), "at least 3 scenes and 2 values"),
        (np.zeros((5, 3, 2)), "at least 3 scenes and 2 values"),
        (np.array([[0, 1], [1, np.inf], [2, 0]]), "must be finite"),
        (np.array([[0, 1], [1, -np.inf], [2, np.nan]]), "must be finite"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_shifts_that_cannot_be_coupled_are_refused_in_one_line(shift, rule, method):
    with pytest.raises(DataError, match=rf"^shift_SV: [^\n]*{rule}[^\n]*; got [^\n]+\. [A-Z][^\n]+\.$"):
        coupling_matrix(shift, method=method)


def test_an_unknown_method_is_refused():
    with pytest.raises(DataError, match="method: must be one of spearman, kendall; got 'pearson'"):
        coupling_matrix(np.eye(4), method="pearson")


@pytest.mark.parametrize(("runs", "scenes"), [(1, 3), (7, 40), (300, 12)])
def test_a_batch_of_runs_couples_as_each_of_them(runs, scenes):
    shift = np.stack([tied_shifts(seed, scenes=scenes) for seed in range(runs)])
    shift[0, :, 1] = 0.25  # a value that never moves
    if runs > 2:
        shift[2, 1, 0] = np.nan
    np.testing.assert_allclose(coupling_batch(shift), [coupling_matrix(run) for run in shift], atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("shift", "rule"),
    [(np.zeros((2, 2, 3)), "at least 3 scenes"), (np.zeros((5, 3)), "as .runs, scenes, values."), (np.full((1, 4, 2), np.inf), "finite")],
)
def test_a_batch_that_is_none_is_refused_in_one_line(shift, rule):
    with pytest.raises(DataError, match=rf"^shift_SV: [^\n]*{rule}[^\n]*; got [^\n]+\.$"):
        coupling_batch(shift)
