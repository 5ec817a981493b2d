"""What judges are told, from wording.yaml."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

WORDINGS = 2
"""Of each question that responses are scored by."""


@lru_cache(maxsize=1)
def words() -> dict[str, Any]:
    """The file as a tree; what it holds is said there."""
    tree: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("wording.yaml").read_text(encoding="utf-8"))
    return tree
