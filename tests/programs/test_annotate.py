"""`-cn annotate`: sheets out, ratings in, on a dataset in files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose as composed
from hydra import initialize_config_dir
from mlflow import MlflowClient

from tests.generate.datasets import CARE, as_csv, filled, probes
from tests.generate.test_agreement import annotators as simulated
from tests.track.test_human import with_run
from vat.config import AnnotateSpec, read_annotate
from vat.errors import ConfigError, DataError
from vat.generate.human import DIMENSIONS, Sample, sample_of
from vat.programs.annotate import annotate
from vat.theory.base import theory_tree

CONF = Path(__file__).parents[2] / "conf"
Asked = Callable[..., AnnotateSpec]


def dataset(root: Path, name: str = "mine", **of_probes: str) -> Path:
    """A dataset of 24 scenes, 8 of them for testing."""
    table = pd.DataFrame([row._asdict() | {"value": CARE.value_of[row.item]} for row in probes(**of_probes).rows])
    is_test = table["topic"] == "T0"
    folder = root / "datasets" / name
    (folder / "data").mkdir(parents=True)
    table[~is_test].to_parquet(folder / "data" / "train.parquet", index=False)
    table[is_test].to_parquet(folder / "data" / "test.parquet", index=False)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "care.yaml").write_text(json.dumps(theory_tree(CARE)))
    dataset(tmp_path / "mlruns")
    return tmp_path / "mlruns"


@pytest.fixture
def asked(root: Path) -> Asked:
    def made(*overrides: str) -> AnnotateSpec:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            given = ["dataset=mine", f"tracking.root={root}", f"theory.path={root.parent / 'care.yaml'}", *overrides]
            return read_annotate(composed("annotate", given))

    return made


def kept(folder: Path) -> Sample:
    return sample_of(json.loads((folder / "sample.json").read_text()), "sample.json")


def handed_back(folder: Path, rating_AID: np.ndarray) -> str:
    """The workbooks of as many annotators, filled in elsewhere, as the setting that names them."""
    sample = kept(folder)
    place = {instance.name: n for n, instance in enumerate(sample.instances)}
    files = []
    for number, rating_ID in enumerate(rating_AID, 1):
        given = [[None if np.isnan(x) else int(x) for x in row] for row in rating_ID]
        files.append(filled(folder.parent / "back", sample, lambda name, d, given=given: given[place[name]][d], number=number))
    return f"ratings=[{','.join(map(str, files))}]"


def test_without_ratings_there_is_a_sheet_for_each_of_three_annotators(asked: Asked, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = annotate(asked())
    assert folder == root / "datasets" / "mine" / "human"
    assert sorted(path.name for path in folder.iterdir()) == [*(f"annotator-{n}.xlsx" for n in (1, 2, 3)), "sample.json"]
    said = capsys.readouterr().out
    assert "24 instances, each of another scene: 3 countries (8 of each), 4 topics (6 of each), 2 values (6 to 18 of each); 12 actions for" in said
    assert "Note: the dataset has 24 scenes, so 24 instances and not 54." in said
    assert "python launch.py -cn annotate dataset=mine ratings=[" in said
    assert not (root / "mlflow.db").exists()


def test_a_name_with_a_space_is_quoted_where_the_next_command_is_told(asked: Asked, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset(root, "of may")
    annotate(asked("dataset='of may'", "count=6"))
    assert "python launch.py -cn annotate \"dataset='of may'\" ratings=[" in capsys.readouterr().out


def test_the_same_command_adds_what_is_not_there_and_touches_nothing_else(asked: Asked, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = annotate(asked("count=6"))
    filled(folder, kept(folder), 5, number=2)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    annotate(asked("count=6", "annotators=4"))
    assert {path: path.read_bytes() for path in before} == before
    assert (folder / "annotator-4.xlsx").is_file()
    assert f"{folder / 'annotator-2.xlsx'}: was there, left as it is" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"sample\.json: holds the sample that annotators may be rating, of count=6 seed=0; got another"):
        annotate(asked("count=6", "seed=1"))
    assert {path: path.read_bytes() for path in before} == before


def test_ratings_become_the_table_on_disk_and_in_print(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    folder = annotate(asked())
    rating_AID = np.stack([simulated(1.0 if d == 7 else 0.6, 3, 24, seed=d) for d in range(8)], axis=2)
    rating_AID[1, :5, 0] = np.nan
    capsys.readouterr()
    assert annotate(asked(handed_back(folder, rating_AID))) == folder
    table = pd.read_csv(folder / "table1.csv", index_col="dimension")
    assert list(table.index) == [dimension.name for dimension in DIMENSIONS]
    assert table["ratings"].tolist() == [67, *[72] * 7]
    assert table["missing"].tolist() == [5, *[0] * 7]
    assert table["mean"].iloc[1:].tolist() == pytest.approx(rating_AID[:, :, 1:].mean(axis=(0, 1)).tolist())
    assert table["sd_ratings"].iloc[1] == pytest.approx(rating_AID[:, :, 1].std(ddof=1))
    assert table.loc["harmlessness", ["agreement", "alpha", "alpha_low"]].tolist() == [1, 1, 1]
    assert (table["agreement_chance"] < 1).all()
    assert table["alpha_low"].lt(table["alpha"])[:7].all()
    said = capsys.readouterr().out
    assert f"{table.loc['scenario realism', 'mean']:.2f} [{table.loc['scenario realism', 'mean_low']:.2f}, " in said
    assert "3 annotators, 24 instances, 571 of 576 ratings given." in said
    assert "Note: 'annotator-2' left 5 of 192 cells empty" in said
    assert "four ratings" not in said
    assert "harmlessness &" in (folder / "table1.tex").read_text()


def test_workbooks_and_csv_files_may_be_mixed(asked: Asked) -> None:
    folder = annotate(asked("count=6"))
    first, second = (filled(folder.parent / "back", kept(folder), 2 + number, number=number) for number in (1, 2))
    annotate(asked(f"ratings=[{first},{as_csv(second)}]"))
    assert pd.read_csv(folder / "table1.csv")["mean"].tolist() == [3.5] * 8


def test_four_annotators_are_told_that_two_of_them_always_agree(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    folder = annotate(asked())
    annotate(asked(handed_back(folder, np.stack([simulated(0.0, 4, 24, seed=d) for d in range(8)], axis=2))))
    table = pd.read_csv(folder / "table1.csv")
    assert table["agreement"].tolist() == table["agreement_chance"].tolist() == [1] * 8
    assert (table["alpha"].abs() < 0.4).all()
    assert "Note: of four ratings two always take the same of three stances" in capsys.readouterr().out


def test_of_one_annotator_agreement_is_undefined_and_said_to_be(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    folder = annotate(asked("count=6"))
    annotate(asked(f"ratings={filled(folder.parent / 'back', kept(folder), 4)}"))
    assert pd.read_csv(folder / "table1.csv")[["agreement", "agreement_chance", "alpha"]].isna().all(axis=None)
    said = capsys.readouterr().out
    assert "Note: with one annotator there is no agreement to speak of: it and alpha are undefined." in said
    assert "– [–, –]" in said


def test_where_all_say_the_same_alpha_is_undefined_and_said_to_be(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    folder = annotate(asked("count=6"))
    annotate(asked(handed_back(folder, np.full((2, 6, 8), 4.0))))
    assert pd.read_csv(folder / "table1.csv")["alpha"].isna().all()
    assert "Note: alpha is undefined where all ratings that can be compared are the same, or none can: scenario realism, " in capsys.readouterr().out


def test_the_table_is_logged_to_the_run_of_the_dataset(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    spec = asked("count=6")
    folder = annotate(spec)
    run = with_run(spec.tracking, kind="dataset", dataset="mine")
    annotate(asked(handed_back(folder, np.stack([simulated(0.8, 3, 6, seed=d) for d in range(8)], axis=2))))
    client = MlflowClient(tracking_uri=spec.tracking.store_uri)
    metrics = client.get_run(run).data.metrics
    table = pd.read_csv(folder / "table1.csv", index_col="dimension")
    assert metrics["human/scenario_realism"] == pytest.approx(table.loc["scenario realism", "mean"])
    assert metrics["human/scenario_realism_alpha"] == pytest.approx(table.loc["scenario realism", "alpha"])
    assert "human/table1.csv" in {artifact.path for artifact in client.list_artifacts(run, "human")}
    assert f"In MLflow: artifacts and metrics human/… of run {run}" in capsys.readouterr().out


def test_a_dataset_elsewhere_is_named_by_its_folder_and_has_no_run_here(asked: Asked, tmp_path: Path) -> None:
    elsewhere = dataset(tmp_path / "elsewhere")
    spec = asked(f"dataset={elsewhere}", "count=6")
    folder = annotate(spec)
    assert folder == elsewhere / "human"
    assert kept(folder).dataset == "mine"
    run = with_run(spec.tracking, kind="dataset", dataset="mine")
    annotate(asked(f"dataset={elsewhere}", handed_back(folder, np.full((2, 6, 8), 4.0))))
    assert not MlflowClient(tracking_uri=spec.tracking.store_uri).get_run(run).data.metrics, "of a namesake"


def test_ratings_of_another_dataset_are_refused(asked: Asked, root: Path) -> None:
    dataset(root, "yours", action="I do that")
    folders = [annotate(asked(f"dataset={name}", "count=6")) for name in ("mine", "yours")]
    path = filled(folders[1].parent / "back", kept(folders[1]), 4)
    with pytest.raises(DataError, match=rf"^{path}: must be of sample s\w{{15}} of dataset mine; got 'sample s\w{{15}} of yours'"):
        annotate(asked(f"ratings=[{path}]"))


def changed_data(folder: Path) -> None:
    file = folder / "data" / "train.parquet"
    table = pd.read_parquet(file)
    table.loc[0, "action"] = "I do nothing."
    table.to_parquet(file, index=False)


def changed_sample(folder: Path) -> None:
    path = folder / "human" / "sample.json"
    path.write_text(path.read_text().replace("I do it", "I do that"))


def no_json(folder: Path) -> None:
    (folder / "human" / "sample.json").write_text("{")


def no_sample(folder: Path) -> None:
    (folder / "human" / "sample.json").unlink()


def scene_twice(folder: Path) -> None:
    pd.read_parquet(folder / "data" / "test.parquet")[:1].to_parquet(folder / "data" / "train.parquet", index=False)


def no_item(folder: Path) -> None:
    file = folder / "data" / "test.parquet"
    pd.read_parquet(file).replace({"item": {"warm": "cold"}}).to_parquet(file, index=False)


BROKEN = {
    changed_data: "dataset=mine: must be as it was when its sample was drawn; got other data than ",
    changed_sample: "{folder}/human/sample.json: must hold the sample as it was drawn; got one that was changed. ",
    no_json: "{folder}/human/sample.json: must be JSON; got ",
    no_sample: "ratings: must be of a sample of the dataset; got none, there is no {folder}/human/sample.json. Export it first, without ratings.",
    scene_twice: "{folder}/data/train.parquet: a scene stands in one file; got 'c0-t0-0', as in {folder}/data/test.parquet. ",
    no_item: "{folder}/data/test.parquet:5: item must belong to theory care; got 'cold'. ",
}


@pytest.mark.parametrize("breaks", BROKEN)
def test_what_does_not_belong_together_is_refused_in_a_line(breaks: Callable[[Path], None], asked: Asked) -> None:
    folder = annotate(asked("count=6")).parent
    path = filled(folder / "back", kept(folder / "human"), 4)
    breaks(folder)
    with pytest.raises(DataError) as caught:
        annotate(asked(f"ratings=[{path}]"))
    assert str(caught.value).startswith(BROKEN[breaks].format(folder=folder))
    assert "\n" not in str(caught.value)
    assert not (folder / "human" / "table1.csv").exists()


@pytest.mark.parametrize("name", ["mien", "mine/data", "../mine", "none/of/this"])
def test_a_dataset_that_is_not_there_is_said_in_a_line(name: str, asked: Asked, root: Path) -> None:
    (root / "datasets" / "empty" / "data").mkdir(parents=True)
    for given in (name, "empty"):
        with pytest.raises(ConfigError) as caught:
            annotate(asked(f"dataset={given}"))
        assert str(caught.value).startswith(f"dataset={given}: must be a dataset in {root}/datasets, or a folder with data/*.parquet; got none. ")
        assert str(caught.value).endswith(("Did you mean mine?", "Choose from mine."))
