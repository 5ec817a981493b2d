"""The recipe of a dataset, its plan, and what it is set up with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.elicit.desks import scripted
from vat.config_texts import DatasetSpec
from vat.errors import ConfigError
from vat.generate.plan import plan_of
from vat.generate.prompts import base_prompt
from vat.generate.recipe import Recipe, SearchSettings
from vat.programs.dataset_setup import PAPER_PAIRS, set_up
from vat.theory.file import TheoryFile
from vat.theory.schwartz import SCHWARTZ
from vat.track.settings import Tracking

CONF = Path(__file__).parents[2] / "conf"


def settings_of(path: str) -> dict[str, object]:
    tree = yaml.safe_load((CONF / path).read_text())
    return {key: value for key, value in tree.items() if key != "_target_"}


PAPER = Recipe(**settings_of("recipe/paper.yaml"))  # type: ignore[arg-type]
SEARCH = SearchSettings(**settings_of("prompt_search/matched.yaml"))  # type: ignore[arg-type]


def spec_of(tmp_path: Path, recipe: Recipe = PAPER) -> DatasetSpec:
    judges = {"first": scripted(), "second": scripted(0.6)}
    return DatasetSpec(
        name="values", theory=TheoryFile(**settings_of("theory/schwartz.yaml")), model=scripted(), judges=judges, recipe=recipe, search=SEARCH,  # type: ignore[arg-type]
        max_cost_usd=None, dry_run=False, tracking=Tracking(root=str(tmp_path), uri=None, experiment="vat"),
    )  # fmt: skip


def test_the_papers_recipe_makes_the_papers_numbers() -> None:
    plan = plan_of(PAPER.countries, PAPER.topics, PAPER.scenes_per_pair, SCHWARTZ)
    actions = plan.actions([slot.id for slot in plan.scenes])
    assert (len(plan.scenes), len(actions)) == (264, 29_568)
    assert len({slot.id for slot in plan.scenes}) == 264
    assert len({slot.id for slot in actions}) == 29_568


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"countries": []}, "data.countries: must be at least one name; got none"),
        ({"countries": ["Chile", "Chile", "Peru"]}, "data.countries: a name stands once; got 'Chile' 2 times"),
        ({"countries": ["Chile/North"]}, "data.countries: a name is text without a slash .* got 'Chile/North'"),
        ({"topics": [" Work"]}, "data.topics: a name is text without a slash and without spaces around it; got ' Work'"),
        ({"topics": ["", "Work"]}, "data.topics: a name is text"),
        ({"diagnostic_items": ["equalty"]}, "data.diagnostic_items: must be items of theory schwartz; got 'equalty'. Did you mean equality"),
        ({"diagnostic_items": []}, "data.diagnostic_items: must be at least one"),
        ({"diagnostic_pairs": [("Chile", "Religion"), ("India", "Religion")]}, "got 'Chile', none of data.countries"),
        ({"diagnostic_pairs": [("India", "Religion")]}, "data.diagnostic_pairs: must be at least two"),
        ({"countries": ["Chile"], "topics": ["Work"]}, "needs at least 4 scenes"),
        ({"language": "Klingon"}, "Klingon"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(PAPER, **changes).checked(SCHWARTZ)  # type: ignore[arg-type]


def test_all_faults_are_told_together() -> None:
    with pytest.raises(ConfigError) as caught:
        replace(PAPER, countries=["a/b"], topics=[], diagnostic_items=["x"]).checked(SCHWARTZ)
    assert len(str(caught.value).splitlines()) >= 4


def test_pairs_are_spread_and_others_than_those_that_are_used(tmp_path: Path) -> None:
    pairs = PAPER.pairs(24, seed=1, without=PAPER_PAIRS)
    assert not {*pairs} & {*PAPER_PAIRS}
    assert len({*pairs}) == 24
    assert all(sum(country == name for country, _ in pairs) == 2 for name in PAPER.countries)
    few = replace(PAPER, countries=["Chile", "Peru"], topics=["Work", "Sport"])
    assert len(few.pairs(10, seed=0)) == 10
    assert {*few.pairs(10, seed=0, without=tuple(few.pairs(4, seed=0)))} <= {*few.pairs(4, seed=0)}, "there are no others"


def test_prompts_are_tried_on_the_papers_pairs_where_they_are_among_yours_and_on_drawn_ones_elsewhere(tmp_path: Path) -> None:
    assert set_up(spec_of(tmp_path)).pairs == PAPER_PAIRS
    mine = replace(PAPER, countries=["Chile", "Peru"], topics=["Work", "Sport"])
    assert len(set_up(spec_of(tmp_path, mine)).pairs) == 4
    given = replace(PAPER, diagnostic_pairs=[("India", "Religion"), ("Egypt", "Politics")])
    assert set_up(spec_of(tmp_path, given)).pairs == (("India", "Religion"), ("Egypt", "Politics"))


def test_a_dataset_is_what_determines_it_and_nothing_else(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    here = set_up(spec).identity
    json.dumps(here)
    for other in (
        replace(spec, recipe=replace(PAPER, temperature=0.5)), replace(spec, recipe=replace(PAPER, tries=2)), replace(spec, model=scripted(0.7)),
        replace(spec, judges={"first": scripted()}), replace(spec, search=replace(SEARCH, trials=5)), replace(spec, recipe=replace(PAPER, seed=1)),
    ):  # fmt: skip
        assert set_up(other).identity != here
    for same in (
        replace(spec, search=replace(SEARCH, threads=1)),
        replace(spec, max_cost_usd=3.0),
        replace(spec, recipe=replace(PAPER, license="mit")),
    ):
        assert set_up(same).identity == here


def test_with_given_prompts_nobody_judges(tmp_path: Path) -> None:
    for kind in ("scene", "action"):
        (tmp_path / f"{kind}.json").write_text(json.dumps(base_prompt(kind, "English").to_json()))  # type: ignore[arg-type]
    scene = replace(PAPER, scene_prompt=str(tmp_path / "scene.json"))
    assert list(set_up(spec_of(tmp_path, scene)).models) == ["writer", "proposer", "judge first", "judge second"]
    both = replace(scene, action_prompt=str(tmp_path / "action.json"))
    setup = set_up(spec_of(tmp_path, both))
    assert list(setup.models) == ["writer"]
    assert "search" not in setup.identity
    with pytest.raises(ConfigError, match=r"data.scene_prompt: must be a file.*\n?.*"):
        set_up(spec_of(tmp_path, replace(PAPER, scene_prompt="nowhere.json")))


def test_prompts_are_tried_with_the_papers_items_or_with_one_of_four_values_of_another_theory() -> None:
    assert PAPER.items(SCHWARTZ) == ["equality", "social power", "respect for tradition", "freedom"]
    for name in ("svt", "mft", "duty", "rights"):
        theory = TheoryFile(path=name).load()
        found = PAPER.items(theory)
        assert len({theory.value_of[item] for item in found}) == len(found) >= 3
    assert replace(PAPER, diagnostic_items=["honest"]).items(SCHWARTZ) == ["honest"]
