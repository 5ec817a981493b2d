"""elicit=rating: a 1-to-5 agreement for every probe.

Shapes: N probes, 5 labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from vat.data.question import INSTRUCTIONS, VERSION, Question, after
from vat.elicit.base import AnswerStore, NoStore, answers_to
from vat.elicit.reader import Reading, read_answer
from vat.errors import BackendError, ConfigError
from vat.models.base import Model, Progress
from vat.settings import settings
from vat.theory.base import Theory
from vat.types import LABELS, Answers, Judgements, Probe, Prompt, Shot

PREFERENCE = (3, 2, 4, 1, 5)
"""Which label wins a tie of the mode: the nearest to 3, then the lower."""


@settings
class RatingElicitation:
    """How answers are asked for and read.

    mode: `direct` asks for the probabilities of the five numbers as the next thing said (and reads a text where a model gives none), `text` reads
        what the model writes, `reasoned` what it writes after its reasons.
    format, name_item, reversed, wording: as in `Question`.
    answer_tokens, reasoning_tokens: how much a model may write, without and with reasons.
    min_mass: least probability on the five labels for an answer to count.
    max_missing: largest share of missing answers; above it a job fails.
    """

    mode: Literal["direct", "text", "reasoned"]
    format: Literal["chat", "plain"]
    name_item: bool
    reversed: bool
    wording: Annotated[int, Field(ge=0, lt=len(INSTRUCTIONS))]
    min_mass: Annotated[float, Field(ge=0, le=1)]
    max_missing: Annotated[float, Field(ge=0, le=1)]
    answer_tokens: Annotated[int, Field(ge=1)]
    reasoning_tokens: Annotated[int, Field(ge=1)]

    def identity(self) -> dict[str, object]:
        """What determines the answers and how they are read; `max_missing` only decides whether they are accepted."""
        return {
            "prompt_version": VERSION, "mode": self.mode, "format": self.format, "name_item": self.name_item, "reversed": self.reversed,
            "wording": self.wording, "min_mass": self.min_mass, "max_tokens": self.max_new_tokens,
        }  # fmt: skip

    @property
    def max_new_tokens(self) -> int:
        """How much a model may write where it writes."""
        return self.reasoning_tokens if self.mode == "reasoned" else self.answer_tokens

    def question(self, theory: Theory) -> Question:
        """The question as configured, for a theory's items."""
        return Question(self.format, self.name_item, self.reversed, self.wording, theory.definitions, self.mode == "reasoned")

    def check(self, model: Model, probe: Probe, shots: Sequence[Shot], theory: Theory, *, preamble: str = "") -> None:
        """Find out, before long work starts, whether the model can be asked about a probe.

        Raises:
            ConfigError, BackendError: It cannot.
        """
        if self.mode == "reasoned" and self.format == "plain":
            raise ConfigError("elicit.mode=reasoned: needs turns; got elicit.format=plain. Use elicit.format=chat.")
        prompt = after(preamble, self.question(theory).prompt(probe, shots))
        model.check(prompt, max_new_tokens=0 if self.mode == "direct" else self.max_new_tokens)

    def judge(
        self,
        model: Model,
        probes: Sequence[Probe],
        shots: Sequence[Shot],
        theory: Theory,
        *,
        preamble: str = "",
        store: AnswerStore | None = None,
        progress: Progress = lambda done, said="": None,
    ) -> Judgements:
        """Ask the model about every probe, after the same preamble and shots, and read its answers.

        What the store holds is not asked again, so that an interrupted job goes on after its last part.

        Raises:
            ConfigError, BackendError: The model cannot be asked or answers too little; nothing that it did answer is lost.
        """
        question = self.question(theory)
        prompts = [after(preamble, question.prompt(probe, shots)) for probe in probes]
        different = list(dict.fromkeys(prompts))
        ask = model.ratings if self.mode == "direct" else model.texts
        answers = answers_to(different, ask, max_new_tokens=self.max_new_tokens, store=NoStore() if store is None else store, progress=progress)
        progress(len(prompts) - len(different))
        row_of = {prompt: row for row, prompt in enumerate(different)}
        rows = [row_of[prompt] for prompt in prompts]
        probability_N5, mass_N, text_N, tokens_N2 = answers
        answers = Answers(probability_N5[rows], mass_N[rows], tuple(text_N[row] for row in rows), tokens_N2[rows])
        readings = [read_answer(text, question.points()) if text else None for text in answers.text_N]
        judgements = self._read(tuple(probes), answers, readings)
        if judgements.missing_rate > self.max_missing:
            raise BackendError(self._complaint(model, prompts, judgements, answers, readings))
        return judgements

    def _read(self, probes: tuple[Probe, ...], answers: Answers, readings: Sequence[Reading | None]) -> Judgements:
        """The mode of the probabilities where there are any, else what was read."""
        flipped = slice(None, None, -1 if self.reversed else 1)
        probability_N5 = answers.probability_N5[:, flipped]
        preferred = np.array(PREFERENCE)
        mode_N = preferred[np.argmax(np.nan_to_num(probability_N5)[:, preferred - 1], axis=1)].astype(float)
        said_N = np.array([reading.label if reading and reading.label else np.nan for reading in readings], dtype=float)
        told_N = ~np.isnan(probability_N5).any(axis=1)
        rating_N = np.where(told_N, np.where(answers.mass_N >= self.min_mass, mode_N, np.nan), 6 - said_N if self.reversed else said_N)
        expected_N = np.where(np.isnan(rating_N), np.nan, probability_N5 @ np.array(LABELS, dtype=float))
        return Judgements(probes, rating_N, expected_N, probability_N5, answers.mass_N)

    def _complaint(
        self, model: Model, prompts: Sequence[Prompt], judgements: Judgements, answers: Answers, readings: Sequence[Reading | None]
    ) -> str:
        missing = np.flatnonzero(np.isnan(judgements.rating_N))
        why = Counter(reading.why if (reading := readings[int(n)]) else "not one of the five" for n in missing)
        few = missing[:3]
        texts = [answers.text_N[n] for n in few] if any(readings) else model.generate([prompts[n] for n in few], max_new_tokens=24)
        kinds = ", ".join(f"{count / len(prompts):.0%} {kind}" for kind, count in why.most_common())
        return (
            f"model {model.label}: may leave at most {self.max_missing:.0%} of answers missing; got {judgements.missing_rate:.0%} ({kinds}), "
            f"as {[' '.join(text.split())[-60:] for text in texts]}. Use another elicit.mode, elicit.format or model, or raise elicit.max_missing."
        )
