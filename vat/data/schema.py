"""Rows of files → probes, with every rule checked and every fault named by its line.

Columns: country, topic, scene, item, polarity, action; scene_id and split (train, test) are optional. Without scene_id, rows with the
same country, topic and scene text are one scene. Without split, the side of a row is what its file, or its split of a dataset, is called.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vat.data.base import Probes
from vat.errors import ConfigError, DataError, choose, shown
from vat.theory.base import Theory
from vat.types import Probe

TEXT_COLUMNS = ("country", "topic", "scene", "item", "action")
COLUMNS = (*TEXT_COLUMNS, "polarity")
OPTIONAL_COLUMNS = ("scene_id", "split")
ENDINGS = (".csv", ".jsonl", ".parquet")
Rows = Iterable[tuple[int, dict[str, Any]]]


class Part(NamedTuple):
    """Rows that stand together: those of a file, or of a split of a dataset.

    where: what messages call it. name: what it is called: `train…` and `test…` are sides of the data's own split.
    rows: (line number, column → cell) pairs.
    """

    where: str
    name: str
    rows: Rows


class Place(NamedTuple):
    """Where a row stands."""

    where: str
    line: int

    def __str__(self) -> str:
        return f"{self.where}:{self.line}"

    def seen_from(self, other: Place) -> str:
        """The same in short, for a message that names the other place."""
        return f"line {self.line}" if self.where == other.where else str(self)


class OnSide(NamedTuple):
    """The side that a scene is on, and the row that says so."""

    side: str
    place: Place


def probes_from_rows(rows: Rows, theory: Theory, *, where: str, item_column: str = "item") -> Probes:
    """Check the rows of one file, `where`, of which nobody asks for a split of its own. Else as `probes_from_parts`."""
    return probes_from_parts([Part(where, "", rows)], theory, item_column=item_column)


def probes_from_parts(parts: Sequence[Part], theory: Theory, *, item_column: str = "item", own_split: bool = False) -> Probes:
    """Check rows and bring them into scene order.

    Args:
        item_column: What the data call the item.
        own_split: Whether the split that comes with the data is wanted, and must be one of scenes into train and test.
    Raises:
        DataError: The first fault, with its line.
    """
    by_scene: dict[str, list[Probe]] = {}
    contexts: dict[str, tuple[str, str, str]] = {}
    places: dict[tuple[str, str, int, str], Place] = {}
    sides: dict[str, OnSide] = {}
    for part, (line, row) in ((of, row) for of in parts for row in of.rows):
        place = Place(part.where, line)
        probe = _probe(row, theory, str(place), item_column)
        context = (probe.country, probe.topic, probe.scene)
        if contexts.setdefault(probe.scene_id, context) != context:
            raise DataError(f"{place}: a scene_id has one country, topic, scene; got others for {probe.scene_id!r}. Use a new id.")
        if own_split:
            _note_side(sides, probe.scene_id, OnSide(_side(row.get("split", part.name), place), place))
        first = places.setdefault((probe.scene_id, probe.item, probe.polarity, probe.action), place)
        if first is not place:
            rule = f"{place}: an action stands once per scene, item and polarity; got a duplicate item"
            raise DataError(f"{rule}, see {first.seen_from(place)}. Drop it.")
        by_scene.setdefault(probe.scene_id, []).append(probe)
    if not places:
        raise DataError(f"{', '.join(part.where for part in parts)}: needs at least one row; got an empty file. Add rows.")
    test_scenes = frozenset(scene for scene, on in sides.items() if on.side == "test")
    return Probes(tuple(probe for scene in by_scene.values() for probe in scene), test_scenes if own_split else None)


def scene_text(country: str, topic: str) -> str:
    """The scene of actions that name none: their country and their topic, in words of ours."""
    return f"You live in {country}, and something comes up in your daily life that has to do with this topic: {topic}."


def read_table(path: Path, columns: Sequence[str] = COLUMNS) -> Rows:
    """Rows of a CSV, JSONL or parquet file with these columns, each with its line number (for parquet its row, from 1).

    Raises:
        ConfigError: No such file, or of no known kind.
        DataError: Not readable as what its ending says.
    """
    if not path.is_file():
        raise ConfigError(f"data.path: must be an existing file; got {path}. Check the path.")
    readers = dict(zip(ENDINGS, (_read_csv, _read_jsonl, _read_parquet), strict=True))
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
    polarity = polarity_of(row.get("polarity"))
    if polarity is None:
        raise DataError(f"{where}: polarity must be 1 or -1; got {shown(row.get('polarity'))}. Fix the row or drop it.")
    scene_id = row.get("scene_id")
    identity = " · ".join((text["country"], text["topic"], text["scene"])) if scene_id in (None, "") else str(scene_id)
    return Probe(identity, text["country"], text["topic"], text["scene"], item, polarity, text["action"])


def _side(cell: Any, place: Place) -> str:
    """train or test, as the cell or name begins."""
    side = re.match("[a-z]*", str(cell).strip().lower())
    if side is None or side.group() not in ("train", "test"):
        rule = f"{place}: split must be train or test, in a column or as the name of the file or split begins; got {shown(cell)}"
        raise DataError(f"{rule}. Leave others out (data=hub: data.splits=[train,test]), or set data.test_share=0.3 to draw a split.")
    return side.group()


def _note_side(sides: dict[str, OnSide], scene: str, here: OnSide) -> None:
    first = sides.setdefault(scene, here)
    if first.side != here.side:
        rule = f"{here.place}: a scene is on one side of a split; got {shown(scene)} in {here.side} and, see {first.place.seen_from(here.place)}"
        raise DataError(f"{rule}, in {first.side}. Set data.test_share=0.3 to draw a split by scene.")


def polarity_of(cell: Any) -> int | None:
    """1 or -1, or None for what is neither."""
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
