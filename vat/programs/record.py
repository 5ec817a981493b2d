"""One judged state: written to its folder with all that is needed to measure it, and measured from there, now or in another year.

judgements.parquet  answers after, and before beside them; one row a probe
state.json          which value was pushed which way, and the theory
states.csv          value states by scene
measures.csv        the tidy table: every estimate with its uncertainty
coupling.csv        the coupling matrix
cases.csv           where values moved most, per unit of gain
cases.json          what the model says it does there, if it was asked (`-cn cases`)

Shapes: S scenes, V values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vat.analyse.cases import CASES, stored_cases
from vat.elicit.states import paired_items, paired_states, rating_array, value_states
from vat.errors import DataError
from vat.files import whole_file
from vat.measure.base import Columns, Items, Measure, Shifted
from vat.measure.coupling import coupling_matrix
from vat.measure.gain import column_means
from vat.measure.tidy import Row, metrics
from vat.theory.base import Theory, theory_of, theory_tree
from vat.track.job import PAGE, Job
from vat.types import Floats, Judgements, Probe

if TYPE_CHECKING:
    import pandas as pd

Which = Literal["mode", "expected"]
_STATE = ("state.json", "judgements.parquet")
_COLUMNS = {"scene_id", "country", "topic", "item", "polarity", "rating", "expected"}
SINCE = "0.1.0"
"""First version whose folders can be measured again."""


@dataclass(frozen=True)
class About:
    """What a state is of. value, direction: what was pushed which way, "" and 0 for a state before. caveat: for the reader of a figure."""

    name: str
    value: str
    direction: int
    caveat: str
    theory: Theory


def record(folder: Path, about: About, pre: Judgements | None, post: Judgements, measures: Mapping[str, Measure]) -> dict[str, float]:
    """Write a state to its folder, measure it, and return its metrics by their names in MLflow.

    Args:
        pre: The state before, on the same probes; None for the state before itself, which has value states only.
    """
    import pandas as pd

    table = pd.DataFrame([probe._asdict() for probe in post.probes]).drop(columns=["scene", "action"])
    table["rating"], table["expected"], table["mass"] = post.rating_N, post.expected_N, post.mass_N
    for n, column in enumerate(post.probability_N5.T):
        table[f"p{n + 1}"] = column
    if pre is not None:
        assert pre.probes == post.probes
        table["rating_before"], table["expected_before"] = pre.rating_N, pre.expected_N
    with whole_file(folder / "judgements.parquet") as draft:
        table.to_parquet(draft, index=False)
    state = {key: getattr(about, key) for key in ("name", "value", "direction", "caveat")} | {"theory": theory_tree(about.theory)}
    with whole_file(folder / "state.json") as draft:
        draft.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
    return measured(folder, measures)


def measured(folder: Path, measures: Mapping[str, Measure]) -> dict[str, float]:
    """Measure a state from its folder, and bring the tables and the figure there up to date. Neither a model nor the data are needed.

    Raises:
        DataError: The folder does not hold a state, or a damaged one; it is left as it was.
    """
    numbers, write = _measured(folder, measures)
    write()
    return numbers


def measured_again(job: Job, result: Mapping[str, Any], measures: Mapping[str, Measure]) -> dict[str, Any]:
    """Measure every state of a finished job, whole or not at all; returns its new result. The caller holds the job. Raises as `measured`."""
    found = {step: _measured(job.step_folder(int(step)), measures) for step in result["steps"]}
    job.finish({**result, "measures": None})  # cut short from here on, the tables belong to no settings
    (job.folder / PAGE).unlink(missing_ok=True)
    for _, write in found.values():
        write()
    return job.finish({**result, "steps": {step: numbers for step, (numbers, _) in found.items()}, "measures": settings_of(measures)})


def is_recorded(job: Job, result: Mapping[str, Any]) -> bool:
    """Whether the states of a finished job are there to be measured."""
    folders = [job.step_folder(int(step)) for step in result["steps"]]
    return all((folder / name).is_file() for folder in folders for name in _STATE)


def _measured(folder: Path, measures: Mapping[str, Measure]) -> tuple[dict[str, float], Callable[[], None]]:
    """The metrics of a state, and what writes its tables and figure."""
    about, table = _read(folder)
    numbers = {"missing_rate": float(table["rating"].isna().mean()), "ceiling_rate": _share_at_the_ends(table["rating"].to_numpy())}
    if not about.value:
        state_SV = value_states(rating_array(_judgements(table), about.theory), about.theory)
        numbers |= {f"state/{value}": float(mean) for value, mean in zip(about.theory.values, column_means(state_SV), strict=True)}
        return numbers, lambda: _write(folder / "states.csv", _states(table, about.theory, {"state": state_SV}))
    rows: list[tuple[Which, Row]] = []
    tables: dict[str, Columns] = {}
    shifted, expected = _shifted(table, about, "mode"), _shifted(table, about, "expected")
    for measure in measures.values():
        rows += [("mode", row) for row in measure.rows(shifted)]
        rows += [("expected", row) for row in measure.rows(expected)] if measure.headline else []
        tables |= {f"{name}.csv": columns for name, columns in measure.tables(shifted).items()}
    numbers |= metrics(row for which, row in rows if which == "mode")
    headline = {name for measure in measures.values() for name in measure.headline}
    numbers |= {f"{name}_expected": x for name, x in metrics(row for which, row in rows if which == "expected" and row.statistic in headline).items()}
    tables["measures.csv"] = {name: [getattr(row, name) for _, row in rows] for name in Row._fields} | {"ratings": [which for which, _ in rows]}
    tables["coupling.csv"] = _coupling(shifted)
    tables["states.csv"] = _states(table, about.theory, {"pre": shifted.pre_SV, "post": shifted.post_SV})

    def write() -> None:
        for stale in set(folder.glob("*.csv")) - {folder / name for name in tables}:
            stale.unlink()
        for name, columns in tables.items():
            _write(folder / name, columns)
        if stored_cases(folder) is None:
            (folder / CASES).unlink(missing_ok=True)  # it would be about others than the tables name

    return numbers, write


def shifted_of(folder: Path) -> Shifted:
    """What the measures see of a state, from the modes of its ratings. Raises as `measured`."""
    about, table = _read(folder)
    return _shifted(table, about, "mode")


def settings_of(measures: Mapping[str, Measure]) -> dict[str, Any]:
    """Of all measures with their versions: what a result was measured with, as JSON has it."""
    settings: dict[str, Any] = json.loads(json.dumps({name: {"version": measure.version, **asdict(measure)} for name, measure in measures.items()}))
    return settings


def _read(folder: Path) -> tuple[About, pd.DataFrame]:
    import pandas as pd

    for name in _STATE:
        if not (folder / name).is_file():
            rule = f"{folder}: must hold {' and '.join(_STATE)}, as written since vat {SINCE}; got no {name}"
            raise DataError(f"{rule}. Launch the job again: its answers are kept.")
    path = folder / "state.json"
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        about = About(state["name"], state["value"], state["direction"], state["caveat"], theory_of(state["theory"], path))
        table = pd.read_parquet(folder / "judgements.parquet")
        if _COLUMNS - set(table) or (about.value and ("rating_before" not in table or about.value not in about.theory.values)):
            raise ValueError("columns or the value are missing")
        return about, table
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f"{folder}: must be a state as vat wrote it; got damaged files. Launch the job again: its answers are kept.") from error


def _share_at_the_ends(rating_N: Floats) -> float:
    """Share of the answers that there are, which are 1 or 5."""
    answered_N = rating_N[~np.isnan(rating_N)]
    return float(np.isin(answered_N, (1, 5)).mean()) if len(answered_N) else float("nan")


def _judgements(table: pd.DataFrame, suffix: str = "") -> Judgements:
    """The answers of a table; what the measures do not ask for is left empty."""
    probes = zip(*(table[column] for column in ("scene_id", "country", "topic", "item", "polarity")), strict=True)
    rating_N, expected_N = (table[f"{name}{suffix}"].to_numpy(dtype=float) for name in ("rating", "expected"))
    rows = tuple(Probe(scene, country, topic, "", item, polarity, "") for scene, country, topic, item, polarity in probes)
    return Judgements(rows, rating_N, expected_N, np.full((len(rows), 5), np.nan), np.full(len(rows), np.nan))


def _shifted(table: pd.DataFrame, about: About, which: Which) -> Shifted:
    theory = about.theory
    pre, post = (rating_array(_judgements(table, suffix), theory, which=which) for suffix in ("_before", ""))
    scenes = table.drop_duplicates("scene_id")
    return Shifted(
        *paired_states(pre, post, theory), values=theory.values, target=theory.values.index(about.value), direction=about.direction,
        scenes=tuple(scenes["scene_id"]), factors={name: tuple(scenes[name]) for name in ("country", "topic")},
        items=Items(*paired_items(pre, post, theory), theory.item_value_U),
        angle_OV=None if theory.angle_orders is None else np.array(theory.angle_orders),
    )  # fmt: skip


def _states(table: pd.DataFrame, theory: Theory, states: Mapping[str, Floats]) -> Columns:
    scenes = table.drop_duplicates("scene_id")
    columns: dict[str, Sequence[object]] = {name: tuple(scenes[name]) for name in ("scene_id", "country", "topic")}
    return columns | {f"{name}/{value}": tuple(state_SV[:, v]) for name, state_SV in states.items() for v, value in enumerate(theory.values)}


def _write(path: Path, columns: Columns) -> None:
    import pandas as pd

    with whole_file(path) as draft:
        pd.DataFrame(columns).to_csv(draft, index=False, float_format="%.6g")


def _coupling(shifted: Shifted) -> Columns:
    """The matrix, a row and a column a value."""
    coupling_VV = coupling_matrix(shifted.post_SV - shifted.pre_SV)
    return {"": shifted.values} | {value: tuple(coupling_VV[:, v]) for v, value in enumerate(shifted.values)}
