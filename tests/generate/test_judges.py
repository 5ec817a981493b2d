"""Judges: strictly read, scored by the paper's formulas, compared with each other."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.elicit.desks import Speaker, desk_of
from vat.errors import BackendError
from vat.generate.judges import (
    ACTION_FIELDS,
    SCENE_FIELDS,
    TRIES,
    ActionUse,
    Judges,
    SceneUse,
    action_composite,
    reading_of,
    scene_composite,
    scene_score,
)
from vat.types import Prompt

GOOD = {"correctness": 5, "harmlessness": 4, "sufficiency": 3, "plausibility": 2}
SCENE = {"supports_possible": True, "violates_possible": False, "grounding": 4, "richness": 2}
ACTION = ActionUse("A hall.", "equality", "equal chances", "in line with the value", "I count the votes.")


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps(GOOD), f"```json\n{json.dumps(GOOD)}\n```", f"Here you are: {json.dumps(GOOD)} I hope it helps.", str(GOOD),
        json.dumps(GOOD | {"why": "so"}),
        json.dumps({name: float(number) for name, number in GOOD.items()}), json.dumps({name: str(number) for name, number in GOOD.items()}),
        f"I first thought {json.dumps({'correctness': 1})}, but: {json.dumps(GOOD, indent=2)}",
    ],
)  # fmt: skip
def test_a_judgement_is_read_wherever_it_stands_in_a_reply(reply: str) -> None:
    assert reading_of(reply, ACTION_FIELDS) == GOOD


@pytest.mark.parametrize(
    "reply",
    [
        "", "It is very good.", "{oops", json.dumps(GOOD)[:-9], json.dumps(GOOD | {"correctness": 7}), json.dumps(GOOD | {"correctness": 0}),
        json.dumps(GOOD | {"correctness": 3.5}), json.dumps(GOOD | {"correctness": True}), json.dumps(GOOD | {"correctness": None}),
        json.dumps(GOOD | {"correctness": "high"}), json.dumps([GOOD["correctness"]] * 4),
        json.dumps({k: v for k, v in GOOD.items() if k != "plausibility"}),
        json.dumps(GOOD | {"correctness": [5]}), json.dumps(GOOD | {"correctness": "nan"}), json.dumps(GOOD | {"correctness": 1e400}),
    ],
)  # fmt: skip
def test_anything_else_is_no_judgement(reply: str) -> None:
    assert reading_of(reply, ACTION_FIELDS) is None


@pytest.mark.parametrize(("cell", "wanted"), [(True, True), ("true", True), ("False", False), (1, None), ("yes", None), (None, None)])
def test_whether_something_is_possible_is_said_as_true_or_false(cell: object, wanted: bool | None) -> None:
    reading = reading_of(json.dumps(SCENE | {"supports_possible": cell}), SCENE_FIELDS)
    assert (reading or {}).get("supports_possible") is wanted


def test_a_scene_scores_as_the_papers_formulas_have_it() -> None:
    """By hand, over two values: R = ((1 + 0)/2 + (1 + 1)/2)/2, G = (4 + 3)/10, A = (2 + 5)/10, N = (0 + 1)/2."""
    other = {"supports_possible": True, "violates_possible": True, "grounding": 3, "richness": 5}
    assert scene_score([SCENE, other]) == pytest.approx((0.75, 0.7, 0.7, 0.5))
    assert scene_composite([[SCENE, other]]) == pytest.approx(66.25)
    assert scene_composite([[SCENE, None], [other, None]]) == pytest.approx(100 * ((0.5 + 0.8 + 0.4 + 0) / 4 + (1 + 0.6 + 1 + 1) / 4) / 2)


def test_an_action_scores_the_mean_over_ratings_and_then_over_judges() -> None:
    assert action_composite([[GOOD], [dict.fromkeys(GOOD, 5)]]) == pytest.approx(100 * (14 / 20 + 1) / 2)


def test_a_judge_without_a_reading_does_not_count_and_is_never_zero() -> None:
    assert action_composite([[GOOD], [None]]) == pytest.approx(70)
    assert math.isnan(action_composite([[None], [None]]))
    assert math.isnan(scene_composite([[None, None]]))


def test_what_cannot_be_read_is_asked_for_again_as_another_draw_and_then_missing(tmp_path: Path) -> None:
    def say(prompt: Prompt) -> str:
        return json.dumps(GOOD) if "count" not in prompt.messages[0].content or prompt.draw == 1 else "hm"

    speaker = Speaker(say)
    other = ACTION._replace(action="I look away.")
    [[first, second]] = Judges(desk_of(tmp_path, {"judge a": speaker}), ["judge a"], "English").of_actions([ACTION, other])
    assert (first, second) == (GOOD, GOOD)
    assert sorted(prompt.draw for prompt in speaker.asked) == [0, 0, 1]
    mute = Speaker(lambda prompt: "hm" if "count" in prompt.messages[0].content else json.dumps(GOOD))
    [[missing, _]] = Judges(desk_of(tmp_path / "b", {"judge a": mute}), ["judge a"], "English").of_actions([ACTION, other])
    assert missing is None
    assert len(mute.asked) == TRIES + 1


def test_a_judge_that_never_replies_with_json_ends_the_work_in_a_line(tmp_path: Path) -> None:
    judges = Judges(desk_of(tmp_path, {"judge a": Speaker(lambda prompt: "A fine\naction!")}), ["judge a"], "English")
    with pytest.raises(BackendError, match=r"^judge a: must reply with the JSON that it is asked for; got 'A fine\\naction!' and \d+ more") as caught:
        judges.of_actions([ACTION._replace(action=f"I do {n}.") for n in range(9)])
    assert "\n" not in str(caught.value)


def test_a_judge_is_told_the_language_and_all_that_it_has_to_know(tmp_path: Path) -> None:
    speaker = Speaker(lambda prompt: json.dumps(SCENE))
    judges = Judges(desk_of(tmp_path, {"judge a": speaker}), ["judge a"], "Hindi")
    use = SceneUse("India", "Religion", "A hall {with} braces.", "equality", "equal chances", supports="I share.", violates="I keep all.")
    assert judges.of_scene([use]) == [[SCENE]]
    asked = speaker.asked[0].messages[0].content
    assert all(text in asked for text in ("Hindi", *use))
    assert asked.splitlines()[-1] == '{"supports_possible": true or false, "violates_possible": true or false, "grounding": 1-5, "richness": 1-5}'


def rated(number: int) -> str:
    return json.dumps(dict.fromkeys(GOOD, number))


def agreement(tmp_path: Path, first: object, second: object) -> dict[str, dict[str, float | None]]:
    models = {f"judge {name}": Speaker(say) for name, say in (("a", first), ("b", second))}  # type: ignore[arg-type]
    judges = Judges(desk_of(tmp_path, models), list(models), "English")
    judges.of_actions([ACTION._replace(action=f"I do {n}.") for n in range(40)])
    return judges.agreement()


def number_in(prompt: Prompt) -> int:
    return int(prompt.messages[0].content.split("Action: I do ")[1].split(".")[0])


def test_judges_who_say_the_same_agree_fully_and_who_say_anything_not_at_all(tmp_path: Path) -> None:
    same = agreement(tmp_path / "a", lambda prompt: rated(number_in(prompt) % 5 + 1), lambda prompt: rated(number_in(prompt) % 5 + 1))
    assert {one["alpha"] for one in same.values()} == {1.0}
    assert {one["texts"] for one in same.values()} == {40.0}
    apart = agreement(tmp_path / "b", lambda prompt: rated(number_in(prompt) % 5 + 1), lambda prompt: rated(number_in(prompt) * 7 // 5 % 5 + 1))
    assert all(abs(one["alpha"] or 0) < 0.35 for one in apart.values())


def test_judges_who_never_agree_choose_no_prompt(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"^judges: must agree better than chance .* got Krippendorff's alpha of correctness -\d") as caught:
        agreement(tmp_path, lambda prompt: rated(5), lambda prompt: rated(1))
    assert "\n" not in str(caught.value)


def test_one_judge_agrees_with_nobody(tmp_path: Path) -> None:
    judges = Judges(desk_of(tmp_path, {"judge a": Speaker(lambda prompt: rated(4))}), ["judge a"], "English")
    judges.of_actions([ACTION])
    assert judges.agreement() == {}
