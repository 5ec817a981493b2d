"""Many texts of one kind, each checked: what breaks a rule, declines, or is there already is asked for again, a bounded number of times.

Rounds: all that is missing is asked for with the number of the round as its draw, then checked in the order of the dataset. So what is accepted does
not depend on which answer came first, nor on how often the work was interrupted; and nothing is kept but answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache, partial
from typing import NamedTuple

from vat.elicit.desk import Desk
from vat.errors import BackendError, shown
from vat.generate.faults import REFUSED, TWICE, faults_of
from vat.generate.languages import Language
from vat.generate.prompts import Kind, WritingPrompt
from vat.generate.rules import cleaned

SAMPLE = 32
"""So many are asked for first: if none of them is usable, no more are."""


class Wanted(NamedTuple):
    """A text to be written.

    id: in messages and tables. given: what the writer is given. among: texts with the same may not be equal. number: tells apart those of which the
    same is given.
    """

    id: str
    given: Mapping[str, str]
    among: Hashable
    number: int = 0


class Rejected(NamedTuple):
    """A text that was not accepted, at which try (from 1), and the names of the rules that it breaks."""

    id: str
    attempt: int
    faults: str
    text: str


class Written(NamedTuple):
    """texts: id → text of what was accepted, in the order wanted. rejected: all that was not. missing: ids of what no try brought."""

    texts: dict[str, str]
    rejected: list[Rejected]
    missing: list[str]


def write(
    desk: Desk,
    prompt: WritingPrompt,
    wanted: Sequence[Wanted],
    language: Language,
    *,
    tries: int,
    max_new_tokens: int,
    role: str = "writer",
    first_draw: int = 0,
    told: Callable[[int], object] = lambda count: None,
) -> Written:
    """Have texts written with a frozen prompt.

    Args:
        tries: Of each text. first_draw: The least draw; every try is one of its own.
        told: Is called with the number of texts whenever some were answered for the first time.
    Raises:
        ConfigError, BackendError: As the desk; or the writer gives nothing usable at all.
    """
    checked = cache(partial(_checked, prompt.kind, language))
    texts: dict[str, str] = {}
    rejected: list[Rejected] = []
    there: set[tuple[Hashable, str]] = set()
    left = list(wanted)
    for attempt in range(1, tries + 1):
        again: list[Wanted] = []
        for batch in (left[:SAMPLE], left[SAMPLE:]) if attempt == 1 else (left,):
            prompts = [prompt.prompt(one.given, first_draw + one.number * tries + attempt - 1) for one in batch]
            answers = desk.ask(role, prompts, max_new_tokens=max_new_tokens, told=told if attempt == 1 else None, heard=checked)
            for one, answer in zip(batch, answers, strict=True):
                text, faults = checked(answer)
                counted_as = (one.among, _folded(text))
                if not faults and counted_as in there:
                    faults = (TWICE,)
                if faults:
                    rejected.append(Rejected(one.id, attempt, " ".join(faults), answer))
                    again.append(one)
                else:
                    there.add(counted_as)
                    texts[one.id] = text
            if attempt == 1 and not texts and len(rejected) == len(batch):
                raise unusable(prompt.kind, [(one.faults, one.text) for one in rejected])
        left = again
        if not left:
            break
    return Written({one.id: texts[one.id] for one in wanted if one.id in texts}, rejected, [one.id for one in left])


def _checked(kind: Kind, language: Language, answer: str) -> tuple[str, tuple[str, ...]]:
    """An answer without its wrapping, and what is wrong with it."""
    text = cleaned(answer)
    return text, faults_of(kind, text, language)


def unusable(kind: Kind, rejected: Sequence[tuple[str, str]]) -> BackendError:
    """Nothing of a first sample can be used: what it was, as names of faults and texts, and what to do."""
    refused = sum(REFUSED in faults.split() for faults, _ in rejected)
    found = f"{refused} refusals" if refused > len(rejected) / 2 else f"rules broken: {rejected[0][0]}"
    rule = f"model: must write {kind}s that keep to the rules; got none in {len(rejected)} ({found}), e.g. {shown(rejected[0][1], 160)}"
    return BackendError(f"{rule}. Choose another model, or another {kind} prompt (data.{kind}_prompt), under another name=….")


def _folded(text: str) -> str:
    """A text as it counts when it is compared: letters and digits, in lower case."""
    return re.sub(r"[\W_]+", " ", text).strip().casefold()
