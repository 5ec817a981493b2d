"""One self-contained page: what was found in plain words, then tables, figures, case studies, and how it was made. It needs no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vat.analyse.figures.base import Drawn
from vat.analyse.study import Study
from vat.analyse.tables import LEFT, Table

if TYPE_CHECKING:
    from jinja2 import Template
    from pandas import DataFrame

TEMPLATE = Path(__file__).with_name("page.jinja")


def page_of(
    study: Study,
    *,
    title: str,
    summary: Sequence[str],
    tables: Sequence[Table],
    figures: Sequence[Drawn],
    cases: Sequence[Mapping[str, Any]] | None,
    how_it_was_made: Mapping[str, str],
    made_tables: Sequence[Table] = (),
) -> str:
    """The page as HTML. Everything that comes from runs is escaped; figures are ours.

    Args:
        cases: Case studies, a job each, as the program `cases` stores them, with the job's `name`; None to leave the section out.
    """
    jobs = int((study.jobs["kind"] == "job").sum())
    return rendered(
        title=title, subtitle=f"Value alignment tax · {jobs} job{'s' if jobs != 1 else ''} · {study.theory.name}", summary=summary, tables=tables,
        figures=figures, cases=cases, how_it_was_made=how_it_was_made, made_tables=made_tables,
        notes=[note for note in dict.fromkeys(study.jobs["note"].dropna()) if note],
    )  # fmt: skip


def rendered(
    *, title: str, subtitle: str, notes: Sequence[str], summary: Sequence[str], tables: Sequence[Table], figures: Sequence[Drawn],
    cases: Sequence[Mapping[str, Any]] | None, how_it_was_made: Mapping[str, str], made_tables: Sequence[Table] = (),
) -> str:  # fmt: skip
    """The page of whatever was found, with what is to be said wherever its numbers are shown (`notes`); otherwise as `page_of`."""
    sections = {"summary": summary and "Summary", "tables": tables and "Tables", "figures": figures and "Figures"}
    contents = [(name, text) for name, text in {**sections, "cases": cases is not None and "Case studies", "made": "How it was made"}.items() if text]
    return _template().render(
        title=title, subtitle=subtitle, summary=summary, tables=tables, figures=figures, cases=cases, made=list(how_it_was_made.items()),
        made_tables=made_tables, contents=contents, notes=notes, how_to_make_cases="python launch.py -cn cases run=<job>",
    )  # fmt: skip


def how_it_was_made(study: Study) -> dict[str, str]:
    """What jobs were made with, in words: theory, data, how models were pushed, asked and measured, versions, cost."""
    import pandas as pd

    jobs = study.jobs[study.jobs["kind"] == "job"]

    def common(column: str) -> str:
        found = jobs[column].dropna().astype(str).unique() if column in jobs else ()
        return ", ".join(found)

    models = jobs[["model", *(name for name in ("model_revision", "model_dtype") if name in jobs)]].drop_duplicates()
    usage = {str(name).removeprefix("usage."): pd.to_numeric(jobs[name]).sum() for name in jobs if str(name).startswith("usage.")}
    cost = "; ".join(f"{name.replace('_', ' ')} {total:,.6g}" for name, total in usage.items())
    told = {
        "Models": "; ".join(" ".join(str(part) for part in row if part == part and part) for row in models.itertuples(index=False)),
        "Theory": f"{study.theory.name}: {study.theory.source}; digest {common('theory_digest')}",
        "Data": f"{common('data')}, {common('test_scenes')} test scenes; digest {common('data_digest')}",
        "Pushed": "; ".join(f"{name}: {given}" for name, of_one in jobs.groupby("strategy") if (given := _settings(of_one, "strategy."))),
        "Asked": _settings(jobs, "elicit."),
        "Measured": _settings(jobs, "measure."),
        "Versions": _settings(jobs, "version."),
        "Took": f"{jobs['seconds'].sum():,.0f} s of jobs' time" + (f"; {cost}" if cost else ""),
    }
    return {name: text for name, text in told.items() if text}


def _settings(jobs: DataFrame, prefix: str) -> str:
    """The columns of one kind: name and value of each; several values where jobs differ."""
    found = {str(name).removeprefix(prefix): jobs[name].dropna().astype(str).unique() for name in jobs if str(name).startswith(prefix)}
    return ", ".join(f"{name} {' or '.join(values)}" for name, values in found.items() if len(values))


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    environment.globals["words"] = LEFT
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
