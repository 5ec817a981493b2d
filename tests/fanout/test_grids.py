"""Grids, and what the command line leaves of them."""

from __future__ import annotations

import pytest

from vat.errors import ConfigError
from vat.fanout.grids import Grid, points_of


def expand(key: str, text: str) -> list[str]:
    return [f"{key}={value}" for value in text.split(",")]


TWO: list[Grid] = [{"strategy": "steering", "shots": "2,4"}, {"strategy": "sft,dpo"}]


def test_a_sweep_is_all_points_of_all_its_grids() -> None:
    assert points_of(TWO, {}, expand) == [
        ["strategy=steering", "shots=2"], ["strategy=steering", "shots=4"], ["strategy=sft"], ["strategy=dpo"],
    ]  # fmt: skip


def test_without_grids_the_command_line_is_the_grid() -> None:
    assert points_of([], {"shots": "2,4", "value": "power"}, expand) == [["shots=2", "value=power"], ["shots=4", "value=power"]]
    assert points_of([], {}, expand) == [[]]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"strategy": "sft"}, [["strategy=sft"]]),
        ({"strategy": "steering,dpo"}, [["strategy=steering", "shots=2"], ["strategy=steering", "shots=4"], ["strategy=dpo"]]),
        ({"strategy": "none"}, [["shots=2", "strategy=none"], ["shots=4", "strategy=none"], ["strategy=none"]]),
        ({"strategy": "steering", "shots": "4,8"}, [["strategy=steering", "shots=4"]]),
        ({"strategy": "dpo", "model": "tiny"}, [["strategy=dpo", "model=tiny"]]),
    ],
)
def test_a_value_that_a_grid_has_narrows_them_and_one_that_none_has_takes_their_place(given: Grid, left: list[list[str]]) -> None:
    assert [sorted(point) for point in points_of(TWO, given, expand)] == [sorted(point) for point in left]


def test_a_point_that_two_grids_have_is_one() -> None:
    assert points_of([{"shots": "2,4"}, {"shots": "4,8"}], {}, expand) == [["shots=2"], ["shots=4"], ["shots=8"]]


def test_what_leaves_nothing_or_is_no_grid_is_told() -> None:
    with pytest.raises(ConfigError, match="must leave a point of its grids; got none with"):
        points_of([{"strategy": "steering", "shots": "2"}, {"strategy": "sft", "shots": "8"}], {"strategy": "sft", "shots": "2"}, expand)
    with pytest.raises(ConfigError, match=r"^hydra\.sweeper\.grids\[1\]: must be settings and their values; got 'shots'"):
        points_of([{"shots": "2"}, "shots"], {}, expand)  # type: ignore[list-item]
