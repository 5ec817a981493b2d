from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import transformers

from vat.models.memory import Footprint, Room
from vat.models.prefix_tree import Load
from vat.models.tiny import FOLDER

SIZES = {
    "vocab_size": 20_000, "hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 4,
    "head_dim": 64, "max_position_embeddings": 8192, "eos_token_id": 2, "pad_token_id": 0, "bos_token_id": 1,
}  # fmt: skip
PEAK = """
import ctypes, json, sys, threading, time
import torch
from vat.models.hf import HFModel
from vat.types import Message, Prompt
torch.set_num_threads(1)
folder, attention, gib, words = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
def asked(scene, count):
    return [Prompt((Message("user", f"Situation: {scene} Action: I help {'a friend ' * (n % 9 + 5)}today {n}. Your answer:"),), "", tuple("12345"))
            for n in range(count)]
model = HFModel(name=folder, revision=None, adapter=None, dtype="float32", device="cpu", memory_gib=gib, attention=attention, template_options={})
model.rate(asked("short", 2))
prompts = asked(" ".join(["help the family with a plan for work"] * (words // 8)), 150)
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
ctypes.CDLL("libc.so.6").malloc_trim(0)
before, peak, over = resident(), [0], threading.Event()
def watch():
    while not over.wait(0.002):
        peak[0] = max(peak[0], resident())
watcher = threading.Thread(target=watch)
watcher.start()
model.rate(prompts)
over.set()
watcher.join()
print(json.dumps({"gib": (peak[0] - before) / 2**30, "tokens": max(map(len, model._encoder.encode(prompts).ids))}))
"""


def test_copies_of_a_path_and_padding_weigh_and_shared_caches_weigh_once() -> None:
    each = Footprint(kept=10, active=1000, logits=100, scores=0)
    tree, branches = (Room(1.0, "cpu", each, copies) for copies in (False, True))
    load = Load(path=50, tokens=40, trees=4, ends=4, lengths=frozenset((9, 11)))
    assert tree.bytes(load) == 50 * 10 + 40 * 1000 + 4 * 100
    assert branches.bytes(load) == 50 * 10 + 4 * (50 + 11) * 10 * 2 + 4 * 11 * 1000 + 4 * 3 * 100


def test_attention_that_keeps_all_scores_makes_long_prompts_heavier() -> None:
    model = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**SIZES | {"num_hidden_layers": 1}))
    assert Footprint.of(model).scores == 0
    model.set_attn_implementation("eager")
    assert Footprint.of(model).scores > 0
    room = Room(0.1, "cpu", Footprint.of(model), copies=True)
    assert room.chunk(8000) < room.chunk(100)


def test_texts_are_written_side_by_side_as_memory_allows_and_alone_at_worst() -> None:
    each = Footprint(kept=1000, active=100, logits=0, scores=0)
    assert [Room(gib, "cpu", each, copies=True).texts(1000, 200).trees for gib in (100.0, 0.02, 0.0001)] == [64, 10, 1]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads the memory of the process from /proc")
@pytest.mark.parametrize("words", [150, 3000])
@pytest.mark.parametrize(("family", "attention"), [("Qwen3", "cascade"), ("Qwen3", "portable"), ("Gemma2", "portable")])
def test_a_rating_takes_no_more_memory_than_it_was_given(family: str, attention: str, words: int, tmp_path: Path) -> None:
    """Beside the prompts themselves and what the allocator cannot give back at once, for which 0.15 GiB are allowed."""
    transformers.AutoModelForCausalLM.from_config(getattr(transformers, f"{family}Config")(**SIZES)).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(FOLDER).save_pretrained(tmp_path)
    command = [sys.executable, "-c", PEAK, str(tmp_path), attention, "0.5", str(words)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["tokens"] > words / 2
    assert found["gib"] < 0.5 + 0.15
