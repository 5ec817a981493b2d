"""The program that trains: `python -m vat.align.trainer plan.json`, one process or several under torchrun. It only trains and saves.

It goes on from the newest whole checkpoint, writes a line of log.jsonl for each step, and marks each checkpoint that the plan names.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from vat.align.checkpoints import checkpoint, complete, mark, only_to_judge

NOT_A_NUMBER = 3
"""Exit status after a loss that is none."""


def main(plan_file: Path, parent: int) -> int:
    """Train as planned; returns the exit status. On Linux the system ends this process when its parent dies, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        return 1
    plan = json.loads(plan_file.read_text(encoding="utf-8"))
    folder = plan_file.parent
    import torch

    if plan["threads"]:
        torch.set_num_threads(plan["threads"])
    whole = complete(folder, plan["save_at"], plan["digest"])
    trainer = _trainer(plan, folder)
    _forget_after(folder / "log.jsonl", whole[-1] if whole else 0, trainer)
    trainer.train(resume_from_checkpoint=str(checkpoint(folder, whole[-1])) if whole else None)
    return NOT_A_NUMBER if (folder / "not_a_number").is_file() else 0


def _trainer(plan: dict[str, Any], folder: Path) -> Any:
    import datasets
    import torch
    import transformers
    import trl

    trainer, config = (getattr(trl, f"{plan['kind'].upper()}{part}") for part in ("Trainer", "Config"))
    datasets.disable_progress_bars()
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    on_cpu = plan["model"]["device"] == "cpu"
    settings = config(
        output_dir=str(folder), max_steps=plan["steps"], per_device_train_batch_size=plan["batch"], save_strategy="no", logging_steps=1,
        report_to=[], disable_tqdm=True, logging_nan_inf_filter=False, seed=plan["seed"], data_seed=plan["seed"], use_cpu=on_cpu, **plan["trainer"],
    )  # fmt: skip
    model = transformers.AutoModelForCausalLM.from_pretrained(
        plan["model"]["name"],
        revision=plan["model"]["revision"],
        dtype=getattr(torch, plan["model"]["dtype"]),
        use_safetensors=True,
        trust_remote_code=False,
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(plan["model"]["name"], revision=plan["model"]["revision"], trust_remote_code=False)
    lora = None
    if plan["lora"]:
        import peft

        lora = peft.LoraConfig(task_type="CAUSAL_LM", **plan["lora"])
    rows = datasets.Dataset.from_list([json.loads(line) for line in (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()])
    return trainer(model=model, args=settings, train_dataset=rows, processing_class=tokenizer, peft_config=lora, callbacks=[_keeper(plan, folder)])


def _keeper(plan: dict[str, Any], folder: Path) -> Any:
    """What is done after each step, each log and each save."""
    from transformers import TrainerCallback

    class Keeper(TrainerCallback):
        def __init__(self) -> None:
            self.tokens, self.at = 0.0, time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            """Save at the checkpoints; stop where judging is to come first."""
            control.should_save = state.global_step in plan["save_at"]
            control.should_training_stop |= state.global_step >= plan["until"]

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            """A line of the log; stop at a loss that is no number."""
            if not state.is_world_process_zero or "loss" not in (logs or {}):
                return
            assert logs is not None
            line = {"step": state.global_step, **{name: value for name, value in logs.items() if isinstance(value, int | float)}}
            if "num_tokens" in line:  # counted from where this process began
                now, total = time.monotonic(), line.pop("num_tokens")
                line |= {"tokens": total - self.tokens, "tokens_per_s": (total - self.tokens) / (now - self.at)}
                self.tokens, self.at = total, now
            with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            if not math.isfinite(logs["loss"]):
                (folder / "not_a_number").write_text(str(state.global_step), encoding="utf-8")
                control.should_training_stop, control.should_save = True, False

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            """Mark what was written as whole; the one before need not be gone on from any more."""
            if state.is_world_process_zero:
                before = [step for step in plan["save_at"] if step < state.global_step]
                mark(checkpoint(folder, state.global_step), plan["digest"])
                if before:
                    only_to_judge(checkpoint(folder, before[-1]))

    return Keeper()


def _forget_after(log: Path, step: int, trainer: Any) -> None:
    """Leave out of the log what is about to be done again."""
    if not trainer.is_world_process_zero() or not log.is_file():
        return
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}") and json.loads(line)["step"] <= step]
    log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
