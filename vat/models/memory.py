"""How much of a prefix tree fits into memory at once: estimated from a model's sizes, never from what happens to be free, so that
the same machine always gets the same plan."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vat.models.prefix_tree import Load

OF_MACHINE, OF_GPU = 0.25, 0.8
"""Share of the machine's memory, and of what the weights leave of a GPU's, for caches and activations where no amount is given."""
MOST_TOKENS = {"cpu": 2048, "cuda": 32768}
"""More tokens in one pass than this do not make it faster."""
MOST_TEXTS = 64
"""More texts than this are not written side by side: all wait for the longest."""
PADDED = 1.05
"""Branches side by side may take so much more than their own tokens."""


@dataclass(frozen=True)
class Footprint:
    """Bytes that a model needs beside its weights.

    kept: for the keys and values of one token. active: while one token is computed. logits: for one position's logits.
    scores: for the attention of one token to another, where the model's own attention keeps all of them.
    """

    kept: int
    active: int
    logits: int
    scores: int

    @classmethod
    def of(cls, model: Any) -> Footprint:
        """Of a model of transformers, from its configuration."""
        config, width = model.config.get_text_config(), model.dtype.itemsize
        heads, hidden = config.num_attention_heads, config.hidden_size
        channels = getattr(config, "head_dim", None) or hidden // heads
        key_heads = getattr(config, "num_key_value_heads", None) or heads
        experts = getattr(config, "num_experts_per_tok", None) or 1
        inner = max(getattr(config, "intermediate_size", None) or 4 * hidden, experts * (getattr(config, "moe_intermediate_size", None) or 0))
        return cls(
            kept=2 * config.num_hidden_layers * key_heads * channels * width,
            active=width * (8 * hidden + 4 * inner + 12 * heads * channels),
            logits=config.vocab_size * width + 8 * hidden,
            scores=12 * heads if model.config._attn_implementation == "eager" else 0,
        )


@dataclass(frozen=True)
class Room:
    """What fits into `gib` of memory on a device, with a footprint. copies: whether the path's cache is copied for each branch."""

    gib: float
    device: str
    footprint: Footprint
    copies: bool

    def chunk(self, longest: int) -> int:
        """Tokens to compute in one go where they need not be together, if prompts have up to `longest`."""
        each = self.footprint.active + longest * self.footprint.scores
        return max(1, min(MOST_TOKENS.get(self.device, MOST_TOKENS["cpu"]), int(self.gib * 2**30 / 4 / each)))

    def fits(self, load: Load) -> bool:
        """Whether a pass may be run."""
        computed = load.trees * max(load.lengths) if self.copies else load.tokens
        if computed > PADDED * load.tokens:
            return False
        return computed <= MOST_TOKENS.get(self.device, MOST_TOKENS["cpu"]) and self.bytes(load) <= self.gib * 2**30

    def texts(self, width: int, waiting: int) -> Load:
        """As many texts of `width` tokens, prompts included, as may be written side by side."""
        loads = (Load(0, n * width, n, n, frozenset((width,))) for n in range(min(waiting, MOST_TEXTS), 0, -1))
        return next(load for load in loads if load.trees == 1 or self.bytes(load) <= self.gib * 2**30)

    def holds(self, longest: int) -> bool:
        """Whether a prompt of that many tokens can be computed at all."""
        return self.least_gib(longest) <= self.gib

    def least_gib(self, longest: int) -> float:
        """What one prompt needs if it is computed token by token."""
        return self.bytes(Load(longest, 1, 1, 1, frozenset((1,)))) / 2**30

    def bytes(self, load: Load) -> float:
        """What a pass needs."""
        each = self.footprint
        if not self.copies:
            return load.path * each.kept + load.tokens * each.active + load.ends * each.logits
        width = max(load.lengths)
        copied = load.trees * (load.path + width) * each.kept * 2  # a cache is copied as it grows
        active = load.trees * width * (each.active + (load.path + width) * each.scores)
        return load.path * each.kept + copied + active + load.trees * (len(load.lengths) + 1) * each.logits


def room_gib(device: Any, weights: int) -> float:
    """Memory for caches and activations where the user gives none."""
    if device.type == "cuda":
        import torch

        return float(max(0.5, OF_GPU * (torch.cuda.get_device_properties(device).total_memory - weights) / 2**30))
    return OF_MACHINE * _machine_bytes() / 2**30


def _machine_bytes() -> int:
    """The machine's memory, or what a container may have of it."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        path = Path(file)
        if path.is_file() and (text := path.read_text().strip()).isdigit():
            limits.append(int(text))
    return min(limits)
