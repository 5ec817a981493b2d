"""A short page for each job, kept with it and in MLflow, so that a click there shows what it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vat.analyse.figures.base import Figure, drawn
from vat.analyse.figures.chord import Chord
from vat.analyse.figures.couplings import Couplings
from vat.analyse.figures.deviations import Deviations
from vat.analyse.figures.radar import Radar
from vat.analyse.figures.trajectories import Trajectories
from vat.analyse.page import how_it_was_made, page_of
from vat.analyse.study import study_of
from vat.analyse.style import Look
from vat.analyse.summary import summary
from vat.analyse.tables import LEVEL, table2
from vat.files import whole_file
from vat.track.job import PAGE, Job


def draw_page(job: Job, result: Mapping[str, Any]) -> None:
    """Write the page of a finished job that pushed a value, unless it is there."""
    path = job.folder / PAGE
    if result["description"]["kind"] != "job" or path.is_file():
        return
    study = study_of([job])
    figures: dict[str, Figure] = {
        "deviations": Deviations(panels=1), "radar": Radar(panels=1), "chord": Chord(panels=1, level=LEVEL),
        "couplings": Couplings(panels=1, level=LEVEL),
    }  # fmt: skip
    if len(study.points) > 1:
        figures = {"trajectories": Trajectories(panels=1)} | figures
    look = Look.of(study)
    table = table2(study)
    page = page_of(
        study, title=str(study.jobs["name"].iloc[0]), summary=summary(study, table.data), tables=[table],
        figures=[drawn(name, figure, study, look) for name, figure in figures.items()], cases=None, how_it_was_made=how_it_was_made(study),
    )  # fmt: skip
    with whole_file(path) as draft:
        draft.write_text(page, encoding="utf-8")
