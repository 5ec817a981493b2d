"""MLflow: where people look. Everything here is written from a job's folder, so that a fresh server can be filled from it."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from vat.errors import BackendError, DataError, VatError, shown
from vat.files import left_alone, whole_file
from vat.track.experiment import Experiment, errors_of_mlflow, without_password
from vat.track.job import CONFIG, PAGE, Job
from vat.track.points import KEY, log_points
from vat.track.settings import Tracking
from vat.track.sweep_run import ERROR, KIND, NAME, SWEEP, SweepRun, digest_of, forget_studies, run_of_sweep, saved_study, sweep_lock, sweep_tag

RESULT = "vat.result"
REPORT = "vat.report"
PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"


class Description(NamedTuple):
    """How a job appears in MLflow: name of the run, kind of job, its parameters, what data it is about, and a note for the reader."""

    name: str
    kind: str
    params: Mapping[str, object]
    data: tuple[str, str]  # name and digest
    note: str


class Runs:
    """The runs of one experiment. `sweep`: name of the parent run, or None."""

    def __init__(self, tracking: Tracking, sweep: str | None) -> None:
        """Open the store, making it if it is new.

        Raises:
            BackendError: It cannot be reached.
        """
        from filelock import FileLock

        self._tracking, self.sweep = tracking, sweep
        self._known: dict[str, Any] = {}
        with errors_of_mlflow(tracking):
            tracking.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(tracking.folder / "mlflow.lock"):  # processes that make a fresh database, or a sweep's run, together spoil it
                self._experiment = Experiment(tracking)
                self._sweep_run = SweepRun(self._experiment, tracking, sweep) if sweep else None
        self._client = self._experiment.client

    @contextlib.contextmanager
    def running(self, job: Job, description: Description) -> Iterator[None]:
        """The job's run is RUNNING inside the block; after an error it is FAILED, or KILLED if it was interrupted."""
        with self._experiment.errors():
            run_id = self._run_of(job, description)
        with self._marked(run_id):
            with self._experiment.errors():
                forget_studies(self._experiment, self._known[job.key].data.tags)
                self._client.update_run(run_id, status="RUNNING")
            yield

    def ended(self, job: Job, description: Description, status: Literal["FAILED", "KILLED"], why: str) -> None:
        """Mark the run of a job whose process could not do so itself."""
        with self._experiment.errors():
            run_id = self._run_of(job, description)
            self._client.set_tag(run_id, ERROR, shown(without_password(why), 400))
            self._client.set_terminated(run_id, status)

    def look_up(self) -> None:
        """Know all runs at once: much faster than one after the other, where many jobs are to be brought up to date."""
        with self._experiment.errors():
            self._known = {run.data.tags[KEY]: run for run in self._experiment.search(f"tags.`{KEY}` LIKE '%'")}

    def errors(self) -> dict[str, str]:
        """Job → what its run says it failed of, of those that did."""
        self.look_up()
        return {key: run.data.tags.get(ERROR, "") for key, run in self._known.items() if run.info.status == "FAILED"}

    def end_orphans(self) -> None:
        """Mark as KILLED what still says RUNNING though the process that did it is gone: its job or sweep here is held by nobody."""
        with self._experiment.errors():
            for run in self._experiment.search(f"tags.`{KIND}` LIKE '%' and attributes.status = 'RUNNING'"):
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
        elif SWEEP in tags and (lock := sweep_lock(self._tracking, tags[SWEEP])).is_file():
            with left_alone(lock) as free:
                yield free
        else:
            yield False

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

    def jobs_where(self, condition: str, *, where: str = "report") -> list[Job]:
        """The jobs, baselines apart, of the runs that meet a condition of MLflow's; what is not on this machine is fetched.

        Raises:
            DataError: MLflow cannot read the condition; or a run is not finished.
        """
        from mlflow.exceptions import MlflowException

        try:
            found = self._experiment.search(f"tags.`{KIND}` = 'job' and {condition}")
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                with self._experiment.errors():
                    raise
            rule = f"filter={shown(condition)}: must be a filter of MLflow; got {shown(str(error))}"
            raise DataError(f"{rule}. Write it as \"params.model = 'tiny'\".") from error
        unfinished = [run.info.run_name for run in found if run.info.status != "FINISHED"]
        if unfinished:
            rule = f"{where}: must be about finished runs; got {len(unfinished)} of {len(found)} that are not, as {unfinished[0]}"
            without = _typed(f"{condition} and attributes.status = 'FINISHED'")
            raise DataError(f"{rule}. Launch their sweep again, or leave them out: {without}")
        self._known |= {run.data.tags[KEY]: run for run in found}
        return [Job.of_key(self._tracking.folder, run.data.tags[KEY]) or self._here(run) for run in found]

    def sweeps(self) -> list[str]:
        """Names of the sweeps that there are, the newest first."""
        with self._experiment.errors():
            return [run.data.tags[NAME] for run in self._experiment.search(f"tags.`{KIND}` = 'sweep'")]

    def study_of(self, sweep: str, place: Path) -> Path | None:
        """The folder, within `place`, to which the study of a finished sweep was fetched; None if it keeps none that is good."""
        with self._experiment.errors():
            return saved_study(self._experiment, sweep_tag(sweep), place)

    def forget_studies(self, job: Job) -> None:
        """What the sweeps of a job keep is not all that there is of it any more."""
        with self._experiment.errors():
            for run in self._experiment.search(f"tags.`{KEY}` = '{job.key}'"):
                forget_studies(self._experiment, run.data.tags)

    def keep_report(self, folder: Path, name: str, sweep: str | None) -> str:
        """Log a report's files: to the run of its sweep, or to a run of its own. Returns the run's id."""
        with self._experiment.errors():
            run = run_of_sweep(self._experiment, sweep_tag(sweep)) if sweep else None
            if run is None:
                found = self._experiment.search(f"tags.`{REPORT}` = '{name}'")
                tags = {KIND: "report", REPORT: name, NAME: f"report {name}"}
                run = found[0] if found else self._experiment.made(f"tags.`{REPORT}` = '{name}'", tags)
                self._client.set_terminated(run.info.run_id, "FINISHED")
            self._client.log_artifacts(run.info.run_id, str(folder), "report")
            return str(run.info.run_id)

    def _here(self, run: Any) -> Job:
        job = self._fetched(run)
        if job is None:
            raise DataError(f"run={run.info.run_id}: must have its files in MLflow or on this machine; got neither. Launch its job again.")
        return job

    def _fetched(self, run: Any) -> Job | None:
        """A job brought back from the artifacts of its run."""
        folder = self._tracking.folder / "jobs" / run.data.tags[KEY]
        with self._experiment.errors(), tempfile.TemporaryDirectory() as place:
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

        digest = digest_of(result)
        with self._experiment.errors():
            run_id = self._run_of(job, description)
            if not self._shows(job, digest):  # not when this process began, but another one may have worked on the job since
                self._known[job.key] = self._client.get_run(run_id)
            if self._shows(job, digest):
                return run_id
        with self._marked(run_id), self._experiment.errors():
            log_points(self._client, run_id, job.key, job.shown(result))
            logged = self._known[job.key].data.params  # cannot be changed; the same job may go by another name, as a model's other path
            params = [Param(key, str(value)) for key, value in description.params.items() if key not in logged]
            self._client.log_batch(run_id, params=params, tags=[RunTag(NOTE, description.note)])
            source, digest_of_data = description.data
            data = Dataset(name=source, digest=digest_of_data[:36], source_type="code", source=json.dumps({"sha256": digest_of_data}))
            self._client.log_inputs(run_id, [DatasetInput(data)])
            for step in map(int, result["steps"]):
                self._client.log_artifacts(run_id, str(job.step_folder(step)), artifact_path=f"step-{step}")
            for path in (job.folder / name for name in ("identity.json", CONFIG, "result.json", PAGE)):
                if path.is_file():
                    self._client.log_artifact(run_id, str(path))
            if RESULT in self._known[job.key].data.tags:  # it showed another result before
                forget_studies(self._experiment, self._known[job.key].data.tags)
            self._client.set_tag(run_id, RESULT, digest)
            if ERROR in self._known[job.key].data.tags:
                self._client.delete_tag(run_id, ERROR)
            self._client.set_terminated(run_id, "FINISHED")
        return run_id

    def add(self, job: Job, file: Path, step: int | None = None) -> None:
        """Log one more file of a job that is published; one of a state beside the files of its step."""
        with self._experiment.errors():
            place = None if step is None else f"step-{step}"
            self._client.log_artifact(self._known[job.key].info.run_id, str(file), artifact_path=place)

    def show(self, job: Job, result: Mapping[str, Any]) -> None:
        """Bring the points of a job's run up to date with what there is of its result. An MLflow that is away now gets them later."""
        with contextlib.suppress(BackendError), self._experiment.errors():
            log_points(self._client, self._known[job.key].info.run_id, job.key, result)

    @contextlib.contextmanager
    def sweeping(self) -> Iterator[None]:
        """Inside the block this process has the sweep, if there is one, unless another process has it already."""
        with self._sweep_run.held() if self._sweep_run else contextlib.nullcontext():
            yield

    def shows(self, results: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether the sweep's run knows that these results, job → result, are published, all of them."""
        return bool(self._sweep_run and self._sweep_run.shows(results))

    def close_sweep(
        self,
        status: Literal["FINISHED", "FAILED", "KILLED"],
        results: Mapping[str, Mapping[str, Any]] | None = None,
        study: Callable[[Sequence[Job], Path], object] = lambda jobs, folder: None,
    ) -> None:
        """Mark the sweep's run, if there is one, as ended; with the results of its jobs, if all of them are published, and with the study that
        `study` makes of all jobs that ever belonged to it, unless one of those is not finished or they cannot be compared.
        """

        def of_all(folder: Path) -> bool:
            try:
                study(self.jobs_where(f"tags.`{sweep_tag(str(self.sweep))}` = '1'"), folder)
            except DataError:
                return False
            return any(folder.iterdir())

        if self._sweep_run:
            self._sweep_run.close(status, results, of_all)

    def mark_front(self, search: str, jobs: Collection[str]) -> str:
        """Have the runs of these jobs of a search, and no others of it, bear the tag of its Pareto set; returns that tag."""
        member = sweep_tag(search)
        tag = member.replace("sweep.", "pareto.", 1)
        with self._experiment.errors():
            for run in self._experiment.search(f"tags.`{member}` = '1'"):
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

    def _run_of(self, job: Job, description: Description) -> str:
        if job.key not in self._known:
            tags = {KEY: job.key, KIND: description.kind, NAME: description.name} | ({PARENT: self._sweep_run.id} if self._sweep_run else {})
            found = self._experiment.search(f"tags.`{KEY}` = '{job.key}'")  # another process may have made it since this one began
            self._known[job.key] = found[0] if found else self._experiment.made(f"tags.`{KEY}` = '{job.key}'", tags)
        run = self._known[job.key]
        member = self._sweep_run.tag if self._sweep_run else None
        if member and member not in run.data.tags:
            self._client.set_tag(run.info.run_id, member, "1")
            run.data.tags[member] = "1"
        return str(run.info.run_id)


def _typed(condition: str) -> str:
    """The option `filter` as it is typed into a shell, which would run what stands between MLflow's backticks if they were not quoted."""
    plain = re.sub(r"'([^'\"`]*)'", r'"\1"', condition).replace('"', r"\"")
    return shlex.quote(f'filter="{plain}"')
