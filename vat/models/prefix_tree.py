"""Token ids → a tree of what prompts share, and passes over it in which no token is computed twice.

A node is a run of tokens; a prompt is a path from the root. Passes are planned over the whole list, from its ids and the sizes alone:
the same list always gives the same passes, so that an interrupted one goes on at a border and gets the same bits.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Node:
    """`tokens` stand after `start` others; `rows` are the prompts that end here; `children` go on."""

    start: int
    tokens: Sequence[int]
    rows: tuple[int, ...]
    children: tuple[Node, ...] = field(default=(), repr=False)

    @property
    def end(self) -> int:
        """Where its tokens end, counted from the start of the prompt."""
        return self.start + len(self.tokens)

    def walk(self) -> Iterator[Node]:
        """The node and all below it, parents first."""
        below = [self]
        while below:
            node = below.pop()
            yield node
            below.extend(reversed(node.children))


class Load(NamedTuple):
    """What weighs on the memory in one pass.

    path: tokens before it, whose keys and values are kept. tokens: computed in it. trees: that follow upon the path.
    ends: prompts that end in it. lengths: the different lengths of its nodes.
    """

    path: int
    tokens: int
    trees: int
    ends: int
    lengths: frozenset[int]

    @classmethod
    def of(cls, tree: Node) -> Load:
        """A tree alone."""
        nodes = list(tree.walk())
        lengths = frozenset(len(node.tokens) for node in nodes)
        return cls(tree.start, sum(len(node.tokens) for node in nodes), 1, sum(bool(node.rows) for node in nodes), lengths)

    def with_tree(self, tree: Load) -> Load:
        """This and another tree upon the same path."""
        return Load(self.path, self.tokens + tree.tokens, self.trees + 1, self.ends + tree.ends, self.lengths | tree.lengths)


@dataclass(frozen=True)
class Pass:
    """One forward pass: `trees` follow directly upon `path`, whose keys and values are kept from earlier."""

    path: tuple[Node, ...]
    trees: tuple[Node, ...]

    @property
    def load(self) -> Load:
        """What it weighs."""
        first, *others = map(Load.of, self.trees)
        return functools.reduce(Load.with_tree, others, first)

    @property
    def rows(self) -> list[int]:
        """The prompts that end in it."""
        return [row for tree in self.trees for node in tree.walk() for row in node.rows]


class Ends(NamedTuple):
    """How a pass ends: the prompts that end at each of E places, and the (E, W) logits there, over a vocabulary of W."""

    rows: list[tuple[int, ...]]
    logits_EW: torch.Tensor


def prefix_tree(ids: Sequence[Sequence[int] | npt.NDArray[np.int32]], *, shortest: int) -> tuple[Node, ...]:
    """The trees of a list of prompts.

    Args:
        ids: Token ids of each prompt, none of them empty.
        shortest: Fewer shared tokens than this do not become a node of their own.
    """
    arrays = [np.asarray(row, dtype=">i4") for row in ids]
    rows_of: dict[bytes, list[int]] = {}
    for row, array in enumerate(arrays):
        rows_of.setdefault(array.tobytes(), []).append(row)
    different = sorted(rows_of)  # big-endian bytes sort as the ids do
    owners = [tuple(rows_of[key]) for key in different]
    sorted_ids = [arrays[rows[0]] for rows in owners]
    shared = [0, *(_common(a, b) for a, b in itertools.pairwise(sorted_ids))]

    def grown(low: int, high: int, start: int) -> tuple[Node, ...]:
        """Nodes for the sorted prompts low … high - 1, which share their first `start` tokens."""
        nodes, first = [], low
        for n in range(low + 1, high + 1):
            if n < high and shared[n] >= start + shortest:
                continue
            end = min(shared[first + 1 : n], default=len(sorted_ids[first]))
            own = owners[first] if len(sorted_ids[first]) == end else ()
            children = grown(first + bool(own), n, end) if n - first > 1 else ()
            nodes.append(Node(start, sorted_ids[first][start:end].tolist(), own, children))
            first = n
        return tuple(nodes)

    return grown(0, len(different), 0)


def passes(trees: Sequence[Node], fits: Callable[[Load], bool], *, whole_trees: bool) -> Iterator[Pass]:
    """Passes that together end every prompt once, each within what fits.

    Args:
        fits: Whether a pass of such a load may be run; a load of one token must fit.
        whole_trees: A pass may hold nodes with children; otherwise only nodes without, of about the same length.
    """
    yield from _passes((), tuple(trees), fits, whole_trees)


def lacking(kept: list[tuple[Node, Any]], path: Sequence[Node]) -> Sequence[Node]:
    """Drop from a stack of nodes, each with its caches, what is not on a path; returns the nodes of the path that it lacks."""
    shared = 0
    while shared < min(len(path), len(kept)) and kept[shared][0] is path[shared]:
        shared += 1
    del kept[shared:]
    return path[shared:]


def _passes(path: tuple[Node, ...], trees: tuple[Node, ...], fits: Callable[[Load], bool], whole_trees: bool) -> Iterator[Pass]:
    batch: list[Node] = []
    load: Load | None = None
    if not whole_trees:
        trees = tuple(sorted(trees, key=lambda tree: -1 if tree.children else len(tree.tokens)))
    for tree in trees:
        alone = Load.of(tree) if whole_trees or not tree.children else None
        together = load.with_tree(alone) if load and alone else None
        if together and fits(together):
            batch, load = [*batch, tree], together
            continue
        if batch:
            yield Pass(path, tuple(batch))
        if alone and fits(alone):
            batch, load = [tree], alone
        else:
            batch, load = [], None
            yield from _passes_below(path, tree, fits, whole_trees)
    if batch:
        yield Pass(path, tuple(batch))


def _passes_below(path: tuple[Node, ...], tree: Node, fits: Callable[[Load], bool], whole_trees: bool) -> Iterator[Pass]:
    """Passes of a tree that does not fit into one: its own tokens are kept, and what ends or goes on there follows."""
    cut = len(tree.tokens) - 1
    head, tail = Node(tree.start, tree.tokens[:cut], ()), Node(tree.start + cut, tree.tokens[cut:], tree.rows)
    if tree.rows and head.tokens:
        yield from _passes((*path, head), (tail,), fits, whole_trees)
    elif tree.rows:
        yield Pass(path, (tail,))
    if tree.children:
        yield from _passes((*path, Node(tree.start, tree.tokens, ())), tree.children, fits, whole_trees)


def _common(a: np.ndarray, b: np.ndarray) -> int:
    """How many first tokens two prompts have in common."""
    length = min(len(a), len(b))
    different = np.flatnonzero(a[:length] != b[:length])
    return int(different[0]) if len(different) else length
