"""A server of judges whose sharpness is known, and of a panel that doubts what is far from the truth; for the rest as a `DatasetServer`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tests.generate.dataset_server import FIRST, PASSING, SECOND, DatasetServer, Faults
from tests.intensity.simulated import shown, speaking
from vat.types import Prompt

MEMBER = "panel-member"
SHARPNESS = {FIRST: 1.0, SECOND: 0.5}
PRICES = {FIRST: (0.15, 0.6), SECOND: (0.27, 1.1), MEMBER: (0.5, 1.5)}
"""USD for a million tokens read and written."""
IMPLAUSIBLE = 2.5
"""What the panel finds too far from the truth."""
SPREAD = 2.5
"""Standard deviation of levels: of 10,000 texts the farthest lie then at the ends of the scale."""


class JudgeServer(DatasetServer):
    """levels: text → how strongly it really holds whatever value it is asked about. shown: turns, as the log has them → texts to be ranked."""

    passing = (*PASSING, "500", "cut")

    def __init__(self, levels: Mapping[str, float], faults: Faults, *, delay_s: float = 0.0, patience_s: float = 60.0, key: str = "") -> None:
        super().__init__(faults, delay_s=delay_s, patience_s=patience_s, key=key)
        self._levels = levels
        self.shown: dict[str, tuple[str, ...]] = {}
        self._judges = {name: speaking(levels, sharpness=sharpness, seed=n) for n, (name, sharpness) in enumerate(SHARPNESS.items())}

    def _kind(self, last: str, most: int) -> str:
        return "verdict" if re.search(r"^Score: ", last, re.MULTILINE) else super()._kind(last, most)  # so short that it looks like a trial

    def _written(self, model: str, prompt: Prompt) -> str | None:
        asked = prompt.messages[-1].content
        if score := re.search(r"^Text: (.*)\nScore: (.*)$", asked, re.MULTILINE):
            return str(int(abs(self._levels[score[1]] - float(score[2])) < IMPLAUSIBLE))
        self.shown[hashlib.sha256(f"user: {asked}".encode()).hexdigest()] = tuple(shown(prompt))
        return self._judges[model](prompt) if model in self._judges else "1"


def corpus(file: Path, count: int, *, value: str = "power", seed: int = 0) -> dict[str, float]:
    """Write a corpus of texts whose levels are normal; returns text → level."""
    levels = np.random.default_rng(seed).normal(0, SPREAD, count)
    texts = [f"Number {n} of those who would rather lead than follow said so in the meeting." for n in range(count)]
    pd.DataFrame({"text": texts, "value": value, "direction": np.sign(levels).astype(int), "source": "meeting"}).to_csv(file, index=False)
    return dict(zip(texts, levels.tolist(), strict=True))
