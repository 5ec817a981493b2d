"""What a strategy is given, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import pandas as pd

from vat.align.base import Resources, Task
from vat.data.question import Question
from vat.data.template import TemplateData
from vat.intensity.anchors import ANCHORS
from vat.models.base import Model
from vat.theory.schwartz import SCHWARTZ
from vat.types import Judgements, Probe

SPLIT = TemplateData(test_share=0.3, split_seed=0, limit=None).split(SCHWARTZ)
QUESTION = Question("chat", True, False, 0, SCHWARTZ.definitions)
ALONE = Resources(processes=1, gpus=0, deepspeed=None, threads=1)


def task(
    value: str,
    direction: int,
    model: Model,
    ask: Callable[[Sequence[Probe]], Judgements],
    *,
    replicate: int = 0,
    folder: Path = Path("nowhere"),
    resources: Resources = ALONE,
) -> Task:
    """A task on the train scenes of the template data, whose progress nobody sees."""
    return Task(
        SCHWARTZ, SPLIT.train, model, value, direction, replicate, ask, QUESTION, folder, resources,
        counting=lambda *_: nullcontext(lambda done, said="": None), measured=lambda step: {}, logged=lambda training: None,
    )  # fmt: skip


def database(root: Path) -> Path:
    """A database of value intensities under a `tracking.root`, as strategy=user_texts takes one: eight texts of each of five values in each bin."""
    folder = root / "vidb" / "anchors"
    rows = [
        {"theory": "schwartz", "value": value, "text": f"{value} {intensity:+.1f}.", "intensity": intensity, "error": 0.5, "flagged": flagged}
        for value in ("power", "security", "universalism", "hedonism", "stimulation")
        for low in (-10.0, -7.0, -3.0, 3.0, 6.5)
        for n, intensity in enumerate(low + 0.4 * step for step in range(9))
        for flagged in [n == 4]
    ]
    (folder / "data").mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(folder / ANCHORS)
    return folder
