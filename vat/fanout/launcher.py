"""`-m`: from the points of a Hydra sweep to `run_points`, with every fault of every point reported together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SequenceLauncher(Launcher):
    """Composes each point once and hands all of them to the program."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra."""
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all points.

        Raises:
            ConfigError: Every fault of every point; nothing was started.
        """
        from vat.config import read
        from vat.errors import VatError
        from vat.fanout.sweep import run_points
        from vat.programs.entry import explain

        specs, faults = [], []
        for overrides in job_overrides:
            try:
                specs.append(read(self.context.config_loader.load_sweep_config(self.config, list(overrides))))
            except (VatError, HydraException) as error:
                faults += explain(error)
        name = self.config.get("sweep") or _name(self.config.hydra.overrides.task)
        rows = run_points(specs, sweep=name, faults=faults, settings=() if faults else _differences(job_overrides))
        if any(row.get("failed") for row in rows):
            sys.exit(1)
        return [_returned(row, overrides) for row, overrides in zip(rows, job_overrides, strict=True)]


def _name(overrides: Sequence[str]) -> str:
    """The name of a sweep that was given none: its settings, but for where it runs and is kept, which may hold secrets."""
    return " ".join(sorted(one for one in overrides if not one.lstrip("+~").startswith(("tracking", "cluster", "hydra")))) or "defaults"


def _differences(job_overrides: Sequence[Sequence[str]]) -> list[str]:
    """For each point, the overrides that not all points share and that no column of the closing table shows."""
    from vat.analyse.table import HEADER

    shared = set.intersection(*(set(overrides) for overrides in job_overrides))
    columns = {*HEADER, "direction", "replicate"}
    return [" ".join(one for one in overrides if one not in shared and one.partition("=")[0] not in columns) for overrides in job_overrides]


def _returned(row: dict[str, Any], overrides: Sequence[str]) -> JobReturn:
    returned = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
    returned.return_value = row
    return returned
