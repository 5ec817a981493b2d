"""What tests share: composed settings, as launch.py would see them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vat.config import AlignSpec, read

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small models: threads that wait for each other on a busy machine cost more than they give
ROOT = Path(__file__).parents[1]


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
