"""A training run as its job sees it: a process that trains and writes to disk (`trainer.py`), watched from here."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vat.align.base import LEAVE_S, Task
from vat.align.checkpoints import checkpoint, is_whole
from vat.align.trainer import BROKEN, FAULT
from vat.align.training_data import Row
from vat.errors import BackendError, shown

LOOK_EVERY_S = 0.5
LOG_EVERY_S = 10.0
NO_MEMORY = ("OutOfMemory", "out of memory", "can't allocate memory")
"""How CUDA and the CPU's allocator say it."""


class TrainingRun:
    """The trainer's process, which never outlives the block."""

    def __init__(self, task: Task, plan: Mapping[str, Any], rows: Sequence[Row]) -> None:
        self._task, self._plan, self._folder = task, plan, task.folder
        self._said = task.folder / "trainer.txt"
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        (self._folder / "plan.json").write_text(json.dumps(plan, indent=1), encoding="utf-8")

    def __enter__(self) -> Self:
        program = "vat.align.on_nodes" if self._plan["nodes"] > 1 else "vat.align.trainer"
        command = [sys.executable, "-m", program, str(self._folder / "plan.json"), str(os.getpid())]
        with self._said.open("w", encoding="utf-8") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=_one_gpu(self._task), start_new_session=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is not None and not issubclass(kind, Exception) and self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGTERM)  # we are told to leave: it saves where it is
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(LEAVE_S)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def wait_for(self, step: int) -> None:
        """Until the checkpoint of a step may be judged: until training has ended, or, if it is judged beside, until it is whole.

        Raises:
            BackendError: Training ended without it.
        """
        path, digest = checkpoint(self._folder, step), self._plan["digest"]
        if self._process.poll() is None:
            self._watch(lambda: self._task.resources.beside and is_whole(path, digest))
        if not is_whole(path, digest):
            raise BackendError(_why(self._process.returncode, self._folder, self._said))

    def _watch(self, enough: Callable[[], bool]) -> None:
        """Show how far training is until it ends, or it is enough."""
        log, done, logged_at = self._folder / "log.jsonl", 0, time.monotonic()
        with self._task.counting("training", self._plan["until"], "steps") as progress:
            while True:
                over = self._process.poll() is not None or enough()
                if (last := _last_line(log)) and last["step"] > done:
                    progress(int(last["step"]) - done, f"loss {last['loss']:.3g}")
                    done = int(last["step"])
                if over or time.monotonic() - logged_at > LOG_EVERY_S:
                    self._task.logged(training_log(self._folder))
                    logged_at = time.monotonic()
                if over:
                    return
                time.sleep(LOOK_EVERY_S)


def training_log(folder: Path) -> list[dict[str, float]]:
    """What was logged at each step of training, as far as it is written to the end of a line."""
    log = folder / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def _last_line(log: Path) -> dict[str, float]:
    with contextlib.suppress(OSError, ValueError, IndexError):
        found: dict[str, float] = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
        return found if math.isfinite(found["step"]) else {}
    return {}


def _one_gpu(task: Task) -> dict[str, str] | None:
    """The environment of the trainer: a single process that saw several GPUs would use them all, and so a larger batch."""
    kind, _, index = task.model.training_source()["device"].partition(":")
    if task.resources.workers > 1 or kind != "cuda":
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return os.environ | {"CUDA_VISIBLE_DEVICES": visible.split(",")[int(index or 0)] if visible else index or "0"}


def _why(status: int, folder: Path, said: Path) -> str:
    """Why training ended early, and what to do."""
    broken = folder / BROKEN
    if broken.is_file():
        step = broken.read_text(encoding="utf-8")
        return f"strategy.learning_rate: the loss must be a number; got none at step {step}. The last whole checkpoint is kept; lower it."
    fault = folder / FAULT
    heard = said.read_text(encoding="utf-8")
    last = fault.read_text(encoding="utf-8") if fault.is_file() else next((line for line in reversed(heard.splitlines()) if line.strip(" =")), "")
    if any(words in last + heard for words in NO_MEMORY):
        lower = "Lower it, raise +strategy.trainer.gradient_accumulation_steps, or train an adapter (strategy.lora) or with cluster/deepspeed"
        return f"strategy.batch: a step must fit into memory; got a batch that does not. {lower}."
    if status == -signal.SIGKILL:
        return f"strategy: training must end by itself; got it killed from outside, as for lack of memory. Launch again: it goes on. See {said}."
    return f"strategy: training must end well; got status {status} and {shown(' '.join(last.split()), 200)}. See {said}."
