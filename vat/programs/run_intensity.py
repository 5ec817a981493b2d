"""Intensities of what a run's model says it does, before and after: gain and tax come from ratings, the intensity Δ from open answers.

Both answers in a scene are ranked against the same anchors in the same order, so that their difference is less noisy than they are. Who refuses says
nothing of a value: such a scene is missing from Δ, and counted (ValueFlow, sections 6.2 and 7, appendix D.6). Intervals are for other countries and
topics too, as those of the gain.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vat.align.base import State
from vat.analyse.table import interval, number
from vat.config import JobSpec
from vat.config_texts import IntensitySpec
from vat.data.open_question import VERSION as QUESTION
from vat.data.open_question import open_prompt
from vat.elicit.desk import Desk
from vat.elicit.refusals import is_refusal
from vat.errors import DataError, VatError, choose
from vat.files import whole_file
from vat.intensity.bias import recorded, shown_in_runs
from vat.intensity.evaluator import Scored
from vat.measure.gain import mean_interval
from vat.programs.align import baseline_of, direction_of, job_of, split_of
from vat.programs.open_answers import said_openly
from vat.programs.progress import counter
from vat.programs.rebuild import finished, of_run, state_of, waits
from vat.programs.scoring import KIND, ROLE, identity_of, lost_of, scales_of, scored, told_of_lost, try_out
from vat.shares import wilson
from vat.track.dataset_folder import RESULT, DatasetFolder
from vat.track.job import INTENSITY, Job
from vat.track.runs import Runs
from vat.track.sweep_run import sweep_tag
from vat.types import Probe

if TYPE_CHECKING:
    from pandas import DataFrame

VERSION = 1
"""Raised when the same settings give other numbers than before."""
SCENES = "intensity.csv"
"""Beside the numbers, in the folder of a job's step: what was said in each scene, and how it was scored."""
TIMES = ("before", "after")


class _Run(NamedTuple):
    """A run's state that is to be scored."""

    runs: Runs
    job: Job
    spec: JobSpec
    state: State
    step: int


def score_runs(spec: IntensitySpec) -> None:
    """Ask the models of runs what they do, have it ranked, and keep the numbers beside the runs' own.

    Raises:
        DataError: Every run that cannot be asked about, before anybody is.
        ConfigError, BackendError: A model or the judge cannot be asked; what was answered is kept.
    """
    found, faults = [], []
    spec.tracking.require()
    runs = Runs(spec.tracking, None)
    for name in spec.runs or _of_sweep(runs, spec.sweep):
        try:
            job = runs.job_of(name)
            with job.held(waits(name)):
                found.append(_run_of(spec, runs, job, name))
        except VatError as error:
            faults += of_run(name, error)
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))
    for run in found:
        _scored_run(spec, run)


def _of_sweep(runs: Runs, sweep: str | None) -> list[str]:
    """Its jobs."""
    assert sweep is not None
    if found := [job.key for job in runs.jobs_where(f"tags.`{sweep_tag(sweep)}` = '1'", where=f"sweep={sweep}")]:
        return found
    there = runs.sweeps()
    raise DataError(f"sweep={sweep}: must name a sweep with finished jobs; got none. {choose(sweep, there) if there else 'Launch one.'}")


def _run_of(spec: IntensitySpec, runs: Runs, job: Job, name: str) -> _Run:
    _, step = finished(job, spec.step, f"run={name}")
    return _Run(runs, job, *state_of(job, spec.tracking, step, f"run={name}"), step)


def _scored_run(spec: IntensitySpec, run: _Run) -> None:
    theory = spec.theory.load()
    scales = scales_of(spec, theory, spec.values or tuple(dict.fromkeys((run.spec.value, *_targets(run)))))
    label, scenes = f"{run.job.key}-{run.step}", _scenes(run.spec, spec.scenes)
    spec = replace(spec, label=label)
    asked_of = 2 * len(scenes) * len(scales) * spec.recipe.questions
    answers = f"{len(scenes):,} scenes, before and after, {len(scales)} values"
    print(f"{label}: {answers}, {asked_of:,} {spec.recipe.told} at most, by {spec.judge.label}", flush=True)
    if spec.dry_run:
        return
    said = _said(spec, run, scenes)
    texts = {f"{n} {when}": text for when in TIMES for n, text in enumerate(said[when])}
    asked = {id_: text for id_, text in texts.items() if text and not is_refusal(text)}
    identity = identity_of(spec, theory, scales, texts) | {"version": VERSION, "question": QUESTION, "job": run.job.key, "step": run.step}
    label += f"-{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]}"
    folder = DatasetFolder(spec.tracking.folder, label, identity, kind=KIND)
    with folder.held(partial(print, f"{label}: held by another process, waiting for it", flush=True)):
        if (result := folder.result()) is None:
            if not asked:
                raise DataError(f"run={run.job.key}: must have answers to be ranked; got {len(texts)} refusals or empty ones. Take another model.")
            desk = Desk({ROLE: spec.judge}, folder.answers, limit_usd=spec.max_cost_usd)
            try_out(spec, folder, desk, next(iter(scales.values())), next(iter(asked.values())))
            try:
                found = scored(replace(spec, label=label), folder, desk, scales, asked, drawn_as=lambda id_: id_.split()[0])
            finally:
                desk.leave()
            result, by_scene = _result(spec, run, scenes, texts, asked, found)
            with whole_file(folder.path / SCENES) as draft:
                by_scene.to_csv(draft, index=False)
            folder.keep(RESULT, result)
    _publish(run, result, folder)
    print("\n".join(_told_of(run, result, spec)), flush=True)


def _targets(run: _Run) -> dict[str, int]:
    return run.spec.strategy.targets(run.spec.value, direction_of(run.spec))


def _scenes(spec: JobSpec, count: int | None) -> list[Probe]:
    """Test scenes, a probe of each, spread over their order."""
    scenes = list({row.scene_id: row for row in reversed(split_of(spec.data, spec.theory).test.rows)}.values())[::-1]
    if count is None or count >= len(scenes):
        return scenes
    return [scenes[n] for n in np.linspace(0, len(scenes) - 1, count).round().astype(int)]


def _said(spec: IntensitySpec, run: _Run, scenes: Sequence[Probe]) -> dict[str, list[str]]:
    """What the model says before and after. The model before is asked first, and makes room for one that was trained; what it says belongs to the
    baseline, which other jobs have in common with this one.
    """
    baseline = job_of(baseline_of(run.spec))
    first = baseline if baseline.is_done else run.job  # a job that came from an MLflow may have come without it
    question, state = run.spec.elicit.question(run.spec.theory.load()), run.state
    with ExitStack() as after, counter(f"{spec.label} · answers", 2 * len(scenes), unit="answers", folder=run.job.folder) as progress:
        ask = partial(said_openly, max_new_tokens=spec.answer_tokens, progress=progress)
        with first.held(waits(first.key)):
            store = first.answers(f"open-before-{spec.answer_tokens}")
            before = ask(run.spec.model, [open_prompt(one.scene, (), question) for one in scenes], store=store)
        if state.model is not run.spec.model:
            run.spec.model.unload()
            after.callback(state.model.unload)  # an adapter would stay on the model before
        prompts = [open_prompt(one.scene, state.shots, question, state.preamble) for one in scenes]
        with run.job.held(waits(run.job.key)):
            store = run.job.answers(f"open-step-{run.step:06d}-{spec.answer_tokens}")
            return {"before": before, "after": ask(state.model, prompts, store=store)}


def _result(
    spec: IntensitySpec, run: _Run, scenes: Sequence[Probe], texts: Mapping[str, str], asked: Mapping[str, str], found: Mapping[str, Scored]
) -> tuple[dict[str, Any], DataFrame]:  # fmt: skip
    """The numbers, None for what is not known; and for each scene what was said and how it was scored."""
    import pandas as pd

    row_of = {id_: n for n, id_ in enumerate(asked)}
    values: dict[str, Any] = {}
    told = ("scene_id", "country", "topic", "scene")
    columns: dict[str, Any] = {name: [getattr(one, name) for one in scenes] for name in told}
    columns |= {when: [texts[f"{n} {when}"] for n in range(len(scenes))] for when in TIMES}
    targets = _targets(run)
    for value, one in found.items():
        of = {when: np.full(len(scenes), np.nan) for when in TIMES}
        for id_, row in row_of.items() if one.found else ():
            n, when = id_.split()
            of[when][int(n)] = one.found.intensity_R[row]  # type: ignore[union-attr]
        both = np.isfinite(of["before"]) & np.isfinite(of["after"])
        numbers = {"scenes": float(both.sum())}
        for name, of_scenes in {**of, "delta": of["after"] - of["before"]}.items():
            _, *bounds = mean_interval(np.where(both, of_scenes, np.nan), factors={name: columns[name] for name in ("country", "topic")})
            numbers |= dict(zip((name, f"{name}_low", f"{name}_high"), bounds, strict=True))
        if one.sharpness:
            numbers |= {"sharpness": one.sharpness.beta, "sharpness_low": one.sharpness.low, "sharpness_high": one.sharpness.high}
        known = {name: x if math.isfinite(x) else None for name, x in numbers.items()}
        values[value] = known | {"target": targets.get(value)} | ({"why": one.why} if one.why else {})
        columns |= {f"{value} {when}": of[when] for when in TIMES}
    refusals = {}
    for when in TIMES:
        refused = sum(is_refusal(texts[f"{n} {when}"]) for n in range(len(scenes)))
        refusals[when] = [refused / len(scenes), *wilson(refused, len(scenes))]
    result = {
        "job": run.job.key, "step": run.step, "judge": spec.judge.label, "vidb": spec.vidb, "evaluator": spec.recipe.method, **asdict(spec.recipe),
        "values": values, "targets": targets, "refusals": refusals, "answers": len(scenes), "lost": lost_of(found),
        "asked": sum(one.asked for one in found.values()),
        "bias": recorded((places for one in found.values() for places in one.places), ROLE),
        "notes": [
            note for note in dict.fromkeys((spec.judge.capabilities().caveat, run.spec.model.capabilities().caveat)) if note
        ],
    }  # fmt: skip
    return result | {"metrics": metrics_of(result)}, pd.DataFrame(columns)


def _publish(run: _Run, result: Mapping[str, Any], folder: DatasetFolder) -> None:
    """Beside the job's tables, and as metrics of its run."""
    place = run.job.step_folder(run.step)
    told = {INTENSITY: json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n", SCENES: (folder.path / SCENES).read_text("utf-8")}
    with run.job.held():
        for name, text in told.items():
            with whole_file(place / name) as draft:
                draft.write_text(text, encoding="utf-8")
            run.runs.add(run.job, place / name, run.step)
        run.runs.show(run.job, {"steps": {str(run.step): result["metrics"]}})
        run.runs.forget_studies(run.job)


def metrics_of(result: Mapping[str, Any]) -> dict[str, float]:
    """Of a run: Δ with its interval and what it is between, for each value, how many refuse, and the judge's bias by position."""
    named = {"before": "intensity_before", "after": "intensity", "delta": "intensity_delta", "delta_low": "intensity_delta_low"}
    named |= {"delta_high": "intensity_delta_high", "sharpness": "judge_sharpness"}
    found = {f"{long}/{value}": one[short] for value, one in result["values"].items() for short, long in named.items() if one.get(short) is not None}
    found |= {f"judge/{name}": share for name, share in shown_in_runs(result["bias"]).items()}
    return found | {"refusal_rate": result["refusals"]["after"][0], "refusal_rate_before": result["refusals"]["before"][0]}


def _told_of(run: _Run, result: Mapping[str, Any], spec: IntensitySpec) -> list[str]:
    title = (run.job.result() or {})["description"]["name"]
    lines = ["", f"{title} · step {run.step}" if run.step else title]
    lines.append(f"{'value':28} {'before':>7} {'after':>7}  {'Δ':>6} {'95%':16} {'scenes':>6}  judge’s sharpness")
    for value, one in result["values"].items():
        if one["delta"] is None:
            lines.append(f"{value:28} no Δ: {one.get('why', 'no scene has two answers that could be ranked')}")
            continue
        sharp = f"{number(one.get('sharpness'), '.2f')} {interval(one.get('sharpness_low'), one.get('sharpness_high'), '.2f')}"
        delta = f"{number(one['delta'], '+.2f'):>6} {interval(one['delta_low'], one['delta_high'], '+.2f'):16}"
        lines.append(f"{value:28} {number(one['before'], '+.2f'):>7} {number(one['after'], '+.2f'):>7}  {delta} {one['scenes']:>6.0f}  {sharp}")
    for when, (share, low, high) in result["refusals"].items():
        lines.append(f"refused {when}: {share:.1%} [{low:.1%}, {high:.1%}] of {result['answers']} answers")
    lines += told_of_lost(result["lost"], result["asked"])
    return [*lines, *(line for bias in result["bias"] for line in bias["told"]), str(run.job.step_folder(run.step) / INTENSITY), *result["notes"]]
