"""`-cn report`: runs chosen in three ways from a real store, as tables in files."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hydra import compose as composed
from hydra import initialize_config_dir
from mlflow import MlflowClient

from tests.analyse.planted import with_intensities
from vat.config import AlignSpec, ReportSpec, read, read_report
from vat.errors import ConfigError, DataError
from vat.fanout.sweep import run_points
from vat.programs.align import describe, job_of
from vat.programs.report import _title, report
from vat.track.runs import Runs

CONF = Path(__file__).parents[2] / "conf"
FORMS = ("csv", "parquet", "tex", "html")
QUICK = ("model=scripted", "data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a finished sweep of two jobs is kept."""
    root = tmp_path_factory.mktemp("report") / "mlruns"
    assert not any(row.get("failed") for row in run_points([point(root, "value=power"), point(root, "value=security")], sweep="mine & yours"))
    return root


def point(root: Path, *overrides: str) -> AlignSpec:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return read(composed("align", [f"tracking.root={root}", *QUICK, *overrides]))


@pytest.fixture
def asked(root: Path) -> Callable[..., ReportSpec]:
    def made(*overrides: str) -> ReportSpec:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return read_report(composed("report", [f"tracking.root={root}", *overrides]))

    return made


@pytest.mark.parametrize("choice", ["sweep='mine & yours'", "filter=\"params.model = 'scripted'\""])
def test_a_sweep_or_a_filter_becomes_a_table_with_a_row_a_job(
    choice: str, asked: Callable[..., ReportSpec], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report(asked(choice))
    table = pd.read_csv(folder / "tables" / "table2.csv", index_col="job")
    jobs = [job_of(point(root, f"value={value}")) for value in ("security", "power")]
    assert list(table.index) == [job.key for job in jobs], "in the theory's order"
    for job in jobs:
        result = job.result()
        assert result is not None
        assert table.loc[job.key, ["gain", "gain_low", "nvat", "nvat_null"]].tolist() == pytest.approx(
            [result["steps"]["0"][name] for name in ("gain", "gain_low", "nvat", "nvat_null")], rel=1e-5
        )
    printed = capsys.readouterr().out
    assert "efficient: the gain's 95% interval lies above 0" in printed
    assert "its numbers mean nothing" in printed, "a caveat stands beside the numbers"
    assert str(folder / "index.html") in printed
    assert {path.name for path in (folder / "tables").iterdir()} >= {f"{name}.{form}" for name in ("table2", "robustness") for form in FORMS}
    assert {path.name for path in (folder / "figures").iterdir()} >= {f"couplings.{form}" for form in ("pdf", "svg", "png", "csv", "parquet")}
    assert {path.name for path in (folder / "couplings").iterdir()} == {f"{job.key}-step-0.graphml" for job in jobs}


def test_runs_are_named_by_job_or_run_and_each_choice_has_a_folder_of_its_own(asked: Callable[..., ReportSpec], root: Path) -> None:
    key = job_of(point(root, "value=power")).key
    client = MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")
    [run] = client.search_runs([client.get_experiment_by_name("vat").experiment_id], f"tags.`vat.job_key` = '{key}'")
    folders = [report(asked(f"runs=['{name}']")) for name in (key, run.info.run_id)]
    assert len(set(folders)) == 2
    assert {tuple(pd.read_csv(folder / "tables" / "table2.csv")["job"]) for folder in folders} == {(key,)}


def test_intensities_of_a_job_are_tables_and_words_of_its_page_and_what_figures_need_is_said(asked: Callable[..., ReportSpec], root: Path) -> None:
    job = with_intensities(job_of(point(root, "value=power")), {"power": -3.0}, {})
    folder = report(asked(f"runs=[{job.key}]", "figure=[steerability,arrows]"))
    assert pd.read_csv(folder / "tables" / "intensities.csv")["delta"].tolist() == [-3]
    assert not (folder / "tables" / "steerability.csv").exists(), "nothing was asked of the value"
    page = (folder / "index.html").read_text()
    assert 'table id="intensities"' in page
    assert "In open answers the pushed value" in page
    assert "Not drawn: it needs a job with two steered values" in page


@pytest.mark.parametrize(("names", "title"), [(["a", "b"], "Runs a, b"), ([*"abcd"], "4 runs")])
def test_a_title_names_few_runs_and_counts_many(names: list[str], title: str, asked: Callable[..., ReportSpec]) -> None:
    assert _title(asked(f"runs=[{','.join(names)}]")) == title


WRONG = {
    "nothing": ([], ConfigError, "report: must be about one of sweep, runs, filter and scores; got none, or several"),
    "two": (["sweep=a", "runs=[b]"], ConfigError, "report: must be about one of"),
    "sweep": (["sweep=yours"], DataError, "sweep=yours: must name finished runs of experiment vat; got none"),
    "filter": (["filter='model is tiny'"], DataError, "filter='model is tiny': must be a filter of MLflow; got "),
    "run": (["runs=[0123456789abcdef]"], DataError, "run=0123456789abcdef: must be a finished run or job"),
    "a number": (["sweep=3"], ConfigError, "sweep: must be a text or null; got 3. Use sweep=mysweep."),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_reported_is_said_in_a_line(case: str, asked: Callable[..., ReportSpec]) -> None:
    overrides, kind, says = WRONG[case]
    with pytest.raises(kind) as caught:
        report(asked(*overrides))
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def test_a_sweep_with_an_unfinished_run_is_refused(asked: Callable[..., ReportSpec], root: Path) -> None:
    specs = [point(root, f"value={value}") for value in ("power", "security")]
    runs = Runs(specs[0].tracking, None)
    with pytest.raises(RuntimeError), runs.running(job_of(specs[1]), describe(specs[1])):
        raise RuntimeError("done again, for other measures say, and failed")
    with pytest.raises(DataError, match=r"got 1 of 2 that are not, as scripted · security .*Launch their sweep again") as caught:
        report(asked("sweep='mine & yours'"))
    [without] = shlex.split(str(caught.value).partition("leave them out: ")[2])
    table = pd.read_csv(report(asked(without, "figure=[radar]")) / "tables" / "table2.csv")
    assert list(table["job"]) == [job_of(specs[0]).key], "what is advised works as it is typed"
    run_points(specs, sweep="mine & yours")
    report(asked("sweep='mine & yours'", "figure=[radar]"))
