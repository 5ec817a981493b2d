"""MLflow: where people look. Everything here is written from a job's folder, so that a fresh server can be filled from it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import tempfile
import traceback
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from vat.errors import BackendError, DataError, MissingDependency, VatError, shown
from vat.files import left_alone, whole_file
from vat.track.job import Job
from vat.track.points import KEY, log_points
from vat.track.settings import Tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient

RESULT, KIND, SWEEP, ERROR, SHOWN = "vat.result", "vat.kind", "vat.sweep", "vat.error", "vat.shown"
PARENT, NOTE, NAME = "mlflow.parentRunId", "mlflow.note.content", "mlflow.runName"


class Description(NamedTuple):
    """How a job appears in MLflow: name of the run, kind of job, its parameters, what data it is about, and a note for the reader."""

    name: str
    kind: str
    params: Mapping[str, object]
    data: tuple[str, str]  # name and digest
    note: str


def without_password(text: str) -> str:
    """A text in which a URI may stand, without the name and password that the URI may hold. To be used before the text is cut."""
    return re.sub(r"(password|token|key)=[^&\s'\"]+", r"\1=…", re.sub(r"//[^@\s]+@", "//…@", text))


def sweep_tag(sweep: str) -> str:
    """The tag that marks a run as part of a sweep: MLflow allows few characters in it, and not many."""
    plain = re.sub(r"[^\w.: -]+", "_", sweep)
    return f"sweep.{plain if len(plain) <= 100 else plain[:80] + hashlib.sha256(sweep.encode()).hexdigest()[:16]}"


class Runs:
    """The runs of one experiment. `sweep`: name of the parent run, or None."""

    def __init__(self, tracking: Tracking, sweep: str | None) -> None:
        """Open the store, making it if it is new.

        Raises:
            BackendError: It cannot be reached.
        """
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines whenever a run ends
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # a server that is down is said in seconds, not in minutes
        from filelock import FileLock
        from mlflow import MlflowClient

        for noisy in ("alembic", "mlflow"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # prints a traceback of what it raises as well
        self._tracking, self.sweep = tracking, sweep
        with self._errors():
            tracking.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(tracking.folder / "mlflow.lock"):  # processes that make a fresh database, or a sweep's run, together spoil it
                self._client: MlflowClient = MlflowClient(tracking_uri=tracking.store_uri)
                self._experiment = self._open_experiment()
                self._parent: str | None
                self._parent, self._shown = self._open_sweep(sweep) if sweep else (None, "")
        self._known: dict[str, Any] = {}

    @contextlib.contextmanager
    def running(self, job: Job, description: Description) -> Iterator[None]:
        """The job's run is RUNNING inside the block; after an error it is FAILED, or KILLED if it was interrupted."""
        with self._errors():
            run_id = self._run_of(job, description)
        with self._marked(run_id):
            with self._errors():
                self._client.update_run(run_id, status="RUNNING")
            yield

    def ended(self, job: Job, description: Description, status: Literal["FAILED", "KILLED"], why: str) -> None:
        """Mark the run of a job whose process could not do so itself."""
        with self._errors():
            run_id = self._run_of(job, description)
            self._client.set_tag(run_id, ERROR, shown(without_password(why), 400))
            self._client.set_terminated(run_id, status)

    def look_up(self) -> None:
        """Know all runs at once: much faster than one after the other, where many jobs are to be brought up to date."""
        with self._errors():
            self._known = {run.data.tags[KEY]: run for run in self._search(f"tags.`{KIND}` != 'sweep'")}

    def errors(self) -> dict[str, str]:
        """Job → what its run says it failed of, of those that did."""
        self.look_up()
        return {key: run.data.tags.get(ERROR, "") for key, run in self._known.items() if run.info.status == "FAILED"}

    def end_orphans(self) -> None:
        """Mark as KILLED what still says RUNNING though the process that did it is gone: its job or sweep here is held by nobody."""
        with self._errors():
            for run in self._search(f"tags.`{KIND}` LIKE '%' and attributes.status = 'RUNNING'"):
                with self._left_alone(run.data.tags) as free:
                    if free and self._client.get_run(run.info.run_id).info.status == "RUNNING":
                        self._client.set_tag(run.info.run_id, ERROR, "its process is gone")
                        self._client.set_terminated(run.info.run_id, "KILLED")

    @contextlib.contextmanager
    def _left_alone(self, tags: Mapping[str, str]) -> Iterator[bool]:
        """Whether the job or sweep of a run with these tags is one of this place, and nobody does it."""
        if KEY in tags:
            with Job.left_alone(self._tracking.folder, tags[KEY]) as free:
                yield free
        elif (lock := self._lock_of(tags[SWEEP])).is_file():
            with left_alone(lock) as free:
                yield free
        else:
            yield False

    @contextlib.contextmanager
    def sweeping(self) -> Iterator[None]:
        """Inside the block this process holds the sweep, if there is one and no other process has it."""
        if not self.sweep:
            yield
            return
        lock = self._lock_of(sweep_tag(self.sweep))
        lock.parent.mkdir(exist_ok=True)
        with left_alone(lock):
            yield

    def _lock_of(self, tag: str) -> Path:
        return self._tracking.folder / "sweeps" / f"{hashlib.sha256(tag.encode()).hexdigest()[:16]}.lock"

    def job_of(self, name: str) -> Job:
        """The finished job of a run, by the run's id or the job's key; if its folder is not on this machine, it is fetched from the run.

        Raises:
            DataError: There is none.
        """
        self.look_up()
        runs = {run.info.run_id: run for run in self._known.values()}
        run = self._known.get(name) or runs.get(name)
        key = run.data.tags[KEY] if run else name
        job = Job.of_key(self._tracking.folder, key) if re.fullmatch(r"[0-9a-f]{16}", key) else None
        if job is None and run is not None:
            job = self._fetched(run)
        if job is None:
            where = f"in experiment {self._tracking.experiment}"
            raise DataError(f"run={name}: must be a finished run or job {where}; got none of that id. Take one from a closing table or from MLflow.")
        return job

    def _fetched(self, run: Any) -> Job | None:
        """A job brought back from the artifacts of its run."""
        folder = self._tracking.folder / "jobs" / run.data.tags[KEY]
        with self._errors(), tempfile.TemporaryDirectory() as place:
            for artifact in self._client.list_artifacts(run.info.run_id):
                self._client.download_artifacts(run.info.run_id, artifact.path, place)
            ours = (path for path in Path(place).rglob("*") if re.fullmatch(r"(step-\d+/)?[^/]+", path.relative_to(place).as_posix()))
            for path in sorted((path for path in ours if path.is_file()), key=lambda path: (path.name == "identity.json", path)):
                step, _, file = path.relative_to(place).as_posix().rpartition("/")  # the identity last: a job that is there is there whole
                target = folder / (f"steps/{int(step.removeprefix('step-')):06d}" if step else "") / file
                with whole_file(target) as draft:
                    draft.write_bytes(path.read_bytes())
        return Job.of_key(self._tracking.folder, run.data.tags[KEY])

    def publish(self, job: Job, description: Description, result: Mapping[str, Any]) -> str:
        """Bring the job's run up to date with its result; returns the run's id. The caller holds the job."""
        from mlflow.entities import Dataset, DatasetInput, Param, RunTag

        digest = _digest(result)
        with self._errors():
            run_id = self._run_of(job, description)
            if not self._shows(job, digest):  # not when this process began, but another one may have worked on the job since
                self._known[job.key] = self._client.get_run(run_id)
            if self._shows(job, digest):
                return run_id
        with self._marked(run_id), self._errors():
            log_points(self._client, run_id, job.key, result)
            logged = self._known[job.key].data.params  # cannot be changed; the same job may go by another name, as a model's other path
            params = [Param(key, str(value)) for key, value in description.params.items() if key not in logged]
            self._client.log_batch(run_id, params=params, tags=[RunTag(NOTE, description.note)])
            source, digest_of_data = description.data
            data = Dataset(name=source, digest=digest_of_data[:36], source_type="code", source=json.dumps({"sha256": digest_of_data}))
            self._client.log_inputs(run_id, [DatasetInput(data)])
            for step in map(int, result["steps"]):
                self._client.log_artifacts(run_id, str(job.step_folder(step)), artifact_path=f"step-{step}")
            for name in ("identity.json", "result.json"):
                self._client.log_artifact(run_id, str(job.folder / name))
            self._client.set_tag(run_id, RESULT, digest)
            if ERROR in self._known[job.key].data.tags:
                self._client.delete_tag(run_id, ERROR)
            self._client.set_terminated(run_id, "FINISHED")
        return run_id

    def show(self, job: Job, result: Mapping[str, Any]) -> None:
        """Bring the points of a job's run up to date with what there is of its result. An MLflow that is away now gets them later."""
        with contextlib.suppress(BackendError), self._errors():
            log_points(self._client, self._known[job.key].info.run_id, job.key, result)

    def close_sweep(self, status: Literal["FINISHED", "FAILED", "KILLED"], results: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Mark the parent run, if there is one, as ended; with the results of its jobs, if all of them are published."""
        if self._parent:
            with self._errors():
                if results is not None:
                    self._client.set_tag(self._parent, SHOWN, _digest_of_all(results))
                self._client.set_terminated(self._parent, status)

    def shows(self, results: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether the sweep's run says that these results, job → result, are published, all of them; and nobody has deleted one since."""
        from mlflow.entities import ViewType

        if not self.sweep or self._shown != _digest_of_all(results):
            return False
        member = f"tags.`{sweep_tag(self.sweep)}` = '1'"
        with self._errors():
            return not self._client.search_runs([self._experiment], member, run_view_type=ViewType.DELETED_ONLY, max_results=1)

    def mark_front(self, search: str, jobs: Collection[str]) -> str:
        """Have the runs of these jobs of a search, and no others of it, bear the tag of its Pareto set; returns that tag."""
        member = sweep_tag(search)
        tag = member.replace("sweep.", "pareto.", 1)
        with self._errors():
            for run in self._search(f"tags.`{member}` = '1'"):
                wanted = run.data.tags[KEY] in jobs
                if wanted and tag not in run.data.tags:
                    self._client.set_tag(run.info.run_id, tag, "1")
                elif tag in run.data.tags and not wanted:
                    self._client.delete_tag(run.info.run_id, tag)
        return tag

    @contextlib.contextmanager
    def _marked(self, run_id: str) -> Iterator[None]:
        """After an error inside the block the run is FAILED, or KILLED if it was interrupted."""
        try:
            yield
        except BaseException as error:
            status = "FAILED" if isinstance(error, Exception) else "KILLED"
            traceback.clear_frames(error.__traceback__)  # they may hold a write to a database half done, and with it everyone's lock
            with contextlib.suppress(Exception):  # the job's own error is what the user must see
                self._client.set_tag(run_id, ERROR, shown(without_password(str(error)), 400))
                if status == "FAILED" and not isinstance(error, VatError):
                    self._client.log_text(run_id, without_password(traceback.format_exc()), "error.txt")
                self._client.set_terminated(run_id, status)
            raise

    def _shows(self, job: Job, digest: str) -> bool:
        """Whether the job's run, as last seen, is finished with this result; one that was interrupted as it ended may also bear an error."""
        run = self._known[job.key]
        return bool(run.info.status == "FINISHED" and run.data.tags.get(RESULT) == digest and ERROR not in run.data.tags)

    @property
    def _is_served(self) -> bool:
        """Whether by a server, which keeps artifacts where it likes."""
        return (self._tracking.uri or "").startswith(("http", "databricks"))

    def _open_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._tracking.experiment)
        if found is not None:
            return str(found.experiment_id)
        place = None if self._is_served else (self._tracking.folder / "artifacts").as_uri()
        return str(self._client.create_experiment(self._tracking.experiment, artifact_location=place))

    def _open_sweep(self, name: str) -> tuple[str, str]:
        """The sweep's run, and what it says to show."""
        condition = f"tags.`{KIND}` = 'sweep' and tags.`{SWEEP}` = '{sweep_tag(name)}'"
        if found := self._search(condition):
            run_id = str(found[0].info.run_id)
            self._client.update_run(run_id, status="RUNNING")
            return run_id, str(found[0].data.tags.get(SHOWN, ""))
        tags = {KIND: "sweep", SWEEP: sweep_tag(name), NAME: name[:200]}
        return str(self._made(condition, tags).info.run_id), ""

    def _run_of(self, job: Job, description: Description) -> str:
        if job.key not in self._known:
            tags = {KEY: job.key, KIND: description.kind, NAME: description.name} | ({PARENT: self._parent} if self._parent else {})
            found = self._search(f"tags.`{KEY}` = '{job.key}'")  # another process may have made it since this one began
            self._known[job.key] = found[0] if found else self._made(f"tags.`{KEY}` = '{job.key}'", tags)
        run = self._known[job.key]
        member = sweep_tag(self.sweep) if self.sweep else None
        if member and member not in run.data.tags:
            self._client.set_tag(run.info.run_id, member, "1")
            run.data.tags[member] = "1"
        return str(run.info.run_id)

    def _made(self, condition: str, tags: Mapping[str, str]) -> Any:
        """A new run, the only one for a condition. A server that goes away before it replies is asked again by MLflow's client, and has two then."""
        made = self._client.create_run(self._experiment, tags=dict(tags))
        if not self._is_served:
            return made
        *surplus, oldest = self._search(condition)
        for run in surplus:
            self._client.delete_run(run.info.run_id)
        return oldest

    def _search(self, condition: str) -> list[Any]:
        found, token = [], None
        while True:
            page = self._client.search_runs([self._experiment], condition, max_results=1000, page_token=token)
            found += list(page)
            token = page.token
            if not token:
                return found

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except ModuleNotFoundError as error:
            raise MissingDependency(str(error.name), needed_by="tracking.uri", install=f"pip install {error.name}") from error
        except (MlflowException, SQLAlchemyError, OSError) as error:
            where = self._tracking.uri.split("://")[0] + "://…" if self._tracking.uri else Path(self._tracking.root) / "mlflow.db"
            found = shown(without_password(str(error)))
            rule = f"tracking.uri: MLflow at {where} must take our runs; got {found}"
            raise BackendError(f"{rule}. What is done stays on disk: run the same command again.", retryable=True) from error


def _digest(result: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(result, sort_keys=True, default=str).encode()).hexdigest()


def _digest_of_all(results: Mapping[str, Mapping[str, Any]]) -> str:
    return _digest({key: _digest(result) for key, result in results.items()})
