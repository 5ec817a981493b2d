"""What a sweep says about methods, from the folders of its jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vat.measure.compare import over_replicates, paired_difference
from vat.programs.record import About, record, shifted_of
from vat.programs.replicates import false_discoveries, replicate_tables
from vat.programs.trajectories import States
from vat.theory.base import Theory, Value
from vat.types import Judgements, Probe

NAMES = ("care", "pride", "order", "thrill")
Sweep = tuple[list[dict[str, Any]], dict[str, list[Path]]]
THEORY = Theory("care", "made up", tuple(Value(name, f"Having {name}.", 1, None, ((f"{name} 1", "One."), (f"{name} 2", "Two."))) for name in NAMES))


def states_of(folders: Mapping[str, Sequence[Path]]) -> States:
    """What reads the states that lie in folders."""
    return {job: [partial(shifted_of, folder) for folder in of_job] for job, of_job in folders.items()}


def judged(seed: int, pull: float, scenes: int = 24) -> Judgements:
    """Answers around 3; `pull` raises what is answered about pride, more in some scenes than in others."""
    random = np.random.default_rng(seed)
    probes = tuple(
        Probe(f"scene {s}", f"country {s % 4}", f"topic {s // 4}", "Text.", item, polarity, "I act.")
        for s in range(scenes) for item in THEORY.items for polarity in (1, -1)
    )  # fmt: skip
    moved = np.array([pull * probe.polarity * THEORY.item_value_U[THEORY.items.index(probe.item)] for probe in probes])
    rating = np.clip(np.round(3 + moved + random.normal(size=len(probes))), 1, 5)
    return Judgements(probes, rating, rating, np.full((len(probes), 5), np.nan), np.ones(len(probes)))


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    """Two strategies with three replicates each, and a job alone in its cell."""
    rows, folders = [], dict[str, list[Path]]()
    for n, (strategy, shots, replicate, pull) in enumerate(
        [*(("steering", 4, r, 0.6) for r in range(3)), *(("placebo", 4, r, 0.0) for r in range(3)), ("steering", 8, 0, 0.8)]
    ):
        folders[f"job{n}"] = [tmp_path / f"job{n}"]
        record(tmp_path / f"job{n}", About(strategy, "pride", 1, "", THEORY), judged(0, 0.0), judged(n + 1, pull), {})
        rows.append({
            "model": "tiny", "value": "pride", "direction": 1, "strategy": strategy, "shots": shots, "replicate": replicate, "settings": "",
            "job": f"job{n}", "metrics": {"gain": 0.1, "nvat_p": 0.01 * (n + 1)},
        })  # fmt: skip
    return rows, folders


def test_replicates_of_a_cell_are_taken_together_and_strategies_set_against_each_other(sweep: Sweep) -> None:
    rows, folders = sweep
    together, apart = replicate_tables(rows, states_of(folders))
    shifts = {name: [shifted_of(folders[f"job{n}"][-1]) for n in jobs] for name, jobs in {"steering": range(3), "placebo": range(3, 6)}.items()}
    stacked = {name: np.stack([one.post_SV - one.pre_SV for one in of_name]) for name, of_name in shifts.items()}
    settings: dict[str, Any] = {"target": 1, "direction": 1, "factors": shifts["steering"][0].factors}
    gain = over_replicates(stacked["steering"], of="gain", **settings)
    lines = [line.split() for line in together.splitlines()[2:]]
    assert [line[3:6] for line in lines[1:]] == [["steering", "4", "3"], ["placebo", "4", "3"]], "not the cell of one replicate"
    assert lines[1][6:9] == [f"{gain.estimate:+.3f}", f"[{gain.low:+.3f},", f"{gain.high:+.3f}]"]
    tax = paired_difference(stacked["steering"], stacked["placebo"], of="nvat", **settings)
    (line,) = [line.split() for line in apart.splitlines()[3:]]
    assert line[3:7] == ["steering", "placebo", "4", "3"]
    assert f"{tax.estimate:+.3f}" in line
    assert line[-2:] == [f"{tax.p:.4f}", f"{tax.p:.4f}"], "one test needs no adjustment"
    assert "over replicates and scenes" in apart


def test_one_replicate_is_no_claim_about_a_method(sweep: Sweep) -> None:
    rows, folders = sweep
    (apart,) = replicate_tables([row for row in rows if row["replicate"] == 0], states_of(folders))
    assert "this draw only, not the method" in apart


def test_a_job_alone_has_no_table_and_a_failed_one_no_row(sweep: Sweep) -> None:
    rows, folders = sweep
    assert replicate_tables(rows[-1:], states_of(folders)) == []
    failed = {**rows[1], "failed": "silence"}
    del failed["metrics"]
    assert replicate_tables([rows[0], failed], states_of(folders)) == []


def test_false_discoveries_are_counted_over_the_distinct_jobs_of_a_sweep() -> None:
    rows: list[dict[str, Any]] = [{"job": job, "metrics": {"nvat_p": p}} for job, p in (("a", 0.01), ("b", 0.04), ("a", 0.01), ("c", None))]
    assert false_discoveries([*rows, {"job": "d", "failed": "silence"}]) == [0.02, 0.04, 0.02, None, None]
    assert false_discoveries(rows[:1]) == [None]
