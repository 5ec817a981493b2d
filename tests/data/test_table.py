import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from vat.data.table import TableData
from vat.errors import ConfigError, DataError
from vat.theory.base import Theory, Value

CARE = Theory("care", "", tuple(Value(name, "", 1, None, ((item, "Text."),)) for name, item in (("kindness", "honest"), ("order", "tidy"))))


def rows(countries: int = 4, topics: int = 5) -> list[dict]:
    """One scene for each country and topic, with four probes."""
    return [
        {"country": f"C{c}", "topic": f"T{t}", "scene": f"Scene {c}.{t}", "item": item, "polarity": polarity, "action": f"I act {item}."}
        for c in range(countries) for t in range(topics) for item in CARE.items for polarity in (1, -1)
    ]  # fmt: skip


def table(path: Path, cells: list[dict] | None = None, **changed) -> TableData:
    if cells is not None:
        path.write_text("".join(json.dumps(row) + "\n" for row in cells))
    return TableData(**{"path": str(path), "test_share": 0.3, "split_seed": 0, "limit": None} | changed)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "items.jsonl"


def test_every_row_is_on_one_side_and_no_scene_on_both(path):
    source = table(path, rows())
    split, whole = source.split(CARE), source.probes(CARE)
    assert Counter(split.train.rows + split.test.rows) == Counter(whole.rows)
    assert not set(split.train.scenes) & set(split.test.scenes)
    assert (len(split.train.scenes), len(split.test.scenes)) == (14, 6)


def test_both_sides_keep_the_order_of_the_file(path):
    source = table(path, rows())
    split, whole = source.split(CARE), source.probes(CARE)
    for side in (split.train, split.test):
        assert side.rows == tuple(row for row in whole.rows if row.scene_id in set(side.scenes))
        assert {len(levels) for levels in side.scene_factors.values()} == {len(side.scenes)}


def test_factors_stand_beside_their_scenes(path):
    probes = table(path, rows()).probes(CARE)
    contexts = {row.scene_id: (row.country, row.topic) for row in probes.rows}
    assert list(zip(*probes.scene_factors.values(), strict=True)) == [contexts[scene] for scene in probes.scenes]


def test_the_share_held_out_is_rounded_up(path):
    assert len(table(path, rows(), test_share=0.31).split(CARE).test.scenes) == 7


def test_a_limit_takes_test_scenes_away_and_leaves_the_train_side(path):
    whole, limited = table(path, rows()).split(CARE), table(path, limit=4).split(CARE)
    assert limited.train == whole.train
    assert set(limited.test.scenes) < set(whole.test.scenes)
    assert len(limited.test.scenes) == 4


def test_the_same_rows_in_another_kind_of_file_are_the_same_data(path, tmp_path):
    with (tmp_path / "items.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows()[0])
        writer.writeheader()
        writer.writerows(rows())
    assert table(tmp_path / "items.csv").split(CARE).digest == table(path, rows()).split(CARE).digest


@pytest.mark.parametrize(
    "cells",
    [{"country": "C9"}, {"topic": "T9"}, {"scene": "Elsewhere"}, {"item": "tidy", "action": "X"}, {"polarity": -1, "action": "X"}, {"action": "X"}],
)
def test_the_digest_changes_with_any_cell_and_with_the_side_it_is_on(path, cells):
    before, split = table(path, rows()).probes(CARE).digest, table(path).split(CARE).digest
    changed = rows()
    changed[0] |= cells
    assert table(path, changed).probes(CARE).digest != before
    assert table(path, rows(), split_seed=1).split(CARE).digest != split


@pytest.mark.parametrize(
    ("cells", "changed", "message"),
    [
        (rows(1, 3), {}, "data: needs at least 4 scenes, to hold some out; got 3. Add scenes."),
        (rows(1, 4), {}, "data: coupling over scenes needs at least 3 test scenes; got 2. Raise data.test_share or data.limit."),
        (rows(), {"test_share": 0.05}, "data: coupling over scenes needs at least 3 test scenes; got 1. Raise data.test_share or data.limit."),
        (rows(), {"limit": 2}, "data: coupling over scenes needs at least 3 test scenes; got 2. Raise data.test_share or data.limit."),
    ],
)
def test_too_few_scenes_are_refused_in_one_line(path, cells, changed, message):
    with pytest.raises(DataError) as error:
        table(path, cells, **changed).split(CARE)
    assert str(error.value) == message


def test_a_faulty_row_and_a_missing_file_are_named_as_the_user_wrote_the_path(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    with pytest.raises(ConfigError) as error:
        table(Path("items.jsonl")).split(CARE)
    assert str(error.value) == "data.path: must be an existing file; got items.jsonl. Check the path."
    with pytest.raises(DataError) as error:
        table(Path("items.jsonl"), [*rows(), rows()[0] | {"polarity": 0}]).split(CARE)
    assert str(error.value) == "items.jsonl:81: polarity must be 1 or -1; got 0. Fix the row or drop it."
