from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vat.models.hf import HFModel
from vat.models.tiny import FOLDER


@pytest.fixture(scope="session")
def local() -> Callable[..., HFModel]:
    """model=hf for a directory."""

    def made(folder: Path = FOLDER, **changes: Any) -> HFModel:
        settings = {
            "revision": None,
            "adapter": None,
            "dtype": "float32",
            "device": "cpu",
            "memory_gib": 1.0,
            "attention": "auto",
            "template_options": {},
        }
        return HFModel(name=str(folder), **(settings | changes))

    return made


@pytest.fixture
def copy_of_tiny(tmp_path: Path) -> Path:
    """The embedded model's folder, to be broken."""
    return Path(shutil.copytree(FOLDER, tmp_path / "model"))
