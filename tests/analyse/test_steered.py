"""What was asked of a state, beside what came of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.analyse.planted import planted_job, steered_job, with_intensities
from vat.analyse.steered import alone, scored
from vat.analyse.study import Study, study_of
from vat.errors import DataError


def test_settings_that_only_say_targets_are_no_other_method_and_others_are(steered: Study, tmp_path: Path) -> None:
    assert any("strategy.strength=" in settings for settings in steered.points["settings"])
    assert set(scored(steered)["settings"]) == {""}
    jobs = [steered_job(tmp_path, {"power": target}, {"power": 1.0}, wording=wording) for wording in (1, 2) for target in (1, 2)]
    assert sorted(set(scored(study_of(jobs))["settings"])) == ["strategy.wording=1", "strategy.wording=2"]


def test_values_that_were_steered_at_once_are_counted_whether_they_were_scored_or_not(tmp_path: Path) -> None:
    jobs = [
        steered_job(tmp_path, {"power": 2}, {"power": 3.0, "hedonism": 1.0}),
        steered_job(tmp_path, {"power": 2, "hedonism": -1}, {"power": 3.0}),
        with_intensities(planted_job(tmp_path, measured=False), {"power": -2.0}, {}),
    ]
    found = scored(study_of(jobs)).set_index(["job", "of"])["steered"].to_dict()
    assert found == {(jobs[0].key, "power"): 1, (jobs[0].key, "hedonism"): 1, (jobs[1].key, "power"): 2, (jobs[2].key, "power"): 0}
    assert alone(study_of(jobs))["delta"].tolist() == [3.0], "hedonism was not steered, and neither pairs nor examples are of one value"


def test_without_intensities_there_is_nothing(study: Study, steered: Study) -> None:
    assert len(scored(study)) == len(alone(study)) == 0
    assert len(alone(replace(steered, intensities=steered.intensities.iloc[:0]))) == 0


def test_intensities_by_different_judges_are_not_compared(tmp_path: Path) -> None:
    jobs = [steered_job(tmp_path, {"power": x}, {"power": 1.0 * x}) for x in (1, 2)]
    path = jobs[1].step_folder(0) / "intensity.json"
    path.write_text(path.read_text().replace('"gemma"', '"llama"'))
    with pytest.raises(DataError, match=rf"^report: intensities .+ got judge gemma in {jobs[0].key} and judge llama in {jobs[1].key}\. Score one"):
        study_of(jobs)
