"""What people said of a dataset, in the run of MLflow that stands for the dataset."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from vat.track.experiment import Experiment, errors_of_mlflow
from vat.track.settings import Tracking
from vat.track.sweep_run import KIND

DATASET = "vat.dataset"
"""Tag of a dataset's run: its name."""
PLACE = "human"
"""Folder of the artifacts, and what the names of the metrics begin with."""


def log_human(tracking: Tracking, dataset: str, files: Sequence[Path], found: Mapping[str, float]) -> str | None:
    """Log files and numbers to the run of a dataset. What is not defined is not logged, nor what the run shows already.

    Returns:
        The id of the run; None if there is none, or no store: none is made.
    Raises:
        BackendError: MLflow is there, but cannot take them.
    """
    from filelock import FileLock

    if not re.fullmatch(r"[\w. -]+", dataset) or (tracking.uri is None and not (tracking.folder / "mlflow.db").is_file()):
        return None
    with errors_of_mlflow(tracking):
        from mlflow.entities import Metric

        tracking.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(tracking.folder / "mlflow.lock"):
            experiment = Experiment(tracking)
        runs = experiment.search(f"tags.`{KIND}` = 'dataset' and tags.`{DATASET}` = '{dataset}'")
        if not runs:
            return None
        run = runs[0]
        now, shown = int(time.time() * 1000), run.data.metrics
        numbers = {f"{PLACE}/{name}": x for name, x in found.items()}
        metrics = [Metric(name, x, now, 0) for name, x in numbers.items() if math.isfinite(x) and shown.get(name) != x]
        experiment.client.log_batch(run.info.run_id, metrics=metrics)
        for file in files:
            experiment.client.log_artifact(run.info.run_id, str(file), PLACE)
        return str(run.info.run_id)
