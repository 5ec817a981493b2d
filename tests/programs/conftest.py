"""What tests of whole programs share."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `tracking.root` with a database of MLflow and nothing in it, to be copied: it takes seconds to make."""
    root = tmp_path_factory.mktemp("empty") / "mlruns"
    root.mkdir()
    MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db").search_experiments()
    return root
