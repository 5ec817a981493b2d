"""Answers of a model on disk, by prompt: parquet parts that are only ever added, so that an interrupted job loses seconds.

A part is written every few seconds, later ever more rarely: whole or not at all, and never changed. What is there is not asked again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vat.files import whole_file
from vat.types import LABELS, Answered, Answers, Prompt, answers_of

if TYPE_CHECKING:
    import pyarrow

EVERY_S, SHARE = 0.5, 0.01
"""A part is due this many seconds after the last, or after this share of the time since the first answer, whichever is later."""
_PROBABILITIES = [f"p{label}" for label in LABELS]
_TOKENS = ["tokens_read", "tokens_written"]


class PartStore:
    """The parts in a folder. A prompt's key is the digest of its text and labels."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting: list[pyarrow.Table] = []
        self._tables: dict[Path, pyarrow.Table] = {}
        self._place_of: dict[bytes, tuple[Path, int]] = {}
        self._since = self._last = time.monotonic()

    def read(self, prompts: Sequence[Prompt]) -> Answered:
        """The answers there are to these prompts, and to which of them; a part that cannot be read is set aside."""
        import pyarrow

        self._look()
        places = [(row, *self._place_of[key]) for row, key in enumerate(map(_key, prompts)) if key in self._place_of]
        if not places:
            return Answered([], answers_of(None, None))
        of_part: dict[Path, list[tuple[int, int]]] = {}
        for row, path, place in places:
            of_part.setdefault(path, []).append((row, place))
        rows = [row for pairs in of_part.values() for row, _ in pairs]
        parts = [self._tables[path].take(pyarrow.array([place for _, place in pairs])) for path, pairs in of_part.items()]
        found = pyarrow.concat_tables(parts).take(pyarrow.array(np.argsort(rows, kind="stable")))
        return Answered(sorted(rows), Answers(
            _columns(found, _PROBABILITIES), found["mass"].to_numpy(), tuple(found["text"].to_pylist()), _columns(found, _TOKENS)
        ))  # fmt: skip

    def write(self, prompts: Sequence[Prompt], answers: Answers) -> None:
        """Keep more answers, in the next part that is due."""
        import pyarrow

        if not self._waiting and not self._paths():
            self._since = self._last = time.monotonic()
        columns = {"prompt": list(map(_key, prompts))}
        columns |= dict(zip(_PROBABILITIES, answers.probability_N5.T, strict=True)) | {"mass": answers.mass_N, "text": list(answers.text_N)}
        columns |= dict(zip(_TOKENS, answers.tokens_N2.T, strict=True))
        self._waiting.append(pyarrow.table(columns))
        self.settle()

    def settle(self) -> None:
        """Write a part of what waits, if one is due."""
        now = time.monotonic()
        if self._waiting and now - self._last >= max(EVERY_S, SHARE * (now - self._since)):
            self.close()

    def close(self) -> None:
        """Write a part of what waits."""
        import pyarrow
        from pyarrow import parquet

        if self._waiting:
            number = max((int(path.stem.removeprefix("part-")) for path in self._paths("part-*.*")), default=-1) + 1
            with whole_file(self.folder / f"part-{number:05d}.parquet") as draft:
                parquet.write_table(pyarrow.concat_tables(self._waiting), draft)
            self._waiting, self._last = [], time.monotonic()

    def tokens(self) -> tuple[float, float]:
        """Tokens read and written for all lists of the job, of which this store is one."""
        return tokens_in(self.folder.parent)

    def count(self) -> int:
        """How many answers the parts hold."""
        self._look()
        return sum(map(len, self._tables.values()))

    def _look(self) -> None:
        """Take notice of parts that were not there before; a part never changes, and of two answers what came first counts."""
        for path in self._paths():
            if path not in self._tables and (table := _table(path)) is not None:
                self._tables[path] = table
                for place, key in enumerate(table["prompt"].to_pylist()):
                    self._place_of.setdefault(key, (path, place))

    def _paths(self, pattern: str = "part-*.parquet") -> list[Path]:
        return sorted(self.folder.glob(pattern))


def tokens_in(folder: Path) -> tuple[float, float]:
    """Tokens read and written for all stores in a folder, as far as a server counted them."""
    tables = [table for path in sorted(folder.glob("*/part-*.parquet")) if (table := _table(path)) is not None]
    read, written = (float(sum(np.nansum(table[name].to_numpy()) for table in tables)) for name in _TOKENS)
    return read, written


def _table(path: Path) -> pyarrow.Table | None:
    """A part, or None where it is damaged; then it is set aside."""
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowInvalid, OSError):
        path.rename(path.with_suffix(".torn"))
        print(f"{path}: is damaged and was set aside; what it held is asked again", flush=True)
        return None
    return table


def _columns(table: pyarrow.Table, names: Sequence[str]) -> np.ndarray:
    return np.stack([table[name].to_numpy() for name in names], axis=1)


def _key(prompt: Prompt) -> bytes:
    told = prompt if prompt.draw else prompt[:-1]  # as it was before there were several draws
    return hashlib.sha256(json.dumps(told).encode()).digest()
