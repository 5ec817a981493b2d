"""Answers of a model on disk, one parquet file a part, so that an interrupted job loses at most one part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vat.track.files import whole_file
from vat.types import LABELS, LabelScores, Prompt

_DIGEST = b"prompts_sha256"


class PartStore:
    """Parts in a folder; each carries the digest of its prompts and is written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, part: int, prompts: Sequence[Prompt]) -> LabelScores | None:
        """The answers to this part, or None if there are none to exactly these prompts."""
        import pyarrow
        from pyarrow import parquet

        path = self._path(part)
        if not path.is_file():
            return None
        try:
            table = parquet.read_table(path)
        except (pyarrow.ArrowInvalid, OSError):
            path.rename(path.with_suffix(".torn"))
            return None
        if (table.schema.metadata or {}).get(_DIGEST) != _digest(prompts):
            return None
        columns = [table[f"p{label}"].to_numpy() for label in LABELS]
        return LabelScores(np.stack(columns, axis=1), table["mass"].to_numpy())

    def write(self, part: int, prompts: Sequence[Prompt], scores: LabelScores) -> None:
        """Keep the answers to this part."""
        import pyarrow
        from pyarrow import parquet

        columns = {f"p{label}": scores.probability_N5[:, n] for n, label in enumerate(LABELS)} | {"mass": scores.mass_N}
        table = pyarrow.table(columns).replace_schema_metadata({_DIGEST: _digest(prompts)})
        with whole_file(self._path(part)) as draft:
            parquet.write_table(table, draft)

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part:05d}.parquet"


def _digest(prompts: Sequence[Prompt]) -> bytes:
    total = hashlib.sha256()
    for prompt in prompts:
        total.update(json.dumps(prompt).encode())
    return total.hexdigest().encode()
