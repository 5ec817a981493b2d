"""Two hundred jobs in one report: it is drawn in bearable time, on several pages, and its labels stay apart."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.browser.chromium import Browser, outside, overlapping
from tests.browser.conftest import CONF, Finished
from tests.browser.studies import page, varied
from vat.analyse.figures.base import Drawn, drawn
from vat.analyse.style import Look

FIGURES = sorted(path.stem for path in (CONF / "figure").glob("*.yaml"))
MODEL = "/data/models/mistralai/Mistral-7B-Instruct-v0.3-of-our-own"
LONG_SETTINGS = "strategy.learning_rate=0.0003 strategy.lora={'r': 16, 'lora_alpha': 32, 'target_modu"
MOST_S = 120


class Many(NamedTuple):
    """The figures of a study of 200 jobs, the processor time that they took, and a browser that shows them."""

    figures: dict[str, Drawn]
    took_s: dict[str, float]
    browser: Browser


@pytest.fixture(scope="module")
def many(browser: Browser, finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Many:
    one = finished.one
    cells = itertools.product(one.theory.values, (("steering", ""), ("placebo", LONG_SETTINGS)), range(1, 6), range(2))
    jobs = [
        {"model": MODEL, "value": value, "direction": 1, "strategy": strategy, "settings": settings, "shots": 2**dose, "replicate": replicate}
        for value, (strategy, settings), dose, replicate in cells
    ]
    study, figures, took_s = varied(one, jobs), {}, {}
    for name, figure in finished.figures.items():
        began = time.process_time()
        figures[name] = drawn(name, figure, study, Look.of(study))
        took_s[name] = time.process_time() - began
    file: Path = tmp_path_factory.mktemp("many") / "index.html"
    file.write_text(page(study, list(figures.values()), "Many"), encoding="utf-8")
    browser.open(file.as_uri())
    assert len(study.points) == 200
    return Many(figures, took_s, browser)


def test_all_figures_together_take_less_than_two_minutes_of_a_processor(many: Many) -> None:
    print({name: round(s, 1) for name, s in many.took_s.items()}, f"{sum(many.took_s.values()):.0f} s in all")
    assert sum(many.took_s.values()) < MOST_S, many.took_s


@pytest.mark.parametrize("name", FIGURES)
def test_panels_go_on_on_further_pages_and_no_label_lies_on_another(name: str, many: Many) -> None:
    drawn_one, browser = many.figures[name], many.browser
    browser.js("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    pages = browser.all(f"#figure-{name} svg")
    assert len(pages) == len(drawn_one.pages) == -(-drawn_one.data["panel"].nunique() // drawn_one.figure.panels)
    for n in sorted({0, len(pages) - 1}) if pages else ():  # no answers of the only job were scored
        browser.shot(f"many-{name}-{n + 1}-of-{len(pages)}", pages[n])
        texts = browser.texts(pages[n])
        assert overlapping(texts) == []
        assert outside(pages[n].rect, texts) == []


def test_the_page_opens_without_a_complaint(many: Many) -> None:
    assert many.browser.complaints() == []
    assert len(many.browser.all("#table2 tbody tr")) == 200
