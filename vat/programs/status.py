"""`-cn status`: what became of every job that is kept in a place, what runs now, and how much disk all of it holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from vat.analyse.table import plain_table
from vat.programs.progress import progress_of, waiting_jobs
from vat.track.job import Job
from vat.track.runs import Runs
from vat.track.settings import Tracking

GIB = 2**30
STATES = ("running", "waiting", "failed", "interrupted", "done")


class Kept(NamedTuple):
    """A job's folder. state: one of STATES. at: how far it is, or why it failed. weights, rest: bytes on disk."""

    folder: Path
    name: str
    state: str
    at: str
    weights: int
    rest: int


def status_lines(tracking: Tracking) -> list[str]:
    """The table and its sums; what is done is counted, not listed.

    Raises:
        ConfigError: Nothing is kept there.
    """
    tracking.require()
    jobs = sorted(kept_jobs(tracking), key=lambda job: (STATES.index(job.state), job.name))
    listed = [job for job in jobs if job.state != "done"]
    header = ("state", "job", "name", "at", "weights", "rest")
    rows = [[job.state, job.folder.name, job.name, job.at, gib(job.weights), gib(job.rest)] for job in listed]
    lines = [plain_table(header, rows, left={"state", "job", "name", "at"}), ""] if rows else []
    count = Counter(job.state for job in jobs)
    sums = ", ".join(f"{count[state]} {state}" for state in STATES if count[state]) or "no jobs"
    disk = f"{gib(sum(job.weights for job in jobs))} of weights and {gib(sum(job.rest for job in jobs))} of all else"
    return [*lines, f"{tracking.folder / 'jobs'}: {sums}; {disk}"]


def kept_jobs(tracking: Tracking) -> Iterator[Kept]:
    """Every job whose folder is there, and those that a sweep has planned."""
    errors, waiting = Runs(tracking, None).errors(), waiting_jobs(tracking.folder)
    for folder in sorted((tracking.folder / "jobs").glob("*/")):
        weights, rest = _sizes(folder)
        now = progress_of(folder)
        result = _description(folder)
        if result is not None:
            state, name, at = "done", result.get("name", ""), ""
        else:
            with Job.left_alone(tracking.folder, folder.name) as free:
                state = ("failed" if folder.name in errors else "interrupted") if free else "running"
            name = str(now.get("what", ""))
            at = errors[folder.name] if state == "failed" else _at(now)
        if state in ("failed", "interrupted") and folder.name in waiting:
            state = "waiting"
        yield Kept(folder, name or waiting.get(folder.name, ""), state, at, weights, rest)
    for key, name in waiting.items():
        if not (tracking.folder / "jobs" / key).is_dir():
            yield Kept(tracking.folder / "jobs" / key, name, "waiting", "", 0, 0)


def gib(count: int) -> str:
    """Bytes for people."""
    return f"{count / GIB:.2f} GiB" if count >= GIB / 100 else f"{count / 2**20:.1f} MiB"


def _description(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8")).get("description", {})
        return found
    except (OSError, ValueError):
        return None


def _sizes(folder: Path) -> tuple[int, int]:
    weights = rest = 0
    for file in folder.rglob("*"):
        try:
            size = file.stat().st_size if file.is_file() else 0
        except OSError:  # gone since it was listed
            continue
        if "training" in file.relative_to(folder).parts[:1]:
            weights += size
        else:
            rest += size
    return weights, rest


def _at(now: dict[str, Any]) -> str:
    if not now.get("total"):
        return str(now.get("said", ""))
    left = f", {(now['total'] - now['done']) / now['per_s']:.0f} s left" if now.get("per_s") else ""
    return f"{now['done']}/{now['total']} {now.get('unit', '')}{left}" + (f", {now['said']}" if now.get("said") else "")
