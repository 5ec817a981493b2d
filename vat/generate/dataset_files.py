"""The files of a dataset as hubs and `datasets.load_dataset` take them: data/train.parquet, data/test.parquet and README.md, the data card.

The same rows and facts give the same bytes. The card is written last: a folder that has one is whole.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vat.data.split import draw_scenes
from vat.errors import DataError
from vat.files import whole_file
from vat.generate.card import card
from vat.generate.facts import COLUMNS, CONTEXT, CardFacts, contents_of
from vat.generate.skews import check_rows

if TYPE_CHECKING:
    import pandas as pd

CARD = "README.md"
DATA = "data"


class SplitRows(NamedTuple):
    """Rows of train and of test scenes; no scene is on both sides."""

    train: pd.DataFrame
    test: pd.DataFrame


def split_rows(rows: pd.DataFrame, *, test_share: float, seed: int) -> SplitRows:
    """Hold out scenes, balanced by country and by topic: those that `data=table` would hold out of a file with these rows.

    Args:
        rows: An action a row, with facts.COLUMNS; the draw depends on the order of the scenes.
        test_share: Share of the scenes, rounded up.
    Raises:
        DataError: A column is missing, a scene has two contexts, or there are not enough scenes for two sides.
    Source: Value Alignment Tax, section 4. Differs: balanced by country and by topic, each for itself.
    """
    check_rows(rows, COLUMNS, where="dataset")
    scenes = rows[list(CONTEXT)].drop_duplicates()
    doubled = scenes["scene_id"][scenes["scene_id"].duplicated()]
    if len(doubled):
        raise DataError(f"dataset: a scene_id has one country, topic, scene; got others for {doubled.iloc[0]!r}. Use a new id.")
    count = math.ceil(test_share * len(scenes))
    if not 0 < count < len(scenes):
        raise DataError(f"dataset: needs scenes to hold out and scenes to keep; got {len(scenes)} with test_share={test_share:g}. Write more scenes.")
    factors = {name: scenes[name].tolist() for name in ("country", "topic")}
    held_out = rows["scene_id"].isin(draw_scenes(scenes["scene_id"].tolist(), factors, count=count, seed=seed))
    return SplitRows(rows[~held_out], rows[held_out])


def write_dataset(folder: Path, rows: SplitRows, facts: CardFacts) -> None:
    """Write the two tables, then the card. A card that lies there goes first, as it tells of other tables.

    Raises:
        DataError: A column is missing, there is no row on a side, or a scene is on both.
    """
    contents = contents_of(*rows, language=facts.language)
    shared = set(rows.train["scene_id"]) & set(rows.test["scene_id"])
    if shared:
        raise DataError(f"dataset: a scene is in train or in test; got {min(shared)!r} in both. Split by scene.")
    text = card(facts, contents)
    (folder / CARD).unlink(missing_ok=True)
    for name, part in rows._asdict().items():
        _write_parquet(folder / DATA / f"{name}.parquet", part)
    with whole_file(folder / CARD) as draft:
        draft.write_text(text, encoding="utf-8")


def _write_parquet(path: Path, rows: pd.DataFrame) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, pa.int8() if name == "polarity" else pa.string()) for name in COLUMNS])
    table = pa.Table.from_pandas(rows[list(COLUMNS)], schema=schema, preserve_index=False).replace_schema_metadata(None)
    with whole_file(path) as draft:
        parquet.write_table(table, draft)
