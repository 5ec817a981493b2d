"""The main program: push one value of a model, and measure what that did to all values. One page, in the order of the data."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from importlib.metadata import version
from typing import Any, TypeVar

from vat import __version__
from vat.align.base import Resources, State, Task
from vat.align.none import Baseline
from vat.analyse.table import checkpoint_line
from vat.config import JOB_PARTS, AlignSpec, JobSpec
from vat.data.base import DataSource, Split
from vat.data.question import INSTRUCTIONS
from vat.errors import BackendError, DataError, VatError
from vat.measure.base import Measure
from vat.measure.power import smallest_detectable_gain, smallest_detectable_tax
from vat.models.base import Progress
from vat.nodes import node_of
from vat.programs.job_page import draw_page
from vat.programs.progress import PROGRESS, counter
from vat.programs.record import About, is_recorded, measured_again, record, settings_of
from vat.theory.file import TheoryFile
from vat.track.job import CONFIG, Job
from vat.track.runs import Description, Runs
from vat.types import Judgements, Shot

Spec = TypeVar("Spec", bound=JobSpec)
TRAINING = "training"
"""The folder of a job that belongs to its strategy."""


def align(spec: AlignSpec, runs: Runs, *, wait: bool = True) -> Mapping[str, Any]:
    """Do one job, or only bring MLflow up to date if it is done. Returns its result.

    Args:
        wait: If another process holds the job, wait until it is free.
    Raises:
        VatError: The job failed; what the model answered is kept.
        HeldElsewhere: Another process holds the job, and we do not wait.
    """
    job, description = job_of(spec), describe(spec)
    waiting = partial(print, f"{description.name}: held by another process, waiting for its result", flush=True) if wait else None
    with job.held(waiting):
        result = job.result()
        is_news = spec.strategy.has_target and job.keep_config(config_of(spec)) and result is not None
        if result is None or not is_current(job, result, spec):
            with runs.running(job, description):
                if result is not None and is_recorded(job, result):
                    result = measured_again(job, result, _measures(spec))
                else:
                    result = job.finish(_judged_and_measured(spec, job, description, runs))
        draw_page(job, result)
        runs.publish(job, description, result)
        if is_news:  # to a run that may show all else already
            runs.add(job, job.folder / CONFIG)
        (job.folder / PROGRESS).unlink(missing_ok=True)
        return taken(spec, job, result)


def taken(spec: AlignSpec, job: Job, result: Mapping[str, Any]) -> Mapping[str, Any]:
    """A result that is done and published, if its answers are accepted. Raises a BackendError if too many are missing."""
    spec.strategy.tidy(job.folder / TRAINING, {int(step): numbers for step, numbers in result["steps"].items()})
    _accept(spec, result)
    return result


def direction_of(spec: JobSpec) -> int:
    """As configured, or the theory's default for the value."""
    return spec.direction or spec.theory.load().spec(spec.value).direction


def baseline_of(spec: Spec) -> Spec:
    """The job that measures the state before: same model, data and elicitation, nothing done to it."""
    return replace(spec, strategy=Baseline(), value="", direction=None, replicate=0)


def job_of(spec: JobSpec) -> Job:
    """The job of a point. Its key holds what determines the result and nothing else."""
    theory = spec.theory.load()
    identity: dict[str, object] = {
        "program": "align", "theory": theory.digest, "data": split_of(spec.data, spec.theory).digest,
        "model": spec.model.identity(), "elicit": spec.elicit.identity(), "strategy": spec.strategy.identity(),
    }  # fmt: skip
    if spec.strategy.has_target:
        identity |= {"value": spec.value, "direction": direction_of(spec)}
    if spec.strategy.has_draws:
        identity |= {"replicate": spec.replicate}
    return Job(spec.tracking.folder, identity)


def config_of(spec: JobSpec) -> dict[str, object]:
    """The settings of which a finished job can be made again (`rebuild.py`)."""
    parts = {name: getattr(spec, name) for name in JOB_PARTS} | {"data": spec.data.to_keep(), "model": spec.model.to_keep()}
    nodes = {name: node_of(part) for name, part in parts.items()}
    return nodes | {"value": spec.value, "direction": direction_of(spec), "replicate": spec.replicate}


def task_of(spec: JobSpec, job: Job, resources: Resources, **hooks: Any) -> Task:
    """What the job's strategy is asked to do. hooks: what a task shows its progress with."""
    theory, direction = spec.theory.load(), direction_of(spec) if spec.strategy.has_target else 1
    return Task(
        theory, split_of(spec.data, spec.theory).train, spec.model, spec.value, direction, spec.replicate,
        ask=lambda probes: spec.elicit.judge(spec.model, probes, (), theory, store=job.answers("asked")),
        question=spec.elicit.question(theory), folder=job.folder / TRAINING, resources=resources, **hooks,
    )  # fmt: skip


def is_current(job: Job, result: dict[str, Any], spec: AlignSpec) -> bool:
    """Whether a result was measured with these settings; if not, it is measured again from the judgements, or from the answers."""
    return bool(result.get("measures") == settings_of(_measures(spec)) and is_recorded(job, result))


def _measures(spec: AlignSpec) -> dict[str, Measure]:
    """None for a baseline, which has no shift to measure."""
    return spec.measures if spec.strategy.has_target else {}


def _accept(spec: AlignSpec, result: Mapping[str, Any]) -> None:
    """Raise a BackendError if a finished job, done when more was allowed, has more missing answers than are allowed now."""
    worst = max(metrics["missing_rate"] for metrics in result["steps"].values())
    if worst > spec.elicit.max_missing:
        rule = f"elicit.max_missing: a job may leave at most {spec.elicit.max_missing:.0%} of answers missing; got {worst:.0%}"
        raise BackendError(f"{rule}. Raise it to accept this finished job, or use another elicit.format or model.")


@lru_cache(maxsize=8)
def split_of(data: DataSource, theory: TheoryFile) -> Split:
    """The probes of a data source; read once per process."""
    return data.split(theory.load())


def usage_of(spec: AlignSpec, job: Job) -> dict[str, float]:
    """Tokens and money that a job has taken so far; nothing where no server counts them."""
    tokens = job.tokens()
    if not any(tokens):
        return {}
    cost = {} if math.isnan(spec.model.cost_usd(tokens)) else {"cost_usd": spec.model.cost_usd(tokens)}
    return {"tokens_read": tokens[0], "tokens_written": tokens[1], **cost}


def describe(spec: AlignSpec) -> Description:
    """Name, parameters and note of the job's run in MLflow."""
    strategy, theory, split = spec.strategy, spec.theory.load(), split_of(spec.data, spec.theory)
    data = (type(spec.data).__module__.rpartition(".")[2], split.digest)
    params: dict[str, object] = {
        "model": spec.model.label,
        "theory": theory.name,
        "data": data[0],
        "test_scenes": len(split.test.scenes),
        "strategy": strategy.label,
    }
    params |= {f"elicit.{key}": value for key, value in spec.elicit.identity().items()}
    params |= {f"model_{name}": spec.model.identity().get(name, "") for name in ("revision", "dtype")}
    name = f"{spec.model.label} · baseline"
    if strategy.has_target:
        direction = direction_of(spec)
        params |= {"value": spec.value, "direction": direction, "shots": strategy.shots_shown or "", "replicate": spec.replicate} | strategy.params
        dose = "" if strategy.shots_shown is None else f" · {strategy.shots_shown} shots"
        dose += "".join(f" · {name} {given}" for name, given in strategy.params.items())
        name = f"{spec.model.label} · {spec.value} {direction:+d} · {strategy.label}{dose} · r{spec.replicate}"
    return Description(name, "job" if strategy.has_target else "baseline", params, data, spec.model.capabilities().caveat)


def resources_of(spec: AlignSpec) -> Resources:
    """What the job's training may use."""
    cluster = spec.cluster
    return Resources(cluster.processes, cluster.gpus, cluster.deepspeed, cluster.cpus, cluster.judge_beside, cluster.nodes, cluster.address)


def preflight(specs: Sequence[AlignSpec]) -> list[str]:
    """Every fault that can be known before work starts, one line each. What several points have in common is checked once. Writes nothing."""
    checks: dict[tuple[object, ...], Callable[[], object]] = {}
    for spec in specs:
        for name, parts, check in _checks(spec):
            checks.setdefault((name, *map(id, parts)), check)  # equal parts of points are one object
    return list(dict.fromkeys(fault for check in checks.values() if (fault := _fault_of(check))))


def _checks(spec: AlignSpec) -> list[tuple[str, Sequence[object], Callable[[], object]]]:
    """The checks of a point: name, the parts of the point that it is about, and the check itself."""
    theory, data, model, strategy, measures = spec.theory, spec.data, spec.model, spec.strategy, spec.measures.values()
    return [
        ("place", [spec.tracking], spec.tracking.check),
        ("strategy", [strategy, model], lambda: strategy.check(model.capabilities())),
        ("cluster", [spec.cluster], spec.cluster.check),
        ("resources", [strategy, model, spec.cluster], lambda: strategy.check_resources(model, resources_of(spec))),
        ("target", [strategy, theory, data, spec.value], lambda: _check_target(spec)),
        ("model", [model], model.identity),
        ("question", [spec], lambda: _check_question(spec)),
        ("measures", [strategy, theory, data, *measures], lambda: _check_measures(spec)),
    ]


def power_of(spec: AlignSpec) -> str:
    """What a point's test scenes can find at all, in a line for people."""
    return _power_of(spec.data, spec.theory)


@lru_cache(maxsize=8)
def _power_of(data: DataSource, theory_file: TheoryFile) -> str:
    theory, test = theory_file.load(), split_of(data, theory_file).test
    levels = {name: len(set(of_scene)) for name, of_scene in test.scene_factors.items()}
    probed = len({theory.value_of[row.item] for row in test.rows})
    scenes = f"{len(test.scenes)} test scenes of {' and '.join(f'{count} {name}' for name, count in levels.items())} levels"
    if probed < 2:
        return f"{scenes}: a tax needs two values, and the data probe {probed}"
    tax = smallest_detectable_tax(n_scenes=len(test.scenes), n_values=probed, n_factor_levels=tuple(levels.values()))
    gain = smallest_detectable_gain(1.0, n_scenes=len(test.scenes))
    found = "no tax at all (too few for so many levels)" if math.isnan(tax) else f"a tax of {tax:.3f}"
    return f"{scenes} find {found} and a gain of {gain:.2f} standard deviations in 80% of cases (test at 5%)"


def _check_target(spec: AlignSpec) -> None:
    """Whether the value exists and the test scenes probe it."""
    if not spec.strategy.has_target:
        return
    theory = spec.theory.load()
    theory.spec(spec.value)
    if not any(theory.value_of[row.item] == spec.value for row in split_of(spec.data, spec.theory).test.rows):
        raise DataError(f"value={spec.value}: needs actions of its items in the test scenes; got none. Push a value that the data probes.")


def _check_measures(spec: AlignSpec) -> None:
    """Whether the measures know what the scenes share."""
    for measure in _measures(spec).values():
        measure.check(split_of(spec.data, spec.theory).test.scene_factors)


def _check_question(spec: AlignSpec) -> None:
    """Whether the model can be asked about the longest probe after the examples that the strategy will show; one that is done has been."""
    if job_of(spec).is_done:
        return
    theory, split = spec.theory.load(), split_of(spec.data, spec.theory)
    shots, preamble = [], ""
    if spec.strategy.has_target and spec.value in theory.values:
        examples = spec.strategy.examples(split.train, theory, spec.value, replicate=spec.replicate)
        shots = [Shot(probe, 3) for probe in examples]
        preamble = spec.strategy.preamble(theory, spec.value, direction_of(spec), replicate=spec.replicate)
    longest = max(split.test.rows, key=lambda row: len(row.scene) + len(row.action))
    spec.elicit.check(spec.model, longest, shots, theory, preamble=preamble)


def _fault_of(check: Callable[[], object]) -> str | None:
    try:
        check()
    except VatError as error:
        return str(error)
    return None


def _judged_and_measured(spec: AlignSpec, job: Job, description: Description, runs: Runs) -> dict[str, Any]:
    """Judge every state of the strategy and measure it against the state before; a training run is shown in MLflow as it goes."""
    spec.cluster.apply()
    theory, split, started = spec.theory.load(), split_of(spec.data, spec.theory), time.monotonic()
    steps: dict[int, dict[str, float]] = {}
    rated_s = 0.0
    task = task_of(
        spec, job, resources_of(spec),
        counting=lambda what, total, unit: counter(f"{description.name} · {what}", total, unit=unit, folder=job.folder),
        measured=lambda step: steps[step],
        logged=lambda training: runs.show(job, {"steps": steps, "training": training}),
    )  # fmt: skip
    pushed = (spec.value, task.direction) if spec.strategy.has_target else ("", 0)
    about = About(description.name, *pushed, description.note, theory)
    pre = _baseline(spec, split) if spec.strategy.has_target else None
    with contextlib.closing(spec.strategy.states(task)) as states:  # after an error nothing goes on training
        for state in states:
            name = f"{description.name} · step {state.step}" if state.step else description.name
            with counter(name, len(split.test.rows), unit="ratings", folder=job.folder) as progress:
                began = time.monotonic()
                post = _judged(spec, job, state, split, progress)
                rated_s += time.monotonic() - began
            steps[state.step] = record(job.step_folder(state.step), replace(about, name=name), pre, post, _measures(spec))
            if state.model is not spec.model:
                print(checkpoint_line(name, steps[state.step]), flush=True)
                task.logged(spec.strategy.series(task.folder))
    training = spec.strategy.series(job.folder / TRAINING)
    return {
        "description": description._asdict(), "steps": steps, "measures": settings_of(_measures(spec)), "usage": usage_of(spec, job),
        "training": training,
        "seconds": round(time.monotonic() - started, 1), "rated_s": round(rated_s, 1),
        "versions": _versions(local=spec.model.capabilities().trainable, trained=bool(training)),
    }  # fmt: skip


def _versions(*, local: bool, trained: bool) -> dict[str, str]:
    """Of what has a say in the numbers of a job, whatever else its process has loaded."""
    names = ("numpy", "scipy", *(("torch", "transformers") if local else ()), *(("trl",) if trained else ()))
    return {"vat": __version__, **{name: version(name) for name in names}}


def _judged(spec: AlignSpec, job: Job, state: State, split: Split, progress: Progress) -> Judgements:
    store = job.answers(f"step-{state.step:06d}")
    elicit = replace(spec.elicit, wording=(spec.elicit.wording + state.rewording) % len(INSTRUCTIONS))
    try:
        return elicit.judge(state.model, split.test.rows, state.shots, spec.theory.load(), preamble=state.preamble, store=store, progress=progress)
    finally:  # after an error, too: an adapter lies on the model that other jobs of this process share
        if state.model is not spec.model:
            state.model.unload()


def _baseline(spec: AlignSpec, split: Split) -> Judgements:
    """The state before, from the answers that the baseline's job has kept."""
    job = job_of(baseline_of(spec))
    with job.held():
        return _judged(spec, job, State(0, spec.model, ()), split, lambda done, said="": None)
