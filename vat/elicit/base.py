"""What elicitation needs from storage: a place where answers lie until the job is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vat.types import Answered, Answers, Prompt, answers_of


class AnswerStore(Protocol):
    """Answers by prompt."""

    def read(self, prompts: Sequence[Prompt]) -> Answered:
        """The answers there are to these prompts, and to which of them."""

    def write(self, prompts: Sequence[Prompt], answers: Answers) -> None:
        """Keep more answers; soon, or at the latest when closed."""

    def close(self) -> None:
        """Keep at once what was written."""

    def tokens(self) -> tuple[float, float]:
        """Tokens read and written for all that the job has asked so far, as a server counted them."""


class NoStore:
    """Keeps nothing."""

    def read(self, prompts: Sequence[Prompt]) -> Answered:
        """None."""
        return Answered([], answers_of(None, None))

    def write(self, prompts: Sequence[Prompt], answers: Answers) -> None:
        """Nothing happens."""

    def close(self) -> None:
        """Nothing happens."""

    def tokens(self) -> tuple[float, float]:
        """None."""
        return 0.0, 0.0
