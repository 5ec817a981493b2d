"""What a process of Ray does with a job: keep the model of the job before if it is the same, write the job's own log, and bring back its outcome."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, TextIO

from vat.config import AlignSpec
from vat.errors import VatError
from vat.fanout.work import Outcome, outcome_of, say
from vat.programs.align import describe, job_of
from vat.programs.progress import note_progress
from vat.track.job import HeldElsewhere

if TYPE_CHECKING:
    from vat.fanout.cluster import Cluster
    from vat.models.base import Model
    from vat.track.runs import Runs
    from vat.track.settings import Tracking

LOG = "log.txt"
"""What a job has said, in its folder."""
MARK_SEEN_S = 0.5
"""How long a process that is at work takes to see that it is asked to leave."""
_resident: list[Model] = []


def attempt(spec: AlignSpec, sweep: str | None, folder: str, name: str) -> Outcome:
    """Try to do a job, from the folder of whoever asked for it. `name`: of this attempt."""
    try:
        os.chdir(folder)
    except OSError as error:
        return Outcome(
            failure=f"{folder}: must be there on every node, as where the sweep was launched; got {error.strerror}. Launch it from a shared folder."
        )
    job = job_of(spec)
    try:
        with job.held(waiting=None):  # what its holder has noted stays
            note_progress(job.folder, {"attempt": name, "what": describe(spec).name, "said": "starting"})
    except HeldElsewhere:
        return Outcome()
    with (job.folder / LOG).open("a", encoding="utf-8") as log, _said_to(log), _leaves_when_asked():
        spec = replace(spec, model=_loaded_or_new(spec.model), cluster=_with_address(spec.cluster))
        try:
            runs = _runs(spec.tracking, sweep)
        except VatError as error:
            outcome = Outcome(failure=str(error))
        else:
            outcome = outcome_of(spec, runs, wait=False)
        say(spec, outcome)
    return outcome


def _with_address(cluster: Cluster) -> Cluster:
    """With the address by which a process of this job reaches the cluster that we belong to."""
    import ray

    return replace(cluster, address=ray.get_runtime_context().gcs_address) if cluster.nodes > 1 else cluster


def _loaded_or_new(model: Model) -> Model:
    """The model that this process has loaded already, if it is the one that is asked for."""
    if _resident and _resident[0] != model:
        _resident.pop().unload()
    if not _resident:
        _resident.append(model)
    return _resident[0]


@contextlib.contextmanager
def _leaves_when_asked() -> Iterator[None]:
    """Be interrupted once, and at once, when the driver asks us to leave.

    Ray asks by a mark that Python sees between two instructions; who waits, for an answer or for a child, sees none. A real signal ends a wait.
    """
    asked, main = threading.Event(), threading.get_ident()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def leave(*_: object) -> None:
        if not asked.is_set():  # a second interruption would spoil what is being saved
            asked.set()
            raise KeyboardInterrupt

    def wake() -> None:
        while signals := os.read(reading, 1):
            if signals[0] == signal.SIGINT and not asked.wait(MARK_SEEN_S):
                signal.pthread_kill(main, signal.SIGUSR1)  # Ray blocks SIGINT itself

    handlers = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGUSR1)}
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watching = threading.Thread(target=wake, daemon=True)
    watching.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(writing)
        watching.join()
        os.close(reading)


@lru_cache(maxsize=1)
def _runs(tracking: Tracking, sweep: str | None) -> Runs:
    from vat.track.runs import Runs

    return Runs(tracking, sweep)


@contextlib.contextmanager
def _said_to(log: TextIO) -> Iterator[None]:
    """What is printed inside goes to a job's own log."""
    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
