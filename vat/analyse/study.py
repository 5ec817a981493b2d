"""Finished jobs as two tidy tables, from which every table and figure is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vat.errors import DataError
from vat.track.job import Job

if TYPE_CHECKING:
    from pandas import DataFrame

ALIKE = {"theory": "theory", "data": "data", "test_scenes": "number of test scenes", "data_digest": "content of the data"}
"""Parameters of runs in which those that are compared must agree, in words; so must all that begin with `elicit.`."""


class Study(NamedTuple):
    """What jobs have found.

    jobs: one row a job, by its key: name and kind of the run, its parameters, data_digest, note, seconds.
    numbers: one row a number: job, step (0 is a prompt strategy's only state), statistic, value, other, estimate, low, high, null, p, q, ratings.
    """

    jobs: DataFrame
    numbers: DataFrame

    def of_the_last_state(self, statistic: str, ratings: str = "mode") -> DataFrame:
        """A number of the whole system in each job's last state: job × estimate, low, high, null, p. NaN where it is not defined."""
        last = self.numbers.groupby("job")["step"].transform("max")
        there = self.numbers[(self.numbers["step"] == last) & (self.numbers["ratings"] == ratings) & (self.numbers["statistic"] == statistic)]
        return there[there["value"].isna()].set_index("job")[["estimate", "low", "high", "null", "p"]].reindex(self.jobs.index)


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
    rows = {key: _described(result) for key, result in results.items() if result is not None}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("job")
    _require_alike(table)
    return Study(table, _numbers(jobs))


def _described(result: Mapping[str, Any]) -> dict[str, Any]:
    description = result["description"]
    told = {"name": description["name"], "kind": description["kind"], "note": description["note"], "seconds": result["seconds"]}
    return told | dict(description["params"]) | {"data_digest": description["data"][1]}


def _require_alike(jobs: DataFrame) -> None:
    """Raises a DataError if the jobs differ in what would make a comparison one of apples and pears."""
    for column in (name for name in jobs if name in ALIKE or str(name).startswith("elicit.")):
        found = jobs[column].astype(str)
        if found.nunique() > 1:
            first, other = found.iloc[0], found[found != found.iloc[0]]
            rule = f"report: jobs that are compared must agree in the {ALIKE.get(str(column), str(column))}"
            raise DataError(f"{rule}; got {first} in {found.index[0]} and {other.iloc[0]} in {other.index[0]}. Make one report for each.")


def _numbers(jobs: Sequence[Job]) -> DataFrame:
    """All measures.csv as one: read as bytes, since a thousand readers of a table take seconds."""
    import pandas as pd
    import pyarrow
    from pyarrow import csv

    header: bytes = b""
    bodies: list[bytes] = []
    owners: list[tuple[str, int, int]] = []
    for job in jobs:
        for file in sorted((job.folder / "steps").glob("*/measures.csv")):
            first, _, body = file.read_bytes().partition(b"\n")
            if header and first != header:
                raise DataError(f"{file}: must have the columns of the other jobs; got {first.decode()}. Measure again: -cn measure run={job.key}.")
            header = first
            bodies.append(body)
            owners.append((job.key, _step(file), body.count(b"\n")))
    text = ("estimate", "low", "high", "null", "p", "q")
    types = csv.ConvertOptions(column_types=dict.fromkeys(text, pyarrow.float64()), strings_can_be_null=True)
    table: DataFrame = csv.read_csv(pyarrow.BufferReader(b"\n".join([header, b"".join(bodies)])), convert_options=types).to_pandas()
    repeated = [(key, step) for key, step, count in owners for _ in range(count)]
    keys = pd.DataFrame(repeated, columns=["job", "step"], index=table.index)
    return pd.concat([keys, table], axis=1)


def _step(file: Path) -> int:
    return int(file.parent.name)
