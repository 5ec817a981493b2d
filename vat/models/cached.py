"""The portable way over a prefix tree: the model's own caches, copied for each branch, and branches of about the same length side by side.

It is right for every decoder that continues from its cache: full, sliding-window and linear attention, capped and scaled logits.
Branches are padded on the right, so that no mask is needed: nothing before a branch's last token sees the padding.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from vat.models.prefix_tree import Ends, Node, Pass, lacking


class CachedForward:
    """A model's forward passes over branches of a prefix tree."""

    whole_trees = False
    shortest = 16
    """Fewer shared tokens than this are not worth a cache of their own."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._path: list[tuple[Node, Any]] = []

    def last_logits(self, step: Pass, chunk: int) -> Ends:
        """The logits with which a pass ends. chunk: tokens of the path to compute in one go."""
        import torch

        self._follow(step.path, chunk)
        device, branches = self._model.device, [list(tree.tokens) for tree in step.trees]
        last_B = torch.tensor([len(tokens) - 1 for tokens in branches])
        width = int(last_B.max()) + 1
        padded_BT = torch.tensor([tokens + tokens[-1:] * (width - len(tokens)) for tokens in branches], device=device)
        wanted, where_B = torch.unique(last_B, return_inverse=True)
        logits_BLW = self._model(input_ids=padded_BT, logits_to_keep=wanted.to(device), **self._continuing(len(branches), width)).logits
        return Ends([tree.rows for tree in step.trees], logits_BLW[torch.arange(len(branches)), where_B])

    def _follow(self, path: Sequence[Node], chunk: int) -> None:
        """Have the caches of a path; what it shares with the last one is there already."""
        import torch

        for node in lacking(self._path, path):
            options: dict[str, Any] = self._continuing(1, 0) if self._path else {"use_cache": True}
            for start in range(0, len(node.tokens), chunk):
                part = node.tokens[start : start + chunk]
                options["position_ids"] = torch.arange(node.start + start, node.start + start + len(part), device=self._model.device)[None]
                ids = torch.tensor([part], device=self._model.device)
                options["past_key_values"] = self._model(input_ids=ids, logits_to_keep=1, **options).past_key_values
            self._path.append((node, options["past_key_values"]))

    def _continuing(self, count: int, width: int) -> dict[str, Any]:
        """What makes a forward pass go on after the path, in `count` rows of `width` tokens."""
        import torch

        if not self._path:
            return {"use_cache": False}
        node, cache = self._path[-1]
        copied = copy.deepcopy(cache)
        copied.reorder_cache(torch.zeros(count, dtype=torch.long, device=self._model.device))
        position_BT = torch.arange(node.end, node.end + width, device=self._model.device)[None].expand(count, -1)
        return {"use_cache": True, "past_key_values": copied, "position_ids": position_BT}
