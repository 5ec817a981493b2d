"""A whole training job, killed again and again: the same command ends with the numbers of an undisturbed job, and MLflow shows each once."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from tests.warm import Warm
from vat.config import read
from vat.fanout.sweep import run_points
from vat.track.job import Job
from vat.track.runs import Description, Runs
from vat.track.settings import Tracking

ROOT = Path(__file__).parents[2]
FEW = ("measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99", "data.limit=24")
SHORT = (*FEW, "strategy.steps=4", "strategy.checkpoints=2", "strategy.batch=2")
BESIDE = "cluster.judge_beside=true"
LORA = ("strategy.lora={r: 4, lora_alpha: 8, target_modules: all-linear}", "strategy.learning_rate=0.01")
TWO = "cluster.processes=2"
JOBS = {
    "sft": ("strategy=sft",),
    "dpo": ("strategy=dpo",),
    "sft with lora": ("strategy=sft", *LORA),
    "dpo with lora": ("strategy=dpo", *LORA),
    "two processes": ("strategy=sft", TWO),
    "zero2": ("strategy=sft", TWO, "cluster/deepspeed=zero2"),
    "zero3": ("strategy=sft", TWO, "cluster/deepspeed=zero3"),
}
LATEST_S = 0.2
"""A kill comes at most so long after a file that a job has written."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, empty_database: Callable[[], Path]) -> Path:
    """A finished baseline and a database of MLflow with nothing in it: both take seconds, and neither is what is killed here."""
    mlruns = tmp_path_factory.mktemp("begun") / "mlruns"
    mlruns.mkdir()
    in_process(mlruns, *FEW, "strategy=none")
    shutil.rmtree(mlruns / "artifacts")
    shutil.copy(empty_database(), mlruns / "mlflow.db")
    return mlruns


@pytest.fixture(scope="module")
def undisturbed(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Where a job lies that was judged after its training and never killed; each is done once."""
    done: dict[str, Path] = {}

    def of(job: str) -> Path:
        if job not in done:
            place = tmp_path_factory.mktemp("undisturbed") / "mlruns"
            shutil.copytree(begun, place)
            in_process(place, *SHORT, *JOBS[job])
            done[job] = place
        return done[job]

    return of


def in_process(mlruns: Path, *overrides: str) -> None:
    """`python launch.py …`, but for the process."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        spec = read(compose("align", [f"tracking.root={mlruns}", *overrides]))
    [row] = run_points([spec], sweep=None)
    assert not row.get("failed"), row


def launched(mlruns: Path, *overrides: str) -> Warm:
    """`python launch.py …`, which has just begun to work: it has said how many jobs there are."""
    said = mlruns.parent / "said.txt"
    said.unlink(missing_ok=True)
    process = Warm(f"tracking.root={mlruns}", *SHORT, *overrides, cwd=mlruns.parent, said=said, complained=said)
    while process.poll() is None and not (said.exists() and "1 point: 1 job and 1 baseline, " in said.read_text()):
        time.sleep(0.002)
    return process


def killed(mlruns: Path, file: str, after_s: float, *overrides: str) -> None:
    """Launch, and kill so long after a file is there; if it was there before, so long after the work began."""
    process = launched(mlruns, *overrides)
    while process.poll() is None and not (mlruns / file).exists():
        time.sleep(0.002)
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, f"ended before it was killed: {(mlruns.parent / 'said.txt').read_text()}"


def folder_of(mlruns: Path) -> Path:
    """The folder of the job that is no baseline."""
    [result] = [path for path in mlruns.glob("jobs/*/result.json") if json.loads(path.read_text())["training"]]
    return result.parent


def written_in_order(mlruns: Path) -> list[str]:
    """What every run of a job writes, in the order in which it was finished; how many parts answers have is a matter of time."""
    folder = folder_of(mlruns)
    patterns = ("training/*.json*", "training/checkpoint-*/*", "answers/*/part-00000.parquet", "steps/*/*", "*.json")
    files = [path for pattern in patterns for path in folder.glob(pattern) if path.name != "progress.json"]
    return [str(path.relative_to(mlruns)) for path in sorted(files, key=lambda path: path.stat().st_mtime_ns)]


def numbers_of(mlruns: Path) -> dict[str, Any]:
    """The result of a job, but for what the clock says."""
    result: dict[str, Any] = json.loads((folder_of(mlruns) / "result.json").read_text())
    training = [{name: value for name, value in row.items() if name != "tokens_per_s"} for row in result["training"]]
    return {name: value for name, value in result.items() if name not in ("seconds", "rated_s")} | {"training": training}


def shown_in_mlflow(mlruns: Path) -> dict[str, Any]:
    """All that MLflow shows of the job, of which it must know one run; every point of every history, none left out because it is there twice."""
    client = MlflowClient(tracking_uri=f"sqlite:///{mlruns}/mlflow.db")
    [experiment] = client.search_experiments(filter_string="name = 'vat'")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["vat.kind"] for run in runs) == ["baseline", "job"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    [run] = [run for run in runs if run.data.tags["vat.kind"] == "job"]
    assert run.data.tags["vat.job_key"] == folder_of(mlruns).name
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics if name != "train/tokens_per_s"}
    models = client.search_logged_models([experiment.experiment_id])
    assert {model.source_run_id for model in models} == {run.info.run_id}
    return {
        "histories": {name: sorted((point.step, point.value) for point in points) for name, points in histories.items()},
        "models": sorted((model.name, str(model.status), {m.key: m.value for m in model.metrics or ()}) for model in models),
        "outputs": sorted(output.step for output in run.outputs.model_outputs),
        "inputs": [used.dataset.digest for used in run.inputs.dataset_inputs],
        "params": run.data.params,
        "tags": run.data.tags.keys(),
        "artifacts": [artifact.path for artifact in client.list_artifacts(run.info.run_id)],
    }


def assert_the_same(mlruns: Path, undisturbed: Path) -> None:
    numbers, shown = numbers_of(mlruns), shown_in_mlflow(mlruns)
    assert numbers == numbers_of(undisturbed)
    assert [row["step"] for row in numbers["training"]] == [1, 2, 3, 4]
    assert all(numbers["steps"][step]["gain"] for step in ("2", "4")), "training moved the model, or this would show little"
    assert shown == shown_in_mlflow(undisturbed)
    assert shown["histories"]["train/loss"] == [(row["step"], row["loss"]) for row in numbers["training"]], "each step once"
    assert shown["histories"]["gain"] == [(step, numbers["steps"][str(step)]["gain"]) for step in (2, 4)]
    assert [len(shown[name]) for name in ("models", "outputs")] == [2, 2]


def kill_again_and_again(mlruns: Path, undisturbed: Path, *attempts: tuple[str, ...], seed: int) -> None:
    """As many kills as attempts, each with overrides of its own, spread over what an undisturbed job writes; then the last overrides once more.

    Most of the time of so short a job goes into imports: moments drawn over its files hit training and judging more often than those of a clock.
    """
    draw, files = random.Random(seed), written_in_order(undisturbed)
    for n, overrides in enumerate(attempts):
        file = files[int((n + draw.random()) / len(attempts) * len(files))]
        killed(mlruns, file, draw.uniform(0, LATEST_S), *overrides)
    assert launched(mlruns, *attempts[-1]).wait() == 0, (mlruns.parent / "said.txt").read_text()
    assert_the_same(mlruns, undisturbed)


@pytest.fixture
def mlruns(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "mlruns"))


def test_a_job_killed_while_it_trains_and_while_it_judges_ends_as_an_undisturbed_one(mlruns: Path, undisturbed: Callable[[str], Path]) -> None:
    kill_again_and_again(mlruns, undisturbed("sft"), JOBS["sft"], (*JOBS["sft"], BESIDE), seed=0)


class Killed(BaseException):
    """A kill that the test outlives."""


@pytest.mark.parametrize(
    ("of", "call"), [(MlflowClient, "finalize_logged_model"), (MlflowClient, "log_outputs"), (SqlAlchemyStore, "_log_model_metrics")]
)
def test_what_a_kill_has_left_by_half_in_mlflow_is_made_whole(of: type, call: str, mlruns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise Killed

    tracking, gains = Tracking(root=str(mlruns), uri=None, experiment="vat"), {2: 0.1, 4: 0.2}
    job, description = Job(mlruns, {}), Description("a job", "job", {}, ("data", "0" * 36), "")
    result = job.finish({
        "steps": {step: {"gain": gain} for step, gain in gains.items()}, "training": [{"step": step, "loss": 1 / step} for step in range(1, 5)],
    })  # fmt: skip
    for step in gains:
        job.step_folder(step)
    with monkeypatch.context() as patch:
        patch.setattr(of, call, killed)
        with pytest.raises(Killed):
            Runs(tracking, None).publish(job, description, result)
    run = Runs(tracking, None).publish(job, description, result)
    client = MlflowClient(tracking_uri=tracking.store_uri)
    found = client.get_run(run)
    models = client.search_logged_models([found.info.experiment_id])
    assert {model.tags["vat.step"]: (str(model.status), [(m.key, m.value) for m in model.metrics or ()]) for model in models} == {
        str(step): ("READY", [("gain", gain)]) for step, gain in gains.items()
    }
    assert {output.model_id: output.step for output in found.outputs.model_outputs} == {
        model.model_id: int(model.tags["vat.step"]) for model in models
    }
    assert [(point.step, point.value) for point in client.get_metric_history(run, "gain")] == [*gains.items()]
    assert [point.step for point in client.get_metric_history(run, "train/loss")] == [1, 2, 3, 4]


def test_what_is_not_defined_has_no_point_in_mlflow_however_often_it_is_shown(mlruns: Path) -> None:
    tracking, job = Tracking(root=str(mlruns), uri=None, experiment="vat"), Job(mlruns, {})
    runs = Runs(tracking, None)
    with runs.running(job, Description("a job", "job", {}, ("data", "0" * 36), "")):
        for _ in range(2):
            runs.show(job, {"steps": {2: {"gain": 0.1, "gnd/power": math.nan}}, "training": []})
    client = MlflowClient(tracking_uri=tracking.store_uri)
    [run] = client.search_runs([client.get_experiment_by_name("vat").experiment_id])
    assert run.data.metrics == {"gain": 0.1}
    assert len(client.get_metric_history(run.info.run_id, "gain")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("beside", [False, True], ids=["judged after", "judged beside"])
@pytest.mark.parametrize(
    "job",
    [pytest.param(job, marks=pytest.mark.skipif(job.startswith("zero") and not find_spec("deepspeed"), reason="no DeepSpeed")) for job in JOBS],
)
def test_every_kind_of_job_killed_again_and_again_ends_as_an_undisturbed_one(
    job: str, beside: bool, mlruns: Path, undisturbed: Callable[[str], Path]
) -> None:
    attempts = [(*JOBS[job], BESIDE) if beside else JOBS[job]] * 3
    kill_again_and_again(mlruns, undisturbed(job), *attempts, seed=[*JOBS].index(job) * 2 + beside)
