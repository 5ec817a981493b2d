"""The page as a text: whole, of itself, and with everything from runs escaped. tests/browser/ opens it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from vat.analyse.figures.base import drawn
from vat.analyse.figures.chord import Chord
from vat.analyse.figures.hubs import Hubs
from vat.analyse.page import how_it_was_made, page_of
from vat.analyse.study import Study
from vat.analyse.style import Look
from vat.analyse.tables import jobs_table, robustness, table2

EVIL = '<script>alert("1")</script>&</title>'
CASE = {
    "scene_id": EVIL, "scene": EVIL, "value": "self_direction", "pre": 0.1, "post": -0.6, "amplification": 1.7, "before": EVIL, "after": "b",
    "actions": [{"item": EVIL, "polarity": -1, "action": EVIL, "rating_before": None, "rating": 4.0}],
}  # fmt: skip


class Tags(HTMLParser):
    """What a browser would see."""

    void = frozenset({"meta", "input", "br", "path", "use"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(study: Study) -> str:
    evil = replace(study, jobs=study.jobs.assign(model=EVIL, note=EVIL))
    look = Look.of(evil)
    bare = replace(evil, numbers=evil.numbers[evil.numbers["statistic"] != "amplification"])
    figures = [drawn("chord", Chord(panels=2, level=0.05), evil, look), drawn("hubs", Hubs(panels=2), bare, look)]
    cases = [{"name": EVIL, "rule": "By rule.", "question": "What do you do?", "cases": [CASE]}]
    return page_of(
        evil, title=EVIL, summary=[EVIL], tables=[table2(evil), robustness(evil)], figures=figures, cases=cases,
        how_it_was_made=how_it_was_made(evil), made_tables=[jobs_table(evil)],
    )  # fmt: skip


def test_nothing_from_a_run_becomes_markup_and_all_of_it_is_shown(page: str) -> None:
    assert EVIL not in page
    assert page.count("<script>") == 1, "our own"
    assert page.count("&lt;script&gt;alert(") > 10
    tags = Tags(page)
    assert tags.open == []
    assert not [name for name, attributes in tags.seen for key in attributes if key.startswith("on")], "no handlers in markup"


def test_the_page_needs_no_other_file(page: str) -> None:
    tags = Tags(page)
    for _, attributes in tags.seen:
        for name in ("src", "href", "xlink:href", "data"):
            assert (attributes.get(name) or "#").startswith("#"), attributes
    assert not re.search(r"@import|url\((?!#)", page)
    assert "<link" not in page


def test_every_table_figure_and_case_is_there_with_further_pages_and_what_is_not_drawn_says_so(page: str, study: Study) -> None:
    for name in ("table2", "robustness", "jobs"):
        assert f'<table id="{name}">' in page
    assert page.count("<svg") == 2
    assert "More panels: 2 of 2 pages" in page
    assert f"Not drawn: it needs {Hubs.needs}." in page
    assert page.count(f"<td>{study.jobs.index[0]}</td>") == 3
    assert "self-direction went from +0.10 to -0.60, 1.7 times the target" in page
    assert re.search(r'class="n">–</td><td class="n">4', page), "an answer that is missing is a dash"


def test_a_page_without_case_studies_tells_how_to_make_them(study: Study) -> None:
    bare = page_of(study, title="t", summary=[], tables=[], figures=[], cases=[], how_it_was_made={})
    assert "python launch.py -cn cases run=&lt;job&gt;" in bare
    assert "Case studies" not in page_of(study, title="t", summary=[], tables=[], figures=[], cases=None, how_it_was_made={})


def test_how_it_was_made_names_theory_data_versions_and_cost(study: Study) -> None:
    made = how_it_was_made(study)
    assert made["Theory"].startswith("schwartz: Schwartz (1992)")
    assert made["Data"] == f"planted, 48 test scenes; digest {'0' * 64}"
    assert made["Versions"] == "vat 0.1.0"
    assert "Pushed" not in made, "strategies without settings"
    assert made["Took"] == "15 s of jobs' time; tokens read 7,200; cost usd 1.5"
    assert made["Models"] == "m r; other r"


def test_how_it_was_made_names_the_settings_of_each_strategy_and_of_the_measures(study: Study) -> None:
    trained = study.jobs["strategy"] == "sft"
    given = {"strategy.steps": trained.map({True: "60", False: None}), "measure.tax.n_perm": ["99", *["999"] * (len(study.jobs) - 1)]}
    made = how_it_was_made(replace(study, jobs=study.jobs.assign(**given)))
    assert made["Pushed"] == "sft: steps 60"
    assert made["Measured"] == "tax.n_perm 99 or 999"
