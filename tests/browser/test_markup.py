"""Names with markup in them, wherever a name can stand on the page: shown as they are, and nothing of them runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.chromium import Browser
from tests.browser.conftest import Finished
from tests.browser.studies import page, varied
from vat.analyse.figures.base import drawn
from vat.analyse.style import Look

FIGURES = ("radar", "couplings", "stability", "deviations", "trajectories")
NASTY = """</title></script><script>window.ran = 1</script><img src=x onerror="window.ran = 1"> & "quoted" 'too' ]]> &lt;"""
SETTINGS = """strategy.name="><svg onload='window.ran = 1'>"""
ACTION = {"item": NASTY, "polarity": 1, "action": NASTY, "rating_before": 2, "rating": None}
CASE = {"scene_id": NASTY, "scene": NASTY, "value": "power", "pre": -0.5, "post": 0.5, "amplification": 3.0, "before": NASTY, "after": NASTY,
        "actions": [ACTION]}  # fmt: skip


@pytest.fixture(scope="module")
def opened(browser: Browser, finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    study = varied(finished.one, [{"model": NASTY, "note": NASTY, "settings": SETTINGS}, {"model": "plain", "strategy": "placebo", "replicate": 1}])
    study.numbers.loc[(study.numbers["job"] == study.jobs.index[1]) & (study.numbers["statistic"] == "nvat"), "estimate"] = None
    figures = [drawn(name, figure, study, Look.of(study)) for name, figure in finished.figures.items() if name in FIGURES]
    file: Path = tmp_path_factory.mktemp("markup") / "index.html"
    cases = [{"name": NASTY, "rule": NASTY, "question": NASTY, "cases": [CASE]}]
    file.write_text(page(study, figures, NASTY, cases), encoding="utf-8")
    browser.open(file.as_uri())
    return browser


def test_nothing_in_a_name_runs(opened: Browser) -> None:
    opened.shot("markup", opened.one("html"))
    assert opened.js("return window.ran ?? null") is None
    assert opened.complaints() == []
    assert len(opened.all("script")) == 1
    assert opened.all("img") == []


def test_names_are_shown_as_they_are(opened: Browser) -> None:
    opened.js("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert opened.driver.title == opened.one("h1").text == NASTY
    assert opened.all(".note")[0].text == NASTY
    rows = [[cell.text for cell in row.find_elements("css selector", "td")] for row in opened.all("#table2 tbody tr")]
    assert {row[0] for row in rows} == {NASTY, "plain"}
    assert {row[6] for row in rows} == {"", SETTINGS}
    assert opened.one("#cases h3").text == NASTY
    assert [one.text for one in opened.all("#cases blockquote")] == [NASTY, NASTY]
    assert opened.all("#cases article > p")[0].text == f"{NASTY} — {NASTY}"
    assert [one.text for one in opened.all("#cases td")] == [NASTY, "supports", NASTY, "2", "–"]
    told = [opened.js("return arguments[0].dataset.tip", mark) for mark in opened.all("#figure-deviations .tip")]
    assert any(SETTINGS in tip for tip in told)


def test_a_figure_bears_the_name_in_its_title(opened: Browser) -> None:
    for name in ("radar", "couplings", "stability"):
        said = "".join(text.words for text in opened.texts(opened.one(f"#figure-{name} svg"))).replace(" ", "")
        assert NASTY[:60].replace(" ", "") in said


def test_what_is_not_defined_stays_below_whichever_way_a_column_is_sorted(opened: Browser) -> None:
    [place] = [n for n, one in enumerate(opened.all("#table2 th button")) if one.text == "nvat"]
    for _ in range(2):
        opened.all("#table2 th button")[place].click()
        cells = [row.find_elements("css selector", "td")[place].text for row in opened.all("#table2 tbody tr")]
        assert cells[-1] == "–"
        assert float(cells[0]) > 0


def test_before_it_is_printed_all_that_was_folded_is_unfolded(opened: Browser) -> None:
    opened.driver.refresh()
    folded = opened.all("details:not([open])")
    assert folded
    opened.printed("markup")
    assert opened.all("details:not([open])") == []
    assert all(one.find_element("css selector", ":scope > :last-child").is_displayed() for one in folded)
