"""What a strategy is given, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from vat.align.base import Resources, Task
from vat.data.question import Question
from vat.data.template import TemplateData
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
