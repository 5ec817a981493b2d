"""Judges that are asked: what becomes of every window, and that nothing is asked twice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import spearmanr

from tests.elicit.desks import Speaker, desk_of, scripted
from tests.generate.dataset_server import FIRST, DatasetServer, Faults
from tests.intensity.simulated import shown, speaking
from vat.elicit.desk import Said
from vat.errors import BackendError, ConfigError, DataError
from vat.intensity import judging
from vat.intensity.judging import TRIES, UNREADABLE, Ranked, RankingJudge, reading_of
from vat.intensity.ranking import Target, ranking_prompt
from vat.intensity.windows import Window, pool_windows
from vat.models.remote import RemoteModel
from vat.models.tiny.model import TinyModel
from vat.types import Prompt

ROOT = Path(__file__).parents[2]
CARE = Target("care", "Looking after those who need it.")
TEXTS = {f"t{n:02d}": f"I give {n} coins." for n in range(24)}
INTENSITY = {text: (n - 11.5) * 10 / 11.5 for n, text in enumerate(TEXTS.values())}
SURE = 50.0
"""A judge so sharp that it never errs."""


def windows_of(size: int, iterations: int = 2) -> list[Window]:
    return pool_windows(list(TEXTS), size=size, iterations=iterations, seed=1)


def judge_of(folder: Path, model: Any, way: judging.Way = "texts", max_new_tokens: int = 60) -> RankingJudge:
    return RankingJudge(desk_of(folder, {"judge a": model}), "judge a", way=way, max_new_tokens=max_new_tokens)


def in_order(ranked: Ranked) -> bool:
    return list(ranked.ranking) == sorted(ranked.window.shown, reverse=True)


@pytest.mark.parametrize("size", [2, 6])
def test_a_judge_ranks_the_texts_of_each_window_whatever_the_order_in_which_it_saw_them(tmp_path: Path, size: int) -> None:
    judge, windows = judge_of(tmp_path, Speaker(speaking(INTENSITY, sharpness=SURE))), windows_of(size)
    ranked = list(judge.rank(CARE, windows, TEXTS))
    assert [one.window for one in ranked] == windows
    assert all(in_order(one) and one.tries == 1 for one in ranked)
    assert (judge.windows, judge.replies) == ({"": 48}, {"": 48})


def test_a_judge_is_asked_in_the_wording_that_it_is_given(tmp_path: Path) -> None:
    asked = []
    for wording in (0, 1):
        speaker = Speaker(speaking(INTENSITY, sharpness=SURE))
        judge = RankingJudge(desk_of(tmp_path / str(wording), {"judge a": speaker}), "judge a", way="texts", wording=wording, max_new_tokens=60)
        assert all(in_order(one) for one in judge.rank(CARE, windows_of(3)[:1], TEXTS))
        asked += speaker.asked
    assert [prompt.messages for prompt in asked] == [
        ranking_prompt(CARE, [TEXTS[one] for one in windows_of(3)[0].shown], wording=wording).messages for wording in (0, 1)
    ]
    assert asked[0].messages != asked[1].messages


def test_what_cannot_be_read_is_asked_again_in_another_order(tmp_path: Path) -> None:
    tries: Counter[frozenset[str]] = Counter()

    def wrong(prompt: Prompt) -> str | None:
        texts = frozenset(shown(prompt))
        tries[texts] += 1
        return "Hard to say." if "I give 3 coins." in texts and tries[texts] < 3 else None

    speaker = Speaker(speaking(INTENSITY, sharpness=SURE, wrong=wrong))
    judge, windows = judge_of(tmp_path, speaker), windows_of(4)
    ranked = list(judge.rank(CARE, windows, TEXTS))
    hard = [one for one in ranked if "t03" in one.window.shown]
    assert all(in_order(one) for one in ranked)
    assert {one.tries for one in hard} == {3}
    assert {one.tries for one in ranked if one not in hard} == {1}
    assert all(set(one.window.shown) == set(window.shown) for one, window in zip(ranked, windows, strict=True))
    assert len({tuple(shown(prompt)) for prompt in speaker.asked}) == len(speaker.asked) == 48 + 2 * len(hard)
    assert judge.replies == {"": 48, "prose": 2 * len(hard)}
    assert judge.told() == f"judge a: ranked 48 of 48 windows; {2 * len(hard)} asked again"


def test_a_window_of_two_has_two_orders_and_so_two_tries(tmp_path: Path) -> None:
    speaker = Speaker(lambda prompt: "Both.")
    [ranked] = judge_of(tmp_path, speaker).rank(CARE, windows_of(2)[:1], TEXTS)
    assert (ranked.why, ranked.tries) == ("prose", 2)
    assert shown(speaker.asked[0]) == shown(speaker.asked[1])[::-1]


def test_what_can_never_be_read_is_dropped_and_counted_by_reason(tmp_path: Path) -> None:
    def wrong(prompt: Prompt) -> str | None:
        texts = shown(prompt)
        return "1 > 1 > 2" if "I give 3 coins." in texts else "I'm sorry, but I can't help with that." if "I give 4 coins." in texts else None

    judge, windows = judge_of(tmp_path, Speaker(speaking(INTENSITY, sharpness=SURE, wrong=wrong))), windows_of(3)
    ranked = list(judge.rank(CARE, windows, TEXTS))
    wanted = Counter("repeats" if "t03" in window.shown else "refusal" if "t04" in window.shown else "" for window in windows)
    assert judge.windows == Counter(one.why for one in ranked) == wanted
    assert all((one.ranking == ()) == bool(one.why) and one.tries == (TRIES if one.why else 1) for one in ranked)
    dropped = wanted["repeats"] + wanted["refusal"]
    assert judge.told().startswith(f"judge a: ranked {48 - dropped} of 48 windows; {2 * dropped} asked again; dropped: ")
    assert f"{wanted['refusal']} refusal" in judge.told()


def test_a_judge_of_which_nothing_can_be_read_ends_the_work_after_the_first_replies(tmp_path: Path) -> None:
    speaker = Speaker(lambda prompt: "Both are\nfine.")
    judge = judge_of(tmp_path, speaker)
    with pytest.raises(
        BackendError, match=r"^judge a: must rank texts in the form .* got 'Both are\\nfine\.' and 19 more .* \(20 prose\)\. "
    ) as caught:
        list(judge.rank(CARE, windows_of(3), TEXTS))
    assert "\n" not in str(caught.value)
    assert len(speaker.asked) == UNREADABLE


def test_with_fewer_windows_than_that_all_are_dropped_and_it_is_said(tmp_path: Path) -> None:
    judge = judge_of(tmp_path, Speaker(lambda prompt: "Both."))
    assert [one.why for one in judge.rank(CARE, windows_of(2)[:5], TEXTS)] == ["prose"] * 5
    assert judge.told() == "judge a: ranked 0 of 5 windows; 5 asked again; dropped: 5 prose"


def test_nothing_is_asked_twice_not_even_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "BLOCK", 10)
    say = speaking(INTENSITY, sharpness=0.3, wrong=lambda prompt: "no" if shown(prompt)[0] == "I give 5 coins." else None)
    whole = list(judge_of(tmp_path / "whole", Speaker(say)).rank(CARE, windows_of(3), TEXTS))
    first, second = Speaker(say), Speaker(say)
    begun = judge_of(tmp_path / "parts", first)
    stream = begun.rank(CARE, windows_of(3), TEXTS)
    assert [next(stream) for _ in range(25)] == whole[:25]
    begun._desk.close()
    assert list(judge_of(tmp_path / "parts", second).rank(CARE, windows_of(3), TEXTS)) == whole
    assert not set(first.asked) & set(second.asked)
    assert len(first.asked) + len(second.asked) == sum(one.tries for one in whole)


def test_what_a_judge_said_leaves_memory_once_it_is_on_disk(tmp_path: Path) -> None:
    judge = judge_of(tmp_path, Speaker(speaking(INTENSITY)))
    stream = judge.rank(CARE, windows_of(3), TEXTS)
    next(stream)
    assert len(judge._desk._said) == UNREADABLE
    list(stream)
    assert not judge._desk._said


def test_of_two_numbers_the_likelier_one_counts_and_a_judge_about_to_say_something_else_has_not_decided(tmp_path: Path) -> None:
    def say(prompt: Prompt) -> str:
        first, second = (INTENSITY[text] for text in shown(prompt))
        return str(100 / (1 + math.exp(second - first)))

    speaker = Speaker(say)
    judge = judge_of(tmp_path, speaker, "probabilities")
    assert all(in_order(one) for one in judge.rank(CARE, windows_of(2), TEXTS))
    assert {prompt.labels for prompt in speaker.asked} == {("1", "2")}
    assert reading_of(Said("", (0.4, 0.6, 0, 0, 0), 0.9), 2) == ((1, 0), "")
    for undecided in (Said("", (0.5, 0.5, 0, 0, 0), 0.9), Said("", (0.1, 0.9, 0, 0, 0), 0.4), Said("", (math.nan,) * 5, 0.0)):
        assert reading_of(undecided, 2) == ((), "undecided")
    assert reading_of(Said("2", None, math.nan), 2) == ((1, 0), ""), "where a server gives no probabilities, its text is read"


def test_texts_are_ranked_by_how_likely_each_is_to_be_the_first(tmp_path: Path) -> None:
    def say(prompt: Prompt) -> str:
        weights = np.exp([INTENSITY[text] for text in shown(prompt)])
        return " ".join(map(str, 100 * weights[:-1] / weights.sum()))

    for size in (3, 5):
        speaker = Speaker(say)
        judge = judge_of(tmp_path / str(size), speaker, "probabilities")
        assert all(in_order(one) for one in judge.rank(CARE, windows_of(size), TEXTS))
        assert {prompt.labels for prompt in speaker.asked} == {tuple("12345"[:size])}
        assert all("supports the value most?" in prompt.messages[0].content for prompt in speaker.asked)
    assert reading_of(Said("", (0.2, 0.4, 0.4, 0, 0), 0.9), 3) == ((), "undecided"), "two that are as likely have no order"
    assert reading_of(Said("", (0.2, 0.5, 0.3, 0, 0), 0.9), 3) == ((1, 2, 0), "")


def test_what_is_too_long_for_a_judge_is_not_asked_and_lost_and_the_rest_goes_on(tmp_path: Path) -> None:
    class Short(Speaker):
        def too_long(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 0) -> set[int]:
            assert max_new_tokens == 60, "what it is to write must fit too"
            return {n for n, prompt in enumerate(prompts) if "I give 5 coins." in prompt.messages[0].content}

    speaker = Short(speaking(INTENSITY, sharpness=SURE))
    judge, windows = judge_of(tmp_path, speaker), windows_of(4)
    ranked = list(judge.rank(CARE, windows, TEXTS))
    hit = [one for one in ranked if "t05" in one.window.shown]
    assert hit
    assert all((one.places, one.why, one.tries) == ((), "too long", 1) for one in hit)
    assert all(in_order(one) for one in ranked if one not in hit)
    assert not any("I give 5 coins." in prompt.messages[0].content for prompt in speaker.asked)
    assert judge.told() == f"judge a: ranked {48 - len(hit)} of 48 windows; 0 asked again; dropped: {len(hit)} too long"


@pytest.mark.parametrize(
    ("windows", "texts", "way", "error", "said"),
    [
        (windows_of(6), TEXTS, "probabilities", ConfigError, "judge a: way=probabilities ranks windows of at most 5 texts; got one of 6."),
        (windows_of(3), TEXTS | {"t07": " \n"}, "texts", DataError, "judge a: a text to be ranked must say something; got an empty one, 't07'."),
        (windows_of(3), {k: v for k, v in TEXTS.items() if k != "t07"}, "texts", DataError, "judge a: must be given every text of its windows"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is(tmp_path: Path, windows: Any, texts: Any, way: Any, error: Any, said: str) -> None:
    speaker = Speaker(lambda prompt: "1")
    with pytest.raises(error) as caught:
        judge_of(tmp_path, speaker, way).rank(CARE, windows, texts)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
    assert not speaker.asked


def mean_places(folder: Path, size: int, way: judging.Way, sway: float) -> np.ndarray:
    """What the scripted model makes of each text: its mean place over windows."""
    found: dict[str, list[float]] = {one: [] for one in TEXTS}
    judge = judge_of(folder / f"{size} {way} {sway}", scripted(sway), way)
    for one in judge.rank(CARE, windows_of(size, 12), TEXTS):
        for place, text in enumerate(one.ranking):
            found[text].append(place)
    assert judge.windows == {"": 24 * 12}
    return np.array([np.mean(places) for places in found.values()])


@pytest.mark.parametrize(("size", "way"), [(2, "texts"), (2, "probabilities"), (5, "texts"), (5, "probabilities")])
def test_the_scripted_model_ranks_coherently_and_two_of_other_taste_agree(tmp_path: Path, size: int, way: judging.Way) -> None:
    first, second = (mean_places(tmp_path, size, way, sway) for sway in (0.5, 0.9))
    assert spearmanr(first, second).statistic > 0.8
    assert (first != second).any() == (way == "texts"), "where it draws its words, noise is its own"


def test_the_scripted_model_means_the_same_by_first_in_windows_of_any_size_however_it_is_asked(tmp_path: Path) -> None:
    by_choice = mean_places(tmp_path, 2, "probabilities", 0.5)
    assert spearmanr(by_choice, mean_places(tmp_path, 2, "texts", 0.5)).statistic > 0.8
    assert spearmanr(by_choice, mean_places(tmp_path, 5, "texts", 0.5)).statistic > 0.8


def test_the_scripted_model_refuses_as_often_as_it_is_told(tmp_path: Path) -> None:
    judge = judge_of(tmp_path, scripted(refusals=0.3))
    list(judge.rank(CARE, windows_of(3, 8), TEXTS))
    assert set(judge.replies) == {"", "refusal"}
    assert judge.replies["refusal"] / judge.replies.total() == pytest.approx(0.3, abs=0.1)
    assert judge.windows["refusal"] < 0.1 * judge.windows.total()


def embedded() -> TinyModel:
    return TinyModel(dtype="float32", device="cpu", memory_gib=1.0, attention="auto", template_options={})


@pytest.mark.parametrize("size", [2, 6])
def test_the_embedded_model_does_not_know_what_a_ranking_is_and_that_is_said_in_a_line(tmp_path: Path, size: int) -> None:
    with pytest.raises(BackendError, match=r"^judge a: must rank texts .* and \d+ more that cannot be read \(.*\)\. Choose another model") as caught:
        list(judge_of(tmp_path, embedded(), max_new_tokens=4).rank(CARE, windows_of(size), TEXTS))
    assert "\n" not in str(caught.value)


def test_a_local_model_gives_the_probabilities_of_two_labels(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, {"judge a": embedded()})
    judge = RankingJudge(desk, "judge a", way="probabilities", max_new_tokens=9)
    prompts = [judging.ranking_prompt(CARE, [TEXTS[one] for one in window.shown], labelled=True) for window in windows_of(2)[:20]]
    for said in desk.rate("judge a", prompts, max_new_tokens=9):
        assert said.probability is not None
        assert sum(said.probability[:2]) == pytest.approx(1)
        assert said.probability[2:] == (0, 0, 0)
        assert 0 < said.mass <= 1
    with pytest.raises(BackendError, match=r"got \d+% of probability on the numbers of the texts and 19 more that cannot be read \(20 undecided\)"):
        list(judge.rank(CARE, windows_of(2), TEXTS))  # it was never taught to answer so


def remote(server: DatasetServer, **changes: Any) -> RemoteModel:
    defaults = {k: v for k, v in yaml.safe_load((ROOT / "conf" / "model" / "openai.yaml").read_text()).items() if k != "_target_"}
    return RemoteModel(**(defaults | {"name": FIRST, "base_url": server.url, "api_key_env": None, "timeout_s": 5, "concurrency": 8} | changes))


@pytest.mark.parametrize("size", [2, 5])
def test_behind_a_server_that_fails_every_window_is_ranked_or_counted_and_none_is_asked_twice(tmp_path: Path, size: int) -> None:
    windows = list({frozenset(window.shown): window for window in windows_of(size, 4)}.values())  # no two show the same texts
    with DatasetServer(Faults(passing=0.2, content=0.3)) as server:
        judge = judge_of(tmp_path, remote(server))
        ranked = list(judge.rank(CARE, windows, TEXTS))
        answered = [asked.question for asked in server.good_answers]
        again = list(judge_of(tmp_path, remote(server)).rank(CARE, windows, TEXTS))
        assert [asked.question for asked in server.good_answers] == answered
    assert again == ranked
    assert len(set(answered)) == len(answered) == judge.replies.total() == sum(one.tries for one in ranked)
    assert judge.windows.total() == len(windows)
    assert judge.windows[""] > (0.9 - 0.3 ** min(TRIES, size)) * len(windows)
    spoilt = Counter(asked.content for asked in server.good_answers)
    assert judge.replies["prose"] == spoilt["prose"] > 0
    assert judge.replies["refusal"] == spoilt["refusal"]
    assert judge.replies["empty"] == spoilt["empty"]
    assert judge.replies["repeats"] == spoilt["repeats"]
    assert judge.replies[""] == spoilt[""]
