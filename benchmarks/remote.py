"""64 requests in flight against a server on this machine that takes 50 ms for each: how near the client comes to the 1,280 a second that are
possible, and to what the server gives a bare client that neither writes nor reads JSON.

python benchmarks/remote.py             # server, bare client and ours are three processes; a missed target says NO

Ours and the bare client take turns. A second table has a server that answers at once: then the client is what limits.
"""

from __future__ import annotations

import asyncio
import json
import math
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import yaml

from vat.models.remote import RemoteModel
from vat.types import Message, Prompt

IN_FLIGHT, ROUNDS, TARGET = 64, 5, 0.9
SETTINGS = yaml.safe_load((Path(__file__).parents[1] / "conf" / "model" / "openai.yaml").read_text())
SCENE = "Situation: You and a colleague planned a project in the town where you grew up, and the budget is smaller than you thought. "
LISTED = [{"token": str(n), "logprob": math.log(0.9 / 2**n), "bytes": [48 + n]} for n in range(1, 21)]
REPLY = {
    "id": "x", "object": "chat.completion", "model": "m", "usage": {"prompt_tokens": 600, "completion_tokens": 1, "total_tokens": 601},
    "choices": [{
        "index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "1"},
        "logprobs": {"content": [LISTED[0] | {"top_logprobs": LISTED}]},
    }],
}  # fmt: skip


def prompts(count: int) -> list[Prompt]:
    """Four examples and a question, about 600 tokens."""
    shots = tuple(turn for n in range(4) for turn in (Message("user", f"{SCENE * 4}Action {n}. Your answer:"), Message("assistant", "4")))
    return [Prompt((*shots, Message("user", f"{SCENE * 4}Action {n}. Your answer:")), "", tuple("12345")) for n in range(count)]


class Answering(asyncio.Protocol):
    """The server's end of a connection: one reply, always the same, `delay_s` after each request."""

    delay_s = 0.05
    body = json.dumps(REPLY).encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    def __init__(self) -> None:
        self._given = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._given += data
        head, end, body = self._given.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            self._given = b""
            asyncio.get_running_loop().call_later(self.delay_s, self._transport.write, self.reply)  # type: ignore[attr-defined]


class Asking(asyncio.Protocol):
    """The bare client's end: send, count the bytes of the reply, send again."""

    left = 0

    def __init__(self, request: bytes, done: asyncio.Event, length: int) -> None:
        self._request, self._done, self._length, self._got = request, done, length, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._got += len(data)
        if self._got >= self._length:
            self._got = 0
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._done.set()

    def _send(self) -> None:
        Asking.left -= 1
        if Asking.left >= 0:
            self._transport.write(self._request)  # type: ignore[attr-defined]
        else:
            self._transport.close()


def serve(delay_s: float, pipe: Connection) -> None:
    """The server's process."""

    async def run() -> None:
        Answering.delay_s = delay_s
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=256)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def ask_barely(port: int, count: int, asked: Prompt, length: int, pipe: Connection) -> None:
    """The bare client's process: seconds for so many requests of the same size as ours, each with a reply of that length."""

    async def run() -> float:
        body = json.dumps({"model": "m", "messages": [turn._asdict() for turn in asked.messages]}).encode()
        request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        loop, ends = asyncio.get_running_loop(), [asyncio.Event() for _ in range(IN_FLIGHT)]
        Asking.left = count
        start = time.perf_counter()
        for end in ends:
            await loop.create_connection(lambda end=end: Asking(request, end, length), "127.0.0.1", port)  # type: ignore[misc]
        for end in ends:
            await end.wait()
        return time.perf_counter() - start

    pipe.send(asyncio.run(run()))


def barely(port: int, count: int, asked: Prompt, length: int) -> float:
    """Requests a second of the bare client."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=ask_barely, args=(port, count, asked, length, theirs))
    process.start()
    seconds = ours.recv()
    process.join()
    return count / seconds


def compare(delay_s: float, count: int) -> list[tuple[float, float, float]]:
    """Per round: requests a second of the bare client and of ours, and our milliseconds of processor time for one."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(delay_s, theirs), daemon=True)
    server.start()
    port = ours.recv()
    given = {key: setting for key, setting in SETTINGS.items() if key != "_target_"}
    model = RemoteModel(**given | {"name": "m", "base_url": f"http://127.0.0.1:{port}/v1", "api_key_env": None, "concurrency": IN_FLIGHT})
    asked, rounds = prompts(count), []
    model.check(asked[0])
    for _ in range(ROUNDS):
        bare = barely(port, count, asked[0], len(Answering.reply))
        start, used = time.perf_counter(), time.process_time()
        answered = sum(len(part.rows) for part in model.ratings(asked, max_new_tokens=16))
        seconds, used = time.perf_counter() - start, time.process_time() - used
        assert answered == count
        rounds.append((bare, count / seconds, 1000 * used / count))
    server.terminate()
    server.join()
    return rounds


def main() -> int:
    possible, missed = IN_FLIGHT / 0.05, False
    for delay_s, count in ((0.05, 6400), (0.0, 6400)):
        bare, ours, used_ms = (statistics.median(column) for column in zip(*compare(delay_s, count), strict=True))
        print(f"server takes {1000 * delay_s:.0f} ms: bare client {bare:.0f}/s, ours {ours:.0f}/s, {used_ms:.2f} ms of processor time each")
        print(f"  of what the server gives: {ours / bare:.0%}", end="")
        if delay_s:
            good = ours / min(bare, possible) >= TARGET
            missed |= not good
            print(f"   of the possible {possible:.0f}/s: {ours / possible:.0%}   at least {TARGET:.0%}: {'yes' if good else 'NO'}", end="")
        print(flush=True)
    return int(missed)


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    sys.exit(main())
