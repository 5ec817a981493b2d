"""data=template: 29,568 probes written by rule from our own phrases (template.yaml). They need no network and no licence.

12 countries × 11 topics × 2 scenes × 56 items × 2 polarities. Which frame and which of an item's phrases an action gets is a
hash of what it is about, so the text never depends on the order of generation.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from vat.data.base import DataSource, Probes
from vat.errors import ConfigError
from vat.settings import settings
from vat.theory.base import Theory
from vat.types import Probe

SIDE = {1: "supports", -1: "violates"}


class Scene(NamedTuple):
    """A scene of the template and what it is about."""

    scene_id: str
    country: str
    topic: str
    text: str


@settings
class TemplateData(DataSource):
    """The embedded data source; it has phrases for the items of theory=schwartz."""

    def probes(self, theory: Theory) -> Probes:
        """All 29,568 probes, country by country.

        Raises:
            ConfigError: The theory has items without phrases.
        """
        known = words()["actions"]
        for item in theory.items:
            if item not in known:
                rule = f"data=template: has the items of theory=schwartz; got theory {theory.name} with item {item!r}"
                raise ConfigError(f"{rule}. Use data=table; -cn dataset writes one.")
        return Probes(tuple(
            Probe(*scene, item, polarity, action_text(scene.scene_id, item, polarity))
            for scene in all_scenes() for item in theory.items for polarity in (1, -1)
        ))  # fmt: skip


@lru_cache(maxsize=1)
def words() -> dict[str, Any]:
    """The phrases of template.yaml."""
    tree: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("template.yaml").read_text(encoding="utf-8"))
    return tree


@lru_cache(maxsize=1)
def all_scenes() -> tuple[Scene, ...]:
    """The 264 scenes: by country, then topic, then situation."""
    tree = words()
    scenes = []
    for c, (country, town) in enumerate(tree["towns"].items()):
        for t, (topic, situations) in enumerate(tree["situations"].items()):
            for n, situation in enumerate(situations):
                opening = tree["openings"][(c + t + n) % len(tree["openings"])].format(country=country, town=town)
                scenes.append(Scene(f"{country}/{topic}/{n + 1}", country, topic, f"{opening} {situation}."))
    return tuple(scenes)


def action_text(scene_id: str, item: str, polarity: int, wording: int = 0) -> str:
    """The action for an item in a scene; `wording` counts other ways to say it."""
    draw = int(hashlib.sha256(f"{scene_id}|{item}|{polarity}|{wording}".encode()).hexdigest()[:12], 16)
    tree = words()
    frames, phrases = tree["frames"][SIDE[polarity]], tree["actions"][item][SIDE[polarity]]
    text: str = frames[draw // len(phrases) % len(frames)].format(act=phrases[draw % len(phrases)])
    return text
