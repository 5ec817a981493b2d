"""The desk: what is asked once is never asked again, and all of it is in the account."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.elicit.desks import Speaker, desk_of, scripted_desk
from vat.elicit.desk import Said
from vat.errors import BackendError, OverBudget
from vat.models.base import Model
from vat.track import store
from vat.types import Message, Prompt


def question(n: int, draw: int = 0) -> Prompt:
    return Prompt((Message("user", f"question {n}"),), "", (), draw)


def echo() -> Speaker:
    return Speaker(lambda prompt: f"{prompt.messages[-1].content}, {prompt.draw}")


def test_answers_come_in_the_order_of_the_questions_and_each_draw_is_a_question_of_its_own(tmp_path: Path) -> None:
    speaker = echo()
    desk = desk_of(tmp_path, {"writer": speaker})
    asked = [question(2), question(1, 5), question(2), question(1)]
    assert desk.ask("writer", asked, max_new_tokens=9) == ["question 2, 0", "question 1, 5", "question 2, 0", "question 1, 0"]
    assert speaker.asked == [question(2), question(1, 5), question(1)]


def test_what_was_said_is_not_asked_again_not_even_by_another_process(tmp_path: Path) -> None:
    first = echo()
    desk = desk_of(tmp_path, {"writer": first})
    desk.ask("writer", [question(1), question(2)], max_new_tokens=9)
    desk.ask("writer", [question(2), question(3)], max_new_tokens=9)
    desk.close()
    second = echo()
    again = desk_of(tmp_path, {"writer": second})
    assert again.ask("writer", [question(n) for n in range(1, 5)], max_new_tokens=9) == [f"question {n}, 0" for n in range(1, 5)]
    assert second.asked == [question(4)]
    again.close()
    assert again.account()["writer"] == (4, 40.0, 52.0, 92 / 1e6)


def test_roles_of_one_model_are_kept_apart(tmp_path: Path) -> None:
    speaker = echo()
    desk = desk_of(tmp_path, {"writer": speaker, "probe": speaker})
    for role in ("writer", "probe"):
        desk.ask(role, [question(1)], max_new_tokens=9)
    assert len(speaker.asked) == 2
    desk.close()
    assert [spent.requests for spent in desk.account().values()] == [1, 1]


def test_what_it_costs_to_try_a_model_out_is_in_the_account(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, {"writer": echo()})
    desk.try_out("writer", question(1), max_new_tokens=9)
    assert desk.account()["writer"] == (1, 7.0, 1.0, 8 / 1e6)
    assert desk_of(tmp_path, {"writer": echo()}).account()["writer"] == (1, 7.0, 1.0, 8 / 1e6)


def test_whether_a_limit_of_cost_can_be_kept_is_found_out_before_anything_is_asked(tmp_path: Path) -> None:
    speaker = echo()
    desk_of(tmp_path, {"writer": speaker}, limit_usd=0.5).try_out("writer", question(1), max_new_tokens=9)
    assert speaker.limit == 0.5


def test_threads_that_ask_side_by_side_lose_nothing(tmp_path: Path) -> None:
    desk = scripted_desk(tmp_path)
    said: dict[int, list[str]] = {}

    def ask(n: int) -> None:
        said[n] = desk.ask("judge first", [question(at) for at in range(n, n + 40)], max_new_tokens=9)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(0, 160, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.close()
    assert all(said[n][20:] == said[n + 20][:20] for n in range(0, 140, 20))
    assert scripted_desk(tmp_path).ask("judge first", [question(at) for at in range(180)], max_new_tokens=9)[20:60] == said[20]


def in_threads(*acts: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    return threads


def test_what_one_thread_asks_for_others_wait_for_and_do_not_ask_for_again(tmp_path: Path) -> None:
    entered, leave, said = threading.Event(), threading.Event(), {}

    def slow(prompt: Prompt) -> str:
        entered.set()
        assert leave.wait(10)
        return prompt.messages[-1].content

    speaker = Speaker(slow)
    desk = desk_of(tmp_path, {"writer": speaker})
    first = in_threads(lambda: said.update(one=desk.ask("writer", [question(1)], max_new_tokens=9)))
    assert entered.wait(10)
    others = in_threads(
        lambda: said.update(other=desk.ask("writer", [question(1)], max_new_tokens=9)),
        lambda: said.update(more=desk.ask("writer", [question(2), question(1)], max_new_tokens=9)),
    )
    others[0].join(0.2)
    assert others[0].is_alive(), "it waits"
    leave.set()
    for thread in first + others:
        thread.join(10)
    assert said == {"one": ["question 1"], "other": ["question 1"], "more": ["question 2", "question 1"]}
    assert sorted(speaker.asked) == [question(1), question(2)]


def test_who_waits_for_what_another_asks_for_gets_its_error(tmp_path: Path) -> None:
    entered, leave, errors, calls = threading.Event(), threading.Event(), [], []

    def fail(prompt: Prompt) -> str:
        calls.append(prompt)
        entered.set()
        assert leave.wait(10)
        raise BackendError("model m: is gone")

    desk = desk_of(tmp_path, {"writer": Speaker(fail)})

    def ask() -> None:
        try:
            desk.ask("writer", [question(1)], max_new_tokens=9)
        except BackendError as error:
            errors.append(str(error))

    threads = in_threads(ask)
    assert entered.wait(10)
    threads += in_threads(ask)
    threads[1].join(0.1)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert errors == ["model m: is gone"] * 2
    assert len(calls) == 1


def test_who_leaves_waits_for_what_is_on_its_way_and_lets_nobody_ask_more(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(prompt: Prompt) -> str:
        entered.set()
        assert leave.wait(10)
        return "x"

    models = {"writer": Speaker(slow), "probe": echo()}
    desk = desk_of(tmp_path, models)
    [thread] = in_threads(lambda: desk.ask("writer", [question(1)], max_new_tokens=9))
    assert entered.wait(10)
    threading.Timer(0.2, leave.set).start()
    desk.leave()
    assert desk_of(tmp_path, models).account()["writer"].requests == 1
    with pytest.raises(BackendError, match="Run the same command"):
        desk.ask("probe", [question(1)], max_new_tokens=9)
    thread.join(10)


def test_the_last_answers_of_a_role_are_kept_while_others_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "EVERY_S", 0.05)
    desk = desk_of(tmp_path, {"writer": echo(), "probe": echo()})
    desk.ask("probe", [question(1)], max_new_tokens=9)
    time.sleep(0.06)
    desk.ask("writer", [question(2)], max_new_tokens=9)
    killed_now = desk_of(tmp_path, {"writer": echo(), "probe": echo()})
    assert killed_now.account()["probe"].requests == 1


def test_no_more_is_spent_than_all_roles_may_and_what_was_said_stays(tmp_path: Path) -> None:
    one, other = echo(), echo()
    desk = desk_of(tmp_path, {"writer": one, "probe": other}, limit_usd=100 / 1e6)
    desk.ask("probe", [question(1), question(2)], max_new_tokens=9)
    with pytest.raises(OverBudget, match=r"max_cost_usd=0.0001: the work may not cost more; got 0.0001 USD spent. Raise it"):
        desk.ask("writer", [question(n) for n in range(9)], max_new_tokens=9)
    assert len(one.asked) == 3, "as many as begin below the limit"
    with pytest.raises(OverBudget):
        desk.ask("probe", [question(1)], max_new_tokens=9)
    desk.close()
    more = echo()
    again = desk_of(tmp_path, {"writer": more, "probe": echo()}, limit_usd=1.0)
    again.ask("writer", [question(n) for n in range(9)], max_new_tokens=9)
    assert len(more.asked) == 6


def test_what_others_may_yet_spend_is_set_aside(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(prompt: Prompt) -> str:
        entered.set()
        leave.wait(10)
        return "x"

    one, other = Speaker(slow), echo()
    desk = desk_of(tmp_path, {"writer": one, "probe": other}, limit_usd=100 / 1e6)
    thread = threading.Thread(target=lambda: desk.ask("writer", [question(1)], max_new_tokens=40))
    thread.start()
    assert entered.wait(10)
    desk.ask("probe", [question(2)], max_new_tokens=9)
    assert other.limit == pytest.approx((100 - 10 / 2 - 40) / 1e6)
    leave.set()
    thread.join()
    desk.ask("probe", [question(3)], max_new_tokens=9)
    assert other.limit == pytest.approx((100 - 11 - 23) / 1e6)


def test_an_error_that_somebody_in_between_has_swallowed_is_raised_at_once_when_asked_again(tmp_path: Path) -> None:
    def fail(prompt: Prompt) -> str:
        raise BackendError("model m: is gone")

    models: dict[str, Model] = {"writer": Speaker(fail), "probe": echo()}
    desk = desk_of(tmp_path, models)
    with pytest.raises(BackendError, match="is gone"):
        desk.ask("writer", [question(1)], max_new_tokens=9)
    for act in (desk.raise_end, lambda: desk.ask("probe", [question(1)], max_new_tokens=9)):
        with pytest.raises(BackendError, match="is gone"):
            act()


def choice(n: int) -> Prompt:
    return question(n)._replace(labels=("1", "2"))


def test_how_likely_labels_are_is_kept_as_words_are(tmp_path: Path) -> None:
    def asked(speaker: Speaker) -> list[Said]:
        desk = desk_of(tmp_path, {"judge a": speaker})
        said = desk.rate("judge a", [choice(30), choice(70)], max_new_tokens=9)
        desk.close()
        return said

    first, second = (Speaker(lambda prompt: prompt.messages[0].content.split()[-1]) for _ in range(2))
    assert asked(first) == [Said("", (0.3, 0.7, 0, 0, 0), 0.9), Said("", (0.7, 0.30000000000000004, 0, 0, 0), 0.9)]
    assert asked(second) == asked(first)
    assert (len(first.asked), len(second.asked)) == (2, 0)


def test_what_is_forgotten_comes_from_disk_and_is_not_asked_again(tmp_path: Path) -> None:
    speaker = echo()
    desk = desk_of(tmp_path, {"writer": speaker, "probe": speaker})
    for role in ("writer", "probe"):
        desk.ask(role, [question(1), question(2)], max_new_tokens=9)
    desk.forget("writer")
    assert {role for role, _ in desk._said} == {"probe"}
    assert desk.ask("writer", [question(2), question(1)], max_new_tokens=9) == ["question 2, 0", "question 1, 0"]
    assert len(speaker.asked) == 4


def test_what_is_forgotten_while_it_is_asked_for_is_not_asked_again_either(tmp_path: Path) -> None:
    speaker = echo()
    desk = desk_of(tmp_path, {"writer": speaker})
    asked = [question(1), question(2)]
    assert desk.ask("writer", asked, max_new_tokens=9, heard=lambda text: desk.forget("writer")) == ["question 1, 0", "question 2, 0"]
    assert speaker.asked == asked
