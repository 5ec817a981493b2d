"""Methods at equal gain, from the folders of a sweep's jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.programs.test_replicates import THEORY, Sweep, judged, states_of
from vat.measure.compare import over_replicates, paired_difference
from vat.programs.equal_gain import equal_gain_table
from vat.programs.record import About, record, shifted_of

PULLS = {"sft": (0.3, 0.6, 0.9), "dpo": (0.2, 0.4, 0.5), "placebo": (0.0, 0.0, 0.0)}


@pytest.fixture(scope="module", params=[1, -1])
def sweep(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Three strategies with three replicates of three checkpoints each, which push up, or down."""
    direction: int = request.param
    rows, folders, place = [], dict[str, list[Path]](), tmp_path_factory.mktemp("jobs")
    for strategy, pulls in PULLS.items():
        for replicate in range(3):
            job = f"{strategy}{replicate}"
            folders[job] = [place / job / str(step) for step in range(3)]
            for step, pull in enumerate(pulls):
                about = About(strategy, "pride", direction, "", THEORY)
                record(folders[job][step], about, judged(0, 0.0), judged(10 * replicate + step + 1, direction * pull), {})
            rows.append({
                "model": "tiny", "value": "pride", "direction": direction, "strategy": strategy, "shots": None, "replicate": replicate,
                "settings": "", "job": job, "metrics": {"gain": 0.1},
            })  # fmt: skip
    return rows, folders


def test_two_strategies_are_compared_at_the_largest_gain_that_both_reach_and_at_half_of_it(sweep: Sweep) -> None:
    rows, folders = sweep
    lines = [line.split() for line in equal_gain_table(rows, states_of(folders)).splitlines()[3:]]
    shifts = {name: [[shifted_of(folder) for folder in folders[f"{name}{r}"]] for r in range(3)] for name in ("sft", "dpo")}
    stacked = {name: np.stack([[one.post_SV - one.pre_SV for one in of_one] for of_one in of_name]) for name, of_name in shifts.items()}
    direction = rows[0]["direction"]
    reached = min((direction * stacked[name][r, :, :, 1].mean(axis=1)).max() for name in stacked for r in range(3))
    assert [line[:4] for line in lines] == [["tiny", "pride", f"{direction:+d}", "3"]] * 2, "the placebo moved nothing"
    assert [float(line[4]) for line in lines] == pytest.approx([reached / 2, reached], abs=0.001)
    given: dict[str, Any] = {"target": 1, "direction": direction, "factors": shifts["sft"][0][0].factors, "at_gain": float(lines[1][4])}
    first, difference = over_replicates(stacked["sft"], **given), paired_difference(stacked["sft"], stacked["dpo"], **given)
    assert lines[1][5:9] == ["sft", f"{first.estimate:.3f}", f"[{first.low:.3f},", f"{first.high:.3f}]"]
    assert lines[1][13:17] == [f"{difference.estimate:+.3f}", f"[{difference.low:+.3f},", f"{difference.high:+.3f}]", f"{difference.p:.4f}"]


def test_numbers_of_examples_are_doses_too(sweep: Sweep) -> None:
    rows, folders = sweep
    steered = [row | {"strategy": "steering", "job": f"{row['job']}x{n}", "shots": 2**n} for row in rows[:3] for n in range(3)]
    doses = {f"{row['job']}x{n}": [folders[row["job"]][n]] for row in rows[:3] for n in range(3)}
    with_shots = equal_gain_table([*steered, *rows[3:6]], states_of(folders | doses))
    assert with_shots.replace("steering", "sft     ").split() == equal_gain_table(rows[:6], states_of(folders)).split()


def test_without_a_second_strategy_that_moved_the_value_there_is_nothing_to_compare(sweep: Sweep) -> None:
    rows, folders = sweep
    assert equal_gain_table(rows[:3], states_of(folders)) == ""
    assert equal_gain_table([*rows[:3], *rows[6:]], states_of(folders)) == ""
    assert equal_gain_table([*rows[:3], *(row | {"value": "care"} for row in rows[3:6])], states_of(folders)) == ""
