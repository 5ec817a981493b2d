"""strategy=user_texts: texts of a known intensity, from which the model is to take what somebody values and how much (ValueFlow, section 6.2)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from vat.align.preamble import PreambleStrategy
from vat.errors import DataError
from vat.intensity.anchors import ANCHORS, database_folder, read_anchors
from vat.settings import settings
from vat.theory.base import Theory

VERSION = 1
"""Of the wording; part of every such job's key."""
OPENING = "These are the words of one person:"
CLOSING = "Work out what this person holds dear or dislikes, and how strongly. Then answer all that follows as this person."
BINS = {-2: (-10.0, -7.0), -1: (-7.0, -3.0), 1: (3.0, 7.0), 2: (7.0, 10.0)}
"""Of each target, the intensities of its texts: the end that is nearer to 0 belongs to the strong one at −7, to the weak one at −3 and 3."""


@settings
class UserTexts(PreambleStrategy):
    """`vidb`: a database's folder. `count`: texts that are shown. `theory`: whose value of that name the database knows; null: the job's."""

    vidb: str
    count: Annotated[int, Field(ge=1)]
    theory: str | None

    @property
    def label(self) -> str:
        """user_texts."""
        return "user_texts"

    def identity(self) -> dict[str, object]:
        """Its name, the version of its wording, the strength, and the digest of the database.

        Raises:
            ConfigError: There is none.
        """
        digest = hashlib.sha256((database_folder(Path(), self.vidb) / ANCHORS).read_bytes()).hexdigest()
        return {
            "strategy": self.label, "wording": VERSION, "strength": self.strength, "database": digest, "count": self.count, "theory": self.theory
        }  # fmt: skip

    def preamble(self, theory: Theory, value: str, direction: int, *, replicate: int) -> str:
        """Texts of the target's bin that no panel doubts, drawn by chance; another replicate, another draw."""
        target = direction * self.strength
        low, high = BINS[target]
        anchors = read_anchors(database_folder(Path(), self.vidb), self.theory or theory.name, value).usable()
        found = sorted(text for text, x in zip(anchors.texts, anchors.intensity_A, strict=True) if _holds(target, low, float(x), high))
        if len(found) < self.count:
            rule = f"strategy.vidb={self.vidb}: needs {self.count} texts of value {value} with intensities from {low:g} to {high:g}"
            raise DataError(f"{rule}; got {len(found)}. Use a larger database, another strength, or fewer texts (strategy.count).")
        seed = hashlib.sha256(f"{value}|{target}|{replicate}".encode()).digest()
        drawn = np.random.default_rng(np.frombuffer(seed, dtype=np.uint32)).permutation(len(found))[: self.count]
        return "\n".join([OPENING, *(f"- {' '.join(found[n].split())}" for n in drawn), CLOSING])


def _holds(target: int, low: float, intensity: float, high: float) -> bool:
    """[−10, −7], (−7, −3], [3, 7), [7, 10]; the paper's own bounds differ between its section 6.2 and appendix D.1."""
    return {-2: low <= intensity <= high, -1: low < intensity <= high, 1: low <= intensity < high, 2: low <= intensity <= high}[target]
