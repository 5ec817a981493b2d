"""Where sweeps are launched in tests of faults: a folder with a Ray of its own and sqlite, or with a cluster of two nodes and a server of MLflow."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from mlflow import MlflowClient

from tests.fanout.clusters import RayCluster, ray_cluster

ROOT = Path(__file__).parents[2]
QUICK = ("model=scripted", "data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")
Grid = dict[str, str]
SWEEPS: dict[str, list[Grid]] = {
    "mine": [
        {"strategy.fault": "", "value": "power,security,tradition", "shots": "2,4,8", "model.sway": "0.3,0.6"},
        {"strategy.fault": "raises,exits,dies,leaves,memory", "value": "power", "shots": "2"},
        {"strategy.fault": "hangs,cannot be sent", "value": "tradition", "shots": "2"},
    ],
    "beside": [
        {"strategy.fault": "", "value": "power,tradition", "shots": "2,4", "model.sway": "0.6"},
        {"strategy.fault": "raises,dies,memory,hangs", "value": "power,tradition", "shots": "2"},
        {"strategy.fault": "", "value": "hedonism", "shots": "2", "replicate": "0,1"},
    ],
}
"""Sweep → its grids. Each job goes wrong once, if at all. The second shares most jobs with the first."""
TIMEOUT_S = 90
"""How long an attempt may take: more than a new worker needs on a busy machine to import everything, or each would be ended and begin again."""
UP_S, LEAVE_S, WHOLE_S = 90, 60, 300
"""How long a server may take to be up, what is left of a driver to be gone, and a launch to end: bounds for a busy machine, not what they take."""
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""What Ray leaves for a minute when its driver is killed; they hold nothing."""


class Launch:
    """`python launch.py +sweeps=…`, and all the processes that it starts.

    status: with which it ended, once that was looked at. upset: MLflow was away meanwhile.
    """

    def __init__(self, world: World, sweep: str) -> None:
        self.sweep, self.upset, self.began = sweep, False, time.monotonic()
        self.status: int | None = None
        self.said = world.place / f"said-{len(list(world.place.glob('said-*'))):02d}-{sweep}.txt"
        script = str(Path(__file__).with_name("launch_faulty.py"))
        command = [sys.executable, script, "--config-dir", str(world.place / "conf"), f"+sweeps={sweep}", "strategy=faulty", *QUICK, *world.settings]
        with self.said.open("w") as said:
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            self.driver = subprocess.Popen(command, cwd=world.place, env=environment, stdout=said, stderr=said, start_new_session=True)
        self._known: dict[int, psutil.Process] = {}

    @property
    def alive(self) -> bool:
        """Whether its driver lives."""
        return self.driver.poll() is None

    def all(self) -> list[psutil.Process]:
        """All processes that it has started and that still live."""
        if self.alive:
            self._known |= {one.pid: one for one in psutil.Process(self.driver.pid).children(recursive=True)}
        return [one for one in self._known.values() if _lives(one)]

    def ended(self) -> int:
        """Its exit status, once nothing of it is left."""
        self.all()
        status = self.driver.wait(WHOLE_S)
        until = time.monotonic() + LEAVE_S
        while left := [one for one in self.all() if not title(one).startswith(AGENTS)]:
            assert time.monotonic() < until, [title(one) for one in left]
            time.sleep(0.1)
        return status

    def kill(self) -> None:
        """End whatever is left of it."""
        for one in [*self.all(), self.driver]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.driver.wait()


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def title(process: psutil.Process) -> str:
    """What a process is called, "" if it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


class Server:
    """A real server of MLflow on loopback, upon the database of a place."""

    def __init__(self, place: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._place, self.uri = place, f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Begin to start it."""
        calm = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"]
        command += ["--backend-store-uri", store_of(self._place), "--artifacts-destination", str(self._place / "served")]
        with (self._place / "server.log").open("a") as log:
            self._process = subprocess.Popen(command, env=os.environ | calm, stdout=log, stderr=log, start_new_session=True)

    def wait(self) -> None:
        """Until it answers."""
        until = time.monotonic() + UP_S
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return
            assert time.monotonic() < until, (self._place / "server.log").read_text()[-2000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """It is gone at once."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class World:
    """What sweeps are launched in, and the last launch of each.

    done, orphans: what they had done, and which runs said RUNNING, when one of them was last looked at.
    """

    def __init__(self, place: Path, draw: random.Random, cluster: RayCluster | None, server: Server | None) -> None:
        self.place, self.draw, self.cluster, self.server = place, draw, cluster, server
        self.settings = [f"tracking.root={place}/mlruns", "cluster.retries=5", f"cluster.timeout_s={TIMEOUT_S}"]
        self.settings += [f"cluster.address={cluster.address}"] if cluster else []
        self.settings += [f"tracking.uri={server.uri}"] if server else []
        self.launches: dict[str, Launch] = {}
        self.done: dict[Path, int] = {}
        self.orphans: set[str] = set()

    def launch(self, sweep: str) -> None:
        """Launch a sweep, or launch it again."""
        self.launches[sweep] = Launch(self, sweep)

    @property
    def living(self) -> list[Launch]:
        """Those that go on."""
        return [launch for launch in self.launches.values() if launch.alive]

    def workers(self) -> list[psutil.Process]:
        """Processes that do a job now."""
        processes = [one for launch in self.launches.values() for one in launch.all()]
        for node in self.cluster.nodes if self.cluster else ():
            with contextlib.suppress(psutil.NoSuchProcess):
                processes += psutil.Process(node.process.pid).children(recursive=True)
        return [one for one in processes if title(one).startswith("ray::scripted")]


@contextlib.contextmanager
def world(place: Path, empty: Path, draw: random.Random, *, shared: bool) -> Iterator[World]:
    """A world inside the block, with an empty database of MLflow. `shared`: a cluster and a server, that others may use as well."""
    (place / "mlruns").mkdir()
    (place / "mlruns" / "mlflow.db").write_bytes(empty.read_bytes())
    for group, options in {"strategy": {"faulty": _faulty(place)}, "sweeps": {name: _sweep(name, draw) for name in SWEEPS}}.items():
        (place / "conf" / group).mkdir(parents=True)
        for option, content in options.items():
            (place / "conf" / group / f"{option}.yaml").write_text(content)
    with contextlib.ExitStack() as stack:
        server = Server(place) if shared else None
        if server:
            stack.callback(server.kill)
        cluster = stack.enter_context(ray_cluster("--num-cpus=2", "--num-cpus=1")) if shared else None
        if server:
            server.wait()
        made = World(place, draw, cluster, server)
        try:
            yield made
        finally:
            for launch in made.launches.values():
                launch.kill()


def _faulty(place: Path) -> str:
    return f'_target_: vat.faulty.Faulty\nshots: ${{shots}}\nfault: ""\ntimes: 1\nslow_s: 0\nmarks: {place}/marks\n'


def _sweep(name: str, draw: random.Random) -> str:
    """As a file of conf/sweeps/; JSON is YAML."""
    content = {"sweep": name, "hydra": {"mode": "MULTIRUN", "sweeper": {"grids": draw.sample(SWEEPS[name], len(SWEEPS[name]))}}}
    return f"# @package _global_\n{json.dumps(content, indent=1)}\n"


def jobs_of(sweep: str) -> list[Grid]:
    """The points of a sweep."""
    from vat.fanout.grids import points_of

    points = points_of(SWEEPS[sweep], {}, lambda key, text: [f"{key}={value}" for value in text.split(",")])
    return [dict(override.split("=") for override in point) for point in points]


def results(place: Path) -> dict[Path, int]:
    """What is done, and when it was written."""
    return {file: file.stat().st_mtime_ns for file in place.glob("mlruns/jobs/*/result.json")}


def numbers(place: Path) -> dict[str, Any]:
    """Job → its result, but for what the clock says."""
    read = {file.parent.name: json.loads(file.read_text()) for file in results(place)}
    return {job: {name: value for name, value in result.items() if name != "seconds" and not name.endswith("_s")} for job, result in read.items()}


def store_of(place: Path) -> str:
    """Where MLflow keeps the runs of a place."""
    return f"sqlite:///{place}/mlruns/mlflow.db?timeout=60"


def runs(place: Path) -> list[Any]:
    """All runs of a place."""
    client = MlflowClient(tracking_uri=store_of(place))
    found = client.search_experiments(filter_string="name = 'vat'")
    return list(client.search_runs([found[0].experiment_id], max_results=1000)) if found else []
