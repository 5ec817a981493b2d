"""VAT, nVAT and Gini: by hand, over pair by pair, their bounds, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vat.errors import DataError
from vat.measure.coupling import couple, coupling_matrix
from vat.measure.indices import gini, system_tax, value_tax

GOLDEN = json.loads((Path(__file__).parent / "golden" / "taxes.json").read_text(encoding="utf-8"))
NAN = float("nan")

quarters = st.integers(-4, 4).map(lambda k: k / 4)
shifts = arrays.arrays(float, st.tuples(st.integers(3, 12), st.integers(2, 5)), elements=quarters | st.just(NAN))
riches = arrays.arrays(float, st.integers(1, 12), elements=st.floats(0, 1e6, allow_subnormal=False).map(lambda x: round(x, 6)))


def stack(seed, draws=(3, 4), values=5, undefined=0.3):
    """(*draws, V, V) symmetric matrices in [-1, 1] with a share of the pairs undefined."""
    random = np.random.default_rng(seed)
    R = random.uniform(-1, 1, (*draws, values, values))
    R[random.random(R.shape) < undefined] = NAN
    R = np.triu(R, 1)
    R = R + np.swapaxes(R, -1, -2)
    R[..., np.arange(values), np.arange(values)] = 1.0
    return R


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["description"].split(":")[0])
def test_hand_worked_taxes_come_out(case):
    tax = value_tax(np.array(case["coupling"]))
    np.testing.assert_allclose(tax, case["value_tax"], atol=1e-12)
    assert system_tax(np.array(case["coupling"])) == pytest.approx(case["rms"], abs=1e-12)
    assert system_tax(np.array(case["coupling"]), form="frobenius") == pytest.approx(case["frobenius"], abs=1e-12)
    assert gini(tax) == pytest.approx(case["gini"], abs=1e-12)


@pytest.mark.parametrize("undefined", [0.0, 0.3, 0.9])
def test_taxes_are_those_of_the_defined_pairs_one_by_one(undefined):
    for R in stack(0, (20,), undefined=undefined):
        pairs = [(u, w) for u in range(5) for w in range(5) if u != w and not np.isnan(R[u, w])]
        np.testing.assert_allclose(value_tax(R), [np.sqrt(sum(R[u, w] ** 2 for u, w in pairs if u == v)) for v in range(5)], atol=1e-12)
        total = sum(R[u, w] ** 2 for u, w in pairs)
        assert system_tax(R) == pytest.approx(np.sqrt(total / max(len(pairs), 1)), abs=1e-12)
        assert system_tax(R, form="frobenius") == pytest.approx(np.sqrt((5 + total) / 5), abs=1e-12)


@pytest.mark.parametrize("index", [value_tax, system_tax, lambda R: system_tax(R, form="frobenius"), lambda R: gini(value_tax(R))])
def test_many_matrices_at_once_are_many_single_ones(index):
    R = stack(1)
    kept = R.copy()
    found = index(R)
    for place in np.ndindex(R.shape[:-2]):
        np.testing.assert_allclose(found[place], index(R[place]), atol=1e-12, rtol=0)
    np.testing.assert_array_equal(R, kept)


def test_the_diagonal_is_no_coupling():
    R = stack(2, (), undefined=0.0)
    for diagonal in (0.0, -3.0, NAN):
        other = R.copy()
        np.fill_diagonal(other, diagonal)
        np.testing.assert_array_equal(value_tax(other), value_tax(R))
        assert system_tax(other) == system_tax(R)
        assert system_tax(other, form="frobenius") == system_tax(R, form="frobenius")


def test_a_defined_coupling_of_zero_counts_only_if_the_pairs_are_given():
    R = np.array([[1, 0.6, 0], [0.6, 1, 0], [0, 0, 1]])
    assert system_tax(R) == pytest.approx(0.6)  # the third value is taken for one that never moved
    assert system_tax(R, pairs=~np.eye(3, dtype=bool)) == pytest.approx(np.sqrt(2 * 0.36 / 6))
    first_two = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=bool)
    assert system_tax(R, pairs=first_two) == pytest.approx(0.6)
    np.testing.assert_allclose(system_tax(np.stack([R, R]), pairs=np.stack([first_two, ~np.eye(3, dtype=bool)])), [0.6, np.sqrt(0.12)])


def test_a_pair_that_is_given_but_undefined_is_left_out():
    R = np.array([[1, 0.6, NAN], [0.6, 1, 0], [NAN, 0, 1]])
    assert system_tax(R, pairs=~np.eye(3, dtype=bool)) == pytest.approx(np.sqrt(0.36 / 2))


def test_without_any_defined_pair_there_is_no_tax():
    R = np.where(np.eye(3, dtype=bool), 1.0, NAN)
    np.testing.assert_array_equal(value_tax(R), 0)
    assert system_tax(R) == 0
    assert system_tax(R, pairs=np.zeros((3, 3), dtype=bool)) == 0
    assert system_tax(R, form="frobenius") == 1


@settings(deadline=None)
@given(shifts)
def test_the_system_tax_lies_between_0_and_1_and_the_papers_form_follows_from_it(shift):
    coupling = coupling_matrix(shift)
    rms, frobenius = system_tax(coupling), system_tax(coupling, form="frobenius")
    assert 0 <= rms <= 1 + 1e-12
    assert frobenius >= 1
    assert ((value_tax(coupling) >= 0) & (value_tax(coupling) <= np.sqrt(len(coupling) - 1) + 1e-12)).all()
    live = (coupling - np.eye(len(coupling)) != 0).any(axis=1).sum()
    assert frobenius == pytest.approx(np.sqrt(1 + live * (live - 1) / len(coupling) * rms**2))  # all live: 1 + (V - 1) rms²
    assert (value_tax(coupling) ** 2).sum() == pytest.approx(live * (live - 1) * rms**2)


@settings(deadline=None)
@given(shifts, st.randoms(use_true_random=False))
def test_taxes_do_not_depend_on_the_order_of_scenes_or_values(shift, random):
    scenes = random.sample(range(shift.shape[0]), shift.shape[0])
    values = random.sample(range(shift.shape[1]), shift.shape[1])
    coupling, shuffled = coupling_matrix(shift), coupling_matrix(shift[scenes][:, values])
    np.testing.assert_allclose(value_tax(shuffled), value_tax(coupling)[values], atol=1e-12)
    assert system_tax(shuffled) == pytest.approx(system_tax(coupling), abs=1e-12)
    assert gini(value_tax(shuffled)) == pytest.approx(gini(value_tax(coupling)), abs=1e-12)


@settings(deadline=None)
@given(shifts, st.lists(st.lists(st.integers(1, 50), min_size=9, max_size=9), min_size=5, max_size=5))
def test_only_the_order_of_a_values_shifts_matters(shift, steps):
    """A strictly increasing map of its own for each value: nine levels, any positive distance between neighbours."""
    recoded = shift.copy()
    for v, step in enumerate(steps[: shift.shape[1]]):
        seen = ~np.isnan(shift[:, v])
        recoded[seen, v] = np.cumsum(step)[(4 * shift[seen, v]).astype(int) + 4] / 1000
    before, after = couple(shift), couple(recoded)
    np.testing.assert_array_equal(after.coupling_VV, before.coupling_VV)
    assert system_tax(after.coupling_VV, pairs=after.pair_VV) == system_tax(before.coupling_VV, pairs=before.pair_VV)


@settings(deadline=None)
@given(riches, st.floats(1e-3, 1e3))
def test_gini_is_bounded_and_knows_no_unit_and_no_order(x, factor):
    found = gini(x)
    assert -1e-12 <= found <= (len(x) - 1) / len(x) + 1e-12
    assert gini(x * factor) == pytest.approx(found, abs=1e-9)
    assert gini(np.append(x[::-1], np.nan)) == pytest.approx(found, abs=1e-12)
    total, apart = x.sum(), np.abs(x[:, None] - x).sum()
    assert found == pytest.approx(apart / (2 * len(x) * total) if total else 0, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "expected"),
    [([], NAN), ([NAN], NAN), ([0, 0, 0], 0), ([3], 0), ([2, 2, 2], 0), ([0, 0, 0, 5], 0.75), ([1, 3, NAN], 0.25), ([0, NAN], 0)],
)
def test_gini_of_little_is_defined(x, expected):
    np.testing.assert_allclose(gini(np.array(x, dtype=float)), expected)


def test_many_ginis_at_once_are_many_single_ones():
    random = np.random.default_rng(3)
    x = random.exponential(size=(4, 6, 7))
    x[random.random(x.shape) < 0.3] = NAN
    x[0, 0], x[0, 1], x[0, 2, 1:] = NAN, 0.0, NAN
    expected = [[gini(row) for row in rows] for rows in x]
    np.testing.assert_allclose(gini(x), expected, atol=1e-12, rtol=0)
    assert np.isnan(gini(x)[0, 0])


@pytest.mark.parametrize("tax", [value_tax, system_tax])
@pytest.mark.parametrize(
    "R",
    [np.ones((2, 3)), np.ones(4), np.array(1.0), np.ones((3, 2, 4)), np.array([[1, np.inf], [0, 1]]), np.array([[-np.inf, NAN], [NAN, 1]])],
    ids=["not square", "a vector", "a number", "a stack of what is not square", "infinite", "infinite on the diagonal"],
)
def test_what_is_no_coupling_matrix_is_refused_in_one_line(tax, R):
    with pytest.raises(DataError, match=r"^R: must be a square matrix, finite or NaN; got [^\n]+\. Use coupling_matrix\.$"):
        tax(R)


@pytest.mark.parametrize("x", [[1, -0.5], [np.inf, 1], [-1, NAN], [[1, 2], [3, -4]]])
def test_gini_refuses_debts_and_infinite_riches_in_one_line(x):
    with pytest.raises(DataError, match=r"^x: [^\n]*not negative; got [^\n]+\. Check the input\.$"):
        gini(np.array(x))
