"""strategy=paraphrase: the same question, its instruction in other words and no examples. A control: what moves here, moves for the wording."""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated, ClassVar

from pydantic import Field

from vat.align.base import State, Strategy, Task
from vat.data.question import INSTRUCTIONS
from vat.models.base import Capabilities
from vat.settings import settings


@settings
class Paraphrase(Strategy):
    """`wording`: how many instructions on from the one that the state before is asked with, 1, 2 or 3."""

    has_draws: ClassVar[bool] = False

    wording: Annotated[int, Field(ge=1, lt=len(INSTRUCTIONS))]

    @property
    def label(self) -> str:
        """paraphrase."""
        return "paraphrase"

    def identity(self) -> dict[str, object]:
        """Its name and the wording."""
        return {"strategy": "paraphrase", "wording": self.wording}

    def check(self, capabilities: Capabilities) -> None:
        """Any model will do."""

    def states(self, task: Task) -> Generator[State]:
        """The model as it is, asked in other words, as step 0."""
        yield State(0, task.model, (), rewording=self.wording)
