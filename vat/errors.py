"""Every error a user may meet, as one tree. Each message is one line: `<where>: <rule>; got <value>. <next step>`.

VatError
├── ConfigError          a setting is wrong, or settings contradict each other
├── DataError            a file, a table or an array breaks a rule
├── BackendError         a model could not be loaded or could not answer; `retryable` tells whether trying again may help
│   └── OverBudget       what may be spent is spent
└── MissingDependency    an optional package is absent; `install` is the command that brings it
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VatError(Exception):
    """Base of all errors that are shown without a traceback."""


class ConfigError(VatError):
    """A setting is wrong, or settings contradict each other."""


class DataError(VatError):
    """A file, a table or an array breaks a rule."""


class BackendError(VatError):
    """A model could not be loaded or could not answer."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class OverBudget(BackendError):  # noqa: N818
    """What may be spent is spent; what was asked before is kept."""


class MissingDependency(VatError):  # noqa: N818 - the name that DESIGN and users know
    """An optional package is absent."""

    def __init__(self, package: str, *, needed_by: str, install: str) -> None:
        super().__init__(f"{needed_by}: needs the package {package}; got none installed. Run `{install}`.")
        self.install = install


def shown(value: object, width: int = 120) -> str:
    """A value as it appears after "got", cut to one readable line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= width else text[: width - 1] + "…"


def choose(name: str, known: Iterable[str]) -> str:
    """The next step after an unknown name: the nearest known one, or all of them."""
    names = sorted(known)
    plain = {known_name.lower(): known_name for known_name in names}
    near = difflib.get_close_matches(name.lower(), plain, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {plain[near[0]]}?"
    return f"Choose from {', '.join(names)}." if names else "None is known."
