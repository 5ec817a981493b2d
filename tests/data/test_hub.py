"""Published datasets through a map of their columns; how they are read is in test_loading.py."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest

from vat.data.hub import HubData
from vat.data.loading import Loaded
from vat.data.table import TableData
from vat.data.value_action_gap import ValueActionGap
from vat.errors import VatError
from vat.nodes import build, node_of
from vat.programs.align import align, job_of, preflight
from vat.programs.rebuild import rebuilt
from vat.theory.base import Theory, Value
from vat.theory.schwartz import SCHWARTZ
from vat.track.job import Job
from vat.track.runs import Runs

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "value_action_gap.parquet"
CARE = Theory("care", "", tuple(Value(name, "", 1, None, ((item, "Text."),)) for name, item in (("kindness", "honest"), ("order", "tidy"))))
THEIRS = {"item": "value", "action": "text", "scene": "scenario", "polarity": "stance"}
STANCES = {"express": 1, "suppress": -1}


def rows(countries: range, items: tuple[str, ...] = CARE.items, topics: int = 5) -> list[dict[str, Any]]:
    """One scene for each country and topic, with two probes an item, in columns of ours."""
    return [
        {"country": f"C{c}", "topic": f"T{t}", "scene": f"Scene {c}.{t}", "item": item, "polarity": polarity, "action": f"I act {item} {polarity}."}
        for c in countries for t in range(topics) for item in items for polarity in (1, -1)
    ]  # fmt: skip


TRAIN, TEST = rows(range(3)), rows(range(3, 5))


def as_published(row: dict[str, Any]) -> dict[str, Any]:
    """The same row in columns and words of theirs."""
    stance = {side: name for name, side in STANCES.items()}[row["polarity"]]
    return {"country": row["country"], "topic": row["topic"], "value": row["item"].title(), "stance": stance, "text": row["action"],
            "scenario": row["scene"], "year": 2025}  # fmt: skip


def put(folder: Path, **splits: list[dict[str, Any]]) -> Path:
    """A directory as the hub has it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, of_split in splits.items():
        datasets.Dataset.from_list(of_split).to_parquet(folder / f"{name}-00000-of-00001.parquet")
    return folder


def hub(name: Path | str, **changed: Any) -> HubData:
    unset = dict.fromkeys(("config", "revision", "columns", "polarity", "splits", "test_share", "limit"))
    return HubData(**{"name": str(name), "split_seed": 0} | unset | changed)


def digest(source: Any) -> str:
    return source.split(CARE).digest


@pytest.fixture(autouse=True)
def quiet():
    datasets.disable_progress_bars()


@pytest.fixture
def folder(tmp_path) -> Path:
    return put(tmp_path / "published", train=TRAIN, test=TEST)


@pytest.fixture
def theirs(tmp_path) -> Path:
    return put(tmp_path / "theirs", train=list(map(as_published, TRAIN)), test=list(map(as_published, TEST)))


def test_its_own_split_is_taken(folder):
    split = hub(folder).split(CARE)
    assert {row.country for row in split.train.rows} == {"C0", "C1", "C2"}
    assert {row.country for row in split.test.rows} == {"C3", "C4"}


def test_the_same_rows_are_the_same_data_wherever_they_come_from(folder, theirs, tmp_path):
    datasets.DatasetDict(test=datasets.Dataset.from_list(TEST), train=datasets.Dataset.from_list(TRAIN)).save_to_disk(str(tmp_path / "saved"))
    table = TableData(path=str(folder), test_share=None, split_seed=0, limit=None)
    sources = [hub(folder), hub(theirs, columns=THEIRS, polarity=STANCES), hub(tmp_path / "saved"), table]
    for share in (None, 0.3):
        assert len({digest(replace(source, test_share=share)) for source in sources}) == 1
    assert digest(hub(folder)) != digest(hub(folder, test_share=0.4))


def test_columns_are_mapped_and_others_are_passed_over(theirs):
    row = hub(theirs, columns=THEIRS, polarity=STANCES).split(CARE).train.rows[1]
    assert row == ("C0 · T0 · Scene 0.0", "C0", "T0", "Scene 0.0", "honest", -1, "I act honest -1.")


def test_without_scenes_all_actions_of_a_country_and_topic_are_one(theirs):
    probes = hub(theirs, columns=THEIRS | {"scene": None}, polarity=STANCES).probes(CARE)
    assert len(probes.scenes) == 25
    assert probes.rows[0].scene == "You live in C3, and something comes up in your daily life that has to do with this topic: T0."


def test_without_country_and_topic_all_scenes_share_one(folder):
    probes = hub(folder, columns={"country": None, "topic": None}).probes(CARE)
    assert {name: set(levels) for name, levels in probes.scene_factors.items()} == {"country": {"any"}, "topic": {"any"}}
    assert len(probes.scenes) == 25


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ((1, -1), None),
        (("1", "-1"), None),
        ((1.0, 0.0), {1: 1, 0: -1}),
        ((1, 0), {"1": 1, "0": -1}),
        ((True, False), {True: 1, False: -1}),
        (("for ", "against"), {"for": 1, "against": -1}),
    ],
)
def test_polarity_is_a_number_or_what_it_is_called(tmp_path, cells, names):
    told = {1: cells[0], -1: cells[1]}
    source = hub(put(tmp_path / "a", train=[row | {"polarity": told[row["polarity"]]} for row in TRAIN + TEST]), polarity=names, test_share=0.3)
    assert digest(source) == digest(hub(put(tmp_path / "b", train=TRAIN + TEST), test_share=0.3))
    assert build("data", {**node_of(source)}) == source


def test_cells_of_a_column_of_classes_go_by_their_names(tmp_path):
    numbered = [row | {"polarity": int(row["polarity"] == 1), "item": CARE.items.index(row["item"])} for row in TRAIN]
    features = datasets.Features(
        dict.fromkeys(("country", "topic", "scene", "action"), datasets.Value("string"))
        | {"polarity": datasets.ClassLabel(names=["suppress", "express"]), "item": datasets.ClassLabel(names=list(CARE.items))}
    )
    datasets.Dataset.from_list(numbered, features=features).save_to_disk(str(tmp_path / "classes"))
    source = hub(tmp_path / "classes", polarity=STANCES, test_share=0.3)
    assert digest(source) == digest(hub(put(tmp_path / "plain", train=TRAIN), test_share=0.3))


def test_a_scene_id_and_a_column_split_are_taken_if_there_and_can_be_left_alone(tmp_path):
    marked = [row | {"scene_id": n // 4 % 2, "split": "test" if row["country"] > "C2" else "Train"} for n, row in enumerate(TRAIN + TEST)]
    folder = put(tmp_path / "marked", train=marked)
    with pytest.raises(VatError, match=r"marked\[train\]:9: a scene_id has one country, topic, scene; got others for '0'"):
        hub(folder).split(CARE)
    assert digest(hub(folder, columns={"scene_id": None})) == digest(hub(put(tmp_path / "plain", train=TRAIN, test=TEST)))
    with pytest.raises(VatError, match="needs at least 3 test scenes; got 0"):
        hub(folder, columns={"scene_id": None, "split": None}).split(CARE)


def test_only_the_splits_that_are_asked_for_are_taken(tmp_path):
    folder = put(tmp_path / "three", train=TRAIN, test=TEST, validation=rows(range(8, 9)))
    whole = hub(put(tmp_path / "two", train=TRAIN, test=TEST))
    assert digest(hub(folder, splits=["test", "train"])) == digest(whole)
    assert digest(hub(folder, splits="train", test_share=0.3)) == digest(replace(whole, splits=("train",), test_share=0.3))
    assert len(hub(folder, test_share=0.3).probes(CARE).scenes) == 30


def changed(at: int, **cells: Any) -> list[dict[str, Any]]:
    return [*TRAIN[:at], TRAIN[at] | cells, *TRAIN[at + 1 :]]


# Splits as they are written, settings that are otherwise, and the message.
BAD = {
    "item misspelt": (
        {"train": changed(16, item="Honset")}, {},
        "{path}[train]:17: item must belong to theory care; got 'Honset'. Did you mean honest?",
    ),
    "their item misspelt": (
        {"train": [as_published(row) for row in changed(16, item="Honset")]}, {"columns": THEIRS, "polarity": STANCES},
        "{path}[train]:17: value must belong to theory care; got 'Honset'. Did you mean honest?",
    ),
    "no action": ({"train": changed(3, action=None)}, {}, "{path}[train]:4: action must be text; got None. Fix the row or drop it."),
    "polarity": (
        {"train": changed(3, polarity=2)}, {"polarity": STANCES},
        "{path}[train]:4: polarity must be 1 or -1, or a cell that data.polarity knows; got 2. Add it: 'data.polarity={…: 1, …: -1}'.",
    ),
    "duplicate in one": (
        {"train": [*TRAIN, TRAIN[2]]}, {"test_share": 0.3},
        "{path}[train]:61: an action stands once per scene, item and polarity; got a duplicate item, see line 3. Drop it.",
    ),
    "duplicate in two": (
        {"train": TRAIN, "test": [*TEST, TRAIN[2]]}, {"test_share": 0.3},
        "{path}[train]:3: an action stands once per scene, item and polarity; got a duplicate item, see {path}[test]:41. Drop it.",
    ),
    "scene on both sides": (
        {"train": TRAIN, "test": [*TEST, TRAIN[2] | {"action": "I do else."}]}, {},
        "{path}[train]:1: a scene is on one side of a split; got 'C0 · T0 · Scene 0.0' in train and, see {path}[test]:41, in test. "
        "Set data.test_share=0.3 to draw a split by scene.",
    ),
    "a third side": (
        {"train": TRAIN, "test": TEST, "validation": rows(range(8, 9))}, {},
        "{path}[validation]:1: split must be train or test, in a column or as the name of the file or split begins; got 'validation'. "
        "Leave others out (data=hub: data.splits=[train,test]), or set data.test_share=0.3 to draw a split.",
    ),
    "one side": (
        {"train": TRAIN}, {},
        "data: coupling over scenes needs at least 3 test scenes; got 0. Raise data.limit, or set data.test_share=0.3 to draw a split.",
    ),
    "split misspelt": ({"train": TRAIN}, {"splits": ["trian"]}, "data.splits: must be splits of {path}; got 'trian'. Did you mean train?"),
    "column misspelt": (
        {"train": TRAIN}, {"columns": {"scne": "scene"}},
        "data.columns: maps columns of ours to theirs; got 'scne' as ours. Did you mean scene?",
    ),
    "columns not there": (
        {"train": [as_published(row) for row in TRAIN]}, {"columns": {"item": "value", "action": "txt"}},
        "{path}[train]: needs a column 'scene', 'txt' for action, 'polarity'; got country, topic, value, stance, text, scenario, year. "
        "Map them: 'data.columns={scene: …, action: …, polarity: …}'.",
    ),
    "no items": (
        {"train": TRAIN}, {"columns": {"item": None}},
        "data.columns.item: must be a column of theirs; got null. Use 'data.columns={item: …}'.",
    ),
    "no scene and no country": (
        {"train": TRAIN}, {"columns": {"scene": None, "country": None}},
        "data.columns.scene: null makes scenes of country and topic; got null for country. Map them.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("splits", "settings", "message"), BAD.values(), ids=BAD)
def test_a_fault_is_one_line_that_names_split_and_row(tmp_path, splits, settings, message):
    folder = put(tmp_path / "published", **splits)
    with pytest.raises(VatError) as error:
        hub(folder, **settings).split(CARE)
    assert str(error.value) == message.replace("{path}", str(folder))


def test_what_is_kept_names_the_commit_that_was_read(monkeypatch, folder):
    monkeypatch.setattr("vat.data.hub.load", lambda name, config, revision: Loaded({}, "c0ffee"))
    source = hub("lab/published")
    assert source.to_keep() == replace(source, revision="c0ffee")
    assert hub(folder).to_keep() == hub(folder)


OF_SCHWARTZ = tuple({value: item for item, value in reversed(SCHWARTZ.value_of.items())}.values())


def test_a_job_runs_on_it_as_users_type_it_and_is_the_same_job_from_a_folder_of_tables(compose, tmp_path):
    ours = {"train": rows(range(3), OF_SCHWARTZ, 4), "test": rows(range(3, 6), OF_SCHWARTZ, 4)}
    published = put(tmp_path / "published", **{name: list(map(as_published, of_split)) for name, of_split in ours.items()})
    quick = ("model=scripted", "measure.tax.n_perm=99", "measure.tax.n_boot=99")
    spec = compose(
        *quick, "data=hub", f"data.name={published}", "data.columns={item: value, action: text, scene: scenario, polarity: stance}",
        "data.polarity={express: 1, suppress: -1}",
    )  # fmt: skip
    assert preflight([spec]) == []
    result = align(spec, Runs(spec.tracking, None))
    assert result["steps"]["0"]["missing_rate"] == 0
    table = compose(*quick, "data=table", f"data.path={put(tmp_path / 'ours', **ours)}", "data.test_share=null")
    assert job_of(table).key == job_of(spec).key
    assert job_of(table).is_done
    found = Job.of_key(spec.tracking.folder, job_of(spec).key)
    assert found is not None
    assert rebuilt(found, spec.tracking, "run").data == spec.data


def test_what_is_wrong_with_it_is_told_before_anything_starts_and_once(compose, tmp_path):
    published = put(tmp_path / "published", train=changed(3, item="honset"))
    specs = [compose("model=scripted", "data=hub", f"data.name={published}", f"replicate={n}") for n in (0, 1)]
    [fault] = preflight(specs)
    assert fault.startswith(f"{published}[train]:3: item must belong to theory schwartz; got 'tidy'. ")


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    if not REAL.is_file():
        pytest.skip(f"{REAL} is not there")
    return Path(shutil.copy(REAL, tmp_path_factory.mktemp("gap")))


def test_the_published_actions_are_the_same_job_by_their_own_source_and_by_name(real, compose):
    by_path = ValueActionGap(path=str(real), test_share=0.3, split_seed=0, limit=12)
    by_name = hub(real.parent, columns={"item": "value", "scene": None}, test_share=0.3, limit=12)
    assert by_name.split(SCHWARTZ).digest == by_path.split(SCHWARTZ).digest
    typed = compose(
        "model=scripted", "data=hub", f"data.name={real.parent}", "data.columns={item: value, scene: null}", "data.test_share=0.3", "data.limit=12",
    )  # fmt: skip
    assert typed.data == by_name
    assert align(typed, Runs(typed.tracking, None))["steps"]["0"]["missing_rate"] == 0
