"""MLflow, for real: a sqlite store in the test's folder, and a server on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from sqlalchemy.engine.default import DefaultDialect

from tests.warm import forked
from vat.errors import BackendError, ConfigError, DataError
from vat.track.experiment import without_password
from vat.track.job import Job
from vat.track.runs import Description, Runs
from vat.track.settings import Tracking
from vat.track.sweep_run import sweep_tag

DESCRIPTION = Description("tiny · power -1", "job", {"value": "power", "shots": 4}, ("TemplateData", "abc123"), "a note")
RESULT = {"steps": {"0": {"gain": 0.5, "nvat": 0.2, "gnd/power": None}, "10": {"gain": 0.6}}}

DIES = """
import os, sys
import sqlalchemy
from vat.track.runs import Runs
from vat.track.settings import Tracking
left = [int(sys.argv[2])]
@sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "before_cursor_execute")
def count(*given):
    left[0] -= 1
    if left[0] < 0:
        os._exit(9)
Runs(Tracking(root=sys.argv[1], uri=None, experiment="vat"), None)
"""


def opened(root: str, sweep: str, together: Any) -> None:
    """In a process of its own."""
    together.wait()
    Runs(Tracking(root=root, uri=None, experiment="vat"), sweep)


def tracking(tmp_path: Path, uri: str | None = None) -> Tracking:
    tracking = Tracking(root=str(tmp_path / "mlruns"), uri=uri, experiment="vat")
    tracking.check()
    assert not tracking.folder.exists() or any(tracking.folder.iterdir()), "a check leaves nothing behind"
    return tracking


def finished(tmp_path: Path, identity: int = 1) -> Job:
    job = Job(tmp_path / "mlruns", {"a": identity})
    job.folder.mkdir(parents=True, exist_ok=True)
    for step in (0, 10):
        (job.step_folder(step) / "coupling.csv").write_text("a,b\n")
    job.finish(RESULT)
    return job


def all_runs(tracking: Tracking) -> list:
    client = MlflowClient(tracking_uri=tracking.store_uri)
    return list(client.search_runs([client.get_experiment_by_name("vat").experiment_id]))


def test_a_finished_job_is_one_run_with_its_numbers_at_their_steps(tmp_path: Path) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)
    run_id = Runs(where, None).publish(job, DESCRIPTION, RESULT)
    client = MlflowClient(tracking_uri=where.store_uri)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "tiny · power -1"
    assert run.data.params == {"value": "power", "shots": "4"}
    assert run.data.tags["vat.job_key"] == job.key
    assert [(one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs] == [("TemplateData", "abc123")]
    assert [(metric.step, metric.value) for metric in client.get_metric_history(run_id, "gain")] == [(0, 0.5), (10, 0.6)]
    assert "gnd/power" not in run.data.metrics, "what is not defined is not logged"
    assert [file.path for file in client.list_artifacts(run_id, "step-0")] == ["step-0/coupling.csv"]
    for name in ("identity.json", "result.json"):
        assert Path(client.download_artifacts(run_id, name)).read_bytes() == (job.folder / name).read_bytes()


def files(job: Job) -> dict[str, bytes]:
    return {path.relative_to(job.folder).as_posix(): path.read_bytes() for path in job.folder.rglob("*.*")}


@pytest.mark.parametrize("gone", [False, True])
def test_a_job_is_found_by_its_key_and_by_its_run_also_if_its_folder_is_gone(tmp_path: Path, gone: bool) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)
    run_id, kept = Runs(where, "mine").publish(job, DESCRIPTION, RESULT), files(job)
    assert set(kept) == {"identity.json", "result.json", "steps/000000/coupling.csv", "steps/000010/coupling.csv"}
    for name in (job.key, run_id):
        if gone:
            shutil.rmtree(where.folder / "jobs")
        found = Runs(where, None).job_of(name)
        assert (found.key, found.folder, found.identity, found.result()) == (job.key, job.folder, job.identity, RESULT)
        assert files(found) == kept
    assert len(all_runs(where)) == 2, "to look is not to publish"


def test_a_job_on_disk_is_found_by_its_key_where_mlflow_does_not_know_it(tmp_path: Path) -> None:
    job = finished(tmp_path)
    assert Runs(tracking(tmp_path), None).job_of(job.key).result() == RESULT


def test_what_is_no_finished_job_is_one_line_whatever_it_is(tmp_path: Path) -> None:
    where, job = tracking(tmp_path), Job(tmp_path / "mlruns", {"a": 1})
    runs = Runs(where, "mine")
    with pytest.raises(BackendError), runs.running(job, DESCRIPTION):
        raise BackendError("it broke")
    ids = [run.info.run_id for run in all_runs(where)]
    assert len(ids) == 2, "the job that broke and its sweep"
    for name in (job.key, *ids, "86f3e8ea9a861599", "../..", ""):
        with pytest.raises(DataError) as error:
            Runs(where, None).job_of(name)
        rule = f"run={name}: must be a finished run or job in experiment vat; got none of that id. Take one from a closing table or from MLflow."
        assert str(error.value) == rule
    assert not list((where.folder / "jobs").rglob("*.*"))


def test_publishing_again_adds_nothing(tmp_path: Path) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)
    first = Runs(where, None).publish(job, DESCRIPTION, RESULT)
    assert Runs(where, None).publish(job, DESCRIPTION, RESULT) == first
    assert len(all_runs(where)) == 1
    assert len(MlflowClient(tracking_uri=where.store_uri).get_metric_history(first, "gain")) == 2


def test_the_same_job_by_another_name_keeps_the_name_it_has(tmp_path: Path) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)
    Runs(where, None).publish(job, DESCRIPTION, RESULT)
    other = DESCRIPTION._replace(params=DESCRIPTION.params | {"value": "Power", "new": 1})
    Runs(where, None).publish(job, other, {"steps": {"0": {"gain": 0.7}}})
    assert all_runs(where)[0].data.params == {"value": "power", "shots": "4", "new": "1"}


def test_a_fresh_store_is_filled_from_the_jobs_folder(tmp_path: Path) -> None:
    job = finished(tmp_path)
    Runs(tracking(tmp_path), None).publish(job, DESCRIPTION, RESULT)
    other = tracking(tmp_path, uri=f"sqlite:///{tmp_path}/other.db")
    Runs(other, None).publish(job, DESCRIPTION, RESULT)
    assert all_runs(other)[0].data.metrics["gain"] == 0.6


def test_a_sweep_is_one_parent_that_is_opened_again_and_tags_its_jobs(tmp_path: Path) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)
    for sweep in ("table2", "table2", "value=power,security shots=2,4"):
        runs = Runs(where, sweep)
        runs.publish(job, DESCRIPTION, RESULT)
        runs.close_sweep("FINISHED")
    found = {run.info.run_name: run for run in all_runs(where)}
    assert sorted(found) == ["table2", "tiny · power -1", "value=power,security shots=2,4"]
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    tags = found["tiny · power -1"].data.tags
    assert tags["mlflow.parentRunId"] == found["table2"].info.run_id
    assert {tag for tag in tags if tag.startswith("sweep.")} == {"sweep.table2", sweep_tag("value=power,security shots=2,4")}


@pytest.mark.parametrize(("error", "status"), [(BackendError("it broke"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_run_that_stops_says_how_and_is_taken_up_again(tmp_path: Path, error: BaseException, status: str) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)
    runs = Runs(where, None)

    def stops() -> None:
        with runs.running(job, DESCRIPTION):
            assert all_runs(where)[0].info.status == "RUNNING"
            raise error

    with pytest.raises(type(error)):
        stops()
    assert all_runs(where)[0].info.status == status
    Runs(where, None).publish(job, DESCRIPTION, RESULT)
    run = all_runs(where)[0]
    assert run.info.status == "FINISHED"
    assert "vat.error" not in run.data.tags


def test_eight_processes_may_open_a_fresh_store_at_once(tmp_path: Path) -> None:
    where = tracking(tmp_path)
    together = forked.Barrier(8)
    openers = [forked.Process(target=opened, args=(where.root, f"sweep {n % 2}", together)) for n in range(8)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert [opener.exitcode for opener in openers] == [0] * 8
    assert len(all_runs(where)) == 2, "four of them opened the same sweep"


@pytest.mark.parametrize("sweep", ["a//b=http://x/y", "data.path=../../x", "/", "model.name=a/b/", "ü, 'quoted' and \"so\""])
def test_a_sweep_may_have_any_name(tmp_path: Path, sweep: str) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)
    runs = Runs(where, sweep)
    runs.publish(job, DESCRIPTION, RESULT)
    assert {run.info.status for run in all_runs(where)} == {"RUNNING", "FINISHED"}


@pytest.mark.parametrize("stops", [BackendError("full"), KeyboardInterrupt()])
def test_a_publication_that_is_cut_short_is_finished_without_doubling_anything(
    tmp_path: Path, stops: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)

    def cut(*arguments: object, **more: object) -> None:
        raise stops

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifacts", cut)
        with pytest.raises(type(stops)):
            Runs(where, None).publish(job, DESCRIPTION, RESULT)
    assert all_runs(where)[0].info.status in {"FAILED", "KILLED"}
    run_id = Runs(where, None).publish(job, DESCRIPTION, RESULT)
    client = MlflowClient(tracking_uri=where.store_uri)
    assert client.get_run(run_id).info.status == "FINISHED"
    assert [(point.step, point.value) for point in client.get_metric_history(run_id, "gain")] == [(0, 0.5), (10, 0.6)]


def test_artifacts_lie_in_the_root_also_when_the_database_is_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    where = tracking(tmp_path, uri=f"sqlite:///{tmp_path}/other.db")
    Runs(where, None).publish(finished(tmp_path), DESCRIPTION, RESULT)
    assert not list((tmp_path / "elsewhere").iterdir())
    assert list((tmp_path / "mlruns" / "artifacts").rglob("coupling.csv"))


def test_no_password_is_left_in_a_text_however_long_it_is() -> None:
    for uri in ("http://joe:" + "S3CRET" * 40 + "@host/x", "http://joe:a/S3CRET@host", "postgresql://h/db?user=u&password=S3CRET&x=1"):
        assert "S3CRET" not in without_password(f"cannot reach {uri} now")


def test_a_job_that_another_process_has_published_meanwhile_is_not_published_twice(tmp_path: Path) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)
    late, early = Runs(where, "table2"), Runs(where, "table2")
    assert early.publish(job, DESCRIPTION, RESULT) == late.publish(job, DESCRIPTION, RESULT)
    runs = all_runs(where)
    assert len(runs) == 2, "the job and its sweep"
    run_id = next(run.info.run_id for run in runs if "vat.job_key" in run.data.tags)
    assert len(MlflowClient(tracking_uri=where.store_uri).get_metric_history(run_id, "gain")) == 2


def test_a_store_that_cannot_be_reached_is_one_line_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"tracking\.uri: MLflow at sqlite://… must take our runs; got .*run the same command again") as caught:
        Runs(tracking(tmp_path, uri="sqlite://me:secret@/nowhere/at/all.db"), None)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_root_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mlruns").write_text("a file is in the way")
    with pytest.raises(ConfigError, match=r"tracking\.root: must be a folder that can be written; got .*mlruns .*Use tracking\.root=<folder>\."):
        tracking(tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real MLflow server on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    calm = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", str(tmp_path / "served")]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=os.environ | calm, stdout=log, stderr=log, start_new_session=True)
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.5)
            else:
                pytest.fail((tmp_path / "server.log").read_text()[-2000:])
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 9)
            process.wait()


def test_a_server_takes_the_same_runs_as_the_file(tmp_path: Path, server: str) -> None:
    where, job = tracking(tmp_path, uri=server), finished(tmp_path)
    runs = Runs(where, "table2")
    run_id = runs.publish(job, DESCRIPTION, RESULT)
    runs.close_sweep("FINISHED")
    client = MlflowClient(tracking_uri=server)
    assert client.get_run(run_id).data.metrics["gain"] == 0.6
    assert [file.path for file in client.list_artifacts(run_id, "step-10")] == ["step-10/coupling.csv"]
    kept = files(job)
    shutil.rmtree(job.folder)
    assert files(Runs(where, None).job_of(run_id)) == kept, "also from a server's artifacts"
    assert {run.info.status for run in all_runs(where)} == {"FINISHED"}


def test_a_sweep_that_shows_all_of_its_results_says_so_until_one_of_its_runs_is_deleted(tmp_path: Path) -> None:
    where, job, results = tracking(tmp_path), finished(tmp_path), {}
    runs = Runs(where, "mine")
    run_id = runs.publish(job, DESCRIPTION, RESULT)
    results[job.key] = RESULT
    assert not runs.shows(results), "not before it is closed"
    runs.close_sweep("FINISHED", results)
    assert Runs(where, "mine").shows(dict(results))
    assert not Runs(where, "mine").shows(results | {job.key: RESULT | {"seconds": 2}}), "measured again"
    assert not Runs(where, "mine").shows(results | {"another": RESULT})
    assert not Runs(where, "mine").shows({})
    assert not Runs(where, "other").shows(results)
    assert not Runs(where, None).shows(results)
    Runs(where, "mine").close_sweep("FAILED")
    MlflowClient(tracking_uri=where.store_uri).delete_run(run_id)
    assert not Runs(where, "mine").shows(results)


def test_a_run_that_was_interrupted_as_it_ended_is_mended_by_the_next_launch(tmp_path: Path) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)
    run_id = Runs(where, None).publish(job, DESCRIPTION, RESULT)
    client = MlflowClient(tracking_uri=where.store_uri)
    client.set_tag(run_id, "vat.error", "1")
    assert Runs(where, None).publish(job, DESCRIPTION, RESULT) == run_id
    assert "vat.error" not in client.get_run(run_id).data.tags


def test_an_interrupt_in_the_middle_of_a_write_does_not_lock_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)
    runs = Runs(where, None)
    whole = DefaultDialect.do_executemany

    def interrupted(self: Any, cursor: Any, statement: str, *rest: Any) -> None:
        whole(self, cursor, statement, *rest)
        if "INTO params" in statement:
            monkeypatch.undo()
            raise KeyboardInterrupt

    monkeypatch.setattr(DefaultDialect, "do_executemany", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:  # which keeps the traceback, as Python does for what is printed at the end
        runs.publish(job, DESCRIPTION, RESULT)
    assert caught.tb is not None
    assert [run.info.status for run in all_runs(where)] == ["KILLED"]


def test_a_run_that_a_server_has_made_twice_as_its_first_reply_was_lost_is_one(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, job = Tracking(root=str(tmp_path / "mlruns"), uri=server, experiment="twice"), finished(tmp_path)
    made = MlflowClient.create_run

    def twice(self: MlflowClient, *arguments: Any, **options: Any) -> Any:
        made(self, *arguments, **options)
        return made(self, *arguments, **options)

    monkeypatch.setattr(MlflowClient, "create_run", twice)
    runs = Runs(where, "mine")
    runs.publish(job, DESCRIPTION, RESULT)
    runs.close_sweep("FINISHED")
    client = MlflowClient(tracking_uri=server)
    found = client.search_runs([client.get_experiment_by_name("twice").experiment_id])
    assert sorted((run.data.tags["vat.kind"], run.info.status) for run in found) == [("job", "FINISHED"), ("sweep", "FINISHED")]


def test_a_sweep_whose_process_is_gone_is_no_longer_running(tmp_path: Path) -> None:
    where = tracking(tmp_path)
    for name in ("gone", "held"):
        with Runs(where, name).sweeping():
            pass  # and is killed
    Runs(where, "elsewhere")
    with Runs(where, "held").sweeping():
        Runs(where, None).end_orphans()
    status = {run.info.run_name: run.info.status for run in all_runs(where)}
    assert status == {"gone": "KILLED", "held": "RUNNING", "elsewhere": "RUNNING"}, "the third is another machine's"
    assert [run.info.run_name for run in all_runs(where) if run.data.tags.get("vat.error") == "its process is gone"] == ["gone"]
    Runs(where, "gone").close_sweep("FINISHED")
    assert not [run for run in all_runs(where) if "vat.error" in run.data.tags]


def test_a_server_that_is_down_is_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    where = Tracking(root=str(tmp_path / "mlruns"), uri="http://me:secret@127.0.0.1:9", experiment="vat")
    with pytest.raises(BackendError, match=r"^tracking\.uri: MLflow at http://… must take our runs; got .*run the same command again\.$") as caught:
        Runs(where, "mine")
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


def test_a_run_whose_process_is_gone_is_no_longer_running_and_one_that_is_held_is_left_alone(tmp_path: Path) -> None:
    where, (gone, held, elsewhere) = tracking(tmp_path), [Job(tmp_path / "mlruns", {"a": n}) for n in range(3)]
    runs = Runs(where, None)
    client = MlflowClient(tracking_uri=where.store_uri)
    for job in (gone, held, elsewhere):
        client.update_run(runs._run_of(job, DESCRIPTION), status="RUNNING")
    gone.folder.mkdir(parents=True)
    with held.held():
        Runs(where, None).end_orphans()
    status = {run.data.tags["vat.job_key"]: run.info.status for run in all_runs(where)}
    assert status == {gone.key: "KILLED", held.key: "RUNNING", elsewhere.key: "RUNNING"}, "the folder of the third is on another machine"


def test_the_traceback_of_a_fault_of_ours_is_in_the_run_and_of_a_mistake_of_the_user_one_line(tmp_path: Path) -> None:
    where, ours, theirs = tracking(tmp_path), Job(tmp_path / "mlruns", {"a": 1}), Job(tmp_path / "mlruns", {"a": 2})
    runs = Runs(where, None)
    with pytest.raises(ZeroDivisionError), runs.running(ours, DESCRIPTION):
        raise ZeroDivisionError("at //name:secret@host")
    with pytest.raises(BackendError), runs.running(theirs, DESCRIPTION):
        raise BackendError("it broke")
    client = MlflowClient(tracking_uri=where.store_uri)
    of_key = {run.data.tags["vat.job_key"]: run.info.run_id for run in all_runs(where)}
    text = Path(client.download_artifacts(of_key[ours.key], "error.txt")).read_text()
    assert "ZeroDivisionError: at //…@host" in text
    assert "Traceback" in text
    assert "secret" not in text
    assert client.list_artifacts(of_key[theirs.key]) == []


def test_points_of_training_come_as_they_are_known_and_each_once(tmp_path: Path) -> None:
    where, job = tracking(tmp_path), finished(tmp_path)
    runs = Runs(where, None)
    log = [{"step": step, "loss": 1 / step, "tokens_per_s": 100.0 + step} for step in range(1, 5)]
    with runs.running(job, DESCRIPTION):
        runs.show(job, {"steps": {}, "training": log[:2]})
        runs.show(job, {"steps": {"2": {"gain": 0.1}}, "training": log[:3]})
    again = [row | {"tokens_per_s": 50.0} for row in log]  # killed, and gone on from step 2
    run_id = Runs(where, None).publish(job, DESCRIPTION, {"steps": {"2": {"gain": 0.1}, "4": {"gain": 0.2}}, "training": again})
    client = MlflowClient(tracking_uri=where.store_uri)
    found = {
        name: [(one.step, one.value) for one in client.get_metric_history(run_id, name)] for name in ("gain", "train/loss", "train/tokens_per_s")
    }
    assert found == {
        "gain": [(2, 0.1), (4, 0.2)], "train/loss": [(step, 1 / step) for step in range(1, 5)],
        "train/tokens_per_s": [(1, 101.0), (2, 102.0), (3, 103.0), (4, 50.0)],
    }  # fmt: skip
    assert len(client.search_logged_models([client.get_experiment_by_name("vat").experiment_id])) == 2


def test_a_process_that_dies_while_it_makes_the_store_spoils_nothing(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", DIES, str(tmp_path), "150"], check=False).returncode == 9
    assert [path.name for path in tmp_path.glob(".mlflow.db.*")], "it died in the middle of it"
    Runs(Tracking(root=str(tmp_path), uri=None, experiment="vat"), None)
    assert {path.name for path in tmp_path.glob("*mlflow.db*")} == {"mlflow.db"}
