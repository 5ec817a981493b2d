"""What our training adds to the bare TRL trainer, and what judging the checkpoints of an adapter adds to rating.

python benchmarks/training.py     # two ratios, in about five minutes

Both trainers get the same rows, settings, seed and checkpoints, each in a process of its own with one thread, in turns; a run is timed from
start to exit, imports included, as both have them. Ratios are medians over rounds.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from vat.align.training_data import training_rows
from vat.data.question import Question
from vat.data.template import TemplateData
from vat.models.base import Model
from vat.models.tiny import FOLDER
from vat.models.tiny.model import TinyModel
from vat.theory.schwartz import SCHWARTZ

ROUNDS, STEPS, BATCH, CHECKPOINTS = 3, 120, 16, 6
SETTINGS = {"learning_rate": 1e-4, "bf16": False, "gradient_checkpointing": False}
QUESTION = Question("chat", True, False, 0, SCHWARTZ.definitions)
SPLIT = TemplateData(test_share=0.3, split_seed=0, limit=None).split(SCHWARTZ)
BARE = """
import json, sys
import torch
torch.set_num_threads(1)
import datasets, transformers, trl
plan = json.load(open(sys.argv[1]))
folder = sys.argv[1].rpartition("/")[0]
rows = datasets.Dataset.from_list([json.loads(line) for line in open(f"{folder}/rows.jsonl")])
config = trl.SFTConfig(output_dir=folder, max_steps=plan["steps"], per_device_train_batch_size=plan["batch"], logging_steps=1, report_to=[],
                       save_steps=plan["steps"] // len(plan["save_at"]), disable_tqdm=True,
                       dataloader_drop_last=True, seed=0, data_seed=0, use_cpu=True, **plan["trainer"])
name = plan["model"]["name"]
model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
trl.SFTTrainer(model=model, args=config, train_dataset=rows, processing_class=transformers.AutoTokenizer.from_pretrained(name)).train()
"""


def main() -> None:
    ours, bare = [], []
    for _ in range(ROUNDS):
        ours.append(seconds_of(lambda plan: [sys.executable, "-m", "vat.align.trainer", str(plan), str(os.getpid())]))
        bare.append(seconds_of(lambda plan: [sys.executable, "-c", BARE, str(plan)]))
    ratio = statistics.median(our / their for our, their in zip(ours, bare, strict=True))
    print(f"{STEPS} steps of {BATCH}, {CHECKPOINTS} checkpoints: ours {statistics.median(ours):.1f} s, bare TRL {statistics.median(bare):.1f} s")
    print(f"  ratio {ratio:.3f}, at most 1.05: {'yes' if ratio <= 1.05 else 'NO'}")
    judging()


def seconds_of(command: Callable[[Path], list[str]]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        plan = written(Path(folder), lora=None, steps=STEPS)
        start = time.perf_counter()
        subprocess.run(command(plan), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start


def written(folder: Path, *, lora: dict[str, object] | None, steps: int) -> Path:
    """A plan and its rows, for the rating objective on Power."""
    probes = [row for row in SPLIT.train.rows if SCHWARTZ.value_of[row.item] == "power"]
    rows = training_rows(probes, None, QUESTION, direction=-1, objective="rating", pairs=False)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan = {
        "kind": "sft", "model": {"name": str(FOLDER), "revision": None, "dtype": "float32", "device": "cpu"}, "steps": steps, "until": steps,
        "batch": BATCH, "save_at": [steps * (n + 1) // CHECKPOINTS for n in range(CHECKPOINTS)], "lora": lora, "trainer": SETTINGS, "seed": 0,
        "digest": "benchmark", "threads": 1, "workers": 1, "deepspeed": None, "layout": "1 process",
    }  # fmt: skip
    (folder / "plan.json").write_text(json.dumps(plan))
    return folder / "plan.json"


def judging() -> None:
    """Six checkpoints of an adapter against six ratings of the model and one loading."""
    prompts = [QUESTION.prompt(probe) for probe in SPLIT.test.rows[:1120]]
    with tempfile.TemporaryDirectory() as folder:
        plan = written(Path(folder), lora={"r": 8, "lora_alpha": 16, "target_modules": "all-linear"}, steps=CHECKPOINTS)
        subprocess.run(
            [sys.executable, "-m", "vat.align.trainer", str(plan), str(os.getpid())], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        folders = [Path(folder) / f"checkpoint-{n + 1}" for n in range(CHECKPOINTS)]
        spent: dict[str, list[float]] = {"checkpoints": [], "ratings": []}
        for _ in range(ROUNDS):
            for name, work in (("checkpoints", lambda base: judged(base, folders, prompts)), ("ratings", lambda base: rated(base, prompts))):
                base = TinyModel(dtype="float32", device="cpu", memory_gib=None, attention="auto", template_options={})
                start = time.process_time()
                work(base)
                spent[name].append(time.process_time() - start)
    ratio = statistics.median(own / plain for own, plain in zip(spent["checkpoints"], spent["ratings"], strict=True))
    print(f"{CHECKPOINTS} checkpoints of an adapter judged: {ratio:.2f} × {CHECKPOINTS} ratings of the model and one loading")


def judged(base: Model, folders: list[Path], prompts: list[object]) -> None:
    base.rate(prompts[:2])  # type: ignore[arg-type]
    for folder in folders:
        state = base.trained(folder, adapter=True)
        state.rate(prompts)  # type: ignore[arg-type]
        state.unload()


def rated(base: Model, prompts: list[object]) -> None:
    for _ in range(CHECKPOINTS):
        base.rate(prompts)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
