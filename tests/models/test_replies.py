import json
import math

import pytest

from vat.models.replies import Malformed, complaint_of, has_probabilities, rating_of, text_of

LABELS = tuple("12345")
USAGE = {"prompt_tokens": 20, "completion_tokens": 1, "total_tokens": 21}


def reply(tokens=None, *, message=None, finish="stop", usage=USAGE, **more):
    """A reply with these first tokens, as {token: probability}."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "4"} if message is None else message, "finish_reason": finish} | more
    if tokens is not None:
        listed = [{"token": token, "logprob": math.log(p), "bytes": None} for token, p in tokens.items()]
        choice["logprobs"] = {"content": [{"token": "4", "logprob": -0.1, "top_logprobs": listed}]}
    return json.dumps({"choices": [choice], "usage": usage}).encode()


def listed(*entries):
    return reply(logprobs={"content": [{"token": "4", "top_logprobs": list(entries)}]})


def test_tokens_that_read_as_a_label_are_summed_and_others_are_left_out():
    found = rating_of(
        reply({"4": 0.3, " 4": 0.1, "\n4": 0.05, "▁2": 0.02, "Ġ2": 0.03, "Four": 0.2, "44": 0.1, "": 0.01, "bytes:\\xe2\\x82": 0.02}), LABELS
    )
    assert found.mass == pytest.approx(0.5)
    assert found.probability == pytest.approx((0, 0.1, 0, 0.9, 0))
    assert (found.text, found.tokens) == ("", (20, 1))


def test_labels_count_in_their_order_whatever_they_look_like():
    found = rating_of(reply({"E": 0.5, " A": 0.25}), (" A", " B", " C", " D", " E"))
    assert found.probability == pytest.approx((1 / 3, 0, 0, 0, 2 / 3))


def test_no_label_among_the_first_tokens_is_an_answer_without_mass():
    found = rating_of(reply({"I": 0.9, "Sorry": 0.05}), LABELS)
    assert found.mass == 0
    assert all(map(math.isnan, found.probability))


def test_a_sum_that_rounding_lifted_above_one_is_one():
    assert rating_of(reply({"4": 0.9, "5": 0.1005}), LABELS).mass == 1


@pytest.mark.parametrize(
    "content",
    [
        reply(finish="content_filter", message={"role": "assistant", "content": None}),
        json.dumps({"error": {"code": "content_filter", "message": "no"}}).encode(),
        json.dumps({"error": {"code": "content_policy_violation", "message": "no"}}).encode(),
    ],
)
def test_a_refusal_is_an_answer_without_mass_or_words(content):
    rating, text = rating_of(content, LABELS), text_of(content)
    assert rating.mass == 0
    assert all(map(math.isnan, rating.probability))
    assert (text.text, text.probability) == ("", None)
    assert math.isnan(text.mass)


BROKEN = {
    "nothing": b"",
    "half": reply({"4": 1.0})[:-30],
    "html": b"<html></html>",
    "a number": b"3",
    "a list": b"[]",
    "too deep": b"[" * 100_000,
    "no choices": b'{"usage": null}',
    "empty choices": b'{"choices": []}',
    "an error": b'{"error": {"message": "overloaded", "code": 502}}',
    "choice of text": b'{"choices": ["4"]}',
    "no message": b'{"choices": [{"text": "4"}]}',
    "usage of words": reply({"4": 1.0}, usage="many"),
    "usage of half tokens": reply({"4": 1.0}, usage={"prompt_tokens": 1.5, "completion_tokens": 1}),
    "usage below nothing": reply({"4": 1.0}, usage={"prompt_tokens": -1, "completion_tokens": 1}),
    "usage beyond all": reply({"4": 1.0}, usage={"prompt_tokens": 10**400, "completion_tokens": 1}),
    "half a usage": reply({"4": 1.0}, usage={"prompt_tokens": 1}),
}
BROKEN_NUMBERS = {
    "none": reply(),
    "null": reply(logprobs=None),
    "no content": reply(logprobs={"content": None}),
    "empty content": reply(logprobs={"content": []}),
    "no top": reply(logprobs={"content": [{"token": "4", "logprob": 0.0}]}),
    "empty top": listed(),
    "a positive one": listed({"token": "4", "logprob": 0.01}),
    "a huge one": listed({"token": "4", "logprob": 1e4}),
    "one positive of two": listed({"token": "4", "logprob": math.log(0.001)}, {"token": "5", "logprob": 0.0005}),
    "not a number": listed({"token": "4", "logprob": math.nan}),
    "minus infinity": listed({"token": "4", "logprob": -0.1}, {"token": "5", "logprob": -math.inf}),
    "text": listed({"token": "4", "logprob": "-0.1"}),
    "truth": listed({"token": "4", "logprob": False}),
    "missing": listed({"token": "4"}),
    "token of bytes": listed({"token": [52], "logprob": -0.1}),
    "above one": listed(*({"token": token, "logprob": math.log(0.6)} for token in "45")),
    "all impossible": listed({"token": "4", "logprob": -9999.0}),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_is_not_as_documented_is_no_answer(content):
    with pytest.raises(Malformed):
        rating_of(content, LABELS)
    with pytest.raises(Malformed):
        text_of(content)


@pytest.mark.parametrize("content", BROKEN_NUMBERS.values(), ids=BROKEN_NUMBERS)
def test_probabilities_that_cannot_be_are_no_answer(content):
    with pytest.raises(Malformed) as caught:
        rating_of(content, LABELS)
    assert len(str(caught.value)) < 300
    assert text_of(content).text == "4"


@pytest.mark.parametrize("content", [7, ["4"], {"text": "4"}, False])
@pytest.mark.parametrize("key", ["content", "reasoning_content", "reasoning", "refusal"])
def test_what_was_written_must_be_text(key, content):
    with pytest.raises(Malformed, match=key):
        text_of(reply(message={key: content or [content]}))


@pytest.mark.parametrize(
    ("message", "finish", "text"),
    [
        ({"content": "I'd say 4."}, "stop", "I'd say 4."),
        ({"content": None}, "stop", ""),
        ({}, "stop", ""),
        ({"content": None, "refusal": "I can't say."}, "stop", "I can't say."),
        ({"content": "4", "reasoning_content": "Well …"}, "stop", "<think>Well …</think>4"),
        ({"content": "4", "reasoning": "Well …"}, "stop", "<think>Well …</think>4"),
        ({"content": "4", "reasoning": None, "reasoning_content": ""}, "stop", "4"),
        ({"content": "", "reasoning": "Well"}, "length", "<think>Well"),
        ({"content": None, "reasoning": "Well"}, "stop", "<think>Well</think>"),
        ({"content": "4, as", "reasoning": "Well"}, "length", "<think>Well</think>4, as"),
        ({"content": "<think>Well</think>4"}, "stop", "<think>Well</think>4"),
        ({"content": "half \ud83d"}, "stop", "half ?"),
    ],
)
def test_a_thought_stands_before_the_answer_and_stays_open_if_cut(message, finish, text):
    assert text_of(reply(message=message, finish=finish)).text == text


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, (math.nan, math.nan)),
        ({"prompt_tokens": 20, "completion_tokens": 3}, (20, 3)),
        (USAGE, (20, 1)),
        ({"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 90}, (20, 70)),  # thoughts are in the total alone
    ],
)
def test_tokens_are_those_that_the_server_counts(usage, tokens):
    assert text_of(reply(usage=usage)).tokens == pytest.approx(tokens, nan_ok=True)
    assert rating_of(reply({"4": 1.0}, usage=usage), LABELS).tokens == pytest.approx(tokens, nan_ok=True)


def test_a_server_that_ignores_the_wish_for_probabilities_is_found_out():
    assert has_probabilities(reply({"4": 1.0}))
    assert not has_probabilities(reply())
    assert not has_probabilities(reply(logprobs=None))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"error": {"message": "no", "code": "bad"}}, ("no", "bad")),
        ({"error": {"message": "no", "code": None, "type": "kind"}}, ("no", "kind")),
        ([{"error": {"message": "no", "code": 400, "status": "INVALID"}}], ("no", "400")),
        ({"error": "no"}, ("no", "")),
        ({"message": "no", "object": "error", "code": 40}, ("no", "40")),
        ({"detail": "no"}, ("no", "")),
        ({"detail": [{"msg": "no"}]}, ("[{'msg': 'no'}]", "")),
        ("no", ("no", "")),
        ({}, ("{}", "")),
    ],
)
def test_the_complaint_is_found_wherever_a_server_puts_it(body, complaint):
    assert complaint_of(json.dumps(body).encode()) == complaint


def test_a_complaint_that_is_no_json_is_taken_as_it_is():
    assert complaint_of(b"over \n loaded \xff") == ("over loaded �", "")
    assert complaint_of(b"") == ("", "")
