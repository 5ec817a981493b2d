"""What tests of whole programs share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory, empty_database: Callable[[], Path]) -> Path:
    """A `tracking.root` with an empty database, to be copied, for programs in processes of their own too."""
    root = tmp_path_factory.mktemp("empty") / "mlruns"
    root.mkdir()
    shutil.copy(empty_database(), root / "mlflow.db")
    return root
