"""Sets of scores and databases as tables and figures, on one page: what depends on the judge, on windows, on the wording."""

from __future__ import annotations

from pathlib import Path

from vat.analyse.figures.base import Drawn, drawn
from vat.analyse.page import rendered
from vat.analyse.scores import DATABASE, SCORES, Scores, scores_of
from vat.analyse.scores_tables import instability_table, sets_table
from vat.analyse.style import Look
from vat.analyse.tables import printed, write
from vat.config import ReportSpec
from vat.errors import DataError, choose
from vat.files import whole_file
from vat.programs.progress import counter


def named_scores(spec: ReportSpec) -> Scores:
    """What the names and patterns stand for, sets of scores and databases.

    Raises:
        DataError: There is nothing of a name, or it is not finished; as `scores_of`.
    """
    found: dict[Path, None] = {}
    for name in spec.scores:
        of_name = [folder for kind in (SCORES, DATABASE) for folder in sorted((spec.tracking.folder / kind).glob(name)) if folder.is_dir()]
        if not of_name:
            there = [folder.name for kind in (SCORES, DATABASE) for folder in (spec.tracking.folder / kind).glob("*") if folder.is_dir()]
            see = choose(name, there) if there else "Make one with -cn intensity, or -cn vidb."
            raise DataError(f"scores={name}: must be in {spec.tracking.folder / SCORES}, or beside it in {DATABASE}; got nothing of that name. {see}")
        found |= dict.fromkeys(of_name)
    return scores_of(list(found))


def written_of_scores(spec: ReportSpec, scores: Scores, folder: Path) -> list[str]:
    """Write all files of a report on scores; returns what is worth saying of it."""
    tables = [table for table in (instability_table(scores), sets_table(scores)) if table is not None]
    for table in tables:
        write(table, folder / "tables")
    figures: list[Drawn] = []
    look = Look(scores.theory, [])
    with counter("report", len(spec.scores_figures), unit="figures") as progress:
        for name, figure in spec.scores_figures.items():
            figures.append(drawn(name, figure, scores, look, folder / "figures"))
            progress(1, name)
    sets, judges = len(scores.sets.drop_duplicates(["kind", "name"])), scores.sets["judge"].nunique()
    about = f"{sets} set{'s' if sets != 1 else ''} of scores by {judges} judge{'s' if judges != 1 else ''}"
    page = rendered(
        title=f"Scores {', '.join(spec.scores)}", subtitle=f"Value intensity · {about} · {scores.theory.name}", notes=scores.notes, summary=[],
        tables=tables, figures=figures, cases=None,
        how_it_was_made={"Theory": f"{scores.theory.name}: {scores.theory.source}", "Kept in": str(spec.tracking.folder)},
    )  # fmt: skip
    with whole_file(folder / "index.html") as draft:
        draft.write_text(page, encoding="utf-8")
    return [*(line for table in tables for line in (printed(table), "")), *(f"Note: {note}" for note in scores.notes)]
