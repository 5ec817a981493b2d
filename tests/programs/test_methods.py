"""Strategies against each other, from the tables of a study alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.analyse.planted import planted_job
from vat.analyse.study import Study, study_of
from vat.measure.compare import over_replicates, paired_difference
from vat.measure.pareto import hypervolume
from vat.programs import methods as methods_module
from vat.programs.hypervolumes import hypervolumes
from vat.programs.methods import compared, rows_of, states_of
from vat.programs.record import shifted_of
from vat.programs.trajectories import trajectories
from vat.track.job import Job


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    """Two replicates of steering with two doses and of a training with two checkpoints; and a model that only one strategy pushed."""
    root = tmp_path_factory.mktemp("methods")
    jobs = [planted_job(root, shots=shots, replicate=replicate, push=shots / 10) for shots in (2, 8) for replicate in (0, 1)]
    jobs += [planted_job(root, strategy="sft", shots=None, steps=(30, 60), push=0.7, replicate=replicate) for replicate in (0, 1)]
    return [*jobs, planted_job(root, model="other", push=0.6)]


@pytest.fixture(scope="module")
def study(jobs: list[Job]) -> Study:
    return study_of(jobs)


def test_a_study_says_of_methods_what_the_folders_of_its_jobs_say(jobs: list[Job], study: Study) -> None:
    folders = {job.key: [partial(shifted_of, job.step_folder(int(step))) for step in (job.result() or {})["steps"]] for job in jobs}
    ours, theirs = hypervolumes(rows_of(study), states_of(study)), hypervolumes(rows_of(study), folders)
    assert [one.hypervolume.estimate for one in ours.each] == pytest.approx([one.hypervolume.estimate for one in theirs.each], abs=1e-5)
    assert [one.difference.p for one in ours.differences] == pytest.approx([one.difference.p for one in theirs.differences], abs=1e-3)


def test_every_cell_has_a_hypervolume_and_every_two_strategies_of_a_cell_are_compared(study: Study) -> None:
    tables = {table.name: table for table in compared(study).tables}
    assert set(tables) == {"hypervolumes", "hypervolume_differences", "equal_gain"}
    areas = tables["hypervolumes"]
    assert areas.shown[["model", "strategy", "doses", "replicates"]].to_numpy().tolist() == [
        ["m", "sft", "2", "2"], ["m", "steering", "2", "2"], ["other", "steering", "1", "1"],
    ]  # fmt: skip
    [apart] = tables["hypervolume_differences"].data.itertuples()
    sft, steering = (one for one in trajectories(rows_of(study), states_of(study)) if one.cell.model == "m")
    found = paired_difference(sft.shift_RCSV(), steering.shift_RCSV(), of="hypervolume", **sft.given)
    assert (apart.first, apart.second) == ("sft", "steering")
    assert (apart.difference_estimate, apart.difference_p) == pytest.approx((found.estimate, found.p))
    assert areas.data["hypervolume_estimate"][0] == pytest.approx(over_replicates(sft.shift_RCSV(), of="hypervolume", **sft.given).estimate)
    assert (tables["equal_gain"].data["gain"] > 0).all()
    assert "with 2 replicates p < 0.05 comes in 10%" in tables["hypervolume_differences"].caption


def test_the_estimate_is_near_the_area_of_the_points_themselves(study: Study) -> None:
    points = study.of("nvat").merge(study.of("gain")[["job", "step", "estimate"]], on=["job", "step"], suffixes=("", "_gain"))
    sft = points[(points["strategy"] == "sft")]
    areas = [hypervolume(one["estimate_gain"].to_numpy(), one["estimate"].to_numpy()) for _, one in sft.groupby("replicate")]
    table = compared(study).tables[0].data
    assert table["hypervolume_estimate"][0] == pytest.approx(sum(areas) / 2, abs=0.05)


def test_one_job_alone_is_compared_with_nothing(tmp_path: Path) -> None:
    tables = compared(study_of([planted_job(tmp_path)])).tables
    assert [table.name for table in tables] == ["hypervolumes"]
    assert "this draw only" in tables[0].caption


def test_the_difference_is_said_in_words_only_where_it_is_told_from_chance(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    over, equal = compared(study).words
    [apart] = hypervolumes(rows_of(study), states_of(study)).differences
    assert (apart.q < 0.05) == ("commands more of gain and low tax than" in over)
    assert "At equal gain" in equal
    monkeypatch.setattr(methods_module, "LEVEL", 1.1)
    over, equal = compared(study).words
    better, worse = ("sft", "steering") if apart.difference.estimate > 0 else ("steering", "sft")
    assert f"{better} commands more of gain and low tax than {worse} (power ↓ of m, by {abs(apart.difference.estimate):.3f} of area)" in over
    assert "costs less than" in equal
    more = methods_module._over_all_doses([apart._replace(n_doses=(6, 2))])
    assert f"of area, with 6 and 2 doses of {apart.first} and {apart.second})" in more, "more doses command more"
    monkeypatch.setattr(methods_module, "LEVEL", 0.0)
    over, equal = compared(study).words
    assert over.startswith("Over all doses no strategy is told from another")
    assert equal.startswith("At equal gain no strategy's tax is told from another's (")
