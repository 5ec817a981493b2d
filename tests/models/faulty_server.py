"""An OpenAI-compatible server that answers by rule and fails on schedule, in a thread of its own. It writes down all that it is asked.

An answer is a function of the prompt alone, so that a lost, doubled or swapped one shows; a fault is one of the prompt and of how often it was
asked before, so that a schedule does not depend on the order in which requests arrive.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from vat.types import Message, Prompt

LABELS = tuple("12345")
STATUSES = {
    "400": "Bad Request", "401": "Unauthorized", "402": "Payment Required", "403": "Forbidden", "404": "Not Found", "408": "Request Timeout",
    "413": "Too Large", "422": "Unprocessable", "429": "Too Many Requests", "500": "Internal Server Error", "502": "Bad Gateway",
    "503": "Service Unavailable",
}  # fmt: skip
PASSING = ["429", "429 after", "500", "503", "silent", "truncated", "cut", "drip", "dropped", "html", "positive", "nan", "over one", "unasked"]
"""Faults after which the same request may fare better."""

Faults = Callable[[str, int], str | None]
"""The fault for a question and how often it was asked before; None for a good answer."""


class Seen(NamedTuple):
    """One request: when it had come, what was asked, what became of it ("" for a good answer), tokens charged."""

    at: float
    question: str
    body: dict[str, Any]
    fault: str
    tokens: tuple[int, int]


def prompts_of(count: int, labels: tuple[str, ...] = LABELS) -> list[Prompt]:
    return [Prompt((Message("user", f"question {n * 7919 % count}, which is one of many"),), "", labels) for n in range(count)]


def right_answer(question: str) -> tuple[np.ndarray, float, str, tuple[int, int]]:
    """Probabilities of the labels, their mass, a text, tokens read and written with a text."""
    numbers = np.frombuffer(hashlib.sha256(question.encode()).digest(), dtype=np.uint16) / 65535 + 0.05
    probability = numbers[:5] / numbers[:5].sum()
    mass = 0.5 + 0.45 * numbers[5] / 1.05
    return probability, float(mass), f"{probability.argmax() + 1}, since {question!r}", (len(question) + 7, 3 + int(numbers[6] * 20))


def some(share: float, seed: int = 0, kinds: list[str] = PASSING) -> Faults:
    """This share of the requests fails, each with one of these faults."""

    def fault(question: str, before: int) -> str | None:
        luck = random.Random(f"{seed} {question} {before}")
        return luck.choice(kinds) if luck.random() < share else None

    return fault


class FaultyServer:
    """Use it as a context; `seen` is what it was asked, `most` the most requests that it ever had at once.

    logprobs: how many it gives at most; 0 ignores the wish, -1 refuses it. least_tokens: it refuses to write fewer.
    key: the one it accepts; it repeats any other in its error. wait: its Retry-After.
    """

    def __init__(
        self, faults: Faults = lambda question, before: None, *, delay_s: float = 0.0, logprobs: int = 20, least_tokens: int = 1, usage: bool = True,
        key: str = "", wait: str = "1", thinks: bool = False, say: Callable[[str], str] = lambda question: "the server is not well",
    ) -> None:  # fmt: skip
        self.faults, self.delay_s, self.logprobs, self.least_tokens, self.usage = faults, delay_s, logprobs, least_tokens, usage
        self.key, self.wait, self.thinks, self.say = key, wait, thinks, say
        self.seen: list[Seen] = []
        self.most = self.open = self.connections = 0
        self._asked: Counter[str] = Counter()

    def __enter__(self) -> FaultyServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def good(self) -> list[str]:
        """Questions answered well, once for each time."""
        return [seen.question for seen in self.seen if not seen.fault]

    async def _run(self, ready: threading.Event) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=512)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        ready.set()
        await self._end.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                body = json.loads(await reader.readexactly(int(re.search(r"content-length: (\d+)", head, re.IGNORECASE)[1])))  # type: ignore[index]
                self.open += 1
                self.most = max(self.most, self.open)
                try:
                    if not await self._answer(head, body, reader, writer):
                        return
                finally:
                    self.open -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections -= 1
            writer.close()

    async def _answer(self, head: str, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is still good."""
        at, question = time.monotonic(), body["messages"][-1]["content"]
        fault = self._refusal(head, body) or self.faults(question, self._asked[question]) or ""
        self._asked[question] += 1
        document = self._document(question, body, fault)
        read, written = right_answer(question)[3]
        charged = (read, 1 if "logprobs" in body else written) if fault in ("", "truncated", "no usage") else (0, 0)
        self.seen.append(Seen(at, question, body, fault, charged))
        await asyncio.sleep(self.delay_s)
        whole = json.dumps(document).encode()
        if fault == "dropped":
            return False
        if fault == "silent":
            await reader.read(1)  # until the client hangs up
            return False
        if fault == "drip":
            writer.write(_head(200, len(whole)))
            for byte in whole:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
        elif fault == "cut":
            writer.write(_head(200, len(whole)) + whole[:-20])
            return False
        elif fault == "truncated":
            writer.write(_head(200, len(whole) // 2) + whole[: len(whole) // 2])
        elif fault == "html":
            page = b"<!DOCTYPE html><html><body>Please log in</body></html>"
            writer.write(_head(200, len(page), kind="text/html") + page)
        elif fault[:3] in STATUSES:
            _, _, code = fault.partition(" ")
            error = json.dumps({"error": {"message": self.say(question), "code": code or None}}).encode()
            after = f"Retry-After: {self.wait}\r\n" if code == "after" else ""
            writer.write(_head(int(fault[:3]), len(error), more=after) + error)
        else:
            writer.write(_head(200, len(whole)) + whole)
        await writer.drain()
        return True

    def _refusal(self, head: str, body: dict[str, Any]) -> str | None:
        """What the server has against a request, whoever asks what."""
        given = re.search(r"authorization: Bearer (\S+)", head, re.IGNORECASE)
        if self.key and (given is None or given[1] != self.key):
            self.say = lambda question: f"Incorrect API key provided: {given and given[1]}. It begins with {given and given[1][:12]}."
            return "401"
        if (self.logprobs == -1 and "logprobs" in body) or body.get("top_logprobs", 0) > max(self.logprobs, 0) > 0:
            return "400"
        return "400" if body.get("max_tokens", body.get("max_completion_tokens")) < self.least_tokens else None

    def _document(self, question: str, body: dict[str, Any], fault: str) -> dict[str, Any]:
        probability, mass, text, (read, written) = right_answer(question)
        asked = body.get("top_logprobs", 0) if self.logprobs > 0 else 0
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if self.thinks:
            message["reasoning_content"] = f"Let me think about {question!r}."
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        if asked:
            choice["logprobs"] = {"content": [{"token": "1", "top_logprobs": _listed(probability * mass, mass, fault)}]}
            choice["finish_reason"], written = "length", 1
        if fault == "unasked":
            choice["logprobs" if asked else "message"] = None
        if fault == "filter":
            choice |= {"finish_reason": "content_filter", "message": {"role": "assistant", "content": None}, "logprobs": None}
        document = {"object": "chat.completion", "choices": [choice], "model": body["model"]}
        if self.usage and fault != "no usage":
            document["usage"] = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        return document


def _listed(weight: np.ndarray, mass: float, fault: str) -> list[dict[str, Any]]:
    """Top log-probabilities, in which the second label appears as two tokens."""
    tokens = {"1": weight[0], " 2": weight[1] / 4, "2": weight[1] * 3 / 4, "3": weight[2], "4": weight[3], "5": weight[4]}
    tokens |= {"I": (1 - mass) / 2, "bytes:\\xe2": (1 - mass) / 4}
    listed = [{"token": token, "logprob": math.log(p), "bytes": None} for token, p in tokens.items()]
    match fault:
        case "positive":
            listed[0]["logprob"] = 0.3
        case "nan":
            listed[0]["logprob"] = math.nan
        case "over one":
            listed += [{"token": "6", "logprob": math.log(0.9)}]
    return listed


def _head(status: int, length: int, *, kind: str = "application/json", more: str = "") -> bytes:
    said = "OK" if status == 200 else STATUSES[str(status)]
    return f"HTTP/1.1 {status} {said}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}\r\n".encode()
