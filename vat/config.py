"""From what Hydra composed to validated, frozen settings. The only place that sees a DictConfig.

A node with a `_target_` becomes an instance of that class; equal nodes become one instance, so that the jobs of a sweep share a model.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from vat.errors import ConfigError, VatError, choose, shown

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from pydantic import ValidationError

    from vat.align.base import Strategy
    from vat.analyse.figures.base import Figure
    from vat.data.base import DataSource
    from vat.elicit.rating import RatingElicitation
    from vat.fanout.cluster import Cluster
    from vat.fanout.space import Range
    from vat.measure.base import Measure
    from vat.models.base import Model
    from vat.theory.file import TheoryFile
    from vat.track.settings import Tracking

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
}
"""Each group of options and what its `_target_` must be a kind of."""
JOB_PARTS = ("theory", "data", "model", "elicit", "strategy")
"""The groups that determine a job."""
SCALARS = ("value", "direction", "replicate", "sweep")
_OF_A_POINT = tuple(group for group in GROUPS if group != "figure")
_built: dict[str, Any] = {}


@dataclass(frozen=True)
class JobSpec:
    """What a job is of: all that its key follows from, and where it is kept.

    direction: 1, -1, or None for the theory's default.
    """

    theory: TheoryFile
    data: DataSource
    model: Model
    elicit: RatingElicitation
    strategy: Strategy
    tracking: Tracking
    value: str
    direction: int | None
    replicate: int


@dataclass(frozen=True)
class AlignSpec(JobSpec):
    """One point of a sweep of the program `align`: a job, and how it is done and measured.

    measures: name → measure, in the order in which they were named.
    sweep: name of the sweep it belongs to, None if it is run alone.
    """

    measures: dict[str, Measure]
    cluster: Cluster
    sweep: str | None


def read(cfg: DictConfig) -> AlignSpec:
    """Validate a composed configuration.

    Raises:
        ConfigError: One line for each fault.
    """
    faults: list[str] = []
    parts: dict[str, Any] = {}
    scalars: dict[str, Any] = {}
    for key in cfg:
        if key not in {*_OF_A_POINT, *SCALARS, "shots", "hydra"}:
            faults.append(f"{key!s}: must be a setting; got an unknown key. {choose(str(key), (*_OF_A_POINT, *SCALARS, 'shots'))}")
    for key in (*_OF_A_POINT, *SCALARS):
        try:
            if key == "measure":
                parts["measures"] = _build_each(key, _plain(cfg, key))
            elif key in _OF_A_POINT:
                parts[key] = build(key, _plain(cfg, key))
            else:
                scalars[key] = _plain(cfg, key)
                faults += _SCALAR_RULES[key](scalars[key])
        except VatError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    return AlignSpec(**parts, **scalars)


@dataclass(frozen=True)
class MeasureSpec:
    """What the program `measure` is to do: which runs, by id or job, to measure with what."""

    runs: tuple[str, ...]
    measures: dict[str, Measure]
    tracking: Tracking


def read_measure(cfg: DictConfig) -> MeasureSpec:
    """Validate a composed configuration of the program `measure`.

    Raises:
        ConfigError: One line for each fault.
    """
    parts = _read(cfg, {"run": _runs, "measure": partial(_build_each, "measure"), "tracking": partial(build, "tracking")})
    return MeasureSpec(parts["run"], parts["measure"], parts["tracking"])


@dataclass(frozen=True)
class CasesSpec:
    """What the program `cases` is to tell: of which runs, of which of their states (None for the last), and how many cases of each.

    max_new_tokens: of each answer, thoughts included.
    """

    runs: tuple[str, ...]
    step: int | None
    count: int
    max_new_tokens: int
    tracking: Tracking


def read_cases(cfg: DictConfig) -> CasesSpec:
    """Validate a composed configuration of the program `cases`. Raises as `read_measure`."""
    readers: dict[str, Callable[[Any], Any]] = {
        "run": _runs, "step": lambda node: None if node is None else _whole("step", 0, node),
        "count": partial(_whole, "count", 1), "max_new_tokens": partial(_whole, "max_new_tokens", 1), "tracking": partial(build, "tracking"),
    }  # fmt: skip
    parts = _read(cfg, readers)
    return CasesSpec(parts.pop("run"), **parts)


@dataclass(frozen=True)
class StatusSpec:
    """What the program `status` is to look at."""

    tracking: Tracking


def read_status(cfg: DictConfig) -> StatusSpec:
    """Validate a composed configuration of the program `status`. Raises as `read_measure`."""
    return StatusSpec(**_read(cfg, {"tracking": partial(build, "tracking")}))


@dataclass(frozen=True)
class ReportSpec:
    """What the program `report` is to be about: a sweep, runs by id or job, or a condition of MLflow's; and its figures, name → figure."""

    sweep: str | None
    runs: tuple[str, ...]
    filter: str | None
    figures: dict[str, Figure]
    tracking: Tracking


def read_report(cfg: DictConfig) -> ReportSpec:
    """Validate a composed configuration of the program `report`. Raises as `read_measure`."""
    readers: dict[str, Callable[[Any], Any]] = {
        "sweep": partial(_text, "sweep", "mysweep"), "runs": lambda node: _runs(node) if node else (),
        "filter": partial(_text, "filter", "\"params.model = 'tiny'\""),
    }  # fmt: skip
    parts = _read(cfg, readers | {"figure": partial(_build_each, "figure"), "tracking": partial(build, "tracking")})
    spec = ReportSpec(parts["sweep"], parts["runs"], parts["filter"], parts["figure"], parts["tracking"])
    if sum((spec.sweep is not None, bool(spec.runs), spec.filter is not None)) != 1:
        raise ConfigError("report: must be about one of sweep, runs and filter; got none, or several. Use sweep=table2.")
    return spec


def _text(where: str, use: str, node: Any) -> str | None:
    if node is None or (isinstance(node, str) and node.strip()):
        return node
    raise ConfigError(f"{where}: must be a text or null; got {shown(node)}. Use {where}={use}.")


@dataclass(frozen=True)
class CleanSpec:
    """What the program `clean` is to remove of finished jobs: their weights, the parts of their answers; or only to tell what that is."""

    weights: bool
    parts: bool
    dry_run: bool
    tracking: Tracking


def read_clean(cfg: DictConfig) -> CleanSpec:
    """Validate a composed configuration of the program `clean`. Raises as `read_measure`."""
    readers: dict[str, Callable[[Any], Any]] = {name: partial(flag, name) for name in ("weights", "parts", "dry_run")}
    return CleanSpec(**_read(cfg, readers | {"tracking": partial(build, "tracking")}))


@dataclass(frozen=True)
class SearchSpec:
    """What the program `search` is to try.

    name: None for one that follows from the rest. trials: how many in all; at_once: how many of them are drawn together.
    space: setting → the values, or the range, that it is chosen from.
    point: the point where settings have given values, everything else being as configured; raises as `read`.
    """

    name: str | None
    trials: int
    at_once: int
    seed: int
    space: dict[str, Range | tuple[Any, ...]]
    point: Callable[[Mapping[str, Any]], AlignSpec]


def read_search(cfg: DictConfig) -> SearchSpec:
    """Validate a composed configuration of the program `search`. Raises as `read_measure`."""
    from omegaconf import OmegaConf, open_dict

    from vat.fanout.space import leaves, space_of

    fixed = deepcopy(cfg)
    with open_dict(fixed):
        node = fixed.pop("search", None)

    def point(values: Mapping[str, Any]) -> AlignSpec:
        changed = deepcopy(fixed)
        for key, value in values.items():
            OmegaConf.update(changed, key, value)
        return read(changed)

    faults, parts = [], {}
    try:
        base = point({})
        if not base.strategy.has_target:
            faults.append("strategy: a search is about one that pushes a value; got one that does not. Use strategy=steering, sft or dpo.")
        if base.sweep is not None:
            faults.append(f"sweep: a search is named by search.name; got {shown(base.sweep)}. Use that.")
        if "tax" not in base.measures:
            faults.append(f"measure: a search needs gain and nvat; got {', '.join(base.measures)}. Add tax.")
    except VatError as error:
        faults += str(error).splitlines()
    try:
        known = {*leaves("strategy", _plain(fixed, "strategy")), "shots"}
        parts = _read(
            node if OmegaConf.is_dict(node) else OmegaConf.create({}),
            {
                "name": partial(_text, "search.name", "mysearch"),
                "trials": partial(_whole, "search.trials", 1), "at_once": partial(_whole, "search.at_once", 1),
                "seed": partial(_whole, "search.seed", 0), "space": partial(space_of, known),
            },
        )  # fmt: skip
    except VatError as error:
        faults += str(error).splitlines()
    if faults:
        raise ConfigError("\n".join(faults))
    return SearchSpec(**parts, point=point)


def _read(cfg: DictConfig, readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """Each key of a configuration as its reader makes it; the faults of all of them together."""
    known = (*readers, "hydra")
    faults = [f"{key!s}: must be a setting; got an unknown key. {choose(str(key), known)}" for key in cfg if key not in known]
    parts: dict[str, Any] = {}
    for key, reader in readers.items():
        try:
            parts[key] = reader(_plain(cfg, key))
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


def _whole(where: str, least: int, number: object) -> int:
    if type(number) is not int or number < least:
        raise ConfigError(f"{where}: must be {least}, {least + 1}, {least + 2} …; got {shown(number)}. Use {where}={least}.")
    return number


def _runs(node: Any) -> tuple[str, ...]:
    names = node if isinstance(node, list) else [node]
    names = [str(name) if type(name) is int else name for name in names]  # an id may consist of digits
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        rule = f"run: must be the id of a run or of a job, or a list of them; got {shown(node)}"
        raise ConfigError(f"{rule}. See the closing table; quote it if it is a number.")
    return tuple(dict.fromkeys(names))


def _build_each(group: str, nodes: Any) -> dict[str, Any]:
    """The instances of a group of which several options may be chosen together, by name."""
    if not isinstance(nodes, dict) or not nodes:
        raise ConfigError(f"{group}: must be options of conf/{group}/; got {shown(nodes)}. Use {group}=[<option>,…].")
    return {name: build(group, node, where=f"{group}.{name}") for name, node in nodes.items()}


def build(group: str, node: Any, *, where: str | None = None) -> Any:
    """The instance that a node describes; `where` is its place in the configuration, if it is not the group itself.

    Raises:
        ConfigError: One line for each fault of the node.
    """
    place = where or group
    if not isinstance(node, dict) or "_target_" not in node:
        raise ConfigError(f"{place}: must be an option of conf/{group}/; got {shown(node)}. Use {group}=<option>.")
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


def _plain(cfg: DictConfig, key: str) -> Any:
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


def _value_rule(value: object) -> list[str]:
    return [] if isinstance(value, str) else [f"value: must be the name of a value; got {shown(value)}. Use value=power."]


def _direction_rule(direction: object) -> list[str]:
    if direction is None or (type(direction) is int and direction in (1, -1)):
        return []
    return [f"direction: must be 1, -1 or null; got {shown(direction)}. Use direction=1 to push up, -1 to push down."]


def _replicate_rule(replicate: object) -> list[str]:
    if type(replicate) is int and replicate >= 0:
        return []
    return [f"replicate: must be 0, 1, 2 …; got {shown(replicate)}. Use replicate=0."]


def _sweep_rule(sweep: object) -> list[str]:
    try:
        _text("sweep", "mysweep", sweep)
    except ConfigError as error:
        return [str(error)]
    return []


_SCALAR_RULES = {"value": _value_rule, "direction": _direction_rule, "replicate": _replicate_rule, "sweep": _sweep_rule}
