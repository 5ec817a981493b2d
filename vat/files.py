"""Writing files so that a reader, or the next run after a crash, sees all of a file or nothing."""

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
