"""From what Hydra composed to validated, frozen settings. The only place that sees a DictConfig.

A node with a `_target_` becomes an instance of that class; equal nodes become one instance, so that the jobs of a sweep share a model.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vat.errors import ConfigError, VatError, choose, shown

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from pydantic import ValidationError

    from vat.align.base import Strategy
    from vat.data.base import DataSource
    from vat.elicit.rating import RatingElicitation
    from vat.fanout.local import LocalCluster
    from vat.measure.settings import TaxSettings
    from vat.models.base import Model
    from vat.theory.file import TheoryFile
    from vat.track.settings import Tracking

GROUPS = ("theory", "data", "model", "elicit", "strategy", "measure", "cluster", "tracking")
_built: dict[str, Any] = {}


@dataclass(frozen=True)
class AlignSpec:
    """One point of a sweep of the program `align`.

    direction: 1, -1, or None for the theory's default.
    sweep: name of the sweep it belongs to, None if it is run alone.
    """

    theory: TheoryFile
    data: DataSource
    model: Model
    elicit: RatingElicitation
    strategy: Strategy
    measure: TaxSettings
    cluster: LocalCluster
    tracking: Tracking
    value: str
    direction: int | None
    replicate: int
    sweep: str | None


def read(cfg: DictConfig) -> AlignSpec:
    """Validate a composed configuration.

    Raises:
        ConfigError: One line for each fault.
    """
    faults: list[str] = []
    parts: dict[str, Any] = {}
    for group in GROUPS:
        try:
            parts[group] = build(group, _plain(cfg, group))
        except VatError as error:
            faults.append(str(error))
    scalars = {key: _plain(cfg, key) for key in ("value", "direction", "replicate", "sweep")}
    faults += _scalar_faults(scalars)
    if faults:
        raise ConfigError("\n".join(faults))
    return AlignSpec(**parts, **scalars)


def build(group: str, node: Any) -> Any:
    """The instance that a node describes.

    Raises:
        ConfigError: One line for each fault of the node.
    """
    if not isinstance(node, dict) or "_target_" not in node:
        raise ConfigError(f"{group}: must be an option of conf/{group}/; got {shown(node)}. Use {group}=<option>.")
    identity = json.dumps(node, sort_keys=True, default=repr)
    if identity not in _built:
        from pydantic import ValidationError

        settings = {key: value for key, value in node.items() if key != "_target_"}
        if absent := [key for key, value in settings.items() if value == "???"]:
            raise ConfigError("\n".join(f"{group}.{key}: must be given; got nothing. Add {group}.{key}=…" for key in absent))
        cls = _locate(group, node["_target_"])
        try:
            _built[identity] = cls(**settings)
        except ValidationError as error:
            raise ConfigError("\n".join(_lines(group, error, cls))) from error
    return _built[identity]


def _plain(cfg: DictConfig, key: str) -> Any:
    """A node as plain Python, with its references resolved."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        node = cfg.get(key)
        return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key}: every reference must resolve; got {shown(str(error))}. Check the keys in ${{…}}.") from error


def _locate(group: str, target: object) -> Any:
    if not isinstance(target, str) or not target.startswith("vat."):
        raise ConfigError(f"{group}._target_: must be a class of vat; got {shown(target)}. Use an option of conf/{group}/.")
    module, _, name = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ConfigError(f"{group}._target_: must name a class that exists; got {target}. Use an option of conf/{group}/.") from error


def _lines(group: str, error: ValidationError, cls: Any) -> list[str]:
    lines = []
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
            lines.append(f"{group}.{key}: no such setting; got {shown(fault['input'])}. {choose(key, cls.__dataclass_fields__)}")
        elif fault["type"] in {"missing", "missing_argument"}:
            lines.append(f"{group}.{key}: must be given; got nothing. Add {group}.{key}=…")
        else:
            lines.append(f"{group}.{key}: {fault['msg'].removeprefix('Input ').rstrip('.')}; got {shown(fault['input'])}. See conf/{group}/.")
    return lines


def _scalar_faults(scalars: dict[str, Any]) -> list[str]:
    value, direction, replicate, sweep = scalars.values()
    faults = []
    if not isinstance(value, str):
        faults.append(f"value: must be the name of a value; got {shown(value)}. Use value=power.")
    if direction not in (1, -1, None) or isinstance(direction, bool):
        faults.append(f"direction: must be 1, -1 or null; got {shown(direction)}. Use direction=1 to push up, -1 to push down.")
    if not isinstance(replicate, int) or isinstance(replicate, bool) or replicate < 0:
        faults.append(f"replicate: must be 0, 1, 2 …; got {shown(replicate)}. Use replicate=0.")
    if sweep is not None and (not isinstance(sweep, str) or not sweep.strip()):
        faults.append(f"sweep: must be a name or null; got {shown(sweep)}. Use sweep=mysweep.")
    return faults
