"""The tax: by hand, its bounds, what is defined when nothing moves, and what is refused."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vat.errors import DataError
from vat.measure.coupling import coupling_matrix
from vat.measure.tax import gini, measure_tax, system_tax, value_tax

GOLDEN = json.loads((Path(__file__).parent / "golden" / "taxes.json").read_text(encoding="utf-8"))

quarters = st.integers(-4, 4).map(lambda k: k / 4)
shifts = arrays.arrays(float, st.tuples(st.integers(3, 12), st.integers(2, 5)), elements=quarters | st.just(np.nan))
riches = arrays.arrays(float, st.integers(1, 12), elements=st.floats(0, 1e6, allow_subnormal=False).map(lambda x: round(x, 6)))


def measured(shift, *, target=0, direction=1, **options):
    """The report on these shifts, half of each in either state."""
    shift = np.asarray(shift, dtype=float)
    return measure_tax(-shift / 2, shift / 2, target=target, direction=direction, **{"n_perm": 99, "seed": 0, **options})


def pushed(seed=0, scenes=40, values=4):
    """Shifts in quarters of which the first value's are clearly positive, the second's negative."""
    random = np.random.default_rng(seed)
    return np.clip(np.round(2 * random.normal([1, -1, *[0] * (values - 2)], 0.5, (scenes, values))) / 4, -2, 2)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["description"].split(":")[0])
def test_hand_worked_taxes_come_out(case):
    tax = value_tax(np.array(case["coupling"]))
    np.testing.assert_allclose(tax, case["value_tax"], atol=1e-12)
    assert system_tax(np.array(case["coupling"])) == pytest.approx(case["rms"], abs=1e-12)
    assert system_tax(np.array(case["coupling"]), form="frobenius") == pytest.approx(case["frobenius"], abs=1e-12)
    assert gini(tax) == pytest.approx(case["gini"], abs=1e-12)


def test_a_report_repeats_what_can_be_worked_out_by_hand():
    shift = [[0.5, 0.25, 0.0], [0.75, 0.25, 0.0], [1.0, 0.0, 0.0], [1.25, 0.0, 0.0]]
    report = measured(shift, factors={"country": list("abab")})
    rho = -2 / np.sqrt(5)
    np.testing.assert_allclose(report.coupling, [[1, rho, 0], [rho, 1, 0], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(report.value_tax, [-rho, -rho, 0], atol=1e-12)
    np.testing.assert_array_equal(report.live, [True, True, False])
    np.testing.assert_allclose(report.shift, [0.875, 0.125, 0])
    np.testing.assert_allclose(report.gnd, [1, 1 / 7, 0])
    assert (report.n_scenes, report.gain) == (4, 0.875)
    assert report.gain_low < 0.875 < report.gain_high
    assert report.nvat == pytest.approx(-rho)
    assert report.nvat_frobenius == pytest.approx(np.sqrt((3 + 2 * rho**2) / 3))
    assert report.nvat_null == pytest.approx(np.sqrt(1 / 3))
    assert report.nvat_excess_sq == pytest.approx(0.8 - 1 / 3)
    assert report.nvat_excess == pytest.approx(np.sqrt(0.8 - 1 / 3))
    assert report.gini == pytest.approx(0, abs=1e-12)


@settings(deadline=None)
@given(shifts)
def test_the_system_tax_lies_between_0_and_1_and_the_papers_form_follows_from_it(shift):
    coupling = coupling_matrix(shift)
    rms, frobenius = system_tax(coupling), system_tax(coupling, form="frobenius")
    assert 0 <= rms <= 1 + 1e-12
    assert frobenius >= 1
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
    [([], np.nan), ([np.nan], np.nan), ([0, 0, 0], 0), ([3], 0), ([2, 2, 2], 0), ([0, 0, 0, 5], 0.75), ([1, 3, np.nan], 0.25)],
)
def test_gini_of_little_is_defined(x, expected):
    np.testing.assert_allclose(gini(np.array(x, dtype=float)), expected)


@pytest.mark.parametrize("still", [0.0, 0.25, np.nan], ids=["zero", "constant", "never observed"])
def test_a_value_that_never_moves_leaves_every_average(still):
    shift = pushed()
    alone, beside = measured(shift), measured(np.column_stack([shift, np.full(len(shift), still)]))
    np.testing.assert_array_equal(beside.live, [True] * 4 + [False])
    assert beside.value_tax[-1] == 0
    for name in ("nvat", "nvat_null", "nvat_excess_sq", "nvat_excess", "nvat_p", "nvat_p_free", "nvat_p_chi2", "gini", "gini_null"):
        assert getattr(beside, name) == pytest.approx(getattr(alone, name), abs=1e-12), name


@pytest.mark.parametrize("factors", [None, {"country": list("aabbccdd")}])
@pytest.mark.parametrize("still", [0.0, np.nan], ids=["zero", "never observed"])
def test_nothing_is_claimed_when_nothing_moves(still, factors):
    report = measured(np.full((8, 3), still), factors=factors)
    for name in ("nvat", "nvat_null", "nvat_excess_sq", "nvat_excess", "nvat_p", "nvat_p_free", "nvat_p_chi2", "gini", "gini_null"):
        assert np.isnan(getattr(report, name)), name
    assert np.isnan(report.gnd).all()
    assert report.n_scenes == (0 if np.isnan(still) else 8)
    np.testing.assert_array_equal(report.coupling, np.eye(3))


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(("target", "sign"), [(0, 1), (1, -1)])
def test_the_targets_deviation_is_the_direction_times_the_sign_of_the_gain(target, sign, direction):
    report = measured(pushed(), target=target, direction=direction)
    assert np.sign(report.gain) == sign * direction
    assert report.gnd[target] == direction * np.sign(report.gain)
    assert report.gain_low < report.gain < report.gain_high
    np.testing.assert_allclose(report.gnd * abs(report.gain), report.shift)


def test_less_coupling_than_chance_is_a_negative_excess_that_is_shown_as_none():
    report = measured([[-0.5, -0.5], [0.5, -0.25], [-0.25, 0.0], [0.25, 0.25], [0.0, 0.5]])  # ranks 1 5 2 4 3 and 1 2 3 4 5: 1 - 6 * 14 / 120
    assert report.nvat_excess_sq == pytest.approx(0.3**2 - 1 / 4)
    assert report.nvat_excess == 0


def test_no_deviation_is_reported_for_a_gain_that_may_be_nothing():
    report = measured(pushed(), target=2)
    assert report.gain_low < 0 < report.gain_high
    assert np.isnan(report.gnd).all()


def test_a_report_repeats_itself_under_float_noise():
    shift = pushed()
    noise = np.random.default_rng(1).uniform(-1e-12, 1e-12, shift.shape)
    exact, noisy = dataclasses.asdict(measured(shift)), dataclasses.asdict(measured(shift + noise))
    for name, number in exact.items():
        np.testing.assert_allclose(noisy[name], number, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"pre_SV": np.zeros((2, 3)), "post_SV": np.zeros((2, 3))}, "at least 3 scenes"),
        ({"pre_SV": np.zeros((5, 1)), "post_SV": np.zeros((5, 1))}, "2 values"),
        ({"post_SV": np.zeros((5, 4))}, "must have the shape of pre_SV"),
        ({"post_SV": np.full((5, 3), 1.5)}, r"value states lie in \[-1, 1\]"),
        ({"pre_SV": np.full((5, 3), -3.0)}, r"value states lie in \[-1, 1\]"),
        ({"post_SV": np.full((5, 3), np.inf)}, r"value states lie in \[-1, 1\]"),
        ({"target": 3}, "a column of the states"),
        ({"target": -1}, "a column of the states"),
        ({"direction": 0}, "1 or -1"),
        ({"direction": 2}, "1 or -1"),
        ({"factors": {"topic": ["a"] * 4}}, "one level for each of the 5 scenes"),
    ],
    ids=lambda change: ", ".join(change) if isinstance(change, dict) else "",
)
def test_states_that_cannot_be_compared_are_refused_in_one_line(change, rule):
    states = {"pre_SV": np.zeros((5, 3)), "post_SV": np.zeros((5, 3)), "target": 0, "direction": 1, "n_perm": 99, "seed": 0}
    with pytest.raises(DataError, match=rf"^[a-zA-Z_, \['\]]+: [^\n]*{rule}[^\n]*; got [^\n]+\. [A-Z][^\n]+\.$"):
        measure_tax(**(states | change))


@pytest.mark.parametrize("tax", [value_tax, system_tax])
@pytest.mark.parametrize("R", [np.ones((2, 3)), np.ones(4), np.array([[1, np.nan], [np.nan, 1]]), np.array([[1, np.inf], [0, 1]])])
def test_what_is_no_coupling_matrix_is_refused_in_one_line(tax, R):
    with pytest.raises(DataError, match=r"^R: must be a finite square matrix; got [^\n]+\. Use coupling_matrix\.$"):
        tax(R)


@pytest.mark.parametrize("x", [[1, -0.5], [np.inf, 1], [-1, np.nan]])
def test_gini_refuses_debts_and_infinite_riches_in_one_line(x):
    with pytest.raises(DataError, match=r"^x: [^\n]*not negative; got [^\n]+\. Check the input\.$"):
        gini(np.array(x))


def test_a_tax_and_its_level_are_means_over_the_same_pairs_when_values_share_too_few_scenes():
    excess = []
    for seed in range(60):
        shift = np.round(np.random.default_rng(seed).normal(size=(80, 10)) * 5) / 20
        shift[:40, 5:] = shift[40:, :5] = np.nan
        report = measure_tax(np.zeros_like(shift) * shift, np.clip(shift, -1, 1), target=0, direction=1, n_perm=1, seed=0)
        excess.append(report.nvat_excess_sq)
    assert np.mean(excess) == pytest.approx(0.0, abs=4 * np.std(excess) / np.sqrt(60))


def test_values_that_never_share_three_scenes_have_no_tax():
    nan = float("nan")
    post = np.array([[0.1, nan], [0.2, nan], [0.3, nan], [nan, 0.1], [nan, 0.2], [nan, 0.4]])
    report = measure_tax(np.where(np.isnan(post), nan, 0.0), post, target=0, direction=1, n_perm=9, seed=0)
    numbers = (report.nvat, report.nvat_null, report.nvat_excess_sq, report.nvat_excess, report.nvat_p, report.nvat_p_chi2, report.gini)
    assert np.isnan(numbers).all()


def test_a_value_that_moves_but_couples_to_nothing_is_not_dead():
    post = 0.5 * np.array([[-1, -1, 1, 1], [-1, -1, 1, 1], [-1, 1, -1, 1]]).T
    report = measure_tax(np.zeros((4, 3)), post, target=0, direction=1, n_perm=9, seed=0)
    assert report.live.all()
    assert report.nvat == pytest.approx(np.sqrt(2 / 6))


def test_float_noise_is_no_gain():
    report = measure_tax(np.full((5, 3), 0.3), np.full((5, 3), 0.1 + 0.2), target=0, direction=1, n_perm=9, seed=0)
    assert report.gain == 0
    assert np.isnan(report.gnd).all()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"pre_SV": np.zeros(4), "post_SV": np.zeros(4)}, "at least 3 scenes and 2 values"),
        ({"n_perm": 0}, "n_perm: needs at least 1 permutation; got 0"),
        ({"target": 0.5}, "target, direction: "),
    ],
)
def test_arguments_that_make_no_sense_are_data_errors(changed, says):
    states = np.random.default_rng(0).uniform(-1, 1, size=(2, 8, 3))
    with pytest.raises(DataError, match=says):
        measure_tax(**({"pre_SV": states[0], "post_SV": states[1], "target": 0, "direction": 1, "n_perm": 9, "seed": 0} | changed))


def test_a_report_tells_coupling_that_was_there_before_from_coupling_of_the_shifts():
    random = np.random.default_rng(3)
    pre = np.round(np.clip((0.5 * random.normal(size=(80, 1)) + 0.87 * random.normal(size=(80, 10))) * 0.3, -1, 1) * 10) / 10
    post = np.clip(np.round((0.9 + 0.05 * random.normal(size=pre.shape)) * 20) / 20, -1, 1)
    report = measure_tax(pre, post, target=0, direction=1, n_perm=199, seed=0)
    assert report.nvat_p < 0.01
    assert report.nvat_pre_p < 0.01
    assert report.nvat_partial_p > 0.05
    assert report.nvat_pre == pytest.approx(system_tax(coupling_matrix(pre)))
    assert report.nvat_partial < report.nvat


def test_the_pairs_of_a_report_are_adjusted_for_their_number():
    random = np.random.default_rng(4)
    shift = np.round(random.normal(size=(80, 10)) * 5) / 40
    shift[:, 1] = shift[:, 0]
    report = measure_tax(np.zeros((80, 10)), np.clip(shift, -1, 1), target=0, direction=1, n_perm=999, seed=0)
    np.testing.assert_array_equal(report.coupling_q, report.coupling_q.T)
    assert report.coupling_q[0, 1] == pytest.approx(45 / 1000)
    assert np.isnan(np.diag(report.coupling_q)).all()
