"""The program `report`: finished runs as the papers' tables and figures, on one page. Everything is drawn from what the jobs have left."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vat.analyse.cases import stored_cases
from vat.analyse.figures.base import Drawn, drawn
from vat.analyse.graph import write_graphs
from vat.analyse.intensity_tables import intensity_tables
from vat.analyse.page import how_it_was_made, page_of
from vat.analyse.study import Study, saved_study, study_of
from vat.analyse.style import Look
from vat.analyse.summary import MOST_NAMED, summary
from vat.analyse.tables import jobs_table, printed, robustness, table2, write
from vat.config import ReportSpec
from vat.errors import DataError, choose
from vat.files import whole_file
from vat.programs.methods import compared
from vat.programs.progress import counter
from vat.programs.scores_report import named_scores, written_of_scores
from vat.track.experiment import without_password
from vat.track.runs import Runs
from vat.track.sweep_run import sweep_tag


def report(spec: ReportSpec) -> Path:
    """Write page, tables, figures and graphs into a folder of their own under tracking.root, and log them to MLflow; returns that folder.

    Raises:
        ConfigError: Nothing is kept there.
        DataError: There is no such run, one is not finished, or they cannot be compared.
    """
    spec.tracking.require()
    runs = Runs(spec.tracking, None)
    made = partial(written_of_scores, spec, named_scores(spec)) if spec.scores else partial(_written, spec, _chosen(spec, runs))
    folder = spec.tracking.folder / "reports" / _name(spec)
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as place:  # what was there stays until all of the new is
        said = made(Path(place) / folder.name)
        shutil.rmtree(folder, ignore_errors=True)
        (Path(place) / folder.name).rename(folder)
    run = runs.keep_report(folder, folder.name, spec.sweep)
    where = [f"Page: {folder / 'index.html'}", f"Tables, figures and graphs beside it; in MLflow they are artifacts of run {run}"]
    print("\n".join(["", *said, "", *where]), flush=True)
    return folder


def _written(spec: ReportSpec, study: Study, folder: Path) -> list[str]:
    """Write all files of a report; returns what is worth saying of it."""
    methods = compared(study)
    main, *others = tables = [table2(study), *methods.tables, robustness(study), *intensity_tables(study)]
    in_the_end = jobs_table(study)
    for table in (*tables, in_the_end):
        write(table, folder / "tables")
    write_graphs(study, folder / "couplings")
    figures: list[Drawn] = []
    with counter("report", len(spec.figures), unit="figures") as progress:
        for name, figure in spec.figures.items():
            figures.append(drawn(name, figure, study, Look.of(study), folder / "figures"))
            progress(1, name)
    made = how_it_was_made(study) | {"Runs": f"{_about(spec)}, of experiment {spec.tracking.experiment} in {_where(spec)}"}
    found = [*summary(study, main.data), *methods.words]
    page = page_of(
        study, title=_title(spec), summary=found, tables=[main, *others], figures=figures, cases=_cases(spec, study), how_it_was_made=made,
        made_tables=[in_the_end],
    )  # fmt: skip
    with whole_file(folder / "index.html") as draft:
        draft.write_text(page, encoding="utf-8")
    notes = [f"Note: {note}" for note in dict.fromkeys(study.jobs["note"].dropna()) if note]
    return [*found, "", printed(main), "", main.caption, *notes]


def _chosen(spec: ReportSpec, runs: Runs) -> Study:
    if spec.runs:
        return study_of([runs.job_of(name) for name in spec.runs])
    if spec.sweep:
        with tempfile.TemporaryDirectory() as place:
            kept = runs.study_of(spec.sweep, Path(place))
            if kept is not None:
                study = saved_study(kept)
                assert study.states is not None  # read while it is there
                return study
    condition = f"tags.`{sweep_tag(spec.sweep)}` = '1'" if spec.sweep else str(spec.filter)
    if jobs := runs.jobs_where(condition):
        return study_of(jobs)
    there = runs.sweeps() if spec.sweep else []
    see = choose(str(spec.sweep), there) if there else "See -cn status, or MLflow."
    raise DataError(f"{_about(spec)}: must name finished runs of experiment {spec.tracking.experiment}; got none. {see}")


def _cases(spec: ReportSpec, study: Study) -> list[Mapping[str, Any]]:
    """The case studies that jobs keep, those of the last state of each that has some."""
    found: list[Mapping[str, Any]] = []
    for job in dict.fromkeys(study.points["job"]):
        folders = sorted((spec.tracking.folder / "jobs" / job / "steps").glob("*"), reverse=True)
        if told := next((told for folder in folders if (told := stored_cases(folder))), None):
            found.append(told | {"name": study.jobs.loc[job, "name"]})
    return found


def _about(spec: ReportSpec) -> str:
    if spec.sweep:
        return f"sweep={spec.sweep}"
    if spec.scores:
        return f"scores=[{','.join(spec.scores)}]"
    return f"runs=[{','.join(spec.runs)}]" if spec.runs else f"filter={spec.filter}"


def _title(spec: ReportSpec) -> str:
    if spec.sweep:
        return f"Sweep {spec.sweep}"
    if len(spec.runs) > MOST_NAMED:
        return f"{len(spec.runs)} runs"
    return f"Runs {', '.join(spec.runs)}" if spec.runs else f"Runs where {spec.filter}"


def _where(spec: ReportSpec) -> str:
    return without_password(spec.tracking.store_uri.removesuffix("?timeout=60"))


def _name(spec: ReportSpec) -> str:
    """Of the folder: the sweep's where that can be one, else what tells one choice of runs from another."""
    if spec.sweep and re.fullmatch(r"[\w.-]{1,60}", spec.sweep):
        return spec.sweep
    return hashlib.sha256(repr((spec.sweep, spec.runs, spec.filter, *spec.scores)).encode()).hexdigest()[:16]
