"""What values exist. A theory is a YAML file: values with their items, definitions and, optionally, a geometry.

name: care                       # used in messages and job keys
source: where it comes from      # optional
either_order: [[kindness, calm]] # optional: neighbours on the circle that the theory lets change places
groups: {giving: [kindness]}     # optional: what stands above the values; a value may belong to several
values:
  kindness:
    definition: Being good to others.
    direction: 1                 # optional: the way it is pushed when direction is not given; 1 if absent
    angle: 0                     # optional, degrees on a circle; for all values or for none
    items:
      helpful: Working for the good of others.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from vat.errors import ConfigError, DataError, choose, shown
from vat.types import Ints

_VALUE_KEYS = {"definition", "direction", "angle", "items"}


class Value(NamedTuple):
    """One value with its items (name → definition)."""

    name: str
    definition: str
    direction: int
    angle: float | None
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Theory:
    """Values, items and geometry, in the order of the file. Shapes: U items, V values."""

    name: str
    source: str
    specs: tuple[Value, ...]
    either_order: tuple[tuple[str, str], ...] = ()
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @cached_property
    def values(self) -> tuple[str, ...]:
        """Names of the V values."""
        return tuple(spec.name for spec in self.specs)

    @cached_property
    def items(self) -> tuple[str, ...]:
        """Names of the U items, grouped by value."""
        return tuple(item for spec in self.specs for item, _ in spec.items)

    @cached_property
    def definitions(self) -> dict[str, str]:
        """Item name → its definition."""
        return {item: text for spec in self.specs for item, text in spec.items}

    @cached_property
    def value_of(self) -> dict[str, str]:
        """Item name → the value it belongs to."""
        return {item: spec.name for spec in self.specs for item, _ in spec.items}

    @cached_property
    def item_value_U(self) -> Ints:
        """(U,) index of each item's value."""
        return np.array([v for v, spec in enumerate(self.specs) for _ in spec.items])

    @cached_property
    def angles(self) -> dict[str, float] | None:
        """Value → degrees on the theory's circle, or None for a theory without a geometry."""
        if any(spec.angle is None for spec in self.specs):
            return None
        return {spec.name: float(spec.angle) for spec in self.specs if spec.angle is not None}

    @cached_property
    def angle_orders(self) -> tuple[tuple[float, ...], ...] | None:
        """Degrees of the V values, in each order that the theory leaves open; None for a theory without a geometry."""
        if self.angles is None:
            return None
        orders = [self.angles]
        for first, second in self.either_order:
            orders += [{**angles, first: angles[second], second: angles[first]} for angles in orders]
        return tuple(tuple(angles[value] for value in self.values) for angles in orders)

    @cached_property
    def groups_of(self) -> dict[str, tuple[str, ...]]:
        """Value → the groups above it, in the order of the file; several where the theory lets it stand between them."""
        return {value: tuple(group for group, members in self.groups if value in members) for value in self.values}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that reaches a prompt or a measure."""
        return hashlib.sha256(repr((self.name, self.specs, *self.either_order)).encode()).hexdigest()

    def spec(self, value: str) -> Value:
        """The value of that name.

        Raises:
            ConfigError: The theory has no such value.
        """
        if value not in self.values:
            raise ConfigError(f"value={value}: must be a value of theory {self.name}; got {value!r}. {choose(value, self.values)}")
        return self.specs[self.values.index(value)]


def load_theory(path: Path) -> Theory:
    """Read and check a theory file.

    Raises:
        ConfigError: The file is absent.
        DataError: The file breaks a rule; the message names the place.
    """
    if not path.is_file():
        raise ConfigError(f"theory.path: must be a YAML file; got {path}, which is none. Check the path.")
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: must be UTF-8 text; got byte {error.object[error.start]:#x} at {error.start}. Save it as UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise DataError(f"{path}{line}: must be YAML; got {error.problem}. Mend the syntax.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path}: must be YAML; got {shown(str(error))}. Mend the syntax.") from error
    return theory_of(tree, path)


def theory_of(tree: Any, path: Path) -> Theory:
    """Check what a theory file holds.

    Args:
        path: The file, for messages; its stem is the name of a theory without one.
    Raises:
        DataError: It breaks a rule; the message names the place.
    """
    if not isinstance(tree, Mapping) or not isinstance(tree.get("values"), Mapping) or not tree["values"]:
        raise DataError(f"{path}: needs a mapping `values`; got {shown(tree, 60)}. See vat/theory/schwartz.yaml for the form.")
    if unknown := set(tree) - {"name", "source", "either_order", "groups", "values"}:
        raise DataError(f"{path}: knows name, source, either_order, groups and values only; got {sorted(map(str, unknown))[0]!r}. Remove it.")
    specs = tuple(_value(path, name, node) for name, node in tree["values"].items())
    either_order, groups = _either_order(path, tree.get("either_order") or [], specs), _groups(path, tree.get("groups"), specs)
    theory = Theory(str(tree.get("name") or path.stem), str(tree.get("source") or ""), specs, either_order, groups)
    _check_whole(path, theory)
    return theory


def theory_tree(theory: Theory) -> dict[str, Any]:
    """What a theory file holds, such that `theory_of` makes the same theory of it."""
    values = {
        spec.name: {"definition": spec.definition, "direction": spec.direction, "angle": spec.angle, "items": dict(spec.items)}
        for spec in theory.specs
    }
    tree = {"name": theory.name, "source": theory.source, "either_order": [list(pair) for pair in theory.either_order], "values": values}
    return tree | ({"groups": {group: list(members) for group, members in theory.groups}} if theory.groups else {})


class _UniqueKeys(yaml.SafeLoader):
    """Plain YAML data in which no key of a mapping stands twice: the first of two would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Called by yaml."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _value(path: Path, name: object, node: Any) -> Value:
    where = f"{path}: values.{name}"
    if not isinstance(name, str) or not re.fullmatch(r"[\w.\- ]+", name):
        raise DataError(f"{where}: a value's name has letters, digits, _, -, . and spaces; got {shown(name)}. Rename it.")
    if not isinstance(node, Mapping):
        raise DataError(f"{where}: needs definition and items; got {shown(node)}. Write them as a mapping.")
    if unknown := set(node) - _VALUE_KEYS:
        raise DataError(f"{where}: knows {', '.join(sorted(_VALUE_KEYS))} only; got {sorted(map(str, unknown))[0]!r}. Remove it.")
    items = node.get("items")
    if not isinstance(items, Mapping) or not items:
        raise DataError(f"{where}.items: needs at least one item with its definition; got {shown(items)}. Add `name: definition` lines.")
    for item, text in items.items():
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}.items.{item}: needs a one-sentence definition; got {shown(text)}. Write one.")
    if not isinstance(node.get("definition"), str) or not node["definition"].strip():
        raise DataError(f"{where}.definition: needs a sentence; got {shown(node.get('definition'))}. Write one.")
    direction, angle = node.get("direction", 1), node.get("angle")
    if type(direction) is not int or direction not in (1, -1):
        raise DataError(f"{where}.direction: must be 1 or -1; got {shown(direction)}. Fix it or leave it out.")
    if angle is not None and (isinstance(angle, bool) or not isinstance(angle, int | float) or not math.isfinite(angle)):
        raise DataError(f"{where}.angle: must be degrees; got {shown(angle)}. Fix it or leave it out.")
    pairs = tuple((str(item), text.strip()) for item, text in items.items())
    return Value(str(name), node["definition"].strip(), int(direction), None if angle is None else float(angle), pairs)


def _either_order(path: Path, node: Any, specs: tuple[Value, ...]) -> tuple[tuple[str, str], ...]:
    names = {spec.name for spec in specs}
    pairs = node if isinstance(node, list) else [node]
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or len(names & set(map(str, pair))) != 2:
            raise DataError(f"{path}: either_order: holds pairs of two values; got {shown(pair)}. Write [[tradition, conformity]].")
    return tuple((str(first), str(second)) for first, second in pairs)


def _groups(path: Path, node: Any, specs: tuple[Value, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    names = [spec.name for spec in specs]
    if node is None:
        return ()
    if not isinstance(node, Mapping):
        raise DataError(f"{path}: groups: needs lists of values by name; got {shown(node)}. Write `giving: [kindness]` lines.")
    for group, members in node.items():
        if not isinstance(group, str) or not group.strip():
            raise DataError(f"{path}: groups: a group's name is text; got {shown(group)}. Name it, or quote it.")
        if not isinstance(members, list) or not members or len(set(map(str, members))) < len(members):
            raise DataError(f"{path}: groups.{group}: holds values, each once; got {shown(members)}. List them in brackets.")
        if unknown := [member for member in members if member not in names]:
            raise DataError(f"{path}: groups.{group}: holds values of the theory; got {shown(unknown[0])}. {choose(str(unknown[0]), names)}")
    return tuple((group, tuple(members)) for group, members in node.items())


def _check_whole(path: Path, theory: Theory) -> None:
    if len(theory.values) < 2:
        raise DataError(f"{path}: a tax needs at least two values; got {len(theory.values)}. Add a value.")
    seen: dict[str, str] = {}
    for spec in theory.specs:
        for item, _ in spec.items:
            if item in seen:
                raise DataError(f"{path}: values.{spec.name}.items.{item}: an item belongs to one value; got it under {seen[item]} too. Remove one.")
            seen[item] = spec.name
    with_angle = [spec.name for spec in theory.specs if spec.angle is not None]
    if with_angle and len(with_angle) < len(theory.specs):
        missing = next(spec.name for spec in theory.specs if spec.angle is None)
        raise DataError(f"{path}: values.{missing}.angle: all values have an angle or none; got none here. Add it, or remove the others.")
