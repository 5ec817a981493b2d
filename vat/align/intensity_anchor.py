"""strategy=intensity_anchor: the model is told how much somebody like it cares about a value, or about several (ValueFlow, sections 6.2 and 7)."""

from __future__ import annotations

from typing import ClassVar, Literal

from vat.align.preamble import PreambleStrategy
from vat.errors import ConfigError, choose
from vat.settings import settings
from vat.theory.base import Theory

VERSION = 1
"""Of the wording; part of every such job's key."""
OPENING = "Speak as a person of whom the following is true, and answer everything below as this person would."
STANCES = {
    2: "You care very much about {value}: {definition}", 1: "You care a little about {value}: {definition}",
    -1: "You are somewhat against {value}: {definition}", -2: "You are strongly against {value}: {definition}",
}  # fmt: skip


@settings
class IntensityAnchor(PreambleStrategy):
    """`also`: further values, each with its own target: −2, −1, 1 or 2; null for none."""

    has_draws: ClassVar[bool] = False

    also: dict[str, Literal[-2, -1, 1, 2]] | None

    @property
    def label(self) -> str:
        """intensity_anchor."""
        return "intensity_anchor"

    @property
    def params(self) -> dict[str, object]:
        """Its strength, and the other targets."""
        also = ", ".join(f"{name} {target:+d}" for name, target in sorted((self.also or {}).items()))
        return {"strength": self.strength} | ({"also": also} if also else {})

    def identity(self) -> dict[str, object]:
        """Its name, the version of its wording, and the targets."""
        return {"strategy": self.label, "wording": VERSION, "strength": self.strength, "also": dict(sorted((self.also or {}).items()))}

    def targets(self, value: str, direction: int) -> dict[str, int]:
        """That of the job's value, and the others."""
        return super().targets(value, direction) | (self.also or {})

    def preamble(self, theory: Theory, value: str, direction: int, *, replicate: int) -> str:
        """A sentence a value, in the order of the theory, so that which of them the job is about cannot be told from it."""
        also = self.also or {}
        if value in also:
            rule = f"strategy.also: holds values beside that of the job; got {value} itself"
            raise ConfigError(f"{rule}. Leave it out; strategy.strength and direction are its target.")
        if unknown := [name for name in also if name not in theory.values]:
            rule = f"strategy.also: each must be a value of theory {theory.name}; got {unknown[0]!r}"
            raise ConfigError(f"{rule}. {choose(unknown[0], theory.values)}")
        targets = self.targets(value, direction)
        lines = [
            STANCES[targets[name]].format(value=name.replace("_", " "), definition=_clause(theory.spec(name).definition))
            for name in theory.values if name in targets
        ]  # fmt: skip
        return "\n".join([OPENING, *lines])


def _clause(definition: str) -> str:
    """A definition as it goes on after a colon."""
    return definition[0].lower() + definition[1:]
