"""Sweeps of 25 jobs in which much goes wrong, at random moments: the same command ends with the numbers of an undisturbed sweep.

VAT_SCHEDULES=n does n of the slow schedules.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient

from tests.fanout.faulty import FAULTS, Faulty
from tests.fanout.schedules import ACTIONS, await_moment, keep_going, schedule
from tests.fanout.worlds import QUICK, ROOT, SWEEPS, World, jobs_of, numbers, results, runs, store_of, world
from vat.config import AlignSpec, read
from vat.fanout.sweep import run_points
from vat.programs.align import baseline_of, job_of

QUICKLY = (37, 314)
SLOWLY = [3, 306, *(seed for seed in range(1000) if seed not in (3, 306, *QUICKLY))][: int(os.environ.get("VAT_SCHEDULES", "100"))]
"""Seeds. Two schedules have room for all that is ever done."""
WHOLE_S = 900
"""How long it may take until everything is done once nothing is disturbed any more."""


def points(place: Path, sweep: str) -> list[AlignSpec]:
    """The points of a sweep as it is launched."""
    specs = []
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for job in jobs_of(sweep):
            plain = [f"{key}={value}" for key, value in job.items() if key != "strategy.fault"]
            strategy = Faulty(shots=int(job["shots"]), fault=job["strategy.fault"], times=1, slow_s=0, marks=f"{place}/marks")
            specs.append(replace(read(compose("align", [f"tracking.root={place}/mlruns", *QUICK, *plain])), strategy=strategy))
    return specs


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All jobs in turn in one process, and nothing goes wrong. Of them only the numbers are wanted: their pages take most of the time."""
    place = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("vat.programs.align.draw_page", lambda *_: None)
        for fault in FAULTS:
            patched.setitem(FAULTS, fault, lambda: None)
        rows = run_points([point for sweep in SWEEPS for point in points(place, sweep)], sweep="mine")
    assert not any(row.get("failed") for row in rows)
    return place


def survive(seed: int, place: Path, undisturbed: Path, empty: Path) -> None:
    shared, actions = schedule(seed)
    with world(place, empty, random.Random(-seed - 1), shared=shared) as here:
        here.launch("mine")
        for action, at in actions:
            if await_moment(here, at):
                print(f"{time.monotonic():.0f} s: {action}, {len(results(place))} jobs done")
                ACTIONS[action](here)
        until = time.monotonic() + WHOLE_S
        while keep_going(here):
            assert time.monotonic() < until, [launch.said.read_text() for launch in here.living]
            time.sleep(0.1)
        is_as_undisturbed(here, undisturbed)


def is_as_undisturbed(here: World, undisturbed: Path) -> None:
    wanted = {job_of(point).key: point for sweep in here.launches for point in points(undisturbed, sweep)}
    found = runs(here.place)
    whole = numbers(undisturbed)
    baselines = {job_of(baseline_of(point)).key for point in wanted.values()}
    jobs = baselines | wanted.keys()
    assert numbers(here.place) == {job: whole[job] for job in jobs}
    kinds = {"baseline": len(baselines), "job": len(wanted), "sweep": len(here.launches)}
    assert Counter(run.data.tags["vat.kind"] for run in found) == kinds
    assert {run.data.tags["vat.job_key"] for run in found if "vat.job_key" in run.data.tags} == jobs
    assert {run.info.status for run in found} == {"FINISHED"}
    assert not [run.data.tags["vat.error"] for run in found if "vat.error" in run.data.tags]
    client = MlflowClient(tracking_uri=store_of(here.place))
    for run in found:
        for name in run.data.metrics.keys() & {"gain", "nvat", "missing_rate"}:
            assert len(client.get_metric_history(run.info.run_id, name)) == 1
    for key, point in wanted.items():
        assert isinstance(point.strategy, Faulty)
        attempts = list((here.place / "marks" / f"{point.strategy.fault} 1" / key).iterdir())
        assert len(attempts) > bool(point.strategy.fault), "its first attempt went wrong"
    assert not here.workers()


def test_the_schedules_of_every_day_do_all_that_is_ever_done_in_both_kinds_of_world() -> None:
    assert {action for seed in QUICKLY for action, _ in schedule(seed)[1]} == set(ACTIONS)
    assert {schedule(seed)[0] for seed in QUICKLY} == {False, True}


@pytest.mark.parametrize("seed", QUICKLY)
def test_whatever_goes_wrong_a_sweep_ends_as_an_undisturbed_one(
    seed: int, tmp_path: Path, undisturbed: Path, empty_database: Callable[[], Path]
) -> None:
    survive(seed, tmp_path, undisturbed, empty_database())


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOWLY)
def test_whatever_goes_wrong_and_when_a_sweep_ends_as_an_undisturbed_one(
    seed: int, tmp_path: Path, undisturbed: Path, empty_database: Callable[[], Path]
) -> None:
    survive(seed, tmp_path, undisturbed, empty_database())
