"""`-cn clean`: disk given back by finished jobs. What a job measured, and what it was measured from, stays."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from vat.align.checkpoints import MARKER, PREFIX
from vat.config import CleanSpec
from vat.programs.align import TRAINING
from vat.programs.status import gib, kept_jobs
from vat.track.job import Job


def clean(spec: CleanSpec) -> None:
    """Remove what the rules name of every finished job that nobody holds, and say how much that was.

    Raises:
        ConfigError: Nothing is kept there.
    """
    spec.tracking.require()
    freed = jobs = 0
    for job in kept_jobs(spec.tracking):
        if job.state != "done":
            continue
        with Job.left_alone(spec.tracking.folder, job.folder.name) as free:
            gone = list(_no_longer_needed(job.folder, spec)) if free else []
            size = sum(_size(path) for path in gone)
            if not spec.dry_run:
                for path in gone:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        if size:
            jobs, freed = jobs + 1, freed + size
            print(f"{job.folder.name}  {job.name}: {gib(size)}", flush=True)
    print(f"{'would free' if spec.dry_run else 'freed'} {gib(freed)} in {jobs} finished jobs; results stay", flush=True)


def _no_longer_needed(folder: Path, spec: CleanSpec) -> Iterator[Path]:
    """All that checkpoints hold but their markers, which say that training was done; and the answers in parts."""
    if spec.weights:
        for checkpoint in (folder / TRAINING).glob(f"{PREFIX}*"):
            yield from (path for path in checkpoint.iterdir() if path.name != MARKER)
    if spec.parts:
        yield from (path for path in [folder / "answers"] if path.is_dir())


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
