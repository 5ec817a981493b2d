"""Strategies that put a text before every question, and nothing else: the steered prompt is the default one after its preamble."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator
from typing import Literal

from vat.align.base import State, Strategy, Task
from vat.models.base import Capabilities
from vat.settings import settings
from vat.theory.base import Theory


@settings
class PreambleStrategy(Strategy):
    """`strength`: 1 slightly, 2 strongly; toward or away from the value as the job's direction says. So targets are −2, −1, +1, +2.

    Source: ValueFlow, section 6.2 and appendix D.1. Differs: the default prompt has no words that the steered one lacks.
    """

    strength: Literal[1, 2]

    @property
    def params(self) -> dict[str, object]:
        """Its strength."""
        return {"strength": self.strength}

    def check(self, capabilities: Capabilities) -> None:
        """Any model will do."""

    def targets(self, value: str, direction: int) -> dict[str, int]:
        """That of the job's value."""
        return {value: direction * self.strength}

    @abstractmethod
    def preamble(self, theory: Theory, value: str, direction: int, *, replicate: int) -> str:
        """The text; raises a ConfigError or DataError if there is none for this value."""

    def states(self, task: Task) -> Generator[State]:
        """The model after the text, as step 0."""
        yield State(0, task.model, (), preamble=self.preamble(task.theory, task.value, task.direction, replicate=task.replicate))
