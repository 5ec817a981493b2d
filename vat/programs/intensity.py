"""The program `intensity`: how strongly responses hold values (ValueFlow, section 5.2), value by value.

Responses → windows among a database's texts → rankings by a judge → the judge's sharpness → intensities with intervals.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vat.analyse.table import interval, number
from vat.config import IntensitySpec
from vat.data.schema import read_table
from vat.elicit.desk import Desk
from vat.errors import DataError, VatError
from vat.files import whole_file
from vat.intensity.anchors import database_folder, read_anchors
from vat.intensity.bias import position_bias
from vat.intensity.judging import Ranked, RankingJudge
from vat.intensity.pool import id_of
from vat.intensity.ranking import Target, ranking_prompt, words
from vat.intensity.response import Intensities, Rankings, Sharpness, intensities, sharpness
from vat.intensity.windows import Anchors, anchored_windows
from vat.programs.progress import counter
from vat.theory.base import Theory
from vat.track.dataset_folder import RESULT, DatasetFolder
from vat.track.dataset_run import DatasetRun

KIND, ROLE = "intensity", "judge"
VERSION = 1
"""Raised when the same settings give other scores than before."""
SCORES = "scores"


class _Value(NamedTuple):
    """A value to be scored: what judges are told, its anchors, and their texts by id."""

    target: Target
    anchors: Anchors
    texts: dict[str, str]


class _Scored(NamedTuple):
    """What came of a value; None where the judge's rankings say nothing of it, and why."""

    ranked: list[Ranked]
    sharpness: Sharpness | None
    found: Intensities | None
    why: str


def score_responses(spec: IntensitySpec) -> None:
    """Score all responses on all values, or go on with it, and print what they are.

    Raises:
        ConfigError, DataError: Settings, responses or a database that cannot be; other scores of this name.
        BackendError: The judge cannot be asked, or would cost too much; what was done is kept.
    """
    theory = spec.theory.load()
    rows = [row for _, row in read_table(Path(spec.responses), ("text",))]
    texts = {f"response {n}": str(row["text"] or "").strip() for n, row in enumerate(rows)}
    asked = [id_ for id_, text in texts.items() if text]
    if not asked:
        raise DataError(f"{spec.responses}: must hold responses in its column text; got none. Check the file.")
    values = _values(spec, theory)
    total = len(values) * len(asked) * spec.recipe.iterations
    print(
        f"{spec.label}: {len(asked):,} responses, {len(values)} values, {total:,} windows of {spec.recipe.size}, ranked by {spec.judge.label}",
        flush=True,
    )
    if spec.dry_run:
        return
    identity = _identity(spec, theory, texts, values)
    folder = DatasetFolder(spec.tracking.folder, spec.label, identity, kind=KIND)
    spec.tracking.check()
    with folder.held(partial(print, f"name={spec.label}: held by another process, waiting for it", flush=True)):
        if (result := folder.result()) is None:
            desk = Desk({ROLE: spec.judge}, folder.answers, limit_usd=spec.max_cost_usd)
            _try_out(folder, desk, next(iter(values.values())), texts[asked[0]])
            run = DatasetRun(spec.tracking, spec.label, folder.digest, kind=KIND)
            with run.running():
                try:
                    scored = _scored(spec, folder, desk, values, {id_: texts[id_] for id_ in asked}, total)
                finally:
                    desk.leave()
                result = _finish(spec, folder, run, desk, rows, asked, scored, theory)
        print("\n".join(_told_of(folder, result)), flush=True)


def _values(spec: IntensitySpec, theory: Theory) -> dict[str, _Value]:
    """The values to be scored, with their anchors; flagged texts that no person has looked at are none."""
    path = database_folder(spec.tracking.folder, spec.vidb)
    faults: list[str] = []
    found: dict[str, _Value] = {}
    for value in spec.values or theory.values:
        try:
            known = read_anchors(path, theory.name, theory.spec(value).name).usable()
            texts = {id_of(text): text for text in known.texts}
            anchors = Anchors(tuple(texts), known.intensity_A, known.error_A)
            anchored_windows(["response"], anchors, size=spec.recipe.size, iterations=1, seed=0, sampling=spec.recipe.sampling)
            found[value] = _Value(Target(value, theory.spec(value).definition), anchors, texts)
        except VatError as error:
            faults += str(error).splitlines()
    if faults:
        raise DataError("\n".join(faults))
    return found


def _identity(spec: IntensitySpec, theory: Theory, texts: Mapping[str, str], values: Mapping[str, _Value]) -> dict[str, object]:
    of_values = [(value, one.target, one.anchors.ids, one.anchors.intensity_A.tolist()) for value, one in values.items()]
    digests = {"responses": repr(list(texts.values())), "anchors": repr(of_values)}
    return {
        "version": VERSION, "wording": words()["version"], "theory": theory.digest, "values": list(values), **asdict(spec.recipe),
        "max_new_tokens": spec.max_new_tokens, "judge": spec.judge.identity(),
    } | {name: hashlib.sha256(text.encode()).hexdigest() for name, text in digests.items()}  # fmt: skip


def _try_out(folder: DatasetFolder, desk: Desk, value: _Value, text: str) -> None:
    begun = folder.begun
    try:
        desk.try_out(ROLE, ranking_prompt(value.target, [text, next(iter(value.texts.values()))]), max_new_tokens=16)
    except VatError:
        if not begun:
            folder.forget()
        raise


def _scored(
    spec: IntensitySpec, folder: DatasetFolder, desk: Desk, values: Mapping[str, _Value], responses: Mapping[str, str], total: int
) -> dict[str, _Scored]:  # fmt: skip
    found: dict[str, _Scored] = {}
    with counter(f"{spec.label} · windows", total, unit="windows", folder=folder.path) as progress:
        for value, one in values.items():
            windows = anchored_windows(
                list(responses), one.anchors, size=spec.recipe.size, iterations=spec.recipe.iterations, seed=spec.recipe.seed,
                sampling=spec.recipe.sampling,
            )  # fmt: skip
            ranked: list[Ranked] = []
            judge = RankingJudge(desk, ROLE, way="texts", max_new_tokens=spec.max_new_tokens)
            for window in judge.rank(one.target, windows, {**one.texts, **responses}):
                ranked.append(window)
                progress(1, f"{desk.usd():.2f} USD" if desk.usd() else "")
            found[value] = _of_value(spec, one, ranked, len(responses))
    return found


def _of_value(spec: IntensitySpec, value: _Value, ranked: list[Ranked], count: int) -> _Scored:
    rankings = _as_arrays(value, ranked, count, spec.recipe.iterations, spec.recipe.size - 1)
    sharp: Sharpness | None = None
    try:
        sharp = sharpness(rankings)
        return _Scored(ranked, sharp, intensities(rankings, beta=spec.recipe.sharpness or sharp.beta), "")
    except DataError as error:
        return _Scored(ranked, sharp, None, str(error))


def _as_arrays(value: _Value, ranked: Sequence[Ranked], count: int, iterations: int, n_anchors: int) -> Rankings:
    """Windows of the responses, in their order, as numbers."""
    intensity = dict(zip(value.anchors.ids, value.anchors.intensity_A.tolist(), strict=True))
    anchor_RMA, place_RM = np.zeros((count, iterations, n_anchors)), np.full((count, iterations), -1)
    for n, one in enumerate(ranked):
        if one.places:
            row, column = divmod(n, iterations)
            place_RM[row, column] = one.ranking.index(one.window.focal)
            anchor_RMA[row, column] = [intensity[id_] for id_ in one.ranking if id_ != one.window.focal]
    return Rankings(anchor_RMA, place_RM)


def _finish(
    spec: IntensitySpec, folder: DatasetFolder, run: DatasetRun, desk: Desk, rows: Sequence[Mapping[str, Any]], asked: Sequence[str],
    scored: Mapping[str, _Scored], theory: Theory,
) -> dict[str, Any]:  # fmt: skip
    import pandas as pd

    number_of = {id_: n for n, id_ in enumerate(asked)}
    table = pd.DataFrame([
        {**row, "theory": theory.name, "value": value, **_score(one, number_of.get(f"response {n}"))}
        for value, one in scored.items() for n, row in enumerate(rows)
    ])  # fmt: skip
    for ending, write in (("parquet", table.to_parquet), ("csv", table.to_csv)):
        with whole_file(folder.path / f"{SCORES}.{ending}") as draft:
            write(draft, index=False)
    result = _result(spec, desk, scored)
    params = {"responses": spec.responses, "vidb": spec.vidb, "judge": spec.judge.label, "theory": theory.name, **asdict(spec.recipe)}
    steps = {0: {f"{value}/{name}": x for value, numbers in result["values"].items() for name, x in numbers.items() if not isinstance(x, str)}}
    run.show(params, steps, [(folder.path / name, None) for name in (f"{SCORES}.parquet", f"{SCORES}.csv", "identity.json")])
    folder.keep(RESULT, result)
    return result


def _score(one: _Scored, at: int | None) -> dict[str, Any]:
    """The cells of one response and value; missing where there is no score."""
    if at is None or one.found is None:
        return dict.fromkeys(("intensity", "low", "high", "fitted"), math.nan) | {"windows": 0, "below": False, "above": False}
    found = one.found
    columns = {"intensity": found.intensity_R, "low": found.low_R, "high": found.high_R, "fitted": found.fitted_R}
    flags = {"windows": int(found.windows_R[at]), "below": bool(found.below_R[at]), "above": bool(found.above_R[at])}
    return {name: float(column[at]) for name, column in columns.items()} | flags


def _result(spec: IntensitySpec, desk: Desk, scored: Mapping[str, _Scored]) -> dict[str, Any]:
    """The numbers of the scores; None for what is not known."""
    values: dict[str, Any] = {}
    for value, one in scored.items():
        known = one.found.intensity_R[np.isfinite(one.found.intensity_R)] if one.found else np.empty(0)
        mean, low, high = _mean_interval(known)
        numbers = {"mean": mean, "low": low, "high": high, "scored": float(len(known)), "lost_windows": float(sum(not r.places for r in one.ranked))}
        if one.found:
            numbers |= {"below": float(one.found.below_R.mean()), "above": float(one.found.above_R.mean())}
        if one.sharpness:
            numbers |= {"sharpness": one.sharpness.beta, "sharpness_low": one.sharpness.low, "sharpness_high": one.sharpness.high}
        values[value] = {name: x if math.isfinite(x) else None for name, x in numbers.items()} | ({"why": one.why} if one.why else {})
    ranked = [one for of_value in scored.values() for one in of_value.ranked]
    lost: dict[str, int] = {}
    for window in ranked:
        if window.why:
            lost[window.why] = lost.get(window.why, 0) + 1
    usd = desk.usd()
    return {
        "values": values, "bias": [line for bias in position_bias(one.places for one in ranked) for line in bias.told(ROLE)], "lost": lost,
        "windows": len(ranked), "requests": sum(spent.requests for spent in desk.account().values()), "usd": usd,
        "assumed": spec.recipe.sharpness, "notes": [caveat for caveat in (spec.judge.capabilities().caveat,) if caveat],
    }  # fmt: skip


def _told_of(folder: DatasetFolder, result: Mapping[str, Any]) -> list[str]:
    lines = [f"{'value':28} {'intensity':>9}  {'95%':16} {'scored':>6}  {'judge’s sharpness':24} below / above all anchors"]
    for value, one in result["values"].items():
        if one["mean"] is None and "why" in one:
            lines.append(f"{value:28} no scores: {one['why']}")
            continue
        sharp = f"{_number(one.get('sharpness'), '.2f')} {_interval(one.get('sharpness_low'), one.get('sharpness_high'), '.2f')}"
        ends = f"{_number(one.get('below'), '.0%')} / {_number(one.get('above'), '.0%')}"
        lines.append(
            f"{value:28} {_number(one['mean'], '+.2f'):>9}  {_interval(one['low'], one['high'], '+.2f'):16} {one['scored']:>6.0f}  {sharp:24} {ends}"
        )
    lines += result["bias"]
    if result["lost"]:
        reasons = ", ".join(f"{count} {why}" for why, count in result["lost"].items())
        lines.append(f"{sum(result['lost'].values()):,} of {result['windows']:,} windows were lost: {reasons}")
    unlike = [value for value, one in result["values"].items() if one.get("sharpness") and not one["sharpness_low"] <= 1 <= one["sharpness_high"]]
    if unlike:
        used = (
            "scores take that into account"
            if result["assumed"] is None
            else f"scores take it for {result['assumed']:g}, and their intervals are wrong"
        )
        lines.append(f"The judge is not as sharp as the anchors say on {len(unlike)} of {len(result['values'])} values; {used}")
    return [*lines, f"Scores: {folder.path / f'{SCORES}.csv'}", *result["notes"]]


def _mean_interval(x: Any) -> tuple[float, float, float]:
    """Of the responses: their mean, with a Student interval over them."""
    from scipy.special import stdtrit

    if not len(x):
        return math.nan, math.nan, math.nan
    mean = float(np.mean(x))
    reach = float(stdtrit(len(x) - 1, 0.975)) * float(np.std(x, ddof=1)) / math.sqrt(len(x)) if len(x) > 1 else math.nan
    return mean, mean - reach, mean + reach


def _number(x: float | None, form: str) -> str:
    return number(math.nan if x is None else x, form)


def _interval(low: float | None, high: float | None, form: str) -> str:
    return interval(math.nan if low is None else low, math.nan if high is None else high, form)
