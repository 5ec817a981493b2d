"""A sweep of 24 jobs whose workers and drivers are killed at random moments: the same command ends with the numbers of an undisturbed sweep.

VAT_SCHEDULES=n does n of the slow schedules.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient

from vat.config import read
from vat.fanout.sweep import run_points

ROOT = Path(__file__).parents[2]
QUICK = ("model=scripted", "data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")
VALUES, DOSES, REPLICATES = ("power", "security", "tradition"), (2, 4), range(4)
JOBS = len(VALUES) * len(DOSES) * len(REPLICATES) + 1
ACTIONS = ("kill a worker", "kill the driver", "interrupt the driver")
SCHEDULES = int(os.environ.get("VAT_SCHEDULES", "100"))
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""What Ray leaves for a minute when its driver is killed; they hold nothing."""
LEAVE_S, WHOLE_S = 60, 300
"""How long what is left of a driver may take to be gone, and a launch to end: bounds for a busy machine, not what they take."""


def composed(place: Path, *overrides: str) -> Any:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return read(compose("align", [f"tracking.root={place}/mlruns", *QUICK, *overrides]))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep in turn in one process, and a database of MLflow with nothing in it, which takes seconds to make."""
    place = tmp_path_factory.mktemp("undisturbed")
    (place / "mlruns").mkdir()
    MlflowClient(tracking_uri=f"sqlite:///{place}/mlruns/mlflow.db").search_experiments()
    (place / "empty.db").write_bytes((place / "mlruns" / "mlflow.db").read_bytes())
    grid = itertools.product(VALUES, DOSES, REPLICATES)
    rows = run_points([composed(place, f"value={value}", f"shots={dose}", f"replicate={n}") for value, dose, n in grid], sweep="mine")
    assert not any(row.get("failed") for row in rows)
    return place


class Launch:
    """`python launch.py -m …` on a Ray of its own, and all the processes that it starts."""

    def __init__(self, place: Path) -> None:
        grid = (f"value={','.join(VALUES)}", f"shots={','.join(map(str, DOSES))}", f"replicate={','.join(map(str, REPLICATES))}")
        command = [sys.executable, str(ROOT / "launch.py"), "-m", *QUICK, *grid, f"tracking.root={place}/mlruns", "sweep=mine", "cluster.retries=5"]
        self.said = place / "said.txt"
        with self.said.open("a") as said:
            self.driver = subprocess.Popen(command, cwd=place, stdout=said, stderr=said, start_new_session=True)
        self._known: dict[int, psutil.Process] = {}

    def all(self) -> list[psutil.Process]:
        """All processes that it has started and that still live."""
        if self.driver.poll() is None:
            self._known |= {one.pid: one for one in psutil.Process(self.driver.pid).children(recursive=True)}
        return [one for one in self._known.values() if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    def workers(self) -> list[psutil.Process]:
        """Those that do a job now."""
        return [one for one in self.all() if _title(one).startswith("ray::scripted")]

    def ended(self) -> int:
        """Its exit status, once nothing of it is left."""
        self.all()
        status = self.driver.wait(WHOLE_S)
        until = time.monotonic() + LEAVE_S
        while left := [one for one in self.all() if not _title(one).startswith(AGENTS)]:
            assert time.monotonic() < until, [_title(one) for one in left]
            time.sleep(0.1)
        return status


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def results(place: Path) -> dict[Path, int]:
    """What is done, and when it was written."""
    return {file: file.stat().st_mtime_ns for file in place.glob("mlruns/jobs/*/result.json")}


def numbers(place: Path) -> dict[str, Any]:
    """Job → its result, but for what the clock says."""
    read = {file.parent.name: json.loads(file.read_text()) for file in results(place)}
    return {job: {name: value for name, value in result.items() if name != "seconds" and not name.endswith("_s")} for job, result in read.items()}


def runs(place: Path) -> list[Any]:
    client = MlflowClient(tracking_uri=f"sqlite:///{place}/mlruns/mlflow.db")
    found = client.search_experiments(filter_string="name = 'vat'")
    return list(client.search_runs([found[0].experiment_id], max_results=1000)) if found else []


def disturb(launch: Launch, action: str, at: int, draw: random.Random, place: Path) -> None:
    """Do something to a launch when so many jobs are done, or leave it alone if it ends before."""
    before = len(results(place))
    while launch.driver.poll() is None and len(results(place)) < max(at, before):
        time.sleep(0.02)
    time.sleep(draw.uniform(0, 1))
    launch.all()
    if launch.driver.poll() is not None:
        return
    if action == "kill a worker":
        for victim in draw.sample(workers, 1) if (workers := launch.workers()) else ():
            victim.kill()
    elif action == "kill the driver":
        launch.driver.kill()
    else:
        launch.driver.send_signal(draw.choice([signal.SIGINT, signal.SIGTERM]))


def schedule(seed: int) -> Iterator[tuple[str, int]]:
    """What is done, and when how many jobs are done: at the least a driver is lost, and a worker."""
    draw = random.Random(seed)
    actions = [*draw.sample(ACTIONS, 3), *draw.choices(ACTIONS, k=seed % 2)]
    return zip(actions, sorted(draw.choices(range(JOBS), k=len(actions))), strict=True)


def survive(seed: int, place: Path, undisturbed: Path) -> None:
    (place / "mlruns").mkdir()
    (place / "mlruns" / "mlflow.db").write_bytes((undisturbed / "empty.db").read_bytes())
    draw, launch = random.Random(-seed - 1), Launch(place)
    done: dict[Path, int] = {}
    orphans: set[str] = set()
    try:
        for action, at in schedule(seed):
            disturb(launch, action, at, draw, place)
            if action == "kill a worker" and launch.driver.poll() is None:
                continue
            status = launch.ended()
            assert status in {0, {"kill the driver": -signal.SIGKILL, "interrupt the driver": 130}.get(action, 0)}, launch.said.read_text()
            running = {run.info.run_id for run in runs(place) if run.info.status == "RUNNING"}
            assert status != 130 or running <= orphans, "who can clear up does"
            orphans = running
            assert done.items() <= results(place).items(), "what is done is not done again"
            done, launch = results(place), Launch(place)
        assert launch.ended() == 0, launch.said.read_text()
    finally:
        for one in [*launch.all(), launch.driver]:
            one.kill()
        launch.driver.wait()
    assert done.items() <= results(place).items(), "what is done is not done again"
    assert len(results(place)) == JOBS
    assert numbers(place) == numbers(undisturbed)
    found = runs(place)
    assert sorted(run.data.tags["vat.kind"] for run in found) == ["baseline", *["job"] * (JOBS - 1), "sweep"]
    assert {run.info.status for run in found} == {"FINISHED"}
    assert {run.data.tags["vat.job_key"] for run in found if "vat.job_key" in run.data.tags} == numbers(place).keys()
    client = MlflowClient(tracking_uri=f"sqlite:///{place}/mlruns/mlflow.db")
    for run in found:
        for name in run.data.metrics.keys() & {"gain", "nvat", "missing_rate"}:
            assert len(client.get_metric_history(run.info.run_id, name)) == 1


def test_a_sweep_whose_workers_and_drivers_are_killed_ends_as_an_undisturbed_one(tmp_path: Path, undisturbed: Path) -> None:
    survive(0, tmp_path, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, SCHEDULES + 1))
def test_whatever_is_killed_and_when_a_sweep_ends_as_an_undisturbed_one(seed: int, tmp_path: Path, undisturbed: Path) -> None:
    survive(seed, tmp_path, undisturbed)
