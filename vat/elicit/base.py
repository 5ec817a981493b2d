"""What elicitation needs from storage: a place where answers lie until the job is done; and asking for those that are not there yet."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from vat.models.base import Kept, Progress
from vat.types import Answered, Answers, Prompt, answers_of, gathered


class AnswerStore(Protocol):
    """Answers by prompt."""

    def read(self, prompts: Sequence[Prompt]) -> Answered:
        """The answers there are to these prompts, and to which of them."""

    def write(self, prompts: Sequence[Prompt], answers: Answers) -> None:
        """Keep more answers; soon, or at the latest when closed."""

    def settle(self) -> None:
        """Keep what was written, if it is time to; whoever has several stores calls it while others of them are written to."""

    def close(self) -> None:
        """Keep at once what was written."""

    def tokens(self) -> tuple[float, float]:
        """Tokens read and written for all that the job has asked so far, as a server counted them."""

    def count(self) -> int:
        """How many answers are kept."""


class NoStore:
    """Keeps nothing."""

    def read(self, prompts: Sequence[Prompt]) -> Answered:
        """None."""
        return Answered([], answers_of(None, None))

    def write(self, prompts: Sequence[Prompt], answers: Answers) -> None:
        """Nothing happens."""

    def settle(self) -> None:
        """Nothing happens."""

    def close(self) -> None:
        """Nothing happens."""

    def tokens(self) -> tuple[float, float]:
        """None."""
        return 0.0, 0.0

    def count(self) -> int:
        """None."""
        return 0


def answers_to(prompts: Sequence[Prompt], ask: Callable[..., Any], *, max_new_tokens: int, store: AnswerStore, progress: Progress) -> Answers:
    """Answers to all prompts, of which the store's are not asked for again.

    Args:
        ask: A model's `ratings` or `texts`.
    Raises:
        ConfigError, BackendError: The model cannot be asked or cannot answer; nothing that it did answer is lost.
    """
    known = store.read(prompts)
    progress(len(known.rows))
    if len(known.rows) == len(prompts):
        return known.answers
    parts = [known]
    stream = ask(prompts, max_new_tokens=max_new_tokens, kept=Kept(frozenset(known.rows), store.tokens()))
    with contextlib.closing(store), contextlib.closing(stream):  # after an error no request stays on its way
        for part in stream:
            store.write([prompts[row] for row in part.rows], part.answers)
            progress(len(part.rows))
            parts.append(part)
    assert sum(len(part.rows) for part in parts) == len(prompts)
    return gathered(len(prompts), parts)
