"""The program `measure`: runs measured again from the judgements that they keep. Neither a model nor the data are needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from vat.analyse.table import closing_table, described
from vat.config import MeasureSpec
from vat.errors import DataError
from vat.programs.job_page import draw_page
from vat.programs.progress import counter
from vat.programs.record import measured_again
from vat.track.runs import Description, Runs


def measure_again(specs: Sequence[MeasureSpec]) -> list[dict[str, Any]]:
    """Measure every state of the runs, bring disk and MLflow up to date, and print the table.

    Returns:
        One row a run, as `closing_table` takes them.
    Raises:
        DataError: Every run that is not there, before any is measured; a run that is not finished or cannot be measured, runs before it are done.
    """
    jobs, faults = [], []
    for spec in specs:
        spec.tracking.require()
        runs = Runs(spec.tracking, None)
        for name in spec.runs:
            try:
                jobs.append((spec, runs, name, runs.job_of(name)))
            except DataError as error:
                faults.append(str(error))
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))
    rows = []
    with counter("measure", len(jobs), unit="runs") as progress:
        for spec, runs, name, job in jobs:
            with job.held(partial(print, f"run={name}: held by another process, waiting for it", flush=True)):
                result = job.result()
                if result is None or "description" not in result:
                    raise DataError(f"run={name}: must be finished by this version of vat; got a job that is not. Launch it again.")
                description = Description(**result["description"])
                result = measured_again(job, result, spec.measures if description.kind == "job" else {})
                draw_page(job, result)
                runs.publish(job, description, result)
            rows.append(described(description.params) | {"job": job.key, "metrics": result["steps"][max(result["steps"], key=int)]})
            progress(1)
    print(f"\n{closing_table(rows)}", flush=True)
    return rows
