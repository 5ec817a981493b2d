"""Ratings of our local engine against the usual ways to get them: same process, prompts, model and vocabulary, one thread, float32.

python benchmarks/rating.py             # two tables, in six minutes; what misses its target says NO
python benchmarks/rating.py --rounds 1  # the same, rougher, in half the time

Peers: `plain`, batches padded on the left, sorted by length, logits of the last token only; and lm-evaluation-harness, log-likelihood of the
five labels, which it reads off one forward pass a prompt. All ways take prompts and give log-probabilities: writing out the turns and
tokenising are part of the work. Peers, being slow, get prompts spread evenly over ours, and the fastest batch size of three, tried anew for
each number of shots; 8, 16 and 32 were slower still on one thread. A round is ours, then theirs; ratios are medians over rounds of prompts
per processor second, of which other processes take none.

The floor is what the tokens of the prompts' prefix tree cost, each computed once, if all their arithmetic ran at the speed of a large matrix
product: weights, attention, and the head over the whole vocabulary once a prompt, as the probability that the answer is a label at all needs.

Shapes: N prompts, 5 labels, B prompts of a batch, T tokens.
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}

import argparse
import contextlib
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
import transformers
import yaml
from realistic import PER_SCENE, asked, invented_probes, write_model

from vat.data.template import TemplateData
from vat.models.base import Model
from vat.models.encoding import Encoder
from vat.models.tiny import FOLDER
from vat.nodes import build
from vat.theory.schwartz import SCHWARTZ
from vat.types import LABELS, Prompt

HAS_HARNESS = find_spec("lm_eval") is not None
CONF = Path(__file__).parents[1] / "conf" / "model"
SAMPLE = {0: 16, 4: 6, 8: 4}
"""Prompts that peers are measured on, for each number of shots; they try batch sizes on every other one."""
BATCHES = (1, 2, 4)
LEAST_RATIO = {("plain", 0): 7, ("plain", 8): 18, ("lm-eval", 0): 10, ("lm-eval", 8): 22}
MOST_FORWARDED, MOST_GAP = 1.05, 1e-4

Way = Callable[[Sequence[Prompt]], np.ndarray]
"""A way from prompts to the (N, 5) log-probabilities of their labels."""
Ways = dict[str, Callable[[int], Way]]
"""Peers, each with what it makes of a batch size."""


class Case(NamedTuple):
    """What is measured. `held`: to the targets. `peers`: what the `ways` of others share."""

    name: str
    held: bool
    rounds: int
    shots: int
    prompts: list[Prompt]
    ours: Way
    peers: Peers
    ways: Ways


class Turn(NamedTuple):
    """CPU-seconds a prompt of one way, and what it gave."""

    prompt_s: float
    log_N5: np.ndarray


class Watched(NamedTuple):
    """Tokens, padding included, that entered the embedding in each forward pass; CPU-seconds from prompts to token ids."""

    tokens: list[int]
    encoding_s: list[float]


class TreeWork(NamedTuple):
    """Tokens of the prefix tree of some prompts, and the arithmetic of computing each once."""

    tokens: int
    flops: float


class Peers:
    """The ways of others, on a copy of the model that they share."""

    def __init__(self, folder: str | Path) -> None:
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def ids(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        ids: list[list[int]] = self.tokenizer([self.text(prompt) for prompt in prompts], add_special_tokens=False)["input_ids"]
        return ids

    def text(self, prompt: Prompt) -> str:
        turns = [message._asdict() for message in prompt.messages]
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    def plain(self, batch: int) -> Way:
        labels = [self.tokenizer.convert_tokens_to_ids(str(label)) for label in LABELS]

        def work(prompts: Sequence[Prompt]) -> np.ndarray:
            ids = self.ids(prompts)
            log_N5, order = np.empty((len(ids), len(LABELS))), sorted(range(len(ids)), key=lambda n: -len(ids[n]))
            for rows in (order[start : start + batch] for start in range(0, len(order), batch)):
                width = len(ids[rows[0]])
                padded_BT = torch.tensor([[0] * (width - len(ids[n])) + ids[n] for n in rows])
                mask_BT = torch.tensor([[0] * (width - len(ids[n])) + [1] * len(ids[n]) for n in rows])
                place_BT = (mask_BT.cumsum(-1) - 1).clamp(min=0)
                made = self.model(input_ids=padded_BT, attention_mask=mask_BT, position_ids=place_BT, use_cache=False, logits_to_keep=1)
                log_N5[rows] = made.logits[:, -1].double().log_softmax(-1)[:, labels].numpy()
            return log_N5

        return work

    def harness(self, batch: int) -> Way:
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM

        lm = HFLM(pretrained=self.model, tokenizer=self.tokenizer, batch_size=batch)

        def work(prompts: Sequence[Prompt]) -> np.ndarray:
            asked = [
                Instance("loglikelihood", doc={}, arguments=(text, label), idx=idx, metadata=("rating", n, 1))
                for n, (prompt, text) in enumerate(zip(prompts, map(self.text, prompts), strict=True))
                for idx, label in enumerate(prompt.labels)
            ]
            return np.array([log for log, _ in lm.loglikelihood(asked, disable_tqdm=True)]).reshape(-1, len(LABELS))

        return work


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    speeds, costs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(folder, rounds):
            print(f"{case.name}, {case.shots} shots …", file=sys.stderr, flush=True)
            speed, cost = measured(case)
            speeds += speed
            costs.append(cost)
    show(["prompts", "shots", "peer", "batch", "ours/s", "peer/s", "ratio", "target", "met", "largest |Δ log p|", "same rating"], speeds)
    show(["prompts", "shots", "tokens each", "in the tree", "forwarded", "times", "target", "met", "share of floor", "encoding"], costs)
    harness = f"lm-eval {version('lm_eval')}" if HAS_HARNESS else "lm-eval: not installed (pip install 'lm_eval[hf]==0.4.13')"
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, {harness}; load average {os.getloadavg()[0]:.1f}")


def cases(folder: str, rounds: int) -> Iterator[Case]:
    """Prompts with two actions a scene, as the targets mean it; with an action for each probe, as our data have it; the embedded model."""
    write_model(folder)
    peers, ours = Peers(folder), rating(local_model("hf", name=folder, dtype="float32", device="cpu"))
    plain: Ways = {"plain": peers.plain}
    ways = plain | {"lm-eval": peers.harness} if HAS_HARNESS else plain
    probes = invented_probes(peers.tokenizer, actions=1)
    yield from (Case("2 actions a scene", True, rounds, shots, asked(probes, shots), ours, peers, ways) for shots in SAMPLE)
    probes = invented_probes(peers.tokenizer, actions=len(SCHWARTZ.items))
    yield from (Case(f"{PER_SCENE} actions a scene", False, 1, shots, asked(probes, shots), ours, peers, plain) for shots in (0, 8))
    peers, ours = Peers(FOLDER), rating(local_model("tiny", dtype="float32", device="cpu"))
    probes = TemplateData(test_share=0.3, split_seed=0, limit=None).probes(SCHWARTZ).rows
    yield from (Case("embedded model", False, rounds, shots, asked(probes, shots), ours, peers, {"plain": peers.plain}) for shots in SAMPLE)


def local_model(option: str, **settings: object) -> Model:
    """A model with the settings that the product gives it, but for these."""
    model: Model = build("model", yaml.safe_load((CONF / f"{option}.yaml").read_text(encoding="utf-8")) | settings)
    return model


def rating(own: Model) -> Way:
    def work(prompts: Sequence[Prompt]) -> np.ndarray:
        answers = own.rate(prompts)
        return np.log(answers.probability_N5 * answers.mass_N[:, None])

    return work


def measured(case: Case) -> tuple[list[list[str]], list[str]]:
    """A line of the first table for each peer, and one of the second."""
    count = SAMPLE[case.shots]
    rows = [int((n + 0.5) * len(case.prompts) / count) for n in range(count)]
    few = [case.prompts[n] for n in rows]
    peers = {peer: fastest(sized, few[::2]) for peer, sized in case.ways.items()}
    case.ours(few[:2])  # loads the weights
    ours: list[Turn] = []
    theirs: dict[str, list[Turn]] = {peer: [] for peer in peers}
    flops_per_s = []
    for _ in range(case.rounds):
        with watched() as seen:
            ours.append(turn(case.ours, case.prompts))
        for peer, (_, way) in peers.items():
            theirs[peer].append(turn(way, few))
        flops_per_s.append(matrix_flops_per_s())
    speeds = [speed_line(case, rows, peer, batch, ours, theirs[peer]) for peer, (batch, _) in peers.items()]
    return speeds, cost_line(case, ours, seen, statistics.median(flops_per_s))


def speed_line(case: Case, rows: list[int], peer: str, batch: int, ours: Sequence[Turn], theirs: Sequence[Turn]) -> list[str]:
    ratio = statistics.median(their.prompt_s / our.prompt_s for our, their in zip(ours, theirs, strict=True))
    target = LEAST_RATIO.get((peer, case.shots)) if case.held else None
    gap, same = agreement(ours[-1].log_N5[rows], theirs[-1].log_N5, peer)
    if not gap <= MOST_GAP:
        sys.exit(f"benchmarks/rating.py: ours and {peer} must agree to {MOST_GAP:g}; got {gap:.1g} in {case.name}. Mend that before timing it.")
    rates = [f"{1 / median_s(ours):.1f}", f"{1 / median_s(theirs):.2f}", f"{ratio:.1f}"]
    judged = ["-", "-"] if target is None else [f"≥ {target}", "yes" if ratio >= target else "NO"]
    return [case.name, str(case.shots), peer, str(batch), *rates, *judged, f"{gap:.0e}", f"{same:.0%}"]


def cost_line(case: Case, ours: Sequence[Turn], last: Watched, flops_per_s: float) -> list[str]:
    ids = case.peers.ids(case.prompts)
    tree, forwarded = tree_work(case.peers.model, ids), sum(last.tokens)
    times = forwarded / tree.tokens
    floor_share = tree.flops / flops_per_s / (median_s(ours) * len(ids))
    encoding_share = sum(last.encoding_s) / (ours[-1].prompt_s * len(ids))
    tokens = [f"{sum(map(len, ids)) / len(ids):.0f}", str(tree.tokens), str(forwarded), f"{times:.3f}"]
    judged = [f"≤ {MOST_FORWARDED}", "yes" if times <= MOST_FORWARDED else "NO"] if case.held else ["-", "-"]
    return [case.name, str(case.shots), *tokens, *judged, f"{floor_share:.0%}", f"{encoding_share:.1%}"]


def median_s(turns: Sequence[Turn]) -> float:
    return statistics.median(each.prompt_s for each in turns)


def fastest(sized: Callable[[int], Way], prompts: Sequence[Prompt]) -> tuple[int, Way]:
    """The batch size that suits a peer best, and the peer with it."""
    ways = {batch: sized(batch) for batch in BATCHES if batch <= len(prompts)}
    ways[1](prompts[:1])  # what only the first pass does
    batch = min(ways, key=lambda batch: turn(ways[batch], prompts).prompt_s)
    return batch, ways[batch]


def turn(way: Way, prompts: Sequence[Prompt]) -> Turn:
    seconds, log_N5 = timed(lambda: way(prompts))
    return Turn(seconds / len(prompts), log_N5)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    made = work()
    return time.process_time() - start, made


@contextlib.contextmanager
def watched() -> Iterator[Watched]:
    """See what any model of this process is given, and how long our encoder takes, while this is open."""
    seen, encode = Watched([], []), Encoder.encode

    def count(module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        if isinstance(module, torch.nn.Embedding):
            seen.tokens.append(given[0].numel())

    def timed_encode(*given: Any, **options: Any) -> Any:
        seconds, encoded = timed(lambda: encode(*given, **options))
        seen.encoding_s.append(seconds)
        return encoded

    hook = torch.nn.modules.module.register_module_forward_pre_hook(count)
    try:
        with mock.patch.object(Encoder, "encode", timed_encode):
            yield seen
    finally:
        hook.remove()


def matrix_flops_per_s() -> float:
    """What a large float32 matrix product reaches in a CPU-second."""
    square = torch.ones(2048, 2048)
    return float(2 * 2048**3 / timed(lambda: square @ square)[0])


def tree_work(model: Any, ids: list[list[int]]) -> TreeWork:
    """The tokens of the prefix tree and what it takes to compute each once: a token sees itself and all before it."""
    tokens = seen = 0
    rows = sorted(ids)
    for above, row in zip([[], *rows], rows, strict=False):
        shared = next((n for n, (a, b) in enumerate(zip(above, row, strict=False)) if a != b), len(above))
        tokens += len(row) - shared
        seen += (len(row) * (len(row) + 1) - shared * (shared + 1)) // 2
    config = model.config
    head = model.get_output_embeddings().weight.numel()
    weights = sum(each.numel() for each in model.model.parameters()) - model.get_input_embeddings().weight.numel()
    attention = 4 * config.num_hidden_layers * config.num_attention_heads * config.head_dim
    return TreeWork(tokens, float(2 * weights * tokens + attention * seen + 2 * head * len(ids)))


def agreement(ours_N5: np.ndarray, theirs_N5: np.ndarray, peer: str) -> tuple[float, float]:
    """The largest difference of log-probabilities, and the share of prompts with the same likeliest label.

    The harness counts the line break that ends the prompt to the answer, so its five are all lower by the same: there, given a label.
    """
    if peer == "lm-eval":
        ours_N5, theirs_N5 = (log_N5 - np.logaddexp.reduce(log_N5, axis=1, keepdims=True) for log_N5 in (ours_N5, theirs_N5))
    return float(np.abs(ours_N5 - theirs_N5).max()), float((ours_N5.argmax(1) == theirs_N5.argmax(1)).mean())


def show(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
    for line in (heads, *lines):
        cells = [cell.ljust(width) if n == 0 else cell.rjust(width) for n, (cell, width) in enumerate(zip(line, widths, strict=True))]
        print("  ".join(cells).rstrip())
    print()


if __name__ == "__main__":
    main()
