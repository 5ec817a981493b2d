"""A judge is asked to rank windows: each answer is kept, what cannot be read is asked again in another order, and what is dropped is counted.

The same texts in the same order are one question: it is asked once, and its answer stands for all windows that show it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from vat.elicit.desk import Desk, Said
from vat.errors import BackendError, ConfigError, DataError, shown
from vat.intensity.ranking import Reading, Target, Why, ranking_prompt, read_ranking
from vat.intensity.windows import Window, reshuffled
from vat.types import LABELS, Prompt

Way = Literal["texts", "probabilities"]
TRIES = 3
"""How often a judge is asked for one window, each time in another order; for one of two texts there are but two."""
UNREADABLE = 20
"""So many replies without one that can be read end the work."""
BLOCK = 5_000
"""Windows that are asked for together; what a judge said of them then leaves memory."""
LEAST_MASS = 0.5
"""Probability on the numbers of the texts, below which a judge was about to say something else."""


class Ranked(NamedTuple):
    """A window and its ranking.

    window: as it was shown at last. places: of the texts as shown, from 0, the most supportive first; empty where the window was dropped.
    why: the last reply could not be read; "" where it was. tries: how often it was asked for.
    """

    window: Window
    places: tuple[int, ...]
    why: Why
    tries: int

    @property
    def ranking(self) -> tuple[str, ...]:
        """Ids of the texts, the most supportive first."""
        return tuple(self.window.shown[place] for place in self.places)


class RankingJudge:
    """One judge, by its role at the desk (`judge gemma`). Another, or another value, has counts of its own.

    way: `texts` reads what it writes; `probabilities`, for windows of up to five, asks which text comes first and ranks all by how likely each is to
        be named: under Plackett and Luce's model that is the order of their utilities. Of a judge that gives no probabilities, and is asked for the
        better of two, what it writes is read. wording: which of ours. max_new_tokens: of a reply.
    """

    def __init__(self, desk: Desk, role: str, *, way: Way, max_new_tokens: int, wording: int = 0) -> None:
        self._desk, self.role, self._way, self._wording, self._max_new_tokens = desk, role, way, wording, max_new_tokens
        self.replies: Counter[Why] = Counter()
        """How many replies could be read (""), and how many could not, by reason."""
        self.windows: Counter[Why] = Counter()
        """How many windows were ranked (""), and how many were dropped, by the reason of the last try."""

    def rank(self, target: Target, windows: Sequence[Window], texts: Mapping[str, str]) -> Iterator[Ranked]:
        """Rankings of all windows, in their order, as they come; nothing is asked for before the first is taken.

        Args:
            texts: Id → text.
        Raises:
            ConfigError: Probabilities of windows that hold more texts than a rating has labels; as the desk.
            DataError: A text that is not there, or empty.
            BackendError: As the desk; a judge of whose first replies none can be read.
        Source: ValueFlow, appendix C.2, step 3 (c). Differs: what cannot be read is asked again and counted.
        """
        if self._way == "probabilities" and (large := [len(window.shown) for window in windows if len(window.shown) > len(LABELS)]):
            rule = f"{self.role}: way=probabilities ranks windows of at most {len(LABELS)} texts; got one of {large[0]}"
            raise ConfigError(f"{rule}. Use way=texts, or smaller windows.")
        if missing := {text for window in windows for text in window.shown} - texts.keys():
            raise DataError(f"{self.role}: must be given every text of its windows; got none for {shown(min(missing))}. Check the ids.")
        if empty := {text for window in windows for text in window.shown if not texts[text].strip()}:
            raise DataError(f"{self.role}: a text to be ranked must say something; got an empty one, {shown(min(empty))}. Leave it out.")
        return self._ranked(target, windows, texts)

    def told(self) -> str:
        """What became of the windows, in a line."""
        asked, ranked = self.windows.total(), self.windows[""]
        reasons = ", ".join(f"{count} {why}" for why, count in self.windows.most_common() if why)
        again = self.replies.total() - asked
        return f"{self.role}: ranked {ranked:,} of {asked:,} windows; {again:,} asked again" + (f"; dropped: {reasons}" if reasons else "")

    def _ranked(self, target: Target, windows: Sequence[Window], texts: Mapping[str, str]) -> Iterator[Ranked]:
        start = 0
        while start < len(windows):
            end = start + (BLOCK if self.replies[""] else UNREADABLE)  # the first few show whether it understands what is asked
            yield from self._block(target, windows[start:end], texts)
            self._desk.forget(self.role)
            start = end

    def _block(self, target: Target, windows: Sequence[Window], texts: Mapping[str, str]) -> list[Ranked]:
        ranked = [Ranked(window, (), "empty", 0) for window in windows]
        for attempt in range(TRIES):
            missing = [
                n for n, one in enumerate(ranked)
                if not one.places and one.why != "too long" and attempt < math.factorial(len(one.window.shown))
            ]  # fmt: skip
            if not missing:
                break
            shown_now = [reshuffled(windows[n], attempt) for n in missing]
            labelled = self._way == "probabilities"
            prompts = [ranking_prompt(target, [texts[one] for one in window.shown], wording=self._wording, labelled=labelled) for window in shown_now]
            readings = self._readings(prompts, shown_now)
            for n, window, (_, reading) in zip(missing, shown_now, readings, strict=True):
                ranked[n] = Ranked(window, reading.places, reading.why, attempt + 1)
                self.replies[reading.why] += 1
            if not self.replies[""] and self.replies.total() >= UNREADABLE:
                raise self._desk.end(self._unreadable(readings[-1][0]))
        self.windows.update(one.why for one in ranked)
        return ranked

    def _readings(self, prompts: Sequence[Prompt], windows: Sequence[Window]) -> list[tuple[Said, Reading]]:
        written = 0 if self._way == "probabilities" else self._max_new_tokens
        too_long = self._desk.too_long(self.role, prompts, max_new_tokens=written)
        asked = [prompt for n, prompt in enumerate(prompts) if n not in too_long]
        if self._way == "texts":
            replies = self._desk.ask(self.role, asked, max_new_tokens=self._max_new_tokens)
            said = iter([Said(reply, None, 0.0) for reply in replies])
        else:
            said = iter(self._desk.rate(self.role, asked, max_new_tokens=self._max_new_tokens))
        readings: list[tuple[Said, Reading]] = []
        for n, window in enumerate(windows):
            one = Said("", None, 0.0) if n in too_long else next(said)
            readings.append((one, Reading((), "too long") if n in too_long else reading_of(one, len(window.shown))))
        return readings

    def _unreadable(self, said: Said) -> BackendError:
        last = shown(said.text) if said.probability is None else f"{said.mass:.0%} of probability on the numbers of the texts"
        reasons = ", ".join(f"{count} {why}" for why, count in self.replies.most_common())
        rule = f"{self.role}: must rank texts in the form that it is asked for; got {last} and {self.replies.total() - 1} more that cannot be read"
        return BackendError(f"{rule} ({reasons}). Choose another model for it.")


def reading_of(said: Said, size: int) -> Reading:
    """What a judge said of a window of so many texts; of labels the likelier comes first, and where two are equally likely nothing is ranked."""
    if said.probability is None:
        return read_ranking(said.text, size)
    given = said.probability[:size]
    if not said.mass >= LEAST_MASS or len(set(given)) < size:
        return Reading((), "undecided")
    return Reading(tuple(sorted(range(size), key=lambda place: -given[place])))
