"""The corpus that comes with vat: our own texts for and against each value of four theories, and some about none."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

SOURCE = "demonstration"
SIDES = {"for": 1, "against": -1}


def demonstration() -> list[dict[str, object]]:
    """Rows with text, theory, value, direction and source, as a corpus has them."""
    rows: list[dict[str, object]] = [{"text": text, "theory": "", "value": "", "direction": 0, "source": SOURCE} for text in _tree()["neutral"]]
    for theory, values in _tree().items():
        for value, sides in values.items() if theory != "neutral" else ():
            for side, texts in sides.items():
                rows += [{"text": text, "theory": theory, "value": value, "direction": SIDES[side], "source": SOURCE} for text in texts]
    return rows


@lru_cache(maxsize=1)
def _tree() -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return tree
