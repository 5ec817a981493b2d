"""The page of a job: on disk, in MLflow, and drawn again when the job is measured again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient

from vat.config import AlignSpec, read, read_measure
from vat.fanout.sweep import run_points
from vat.programs.align import baseline_of, job_of
from vat.programs.measure import measure_again

CONF = str(Path(__file__).parents[2] / "conf")
QUICK = ("measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> AlignSpec:
    """A finished job of the embedded model."""
    root = tmp_path_factory.mktemp("page") / "mlruns"
    with initialize_config_dir(CONF, version_base="1.3"):
        spec = read(compose("align", [f"tracking.root={root}", "model=tiny", "data.limit=24", *QUICK]))
    assert not run_points([spec], sweep=None)[0].get("failed")
    return spec


def page_in_mlflow(spec: AlignSpec) -> str:
    client = MlflowClient(tracking_uri=spec.tracking.store_uri)
    experiment = client.get_experiment_by_name("vat").experiment_id
    [run] = client.search_runs([experiment], f"tags.`vat.job_key` = '{job_of(spec).key}'")
    return Path(client.download_artifacts(run.info.run_id, "page.html")).read_text(encoding="utf-8")


def test_a_job_has_a_page_with_its_figures_on_disk_and_in_mlflow_and_a_baseline_has_none(spec: AlignSpec) -> None:
    page = (job_of(spec).folder / "page.html").read_text(encoding="utf-8")
    assert page_in_mlflow(spec) == page
    for name in ("deviations", "radar", "chord", "couplings"):
        assert f'id="figure-{name}"' in page
    assert page.count("<svg") == 4
    assert "knows template text only" in page, "its caveat"
    assert re.search(r"<dt>Versions</dt><dd>vat [\d.]+, numpy [\d.]+, scipy [\d.]+, torch \S+, transformers [\d.]+</dd>", page)
    assert "tax.n_perm 99" in page
    assert not (job_of(baseline_of(spec)).folder / "page.html").exists()


def test_a_job_that_is_measured_again_has_a_page_of_the_new_numbers(spec: AlignSpec) -> None:
    before = (job_of(spec).folder / "page.html").read_text(encoding="utf-8")
    with initialize_config_dir(CONF, version_base="1.3"):
        cfg = compose("measure", [f"tracking.root={spec.tracking.root}", f"run='{job_of(spec).key}'", *QUICK, "measure.tax.factors=[]"])
    measure_again([read_measure(cfg)])
    after = (job_of(spec).folder / "page.html").read_text(encoding="utf-8")
    assert after != before
    assert page_in_mlflow(spec) == after


def test_a_page_that_is_gone_is_drawn_again_when_the_job_is_launched(spec: AlignSpec) -> None:
    page = job_of(spec).folder / "page.html"
    page.unlink()
    run_points([spec], sweep=None)
    assert page.is_file()
