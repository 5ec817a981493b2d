"""Rating with what prompts share computed once, against a plain batched forward pass: same process, prompts, model, one thread.

python benchmarks/rating.py            # prints the ratio of items per CPU-second at 0, 4 and 8 shots, and the largest difference
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
import transformers

from vat.align.base import Task
from vat.align.steering import Steering
from vat.data.question import Question
from vat.data.template import TemplateData
from vat.models.tiny import FOLDER
from vat.models.tiny.model import TinyModel
from vat.theory.schwartz import SCHWARTZ
from vat.types import Prompt

ITEMS, ROUNDS, BATCH = 1120, 3, 64


def plain(model: torch.nn.Module, tokenizer: transformers.PreTrainedTokenizerFast, prompts: Sequence[Prompt]) -> np.ndarray:
    """Left-padded batches sorted by length, logits of the last token only: the usual fast way."""
    texts = [tokenizer.apply_chat_template([m._asdict() for m in p.messages], tokenize=False, add_generation_prompt=True) for p in prompts]
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    labels = [tokenizer.convert_tokens_to_ids(str(r)) for r in range(1, 6)]
    probability_N5, order = np.empty((len(ids), 5)), sorted(range(len(ids)), key=lambda n: len(ids[n]))
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        width = max(len(ids[n]) for n in rows)
        padded = torch.tensor([[0] * (width - len(ids[n])) + ids[n] for n in rows])
        mask = torch.tensor([[0] * (width - len(ids[n])) + [1] * len(ids[n]) for n in rows])
        place = (mask.cumsum(-1) - 1).clamp(min=0)
        logits = model(input_ids=padded, attention_mask=mask, position_ids=place, use_cache=False, logits_to_keep=1).logits[:, -1]
        probability_N5[rows] = logits[:, labels].double().softmax(-1).numpy()
    return probability_N5


def cpu_seconds(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    start = time.process_time()
    made = work()
    return time.process_time() - start, made


def main() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    own = TinyModel(dtype="float32", device="cpu", batch_tokens=32768, template_options={})
    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)
    peer = transformers.AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    split = TemplateData(test_share=0.3, split_seed=0, limit=None).split(SCHWARTZ)
    question = Question("chat", True, False, 0, SCHWARTZ.definitions)
    print("shots  ours/s  plain/s  ratio  largest difference")
    for count in (0, 4, 8):
        task = Task(SCHWARTZ, split.train, own, "power", -1, 0, lambda probes: None)  # type: ignore[arg-type, return-value]
        shots = next(Steering(shots=count).states(task)).shots if count else ()
        prompts = [question.prompt(probe, shots) for probe in split.test.rows[:ITEMS]]
        own.rate(prompts[:8])
        ratios, gaps, rates = [], [], []
        for _ in range(ROUNDS):
            ours, answers = cpu_seconds(lambda: own.rate(prompts).probability_N5)  # noqa: B023 - called at once
            theirs, expected = cpu_seconds(lambda: plain(peer, tokenizer, prompts))  # noqa: B023
            ratios.append(theirs / ours)
            rates.append((ITEMS / ours, ITEMS / theirs))
            gaps.append(np.abs(answers - expected).max())
        ours_s, theirs_s = (statistics.median(column) for column in zip(*rates, strict=True))
        print(f"{count:5d}  {ours_s:6.0f}  {theirs_s:7.0f}  {statistics.median(ratios):5.1f}  {max(gaps):.1e}", flush=True)


if __name__ == "__main__":
    main()
