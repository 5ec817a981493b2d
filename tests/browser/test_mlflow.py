"""The UI of a real server of MLflow, after a sweep: what a person sees there who looks for its runs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from mlflow import MlflowClient

from tests.browser.chromium import Browser, outside, overlapping
from tests.browser.conftest import SWEEP, Finished

METRICS = """
return [...document.querySelectorAll(".ReactVirtualized__Grid")].map(grid => {
  grid.scrollTop = arguments[0];
  return [...grid.querySelectorAll("[style*=absolute]")].map(cell => [parseInt(cell.style.top), parseInt(cell.style.left), cell.innerText.trim()]);
});
"""
"""Names and numbers, with their places, that the compare page makes of its metrics when they are scrolled so far: those to be seen, and some more."""
STEP, ROW = 600, 60
"""Pixels: fewer than it makes at once, and more than one of them takes."""
ITS_OWN = (
    "/ajax-api/2.0/mlflow/users/current - Failed to load resource: the server responded with a status of 404",  # who the user is: without accounts
    "ResizeObserver loop completed with undelivered notifications",  # its table of runs, as it takes its size
)
"""Complaints of MLflow's own."""
JOBS_FIGURES = ("deviations", "radar", "chord", "couplings")


class Ui:
    """MLflow's pages of one experiment. runs: id of a job's run → its name."""

    def __init__(self, browser: Browser, finished: Finished) -> None:
        client = MlflowClient(tracking_uri=finished.uri)
        self.browser, self.experiment = browser, client.get_experiment_by_name("vat").experiment_id
        found = client.search_runs([self.experiment], "tags.`vat.kind` = 'job'")
        self.metrics = {run.info.run_id: run.data.metrics for run in found}
        self.names = {run.info.run_id: run.info.run_name for run in found}
        self._uri = finished.uri

    def open(self, place: str) -> None:
        """Go to a page of it."""
        self.browser.open(f"{self._uri}/#/{place}", width=1600, height=1100)

    def complaints(self) -> list[str]:
        """Those that may be ours."""
        return [said for said in self.browser.complaints() if not any(own in said for own in ITS_OWN)]


@pytest.fixture
def ui(browser: Browser, finished: Finished) -> Ui:
    return Ui(browser, finished)


def test_the_runs_of_a_sweep_are_listed_below_it(ui: Ui) -> None:
    ui.open(f"experiments/{ui.experiment}/runs")
    ui.browser.until(lambda: SWEEP in ui.browser.one("body").text)
    ui.browser.until(lambda: ui.browser.all(".ag-row button"))[0].click()  # the + before the sweep's name
    ui.browser.until(lambda: all(name in ui.browser.one("body").text for name in ui.names.values()))
    ui.browser.shot("mlflow-runs")
    assert ui.complaints() == []


def scrolled(browser: Browser, top: int, bottom: int) -> Any:
    """Names and numbers, with their places, once the compare page has made those between."""
    height = browser.js("return document.querySelector('.ReactVirtualized__Grid').scrollHeight")

    def there() -> Any:
        found = browser.js(METRICS, top)
        places = [[place for place, *_ in cells] for cells in found]
        return found if all(min(of_one) <= top and max(of_one) + ROW >= min(bottom, height) for of_one in places) else None

    return browser.until(there)


def metrics(browser: Browser) -> dict[str, tuple[int, list[str]]]:
    """What the compare page shows of each metric: how far down, and its numbers run by run."""
    names: dict[int, str] = {}
    numbers: dict[int, dict[int, str]] = {}
    for down in range(0, browser.js("return document.querySelector('.ReactVirtualized__Grid').scrollHeight"), STEP):
        left, right = scrolled(browser, down, down + STEP)
        names |= {top: text for top, _, text in left}
        for top, place, text in right:
            numbers.setdefault(top, {})[place] = text
    return {name: (top, [text for _, text in sorted(numbers[top].items())]) for top, name in names.items()}


def test_the_page_that_compares_runs_shows_their_gain_and_nvat(ui: Ui) -> None:
    runs = list(ui.names)[:2]
    ui.open(f"compare-runs?runs={quote(json.dumps(runs))}&experiments={quote(json.dumps([ui.experiment]))}")
    ui.browser.until(lambda: ui.browser.all(".ReactVirtualized__Grid"))
    shown = metrics(ui.browser)
    for name in ("gain", "nvat", "nvat_null", "nvat_p", "gnd/power"):
        assert [float(text) for text in shown[name][1]] == pytest.approx([ui.metrics[run][name] for run in runs], abs=6e-4), name
    assert all(ui.names[run] in ui.browser.one("body").text for run in runs)
    ui.browser.js("document.querySelector('.ReactVirtualized__Grid').scrollIntoView()")
    scrolled(ui.browser, shown["nvat"][0], shown["nvat"][0] + 200)
    ui.browser.shot("mlflow-compare")
    assert ui.complaints() == []


def test_a_click_on_a_jobs_page_shows_its_figures(ui: Ui) -> None:
    run = next(iter(ui.names))
    ui.open(f"experiments/{ui.experiment}/runs/{run}/artifacts/page.html")
    [frame] = ui.browser.until(lambda: ui.browser.all("iframe.mlflow-html-iframe"))
    assert frame.is_displayed()
    ui.browser.shot("mlflow-artifact")
    ui.browser.driver.switch_to.frame(frame)
    try:
        ui.browser.until(lambda: ui.browser.all("#made"))
        assert ui.names[run] in ui.browser.one("h1").text
        for name in JOBS_FIGURES:
            [svg] = ui.browser.all(f"#figure-{name} svg")
            assert min(svg.rect["width"], svg.rect["height"]) > 100
            texts = ui.browser.texts(svg)
            assert overlapping(texts) == []
            assert outside(svg.rect, texts) == []
            ui.browser.js("arguments[0].scrollIntoView()", svg)
            ui.browser.shot(f"mlflow-artifact-{name}")
    finally:
        ui.browser.driver.switch_to.default_content()
    assert ui.complaints() == []
