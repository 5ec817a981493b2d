"""What a /chat/completions server answered: its JSON → probabilities of the labels, or text, and tokens. Strict: what is not as documented is
no answer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from vat.errors import shown

REFUSALS = frozenset({"content_filter", "content_policy_violation"})
"""Codes of an error that is an answer: the server does not let the model speak about this."""
TOLERANCE = 1e-3
"""By how much a rounded sum of probabilities may exceed 1."""
MARKERS = " \t\n▁Ġ"
"""What may surround a label within a token; the last two stand for a space where a server gives tokens as the vocabulary spells them."""


class Malformed(Exception):  # noqa: N818 - it never reaches a user as an exception
    """A reply that does not have the documented form, or numbers that cannot be."""


class Reply(NamedTuple):
    """What a model said to one prompt.

    probability: of each label given that one of them is the answer; None where no probabilities came, NaN where no label has any.
    mass: probability that the answer is one of the labels; NaN where no probabilities came.
    tokens: read and written; NaN where the server does not tell.
    """

    probability: tuple[float, ...] | None
    mass: float
    text: str
    tokens: tuple[float, float]


def rating_of(content: bytes, labels: Sequence[str]) -> Reply:
    """A reply that gives the most likely first tokens. A refusal has no mass; without a label among them the mass is 0 as well.

    Raises:
        Malformed: Anything else.
    """
    document = _document(content)
    choice, nothing = _choice(document), (math.nan,) * len(labels)
    if choice.get("finish_reason") == "content_filter":
        return Reply(nothing, 0.0, "", _tokens(document))
    found = dict.fromkeys(labels, 0.0)
    names = {label.strip(): label for label in labels}
    for token, probability in _first_tokens(choice):
        if label := names.get(token.strip(MARKERS)):
            found[label] += probability
    mass = sum(found.values())
    share = tuple(p / mass for p in found.values()) if mass else nothing
    return Reply(share, min(mass, 1.0), "", _tokens(document))


def text_of(content: bytes) -> Reply:
    """A reply as text, a thought before it as <think>…</think>; a refusal is "".

    Raises:
        Malformed: Anything else.
    """
    document = _document(content)
    choice = _choice(document)
    message = choice["message"]
    said, thought = _string(message, "content"), _string(message, "reasoning_content") or _string(message, "reasoning")
    said = said or _string(message, "refusal")
    if thought:
        end = "" if not said and choice.get("finish_reason") == "length" else "</think>"
        said = f"<think>{thought}{end}{said}"
    return Reply(None, math.nan, said.encode(errors="replace").decode(), _tokens(document))  # half a character cannot be stored


def has_probabilities(content: bytes) -> bool:
    """Whether a reply to a request for log-probabilities brings any; some servers ignore the request and say nothing.

    Raises:
        Malformed: It is no reply at all.
    """
    return _choice(_document(content)).get("logprobs") is not None


def complaint_of(content: bytes) -> tuple[str, str]:
    """What the body of an error says: message and code, both "" where there is none. Servers agree on little here."""
    try:
        document = _document(content)
    except Malformed:
        return " ".join(content[:300].decode(errors="replace").split()), ""
    if isinstance(document, list) and document:  # Google wraps its errors in a list
        document = document[0]
    if not isinstance(document, dict):
        return str(document), ""
    error = document.get("error", document)
    if not isinstance(error, dict):
        return str(error), ""
    message = error.get("message") or error.get("detail") or document.get("detail") or json.dumps(error)
    return str(message), str(error.get("code") or error.get("type") or "")


def _document(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no whole JSON: {shown(content[:80].decode(errors='replace'), 80)}") from error


def _choice(document: Any) -> dict[str, Any]:
    """The first choice, which has a message; for a refusal that came as an error, one that says so."""
    choices = document.get("choices") if isinstance(document, dict) else None
    if not isinstance(choices, list) or not choices:
        error = document.get("error") if isinstance(document, dict) else None
        if isinstance(error, dict) and str(error.get("code")) in REFUSALS:
            return {"message": {}, "finish_reason": "content_filter"}
        raise Malformed(f"no choices: {shown(document, 200)}")
    choice = choices[0]
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise Malformed(f"a choice without a message: {shown(choice, 200)}")
    return choice


def _first_tokens(choice: dict[str, Any]) -> list[tuple[str, float]]:
    """The most likely first tokens with their probabilities."""
    try:
        listed = [(entry["token"], entry["logprob"]) for entry in choice["logprobs"]["content"][0]["top_logprobs"]]
    except (KeyError, IndexError, TypeError) as error:
        raise Malformed(f"log-probabilities not as asked for: {shown(choice.get('logprobs'), 200)}") from error
    for token, log_p in listed:
        if not isinstance(token, str) or type(log_p) not in (float, int) or not math.isfinite(log_p) or log_p > TOLERANCE / 10:
            raise Malformed(f"a log-probability that cannot be: {shown((token, log_p))}")
    found = [(token, math.exp(log_p)) for token, log_p in listed]
    total = sum(probability for _, probability in found)
    if not 0 < total <= 1 + TOLERANCE:
        raise Malformed(f"probabilities of the first token that sum to {total:.3f}")
    return found


def _string(message: dict[str, Any], key: str) -> str:
    text = message.get(key)
    if text is not None and not isinstance(text, str):
        raise Malformed(f"{key} that is no text: {shown(text)}")
    return text or ""


def _tokens(document: Any) -> tuple[float, float]:
    """Tokens read and written. Where thoughts are left out of what was written, the total still has them."""
    usage = document.get("usage")
    if usage is None:
        return math.nan, math.nan
    try:
        read, written = usage["prompt_tokens"], usage["completion_tokens"]
        total = usage.get("total_tokens", read + written)
        if not all(type(count) is int and 0 <= count < 1e15 for count in (read, written, total)):
            raise TypeError
    except (KeyError, TypeError, AttributeError) as error:
        raise Malformed(f"usage without counts of tokens: {shown(usage)}") from error
    return float(read), float(max(written, total - read))
