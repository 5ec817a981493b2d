"""Hypervolumes of methods: by hand where there is one checkpoint, what adds nothing, symmetries, and how often intervals are wrong."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import binom

from vat.measure.compare import over_replicates, paired_difference
from vat.measure.coupling import couple
from vat.measure.indices import system_tax
from vat.measure.null import chance_level
from vat.measure.pareto import hypervolume_batch

NAN = float("nan")
UP = {"target": 0, "direction": 1}
AREA = {**UP, "of": "hypervolume"}
SCENES, VALUES = 80, 10


class Planted(NamedTuple):
    """Checkpoints of a method: the gain of each and how its values correlate, which in each replicate are somewhat other ones.

    alike: all checkpoints have the last one's gain and coupling, and only noise of their own; otherwise both rise in equal steps.
    effects: share of the variance that country, and again topic, has.
    """

    gain: float = 0.3
    rho: float = 0.2
    checkpoints: int = 3
    alike: bool = False
    replicates: int = 1
    effects: float = 0.1

    def of_replicates(self, random, count):
        """(R, C) gains and correlations of as many replicates; a single one has those that are planted."""
        spread = 0.0 if self.replicates == 1 else 1.0
        rises = np.ones(self.checkpoints) if self.alike else np.arange(1, self.checkpoints + 1) / self.checkpoints
        gain_RC = self.gain * rises * (1 + 0.15 * spread * random.normal(size=(count, 1)))
        shift_R1 = 0.08 * spread * (self.rho > 0) * random.normal(size=(count, 1))
        return gain_RC, np.clip(self.rho * rises + shift_R1, 0, 0.9)

    def truth(self):
        """Mean hypervolume of many replicates over all scenes there could be."""
        gain_RC, rho_RC = self.of_replicates(np.random.default_rng(1), 4000)
        return hypervolume_batch(gain_RC, 6 / np.pi * np.arcsin(rho_RC * (1 - 2 * self.effects) / 2)).mean()

    def shifts(self, random, scene):
        """(R, C, S, V) shifts: half of what varies is the scene's, a quarter the replicate's, a quarter the checkpoint's own."""
        size = (self.replicates, self.checkpoints, len(scene), VALUES)
        common, of_replicate, own = random.normal(size=size[2:]), random.normal(size=(size[0], 1, *size[2:])), random.normal(size=size)
        effects = random.normal(size=(12, VALUES))[scene % 12] + random.normal(size=(11, VALUES))[scene // 12 % 11]
        gain_RC, rho_RC = self.of_replicates(random, self.replicates)
        root_RCVV = np.linalg.cholesky(rho_RC[..., None, None] + (1 - rho_RC[..., None, None]) * np.eye(VALUES))
        coupled = (np.sqrt(0.5) * common + np.sqrt(0.25) * (of_replicate + own)) @ root_RCVV.swapaxes(-1, -2)
        shift = np.sqrt(self.effects) * effects + np.sqrt(1 - 2 * self.effects) * coupled
        shift[..., 0] += 8 * gain_RC[..., None]
        return np.round(shift * 5) / 40


def verdicts(first, second, data_sets):
    """(data sets, 4): estimate of the first less its truth, that truth covered, the true difference covered, p < 0.05."""
    truth, apart, found = first.truth(), first.truth() - second.truth(), []
    for seed in range(data_sets):
        random = np.random.default_rng(seed)
        scene = random.choice(264, SCENES, replace=False)
        factors = {"country": scene % 12, "topic": scene // 12 % 11}
        a, b = first.shifts(random, scene), second.shifts(random, scene)
        alone, between = over_replicates(a, factors=factors, **AREA), paired_difference(a, b, factors=factors, **AREA)
        found.append([alone.estimate - truth, alone.low <= truth <= alone.high, between.low <= apart <= between.high, between.p < 0.05])
    return np.array(found)


def path(seed=0, **planted):
    """(R, C, S, V) shifts of one method."""
    return Planted(**planted).shifts(np.random.default_rng(seed), np.arange(SCENES))


def squared(shift_SV):
    return float(system_tax(couple(shift_SV).coupling_VV)) ** 2


def root(square, level):
    """Of a square that is free of chance; below the level by chance a straight line."""
    return np.where(square > level, np.sqrt(np.maximum(square, 0)), square / np.sqrt(level))


def tax(shift_SV):
    """nvat free of chance."""
    found = couple(shift_SV)
    return root(squared(shift_SV) - chance_level(found), chance_level(found))


def without(shift, group_S):
    return [np.delete(shift, np.flatnonzero(group_S == group), axis=0) for group in np.unique(group_S)]


@pytest.mark.parametrize("factors", [None, {"country": np.arange(SCENES) % 7, "topic": np.arange(SCENES) // 9}], ids=["scenes", "factors"])
@pytest.mark.parametrize(("rho", "missing"), [(0.4, 0.0), (0.0, 0.0), (0.3, 0.1)])
def test_the_hypervolume_of_one_checkpoint_is_its_gain_less_the_share_that_is_tax(rho, missing, factors):
    (shift,) = path(rho=rho, checkpoints=1)[0]
    shift[np.random.default_rng(9).random(shift.shape) < missing] = NAN
    gain, square, left = np.nanmean(shift[:, 0]), squared(shift), without(shift, np.arange(SCENES))
    own = np.mean([squared(rest) for rest in left]) - square
    bias = (SCENES - 1) * own
    if factors:
        crossed = [(1, factors["country"]), (1, factors["topic"]), (-1, 100 * factors["country"] + factors["topic"])]
        bias = sum(sign * (len(np.unique(code)) - 1) * (np.mean([squared(rest) for rest in without(shift, code)]) - square) for sign, code in crossed)
    count = couple(shift).count_VV[~np.eye(VALUES, dtype=bool)]
    level = max((1 / (count - 1)).mean(), bias)
    whole = root(square - bias, level)
    gain_S = np.array([np.nanmean(rest[:, 0]) for rest in left]) - gain
    tax_S = root(np.array([squared(rest) for rest in left]) - own - bias, level) - whole
    pseudo = gain * (1 - whole) + (SCENES - 1) * (gain_S * tax_S).mean() - (SCENES - 1) * (gain_S * (1 - whole) - gain * tax_S)
    found = over_replicates(shift[None], factors=factors, **AREA)
    assert found.estimate == pytest.approx(pseudo.mean(), abs=1e-12)
    assert found.low < found.estimate < found.high
    assert np.isnan(found.sd_replicate)
    if not factors:
        assert found.sd_scene == pytest.approx(pseudo.std(ddof=1), abs=1e-10)


def test_the_hypervolume_of_many_scenes_is_that_of_the_planted_checkpoints():
    planted = Planted(rho=0.5, effects=0.0)
    shift = planted.shifts(np.random.default_rng(0), np.arange(4000))
    assert over_replicates(shift, **AREA).estimate == pytest.approx(planted.truth(), abs=0.01)


def test_a_checkpoint_far_behind_another_and_one_that_moved_nothing_add_nothing():
    front = path(rho=0.2)
    behind = path(1, gain=0.05, rho=0.9, checkpoints=1)
    expected = over_replicates(front, **AREA)
    for more in (np.zeros_like(behind), behind, -behind):
        assert over_replicates(np.concatenate([front, more], axis=1), **AREA)[:3] == pytest.approx(expected[:3], abs=1e-12)


def test_a_checkpoint_that_overtakes_others_moves_the_estimate_without_a_jump():
    """Leaving scenes out would move it fifty times as far as the gain moved."""
    shift = path(rho=0.0, alike=True)
    shift[..., 0] -= shift[..., 0].mean(axis=-1, keepdims=True) - 0.3
    overtaking = [shift + np.where(np.arange(VALUES) == 0, more, 0) * np.array([1, 0, 0])[:, None, None] for more in np.arange(-6, 7) / 2000]
    moved = np.diff([over_replicates(checkpoints, **AREA).estimate for checkpoints in overtaking])
    assert np.abs(moved).max() < 4 / 2000


def test_replicates_count_each_for_itself():
    shift = path(replicates=4)
    each = [over_replicates(one, **AREA).estimate for one in shift]
    found = over_replicates(shift, **AREA)
    assert found.estimate == pytest.approx(np.mean(each), abs=1e-12)
    assert found.sd_replicate == pytest.approx(np.std(each, ddof=1), abs=1e-12)
    assert (found.n_replicates, found.n_scenes) == (4, SCENES)


def test_nothing_depends_on_the_order_of_checkpoints_scenes_or_other_values():
    first, second, random = path(0, replicates=3), path(1, replicates=3, checkpoints=2), np.random.default_rng(0)
    scenes, values, country = random.permutation(SCENES), np.append(0, 1 + random.permutation(VALUES - 1)), np.arange(SCENES) % 7
    moved = [shift[:, ::-1][:, :, scenes][..., values] for shift in (first, second)]
    expected = paired_difference(first, second, factors={"country": country}, **AREA)
    np.testing.assert_allclose(paired_difference(*moved, factors={"country": country[scenes]}, **AREA), expected, atol=1e-10)


def test_a_value_pushed_down_is_one_pushed_up_seen_from_behind():
    shift = path(replicates=2)
    assert over_replicates(-shift, target=0, direction=-1, of="hypervolume") == over_replicates(shift, **AREA)


@pytest.mark.parametrize("replicates", [(1, 1), (4, 4), (2, 3)], ids=str)
def test_swapped_methods_swap_signs(replicates):
    first, second = path(0, replicates=replicates[0]), path(1, gain=0.2, replicates=replicates[1])
    there, back = paired_difference(first, second, **AREA), paired_difference(second, first, **AREA)
    np.testing.assert_allclose([back.estimate, back.low, back.high, back.p], [-there.estimate, -there.high, -there.low, there.p], atol=1e-12)
    expected = [over_replicates(first, **AREA).estimate, over_replicates(second, **AREA).estimate]
    np.testing.assert_allclose([[there.first, there.second], [back.second, back.first]], [expected, expected], atol=1e-12)
    assert there.estimate == pytest.approx(there.first - there.second, abs=1e-12)


def test_a_method_that_pushes_the_wrong_way_has_no_hypervolume_but_counts_as_less_than_one_that_does_nothing():
    wrong, nothing = path(gain=-0.3), path(1, gain=0.0)
    found = over_replicates(wrong, **AREA)
    assert (found.estimate, found.low, found.high) == (0, 0, 0)
    between = paired_difference(wrong, nothing, **AREA)
    assert between.first == 0
    assert between.high < 0


def test_a_checkpoint_that_gains_but_has_no_tax_leaves_nothing_to_say():
    front = path()
    only = np.zeros((1, 1, SCENES, VALUES))
    only[..., 0] = 0.1 + np.arange(SCENES) / SCENES  # the others stand still: nothing couples
    unseen = front[:, :1].copy()
    unseen[..., 0] = NAN
    for more in (only, unseen):
        shift = np.concatenate([front, more], axis=1)
        assert np.isnan(over_replicates(shift, **AREA)[:3]).all()
        assert np.isnan(paired_difference(front, shift, **AREA)[:4]).all()


def test_only_checkpoints_that_moved_nothing_have_a_hypervolume_of_0():
    assert over_replicates(np.zeros((2, 3, 9, 4)), **AREA)[:3] == (0, 0, 0)


@pytest.mark.parametrize("rho", [0.0, 0.4])
@pytest.mark.parametrize(
    ("planted", "data_sets"),
    [({}, 80), ({"replicates": 4}, 40), ({"alike": True}, 80), ({"alike": True, "gain": 0.0}, 80)],
    ids=["rising", "replicates", "alike", "nothing"],
)
def test_intervals_of_hypervolumes_cover_and_like_methods_are_told_apart_one_time_in_twenty(planted, data_sets, rho):
    method = Planted(rho=rho, effects=0.0, **planted)
    _, covered, difference_covered, rejected = verdicts(method, method, data_sets).sum(axis=0)
    assert min(covered, difference_covered) >= binom.ppf(0.001, data_sets, 0.95)
    assert rejected <= binom.ppf(0.999, data_sets, 0.05)


def test_what_scenes_of_a_country_share_is_no_tax():
    """Less what chance brings alone, intervals covered 80%; docs/calibration.md has what they cover."""
    method = Planted(rho=0.0, effects=0.3)
    found = verdicts(method, method, 60)
    assert abs(found[:, 0].mean()) < 0.02
    assert found[:, 1].sum() >= binom.ppf(0.001, 60, 0.93)


def test_methods_that_differ_are_told_apart():
    found = verdicts(Planted(rho=0.1, effects=0.0), Planted(rho=0.7, effects=0.0), 40)
    assert found[:, 3].mean() > 0.8
    assert found[:, 2].sum() >= binom.ppf(0.001, 40, 0.95)


def test_the_best_by_luck_is_on_the_front_and_more_than_half_of_that_is_taken_off():
    method, too_high = Planted(rho=0.4, checkpoints=6, alike=True, effects=0.0), []
    for seed in range(60):
        shift = method.shifts(np.random.default_rng(seed), np.arange(SCENES))[0]
        points = [shift[..., 0].mean(axis=1)[None], np.array([[tax(shift_SV) for shift_SV in shift]])]
        too_high.append([hypervolume_batch(*points)[0], over_replicates(shift, **AREA).estimate])
    plain, taken_off = np.mean(too_high, axis=0) - method.truth()
    assert plain > 0.015
    assert 0 < taken_off < plain / 2
