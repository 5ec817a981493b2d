"""strategy=steering: examples rated as the direction asks (Value Alignment Tax, section 5: few-shot prompt steering)."""

from __future__ import annotations

from collections.abc import Sequence

from vat.align.base import Task
from vat.align.examples import PromptStrategy
from vat.settings import settings
from vat.types import LABELS, Probe


@settings
class Steering(PromptStrategy):
    """To push a value up, actions that support it are shown with a 5 and those that violate it with a 1; to push it down, the other
    way round."""

    @property
    def label(self) -> str:
        """steering."""
        return "steering"

    def ratings(self, task: Task, examples: Sequence[Probe]) -> list[int]:
        """5 or 1."""
        return [LABELS[-1] if probe.polarity == task.direction else LABELS[0] for probe in examples]
