"""Judges of known sharpness and bias, as numbers and as models that are asked in words.

Shapes: W windows, K places as shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random

import numpy as np
import numpy.typing as npt

from vat.types import Floats, Ints, Prompt


def rank(intensity_WK: npt.ArrayLike, *, sharpness: float = 1.0, bias: float = 0.0, rng: np.random.Generator) -> Ints:
    """(W, K) places as shown, from 0, the most supportive first: Plackett–Luce with utilities sharpness · intensity, `bias` more for the first."""
    utility_WK: Floats = sharpness * np.array(intensity_WK, dtype=float)
    utility_WK[:, 0] += bias
    return np.argsort(-(utility_WK + rng.gumbel(size=utility_WK.shape)), axis=1)


def speaking(
    intensity_of: Mapping[str, float],
    *,
    sharpness: float = 1.0,
    bias: float = 0.0,
    seed: int = 0,
    wrong: Callable[[Prompt], str | None] = lambda prompt: None,
) -> Callable[[Prompt], str]:
    """What such a judge says to a prompt of `vat.intensity.ranking`, for `tests.elicit.desks.Speaker`; the same to the same prompt and draw.

    intensity_of: by text. wrong: what it says instead of a ranking; None for that.
    """

    def say(prompt: Prompt) -> str:
        if (other := wrong(prompt)) is not None:
            return other
        texts = shown(prompt)
        luck = np.random.default_rng(Random(f"{seed} {prompt}").getrandbits(64))
        numbers = rank([[intensity_of[text] for text in texts]], sharpness=sharpness, bias=bias, rng=luck)[0] + 1
        return " > ".join(map(str, numbers)) if len(texts) > 2 else str(numbers[0])

    return say


def shown(prompt: Prompt) -> list[str]:
    """Texts of a prompt, in the order in which they are shown."""
    return [text for _, text in re.findall(r"^\[(\d+)\] (.*)$", prompt.messages[-1].content, re.MULTILINE)]
