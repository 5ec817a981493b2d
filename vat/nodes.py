"""From nodes of a composed configuration to what they describe: instances, flags, names; each fault a line.

A node with a `_target_` becomes an instance of that class; equal nodes become one instance, so that the jobs of a sweep share a model.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from vat.errors import ConfigError, VatError, choose, shown

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from pydantic import ValidationError

GROUPS = {
    "theory": "vat.theory.file.TheoryFile",
    "data": "vat.data.base.DataSource",
    "model": "vat.models.base.Model",
    "elicit": "vat.elicit.rating.RatingElicitation",
    "strategy": "vat.align.base.Strategy",
    "measure": "vat.measure.base.Measure",
    "cluster": "vat.fanout.cluster.Cluster",
    "tracking": "vat.track.settings.Tracking",
    "figure": "vat.analyse.figures.base.Figure",
    "scores_figure": "vat.analyse.figures.base.Figure",
    "recipe": "vat.generate.recipe.Recipe",
    "prompt_search": "vat.generate.recipe.SearchSettings",
    "database": "vat.intensity.recipe.DatabaseRecipe",
    "evaluator": "vat.intensity.evaluator.Evaluator",
}
"""Each group of options and what its `_target_` must be a kind of."""
_built: dict[str, Any] = {}


def read_keys(cfg: DictConfig, readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """Each key of a configuration as its reader makes it; the faults of all of them together."""
    known = (*readers, "hydra")
    faults = [f"{key!s}: must be a setting; got an unknown key. {choose(str(key), known)}" for key in cfg if key not in known]
    parts: dict[str, Any] = {}
    for key, reader in readers.items():
        try:
            parts[key] = reader(plain(cfg, key))
        except VatError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    return parts


def flag(name: str, node: Any) -> bool:
    """A setting that is true or false. Raises a ConfigError if it is neither."""
    if not isinstance(node, bool):
        raise ConfigError(f"{name}: must be true or false; got {shown(node)}. Set one of them.")
    return node


def whole(where: str, least: int, number: object) -> int:
    """A setting that is a whole number from `least` on. Raises a ConfigError if it is not."""
    if type(number) is not int or number < least:
        raise ConfigError(f"{where}: must be {least}, {least + 1}, {least + 2} …; got {shown(number)}. Use {where}={least}.")
    return number


def amount_or_null(where: str, node: object) -> float | None:
    """A setting that is a number above 0, or nothing. Raises a ConfigError if it is neither."""
    if node is None:
        return None
    if isinstance(node, bool) or not isinstance(node, int | float) or not 0 < node < float("inf"):
        raise ConfigError(f"{where}: must be above 0, or null; got {shown(node)}. Use {where}=5.")
    return float(node)


def folder_name(where: str, node: object) -> str:
    """A setting that names a folder of ours. Raises a ConfigError if it cannot."""
    if not isinstance(node, str) or not re.fullmatch(r"\w[\w. -]*", node):
        raise ConfigError(f"{where}: must be letters, digits, _, ., - and spaces; got {shown(node)}. Use {where}=mine.")
    return node


def run_names(node: Any) -> tuple[str, ...]:
    """One or several ids of runs or jobs, each once. Raises a ConfigError if it is anything else."""
    names = node if isinstance(node, list) else [node]
    names = [str(name) if type(name) is int else name for name in names]  # an id may consist of digits
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        rule = f"run: must be the id of a run or of a job, or a list of them; got {shown(node)}"
        raise ConfigError(f"{rule}. See the closing table; quote it if it is a number.")
    return tuple(dict.fromkeys(names))


def build_each(group: str, nodes: Any, *, where: str | None = None) -> dict[str, Any]:
    """The instances of a group of which several options may be chosen together, by name; `where` as for `build`."""
    place = where or group
    if not isinstance(nodes, dict) or not nodes:
        rule = f"{place}: must be options of conf/{group}/; got {shown(nodes)}"
        raise ConfigError(f"{rule}. Use {f'{group}@{place}.<name>=<option>' if where else f'{group}=[<option>,…]'}.")
    return {name: build(group, node, where=f"{place}.{name}") for name, node in nodes.items()}


def build(group: str, node: Any, *, where: str | None = None) -> Any:
    """The instance that a node describes; `where` is its place in the configuration, if it is not the group itself.

    Raises:
        ConfigError: One line for each fault of the node.
    """
    place = where or group
    if not isinstance(node, dict) or "_target_" not in node:
        raise ConfigError(f"{place}: must be an option of conf/{group}/; got {shown(node)}. Use {f'{group}@{where}' if where else group}=<option>.")
    if strange := [key for key in node if not isinstance(key, str)]:
        raise ConfigError(f"{place}.{strange[0]}: a setting has a name; got {shown(strange[0])}. See conf/{group}/.")
    identity = group + json.dumps(node, sort_keys=True, default=repr)
    if identity not in _built:
        from pydantic import ValidationError

        settings = {key: value for key, value in node.items() if key != "_target_"}
        if absent := [key for key, value in settings.items() if value == "???"]:
            raise ConfigError("\n".join(f"{place}.{key}: must be given; got nothing. Add {place}.{key}=…" for key in absent))
        cls = _locate(group, place, node["_target_"])
        try:
            _built[identity] = cls(**settings)
        except ValidationError as error:
            raise ConfigError("\n".join(_lines(group, place, error, cls))) from error
    return _built[identity]


def node_of(part: Any) -> dict[str, Any]:
    """The node of which `build` makes an instance like this one, as JSON has it."""
    cls = type(part)
    return {"_target_": f"{cls.__module__}.{cls.__name__}"} | {field.name: getattr(part, field.name) for field in fields(part)}


def plain(cfg: DictConfig, key: str) -> Any:
    """A node as plain Python, with its references resolved."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        node = cfg.get(key)
        return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key}: every reference must resolve; got {shown(str(error))}. Check the keys in ${{…}}.") from error


def _locate(group: str, place: str, target: object) -> Any:
    """The settings class that a `_target_` names: defined in vat, of the group's kind, and nothing else."""
    from inspect import isabstract, isclass

    if not isinstance(target, str) or not target.startswith("vat."):
        raise ConfigError(f"{place}._target_: must be a class of vat; got {shown(target)}. Use an option of conf/{group}/.")
    kind, found = _imported(GROUPS[group]), _imported(target)
    if not isclass(found) or not issubclass(found, kind) or isabstract(found):
        raise ConfigError(f"{place}._target_: must be a kind of {GROUPS[group]}; got {target}. Use an option of conf/{group}/.")
    return found


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError):
        return None


def _lines(group: str, place: str, error: ValidationError, cls: Any) -> list[str]:
    lines = []
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
            lines.append(f"{place}.{key}: no such setting; got {shown(fault['input'])}. {choose(key, cls.__dataclass_fields__)}")
        elif fault["type"] in {"missing", "missing_argument"}:
            lines.append(f"{place}.{key}: must be given; got nothing. Add {place}.{key}=…")
        else:
            lines.append(f"{place}.{key}: {fault['msg'].removeprefix('Input ').rstrip('.')}; got {shown(fault['input'])}. See conf/{group}/.")
    return lines


def text_or_null(where: str, use: str, node: Any) -> str | None:
    """A setting that is a text or nothing; `use`: an example of one. Raises a ConfigError if it is neither."""
    if node is None or (isinstance(node, str) and node.strip()):
        return node
    raise ConfigError(f"{where}: must be a text or null; got {shown(node)}. Use {where}={use}.")


def text(where: str, use: str, node: Any) -> str:
    """A setting that is a text; `use`: an example of one. Raises a ConfigError if it is none."""
    if isinstance(node, str) and node.strip() and node != "???":
        return node
    raise ConfigError(f"{where}: must be a text; got {shown(node)}. Use {where}={use}.")


def file_names(where: str, use: str, node: Any) -> tuple[str, ...]:
    """One or several paths, or none; `use`: an example. Raises a ConfigError if it is anything else."""
    names = node if isinstance(node, list) else [node]
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise ConfigError(f"{where}: must be files; got {shown(node)}. Use {where}={use}.")
    return tuple(names)


def one_of(where: str, known: Sequence[str], node: Any) -> str:
    """A setting that is one of several words. Raises a ConfigError if it is not."""
    if node not in known:
        raise ConfigError(f"{where}: must be one of {', '.join(known)}; got {shown(node)}. Use {where}={known[0]}.")
    return str(node)
