"""The decorator for every class that a yaml's `_target_` names: frozen, typed, and closed to unknown keys.

Defaults live in the yaml alone, where a user sees them and can override them on the command line; so fields have none here.
"""

from __future__ import annotations

from typing import TypeVar, dataclass_transform

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def settings(cls: type[T]) -> type[T]:
    """Make `cls` a validated frozen record; a wrong type or an unknown key raises pydantic's ValidationError."""
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)
    made: type[T] = dataclass(cls, frozen=True, kw_only=True, config=config)  # type: ignore[assignment]
    return made
