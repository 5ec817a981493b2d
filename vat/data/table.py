"""data=table data.path=…: a user's own CSV, JSONL or parquet file, with the columns of schema.py."""

from __future__ import annotations

from pathlib import Path

from vat.data.base import DataSource, Probes
from vat.data.schema import probes_from_rows, read_table
from vat.settings import settings
from vat.theory.base import Theory


@settings
class TableData(DataSource):
    """`path`: the file; its ending tells how it is read."""

    path: str

    def probes(self, theory: Theory) -> Probes:
        """Every row of the file as a probe.

        Raises:
            ConfigError: No such file.
            DataError: A row breaks a rule; the message names its line.
        """
        path = Path(self.path)
        return probes_from_rows(read_table(path), theory, where=str(path))
