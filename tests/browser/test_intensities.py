"""Figures of intensities, and of scores, on pages in a browser."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.analyse.planted import steered_study
from tests.analyse.test_figures import OF_INTENSITIES, figure
from tests.browser.chromium import Browser, is_seen_whole
from tests.browser.studies import page
from vat.analyse.figures.base import drawn
from vat.analyse.style import Look


@pytest.fixture(scope="module")
def shown(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Browser, dict[str, pd.DataFrame]]:
    """A page of jobs whose intensities are known; the numbers of its figures."""
    place: Path = tmp_path_factory.mktemp("steered")
    study = steered_study(place)
    figures = [drawn(name, figure(name), study, Look.of(study)) for name in sorted(OF_INTENSITIES)]
    (place / "index.html").write_text(page(study, figures, "Steered"))
    browser.open((place / "index.html").as_uri())
    return browser, {one.name: one.data for one in figures}


@pytest.mark.parametrize("name", sorted(OF_INTENSITIES))
def test_a_figure_is_seen_whole_and_no_label_lies_on_another(name: str, shown: tuple[Browser, dict[str, pd.DataFrame]]) -> None:
    browser, data = shown
    is_seen_whole(name, browser, data[name])
    assert browser.complaints() == []
