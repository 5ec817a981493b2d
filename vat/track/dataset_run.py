"""A dataset's run in MLflow: what it was made of, the score of every prompt that was tried, its tables and its card."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from vat.errors import shown
from vat.track.experiment import Experiment, errors_of_mlflow, without_password
from vat.track.points import log_points
from vat.track.settings import Tracking
from vat.track.sweep_run import ERROR, KIND, NAME

DATASET, DIGEST = "vat.dataset", "vat.digest"


class DatasetRun:
    """The run of the dataset of that name, or of another `kind`, opened again if there is one of the same identity. id: of the run."""

    def __init__(self, tracking: Tracking, name: str, digest: str, *, kind: str = "dataset") -> None:
        """Open the store, making it if it is new.

        Raises:
            BackendError: It cannot be reached.
        """
        from filelock import FileLock

        with errors_of_mlflow(tracking):
            tracking.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(tracking.folder / "mlflow.lock"):
                self._experiment = Experiment(tracking)
                condition = f"tags.`{KIND}` = '{kind}' and tags.`{DATASET}` = '{name}' and tags.`{DIGEST}` = '{digest}'"
                found = self._experiment.search(condition)
                tags = {KIND: kind, DATASET: name, DIGEST: digest, NAME: f"{kind} {name}"}
                self.id = str((found[0] if found else self._experiment.made(condition, tags)).info.run_id)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """The run is RUNNING inside the block; FINISHED after it, FAILED after an error, KILLED after an interruption."""
        client = self._experiment.client
        with self._experiment.errors():
            client.update_run(self.id, status="RUNNING")
        try:
            yield
        except BaseException as error:
            with contextlib.suppress(Exception):  # what went wrong first is what is said
                client.set_tag(self.id, ERROR, shown(without_password(str(error)), 400))
                self._end("FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        with self._experiment.errors():
            if ERROR in client.get_run(self.id).data.tags:
                client.delete_tag(self.id, ERROR)
            self._end("FINISHED")

    def show(self, params: Mapping[str, object], steps: Mapping[int, Mapping[str, float | None]], files: Sequence[tuple[Path, str | None]]) -> None:
        """Log what is not there yet.

        Args:
            steps: Step → metric → value.
            files: Each with the folder among the artifacts that it belongs to.
        """
        from mlflow.entities import Param

        client = self._experiment.client
        with self._experiment.errors():
            logged = client.get_run(self.id).data.params
            client.log_batch(self.id, params=[Param(key, str(value)[:6000]) for key, value in params.items() if key not in logged])
            result: dict[str, Any] = {"steps": {str(step): metrics for step, metrics in steps.items()}}
            log_points(client, self.id, self.id, result)
            for path, place in files:
                client.log_artifact(self.id, str(path), artifact_path=place)

    def _end(self, status: Literal["FINISHED", "FAILED", "KILLED"]) -> None:
        self._experiment.client.set_terminated(self.id, status)
