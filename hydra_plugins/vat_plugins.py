"""What Hydra takes from nowhere else than this package: the launcher and the sweeper. No heavy imports."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from vat.errors import ConfigError
from vat.fanout.grids import Grid, points_of
from vat.fanout.launcher import SweepLauncher


class RayLauncher(SweepLauncher):
    """hydra/launcher=ray."""

    side_by_side = True


class InTurnLauncher(SweepLauncher):
    """hydra/launcher=basic."""

    side_by_side = False


class VatSweeper(Sweeper):
    """hydra/sweeper=vat: all points of all grids go to the launcher together; it composes each once, and nothing is written here."""

    def __init__(self, grids: Sequence[Grid]) -> None:
        self.grids = grids
        self.context: HydraContext | None = None
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra."""
        self.context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        """Expand the grids and launch their points."""
        assert self.context is not None
        assert self.launcher is not None
        parser = OverridesParser.create(config_loader=self.context.config_loader)

        def expand(key: str, text: str) -> list[str]:
            override = parser.parse_override(f"{key}={text}")
            name = override.get_key_element()
            if override.is_sweep_override():
                return [f"{name}={value}" for value in override.sweep_string_iterator()]
            return [f"{name}={override.get_value_element_as_str()}"]

        given: dict[str, str] = {}
        for override in parser.parse_overrides(arguments):
            key, _, text = str(override.input_line).partition("=")
            if key in given:
                raise ConfigError(f"{key}: must be given once; got {given[key]} and {text}. Give one list.")
            if key.lstrip("+") == "sweeps" and ("," in text or "[" in text):
                raise ConfigError(f"{key}: must be one sweep; got {text}. Launch one after the other: what they share is done once.")
            given[key] = text
        return self.launcher.launch(points_of(self.grids, given, expand), initial_job_idx=0)


@dataclass
class RayConf:
    """Nothing to set: the cluster is cluster=…, for every launcher."""

    _target_: str = "hydra_plugins.vat_plugins.RayLauncher"


@dataclass
class InTurnConf:
    """Nothing to set."""

    _target_: str = "hydra_plugins.vat_plugins.InTurnLauncher"


@dataclass
class SweeperConf:
    """grids: each with its keys and their values, as in conf/sweeps/*.yaml; keys on the command line narrow them."""

    _target_: str = "hydra_plugins.vat_plugins.VatSweeper"
    grids: list[Any] = field(default_factory=list)


ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RayConf, provider="vat")
ConfigStore.instance().store(group="hydra/launcher", name="basic", node=InTurnConf, provider="vat")
ConfigStore.instance().store(group="hydra/sweeper", name="vat", node=SweeperConf, provider="vat")
