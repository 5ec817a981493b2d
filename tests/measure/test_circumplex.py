"""The circle: by scipy, by brute force over all arrangements, by hand; the choice among orders is paid for; intervals cover."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, pearsonr

from vat.errors import DataError
from vat.measure.circumplex import arrangements, circle_distance, first_harmonic, mantel
from vat.measure.coupling import couple
from vat.measure.tax import value_tax

NAN = float("nan")
LEVEL = 0.05
CIRCLE = 36.0 * np.arange(10)
SWAPPED = np.stack([CIRCLE, CIRCLE[[0, 1, 2, 4, 3, 5, 6, 7, 8, 9]]])  # tradition and conformity either way round
ITEMS = np.array([5, 9, 9, 6, 4, 7, 5, 6, 2, 3])  # of Schwartz's values in the order of the circle
turns = st.floats(-720, 720).map(lambda angle: round(angle, 2))


def coupling(seed, values=10, scenes=40):
    return couple(np.round(2 * np.random.default_rng(seed).normal(size=(scenes, values))) / 4)


def circular(angle, noise=0.0, seed=0):
    """Couplings that fall with the distance on the circle."""
    error = noise * np.random.default_rng(seed).normal(size=2 * [len(angle)])
    found = 0.5 * np.cos(np.deg2rad(circle_distance(angle))) + (error + error.T) / 2
    np.fill_diagonal(found, 1.0)
    return found


def every_r(matrix, pairs, angle_OV):
    """Lowest Pearson over the orders, for every arrangement of the values, one by one; by definition rather than by algebra."""
    found = []
    for order in permutations(range(len(matrix))):
        moved, defined = matrix[np.ix_(order, order)], np.triu(pairs[np.ix_(order, order)], 1)
        found.append(min(pearsonr(moved[defined], circle_distance(angle)[defined]).statistic for angle in angle_OV))
    return np.array(found)


def wrapped(angle):
    return (angle + 180) % 360 - 180


def shared_factor(random, share):
    """Values of 2 to 9 items, all of which have one factor in common."""
    items = np.sqrt(share) * random.normal(size=(80, 1)) + np.sqrt(1 - share) * random.normal(size=(80, 56))
    items = np.clip(np.round(1.5 * items), -4, 4) / 2
    return np.stack([items[:, np.repeat(np.arange(10), ITEMS) == v].mean(axis=1) for v in range(10)], axis=1)


def waves(height, count, *, draws=199, seed=0):
    """Waves of so many standard errors at random phases, fitted with their draws: (phase, Harmonic)."""
    random, error = np.random.default_rng(seed), np.sqrt(5)  # of one value's tax, if that of the amplitude is 1
    for _ in range(count):
        phase = random.uniform(0, 360)
        tax = height * np.cos(np.deg2rad(CIRCLE - phase)) + error * random.normal(size=10)
        yield phase, first_harmonic(tax, CIRCLE, n_perm=1, draw_BV=tax + error * random.normal(size=(draws, 10)))


def coverage(height, count):
    """Of the amplitude, and of the phase where it has an interval."""
    amplitude, phases = [], []
    for phase, found in waves(height, count):
        amplitude.append(found.amplitude_low <= height <= found.amplitude_high)
        if found.amplitude_low > 0:
            phases.append(found.phase_low <= found.phase + wrapped(phase - found.phase) <= found.phase_high)
    return np.mean(amplitude), np.mean(phases)


def test_distances_go_the_shorter_way_round():
    np.testing.assert_array_equal(circle_distance([0, 90, 350, -10]), [[0, 90, 10, 10], [90, 0, 100, 100], [10, 100, 0, 0], [10, 100, 0, 0]])


@settings(deadline=None)
@given(st.lists(turns, min_size=1, max_size=6), turns)
def test_distances_are_symmetric_bounded_and_the_same_after_a_turn_or_in_a_mirror(angles, turn):
    angles = np.array(angles)
    found = circle_distance(angles)
    np.testing.assert_array_equal(found, found.T)
    assert ((found >= 0) & (found <= 180)).all()
    np.testing.assert_allclose(circle_distance(angles + turn), found, atol=1e-9)
    np.testing.assert_allclose(circle_distance(-angles), found, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_r_is_pearsons_over_pairs(seed):
    found, upper = coupling(seed), np.triu_indices(10, 1)
    assert mantel(found.coupling_VV, CIRCLE).r == pytest.approx(
        pearsonr(found.coupling_VV[upper], circle_distance(CIRCLE)[upper]).statistic, abs=1e-12
    )


@pytest.mark.parametrize("orders", [1, 2])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_p_is_that_of_all_arrangements(seed, gaps, orders):
    matrix, pairs = coupling(seed, 5).coupling_VV, ~np.eye(5, dtype=bool)
    if gaps:
        pairs[0, 3] = pairs[3, 0] = pairs[1, 4] = pairs[4, 1] = False
    angles = np.array([[0, 50, 100, 200, 290.0], [0, 100, 50, 200, 290]])[:orders]
    found, every = mantel(matrix, angles, pair_VV=pairs), every_r(matrix, pairs, angles)
    lower, upper = (every <= every[0] + 1e-9).mean(), (every >= every[0] - 1e-9).mean()
    assert found.r == pytest.approx(every[0], abs=1e-12)
    assert (found.p_lower, found.p) == pytest.approx((lower, min(1, 2 * min(lower, upper))), abs=1e-12)
    assert found.n_pairs == 10 - 2 * gaps


def test_all_arrangements_are_gone_through_if_they_are_few_enough():
    everything = arrangements(5, n_perm=119, seed=0)
    assert len({tuple(order) for order in everything}) == len(everything) == 120
    some = arrangements(5, n_perm=118, seed=0)
    assert some.shape == (119, 5)
    np.testing.assert_array_equal(some[0], everything[0])
    np.testing.assert_array_equal(np.sort(some, axis=1), np.tile(np.arange(5), (119, 1)))
    assert not np.array_equal(some, arrangements(5, n_perm=118, seed=1))


@pytest.mark.parametrize("seed", range(4))
def test_random_arrangements_come_near_to_all(seed):
    matrix, angle = coupling(seed, 7).coupling_VV, np.array([0, 20, 70, 130, 200, 250, 310.0])
    exact, drawn = mantel(matrix, angle, n_perm=5039), mantel(matrix, angle, n_perm=5038, seed=seed)
    assert exact.p_lower != drawn.p_lower
    assert drawn.p_lower == pytest.approx(exact.p_lower, abs=4 * np.sqrt(exact.p_lower / 5038))


@pytest.mark.parametrize(("values", "smallest"), [(4, 1 / 3), (5, 1 / 12), (6, 1 / 60), (7, 1 / 360)])
def test_turns_and_mirrors_of_equal_spacing_bound_p_from_below(values, smallest):
    angle = 360 / values * np.arange(values)
    found = mantel(circular(angle), angle, n_perm=5039)
    assert found.r < -0.95
    assert found.p_lower == pytest.approx(smallest)
    assert found.p == pytest.approx(2 * smallest)
    wave = first_harmonic(np.cos(np.deg2rad(angle - 17)), angle, n_perm=5039)  # 17: no two taxes are equal
    assert wave.p == pytest.approx(smallest)


def test_couplings_that_grow_with_distance_are_against_the_theory():
    found = mantel(-circular(CIRCLE, 0.1), CIRCLE)
    assert found.r > 0.9
    assert (found.p_lower, found.p) == (1, 2 / 2000)


@pytest.mark.parametrize("order", [0, 1])
def test_the_order_that_fits_is_found(order):
    found = mantel(circular(SWAPPED[order], 0.02), SWAPPED)
    assert found.order == order
    assert found.p_lower == 1 / 2000
    assert found.r == pytest.approx(mantel(circular(SWAPPED[order], 0.02), SWAPPED[order]).r)


def test_the_choice_among_orders_is_paid_for():
    random, count, unpaid = np.random.default_rng(0), 0, 0
    for seed in range(300):
        angles = np.stack([random.permutation(CIRCLE) for _ in range(12)])
        matrix = coupling(seed).coupling_VV
        found = mantel(matrix, angles, n_perm=99, seed=seed)
        count += found.p_lower <= LEVEL
        unpaid += mantel(matrix, angles[found.order], n_perm=99, seed=seed).p_lower <= LEVEL
    low, high = binom.interval(0.999, 300, LEVEL)
    assert low <= count <= high
    assert unpaid > 100


def rejections(shifts, data_sets, *, n_perm=99):
    """Share of data sets in which p, p_lower and the wave's p reject."""
    count = np.zeros(3)
    for seed in range(data_sets):
        found = couple(shifts())
        circle = mantel(found.coupling_VV, SWAPPED, n_perm=n_perm, seed=seed, pair_VV=found.pair_VV)
        wave = first_harmonic(value_tax(found.coupling_VV), CIRCLE, n_perm=n_perm, seed=seed)
        count += np.array([circle.p, circle.p_lower, wave.p]) <= LEVEL
    return count / data_sets


def test_independent_values_are_rejected_as_often_as_the_tests_say():
    random = np.random.default_rng(0)
    low, high = binom.interval(0.999, 400, LEVEL)
    for share in rejections(lambda: np.round(2 * random.normal(size=(40, 10))) / 4, 400):
        assert low <= share * 400 <= high


def test_coupling_along_the_circle_is_found_and_makes_no_wave():
    random, plane = np.random.default_rng(0), np.stack([np.cos(np.deg2rad(CIRCLE)), np.sin(np.deg2rad(CIRCLE))])
    _, lower, wave = rejections(lambda: np.sqrt(0.2) * random.normal(size=(80, 2)) @ plane + np.sqrt(0.8) * random.normal(size=(80, 10)), 50)
    assert lower > 0.95
    assert wave < 0.2


@pytest.mark.slow
def test_calibration_at_full_size(capsys):
    random, lines = np.random.default_rng(1), []
    for share in (0.0, 0.05, 0.1, 0.3):
        two_sided, lower, wave = rejections(lambda share=share: shared_factor(random, share), 1000, n_perm=199)
        lines.append(f"items share {share:4.0%}: mantel p {two_sided:5.1%}  p_lower {lower:5.1%}  wave {wave:5.1%}")
        assert max(two_sided, lower) < 0.08
        assert wave < (0.08 if share == 0 else 0.15)
    for height in (0, 0.5, 1, 2, 3, 5, 10):
        amplitude, phase = coverage(height, 1000)
        mean = np.mean([found.amplitude for _, found in waves(height, 300, draws=2)])
        lines.append(f"wave of {height:3} standard errors: mean amplitude {mean:5.2f}, covers amplitude {amplitude:5.1%}  phase {phase:5.1%}")
        assert height < 1 or 0.92 < amplitude < 0.98
        assert height < 3 or 0.9 < phase < 0.98
    with capsys.disabled():
        print("", *lines, sep="\n")


@settings(deadline=None)
@given(st.integers(0, 1000), turns, st.sampled_from([1, -1]))
def test_turning_or_mirroring_the_circle_changes_nothing(seed, turn, mirror):
    matrix = coupling(seed, 6).coupling_VV
    angle = np.array([0, 50, 110, 150, 260, 300.0])
    expected, found = mantel(matrix, angle), mantel(matrix, mirror * angle + turn)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_value_without_couplings_has_no_place_among_the_arrangements():
    shift = np.round(2 * np.random.default_rng(0).normal(size=(40, 10))) / 4
    shift[:, 4] = 0.25
    dead, live = couple(shift), np.arange(10) != 4
    expected = mantel(dead.coupling_VV[np.ix_(live, live)], CIRCLE[live])
    assert mantel(dead.coupling_VV, CIRCLE, pair_VV=dead.pair_VV) == expected
    holes = np.where(dead.pair_VV, dead.coupling_VV, NAN)
    assert mantel(holes, CIRCLE) == expected
    assert expected.n_pairs == 36


@pytest.mark.parametrize(
    ("matrix", "angle"),
    [
        (coupling(0, 3).coupling_VV, [0, 90, 180]),
        (np.eye(6), 60 * np.arange(6)),
        (0.3 + 0.7 * np.eye(6), 60 * np.arange(6)),
        (coupling(0, 6).coupling_VV, np.zeros(6)),
        (np.where(np.eye(6) == 1, 1, NAN), 60 * np.arange(6)),
    ],
    ids=["three values", "no coupling", "equal couplings", "one place", "none defined"],
)
def test_what_does_not_vary_does_not_correlate(matrix, angle):
    found = mantel(matrix, np.asarray(angle, dtype=float))
    assert np.isnan(found[:3]).all()
    assert found.order == -1


def test_one_seed_gives_one_p():
    matrix = coupling(0).coupling_VV
    assert mantel(matrix, SWAPPED, seed=3) == mantel(matrix, SWAPPED, seed=3)
    assert mantel(matrix, SWAPPED, seed=3).p_lower != mantel(matrix, SWAPPED, seed=4).p_lower


@pytest.mark.parametrize("phase", [0, 2, 71, 200, 359])
def test_a_planted_wave_is_recovered(phase):
    angle = np.array([0, 10, 50, 120, 200, 300.0])
    found = first_harmonic(2 + 0.5 * np.cos(np.deg2rad(angle - phase)), angle)
    assert found[:2] == pytest.approx((2, 0.5))
    assert wrapped(found.phase - phase) == pytest.approx(0, abs=1e-9)
    assert found.share == pytest.approx(1)
    assert found.p == 1 / 720
    assert np.isnan(found[5:]).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_share_is_r_squared_of_least_squares_and_p_that_of_all_arrangements(seed):
    random = np.random.default_rng(seed)
    angle, tax = np.append(random.uniform(0, 360, 5), 7.0), np.append(random.normal(size=5), NAN)
    design = np.column_stack([np.ones(5), np.cos(np.deg2rad(angle[:5])), np.sin(np.deg2rad(angle[:5]))])

    def share(y):
        left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        return 1 - (left**2).sum() / ((y - y.mean()) ** 2).sum()

    every = np.array([share(tax[list(order)]) for order in permutations(range(5))])
    found = first_harmonic(tax, angle)
    mean, cosine, sine = np.linalg.lstsq(design, tax[:5], rcond=None)[0]
    assert found[:2] == pytest.approx((mean, np.hypot(cosine, sine)), abs=1e-12)
    assert found.share == pytest.approx(every[0], abs=1e-12)
    assert found.p == pytest.approx((every >= every[0] - 1e-9).mean())


@settings(deadline=None)
@given(st.integers(0, 1000), turns)
def test_turning_the_circle_turns_the_phase(seed, turn):
    tax = np.random.default_rng(seed).uniform(size=6)
    expected, found = (first_harmonic(tax, 60 * np.arange(6) + by) for by in (0, turn))
    np.testing.assert_allclose(found[:2], expected[:2], atol=1e-9)
    np.testing.assert_allclose(found[3:5], expected[3:5], atol=1e-9)
    assert wrapped(found.phase - expected.phase - turn) == pytest.approx(0, abs=1e-4) or found.amplitude < 1e-6


@pytest.mark.parametrize(
    ("tax", "angle"),
    [([1, 2, 3], [0, 90, 180]), ([1, 2, 3, NAN], [0, 90, 180, 270]), ([2, 2, 2, 2], [0, 90, 180, 270]), ([1, 2, 3, 4], [0, 180, 0, 180])],
    ids=["three values", "three defined", "equal taxes", "one axis"],
)
def test_where_no_wave_can_be_told_there_is_none(tax, angle):
    assert np.isnan(first_harmonic(np.array(tax, dtype=float), np.array(angle, dtype=float))).all()


def test_intervals_of_a_phase_go_round_the_observed_one():
    random, tax = np.random.default_rng(0), 2 + np.cos(np.deg2rad(CIRCLE - 2))
    found = first_harmonic(tax, CIRCLE, draw_BV=tax + 0.2 * random.normal(size=(500, 10)))
    assert -20 < found.phase_low < 0 < 2 < found.phase_high < 20
    assert 0.7 < found.amplitude_low < 1 < found.amplitude_high < 1.3
    still = first_harmonic(tax, CIRCLE, draw_BV=np.tile(tax + 1, (3, 1)))
    np.testing.assert_allclose(still[5:], [1, 1, 2, 2], atol=1e-9)


def test_draws_that_lack_a_value_are_left_out_and_values_without_tax_too():
    random, tax = np.random.default_rng(0), 2 + np.cos(np.deg2rad(CIRCLE - 2))
    draws = tax + 0.2 * random.normal(size=(50, 10))
    gappy = np.insert(draws, 7, NAN, axis=0)
    assert first_harmonic(tax, CIRCLE, draw_BV=gappy) == first_harmonic(tax, CIRCLE, draw_BV=draws)
    tax[3], gappy[:, 3] = NAN, NAN
    assert np.isfinite(first_harmonic(tax, CIRCLE, draw_BV=gappy)).all()
    assert np.isnan(first_harmonic(tax, CIRCLE, draw_BV=gappy[6:8])[5:]).all()


def test_a_circle_without_a_wave_has_no_highest_place():
    found = next(found for _, found in waves(0.0, 50) if found.amplitude_low == 0)
    assert np.isnan(found[7:]).all()
    assert found.amplitude_high > found.amplitude > 0


def test_intervals_of_a_wave_cover_it():
    for height in (2, 5):
        amplitude, phase = coverage(height, 300)
        assert binom.interval(0.999, 300, 0.95)[0] / 300 <= amplitude < 1
        assert binom.interval(0.999, 150, 0.93)[0] / 150 <= phase < 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mantel(np.ones((2, 3)), CIRCLE), r"^coupling_VV: must be a symmetric matrix; got shape \(2, 3\)\. .*\.$"),
        (lambda: mantel(np.arange(100.0).reshape(10, 10), CIRCLE), r"^coupling_VV: must be a symmetric matrix; got shape \(10, 10\)\. .*\.$"),
        (lambda: mantel(np.eye(10), CIRCLE[:9]), r"^angle_OV: needs finite degrees for each of 10 values; got shape \(1, 9\)\. .*\.$"),
        (lambda: mantel(np.eye(10), np.full(10, NAN)), r"^angle_OV: needs finite degrees .*\.$"),
        (lambda: mantel(np.eye(10), CIRCLE, pair_VV=np.eye(9) == 0), r"^pair_VV: .*; got \(9, 9\) and \(10, 10\)\. .*\.$"),
        (lambda: mantel(np.eye(10), CIRCLE, n_perm=0), r"^n_perm: needs at least 1 permutation; got 0\. .*\.$"),
        (lambda: first_harmonic(np.ones(9), CIRCLE), r"^angle_V: needs finite degrees for each of 9 values; got shape \(1, 10\)\. .*\.$"),
        (lambda: first_harmonic(CIRCLE, CIRCLE, n_perm=0), r"^n_perm: "),
        (lambda: first_harmonic(CIRCLE, CIRCLE, draw_BV=np.ones((5, 9))), r"^draw_BV: needs draws of 10 taxes.*; got shape \(5, 9\)\. .*\.$"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call, said):
    with pytest.raises(DataError, match=said) as refused:
        call()
    assert "\n" not in str(refused.value)
