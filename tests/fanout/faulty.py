"""Jobs that go wrong in a worker of Ray, on order: a strategy and a model whose first or every attempt raises, dies, hangs, …"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vat.align.base import State, Task
from vat.align.steering import Steering
from vat.models.base import Model
from vat.models.scripted import ScriptedModel
from vat.models.tiny.model import TinyModel
from vat.settings import settings

ROOM = 2**28
"""Memory that a job which is short of it may still take, in bytes: enough for whatever else its process does meanwhile."""


class UnpicklableError(Exception):
    """An error that cannot leave its process."""

    def __init__(self) -> None:
        super().__init__("cannot be sent")
        self.lock = threading.Lock()


def _raises() -> None:
    raise ValueError("a job's own\nfault")


def _memory() -> None:
    """More than the process may have, which numpy finds out. The limit holds for no longer: Ray's own threads would die of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, hard))
    try:
        np.empty(2 * ROOM, dtype=np.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _cannot_be_sent() -> None:
    raise UnpicklableError


FAULTS: dict[str, Callable[[], object]] = {
    "raises": _raises,
    "cannot be sent": _cannot_be_sent,
    "exits": lambda: os._exit(3),
    "dies": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "leaves": sys.exit,
    "memory": _memory,
    "hangs": lambda: time.sleep(3600),
}


@settings
class Faulty(Steering):
    """Steering, but for its first attempts.

    fault: what goes wrong, "" for nothing. times: in how many attempts. slow_s: what the others take longer. marks: a folder where each attempt
    leaves a file that says where and with what it was made.
    """

    fault: str
    times: int
    slow_s: float
    marks: str

    def identity(self) -> dict[str, object]:
        """Every kind of fault is a job of its own."""
        return super().identity() | {"fault": self.fault, "times": self.times, "slow_s": self.slow_s}

    def states(self, task: Task) -> Generator[State]:
        """The fault, or what steering does."""
        import ray

        folder = Path(self.marks) / f"{self.fault} {self.times}" / task.folder.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        number = len(list(folder.iterdir()))
        made = {"pid": os.getpid(), "node": ray.util.get_node_ip_address()}
        made |= {"memory_gib": getattr(task.model, "memory_gib", None)}
        (folder / f"{number:02d}").write_text(json.dumps(made))
        if self.fault and number < self.times:
            FAULTS[self.fault]()
        time.sleep(self.slow_s)
        yield from super().states(task)


@settings
class RoomyModel(ScriptedModel):
    """The scripted model, which could do with less memory."""

    memory_gib: float

    def smaller(self) -> Model:
        """With half of it."""
        return replace(self, memory_gib=self.memory_gib / 2)


@settings
class CountedTiny(TinyModel):
    """The embedded model, which leaves a line in `loads` whenever a process loads its weights."""

    loads: str

    @cached_property
    def _loaded(self) -> Any:
        with Path(self.loads).open("a") as file:
            file.write(f"{os.getpid()}\n")
        return TinyModel._loaded.func(self)  # type: ignore[attr-defined]
