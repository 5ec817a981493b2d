"""The program `cases`: what a model says it does, before and after, in the scenes where a value moved most. No number comes from it."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vat.align.base import State
from vat.analyse.cases import CASES, TABLE, Chosen, chosen_cases, rule_of
from vat.analyse.table import interval, number
from vat.config import CasesSpec, JobSpec
from vat.data.open_question import VERSION, WORDING, open_prompt
from vat.errors import DataError, VatError
from vat.files import whole_file
from vat.models.base import Model, Progress
from vat.programs.align import split_of
from vat.programs.open_answers import said_openly
from vat.programs.progress import PROGRESS, counter
from vat.programs.rebuild import finished, of_run, state_of, waits
from vat.track.job import Job
from vat.track.runs import Description, Runs
from vat.types import Probe, Prompt

WIDTH = 110


class Told(NamedTuple):
    """A state of which cases are to be told: the job as it was done, the state itself, and which cases."""

    job: Job
    result: dict[str, Any]
    spec: JobSpec
    state: State
    chosen: list[Chosen]
    max_new_tokens: int


def tell_cases(specs: Sequence[CasesSpec]) -> None:
    """Ask the models of the runs, keep what they say beside the tables and in MLflow, and print it.

    Raises:
        DataError: Every run of which no cases can be told, before any model is asked.
        ConfigError, BackendError: A model cannot be asked or does not answer; runs before it are done, and no answer is lost.
    """
    jobs, faults = [], []
    for spec in specs:
        spec.tracking.require()
        runs = Runs(spec.tracking, None)
        for name in spec.runs:
            try:
                job = runs.job_of(name)
                with job.held(waits(name)):
                    _told(spec, job, name)
                jobs.append((spec, runs, name, job))
            except VatError as error:
                faults += of_run(name, error)
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))
    for spec, runs, name, job in jobs:
        with job.held(waits(name)):
            told = _told(spec, job, name)
            description = Description(**told.result["description"])
            document, path = _document(told, description.name), job.step_folder(told.state.step) / CASES
            with whole_file(path) as draft:
                draft.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
            runs.publish(job, description, told.result)
            runs.add(job, path, told.state.step)
            runs.forget_studies(job)  # a report elsewhere fetches the job, and with it these
            (job.folder / PROGRESS).unlink(missing_ok=True)
        title = f"{description.name} · step {told.state.step}" if told.state.step else description.name
        few = f"{len(told.chosen)} cases, not {spec.count}: {TABLE} names no more scenes (measure.amplification.cases, then -cn measure)."
        notes = [f"Note: {description.note}"] * bool(description.note) + [few] * (len(told.chosen) < spec.count)
        print("\n".join(["", title, *_lines(document), *notes, str(path)]), flush=True)


def _told(spec: CasesSpec, job: Job, name: str) -> Told:
    """What is to be told of a job, which the caller holds. Raises a VatError that says why nothing can."""
    where = f"run={name}"
    result, step = finished(job, spec.step, where)
    chosen = chosen_cases(job.step_folder(step), spec.count)
    if result.get("measures") is None or not chosen:
        raise DataError(_why_none(where, job, result, step))
    job_spec, state = state_of(job, spec.tracking, step, where)
    return Told(job, result, job_spec, state, chosen, spec.max_new_tokens)


def _why_none(where: str, job: Job, result: dict[str, Any], step: int) -> str:
    """Why a state has no cases, and what to do."""
    if result.get("measures") is None or not (job.step_folder(step) / TABLE).is_file():
        rule = f"{where}: must be measured with measure=amplification, which says where values moved most; got no {TABLE}"
        return f"{rule}. Measure it again: python launch.py -cn measure run={job.key}."
    found = {key: result["steps"][str(step)].get(key) for key in ("gain", "gain_low", "gain_high")}
    gain = f"{number(found['gain'], '+.3f')} {interval(found['gain_low'], found['gain_high'], '+.3f')}"
    rule = f"{where}: must have a gain that is told from 0, by which shifts are divided; got {gain} at step {step}"
    return f"{rule}. Take a state that gained, or more shots, training or scenes."


def _document(told: Told, name: str) -> dict[str, Any]:
    """What cases.json holds. The model before is asked first, and makes room for one that was trained."""
    spec, state = told.spec, told.state
    folder, theory, rows = told.job.step_folder(state.step), spec.theory.load(), split_of(spec.data, spec.theory).test.rows
    probe_of = {row.scene_id: row for row in reversed(rows)}
    question, probes = spec.elicit.question(theory), [probe_of[case.scene_id] for case in told.chosen]
    with counter(f"{name} · cases", 2 * len(probes), unit="answers", folder=told.job.folder) as progress:
        before = _said(told, spec.model, [open_prompt(probe.scene, (), question) for probe in probes], "before", progress)
        if state.model is not spec.model:
            spec.model.unload()
        try:
            prompts = [open_prompt(probe.scene, state.shots, question, state.preamble) for probe in probes]
            after = _said(told, state.model, prompts, f"step-{state.step:06d}", progress)
        finally:
            if state.model is not spec.model:
                state.model.unload()  # an adapter would stay on the model before
    cases = [
        {"scene_id": case.scene_id, "country": probe.country, "topic": probe.topic, "scene": probe.scene, "value": case.value}
        | {"amplification": case.amplification, "pre": case.pre, "post": case.post, "before": first, "after": then, "actions": actions}
        for case, probe, first, then, actions in zip(told.chosen, probes, before, after, _actions(told, folder, rows), strict=True)
    ]
    return {"version": VERSION, "question": WORDING, "rule": rule_of(folder), "cases": cases}


def _said(told: Told, model: Model, prompts: Sequence[Prompt], name: str, progress: Progress) -> list[str]:
    store = told.job.answers(f"cases-{name}-{told.max_new_tokens}")
    return said_openly(model, prompts, max_new_tokens=told.max_new_tokens, store=store, progress=progress)


def _actions(told: Told, folder: Path, rows: Sequence[Probe]) -> list[list[dict[str, Any]]]:
    """For each case what was rated of its value in its scene: the table has the ratings, the data the words, in the same order."""
    import pandas as pd

    table = pd.read_parquet(folder / "judgements.parquet")
    value_of = told.spec.theory.load().value_of
    actions: dict[tuple[str, str], list[dict[str, Any]]] = {(case.scene_id, case.value): [] for case in told.chosen}
    for row, before, after in zip(rows, table["rating_before"], table["rating"], strict=True):
        if (row.scene_id, value_of[row.item]) in actions:
            ratings = {key: None if math.isnan(x) else int(x) for key, x in (("rating_before", before), ("rating", after))}
            action = {"item": row.item, "polarity": row.polarity, "action": row.action} | ratings
            actions[row.scene_id, value_of[row.item]].append(action)
    return list(actions.values())


def _lines(document: dict[str, Any]) -> list[str]:
    """The cases to be read in a terminal."""
    lines = [_wrapped(document["rule"], "")]
    for n, case in enumerate(document["cases"], 1):
        moved = f"{case['value']} {case['pre']:+.2f} → {case['post']:+.2f}, {case['amplification']:.1f} times the gain"
        lines += ["", f"{n}. {_plain(case['scene_id'])} · {moved}", _wrapped(case["scene"], "   ")]
        lines += [_wrapped(f"{when}: {case[when] or '(nothing)'}", "   ") for when in ("before", "after")]
    return [*lines, ""]


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(_plain(text), WIDTH, initial_indent=indent, subsequent_indent=indent)


def _plain(text: str) -> str:
    """In one line, without what would steer a terminal."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
