"""What Hydra takes from nowhere else than this package: the launcher and the sweeper. No heavy imports."""

from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser

from vat.fanout.launcher import SweepLauncher


class RayLauncher(SweepLauncher):
    """hydra/launcher=ray."""

    side_by_side = True


class InTurnLauncher(SweepLauncher):
    """hydra/launcher=basic."""

    side_by_side = False


class VatSweeper(BasicSweeper):
    """hydra/sweeper=vat: all points of the grid go to the launcher together; it composes each once, and nothing is written here."""

    def sweep(self, arguments: list[str]) -> Any:
        """Expand the grid and launch it."""
        assert self.hydra_context is not None
        assert self.launcher is not None
        given = [*self._parse_config(), *arguments]
        overrides = OverridesParser.create(config_loader=self.hydra_context.config_loader).parse_overrides(given)
        points = self.split_arguments(overrides, None)[0]
        return self.launcher.launch(points, initial_job_idx=0)


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
    """params: the grid, key → list, as in sweeps/*.yaml; keys on the command line replace it."""

    _target_: str = "hydra_plugins.vat_plugins.VatSweeper"
    max_batch_size: int | None = None
    params: dict[str, str] | None = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RayConf, provider="vat")
ConfigStore.instance().store(group="hydra/launcher", name="basic", node=InTurnConf, provider="vat")
ConfigStore.instance().store(group="hydra/sweeper", name="vat", node=SweeperConf, provider="vat")
