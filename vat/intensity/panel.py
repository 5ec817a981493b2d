"""Whether models find an intensity plausible: a panel looks at each text with its score, and what enough of them doubt is for people to decide.

Source: ValueFlow, appendix C.2, "Post-processing", step 1, and Box 5. Differs: our wording; a reply that cannot be read is asked again, then missing,
and nobody's doubt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from vat.elicit.desk import Desk
from vat.elicit.wording import said_at_last
from vat.intensity.ranking import Target
from vat.intensity.wording import words
from vat.types import Message, Prompt

TRIES = 3
MAX_NEW_TOKENS = 16
_VERDICT = re.compile(r"\W*(?:answer\W+|verdict\W+)?(?P<verdict>[01]|yes|no|plausible|implausible)\W*", re.I)


class Verdicts(NamedTuple):
    """What a panel says of one text. doubts, plausible: how many say so; missing: how many gave nothing that can be read."""

    doubts: int
    plausible: int
    missing: int


def panel_of(desk: Desk, roles: Sequence[str], target: Target, scored: Sequence[tuple[str, float]]) -> list[Verdicts]:
    """The verdicts on texts and their intensities, in their order; of an empty panel none.

    Args:
        roles: Of the panel, at the desk.
        scored: Text and intensity.
    Raises:
        ConfigError, BackendError: As the desk.
    """
    found = [[_verdicts(desk, role, [_question(target, *one) for one in scored]) for role in roles]][0]
    return [
        Verdicts(of_text.count(False), of_text.count(True), of_text.count(None))
        for of_text in (list(map(list, zip(*found, strict=True))) if found else [])
    ]


def read_verdict(reply: str) -> bool | None:
    """True for plausible, False for a doubt, None for anything that is neither alone."""
    found = _VERDICT.fullmatch(said_at_last(reply))
    return None if found is None else found["verdict"].lower() in ("1", "yes", "plausible")


def _verdicts(desk: Desk, role: str, questions: Sequence[Message]) -> list[bool | None]:
    found: list[bool | None] = [None] * len(questions)
    for draw in range(TRIES):
        missing = [n for n, verdict in enumerate(found) if verdict is None]
        if not missing:
            break
        replies = desk.ask(role, [Prompt((questions[n],), "", (), draw) for n in missing], max_new_tokens=MAX_NEW_TOKENS)
        for n, reply in zip(missing, replies, strict=True):
            found[n] = read_verdict(reply)
    return found


def _question(target: Target, text: str, intensity: float) -> Message:
    value = target.name.replace("_", " ")
    return Message(
        "user",
        words()["plausible"].format(value=value, definition=target.definition, text=" ".join(text.split()), rating=f"{intensity:+.1f}").strip(),
    )
