"""An OpenAI-compatible server that writes, judges and proposes by rule, as model=scripted does, fails on schedule, and keeps a log of everything.

What it says is a function of the model's name, the turns and the seed, so that whoever asks again gets the same. So is what is wrong with it, but for
what only the first attempts meet. It charges a token for every four characters, and nothing for a body that no client can read.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tests.models.faulty_server import FaultyServer, _head
from vat.models.scripted_writer import written
from vat.types import Message, Prompt

WRITER, FIRST, SECOND = "writer", "first-judge", "second-judge"
"""Names of the models that it serves."""
PRICES = {WRITER: (0.15, 0.6), FIRST: (0.15, 0.6), SECOND: (0.27, 1.1)}
"""USD for a million tokens read and written."""
CHARACTERS_A_TOKEN = 4
LONGEST_TRIAL = 16
"""Requests for at most so many tokens are trials of a client's."""
PASSING = ["429", "503", "not json", "truncated", "html", "no choice", "odd usage", "dropped", "slow"]
"""What the first attempts may meet; the same request then fares better."""
ATTEMPTS = 3
SPOILT = {
    "scene": ["empty", "refusal", "asks", "long"],
    "action": ["empty", "refusal", "we", "twofold", "long", "labelled"],
    "judgement": ["prose", "sevens", "empty"],
    "ranking": ["prose", "repeats", "empty", "refusal"],
}
"""What may be wrong with a text, by its kind."""
REFUSAL = "I'm sorry, but I can't help with that request."
PROSE = "Overall this fits quite well, although one could argue about it."
SLOW_S = 0.4


class Faults(NamedTuple):
    """Shares of requests. passing: of the first attempts of a request. stuck: that get no answer in time, once. content: whose text is of no use.

    forgetful: of judgements that are prose when they are asked for first.
    """

    passing: float = 0.0
    stuck: float = 0.0
    content: float = 0.0
    forgetful: float = 0.0


CALM = Faults()


class Asked(NamedTuple):
    """One request: when it was done with, who was asked what (a digest of the turns), what became of it, tokens charged.

    kind: trial, scene, action, proposal, judgement or ranking. fault: "" for a good answer; what was wrong with the text stands in `content`.
    """

    at: float
    model: str
    kind: str
    turns: str
    draw: int
    fault: str
    content: str
    tokens: tuple[int, int]

    @property
    def question(self) -> tuple[str, str, int]:
        """What may be answered once."""
        return self.model, self.turns, self.draw


Say = Callable[[str, str, str], str | None]
"""From a model's name, a request's kind and what it would say to what it says; None for that."""


class DatasetServer(FaultyServer):
    """Use it as a context; `log` is what it was asked, `most` the most requests that it ever had at once.

    passing: what first attempts may meet. patience_s: how long the client waits. stop_at: after so many answers, each question counted once,
    `stopped` is set, and `then` called.
    """

    passing: Sequence[str] = PASSING

    def __init__(
        self, faults: Faults = CALM, *, delay_s: float = 0.0, patience_s: float = 60.0, key: str = "", least_tokens: int = 1,
        say: Say = lambda model, kind, text: None,
    ) -> None:  # fmt: skip
        super().__init__(delay_s=delay_s, key=key, least_tokens=least_tokens, wait="0.02")
        self.shares, self.patience_s, self.speak = faults, patience_s, say
        self.log: list[Asked] = []
        self.answered: set[tuple[str, str, int]] = set()
        self.stop_at: int | None = None
        self.then: Callable[[], object] = lambda: None
        self.stopped = threading.Event()
        self._attempts: Counter[bytes] = Counter()

    @property
    def good_answers(self) -> list[Asked]:
        """All but trials and faults."""
        return [asked for asked in self.log if not asked.fault and asked.kind != "trial"]

    def charged(self, model: str) -> tuple[int, int]:
        """Tokens that a model has read and written for the client, trials included."""
        return tuple(sum(asked.tokens[n] for asked in self.log if asked.model == model) for n in (0, 1))  # type: ignore[return-value]

    async def _answer(self, head: str, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is still good."""
        messages, draw, most = body["messages"], body.get("seed", 0), body["max_tokens"]
        key = json.dumps([body["model"], messages, draw]).encode()
        seen = "\n".join(f"{message['role']}: {message['content']}" for message in messages)
        kind = self._kind(messages[-1]["content"], most)
        fault = self._refusal(head, body) or self._fault(key, kind)
        before = self._attempts[key]
        self._attempts[key] += 1
        text, wrong = ("", "") if fault and fault != "slow" else self._said(body["model"], kind, messages, draw, key, before)
        text = text[: most * CHARACTERS_A_TOKEN]
        read, wrote = len(seen) // CHARACTERS_A_TOKEN + 1, len(text) // CHARACTERS_A_TOKEN + 1
        asked = Asked(
            0.0, body["model"], kind, hashlib.sha256(seen.encode()).hexdigest(), draw, "" if fault == "slow" else fault, wrong, (read, wrote)
        )
        wait_s = {"slow": SLOW_S, "stuck": 2 * self.patience_s}.get(fault, self.delay_s)
        if wait_s and await _hung_up(reader, wait_s):
            self._note(asked._replace(fault=asked.fault or "aborted", tokens=(0, 0)))
            return False
        if asked.fault:
            self._note(asked._replace(tokens=(0, 0)))
            return await self._fail(fault, _document(body["model"], text, asked.tokens), writer)
        if kind != "trial":
            self.answered.add(asked.question)
            if self.stop_at is not None and len(self.answered) >= self.stop_at:
                self.stop_at = None
                self.then()
                self.stopped.set()
        whole = json.dumps(_document(body["model"], text, asked.tokens)).encode()
        writer.write(_head(200, len(whole)) + whole)
        await writer.drain()
        self._note(asked)
        return True

    def _note(self, asked: Asked) -> None:
        self.log.append(asked._replace(at=time.monotonic()))

    def _kind(self, last: str, most: int) -> str:
        return "trial" if most <= LONGEST_TRIAL else _kind(last)

    def _written(self, model: str, prompt: Prompt) -> str | None:
        return written(prompt, _taste(model))

    def _fault(self, key: bytes, kind: str) -> str:
        """What keeps a request from its answer."""
        before = self._attempts[key]
        if kind == "trial" or before >= ATTEMPTS:
            return ""
        luck = _luck("stuck", key)
        if luck.random() < self.shares.stuck:
            return "stuck" if before == 0 else ""
        luck = _luck("passing", key, before)
        return luck.choice(self.passing) if luck.random() < self.shares.passing else ""

    def _said(self, model: str, kind: str, messages: list[dict[str, str]], draw: int, key: bytes, before: int) -> tuple[str, str]:
        """What a model says, and what is wrong with it."""
        turns = tuple(Message(message["role"], message["content"]) for message in messages)  # type: ignore[arg-type]
        text = self._written(model, Prompt(turns, "", (), draw)) or "I have nothing to say."
        if (other := self.speak(model, kind, text)) is not None:
            return other, ""
        luck = _luck("content", key)
        if kind == "judgement" and before == 0 and _luck("forgetful", key).random() < self.shares.forgetful:
            return PROSE, "prose at first"
        if kind not in SPOILT or luck.random() >= self.shares.content:
            return text, ""
        wrong = luck.choice(SPOILT[kind])
        return _spoilt(text, wrong), wrong

    async def _fail(self, fault: str, document: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        """Answer with a fault; whether the connection is still good."""
        whole = json.dumps(document).encode()
        match fault:
            case "dropped":
                return False
            case "cut":
                writer.write(_head(200, len(whole)) + whole[: len(whole) // 2])
                return False
            case "not json":
                whole = b"model is warming up, please hold the line"
            case "truncated":
                whole = whole[: len(whole) // 2]
            case "no choice":
                whole = json.dumps(document | {"choices": []}).encode()
            case "odd usage":
                whole = json.dumps(document | {"usage": {"prompt_tokens": "many", "completion_tokens": -3}}).encode()
            case "html":
                whole = b"<!DOCTYPE html><html><body>Please log in</body></html>"
            case _:
                whole = json.dumps({"error": {"message": self.say(""), "code": None}}).encode()
        status = int(fault[:3]) if fault[:3].isdigit() else 200
        more = f"Retry-After: {self.wait}\r\n" if status == 429 else ""
        writer.write(_head(status, len(whole), kind="text/html" if fault == "html" else "application/json", more=more) + whole)
        await writer.drain()
        return True


def _kind(last: str) -> str:
    if "Respond with a JSON object in the following order of fields" in last:
        return "proposal"
    if last.rstrip().endswith("}"):
        return "judgement"
    if re.search(r"^\[2\] ", last, re.MULTILINE):
        return "ranking"
    return "action" if re.search(r"^Polarity: ", last, re.MULTILINE) else "scene"


def _spoilt(text: str, wrong: str) -> str:
    """A text that breaks a rule, or a judgement that cannot be read."""
    match wrong:
        case "empty":
            return ""
        case "refusal":
            return REFUSAL
        case "we":
            return f"We {text.removeprefix('I ')}"
        case "twofold":
            return f"{text} {text}"
        case "asks":
            return f"{text} What do you do?"
        case "long":
            return text.rstrip(".") + " and so on" * 60 + "."
        case "labelled":
            return f"Here is what you asked for: {text}\n\nNote: this is only one of many."
        case "prose":
            return PROSE
        case "repeats":
            return " > ".join(["1", *text.split(" > ")[:-1], "1"])
        case _:
            return re.sub(r"\b[1-5]\b", "7", text)


def _document(model: str, text: str, tokens: tuple[int, int]) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    return {"object": "chat.completion", "choices": [choice], "model": model, "usage": usage}


def _luck(of: str, key: bytes, before: int = 0) -> random.Random:
    return random.Random(hashlib.sha256(b"%b %d %b" % (of.encode(), before, key)).digest())


def _taste(model: str) -> float:
    return int(hashlib.sha256(model.encode()).hexdigest()[:6], 16) / 16**6


async def _hung_up(reader: asyncio.StreamReader, within_s: float) -> bool:
    """Whether the client leaves within some seconds; it says nothing while it waits."""
    try:
        return await asyncio.wait_for(reader.read(1), within_s) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
