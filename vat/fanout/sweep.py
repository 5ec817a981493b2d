"""From points to finished jobs: preflight, plan, the work, and a closing table. A failure stays with its job."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vat import __version__
from vat.analyse.study import study_of
from vat.analyse.table import closing_table, described, trajectory_table
from vat.config import AlignSpec
from vat.errors import ConfigError
from vat.fanout.in_turn import in_turn
from vat.fanout.plan import Plan, Step
from vat.fanout.work import Outcome, outcome_of, say
from vat.files import whole_file
from vat.programs.align import describe, power_of, preflight, usage_of
from vat.programs.equal_gain import equal_gain_table
from vat.programs.progress import planned
from vat.programs.record import shifted_of
from vat.programs.replicates import false_discoveries, replicate_tables
from vat.track.experiment import without_password
from vat.track.job import Job
from vat.track.runs import Runs

Work = Callable[[Sequence[Step], Runs], Generator[tuple[Step, Outcome]]]
"""Does jobs, and yields each with its outcome as it ends."""


def run_points(
    specs: Sequence[AlignSpec],
    *,
    sweep: str | None,
    faults: Sequence[str] = (),
    settings: Sequence[str] = (),
    work: Work = in_turn,
    quiet: bool = False,
) -> list[dict[str, Any]]:
    """Do the jobs of all points and print the table.

    Args:
        settings: In what else than the table's columns the points differ, one text a point.
        faults: What is wrong already; reported together with what preflight finds.
        work: How the jobs that are not done yet are done.
        quiet: Without what the data can find and the tables, for a caller that has its own.
    Returns:
        One row a point, as `closing_table` takes them; none if only the plan was asked for.
    Raises:
        ConfigError: Every fault of every point, one line each; nothing was started.
    """
    found = list(dict.fromkeys([*faults, *preflight(specs)]))
    if found:
        raise ConfigError("\n".join(found))
    if not specs:
        raise ConfigError("sweep: must have at least one point; got none. Check the lists on the command line.")
    plan = Plan(specs)
    print("\n".join(plan.lines), flush=True)
    for line in dict.fromkeys(power_of(spec) for spec in specs if spec.strategy.has_target and not quiet):
        print(line, flush=True)
    if specs[0].cluster.dry_run:
        return []
    runs = Runs(specs[0].tracking, sweep)
    with runs.sweeping():
        runs.end_orphans()
        try:
            outcomes = _outcomes(plan, runs, work)
        except BaseException:
            runs.close_sweep("KILLED")
            raise
        failed = any(outcome.failure for outcome in outcomes.values())
        results = {key: outcome.result for key, outcome in outcomes.items() if outcome.result is not None}
        runs.close_sweep("FAILED" if failed else "FINISHED", None if failed else results, lambda jobs, folder: study_of(jobs).save(folder))
    rows = [_row(spec, job, outcomes.get(job.key, Outcome())) for spec, job in plan.points]
    rows = [row | {"settings": text} for row, text in zip(rows, settings or [""] * len(rows), strict=True)]
    rows = [row | {"q": q} for row, q in zip(rows, false_discoveries(rows), strict=True)]
    if not quiet:
        _print_tables(plan, rows, outcomes)
    return rows


def _outcomes(plan: Plan, runs: Runs, work: Work) -> dict[str, Outcome]:
    """Job → what became of it. MLflow is brought up to date with those that are done."""
    outcomes = {}
    published = runs.shows({step.job.key: step.result for step in plan.steps if step.result is not None})
    if not published and any(step.result is not None for step in plan.steps):
        runs.look_up()
    for step in plan.steps:
        if step.result is not None:
            outcomes[step.job.key] = outcome_of(step.spec, runs, wait=True, published=step.result if published else None)
            say(step.spec, outcomes[step.job.key])
    names = {step.job.key: describe(step.spec).name for step in plan.waiting}
    with planned(plan.points[0][0].tracking.folder, names), contextlib.closing(work(plan.waiting, runs)) as stream:
        for step, outcome in stream:
            outcomes[step.job.key] = outcome
            say(step.spec, outcome)
            if outcome.failure and step.spec.cluster.fail_fast:
                break
    return outcomes


def _print_tables(plan: Plan, rows: Sequence[dict[str, Any]], outcomes: Mapping[str, Outcome]) -> None:
    specs = [spec for spec, _ in plan.points]
    tables = _tables(specs[0].tracking.folder, rows, {job.key: job for _, job in plan.points})
    print("\n" + "\n\n".join([tables, *_spent(plan.steps, outcomes), _where_to_look(specs[0])]), flush=True)
    for caveat in dict.fromkeys(spec.model.capabilities().caveat for spec in specs if spec.model.capabilities().caveat):
        print(f"Note: {caveat}", flush=True)


def _tables(root: Path, rows: Sequence[dict[str, Any]], jobs: Mapping[str, Job]) -> str:
    """All tables; kept by what they are made of, as those over many replicates take their time."""
    digest = hashlib.sha256(json.dumps([__version__, rows], sort_keys=True, default=str).encode()).hexdigest()[:16]
    kept = root / "sweeps" / f"{digest}.txt"
    if kept.is_file():
        return kept.read_text(encoding="utf-8")
    states = {
        row["job"]: [partial(shifted_of, jobs[row["job"]].step_folder(step)) for step in sorted(map(int, row.get("steps", {})))] for row in rows
    }
    tables = [trajectory_table(rows), closing_table(rows), *replicate_tables(rows, states), equal_gain_table(rows, states)]
    text = "\n\n".join(filter(None, tables))
    with whole_file(kept) as draft:
        draft.write_text(text, encoding="utf-8")
    return text


def _row(spec: AlignSpec, job: Job, outcome: Outcome) -> dict[str, Any]:
    row = described(describe(spec).params) | {"job": job.key}
    if outcome.result is None:
        return row | {"failed": outcome.failure or "not done: the sweep ended before it. Run the same command again."}
    steps = outcome.result["steps"]
    return row | {"metrics": steps[max(steps, key=int)], "steps": steps}


def _spent(steps: Sequence[Step], outcomes: Mapping[str, Outcome]) -> list[str]:
    """What the jobs have cost since they were begun, in a line; none where no server counts."""
    results = [outcomes.get(step.job.key, Outcome()).result for step in steps]
    usages = [usage_of(step.spec, step.job) if result is None else result["usage"] for step, result in zip(steps, results, strict=True)]
    usages = [usage for usage in usages if usage]
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
