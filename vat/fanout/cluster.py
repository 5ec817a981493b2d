"""cluster=…: which machines, what a job may use of them, and what is done about faults."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from vat.errors import ConfigError, MissingDependency, shown
from vat.settings import settings


class Shared(NamedTuple):
    """What holds for a whole sweep."""

    address: str
    autoscaling: bool
    retries: int
    fail_fast: bool
    dry_run: bool


@settings
class Cluster:
    """Where a sweep is done, and what a job may use.

    address: `local` starts a Ray of our own on this machine, `auto` takes the one that runs on it, `host:port` one elsewhere.
    autoscaling: the cluster grows by itself, so that a request which no node can meet now is no error.
    retries: how often a job is begun again after a fault of the cluster (a worker or a node died, memory ran out); never after one of its own.
    timeout_s: how long an attempt at a job may take, None for ever.
    fail_fast: end the sweep at the first job that failed; those that run are asked to leave.
    dry_run: only tell the plan.
    cpus: threads of a local model. None for as many as the machine has, and for one where jobs run side by side.
    memory_gib: that a job asks Ray for, None for none.
    nodes: of the cluster that train together, each with so many processes or GPUs.
    processes: that train together on the CPU.
    gpus: that train together; 0 for whatever device the model has, in one process.
    rating_workers: processes that rate together for one job, each with the model of its own.
    judge_beside: judge checkpoints while training goes on, instead of after it; takes room for both.
    deepspeed: DeepSpeed's own configuration, None to train without it.
    """

    address: Annotated[str, Field(pattern=r"^(local|auto|[^\s/:]+:\d{1,5})$")]
    autoscaling: bool
    retries: Annotated[int, Field(ge=0)]
    timeout_s: Annotated[float, Field(gt=0)] | None
    fail_fast: bool
    dry_run: bool
    cpus: Annotated[int, Field(ge=1, le=1024)] | None
    memory_gib: Annotated[float, Field(gt=0)] | None
    nodes: Annotated[int, Field(ge=1, le=1024)]
    processes: Annotated[int, Field(ge=1, le=1024)]
    gpus: Annotated[int, Field(ge=0, le=1024)]
    rating_workers: Annotated[int, Field(ge=1, le=1024)]
    judge_beside: bool
    deepspeed: dict[str, Any] | None

    @property
    def shared(self) -> Shared:
        """What the points of a sweep may not differ in."""
        return Shared(self.address, self.autoscaling, self.retries, self.fail_fast, self.dry_run)

    def check(self) -> None:
        """Whether the machine has what is asked for.

        Raises:
            ConfigError: More GPUs than there are; processes beside GPUs; a DeepSpeed configuration without a stage.
            MissingDependency: DeepSpeed is not installed.
        """
        if self.nodes > 1 and self.address == "local":
            rule = f"cluster.nodes={self.nodes}: must be nodes of a Ray cluster; got cluster.address=local, which is this machine"
            raise ConfigError(f"{rule}. Use cluster.address=auto or host:port.")
        if self.gpus:
            import torch

            if self.processes > 1:
                rule = f"cluster.processes={self.processes}: must be 1 where GPUs train, one process on each; got cluster.gpus={self.gpus}"
                raise ConfigError(f"{rule}. Set one of the two.")
            if self.address == "local" and self.gpus > (found := torch.cuda.device_count()):
                step = f"Use at most {found}" if found else "Use cluster.gpus=0, and cluster.processes for several processes on the CPU"
                raise ConfigError(f"cluster.gpus={self.gpus}: must be on this machine; got {found}. {step}.")
        if self.deepspeed is not None:
            zero = self.deepspeed.get("zero_optimization")
            if not isinstance(zero, dict) or zero.get("stage") not in (0, 1, 2, 3):
                rule = f"cluster.deepspeed: must have a zero_optimization.stage of 0, 1, 2 or 3; got {shown(zero)}"
                raise ConfigError(f"{rule}. Use cluster/deepspeed=zero2.")
            if find_spec("deepspeed") is None:
                raise MissingDependency("deepspeed", needed_by="cluster.deepspeed", install="pip install deepspeed")

    def apply(self) -> None:
        """Set the number of threads of this process."""
        if self.cpus is not None:
            import torch

            torch.set_num_threads(self.cpus)
