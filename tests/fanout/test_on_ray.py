"""Sweeps on a real Ray of two nodes: the numbers of a sweep in turn, and whatever a job does to itself, the others are done.

One cluster and one sweep with every fault serve most tests: each connection to Ray starts new workers, which import for seconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from filelock import FileLock
from mlflow import MlflowClient

from tests.fanout.clusters import Node, RayCluster, ray_cluster
from tests.fanout.faulty import CountedTiny, Faulty, RoomyModel
from vat.config import AlignSpec, read
from vat.errors import BackendError, ConfigError
from vat.fanout.on_ray import _Tasks, on_ray
from vat.fanout.plan import Plan
from vat.fanout.ray_cluster import JOIN_S, _looked, alive, connected, demand_of, refuse_impossible, require_shared
from vat.fanout.sweep import run_points
from vat.programs.align import baseline_of, job_of
from vat.track.runs import Runs

Compose = Callable[..., AlignSpec]
ROOT = Path(__file__).parents[2]
QUICK = ("data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")
SCRIPTED = ("model=scripted", *QUICK)
TIMEOUT_S = 90  # long enough for a new worker to import all it needs while others do, and then to hang


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster("--num-cpus=2", "--num-cpus=1 --num-gpus=1") as made:
        yield made


@pytest.fixture(scope="module")
def place(cluster: RayCluster, empty_database: Callable[[], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Place]:
    def made() -> Place:
        folder = tmp_path_factory.mktemp("place") / "mlruns"
        folder.mkdir()
        shutil.copy(empty_database(), folder / "mlflow.db")
        return Place(folder, cluster.address)

    return made


class Place(NamedTuple):
    """A tracking root of its own, and what was left there."""

    folder: Path
    address: str

    def compose(self, *overrides: str) -> AlignSpec:
        from hydra import compose, initialize_config_dir

        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return read(compose("align", [f"tracking.root={self.folder}", f"cluster.address={self.address}", *overrides]))

    def faulty(self, fault: str = "", *, times: int = 99, slow_s: float = 0, also: Sequence[str] = ()) -> AlignSpec:
        """A point with the scripted model."""
        strategy = Faulty(shots=2, fault=fault, times=times, slow_s=slow_s, marks=str(self.folder.parent / "marks"))
        return replace(self.compose(*SCRIPTED, *also), strategy=strategy)

    def attempts(self, spec: AlignSpec) -> list[dict[str, Any]]:
        """What each attempt has left."""
        assert isinstance(spec.strategy, Faulty)
        folder = Path(spec.strategy.marks) / f"{spec.strategy.fault} {spec.strategy.times}" / job_of(spec).key
        return [json.loads(file.read_text()) for file in sorted(folder.glob("*"))]

    def result(self, spec: AlignSpec) -> dict[str, Any]:
        """What is done, but for what the clock says."""
        found = json.loads((job_of(spec).folder / "result.json").read_text())
        return {name: value for name, value in found.items() if name != "seconds" and not name.endswith("_s")}

    def runs(self) -> dict[str, Any]:
        """Job → its only run; and the sweep's."""
        client = MlflowClient(tracking_uri=f"sqlite:///{self.folder}/mlflow.db")
        [experiment] = client.search_experiments(filter_string="name = 'vat'")
        found = client.search_runs([experiment.experiment_id])
        by_key = {run.data.tags.get("vat.job_key", "sweep"): run for run in found}
        assert len(by_key) == len(found), "one run a job"
        return by_key

    def status(self, spec: AlignSpec) -> str:
        return str(self.runs()[job_of(spec).key].info.status)


def test_a_sweep_on_ray_has_the_numbers_of_one_in_turn_to_the_bit_and_loads_the_model_once_a_process(
    place: Callable[[], Place], capsys: pytest.CaptureFixture[str]
) -> None:
    def points(at: Place) -> list[AlignSpec]:
        specs = [
            at.compose("model=tiny", *QUICK, f"value={value}", f"shots={dose}", "cluster.cpus=1")
            for value in ("power", "security")
            for dose in (2, 4)
        ]
        tiny = {name: getattr(specs[0].model, name) for name in ("dtype", "device", "memory_gib", "attention", "template_options")}
        model = CountedTiny(**tiny, loads=str(at.folder / "loads"))
        return [replace(spec, model=model) for spec in specs]

    ours, theirs = place(), place()
    beside = run_points(points(ours), sweep="mine", work=on_ray)
    printed = capsys.readouterr().out
    in_turn = run_points(points(theirs), sweep="mine")
    assert beside == in_turn
    for one, other in zip(points(ours), points(theirs), strict=True):
        assert ours.result(one) == theirs.result(other)
        for name in ("judgements.parquet", "value_states.parquet"):
            found = [file.read_bytes() for spec in (one, other) for file in job_of(spec).folder.rglob(name)]
            assert len(set(found)) == len(found) / 2
    runs = ours.runs()
    assert sorted(run.data.tags["vat.kind"] for run in runs.values()) == ["baseline", *["job"] * 4, "sweep"]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert "[1/5] tiny · baseline: done" in printed
    assert printed.count("[5/5]") == 1
    loads = (ours.folder / "loads").read_text().split()
    assert len(loads) == len(set(loads)) <= 3 < len(runs) - 1, "a worker keeps its model"
    assert (
        runs[job_of(baseline_of(points(ours)[0])).key].info.end_time
        < min(run.info.start_time for run in runs.values() if run.data.tags["vat.kind"] == "job") + 10**9
    )


class Sweep(NamedTuple):
    """A sweep that was done: name of each point → its settings, and its row; and what was printed."""

    at: Place
    specs: dict[str, AlignSpec]
    rows: dict[str, dict[str, Any]]
    printed: str


HOLDER = """
import pathlib, sys, time, filelock
with filelock.FileLock(sys.argv[1]):
    print(flush=True)
    while not pathlib.Path(sys.argv[2]).exists():
        time.sleep(0.1)
    time.sleep(3)
"""


@contextlib.contextmanager
def held_until_done(folder: Path, other: Path) -> Iterator[None]:
    """Another process holds a job until some time after the other one is done."""
    folder.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", HOLDER, folder / "lock", other / "result.json"], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            yield
        finally:
            holder.kill()


@pytest.fixture(scope="module")
def faulty(place: Callable[[], Place]) -> Sweep:
    """Every fault of a job beside jobs without one, in a sweep that tries again once."""
    at, once = place(), ("cluster.retries=1",)
    specs = {"held": at.faulty("dies", times=1, also=(*once, "value=hedonism"))}  # first, so that it is tried while what it waits for is not done
    specs |= {"hangs": at.faulty("hangs", also=(*once, f"cluster.timeout_s={TIMEOUT_S}"))}
    specs |= {fault: at.faulty(fault, also=once) for fault in ("raises", "cannot be sent", "exits", "dies", "leaves")}
    specs |= {f"{fault} once": at.faulty(fault, times=1, also=once) for fault in ("dies", "leaves")}
    memory = at.faulty("memory", times=1, also=once)
    specs |= {"memory once": replace(memory, model=RoomyModel(sway=0.5, refusals=0, fails_on="", memory_gib=4))}
    specs |= {f"well {value}": at.faulty(also=(*once, f"value={value}")) for value in ("power", "security")}
    specs |= {f"no baseline {dose}": at.compose(*SCRIPTED, *once, "model.sway=0.7", "model.fails_on=a", f"shots={dose}") for dose in (2, 4)}
    said = io.StringIO()
    with contextlib.redirect_stdout(said), held_until_done(job_of(specs["held"]).folder, job_of(specs["well power"]).folder):
        rows = run_points([*specs.values()], sweep="faults", work=on_ray)
    return Sweep(at, specs, dict(zip(specs, rows, strict=True)), said.getvalue())


def test_whatever_jobs_do_to_themselves_the_others_are_done(faulty: Sweep) -> None:
    well = {name for name, row in faulty.rows.items() if not row.get("failed")}
    assert well == {"dies once", "leaves once", "memory once", "held", "well power", "well security"}
    for name, spec in faulty.specs.items():
        assert faulty.at.status(spec) == ("FINISHED" if name in well else "FAILED")
        assert job_of(spec).result() is not None or name not in well
        assert f"{faulty.rows[name]['failed']}" in faulty.printed if name not in well else True
    assert faulty.at.runs()["sweep"].info.status == "FAILED"


@pytest.mark.parametrize(("name", "attempts"), [("raises", 1), ("cannot be sent", 1), ("hangs", 1), ("dies", 2), ("exits", 2), ("leaves", 2),
                                                ("dies once", 2), ("leaves once", 2), ("memory once", 2), ("well power", 1)])  # fmt: skip
def test_only_what_the_cluster_may_be_at_fault_for_is_tried_again(name: str, attempts: int, faulty: Sweep) -> None:
    assert len(faulty.at.attempts(faulty.specs[name])) == attempts


@pytest.mark.parametrize(("name", "says"), [
    ("raises", "ValueError: a job's own fault"),
    ("cannot be sent", "UnpicklableError: cannot be sent"),
    ("exits", "cluster: a job's process must live to its end; got one that was killed. See "),
    ("dies", "cluster: a job's process must live to its end; got one that was killed. See "),
    ("leaves", "cluster: a job's process must live to its end; got one that was told to leave."),
    ("hangs", f"cluster.timeout_s={TIMEOUT_S}: an attempt must take no longer; got one that did and was ended. Raise it."),
    ("no baseline 2", "baseline "),
])  # fmt: skip
def test_why_a_job_failed_is_said_in_one_line(name: str, says: str, faulty: Sweep) -> None:
    spec, failed = faulty.specs[name], faulty.rows[name]["failed"]
    assert failed.startswith(says)
    assert len(failed.splitlines()) == 1
    assert says[:40] in faulty.at.runs()[job_of(spec).key].data.tags["vat.error"]


def test_the_traceback_of_a_fault_of_ours_is_in_the_jobs_own_log(faulty: Sweep) -> None:
    log = (job_of(faulty.specs["raises"]).folder / "log.txt").read_text()
    assert "in _raises" in log
    assert "in _raises" in faulty.printed
    assert "well" not in log


def test_a_job_that_ran_out_of_memory_is_tried_again_with_less_room(faulty: Sweep) -> None:
    assert [attempt["memory_gib"] for attempt in faulty.at.attempts(faulty.specs["memory once"])] == [4, 2]


def test_a_job_that_another_process_holds_is_waited_for_and_no_try_is_lost(faulty: Sweep) -> None:
    assert faulty.printed.count("held by another process, waiting for its result") == 1
    assert len(faulty.at.attempts(faulty.specs["held"])) == 2, "it died once, after it had been held several times"


def test_what_ray_ends_because_its_node_runs_out_of_memory_is_tried_again_with_less_room(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ray's monitor itself is not waited for: it looks at the memory of the whole machine."""
    import ray

    def ended(_: object) -> None:
        raise ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory.")

    monkeypatch.setattr(ray, "get", ended)
    spec = replace(compose(*SCRIPTED, "cluster.retries=1"), model=RoomyModel(sway=0.5, refusals=0, fails_on="", memory_gib=4))
    [step] = [step for step in Plan([spec]).steps if step.needs]
    tasks = _Tasks([step], Runs(spec.tracking, None), gpus_there=False)
    [task] = tasks._waiting
    assert tasks._ended(task, None) is None
    assert task.spec.model == RoomyModel(sway=0.5, refusals=0, fails_on="", memory_gib=2)
    assert "got one that was ended because its node ran out of memory" in capsys.readouterr().out
    outcome = tasks._ended(task, None)
    assert outcome is not None, "there was one retry"
    assert outcome.failure.startswith("cluster: a job's process must live to its end; got one that was ended because its node ran out of memory.")


def test_a_retried_job_has_the_numbers_of_an_undisturbed_one(faulty: Sweep) -> None:
    steps = [faulty.at.result(faulty.specs[name])["steps"] for name in ("well power", "dies once", "leaves once", "memory once")]
    assert steps[1:] == steps[:1] * 3


def test_a_finished_sweep_that_is_launched_again_does_only_what_failed(faulty: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    mended = {name: replace(spec, model=replace(spec.model, fails_on="")) for name, spec in faulty.specs.items() if name.startswith("no baseline")}
    rows = run_points([*mended.values(), faulty.specs["dies once"]], sweep="faults")
    assert not any(row.get("failed") for row in rows)
    assert "3 points: 3 jobs and 2 baselines, 2 already done" in capsys.readouterr().out
    assert len(faulty.at.attempts(faulty.specs["dies once"])) == 2
    assert {faulty.at.status(spec) for spec in mended.values()} == {"FINISHED"}


def test_after_the_first_failure_nothing_more_is_begun_and_what_runs_is_asked_to_leave(place: Callable[[], Place]) -> None:
    at = place()
    run_points([at.compose(*SCRIPTED, "strategy=none")], sweep=None)
    fast = ("cluster.fail_fast=true", "cluster.cpus=1")
    slow = [at.faulty(slow_s=600, also=(*fast, f"value={value}")) for value in ("security", "tradition", "conformity", "hedonism", "power")]
    began = time.monotonic()
    rows = run_points([at.faulty("raises", also=fast), *slow], sweep=None, work=on_ray)
    assert time.monotonic() - began < 300, "what runs would take twice as long, what waits ever longer; 23 s where nothing else runs"
    assert [row["failed"].split(":")[0] for row in rows] == ["ValueError", *["not done"] * 5]
    begun = [spec for spec in slow if at.attempts(spec)]
    assert len(begun) <= 3, "as many as there are processors"
    assert {at.status(spec) for spec in begun} <= {"KILLED"}
    assert {run.info.status for run in at.runs().values()} <= {"FINISHED", "FAILED", "KILLED"}
    assert not any("did not leave" in run.data.tags.get("vat.error", "") for run in at.runs().values()), "also those that sleep heard of it"


@pytest.mark.slow
def test_jobs_spread_over_nodes_a_gpu_keeps_its_worker_and_a_lost_node_costs_nothing(
    place: Callable[[], Place], cluster: RayCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    at, node = place(), cluster.add("--num-cpus=1")
    slow = [at.faulty(slow_s=1.5, also=(f"value={value}", f"replicate={n}")) for value in ("power", "security", "tradition") for n in range(3)]
    on_gpu = [with_cluster(at.faulty(also=(f"value={value}",)), gpus=1) for value in ("conformity", "hedonism")]
    lost, over = threading.Event(), threading.Event()

    def lose_it_at_work() -> None:
        while not over.wait(0.1):
            if any(attempt["node"] == node.ip for spec in slow for attempt in at.attempts(spec)):
                lost.set()
                return node.lose()

    watching = threading.Thread(target=lose_it_at_work)
    watching.start()
    try:
        rows = run_points([*slow, *on_gpu], sweep=None, work=on_ray)
    finally:
        over.set()
        watching.join()
    assert lost.is_set()
    assert not any(row.get("failed") for row in rows)
    assert len({attempt["node"] for spec in slow for attempt in at.attempts(spec)}) == 3
    assert sum(len(at.attempts(spec)) for spec in slow) == 10, "only what was on the lost node is done again"
    assert len({attempt["pid"] for spec in on_gpu for attempt in at.attempts(spec)}) == 1
    assert len(at.runs()) == 12
    assert {run.info.status for run in at.runs().values()} == {"FINISHED"}
    assert capsys.readouterr().out.count("[12/12]") == 1


@pytest.mark.slow
def test_who_waits_for_a_node_that_is_gone_says_so_and_takes_the_next_one(
    place: Callable[[], Place], cluster: RayCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    at, node = place(), cluster.add("--num-cpus=3")
    run_points([at.compose(*SCRIPTED, "strategy=none")], sweep=None)
    wide = with_cluster(at.faulty(slow_s=5), cpus=3)
    said: list[str] = []

    def lose_it_and_bring_another() -> None:
        while not at.attempts(wide):
            time.sleep(0.1)
        node.lose()
        until = time.monotonic() + 180
        while "waits for a node" not in "".join(said) and time.monotonic() < until:
            said.append(capsys.readouterr().out)
            time.sleep(0.5)
        said.append("then a node")
        cluster.add("--num-cpus=3")

    meanwhile = threading.Thread(target=lose_it_and_bring_another)
    meanwhile.start()
    rows = run_points([wide], sweep=None, work=on_ray)
    meanwhile.join()
    assert not rows[0].get("failed")
    told = "".join(said)
    assert told.index("lost with its node") < told.index("waits for a node that could do it; got none that is left.") < told.index("then a node")
    assert len(at.attempts(wide)) == 2


def with_cluster(spec: AlignSpec, **settings: Any) -> AlignSpec:
    return replace(spec, cluster=replace(spec.cluster, **settings))


def lose_its_head(node: Node) -> None:
    """The process that holds a cluster together is gone at once."""
    [head] = [child for child in psutil.Process(node.process.pid).children() if child.name() == "gcs_server"]
    head.kill()


@pytest.mark.slow
@pytest.mark.parametrize(("end", "says"), [(Node.stop, "has ended on this machine"), (lose_its_head, "has not answered for \\d+ s")])
def test_a_cluster_that_is_gone_is_said_in_a_line_and_the_same_command_goes_on_where_there_is_one(
    end: Callable[[Node], None], says: str, place: Callable[[], Place]
) -> None:
    at = place()
    with ray_cluster("--num-cpus=1") as mortal:
        points = ("-m", *SCRIPTED, f"replicate={','.join(map(str, range(40)))}", f"tracking.root={at.folder}")
        command = [sys.executable, str(ROOT / "launch.py"), *points, f"cluster.address={mortal.address}"]
        driver = subprocess.Popen(command, cwd=at.folder.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not list(at.folder.glob("jobs/*/result.json")):
            assert driver.poll() is None
            time.sleep(0.1)
        end(mortal.nodes[0])
        _, errors = driver.communicate(timeout=300)
    assert driver.returncode == 2, errors
    assert re.search(rf"^cluster: Ray must be there until the sweep is done; got one that {says}\. What is done stays", errors, re.M)
    assert {run.info.status for run in at.runs().values()} <= {"FINISHED", "KILLED"}
    subprocess.run([sys.executable, str(ROOT / "launch.py"), *points], cwd=at.folder.parent, check=True, capture_output=True)
    assert len(list(at.folder.glob("jobs/*/result.json"))) == 41


NODES = [{"Resources": {"CPU": 2.0, "memory": 2.0**33}}, {"Resources": {"CPU": 1.0, "GPU": 1.0, "memory": 2.0**30}}]


@pytest.mark.parametrize(("settings", "asks"), [
    ({"cpus": 4}, "4 cpus, 0 gpus, where nodes have 2 cpus, 0 gpus; 1 cpus, 1 gpus."),
    ({"processes": 3}, "3 cpus, 0 gpus, where nodes have 2 cpus, 0 gpus; 1 cpus, 1 gpus."),
    ({"gpus": 2}, "1 cpus, 2 gpus, where nodes have 2 cpus, 0 gpus; 1 cpus, 1 gpus."),
    ({"gpus": 1, "cpus": 2}, "2 cpus, 1 gpus, where nodes have 2 cpus, 0 gpus; 1 cpus, 1 gpus."),
    ({"memory_gib": 9.0}, "1 cpus, 0 gpus, 9 GiB, where nodes have 2 cpus, 0 gpus, 8 GiB; 1 cpus, 1 gpus, 1 GiB."),
])  # fmt: skip
def test_what_no_node_can_give_is_refused_in_a_line_that_says_what_there_is(settings: dict[str, Any], asks: str, compose: Compose) -> None:
    spec = with_cluster(compose(*SCRIPTED), **settings)
    with pytest.raises(ConfigError) as caught:
        refuse_impossible([demand_of(compose(*SCRIPTED), gpus_there=True), demand_of(spec, gpus_there=True)], NODES)
    assert str(caught.value).startswith(f"cluster: a job must fit on a node of this cluster; got one that asks for {asks}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_model_that_can_use_a_gpu_asks_for_one_where_there_is_one(compose: Compose) -> None:
    on_any, on_cpu = compose("model=tiny", "model.device=auto"), compose("model=tiny", "model.device=cpu")
    assert [demand_of(on_any, gpus_there=there)["GPU"] for there in (True, False)] == [1, 0]
    assert demand_of(on_cpu, gpus_there=True)["GPU"] == 0
    refuse_impossible([demand_of(on_any, gpus_there=True)], NODES)


def test_nothing_is_begun_where_a_job_can_never_be_done_unless_the_cluster_grows(place: Callable[[], Place], monkeypatch: pytest.MonkeyPatch) -> None:
    at = place()
    large = at.faulty(also=("cluster.cpus=64", "value=security"))
    with pytest.raises(
        ConfigError, match=r"^cluster: a job must fit on a node of this cluster; got one that asks for 64 cpus, 0 gpus, where nodes have "
    ):
        run_points([at.faulty(), large], sweep="mine", work=on_ray)
    assert not (at.folder / "jobs").exists()
    assert {run.info.status for run in at.runs().values()} == {"KILLED"}
    begun: list[bool] = []
    monkeypatch.setattr("vat.fanout.on_ray._Tasks.outcomes", lambda self: begun.append(True) or iter(()))
    growing = [with_cluster(spec, autoscaling=True) for spec in (at.faulty(), large)]
    run_points(growing, sweep="mine", work=on_ray)
    assert begun


def test_a_cluster_that_is_not_there_is_said_at_once(compose: Compose) -> None:
    began = time.monotonic()
    with pytest.raises(
        BackendError, match=r"^cluster\.address=127\.0\.0\.1:1: must be a Ray cluster that takes us; got '\[Errno 111\] Connection refused'\. "
    ):
        run_points([compose(*SCRIPTED, "cluster.address=127.0.0.1:1")], sweep=None, work=on_ray)
    assert time.monotonic() - began < JOIN_S, "nobody waits for an answer"


def test_who_answers_but_is_no_cluster_is_given_up(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vat.fanout.ray_cluster.JOIN_S", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(BackendError, match=f"^cluster.address={address}: must be a Ray cluster that takes us; got 'no answer within 3 s'"):
            run_points([compose(*SCRIPTED, f"cluster.address={address}")], sweep=None, work=on_ray)


def test_a_token_that_the_cluster_refuses_is_said_in_a_line(
    place: Callable[[], Place], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "another-token-than-the-one-of-the-cluster")
    with pytest.raises(
        BackendError, match=r"got 'a cluster that refuses our token'\. Start one with `ray start --head`, set RAY_AUTH_MODE and RAY_AUTH_TOKEN"
    ):
        run_points([place().compose(*SCRIPTED)], sweep=None, work=on_ray)
    assert "Unauthenticated" not in "".join(capfd.readouterr()), "what Ray itself says is not for users"


def unshared(*options: str) -> bool:
    """Whether processes can be given a view of their own of the machine."""
    return shutil.which("unshare") is not None and subprocess.run(["unshare", *options, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not unshared("-pf", "--mount-proc"), reason="no namespace of processes")
def test_auto_without_a_cluster_is_said_in_a_line(tmp_path: Path) -> None:
    alone = ["unshare", "-pf", "--mount-proc", sys.executable, str(ROOT / "launch.py"), "-m", *SCRIPTED, "shots=2,4"]
    settings = ["cluster.address=auto", f"tracking.root={tmp_path}"]
    said = subprocess.run([*alone, *settings], env=os.environ | {"RAY_TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    [line] = said.stderr.splitlines()
    assert line.startswith("cluster.address=auto: must be a Ray cluster that takes us; got 'Could not find any running Ray instance.")


def test_what_is_wrong_with_a_folder_on_another_node_is_found(tmp_path: Path) -> None:
    probe = tmp_path / ".shared-probe"
    assert _looked(str(probe), 0) == "No such file or directory"
    probe.write_text("other")
    assert _looked(str(probe), 0) == "a file has other content"
    probe.write_text(probe.name)
    assert _looked(str(probe), 0) == "a lock that we hold is free"
    with FileLock(f"{probe}.lock"):
        assert _looked(str(probe), 7) == ""
    assert (tmp_path / f"{probe.name}.7").is_file()


@pytest.mark.slow
@pytest.mark.skipif(not unshared("-m"), reason="no private mounts")
def test_a_node_that_does_not_share_the_folder_is_found_before_anything_is_begun(place: Callable[[], Place], cluster: RayCluster) -> None:
    at = place()
    hides = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs tmpfs "$0" && exec "$@"', str(at.folder)]
    node = cluster.add("--num-cpus=1", inside=hides)
    try:
        with pytest.raises(ConfigError) as caught:
            run_points([at.faulty()], sweep=None, work=on_ray)
    finally:
        node.stop()
    where = (
        rf"tracking\.root={at.folder}: must be a folder that all nodes share, with locks; got node 127\.0\.0\.\d, where No such file or directory\."
    )
    assert re.match(where, str(caught.value))
    assert not (at.folder / "jobs").exists()
    assert not [*at.folder.glob(".shared*")]


@pytest.mark.slow
def test_a_node_that_has_just_died_is_left_out_when_the_folder_is_looked_for(tmp_path: Path, cluster: RayCluster, compose: Compose) -> None:
    with connected(with_cluster(compose(*SCRIPTED), address=cluster.address).cluster):
        dead = {"NodeID": "ab" * 28, "NodeManagerAddress": "127.0.0.9"}
        require_shared(tmp_path, [*alive(), dead])
    assert not list(tmp_path.iterdir())


BEGINS = """
import os, signal, sys
import ray._raylet
from vat.config import read
from vat.fanout.ray_cluster import connected
from hydra import compose, initialize_config_dir

def leave(*_):
    raise KeyboardInterrupt

class Core(ray._raylet.CoreWorker):
    def __init__(self, *arguments, **options):
        os.kill(os.getpid(), int(sys.argv[1]))

signal.signal(signal.SIGTERM, leave)
ray._raylet.CoreWorker = Core
with initialize_config_dir(sys.argv[2], version_base="1.3"):
    cluster = read(compose("align")).cluster
try:
    with connected(cluster):
        sys.exit("went on")
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_told_to_leave_while_ray_begins_leaves_in_order(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BEGINS, str(int(number)), str(ROOT / "conf")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 130, done.stderr
