"""From points to finished jobs: plan, preflight, baselines first, each job once, and a closing table. A failure stays with its job."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Any

from vat.analyse.table import closing_table, described
from vat.config import AlignSpec
from vat.errors import ConfigError, VatError
from vat.programs.align import align, baseline_of, describe, is_current, job_of, power_of, preflight, usage_of
from vat.programs.equal_gain import equal_gain_table
from vat.programs.replicates import false_discoveries, replicate_tables
from vat.track.job import Job
from vat.track.runs import Runs, without_password


def run_points(specs: Sequence[AlignSpec], *, sweep: str | None, faults: Sequence[str] = (), settings: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Do the jobs of all points, one after the other, and print the table.

    Args:
        settings: In what else than the table's columns the points differ, one text a point.
        faults: What is wrong already; reported together with what preflight finds.
    Returns:
        One row a point, as `closing_table` takes them.
    Raises:
        ConfigError: Every fault of every point, one line each; nothing was started.
    """
    found = list(dict.fromkeys([*faults, *(fault for spec in specs for fault in preflight(spec))]))
    if found:
        raise ConfigError("\n".join(found))
    if not specs:
        raise ConfigError("sweep: must have at least one point; got none. Check the lists on the command line.")
    points = [(spec, job_of(spec)) for spec in specs]
    _check_together(points)
    todo = _in_order(points)
    waiting = [(spec, job) for spec, job in todo if not _done(spec, job)]
    baselines = sum(not spec.strategy.has_target for spec, _ in todo)
    jobs = f"{_count(len(todo) - baselines, 'job')} and {_count(baselines, 'baseline')}"
    print(f"{_count(len(specs), 'point')}: {jobs}, {len(todo) - len(waiting)} already done", flush=True)
    for line in dict.fromkeys(power_of(spec) for spec in specs if spec.strategy.has_target):
        print(line, flush=True)
    runs = Runs(specs[0].tracking, sweep)
    try:
        results, failed = _run(todo, runs)
    except BaseException:
        runs.close_sweep("KILLED")
        raise
    runs.close_sweep("FAILED" if failed else "FINISHED")
    rows = [_row(spec, job, results.get(job.key), failed.get(job.key)) for spec, job in points]
    rows = [row | {"settings": text} for row, text in zip(rows, settings or [""] * len(rows), strict=True)]
    rows = [row | {"q": q} for row, q in zip(rows, false_discoveries(rows), strict=True)]
    folders = {job.key: [job.step_folder(step) for step in sorted(map(int, results[job.key]["steps"]))] for _, job in points if job.key in results}
    equal_gain = filter(None, [equal_gain_table(rows, folders)])
    tables = [closing_table(rows), *replicate_tables(rows, folders), *equal_gain, *_spent(todo), _where_to_look(specs[0])]
    print("\n" + "\n\n".join(tables), flush=True)
    for caveat in dict.fromkeys(spec.model.capabilities().caveat for spec in specs if spec.model.capabilities().caveat):
        print(f"Note: {caveat}", flush=True)
    return rows


def _check_together(points: Sequence[tuple[AlignSpec, Job]]) -> None:
    """What a sweep cannot differ in: where it is kept, and how one and the same job is measured."""
    if len({id(spec.tracking) for spec, _ in points}) > 1:
        raise ConfigError("tracking: a sweep is kept in one place; got several. Launch one sweep for each.")
    measures: dict[str, object] = {}
    for spec, job in points:
        if measures.setdefault(job.key, spec.measures) != spec.measures:
            raise ConfigError("measure: a job of a sweep is measured in one way; got several. Use measure=[…] or launch one after the other.")


def _in_order(points: Sequence[tuple[AlignSpec, Job]]) -> list[tuple[AlignSpec, Job]]:
    """Distinct jobs: one model after the other, so that each is loaded once, and each baseline before what needs it."""
    models = list(dict.fromkeys(id(spec.model) for spec, _ in points))
    ordered: dict[str, tuple[AlignSpec, Job]] = {}
    for model in models:
        own = [(spec, job) for spec, job in points if id(spec.model) == model]
        befores = [baseline_of(spec) for spec, _ in own]
        for spec, job in [*((before, job_of(before)) for before in befores), *own]:
            ordered.setdefault(job.key, (spec, job))
    return list(ordered.values())


def _run(todo: Sequence[tuple[AlignSpec, Job]], runs: Runs) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    results: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    loaded = None
    for spec, job in todo:
        if loaded is not None and loaded is not spec.model:
            loaded.unload()
        loaded = spec.model
        try:
            results[job.key] = align(spec, runs)
        except VatError as error:
            failed[job.key] = str(error)
            print(f"{describe(spec).name}: {error}", flush=True)
        except OSError as error:
            failed[job.key] = f"{job.folder}: must be a folder with room to write; got {error.strerror}. Make room and run the same command again."
            print(f"{describe(spec).name}: {failed[job.key]}", flush=True)
        except Exception as error:  # a fault of ours in one job must not cost the others
            failed[job.key] = f"{type(error).__name__}: {error}"
            traceback.print_exc()
    return results, failed


def _done(spec: AlignSpec, job: Job) -> bool:
    result = job.result()
    return result is not None and is_current(job, result, spec)


def _row(spec: AlignSpec, job: Job, result: dict[str, Any] | None, failure: str | None) -> dict[str, Any]:
    row = described(describe(spec).params) | {"job": job.key}
    if result is None:
        return row | {"failed": failure or "not run"}
    return row | {"metrics": result["steps"][max(result["steps"], key=int)]}


def _spent(todo: Sequence[tuple[AlignSpec, Job]]) -> list[str]:
    """What the jobs have cost since they were begun, in a line; none where no server counts."""
    usages = [usage for spec, job in todo if (usage := usage_of(spec, job))]
    if not usages:
        return []
    read, written = (sum(usage[name] for usage in usages) for name in ("tokens_read", "tokens_written"))
    priced = [usage["cost_usd"] for usage in usages if "cost_usd" in usage]
    money = f", ${sum(priced):.4f}" if len(priced) == len(usages) else ", at prices that are not known"
    return [f"These jobs and baselines have taken {read:,.0f} tokens read and {written:,.0f} written{money}."]


def _where_to_look(spec: AlignSpec) -> str:
    uri = without_password(spec.tracking.store_uri.removesuffix("?timeout=60"))
    see = f"MLflow at {uri}" if uri.startswith("http") else f"mlflow ui --backend-store-uri {uri}"
    return f"Files of a job: {spec.tracking.folder / 'jobs'}/<job>/    Runs: {see}, experiment {spec.tracking.experiment}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
