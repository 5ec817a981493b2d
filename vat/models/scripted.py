"""model=scripted: answers by rule in no time, for tests and for a first look at the plumbing; it also refuses and breaks on order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from vat.errors import BackendError
from vat.models.base import NOTHING_KEPT, Capabilities, Kept, Model
from vat.models.scripted_writer import choice, written
from vat.settings import settings
from vat.types import Answered, Floats, Prompt, answers_of

BATCH = 1000
"""Answers that come together."""


@settings
class ScriptedModel(Model):
    """Its answer to a question is drawn from the question's hash and swayed by the last rating shown before it.

    sway: how many points of the scale the mean answer moves per point by which that rating lies off the middle; as a judge, also its taste.
    refusals: share of questions that get no usable answer.
    fails_on: a text; a prompt with it raises a BackendError ("" for none).
    """

    sway: float
    refusals: float
    fails_on: str

    @property
    def label(self) -> str:
        """scripted."""
        return "scripted"

    def identity(self) -> dict[str, object]:
        """Its settings."""
        return {"scripted": 1, "sway": self.sway, "refusals": self.refusals}

    def capabilities(self) -> Capabilities:
        """It has no weights and means nothing."""
        return Capabilities(trainable=False, caveat="model=scripted answers by a hash: its numbers mean nothing.")

    def check(self, prompt: Prompt, *, max_new_tokens: int = 0) -> tuple[float, float]:
        """Any prompt can be answered."""
        return 0.0, 0.0

    def ratings(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        """A bell around the hash's number; of texts to be ranked, how likely each is to come first. A refusal has mass 0.1.

        Raises:
            BackendError: A prompt holds the text `fails_on`.
        """
        for rows in _batches(len(prompts), kept):
            probability_N5, mass_N = np.zeros((len(rows), 5)), np.ones(len(rows))
            for n, row in enumerate(rows):
                bell, refuses = self._answer(prompts[row])
                first = choice(prompts[row])
                probability_N5[n, : 5 if first is None else len(first)] = bell if first is None else first
                mass_N[n] = 0.1 if refuses else 1.0
            yield Answered(rows, answers_of(probability_N5, mass_N))

    def texts(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        """What is asked for, by rule (`scripted_writer.py`); to a rating question the top of the bell, in words. Raises as `ratings`."""
        for rows in _batches(len(prompts), kept):
            yield Answered(rows, answers_of(None, None, text_N=[self._said(prompts[row]) for row in rows]))

    def drawing(self, temperature: float) -> Model:
        """Itself: what it writes depends on the number of the draw anyway."""
        return self

    def _said(self, prompt: Prompt) -> str:
        bell, refuses = self._answer(prompt)
        if refuses:
            return "I would rather not say." if prompt.labels else "I'm sorry, but I can't help with that."
        return written(prompt, self.sway) or f"Answer: {bell.argmax() + 1}"

    def _answer(self, prompt: Prompt) -> tuple[Floats, bool]:
        """The bell, and whether it refuses."""
        question = prompt.messages[-1].content if prompt.messages else prompt.text
        if self.fails_on and self.fails_on in question:
            raise BackendError(f"model scripted: fails on {self.fails_on!r}, as configured. Set model.fails_on= to nothing.")
        asked = f"{question[-200:]}{prompt.draw or ''}"
        mean, luck = np.frombuffer(hashlib.sha256(asked.encode()).digest()[:8], dtype=np.uint32) / 2**32
        shown = [int(last) for message in prompt.messages if message.role == "assistant" and (last := message.content.split()[-1]).isdigit()]
        centre = 1.5 + 3 * mean + self.sway * (shown[-1] - 3 if shown else 0.0)
        bell = np.exp(-((np.arange(1, 6) - centre) ** 2))
        return bell / bell.sum(), bool(luck < self.refusals)


def _batches(count: int, kept: Kept) -> Iterator[list[int]]:
    rows = [row for row in range(count) if row not in kept.rows]
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
