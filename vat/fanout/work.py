"""One job of a sweep, in whatever process it runs: its outcome is a result or a reason, never an exception."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from vat.config import AlignSpec
from vat.errors import VatError
from vat.fanout.spread import spread_over
from vat.programs.align import align, describe, job_of, taken
from vat.track.job import HeldElsewhere
from vat.track.runs import Runs

Fault = Literal["", "process", "memory"]


class Outcome(NamedTuple):
    """What became of a job: its result; or why it failed, with a traceback if it was a fault of ours; or neither, if another process has it.

    fault: what the cluster did to it, "" where the job itself is at fault; trying again may help.
    """

    result: Mapping[str, Any] | None = None
    failure: str = ""
    trace: str = ""
    fault: Fault = ""

    @property
    def held(self) -> bool:
        """Whether another process works on it."""
        return self.result is None and not self.failure


def outcome_of(spec: AlignSpec, runs: Runs, *, wait: bool, published: Mapping[str, Any] | None = None) -> Outcome:
    """Do a job.

    Args:
        wait: For a job that another process holds; if not, it is left to it.
        published: The result, if it is done and MLflow shows it.
    """
    try:
        if published is not None:
            return Outcome(taken(spec, job_of(spec), published))
        with spread_over(spec) as spread:
            return Outcome(align(spread, runs, wait=wait))
    except HeldElsewhere:
        return Outcome()
    except VatError as error:
        return Outcome(failure=str(error))
    except OSError as error:
        folder = job_of(spec).folder
        return Outcome(failure=f"{folder}: must be a folder with room to write; got {error.strerror}. Make room and run the same command again.")
    except SystemExit:  # a worker is told to leave
        return Outcome(failure="cluster: a job's process must live to its end; got one that was told to leave.", fault="process")
    except Exception as error:  # a fault of ours in one job must not cost the others
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # numpy's; torch's
            return Outcome(failure="cluster: a job must fit into memory; got one that does not. Lower model.memory_gib.", fault="memory")
        return Outcome(failure=" ".join(f"{type(error).__name__}: {error}".split()), trace=traceback.format_exc())


def say(spec: AlignSpec, outcome: Outcome) -> None:
    """Print why a job failed, as soon as that is known."""
    if outcome.failure:
        print(f"{describe(spec).name}: {outcome.failure}", flush=True)
    if outcome.trace:
        print(outcome.trace, flush=True)
