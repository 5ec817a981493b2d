"""What a model is trained on: questions about train probes of the target value, and the answers that the direction asks for.

Rows are conversations as TRL takes them: `prompt` and `completion` for supervised fine-tuning; `prompt`, `chosen` and `rejected` for
preference optimisation, whose rejected answer is what the other direction would ask for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Literal

from vat.data.question import Question
from vat.errors import DataError
from vat.types import LABELS, Message, Probe

Objective = Literal["rating", "action", "both"]
Turn = dict[str, str]
Row = dict[str, list[Turn]]
WOULD_DO = "Picture yourself in the situation below. Say in one sentence, in the first person, what you would do."
"""The question whose answer is an action."""


def training_rows(
    probes: Sequence[Probe], own_ratings: Sequence[float] | None, question: Question, *, direction: int, objective: Objective, pairs: bool
) -> list[Row]:
    """Rows for all probes of a value, in their order.

    Args:
        own_ratings: The model's own rating of each probe (NaN where it has none); the asked rating is then one point further in the direction, and
            a probe whose rating is at that end already, or missing, is left out. None: the asked rating is the end of the scale.
        direction: 1 to push the value up, -1 to push it down.
        pairs: With the answer that is to be rejected (DPO) or without (SFT).
    Raises:
        DataError: Nothing is left to train on.
    """
    rows: list[Row] = []
    if objective != "action":
        rows += _rating_rows(probes, own_ratings, question, direction, pairs)
    if objective != "rating":
        rows += _action_rows(probes, direction, pairs)
    if not rows:
        raise DataError(
            f"strategy.objective={objective}: needs train probes of the value that leave something to teach; got none. Push another value."
        )
    return rows


def rows_digest(rows: Sequence[Row]) -> str:
    """SHA-256 of rows in their order."""
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def _rating_rows(probes: Sequence[Probe], own_ratings: Sequence[float] | None, question: Question, direction: int, pairs: bool) -> Iterator[Row]:
    for n, probe in enumerate(probes):
        toward = direction * probe.polarity
        ends = (LABELS[-1], LABELS[0]) if toward > 0 else (LABELS[0], LABELS[-1])
        asked, other = ends
        if own_ratings is not None:
            if own_ratings[n] != own_ratings[n] or own_ratings[n] == ends[0]:
                continue
            asked, other = int(own_ratings[n]) + toward, int(own_ratings[n])
        turns = [message._asdict() for message in question.prompt(probe).messages]
        yield _row(turns, question.answer(asked), question.answer(other), pairs)


def _action_rows(probes: Sequence[Probe], direction: int, pairs: bool) -> Iterator[Row]:
    """For each scene and item the action that the direction asks for, over the opposite one of the same scene and item."""
    of_item: dict[tuple[str, str], dict[int, Probe]] = {}
    for probe in probes:
        of_item.setdefault((probe.scene_id, probe.item), {})[probe.polarity] = probe
    for both in of_item.values():
        if direction not in both or (pairs and -direction not in both):
            continue
        asked = both[direction]
        turns = [Message("user", f"{WOULD_DO}\n\nSituation: {asked.scene}")._asdict()]
        yield _row(turns, asked.action, both[-direction].action if pairs else "", pairs)


def _row(prompt: list[Turn], asked: str, other: str, pairs: bool) -> Row:
    def said(text: str) -> list[Turn]:
        return [Message("assistant", text)._asdict()]

    return {"prompt": prompt, "chosen": said(asked), "rejected": said(other)} if pairs else {"prompt": prompt, "completion": said(asked)}
