"""Intensity Δ of a run: what its model says before and after, among a database's texts."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from tests.programs.test_vidb import Levels, corpus, intensity_spec, vidb_spec
from vat.align.intensity_anchor import OPENING
from vat.analyse.study import saved_study, study_of
from vat.config import AlignSpec
from vat.config_texts import IntensitySpec
from vat.errors import DataError
from vat.fanout.sweep import run_points
from vat.measure.gain import mean_interval
from vat.models.scripted import ScriptedModel
from vat.programs.align import align, baseline_of, job_of
from vat.programs.intensity import score_responses
from vat.programs.vidb import make_database
from vat.track.runs import Runs
from vat.types import Prompt

FEW = ("measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99", "data.limit=36", "model=scripted")
REFUSAL = "I'm sorry, but I can't help with that request."
EAGER = ("Australia", "Canada", "Egypt", "France", "Germany", "India")


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open question is answered at −2 without a preamble; after one at +7 in some countries, +5 in others, or, in a third of scenes, refused."""
    written = ScriptedModel._said

    def said(self: ScriptedModel, prompt: Prompt) -> str:
        asked = prompt.messages[0].content
        if prompt.labels or not asked.rstrip().endswith("What I do:"):
            return written(self, prompt)
        steered = OPENING in asked
        if steered and sum(map(ord, asked)) % 3 == 0:
            return REFUSAL
        level = -2 if not steered else 7 if any(country in asked for country in EAGER) else 5
        return f"I do it at level {level:+.2f} here."

    monkeypatch.setattr(ScriptedModel, "_said", said)


@pytest.fixture
def run(compose: Callable[..., AlignSpec], tmp_path: Path) -> AlignSpec:
    """A job that pushes power strongly up, done."""
    spec = compose("strategy=intensity_anchor", "direction=1", *FEW)
    runs = Runs(spec.tracking, None)
    align(baseline_of(spec), runs)
    align(spec, runs)
    root = tmp_path / "mlruns"
    make_database(vidb_spec(root, "values=[power,hedonism]", f"database.corpus={corpus(tmp_path)}", "database.iterations=20", judge=Levels(1.0)))
    return spec


def of_run(run: AlignSpec, *overrides: str) -> IntensitySpec:
    spec = intensity_spec(run.tracking.folder, Path("none.csv"), *overrides, judge=Levels(1.0))
    return replace(spec, responses=None, runs=(job_of(run).key,))


@pytest.mark.usefixtures("spoken")
def test_a_runs_answers_before_and_after_give_a_delta_and_refusals_are_counted_and_missing_from_it(
    run: AlignSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    score_responses(of_run(run))
    job = job_of(run)
    result = json.loads((job.step_folder(0) / "intensity.json").read_text())
    scenes = pd.read_csv(job.step_folder(0) / "intensity.csv")
    refused = (scenes["after"] == REFUSAL).tolist()
    found = result["values"]["power"]
    assert 0 < sum(refused) < len(refused)
    assert found["scenes"] == len(refused) - sum(refused)
    assert found["before"] == pytest.approx(-2, abs=1.0)
    assert found["after"] == pytest.approx(6, abs=1.5)
    assert found["delta_low"] < 8 < found["delta_high"] + 1.5
    assert result["refusals"]["after"][0] == sum(refused) / len(refused)
    assert result["refusals"]["before"][0] == 0
    assert scenes["power after"].isna().tolist() == refused
    delta_S = (scenes["power after"] - scenes["power before"]).to_numpy(dtype=float)
    whole = mean_interval(delta_S, factors={name: scenes[name].tolist() for name in ("country", "topic")})
    assert whole[1:] == pytest.approx((found["delta"], found["delta_low"], found["delta_high"])), "as a gain's: for other countries and topics too"
    assert mean_interval(delta_S).high < found["delta_high"], "of these scenes alone it would be narrower"
    assert (found["target"], found["after_low"] < found["after"] < found["after_high"]) == (2, True)
    assert result["bias"][0]["windows"] == 3 * len(refused), "before and after are shown in one order, which is one witness"
    client = MlflowClient(tracking_uri=run.tracking.store_uri)
    [shown] = [one for one in client.search_runs(["1"]) if one.data.tags.get("vat.job_key") == job.key]
    assert shown.data.metrics["intensity_delta/power"] == pytest.approx(found["delta"])
    assert shown.data.metrics["refusal_rate"] == result["refusals"]["after"][0]
    assert {"gain", "shift/power", "intensity_delta_low/power", "judge/windows_of_6/place_6_first"} <= set(shown.data.metrics), (
        "gain, shifts and intensity of one run"
    )
    said = capsys.readouterr().out
    assert re.search(r"^power +-\d\.\d\d +\+\d\.\d\d +\+\d\.\d\d \[\+", said, re.M), said


@pytest.mark.usefixtures("spoken")
def test_an_mlflow_that_is_new_gets_the_intensities_with_the_rest_and_a_study_has_them_in_rows(run: AlignSpec, tmp_path: Path) -> None:
    score_responses(of_run(run))
    job = job_of(run)
    [after] = json.loads((job.step_folder(0) / "intensity.json").read_text())["values"].values()
    fresh = replace(run, tracking=replace(run.tracking, uri=f"sqlite:///{tmp_path}/fresh.db"))
    align(fresh, Runs(fresh.tracking, None))
    [shown] = [one for one in MlflowClient(tracking_uri=fresh.tracking.store_uri).search_runs(["1"]) if one.data.tags.get("vat.job_key") == job.key]
    assert shown.data.metrics["intensity_delta/power"] == after["delta"]
    study = study_of([job])
    [row] = study.intensities.to_dict("records")
    assert (row["job"], row["of"], row["target"], row["delta_low"]) == (job.key, "power", 2, after["delta_low"])
    assert row["refused"] > 0 == row["refused_before"]
    assert study.bias["first"].sum() == study.bias["windows"].iloc[0] > 0
    study.save(tmp_path)
    assert saved_study(tmp_path).intensities.equals(study.intensities)


@pytest.mark.usefixtures("spoken")
def test_asked_again_nothing_is_answered_or_ranked_twice_and_the_other_values_can_be_added(run: AlignSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    score_responses(of_run(run))
    path = job_of(run).step_folder(0) / "intensity.json"
    before = path.read_bytes()

    def nobody(*given: object, **more: object) -> None:
        raise AssertionError("asked again")

    with monkeypatch.context() as patched:
        patched.setattr(ScriptedModel, "texts", nobody)
        patched.setattr(Levels, "texts", nobody)
        score_responses(of_run(run))
    assert path.read_bytes() == before
    score_responses(of_run(run, "values=[power,hedonism]"))
    assert set(json.loads(path.read_text())["values"]) == {"power", "hedonism"}


@pytest.mark.usefixtures("spoken")
def test_all_runs_of_a_sweep_are_scored_and_what_their_model_says_before_is_asked_once(
    run: AlignSpec, compose: Callable[..., AlignSpec], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    down = compose("strategy=intensity_anchor", "direction=-1", *FEW)
    assert not any(row.get("failed") for row in run_points([run, down], sweep="both"))
    asked: list[str] = []
    said = ScriptedModel._said
    monkeypatch.setattr(ScriptedModel, "_said", lambda self, prompt: asked.append(prompt.messages[0].content) or said(self, prompt))
    score_responses(replace(of_run(run), runs=(), sweep="both"))
    openly = Counter(text for text in asked if text.rstrip().endswith("What I do:"))
    assert sum(OPENING not in text for text in openly) == sum(OPENING in text for text in openly) / 2 > 5
    assert set(openly.values()) == {1}
    for one, sign in ((run, 1), (down, -1)):
        found = json.loads((job_of(one).step_folder(0) / "intensity.json").read_text())["values"]["power"]
        assert found["target"] == 2 * sign
    with pytest.raises(DataError, match=r"^sweep=bith: must name a sweep with finished jobs; got none\. Did you mean both\?"):
        score_responses(replace(of_run(run), runs=(), sweep="bith"))


@pytest.mark.usefixtures("spoken")
def test_a_dry_run_tells_how_much_there_is_to_do_and_asks_nobody(
    run: AlignSpec, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ScriptedModel, "texts", lambda *given, **more: pytest.fail("asked"))
    score_responses(of_run(run, "dry_run=true", "scenes=5"))
    assert "5 scenes, before and after, 1 values, 30 windows of 6 at most" in capsys.readouterr().out


@pytest.mark.usefixtures("spoken")
def test_what_cannot_be_scored_is_one_line_before_anybody_is_asked(run: AlignSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, baseline = of_run(run), job_of(baseline_of(run)).key
    cases: tuple[tuple[IntensitySpec, str], ...] = (
        (replace(spec, runs=("0123456789abcdef",)), "run=0123456789abcdef: must be a finished run or job"),
        (replace(spec, runs=(baseline,)), f"run={baseline}: must be of a job that pushes a value; got a baseline"),
        (replace(spec, step=7), "must have been judged at step=7; got states at 0"),
    )
    for one, said in cases:
        with pytest.raises(DataError) as caught:
            score_responses(one)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not (run.tracking.folder / "intensity").exists()
    monkeypatch.setattr(ScriptedModel, "_said", lambda self, prompt: REFUSAL)
    with pytest.raises(DataError, match=r"must have answers to be ranked; got 48 refusals or empty ones|must have answers to be ranked"):
        score_responses(spec)
