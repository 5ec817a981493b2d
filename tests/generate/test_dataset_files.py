import re
from collections import Counter
from pathlib import Path

import datasets
import pandas as pd
import pytest
from huggingface_hub import DatasetCard

from tests.generate.test_card import FACTS
from tests.generate.written import written
from vat.data.table import TableData
from vat.data.template import TemplateData
from vat.errors import DataError
from vat.generate import dataset_files
from vat.generate.dataset_files import split_rows, write_dataset
from vat.generate.facts import COLUMNS
from vat.theory.schwartz import SCHWARTZ


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return written()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, rows: pd.DataFrame) -> Path:
    place = tmp_path_factory.mktemp("dataset")
    write_dataset(place, split_rows(rows, test_share=0.3, seed=0), FACTS)
    return place


def test_load_dataset_of_the_real_library_gives_both_splits(folder, rows, tmp_path):
    found = datasets.load_dataset(str(folder), cache_dir=str(tmp_path))
    assert {name: len(part) for name, part in found.items()} == {"train": 160, "test": 80}
    assert found["train"].column_names == list(COLUMNS)
    assert set(found["test"]["polarity"]) == {1, -1}
    loaded = pd.concat([part.to_pandas() for part in found.values()]).sort_values(["scene_id", "item", "polarity"])
    assert loaded.to_dict("records") == rows.sort_values(["scene_id", "item", "polarity"]).to_dict("records")


def test_a_hub_can_read_the_front_matter(folder):
    data = DatasetCard.load(folder / "README.md").data.to_dict()
    assert (data["license"], data["language"], data["size_categories"]) == ("cc-by-4.0", ["en"], ["n<1K"])
    files = {entry["split"]: entry["path"] for config in data["configs"] for entry in config["data_files"]}
    assert files == {"train": "data/train.parquet", "test": "data/test.parquet"}
    assert all((folder / path).is_file() for path in files.values())


def test_the_same_rows_give_the_same_bytes(folder, rows, tmp_path):
    write_dataset(tmp_path, split_rows(rows.set_index(rows.index + 7), test_share=0.3, seed=0), FACTS)
    for path in ("README.md", "data/train.parquet", "data/test.parquet"):
        assert (tmp_path / path).read_bytes() == (folder / path).read_bytes()
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "README.md", "data/test.parquet", "data/train.parquet",
    ]  # fmt: skip


@pytest.mark.parametrize("seed", [0, 7])
def test_the_held_out_scenes_are_those_of_a_table_with_the_same_rows(tmp_path, seed):
    probes = TemplateData(test_share=0.3, split_seed=seed, limit=None).probes(SCHWARTZ)
    rows = pd.DataFrame(probes.rows).assign(value=lambda rows: rows["item"].map(SCHWARTZ.value_of))
    rows = rows[rows["item"].isin(SCHWARTZ.items[:2])]
    rows.to_parquet(tmp_path / "all.parquet")
    found = split_rows(rows, test_share=0.3, seed=seed)
    source = TableData(path=str(tmp_path / "all.parquet"), test_share=0.3, split_seed=seed, limit=None).split(SCHWARTZ)
    assert tuple(found.test["scene_id"].unique()) == source.test.scenes
    assert tuple(found.train["scene_id"].unique()) == source.train.scenes
    assert len(source.test.scenes) == 80


def test_every_country_and_topic_is_held_out_in_its_share(rows):
    held_out = split_rows(written(countries=6, topics=5, scenes=2), test_share=0.3, seed=1).test.drop_duplicates("scene_id")
    assert len(held_out) == 18
    assert set(Counter(held_out["country"]).values()) == {3}
    assert set(Counter(held_out["topic"]).values()) <= {3, 4}


def test_a_dataset_that_is_cut_short_has_no_card(tmp_path, rows, monkeypatch):
    split = split_rows(rows, test_share=0.3, seed=0)
    write_dataset(tmp_path, split, FACTS)

    def cut(path: Path, part: pd.DataFrame) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(dataset_files, "_write_parquet", cut)
    with pytest.raises(OSError, match="disk full"):
        write_dataset(tmp_path, split, FACTS)
    assert not (tmp_path / "README.md").exists()
    assert (tmp_path / "data" / "train.parquet").exists()


BAD = {
    "no rows": (lambda rows: rows[:0], "dataset: needs at least one action; got none. Write some first."),
    "no column": (lambda rows: rows[["scene_id", "country"]], "dataset: needs a column 'topic'; got scene_id, country. Add or rename it."),
    "one scene": (lambda rows: rows[:10], "dataset: needs scenes to hold out and scenes to keep; got 1 with test_share=0.3. Write more scenes."),
    "two contexts": (
        lambda rows: rows.assign(scene=[*rows["scene"][:-1], "Another."]),
        "dataset: a scene_id has one country, topic, scene; got others for '3/2/1'. Use a new id.",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_a_fault_is_one_line(rows, change, message):
    with pytest.raises(DataError) as error:
        split_rows(change(rows), test_share=0.3, seed=0)
    assert str(error.value) == message
    assert re.fullmatch(r"\S+: .+; got .+\. .+", message)


def test_no_scene_may_be_on_both_sides(tmp_path, rows):
    with pytest.raises(DataError, match=r"^dataset: a scene is in train or in test; got '0/0/0' in both\. Split by scene\.$"):
        write_dataset(tmp_path, dataset_files.SplitRows(rows[:20], rows[:5]), FACTS)
    assert not list(tmp_path.iterdir())
