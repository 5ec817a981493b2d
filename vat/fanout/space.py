"""What a search may choose from: for each setting of the strategy some values, or a range of numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from vat.errors import ConfigError, choose, shown
from vat.nodes import GROUPS, flag


class Range(NamedTuple):
    """Numbers from low to high, both included; whole ones if both are. log: drawn evenly over orders of magnitude."""

    low: float
    high: float
    log: bool


def leaves(where: str, node: Any) -> Iterator[str]:
    """The settings of a node that have no settings of their own, by their whole names."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(f"{where}.{key}", value) if key != "_target_" else ()
    else:
        yield where


def space_of(known: Collection[str], node: Any) -> dict[str, Range | tuple[Any, ...]]:
    """Setting → what it is chosen from; the faults of all of them together."""
    if not isinstance(node, dict) or not node:
        rule = f"search.space: must be settings with what each is chosen from; got {shown(node)}"
        raise ConfigError(f"{rule}. Use 'search.space={{shots: [2, 4, 8]}}'.")
    space: dict[str, Range | tuple[Any, ...]] = {}
    faults = []
    for key, domain in node.items():
        where = f"search.space.{key}"
        if key in GROUPS or any(name.startswith(f"{key}.") for name in known):
            faults.append(f"{where}: must be one setting of the strategy; got a group of them. Launch one search for each, or name a setting.")
        elif key not in known:
            faults.append(f"{where}: must be a setting of the strategy; got an unknown key. {choose(str(key), known)}")
        else:
            try:
                space[key] = _range(where, domain) if isinstance(domain, dict) else _choices(where, domain)
            except ConfigError as error:
                faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    return space


def _range(where: str, domain: Mapping[Any, Any]) -> Range:
    strange = [key for key in domain if key not in Range._fields]
    if strange:
        raise ConfigError(f"{where}.{strange[0]}: must be low, high or log; got an unknown key. {choose(str(strange[0]), Range._fields)}")
    for end in ("low", "high"):
        if type(domain.get(end)) not in (int, float) or not math.isfinite(domain[end]):
            raise ConfigError(f"{where}.{end}: must be a number; got {shown(domain.get(end))}. Use {{low: 1e-5, high: 1e-3, log: true}}.")
    made = Range(domain["low"], domain["high"], flag(f"{where}.log", domain.get("log", False)))
    if made.low >= made.high:
        raise ConfigError(f"{where}: low must be below high; got {made.low} and {made.high}. Exchange them, or leave the setting out.")
    if made.log and made.low <= 0:
        raise ConfigError(f"{where}: low must be above 0 where log is true; got {made.low}. Raise it, or use log: false.")
    return made


def _choices(where: str, values: Any) -> tuple[Any, ...]:
    plain = isinstance(values, list) and all(value is None or type(value) in (bool, int, float, str) for value in values)
    if not plain or len({repr(value) for value in values}) < max(2, len(values)):
        raise ConfigError(f"{where}: must be a list of two or more different plain values, or {{low, high}}; got {shown(values)}. Use [20, 40, 60].")
    return tuple(values)
