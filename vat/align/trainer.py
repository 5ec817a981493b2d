"""The program that trains: `python -m vat.align.trainer plan.json PARENT`. It only trains and saves.

Where several processes train it becomes torchrun, which starts this program once more for each; one of them logs and marks.

It goes on from the newest whole checkpoint, writes a line of log.jsonl for each step, and marks each checkpoint that the plan names. Told to
leave (SIGTERM), it saves where it is, and ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from vat.align.checkpoints import checkpoint, complete, forget_before, mark

NOT_A_NUMBER = 3
"""Exit status after a loss that is none."""
FAULT, BROKEN = "fault.txt", "not_a_number"
"""What the first process to fail died of; the step whose loss is no number."""


def main(plan_file: Path, parent: int, done: int | None = None) -> int:
    """Train as planned; returns the exit status. On Linux the system ends this process when its parent dies, however that happens.

    Args:
        done: The step to go on from, for one of several processes; None for the first process, which finds it out for all.
    """
    if not die_with(parent):
        return 1
    plan = json.loads(plan_file.read_text(encoding="utf-8"))
    folder = plan_file.parent
    if done is None:
        for old in (FAULT, BROKEN):
            (folder / old).unlink(missing_ok=True)
        done = max(complete(folder, plan["digest"]), default=0)
        if plan["workers"] > 1 or plan["deepspeed"]:
            _become_torchrun(plan_file, plan["workers"], done)
    train(plan, folder, done)
    return NOT_A_NUMBER if (folder / BROKEN).is_file() else 0


def _become_torchrun(plan_file: Path, workers: int, done: int) -> NoReturn:
    """It keeps this process's id, by which its workers know their parent, and the system's promise to end it with ours."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc_per_node", str(workers)]
    sys.stdout.flush()
    os.execv(sys.executable, [*torchrun, "-m", "vat.align.trainer", str(plan_file), str(os.getpid()), str(done)])


def die_with(parent: int) -> bool:
    """Have the system end this process when its parent dies, however that happens (on Linux); False if it has died already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    return os.getppid() == parent


def train(plan: dict[str, Any], folder: Path, done: int) -> None:
    """Train in this process, one of those that the plan names, from a step on. What the first of them dies of is written down."""
    try:
        _train(plan, folder, done)
    except Exception as error:
        with contextlib.suppress(FileExistsError), (folder / FAULT).open("x", encoding="utf-8") as fault:
            fault.write(f"{type(error).__name__}: {error}")
        raise


def _train(plan: dict[str, Any], folder: Path, done: int) -> None:
    import torch

    if plan["threads"]:
        torch.set_num_threads(plan["threads"])
    if plan["deepspeed"] and plan["model"]["device"] == "cpu":
        _join_on_cpu()
    trainer = _trainer(plan, folder)
    _forget_after(folder / "log.jsonl", done, trainer)
    trainer.train(resume_from_checkpoint=str(checkpoint(folder, done)) if done else None)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _join_on_cpu() -> None:
    """Meet the other processes before TRL's configuration is built, which under ZeRO-3 asks how many there are."""
    os.environ["DS_ACCELERATOR"] = "cpu"
    import deepspeed  # type: ignore[import-untyped]

    # It only speeds up inference, wants a compiler, and a run killed while it is compiled leaves a lock that stops all later ones.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend="gloo")


def _trainer(plan: dict[str, Any], folder: Path) -> Any:
    import datasets
    import transformers
    import trl

    trainer, config = (getattr(trl, f"{plan['kind'].upper()}{part}") for part in ("Trainer", "Config"))
    datasets.disable_progress_bars()
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    rows = datasets.Dataset.from_list([json.loads(line) for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()])
    settings = config(
        output_dir=str(folder), max_steps=plan["steps"], save_strategy="no", logging_steps=1, report_to=[], disable_tqdm=True,
        per_device_train_batch_size=plan["batch"] // plan["workers"] // plan["trainer"].get("gradient_accumulation_steps", 1),
        dataloader_drop_last=len(rows) >= plan["batch"],  # else the end of an epoch would depend on the number of processes
        logging_nan_inf_filter=False, seed=plan["seed"], data_seed=plan["seed"], use_cpu=plan["model"]["device"] == "cpu",
        deepspeed=plan["deepspeed"], **plan["trainer"],
    )  # fmt: skip
    parts: dict[str, Any] = {"model": _model(plan)}
    if plan["lora"]:
        import peft

        parts["peft_config"] = peft.LoraConfig(task_type="CAUSAL_LM", **plan["lora"])
    elif plan["kind"] == "dpo":
        parts["ref_model"] = _model(plan)  # TRL would load the newest revision
    return trainer(args=settings, train_dataset=rows, processing_class=_part(plan, "AutoTokenizer"), callbacks=[_keeper(plan, folder)], **parts)


def _model(plan: dict[str, Any]) -> Any:
    """In the dtype in which weights are kept while they are trained: steps of less than half a percent of a weight are lost in bfloat16, so that
    it is float32 where all weights are trained, and only the arithmetic has the model's dtype. DeepSpeed and peft see to that by themselves.
    """
    import torch

    dtype = plan["model"]["dtype"] if plan["lora"] or plan["deepspeed"] else "float32"
    return _part(plan, "AutoModelForCausalLM", dtype=getattr(torch, dtype), use_safetensors=True)


def _part(plan: dict[str, Any], loader: str, **options: Any) -> Any:
    import transformers

    name, revision = plan["model"]["name"], plan["model"]["revision"]
    return getattr(transformers, loader).from_pretrained(name, revision=revision, trust_remote_code=False, **options)


def _keeper(plan: dict[str, Any], folder: Path) -> Any:
    """What is done after each step, each log and each save."""
    import torch
    from transformers import TrainerCallback

    class Keeper(TrainerCallback):
        def __init__(self) -> None:
            self.tokens, self.at = 0.0, time.monotonic()
            self.told_to_leave = False
            if threading.current_thread() is threading.main_thread():  # not in a process of Ray Train
                signal.signal(signal.SIGTERM, self.leave)

        def leave(self, number: int, frame: Any) -> None:
            """The signal has come; the step that is being computed is still done."""
            self.told_to_leave = True

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            """Save at the checkpoints, and where all leave; stop there, and where judging is to come first."""
            leaves = self.told_to_leave
            if plan["workers"] > 1:  # the signal reaches some of them a step later
                told = torch.tensor(float(leaves), device=args.device)
                torch.distributed.all_reduce(told)
                leaves = bool(told.item())
            control.should_save = leaves or state.global_step in plan["save_at"]
            control.should_training_stop |= leaves or state.global_step >= plan["until"]

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            """A line of the log; stop at a loss that is no number."""
            if not logs or "loss" not in logs:
                return
            if not math.isfinite(logs["loss"]):  # the mean of all processes: all of them stop
                control.should_training_stop, control.should_save = True, False
            if not state.is_world_process_zero:
                return
            line = {"step": state.global_step, **{name: value for name, value in logs.items() if isinstance(value, int | float)}}
            if "num_tokens" in line:  # counted from where this process began
                now, total = time.monotonic(), line.pop("num_tokens")
                line |= {"tokens": total - self.tokens, "tokens_per_s": (total - self.tokens) / (now - self.at)}
                self.tokens, self.at = total, now
            with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            if not math.isfinite(logs["loss"]):
                (folder / BROKEN).write_text(str(state.global_step), encoding="utf-8")

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            """Mark what was written as whole; the one before need not be gone on from any more."""
            if plan["workers"] > 1:
                torch.distributed.barrier()  # each process has written its part
            if state.is_world_process_zero:
                mark(checkpoint(folder, state.global_step), plan["digest"], plan["layout"])
                forget_before(folder, state.global_step, plan["save_at"], plan["digest"])

    return Keeper()


def _forget_after(log: Path, step: int, trainer: Any) -> None:
    """Leave out of the log what is about to be done again."""
    if not trainer.is_world_process_zero() or not log.is_file():
        return
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}") and json.loads(line)["step"] <= step]
    log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    ended = main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
    sys.stdout.flush()
    os._exit(ended)  # all is on disk; threads of gloo that outlive main abort an interpreter that ends in the ordinary way, one time in about fifty
