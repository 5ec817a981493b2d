"""Fronts and hypervolumes against brute force: every pair of points, every cell of the grid that the points make, and dice."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vat.errors import DataError
from vat.measure.pareto import hypervolume, hypervolume_batch, pareto_front

NAN = float("nan")
COARSE = st.integers(-3, 8).map(lambda n: n / 5) | st.just(NAN)
"""Few levels, so that points tie in gain, in tax and in both, and some lie beyond the reference."""
POINTS = st.lists(st.tuples(COARSE, COARSE), max_size=12).map(lambda points: np.array(points, dtype=float).reshape(-1, 2).T)


def dominates(a, b):
    return a[0] >= b[0] and a[1] <= b[1] and (a[0] > b[0] or a[1] < b[1])


def front_by_pairs(gain, tax):
    points = list(zip(gain, tax, strict=True))
    return [not np.isnan(one).any() and not any(dominates(other, one) for other in points) for one in points]


def area_by_cells(gain, tax, reference=(0.0, 1.0)):
    """Every coordinate draws a line; a cell between lines counts if one point has at least its gain and at most its tax."""
    seen = ~np.isnan(gain + tax)
    gain, tax = gain[seen], tax[seen]
    gains = sorted({reference[0], *(g for g in gain if g > reference[0])})
    taxes = sorted({reference[1], *(t for t in tax if t < reference[1])})
    return sum(
        (right - left) * (top - bottom)
        for left, right in itertools.pairwise(gains) for bottom, top in itertools.pairwise(taxes)
        if ((gain >= right) & (tax <= bottom)).any()
    )  # fmt: skip


@example(np.array([[0.2, 0.2, 0.4, 0.4, NAN], [0.2, 0.2, 0.2, 0.4, 0.0]]))
@settings(deadline=None, max_examples=500)
@given(POINTS)
def test_the_front_is_what_no_other_point_dominates(points):
    np.testing.assert_array_equal(pareto_front(*points), front_by_pairs(*points))


@settings(deadline=None, max_examples=300)
@given(POINTS, st.sampled_from([(0.0, 1.0), (0.2, 0.6), (-1.0, 2.0)]))
def test_the_hypervolume_is_the_sum_of_the_cells_that_are_dominated(points, reference):
    assert hypervolume(*points, reference=reference) == pytest.approx(area_by_cells(*points, reference=reference), abs=1e-12)


def test_the_hypervolume_is_what_dice_say():
    random = np.random.default_rng(0)
    gain, tax = random.uniform(-0.2, 1.0, 30), random.uniform(0.1, 1.3, 30)
    thrown = random.uniform(size=(200_000, 2))
    hit = ((thrown[:, :1] <= gain) & (thrown[:, 1:] >= tax)).any(axis=1).mean()
    assert hypervolume(gain, tax) == pytest.approx(hit, abs=0.005)


@settings(deadline=None, max_examples=200)
@given(POINTS, st.randoms(use_true_random=False))
def test_neither_depends_on_the_order_of_the_points(points, random):
    order = list(range(points.shape[1]))
    random.shuffle(order)
    np.testing.assert_array_equal(pareto_front(*points[:, order]), pareto_front(*points)[order])
    assert hypervolume(*points[:, order]) == pytest.approx(hypervolume(*points), abs=1e-12)


@settings(deadline=None, max_examples=200)
@given(POINTS, COARSE, COARSE)
def test_a_point_more_takes_nothing_away_and_a_dominated_one_adds_nothing(points, gain, tax):
    more = np.column_stack([points, [gain, tax]])
    assert hypervolume(*more) >= hypervolume(*points) - 1e-12
    if not pareto_front(*more)[-1]:
        assert hypervolume(*more) == pytest.approx(hypervolume(*points), abs=1e-12)
    front = pareto_front(*points)
    assert hypervolume(*points[:, front]) == pytest.approx(hypervolume(*points), abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(POINTS)
def test_the_front_is_the_same_for_every_scale_of_the_tax(points):
    gain, tax = points
    np.testing.assert_array_equal(pareto_front(gain, tax), pareto_front(3 * gain, np.exp(tax)))


def test_many_sets_of_points_at_once_are_each_what_it_is_alone():
    random = np.random.default_rng(1)
    gain_BN, tax_BN = random.normal(size=(50, 6)), random.normal(0.5, 0.5, size=(50, 6))
    gain_BN[random.random((50, 6)) < 0.1] = NAN
    np.testing.assert_array_equal(hypervolume_batch(gain_BN, tax_BN), [hypervolume(*set_) for set_ in zip(gain_BN, tax_BN, strict=True)])


def test_one_point_commands_a_rectangle_and_none_nothing():
    assert hypervolume([0.5], [0.25]) == 0.375
    assert hypervolume([], []) == hypervolume([NAN, 0.5], [0.1, NAN]) == hypervolume([-0.1, 0.5], [0.1, 1.5]) == 0
    assert pareto_front([], []).shape == (0,)


def test_a_million_points_are_no_million_squared():
    random = np.random.default_rng(2)
    angle = np.sort(random.uniform(0, np.pi / 2, 1_000_000))
    assert pareto_front(np.sin(angle), 1 - np.cos(angle)).all()  # on a quarter of a circle nobody dominates
    assert hypervolume(np.sin(angle), 1 - np.cos(angle)) == pytest.approx(np.pi / 4, abs=1e-4)


@pytest.mark.parametrize("of", [pareto_front, hypervolume])
@pytest.mark.parametrize(
    ("gain", "tax", "message"),
    [
        ([0.1, 0.2], [0.1], r"gain_N, tax_N: must be two rows of as many numbers; got shapes \(2,\) and \(1,\)\. Pair them by point\."),
        ([[0.1]], [[0.1]], r"gain_N, tax_N: must be two rows of as many numbers; got shapes \(1, 1\) and \(1, 1\)\. Pair them by point\."),
        ([np.inf], [0.1], r"gain_N, tax_N: must be finite, or NaN where not defined; got an infinite one\. Mark what is not defined as NaN\."),
        ([0.1], [-np.inf], r"gain_N, tax_N: must be finite, or NaN [^\n]+\."),
    ],
)
def test_what_are_no_points_is_refused_in_one_line(of, gain, tax, message):
    with pytest.raises(DataError, match=f"^{message}$"):
        of(gain, tax)


def test_a_reference_that_is_none_is_refused_in_one_line():
    with pytest.raises(DataError, match=r"^reference: must be a gain and a tax; got \(0\.0, nan\)\. Use \(0\.0, 1\.0\)\.$"):
        hypervolume([0.1], [0.1], reference=(0.0, NAN))
