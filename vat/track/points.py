"""The metrics of a job in MLflow: each value at its step once, however often a job was begun again; and a model for each checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY, STEP = "vat.job_key", "vat.step"
CLOCKED = {"train/tokens_per_s"}
"""Metrics that a step which is done again gives anew; the first is shown."""
BATCH = 500


def log_points(client: MlflowClient, run_id: str, key: str, result: Mapping[str, Any]) -> None:
    """Log the metrics of a job's result, as far as there is one, that its run does not show yet. What is not defined is not logged."""
    from mlflow.entities import Metric

    there, latest = _shown(client, run_id)
    now = max(int(time.time() * 1000), latest + 1)  # MLflow shows the point of a step that was logged last
    steps: dict[int, Mapping[str, Any]] = {int(step): metrics for step, metrics in result["steps"].items()}
    training = result.get("training", ())
    models, of_models = _models(client, run_id, key, sorted(steps)) if training else ({}, {})
    points = [(name, step, value, models.get(step)) for step, values in steps.items() for name, value in values.items() if value is not None]
    points += [(name, max(steps), value, None) for name, value in result.get("usage", {}).items()]
    points += [(f"train/{name}", int(row["step"]), value, None) for row in training for name, value in row.items() if name != "step"]
    metrics = []
    for name, step, x, model in points:
        value, at = there.get((name, step), (None, now))
        if not math.isfinite(x) or (name in CLOCKED and value is not None):
            continue
        if value != x:
            metrics.append(Metric(name, x, now, step, model_id=model))
        elif model and of_models.get((model, name)) != x:  # killed when the run had it and its model had not: the run knows it by its time
            metrics.append(Metric(name, x, at, step, model_id=model))
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])


def _shown(client: MlflowClient, run_id: str) -> tuple[dict[tuple[str, int], tuple[float, int]], int]:
    """What the run shows already, (metric, step) → value and when it was logged, in ms; and when the last of it was."""
    run = client.get_run(run_id)
    histories = (client.get_metric_history(run_id, name) for name in run.data.metrics)
    points = sorted((point for history in histories for point in history), key=lambda point: int(point.timestamp))
    return {(point.key, point.step): (point.value, point.timestamp) for point in points}, points[-1].timestamp if points else 0


def _models(client: MlflowClient, run_id: str, key: str, steps: Sequence[int]) -> tuple[dict[int, str], dict[tuple[str, str], float]]:
    """Step → id of the model that stands for that checkpoint, each made once; and (id, metric) → value. Weights stay on disk."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    run = client.get_run(run_id)
    found = client.search_logged_models([run.info.experiment_id], filter_string=f"source_run_id = '{run_id}'", max_results=1000)
    models = {int(model.tags[STEP]): model.model_id for model in found if STEP in model.tags}
    whole = {output.model_id for output in run.outputs.model_outputs} if run.outputs else set()
    for step in steps:
        if step not in models:
            made = client.create_logged_model(
                run.info.experiment_id, name=f"{key}-step-{step}", source_run_id=run_id, tags={STEP: str(step), KEY: key}
            )
            models[step] = made.model_id
        if models[step] not in whole:
            client.finalize_logged_model(models[step], LoggedModelStatus.READY)
            client.log_outputs(run_id, [LoggedModelOutput(models[step], step)])
    points = sorted(((metric.timestamp, model.model_id, metric) for model in found for metric in model.metrics or ()), key=lambda point: point[0])
    return models, {(model, metric.key): metric.value for _, model, metric in points}
