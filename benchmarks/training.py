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

import peft
import transformers
from realistic import PER_SCENE, asked, invented_probes, write_model

from vat.align.training_data import training_rows
from vat.data.question import Question
from vat.data.template import TemplateData
from vat.models.hf import HFModel
from vat.models.tiny import FOLDER
from vat.theory.schwartz import SCHWARTZ
from vat.types import Prompt

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
        plan = written(Path(folder))
        start = time.perf_counter()
        subprocess.run(command(plan), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start


def written(folder: Path) -> Path:
    """A plan and its rows, for the rating objective on Power."""
    probes = [row for row in SPLIT.train.rows if SCHWARTZ.value_of[row.item] == "power"]
    rows = training_rows(probes, None, QUESTION, direction=-1, objective="rating", pairs=False)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan = {
        "kind": "sft", "model": {"name": str(FOLDER), "revision": None, "dtype": "float32", "device": "cpu"}, "steps": STEPS, "until": STEPS,
        "batch": BATCH, "save_at": [STEPS * (n + 1) // CHECKPOINTS for n in range(CHECKPOINTS)], "lora": None, "trainer": SETTINGS, "seed": 0,
        "digest": "benchmark", "threads": 1, "workers": 1, "deepspeed": None, "layout": "1 process", "nodes": 1, "address": "local",
    }  # fmt: skip
    (folder / "plan.json").write_text(json.dumps(plan))
    return folder / "plan.json"


def judging() -> None:
    """Six checkpoints of an adapter, one after the other on one loaded model, against six ratings and one loading, with an adapter and without."""
    with tempfile.TemporaryDirectory() as folder:
        write_model(folder)
        config = peft.LoraConfig(task_type="CAUSAL_LM", r=16, target_modules="all-linear", init_lora_weights=False)
        adapters = [Path(folder) / f"adapter-{n}" for n in range(CHECKPOINTS)]
        for adapter in adapters:
            peft.get_peft_model(transformers.AutoModelForCausalLM.from_pretrained(folder), config).save_pretrained(adapter)
        prompts = asked(invented_probes(transformers.AutoTokenizer.from_pretrained(folder), actions=1), 0)[:PER_SCENE]
        works: dict[str, Callable[[], object]] = {
            "checkpoints": lambda: judged(loaded(folder), adapters, prompts),
            "with": lambda: rated(loaded(folder, adapter=adapters[0]), prompts),
            "without": lambda: rated(loaded(folder), prompts),
        }
        spent: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(ROUNDS):
            for name, work in works.items():
                start = time.process_time()
                work()
                spent[name].append(time.process_time() - start)
    for name, most in (("with", 1.05), ("without", None)):
        ratio = statistics.median(own / other for own, other in zip(spent["checkpoints"], spent[name], strict=True))
        said = "" if most is None else f", at most {most}: {'yes' if ratio <= most else 'NO'}"
        print(f"{CHECKPOINTS} checkpoints of an adapter judged: {ratio:.2f} × {CHECKPOINTS} ratings {name} an adapter and one loading{said}")


def loaded(folder: str, adapter: Path | None = None) -> HFModel:
    return HFModel(
        name=folder, revision=None, adapter=None if adapter is None else str(adapter), dtype="float32", device="cpu", memory_gib=2.0,
        attention="auto", template_options={},
    )  # fmt: skip


def judged(base: HFModel, adapters: list[Path], prompts: list[Prompt]) -> None:
    for adapter in adapters:
        state = base.trained(adapter, adapter=True)
        state.rate(prompts)
        state.unload()


def rated(model: HFModel, prompts: list[Prompt]) -> None:
    for _ in range(CHECKPOINTS):
        model.rate(prompts)


if __name__ == "__main__":
    main()
