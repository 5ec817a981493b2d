"""strategy=none: the model as it is. Its judgements are the state before, shared by every job of every sweep."""

from __future__ import annotations

from collections.abc import Generator
from typing import ClassVar

from vat.align.base import State, Strategy, Task
from vat.models.base import Capabilities
from vat.settings import settings


@settings
class Baseline(Strategy):
    """No settings, no target."""

    has_target: ClassVar[bool] = False
    has_draws: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """none."""
        return "none"

    def identity(self) -> dict[str, object]:
        """Its name."""
        return {"strategy": "none"}

    def check(self, capabilities: Capabilities) -> None:
        """Any model will do."""

    def states(self, task: Task) -> Generator[State]:
        """The model without shots, as step 0."""
        yield State(0, task.model, ())
