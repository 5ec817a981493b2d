"""What a measure is to the main program: numbers with names, from value states before and after.

Shapes: S scenes, V values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from vat.settings import settings
from vat.types import Floats


class Shifted(NamedTuple):
    """Value states of a model before and after a value was pushed, on the same scenes.

    pre_SV, post_SV: (S, V) states in [-1, 1], NaN where nothing was observed in both.
    values: names of the V values. target: column of the one that was pushed. direction: 1 or -1.
    factors: what scenes share, name → level of each of the S scenes.
    """

    pre_SV: Floats
    post_SV: Floats
    values: tuple[str, ...]
    target: int
    direction: int
    factors: Mapping[str, Sequence[str]]


@settings
class Measure(ABC):
    """Base of all measures.

    headline: names of the metrics that are also given from expected ratings, as `<name>_expected`.
    version: raised when the same settings give other metrics; finished jobs are then measured again from their answers.
    """

    headline: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1

    @abstractmethod
    def metrics(self, shifted: Shifted) -> dict[str, float]:
        """Metrics by the names they have in MLflow; NaN for what is not defined."""
