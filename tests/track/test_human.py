"""What people said, in the run of their dataset. A real store in sqlite."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.track.test_runs import tracking
from vat.track.human import log_human
from vat.track.runs import Runs
from vat.track.settings import Tracking

FOUND = {"harmlessness": 4.3, "harmlessness_alpha": 0.25, "action_correctness": 4.2, "action_correctness_alpha": math.nan}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "table1.csv"
    path.write_text("a,b\n")
    return path


def client(where: Tracking) -> MlflowClient:
    return MlflowClient(tracking_uri=where.store_uri)


def with_run(where: Tracking, **tags: str) -> str:
    """A run with tags, as `vat.kind`."""
    Runs(where, None)
    store = client(where)
    [experiment] = (one for one in store.search_experiments() if one.name == where.experiment)
    return str(store.create_run(experiment.experiment_id, tags={f"vat.{name}": tag for name, tag in tags.items()}).info.run_id)


def test_the_table_and_what_is_defined_are_in_the_datasets_run_and_in_no_other(tmp_path: Path, file: Path) -> None:
    where = tracking(tmp_path)
    wanted = with_run(where, kind="dataset", dataset="mine")
    others = [with_run(where, kind="dataset", dataset="yours"), with_run(where, kind="job", dataset="mine")]
    assert log_human(where, "mine", [file], FOUND) == wanted
    store = client(where)
    assert store.get_run(wanted).data.metrics == {
        "human/harmlessness": 4.3, "human/harmlessness_alpha": 0.25, "human/action_correctness": 4.2,
    }  # fmt: skip
    assert [artifact.path for artifact in store.list_artifacts(wanted, "human")] == ["human/table1.csv"]
    for other in others:
        assert not store.get_run(other).data.metrics
        assert not store.list_artifacts(other)


def test_a_datasets_name_may_have_spaces(tmp_path: Path, file: Path) -> None:
    where = tracking(tmp_path)
    wanted = with_run(where, kind="dataset", dataset="mine of may 2.0")
    assert log_human(where, "mine of may 2.0", [file], FOUND) == wanted


def test_a_number_is_logged_again_only_if_it_changed(tmp_path: Path, file: Path) -> None:
    where = tracking(tmp_path)
    run = with_run(where, kind="dataset", dataset="mine")
    for harmlessness in (4.3, 4.3, 4.4):
        log_human(where, "mine", [file], FOUND | {"harmlessness": harmlessness})
    assert [point.value for point in client(where).get_metric_history(run, "human/harmlessness")] == [4.3, 4.4]
    assert len(client(where).get_metric_history(run, "human/action_correctness")) == 1


@pytest.mark.parametrize("name", ["yours", "it's mine", "a' or '1"])
def test_a_dataset_without_a_run_is_no_fault(name: str, tmp_path: Path, file: Path) -> None:
    where = tracking(tmp_path)
    with_run(where, kind="dataset", dataset="mine")
    assert log_human(where, name, [file], FOUND) is None


def test_where_there_is_no_store_none_is_made(tmp_path: Path, file: Path) -> None:
    assert log_human(tracking(tmp_path), "mine", [file], FOUND) is None
    assert list(tmp_path.iterdir()) == [file]
