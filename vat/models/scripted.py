"""model=scripted: answers by rule in no time, for tests and for a first look at the plumbing; it also refuses and breaks on order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from vat.errors import BackendError
from vat.models.base import Capabilities, Model, Progress
from vat.settings import settings
from vat.types import LabelScores, Prompt


@settings
class ScriptedModel(Model):
    """Its answer to a question is drawn from the question's hash and swayed by the last rating shown before it.

    sway: how many points of the scale the mean answer moves per point by which that rating lies off the middle.
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

    def check(self, prompt: Prompt) -> None:
        """Any prompt can be rated."""

    def rate(self, prompts: Sequence[Prompt], progress: Progress = lambda done: None) -> LabelScores:
        """A bell around the hash's number; a refusal has mass 0.1.

        Raises:
            BackendError: A prompt holds the text `fails_on`.
        """
        probability_N5, mass_N = np.empty((len(prompts), 5)), np.ones(len(prompts))
        for n, prompt in enumerate(prompts):
            question = prompt.messages[-1].content if prompt.messages else prompt.text
            if self.fails_on and self.fails_on in question:
                raise BackendError(f"model scripted: fails on {self.fails_on!r}, as configured. Set model.fails_on= to nothing.")
            mean, luck = np.frombuffer(hashlib.sha256(question[-200:].encode()).digest()[:8], dtype=np.uint32) / 2**32
            shown = [int(message.content) for message in prompt.messages if message.role == "assistant"]
            centre = 1.5 + 3 * mean + self.sway * (shown[-1] - 3 if shown else 0.0)
            bell = np.exp(-((np.arange(1, 6) - centre) ** 2))
            probability_N5[n], mass_N[n] = bell / bell.sum(), 0.1 if luck < self.refusals else 1.0
        progress(len(prompts))
        return LabelScores(probability_N5, mass_N)

    def generate(self, prompts: Sequence[Prompt], *, max_new_tokens: int) -> list[str]:
        """Always the same sentence."""
        return ["I would rather not say."] * len(prompts)
