"""The fast way over a prefix tree: whole trees in one forward pass without padding, their attention by `tree_attention.py`.

It is taken for models that take their attention from outside, and only after it gave what plain forward passes give.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from vat.models.prefix_tree import Ends, Node, Pass, lacking
from vat.models.tree_attention import KeysValues, Layout, TreeAttention, Unsafe

if TYPE_CHECKING:
    import torch

NAME = "vat_tree"
"""What transformers knows our attention as."""
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1, "float16": 0.02}
"""Largest difference from a plain forward pass, as a share of the largest logit, with which a model is accepted."""
_current: ContextVar[TreeAttention] = ContextVar("the pass that is being computed")


class CascadeForward:
    """A model's forward passes over parts of a prefix tree."""

    whole_trees = True
    shortest = 4
    """Fewer shared tokens than this cost more in calls than they save."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._path: list[tuple[Node, list[KeysValues]]] = []
        _register()

    def last_logits(self, step: Pass, chunk: int) -> Ends:
        """The logits with which a pass ends. chunk: tokens of the path to compute in one go."""
        self._follow(step.path, chunk)
        logits, attention = self._forward(step.trees, keep=False)
        return Ends(attention.layout.rows, logits)

    def window(self) -> int | None:
        """The longest prompt for which this is right, None for any: found by comparing a small tree with plain forward passes.

        Raises:
            Unsafe: It is not right at all.
        """
        stem, trees, prompts = _small_tree(self._model.get_input_embeddings().num_embeddings)
        plain = [self._plain_logits(ids) for ids in prompts]
        try:
            self._follow((stem,), len(stem.tokens))
            logits, attention = self._forward(trees, keep=False)
        except Unsafe:
            raise
        except Exception as error:  # whatever an architecture does with an attention that it does not know
            raise Unsafe(f"{type(error).__name__} in tree attention") from error
        finally:
            self._path = []
        layers = self._model.config.get_text_config().num_hidden_layers
        if attention.calls != layers:
            raise Unsafe(f"{attention.calls} of {layers} layers take attention from outside")
        off = max(float((logits[place] - plain[row]).abs().max() / plain[row].abs().max()) for place, (row,) in enumerate(attention.layout.rows))
        if not off <= TOLERANCE[str(self._model.dtype).removeprefix("torch.")]:
            raise Unsafe(f"it differs from a plain forward pass by {off:.1g} of the largest logit")
        return attention.narrowest

    def _follow(self, path: Sequence[Node], chunk: int) -> None:
        """Keep the keys and values of a path; what it shares with the last one is there already."""
        for node in lacking(self._path, path):
            parts: list[KeysValues] = []
            self._path.append((node, parts))
            for start in range(0, len(node.tokens), chunk):
                part = Node(node.start + start, node.tokens[start : start + chunk], ())
                parts.append(self._forward([part], keep=True)[1].kept or {})

    def _forward(self, trees: Sequence[Node], *, keep: bool) -> tuple[torch.Tensor, TreeAttention]:
        """(E, W) logits where prompts end (at the last token, where none does), and the attention that was used."""
        import torch

        device = self._model.device
        layout = Layout.of(trees, device)
        attention = TreeAttention(layout, [layers for _, parts in self._path for layers in parts], keep=keep)
        with _in_place_of_the_models(self._model, attention):
            logits = self._model(
                input_ids=torch.tensor([layout.ids], device=device), position_ids=torch.tensor([layout.positions], device=device),
                use_cache=False, logits_to_keep=torch.tensor(layout.ends or [len(layout.ids) - 1], device=device),
            ).logits[0]  # fmt: skip
        return logits, attention

    def _plain_logits(self, ids: list[int]) -> torch.Tensor:
        import torch

        logits: torch.Tensor = self._model(input_ids=torch.tensor([ids], device=self._model.device), use_cache=False).logits[0, -1]
        return logits


def _small_tree(vocabulary: int) -> tuple[Node, tuple[Node, ...], list[list[int]]]:
    """A stem, trees upon it, and the prompts that they stand for: two levels, branches of different lengths."""

    def tokens(count: int, seed: int) -> list[int]:
        return [(7 * n + 11 * seed + 3) % vocabulary for n in range(count)]

    stem, inner, branches = tokens(16, 0), tokens(8, 1), [tokens(9 + 2 * n, 2 + n) for n in range(3)]
    children = tuple(Node(24, branches[n], (n,)) for n in (0, 1))
    trees = (Node(16, inner, (), children), Node(16, branches[2], (2,)))
    return Node(0, stem, ()), trees, [stem + inner + branches[0], stem + inner + branches[1], stem + branches[2]]


def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface

    def attention(*args: Any, **options: Any) -> tuple[torch.Tensor, None]:
        return _current.get()(*args, **options)

    def mask(*args: Any, **options: Any) -> None:
        _current.get().no_mask(*args, **options)

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, mask)


@contextlib.contextmanager
def _in_place_of_the_models(model: Any, attention: TreeAttention) -> Iterator[None]:
    usual, token = model.config._attn_implementation, _current.set(attention)
    try:
        model.set_attn_implementation(NAME)
        yield
    finally:
        model.set_attn_implementation(usual)
        _current.reset(token)
