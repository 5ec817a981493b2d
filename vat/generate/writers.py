"""A writing prompt as a program of DSPy, so that its optimisers can search for a better one; and back again.

DSPy sees our models through an engine and our prompts through an adapter: what a candidate makes a model see during the search is to the letter what
the frozen prompt makes it see afterwards, and every request passes the desk.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

os.environ.setdefault("DSPY_CACHEDIR", os.path.join(tempfile.gettempdir(), "vat-dspy"))  # noqa: PTH118 - read when dspy is imported; nothing is cached

import dspy
from dspy.lm15 import Message as TurnOut
from dspy.lm15 import Request, Response, TextPart, Usage

from vat.elicit.desk import Desk
from vat.generate.plan import OF_SEARCH
from vat.generate.prompts import Example, Kind, WritingPrompt
from vat.generate.rules import cleaned
from vat.types import Message, Prompt

TEXT = "text"
"""The one thing that a writing program gives; by it the adapter knows one of ours."""
NOTHING = " "
"""What DSPy gets for an empty text, which it would take for an error: an empty text is one that breaks a rule."""
TRIES = 3
"""How often a proposal is asked for until it can be read."""


class Writer(dspy.Module):  # type: ignore[misc]
    """A program of one step: what is given → a text. Its prediction also bears the prompt that it was written with."""

    def __init__(self, prompt: WritingPrompt, given: Sequence[str]) -> None:
        super().__init__()
        self.kind, self.language = prompt.kind, prompt.language
        fields: dict[str, Any] = {name: (str, dspy.InputField()) for name in given}
        fields[TEXT] = (str, dspy.OutputField())
        self.write = dspy.Predict(dspy.Signature(fields, prompt.instruction))

    def forward(self, **given: str) -> dspy.Prediction:
        """Called by DSPy."""
        return dspy.Prediction(text=self.write(**given).text, prompt=prompt_of(self))


def prompt_of(writer: Writer) -> WritingPrompt:
    """What a program makes a model see."""
    signature = writer.write.signature
    return _prompt(writer.kind, writer.language, signature, writer.write.demos)


class LettersOfOurs(dspy.JSONAdapter):  # type: ignore[misc]
    """Turns a writing program's request into our prompt; all other requests, those for proposals, are DSPy's own."""

    def __init__(self, kind: Kind, language: str) -> None:
        super().__init__()
        self._kind, self._language = kind, language

    def format(self, signature: Any, demos: Sequence[Mapping[str, Any]], inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Called by DSPy."""
        if TEXT not in signature.output_fields:
            turns: list[dict[str, Any]] = super().format(signature, demos, inputs)
            return turns
        prompt = _prompt(self._kind, self._language, signature, demos).prompt({name: str(inputs[name]) for name in signature.input_fields})
        return [turn._asdict() for turn in prompt.messages]

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        """Called by DSPy."""
        if TEXT not in signature.output_fields:
            fields: dict[str, Any] = super().parse(signature, completion)
            return fields
        return {TEXT: cleaned(completion)}


class DeskEngine:
    """What stands behind a `dspy.LM`: a role at the desk. The same request again is the next draw."""

    supports_response_schema = False
    supported_params = ("temperature", "max_tokens")

    def __init__(self, desk: Desk, role: str) -> None:
        self._desk, self._role = desk, role
        self._asked: Counter[tuple[Message, ...]] = Counter()
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Response:
        """Called by DSPy."""
        turns = _turns(request)
        text = ""
        for _ in range(TRIES):
            with self._lock:
                draw = OF_SEARCH + self._asked[turns]
                self._asked[turns] += 1
            [text] = self._desk.ask(self._role, [Prompt(turns, "", (), draw)], max_new_tokens=request.config.max_tokens or 0)
            if _has(text, _wanted(turns)):
                break
        nothing = Usage(input_tokens=0, output_tokens=0, total_tokens=0)  # the account is the desk's
        said = TurnOut.assistant([TextPart(text or NOTHING)])
        return Response(id=None, model=self._role, message=said, finish_reason="stop", usage=nothing)

    def close(self) -> None:
        """Called by DSPy; the desk is not ours to close."""


def lm(desk: Desk, role: str, *, max_new_tokens: int) -> dspy.LM:
    """A role at the desk as DSPy knows models. Nothing is cached, nothing tried again: the desk does both."""
    return dspy.LM(f"vat/{role.replace(' ', '-')}", engine=DeskEngine(desk, role), max_tokens=max_new_tokens, cache=False, num_retries=0)


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """While the block runs, DSPy waits for every text; else one that takes two minutes is written anew, and the clock has a say in what is drawn."""
    place = dspy.evaluate.evaluate
    executor = place.ParallelExecutor
    place.ParallelExecutor = partial(executor, timeout=0)
    try:
        yield
    finally:
        place.ParallelExecutor = executor


def _prompt(kind: Kind, language: str, signature: Any, demos: Sequence[Mapping[str, Any]]) -> WritingPrompt:
    """The prompt of a signature with its examples, of which what is not whole does not count."""
    names = list(signature.input_fields)
    whole = [demo for demo in demos if all(demo.get(name) for name in (*names, TEXT))]
    examples = tuple(Example(tuple((name, str(demo[name])) for name in names), str(demo[TEXT])) for demo in whole)
    return WritingPrompt(kind, signature.instructions.strip(), examples, language)


def _turns(request: Request) -> tuple[Message, ...]:
    """A request's turns; what stands before them opens the first, since not every model knows such a role."""
    system = request.system if isinstance(request.system, str) else "".join(part.text for part in request.system or ())
    turns = [Message("assistant" if message.role == "assistant" else "user", message.text or "") for message in request.messages]
    if system:
        turns[0] = Message("user", f"{system}\n\n{turns[0].content}")
    return tuple(turns)


def _wanted(turns: Sequence[Message]) -> list[str]:
    """The fields that DSPy asks for in JSON; none in a request of ours."""
    found = re.search(r"Respond with a JSON object in the following order of fields: (.*)", turns[-1].content)
    return re.findall(r"`(\w+)`", found[1]) if found else []


def _has(text: str, fields: Sequence[str]) -> bool:
    """Whether a reply has all fields, as DSPy's own lenient reader sees it."""
    import json_repair

    if not fields:
        return True
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        tree = json_repair.loads(found[0]) if found else None
    except (ValueError, RecursionError):
        return False
    return isinstance(tree, dict) and all(isinstance(tree.get(field), str) and tree[field].strip() for field in fields)


dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
