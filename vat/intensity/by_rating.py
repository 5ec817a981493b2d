"""evaluator=rating: a judge gives each response a number, which is its intensity. What ranking is compared with (ValueFlow, section 3.2)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np

from vat.elicit.desk import Desk
from vat.elicit.refusals import is_refusal
from vat.elicit.wording import said_at_last
from vat.errors import BackendError, shown
from vat.intensity.calibration import LARGEST
from vat.intensity.evaluator import Evaluator, Scale, Scored
from vat.intensity.judging import BLOCK, UNREADABLE
from vat.intensity.ranking import Target
from vat.intensity.response import Intensities
from vat.intensity.wording import words
from vat.settings import settings
from vat.types import Message, Prompt

NUMBER = re.compile(r"(?P<cue>(?:(?:the|my|final) )?(?:score|rating|answer|intensity)(?: is)? ?[:=]? ?)?(?P<number>[+-]?[0-9]{1,2}(?:\.[0-9]+)?)\.?")
"""A line that gives one."""


@settings
class Rating(Evaluator):
    """A score is the number itself: it has no interval, and nobody knows how sure it is."""

    method: ClassVar[str] = "rating"
    compares: ClassVar[bool] = False

    @property
    def questions(self) -> int:
        """One."""
        return 1

    @property
    def told(self) -> str:
        """Ratings."""
        return "ratings"

    def trial(self, scale: Scale, text: str) -> Prompt:
        """The question itself."""
        return rating_prompt(scale.target, text, wording=self.wording)

    def score(
        self, desk: Desk, role: str, scale: Scale, responses: Mapping[str, str], *, drawn_as: Callable[[str], str], max_new_tokens: int,
        told: Callable[[], object],
    ) -> Scored:  # fmt: skip
        """As the base. What cannot be read is lost: a judge that is asked the same again says the same."""
        texts = list(responses.values())
        prompts = [rating_prompt(scale.target, text, wording=self.wording) for text in texts]
        too_long = desk.too_long(role, prompts, max_new_tokens=max_new_tokens)
        rating_R, lost = np.full(len(texts), np.nan), Counter({"too long": len(too_long)} if too_long else {})
        rows = [row for row in range(len(texts)) if row not in too_long]
        start = 0
        while start < len(rows):
            part = rows[start : start + (BLOCK if start else UNREADABLE)]  # the first few show whether it understands what is asked
            replies = desk.ask(role, [prompts[row] for row in part], max_new_tokens=max_new_tokens)
            for row, reply in zip(part, replies, strict=True):
                rating_R[row], why = read_rating(reply)
                lost.update([why] if why else [])
                told()
            if not start and len(part) == UNREADABLE and np.isnan(rating_R[part]).all():
                raise desk.end(_unreadable(role, replies[-1], lost))
            desk.forget(role)
            start += len(part)
        known_R, unknown_R = np.isfinite(rating_R), np.full(len(texts), np.nan)
        nowhere_R = np.zeros(len(texts), dtype=bool)
        found = Intensities(rating_R, unknown_R, unknown_R, rating_R, known_R.astype(np.int64), nowhere_R, nowhere_R)
        return Scored(len(texts), lost, [], None, found if known_R.any() else None, "" if known_R.any() else "no rating could be read")


def rating_prompt(target: Target, text: str, *, wording: int = 0) -> Prompt:
    """What a judge is asked about a text."""
    asked = words()["rate"][wording].format(
        value=target.name.replace("_", " "), definition=" ".join(target.definition.split()), text=" ".join(text.split())
    )
    return Prompt((Message("user", asked.strip()),), "", ())


def read_rating(reply: str) -> tuple[float, str]:
    """A number from −10 to 10, NaN where there is none; and why not, "" where there is one.

    It must stand alone, "Score:" before it at most; of several lines in one that holds nothing else, with no digit in any other.
    """
    said = said_at_last(reply)
    lines = [re.sub(r"[*`#\"']", "", line).replace("−", "-").strip().lower() for line in said.splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        return np.nan, "cut short" if "<think" in reply and "</think" not in reply else "empty"
    found = [match for line in lines if (match := NUMBER.fullmatch(line))]
    if is_refusal(reply):
        return np.nan, "refusal"
    if len(found) != 1 or sum(bool(re.search("[0-9]", line)) for line in lines) > 1:
        return np.nan, "several" if len(found) > 1 else "prose"
    rating = float(found[0]["number"])
    return (rating, "") if abs(rating) <= LARGEST else (np.nan, "out of range")


def _unreadable(role: str, last: str, lost: Counter[str]) -> BackendError:
    reasons = ", ".join(f"{count} {why}" for why, count in lost.most_common())
    rule = f"{role}: must give a number from -10 to 10; got {shown(last)} and {UNREADABLE - 1} more that cannot be read ({reasons})"
    return BackendError(f"{rule}. Choose another model for it.")
