"""A sweep's own run in MLflow, parent of its jobs': who does the sweep now, and whether MLflow shows all that it has found."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from vat.files import left_alone
from vat.track.experiment import Experiment
from vat.track.settings import Tracking

KIND, SWEEP, SHOWN, ERROR, NAME = "vat.kind", "vat.sweep", "vat.shown", "vat.error", "mlflow.runName"


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


class SweepRun:
    """The run of a sweep, opened again if there is one. tag: which its jobs' runs bear. id: of the run."""

    def __init__(self, experiment: Experiment, tracking: Tracking, name: str) -> None:
        self._experiment, self._tracking, self.tag = experiment, tracking, sweep_tag(name)
        condition = f"tags.`{KIND}` = 'sweep' and tags.`{SWEEP}` = '{self.tag}'"
        if found := experiment.search(condition):
            run = found[0]
            experiment.client.update_run(run.info.run_id, status="RUNNING")
            if ERROR in run.data.tags:
                experiment.client.delete_tag(run.info.run_id, ERROR)
        else:
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

    def close(self, status: Literal["FINISHED", "FAILED", "KILLED"], results: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Mark it as ended; with the results of its jobs, if all of them are published."""
        with self._experiment.errors():
            if results is not None:
                self._experiment.client.set_tag(self.id, SHOWN, _digest_of_all(results))
            self._experiment.client.set_terminated(self.id, status)


def _digest_of_all(results: Mapping[str, Mapping[str, Any]]) -> str:
    return digest_of({key: digest_of(result) for key, result in results.items()})
