"""How far the work is: a line with a rate and an ETA, in a log file a line now and then, and a note in the job's folder for others."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vat.models.base import Progress

PROGRESS = "progress.json"
NOTE_EVERY_S = 1.0


@contextmanager
def counter(name: str, total: int, *, unit: str, folder: Path | None = None) -> Iterator[Progress]:
    """Count up to `total` on stderr, and in a job's folder, while the block runs."""
    from tqdm import tqdm

    live = sys.stderr.isatty()
    with tqdm(total=total, desc=name, unit=f" {unit}", mininterval=0.2 if live else 10, leave=True, dynamic_ncols=live) as bar:
        noted = 0.0

        def progress(done: int, said: str = "") -> None:
            nonlocal noted
            if said:
                bar.set_postfix_str(said, refresh=False)
            bar.update(done)
            if folder and (time.monotonic() - noted >= NOTE_EVERY_S or bar.n >= total):
                noted = time.monotonic()
                rate = bar.format_dict["rate"] or bar.n / max(bar.format_dict["elapsed"], 1e-9)
                note_progress(folder, {"what": name, "unit": unit, "done": bar.n, "total": total, "per_s": rate, "said": said})

        progress(0)
        yield progress


def note_progress(folder: Path, state: Mapping[str, Any]) -> None:
    """Leave word of how far a job is: who works on it, and what it does. What was said before, and is not said again, stays."""
    draft = folder / f".{PROGRESS}.{os.getpid()}"
    with suppress(OSError):  # nothing depends on it
        whole = progress_of(folder) | {"host": socket.gethostname(), "pid": os.getpid(), "at": time.time()} | dict(state)
        draft.write_text(json.dumps(whole), encoding="utf-8")
        draft.replace(folder / PROGRESS)


def progress_of(folder: Path) -> dict[str, Any]:
    """What was left last; empty if there is nothing."""
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
        return found
    return {}


@contextmanager
def planned(root: Path, jobs: Mapping[str, str]) -> Iterator[None]:
    """While the block runs, jobs (key → name) are known to wait for their turn."""
    from filelock import FileLock

    place = root / "sweeps" / f"{socket.gethostname()}-{os.getpid()}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".lock")):
        place.with_suffix(".json").write_text(json.dumps(dict(jobs)), encoding="utf-8")
        try:
            yield
        finally:
            place.with_suffix(".json").unlink(missing_ok=True)
    place.with_suffix(".lock").unlink(missing_ok=True)


def waiting_jobs(root: Path) -> dict[str, str]:
    """Key → name of what is planned by sweeps that still run; what those that were killed have left is removed."""
    from filelock import FileLock, Timeout

    jobs: dict[str, str] = {}
    for file in (root / "sweeps").glob("*.json"):
        with suppress(OSError, ValueError):
            try:
                with FileLock(file.with_suffix(".lock"), timeout=0):
                    file.unlink(missing_ok=True)
            except Timeout:
                jobs |= json.loads(file.read_text(encoding="utf-8"))
    return jobs
