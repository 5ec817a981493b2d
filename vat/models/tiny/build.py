"""The recipe of the embedded model: `python -m vat.models.tiny.build`, fixed steps, seeded, about ten minutes on one core.

First single answers, then conversations in which earlier ratings move later ones; the dose of an example falls to the rule's as
training goes on. Linear heads on the hidden states, which are not kept, tell the layers what to work out: at a rating, which value
it speaks for and how much; at a question, what the ratings before it say together, and the parts of the answer. Without these hints
and the falling dose a model of this size did not learn to use examples in the same time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from vat.models.tiny import FOLDER
from vat.models.tiny.documents import Document, Writer
from vat.models.tiny.rule import HALF_DOSE, planted
from vat.models.tiny.tokenizer import CONTEXT, build_tokenizer
from vat.theory.schwartz import SCHWARTZ

SEED = 0
STEPS = 3000
TURNS = 10
DOCUMENTS_PER_STEP = {1: 48, 4: 16, TURNS: 8}  # turns of a document → how many a step
LAYERS, WIDTH, FEED_FORWARD, HEADS, KEY_HEADS = 4, 128, 224, 4, 2
ADAM_LR, MUON_LR = 3e-3, 0.02
TEXT_WEIGHT, TEXT_SHARE = 0.1, 0.1  # weight of predicting the text itself, and the share of tokens on which it is trained
HINT_WEIGHT = 10.0


class Batch(NamedTuple):
    """ids (documents, tokens); for each of A answers its row, position and what the rule says there."""

    ids: torch.Tensor
    row_A: torch.Tensor
    position_A: torch.Tensor
    target_A5: torch.Tensor
    said_AV: torch.Tensor
    push_AV: torch.Tensor
    parts_A3: torch.Tensor


def build(folder: Path, steps: int = STEPS) -> None:
    """Train the model and write it, its tokenizer and recipe.json to `folder`."""
    torch.set_num_threads(1)
    tokenizer = build_tokenizer()
    model = _model(tokenizer)
    heads = torch.nn.ModuleList(torch.nn.Linear(WIDTH, n) for n in (len(SCHWARTZ.values), len(SCHWARTZ.values), 3))
    optimizers, writer, clock = _optimizers(model, heads), Writer(tokenizer, SEED + 1), time.process_time()
    digits = torch.tensor([tokenizer.convert_tokens_to_ids(str(r)) for r in range(1, 6)])
    gap, progress = float("nan"), tqdm(range(steps), unit="step", mininterval=5)
    for step in progress:
        done = step / steps
        turns = 1 if done < 0.04 or step % 3 == 0 else 4 if done < 0.2 else TURNS
        half_dose = max(1.0, HALF_DOSE * min(1.0, done / 0.35))
        batch = _batch([writer.document(turns, half_dose) for _ in range(DOCUMENTS_PER_STEP[turns])])
        excess = _step(model, heads, optimizers, batch, digits, rate=min(1, (step + 1) / 20) * (1 if done < 0.4 else max(0.02, (1 - done) / 0.6)))
        if turns > 1:
            gap = excess if gap != gap else 0.96 * gap + 0.04 * excess
            progress.set_postfix(kl=f"{gap:.4f}", refresh=False)
    model.config.use_cache = True
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    spent = round(time.process_time() - clock)
    record = {"recipe_sha256": recipe_digest(), "weights_sha256": weights, "steps": steps, "kl_nats": round(gap, 4), "cpu_s": spent}
    (folder / "recipe.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def recipe_digest() -> str:
    """SHA-256 of what determines the weights: the rule, the settings above, the tokenizer's text and the first documents."""
    tokenizer = build_tokenizer()
    writer = Writer(tokenizer, SEED + 1)
    total = hashlib.sha256(repr([STEPS, TURNS, DOCUMENTS_PER_STEP, LAYERS, WIDTH, FEED_FORWARD, HEADS, KEY_HEADS, ADAM_LR, MUON_LR]).encode())
    total.update(repr([TEXT_WEIGHT, TEXT_SHARE, HINT_WEIGHT, SEED, sorted(tokenizer.get_vocab().items())]).encode())
    for coefficients in planted():
        total.update(np.round(coefficients, 5).tobytes())
    for turns in DOCUMENTS_PER_STEP:
        for _ in range(20):
            document = writer.document(turns)
            total.update(repr((document.ids, document.answers)).encode())
            total.update((np.round(np.array(document.targets), 5) + 0.0).tobytes())
    return total.hexdigest()


def _model(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    torch.manual_seed(SEED)
    return Qwen3ForCausalLM(Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=FEED_FORWARD, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        num_key_value_heads=KEY_HEADS, head_dim=WIDTH // HEADS, max_position_embeddings=CONTEXT, tie_word_embeddings=True,
        initializer_range=0.08, use_cache=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    ))  # fmt: skip


def _optimizers(model: Qwen3ForCausalLM, heads: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, Adam for embeddings, norms and the hint heads."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    muon = torch.optim.Muon(matrices, lr=MUON_LR, weight_decay=0.01, momentum=0.95, ns_steps=4)
    groups = [{"params": others, "weight_decay": 0.01}, {"params": heads.parameters(), "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=ADAM_LR, betas=(0.9, 0.98))
    for group in (*muon.param_groups, *adam.param_groups):
        group["peak"] = group["lr"]
    return [muon, adam]


def _batch(documents: list[Document]) -> Batch:
    ids = torch.zeros(len(documents), max(len(d.ids) for d in documents), dtype=torch.long)
    for row, document in enumerate(documents):
        ids[row, : len(document.ids)] = torch.tensor(document.ids)
    row_A = torch.tensor([row for row, d in enumerate(documents) for _ in d.answers])
    position_A = torch.tensor([p for d in documents for p in d.answers])
    names = ("targets", "said", "push", "parts")
    columns = [torch.tensor(np.array([x for d in documents for x in getattr(d, name)]), dtype=torch.float32) for name in names]
    return Batch(ids, row_A, position_A, *columns)


def _step(
    model: Qwen3ForCausalLM, heads: torch.nn.ModuleList, optimizers: list[torch.optim.Optimizer], batch: Batch, digits: torch.Tensor, *, rate: float
) -> float:
    """One step of training; returns the divergence of the answers from the rule, in nats."""
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["lr"] = group["peak"] * rate
    layers = model.model(input_ids=batch.ids, output_hidden_states=True).hidden_states
    last, row_A, position_A = layers[-1], batch.row_A, batch.position_A
    log_A5 = F.linear(last[row_A, position_A], model.lm_head.weight).log_softmax(-1)[:, digits]
    divergence = (batch.target_A5 * (batch.target_A5.clamp_min(1e-9).log() - log_A5)).sum(-1).mean()
    picked = (torch.rand(batch.ids.shape[0], batch.ids.shape[1] - 1) < TEXT_SHARE) & (batch.ids[:, 1:] != 0)
    text = F.cross_entropy(F.linear(last[:, :-1][picked], model.lm_head.weight), batch.ids[:, 1:][picked])
    hints = (
        F.mse_loss(heads[0](layers[-3][row_A, position_A + 1]), batch.said_AV)
        + F.mse_loss(heads[1](layers[-2][row_A, position_A]), 2 * batch.push_AV)
        + F.mse_loss(heads[2](last[row_A, position_A]), batch.parts_A3)
    )
    (divergence + TEXT_WEIGHT * text + HINT_WEIGHT * hints).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return float(divergence.detach())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the embedded model.")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for weights, tokenizer and recipe.json")
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer for a trial")
    given = parser.parse_args()
    build(given.out, given.steps)
