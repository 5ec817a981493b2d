"""The desk at which models are asked: each answer is kept, none is asked for twice, and every token is in the account.

What a model is asked for is a role (`writer`, `proposer`, `judge first`, …). A prompt with the number of its draw is asked once in a role, ever.
"""

from __future__ import annotations

import contextlib
import math
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from vat.elicit.base import AnswerStore
from vat.errors import BackendError, OverBudget, VatError
from vat.models.base import Model
from vat.types import Answered, Answers, Prompt, answers_of

CHARACTERS_A_TOKEN = 2.0
"""Fewer than there are, so that what is set aside for a prompt is enough."""
LEAVE_S = 10.0
"""So long, after an interruption, for answers that are paid for to arrive."""


class Spent(NamedTuple):
    """What a role has been asked, this time and before. requests: that were answered. read, written: tokens. usd: NaN where a price is not known."""

    requests: int
    read: float
    written: float
    usd: float


class Said(NamedTuple):
    """One answer. probability: of the labels, and mass, as in `Answers`; None and NaN where the answer is a text."""

    text: str
    probability: tuple[float, ...] | None
    mass: float


class Desk:
    """Models by role, and what they have said.

    store_of: role → where its answers are kept, and how many there are of it with their tokens.
    limit_usd: of all roles together; None for none.
    told: is called with the number of new answers whenever some came.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        store_of: Callable[[str], AnswerStore],
        *,
        limit_usd: float | None,
        told: Callable[[int], object] = lambda count: None,
    ) -> None:
        self._models, self._limit_usd, self._told = dict(models), limit_usd, told
        self._stores = {role: store_of(role) for role in models}
        self._said: dict[tuple[str, Prompt], Said] = {}
        self._tokens = {role: store.tokens() for role, store in self._stores.items()}
        self._set_aside = 0.0
        self._lock = threading.Condition(threading.RLock())
        self._on_its_way: set[tuple[str, Prompt]] = set()
        self._end: VatError | None = None

    def ask(
        self,
        role: str,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        told: Callable[[int], object] | None = None,
        heard: Callable[[str], object] = lambda text: None,
    ) -> list[str]:
        """What a model says to each prompt, in their order. May be called from several threads, which then ask side by side.

        Args:
            told: Is called with the number of answers whenever there are some.
            heard: Is called with each new answer when it comes, while others are awaited.
        Raises:
            ConfigError, BackendError: As the model; the limit of cost. Whoever asks after that gets the same error at once.
        """
        assert not any(prompt.labels for prompt in prompts), "with labels it would be asked how likely they are"
        said = self._all_of(role, prompts, max_new_tokens, told or (lambda count: None), heard)
        return [one.text for one in said]

    def rate(self, role: str, prompts: Sequence[Prompt], *, max_new_tokens: int) -> list[Said]:
        """How likely each label of each prompt is to be said next, in the order of the prompts; a text where the model gives no probabilities.

        Args:
            max_new_tokens: Of that text.
        Raises:
            ConfigError, BackendError: As `ask`.
        """
        assert all(prompt.labels for prompt in prompts), "without labels it would be asked for words"
        return self._all_of(role, prompts, max_new_tokens, lambda count: None, lambda text: None)

    def too_long(self, role: str, prompts: Sequence[Prompt], *, max_new_tokens: int) -> set[int]:
        """Rows of prompts that a model cannot take, as far as that is known before it is asked; `max_new_tokens` as of the model."""
        return self._models[role].too_long(prompts, max_new_tokens=max_new_tokens)

    def forget(self, role: str) -> None:
        """What a role has said is on disk, and no longer in memory; whoever asks for it gets it from there."""
        with self._lock:
            self._stores[role].close()
            self._said = {key: said for key, said in self._said.items() if key[0] != role}

    def try_out(self, role: str, prompt: Prompt, *, max_new_tokens: int) -> None:
        """Find out whether a model can be asked, before long work. What that costs is in the account. Raises as the model's `check`."""
        import numpy as np

        tokens = self._models[role].within(self._limit_usd).check(prompt, max_new_tokens=max_new_tokens)
        if any(tokens):
            with self._lock:
                self._keep(role, [Prompt((), f"trial {uuid.uuid4()}", ())], answers_of(None, None, text_N=[""], tokens_N2=np.array([tokens])))
                self._stores[role].close()

    def close(self) -> None:
        """All that was said is on disk."""
        with self._lock:
            for store in self._stores.values():
                store.close()

    def leave(self, within_s: float = LEAVE_S) -> None:
        """Nobody is asked any more; what threads are asking for is waited for, and is on disk with all that was said."""
        self.end(BackendError("desk: must be asked before it is left; got a question after that. Run the same command to go on."))
        try:
            with self._lock:
                self._lock.wait_for(lambda: not self._on_its_way, within_s)
        finally:
            self.close()

    def end(self, error: VatError) -> VatError:
        """From now on whoever asks gets an error; the first that ends the work counts, and is returned."""
        self._end = self._end or error
        return self._end

    def raise_end(self) -> None:
        """Raises what a model has ended the work with, if one has: a library in between may have swallowed it."""
        if self._end is not None:
            raise self._end

    def usd(self) -> float:
        """Spent so far by all roles, as far as prices are known."""
        costs = (self._models[role].cost_usd(tokens) for role, tokens in self._tokens.items())
        return sum(cost for cost in costs if not math.isnan(cost))

    def account(self) -> dict[str, Spent]:
        """What each role has cost."""
        return {role: Spent(self._stores[role].count(), *tokens, self._models[role].cost_usd(tokens)) for role, tokens in self._tokens.items()}

    def _all_of(
        self, role: str, prompts: Sequence[Prompt], max_new_tokens: int, told: Callable[[int], object], heard: Callable[[str], object]
    ) -> list[Said]:  # fmt: skip
        self.raise_end()
        with self._lock:
            self._recall(role, prompts)
            known = sum((role, prompt) in self._said for prompt in prompts)
        told(known)
        while not self._all_said(role, prompts):
            with self._claimed(role, prompts) as missing:
                try:
                    self._ask(role, missing, max_new_tokens, told, heard)
                except OverBudget:
                    raise self.end(self._too_dear()) from None
                except VatError as error:
                    self.end(error)
                    raise
        with self._lock:
            self._recall(role, prompts)  # another thread may have had it forgotten
            return [self._said[role, prompt] for prompt in prompts]

    def _recall(self, role: str, prompts: Sequence[Prompt]) -> None:
        """Take from the store what was said before."""
        unknown = [prompt for prompt in dict.fromkeys(prompts) if (role, prompt) not in self._said]
        if unknown:
            kept = self._stores[role].read(unknown)
            self._said |= {(role, unknown[row]): said for row, said in zip(kept.rows, _each(kept.answers), strict=True)}

    def _missing(self, role: str, prompts: Sequence[Prompt]) -> list[Prompt]:
        """What was never said, each once; what was said and has left memory since is back in it."""
        self._recall(role, prompts)
        return [prompt for prompt in dict.fromkeys(prompts) if (role, prompt) not in self._said]

    def _all_said(self, role: str, prompts: Sequence[Prompt]) -> bool:
        """Whether nothing is left to ask for; what another thread is asking for is waited for."""
        with self._lock:
            while missing := self._missing(role, prompts):
                if any((role, prompt) not in self._on_its_way for prompt in missing):
                    return False
                self._lock.wait()
                self.raise_end()
        return True

    @contextlib.contextmanager
    def _claimed(self, role: str, prompts: Sequence[Prompt]) -> Iterator[list[Prompt]]:
        """What was not said and is not asked for; while the block runs, no other thread asks for it."""
        with self._lock:
            missing = [prompt for prompt in self._missing(role, prompts) if (role, prompt) not in self._on_its_way]
            self._on_its_way |= {(role, prompt) for prompt in missing}
        try:
            yield missing
        finally:
            with self._lock:
                self._on_its_way -= {(role, prompt) for prompt in missing}
                self._lock.notify_all()

    def _ask(
        self, role: str, prompts: Sequence[Prompt], max_new_tokens: int, told: Callable[[int], object], heard: Callable[[str], object]
    ) -> None:  # fmt: skip
        if not prompts:
            return
        model = self._models[role]
        with self._allowed(model, prompts, max_new_tokens) as limit_usd:
            model = model.within(limit_usd)
            stream = (model.ratings if prompts[0].labels else model.texts)(prompts, max_new_tokens=max_new_tokens)
            with contextlib.closing(stream):  # type: ignore[type-var]  # after an error no request stays on its way
                for part in stream:
                    self._take(role, prompts, part)
                    self._told(len(part.rows))
                    told(len(part.rows))
                    for text in part.answers.text_N:
                        heard(text)

    def _take(self, role: str, prompts: Sequence[Prompt], part: Answered) -> None:
        with self._lock:
            asked = [prompts[row] for row in part.rows]
            self._keep(role, asked, part.answers)
            for store in self._stores.values():  # of a role that has no more to say for now, the last part is due all the same
                store.settle()

    def _keep(self, role: str, prompts: Sequence[Prompt], answers: Answers) -> None:
        import numpy as np

        self._stores[role].write(prompts, answers)
        self._said |= {(role, prompt): said for prompt, said in zip(prompts, _each(answers), strict=True)}
        read, written = self._tokens[role]
        new = np.nansum(answers.tokens_N2, axis=0)
        self._tokens[role] = read + float(new[0]), written + float(new[1])

    @contextlib.contextmanager
    def _allowed(self, model: Model, prompts: Sequence[Prompt], max_new_tokens: int) -> Iterator[float | None]:
        """What these prompts may cost; what they may cost at most is set aside from what others may spend at the same time."""
        if self._limit_usd is None:
            yield None
            return
        length = sum(len(turn.content) for prompt in prompts for turn in prompt.messages)
        most = model.cost_usd((length / CHARACTERS_A_TOKEN, float(len(prompts) * max_new_tokens)))
        most = 0.0 if math.isnan(most) else most
        with self._lock:
            left = self._limit_usd - self.usd() - self._set_aside
            if left <= 0:
                raise self._too_dear()
            self._set_aside += min(most, left)
        try:
            yield left
        finally:
            with self._lock:
                self._set_aside -= min(most, left)

    def _too_dear(self) -> OverBudget:
        rule = f"max_cost_usd={self._limit_usd:g}: the work may not cost more; got {self.usd():.4f} USD spent"
        return OverBudget(f"{rule}. Raise it and run the same command to go on.")


def _each(answers: Answers) -> Iterator[Said]:
    for text, row, mass in zip(answers.text_N, answers.probability_N5.tolist(), answers.mass_N.tolist(), strict=True):
        yield Said(text, None if math.isnan(mass) else tuple(row), mass)
