"""Many requests to one server: so many at a time, again after a fault, within limits of time and money, and an end when it makes no sense.

The event loop has a thread of its own, so that the caller may be a plain loop, a notebook, or a program with an event loop itself.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from vat.errors import BackendError, OverBudget
from vat.models.http import Fault, Server
from vat.models.replies import Malformed, Reply

if TYPE_CHECKING:
    import aiohttp

GATHER_S = 0.03
"""Answers that arrive within this time are handed on together: whoever reads many at once keeps the requests waiting for the interpreter."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 30.0
"""Before another attempt: a random time below the first, which doubles with each attempt, up to the other."""
LONGEST_ASKED_WAIT_S = 600.0
"""A server that asks for more patience than this ends a job that has no time limit of its own."""


class Limits(NamedTuple):
    """Requests in flight; attempts after the first; prompts in a row without an answer that end it all; seconds for all."""

    concurrency: int
    retries: int
    breaker: int
    time_limit_s: float | None


class Budget:
    """What has been spent, and whether another request fits.

    A request that is on its way may cost as much as the dearest answer so far would if it were as long as allowed.
    """

    def __init__(self, limit_usd: float | None, usd_per_token: tuple[float, float], *, spent: tuple[float, float], most: tuple[float, float]) -> None:
        self.limit_usd, self._price, self._most = limit_usd, usd_per_token, most
        self.spent_usd, self._open = self._cost(spent), 0

    def reserve(self) -> bool:
        """Set aside what one more request may cost; False if that is too much."""
        self._open += 1
        if self.covers():
            return True
        self._open -= 1
        return False

    def covers(self) -> bool:
        """Whether all requests on their way may yet cost what they may."""
        return self.limit_usd is None or self.spent_usd + self._open * self._cost(self._most) <= self.limit_usd

    def release(self) -> None:
        """A request is no longer on its way."""
        self._open -= 1

    def book(self, tokens: tuple[float, float]) -> None:
        """Count what was read and written; where the server does not tell, as much as ever."""
        known = tokens if tokens[0] >= 0 else self._most
        self._most = max(known[0], self._most[0]), max(known[1], self._most[1])
        self.spent_usd += self._cost(known)

    def book_unseen(self) -> None:
        """Count an attempt that the server may have answered, and charged, though nothing usable arrived."""
        self.spent_usd += self._cost(self._most)

    def _cost(self, tokens: tuple[float, float]) -> float:
        return max(0.0, tokens[0]) * self._price[0] + max(0.0, tokens[1]) * self._price[1]  # max also turns NaN into 0


class _TooDear(Exception):  # noqa: N818
    """There is no money for another attempt."""


class Exchange:
    """Requests of one list of prompts, and what became of them.

    body_of: row → body of its request.
    read: row and body of a reply → what it says; raises Malformed.
    who: begins the messages. instead: what stands for the answer where a prompt gets none for good, if anything does.
    """

    def __init__(
        self,
        server: Server,
        rows: Sequence[int],
        body_of: Callable[[int], bytes],
        read: Callable[[int, bytes], Reply],
        *,
        limits: Limits,
        budget: Budget,
        who: str,
        instead: Callable[[Fault], Reply | None] = lambda fault: None,
    ) -> None:
        self._server, self._waiting, self._count, self._who = server, deque(rows), len(rows), who
        self._body_of, self._read, self._limits, self._budget, self._instead = body_of, read, limits, budget, instead
        self._arrived: SimpleQueue[list[tuple[int, Reply]]] = SimpleQueue()
        self._fresh: list[tuple[int, Reply]] = []
        self._answered = self._failed = self._failed_in_a_row = 0
        self._last: Fault | None = None
        self._end: BaseException | None = None
        self._not_before = 0.0

    def answers(self) -> Iterator[list[tuple[int, Reply]]]:
        """Rows with their replies, as they arrive; each row once. Closing the iterator cancels what is on its way.

        Raises:
            Fault: No prompt would get an answer, or `breaker` of them in a row got none.
            BackendError: Some prompts got no answer, or a limit of time or money was reached.
        """
        loop = asyncio.new_event_loop()
        task = loop.create_task(self._all())
        thread = threading.Thread(target=self._drive, args=(loop, task), name="vat-requests", daemon=True)
        thread.start()
        try:
            while group := self._arrived.get():
                yield group
        finally:
            with suppress(RuntimeError):  # the loop may have come to its end just now
                loop.call_soon_threadsafe(task.cancel)
            thread.join()
        if self._end is not None:
            raise self._end

    def _drive(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
        """What the thread does: run the loop to its end, whatever that is, and say so."""
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            self._end = error
        finally:
            loop.close()
            self._arrived.put([])

    async def _all(self) -> None:
        allowed_s = self._limits.time_limit_s
        self._now = asyncio.get_running_loop().time
        self._stop_at = self._now() + (allowed_s or 0.0)
        try:
            async with self._server.session(self._limits.concurrency) as session, asyncio.timeout(allowed_s), asyncio.TaskGroup() as group:
                for _ in range(min(self._limits.concurrency, self._count)):
                    group.create_task(self._work(session))
        except* TimeoutError:
            rule = f"model.time_limit_s={allowed_s:g}: all prompts must be answered within it; got {self._answered} of {self._count}"
            self._end = BackendError(f"{rule}. Run the same command to go on, or raise it.", retryable=True)
        except* (Fault, BackendError) as several:
            self._end = several.exceptions[0]
        else:
            self._end = self._shortfall()
        finally:
            self._hand_on()

    async def _work(self, session: aiohttp.ClientSession) -> None:
        """One of those who take the next prompt and see it through."""
        while self._waiting and self._budget.reserve():
            row = self._waiting.popleft()
            try:
                self._take(row, await self._answer(session, row))
            except _TooDear:
                self._waiting.append(row)
            except Fault as fault:
                if (reply := self._instead(fault)) is not None:
                    self._take(row, reply)
                    continue
                self._failed, self._failed_in_a_row, self._last = self._failed + 1, self._failed_in_a_row + 1, fault
                if fault.scope == "server" or self._failed_in_a_row >= self._limits.breaker:
                    raise
            finally:
                self._budget.release()

    async def _answer(self, session: aiohttp.ClientSession, row: int) -> Reply:
        """Attempt after attempt. One that the server turned away for their number alone is not counted while others do get answers."""
        body, made, failed, answered = self._body_of(row), 0, 0, self._answered
        while True:
            while (wait_s := self._not_before - self._now()) > 0:
                await asyncio.sleep(wait_s * random.uniform(1.0, 1.1))
            try:
                return self._read(row, await self._server.ask(session, body))
            except Malformed as error:
                fault = Fault("reply", self._server.cleared(str(error)), status=200)
            except Fault as error:
                fault = error
            if fault.kind in ("slow", "reply"):
                self._budget.book_unseen()
                if not self._budget.covers():
                    raise _TooDear
            made += 1
            failed += fault.status != 429 or self._answered == answered
            answered = self._answered
            if fault.scope != "again" or failed > self._limits.retries:
                raise fault
            self._hold(fault)
            doubled = made if fault.wait_s is None else failed
            await asyncio.sleep(random.uniform(0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(doubled, 10))))

    def _hold(self, fault: Fault) -> None:
        """Nobody sends before the server wants to be asked again."""
        if fault.wait_s is None:
            return
        patience_s = self._stop_at - self._now() if self._limits.time_limit_s else LONGEST_ASKED_WAIT_S
        if fault.wait_s > patience_s:
            rule = f"{self._who}: the server must take requests within {patience_s:.0f} s; got a wish to wait {fault.wait_s:g} s"
            raise BackendError(f"{rule} ({fault.told}). Run the same command after that.", retryable=True)
        self._not_before = max(self._not_before, self._now() + fault.wait_s)

    def _take(self, row: int, reply: Reply) -> None:
        self._answered, self._failed_in_a_row = self._answered + 1, 0
        self._budget.book(reply.tokens)
        if not self._fresh:
            asyncio.get_running_loop().call_later(GATHER_S, self._hand_on)
        self._fresh.append((row, reply))

    def _hand_on(self) -> None:
        if self._fresh:
            self._arrived.put(self._fresh)
            self._fresh = []

    def _shortfall(self) -> BackendError | None:
        """Why some prompts have no answer though nothing stopped the list."""
        if self._waiting:
            budget, missing = self._budget, len(self._waiting) + self._failed
            rule = f"model.max_cost_usd={budget.limit_usd:g}: a job may not cost more"
            found = f"{budget.spent_usd:.4f} USD spent and {missing} of {self._count} prompts to go"
            return OverBudget(f"{rule}; got {found}. Raise it and run the same command to go on.")
        if self._last is not None:
            found = f"none for {self._failed} of {self._count}, the last with {self._last.told}"
            return BackendError(f"{self._who}: must answer every prompt; got {found}. Run the same command to ask only those again.", retryable=True)
        return None
