"""Finished jobs as tidy tables, from which every table and figure is drawn.

A state is a model as it was judged: a prompt strategy has one, a training one for each checkpoint. Jobs that differ in nothing but the dose and
the replicate are one cell; its dose is the number of examples shown, or the step of training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vat.analyse.differences import differences, flat_settings
from vat.errors import DataError
from vat.files import whole_file
from vat.measure.base import Items, Shifted
from vat.theory.base import Theory, theory_of
from vat.track.job import INTENSITY, Job

if TYPE_CHECKING:
    from pandas import DataFrame

ALIKE = {"theory_digest": "theory", "data": "data", "test_scenes": "number of test scenes", "data_digest": "content of the data"}
"""Columns of jobs in which those that are compared must agree, in words; so must all that begin with `elicit.`."""
CELL = ("model", "value", "direction", "strategy", "settings")
STATE = ("job", "step")
_OWN_COLUMN = {"strategy", "shots"}
"""What of a strategy's settings jobs have as parameters."""
INTENSITIES = ("of", "target", *(f"{name}{end}" for name in ("before", "after", "delta") for end in ("", "_low", "_high")), "scenes")
OF_STATE = ("steered", "refused", "refused_low", "refused_high", "refused_before", "refused_before_low", "refused_before_high", "answers")
SCORED_BY = ("judge", "vidb", "evaluator", "size", "iterations", "sampling", "way", "wording", "sharpness")
"""In which states must agree whose intensities are compared."""
BIAS = ("source", "judge", "size", "windows", "place", "first")
FILES = ("jobs.parquet", "numbers.parquet", "states.parquet", "intensities.parquet", "bias.parquet", "theory.json")


@dataclass(frozen=True)
class Study:
    """What jobs have found.

    jobs: one row a job, by its key: name and kind of its run, its parameters, theory_digest, data_digest, note, seconds, usage and versions; what
        it was made with, as `strategy.<setting>` and `measure.<measure>.<setting>`, texts; and `settings`, what else of its strategy or model
        differs between jobs that share their names.
    numbers: one row a number: job, step (0 is a prompt strategy's only state), statistic, value, other, estimate, low, high, null, p, q, ratings.
    theory: of all of them.
    read_states: reads value states by scene, as `states` shows them; they are large, and few ask.
    intensities: one row a value of a state whose open answers were ranked, in the columns INTENSITIES, and OF_STATE of the state, the same in all of
        its rows; target is what was asked of the value, from −2 to 2, NaN where nothing was; steered, of how many values something was.
    bias: one row a shown place of a judge's windows of one size, in the columns BIAS: in how many of them the text there came first.
    """

    jobs: DataFrame
    numbers: DataFrame
    theory: Theory
    read_states: Callable[[], DataFrame]
    intensities: DataFrame = field(default_factory=lambda: table_of((*STATE, *INTENSITIES, *OF_STATE)))
    bias: DataFrame = field(default_factory=lambda: table_of(BIAS))

    @cached_property
    def states(self) -> DataFrame:
        """One row a scene of a state: job, step, scene_id, country, topic, pre/<value> and post/<value>, in [-1, 1], NaN where missing."""
        return self.read_states()

    @cached_property
    def points(self) -> DataFrame:
        """One row a state of a job that pushed a value: job, step, the columns of a cell, replicate, shots, dose, and `strongest`: it has its
        cell's largest dose. In order of model, value, strategy, dose and replicate.
        """
        import pandas as pd

        there = self.numbers[[*STATE]].drop_duplicates()
        pushed = self.jobs[self.jobs["kind"] == "job"][[*CELL, "shots", "replicate"]]
        table = there.join(pushed, on="job", how="inner")
        table["shots"] = pd.to_numeric(table["shots"], errors="coerce")
        table[["direction", "replicate"]] = table[["direction", "replicate"]].astype(int)
        table["dose"] = table["shots"].fillna(table["step"]).astype(int)
        table["strongest"] = table["dose"] == table.groupby([*CELL])["dose"].transform("max")
        place = pd.Categorical(table["value"], categories=list(self.theory.values), ordered=True)
        table = table.assign(_place=place).sort_values(["model", "_place", "direction", "strategy", "settings", "dose", "replicate", "step"])
        return table.drop(columns="_place").reset_index(drop=True)

    def of(self, statistic: str, ratings: str = "mode") -> DataFrame:
        """A number of the whole system in each state, beside the columns of `points`: estimate, low, high, null, p, q; NaN where not defined."""
        return self.points.merge(self._rows(statistic, ratings, depth=0).drop(columns=["value", "other"]), on=[*STATE], how="left")

    def by_value(self, statistic: str, ratings: str = "mode") -> DataFrame:
        """The same for a number of each value, in the column `of`; states that do not have it are left out."""
        return self.points.merge(self._rows(statistic, ratings, depth=1).rename(columns={"value": "of"}).drop(columns="other"), on=[*STATE])

    def by_pair(self, statistic: str, ratings: str = "mode") -> DataFrame:
        """The same for a number of each pair of values, in the columns `of` and `other`."""
        return self.points.merge(self._rows(statistic, ratings, depth=2).rename(columns={"value": "of"}), on=[*STATE])

    def of_the_last_state(self, statistic: str, ratings: str = "mode") -> DataFrame:
        """A number of the whole system in each job's last state: job × estimate, low, high, null, p. NaN where it is not defined."""
        last = self.numbers.groupby("job")["step"].transform("max")
        there = self.numbers[(self.numbers["step"] == last) & (self.numbers["ratings"] == ratings) & (self.numbers["statistic"] == statistic)]
        return there[there["value"].isna()].set_index("job")[["estimate", "low", "high", "null", "p"]].reindex(self.jobs.index)

    def shifted(self, job: str, step: int) -> Shifted:
        """What the measures see of a state, but for its items."""
        rows = self._rows_of_state[job, step]
        about: Any = self.jobs.loc[job]
        pre_SV, post_SV = (rows[[f"{which}/{value}" for value in self.theory.values]].to_numpy(dtype=float) for which in ("pre", "post"))
        none = np.empty((len(rows), 0))
        return Shifted(
            pre_SV, post_SV, values=self.theory.values, target=self.theory.values.index(about["value"]), direction=int(about["direction"]),
            scenes=tuple(rows["scene_id"]), factors={name: tuple(rows[name]) for name in ("country", "topic")},
            items=Items(none, none, np.empty(0, dtype=int)),
            angle_OV=None if self.theory.angle_orders is None else np.array(self.theory.angle_orders),
        )  # fmt: skip

    def save(self, folder: Path) -> None:
        """Write it to a folder, for `saved_study`."""
        from vat.theory.base import theory_tree

        for name, table in zip(FILES, (self.jobs.reset_index(), self.numbers, self.states, self.intensities, self.bias), strict=False):
            with whole_file(folder / name) as draft:
                table.to_parquet(draft, index=False)
        with whole_file(folder / FILES[-1]) as draft:
            draft.write_text(json.dumps(theory_tree(self.theory)), encoding="utf-8")

    @cached_property
    def _rows_of_state(self) -> Mapping[tuple[str, int], DataFrame]:
        groups: Any = self.states.groupby([*STATE], sort=False)
        return {(str(job), int(step)): rows for (job, step), rows in groups}

    def _rows(self, statistic: str, ratings: str, *, depth: int) -> DataFrame:
        """Rows of a statistic of the whole system, of values or of pairs: depth 0, 1 or 2."""
        rows = self.numbers[(self.numbers["statistic"] == statistic) & (self.numbers["ratings"] == ratings)]
        rows = rows[rows["value"].notna().astype(int) + rows["other"].notna() == depth]
        return rows.drop(columns=["statistic", "ratings"])


def each(table: DataFrame) -> Iterator[Any]:
    """The rows of a table, their cells as attributes."""
    yield from table.itertuples()


def study_of(jobs: Sequence[Job]) -> Study:
    """Read jobs from their folders.

    Raises:
        DataError: There are none; one is not finished; or they cannot be compared.
    """
    import pandas as pd

    if not jobs:
        raise DataError("report: must be about at least one finished job; got none. Launch a sweep, or name another.")
    results = {job.key: job.result() for job in jobs}
    if unfinished := [key for key, result in results.items() if result is None]:
        raise DataError(f"report: must be about finished jobs; got {len(unfinished)} that are not, as {unfinished[0]}. Launch their sweep again.")
    identities = {job.key: job.identity for job in jobs}
    rows = {key: _described(result, identities[key]) for key, result in results.items() if result is not None}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("job")
    for column in {"value", "direction", "shots", "replicate"} - set(table):
        table[column] = None
    table["settings"] = _settings(table, identities)
    _require_alike(table)
    files = [(job.key, int(file.parent.name), file.parent) for job in jobs for file in sorted((job.folder / "steps").glob("*/state.json"))]
    if not files:
        raise DataError(f"{jobs[0].folder}: must hold the states of its job; got none. Launch the job again: its answers are kept.")
    state = json.loads((files[0][2] / "state.json").read_text(encoding="utf-8"))
    measured = [(key, step, folder / "measures.csv") for key, step, folder in files if (folder / "measures.csv").is_file()]
    by_scene = [(key, step, folder / "states.csv") for key, step, folder in files if (folder / "measures.csv").is_file()]
    theory = theory_of(state["theory"], files[0][2] / "state.json")
    return Study(table, _numbers(measured), theory, lambda: _stacked(by_scene), *_intensities(files))


def saved_study(folder: Path) -> Study:
    """What `Study.save` has written."""
    import pandas as pd

    jobs, numbers, states, intensities, bias, theory = (folder / name for name in FILES)
    table = theory_of(json.loads(theory.read_text(encoding="utf-8")), theory)
    read: Any = pd.read_parquet
    return Study(read(jobs).set_index("job"), read(numbers), table, lambda: read(states), read(intensities), read(bias))


def _described(result: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    description = result["description"]
    told = {"name": description["name"], "kind": description["kind"], "note": description["note"], "seconds": result["seconds"]}
    told |= {f"usage.{name}": number for name, number in result.get("usage", {}).items()}
    told |= {f"version.{name}": version for name, version in result.get("versions", {}).items()}
    told |= {f"measure.{name}": text for name, text in flat_settings(result.get("measures", {})).items() if not name.endswith(".version")}
    told |= {f"strategy.{name}": text for name, text in flat_settings(identity["strategy"]).items() if name not in _OWN_COLUMN}
    params = {name: None if value == "" else value for name, value in description["params"].items()}
    return told | params | {"theory_digest": identity["theory"], "data_digest": description["data"][1]}


def _settings(jobs: DataFrame, identities: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What of a job's strategy and model differs from other jobs whose strategy, or model, has the same name."""
    told: dict[str, list[str]] = {key: [] for key in jobs.index}
    for part, hidden in (("model", ()), ("strategy", _OWN_COLUMN)):
        for _, alike in jobs.groupby(part, sort=False):
            for key, differing in differences({key: identities[key][part] for key in alike.index}, hidden=hidden).items():
                told[key] += [f"{part}.{name}={setting}" for name, setting in differing.items()]
    return [" ".join(told[key]) for key in jobs.index]


def _require_alike(jobs: DataFrame) -> None:
    """Raises a DataError if the jobs differ in what would make a comparison one of apples and pears."""
    for column in (name for name in jobs if name in ALIKE or str(name).startswith("elicit.")):
        found = jobs[column].astype(str)
        if found.nunique() > 1:
            first, other = found.iloc[0], found[found != found.iloc[0]]
            rule = f"report: jobs that are compared must agree in the {ALIKE.get(str(column), str(column))}"
            raise DataError(f"{rule}; got {first} in {found.index[0]} and {other.iloc[0]} in {other.index[0]}. Make one report for each.")


def _intensities(files: Sequence[tuple[str, int, Path]]) -> tuple[DataFrame, DataFrame]:
    """What rankings of open answers say of the states that have some, and of their judges.

    Raises:
        DataError: They were not scored alike.
    """
    rows: list[dict[str, Any]] = []
    bias: list[dict[str, Any]] = []
    scored_by: dict[str, str] = {}
    for key, step, folder in files:
        if not (path := folder / INTENSITY).is_file():
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        scored_by.setdefault(", ".join(f"{name} {found[name]}" for name in SCORED_BY if found.get(name) is not None), key)
        told = [len(found["targets"]), *found["refusals"]["after"], *found["refusals"]["before"], found["answers"]]
        of_state = {"job": key, "step": step, **dict(zip(OF_STATE, told, strict=True))}
        rows += [{**of_state, **{name: {"of": value, **numbers}.get(name) for name in INTENSITIES}} for value, numbers in found["values"].items()]
        bias += bias_rows(f"{key} {step}", found["judge"], found["bias"])
    if len(scored_by) > 1:
        (one, first), (another, other) = list(scored_by.items())[:2]
        rule = "report: intensities that are compared must be scored alike"
        raise DataError(f"{rule}; got {one} in {first} and {another} in {other}. Score one of them again: -cn intensity run=…")
    table = table_of((*STATE, *INTENSITIES, *OF_STATE), rows)
    return table.astype(dict.fromkeys((*INTENSITIES[1:], *OF_STATE), float)), table_of(BIAS, bias)


def table_of(columns: Sequence[str], rows: Sequence[Mapping[str, Any]] = ()) -> DataFrame:
    """Rows as a table of these columns, of no rows too."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns))


def bias_rows(source: str, judge: str, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What is kept of a judge's bias, as rows of `Study.bias`."""
    return [
        {"source": source, "judge": judge, "size": one["size"], "windows": one["windows"], "place": place, "first": first}
        for one in found for place, first in enumerate(one["first"], start=1)
    ]  # fmt: skip


def _numbers(files: Sequence[tuple[str, int, Path]]) -> DataFrame:
    """All measures.csv as one."""
    numbers = ("estimate", "low", "high", "null", "p", "q")
    texts = ("statistic", "value", "other", "ratings")
    return _stacked(files, numbers, texts, of=["statistic", "value", "other", *numbers, "ratings"])


def _stacked(files: Sequence[tuple[str, int, Path]], numbers: Sequence[str] = (), texts: Sequence[str] = (), *, of: Sequence[str] = ()) -> DataFrame:
    """Files of one form as one table, below the job and the step of each: read as bytes, since a thousand readers of a table take seconds.

    Args:
        numbers, texts: Columns that are read so even where they are empty.
        of: Columns of a table of no files.
    """
    import pandas as pd
    import pyarrow
    from pyarrow import csv

    header: bytes = b""
    bodies: list[bytes] = []
    counts: list[int] = []
    for key, _, file in files:
        first, _, body = file.read_bytes().partition(b"\n")
        if header and first != header:
            raise DataError(f"{file}: must have the columns of the other jobs; got {first.decode()[:200]}. Measure again: -cn measure run={key}.")
        header = first
        bodies.append(body)
        counts.append(body.count(b"\n"))
    if not files:
        return pd.DataFrame(columns=[*STATE, *of])
    types = dict.fromkeys(numbers, pyarrow.float64()) | dict.fromkeys(texts, pyarrow.string())
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    table: DataFrame = csv.read_csv(pyarrow.BufferReader(b"\n".join([header, b"".join(bodies)])), convert_options=options).to_pandas()
    jobs, steps = (np.repeat([file[n] for file in files], counts) for n in (0, 1))
    return pd.concat([pd.DataFrame({"job": jobs, "step": steps}, index=table.index), table], axis=1)
