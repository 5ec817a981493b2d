from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vat.models.memory import Footprint, Room
from vat.models.prefix_tree import Load, Node, Pass, passes, prefix_tree

IDS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=14), min_size=1, max_size=30)


def paths(trees: Sequence[Node], before: tuple[int, ...] = ()) -> dict[int, tuple[int, ...]]:
    """Row → the tokens on the way to it."""
    found = {}
    for node in trees:
        assert node.start == len(before)
        here = (*before, *node.tokens)
        found |= dict.fromkeys(node.rows, here) | paths(node.children, here)
    return found


def realistic(scenes: int = 4) -> list[list[int]]:
    """Lengths as they are: an opening, a scene, two actions, 56 items with their definitions, and the same end."""
    random = np.random.default_rng(0)

    def some(count: int) -> list[int]:
        return random.integers(10, 5000, count).tolist()

    opening, items, end = some(120), [some(random.integers(16, 30)) for _ in range(56)], some(9)
    rows = []
    for _ in range(scenes):
        scene = some(random.integers(120, 150))
        for _ in range(2):
            action = some(random.integers(20, 26))
            rows += [opening + scene + action + item + end for item in items]
    return rows


def tokens(trees: Sequence[Node]) -> int:
    return sum(len(node.tokens) for tree in trees for node in tree.walk())


def unique(ids: Sequence[Sequence[int]]) -> int:
    return len({tuple(row[: n + 1]) for row in ids for n in range(len(row))})


@settings(deadline=None)
@given(IDS, st.integers(1, 5))
def test_every_prompt_is_a_path_and_every_row_ends_once(ids: list[list[int]], shortest: int) -> None:
    trees = prefix_tree(ids, shortest=shortest)
    assert paths(trees) == {row: tuple(tokens) for row, tokens in enumerate(ids)}
    assert sorted(row for tree in trees for node in tree.walk() for row in node.rows) == list(range(len(ids)))
    for node in (node for tree in trees for node in tree.walk()):
        assert len(node.tokens) >= (shortest if node.children else 1)


@settings(deadline=None)
@given(IDS)
def test_with_single_shared_tokens_as_nodes_no_token_stands_twice(ids: list[list[int]]) -> None:
    assert tokens(prefix_tree(ids, shortest=1)) == unique(ids)


@pytest.mark.parametrize("shortest", [4, 16])
def test_at_realistic_lengths_hardly_a_token_stands_twice(shortest: int) -> None:
    ids = realistic()
    assert tokens(prefix_tree(ids, shortest=shortest)) <= 1.01 * unique(ids) < 0.2 * sum(map(len, ids))


@settings(deadline=None)
@given(IDS, st.integers(1, 40), st.booleans(), st.integers(1, 5))
def test_passes_end_every_row_once_within_what_fits(ids: list[list[int]], most: int, whole_trees: bool, shortest: int) -> None:
    def fits(load: Load) -> bool:
        return load.tokens <= most

    planned = list(passes(prefix_tree(ids, shortest=shortest), fits, whole_trees=whole_trees))
    assert sorted(row for step in planned for row in step.rows) == list(range(len(ids)))
    for step in planned:
        before = tuple(token for node in step.path for token in node.tokens)
        assert {row: (*before, *rest) for row, rest in _below(step, before).items()} == {row: tuple(ids[row]) for row in step.rows}
        assert step.load.tokens <= most or step.load.tokens == 1
        assert step.load == Load(len(before), *step.load[1:])
        if not whole_trees:
            assert not any(tree.children for tree in step.trees)


def _below(step: Pass, before: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    return {row: way[len(before) :] for row, way in paths(step.trees, before).items()}


@pytest.mark.parametrize("copies", [False, True])
def test_what_is_computed_at_realistic_lengths_is_hardly_more_than_what_is_different(copies: bool) -> None:
    ids = realistic()
    trees = prefix_tree(ids, shortest=16)
    room = Room(gib=4.0, device="cpu", footprint=Footprint(kept=20_000, active=60_000, logits=50_000, scores=0), copies=copies)
    planned = list(passes(trees, room.fits, whole_trees=not copies))
    kept = {id(node): len(node.tokens) for step in planned for node in step.path}
    computed = sum(len(step.trees) * max(step.load.lengths) if copies else step.load.tokens for step in planned)
    assert sum(kept.values()) + computed <= 1.05 * unique(ids)


def test_a_long_scene_is_cut_until_it_fits_and_its_caches_are_counted() -> None:
    each = Footprint(kept=1000, active=10_000, logits=10, scores=0)
    room = Room(gib=2**20 / 2**30, device="cpu", footprint=each, copies=False)
    planned = list(passes(prefix_tree([list(range(900)), [*range(899), 7, 8]], shortest=4), room.fits, whole_trees=True))
    assert all(room.bytes(step.load) <= 2**20 for step in planned)
    assert max(step.path[-1].end for step in planned if step.path) >= 898
    assert room.chunk(900) * each.active <= 2**20 / 4
    assert room.holds(1000)
    assert not room.holds(1100)


def test_the_same_prompts_give_the_same_plan_in_whatever_order_the_rest_was_answered() -> None:
    ids = realistic(2)
    plans = [list(passes(prefix_tree(ids, shortest=4), lambda load: load.tokens <= 2000, whole_trees=True)) for _ in range(2)]
    assert plans[0] == plans[1]
