"""Drawing the examples that a prompt strategy shows: half support an item of the value, half violate one."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Generator, Sequence

import numpy as np

from vat.align.base import State, Strategy, Task
from vat.data.base import Probes
from vat.errors import ConfigError, DataError
from vat.models.base import Capabilities
from vat.settings import settings
from vat.theory.base import Theory
from vat.types import Probe, Shot


def draw_examples(train: Probes, theory: Theory, value: str, *, count: int, replicate: int) -> list[Probe]:
    """Draw probes of a value from train scenes, in pairs of one that supports and one that violates, in random order.

    The first pairs of a longer draw are the shorter draw: a dose of 8 is the dose of 4 and more.

    Args:
        count: How many, even.
        replicate: Another number, another draw.
    Raises:
        DataError: The train scenes do not have as many of a polarity.
    """
    seed = hashlib.sha256(f"{value}|{replicate}".encode()).digest()
    random = np.random.default_rng(np.frombuffer(seed, dtype=np.uint32))
    of_value = [row for row in train.rows if theory.value_of[row.item] == value]
    sides = []
    for polarity in (1, -1):
        side = [row for row in of_value if row.polarity == polarity]
        if len(side) < count // 2:
            rule = f"needs {count // 2} train probes of value {value} with polarity {polarity}"
            raise DataError(f"shots={count}: {rule}; got {len(side)}. Use fewer shots.")
        sides.append(_one_scene_each([side[n] for n in random.permutation(len(side))]))
    examples: list[Probe] = []
    for pair in zip(*sides, strict=False):
        if len(examples) >= count:
            break
        examples += pair if random.random() < 0.5 else pair[::-1]
    return examples


def _one_scene_each(side: Sequence[Probe]) -> list[Probe]:
    """The same probes in the same order, but the second and later ones of a scene at the end."""
    first = {row.scene_id: n for n, row in reversed(list(enumerate(side)))}
    return sorted(side, key=lambda row: side[first[row.scene_id]] is not row)


@settings
class PromptStrategy(Strategy):
    """Base of strategies that put examples of the value before every question. `shots`: how many, even."""

    shots: int

    @property
    def shots_shown(self) -> int | None:
        """As configured."""
        return self.shots

    def identity(self) -> dict[str, object]:
        """Its name and the number of shots."""
        return {"strategy": self.label, "shots": self.shots}

    def check(self, capabilities: Capabilities) -> None:
        """Any model will do.

        Raises:
            ConfigError: An odd number of shots, or none.
        """
        if self.shots < 2 or self.shots % 2:
            raise ConfigError(f"shots: half support and half violate the value, so an even number from 2; got {self.shots}. Use shots=2, 4 or 8.")

    def examples(self, train: Probes, theory: Theory, value: str, *, replicate: int) -> list[Probe]:
        """As drawn by `draw_examples`."""
        return draw_examples(train, theory, value, count=self.shots, replicate=replicate)

    def states(self, task: Task) -> Generator[State]:
        """The model after its examples, as step 0."""
        examples = self.examples(task.train, task.theory, task.value, replicate=task.replicate)
        yield State(0, task.model, tuple(Shot(probe, rating) for probe, rating in zip(examples, self.ratings(task, examples), strict=True)))

    @abstractmethod
    def ratings(self, task: Task, examples: Sequence[Probe]) -> list[int]:
        """The rating that is shown with each example."""
