"""What a data source gives: probes, split by scene, with a digest that names them.

Shapes: S scenes.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

from pydantic import Field

from vat.data.split import draw_scenes
from vat.errors import ConfigError, DataError
from vat.settings import settings
from vat.theory.base import Theory
from vat.types import Probe


@dataclass(frozen=True)
class Probes:
    """Probes in scene order.

    test_scenes: those that the data's own split holds out; None where it has none, or nobody asked for it. No part of the digest.
    """

    rows: tuple[Probe, ...]
    test_scenes: frozenset[str] | None = None

    @cached_property
    def scenes(self) -> tuple[str, ...]:
        """Scene ids in order of first appearance, (S,)."""
        return tuple(dict.fromkeys(row.scene_id for row in self.rows))

    @cached_property
    def scene_factors(self) -> dict[str, tuple[str, ...]]:
        """What the scenes share: factor name → its level for each of the S scenes."""
        first = {row.scene_id: row for row in reversed(self.rows)}
        return {"country": tuple(first[s].country for s in self.scenes), "topic": tuple(first[s].topic for s in self.scenes)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every field of every probe, in order."""
        total = hashlib.sha256()
        for row in self.rows:
            total.update(repr(tuple(row)).encode())
        return total.hexdigest()

    def of_scenes(self, scenes: Sequence[str]) -> Probes:
        """The probes of these scenes, in the present order."""
        wanted = set(scenes)
        return Probes(tuple(row for row in self.rows if row.scene_id in wanted))


@dataclass(frozen=True)
class Split:
    """Train and test probes; no scene is on both sides."""

    train: Probes
    test: Probes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of both sides."""
        return hashlib.sha256(f"{self.train.digest} {self.test.digest}".encode()).hexdigest()


@settings
class DataSource(ABC):
    """Base of all data sources.

    test_share: share of the scenes that is held out; None: those that the data's own split holds out.
    split_seed: which scenes a share is.
    limit: use only so many test scenes, spread over countries and topics (None: all of them).
    """

    test_share: Annotated[float, Field(gt=0, lt=1)] | None
    split_seed: Annotated[int, Field(ge=0)]
    limit: Annotated[int, Field(ge=1)] | None

    @abstractmethod
    def probes(self, theory: Theory) -> Probes:
        """All probes of the source, checked against the theory.

        Raises:
            ConfigError: The source is not there or does not fit the theory.
            DataError: A row breaks a rule; the message names it.
        """

    def to_keep(self) -> DataSource:
        """The source as its settings are kept with what it gave: whatever moves on is pinned to what was read."""
        return self

    def split(self, theory: Theory) -> Split:
        """Probes by scene, train and test: balanced by country and by topic, or as the data's own split has it.

        Raises:
            ConfigError, DataError: As `probes`; or too few scenes; or no split of its own.
        Source: Value Alignment Tax, section 4 (70–30 by scene).
        """
        everything = self.probes(theory)
        if len(everything.scenes) < 4:
            raise DataError(f"data: needs at least 4 scenes, to hold some out; got {len(everything.scenes)}. Add scenes.")
        test = self._held_out(everything)
        train = [scene for scene in everything.scenes if scene not in set(test)]
        if self.limit is not None:
            test = draw_scenes(test, everything.of_scenes(test).scene_factors, count=self.limit, seed=self.split_seed)
        if len(test) < 3:
            step = "Raise data.test_share or data.limit" if self.test_share else "Raise data.limit, or set data.test_share=0.3 to draw a split"
            raise DataError(f"data: coupling over scenes needs at least 3 test scenes; got {len(test)}. {step}.")
        return Split(everything.of_scenes(train), everything.of_scenes(test))

    def _held_out(self, everything: Probes) -> Sequence[str]:
        """The test scenes before `limit`, in order."""
        if self.test_share is not None:
            count = math.ceil(self.test_share * len(everything.scenes))
            return draw_scenes(everything.scenes, everything.scene_factors, count=count, seed=self.split_seed)
        if everything.test_scenes is None:
            raise ConfigError("data.test_share: null takes the split that comes with the data; got data without one. Set data.test_share=0.3.")
        return [scene for scene in everything.scenes if scene in everything.test_scenes]
