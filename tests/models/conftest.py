from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vat.models.hf import HFModel
from vat.models.tiny import FOLDER


@pytest.fixture(scope="session")
def local() -> Callable[..., HFModel]:
    """model=hf for a directory."""

    def made(folder: Path = FOLDER, batch_tokens: int = 8192) -> HFModel:
        return HFModel(name=str(folder), revision=None, dtype="float32", device="cpu", batch_tokens=batch_tokens, template_options={})

    return made


@pytest.fixture
def copy_of_tiny(tmp_path: Path) -> Path:
    """The embedded model's folder, to be broken."""
    return Path(shutil.copytree(FOLDER, tmp_path / "model"))
