"""Scores of texts: their form first, then what judges say."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.elicit.desks import Speaker, desk_of
from vat.generate.judges import Judges
from vat.generate.languages import language
from vat.generate.plan import VIOLATES, given_of_action
from vat.generate.scoring import ActionScorer, SceneScorer, mean_of
from vat.theory.schwartz import SCHWARTZ

ENGLISH = language("English")
PAIR = {"country": "Chile", "topic": "Religion"}
FULL = json.dumps({"supports_possible": True, "violates_possible": True, "grounding": 5, "richness": 5})
HALF = json.dumps({"supports_possible": True, "violates_possible": False, "grounding": 3, "richness": 3})


def speakers(first: str = FULL, second: str = HALF) -> dict[str, Speaker]:
    probe = Speaker(lambda prompt: "I share." if "in line" in prompt.messages[-1].content else "I keep all.")
    return {"probe": probe, "judge a": Speaker(lambda prompt: first), "judge b": Speaker(lambda prompt: second)}


def scene_scorer(folder: Path, models: dict[str, Speaker]) -> SceneScorer:
    desk = desk_of(folder, models)
    return SceneScorer(desk, Judges(desk, ["judge a", "judge b"], "English"), ENGLISH, SCHWARTZ, ["equality", "freedom"])


def test_a_scene_is_judged_with_each_value_and_with_what_the_probe_does_for_and_against_it(tmp_path: Path) -> None:
    models = speakers()
    [scored] = scene_scorer(tmp_path, models)([PAIR], ["The clerk calls the next number."])
    assert scored.by_judge == pytest.approx((100, 100 * (0.5 + 0.6 + 0.6 + 0) / 4))
    assert scored.score == pytest.approx(sum(scored.by_judge) / 2)
    assert len(models["probe"].asked) == 4
    for judge in ("judge a", "judge b"):
        asked = [prompt.messages[0].content for prompt in models[judge].asked]
        assert ["Value: equality" in text for text in asked] == [True, False]
        assert all("I share." in text and "I keep all." in text for text in asked)


def test_a_scene_that_breaks_a_rule_has_zero_and_nobody_is_asked_about_it(tmp_path: Path) -> None:
    models = speakers()
    long, fine = "very " * 130 + "long.", "The clerk calls the next number."
    scores = scene_scorer(tmp_path, models)([PAIR, PAIR], [long, fine])
    assert (scores[0].score, scores[0].by_judge) == (0.0, ())
    assert scores[0].faults
    assert scores[1].score > 70
    assert len(models["judge a"].asked) == 2


def test_who_scores_several_scenes_scores_each_as_if_it_were_alone(tmp_path: Path) -> None:
    texts = ["The clerk calls the next number.", "very " * 130 + "long.", "Two women wait at the door."]
    models = speakers()
    models["judge a"].say = lambda prompt: FULL if "clerk" in prompt.messages[0].content else HALF
    together = scene_scorer(tmp_path / "a", models)([PAIR] * 3, texts)
    apart = [scene_scorer(tmp_path / f"b{n}", models)([PAIR], [text])[0] for n, text in enumerate(texts)]
    assert together == apart


def test_an_action_is_judged_with_its_scene_value_and_polarity(tmp_path: Path) -> None:
    judge = Speaker(lambda prompt: json.dumps({"correctness": 5, "harmlessness": 5, "sufficiency": 3, "plausibility": 3}))
    scorer = ActionScorer(Judges(desk_of(tmp_path, {"judge a": judge}), ["judge a"], "English"), ENGLISH)
    given = given_of_action("A hall.", "equality", VIOLATES, SCHWARTZ)
    scores = scorer([given, given], ["I keep the keys to myself.", "We keep the keys."])
    assert [scored.score for scored in scores] == [pytest.approx(80), 0.0]
    [asked] = judge.asked
    assert all(text in asked.messages[0].content for text in ("A hall.", "equality", "against the value", "I keep the keys to myself."))


def test_what_no_judge_can_be_read_about_is_missing_and_not_zero(tmp_path: Path) -> None:
    [scored] = scene_scorer(tmp_path, speakers("hm", "hm"))([PAIR], ["The clerk calls the next number."])
    assert math.isnan(scored.score)


def test_a_mean_counts_what_is_known_and_does_not_depend_on_the_order() -> None:
    scores = [0.1, 0.7, math.nan, 33.3, 12.9]
    mean, error, n = mean_of(scores)
    assert (mean, n) == (pytest.approx(11.75), 4)
    assert error == pytest.approx(7.7650, abs=1e-3)
    assert mean_of(scores[::-1]) == (mean, error, n)
    assert [math.isnan(x) for x in mean_of([])[:2]] == [True, True]
    assert mean_of([5.0])[0] == 5.0
    assert math.isnan(mean_of([5.0])[1])
