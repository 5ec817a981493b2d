"""The page of a real sweep, in a browser without a network: what it shows, and what a person can do with it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pandas as pd
import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.remote.webelement import WebElement

from tests.analyse.test_figures import OF_INTENSITIES
from tests.browser.chromium import Browser, is_seen_whole
from tests.browser.conftest import CONF, SWEEP, Finished

FIGURES = sorted(path.stem for path in (CONF / "figure").glob("*.yaml"))
Column = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def opened(browser: Browser, finished: Finished) -> Browser:
    browser.open((finished.folder / "index.html").as_uri())
    return browser


@pytest.fixture
def fresh(opened: Browser) -> Browser:
    opened.driver.refresh()
    return opened


def head(browser: Browser, name: str) -> WebElement:
    return next(one for one in browser.all("#table2 th button") if one.text == name)


@pytest.fixture
def column(fresh: Browser) -> Column:
    """The cells of Table 2 that are shown, by the name of their column."""

    def cells(name: str) -> list[str]:
        place = [one.text for one in fresh.all("#table2 th button")].index(name)
        return [row.find_elements("css selector", "td")[place].text for row in fresh.all("#table2 tbody tr") if row.is_displayed()]

    return cells


def test_it_opens_without_a_complaint_and_asks_for_nothing_but_itself(opened: Browser, finished: Finished) -> None:
    assert opened.complaints() == []
    asked = opened.asked_for()
    assert [url for url in asked if not url.startswith("data:")] == [(finished.folder / "index.html").as_uri()]
    assert opened.driver.title == opened.one("h1").text == f"Sweep {SWEEP}"
    assert "3 jobs pushed security up and power down of tiny by steering" in opened.one("#summary").text
    assert "its numbers show the plumbing, never a finding" in opened.one(".note").text
    opened.shot("page-top")
    opened.shot("page", opened.one("html"))


@pytest.mark.parametrize("name", sorted(set(FIGURES) - OF_INTENSITIES))
def test_a_figure_is_seen_whole_and_no_label_lies_on_another(name: str, opened: Browser, finished: Finished) -> None:
    is_seen_whole(name, opened, pd.read_csv(finished.folder / "figures" / f"{name}.csv"))


@pytest.mark.parametrize("name", sorted(OF_INTENSITIES))
def test_what_there_is_nothing_for_says_what_it_needs(name: str, opened: Browser) -> None:
    figure = opened.one(f"#figure-{name}")
    assert not figure.find_elements("css selector", "svg")
    assert "a job with" in figure.text


def test_a_click_on_a_head_sorts_numbers_as_numbers_and_words_as_words_both_ways(fresh: Browser, column: Column) -> None:
    for name in ("gain", "nvat", "beyond", "shots"):
        before = column(name)
        size = {text: float(re.findall(r"[-+]?[\d.]+", text)[0]) for text in before}
        for way in ("ascending", "descending"):
            head(fresh, name).click()
            assert [size[text] for text in column(name)] == sorted((size[text] for text in before), reverse=way == "descending"), name
            assert head(fresh, name).find_element("xpath", "..").get_attribute("aria-sort") == way
    for name in ("value", "job"):
        head(fresh, name).click()
        assert column(name) == sorted(column(name)), "also where a word begins with a digit"
    assert len(fresh.all("#table2 th[aria-sort]")) == 1


def test_a_filter_leaves_the_rows_that_contain_all_of_its_words(fresh: Browser, column: Column) -> None:
    field = fresh.one("input[data-filter=table2]")
    field.send_keys("POWER steering")
    assert column("value") == ["power", "power"]
    assert fresh.one("[data-count=table2]").text == "2 of 3 rows"
    field.send_keys(" nothing")
    assert column("value") == []
    field.clear()
    field.send_keys(" ")
    assert len(column("value")) == 3


def test_who_points_at_a_mark_reads_its_numbers(fresh: Browser, finished: Finished) -> None:
    data = pd.read_csv(finished.folder / "figures" / "stability.csv")
    tip, marks = fresh.one("#tip"), fresh.all("#figure-stability .tip")
    assert not tip.is_displayed()
    assert len(marks) == len(data)
    for mark, row in zip(marks, data.itertuples(), strict=True):
        ActionChains(fresh.driver).move_to_element(mark).perform()
        assert tip.is_displayed()
        assert f"{row.nvat:.3f} ± {row.std:.3f}, by chance {row.chance:.3f}" in tip.text
    ActionChains(fresh.driver).move_to_element(fresh.one("h1")).perform()
    assert not tip.is_displayed()


def test_what_is_saved_as_csv_are_the_rows_that_are_shown(fresh: Browser, column: Column) -> None:
    fresh.one("input[data-filter=table2]").send_keys("security")
    shown = [column(name) for name in ("value", "gain", "beyond")]
    saved = list(csv.DictReader(io.StringIO(fresh.saved("table2.csv", fresh.one("[data-csv=table2]")).read_text(encoding="utf-8"))))
    assert [[row[name] for row in saved] for name in ("value", "gain", "beyond")] == shown
    assert len(saved) == 1


def test_what_is_saved_as_svg_is_the_figure(fresh: Browser, finished: Finished) -> None:
    root = ElementTree.parse(fresh.saved("radar-1.svg", fresh.one("[data-svg=radar]"))).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = {"".join(text.itertext()).strip() for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"self-direction", "power", "4 shots"} <= texts


def test_a_narrow_window_scrolls_no_page_sideways_and_squeezes_no_figure(opened: Browser) -> None:
    opened.resize(400)
    try:
        opened.shot("narrow", opened.one("html"))
        assert opened.js("return document.documentElement.scrollWidth") == 400
        for svg in opened.all("figure svg"):
            assert svg.rect["width"] == pytest.approx(float(svg.get_attribute("width")), abs=1), "its text stays as large as it was"
    finally:
        opened.resize(1280)


SHEET = 19 * 96 / 2.54 + 1
"""Pixels that a sheet leaves for a figure above its caption."""
FITS = "const part = arguments[0]; return part.scrollWidth <= part.clientWidth + 1 && part.scrollHeight <= part.clientHeight + 1;"


def test_it_is_printed_whole(opened: Browser, finished: Finished) -> None:
    sheets = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", opened.printed("page").read_bytes())
    assert {float(width) > float(height) for width, height in sheets} == {True, False}, "tables on their side, figures upright"
    with opened.printing():
        assert max(svg.rect["height"] for svg in opened.all("figure svg")) <= SHEET, "no figure is cut in two"
        tables = opened.all(".table")
        names = {table.find_element("css selector", "table").get_attribute("id") for table in tables}
        assert names == {path.stem for path in (finished.folder / "tables").glob("*.csv")}, "whatever is exported"
        assert all(opened.js(FITS, table) for table in tables), "nothing of them is behind a scroll bar"
        assert [one for one in opened.all("nav, .tools, button.save, #tip") if one.is_displayed()] == []
