"""What ratings say: by hand, against definitions, and of annotators whose agreement is known."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from vat.generate.agreement import FEWEST, Finding, finding, ordinal_alpha
from vat.types import Floats, Ints

NAN = math.nan
BY_HAND = np.array([[5, 1, 2, NAN], [4, 3, NAN, NAN], [4, 5, 3, 4]])
"""Three annotators, four instances."""
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]  # fmt: skip
"""Krippendorff (2011), example D: four observers, twelve units, 0.815 for ordered data."""


def labels(rating_AI: object) -> Ints:
    return (np.asarray(rating_AI, dtype=float)[:, :, None] == np.arange(1, 6)).sum(axis=0)


def alpha_by_definition(rating_AI: object) -> float:
    """1 - observed over expected disagreement, from every pair of ratings, in fractions."""
    units = [[int(x) for x in unit if not math.isnan(x)] for unit in np.asarray(rating_AI, dtype=float).T]
    units = [unit for unit in units if len(unit) > 1]
    pooled = [rating for unit in units for rating in unit]

    def distance(a: int, b: int) -> Fraction:
        between = sum(pooled.count(c) for c in range(min(a, b), max(a, b) + 1))
        return (between - Fraction(pooled.count(a) + pooled.count(b), 2)) ** 2 if a != b else Fraction(0)

    observed = sum((distance(a, b) / (len(unit) - 1) for unit in units for a, b in permutations(unit, 2)), Fraction(0))
    expected = sum((distance(a, b) for a, b in permutations(pooled, 2)), Fraction(0)) / (len(pooled) - 1)
    return float(1 - observed / expected)


def annotators(copies: float, n_annotators: int, n_instances: int, seed: int) -> Floats:
    """(A, I) ratings: each is the instance's own with that chance, else any. Two are both the instance's own with its square, so alpha is that."""
    random = np.random.default_rng(seed)
    chances = [0.1, 0.2, 0.3, 0.25, 0.15]
    own_I = random.choice(5, n_instances, p=chances)
    other_AI = random.choice(5, (n_annotators, n_instances), p=chances)
    return np.where(random.random(other_AI.shape) < copies, own_I, other_AI) + 1.0


def test_a_row_of_the_table_is_what_pencil_and_paper_give() -> None:
    found = finding(BY_HAND)
    # Means of the instances: 13/3, 3, 5/2, 4; their mean 83/24; squares about it add up to 2.1875, so the variance is 0.729167.
    assert (found.ratings, found.missing, found.instances, found.shared) == (9, 3, 4, 3)
    assert found.mean == pytest.approx(83 / 24)
    assert found.sd == pytest.approx(math.sqrt(2.1875 / 3))
    # Student's t for three degrees of freedom: 3.182446.
    assert found.mean_low == pytest.approx(83 / 24 - 3.182446 * math.sqrt(2.1875 / 3 / 4), abs=1e-5)
    assert found.mean_high == pytest.approx(83 / 24 + 3.182446 * math.sqrt(2.1875 / 3 / 4), abs=1e-5)
    # Nine ratings of sum 31, squares 121.
    assert found.sd_ratings == pytest.approx(math.sqrt((121 - 31**2 / 9) / 8))
    # Two agree on the first instance alone; the second has all three stances, the third two, the fourth one rating only.
    assert found.agreement == pytest.approx(1 / 3)
    # Stances disagree, neither, agree: 2, 2 and 5 of 9. Three draws all differ with 6 * 20/729, two are the same with 33/81.
    assert found.agreement_chance == pytest.approx((2 * (1 - 120 / 729) + 33 / 81) / 3)
    assert found.alpha == pytest.approx(alpha_by_definition(BY_HAND))
    assert np.isnan([found.alpha_low, found.alpha_high]).all(), "three instances tell nothing of others"


def test_alpha_of_a_few_ratings_by_hand() -> None:
    # Units (1,1), (1,2), (2,2): three ratings of each; their distance is (6 - 3)² = 9. Observed 2 * 9, expected 2 * 9 * 9 / 5.
    assert ordinal_alpha(labels([[1, 1, 2], [1, 2, 2]])) == pytest.approx(1 - 18 / (162 / 5))


def test_alpha_of_a_published_example() -> None:
    assert ordinal_alpha(labels(PUBLISHED)) == pytest.approx(0.815, abs=5e-4)
    assert alpha_by_definition(PUBLISHED) == pytest.approx(0.815, abs=5e-4)


ratings = st.lists(st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, NAN]), min_size=4, max_size=4), min_size=2, max_size=5)


@given(rating_AI=ratings)
@settings(deadline=None, max_examples=100)
def test_alpha_is_that_of_its_definition_or_undefined(rating_AI: list[list[float]]) -> None:
    alpha = ordinal_alpha(labels(rating_AI))
    shared = [[x for x in unit if not math.isnan(x)] for unit in zip(*rating_AI, strict=True)]
    if len({x for unit in shared if len(unit) > 1 for x in unit}) < 2:
        assert math.isnan(alpha)
    else:
        assert alpha == pytest.approx(alpha_by_definition(rating_AI), abs=1e-9)


@given(rating_AI=ratings, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=50)
def test_the_order_of_annotators_and_instances_does_not_matter(rating_AI: list[list[float]], seed: int) -> None:
    random = np.random.default_rng(seed)
    table = np.array(rating_AI)
    shuffled = table[random.permutation(len(table))][:, random.permutation(table.shape[1])]
    assert finding(shuffled) == pytest.approx(finding(table), nan_ok=True)


@pytest.mark.parametrize("copies", [0.0, 0.5, 0.8, 1.0])
def test_annotators_of_known_agreement_have_that_alpha(copies: float) -> None:
    assert ordinal_alpha(labels(annotators(copies, 3, 20_000, seed=1))) == pytest.approx(copies**2, abs=0.015)


@pytest.mark.parametrize(("count", "chance"), [(2, 0.34), (3, 0.784), (4, 1.0), (5, 1.0)])
def test_annotators_who_guess_agree_as_often_as_chance_says(count: int, chance: float) -> None:
    # Shares of the stances: 0.3, 0.3, 0.4. Two: 0.09 + 0.09 + 0.16. Three: all but 6 * 0.036. Four: always two of three.
    found = finding(annotators(0.0, count, 20_000, seed=count), n_boot=1)
    assert found.agreement_chance == pytest.approx(chance, abs=0.005)
    assert found.agreement == pytest.approx(found.agreement_chance, abs=0.01)


def test_of_three_who_take_any_stance_two_agree_in_seven_cases_of_nine() -> None:
    ratings_AI = np.array([[1.0, 3, 5], [3, 5, 1], [5, 1, 3]])
    assert finding(ratings_AI).agreement_chance == pytest.approx(7 / 9)
    assert finding(ratings_AI).agreement == 0


def test_an_instance_with_fewer_ratings_is_held_against_its_own_chance() -> None:
    full = annotators(0.0, 4, 3000, seed=3)
    full[2:, 1000:] = NAN  # of 3000 instances a third has four ratings, the others two
    found = finding(full, n_boot=1)
    assert found.agreement_chance == pytest.approx((1 + 2 * 0.34) / 3, abs=0.01)
    assert found.agreement == pytest.approx(found.agreement_chance, abs=0.03)


def test_full_agreement_is_told_as_such() -> None:
    own_I = np.tile([1.0, 2, 3, 4, 5], 8)
    found = finding(np.stack([own_I] * 3), n_boot=99)
    assert (found.agreement, found.alpha, found.alpha_low, found.alpha_high) == (1, 1, 1, 1)
    assert found.agreement_low == pytest.approx(binomtest(40, 40).proportion_ci(method="wilson").low)


def test_what_cannot_be_known_is_undefined_and_not_zero() -> None:
    def undefined(found: Finding) -> set[str]:
        return {name for name, x in found._asdict().items() if math.isnan(x)}

    alone = finding(BY_HAND[2:])
    assert undefined(alone) == {"agreement", "agreement_low", "agreement_high", "agreement_chance", "alpha", "alpha_low", "alpha_high"}
    nothing = finding(np.full((3, 4), NAN))
    assert undefined(nothing) == set(Finding._fields) - {"ratings", "missing", "instances", "shared"}
    assert (nothing.ratings, nothing.missing) == (0, 12)
    same = finding(np.full((3, 40), 5.0))
    assert undefined(same) == {"mean_low", "mean_high", "alpha", "alpha_low", "alpha_high"}
    assert (same.mean, same.sd, same.agreement, same.agreement_chance) == (5, 0, 1, 1)
    thirds = finding(np.array([[4.0] * 54, [4.0] * 54, [5.0] * 54]))
    assert np.isnan([thirds.mean_low, thirds.mean_high]).all(), "13/3 again and again, but for rounding"


def test_alpha_has_no_interval_where_few_instances_or_hardly_any_variation_would_give_it() -> None:
    assert math.isnan(finding(annotators(0.5, 3, FEWEST - 1, seed=0), n_boot=99).alpha_low)
    assert not math.isnan(finding(annotators(0.5, 3, FEWEST, seed=0), n_boot=99).alpha_low)
    one_other = np.full((3, 54), 5.0)
    one_other[0, 0] = 1  # absent from a third of the resamples
    found = finding(one_other, n_boot=99)
    assert math.isnan(found.alpha_low)
    assert found.alpha == pytest.approx(0, abs=0.02)


def test_intervals_of_54_instances_hold_the_truth_about_as_often_as_they_say() -> None:
    hits = np.zeros(2)
    for seed in range(60):
        found = finding(annotators(0.7, 3, 54, seed=seed), n_boot=199, seed=seed)
        hits += (found.alpha_low <= 0.49 <= found.alpha_high, found.mean_low <= 3.15 <= found.mean_high)
    assert (hits >= 51).all(), hits  # 57 expected


def test_the_same_seed_gives_the_same_interval() -> None:
    ratings_AI = annotators(0.5, 3, 54, seed=0)
    assert finding(ratings_AI, n_boot=99, seed=1) == finding(ratings_AI, n_boot=99, seed=1)
    assert finding(ratings_AI, n_boot=99, seed=1).alpha_low != finding(ratings_AI, n_boot=99, seed=2).alpha_low
