"""Points to jobs, with the scripted model and a real MLflow store."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from vat.config import AlignSpec
from vat.errors import BackendError, ConfigError
from vat.fanout.sweep import run_points
from vat.models.scripted import ScriptedModel
from vat.programs.align import baseline_of, job_of
from vat.track.runs import Runs
from vat.types import Answered, Prompt

Compose = Callable[..., AlignSpec]
QUICK = ("model=scripted", "data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")


def points(compose: Compose, *, values: tuple[str, ...] = ("power", "security"), shots: tuple[int, ...] = (2, 4)) -> list[AlignSpec]:
    return [compose(*QUICK, f"value={value}", f"shots={dose}") for value in values for dose in shots]


def runs(tmp_path: Path) -> list:
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    return list(client.search_runs([client.get_experiment_by_name("vat").experiment_id]))


def test_a_sweep_is_one_run_a_job_and_one_shared_baseline(compose: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run_points(points(compose), sweep="mine")
    assert [(row["value"], row["shots"]) for row in rows] == [("power", 2), ("power", 4), ("security", 2), ("security", 4)]
    kinds = [run.data.tags["vat.kind"] for run in runs(tmp_path)]
    assert sorted(kinds) == ["baseline", "job", "job", "job", "job", "sweep"]
    assert {run.info.status for run in runs(tmp_path)} == {"FINISHED"}
    printed = capsys.readouterr().out
    assert "4 points: 4 jobs and 1 baseline, 0 already done" in printed
    assert printed.count("steering") == 4
    assert "its numbers mean nothing" in printed, "the model's caveat stands where its numbers are shown"


def test_a_finished_sweep_does_nothing_but_print_its_table(
    compose: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_points(points(compose), sweep="mine")
    table = capsys.readouterr().out.split("\n\n")[1]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "mlruns" / "jobs").rglob("*.*")}
    monkeypatch.setattr(ScriptedModel, "ratings", lambda *_, **options: pytest.fail("a finished job was rated again"))
    np.testing.assert_equal(run_points(points(compose), sweep="mine"), first)
    printed = capsys.readouterr().out
    assert "5 already done" in printed
    assert table in printed
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "mlruns" / "jobs").rglob("*.*")} == before
    assert len(runs(tmp_path)) == 6


def test_mlflow_is_asked_for_each_job_of_a_finished_sweep_only_if_some_run_of_it_is_gone(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_points(points(compose), sweep="mine")
    with monkeypatch.context() as patch:
        patch.setattr(Runs, "publish", lambda *_: pytest.fail("MLflow was asked"))
        run_points(points(compose), sweep="mine")
    [gone] = [run for run in runs(tmp_path) if run.data.params.get("value") == "power" and run.data.params["shots"] == "2"]
    MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db").delete_run(gone.info.run_id)
    run_points(points(compose), sweep="mine")
    assert len(runs(tmp_path)) == 6
    run_points([compose(*QUICK, "value=power", "shots=8")], sweep="mine")
    assert len(runs(tmp_path)) == 7, "other jobs under the same name"


def test_points_that_are_the_same_job_are_done_once(compose: Compose, tmp_path: Path) -> None:
    rows = run_points([compose(*QUICK, "strategy=none", f"shots={dose}") for dose in (2, 4, 8)], sweep=None)
    assert len({row["job"] for row in rows}) == 1
    assert len(runs(tmp_path)) == 1


def test_a_failing_job_leaves_the_others_alone_and_is_taken_up_again(
    compose: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    specs, real = points(compose), ScriptedModel.ratings

    def breaks_after_four_examples(self: ScriptedModel, prompts: Sequence[Prompt], **options: Any) -> Iterator[Answered]:
        if len(prompts[0].messages) == 9:
            raise BackendError("model scripted: must answer; got silence. Wake it.")
        return real(self, prompts, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ScriptedModel, "ratings", breaks_after_four_examples)
        rows = run_points(specs, sweep="mine")
    assert [bool(row.get("failed")) for row in rows] == [False, True, False, True]
    assert "Failed:\n" in (printed := capsys.readouterr().out)
    assert printed.count("model scripted: must answer; got silence. Wake it.") == 4, "as it happens, and at the end"
    assert sorted(run.info.status for run in runs(tmp_path)) == ["FAILED"] * 3 + ["FINISHED"] * 3
    assert not [row for row in run_points(specs, sweep="mine") if row.get("failed")]
    assert {run.info.status for run in runs(tmp_path)} == {"FINISHED"}
    assert len(runs(tmp_path)) == 6


def test_every_fault_of_every_point_is_reported_before_anything_starts(compose: Compose, tmp_path: Path) -> None:
    specs = [compose(*QUICK, f"value={value}", f"shots={dose}") for value in ("pwer", "power") for dose in (2, 3)]
    with pytest.raises(ConfigError) as caught:
        run_points(specs, sweep="mine", faults=["strategy=foo: must be an option; got 'foo'. Choose."])
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("strategy=foo")
    assert any(line.startswith("value=pwer") for line in lines)
    assert any(line.startswith("shots:") for line in lines)
    assert len(lines) == 3, "each fault once"
    assert not list(tmp_path.iterdir()), "nothing was written"


def test_a_sweep_that_is_interrupted_leaves_no_run_running(compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: ScriptedModel, *_: Any, **options: Any) -> Iterator[Answered]:
        raise KeyboardInterrupt

    monkeypatch.setattr(ScriptedModel, "ratings", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_points(points(compose), sweep="mine")
    assert {run.info.status for run in runs(tmp_path)} == {"KILLED"}
    assert len([run for run in runs(tmp_path) if "sweep.mine" in run.data.tags]) == 1, "also a run that did not finish belongs to its sweep"


def test_a_clock_that_jumps_back_again_and_again_changes_nothing(compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, hours = time.time, itertools.count()
    monkeypatch.setattr(time, "time", lambda: now() - 3_600 * next(hours))
    rows = run_points(points(compose), sweep="mine")
    assert not any(row.get("failed") for row in rows)
    np.testing.assert_equal(run_points(points(compose), sweep="mine"), rows)
    results = [json.loads(file.read_text()) for file in (tmp_path / "mlruns" / "jobs").glob("*/result.json")]
    assert len(results) == 5
    assert all(0 <= result["seconds"] < 3_600 for result in results)
    shown = {run.data.tags["vat.job_key"]: run.data.metrics for run in runs(tmp_path) if "vat.job_key" in run.data.tags}
    assert {row["job"]: shown[row["job"]]["gain"] for row in rows} == {row["job"]: row["metrics"]["gain"] for row in rows}
    assert {run.info.status for run in runs(tmp_path)} == {"FINISHED"}


KEEPS = ["tracking.experiment=other", "cluster.cpus=1", "sweep=named", "measure.tax.n_perm=199", "measure=[tax]", "elicit.max_missing=0.9"]
CHANGES = ["value=security", "direction=1", "shots=8", "replicate=1", "strategy=placebo", "elicit.wording=1", "elicit.reversed=true",
           "data.split_seed=1", "data.limit=12", "model=scripted"]  # fmt: skip


@pytest.mark.parametrize("override", KEEPS)
def test_what_does_not_determine_the_result_does_not_change_the_key(override: str, compose: Compose) -> None:
    assert job_of(compose(override)).key == job_of(compose()).key


@pytest.mark.parametrize("override", CHANGES)
def test_what_determines_the_result_changes_the_key(override: str, compose: Compose) -> None:
    assert job_of(compose(override)).key != job_of(compose()).key


@pytest.mark.parametrize("override", ["value=security", "direction=1", "shots=8", "replicate=1", "strategy=placebo"])
def test_the_baseline_is_the_same_whatever_is_done_to_the_model(override: str, compose: Compose) -> None:
    assert job_of(baseline_of(compose(override))).key == job_of(baseline_of(compose())).key


def test_a_finished_job_with_more_missing_answers_than_are_allowed_now_is_not_passed_over(compose: Compose) -> None:
    half = (*QUICK, "model.refusals=0.5")
    assert not run_points([compose(*half, "elicit.max_missing=1")], sweep=None)[0].get("failed")
    row = run_points([compose(*half)], sweep=None)[0]
    assert row["failed"].startswith("elicit.max_missing: a job may leave at most 20% of answers missing; got 5")


def test_a_baseline_is_not_measured_again_for_another_measure(compose: Compose, tmp_path: Path) -> None:
    run_points([compose(*QUICK)], sweep=None)
    run_points([compose(*QUICK, "measure.tax.n_perm=499")], sweep=None)
    baseline = next(run for run in runs(tmp_path) if run.data.tags["vat.kind"] == "baseline")
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    assert len(client.get_metric_history(baseline.info.run_id, "missing_rate")) == 1


@pytest.mark.parametrize("key", ["measure.tax.n_perm=199", "tracking.experiment=other"])
def test_a_sweep_cannot_differ_in_what_its_jobs_share(key: str, compose: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{key.partition('.')[0]}: "):
        run_points([compose(*QUICK), compose(*QUICK, key)], sweep="mine")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("shots=2000",), "shots=2000: needs 1000 train probes of value power"),
        (("model=tiny", "model.device=foo"), "model.device=foo: must be a device of this machine"),
        (("model=tiny", "shots=400"), "model tiny: takes prompts of at most 2048 tokens"),
    ],
)
def test_what_can_be_known_is_said_before_the_baseline_is_paid_for(overrides: tuple[str, ...], says: str, compose: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        run_points([compose("data.limit=12", *overrides)], sweep=None)
    assert not list(tmp_path.iterdir())


def test_a_paraphrase_has_no_draws_so_replicates_are_one_job(compose: Compose) -> None:
    assert job_of(compose("strategy=paraphrase", "replicate=1")).key == job_of(compose("strategy=paraphrase")).key


def test_a_paraphrase_is_judged_in_its_own_words_against_the_usual_baseline(compose: Compose, tmp_path: Path) -> None:
    rows = run_points([compose(*QUICK, "strategy=paraphrase", "strategy.wording=2")], sweep=None)
    assert rows[0]["metrics"]["n_scenes"] == 12
    assert {run.data.params["elicit.wording"] for run in runs(tmp_path)} == {"0"}
    answers = sorted((tmp_path / "mlruns" / "jobs").glob("*/answers/step-000000/*.parquet"))
    assert len({path.read_bytes() for path in answers}) == len(answers) == 2, "other words, other keys"


def test_another_way_to_measure_needs_no_new_answers(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_points([compose(*QUICK)], sweep=None)
    monkeypatch.setattr(ScriptedModel, "ratings", lambda *_, **options: pytest.fail("the answers were there"))
    second = run_points([compose(*QUICK, "measure.tax.n_perm=499")], sweep=None)
    assert second[0]["job"] == first[0]["job"]
    assert second[0]["metrics"]["gain"] == first[0]["metrics"]["gain"]
    assert second[0]["metrics"]["nvat_p_free"] != first[0]["metrics"]["nvat_p_free"]


def test_a_measure_more_or_less_needs_no_new_answers_either(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run_points([compose(*QUICK)], sweep=None)
    monkeypatch.setattr(ScriptedModel, "ratings", lambda *_, **options: pytest.fail("the answers were there"))
    more = run_points([compose(*QUICK, "measure=[tax,circumplex]", "measure.circumplex.n_perm=99", "measure.circumplex.n_boot=99")], sweep=None)
    assert more[0]["metrics"].items() > first[0]["metrics"].items()
    assert "circle" in more[0]["metrics"]
    capsys.readouterr()
    assert run_points([compose(*QUICK)], sweep=None) == first
    assert "1 already done" in capsys.readouterr().out, "the baseline"


def test_what_the_data_can_find_is_said_before_a_model_runs(
    compose: Compose, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ScriptedModel, "ratings", lambda *args, **options: (_ for _ in ()).throw(BackendError("model scripted: must answer; got silence. Wake it."))
    )
    run_points([compose("model=scripted", "measure=[tax]")], sweep=None)
    line = capsys.readouterr().out.splitlines()[2]
    assert line.startswith("80 test scenes of 12 country and 11 topic levels find a tax of 0.123 and a gain of 0.32 standard deviations in 80%")


def test_a_factor_that_scenes_do_not_have_is_told_before_anything_starts(compose: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^measure\.tax\.factors: must be of what scenes share; got 'topics'\. Did you mean topic\?$"):
        run_points([compose(*QUICK, "measure.tax.factors=[topics]")], sweep=None)
    assert not (tmp_path / "mlruns").exists()
