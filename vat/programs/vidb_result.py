"""What comes of a database of value intensities: its table and card, its run in MLflow, its result, and what is printed of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vat.config_texts import VidbSpec
from vat.elicit.desk import Desk
from vat.files import whole_file
from vat.intensity.adjudication import Doubted, write_sheet
from vat.intensity.anchors import ANCHORS
from vat.intensity.bias import recorded, shown_in_runs
from vat.intensity.database import COLUMNS, Estimated, quality, rows_of, sharpness_of
from vat.intensity.judging import Ranked
from vat.intensity.pool import Pool
from vat.intensity.ranking import question_of
from vat.intensity.response import Sharpness
from vat.intensity.wording import words
from vat.models.base import Model
from vat.theory.base import Theory, theory_tree
from vat.track.dataset_folder import DatasetFolder
from vat.track.dataset_run import DatasetRun

KIND = "vidb"
SETTINGS = ("size", "iterations", "calibration", "ridge", "seed")
"""Of the recipe, that databases of the same texts may differ in."""
SHEET = "human/flagged.csv"


class Setup(NamedTuple):
    """What the settings come to. models: by role. pools: value → its texts. identity: what the database follows from."""

    theory: Theory
    models: dict[str, Model]
    judges: list[str]
    panel: list[str]
    pools: dict[str, Pool]
    identity: dict[str, object]


class OfJudge(NamedTuple):
    """What is kept in memory of a judge's rankings on a value. place_WK: of the windows that it ranked. dropped: by reason. asked: with what was
    asked again.
    """

    place_WK: npt.NDArray[np.int16]
    dropped: Counter[str]
    asked: int
    sharpness: Sharpness | None


class OfValue(NamedTuple):
    """What was made of a value. judges: by role. doubts: id → how many of the panel doubt its intensity."""

    found: Estimated
    judges: dict[str, OfJudge]
    doubts: dict[str, int]


def finish(spec: VidbSpec, setup: Setup, folder: DatasetFolder, run: DatasetRun, desk: Desk, made: Mapping[str, OfValue]) -> dict[str, Any]:
    """Write the database and its card, and bring MLflow up to date; returns the result, to be kept when the run has ended."""
    rows = [
        row for value, of_value in made.items()
        for row in rows_of(setup.theory.name, value, setup.pools[value], of_value.found, of_value.doubts, flag_at=spec.recipe.flag_at)
    ]  # fmt: skip
    write_anchors(folder, rows)
    flagged = [row for row in rows if row["flagged"]]
    if flagged:
        write_sheet(folder.path / SHEET, [doubted_of(setup.theory, row) for row in flagged])
    result = _result(spec, setup, desk, made, flagged=len(flagged))
    with whole_file(folder.path / "README.md") as draft:
        draft.write_text(_card(spec, setup, result), encoding="utf-8")
    files: list[tuple[Path, str | None]] = [(folder.path / name, None) for name in ("README.md", "identity.json")]
    params = {"database": spec.name, "theory": setup.theory.name} | {role.replace(" ", "_"): model.label for role, model in setup.models.items()}
    steps = {0: {f"{value}/{name}": number for value, numbers in result["values"].items() for name, number in numbers.items()}}
    for name, judge in result["judges"].items():
        steps[0] |= {f"{name}/{metric}": share for metric, share in shown_in_runs(judge["bias"]).items()}
    run.show(params, steps, [*files, (folder.path / ANCHORS, "data")])
    return result


def _result(spec: VidbSpec, setup: Setup, desk: Desk, made: Mapping[str, OfValue], *, flagged: int) -> dict[str, Any]:
    """The numbers of a database; None for what is not known."""
    values = {value: {name: _or_none(x) for name, x in quality(setup.pools[value], one.found)._asdict().items()} for value, one in made.items()}
    judges: dict[str, Any] = {}
    for role in setup.judges:
        of_values = {value: one.judges[role] for value, one in made.items()}
        dropped = sum((one.dropped for one in of_values.values()), Counter[str]())
        judges[role.removeprefix("judge ")] = {
            "label": setup.models[role].label, "windows": sum(len(one.place_WK) for one in of_values.values()) + dropped.total(),
            "dropped": dict(dropped), "asked": sum(one.asked for one in of_values.values()),
            "bias": recorded((places for one in of_values.values() for places in one.place_WK.tolist()), role),
            "sharpness": {value: _sharp(one.sharpness) for value, one in of_values.items()},
        }  # fmt: skip
    account = desk.account()
    usd = sum(spent.usd for spent in account.values())
    notes = [caveat for caveat in dict.fromkeys(model.capabilities().caveat for model in setup.models.values()) if caveat]
    return {
        "theory": theory_tree(setup.theory), **{name: getattr(spec.recipe, name) for name in SETTINGS},
        "values": values, "judges": judges, "flagged": flagged, "texts": sum(one["texts"] for one in values.values()),
        "requests": sum(spent.requests for spent in account.values()), "usd": _or_none(usd), "notes": notes,
    }  # fmt: skip


def of_judge(ranked: Sequence[Ranked], pool: Pool, found: Estimated) -> OfJudge:
    """What is kept of a judge's rankings."""
    read = [one for one in ranked if one.places]
    place_WK = np.array([one.places for one in read], dtype=np.int16)
    dropped = Counter(str(one.why) for one in ranked if one.why)
    return OfJudge(place_WK, dropped, sum(one.tries for one in ranked), sharpness_of(pool, found, [one.ranking for one in read]))


def _sharp(one: Sharpness | None) -> list[float] | None:
    return None if one is None else [round(x, 3) for x in (one.beta, one.low, one.high)]


def told_of(folder: DatasetFolder, result: Mapping[str, Any]) -> list[str]:
    """A finished database in a few lines."""
    lines = [f"{result['texts']:,} intensities of {len(result['values'])} values; {result['requests']:,} requests"]
    lines += [line for judge in result["judges"].values() for bias in judge["bias"] for line in bias["told"]]
    for name, judge in result["judges"].items():
        if judge["dropped"]:
            reasons = ", ".join(f"{count} {why}" for why, count in judge["dropped"].items())
            lines.append(f"judge {name}: {sum(judge['dropped'].values()):,} of {judge['windows']:,} windows were lost: {reasons}")
    if result["flagged"]:
        lines.append(f"{result['flagged']:,} flagged by the panel: {folder.path / SHEET}, to be filled in and given back as ratings=[…]")
    return [*lines, f"Card: {folder.path / 'README.md'}", *result["notes"]]


def _card(spec: VidbSpec, setup: Setup, result: Mapping[str, Any]) -> str:
    """The data card, in Markdown."""
    columns = (
        "value",
        "texts",
        "lost",
        "labelled for",
        "labelled against",
        "sign as labelled [95%]",
        "error",
        "never beaten",
        "always beaten",
        "pools",
    )
    table = [f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 1)}"]
    for value, one in result["values"].items():
        sign = f"{_shown(one['sign_right'], '.0%')} [{_shown(one['sign_low'], '.0%')}, {_shown(one['sign_high'], '.0%')}]"
        cells = (one["texts"], one["lost"], _shown(one["for_"]), _shown(one["against"]), sign, _shown(one["error"]))
        table.append(f"| {' | '.join(map(str, (value, *cells, one['unbeaten'], one['beaten'], one['pools'])))} |")
    judges = []
    for name, judge in result["judges"].items():
        judges += [f"- {name}: {setup.models[f'judge {name}'].label}", *(f"  - {line}" for bias in judge["bias"] for line in bias["told"])]
    panel = ", ".join(setup.models[role].label for role in setup.panel) or "none; nothing was checked for plausibility"
    recipe = spec.recipe
    question = words()[question_of(recipe.size, labelled=spec.way == "probabilities")][0].strip()
    return "\n".join([
        *(["---", f"license: {recipe.license}", "---", ""] if recipe.license else []),
        f"# {spec.name}", "",
        f"How strongly texts hold the values of theory {setup.theory.name}, from −10 (oppose) to 10 (support), by rankings of language models.", "",
        f"Windows of {recipe.size}, {recipe.iterations} of each text; Plackett–Luce utilities (ridge {recipe.ridge:g}); calibration",
        f"{recipe.calibration}. The middle of the scale is the middle of a value's texts, not neutrality itself. Errors are those of the fit:",
        "of these texts, by these judges. Columns: means of the intensities of texts that came labelled for and against the value; share of them",
        "whose sign is that of the label; mean standard error; texts that won, lost all their windows, whose intensities are held by the ridge",
        "alone; groups that no window connects.", "",
        *table, "", "## Judges", "", *judges, "", f"Panel: {panel}. Flagged: {result['flagged']}.", "", "## What judges were asked", "",
        "```text", question, "```", "", *[f"{note}\n" for note in result["notes"]],
    ]) + "\n"  # fmt: skip


def write_anchors(folder: DatasetFolder, rows: Sequence[Mapping[Any, Any]]) -> None:
    """The rows as anchors.parquet, whole or not at all."""
    import pandas as pd

    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"human": "float64"})
    with whole_file(folder.path / ANCHORS) as draft:
        table.to_parquet(draft, index=False)


def doubted_of(theory: Theory, row: Mapping[Any, Any]) -> Doubted:
    """A row of it as people are shown it."""
    value = str(row["value"])
    return Doubted(str(row["id"]), str(row["theory"]), value, theory.spec(value).definition, str(row["text"]), float(row["intensity"]))


def _or_none(x: float) -> float | None:
    return None if math.isnan(x) else x


def _shown(x: float | None, form: str = ".1f") -> str:
    return "–" if x is None else format(x, form)
