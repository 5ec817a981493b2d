"""Jobs as tidy tables, read from the folders of a real sweep."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hydra import compose as composed
from hydra import initialize_config_dir

from tests.analyse.planted import planted_job
from vat.analyse.study import Study, saved_study, study_of
from vat.config import AlignSpec, read
from vat.errors import DataError
from vat.fanout.sweep import run_points
from vat.programs.align import job_of
from vat.programs.record import shifted_of
from vat.track.job import Job

CONF = Path(__file__).parents[2] / "conf"
QUICK = ("model=scripted", "data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")
Done = Callable[..., Job]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Does a point, and gives its job."""
    root = tmp_path_factory.mktemp("study")

    def job(*overrides: str) -> Job:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            spec: AlignSpec = read(composed("align", [f"tracking.root={root}/mlruns", *QUICK, *overrides]))
        assert not run_points([spec], sweep=None)[0].get("failed")
        return job_of(spec)

    return job


def test_every_number_of_every_state_is_one_row_of_its_job(done: Done) -> None:
    jobs = [done("value=power"), done("value=security", "shots=2")]
    study = study_of(jobs)
    assert list(study.jobs.index) == [job.key for job in jobs]
    assert list(study.jobs["value"]) == ["power", "security"]
    assert list(study.jobs["measure.tax.n_perm"]) == ["99", "99"]
    assert not [name for name in study.jobs if name.startswith("strategy.")], "steering has none but its dose"
    for job in jobs:
        with (job.folder / "steps" / "000000" / "measures.csv").open() as file:
            rows = list(csv.DictReader(file))
        ours = study.numbers[study.numbers["job"] == job.key]
        assert list(ours["statistic"]) == [row["statistic"] for row in rows]
        assert list(ours["estimate"].fillna(-9)) == [float(row["estimate"] or -9) for row in rows]
        assert list(ours["value"].fillna("")) == [row["value"] for row in rows]
        assert set(ours["step"]) == {0}


def test_the_last_state_is_that_of_the_largest_step_and_what_is_not_there_is_missing(done: Done, tmp_path: Path) -> None:
    job = done("value=power")
    copy = Job(tmp_path, job.identity)
    shutil.copytree(job.folder, copy.folder)
    later = copy.folder / "steps" / "000010"
    shutil.copytree(copy.folder / "steps" / "000000", later)
    lines = (later / "measures.csv").read_text().splitlines()
    [gain] = [n for n, line in enumerate(lines) if line.startswith("gain,") and line.endswith(",mode")]
    lines[gain] = "gain,,,0.25,0.125,0.375,,,,mode"
    (later / "measures.csv").write_text("\n".join(lines) + "\n")
    study: Study = study_of([copy])
    assert set(study.numbers["step"]) == {0, 10}
    assert study.of_the_last_state("gain").loc[job.key, ["estimate", "low", "high"]].tolist() == [0.25, 0.125, 0.375]
    assert study.of_the_last_state("nothing").isna().all(axis=None)
    assert len(study.of_the_last_state("vat")) == 1, "a number of a value is none of the whole"


@pytest.mark.parametrize(("other", "says"), [
    (("data.limit=14",), "must agree in the "),
    (("elicit.wording=1",), "must agree in the elicit.wording; got 0 in .* and 1 in .*Make one report for each"),
])  # fmt: skip
def test_apples_and_pears_are_not_compared(other: tuple[str, ...], says: str, done: Done) -> None:
    with pytest.raises(DataError, match=says):
        study_of([done("value=power"), done("value=power", *other)])


def test_no_jobs_and_an_unfinished_one_are_refused(done: Done, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be about at least one finished job; got none"):
        study_of([])
    with pytest.raises(DataError, match="got 1 that are not, as"):
        study_of([done("value=power"), Job(tmp_path, {"never": "begun"})])


def test_columns_of_another_version_are_refused(done: Done, tmp_path: Path) -> None:
    first, second = done("value=power"), done("value=security", "shots=2")
    copy = Job(tmp_path, second.identity)
    shutil.copytree(second.folder, copy.folder)
    file = copy.folder / "steps" / "000000" / "measures.csv"
    file.write_text(file.read_text().replace("statistic,value", "statistic,worth", 1))
    with pytest.raises(DataError, match=f"must have the columns of the other jobs; got statistic,worth.*-cn measure run={second.key}"):
        study_of([first, copy])


def test_points_are_every_state_in_the_theorys_order_and_know_their_dose(study: Study) -> None:
    points = study.points
    assert points["value"].tolist() == ["power"] * 6 + ["hedonism"]
    assert points["dose"].tolist() == [30, 60, 2, 2, 8, 8, 4]
    assert points["strongest"].tolist() == [False, True, False, False, True, True, True]
    assert points["replicate"].tolist() == [0, 0, 0, 1, 0, 1, 0]
    gain = study.of("gain")
    assert len(gain) == 7
    assert gain["estimate"].notna().all()
    assert study.of("nothing")["estimate"].isna().all()
    assert len(study.by_value("vat")) == 70
    assert len(study.by_pair("coupling")) == 7 * 45


def test_a_saved_study_is_the_same_study(study: Study, tmp_path: Path) -> None:
    study.save(tmp_path)
    again = saved_study(tmp_path)
    assert again.jobs.astype(str).equals(study.jobs.astype(str))
    assert again.numbers.equals(study.numbers)
    assert again.states.equals(study.states)
    assert again.theory == study.theory
    assert again.points.equals(study.points)


def test_a_state_is_read_back_as_the_measures_saw_it(study: Study, planted: list[Job]) -> None:
    job = planted[4]
    theirs, ours = shifted_of(job.step_folder(60)), study.shifted(job.key, 60)
    np.testing.assert_allclose(ours.pre_SV, theirs.pre_SV, atol=1e-6)
    np.testing.assert_allclose(ours.post_SV, theirs.post_SV, atol=1e-6)
    assert (ours.scenes, ours.values, ours.target, ours.direction) == (theirs.scenes, theirs.values, theirs.target, theirs.direction)
    assert ours.factors == theirs.factors


def test_jobs_of_one_name_that_differ_in_a_setting_are_cells_of_their_own(tmp_path: Path) -> None:
    jobs = [planted_job(tmp_path, learning_rate=rate) for rate in ("0.1", "0.2")]
    study = study_of(jobs)
    assert study.points["settings"].tolist() == ["strategy.learning_rate=0.1", "strategy.learning_rate=0.2"]
    assert study.jobs["strategy.learning_rate"].tolist() == ["0.1", "0.2"]


def test_a_job_whose_states_are_gone_is_said_in_a_line(tmp_path: Path) -> None:
    job = planted_job(tmp_path)
    shutil.rmtree(job.folder / "steps")
    with pytest.raises(DataError, match="must hold the states of its job; got none"):
        study_of([job])
