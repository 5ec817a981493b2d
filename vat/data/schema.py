"""Rows of a file → probes, with every rule checked and every fault named by its line.

Columns: country, topic, scene, item, polarity, action; scene_id is optional. Without scene_id, rows with the same country, topic and
scene text are one scene.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vat.data.base import Probes
from vat.errors import ConfigError, DataError, choose, shown
from vat.theory.base import Theory
from vat.types import Probe

TEXT_COLUMNS = ("country", "topic", "scene", "item", "action")
COLUMNS = (*TEXT_COLUMNS, "polarity")
Rows = Iterable[tuple[int, dict[str, Any]]]


def probes_from_rows(rows: Rows, theory: Theory, *, where: str, item_column: str = "item") -> Probes:
    """Check rows and bring them into scene order.

    Args:
        rows: (line number, column → cell) pairs.
        where: Name of the file, for messages.
        item_column: What the file calls the item.
    Raises:
        DataError: The first fault, with its line.
    """
    by_scene: dict[str, list[Probe]] = {}
    contexts: dict[str, tuple[str, str, str]] = {}
    lines: dict[tuple[str, str, int, str], int] = {}
    for line, row in rows:
        probe = _probe(row, theory, f"{where}:{line}", item_column)
        context = (probe.country, probe.topic, probe.scene)
        if contexts.setdefault(probe.scene_id, context) != context:
            raise DataError(f"{where}:{line}: a scene_id has one country, topic, scene; got others for {probe.scene_id!r}. Use a new id.")
        identity = (probe.scene_id, probe.item, probe.polarity, probe.action)
        if identity in lines:
            first = lines[identity]
            raise DataError(f"{where}:{line}: an action stands once per scene, item and polarity; got a duplicate item, see line {first}. Drop it.")
        lines[identity] = line
        by_scene.setdefault(probe.scene_id, []).append(probe)
    if not lines:
        raise DataError(f"{where}: needs at least one row; got an empty file. Add rows.")
    return Probes(tuple(probe for scene in by_scene.values() for probe in scene))


def read_table(path: Path, columns: Sequence[str] = COLUMNS) -> Rows:
    """Rows of a CSV, JSONL or parquet file with these columns, each with its line number (for parquet its row, from 1).

    Raises:
        ConfigError: No such file, or of no known kind.
        DataError: Not readable as what its ending says.
    """
    if not path.is_file():
        raise ConfigError(f"data.path: must be an existing file; got {path}. Check the path.")
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise ConfigError(f"data.path: must end in .csv, .jsonl or .parquet; got {path.name}. Convert or rename it.")
    try:
        return readers[path.suffix](path, columns)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: must be UTF-8 text; got byte {error.object[error.start]:#x} at {error.start}. Save it as UTF-8.") from error


def _require(where: str, found: Sequence[str], needed: Sequence[str]) -> None:
    for column in needed:
        if column not in found:
            raise DataError(f"{where}: needs a column {column!r}; got {', '.join(found) or 'none'}. Add or rename it.")
        if found.count(column) > 1:
            raise DataError(f"{where}: a column stands once; got {column!r} {found.count(column)} times. Remove one.")


def _probe(row: Mapping[str, Any], theory: Theory, where: str, item_column: str) -> Probe:
    text: dict[str, str] = {}
    for column in TEXT_COLUMNS:
        cell = row.get(column)
        if not isinstance(cell, str) or not cell.strip():
            raise DataError(f"{where}: {column} must be text; got {shown(cell)}. Fix the row or drop it.")
        text[column] = cell.strip()
    item = {name.lower(): name for name in theory.items}.get(text["item"].lower())
    if item is None:
        raise DataError(f"{where}: {item_column} must belong to theory {theory.name}; got {text['item']!r}. {choose(text['item'], theory.items)}")
    polarity = _polarity(row.get("polarity"))
    if polarity is None:
        raise DataError(f"{where}: polarity must be 1 or -1; got {shown(row.get('polarity'))}. Fix the row or drop it.")
    scene_id = row.get("scene_id")
    identity = " · ".join((text["country"], text["topic"], text["scene"])) if scene_id in (None, "") else str(scene_id)
    return Probe(identity, text["country"], text["topic"], text["scene"], item, polarity, text["action"])


def _polarity(cell: Any) -> int | None:
    try:
        number = 0.0 if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError):
        return None
    return int(number) if number in (1.0, -1.0) else None


def _read_csv(path: Path, columns: Sequence[str]) -> Rows:
    reader = csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""))
    try:
        header = list(reader.fieldnames or [])
        if header:
            _require(str(path), header, columns)
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: must be CSV; got {error}. Fix the row or drop it.") from error


def _read_jsonl(path: Path, columns: Sequence[str]) -> Rows:
    rows = []
    for line, text in enumerate(path.read_bytes().decode("utf-8-sig").split("\n"), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{line}: must be one JSON object; got {shown(text, 60)}. Fix the row or drop it.") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{line}: must be one JSON object; got {shown(row, 60)}. Fix the row or drop it.")
        _require(f"{path}:{line}", list(row), columns)
        rows.append((line, row))
    return rows


def _read_parquet(path: Path, columns: Sequence[str]) -> Rows:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: must be a parquet file; got {shown(str(error), 80)}. Convert it.") from error
    _require(str(path), table.column_names, columns)
    return list(enumerate(table.to_pylist(), start=1))
