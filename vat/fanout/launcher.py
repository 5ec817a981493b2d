"""`-m`: from the points of a Hydra sweep to their program, each composed once."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from typing import ClassVar

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SweepLauncher(Launcher):
    """Composes each point once and hands all of them to the program.

    side_by_side: on Ray, or one after the other in this process.
    """

    side_by_side: ClassVar[bool]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra."""
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all points.

        Raises:
            ConfigError: Every fault of every point; nothing was started.
        """
        from vat.fanout.composing import Composer
        from vat.fanout.programs import Launch, run
        from vat.programs.entry import explain

        if self.side_by_side:  # this process holds no model and keeps nearly all that it makes: to look for garbage takes it a fifth of its time
            gc.set_threshold(500_000, 50, 50)
        composer = Composer(self.context, self.config)
        faults: list[str] = []

        def composed() -> Iterator[DictConfig]:
            for overrides in job_overrides:
                try:
                    yield composer.compose(overrides)
                except HydraException as error:
                    faults.extend(explain(error))

        given = self.config.hydra.overrides.task
        if not run(self.config.hydra.job.config_name, Launch(composed(), job_overrides, given, faults, self.side_by_side)):
            sys.exit(1)
        gc.freeze()  # nor is it worth looking as the process ends
        return [JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED, _return_value=None) for overrides in job_overrides]
