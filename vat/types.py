"""The records that pass between stages. All are frozen; what is missing is NaN, never 0.

Shapes: N probes, 5 rating labels.
"""

from __future__ import annotations

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

    `labels` are the continuations that stand for the first, second … fifth point of the scale as it is printed.
    """

    messages: tuple[Message, ...]
    text: str
    labels: tuple[str, ...]


class LabelScores(NamedTuple):
    """A model's answers to N prompts.

    probability_N5: probability of each label given that one of them is the answer; a row of NaN if there was no answer.
    mass_N: probability that the answer is one of the five labels at all, in [0, 1].
    """

    probability_N5: Floats
    mass_N: Floats


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
