"""A finished job made again from its id alone: its settings as it was last launched with them, and proof that they are still the same job."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from vat.align.base import Resources, State
from vat.config import JOB_PARTS, JobSpec
from vat.errors import ConfigError, DataError, VatError, shown
from vat.nodes import build
from vat.programs.align import job_of, task_of
from vat.track.job import Job
from vat.track.settings import Tracking

LAUNCH = "Launch it again with its own settings, which are then kept; nothing is asked again."


def rebuilt(job: Job, tracking: Tracking, where: str) -> JobSpec:
    """The job as it was configured.

    Args:
        where: What a message begins with.
    Raises:
        DataError: No settings were kept, or the model, the data or the theory is another now.
        ConfigError, BackendError: The model, the data or the theory is not on this machine.
    """
    config = job.config()
    if config is None:
        raise DataError(f"{where}: must have kept its settings; got one that was done before vat kept any. {LAUNCH}")
    try:
        parts = {name: build(name, config[name]) for name in JOB_PARTS}
        spec = JobSpec(**parts, tracking=tracking, value=config["value"], direction=config["direction"], replicate=config["replicate"])
    except (ConfigError, KeyError) as error:
        found = shown(str(error).splitlines()[0])
        raise DataError(f"{where}: must have kept settings that this version of vat knows; got {found}. {LAUNCH}") from error
    here = json.loads(json.dumps(job_of(spec).identity))
    if other := [name for name in here | dict(job.identity) if here.get(name) != job.identity.get(name)]:
        rule = f"{where}: model, data and theory on this machine must be what it was done with; got another {' and another '.join(other)}"
        raise DataError(f"{rule}. Put that back as it was.")
    return spec


def finished(job: Job, step: int | None, where: str) -> tuple[dict[str, Any], int]:
    """The result of a job that pushes a value, and one of its steps; None for the last.

    Raises:
        DataError: It is not finished, is a baseline, or was not judged at that step.
    """
    result = job.result()
    if result is None or "description" not in result:
        raise DataError(f"{where}: must be finished by this version of vat; got a job that is not. Launch it again.")
    if result["description"]["kind"] != "job":
        raise DataError(f"{where}: must be of a job that pushes a value; got a baseline, which pushes none. Take a job of a closing table.")
    steps = sorted(map(int, result["steps"]))
    found = steps[-1] if step is None else step
    if found not in steps:
        raise DataError(f"{where}: must have been judged at step={found}; got states at {', '.join(map(str, steps))}. Take one of these.")
    return result, found


def of_run(name: str, error: VatError) -> list[str]:
    """An error as lines that say which run they are about."""
    return [line if line.startswith("run=") else f"run={name}: {line}" for line in str(error).splitlines()]


def waits(name: str) -> Callable[[], object]:
    """What says that a run's job is held by another process."""
    return partial(print, f"run={name}: held by another process, waiting for it", flush=True)


def state_of(job: Job, tracking: Tracking, step: int, where: str) -> tuple[JobSpec, State]:
    """A finished job as it was configured, and one of its states, to be asked an open question. Raises as `rebuilt`.

    Raises:
        DataError: Its strategy only rewords the rating question, which an open question does not see.
    """
    spec = rebuilt(job, tracking, where)
    silent = nullcontext(lambda done, said="": None)
    alone = Resources(processes=1, gpus=0, deepspeed=None, threads=None)  # nothing is trained
    task = task_of(spec, job, alone, counting=lambda *_: silent, measured=lambda _: {}, logged=lambda _: None)
    state = spec.strategy.state_again(task, step)
    if state.rewording:
        rule = f"{where}: must be of a strategy that an open question sees; got strategy={spec.strategy.label}"
        raise DataError(f"{rule}, which only rewords the rating question. Take a run of another strategy.")
    return spec, state
