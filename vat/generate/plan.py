"""What a dataset is to hold: a scene for each country, topic and number, and in each scene an action for and against each item of the theory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vat.generate.prompts import words
from vat.theory.base import Theory

SUPPORTS, VIOLATES = 1, -1
OF_SEARCH, OF_FINAL, OF_TRIALS = 1_000_000, 2_000_000, 3_000_000
"""Draws from here on are a search's, its final's, and those of scenes that prompts of actions are tried in: none of their texts is in a dataset."""


class SceneSlot(NamedTuple):
    """A scene to be written; `number` tells apart those of one country and topic, from 1."""

    country: str
    topic: str
    number: int

    @property
    def id(self) -> str:
        """Its id in the dataset."""
        return f"{self.country}/{self.topic}/{self.number}"

    def given(self) -> dict[str, str]:
        """What a writer is given."""
        return {"country": self.country, "topic": self.topic}


class ActionSlot(NamedTuple):
    """An action to be written: in which scene, for (1) or against (-1) which item."""

    scene_id: str
    item: str
    polarity: int

    @property
    def id(self) -> str:
        """Names it in messages and tables."""
        return f"{self.scene_id} · {self.item} · {self.polarity:+d}"

    def given(self, scenes: Mapping[str, str], theory: Theory) -> dict[str, str]:
        """What a writer is given: the scene first, which all actions of it share."""
        return given_of_action(scenes[self.scene_id], self.item, self.polarity, theory)


def given_of_action(scene: str, item: str, polarity: int, theory: Theory) -> dict[str, str]:
    """What a writer is given for an action."""
    return {"scene": scene, "value": item, "meaning": theory.definitions[item], "polarity": polarity_words(polarity)}


def polarity_words(polarity: int) -> str:
    """A polarity as models are told."""
    return str(words()["action"]["polarity"][polarity])


@dataclass(frozen=True)
class Plan:
    """All slots, in the order of the dataset: by country, topic, number; then item; for before against."""

    scenes: tuple[SceneSlot, ...]
    theory: Theory

    def actions(self, scene_ids: Sequence[str]) -> list[ActionSlot]:
        """The actions of scenes that were written."""
        return [ActionSlot(scene, item, polarity) for scene in scene_ids for item in self.theory.items for polarity in (SUPPORTS, VIOLATES)]


def plan_of(countries: Sequence[str], topics: Sequence[str], scenes_per_pair: int, theory: Theory) -> Plan:
    """The plan of the paper with 12 countries, 11 topics and 2 scenes of each: 264 scenes, 29,568 actions of Schwartz's 56 items."""
    slots = (SceneSlot(country, topic, n) for country in countries for topic in topics for n in range(1, scenes_per_pair + 1))
    return Plan(tuple(slots), theory)
