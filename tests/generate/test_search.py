"""The search for a prompt, with models whose texts are as good as their instructions: both optimisers find better ones, on matched budgets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.elicit.desks import Speaker, desk_of, scripted, scripted_desk
from vat.errors import BackendError, OverBudget
from vat.generate import search
from vat.generate.bulk import SAMPLE
from vat.generate.judges import Judges
from vat.generate.languages import language
from vat.generate.plan import SUPPORTS, VIOLATES, given_of_action
from vat.generate.prompts import base_prompt, words
from vat.generate.recipe import SearchSettings
from vat.generate.scoring import ActionScorer, SceneScorer, mean_of
from vat.generate.search import BASE, FEW, ZERO, Chosen, Task, searched, steps_of
from vat.generate.writers import TRIES
from vat.theory.schwartz import SCHWARTZ
from vat.types import Prompt

ENGLISH = language("English")
ITEMS = ["equality", "freedom"]
PAIRS = [("United States", "Work Orientation"), ("India", "Family & Changing Gender Roles"), ("Germany", "Politics"), ("Pakistan", "Religion")]
SEARCH = SearchSettings(trials=8, depth=3, examples=3, threads=8, finalists=2, fresh=24, temperature=1.0)
JUDGES = ["judge first", "judge second"]


def scene_task(desk: object) -> Task:
    examples = {(one["country"], one["topic"]): one["scene"] for one in words()["examples"]}
    development = [({"country": country, "topic": topic}, examples[country, topic]) for country, topic in PAIRS]
    fresh = [
        {"country": country, "topic": topic} for country in ("Egypt", "France", "Canada", "Uganda") for topic in ("Politics", "Religion", "Work")
    ] * 2
    scorer = SceneScorer(desk, Judges(desk, JUDGES, "English"), ENGLISH, SCHWARTZ, ITEMS)  # type: ignore[arg-type]
    return Task(base_prompt("scene", "English"), development, fresh, scorer, "writer", 300)


def action_task(desk: object) -> Task:
    def givens(scenes: int, first: int) -> list[dict[str, str]]:
        return [
            given_of_action(f"It is the {first + n}th meeting in the hall.", item, polarity, SCHWARTZ)
            for n in range(scenes) for item in ITEMS for polarity in (SUPPORTS, VIOLATES)
        ]  # fmt: skip

    scorer = ActionScorer(Judges(desk, JUDGES, "English"), ENGLISH)  # type: ignore[arg-type]
    return Task(base_prompt("action", "English"), [(given, None) for given in givens(4, 1)], givens(6, 50), scorer, "writer", 150)


class Ended(NamedTuple):
    task: Task
    chosen: Chosen


@pytest.fixture(scope="module", params=[scene_task, action_task], ids=["scenes", "actions"])
def ended(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    folder = tmp_path_factory.mktemp("search")
    desk = scripted_desk(folder)
    task = request.param(desk)
    chosen = searched(task, SEARCH, desk, seed=0)
    desk.close()
    return Ended(task, chosen)


def finals(chosen: Chosen, source: str) -> list[tuple[float, float, int]]:
    return [mean_of(candidate.final) for candidate in chosen.candidates if candidate.source == source and candidate.final]


def test_both_optimisers_find_a_prompt_that_is_better_than_the_first_on_fresh_samples(ended: Ended) -> None:
    [(first, error, n)] = finals(ended.chosen, BASE)
    assert n == SEARCH.fresh
    for source in (FEW, ZERO):
        found = finals(ended.chosen, source)
        assert len(found) == SEARCH.finalists
        assert max(mean for mean, _, _ in found) > first + 3 * error, source


def test_few_shot_brings_examples_and_zero_shot_none(ended: Ended) -> None:
    assert any(candidate.prompt.examples for candidate in ended.chosen.candidates if candidate.source == FEW)
    assert not any(candidate.prompt.examples for candidate in ended.chosen.candidates if candidate.source == ZERO)
    assert max(len(candidate.prompt.examples) for candidate in ended.chosen.candidates) <= SEARCH.examples


def test_budgets_are_matched_and_about_what_was_announced(ended: Ended) -> None:
    few, zero = (ended.chosen.budgets[source] for source in (FEW, ZERO))
    assert 0.75 < zero / few < 1.34
    told = steps_of(SEARCH, len(ended.task.development), SEARCH.fresh)
    assert 0.6 < (few + zero + 5 * SEARCH.fresh) / told < 1.5


def test_what_is_chosen_is_the_best_of_the_final_and_every_candidate_is_told_with_its_score(ended: Ended) -> None:
    told = ended.chosen.to_json({})
    last = {row["prompt"]["digest"]: row["final"]["mean"] for row in told["candidates"] if row["final"]["texts"]}
    [best] = [row["prompt"]["digest"] for row in told["candidates"] if row["chosen"]]
    assert last[best] == max(last.values())
    assert best == ended.chosen.prompt.digest
    assert all(row["search"]["texts"] for row in told["candidates"])
    assert len({row["prompt"]["digest"] for row in told["candidates"]}) == len(told["candidates"]) > 6


def test_a_text_that_breaks_a_rule_scores_zero_and_is_kept(ended: Ended) -> None:
    assert ended.chosen.violations
    assert all(row["faults"] and row["text"] for row in ended.chosen.violations)
    [scored] = ended.task.scorer([ended.task.fresh[0]], [ended.chosen.violations[0]["text"]])
    assert (scored.score, scored.by_judge) == (0.0, ())


def test_the_same_search_again_asks_nothing_and_ends_the_same_whatever_the_threads(ended: Ended, tmp_path: Path) -> None:
    desk = scripted_desk(tmp_path)
    make = scene_task if ended.task.start.kind == "scene" else action_task
    one = searched(make(desk), replace(SEARCH, threads=1), desk, seed=0)
    desk.close()
    assert one.to_json({}) == ended.chosen.to_json({})
    before = desk.account()
    again = scripted_desk(tmp_path)
    assert searched(make(again), SEARCH, again, seed=0).to_json({}) == one.to_json({})
    again.close()
    assert again.account() == before


def test_an_empty_text_scores_zero_like_any_other_that_breaks_a_rule(tmp_path: Path) -> None:
    mute = Speaker(lambda prompt: "" if "freedom" in prompt.messages[-1].content else "I sign the list in the hall.")
    desk = desk_of(tmp_path, {role: scripted() for role in ("probe", "proposer", *JUDGES)} | {"writer": mute})
    chosen = searched(action_task(desk), replace(SEARCH, trials=2, depth=1, fresh=2), desk, seed=0)
    scores = [score for candidate in chosen.candidates for score in candidate.searched]
    assert len(scores) == sum(chosen.budgets.values()) > 50
    assert 0.3 < scores.count(0.0) / len(scores) < 0.7
    assert len([row for row in chosen.violations if row["text"] == ""]) >= scores.count(0.0)


@pytest.mark.parametrize("proposes", [True, False])
def test_a_model_of_which_nothing_can_be_used_is_not_asked_for_a_whole_search(proposes: bool, tmp_path: Path) -> None:
    refuses = Speaker(lambda prompt: "I'm sorry, but I can't help with that.")
    desk = desk_of(
        tmp_path, {role: scripted() for role in ("probe", "proposer", *JUDGES)} | {"writer": refuses} | ({} if proposes else {"proposer": refuses})
    )
    with pytest.raises(
        BackendError, match=r"^model: must write actions that keep to the rules; got none in \d+ \(\d+ refusals\), e\.g\. \"I'm sorry"
    ) as caught:
        searched(action_task(desk), replace(SEARCH, trials=12), desk, seed=0)
    assert "\n" not in str(caught.value)
    assert len(refuses.asked) < SAMPLE + SEARCH.threads + TRIES


def test_optimisers_are_told_every_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    metric = search._Book.metric

    def listening(book, example, prediction, trace=None):  # type: ignore[no-untyped-def]
        told.append(metric(book, example, prediction, trace))
        return told[-1]

    monkeypatch.setattr(search._Book, "metric", listening)
    desk = scripted_desk(tmp_path)
    chosen = searched(action_task(desk), replace(SEARCH, trials=2, depth=1, fresh=2), desk, seed=0)
    scores = sorted(score / 100 for candidate in chosen.candidates for score in candidate.searched)
    assert sorted(told) == pytest.approx(scores)
    assert len({round(score, 3) for score in told}) > 5


def test_what_ends_the_work_comes_through_dspy_and_is_no_score_of_zero(tmp_path: Path) -> None:
    def fails(prompt: Prompt) -> str:
        raise BackendError("model m: is gone. Start it.")

    models = {"writer": scripted(), "probe": scripted(), "proposer": scripted(), "judge first": Speaker(fails), "judge second": scripted(0.6)}
    desk = desk_of(tmp_path, models)
    with pytest.raises(BackendError, match=r"^model m: is gone"):
        searched(action_task(desk), SEARCH, desk, seed=0)
    dear = desk_of(tmp_path / "b", models | {"judge first": Speaker(lambda prompt: '{"a": 1}')}, limit_usd=1e-6)
    with pytest.raises(OverBudget, match="max_cost_usd"):
        searched(action_task(dear), SEARCH, dear, seed=0)


def test_a_model_that_proposes_nothing_readable_is_named(tmp_path: Path) -> None:
    models = {role: scripted() for role in ("writer", "probe", *JUDGES)} | {"proposer": Speaker(lambda prompt: "No.")}
    desk = desk_of(tmp_path, models)
    with pytest.raises(BackendError, match="search: the model must propose instructions that can be read"):
        searched(action_task(desk), SEARCH, desk, seed=0)


def test_a_judge_that_cannot_be_read_ends_a_search_at_once(tmp_path: Path) -> None:
    talks = Speaker(lambda prompt: "A fine action.")
    desk = desk_of(tmp_path, {role: scripted() for role in ("writer", "proposer", JUDGES[0])} | {JUDGES[1]: talks})
    with pytest.raises(BackendError, match=r"^judge second: must reply with the JSON that it is asked for; got 'A fine action\.' and"):
        searched(action_task(desk), SEARCH, desk, seed=0)
    assert len(talks.asked) < 100


def test_nothing_of_dspy_is_printed(ended: Ended, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    desk = scripted_desk(tmp_path)
    searched(action_task(desk), replace(SEARCH, trials=2, depth=1, fresh=2), desk, seed=0)
    assert capfd.readouterr() == ("", "")
