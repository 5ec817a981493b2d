"""elicit=rating: a 1-to-5 agreement for every probe.

Shapes: N probes, 5 labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from vat.data.question import INSTRUCTIONS, VERSION, Question
from vat.elicit.base import AnswerStore, NoStore
from vat.errors import BackendError
from vat.models.base import Model, Progress
from vat.settings import settings
from vat.theory.base import Theory
from vat.types import LABELS, Judgements, LabelScores, Probe, Prompt, Shot

PART = 1120
"""Prompts of one part: answers are planned, computed and kept in parts, so that a resumed job has the bits of an undisturbed one."""
PREFERENCE = (3, 2, 4, 1, 5)
"""Which label wins a tie of the mode: the nearest to 3, then the lower."""


@settings
class RatingElicitation:
    """How answers are asked for and read.

    format, name_item, reversed, wording: as in `Question`.
    min_mass: least probability on the five labels for an answer to count.
    max_missing: largest share of missing answers; above it a job fails.
    """

    format: Literal["chat", "plain"]
    name_item: bool
    reversed: bool
    wording: Annotated[int, Field(ge=0, lt=len(INSTRUCTIONS))]
    min_mass: Annotated[float, Field(ge=0, le=1)]
    max_missing: Annotated[float, Field(ge=0, le=1)]

    def identity(self) -> dict[str, object]:
        """What determines the answers and how they are read; `max_missing` only decides whether they are accepted."""
        return {
            "prompt_version": VERSION, "format": self.format, "name_item": self.name_item, "reversed": self.reversed,
            "wording": self.wording, "min_mass": self.min_mass,
        }  # fmt: skip

    def question(self, theory: Theory) -> Question:
        """The question as configured, for a theory's items."""
        return Question(self.format, self.name_item, self.reversed, self.wording, theory.definitions)

    def judge(
        self,
        model: Model,
        probes: Sequence[Probe],
        shots: Sequence[Shot],
        theory: Theory,
        *,
        store: AnswerStore | None = None,
        progress: Progress = lambda done: None,
    ) -> Judgements:
        """Ask the model about every probe, after the same shots, and read its answers.

        What the store holds is not asked again, so that an interrupted job goes on after its last part.

        Raises:
            ConfigError, BackendError: The model cannot be asked or answers too little; nothing that it did answer is lost.
        """
        store, question = store or NoStore(), self.question(theory)
        prompts = [question.prompt(probe, shots) for probe in probes]
        scores = []
        for part, start in enumerate(range(0, len(prompts), PART)):
            asked = prompts[start : start + PART]
            kept = store.read(part, asked)
            if kept is None:
                kept = model.rate(asked, progress)
                store.write(part, asked, kept)
            else:
                progress(len(asked))
            scores.append(kept)
        judgements = self._read(tuple(probes), LabelScores(*(np.concatenate(column) for column in zip(*scores, strict=True))))
        if judgements.missing_rate > self.max_missing:
            raise BackendError(self._complaint(model, prompts, judgements))
        return judgements

    def _read(self, probes: tuple[Probe, ...], scores: LabelScores) -> Judgements:
        probability_N5 = scores.probability_N5[:, ::-1] if self.reversed else scores.probability_N5
        missing_N = np.isnan(probability_N5).any(axis=1) | ~(scores.mass_N >= self.min_mass)
        preferred = np.array(PREFERENCE)
        mode_N = preferred[np.argmax(np.nan_to_num(probability_N5)[:, preferred - 1], axis=1)].astype(float)
        expected_N = probability_N5 @ np.array(LABELS, dtype=float)
        return Judgements(probes, np.where(missing_N, np.nan, mode_N), np.where(missing_N, np.nan, expected_N), probability_N5, scores.mass_N)

    def _complaint(self, model: Model, prompts: Sequence[Prompt], judgements: Judgements) -> str:
        missing = np.flatnonzero(np.isnan(judgements.rating_N))
        said = [" ".join(text.split())[:60] for text in model.generate([prompts[n] for n in missing[:3]], max_new_tokens=24)]
        return (
            f"model {model.label}: may leave at most {self.max_missing:.0%} of answers missing; got {judgements.missing_rate:.0%}, as {said}. "
            "Use another elicit.format or model, or raise elicit.max_missing."
        )
