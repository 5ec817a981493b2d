"""data=hub data.name=…: a published dataset, from the Hugging Face hub or a directory, through a map of its columns to ours."""

from __future__ import annotations

from dataclasses import field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from vat.data.base import DataSource, Probes
from vat.data.loading import Loaded, load
from vat.data.schema import COLUMNS, OPTIONAL_COLUMNS, Part, Place, Rows, polarity_of, probes_from_parts, scene_text
from vat.errors import ConfigError, DataError, choose, shown
from vat.settings import settings
from vat.theory.base import Theory

MAY_LACK = ("country", "topic", "scene", *OPTIONAL_COLUMNS)
ONE_LEVEL = "any"
"""The country, or the topic, of all rows where the data know none."""


def word(cell: object) -> str:
    """A cell as data.polarity names it: 1, 1.0 and "1" are the same."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _named(cells: object) -> object:
    return {word(cell): side for cell, side in cells.items()} if isinstance(cells, dict) else cells


def _several(names: object) -> object:
    return [names] if isinstance(names, str) else names


@settings
class HubData(DataSource):
    """A dataset by name.

    name: on the hub, or a directory; see `vat.data.loading`.
    config: which of its configurations. revision: commit, tag or branch on the hub; the commit it stands for is what is kept.
    columns: our column → theirs, where they differ. None for one that they lack: without `scene` a scene is made of country and topic;
        without `country` or `topic` all scenes share one; `scene_id` and `split` are then left alone.
    polarity: their cell → 1 or -1.
    splits: which of its splits; None for all.
    """

    name: Annotated[str, Field(min_length=1)]
    config: str | None
    revision: str | None
    columns: dict[str, str | None] | None = field(hash=False)
    polarity: Annotated[dict[str, Literal[1, -1]] | None, BeforeValidator(_named)] = field(hash=False)
    splits: Annotated[tuple[str, ...] | None, BeforeValidator(_several)]

    def probes(self, theory: Theory) -> Probes:
        """Every row of the splits as a probe, splits in the order of their names.

        Raises:
            ConfigError: The dataset, a split or a column is not there.
            DataError: A row breaks a rule; the message names split and row.
        """
        self._check_columns()
        splits = self._loaded().splits
        if absent := [split for split in self.splits or () if split not in splits]:
            raise ConfigError(f"data.splits: must be splits of {self.name}; got {shown(absent[0])}. {choose(absent[0], splits)}")
        parts = [Part(where := f"{self.name}[{split}]", split, self._rows(splits[split], where)) for split in sorted(self.splits or splits)]
        return probes_from_parts(parts, theory, item_column=self._map.get("item") or "item", own_split=self.test_share is None)

    def to_keep(self) -> DataSource:
        """With the commit that was read, for a branch moves on."""
        return self if Path(self.name).is_dir() else replace(self, revision=self._loaded().commit)

    def _loaded(self) -> Loaded:
        return load(self.name, self.config, self.revision)

    @property
    def _map(self) -> dict[str, str | None]:
        return self.columns or {}

    def _check_columns(self) -> None:
        ours = (*COLUMNS, *OPTIONAL_COLUMNS)
        for column, theirs in self._map.items():
            if column not in ours:
                raise ConfigError(f"data.columns: maps columns of ours to theirs; got {shown(column)} as ours. {choose(column, ours)}")
            if theirs is None and column not in MAY_LACK:
                raise ConfigError(f"data.columns.{column}: must be a column of theirs; got null. Use 'data.columns={{{column}: …}}'.")
        lacking = {column for column in ("country", "topic", "scene") if self._map.get(column, column) is None}
        if "scene" in lacking and len(lacking) > 1:
            others = " and ".join(sorted(lacking - {"scene"}))
            raise ConfigError(f"data.columns.scene: null makes scenes of country and topic; got null for {others}. Map them.")

    def _rows(self, split: Any, where: str) -> Rows:
        """Rows of a split with our columns."""
        theirs = self._their_columns(split.column_names, where)
        table = split.select_columns(sorted(set(theirs.values())))
        classes = {column: feature.names for column, feature in table.features.items() if hasattr(feature, "names")}
        for line, row in enumerate(table.to_list(), start=1):
            cells = {ours: _by_name(row[column], classes.get(column)) for ours, column in theirs.items()}
            yield line, self._completed(cells, Place(where, line))

    def _their_columns(self, found: list[str], where: str) -> dict[str, str]:
        """Our column → theirs, less those that they lack."""
        wanted = {ours: self._map.get(ours, ours) for ours in COLUMNS}
        wanted |= {ours: self._map.get(ours, ours if ours in found else None) for ours in OPTIONAL_COLUMNS}
        theirs = {ours: column for ours, column in wanted.items() if column is not None}
        if absent := {ours: column for ours, column in theirs.items() if column not in found}:
            needed = ", ".join(repr(column) if ours == column else f"{column!r} for {ours}" for ours, column in absent.items())
            rule = f"{where}: needs a column {needed}; got {', '.join(found)}"
            raise DataError(f"{rule}. Map them: 'data.columns={{{', '.join(f'{ours}: …' for ours in absent)}}}'.")
        return theirs

    def _completed(self, cells: dict[str, Any], place: Place) -> dict[str, Any]:
        """A row with what it lacks, and its polarity as ours."""
        row = {"country": ONE_LEVEL, "topic": ONE_LEVEL, **cells}
        row.setdefault("scene", scene_text(row["country"], row["topic"]))
        polarity = (self.polarity or {}).get(word(row["polarity"]), row["polarity"])
        if polarity_of(polarity) is None:
            rule = f"{place}: polarity must be 1 or -1, or a cell that data.polarity knows; got {shown(row['polarity'])}"
            raise DataError(f"{rule}. Add it: 'data.polarity={{…: 1, …: -1}}'.")
        return row | {"polarity": polarity}


def _by_name(cell: Any, names: list[str] | None) -> Any:
    """A cell of a column of classes, stored as numbers, by its name."""
    return names[cell] if names and isinstance(cell, int) and cell >= 0 else cell
