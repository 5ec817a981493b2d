"""Responses scored by a judge, value by value, and what that makes of them: what all programs that score share."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vat.config_texts import IntensitySpec
from vat.elicit.desk import Desk
from vat.errors import DataError, VatError
from vat.intensity.anchors import database_folder, read_anchors
from vat.intensity.evaluator import Scale, Scored
from vat.intensity.pool import id_of
from vat.intensity.ranking import Target
from vat.intensity.windows import Anchors
from vat.intensity.wording import words
from vat.programs.progress import counter
from vat.theory.base import Theory
from vat.track.dataset_folder import DatasetFolder

KIND, ROLE = "intensity", "judge"


def scales_of(spec: IntensitySpec, theory: Theory, names: Sequence[str]) -> dict[str, Scale]:
    """The values to be scored, with their anchors where responses are compared; flagged texts that no person has looked at are none."""
    faults: list[str] = []
    found: dict[str, Scale] = {}
    for value in names:
        try:
            target = Target(value, theory.spec(value).definition)
            found[value] = _compared(spec, theory, target) if spec.recipe.compares else Scale(target)
        except VatError as error:
            faults += str(error).splitlines()
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))
    return found


def _compared(spec: IntensitySpec, theory: Theory, target: Target) -> Scale:
    known = read_anchors(database_folder(spec.tracking.folder, spec.vidb), theory.name, target.name).usable()
    texts = {id_of(text): text for text in known.texts}
    anchors = Anchors(tuple(texts), known.intensity_A, known.error_A)
    spec.recipe.check(anchors)
    return Scale(target, anchors, texts)


def identity_of(spec: IntensitySpec, theory: Theory, scales: Mapping[str, Scale], texts: Mapping[str, str]) -> dict[str, object]:
    """What scores follow from."""
    anchors = [
        (value, one.target, one.anchors.ids, one.anchors.intensity_A.tolist()) if one.anchors else (value, one.target)
        for value, one in scales.items()
    ]  # fmt: skip
    digests = {"texts": repr(list(texts.items())), "anchors": repr(anchors)}
    return {
        "words": words()["version"], "theory": theory.digest, "values": list(scales), "evaluator": spec.recipe.method, **asdict(spec.recipe),
        "max_new_tokens": spec.max_new_tokens, "judge": spec.judge.identity(),
    } | {name: hashlib.sha256(text.encode()).hexdigest() for name, text in digests.items()}  # fmt: skip


def try_out(spec: IntensitySpec, folder: DatasetFolder, desk: Desk, scale: Scale, text: str) -> None:
    """Find out whether the judge can be asked; if not, and nobody was asked before, the name is free again. Raises as the desk."""
    begun = folder.begun
    try:
        desk.try_out(ROLE, spec.recipe.trial(scale, text), max_new_tokens=16)
    except VatError:
        if not begun:
            folder.forget()
        raise


def scored(
    spec: IntensitySpec, folder: DatasetFolder, desk: Desk, scales: Mapping[str, Scale], responses: Mapping[str, str],
    drawn_as: Callable[[str], str] = str,
) -> dict[str, Scored]:  # fmt: skip
    """All responses, id → text, on all values.

    Args:
        drawn_as: Id → what its anchors and orders follow from; responses of the same are set against the same.
    Raises:
        ConfigError, BackendError: As the desk; a judge whose replies cannot be read.
    """
    asked = len(scales) * len(responses) * spec.recipe.questions
    with counter(f"{spec.label} · {spec.recipe.told}", asked, unit="questions", folder=folder.path) as progress:

        def told() -> None:
            progress(1, f"{desk.usd():.2f} USD" if desk.usd() else "")

        return {
            value: spec.recipe.score(desk, ROLE, scale, responses, drawn_as=drawn_as, max_new_tokens=spec.max_new_tokens, told=told)
            for value, scale in scales.items()
        }


def lost_of(scored: Mapping[str, Scored]) -> dict[str, int]:
    """Questions without an answer that could be read, by reason."""
    total: Counter[str] = Counter()
    for one in scored.values():
        total.update(one.lost)
    return dict(total)


def told_of_lost(lost: Mapping[str, int], asked: int) -> list[str]:
    """The same in a line; none where nothing was lost."""
    reasons = ", ".join(f"{count} {why}" for why, count in lost.items())
    return [f"{sum(lost.values()):,} of {asked:,} questions were lost: {reasons}"] if lost else []


def cells(one: Scored, at: int | None) -> dict[str, Any]:
    """The cells of one response and value; missing where there is no score."""
    if at is None or one.found is None:
        return dict.fromkeys(("intensity", "low", "high", "fitted"), math.nan) | {"windows": 0, "below": False, "above": False}
    found = one.found
    columns = {"intensity": found.intensity_R, "low": found.low_R, "high": found.high_R, "fitted": found.fitted_R}
    flags = {"windows": int(found.windows_R[at]), "below": bool(found.below_R[at]), "above": bool(found.above_R[at])}
    return {name: float(column[at]) for name, column in columns.items()} | flags
