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


def folder_of(folder: Path, **files: list[dict]) -> Path:
    """A folder with these tables, by name of the file."""
    folder.mkdir(exist_ok=True)
    for name, cells in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in cells))
    return folder


def test_a_folder_is_one_table_whatever_else_lies_in_it(path, tmp_path):
    folder, half = tmp_path / "parts", len(rows()) // 2
    folder_of(folder, b=rows()[half:])
    with (folder / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows()[0])
        writer.writeheader()
        writer.writerows(rows()[:half])
    for name in ("README.md", "identity.json", "._a.csv"):
        (folder / name).write_text("no table")
    (folder / "inner").mkdir()
    folder_of(folder / "inner.jsonl", c=rows())
    assert table(folder).split(CARE).digest == table(path, rows()).split(CARE).digest


def test_a_fault_in_a_folder_is_named_by_file_and_line(tmp_path):
    folder = folder_of(tmp_path / "parts", a=rows()[:8], b=[*rows()[8:], rows()[1]])
    with pytest.raises(DataError) as error:
        table(folder).split(CARE)
    rule = "an action stands once per scene, item and polarity; got a duplicate item"
    assert str(error.value) == f"{folder}/b.jsonl:73: {rule}, see {folder}/a.jsonl:2. Drop it."


def test_a_folder_without_tables_is_one_line_that_knows_where_they_are(tmp_path):
    (tmp_path / "published").mkdir()
    rule = f"data.path: a folder must hold .csv, .jsonl or .parquet files; got none in {tmp_path / 'published'}."
    for step in ("Check the path.", f"Did you mean {tmp_path / 'published' / 'data'}?"):
        with pytest.raises(ConfigError) as error:
            table(tmp_path / "published").split(CARE)
        assert str(error.value) == f"{rule} {step}"
        folder_of(tmp_path / "published" / "data", train=rows())


def side(row: dict) -> str:
    return "test" if row["country"] == "C3" else "train"


def test_the_data_s_own_split_is_taken_from_a_column_or_from_the_names_of_files(path, tmp_path):
    by_column = table(path, [row | {"split": side(row).title()} for row in rows()], test_share=None).split(CARE)
    assert {row.country for row in by_column.test.rows} == {"C3"}
    assert {row.country for row in by_column.train.rows} == {"C0", "C1", "C2"}
    train, test = ([row for row in rows() if side(row) == name] for name in ("train", "test"))
    folder = folder_of(tmp_path / "parts", **{"train-0": train[:20], "train_1": train[20:], "Test": test})
    assert table(folder, test_share=None).split(CARE).digest == by_column.digest
    assert table(folder, test_share=None, limit=4).split(CARE).train == by_column.train
    marked = folder_of(tmp_path / "marked", validation=[row | {"split": side(row)} for row in rows()])  # the column is nearer to the row
    assert table(marked, test_share=None).split(CARE).digest == by_column.digest


def test_how_a_split_came_about_is_no_part_of_what_it_is(path):
    drawn = table(path, rows()).split(CARE)
    held_out = {row.scene_id for row in drawn.test.rows}
    marked = [row | {"split": "test" if f"{row['country']} · {row['topic']} · {row['scene']}" in held_out else "train"} for row in rows()]
    assert table(path, marked, test_share=None, split_seed=7).split(CARE).digest == drawn.digest
    assert table(path, marked).split(CARE).digest == drawn.digest


SIDE = "split must be train or test, in a column or as the name of the file or split begins"
STEP = "Leave others out (data=hub: data.splits=[train,test]), or set data.test_share=0.3 to draw a split."


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({}, f"{{path}}:1: {SIDE}; got 'items'. {STEP}"),
        ({0: "validation"}, f"{{path}}:1: {SIDE}; got 'validation'. {STEP}"),
        ({0: "train", 1: None}, f"{{path}}:2: {SIDE}; got None. {STEP}"),
        ({0: "train", 1: "tested"}, f"{{path}}:2: {SIDE}; got 'tested'. {STEP}"),
        (
            {0: "train", 1: "train", 2: "test"},
            "{path}:3: a scene is on one side of a split; got 'C0 · T0 · Scene 0.0' in test and, see line 1, in train. "
            "Set data.test_share=0.3 to draw a split by scene.",
        ),
        (
            dict.fromkeys(range(80), "train"),
            "data: coupling over scenes needs at least 3 test scenes; got 0. Raise data.limit, or set data.test_share=0.3 to draw a split.",
        ),
    ],
)
def test_what_is_no_split_of_scenes_is_one_line_and_only_where_it_is_asked_for(path, splits, message):
    marked = [row | ({"split": splits[n]} if n in splits else {}) for n, row in enumerate(rows())]
    with pytest.raises(DataError) as error:
        table(path, marked, test_share=None).split(CARE)
    assert str(error.value) == message.replace("{path}", str(path))
    assert len(table(path, marked).split(CARE).test.scenes) == 6
