"""Finished jobs measured again, with the scripted model and a real MLflow store: what the folder, the result and MLflow then hold."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient
from mlflow.entities import Run
from omegaconf import DictConfig

from vat.config import read, read_measure
from vat.errors import BackendError, ConfigError, DataError, VatError
from vat.fanout.programs import Launch, run
from vat.fanout.sweep import run_points
from vat.files import whole_file
from vat.measure.base import Columns
from vat.models.scripted import ScriptedModel
from vat.programs import record as record_module
from vat.programs.measure import measure_again
from vat.track import runs as runs_module

Measuring = Callable[..., list[dict[str, Any]]]
TAX = ("measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99", "measure.tax.factors=[]")
JOB = ("model=scripted", "data.limit=12", *TAX)
OTHER = (*TAX, "measure.tax.n_perm=199")


def composed(program: str, mlruns: Path, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        return compose(program, [f"tracking.root={mlruns}", *overrides])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, empty_database: Callable[[], Path]) -> Path:
    """A job and its baseline, finished, and beside them a database of MLflow with nothing in it."""
    mlruns = tmp_path_factory.mktemp("template") / "mlruns"
    run_points([read(composed("align", mlruns, *JOB))], sweep=None)
    shutil.copy(empty_database(), mlruns / "mlflow.db")
    return mlruns


@pytest.fixture
def mlruns(tmp_path: Path, template: Path) -> Path:
    """The jobs on disk and, brought up to date from there, in MLflow, as a sweep."""
    shutil.copytree(template, tmp_path / "mlruns", ignore=shutil.ignore_patterns("artifacts"))
    run_points([read(composed("align", tmp_path / "mlruns", *JOB))], sweep="mine")
    return tmp_path / "mlruns"


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedModel, "ratings", lambda *arguments, **options: pytest.fail("the model was asked"))


@pytest.fixture
def job(mlruns: Path) -> str:
    """The first of its jobs."""
    return next(key for key, run in all_runs(mlruns).items() if run.data.params.get("value") == "power")


@pytest.fixture
def again(mlruns: Path) -> Measuring:
    """`python launch.py -cn measure …`, but for the process."""
    return lambda *overrides: measure_again([read_measure(composed("measure", mlruns, *overrides))])


@pytest.fixture
def launch(mlruns: Path) -> Measuring:
    """`python launch.py …` likewise."""
    return lambda *overrides: run_points([read(composed("align", mlruns, *overrides))], sweep=None)


def client(mlruns: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{mlruns}/mlflow.db")


def all_runs(mlruns: Path, experiment: str = "vat") -> dict[str, Run]:
    """Runs by the key of their job, or by their name."""
    found = client(mlruns).search_runs([client(mlruns).get_experiment_by_name(experiment).experiment_id])
    return {run.data.tags.get("vat.job_key", run.info.run_name): run for run in found}


def baseline(mlruns: Path) -> str:
    return next(key for key, run in all_runs(mlruns).items() if run.data.tags["vat.kind"] == "baseline")


def result(mlruns: Path, job: str) -> dict[str, Any]:
    return dict(json.loads((mlruns / "jobs" / job / "result.json").read_text()))


def files(mlruns: Path, job: str) -> dict[str, bytes]:
    """What a job has kept, but for the model's answers."""
    folder = mlruns / "jobs" / job
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != "lock" and "answers" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def tables_of(mlruns: Path, job: str) -> dict[str, bytes]:
    return {name: content for name, content in files(mlruns, job).items() if name.startswith("steps/")}


def shown(mlruns: Path, job: str) -> dict[str, float]:
    """What MLflow shows of a job's run."""
    return dict(all_runs(mlruns)[job].data.metrics)


def defined(result: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in result["steps"]["0"].items() if value is not None}


@pytest.mark.usefixtures("silent")
def test_the_same_measures_change_nothing(job: str, again: Measuring, mlruns: Path) -> None:
    before, run = files(mlruns, job), all_runs(mlruns)[job]
    [row] = again(f"run={job}", *TAX)
    assert files(mlruns, job) == before
    after = all_runs(mlruns)[job]
    assert (after.data.metrics, after.data.params, after.data.tags) == (run.data.metrics, run.data.params, run.data.tags)
    assert len(client(mlruns).get_metric_history(run.info.run_id, "nvat_p_free")) == 1
    assert row["metrics"] == result(mlruns, job)["steps"]["0"]


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("by", ["job", "run"])
def test_other_settings_replace_the_numbers_everywhere(by: str, job: str, again: Measuring, mlruns: Path) -> None:
    first, before = result(mlruns, job), all_runs(mlruns)
    [row] = again(f"run={job if by == 'job' else before[job].info.run_id}", *OTHER)
    second, run = result(mlruns, job), all_runs(mlruns)[job]
    assert second["measures"] == {"tax": first["measures"]["tax"] | {"n_perm": 199}}
    assert second["steps"]["0"]["gain"] == first["steps"]["0"]["gain"]
    assert second["steps"]["0"]["nvat_p_free"] != first["steps"]["0"]["nvat_p_free"]
    assert row["metrics"] == second["steps"]["0"]
    assert run.data.metrics == defined(second)
    history = client(mlruns).get_metric_history(run.info.run_id, "nvat_p_free")
    assert [(point.step, point.value) for point in history] == [(0, each["steps"]["0"]["nvat_p_free"]) for each in (first, second)]
    assert {name: (run.info.status, run.info.run_name) for name, run in all_runs(mlruns).items()} == {
        name: ("FINISHED", run.info.run_name) for name, run in before.items()
    }, "no run is new, and each keeps its name"
    assert run.data.params == before[job].data.params
    assert run.data.tags["mlflow.parentRunId"] == before["mine"].info.run_id
    published = Path(client(mlruns).download_artifacts(run.info.run_id, "step-0"))
    assert {f"steps/000000/{path.name}": path.read_bytes() for path in published.iterdir()} == tables_of(mlruns, job)


@pytest.mark.usefixtures("silent")
def test_mlflow_shows_what_was_measured_last_also_when_that_is_what_was_measured_first(job: str, again: Measuring, mlruns: Path) -> None:
    first = result(mlruns, job)
    for settings in (OTHER, TAX):
        again(f"run={job}", *settings)
        assert shown(mlruns, job) == defined(result(mlruns, job))
    assert result(mlruns, job)["steps"] == first["steps"]


@pytest.mark.usefixtures("silent")
def test_measures_that_are_new_are_added(job: str, again: Measuring, mlruns: Path) -> None:
    again(f"run={job}", "measure=[tax,circumplex,robustness]", *TAX[1:], "measure.circumplex.n_boot=99", "measure.robustness.n_boot=99")
    assert set(result(mlruns, job)["measures"]) == {"tax", "circumplex", "robustness"}
    assert shown(mlruns, job) == defined(result(mlruns, job))
    assert "agreement_kendall" in result(mlruns, job)["steps"]["0"]
    assert b"\nagreement_kendall," in files(mlruns, job)["steps/000000/measures.csv"]


def test_several_runs_are_measured_at_once_and_shown_in_one_table(
    job: str, again: Measuring, launch: Measuring, mlruns: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = launch(*JOB, "value=security", "shots=2")[0]["job"]
    capsys.readouterr()
    rows = again(f"run=[{job},{all_runs(mlruns)[second].info.run_id}]", *OTHER)
    assert [(row["job"], row["value"], row["direction"], row["shots"]) for row in rows] == [(job, "power", -1, 4), (second, "security", 1, 2)]
    assert [result(mlruns, key)["measures"]["tax"]["n_perm"] for key in (job, second)] == [199, 199]
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].split()[:6] == ["model", "value", "dir", "strategy", "shots", "rep"]
    assert [line.split()[:6] for line in lines[1:]] == [
        ["scripted", "power", "-1", "steering", "4", "0"], ["scripted", "security", "+1", "steering", "2", "0"],
    ]  # fmt: skip
    assert [line.split()[-1] for line in lines[1:]] == [job, second]


@pytest.mark.usefixtures("silent")
def test_a_baseline_has_states_to_bring_up_to_date_and_no_measures(job: str, again: Measuring, mlruns: Path) -> None:
    key = baseline(mlruns)
    before, run = files(mlruns, key), all_runs(mlruns)[key]
    (mlruns / "jobs" / key / "steps" / "000000" / "states.csv").unlink()
    [row] = again(f"run={key}", *OTHER)
    assert files(mlruns, key) == before
    assert all_runs(mlruns)[key].data.metrics == run.data.metrics
    assert (row["value"], row["direction"], row["shots"]) == ("", None, None)
    assert result(mlruns, key)["measures"] == {}


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("by", ["job", "run"])
def test_a_job_whose_folder_is_gone_comes_back_from_mlflow(by: str, job: str, again: Measuring, launch: Measuring, mlruns: Path) -> None:
    before, runs = {key: files(mlruns, key) for key in (job, baseline(mlruns))}, all_runs(mlruns)
    shutil.rmtree(mlruns / "jobs")
    for key in before:
        again(f"run={key if by == 'job' else runs[key].info.run_id}", *TAX)
    assert {key: files(mlruns, key) for key in before} == before
    assert {key: run.data.metrics for key, run in all_runs(mlruns).items()} == {key: run.data.metrics for key, run in runs.items()}
    assert launch(*JOB)[0]["metrics"] == result(mlruns, job)["steps"]["0"], "and is done"


@pytest.mark.usefixtures("silent")
def test_a_job_that_comes_back_can_be_measured_with_other_settings(job: str, again: Measuring, mlruns: Path) -> None:
    shutil.rmtree(mlruns / "jobs")
    again(f"run={job}", *OTHER)
    assert result(mlruns, job)["measures"]["tax"]["n_perm"] == 199
    assert shown(mlruns, job) == defined(result(mlruns, job))


@pytest.mark.usefixtures("silent")
def test_a_job_that_came_back_is_measured_from_its_judgements_by_every_command(job: str, again: Measuring, launch: Measuring, mlruns: Path) -> None:
    key = baseline(mlruns)
    shutil.rmtree(mlruns / "jobs")
    again(f"run=[{job},{key}]", *TAX)
    launch(*JOB, "measure.tax.n_perm=199")
    assert result(mlruns, job)["measures"]["tax"]["n_perm"] == 199


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("after", [0, 2])
def test_a_job_that_came_back_by_half_is_fetched_once_more(
    after: int, job: str, again: Measuring, mlruns: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, written = files(mlruns, job), []

    def breaks(path: Path) -> Any:
        written.append(path)
        if len(written) > after:
            raise KeyboardInterrupt
        return whole_file(path)

    shutil.rmtree(mlruns / "jobs" / job)
    with monkeypatch.context() as patch:
        patch.setattr(runs_module, "whole_file", breaks)
        with pytest.raises(KeyboardInterrupt):
            again(f"run={job}", *TAX)
    again(f"run={job}", *TAX)
    assert files(mlruns, job) == before


@pytest.mark.usefixtures("silent")
def test_what_people_add_to_a_run_does_not_keep_a_job_from_coming_back(job: str, again: Measuring, mlruns: Path) -> None:
    before, run_id = files(mlruns, job), all_runs(mlruns)[job].info.run_id
    client(mlruns).log_text(run_id, "Odd, this one.", "notes/remark.txt")
    shutil.rmtree(mlruns / "jobs" / job)
    again(f"run={job}", *TAX)
    assert {name: content for name, content in files(mlruns, job).items() if name in before} == before


@pytest.mark.usefixtures("silent")
def test_a_job_is_published_where_it_was_not_known(job: str, again: Measuring, mlruns: Path) -> None:
    again(f"run={job}", *TAX, "tracking.experiment=other")
    here, there = all_runs(mlruns)[job], all_runs(mlruns, "other")[job]
    assert there.info.run_name == here.info.run_name
    assert (there.data.metrics, there.data.params) == (here.data.metrics, here.data.params)
    assert [one.dataset.digest for one in there.inputs.dataset_inputs] == [one.dataset.digest for one in here.inputs.dataset_inputs]


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("measured", [TAX, OTHER], ids=["the same", "others"])
def test_the_command_that_made_a_job_finds_it_and_asks_no_model(
    measured: tuple[str, ...], job: str, again: Measuring, launch: Measuring, mlruns: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = result(mlruns, job)["steps"]
    again(f"run={job}", *measured)
    assert (result(mlruns, job)["steps"] == first) == (measured == TAX)
    capsys.readouterr()
    launch(*JOB)
    assert f"{2 if measured == TAX else 1} already done" in capsys.readouterr().out
    assert result(mlruns, job)["steps"] == first
    launch(*JOB)
    assert "2 already done" in capsys.readouterr().out


@pytest.mark.usefixtures("silent")
def test_a_sweep_of_measurements_does_each_in_turn(job: str, mlruns: Path) -> None:
    points = [composed("measure", mlruns, f"run={job}", *TAX, f"measure.tax.n_perm={count}") for count in (199, 299)]
    assert run("measure", Launch(points, [["measure.tax.n_perm=199"], ["measure.tax.n_perm=299"]]))
    assert result(mlruns, job)["measures"]["tax"]["n_perm"] == 299
    assert shown(mlruns, job) == defined(result(mlruns, job))


@pytest.mark.usefixtures("silent")
def test_every_fault_of_a_sweep_of_measurements_is_told_before_any_is_done(job: str, mlruns: Path) -> None:
    before = files(mlruns, job)
    points = [composed("measure", mlruns, f"run={job}", *TAX, f"measure.tax.{setting}") for setting in ("n_perm=199", "n_perm=5", "n_boot=5")]
    with pytest.raises(ConfigError) as error:
        run("measure", Launch(points, [["1"], ["2"], ["3"]], faults=["measure=nope: must be an option; got 'nope'. Choose."]))
    assert files(mlruns, job) == before
    starts = [line.split(": ")[0] for line in str(error.value).splitlines()]
    assert starts == ["measure=nope", "measure.tax.n_perm", "measure.tax.n_boot"]


@pytest.mark.usefixtures("silent")
def test_a_sweep_of_measurements_with_a_faulty_point_does_none(job: str, mlruns: Path) -> None:
    before = files(mlruns, job)
    points = [composed("measure", mlruns, f"run={job}", *TAX, f"measure.tax.n_perm={count}") for count in (199, 5)]
    with pytest.raises(ConfigError, match=r"^measure\.tax\.n_perm: "):
        run("measure", Launch(points, [["measure.tax.n_perm=199"], ["measure.tax.n_perm=5"]]))
    assert files(mlruns, job) == before


def one_line(error: VatError) -> bool:
    return bool(re.fullmatch(r"\S.*: .+; got .+\. .+", str(error)))


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("name", ["86f3e8ea9a861599", "..", "a/b", "mine", pytest.param("x" * 300, id="a long one")])
def test_a_run_that_is_not_there_is_one_line_and_nothing_is_measured(name: str, job: str, again: Measuring, mlruns: Path) -> None:
    before = files(mlruns, "")
    with pytest.raises(DataError, match=rf"^run={re.escape(name)}: must be a finished run or job in experiment vat; ") as error:
        again(f"run=[{job},{name}]", *OTHER)
    assert one_line(error.value)
    assert files(mlruns, "") == before


@pytest.mark.usefixtures("silent")
def test_a_sweep_is_no_job(job: str, again: Measuring, mlruns: Path) -> None:
    with pytest.raises(DataError, match=r"^run=\w+: must be a finished run or job ") as error:
        again(f"run={all_runs(mlruns)['mine'].info.run_id}")
    assert one_line(error.value)


@pytest.mark.parametrize("by", ["job", "run"])
def test_a_job_that_did_not_finish_is_one_line(by: str, launch: Measuring, again: Measuring, mlruns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*arguments: object, **options: object) -> None:
        raise BackendError("model scripted: must answer; got silence. Wake it.")

    monkeypatch.setattr(ScriptedModel, "ratings", breaks)
    launch(*JOB, "value=hedonism")
    key, run = next((key, run) for key, run in all_runs(mlruns).items() if run.info.status == "FAILED")
    before = files(mlruns, "")
    with pytest.raises(DataError, match=r"^run=\w+: must be a? ?finished ") as error:
        again(f"run={key if by == 'job' else run.info.run_id}")
    assert one_line(error.value)
    assert files(mlruns, "") == before
    assert all_runs(mlruns)[key].info.status == "FAILED"


@pytest.mark.usefixtures("silent")
def test_a_job_of_an_earlier_version_is_one_line(job: str, again: Measuring, mlruns: Path) -> None:
    old = {key: content for key, content in result(mlruns, job).items() if key != "description"}
    (mlruns / "jobs" / job / "result.json").write_text(json.dumps(old))
    with pytest.raises(DataError, match=rf"^run={job}: must be finished by this version of vat; ") as error:
        again(f"run={job}")
    assert one_line(error.value)
    assert result(mlruns, job) == old


def _writes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


DAMAGE = {
    "half a result": ("result.json", _writes(b'{"steps": ')),
    "a result of bytes": ("result.json", _writes(b"\xff\xfe")),
    "no result": ("result.json", Path.unlink),
    "half an identity": ("identity.json", _writes(b'{"program": ')),
    "an identity of bytes": ("identity.json", _writes(b"\xff\xfe")),
    "an identity that is a list": ("identity.json", _writes(b"[]")),
    "an identity of another job": ("identity.json", _writes(b'{"program": "align"}')),
    "no state": ("steps/000000/state.json", Path.unlink),
    "half the judgements": ("steps/000000/judgements.parquet", lambda path: path.write_bytes(path.read_bytes()[:100])),
}


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(("name", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_job_is_one_line_and_stays_as_it_is(name: str, damage: Callable[[Path], object], job: str, again: Measuring, mlruns: Path) -> None:
    damage(mlruns / "jobs" / job / name)
    before, metrics, jobs = files(mlruns, job), shown(mlruns, job), sorted((mlruns / "jobs").iterdir())
    with pytest.raises(DataError) as error:
        again(f"run={job}", *OTHER)
    assert one_line(error.value)
    assert files(mlruns, job) == before
    assert shown(mlruns, job) == metrics
    assert sorted((mlruns / "jobs").iterdir()) == jobs


@pytest.mark.usefixtures("silent")
def test_a_job_is_measured_whole_or_not_at_all(job: str, again: Measuring, mlruns: Path) -> None:
    """A second state, as a training strategy has several."""
    whole, steps = result(mlruns, job), mlruns / "jobs" / job / "steps"
    shutil.copytree(steps / "000000", steps / "000010")
    (mlruns / "jobs" / job / "result.json").write_text(json.dumps(whole | {"steps": {"0": whole["steps"]["0"], "10": whole["steps"]["0"]}}))
    again(f"run={job}", *TAX)
    assert [point.step for point in client(mlruns).get_metric_history(all_runs(mlruns)[job].info.run_id, "gain")] == [0, 10]
    (steps / "000010" / "judgements.parquet").write_bytes(b"")
    before = files(mlruns, job)
    with pytest.raises(DataError):
        again(f"run={job}", *OTHER)
    assert files(mlruns, job) == before


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("name", ["state.json", "judgements.parquet"])
def test_launching_again_mends_a_folder_as_the_message_says(name: str, job: str, again: Measuring, launch: Measuring, mlruns: Path) -> None:
    whole = files(mlruns, job)
    (mlruns / "jobs" / job / "steps" / "000000" / name).unlink()
    with pytest.raises(VatError, match=r"Launch the job again: its answers are kept\.$"):
        again(f"run={job}", *TAX)
    launch(*JOB)
    again(f"run={job}", *TAX)
    assert files(mlruns, job).keys() == whole.keys()


@pytest.mark.usefixtures("silent")
def test_tables_and_result_agree_also_after_a_measurement_that_was_cut_short(
    job: str, again: Measuring, launch: Measuring, mlruns: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, before = tables_of(mlruns, job), result(mlruns, job)

    whole = record_module._write

    def cut(path: Path, columns: Columns) -> None:
        if path.name == "coupling.csv":  # measures.csv is the new one by now, states.csv is not
            raise KeyboardInterrupt
        whole(path, columns)

    with monkeypatch.context() as patch:
        patch.setattr(record_module, "_write", cut)
        with pytest.raises(KeyboardInterrupt):
            again(f"run={job}", *OTHER)
    launch(*JOB)
    assert tables_of(mlruns, job) == tables
    assert [result(mlruns, job)[part] for part in ("steps", "measures")] == [before[part] for part in ("steps", "measures")]


@pytest.mark.usefixtures("silent")
def test_runs_before_one_that_cannot_be_measured_are_done(job: str, again: Measuring, mlruns: Path) -> None:
    key = baseline(mlruns)
    (mlruns / "jobs" / key / "steps" / "000000" / "state.json").unlink()
    with pytest.raises(DataError, match=re.escape(key)):
        again(f"run=[{job},{key}]", *OTHER)
    assert result(mlruns, job)["measures"]["tax"]["n_perm"] == 199
    assert shown(mlruns, job) == defined(result(mlruns, job))


@pytest.mark.usefixtures("silent")
def test_a_job_that_another_measured_meanwhile_keeps_its_one_run(job: str, again: Measuring, mlruns: Path) -> None:
    again(f"run=[{job},{all_runs(mlruns)[job].info.run_id}]", *OTHER)
    assert len(client(mlruns).search_runs([all_runs(mlruns)[job].info.experiment_id])) == len(all_runs(mlruns)) == 3
    assert len(client(mlruns).get_metric_history(all_runs(mlruns)[job].info.run_id, "nvat_p_free")) == 2
    assert all(math.isfinite(value) for value in shown(mlruns, job).values())
