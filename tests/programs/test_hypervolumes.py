"""Hypervolumes of a sweep's strategies, and the same records at equal gain, from states that are not read before they are asked for."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from vat.measure.base import Items, Shifted
from vat.measure.compare import over_replicates, paired_difference
from vat.measure.null import false_discovery_q
from vat.programs.equal_gain import at_equal_gain
from vat.programs.hypervolumes import hypervolumes
from vat.programs.trajectories import States
from vat.types import Floats

NAMES = ("care", "pride", "order", "thrill", "calm")
PULLS: Mapping[str, Sequence[float]] = {"sft": (0.1, 0.2, 0.3), "dpo": (0.1, 0.15), "steering": (0.25,), "placebo": (0.0, 0.0)}
SCENES = tuple(f"scene {s}" for s in range(40))
FACTORS = {"country": tuple(f"country {s % 5}" for s in range(40))}


def shifted(shift_SV: Floats, direction: int = -1, scenes: tuple[str, ...] = SCENES) -> Shifted:
    """A state whose shifts are known."""
    items = Items(np.zeros((len(scenes), 0)), np.zeros((len(scenes), 0)), np.zeros(0, dtype=int))
    return Shifted(-shift_SV / 2, shift_SV / 2, NAMES, 1, direction, scenes, FACTORS, items, None)


def row(strategy: str, replicate: int, **other: Any) -> dict[str, Any]:
    shots = 4 if strategy == "steering" else None
    return {
        "model": "tiny", "value": "pride", "direction": -1, "strategy": strategy, "settings": "", "replicate": replicate, "shots": shots,
        "job": f"{strategy}{replicate}", "metrics": {"gain": 0.1},
    } | other  # fmt: skip


@functools.cache
def shifts(strategy: str, replicate: int) -> Floats:
    """(C, S, V) of one job; the value was pushed down."""
    random = np.random.default_rng([sorted(PULLS).index(strategy), replicate])
    pulls = np.array(PULLS[strategy])
    shift = random.normal(0, 0.1, size=(1, 40, 5)) + random.normal(0, 0.1, size=(len(pulls), 40, 5))
    shift[..., 1] -= pulls[:, None]
    return np.asarray(np.round(shift * 20) / 20)


def sweep(*replicates: int, strategies: Sequence[str] = tuple(PULLS)) -> tuple[list[dict[str, Any]], States]:
    rows = [row(strategy, replicate) for strategy in strategies for replicate in replicates]
    states = {
        f"{strategy}{replicate}": [functools.partial(shifted, shift) for shift in shifts(strategy, replicate)]
        for strategy in strategies for replicate in replicates
    }  # fmt: skip
    return rows, states


def stacked(strategy: str, *replicates: int) -> Floats:
    return np.stack([shifts(strategy, replicate) for replicate in replicates])


GIVEN: dict[str, Any] = {"target": 1, "direction": -1, "factors": FACTORS}


def test_every_strategy_has_a_hypervolume_over_its_replicates_and_doses() -> None:
    found = hypervolumes(*sweep(0, 1, 2)).each
    assert [(one.strategy, one.n_replicates, one.n_doses) for one in found] == [("sft", 3, 3), ("dpo", 3, 2), ("steering", 3, 1), ("placebo", 3, 2)]
    for one in found:
        assert (one.model, one.value, one.direction, one.settings) == ("tiny", "pride", -1, "")
        assert one.hypervolume == over_replicates(stacked(one.strategy, 0, 1, 2), of="hypervolume", **GIVEN)
    areas = {one.strategy: one.hypervolume for one in found}
    assert areas["sft"].low > areas["dpo"].high > areas["dpo"].low > areas["placebo"].high
    assert areas["placebo"].low == 0 <= areas["placebo"].estimate < 0.05


def test_every_two_strategies_are_compared_and_false_discoveries_counted_over_all_of_them() -> None:
    found = hypervolumes(*sweep(0, 1, 2)).differences
    assert [(apart.first, apart.second) for apart in found] == [
        ("sft", "dpo"), ("sft", "steering"), ("sft", "placebo"), ("dpo", "steering"), ("dpo", "placebo"), ("steering", "placebo"),
    ]  # fmt: skip
    one = found[1]
    assert one.difference == paired_difference(stacked("sft", 0, 1, 2), stacked("steering", 0, 1, 2), of="hypervolume", **GIVEN)
    assert (one.n_replicates, one.n_doses) == (3, (3, 1))
    np.testing.assert_array_equal([apart.q for apart in found], false_discovery_q(np.array([apart.difference.p for apart in found])))
    assert found[2].q < 0.01


def test_a_difference_is_over_the_replicates_that_both_have() -> None:
    rows, states = sweep(0, 1, 2, strategies=("sft", "dpo"))
    found = hypervolumes(rows[:5], states)
    assert [one.n_replicates for one in found.each] == [3, 2]
    (apart,) = found.differences
    assert apart.n_replicates == 2
    assert apart.difference == paired_difference(stacked("sft", 0, 1), stacked("dpo", 0, 1), of="hypervolume", **GIVEN)
    (other,) = hypervolumes([*rows[:2], *rows[3:]], states).differences
    assert other.difference == apart.difference
    assert hypervolumes([rows[0], rows[4]], states).differences == []  # replicate 0 of one, 1 of the other


def test_what_is_not_alike_is_not_compared() -> None:
    rows, states = sweep(0, 1, strategies=("sft", "dpo"))
    for other in ({"value": "care"}, {"model": "large"}, {"settings": "beta=1"}, {"direction": 1}):
        found = hypervolumes([*rows[:2], *(one | other for one in rows[2:])], states)
        assert len(found.each) == 2
        assert found.differences == []
    elsewhere = {job: [functools.partial(shifted, shifts("dpo", 0)[0], scenes=tuple(f"other {s}" for s in range(40)))] for job in ("dpo0", "dpo1")}
    assert hypervolumes(rows, dict(states) | elsewhere).differences == []
    assert at_equal_gain(rows, dict(states) | elsewhere) == []


def test_a_failed_job_and_one_without_a_dose_in_common_have_none() -> None:
    rows, states = sweep(0, 1, strategies=("sft", "dpo"))
    assert hypervolumes([], states) == ([], [])
    failed = {name: entry for name, entry in rows[3].items() if name != "metrics"} | {"failed": "silence"}
    assert [one.n_replicates for one in hypervolumes([*rows[:3], failed], states).each] == [2, 1]
    assert hypervolumes(rows[:2], dict(states) | {"sft1": []}).each == []


def test_doses_that_some_replicates_lack_are_left_out() -> None:
    rows, states = sweep(0, 1, strategies=("sft",))
    (found,) = hypervolumes(rows, dict(states) | {"sft1": states["sft1"][:2]}).each
    assert found.n_doses == 2
    assert found.hypervolume == over_replicates(stacked("sft", 0, 1)[:, :2], of="hypervolume", **GIVEN)


def test_at_equal_gain_only_strategies_that_moved_the_value_for_sure_are_compared() -> None:
    found = at_equal_gain(*sweep(0, 1, 2))
    assert [(one.first, one.second) for one in found] == [("sft", "dpo")] * 2 + [("sft", "steering"), ("dpo", "steering")]
    one = found[1]
    assert (one.model, one.value, one.direction, one.settings, one.n_replicates) == ("tiny", "pride", -1, "", 3)
    assert found[0].gain == pytest.approx(one.gain / 2, abs=0.001)
    first, second = stacked("sft", 0, 1, 2), stacked("dpo", 0, 1, 2)
    assert one.first_tax == over_replicates(first, at_gain=one.gain, **GIVEN)
    assert one.second_tax == over_replicates(second, at_gain=one.gain, **GIVEN)
    assert one.difference == paired_difference(first, second, at_gain=one.gain, **GIVEN)
    np.testing.assert_array_equal([one.q for one in found], false_discovery_q(np.array([one.difference.p for one in found])))
