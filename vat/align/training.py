"""Base of the strategies that change weights: one training run, whose checkpoints are the states (Value Alignment Tax, section 6.2).

Training runs in a process of its own (`trainer.py`) and only writes to disk; judging reads what lies there. So either may be killed at any
time: the run goes on from its newest whole checkpoint, to the bit, and what was judged is not judged again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from vat.align.base import State, Strategy, Task
from vat.align.checkpoints import checkpoint, complete, only_to_judge
from vat.align.training_data import Objective, Row, rows_digest, training_rows
from vat.errors import BackendError, ConfigError, choose, shown
from vat.models.base import Capabilities
from vat.settings import settings
from vat.types import Probe

OURS = frozenset({
    "output_dir", "max_steps", "num_train_epochs", "per_device_train_batch_size", "save_strategy", "save_steps", "save_total_limit",
    "save_only_model", "report_to", "seed", "data_seed", "use_cpu", "resume_from_checkpoint", "logging_steps", "logging_strategy", "deepspeed",
    "push_to_hub", "disable_tqdm", "logging_nan_inf_filter",
})  # fmt: skip
"""Settings of TRL's trainers that follow from settings of ours."""
LOOK_EVERY_S = 0.5


@settings
class TrainingStrategy(Strategy):
    """A training run on the target value's train probes.

    objective: `rating` teaches the rating that the direction asks for, `action` the action, `both` both.
    target: `extreme` asks for the end of the scale, `graded` for one point further than the model's own rating.
    steps, batch: optimiser steps, and rows of each step.
    checkpoints: how many states are judged, evenly spaced over the steps.
    stop_at_gain, stop_at_tax: end at the first checkpoint whose gain, or whose tax beyond chance (nvat_excess), is above; None: never. Training
        then waits at each checkpoint until it is judged.
    keep: which weights stay when the job is done: of all checkpoints, of the one with the largest gain, of the last, of none.
    lora: settings of peft's LoraConfig; None trains all weights.
    trainer: further settings of TRL's trainer, by its own names.
    """

    kind: ClassVar[Literal["sft", "dpo"]]

    objective: Objective
    target: Literal["extreme", "graded"]
    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=1)]
    checkpoints: Annotated[int, Field(ge=1)]
    stop_at_gain: float | None
    stop_at_tax: float | None
    keep: Literal["all", "best", "last", "none"]
    lora: dict[str, Any] | None
    trainer: dict[str, Any]

    @property
    def label(self) -> str:
        """Its kind, and whether by LoRA."""
        return self.kind if self.lora is None else f"{self.kind}-lora"

    def identity(self) -> dict[str, object]:
        """All that determines the weights."""
        return {
            "strategy": self.kind, "objective": self.objective, "target": self.target, "steps": self.steps, "batch": self.batch,
            "checkpoints": self.checkpoints, "stop_at_gain": self.stop_at_gain, "stop_at_tax": self.stop_at_tax,
            "lora": self.lora, "trainer": self.trainer,
        }  # fmt: skip

    @property
    def save_at(self) -> list[int]:
        """The steps after which a state is judged: evenly spaced, the last one included, never one more than asked for."""
        return [round(self.steps * (n + 1) / self.checkpoints) for n in range(self.checkpoints)]

    def check(self, capabilities: Capabilities) -> None:
        """Whether there are weights to train, and whether the settings go together.

        Raises:
            ConfigError: A remote model; more checkpoints than steps; a setting of the trainer that is not one or follows from ours.
        """
        where = f"strategy={self.label}"
        if not capabilities.trainable:
            raise ConfigError(f"{where}: needs a model whose weights we can train; got one behind a server. Use strategy=steering.")
        if self.checkpoints > self.steps:
            raise ConfigError(f"strategy.checkpoints={self.checkpoints}: at most one a step; got strategy.steps={self.steps}. Lower it.")
        if taken := sorted(OURS & self.trainer.keys()):
            raise ConfigError(f"strategy.trainer.{taken[0]}: follows from settings of ours; got it set. Use steps, batch, checkpoints or replicate.")
        import trl

        known: dict[str, object] = getattr(trl, f"{self.kind.upper()}Config").__dataclass_fields__
        if strange := sorted(self.trainer.keys() - known.keys()):
            raise ConfigError(f"strategy.trainer.{strange[0]}: must be a setting of TRL's {self.kind.upper()}Config; {choose(strange[0], known)}")

    def states(self, task: Task) -> Iterator[State]:
        """Train, or go on training, then the model at each checkpoint.

        Raises:
            DataError: Nothing to train on; a checkpoint of another plan.
            BackendError: Training failed.
        """
        rows = self._rows(task)
        plan = self._plan(task, rows)
        waits = self.stop_at_gain is not None or self.stop_at_tax is not None
        for step in self.save_at:
            if step not in complete(task.folder, self.save_at, plan["digest"]):
                task.folder.mkdir(parents=True, exist_ok=True)
                until = step if waits else self.steps
                (task.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
                (task.folder / "plan.json").write_text(json.dumps(plan | {"until": until}, indent=1), encoding="utf-8")
                self._train(task, until)
            yield State(step, task.model.trained(checkpoint(task.folder, step), adapter=self.lora is not None), ())
            if waits and self._is_enough(task.measured(step)):
                break

    def series(self, folder: Path) -> list[dict[str, float]]:
        """What was logged at each step of training."""
        log = folder / "log.jsonl"
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []

    def tidy(self, folder: Path, steps: Mapping[int, Mapping[str, float]]) -> None:
        """Leave the weights that are to be kept, once all states are measured."""
        best = max(steps, key=lambda step: (steps[step].get("gain", -math.inf), step))
        kept = {"all": set(steps), "best": {best}, "last": {max(steps)}, "none": set()}[self.keep]
        for step in steps:
            path = checkpoint(folder, step)
            if step not in kept:
                shutil.rmtree(path, ignore_errors=True)
            elif step != max(steps):
                only_to_judge(path)

    def _is_enough(self, numbers: Mapping[str, float]) -> bool:
        limits = {"gain": self.stop_at_gain, "nvat_excess": self.stop_at_tax}
        return any(limit is not None and numbers.get(name, -math.inf) > limit for name, limit in limits.items())

    def _rows(self, task: Task) -> list[Row]:
        probes: Sequence[Probe] = [row for row in task.train.rows if task.theory.value_of[row.item] == task.value]
        own = task.ask(probes).rating_N.tolist() if self.target == "graded" and self.objective != "action" and probes else None
        return training_rows(probes, own, task.question, direction=task.direction, objective=self.objective, pairs=self.kind == "dpo")

    def _plan(self, task: Task, rows: Sequence[Row]) -> dict[str, Any]:
        plan: dict[str, Any] = {
            "kind": self.kind, "rows": rows_digest(rows), "model": task.model.training_source(), "steps": self.steps, "batch": self.batch,
            "save_at": self.save_at, "lora": self.lora, "trainer": self.trainer, "seed": task.replicate,
        }  # fmt: skip
        digest = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()
        return plan | {"digest": digest, "threads": task.threads}

    def _train(self, task: Task, until: int) -> None:
        """Run the trainer until it ends; it dies with us."""
        command = [sys.executable, "-m", "vat.align.trainer", str(task.folder / "plan.json"), str(os.getpid())]
        said = task.folder / "trainer.txt"
        with said.open("w", encoding="utf-8") as out, task.counting("training", until, "steps") as progress:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
            done = 0
            try:
                while process.poll() is None or done < _last_step(task.folder / "log.jsonl"):
                    time.sleep(LOOK_EVERY_S)
                    now = _last_step(task.folder / "log.jsonl")
                    progress(now - done)
                    done = now
            finally:
                process.kill()
                process.wait()
        if process.returncode:
            raise BackendError(_why(process.returncode, task.folder, said))


def _last_step(log: Path) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(json.loads(log.read_text(encoding="utf-8").splitlines()[-1])["step"])
    return 0


def _why(status: int, folder: Path, said: Path) -> str:
    broken = folder / "not_a_number"
    if broken.is_file():
        step = broken.read_text(encoding="utf-8")
        broken.unlink()
        return f"strategy.trainer: the loss must be a number; got none at step {step}. The last whole checkpoint is kept; lower learning_rate."
    lines = [line for line in said.read_text(encoding="utf-8").splitlines() if line.strip()]
    if any("OutOfMemory" in line or "out of memory" in line for line in lines):
        return "strategy.batch: a step must fit into memory; got a batch that does not. Lower it and raise trainer.gradient_accumulation_steps."
    last = shown(lines[-1], 200) if lines else "nothing said"
    return f"strategy: training must end well; got status {status} and {last}. See {said}."
