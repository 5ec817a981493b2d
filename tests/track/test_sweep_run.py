"""The study that a sweep's run keeps: there when all of the sweep is, gone as soon as anything of it changes. A real store in sqlite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.track.test_runs import DESCRIPTION, RESULT, finished, tracking
from vat.errors import BackendError
from vat.track.job import Job
from vat.track.runs import Runs
from vat.track.settings import Tracking
from vat.track.sweep_run import sweep_tag

Closed = Callable[..., Runs]


def keys(jobs: object, folder: Path) -> None:
    """Stands for a study: the keys of its jobs."""
    assert isinstance(jobs, list)
    (folder / "keys.txt").write_text(" ".join(sorted(job.key for job in jobs)))


@pytest.fixture
def where(tmp_path: Path) -> Tracking:
    return tracking(tmp_path)


@pytest.fixture
def closed(tmp_path: Path, where: Tracking) -> Closed:
    """A sweep that does jobs and ends."""

    def close(*identities: int, sweep: str = "mine", status: str = "FINISHED", gain: float = 0.5) -> Runs:
        runs = Runs(where, sweep)
        results = {}
        for identity in identities:
            job = finished(tmp_path, identity)
            results[job.key] = job.finish(RESULT | {"steps": {"0": {"gain": gain}}})
            runs.publish(job, DESCRIPTION, results[job.key])
        runs.close_sweep(status, results if status == "FINISHED" else None, keys)
        return runs

    return close


def kept(where: Tracking, place: Path, sweep: str = "mine") -> set[str] | None:
    place.mkdir(exist_ok=True)
    folder = Runs(where, None).study_of(sweep, place)
    return None if folder is None else set((folder / "keys.txt").read_text().split())


def key(tmp_path: Path, identity: int) -> str:
    return Job(tmp_path / "mlruns", {"a": identity}).key


def test_a_finished_sweep_keeps_the_study_of_all_jobs_that_ever_belonged_to_it(closed: Closed, where: Tracking, tmp_path: Path) -> None:
    closed(1, 2)
    assert kept(where, tmp_path / "a") == {key(tmp_path, 1), key(tmp_path, 2)}
    closed(3)
    assert kept(where, tmp_path / "b") == {key(tmp_path, n) for n in (1, 2, 3)}, "narrowed to others the second time"
    assert kept(where, tmp_path / "c", "yours") is None


def test_a_sweep_that_was_interrupted_keeps_none_until_it_is_whole(closed: Closed, where: Tracking, tmp_path: Path) -> None:
    closed(1)
    closed(2, status="KILLED")
    assert kept(where, tmp_path / "a") is None
    closed(1)
    assert kept(where, tmp_path / "b") == {key(tmp_path, 1), key(tmp_path, 2)}, "also what the launch that was interrupted has done"


def test_a_job_that_is_measured_again_or_done_again_takes_the_studies_of_its_sweeps_away(closed: Closed, where: Tracking, tmp_path: Path) -> None:
    closed(1)
    closed(1, sweep="yours")
    assert kept(where, tmp_path / "a") == kept(where, tmp_path / "b", "yours") == {key(tmp_path, 1)}
    job = finished(tmp_path)
    Runs(where, None).publish(job, DESCRIPTION, job.finish(RESULT | {"steps": {"0": {"gain": 0.9}}}))
    assert kept(where, tmp_path / "c") is None
    assert kept(where, tmp_path / "d", "yours") is None
    closed(1, gain=0.9)
    assert kept(where, tmp_path / "e") is not None
    with pytest.raises(BackendError), Runs(where, None).running(job, DESCRIPTION):
        raise BackendError("it broke")
    assert kept(where, tmp_path / "f") is None


def test_a_run_that_somebody_deletes_is_missed(closed: Closed, where: Tracking, tmp_path: Path) -> None:
    closed(1, 2)
    client = MlflowClient(tracking_uri=where.store_uri)
    [run] = client.search_runs([client.get_experiment_by_name("vat").experiment_id], f"tags.`vat.job_key` = '{key(tmp_path, 2)}'")
    client.delete_run(run.info.run_id)
    assert kept(where, tmp_path / "a") is None


def test_a_sweep_with_a_job_that_is_not_finished_keeps_none(closed: Closed, where: Tracking, tmp_path: Path) -> None:
    runs = Runs(where, "mine")
    with pytest.raises(BackendError), runs.running(Job(tmp_path / "mlruns", {"a": 9}), DESCRIPTION):
        raise BackendError("it broke")
    closed(1)
    assert kept(where, tmp_path / "a") is None


def test_what_is_done_already_is_not_read_again(closed: Closed, where: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    closed(1)
    monkeypatch.setattr(f"{__name__}.keys", lambda jobs, folder: pytest.fail("read again"))
    closed(1)


def test_a_report_is_kept_with_its_sweep_or_by_itself_and_found_again(closed: Closed, where: Tracking, tmp_path: Path) -> None:
    closed(1)
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<p>found</p>")
    runs, client = Runs(where, None), MlflowClient(tracking_uri=where.store_uri)
    with_sweep, alone = runs.keep_report(folder, "mine", "mine"), runs.keep_report(folder, "0123", None)
    assert client.get_run(with_sweep).data.tags["vat.sweep"] == sweep_tag("mine")
    assert client.get_run(alone).info.run_name == "report 0123"
    assert runs.keep_report(folder, "0123", None) == alone
    for run in (with_sweep, alone):
        assert client.get_run(run).info.status == "FINISHED"
        assert Path(client.download_artifacts(run, "report/index.html")).read_text() == "<p>found</p>"
    assert Runs(where, None).errors() == {}, "a report is no job"
    Runs(where, None).end_orphans()
