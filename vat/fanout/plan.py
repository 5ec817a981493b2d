"""What a sweep is going to do: its points as distinct jobs, what each needs first, which are done, and what the rest will take."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vat.config import AlignSpec
from vat.errors import ConfigError
from vat.programs.align import baseline_of, describe, is_current, job_of
from vat.programs.size import size_of
from vat.track.job import Job

_KIND = ("model", "strategy", "shots", "test_scenes", "elicit.mode")
"""Parameters of a run by which finished jobs tell how long others like them take."""


@dataclass(frozen=True)
class Step:
    """A job of the plan.

    result: if it is done. needs: key of the job that must be done before it, None for a baseline. seconds: expected, None if nobody knows.
    """

    spec: AlignSpec
    job: Job
    result: Mapping[str, Any] | None
    needs: str | None
    seconds: float | None


class Plan:
    """The distinct jobs of points, each baseline before what needs it.

    Raises:
        ConfigError: The points contradict each other.
    """

    def __init__(self, specs: Sequence[AlignSpec]) -> None:
        self.points = [(spec, job_of(spec)) for spec in specs]
        _check_together(self.points)
        known = {job.key: (spec, job) for spec, job in _in_order(self.points)}
        results = {key: _result(spec, job) for key, (spec, job) in known.items()}
        history = _history(known) if None in results.values() else {}
        self.steps = [
            Step(spec, job, results[key], job_of(baseline_of(spec)).key if spec.strategy.has_target else None, _expected(spec, history))
            for key, (spec, job) in known.items()
        ]

    @property
    def waiting(self) -> list[Step]:
        """What is still to be done."""
        return [step for step in self.steps if step.result is None]

    @cached_property
    def lines(self) -> list[str]:
        """The plan for people."""
        baselines = sum(step.needs is None for step in self.steps)
        jobs = f"{_count(len(self.steps) - baselines, 'job')} and {_count(baselines, 'baseline')}"
        lines = [f"{_count(len(self.points), 'point')}: {jobs}, {len(self.steps) - len(self.waiting)} already done"]
        if not self.waiting:
            return lines
        ratings = sum(size_of(step.spec).ratings for step in self.waiting)
        known = [step.seconds for step in self.waiting if step.seconds is not None]
        rest = len(self.waiting) - len(known)
        time = f", about {duration(sum(known))} of work" if known else ""
        if rest:
            time += f" and {_count(rest, 'job')} of unknown length" if known else ", of unknown length: none like them is done yet"
        lines.append(f"To do: {_count(len(self.waiting), 'job')}, {ratings:,} ratings{time}")
        costs = [cost for step in self.waiting if (cost := size_of(step.spec).cost_usd) is not None]
        return [*lines, f"Servers: about ${sum(costs):.2f} for {_count(len(costs), 'job')}, by the prices of conf/model/"] if costs else lines


def _check_together(points: Sequence[tuple[AlignSpec, Job]]) -> None:
    """What a sweep cannot differ in: where it is kept and done, and how one and the same job is measured."""
    if len({id(spec.tracking) for spec, _ in points}) > 1:
        raise ConfigError("tracking: a sweep is kept in one place; got several. Launch one sweep for each.")
    if len({spec.cluster.shared for spec, _ in points}) > 1:
        names = ", ".join(f"cluster.{name}" for name in points[0][0].cluster.shared._fields)
        raise ConfigError(f"cluster: a sweep is done by one cluster in one way; got points that differ in one of {names}. Launch one sweep for each.")
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


def _result(spec: AlignSpec, job: Job) -> Mapping[str, Any] | None:
    result = job.result()
    return result if result is not None and is_current(job, result, spec) else None


def _history(known: Mapping[str, tuple[AlignSpec, Job]]) -> dict[tuple[Any, ...], float]:
    """Kind of job → seconds that a finished one took, the median of those kept in the same place."""
    folders = {job.folder.parent for _, job in known.values()}
    took: dict[tuple[Any, ...], list[float]] = {}
    for file in (file for folder in folders for file in folder.glob("*/result.json")):
        if found := _taken(file):
            took.setdefault(found[0], []).append(found[1])
    return {kind: statistics.median(seconds) for kind, seconds in took.items()}


def _taken(file: Path) -> tuple[tuple[Any, ...], float] | None:
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
        params = result["description"]["params"]
        return tuple(str(params.get(name, "")) for name in _KIND), float(result["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _expected(spec: AlignSpec, history: Mapping[tuple[Any, ...], float]) -> float | None:
    if not history:
        return None
    params = describe(spec).params
    return history.get(tuple(str(params.get(name, "")) for name in _KIND))


def duration(seconds: float) -> str:
    """For people: `2 h 5 min`, `3 min`, `40 s`."""
    hours, minutes = int(seconds // 3600), seconds / 60
    return f"{hours} h {int(minutes) % 60} min" if hours else f"{minutes:.0f} min" if minutes >= 1.5 else f"{seconds:.0f} s"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
