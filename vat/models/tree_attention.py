"""Attention over many branches of a prefix tree that stand in one row of tokens, none of them padded, none computed twice.

A branch's tokens attend to their own branch causally, and to each node above it as a whole; the parts are joined by their
log-sum-exp, which gives the softmax over all of them. The idea is that of cascade inference and of tree attention; here every
node above a run of tokens is one call of a fused kernel for all that is below it.

Shapes: T tokens of a pass, H heads, K key heads, D channels, B nodes of a block, W tokens of the longest, P tokens of a node above.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from vat.models.prefix_tree import Node

if TYPE_CHECKING:
    import torch

UNKNOWN_HERE = ("softcap", "s_aux", "position_bias", "head_mask", "attention_bias")
"""What a layer may hand to its attention that this one does not do."""
NARROWEST = 0.75
"""A block holds nodes down to this share of its longest one."""
KeysValues = dict[int, tuple["torch.Tensor", "torch.Tensor"]]
"""Layer → (1, K, P, D) keys and values of a node above."""


class Unsafe(Exception):  # noqa: N818 - not an error: the portable way is taken
    """This model cannot be computed this way; the message says why."""


class Block(NamedTuple):
    """Nodes of about the same length. take_BW: their tokens, the last one repeated. put: flat place in the block of each of `tokens`."""

    take_BW: torch.Tensor
    put: torch.Tensor
    tokens: torch.Tensor


class Span(NamedTuple):
    """A node above others in the same pass: its tokens start … end, and what is below it, end … last."""

    start: int
    end: int
    last: int


class Layout(NamedTuple):
    """A pass as a row of tokens: their ids and places in their prompts, what attends to what, and where which prompts end."""

    ids: list[int]
    positions: list[int]
    blocks: list[Block]
    spans: list[Span]
    ends: list[int]
    rows: list[tuple[int, ...]]

    @classmethod
    def of(cls, trees: Sequence[Node], device: Any) -> Layout:
        """Nodes one after the other, parents first, so that all that is below a node follows it."""
        layout = cls([], [], [], [], [], [])
        lengths: list[tuple[int, int]] = []
        for tree in trees:
            layout._place(tree, lengths)
        lengths.sort(reverse=True)
        while lengths:
            same = [one for one in lengths if one[0] >= NARROWEST * lengths[0][0]]
            layout.blocks.append(_block(same, device))
            lengths = lengths[len(same) :]
        return layout

    def _place(self, node: Node, lengths: list[tuple[int, int]]) -> None:
        start = len(self.ids)
        lengths.append((len(node.tokens), start))
        self.ids.extend(node.tokens)
        self.positions.extend(range(node.start, node.end))
        end = len(self.ids)
        if node.rows:
            self.ends.append(end - 1)
            self.rows.append(node.rows)
        for child in node.children:
            self._place(child, lengths)
        if node.children:
            self.spans.append(Span(start, end, len(self.ids)))


class TreeAttention:
    """The attention of one pass, called by each layer of the model.

    above: keys and values of the nodes on the path. kept: those of this pass, if they are to be kept.
    narrowest: the smallest window of attention that a layer asked for. calls: how many layers have called.
    """

    def __init__(self, layout: Layout, above: Sequence[KeysValues], *, keep: bool) -> None:
        self.layout, self.above = layout, above
        self.kept: KeysValues | None = {} if keep else None
        self.narrowest: int | None = None
        self.calls = 0

    def __call__(
        self, module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, scaling: float | None = None, **options: Any
    ) -> tuple[torch.Tensor, None]:
        """(1, H, T, D) queries, (1, K, T, D) keys and values → (1, T, H, D).

        Raises:
            Unsafe: The layer asks for more than plain attention.
        """
        if mask is not None or any(options.get(name) is not None for name in UNKNOWN_HERE):
            raise Unsafe("a layer asks for more than plain attention")
        self._see_window(options.get("sliding_window"))
        self.calls += 1
        if self.kept is not None:
            self.kept[module.layer_idx] = (key, value)
        joined = _Joined(query, scaling)
        for block in self.layout.blocks:
            joined.own(block, key, value)
        for keys, values in [layers[module.layer_idx] for layers in self.above]:
            joined.above(slice(None), keys, values)
        for start, end, last in self.layout.spans:
            joined.above(slice(end, last), key[:, :, start:end], value[:, :, start:end])
        return joined.out_HTD.transpose(0, 1)[None], None

    def no_mask(self, *_: Any, **options: Any) -> None:
        """Stands in for the masks of transformers, which name the window of each kind of layer."""
        self._see_window(options.get("local_size"))

    def _see_window(self, window: int | None) -> None:
        if window is not None:
            self.narrowest = window if self.narrowest is None else min(self.narrowest, window)


class _Joined:
    """Attention of a row of queries to parts of what they see, joined as the parts come in."""

    def __init__(self, query: torch.Tensor, scaling: float | None) -> None:
        import torch

        self.query, self.scaling = query, scaling
        self.out_HTD = torch.empty_like(query[0], memory_format=torch.contiguous_format)
        self.log_HT = query.new_empty(query.shape[1:3], dtype=torch.float32)

    def own(self, block: Block, key: torch.Tensor, value: torch.Tensor) -> None:
        """The nodes of a block to themselves, causally. This comes first: every token is in one block."""
        times = self.query.shape[1] // key.shape[1]
        query, key, value = (x[0][:, block.take_BW].transpose(0, 1) for x in (self.query, key, value))  # (B, H or K, W, D)
        out, log = _attend(query, key.repeat_interleave(times, 1), value.repeat_interleave(times, 1), self.scaling, causal=True)
        self.out_HTD[:, block.tokens] = out.transpose(0, 1).flatten(1, 2)[:, block.put]
        self.log_HT[:, block.tokens] = log.transpose(0, 1).flatten(1, 2)[:, block.put]

    def above(self, below: slice, key: torch.Tensor, value: torch.Tensor) -> None:
        """Tokens to all of a node above them. Heads that share keys become more queries of one head: nothing is copied."""
        import torch

        query = self.query[0, :, below]
        heads, tokens, channels = query.shape
        out, log = _attend(query.reshape(1, key.shape[1], -1, channels), key, value, self.scaling, causal=False)
        log, log_HT = log.reshape(heads, tokens), self.log_HT[:, below]
        share = torch.sigmoid(log - log_HT)[..., None].to(out.dtype)
        self.out_HTD[:, below].lerp_(out.reshape(heads, tokens, channels), share)
        torch.logaddexp(log_HT, log, out=log_HT)


def _attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None, *, causal: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention and its log-sum-exp, by the fused kernel of the device."""
    import torch

    kernels = torch.ops.aten
    if query.device.type == "cpu":
        found = kernels._scaled_dot_product_flash_attention_for_cpu(query, key, value, 0.0, causal, scale=scaling)
    elif query.device.type == "cuda" and query.dtype is not torch.float32:
        found = kernels._scaled_dot_product_flash_attention(query, key, value, 0.0, causal, False, scale=scaling)
    elif query.device.type == "cuda":
        found = kernels._scaled_dot_product_efficient_attention(query, key, value, None, True, 0.0, causal, scale=scaling)
    else:
        raise Unsafe(f"no kernel with log-sum-exp on {query.device.type}")
    return found[0], found[1][..., : query.shape[2]].float()


def _block(lengths: Sequence[tuple[int, int]], device: Any) -> Block:
    """Nodes given as (length, first token), longest first."""
    import torch

    width = lengths[0][0]
    take_BW = torch.tensor([[start + min(n, length - 1) for n in range(width)] for length, start in lengths])
    put = torch.tensor([b * width + n for b, (length, _) in enumerate(lengths) for n in range(length)])
    return Block(take_BW.to(device), put.to(device), take_BW.flatten()[put].to(device))
