"""Responses ranked among a database's texts by a judge, value by value, and what that makes of them: what all programs that score share."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from vat.config_texts import IntensitySpec
from vat.elicit.desk import Desk
from vat.errors import DataError, VatError
from vat.intensity.anchors import database_folder, read_anchors
from vat.intensity.judging import Ranked, RankingJudge
from vat.intensity.pool import id_of
from vat.intensity.ranking import Target, ranking_prompt, words
from vat.intensity.response import Intensities, Rankings, Sharpness, intensities, sharpness
from vat.intensity.windows import Anchors, Window, anchored_windows
from vat.programs.progress import counter
from vat.theory.base import Theory
from vat.track.dataset_folder import DatasetFolder

KIND, ROLE = "intensity", "judge"


class Anchored(NamedTuple):
    """A value to be scored: what judges are told, its anchors, and their texts by id."""

    target: Target
    anchors: Anchors
    texts: dict[str, str]


class Scored(NamedTuple):
    """What came of a value; None where the judge's rankings say nothing of it, and why."""

    ranked: list[Ranked]
    sharpness: Sharpness | None
    found: Intensities | None
    why: str


def values_of(spec: IntensitySpec, theory: Theory, names: Sequence[str]) -> dict[str, Anchored]:
    """The values to be scored, with their anchors; flagged texts that no person has looked at are none."""
    path = database_folder(spec.tracking.folder, spec.vidb)
    faults: list[str] = []
    found: dict[str, Anchored] = {}
    for value in names:
        try:
            known = read_anchors(path, theory.name, theory.spec(value).name).usable()
            texts = {id_of(text): text for text in known.texts}
            anchors = Anchors(tuple(texts), known.intensity_A, known.error_A)
            anchored_windows(["response"], anchors, size=spec.recipe.size, iterations=1, seed=0, sampling=spec.recipe.sampling)
            found[value] = Anchored(Target(value, theory.spec(value).definition), anchors, texts)
        except VatError as error:
            faults += str(error).splitlines()
    if faults:
        raise DataError("\n".join(faults))
    return found


def identity_of(spec: IntensitySpec, theory: Theory, values: Mapping[str, Anchored], texts: Mapping[str, str]) -> dict[str, object]:
    """What scores follow from."""
    anchors = [(value, one.target, one.anchors.ids, one.anchors.intensity_A.tolist()) for value, one in values.items()]
    digests = {"texts": repr(list(texts.items())), "anchors": repr(anchors)}
    return {
        "wording": words()["version"], "theory": theory.digest, "values": list(values), **asdict(spec.recipe),
        "max_new_tokens": spec.max_new_tokens, "judge": spec.judge.identity(),
    } | {name: hashlib.sha256(text.encode()).hexdigest() for name, text in digests.items()}  # fmt: skip


def try_out(folder: DatasetFolder, desk: Desk, value: Anchored, text: str) -> None:
    """Find out whether the judge can be asked; if not, and nobody was asked before, the name is free again. Raises as the desk."""
    begun = folder.begun
    try:
        desk.try_out(ROLE, ranking_prompt(value.target, [text, next(iter(value.texts.values()))]), max_new_tokens=16)
    except VatError:
        if not begun:
            folder.forget()
        raise


def scored(
    spec: IntensitySpec, folder: DatasetFolder, desk: Desk, values: Mapping[str, Anchored], responses: Mapping[str, str],
    drawn_as: Callable[[str], str] = str,
) -> dict[str, Scored]:  # fmt: skip
    """All responses, id → text, on all values.

    Args:
        drawn_as: Id → what its anchors and orders follow from; responses of the same are set against the same.
    Raises:
        ConfigError, BackendError: As the desk; a judge whose replies cannot be read.
    """
    found: dict[str, Scored] = {}
    size, iterations = spec.recipe.size, spec.recipe.iterations
    with counter(f"{spec.label} · windows", len(values) * len(responses) * iterations, unit="windows", folder=folder.path) as progress:
        for value, one in values.items():
            draws = list(dict.fromkeys(map(drawn_as, responses)))
            drawn: dict[str, list[Window]] = {draw: [] for draw in draws}
            seed, sampling = spec.recipe.seed, spec.recipe.sampling
            for window in anchored_windows(draws, one.anchors, size=size, iterations=iterations, seed=seed, sampling=sampling):
                drawn[window.focal].append(window)
            windows = [_about(window, id_) for id_ in responses for window in drawn[drawn_as(id_)]]
            ranked: list[Ranked] = []
            for result in RankingJudge(desk, ROLE, way="texts", max_new_tokens=spec.max_new_tokens).rank(
                one.target, windows, {**one.texts, **responses}
            ):
                ranked.append(result)
                progress(1, f"{desk.usd():.2f} USD" if desk.usd() else "")
            found[value] = _of_value(spec, one, ranked, len(responses))
    return found


def _about(window: Window, response: str) -> Window:
    """The window with another focal text in its place."""
    return Window(response, window.iteration, tuple(response if one == window.focal else one for one in window.shown))


def _of_value(spec: IntensitySpec, value: Anchored, ranked: list[Ranked], count: int) -> Scored:
    rankings = _as_arrays(value, ranked, count, spec.recipe.iterations, spec.recipe.size - 1)
    sharp: Sharpness | None = None
    try:
        sharp = sharpness(rankings)
        return Scored(ranked, sharp, intensities(rankings, beta=spec.recipe.sharpness or sharp.beta), "")
    except DataError as error:
        return Scored(ranked, sharp, None, str(error))


def _as_arrays(value: Anchored, ranked: Sequence[Ranked], count: int, iterations: int, n_anchors: int) -> Rankings:
    """Windows of the responses, in their order, as numbers."""
    intensity = dict(zip(value.anchors.ids, value.anchors.intensity_A.tolist(), strict=True))
    anchor_RMA, place_RM = np.zeros((count, iterations, n_anchors)), np.full((count, iterations), -1)
    for n, one in enumerate(ranked):
        if one.places:
            row, column = divmod(n, iterations)
            place_RM[row, column] = one.ranking.index(one.window.focal)
            anchor_RMA[row, column] = [intensity[id_] for id_ in one.ranking if id_ != one.window.focal]
    return Rankings(anchor_RMA, place_RM)


def cells(one: Scored, at: int | None) -> dict[str, Any]:
    """The cells of one response and value; missing where there is no score."""
    if at is None or one.found is None:
        return dict.fromkeys(("intensity", "low", "high", "fitted"), math.nan) | {"windows": 0, "below": False, "above": False}
    found = one.found
    columns = {"intensity": found.intensity_R, "low": found.low_R, "high": found.high_R, "fitted": found.fitted_R}
    flags = {"windows": int(found.windows_R[at]), "below": bool(found.below_R[at]), "above": bool(found.above_R[at])}
    return {name: float(column[at]) for name, column in columns.items()} | flags


def mean_interval(x: Any) -> tuple[float, float, float]:
    """Of the responses: their mean, with a Student interval over them."""
    from scipy.special import stdtrit

    if not len(x):
        return math.nan, math.nan, math.nan
    mean = float(np.mean(x))
    reach = float(stdtrit(len(x) - 1, 0.975)) * float(np.std(x, ddof=1)) / math.sqrt(len(x)) if len(x) > 1 else math.nan
    return mean, mean - reach, mean + reach
