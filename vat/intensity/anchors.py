"""Texts of known intensity, as a database keeps them: read strictly, for those who are ranked against them or steered by them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vat.errors import ConfigError, DataError, choose, shown
from vat.intensity.calibration import LARGEST
from vat.types import Bools, Floats

ANCHORS = "data/anchors.parquet"
"""Where a database's folder has them."""
NEEDED = ("theory", "value", "text", "intensity", "error", "flagged")


class ValueAnchors(NamedTuple):
    """The anchors of one value, in the order of the file. error_A: standard errors, NaN where not known. flagged_A: a panel doubts the intensity, and
    nobody has looked at it yet."""

    texts: tuple[str, ...]
    intensity_A: Floats
    error_A: Floats
    flagged_A: Bools

    def usable(self) -> ValueAnchors:
        """Without those that are flagged."""
        keep = ~self.flagged_A
        texts = tuple(text for text, kept in zip(self.texts, keep, strict=True) if kept)
        return ValueAnchors(texts, self.intensity_A[keep], self.error_A[keep], self.flagged_A[keep])


def database_folder(root: Path, name: str) -> Path:
    """The folder of a database that is named, in `root`/vidb, or given by its folder.

    Raises:
        ConfigError: There is none.
    """
    place = root / "vidb"
    path = next((path for path in (place / name, Path(name).absolute()) if (path / ANCHORS).is_file()), None)
    if path is None:
        known = [found.parents[1].name for found in place.glob(f"*/{ANCHORS}")]
        rule = f"vidb={name}: must be a database in {place}, or a folder with {ANCHORS}; got none"
        raise ConfigError(f"{rule}. {choose(name, known) if known else 'Make one: -cn vidb'}")
    return path


def read_anchors(folder: Path, theory: str, value: str) -> ValueAnchors:
    """The anchors of a value.

    Raises:
        DataError: The file is damaged or breaks a rule, or has nothing of the value; the message names the place.
    """
    import pyarrow
    from pyarrow import parquet

    path = folder / ANCHORS
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: must be a parquet file; got {shown(str(error), 80)}. Make the database again.") from error
    if missing := [column for column in NEEDED if column not in table.column_names]:
        raise DataError(f"{path}: needs the columns {', '.join(NEEDED)}; got none called {missing[0]}. Make the database again.")
    every = table.select([*NEEDED, *(["human"] if "human" in table.column_names else [])]).to_pylist()
    rows = [row for row in every if (row["theory"], row["value"]) == (theory, value)]
    if not rows:
        known = sorted({str(row["value"]) for row in every if row["theory"] == theory})
        what = (
            f"values of theory {theory}; got none of {value!r}"
            if known
            else f"the theory {theory}; got {shown(sorted({str(r['theory']) for r in every}))}"
        )
        raise DataError(f"{path}: must hold {what}. {choose(value, known) if known else f'Make one: -cn vidb theory={theory}'}")
    where = f"{path}: value {value}"
    seen: set[str] = set()
    for row in rows:
        text, intensity = row["text"], row["intensity"]
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: an anchor is a text; got {shown(text)}. Drop the row.")
        if text in seen:
            raise DataError(f"{where}: an anchor stands there once; got {shown(text)} twice. Drop one.")
        seen.add(text)
        if not isinstance(intensity, float) or not abs(intensity) <= LARGEST:
            raise DataError(
                f"{where}: intensities lie from -{LARGEST:g} to {LARGEST:g}; got {shown(intensity)} for {shown(text, 40)}. Calibrate them."
            )
        _check_what_is_known(row, where)
    human_A = np.array([_known(row.get("human")) for row in rows])
    return ValueAnchors(
        tuple(row["text"] for row in rows), np.array([row["intensity"] for row in rows]),
        np.array([np.nan if row["error"] is None else row["error"] for row in rows], dtype=float),
        np.array([bool(row["flagged"]) for row in rows]) & ~human_A,
    )  # fmt: skip


def _check_what_is_known(row: Mapping[str, object], where: str) -> None:
    """What is said of an anchor's intensity. A flag that is not there is no leave to use the text."""
    flagged, error, human, of = row["flagged"], row["error"], row.get("human"), f"for {shown(row['text'], 40)}. Make the database again."
    if not isinstance(flagged, bool):
        raise DataError(f"{where}: flagged is true or false; got {shown(flagged)} {of}")
    if _known(error) and not (isinstance(error, float) and 0 <= error < math.inf):
        raise DataError(f"{where}: an error is a finite number from 0, or empty; got {shown(error)} {of}")
    if _known(human) and not (isinstance(human, float) and abs(human) <= LARGEST):
        raise DataError(f"{where}: what people say lies from -{LARGEST:g} to {LARGEST:g}, or is empty; got {shown(human)} {of}")


def _known(number: object) -> bool:
    """Whether anything stands there: files have both null and NaN for nothing."""
    return number is not None and number == number
