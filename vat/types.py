"""The records that pass between stages. All are frozen; what is missing is NaN, never 0.

Shapes: N probes, 5 rating labels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Direction = Literal[1, -1]

LABELS = (1, 2, 3, 4, 5)


class Probe(NamedTuple):
    """One action in one scene, which supports (+1) or violates (-1) one item of the theory."""

    scene_id: str
    country: str
    topic: str
    scene: str
    item: str
    polarity: int
    action: str


class Shot(NamedTuple):
    """A probe that is shown together with a rating (1 strongly disagree … 5 strongly agree)."""

    probe: Probe
    rating: int


class Message(NamedTuple):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: str


class Prompt(NamedTuple):
    """What a model is asked: chat turns, or, where `messages` is empty, plain text to be continued.

    `labels` are the continuations that stand for the first, second … fifth point of the scale as it is printed, or for fewer choices than five.
    `draw` tells apart several answers to one question, which a model that draws its words gives.
    """

    messages: tuple[Message, ...]
    text: str
    labels: tuple[str, ...]
    draw: int = 0


class Answers(NamedTuple):
    """What a model answered to N prompts.

    probability_N5: probability of each label given that one of them is the answer, 0 for labels that the prompt does not have; a row of NaN where
        the model gave none.
    mass_N: probability that the answer is one of the labels at all, in [0, 1]; NaN where the model gave none.
    text_N: what it wrote; "" where only its next token was looked at.
    tokens_N2: tokens read and written, as a server counts them; NaN where nobody counts.
    """

    probability_N5: Floats
    mass_N: Floats
    text_N: tuple[str, ...]
    tokens_N2: Floats


class Answered(NamedTuple):
    """Answers to some of the prompts that a model was given: `rows` says which, `answers` what, in the same order."""

    rows: Sequence[int]
    answers: Answers

    def without(self, rows: Collection[int]) -> Answered:
        """The same, less some of the prompts."""
        at = [n for n, row in enumerate(self.rows) if row not in rows]
        probability_N5, mass_N, text_N, tokens_N2 = self.answers
        return Answered([self.rows[n] for n in at], Answers(probability_N5[at], mass_N[at], tuple(text_N[n] for n in at), tokens_N2[at]))


def answers_of(probability_N5: Floats | None, mass_N: Floats | None, *, text_N: Sequence[str] = (), tokens_N2: Floats | None = None) -> Answers:
    """Answers of a model that gives only some of the columns; the others are what stands for "not given". Of labels there may be fewer than five."""
    count = len(text_N) if mass_N is None else len(mass_N)
    return Answers(
        np.full((count, len(LABELS)), np.nan) if probability_N5 is None else _as_five(probability_N5),
        np.full(count, np.nan) if mass_N is None else mass_N,
        tuple(text_N) or ("",) * count,
        np.full((count, 2), np.nan) if tokens_N2 is None else tokens_N2,
    )


def _as_five(probability_NL: Floats) -> Floats:
    """With a column of 0 for each label that there is not; NaN where nothing was given."""
    absent = len(LABELS) - probability_NL.shape[1]
    return np.hstack([probability_NL, np.repeat(probability_NL[:, :1] * 0, absent, axis=1)]) if absent else probability_NL


def gathered(count: int, parts: Iterable[Answered]) -> Answers:
    """Parts that together answer `count` prompts, as answers in the order of the prompts."""
    whole = answers_of(np.full((count, len(LABELS)), np.nan), np.full(count, np.nan))
    texts = list(whole.text_N)
    for rows, answers in parts:
        at = list(rows)
        whole.probability_N5[at], whole.mass_N[at], whole.tokens_N2[at] = answers.probability_N5, answers.mass_N, answers.tokens_N2
        for row, text in zip(at, answers.text_N, strict=True):
            texts[row] = text
    return whole._replace(text_N=tuple(texts))


@dataclass(frozen=True)
class Judgements:
    """What a model answered to probes, on the scale 1 (strongly disagree) … 5 (strongly agree) whatever way it was printed.

    rating_N: the mode, NaN where the answer is missing.
    expected_N: the mean under the label probabilities, NaN where missing.
    """

    probes: tuple[Probe, ...]
    rating_N: Floats
    expected_N: Floats
    probability_N5: Floats
    mass_N: Floats

    @property
    def missing_rate(self) -> float:
        """Share of probes without a usable answer."""
        return float(np.isnan(self.rating_N).mean())
