"""Files that are written whole or not at all, for the reader or the next run after a crash; and locks that go with their owner."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A draft to write to; when the block ends it takes the place of `path`, synced. After an error nothing has changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        synced(draft)
        draft.replace(path)
        synced(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def synced(path: Path) -> None:
    """What is written to a file, or which files a folder holds, is on disk when this returns."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def left_alone(lock: Path) -> Iterator[bool]:
    """Whether no process holds a lock, nor will as long as the block lasts."""
    from filelock import FileLock, Timeout

    ours = FileLock(lock)
    try:
        ours.acquire(timeout=0)
        free = True
    except Timeout:
        free = False
    try:
        yield free
    finally:
        ours.release()
