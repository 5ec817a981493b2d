"""The whole report: by hand, as kept, what it does not depend on, what is defined when nothing moves, and what is refused."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import chi2

from vat.errors import DataError
from vat.measure.coupling import coupling_matrix
from vat.measure.indices import system_tax
from vat.measure.tax import TaxReport, measure_tax
from vat.measure.uncertainty import subsample

GOLDEN = json.loads((Path(__file__).parent / "golden" / "report.json").read_text(encoding="utf-8"))
NAN = float("nan")
AVERAGES = (
    "nvat", "nvat_low", "nvat_high", "nvat_null", "nvat_p", "nvat_p_free", "nvat_p_chi2", "nvat_excess_sq", "nvat_excess", "nvat_subsample",
    "nvat_subsample_std", "gini", "gini_low", "gini_high", "gini_null", "gini_p",
)  # fmt: skip
"""Numbers of the whole system that couplings make."""
POINTS = (
    "n_scenes", "gain", "gain_low", "gain_high", "shift", "shift_low", "shift_high", "gnd", "gnd_low", "gnd_high", "coupling", "coupling_low",
    "coupling_high", "value_tax", "value_tax_low", "value_tax_high", "value_tax_null", "live", "nvat", "nvat_high", "nvat_null", "nvat_p_chi2",
    "nvat_excess_sq", "nvat_excess", "nvat_frobenius", "gini", "nvat_pre", "nvat_pre_null", "nvat_partial", "ceiling_pre", "ceiling_post",
)  # fmt: skip
"""Fields that nothing random goes into."""

quarters = st.integers(-4, 4).map(lambda k: k / 4)
shifts = arrays.arrays(float, st.tuples(st.integers(3, 12), st.integers(2, 5)), elements=quarters | st.just(NAN))


def measured(shift, *, target=0, direction=1, **options):
    """The report on these shifts, half of each in either state."""
    shift = np.asarray(shift, dtype=float)
    return measure_tax(-shift / 2, shift / 2, target=target, direction=direction, **{"n_boot": 99, "n_perm": 99, "seed": 0, **options})


def pushed(seed=0, scenes=40, values=4):
    """Shifts in quarters of which the first value's are clearly positive, the second's negative."""
    random = np.random.default_rng(seed)
    return np.clip(np.round(2 * random.normal([1, -1, *[0] * (values - 2)], 0.5, (scenes, values))) / 4, -2, 2)


def kept(name):
    return np.array(GOLDEN[name], dtype=float)


def test_the_kept_report_comes_out():
    report = measure_tax(kept("pre"), kept("post"), **GOLDEN["arguments"])
    assert list(vars(report)) == list(GOLDEN["report"])
    for name, expected in GOLDEN["report"].items():
        atol = 0.01 if name in ("gini_low", "gini_high") else 1e-9
        np.testing.assert_allclose(np.asarray(getattr(report, name), dtype=float), np.array(expected, dtype=float), atol=atol, rtol=0, err_msg=name)


def test_the_kept_report_is_what_pandas_and_scipy_make_of_its_states():
    shift, report = pd.DataFrame(kept("post") - kept("pre")), GOLDEN["report"]
    coupling = shift.corr("spearman").to_numpy(copy=True)
    np.testing.assert_allclose(coupling, report["coupling"], atol=1e-9)
    np.fill_diagonal(coupling, 0.0)
    tax = np.sqrt((coupling**2).sum(axis=0))
    pairs = [(u, w, shift[[u, w]].dropna().shape[0]) for u in range(4) for w in range(u)]
    chance = np.mean([1 / (n - 1) for _, _, n in pairs])
    before = pd.DataFrame(kept("pre")).corr("spearman").to_numpy() - np.eye(4)
    expected = {
        "gain": -shift[0].mean(), "shift": shift.mean(), "gnd": shift.mean() / abs(shift[0].mean()), "value_tax": tax,
        "nvat": np.sqrt((coupling**2).sum() / 12), "nvat_frobenius": np.sqrt((4 + (coupling**2).sum()) / 4), "nvat_null": np.sqrt(chance),
        "nvat_excess_sq": (coupling**2).sum() / 12 - chance, "nvat_p_chi2": chi2.sf(sum((n - 1) * coupling[u, w] ** 2 for u, w, n in pairs), 6),
        "gini": np.abs(tax[:, None] - tax).sum() / (8 * tax.sum()), "nvat_pre": np.sqrt((before**2).sum() / 12),
    }  # fmt: skip
    for name, number in expected.items():
        np.testing.assert_allclose(report[name], number, atol=1e-9, err_msg=name)


@settings(deadline=None, max_examples=50)
@given(shifts, st.randoms(use_true_random=False), st.booleans())
def test_no_estimate_depends_on_the_order_of_scenes(shift, random, grouped):
    order = random.sample(range(len(shift)), len(shift))
    country = np.arange(len(shift)) % 3
    options = {"n_boot": 2, "n_perm": 2}
    report = measured(shift, **options, factors={"country": country} if grouped else None)
    other = measured(shift[order], **options, factors={"country": country[order]} if grouped else None)
    for name in POINTS:
        np.testing.assert_allclose(getattr(other, name), getattr(report, name), atol=1e-9, err_msg=name)


@settings(deadline=None, max_examples=25)
@given(shifts, st.randoms(use_true_random=False))
def test_no_estimate_depends_on_the_order_of_values(shift, random):
    order = random.sample(range(shift.shape[1]), shift.shape[1])
    report = measured(shift, target=order[0], n_boot=2, n_perm=2)
    other = measured(shift[:, order], target=0, n_boot=2, n_perm=2)
    for name in POINTS:
        number = np.asarray(getattr(report, name))
        number = number[np.ix_(order, order)] if number.ndim == 2 else number[order] if number.ndim == 1 else number
        np.testing.assert_allclose(getattr(other, name), number, atol=1e-9, err_msg=name)


def test_how_far_shifts_go_changes_the_gain_and_no_coupling():
    """A strictly increasing map of its own for each value."""
    shift = pushed()
    report, recoded = measured(shift), measured(np.sinh(shift) * [0.5, 0.25, 0.125, 0.3] + [0.1, 0.0, -0.2, 0.3])
    of_size = {"gain", "shift", "gnd"} | {f"{name}_{bound}" for name in ("gain", "shift", "gnd") for bound in ("low", "high")}
    of_states = {"nvat_pre", "nvat_pre_null", "nvat_pre_p", "nvat_partial", "nvat_partial_null", "nvat_partial_p", "ceiling_pre", "ceiling_post"}
    for field in dataclasses.fields(TaxReport):
        if field.name not in of_size | of_states:
            np.testing.assert_allclose(getattr(recoded, field.name), getattr(report, field.name), atol=1e-9, err_msg=field.name)
    assert recoded.gain != report.gain


def test_one_seed_gives_one_report_and_another_the_same_estimates():
    shift = pushed()
    first, again, other = (dataclasses.asdict(measured(shift, seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_equal(again, first)
    for name in POINTS:
        np.testing.assert_array_equal(other[name], first[name], err_msg=name)
    assert other["nvat_subsample"] != first["nvat_subsample"]


def test_the_papers_subsamples_keep_four_fifths_of_the_scenes():
    shift = pushed()
    draws = subsample(shift, share=0.8, n_draws=99, seed=0).nvat_B
    report = measured(shift)
    assert (report.nvat_subsample, report.nvat_subsample_std) == (draws.mean(), draws.std())


def test_intervals_hold_their_estimates_and_the_low_end_of_a_tax_is_0_unless_the_test_rejects():
    random = np.random.default_rng(0)
    common = random.normal(size=(60, 1))
    coupled = measured(np.clip((common + random.normal(size=(60, 4))) / 4, -2, 2))
    assert coupled.nvat_p <= 0.05
    assert 0 < coupled.nvat_low < coupled.nvat < coupled.nvat_high
    for name in ("gain", "shift", "coupling", "value_tax"):
        low, high = getattr(coupled, f"{name}_low"), getattr(coupled, f"{name}_high")
        off = ~np.eye(4, dtype=bool) if name == "coupling" else ...
        assert (np.asarray(low < getattr(coupled, name))[off]).all()
        assert (np.asarray(getattr(coupled, name) < high)[off]).all()
    for seed in range(20):
        alone = measured(np.random.default_rng(seed).normal(size=(60, 4)) / 4, seed=seed)
        assert alone.nvat_low == 0 or alone.nvat_p <= 0.05


def test_the_level_of_a_values_tax_is_that_of_its_pairs():
    shift = pushed()
    shift[30:, 3] = NAN  # 30 scenes shared with the last, 40 between the others
    report = measured(shift)
    np.testing.assert_allclose(report.value_tax_null, np.sqrt([2 / 39 + 1 / 29] * 3 + [3 / 29]))
    assert report.nvat_null == pytest.approx(np.sqrt((3 / 39 + 3 / 29) / 6))


def test_states_at_an_end_of_the_scale_are_counted_among_those_observed_in_both():
    pre = np.array([[1.0, 0], [-1, 0], [0.5, 1], [0.5, NAN]])
    post = np.array([[1.0, 0.5], [NAN, 0], [1, 1], [0.5, 1]])
    report = measure_tax(pre, post, target=0, direction=1, n_boot=9, n_perm=9)
    assert report.ceiling_pre == pytest.approx(2 / 6)
    assert report.ceiling_post == pytest.approx(3 / 6)
    assert report.n_scenes == 3
    assert report.gain == pytest.approx(0.5 / 3)


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
    assert 0.8 < report.nvat_subsample <= 1  # three of four scenes: without an end -rho is sqrt(3) / 2, without a middle one as much


@pytest.mark.parametrize("still", [0.0, 0.25, np.nan], ids=["zero", "constant", "never observed"])
def test_a_value_that_never_moves_leaves_every_average(still):
    shift = pushed()
    alone, beside = measured(shift), measured(np.column_stack([shift, np.full(len(shift), still)]))
    np.testing.assert_array_equal(beside.live, [True] * 4 + [False])
    assert beside.value_tax[-1] == 0
    for name in AVERAGES:
        assert getattr(beside, name) == pytest.approx(getattr(alone, name), abs=1e-12), name
    assert np.isnan([beside.value_tax_low[-1], beside.value_tax_high[-1], *beside.coupling_low[-1], *beside.coupling_p[-1]]).all()


@pytest.mark.parametrize("factors", [None, {"country": list("aabbccdd")}])
@pytest.mark.parametrize("still", [0.0, np.nan], ids=["zero", "never observed"])
def test_nothing_is_claimed_when_nothing_moves(still, factors):
    report = measured(np.full((8, 3), still), factors=factors)
    for name in AVERAGES:
        assert np.isnan(getattr(report, name)), name
    for name in ("coupling_low", "coupling_high", "coupling_p", "coupling_q", "value_tax_low", "value_tax_high", "gnd_low", "gnd_high"):
        assert np.isnan(getattr(report, name)).all(), name
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
        ({"pre_SV": np.where(np.eye(5, 3) > 0, -np.inf, NAN)}, r"value states lie in \[-1, 1\]"),
        ({"pre_SV": np.zeros((0, 3)), "post_SV": np.zeros((0, 3))}, "at least 3 scenes"),
        ({"pre_SV": np.full((2, 3), NAN), "post_SV": np.full((2, 3), NAN)}, "at least 3 scenes"),
        ({"pre_SV": np.zeros((5, 3, 1)), "post_SV": np.zeros((5, 3, 1))}, "at least 3 scenes and 2 values"),
        ({"post_SV": np.zeros((6, 3))}, "must have the shape of pre_SV"),
        ({"target": 3}, "a column of the states"),
        ({"target": -1}, "a column of the states"),
        ({"direction": 0}, "1 or -1"),
        ({"direction": 2}, "1 or -1"),
        ({"factors": {"topic": ["a"] * 4}}, "one level for each of the 5 scenes"),
        ({"factors": {"topic": ["a"] * 6}}, "one level for each of the 5 scenes"),
        ({"factors": {"country": list("abcab"), "topic": []}}, "one level for each of the 5 scenes"),
        ({"n_perm": 0}, "at least 1 permutation"),
        ({"n_boot": 0}, "at least 1 draw"),
        ({"n_boot": 0, "pre_SV": np.eye(3), "post_SV": np.zeros((3, 3))}, "at least 1 draw"),
    ],
    ids=lambda change: ", ".join(change) if isinstance(change, dict) else "",
)
def test_states_that_cannot_be_compared_are_refused_in_one_line(change, rule):
    states = {"pre_SV": np.zeros((5, 3)), "post_SV": np.zeros((5, 3)), "target": 0, "direction": 1, "n_boot": 9, "n_perm": 9, "seed": 0}
    with pytest.raises(DataError, match=rf"^[a-zA-Z_, \['\]]+: [^\n]*{rule}[^\n]*; got [^\n]+\. [A-Z][^\n]+\.$"):
        measure_tax(**(states | change))


def test_a_tax_and_its_level_are_means_over_the_same_pairs_when_values_share_too_few_scenes():
    excess = []
    for seed in range(60):
        shift = np.round(np.random.default_rng(seed).normal(size=(80, 10)) * 5) / 20
        shift[:40, 5:] = shift[40:, :5] = np.nan
        report = measure_tax(np.zeros_like(shift) * shift, np.clip(shift, -1, 1), target=0, direction=1, n_boot=1, n_perm=1)
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


@pytest.mark.parametrize("still", [0.0, 0.5, NAN], ids=["zero", "constant", "never observed"])
def test_a_target_that_does_not_vary_leaves_the_tax_of_the_others(still):
    shift = pushed()
    others, whole = measured(shift[:, 1:]), measured(np.column_stack([np.full(len(shift), still), shift[:, 1:]]))
    np.testing.assert_equal(whole.gain, still)
    assert whole.n_scenes == (0 if np.isnan(still) else 40)
    for name in AVERAGES:
        assert getattr(whole, name) == pytest.approx(getattr(others, name), abs=1e-12), name
    if still == 0.5:
        assert whole.gnd[0] == 1  # half a step in every scene is a certain gain
    else:
        assert np.isnan(whole.gnd).all()


def test_three_scenes_are_a_defined_report_without_certainty():
    report = measured([[0.25, 0.75, 0.5], [0.5, 0.25, 0.75], [0.75, 0.5, 0.25]])
    assert (report.n_scenes, report.gain) == (3, 0.5)
    np.testing.assert_allclose(report.coupling, [[1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]])
    assert report.nvat == pytest.approx(0.5)
    assert np.isnan([report.nvat_subsample, report.nvat_subsample_std]).all()  # four fifths of them are two
    assert np.isnan(report.nvat_high) or report.nvat_low < report.nvat_high
    assert (np.isnan(report.value_tax_high) | (report.value_tax_low < report.value_tax_high)).all()


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
