"""Studies of many jobs, made of one that was really done: under other names, its numbers scaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vat.analyse.figures.base import Drawn
from vat.analyse.page import how_it_was_made, page_of
from vat.analyse.study import Study
from vat.analyse.summary import summary
from vat.analyse.tables import jobs_table, robustness, table2

FLAGS = ("live", "hub", "n_scenes")


def varied(one: Study, jobs: Sequence[Mapping[str, Any]]) -> Study:
    """A study with a job for each row of `jobs`, which says how it differs from the only job of `one`."""
    draw = np.random.default_rng(0)
    told, numbers, states = one.jobs.iloc[0].to_dict(), [], []
    keys = [f"{n:016x}" for n in range(len(jobs))]
    for key in keys:
        scale = pd.Series(draw.uniform(0.4, 1.6) * draw.uniform(0.8, 1.2, len(one.numbers)), one.numbers.index)
        scale = scale.where(~one.numbers["statistic"].isin(FLAGS), 1.0)
        scaled = {name: one.numbers[name] * scale for name in ("estimate", "low", "high")}
        numbers.append(one.numbers.assign(job=key, q=one.numbers["q"] * draw.uniform(size=len(scale)), **scaled))
        states.append(one.states.assign(job=key))
    table = pd.DataFrame([told | dict(job) for job in jobs], index=pd.Index(keys, name="job"))
    return Study(table, pd.concat(numbers, ignore_index=True), one.theory, lambda: pd.concat(states, ignore_index=True))


def page(study: Study, figures: Sequence[Drawn], title: str, cases: Sequence[Mapping[str, Any]] = ()) -> str:
    """Its page, as `-cn report` puts it together."""
    main = table2(study)
    return page_of(
        study, title=title, summary=summary(study, main.data), tables=[main, robustness(study)], figures=figures, cases=cases,
        how_it_was_made=how_it_was_made(study), made_tables=[jobs_table(study)],
    )  # fmt: skip
