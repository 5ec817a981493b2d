"""strategy=placebo: the examples that steering would show, with the model's own ratings. Same length, no new stance: a control."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vat.align.base import Task
from vat.align.examples import PromptStrategy
from vat.errors import BackendError
from vat.settings import settings
from vat.types import Probe


@settings
class Placebo(PromptStrategy):
    """What moves here, moves for being asked after any examples at all."""

    @property
    def label(self) -> str:
        """placebo."""
        return "placebo"

    def ratings(self, task: Task, examples: Sequence[Probe]) -> list[int]:
        """The model's modal answer to each example, asked alone.

        Raises:
            BackendError: It has none to one of them.
        """
        rating_N = task.ask(examples).rating_N
        if np.isnan(rating_N).any():
            lost = examples[int(np.flatnonzero(np.isnan(rating_N))[0])]
            raise BackendError(f"strategy=placebo: needs the model's own rating of examples; got none for {lost.action!r}. Try another replicate.")
        return [int(rating) for rating in rating_N]
