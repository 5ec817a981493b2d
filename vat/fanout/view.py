"""A sweep as it goes: in a terminal a live table of what runs, elsewhere a line for each job that ends and one now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vat.analyse.table import checkpoint_line
from vat.fanout.plan import duration
from vat.fanout.work import Outcome
from vat.programs.progress import progress_of

if TYPE_CHECKING:
    from rich.console import Group

LINE_EVERY_S = 60.0


class View:
    """What people see of `total` jobs."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._failed = total, 0, 0
        self._began = self._lined = time.monotonic()
        self._live: Any = None

    def __enter__(self) -> Self:
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def ended(self, name: str, outcome: Outcome) -> None:
        """A job is done, or has failed; why it did is said elsewhere."""
        self._failed, self._done = self._failed + bool(outcome.failure), self._done + (not outcome.failure)
        if outcome.result is None:
            return
        steps = outcome.result["steps"]
        last = steps[max(steps, key=int)]
        told = checkpoint_line(name, last) if "gain" in last else f"{name}: done"
        print(f"[{self._done + self._failed}/{self._total}] {told}, {outcome.result['seconds']:.0f} s", flush=True)

    def show(self, running: Sequence[tuple[str, Path]], waiting: int) -> None:
        """Bring the table up to date, or print a line if it is time for one."""
        if self._live:
            self._live.update(self._table(running, waiting))
        elif time.monotonic() - self._lined > LINE_EVERY_S:
            self._lined = time.monotonic()
            print(self._summary(len(running), waiting), flush=True)

    def _summary(self, running: int, waiting: int) -> str:
        ended = self._done + self._failed
        spent = time.monotonic() - self._began
        left = f", about {duration(spent / ended * (self._total - ended))} left" if ended else ""
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._done} done{failed}, {running} running, {waiting} waiting{left}"

    def _table(self, running: Sequence[tuple[str, Path]], waiting: int) -> Group:
        from rich.console import Group
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for column in ("job", "at", "left", ""):
            table.add_column(column, overflow="fold")
        for name, folder in running:
            now = progress_of(folder)
            if not now:
                continue
            done, total, rate = (now.get(key, 0) for key in ("done", "total", "per_s"))
            left = f"{(total - done) / rate:.0f} s" if rate and total else ""
            table.add_row(str(now.get("what", name)), f"{done}/{total} {now.get('unit', '')}" if total else "", left, str(now.get("said", "")))
        return Group(self._summary(len(running), waiting), table)
