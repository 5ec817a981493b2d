"""The program `report`: finished runs as the papers' tables. Everything is drawn from what the jobs have left; no model is needed."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from vat.analyse.study import Study, study_of
from vat.analyse.tables import RULE, shown, table2, write
from vat.config import ReportSpec
from vat.errors import DataError
from vat.track.job import Job
from vat.track.runs import Runs
from vat.track.sweep_run import sweep_tag

CAPTION = "Gain, tax and its concentration of each job's last state, with 95% intervals and what each would be by chance. "


def report(spec: ReportSpec) -> Path:
    """Write the tables into a folder of their own under tracking.root, and print the first; returns that folder.

    Raises:
        ConfigError: Nothing is kept there.
        DataError: There is no such run, one is not finished, or they cannot be compared.
    """
    spec.tracking.require()
    study = study_of(_chosen(spec))
    folder = spec.tracking.folder / "reports" / _name(spec)
    table = table2(study)
    files = write(table, folder, "table2", CAPTION + RULE)
    print("\n".join([shown(table).to_string(index=False), "", RULE, *_caveats(study), "", *map(str, files)]), flush=True)
    return folder


def _chosen(spec: ReportSpec) -> list[Job]:
    runs = Runs(spec.tracking, None)
    if spec.runs:
        return [runs.job_of(name) for name in spec.runs]
    condition = f"tags.`{sweep_tag(spec.sweep)}` = '1'" if spec.sweep else str(spec.filter)
    if jobs := runs.jobs_where(condition):
        return jobs
    what = f"sweep={spec.sweep}" if spec.sweep else f"filter={spec.filter}"
    raise DataError(f"{what}: must name finished runs of experiment {spec.tracking.experiment}; got none. See -cn status, or MLflow.")


def _name(spec: ReportSpec) -> str:
    """Of the folder: the sweep's where that can be one, else what tells one choice of runs from another."""
    if spec.sweep and re.fullmatch(r"[\w.-]{1,60}", spec.sweep):
        return spec.sweep
    return hashlib.sha256(repr((spec.sweep, spec.runs, spec.filter)).encode()).hexdigest()[:16]


def _caveats(study: Study) -> list[str]:
    return [f"Note: {note}" for note in dict.fromkeys(study.jobs["note"]) if note]
