"""How large a job is before it is done: its ratings, and what a server will charge for them."""

from __future__ import annotations

import math
from typing import NamedTuple

from vat.config import AlignSpec
from vat.data.question import after
from vat.programs.align import split_of
from vat.types import Shot

CHARACTERS_PER_TOKEN = 4
"""Of English, roughly."""
SAMPLE = 20


class Size(NamedTuple):
    """Ratings of all states; cost_usd: None where nobody charges, or the price is not known."""

    ratings: int
    cost_usd: float | None


def size_of(spec: AlignSpec) -> Size:
    """The size of a job, of whose prompts a few are taken as examples of all."""
    theory, split = spec.theory.load(), split_of(spec.data, spec.theory)
    rows = split.test.rows
    ratings = len(rows) * spec.strategy.n_states
    if math.isnan(spec.model.cost_usd((1.0, 1.0))):
        return Size(ratings, None)
    shown = spec.strategy.examples(split.train, theory, spec.value, replicate=spec.replicate) if spec.strategy.has_target else []
    question, shots, preamble = spec.elicit.question(theory), [Shot(probe, 3) for probe in shown], ""
    if spec.strategy.has_target:
        direction = spec.direction or theory.spec(spec.value).direction
        preamble = spec.strategy.preamble(theory, spec.value, direction, replicate=spec.replicate)
    sample = [after(preamble, question.prompt(row, shots)) for row in rows[:: max(1, len(rows) // SAMPLE)]]
    characters = sum(len(message.content) for prompt in sample for message in prompt.messages) / len(sample)
    written = 1 if spec.elicit.mode == "direct" else spec.elicit.max_new_tokens
    return Size(ratings, spec.model.cost_usd((ratings * characters / CHARACTERS_PER_TOKEN, float(ratings * written))))
