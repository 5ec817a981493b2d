from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import signal
import socket
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import yaml

from tests.models.faulty_server import LABELS, PASSING, FaultyServer, prompts_of, right_answer, some
from vat.errors import BackendError, ConfigError, OverBudget, VatError
from vat.models.base import Kept
from vat.models.exchange import Budget
from vat.models.http import host_of, proxy_of, shown_url
from vat.models.remote import RemoteModel, Trial
from vat.types import Message, Prompt

CONF = Path(__file__).parents[2] / "conf" / "model"
DEFAULTS = {key: setting for key, setting in yaml.safe_load((CONF / "openai.yaml").read_text()).items() if key != "_target_"}
AT_ONCE_S = 30.0
"""Within this a busy machine does what takes well under a second; what would be waited for otherwise takes longer, or for ever."""
KEY = "sk-test-9hT3xQ/7+aZ0pLmN4vB8"
PRICED = {"usd_per_million_read": 1000.0, "usd_per_million_written": 5000.0}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What waits at random waits a fifth as long."""
    monkeypatch.setattr("vat.models.exchange.FIRST_WAIT_S", 0.05)


def remote(server, **changed):
    url = server.url if isinstance(server, FaultyServer) else server
    return RemoteModel(**(DEFAULTS | {"name": "m", "base_url": url, "api_key_env": None, "timeout_s": 10} | changed))


def question(prompt):
    return prompt.messages[-1].content


def asked(server):
    """Questions after the one of the trial, as they came."""
    return [seen.question for seen in server.seen[1:]]


def collected(answered):
    """Parts until the end or an error, and the error."""
    parts = []
    try:
        for part in answered:
            parts.append(part)
    except VatError as error:
        return parts, error
    return parts, None


def rows_of(parts):
    return [row for part in parts for row in part.rows]


def assert_right(prompts, parts):
    """Every row that was answered is the answer to that row's prompt."""
    for part in parts:
        for n, row in enumerate(part.rows):
            probability, mass, *_ = right_answer(question(prompts[row]))
            np.testing.assert_allclose(part.answers.probability_N5[n], probability, atol=1e-9)
            assert part.answers.mass_N[n] == pytest.approx(mass)


def assert_whole(prompts, parts):
    assert sorted(rows_of(parts)) == list(range(len(prompts)))
    assert_right(prompts, parts)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "vat-requests"]


def until(reached, seconds=AT_ONCE_S):
    end = time.monotonic() + seconds
    while not reached() and time.monotonic() < end:
        time.sleep(0.01)
    assert reached()


# ── answers


@pytest.mark.parametrize(("concurrency", "delay_s"), [(1, 0.002), (7, 0.02), (64, 0.8)])
def test_every_prompt_is_asked_once_and_never_more_at_a_time_than_allowed(concurrency, delay_s):
    prompts = prompts_of(80)
    with FaultyServer(delay_s=delay_s) as server:
        parts, error = collected(remote(server, concurrency=concurrency).ratings(prompts, max_new_tokens=16))
    assert error is None
    assert_whole(prompts, parts)
    assert Counter(asked(server)) == Counter(map(question, prompts))
    assert server.most == concurrency


def test_prompts_that_begin_alike_are_asked_one_after_the_other():
    shots = [(Message("user", f"example {n}"), Message("assistant", "4")) for n in range(3)]
    prompts = [Prompt((*shots[n % 3], Message("user", f"question {n}")), "", LABELS) for n in range(30)]
    with FaultyServer() as server:
        remote(server, concurrency=1).rate(prompts)
    first = [seen.body["messages"][0]["content"] for seen in server.seen[1:]]
    assert first == sorted(first)


def test_answers_are_handed_on_while_others_are_still_on_their_way():
    with FaultyServer(lambda question, before: "silent" if " 3," in question else None) as server:
        answers = remote(server, timeout_s=4 * AT_ONCE_S).ratings(prompts_of(40), max_new_tokens=16)
        start, rows = time.monotonic(), []
        while len(rows) < 39:
            rows += next(answers).rows
        assert time.monotonic() - start < AT_ONCE_S
        answers.close()


def test_tokens_are_counted_as_the_server_does():
    prompts = prompts_of(20)
    with FaultyServer() as server, FaultyServer(usage=False) as silent:
        answers = remote(server).rate(prompts)
        assert np.isnan(remote(silent).rate(prompts).tokens_N2).all()
    np.testing.assert_array_equal(answers.tokens_N2, [(right_answer(question(prompt))[3][0], 1) for prompt in prompts])


def test_labels_of_a_prompt_are_told_by_their_text():
    labels = ("5", "4", "3", "2", "1")
    with FaultyServer() as server:
        backward, forward = (remote(server).rate(prompts_of(5, order)).probability_N5 for order in (labels, LABELS))
    np.testing.assert_allclose(backward[:, ::-1], forward)


def test_a_refusal_is_an_answer_without_mass():
    faults = {0: "filter", 1: "400 content_filter", 2: "403 content_policy_violation"}
    prompts = prompts_of(3)
    with FaultyServer(lambda question, before: faults[int(re.search(r"\d+", question)[0])] if warm else None) as server:
        model, warm = remote(server), False
        model.check(prompts[0])
        warm = True
        ratings, texts = model.rate(prompts), model.generate(prompts, max_new_tokens=9)
    assert ratings.mass_N.tolist() == [0, 0, 0]
    assert np.isnan(ratings.probability_N5).all()
    assert texts == ["", "", ""]
    assert len(server.seen) == 7


def test_texts_are_the_message_after_its_thought():
    prompts = prompts_of(30)
    with FaultyServer(thinks=True) as server:
        texts = remote(server).generate(prompts, max_new_tokens=99)
    assert texts == [f"<think>Let me think about {question(p)!r}.</think>{right_answer(question(p))[2]}" for p in prompts]
    assert all(seen.body["max_tokens"] == 99 and "logprobs" not in seen.body for seen in server.seen[1:])


def test_what_is_kept_is_not_asked_again():
    prompts = prompts_of(50)
    with FaultyServer() as server:
        model = remote(server)
        parts, _ = collected(model.ratings(prompts, max_new_tokens=16, kept=Kept(frozenset(range(10, 50)))))
        assert sorted(rows_of(parts)) == list(range(10))
        assert len(server.seen) == 11
        assert collected(model.ratings(prompts, max_new_tokens=16, kept=Kept(frozenset(range(50))))) == ([], None)
        assert collected(model.ratings([], max_new_tokens=16)) == ([], None)
        assert len(server.seen) == 11


def test_a_request_holds_what_the_settings_say():
    changed = {"template_options": {"enable_thinking": False}, "request_options": {"reasoning_effort": "low"}, "token_limit": "max_completion_tokens"}
    messages = (Message("user", "question é"), Message("assistant", "3"), Message("user", "more"))
    with FaultyServer() as server:
        remote(server, **changed, top_logprobs=7).rate([Prompt(messages, "", LABELS)])
    wanted = {"model": "m", "temperature": 0, "max_completion_tokens": 1, "logprobs": True, "top_logprobs": 7, "reasoning_effort": "low"}
    wanted |= {"chat_template_kwargs": {"enable_thinking": False}, "messages": [message._asdict() for message in messages]}
    assert [seen.body for seen in server.seen] == [wanted, wanted]


def test_a_model_that_draws_is_asked_at_a_temperature_and_with_the_number_of_the_draw():
    prompts = [prompt._replace(draw=draw) for prompt in prompts_of(2) for draw in (0, 7)]
    with FaultyServer() as server:
        model = remote(server).drawing(0.7)
        assert model.identity() != remote(server).identity()
        model.generate(prompts, max_new_tokens=20)
    assert {(seen.body["temperature"], seen.body["seed"]) for seen in server.seen} == {(0.7, 0), (0.7, 7)}
    assert sorted((seen.question, seen.body["seed"]) for seen in server.seen[1:]) == sorted((question(prompt), prompt.draw) for prompt in prompts)


def test_a_server_that_takes_no_number_of_a_draw_is_asked_without():
    with FaultyServer(lambda asked, before: "400" if "question 0" in asked and before < 2 else None) as server:
        remote(server).drawing(0.7).generate(prompts_of(3), max_new_tokens=1)
    assert ["seed" in seen.body for seen in server.seen] == [True, True, False, False, False, False]


def test_variants_of_a_model_share_their_trial_and_a_check_tells_what_it_cost():
    prompts = prompts_of(3)
    with FaultyServer() as server:
        model = remote(server, **PRICED).drawing(0.7)
        assert model.check(prompts[0], max_new_tokens=9) == server.seen[0].tokens
        assert model.check(prompts[1], max_new_tokens=9) == (0.0, 0.0)
        limited = model.within(5.0)
        assert limited.check(prompts[1], max_new_tokens=9) == (0.0, 0.0)
        limited.drawing(1.0).generate(prompts, max_new_tokens=9)
    assert len(server.seen) == 4


def test_within_a_limit_a_model_stops_before_it_costs_more_and_the_least_limit_holds():
    assert remote("http://x/v1", max_cost_usd=2.0).within(3.0).max_cost_usd == 2.0
    assert remote("http://x/v1", max_cost_usd=2.0).within(1.0).max_cost_usd == 1.0
    assert remote("http://x/v1", max_cost_usd=2.0).within(None).max_cost_usd == 2.0
    with FaultyServer() as server, pytest.raises(OverBudget, match=r"model\.max_cost_usd=0\.2"):
        remote(server, **PRICED, concurrency=1).within(0.2).generate(prompts_of(30), max_new_tokens=20)
    prices = (PRICED["usd_per_million_read"], PRICED["usd_per_million_written"])
    assert sum(price * count / 1e6 for seen in server.seen[1:] for price, count in zip(prices, seen.tokens, strict=True)) <= 0.2


def test_it_works_inside_a_running_event_loop():
    async def notebook():
        model = remote(server)
        model.check(prompts[0])
        return model.rate(prompts)

    prompts = prompts_of(20)
    with FaultyServer() as server:
        np.testing.assert_allclose(asyncio.run(notebook()).probability_N5, [right_answer(question(p))[0] for p in prompts])


# ── faults


def assert_nothing_is_lost_or_doubled(count, **changed):
    prompts = prompts_of(count)
    with FaultyServer(some(0.1, seed=3), wait="0.05") as server:
        parts, error = collected(remote(server, timeout_s=2, **changed).ratings(prompts, max_new_tokens=16))
    assert error is None
    assert_whole(prompts, parts)
    trial = server.good[0]
    assert Counter(server.good) == Counter([trial, *map(question, prompts)])
    found = Counter(seen.fault for seen in server.seen)
    assert set(PASSING) <= set(found)
    assert sum(found.values()) - found[""] > 0.09 * count


def test_a_thousand_requests_of_which_a_tenth_fail_are_all_answered_once():
    assert_nothing_is_lost_or_doubled(1000)


@pytest.mark.slow
def test_ten_thousand_requests_of_which_a_tenth_fail_are_all_answered_once():
    assert_nothing_is_lost_or_doubled(10_000)


@pytest.mark.parametrize("fault", [*PASSING, "408", "502"])
def test_what_may_pass_is_tried_again(fault):
    prompts = prompts_of(8)
    with FaultyServer(lambda question, before: fault if before == 0 and " 5," in question else None, wait="0.1") as server:
        model = remote(server, timeout_s=0.5)
        model.check(prompts[1])
        assert_whole(prompts, [*model.ratings(prompts, max_new_tokens=16)])
    assert [seen.fault for seen in server.seen if " 5," in seen.question] == [fault, ""]


@pytest.mark.parametrize("fault", ["400", "413", "422"])
def test_what_a_server_says_of_one_prompt_is_not_tried_again_and_does_not_touch_the_others(fault):
    prompts = prompts_of(100)
    with FaultyServer(lambda question, before: fault if " 7," in question or " 70," in question else None, say=lambda q: "it is too long") as server:
        parts, error = collected(remote(server).ratings(prompts, max_new_tokens=16))
    assert sorted(rows_of(parts)) == sorted(row for row in range(100) if question(prompts[row]).split(",")[0] not in ("question 7", "question 70"))
    assert_right(prompts, parts)
    assert set(Counter(asked(server)).values()) == {1}
    assert str(error) == (
        f"model m: must answer every prompt; got none for 2 of 100, the last with status {fault}: 'it is too long'. "
        "Run the same command to ask only those again."
    )
    assert error.retryable


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5003 tokens.",  # vLLM
        "the request exceeds the available context size. try increasing the context size",  # llama.cpp
        "The input (9000 tokens) is longer than the model's context length (8192 tokens).",  # SGLang
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
def test_of_a_prompt_that_is_longer_than_the_context_there_are_no_words_and_the_others_are_answered(said):
    prompts = prompts_of(20)
    with FaultyServer(lambda question, before: "400" if " 7," in question else None, say=lambda question: said) as server:
        model = remote(server)
        texts = model.generate(prompts, max_new_tokens=9)
        _, error = collected(model.ratings(prompts, max_new_tokens=16))
    assert texts == ["" if " 7," in question(prompt) else right_answer(question(prompt))[2] for prompt in prompts]
    assert "must answer every prompt; got none for 1 of 20" in str(error), "a rating that is missing is an error"


def test_a_prompt_whose_attempts_are_used_up_is_asked_again_by_the_next_command_alone():
    prompts = prompts_of(40)
    well = threading.Event()
    with FaultyServer(lambda question, before: "503" if " 9," in question and not well.is_set() else None) as server:
        model = remote(server, retries=2)
        parts, error = collected(model.ratings(prompts, max_new_tokens=16))
        assert "got none for 1 of 40, the last with status 503: 'the server is not well'." in str(error)
        assert Counter(asked(server))["question 9, which is one of many"] == 3
        well.set()
        more, error = collected(model.ratings(prompts, max_new_tokens=16, kept=Kept(frozenset(rows_of(parts)))))
        assert error is None
    assert_whole(prompts, parts + more)
    assert len(rows_of(more)) == 1


def test_prompts_turned_away_for_their_number_do_not_use_up_attempts_while_others_are_answered():
    def fault(question, before):
        nonlocal last
        early = time.monotonic() - last < 0.01
        last = last if early else time.monotonic()
        return "429 after" if early else None

    last, prompts = 0.0, prompts_of(24)
    with FaultyServer(fault, wait="0.05") as server:
        assert_whole(prompts, [*remote(server, retries=2, concurrency=32).ratings(prompts, max_new_tokens=16)])
    assert max(Counter(asked(server)).values()) > 3


def test_a_server_that_only_turns_away_is_given_up():
    with FaultyServer(lambda question, before: "429") as server:
        _, error = collected(remote(server, retries=1).ratings(prompts_of(5), max_new_tokens=16))
    assert str(error) == "model m: the server must take the request; got status 429: 'the server is not well'. Run the same command to go on."
    assert len(server.seen) == 2


@pytest.mark.parametrize("as_date", [False, True])
def test_nobody_sends_before_the_server_wants_to_be_asked_again(as_date):
    def fault(question, before):
        if len(server.seen) != 30:
            return None
        server.wait = format_datetime(datetime.now(UTC) + timedelta(seconds=1.5), usegmt=True) if as_date else "0.5"
        return "429 after"

    prompts = prompts_of(100)
    with FaultyServer(fault, delay_s=0.01) as server:
        assert_whole(prompts, [*remote(server, concurrency=8).ratings(prompts, max_new_tokens=16)])
    (turned_away,) = [seen.at for seen in server.seen if seen.fault]
    early = [seen for seen in server.seen if turned_away < seen.at < turned_away + 0.4]
    assert len(early) < 8  # only what was on its way; 69 were still to be asked
    assert max(seen.at for seen in server.seen) < turned_away + AT_ONCE_S


@pytest.mark.parametrize("limit", [None, 2 * AT_ONCE_S])
def test_a_server_that_asks_for_more_patience_than_there_is_ends_the_job_at_once(limit):
    prompts = prompts_of(100)
    with FaultyServer(lambda question, before: "429 after" if len(server.seen) > 30 else None, wait="3600", say=lambda q: "come back") as server:
        start = time.monotonic()
        parts, error = collected(remote(server, concurrency=4, time_limit_s=limit).ratings(prompts, max_new_tokens=16))
        assert time.monotonic() - start < AT_ONCE_S
    assert 25 < len(rows_of(parts)) < 31
    assert_right(prompts, parts)
    assert re.fullmatch(
        rf"model m: the server must take requests within {'[3-6][0-9]' if limit else '600'} s; got a wish to wait 3600 s "
        r"\(status 429: 'come back'\)\. Run the same command after that\.",
        str(error),
    )


def test_patience_is_for_each_wait_and_not_for_all_together(monkeypatch):
    monkeypatch.setattr("vat.models.exchange.LONGEST_ASKED_WAIT_S", 0.2)
    prompts = prompts_of(30)
    with FaultyServer(
        lambda question, before: "429 after" if before == 0 and len(server.seen) % 5 == 2 else None, delay_s=0.02, wait="0.1"
    ) as server:
        assert_whole(prompts, [*remote(server, concurrency=2).ratings(prompts, max_new_tokens=16)])
    assert server.seen[-1].at - server.seen[0].at > 0.4


@pytest.mark.parametrize("fault", ["401", "402", "403", "404", "429 insufficient_quota"])
def test_what_no_prompt_can_change_ends_the_job_at_once_and_what_came_before_is_handed_on(fault):
    prompts = prompts_of(300)
    with FaultyServer(lambda question, before: fault if len(server.seen) > 100 else None, delay_s=0.005) as server:
        parts, error = collected(remote(server, concurrency=8).ratings(prompts, max_new_tokens=16))
    assert isinstance(error, VatError)
    assert f"got status {fault[:3]}" in str(error)
    assert 92 <= len(rows_of(parts)) <= 100
    assert_right(prompts, parts)
    assert len(server.seen) <= 101 + 8
    assert not threads()


@pytest.mark.parametrize("fault", ["500", "400", "unasked"])
def test_a_job_that_only_fails_is_stopped(fault):
    prompts = prompts_of(300)
    with FaultyServer(lambda question, before: fault if len(server.seen) > 100 else None, delay_s=0.005) as server:
        parts, error = collected(remote(server, concurrency=4, breaker=10, retries=0).ratings(prompts, max_new_tokens=16))
    assert {"500": "status 500", "400": "status 400", "unasked": "log-probabilities not as asked for: None"}[fault] in str(error)
    assert_right(prompts, parts)
    assert 101 + 10 <= len(server.seen) <= 101 + 10 + 4


def test_failures_between_successes_do_not_stop_a_job():
    with FaultyServer(lambda question, before: "500" if len(server.seen) % 3 else None) as server:
        parts, error = collected(remote(server, concurrency=1, breaker=3, retries=0).ratings(prompts_of(60), max_new_tokens=16))
    assert len(rows_of(parts)) == 20
    assert "got none for 40 of 60" in str(error)


def test_a_slow_drip_ends_with_the_time_of_a_request():
    with FaultyServer(lambda question, before: "drip" if before else None) as server:
        model = remote(server, timeout_s=0.4, retries=0)
        prompts = prompts_of(1)
        model.check(prompts[0])
        start = time.monotonic()
        with pytest.raises(BackendError, match=r"got none for 1 of 1, the last with no whole answer within 0\.4 s\. Run"):
            model.rate(prompts)
    assert 0.3 < time.monotonic() - start < AT_ONCE_S


def test_a_limit_of_time_keeps_what_was_answered():
    prompts = prompts_of(1000)
    with FaultyServer(delay_s=0.02) as server:
        model = remote(server, concurrency=4, time_limit_s=0.7)
        model.check(prompts[0])
        start = time.monotonic()
        parts, error = collected(model.ratings(prompts, max_new_tokens=16))
        assert 0.6 < time.monotonic() - start < AT_ONCE_S
    got = len(rows_of(parts))
    assert 4 <= got < 1000
    assert_right(prompts, parts)
    assert str(error) == (
        f"model.time_limit_s=0.7: all prompts must be answered within it; got {got} of 1000. Run the same command to go on, or raise it."
    )


# ── money


@pytest.mark.parametrize("written", ["ratings", "texts"])
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_job_never_costs_more_than_allowed_and_goes_on_from_there(written, share):
    prompts, limit = prompts_of(400), 6.0
    parts, spent, kept = [], 0.0, Kept()
    with FaultyServer(some(share, kinds=["500", "dropped", "429"]), delay_s=0.002) as server:
        for _ in range(3):
            model = remote(server, **PRICED, max_cost_usd=limit)
            more, error = collected(getattr(model, written)(prompts, max_new_tokens=25, kept=kept))
            parts += more
            read, wrote = np.concatenate([part.answers.tokens_N2 for part in parts]).sum(axis=0)
            spent = model.cost_usd((read, wrote))
            assert spent <= limit
            kept = Kept(frozenset(rows_of(parts)), (read, wrote))
            if error is None:
                break
            assert limit - spent < 0.3  # what one more answer may cost
            assert re.fullmatch(
                rf"model\.max_cost_usd={limit:g}: a job may not cost more; got {spent:.4f} USD spent and {400 - len(kept.rows)} of "
                r"\d+ prompts to go\. Raise it and run the same command to go on\.",
                str(error),
            )
            limit *= 6
    assert sorted(rows_of(parts)) == list(range(400))
    charged = sum(model.cost_usd(seen.tokens) for seen in server.seen)
    trials = sum(model.cost_usd(seen.tokens) for seen in server.seen if seen.body["max_tokens"] == 1 and written == "texts")
    assert charged - trials <= limit


def test_answers_that_were_paid_for_and_came_broken_are_counted():
    prompts = prompts_of(400)
    with FaultyServer(lambda question, before: "truncated" if before < 2 and len(server.seen) else None) as server:
        model = remote(server, **PRICED, max_cost_usd=6.0, concurrency=8)
        parts, error = collected(model.ratings(prompts, max_new_tokens=16))
    assert f"and {400 - len(rows_of(parts))} of 400 prompts to go" in str(error)
    assert 5.0 < sum(model.cost_usd(seen.tokens) for seen in server.seen[1:]) <= 6.0


def test_answers_of_which_the_server_does_not_tell_the_cost_count_as_much_as_any():
    with FaultyServer(lambda question, before: "no usage" if server.seen else None) as server:
        model = remote(server, **PRICED, max_cost_usd=6.0)
        parts, error = collected(model.ratings(prompts_of(400), max_new_tokens=16))
    assert "max_cost_usd" in str(error)
    assert np.isnan(np.concatenate([part.answers.tokens_N2 for part in parts])).all()
    assert 5.0 < sum(model.cost_usd(seen.tokens) for seen in server.seen[1:]) <= 6.0


def test_what_an_answer_may_cost_is_learnt_from_the_dearest():
    budget = Budget(1.0, (0.01, 0.1), spent=(1, 0), most=(10, 1))
    assert [budget.reserve() for _ in range(6)] == [True, True, True, True, False, False]  # 0.01 and 0.2 for each
    for _ in range(4):
        budget.release()
    budget.book((40, 0))
    assert [budget.reserve() for _ in range(2)] == [True, False]  # 0.41 and 0.5 for each
    assert budget.spent_usd == pytest.approx(0.41)


def test_a_limit_below_one_answer_asks_nothing():
    with FaultyServer() as server:
        model = remote(server, **PRICED, max_cost_usd=0.001)
        assert "got 0.0000 USD spent and 5 of 5 prompts to go" in str(collected(model.ratings(prompts_of(5), max_new_tokens=16))[1])
    assert len(server.seen) == 1


def test_the_cost_of_tokens_needs_both_prices():
    assert remote("http://x", **PRICED).cost_usd((1000, 10)) == pytest.approx(1.05)
    assert np.isnan(remote("http://x", usd_per_million_read=1.0).cost_usd((1000, 10)))


# ── an early end


def test_closing_early_cancels_what_is_on_its_way_and_leaves_no_thread():
    with FaultyServer(delay_s=0.05) as server:
        answers = remote(server, concurrency=16).ratings(prompts_of(2000), max_new_tokens=16)
        next(answers)
        assert threads()
        answers.close()
        assert not threads()
        count = len(server.seen)
        until(lambda: server.connections == 0)
        assert len(server.seen) <= count + 16 < 200


@pytest.fixture
def interruptible():
    """A process that was started in the background may have been told to ignore interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_answer_that_never_comes_does_not_hold_up_an_interrupt(interruptible):
    with FaultyServer(lambda question, before: "silent" if before else None) as server:
        model, prompts = remote(server, timeout_s=4 * AT_ONCE_S, retries=0), prompts_of(1)
        model.check(prompts[0])
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            model.rate(prompts)
        assert time.monotonic() - start < AT_ONCE_S
        assert not threads()
        until(lambda: server.connections == 0)


def test_a_name_that_is_still_looked_up_does_not_hold_up_an_end(monkeypatch, caplog, capfd):
    look_up, found = socket.getaddrinfo, threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda host, *more, **kinds: found.wait(AT_ONCE_S) and look_up("localhost", *more, **kinds))
    monkeypatch.setattr(RemoteModel, "_try_out", lambda *given, **more: Trial(20, 1, 1.0, seeded=False, tokens=(0.0, 0.0)))
    start = time.monotonic()
    with pytest.raises(BackendError, match="time_limit_s"):
        remote("http://slow.example:1/v1", time_limit_s=0.2).rate(prompts_of(3))
    assert time.monotonic() - start < AT_ONCE_S
    assert not threads()
    found.set()
    time.sleep(0.5)
    assert "destroyed" not in caplog.text + str(capfd.readouterr())


def test_a_fault_of_ours_surfaces_and_leaves_no_thread(monkeypatch):
    prompts = prompts_of(5)
    with FaultyServer() as server:
        model = remote(server)
        model.check(prompts[0])
        monkeypatch.setattr("vat.models.remote.rating_of", lambda content, labels: 1 / 0)
        with pytest.raises(ExceptionGroup) as caught:
            model.rate(prompts)
    assert isinstance(caught.value.exceptions[0], ZeroDivisionError)
    assert not threads()


# ── the trial


def test_one_real_request_tells_for_all_jobs_of_a_process():
    prompts = prompts_of(3)
    with FaultyServer() as server:
        model = remote(server)
        for _ in range(3):
            model.check(prompts[0])
        model.check(prompts[0], max_new_tokens=50)
        assert len(server.seen) == 1
        model.rate(prompts)
        assert len(server.seen) == 4


def test_a_failed_trial_stands_for_a_while(monkeypatch):
    with FaultyServer(lambda question, before: None if before else "404") as server:
        model, prompt = remote(server), prompts_of(1)[0]
        for _ in range(3):
            with pytest.raises(ConfigError, match="must be a model of"):
                model.check(prompt)
        assert len(server.seen) == 1
        monkeypatch.setattr("time.monotonic", lambda now=time.monotonic: now() + 100)
        model.check(prompt)
        assert len(server.seen) == 2


@pytest.mark.parametrize("logprobs", [0, -1])
def test_ratings_are_texts_where_a_server_ignores_or_refuses_the_wish_for_probabilities(logprobs):
    prompts = prompts_of(20)
    with FaultyServer(logprobs=logprobs) as server:
        answers = remote(server).rate(prompts)
    assert answers.text_N == tuple(right_answer(question(prompt))[2] for prompt in prompts)
    assert np.isnan(answers.probability_N5).all()
    assert np.isnan(answers.mass_N).all()
    assert all(seen.body["max_tokens"] == 16 and "logprobs" not in seen.body for seen in server.seen[-20:])
    assert len(server.seen) - 20 == (1 if logprobs == 0 else 5)


def test_nobody_asks_for_probabilities_that_are_not_wanted():
    with FaultyServer() as server:
        assert remote(server, top_logprobs=0).rate(prompts_of(2)).text_N[0]
    assert not any("logprobs" in seen.body for seen in server.seen)


@pytest.mark.parametrize(("server", "top", "tokens"), [({"logprobs": 5}, 5, 1), ({"least_tokens": 16}, 20, 16)])
def test_a_server_that_gives_less_is_asked_for_less(server, top, tokens):
    prompts = prompts_of(20)
    with FaultyServer(**server) as faulty:
        assert_whole(prompts, [*remote(faulty).ratings(prompts, max_new_tokens=16)])
    assert all((seen.body["top_logprobs"], seen.body["max_tokens"]) == (top, tokens) for seen in faulty.seen[-20:])


def test_a_text_may_be_as_long_as_the_server_wants_it_at_least():
    with FaultyServer(least_tokens=16) as server:
        remote(server).generate(prompts_of(2), max_new_tokens=9)
    assert [seen.body["max_tokens"] for seen in server.seen] == [1, 16, 16, 16]


def test_a_model_that_needs_many_tokens_for_a_text_gets_them():
    with FaultyServer(least_tokens=100) as server:
        remote(server).check(prompts_of(1)[0], max_new_tokens=100)
    assert [seen.body["max_tokens"] for seen in server.seen] == [1, 16, 100]


def test_a_passing_fault_does_not_fail_the_trial():
    with FaultyServer(lambda question, before: "503" if before < 2 else None) as server:
        remote(server).check(prompts_of(1)[0])
    assert len(server.seen) == 3


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


HOST = "model.base_url: must be http://… or https://… with a host; got "
SECRETS = "model.base_url: may hold no user, password or query; got some in "
BAD_SETTINGS = {
    "no scheme": ({"base_url": "localhost:8000/v1"}, f"{HOST}'localhost:8000/v1'. Give it as https://api.openai.com/v1."),
    "other scheme": ({"base_url": "ftp://x/v1"}, f"{HOST}'ftp://x/v1'."),
    "no host": ({"base_url": "http:///v1"}, f"{HOST}'http:///v1'."),
    "no address": ({"base_url": "http://[::1/v1"}, f"{HOST}'http://[::1/v1'."),
    "port": ({"base_url": "http://x:99999/v1"}, f"{HOST}'http://x:99999/v1'."),
    "space": ({"base_url": "http://x/v1 "}, f"{HOST}'http://x/v1 '."),
    "user": ({"base_url": f"https://me:{KEY}@x/v1"}, f"{SECRETS}https://…. Use model.api_key_env."),
    "user who asks": ({"base_url": f"https://me?{KEY}@x/v1"}, f"{SECRETS}https://…. Use"),
    "query": ({"base_url": f"https://x/v1?key={KEY}"}, f"{SECRETS}https://x/v1. Use"),
    "whole path": ({"base_url": "http://x/v1/chat/completions"}, "model.base_url: ends before /chat/completions, which we add; got http://x/v1/chat"),
    "key as name": ({"api_key_env": KEY}, "model.api_key_env: must be the name of an environment variable, in capitals; got none. Name the"),
    "no key": ({"api_key_env": "VAT_UNSET"}, "model.api_key_env=VAT_UNSET: this environment variable must hold the key; got nothing. Export"),
    "blank key": ({"api_key_env": "VAT_BLANK"}, "model.api_key_env=VAT_BLANK: this environment variable must hold the key; got nothing. Export"),
    "odd key": ({"api_key_env": "VAT_ODD"}, "model.api_key_env=VAT_ODD: the key in this environment variable must be one word; got something else."),
    "our key": ({"request_options": {"stream": True}}, "model.request_options: may not set what a setting of its own sets; got stream. See"),
    "no prices": (
        {"max_cost_usd": 1.0},
        "model.max_cost_usd=1: needs prices; got none. Set model.usd_per_million_read and model.usd_per_million_written.",
    ),
    "one price": (
        {"max_cost_usd": 1.0, "usd_per_million_read": 1.0},
        "model.max_cost_usd=1: needs prices; got none. Set model.usd_per_million_written.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "message"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_settings_that_cannot_be_are_told_before_anybody_is_asked(changed, message, monkeypatch):
    monkeypatch.delenv("VAT_UNSET", raising=False)
    monkeypatch.setenv("VAT_BLANK", " \n")
    monkeypatch.setenv("VAT_ODD", f"{KEY}\nand more")
    prompts = prompts_of(2)
    with FaultyServer() as server:
        for attempt in (lambda: remote(server, **changed).check(prompts[0]), lambda: remote(server, **changed).rate(prompts)):
            with pytest.raises(ConfigError) as caught:
                attempt()
            assert str(caught.value).startswith(message)
            assert KEY not in str(caught.value)
            assert "\n" not in str(caught.value)
    assert server.seen == []


def test_plain_text_is_not_for_a_chat_server():
    prompt = Prompt((), "How far do you agree? Your answer:", tuple(f" {label}" for label in LABELS))
    with FaultyServer() as server:
        for attempt in (lambda: remote(server).check(prompt), lambda: remote(server).rate([prompt])):
            with pytest.raises(ConfigError, match=r"^model m: a chat server must be given turns; got plain text\. Use elicit\.format=chat\.$"):
                attempt()
    assert server.seen == []


BAD_SERVERS = {
    "page": ("html", ConfigError, "model.base_url={url}: must be an OpenAI-compatible server; got a web page (status 200). Check the address,"),
    "model": ("404", ConfigError, "model.name=m: must be a model of {url}; got status 404: 'the server is not well'. Check model.name, and"),
    "rights": ("403", ConfigError, "model.api_key_env=VAT_KEY: the key must be allowed to use m; got status 403: 'the server is not well'. Check"),
    "money": ("402", BackendError, "model m: the server must take the request; got status 402: 'the server is not well'. Check the settings"),
    "length": ("400", BackendError, "model m: the server must take the request; got status 400: 'the server is not well'. Check the settings"),
    "quota": ("429 insufficient_quota", BackendError, "model m: the server must take the request; got status 429: 'the server is not well'. Check"),
    "down": ("503", BackendError, "model m: the server must take the request; got status 503: 'the server is not well'. Run the same"),
    "hung": ("silent", BackendError, "model.base_url={url}: the server must answer in time; got no whole answer within 0.5 s. Try again, or raise"),
    "numbers": ("over one", BackendError, "model m: must answer as an OpenAI-compatible server does; got probabilities of the first token that sum"),
    "json": ("truncated", BackendError, "model m: must answer as an OpenAI-compatible server does; got no whole JSON: "),
    "cut": ("dropped", BackendError, "model.base_url={url}: the server must be there and stay there; got 'Server disconnected'. Start it, or check"),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "kind", "message"), BAD_SERVERS.values(), ids=BAD_SERVERS)
def test_a_server_that_is_none_is_found_before_long_work(fault, kind, message, monkeypatch):
    monkeypatch.setenv("VAT_KEY", KEY)
    with FaultyServer(lambda question, before: fault) as server:
        with pytest.raises(kind) as caught:
            remote(server, api_key_env="VAT_KEY", timeout_s=0.5, retries=0).check(prompts_of(1)[0])
        assert str(caught.value).startswith(message.format(url=server.url))
        assert "\n" not in str(caught.value)
    assert len(server.seen) == (6 if fault == "400" else 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "no-such-host.invalid"])
def test_a_server_that_cannot_be_reached_is_told(host):
    url = f"http://{host}:{free_port()}/v1"
    with pytest.raises(BackendError) as caught:
        remote(url, retries=0).check(prompts_of(1)[0])
    assert re.match(
        rf"model\.base_url={re.escape(url)}: the server must be there and stay there; got .Cannot connect to host {re.escape(host.strip('[]'))}:",
        str(caught.value),
    )
    assert str(caught.value).endswith("Start it, or check the address and the connection.")
    assert caught.value.retryable


def test_a_limit_of_cost_needs_a_server_that_counts():
    with FaultyServer(usage=False) as server, pytest.raises(BackendError, match=r"max_cost_usd=1: needs a server that counts tokens; got no usage"):
        remote(server, **PRICED, max_cost_usd=1.0).check(prompts_of(1)[0])


# ── the key


@pytest.fixture
def keyed(monkeypatch):
    monkeypatch.setenv("VAT_KEY", f"{KEY}\n")
    return {"api_key_env": "VAT_KEY"}


def test_the_key_opens_the_server(keyed):
    with FaultyServer(key=KEY) as server:
        assert not np.isnan(remote(server, **keyed).rate(prompts_of(3)).mass_N).any()


def test_a_wrong_key_is_told_by_the_name_of_its_variable(keyed):
    with FaultyServer(key="another") as server:
        with pytest.raises(ConfigError) as caught:
            remote(server, **keyed).check(prompts_of(1)[0])
        assert str(caught.value) == f"model.api_key_env=VAT_KEY: {server.url} must accept the key in this variable; got status 401. Check the key."
        with pytest.raises(ConfigError, match=r"^model\.api_key_env=null: \S+ wants a key; got status 401\. Name the environment variable"):
            remote(server).check(prompts_of(1)[0])


@pytest.mark.parametrize("fault", ["400", "401", "402", "403", "404", "429", "500", "429 after", "truncated", "unasked"])
@pytest.mark.parametrize("when", ["at once", "later"])
def test_the_key_appears_nowhere_even_if_the_server_repeats_it(fault, when, keyed, capfd, caplog):
    caplog.set_level("DEBUG")
    begin = 0 if when == "at once" else 5
    echo = f"Bearer {KEY} and https://x/?key=sk-test-9hT3xQ%2F7%2BaZ0pLmN4vB8 and {KEY[:14]}… and {json.dumps(KEY)}"
    with FaultyServer(lambda question, before: fault if len(server.seen) >= begin else None, wait="7200", say=lambda q: echo) as server:
        server._document = lambda *asked, made=server._document: {"choices": [{"echo": echo}]} if len(server.seen) >= begin else made(*asked)
        model = remote(server, **keyed, retries=0)
        _, error = collected(model.ratings(prompts_of(20), max_new_tokens=16))
    said = [str(error), repr(error), repr(model), str(model.identity()), capfd.readouterr(), caplog.text, dataclasses.asdict(model)]
    chain = error
    while chain := chain.__cause__ or chain.__context__:
        said += [repr(chain)]
    assert isinstance(error, VatError)
    assert not re.search(r"sk-test-9|9hT3|aZ0p", str(said))
    if fault not in ("401",):
        assert "[key]" in str(error) or fault == "truncated"


def test_a_redirection_is_not_followed(keyed):
    async def elsewhere(reader, writer):
        await reader.readuntil(b"}]")
        writer.write(f"HTTP/1.1 307 Gone\r\nLocation: http://x/{KEY}?k={KEY}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    with FaultyServer() as server:
        server._serve = elsewhere
        with pytest.raises(ConfigError) as caught:
            remote(server, **keyed).check(prompts_of(1)[0])
    assert str(caught.value).endswith("must be where the server is; got status 307: 'a redirection to http://x/[key]'. Set it to that.")


# ── who it is


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:8000/v1", "localhost"),
        ("http://127.9.9.9/v1", "localhost"),
        ("http://[::1]:1/v1", "localhost"),
        ("http://LOCALHOST/v1", "localhost"),
        ("https://API.x.com:8443/v1?a=b", "api.x.com"),
        ("https://me:secret@x.com/v1", "x.com"),
        ("http://10.0.0.7/v1", "10.0.0.7"),
        ("http://[", ""),
        ("nonsense", ""),
    ],
)
def test_a_server_is_known_by_its_host(url, host):
    assert host_of(url) == host
    assert remote(url).identity()["host"] == host


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"base_url": "https://x/v1", "api_key_env": "A_KEY"}, ("https://x/v1", "A_KEY")),
        ({"base_url": "https://x/v1", "api_key_env": None}, ("https://x/v1", None)),
        ({"base_url": f"https://me:{KEY}@x/v1", "api_key_env": KEY}, ("https://…", None)),
        ({"base_url": f"https://x/v1?key={KEY}", "api_key_env": "A_KEY"}, ("https://x/v1", "A_KEY")),
    ],
)
def test_what_is_kept_of_its_settings_holds_no_secret(settings, kept):
    model = remote("https://x/v1", concurrency=7)
    found = dataclasses.replace(model, **settings).to_keep()
    assert found == dataclasses.replace(model, base_url=kept[0], api_key_env=kept[1])


def test_only_what_determines_the_answers_is_part_of_the_identity(keyed):
    model = remote("http://127.0.0.1:1/v1", **keyed)
    same = {
        "base_url": "http://localhost:99/other", "api_key_env": None, "token_limit": "max_completion_tokens", "top_logprobs": 5, "concurrency": 2,
        "timeout_s": 5.0, "time_limit_s": 9.0, "retries": 1, "breaker": 2, "usd_per_million_read": 2.0, "usd_per_million_written": 2.0,
        "max_cost_usd": 2.0,
    }  # fmt: skip
    other = {
        "name": "n", "revision": "r", "template_options": {"a": 1}, "request_options": {"a": 1}, "top_logprobs": 0, "base_url": "http://x/v1",
    }  # fmt: skip
    assert same.keys() | other.keys() == {field.name for field in dataclasses.fields(model)}
    for key, setting in same.items():
        assert dataclasses.replace(model, **{key: setting}).identity() == model.identity(), key
    for key, setting in other.items():
        assert dataclasses.replace(model, **{key: setting}).identity() != model.identity(), key
    json.dumps(model.identity())
    assert model.label == "m"
    assert model.capabilities() == (False, "")


@pytest.mark.parametrize("option", ["openai", "deepseek-v3.2", "gpt-4o-mini", "gemini-2.5-flash-lite"])
def test_models_of_companies_are_yaml_alone(option, compose, monkeypatch):
    model = compose(f"model={option}", *(["model.name=x"] if option == "openai" else [])).model
    assert type(model) is RemoteModel
    assert model.api_key_env.endswith("_API_KEY")
    monkeypatch.setenv(model.api_key_env, KEY)
    model._check_settings()
    if option != "openai":
        assert 0 < model.usd_per_million_read < model.usd_per_million_written < 1
        dataclasses.replace(model, max_cost_usd=1.0)._check_settings()


# ── proxies


def test_a_server_on_this_machine_is_asked_directly(monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with FaultyServer() as server:
        remote(server, retries=0).check(prompts_of(1)[0])
        assert len(server.good) == 1, "and not the proxy, where nobody listens"


@pytest.mark.parametrize(("password", "found"), [(quote(KEY, safe=""), "Cannot connect to host 127"), (KEY, "a proxy that is no URL")])
def test_others_are_asked_through_the_proxy_of_the_environment_and_its_password_stays_there(password, found, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://me:{password}@127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert proxy_of("http://inside.example/v1") is None
    assert proxy_of("https://outside.example/v1") is None
    with pytest.raises(BackendError, match=f"the server must be there and stay there; got .{found}") as caught:
        remote("http://outside.example/v1", retries=0).check(prompts_of(1)[0])
    assert password not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "seen"),
    [("https://me:pw@x:1/v1", "https://…"), ("https://x:1/v1?k=v#f", "https://x:1/v1"), ("http://[", "http://["), ("//x/?key=a@b", "…")],
)
def test_a_url_is_shown_without_its_secrets(url, seen):
    assert shown_url(url) == seen
