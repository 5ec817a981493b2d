"""The summary says in words what the numbers say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from tests.analyse.planted import planted_job, with_intensities
from vat.analyse.study import Study, study_of
from vat.analyse.summary import summary
from vat.analyse.tables import table2


def test_the_planted_study_in_words(study: Study) -> None:
    steered, gained, beyond, moved, marked = summary(study, table2(study).data)
    assert steered == (
        "6 jobs pushed power down and hedonism down of m and other by sft and steering, measured at 7 states, and asked about all 10 values on 48 "
        "held-out scenes."
    )
    table = table2(study).data
    assert gained.startswith(f"The pushed value moved as asked in {'all 6' if (table['gain_low'] > 0).all() else (table['gain_low'] > 0).sum()}")
    assert f"{table['gain'].max():+.3f} [" in gained
    assert beyond.startswith("Values moved together more than chance in all 6 jobs (false discovery rate below 5%)")
    assert f"nVAT would be about {table['nvat_null'].mean():.3f}" in beyond
    assert f"The largest tax was {table['nvat'].max():.3f}" in beyond
    assert moved.startswith(("Besides the target", "No other value"))
    assert "risky" in marked


def test_nothing_told_from_chance_is_said_as_that_and_what_is_not_known_is_not_said(study: Study) -> None:
    table = table2(study).data.assign(nvat_p=0.01, nvat_q=0.9, mark="", gain_low=-1.0, gain_high=1.0)
    texts = summary(study, table)
    assert "moved as asked in no job" in texts[1]
    assert "more than chance in no job" in texts[2]
    assert "No tax here is told from chance." in texts[2]
    assert not any("marked" in text for text in texts)
    bare = replace(study, numbers=study.numbers[study.numbers["statistic"] == "n_scenes"])
    nothing = table2(bare).data
    assert pd.isna(nothing["gain"]).all()
    assert len(summary(bare, nothing)) == 1


def test_what_moved_is_counted_by_jobs_whose_interval_excludes_0(study: Study) -> None:
    shift = (study.numbers["statistic"] == "shift") & (study.numbers["ratings"] == "mode")
    numbers = study.numbers.copy()
    numbers.loc[shift, ["low", "high"]] = [-0.1, 0.1]
    first = study.jobs.index[0]
    numbers.loc[shift & (numbers["job"] == first) & (numbers["value"] == "benevolence"), ["low", "high"]] = [0.05, 0.2]
    texts = summary(replace(study, numbers=numbers), table2(study).data)
    assert any("moved most often were benevolence (1 of 6 jobs)" in text for text in texts)


def test_one_job_alone_is_not_counted(study: Study) -> None:
    jobs = study.jobs.iloc[[4]]
    alone = replace(study, jobs=jobs, numbers=study.numbers[study.numbers["job"] == jobs.index[0]])
    texts = summary(alone, table2(alone).data)
    assert texts[0].startswith("1 job pushed power down of m by sft, measured at 2 states,")
    assert texts[1].startswith("The pushed value moved as asked (the 95% interval")
    assert " The gain was +" in texts[1]
    assert texts[2].startswith("Values moved together more than chance (false discovery rate")
    assert " The tax was 0." in texts[2]
    assert texts[3] == "No other value's mean shift is told from 0."
    shift = (alone.numbers["statistic"] == "shift") & (alone.numbers["value"] == "benevolence")
    moved = replace(alone, numbers=alone.numbers.assign(low=alone.numbers["low"].where(~shift, 0.05), high=alone.numbers["high"].where(~shift, 0.2)))
    assert summary(moved, table2(moved).data)[3].startswith("Besides the target, the mean shift of benevolence is told from 0")


def test_intensities_in_words_by_target_or_by_direction_where_there_is_none(steered: Study, tmp_path: Path) -> None:
    text = summary(steered, table2(steered).data)[-1]
    assert text.startswith("In open answers the pushed value's intensity moved as asked in all 14 jobs (the 95% interval of Δ lies beyond 0 on that")
    assert "The largest Δ, +6.00 [+5.50, +6.50], was that of power ↑ of m by intensity_anchor, replicate 1, target +2." in text
    assert "Of 5 targets for values steered besides, 5 moved as asked." in text
    jobs = [with_intensities(planted_job(tmp_path, measured=False), {"power": 2.0, "hedonism": 9.0}, {}, refused=12)]
    alone = study_of(jobs)
    assert summary(alone, table2(alone).data)[-1] == (
        "In open answers the pushed value's intensity moved as asked in no job (the 95% interval of Δ lies beyond 0 on that side) and the other "
        "way in 1. Of the answers 25.0% were refusals, and 2.1% of those before."
    )
