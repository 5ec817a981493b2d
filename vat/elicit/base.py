"""What elicitation needs from storage: a place where answers lie until the job is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vat.types import LabelScores, Prompt


class AnswerStore(Protocol):
    """Answers to one list of prompts, in parts."""

    def read(self, part: int, prompts: Sequence[Prompt]) -> LabelScores | None:
        """The answers to this part, or None where there are none to exactly these prompts."""

    def write(self, part: int, prompts: Sequence[Prompt], scores: LabelScores) -> None:
        """Keep the answers to this part; whole or not at all."""


class NoStore:
    """Keeps nothing."""

    def read(self, part: int, prompts: Sequence[Prompt]) -> LabelScores | None:
        """None."""
        return None

    def write(self, part: int, prompts: Sequence[Prompt], scores: LabelScores) -> None:
        """Nothing happens."""
