"""The program `intensity`: how strongly responses hold values (ValueFlow, section 5.2), value by value.

Responses → windows among a database's texts → rankings by a judge → the judge's sharpness → intensities with intervals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vat.analyse.table import interval, number
from vat.config_texts import IntensitySpec
from vat.data.schema import read_table
from vat.elicit.desk import Desk
from vat.errors import DataError
from vat.files import whole_file
from vat.intensity.bias import recorded, shown_in_runs
from vat.intensity.evaluator import Scored
from vat.measure.gain import mean_interval
from vat.programs.run_intensity import score_runs
from vat.programs.scoring import KIND, ROLE, cells, identity_of, lost_of, scales_of, scored, told_of_lost, try_out
from vat.theory.base import Theory, theory_tree
from vat.track.dataset_folder import RESULT, DatasetFolder
from vat.track.dataset_run import DatasetRun

VERSION = 1
"""Raised when the same settings give other scores than before."""
SCORES = "scores"
LABELLED = {"value": "labelled", "theory": "labelled_theory"}
"""What columns of responses are called beside the scores, whose names they have."""


def score_responses(spec: IntensitySpec) -> None:
    """Score all responses on all values, or the answers of runs, or go on with it, and print what they are.

    Raises:
        ConfigError, DataError: Settings, responses or a database that cannot be; other scores of this name.
        BackendError: The judge cannot be asked, or would cost too much; what was done is kept.
    """
    if spec.responses is None:
        score_runs(spec)
        return
    theory = spec.theory.load()
    rows = [row for _, row in read_table(Path(spec.responses), ("text",))]
    texts = {f"response {n}": str(row["text"] or "").strip() for n, row in enumerate(rows)}
    asked = [id_ for id_, text in texts.items() if text]
    if not asked:
        raise DataError(f"{spec.responses}: must hold responses in its column text; got none. Check the file.")
    scales = scales_of(spec, theory, spec.values or theory.values)
    total = len(scales) * len(asked) * spec.recipe.questions
    print(
        f"{spec.label}: {len(asked):,} responses, {len(scales)} values, {total:,} {spec.recipe.told} by {spec.judge.label}",
        flush=True,
    )
    if spec.dry_run:
        return
    identity = identity_of(spec, theory, scales, texts) | {"version": VERSION}
    folder = DatasetFolder(spec.tracking.folder, spec.label, identity, kind=KIND)
    spec.tracking.check()
    with folder.held(partial(print, f"name={spec.label}: held by another process, waiting for it", flush=True)):
        if (result := folder.result()) is None:
            desk = Desk({ROLE: spec.judge}, folder.answers, limit_usd=spec.max_cost_usd)
            try_out(spec, folder, desk, next(iter(scales.values())), texts[asked[0]])
            run = DatasetRun(spec.tracking, spec.label, folder.digest, kind=KIND)
            with run.running():
                try:
                    found = scored(spec, folder, desk, scales, {id_: texts[id_] for id_ in asked})
                finally:
                    desk.leave()
                result = _finish(spec, folder, run, desk, rows, asked, found, theory)
            folder.keep(RESULT, result)  # last, or the run of one that is killed here would be RUNNING for good
        print("\n".join(_told_of(folder, result)), flush=True)


def _finish(
    spec: IntensitySpec, folder: DatasetFolder, run: DatasetRun, desk: Desk, rows: Sequence[Mapping[str, Any]], asked: Sequence[str],
    found: Mapping[str, Scored], theory: Theory,
) -> dict[str, Any]:  # fmt: skip
    import pandas as pd

    number_of = {id_: n for n, id_ in enumerate(asked)}
    table = pd.DataFrame([
        {LABELLED.get(name, name): cell for name, cell in row.items()}
        | {"theory": theory.name, "value": value, **cells(one, number_of.get(f"response {n}"))}
        for value, one in found.items() for n, row in enumerate(rows)
    ])  # fmt: skip
    for ending, write in (("parquet", table.to_parquet), ("csv", table.to_csv)):
        with whole_file(folder.path / f"{SCORES}.{ending}") as draft:
            write(draft, index=False)
    result = _result(spec, desk, found, theory)
    params = {
        "responses": spec.responses,
        "vidb": spec.vidb,
        "judge": spec.judge.label,
        "theory": theory.name,
        "evaluator": spec.recipe.method,
        **asdict(spec.recipe),
    }
    steps = {0: {f"{value}/{name}": x for value, numbers in result["values"].items() for name, x in numbers.items() if not isinstance(x, str)}}
    steps[0] |= shown_in_runs(result["bias"])
    run.show(params, steps, [(folder.path / name, None) for name in (f"{SCORES}.parquet", f"{SCORES}.csv", "identity.json")])
    return result


def _result(spec: IntensitySpec, desk: Desk, found: Mapping[str, Scored], theory: Theory) -> dict[str, Any]:
    """The numbers of the scores; None for what is not known."""
    values: dict[str, Any] = {}
    for value, one in found.items():
        known = one.found.intensity_R[np.isfinite(one.found.intensity_R)] if one.found else np.empty(0)
        _, mean, low, high = mean_interval(known)
        numbers = {"mean": mean, "low": low, "high": high, "scored": float(len(known)), "lost": float(sum(one.lost.values()))}
        if one.found:
            numbers |= {"below": float(one.found.below_R.mean()), "above": float(one.found.above_R.mean())}
        if one.sharpness:
            numbers |= {"sharpness": one.sharpness.beta, "sharpness_low": one.sharpness.low, "sharpness_high": one.sharpness.high}
        values[value] = {name: x if math.isfinite(x) else None for name, x in numbers.items()} | ({"why": one.why} if one.why else {})
    usd = desk.usd()
    return {
        "values": values, "bias": recorded((places for one in found.values() for places in one.places), ROLE), "lost": lost_of(found),
        "asked": sum(one.asked for one in found.values()), "judge": spec.judge.label, "evaluator": spec.recipe.method, **asdict(spec.recipe),
        "theory": theory_tree(theory), "requests": sum(spent.requests for spent in desk.account().values()), "usd": usd,
        "notes": [caveat for caveat in (spec.judge.capabilities().caveat,) if caveat],
    }  # fmt: skip


def _told_of(folder: DatasetFolder, result: Mapping[str, Any]) -> list[str]:
    lines = [f"{'value':28} {'intensity':>9}  {'95%':16} {'scored':>6}  {'judge’s sharpness':24} below / above all anchors"]
    for value, one in result["values"].items():
        if one["mean"] is None and "why" in one:
            lines.append(f"{value:28} no scores: {one['why']}")
            continue
        sharp = f"{number(one.get('sharpness'), '.2f')} {interval(one.get('sharpness_low'), one.get('sharpness_high'), '.2f')}"
        ends = f"{number(one.get('below'), '.0%')} / {number(one.get('above'), '.0%')}"
        lines.append(
            f"{value:28} {number(one['mean'], '+.2f'):>9}  {interval(one['low'], one['high'], '+.2f'):16} {one['scored']:>6.0f}  {sharp:24} {ends}"
        )
    lines += [line for bias in result["bias"] for line in bias["told"]]
    lines += told_of_lost(result["lost"], result["asked"])
    unlike = [value for value, one in result["values"].items() if one.get("sharpness") and not one["sharpness_low"] <= 1 <= one["sharpness_high"]]
    if unlike:
        used = (
            "scores take that into account"
            if result["sharpness"] is None
            else f"scores take it for {result['sharpness']:g}, and their intervals are wrong"
        )
        lines.append(f"The judge is not as sharp as the anchors say on {len(unlike)} of {len(result['values'])} values; {used}")
    return [*lines, f"Scores: {folder.path / f'{SCORES}.csv'}", *result["notes"]]
