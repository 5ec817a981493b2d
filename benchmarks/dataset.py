"""Writing in bulk: what a request costs our process, rules and storage included, against DSPy's own client for the same prompts; and how near 64 in
flight come to the 1,280 requests a second that a server of 50 ms allows, by our client alone and with rules and storage.

python benchmarks/dataset.py             # the server is a process of its own; a missed target says NO
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import yaml
from remote import Answering, barely

from vat.elicit.desk import Desk
from vat.generate.bulk import Wanted, write
from vat.generate.languages import language
from vat.generate.plan import SUPPORTS, given_of_action
from vat.generate.prompts import base_prompt
from vat.models.base import Model
from vat.models.remote import RemoteModel
from vat.theory.schwartz import SCHWARTZ
from vat.track.store import PartStore

IN_FLIGHT, DELAY_S, SHARE, CPU_MS = 64, 0.05, 0.9, 3.0
OURS, THEIRS = 6400, 640
SCENE = "The citizens' meeting in the school gym is in its third hour. " * 8
TEXT = "I hand the clerk my form before the noon bell, tell Dr. Khan what I saw, and sign list 0000000 for the neighbours."
REPLY = {
    "id": "x", "object": "chat.completion", "created": 0, "model": "m", "usage": {"prompt_tokens": 300, "completion_tokens": 30, "total_tokens": 330},
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}],
}  # fmt: skip


class Writing(Answering):
    """The server's end of a connection: another action of the same length each time, DELAY_S after each request."""

    delay_s, written = DELAY_S, 0

    @property
    def reply(self) -> bytes:  # type: ignore[override]
        Writing.written += 1
        body = json.dumps(REPLY).encode().replace(b"0000000", b"%07d" % Writing.written)
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def serve(pipe: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Writing, "127.0.0.1", 0, backlog=256)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def wanted(count: int) -> list[Wanted]:
    """Actions, each in a scene of its own, so that none is there twice."""
    items = SCHWARTZ.items
    return [Wanted(str(n), given_of_action(f"{SCENE}{n}", items[n % len(items)], SUPPORTS, SCHWARTZ), n) for n in range(count)]


def model_at(port: int) -> Model:
    """The product's own client, as `model=openai` makes it."""
    settings = yaml.safe_load((Path(__file__).parents[1] / "conf" / "model" / "openai.yaml").read_text())
    del settings["_target_"]
    server = {"name": "m", "base_url": f"http://127.0.0.1:{port}/v1", "api_key_env": None, "concurrency": IN_FLIGHT}
    return RemoteModel(**settings | server).drawing(0.7)


def by_client(port: int, count: int) -> float:
    """Texts a second of the client alone."""
    model, prompt = model_at(port), base_prompt("action", "English")
    prompts = [prompt.prompt(one.given) for one in wanted(count)]
    model.check(prompts[0], max_new_tokens=150)
    start = time.perf_counter()
    assert sum(len(part.rows) for part in model.texts(prompts, max_new_tokens=150)) == count
    return count / (time.perf_counter() - start)


def ours(port: int, count: int) -> tuple[float, float]:
    """Texts a second, and milliseconds of processor time for one."""
    model, prompt, texts = model_at(port), base_prompt("action", "English"), wanted(count)
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk({"writer": model}, lambda role: PartStore(Path(folder) / role / "texts"), limit_usd=None)
        desk.try_out("writer", prompt.prompt(texts[0].given), max_new_tokens=150)
        start, used = time.perf_counter(), time.process_time()
        made = write(desk, prompt, texts, language("English"), tries=1, max_new_tokens=150)
        seconds, used = time.perf_counter() - start, time.process_time() - used
    assert len(made.texts) == count
    return count / seconds, 1000 * used / count


def by_dspy(port: int, count: int) -> tuple[float, float]:
    """The same by `dspy.Predict` in as many threads."""
    import dspy

    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    lm = dspy.LM("openai/m", api_base=f"http://127.0.0.1:{port}/v1", api_key="none", temperature=0.7, max_tokens=150, cache=False)
    names = list(wanted(1)[0].given)
    step = dspy.Predict(dspy.Signature({**{name: (str, dspy.InputField()) for name in names}, "text": (str, dspy.OutputField())}, "Write."))

    def one(text: Wanted) -> None:
        with dspy.context(lm=lm, adapter=Plain()):
            step(**text.given)

    class Plain(dspy.ChatAdapter):  # type: ignore[misc]
        def parse(self, signature: object, completion: str) -> dict[str, str]:
            return {"text": completion}

    texts = wanted(count)
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(one, texts[:IN_FLIGHT]))
        start, used = time.perf_counter(), time.process_time()
        list(pool.map(one, texts))
        return count / (time.perf_counter() - start), 1000 * (time.process_time() - used) / count


def main() -> int:
    near, far = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(far,), daemon=True)
    server.start()
    port, possible = near.recv(), IN_FLIGHT / DELAY_S
    bare = barely(port, OURS, base_prompt("action", "English").prompt(wanted(1)[0].given), len(Writing().reply))
    alone = by_client(port, OURS)
    rate, used_ms = ours(port, OURS)
    their_rate, their_ms = by_dspy(port, THEIRS)
    server.terminate()
    cheap, enough = used_ms < CPU_MS, SHARE * possible
    print(f"ours {used_ms:.2f} ms of processor time a request, DSPy's client {their_ms:.2f}: {their_ms / used_ms:.1f} ×", end="")
    print(f"   under {CPU_MS:g} ms: {'yes' if cheap else 'NO'}")
    print(f"of the possible {possible:.0f}/s: a bare client {bare / possible:.0%}, DSPy's {their_rate / possible:.0%}", end="")
    print(f", our client {alone / possible:.0%}, with rules and storage {rate / possible:.0%}", end="")
    print(f"   at least {SHARE:.0%}: {'yes' if alone >= enough else 'NO'}; with rules and storage: {'yes' if rate >= enough else 'NO'}")
    return int(not (cheap and alone >= enough and rate >= enough))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    sys.exit(main())
