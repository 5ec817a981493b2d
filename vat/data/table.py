"""data=table data.path=…: a user's own CSV, JSONL or parquet file, or a folder of them, with the columns of schema.py."""

from __future__ import annotations

from pathlib import Path

from vat.data.base import DataSource, Probes
from vat.data.schema import ENDINGS, Part, probes_from_parts, read_table
from vat.errors import ConfigError
from vat.settings import settings
from vat.theory.base import Theory


@settings
class TableData(DataSource):
    """`path`: the file, whose ending tells how it is read; or a folder, whose files are one table."""

    path: str

    def probes(self, theory: Theory) -> Probes:
        """Every row of every file as a probe.

        Raises:
            ConfigError: No such file.
            DataError: A row breaks a rule; the message names its file and line.
        """
        parts = [Part(str(file), file.stem, read_table(file)) for file in _files(Path(self.path))]
        return probes_from_parts(parts, theory, own_split=self.test_share is None)


def _files(path: Path) -> list[Path]:
    """The file; or the tables in the folder, in the order of their names."""
    if not path.is_dir():
        return [path]
    if files := [file for file in sorted(path.iterdir()) if _is_table(file)]:
        return files
    inner = sorted({file.parent for file in path.glob("*/*") if _is_table(file)})
    step = f"Did you mean {inner[0]}?" if inner else "Check the path."
    raise ConfigError(f"data.path: a folder must hold .csv, .jsonl or .parquet files; got none in {path}. {step}")


def _is_table(path: Path) -> bool:
    return path.suffix in ENDINGS and not path.name.startswith(".") and path.is_file()
