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
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from vat.align.base import Resources, State, Strategy, Task
from vat.align.checkpoints import can_go_on, checkpoint, complete, has_weights, layout_of, only_marker, only_to_judge
from vat.align.training_data import Objective, Row, rows_digest, training_rows
from vat.align.training_run import TrainingRun, training_log
from vat.errors import ConfigError, DataError, choose, shown
from vat.models.base import Capabilities, Model
from vat.settings import settings
from vat.types import Probe

OURS = frozenset({
    "output_dir", "max_steps", "num_train_epochs", "per_device_train_batch_size", "save_strategy", "save_steps", "save_total_limit",
    "save_only_model", "report_to", "seed", "data_seed", "use_cpu", "resume_from_checkpoint", "logging_steps", "logging_strategy", "deepspeed",
    "push_to_hub", "disable_tqdm", "logging_nan_inf_filter", "dataloader_drop_last", "learning_rate",
})  # fmt: skip
"""Settings of TRL's trainers that follow from settings of ours."""
SMALL = 100_000_000
"""Below so many weights a model learns at SMALL_RATE and without gradient checkpointing."""
SMALL_RATE = 1e-4
RATES = {("sft", "all"): 1e-5, ("sft", "lora"): 1e-4, ("dpo", "all"): 1e-6, ("dpo", "lora"): 1e-5}
"""Learning rates of larger models, as is usual for models of some billion weights."""


@settings
class TrainingStrategy(Strategy):
    """A training run on the target value's train probes.

    objective: `rating` teaches the rating that the direction asks for, `action` the action, `both` both.
    target: `extreme` asks for the end of the scale, `graded` for one point further than the model's own rating.
    steps, batch: optimiser steps, and rows of each step.
    learning_rate: None for one by the model's size: 1e-4 below 100 million weights; above, 1e-5 (SFT) and 1e-6 (DPO), ten times that with LoRA.
    checkpoints: how many states are judged, evenly spaced over the steps.
    stop_at_gain, stop_at_tax: end at the first checkpoint whose gain, or whose tax beyond chance (nvat_excess), is above; None: never. Training
        then waits at each checkpoint until it is judged.
    keep: which weights stay: of all checkpoints, of the one with the largest gain, of the last, of none.
    lora: settings of peft's LoraConfig; None trains all weights.
    trainer: further settings of TRL's trainer, by its own names. bf16 and fp16 follow from the model's dtype unless they are set here, and
        gradient_checkpointing from its size.
    """

    trains: ClassVar[bool] = True
    kind: ClassVar[Literal["sft", "dpo"]]

    objective: Objective
    target: Literal["extreme", "graded"]
    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)] | None
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

    @property
    def n_states(self) -> int:
        """One a checkpoint."""
        return self.checkpoints

    def identity(self) -> dict[str, object]:
        """All that determines the weights."""
        return {
            "strategy": self.kind, "objective": self.objective, "target": self.target, "steps": self.steps, "batch": self.batch,
            "learning_rate": self.learning_rate, "checkpoints": self.checkpoints, "stop_at_gain": self.stop_at_gain, "stop_at_tax": self.stop_at_tax,
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
            raise ConfigError(f"strategy.trainer.{taken[0]}: follows from settings of ours; got it set. Use those of strategy=, or replicate.")
        import trl

        known: dict[str, object] = getattr(trl, f"{self.kind.upper()}Config").__dataclass_fields__
        if strange := sorted(self.trainer.keys() - known.keys()):
            raise ConfigError(f"strategy.trainer.{strange[0]}: must be a setting of TRL's {self.kind.upper()}Config; {choose(strange[0], known)}")

    def check_resources(self, model: Model, resources: Resources) -> None:
        """Whether the processes can share the batch, and are on the model's device.

        Raises:
            ConfigError: They cannot, or are not.
        """
        if not model.capabilities().trainable:
            return
        pieces = self.trainer.get("gradient_accumulation_steps", 1)
        if type(pieces) is not int or pieces < 1:
            raise ConfigError(f"strategy.trainer.gradient_accumulation_steps: must be 1, 2, 3 …; got {shown(pieces)}. Leave it out for 1.")
        if self.batch % (resources.workers * pieces):
            rule = f"strategy.batch={self.batch}: must divide by processes times gradient_accumulation_steps; got {resources.workers} times {pieces}"
            raise ConfigError(f"{rule}. Use strategy.batch={math.ceil(self.batch / resources.workers / pieces) * resources.workers * pieces}.")
        device = model.training_source()["device"].partition(":")[0]
        if resources.gpus and device != "cuda":
            raise ConfigError(f"cluster.gpus={resources.gpus}: needs a model on a GPU; got one on {device}. Use model.device=auto or cluster.gpus=0.")
        if resources.processes > 1 and device != "cpu":
            rule = f"cluster.processes={resources.processes}: is for training on the CPU; got a model on {device}"
            raise ConfigError(f"{rule}. Use cluster.gpus, or model.device=cpu.")

    def states(self, task: Task) -> Generator[State]:
        """Train, or go on training, then the model at each checkpoint.

        Raises:
            ConfigError: Training cannot be computed with the task's resources, or not go on with them.
            DataError: Nothing to train on; a checkpoint of another plan.
            BackendError: Training failed.
        """
        self.check_resources(task.model, task.resources)
        rows = self._rows(task)
        plan = self._plan(task, rows)
        waits = self.stop_at_gain is not None or self.stop_at_tax is not None
        whole = complete(task.folder, plan["digest"])
        with contextlib.ExitStack() as running:
            run = None
            for before, step in zip([None, *self.save_at], self.save_at, strict=False):
                if step not in whole:
                    if run is None or waits:
                        _check_goes_on(task, whole)
                        run = running.enter_context(TrainingRun(task, plan | {"until": step if waits else self.steps}, rows))
                    run.wait_for(step)
                yield State(step, task.model.trained(checkpoint(task.folder, step), adapter=self.lora is not None), ())
                if before and self.keep in ("last", "none"):
                    only_marker(checkpoint(task.folder, before))  # judged, and a later one is whole
                if waits and self._is_enough(task.measured(step)):
                    break

    def state_again(self, task: Task, step: int) -> State:
        """The model at a checkpoint whose weights are still there.

        Raises:
            DataError: They were given up.
        """
        path = checkpoint(task.folder, step)
        if not has_weights(path):
            rest = [at for at in self.save_at if has_weights(checkpoint(task.folder, at))]
            rule = f"{path}: must hold the weights of step {step}; got none (they went by strategy.keep={self.keep}, or -cn clean)"
            kept = f"Take step={rest[-1]}, or move" if rest else "Move"
            raise DataError(f"{rule}. {kept} {task.folder.parent} away and launch the job again with strategy.keep=all.")
        return State(step, task.model.trained(path, adapter=self.lora is not None), ())

    def series(self, folder: Path) -> list[dict[str, float]]:
        """What was logged at each step of training."""
        return training_log(folder)

    def tidy(self, folder: Path, steps: Mapping[int, Mapping[str, float]]) -> None:
        """Leave the weights that are to be kept, once all states are measured."""
        best = max(steps, key=lambda step: (steps[step].get("gain", -math.inf), step))
        kept = {"all": set(steps), "best": {best}, "last": {max(steps)}, "none": set()}[self.keep]
        for step in steps:
            path = checkpoint(folder, step)
            if step not in kept:
                only_marker(path)
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
        source = task.model.training_source()
        plan: dict[str, Any] = {
            "kind": self.kind, "rows": rows_digest(rows), "model": source | {"device": source["device"].partition(":")[0]}, "steps": self.steps,
            "batch": self.batch, "save_at": self.save_at, "lora": self.lora, "trainer": self.trainer_settings(source), "seed": task.replicate,
        }  # fmt: skip
        digest = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()
        return plan | {"digest": digest, **_computed_with(task.resources)}

    def trainer_settings(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """Of TRL's trainer for such a model (`Model.training_source`): those that are set, and those that follow from its size and dtype."""
        small = source["parameters"] < SMALL
        rate = SMALL_RATE if small else RATES[self.kind, "lora" if self.lora else "all"]
        by_rule = {"bf16": source["dtype"] == "bfloat16", "fp16": source["dtype"] == "float16", "gradient_checkpointing": not small}
        return {"learning_rate": self.learning_rate or rate, **by_rule, **self.trainer}


def _computed_with(resources: Resources) -> dict[str, Any]:
    """The part of a plan that changes no more than rounding."""
    threads = resources.threads
    if resources.workers > 1:
        threads = max(1, (threads or os.cpu_count() or 1) // (resources.workers // resources.nodes))
    placed = {"nodes": resources.nodes, "address": resources.address}
    return {"threads": threads, "workers": resources.workers, "deepspeed": resources.deepspeed, "layout": resources.layout, **placed}


def _check_goes_on(task: Task, whole: Sequence[int]) -> None:
    """Training goes on to the bit only with as many processes as before, each of which needs its part of the optimizer."""
    if not whole:
        return
    newest = checkpoint(task.folder, whole[-1])
    if not can_go_on(newest):
        rule = f"{newest}: must hold the optimizer that training goes on with; got none, as later checkpoints are gone"
        raise DataError(f"{rule}. Move {task.folder} away to begin again.")
    if (began := layout_of(newest)) != task.resources.layout:
        rule = f"cluster: training must go on as it began, with {began}; got {task.resources.layout}"
        raise ConfigError(f"{rule}. Set nodes, processes, gpus and deepspeed so, or move {task.folder} away to begin again.")
