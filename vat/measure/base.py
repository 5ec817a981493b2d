"""What a measure is to the main program: rows of a tidy table, from value states before and after.

Shapes: S scenes, V values, U items, O orders of the values on the theory's circle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar, NamedTuple

from vat.measure.tidy import Row
from vat.settings import settings
from vat.types import Floats, Ints

Columns = Mapping[str, Sequence[object]]
"""A table: name → entries, as many in each."""


class Items(NamedTuple):
    """The same item by item: (S, U) states before and after, and the column of the value that each of the U items belongs to."""

    pre_SU: Floats
    post_SU: Floats
    value_U: Ints


class Shifted(NamedTuple):
    """Value states of a model before and after a value was pushed, on the same scenes.

    pre_SV, post_SV: (S, V) states in [-1, 1], NaN where nothing was observed in both.
    values: names of the V values. target: column of the one that was pushed. direction: 1 or -1.
    scenes: names of the S scenes. factors: what scenes share, name → level of each of them.
    items: the same item by item.
    angle_OV: (O, V) degrees of the values on the theory's circle, in each order that it leaves open; None without a circle.
    """

    pre_SV: Floats
    post_SV: Floats
    values: tuple[str, ...]
    target: int
    direction: int
    scenes: tuple[str, ...]
    factors: Mapping[str, Sequence[str]]
    items: Items
    angle_OV: Floats | None


@settings
class Measure(ABC):
    """Base of all measures.

    headline: statistics that are also given from expected ratings, as `<statistic>_expected`.
    version: raised when the same settings give other rows; finished jobs are then measured again from their judgements.
    """

    headline: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1

    def check(self, factors: Collection[str]) -> None:  # noqa: B027 - most measures take any
        """Whether this can measure states of scenes that share these factors; called before any model runs.

        Raises:
            DataError: It cannot.
        """

    @abstractmethod
    def rows(self, shifted: Shifted) -> Sequence[Row]:
        """What is measured, one row an estimate; NaN for what is not defined, and the same rows whatever the states."""

    def tables(self, shifted: Shifted) -> Mapping[str, Columns]:
        """Tables of its own, file name → columns, to be kept beside the tidy one."""
        return {}
