"""What became of jobs, and what they hold; and what is given back."""

from __future__ import annotations

from pathlib import Path

import pytest

from vat.align.checkpoints import MARKER
from vat.config import CleanSpec
from vat.errors import BackendError, ConfigError
from vat.programs.clean import clean
from vat.programs.progress import note_progress, planned
from vat.programs.status import kept_jobs, status_lines
from vat.track.job import Job
from vat.track.runs import Description, Runs
from vat.track.settings import Tracking

WEIGHTS = b"w" * 1_000_000


def described(name: str) -> Description:
    return Description(name, "job", {}, ("data", "abc"), "")


@pytest.fixture
def tracking(tmp_path: Path) -> Tracking:
    """A job that is done, with weights; one that failed; one that was interrupted half way."""
    where = Tracking(root=str(tmp_path / "mlruns"), uri=None, experiment="vat")
    done, failed, stopped = (Job(where.folder, {"n": n}) for n in range(3))
    runs = Runs(where, None)
    with done.held():
        checkpoint = done.folder / "training" / "checkpoint-10"
        checkpoint.mkdir(parents=True)
        (checkpoint / "model.safetensors").write_bytes(WEIGHTS)
        (checkpoint / MARKER).write_text("{}")
        (done.folder / "answers" / "step").mkdir(parents=True)
        (done.folder / "answers" / "step" / "1.parquet").write_bytes(b"a" * 1000)
        done.finish({"description": described("a job")._asdict(), "steps": {}})
    with pytest.raises(BackendError), failed.held(), runs.running(failed, described("another")):
        raise BackendError("it broke")
    with stopped.held():
        note_progress(stopped.folder, {"what": "a third", "unit": "steps", "done": 30, "total": 60, "per_s": 2.0, "said": "loss 0.3"})
    return where


def test_every_job_is_in_one_state_with_what_it_holds(tracking: Tracking) -> None:
    found = {job.state: job for job in kept_jobs(tracking)}
    assert found.keys() == {"done", "failed", "interrupted"}
    assert (found["done"].name, found["done"].weights) == ("a job", len(WEIGHTS) + 2)
    assert 1000 < found["done"].rest < 3000
    assert found["failed"].at == "'it broke'"
    assert found["interrupted"].at == "30/60 steps, 15 s left, loss 0.3"
    lines = status_lines(tracking)
    assert [line.split()[0] for line in lines[0].splitlines()] == ["state", "failed", "interrupted"], "what is done is counted only"
    assert "1 failed, 1 interrupted, 1 done; 1.0 MiB of weights" in lines[-1]


def test_a_job_that_somebody_holds_is_running(tracking: Tracking) -> None:
    with Job(tracking.folder, {"n": 2}).held():
        assert "running" in {job.state for job in kept_jobs(tracking)}


@pytest.mark.parametrize("parts", [True, False])
def test_weights_of_finished_jobs_are_given_back_and_no_result(tracking: Tracking, parts: bool, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job(tracking.folder, {"n": 0})
    before = {path: path.read_bytes() for path in tracking.folder.rglob("*.*") if path.is_file() and "mlflow.db" not in path.name}
    clean(CleanSpec(weights=True, parts=parts, dry_run=True, tracking=tracking))
    assert all(path.read_bytes() == content for path, content in before.items()), "only told"
    assert "would free 1.0 MiB in 1 finished jobs" in capsys.readouterr().out
    clean(CleanSpec(weights=True, parts=parts, dry_run=False, tracking=tracking))
    gone = {path.name for path in before if not path.exists()}
    assert gone == {"model.safetensors"} | ({"1.parquet"} if parts else set())
    assert job.result() is not None
    clean(CleanSpec(weights=True, parts=parts, dry_run=False, tracking=tracking))
    assert "freed 0.0 MiB in 0 finished jobs" in capsys.readouterr().out


def test_a_job_that_is_held_is_left_alone(tracking: Tracking) -> None:
    with Job(tracking.folder, {"n": 0}).held():
        clean(CleanSpec(weights=True, parts=True, dry_run=False, tracking=tracking))
    assert list(tracking.folder.rglob("model.safetensors"))


def test_where_nothing_is_kept_nothing_is_made(tmp_path: Path) -> None:
    where = Tracking(root=str(tmp_path / "mlruns"), uri=None, experiment="vat")
    with pytest.raises(ConfigError, match=r"^tracking\.root: must be where runs are kept"):
        status_lines(where)
    with pytest.raises(ConfigError, match=r"^tracking\.root: must be where runs are kept"):
        clean(CleanSpec(weights=True, parts=False, dry_run=False, tracking=where))
    assert list(tmp_path.iterdir()) == []


def test_what_a_sweep_has_planned_waits_as_long_as_the_sweep_lives(tracking: Tracking) -> None:
    stopped, new = Job(tracking.folder, {"n": 2}), Job(tracking.folder, {"n": 9})
    with planned(tracking.folder, {stopped.key: "a third", new.key: "a new one", Job(tracking.folder, {"n": 0}).key: "a job"}):
        found = [(job.name, job.state) for job in kept_jobs(tracking)]
        assert sorted(found) == [("", "failed"), ("a job", "done"), ("a new one", "waiting"), ("a third", "waiting")]
    assert {job.state for job in kept_jobs(tracking)} == {"done", "failed", "interrupted"}
    (tracking.folder / "sweeps" / "host-1.json").write_text(f'{{"{new.key}": "of a sweep that was killed"}}')
    assert {job.state for job in kept_jobs(tracking)} == {"done", "failed", "interrupted"}
    assert not list((tracking.folder / "sweeps").glob("*.json"))
