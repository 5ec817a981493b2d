"""What stands around every program: errors as lines that a person can act on."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from vat.errors import VatError, choose, shown

CONF = Path(__file__).parents[2] / "conf"


def report(error: Exception) -> int:
    """Print an error for the user; returns the exit status."""
    for line in explain(error):
        print(line, file=sys.stderr)
    return 2


def explain(error: Exception) -> list[str]:
    """An error of ours or of Hydra as lines of the form `<where>: <rule>; got <value>. <next step>`."""
    from hydra.errors import MissingConfigException, OverrideParseException
    from omegaconf.errors import GrammarParseError, InterpolationResolutionError, OmegaConfBaseException

    if not str(error) and isinstance(error.__cause__, OmegaConfBaseException):  # Hydra's own says nothing where a reference cannot be read
        error = error.__cause__
    text, program = str(error), "" if _program() == "align" else f"-cn {_program()} "
    if isinstance(error, VatError):
        return text.splitlines()
    if isinstance(error, MissingConfigException) or "Could not load '" in text:
        return [_missing(text)]
    if found := re.search(r"Could not override '([^']+)'", text):
        return [_unknown_key(found.group(1))]
    if "Ambiguous value" in text and (found := re.search(r"Ambiguous value for argument '([^']+)'", text)):
        return [f"{found.group(1)}: a list of values makes a sweep; got one without -m. Run: python launch.py {program}-m {found.group(1)}"]
    if found := re.search(r"Multiple values for ([\w/]+)", text):
        return [f"{found.group(1)}: must be given once; got several. Give one, or launch one after the other."]
    if isinstance(error, OverrideParseException):
        return [f"{error.override}: must have the form key=value; got something else. Quote it for the shell, or see --help."]
    if isinstance(error, OmegaConfBaseException):
        where, what = error.full_key or "config", shown(text.partition("\n")[0])
        if isinstance(error, (InterpolationResolutionError, GrammarParseError)):
            return [f"{where}: every reference must resolve; got {what}. Check the keys in ${{…}}."]
        return [f"{where}: must fit the configuration; got {what}. See --cfg job."]
    return [f"config: must compose; got {shown(text, 300)}. See --help."]


def _missing(text: str) -> str:
    """The message for an option, or a program, that does not exist."""
    if found := re.search(r"Cannot find primary config '([^']+)'", text):
        programs = (path.stem for path in CONF.glob("*.yaml"))
        return f"-cn {found.group(1)}: must be a program; got no conf/{found.group(1)}.yaml. {choose(found.group(1), programs)}"
    if found := re.search(r"Could not (?:find|load) '([\w/]+)/([^/']+)'", text):
        group, option = found.groups()
        options = (path.stem for path in (CONF / group).glob("*.yaml"))
        return f"{group}={option}: must be an option of {group}; got {option!r}. {choose(option, options)}"
    return f"config: must compose; got {shown(text, 300)}. See --help."


def _unknown_key(key: str) -> str:
    """The message for a setting that does not exist."""
    import yaml

    group, dot, name = key.partition(".")
    program = _with_defaults(CONF / f"{_program()}.yaml")
    if dot:
        trees = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted((CONF / group).glob("*.yaml"))] or [program.get(group, {})]
        known = {str(setting) for tree in trees for setting in tree if isinstance(tree, dict)}
    else:
        groups = (entry for default in program["defaults"] if isinstance(default, dict) for entry in default)
        known = {*program, *(entry for entry in groups if "/" not in entry and " " not in entry)}
        known |= {"experiment", "sweeps"} if _program() == "align" else set()
    return f"{key}: must be a setting; got an unknown key. {choose(name if dot else group, known - {'_target_', 'defaults', 'hydra'})}"


def _with_defaults(file: Path) -> dict[str, Any]:
    """A primary config upon the one that it begins from, if it does."""
    import yaml

    tree: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    for name in tree["defaults"]:
        if isinstance(name, str) and name != "_self_":
            below = _with_defaults(file.with_name(f"{name}.yaml"))
            tree = below | tree | {"defaults": [*below["defaults"], *tree["defaults"]]}
    return tree


def _program() -> str:
    """The program that the command line names; the main one without a name, or with one that is none."""
    given = dict(zip(sys.argv, sys.argv[1:], strict=False))
    name = (given.get("-cn") or given.get("--config-name") or "align").removesuffix(".yaml")
    return name if (CONF / f"{name}.yaml").is_file() else "align"
