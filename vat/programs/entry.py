"""What stands around every program: errors as lines a person can act on."""

from __future__ import annotations

import re
import sys

from vat.errors import VatError, choose


def explain(error: Exception) -> list[str]:
    """An error of ours or of Hydra as lines of the form `<where>: <rule>; got <value>. <next step>`."""
    from hydra.errors import MissingConfigException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    text = str(error)
    if isinstance(error, VatError):
        return text.splitlines()
    if isinstance(error, MissingConfigException) and (found := re.search(r"Could not find '([\w/]+)/([^/']+)'", text)):
        group, option = found.groups()
        return [f"{group}={option}: must be an option of {group}; got {option!r}. {choose(option, error.options or [])}"]
    if found := re.search(r"Could not override '([^']+)'", text):
        key = found.group(1)
        return [f"{key}: must be a setting; got an unknown key. {_near_key(key)}"]
    if isinstance(error, OverrideParseException):
        return [f"{error.override}: must have the form key=value; got something else. Quote it for the shell, or see --help."]
    if isinstance(error, OmegaConfBaseException):
        return [f"{error.full_key}: must fit the configuration; got {error.msg}. See --cfg job."]
    return [f"config: must compose; got {' '.join(text.split())}. See --help."]


def report(error: Exception) -> int:
    """Print an error for the user; returns the exit status."""
    for line in explain(error):
        print(line, file=sys.stderr)
    return 2


def _near_key(key: str) -> str:
    from vat.config import GROUPS

    known = {"value", "direction", "shots", "replicate", "sweep", *GROUPS}
    head, dot, _ = key.partition(".")
    if dot and head in known:
        return f"See conf/{head}/ for its settings; write +{key}=… only to add one."
    return choose(key, known)
