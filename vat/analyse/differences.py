"""In which settings things of one name differ, so that readers can tell them apart."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any, TypeVar

Key = TypeVar("Key", bound=Hashable)
LONGEST = 40
"""Characters of a setting that are shown."""


def flat_settings(tree: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Settings by their full names, as text."""
    flat: dict[str, str] = {}
    for name, node in tree.items():
        flat |= flat_settings(node, f"{above}{name}.") if isinstance(node, Mapping) else {f"{above}{name}": str(node)}
    return flat


def differences(trees: Mapping[Key, Mapping[str, Any]], *, hidden: Collection[str] = ()) -> dict[Key, dict[str, str]]:
    """Of each of several trees of settings, those that not all of them have alike, by full names; `hidden` ones are never told."""
    flat = {key: flat_settings(tree) for key, tree in trees.items()}
    names = sorted({name for of_one in flat.values() for name in of_one} - set(hidden))
    differing = [name for name in names if len({of_one.get(name, "") for of_one in flat.values()}) > 1]
    return {key: {name: of_one[name][:LONGEST] for name in differing if name in of_one} for key, of_one in flat.items()}
