"""hydra/launcher=ray: jobs side by side, each a task of Ray with the resources that it asks for. Whatever a job does, the others go on.

A task that died with its worker or node is begun again, a few times; what a job itself gets wrong is final. Interrupted, the jobs are asked to
leave, and given a while.
"""

from __future__ import annotations

import contextlib
import sys
import time
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from vat.align.base import LEAVE_S
from vat.config import AlignSpec
from vat.errors import BackendError, VatError, shown
from vat.fanout.in_turn import without_baseline
from vat.fanout.plan import Step
from vat.fanout.ray_cluster import alive, answers, connected, demand_of, is_possible, refuse_impossible, require_shared
from vat.fanout.view import View
from vat.fanout.work import Fault, Outcome
from vat.fanout.worker import attempt
from vat.programs.align import describe
from vat.programs.progress import progress_of
from vat.track.runs import Runs

LOOK_EVERY_S = 0.25
LOOK_AROUND_S, GONE_S = 5.0, 30.0
"""How often we look what there is of the cluster, and how long it may be silent. Ray ends our process, without a word of ours, after 60 s."""
HELD_S = 2.0
"""How long a job that another process holds is left alone."""
GRACE_S = LEAVE_S + 10
"""How long jobs have to leave."""


@dataclass
class _Task:
    """A job on its way.

    faults: attempts that the cluster has spoilt. attempt: name of the one that was begun last. held: another process has been seen to hold it.
    stranded: it has been said that no node is left for it. not_before, since: by our own clock; since: when its process was first seen.
    """

    step: Step
    spec: AlignSpec
    faults: int = 0
    attempt: str = ""
    held: bool = False
    not_before: float = 0.0
    since: float | None = None
    overdue: bool = False
    stranded: bool = False


def on_ray(steps: Sequence[Step], runs: Runs) -> Generator[tuple[Step, Outcome]]:
    """Do jobs as soon as their baselines are there, the longest first.

    Raises:
        BackendError: The cluster cannot be reached, or is gone.
        ConfigError: Some job can never be done on it, or its nodes share no folder.
    """
    if not steps:
        return
    cluster = steps[0].spec.cluster
    with connected(cluster):
        nodes = alive()
        gpus_there = any(node["Resources"].get("GPU", 0) for node in nodes)
        if not cluster.autoscaling:
            refuse_impossible([demand_of(step.spec, gpus_there=gpus_there) for step in steps], nodes)
        require_shared(steps[0].spec.tracking.folder, nodes)
        tasks = _Tasks(steps, runs, gpus_there=gpus_there)
        try:
            yield from tasks.outcomes()
        finally:
            tasks.stop()
            with contextlib.suppress(BackendError):
                runs.end_orphans()  # interrupted while MLflow was told that they had begun


class _Tasks:
    """The jobs of a sweep, those that wait and those that Ray has."""

    def __init__(self, steps: Sequence[Step], runs: Runs, *, gpus_there: bool) -> None:
        import ray

        known = all(step.seconds is not None for step in steps)
        longest_first = sorted(steps, key=lambda step: (step.needs is not None, -(step.seconds or 0.0) if known else 0.0))
        self._waiting = [_Task(step, _fresh(step.spec)) for step in longest_first]
        self._there: dict[Any, _Task] = {}
        self._undone = {step.job.key for step in steps}
        self._failed: set[str] = set()
        self._runs, self._gpus_there = runs, gpus_there
        self._attempt = ray.remote(max_retries=0)(attempt)
        self._view = View(len(steps))
        self._looked = self._shown = self._heard = time.monotonic()

    def outcomes(self) -> Generator[tuple[Step, Outcome]]:
        """Each job with its outcome, as it ends."""
        import ray

        with self._view:
            while self._waiting or self._there:
                for task in self._begin_what_can():
                    yield self._settled(task, without_baseline(task.step))
                done, _ = ray.wait(list(self._there), num_returns=1, timeout=LOOK_EVERY_S) if self._there else ([], None)
                for ref in done:
                    task = self._there.pop(ref)
                    if outcome := self._ended(task, ref):
                        yield self._settled(task, outcome)
                self._stop_overdue()
                self._look_around()
                if not self._there:
                    time.sleep(LOOK_EVERY_S)
                self._show()

    def stop(self) -> None:
        """Ask all jobs to leave, those that have not begun first; then make them."""
        import ray

        refs = staying = list(self._there)
        for ref in reversed(refs):
            ray.cancel(ref, force=False)
        if refs:
            print(f"asking {len(refs)} jobs to leave; what they have done is kept. Ctrl-C: at once", file=sys.stderr, flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                _, staying = ray.wait(refs, num_returns=len(refs), timeout=GRACE_S)
        for ref in staying:
            ray.cancel(ref, force=True)
            task = self._there[ref]
            if _is_begun(task):
                self._mark(task, "KILLED", "it was interrupted and did not leave")
        self._there.clear()

    def _begin_what_can(self) -> list[_Task]:
        """Hand to Ray whatever can begin; returns what never will, because its baseline failed."""
        now, lost, still = time.monotonic(), [], []
        for task in self._waiting:
            if task.step.needs in self._failed:
                lost.append(task)
            elif task.step.needs in self._undone or task.not_before > now:
                still.append(task)
            else:
                self._begin(task)
        self._waiting = still
        return lost

    def _begin(self, task: _Task) -> None:
        demand = demand_of(task.spec, gpus_there=self._gpus_there)
        task.attempt, task.since = uuid.uuid4().hex, None
        options: dict[str, Any] = {"num_cpus": demand["CPU"], "num_gpus": demand["GPU"], "name": describe(task.spec).name}
        if "memory" in demand:
            options["memory"] = int(demand["memory"])
        ref = self._attempt.options(**options).remote(task.spec, self._runs.sweep, str(Path.cwd()), task.attempt)
        self._there[ref] = task

    def _ended(self, task: _Task, ref: Any) -> Outcome | None:
        """What became of an attempt; None if the job is to be tried again. Raises a BackendError if the cluster is gone."""
        import ray

        try:
            outcome: Outcome = ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            outcome = Outcome(failure=shown(str(error.cause), 300), trace=str(error))
        except ray.exceptions.LocalRayletDiedError as error:
            raise BackendError(_gone("one that has ended on this machine")) from error
        except ray.exceptions.RayError as error:
            kind: Fault = "" if task.overdue else "memory" if isinstance(error, ray.exceptions.OutOfMemoryError) else "process"
            outcome = Outcome(failure=_fault(task, error), fault=kind)
        if outcome.held:
            if not task.held:
                print(f"{describe(task.spec).name}: held by another process, waiting for its result", flush=True)
            task.held, task.not_before = True, time.monotonic() + HELD_S
        elif outcome.fault and task.faults < task.spec.cluster.retries:
            task.faults += 1
            self._mark(task, "KILLED", outcome.failure)  # it may wait long for its turn
            if outcome.fault == "memory":
                task.spec = _smaller(task.spec)
            print(f"{describe(task.spec).name}: {outcome.failure} Trying again, {task.faults} of {task.spec.cluster.retries}.", flush=True)
        else:
            return outcome
        self._waiting.append(task)
        return None

    def _settled(self, task: _Task, outcome: Outcome) -> tuple[Step, Outcome]:
        key = task.step.job.key
        self._undone.discard(key)
        if outcome.failure:
            self._failed.add(key)
            self._mark(task, "FAILED", outcome.failure)
        self._view.ended(describe(task.spec).name, outcome)
        return task.step, outcome

    def _mark(self, task: _Task, status: Literal["FAILED", "KILLED"], why: str) -> None:
        """Show in MLflow what became of a job's process; if MLflow is away now, it hears of the job when that is done again."""
        with contextlib.suppress(BackendError):
            self._runs.ended(task.step.job, describe(task.spec), status, why)

    def _stop_overdue(self) -> None:
        """End attempts that take too long, counted from when we first see their processes, by our own clock."""
        import ray

        for ref, task in self._there.items():
            limit = task.spec.cluster.timeout_s
            if limit is None or task.overdue:
                continue
            if task.since is None:
                task.since = time.monotonic() if _is_begun(task) else None
            elif time.monotonic() - task.since > limit:
                task.overdue = True
                ray.cancel(ref, force=True)

    def _show(self) -> None:
        if time.monotonic() - self._shown < LOOK_EVERY_S:
            return
        self._shown = time.monotonic()
        running = [(describe(task.spec).name, task.step.job.folder) for task in self._there.values() if _is_begun(task)]
        self._view.show(running, len(self._waiting) + len(self._there) - len(running))

    def _look_around(self) -> None:
        """Is the cluster still there, and for each job that has not begun a node that could do it? If not, jobs wait until one comes.

        Raises:
            BackendError: The cluster is gone.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_AROUND_S:
            return
        self._looked = now
        if answers():
            self._heard = now
        elif now - self._heard > GONE_S:
            raise BackendError(_gone(f"one that has not answered for {now - self._heard:.0f} s"))
        else:
            return
        nodes = alive()
        for task in self._there.values():
            if task.spec.cluster.autoscaling or task.stranded or _is_begun(task):
                continue
            if not is_possible(demand_of(task.spec, gpus_there=self._gpus_there), nodes):
                task.stranded = True
                step = "Add one to the cluster, or interrupt and launch with other settings of cluster"
                print(f"{describe(task.spec).name}: waits for a node that could do it; got none that is left. {step}.", flush=True)


def _is_begun(task: _Task) -> bool:
    """Whether a process has taken up the attempt."""
    return progress_of(task.step.job.folder).get("attempt") == task.attempt


def _fresh(spec: AlignSpec) -> AlignSpec:
    """The same without what its parts have loaded in this process, and with a number of threads that jobs side by side leave each other."""
    cluster = replace(spec.cluster, cpus=spec.cluster.cpus or spec.cluster.processes)
    parts = {name: replace(getattr(spec, name)) for name in ("theory", "data", "model", "elicit", "strategy", "tracking")}
    return replace(spec, cluster=cluster, **parts)


def _smaller(spec: AlignSpec) -> AlignSpec:
    """The same with less room for the model, where that is known here: the device may be on another machine."""
    with contextlib.suppress(VatError):
        return replace(spec, model=spec.model.smaller())
    return spec


def _gone(found: str) -> str:
    return f"cluster: Ray must be there until the sweep is done; got {found}. What is done stays on disk: run the same command again when it is up."


def _fault(task: _Task, error: Exception) -> str:
    """What happened to the process of a job, in a line."""
    if task.overdue:
        return f"cluster.timeout_s={task.spec.cluster.timeout_s:g}: an attempt must take no longer; got one that did and was ended. Raise it."
    kind = type(error).__name__
    what = {"OutOfMemoryError": "ended because its node ran out of memory", "NodeDiedError": "lost with its node", "WorkerCrashedError": "killed"}
    rule = f"cluster: a job's process must live to its end; got one that was {what.get(kind, f'lost by {kind}')}"
    return f"{rule}. See {task.step.job.folder / 'log.txt'}."
