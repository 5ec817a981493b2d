"""A sweep's own run in MLflow, parent of its jobs': who does the sweep now, whether MLflow shows all that it has found, and its study.

The study of a sweep, all its numbers as a few tables, is an artifact of its run, so that a report of a thousand jobs needs no search of a thousand
runs. It is good as long as the run is FINISHED and bears the tag STUDY, which whatever changes a job of the sweep takes away.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from vat.files import left_alone
from vat.track.experiment import Experiment
from vat.track.settings import Tracking

KIND, SWEEP, SHOWN, ERROR, NAME = "vat.kind", "vat.sweep", "vat.shown", "vat.error", "mlflow.runName"
STUDY, STUDY_VERSION = "vat.study", "2"
"""The tag, and what it says where the study has all the tables that reports of this version ask for."""
ARTIFACT = "study"


def sweep_tag(sweep: str) -> str:
    """The tag that marks a run as part of a sweep: MLflow allows few characters in it, and not many."""
    plain = re.sub(r"[^\w.: -]+", "_", sweep)
    return f"sweep.{plain if len(plain) <= 100 else plain[:80] + hashlib.sha256(sweep.encode()).hexdigest()[:16]}"


def sweep_lock(tracking: Tracking, tag: str) -> Path:
    """The lock of whoever does a sweep, by its tag."""
    return tracking.folder / "sweeps" / f"{hashlib.sha256(tag.encode()).hexdigest()[:16]}.lock"


def digest_of(result: Mapping[str, Any]) -> str:
    """Of a result, as JSON has it."""
    return hashlib.sha256(json.dumps(result, sort_keys=True, default=str).encode()).hexdigest()


def run_of_sweep(experiment: Experiment, tag: str) -> Any:
    """The run of the sweep with that tag, or None."""
    found = experiment.search(f"tags.`{KIND}` = 'sweep' and tags.`{SWEEP}` = '{tag}'")
    return found[0] if found else None


def saved_study(experiment: Experiment, tag: str, place: Path) -> Path | None:
    """The folder, within `place`, to which the study of a sweep was fetched; None if it has none that is good."""
    run = run_of_sweep(experiment, tag)
    if run is None or run.info.status != "FINISHED" or run.data.tags.get(STUDY) != STUDY_VERSION or experiment.is_one_deleted(f"tags.`{tag}` = '1'"):
        return None
    return Path(experiment.client.download_artifacts(run.info.run_id, ARTIFACT, str(place)))


def forget_studies(experiment: Experiment, tags: Mapping[str, str]) -> None:
    """Of the sweeps that a run with these tags belongs to: what they show and keep is no longer so."""
    for tag in (tag for tag in tags if tag.startswith("sweep.")):
        run = run_of_sweep(experiment, tag)
        for said in (STUDY, SHOWN) if run is not None else ():
            if said in run.data.tags:
                experiment.client.delete_tag(run.info.run_id, said)


class SweepRun:
    """The run of a sweep, opened again if there is one. tag: which its jobs' runs bear. id: of the run."""

    def __init__(self, experiment: Experiment, tracking: Tracking, name: str) -> None:
        self._experiment, self._tracking, self.tag = experiment, tracking, sweep_tag(name)
        run = run_of_sweep(experiment, self.tag)
        self._was_finished = run is not None and run.info.status == "FINISHED" and run.data.tags.get(STUDY) == STUDY_VERSION
        if run is not None:
            experiment.client.update_run(run.info.run_id, status="RUNNING")
            if ERROR in run.data.tags:
                experiment.client.delete_tag(run.info.run_id, ERROR)
        else:
            condition = f"tags.`{KIND}` = 'sweep' and tags.`{SWEEP}` = '{self.tag}'"
            run = experiment.made(condition, {KIND: "sweep", SWEEP: self.tag, NAME: name[:200]})
        self.id = str(run.info.run_id)
        self._shown = str(run.data.tags.get(SHOWN, ""))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Inside the block this process has the sweep, unless another one has it already."""
        lock = sweep_lock(self._tracking, self.tag)
        lock.parent.mkdir(exist_ok=True)
        with left_alone(lock):
            yield

    def shows(self, results: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether these results, job → result, are published, all of them; and nobody has deleted a run since. What is purged is not missed."""
        if self._shown != _digest_of_all(results):
            return False
        with self._experiment.errors():
            return not self._experiment.is_one_deleted(f"tags.`{self.tag}` = '1'")

    def close(
        self,
        status: Literal["FINISHED", "FAILED", "KILLED"],
        results: Mapping[str, Mapping[str, Any]] | None = None,
        study: Callable[[Path], bool] = lambda folder: False,
    ) -> None:
        """Mark it as ended; with the results of its jobs, if all of them are published, and its study, if `study` writes one to the folder."""
        with self._experiment.errors():
            if results is not None and not (self._was_finished and self._shown == _digest_of_all(results)):
                with tempfile.TemporaryDirectory() as place:
                    if study(Path(place)):
                        self._experiment.client.log_artifacts(self.id, place, ARTIFACT)
                        self._experiment.client.set_tag(self.id, STUDY, STUDY_VERSION)
                self._experiment.client.set_tag(self.id, SHOWN, _digest_of_all(results))
            self._experiment.client.set_terminated(self.id, status)


def _digest_of_all(results: Mapping[str, Mapping[str, Any]]) -> str:
    return digest_of({key: digest_of(result) for key, result in results.items()})
