"""What tests share: composed settings, as launch.py would see them; empty databases of MLflow; and in which order files are tested side by side."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vat.config import AlignSpec, read
from vat.track.experiment import Experiment
from vat.track.settings import Tracking

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small models: threads that wait for each other on a busy machine cost more than they give
ROOT = Path(__file__).parents[1]
ONE = ("tests/browser/", "tests/analyse/")
"""Folders whose files share what is dear to make: one process tests all of one."""
LONGEST_FIRST = (
    "tests/fanout/test_faults.py", "tests/fanout/test_on_ray.py", "tests/browser/", "tests/align/test_training.py", "tests/programs/test_cases.py",
    "tests/align/test_distributed.py", "tests/test_launch.py", "tests/programs/test_killed_job.py", "tests/fanout/test_search.py",
    "tests/programs/test_remote_job.py", "tests/models/test_serve.py", "tests/analyse/",
)  # fmt: skip
"""Files, or folders of ONE, that take a minute and more: begun first, so that all processes end at about the same time."""


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def compose(tmp_path: Path) -> Callable[..., AlignSpec]:
    """Settings for overrides; runs are kept in the test's own folder."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    def made(*overrides: str) -> AlignSpec:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return read(hydra_compose("align", [f"tracking.root={tmp_path / 'mlruns'}", *overrides]))

    return made


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes, when it is first called, a database of MLflow with nothing in it; it takes two seconds of a processor."""
    place: list[Path] = []

    def made() -> Path:
        if not place:
            from mlflow import MlflowClient

            file = tmp_path_factory.mktemp("empty") / "mlflow.db"
            MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments()
            place.append(file)
        return place[0]

    return made


@pytest.fixture(scope="session", autouse=True)
def databases_are_copied(empty_database: Callable[[], Path]) -> Iterator[None]:
    """Where vat would have MLflow make a new database in this process it finds an empty one; commands of their own have theirs made."""
    opened = Experiment.__init__

    def copied(self: Experiment, tracking: Tracking) -> None:
        if tracking.uri is None and tracking.folder.is_dir() and not any(tracking.folder.glob("*mlflow.db*")):
            shutil.copy(empty_database(), tracking.folder / "mlflow.db")
        opened(self, tracking)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Experiment, "__init__", copied)
        yield


def unit_of(test: str) -> str:
    """What is tested by one process, of which a test is part: its file, or a folder of ONE."""
    return next((folder for folder in ONE if test.startswith(folder)), test.partition("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file, or a folder of ONE, goes to a process as soon as that has little left: in the order of `pytest_collection_modifyitems`."""
    from xdist.scheduler import LoadScopeScheduling

    class ByUnit(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    config.option.loadscopereorder = False  # else those of the most tests come first
    return ByUnit(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, the longest come first."""
    if hasattr(config, "workerinput"):
        place = {unit: n for n, unit in enumerate(LONGEST_FIRST)}
        items.sort(key=lambda item: place.get(unit_of(item.nodeid), len(place)))
