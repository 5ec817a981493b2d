"""Drawing scenes at random so that every country and every topic gives its share.

Shapes: S scenes, F factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def draw_scenes(
    scenes: Sequence[str],
    factors: Mapping[str, Sequence[str]],
    *,
    count: int,
    seed: int,
    apart: Sequence[str] | None = None,
    shares: Mapping[str, Mapping[str, float]] | None = None,
) -> list[str]:
    """Draw `count` of S scenes, balanced over the levels of each factor.

    One scene at a time, each time from those whose levels are furthest behind their share, at random among equals. Levels come within one
    scene of their share, rarely a little more, since a scene once drawn stays.

    Args:
        scenes: S distinct scene ids.
        factors: Factor name → level of each scene.
        count: How many to draw; all of them, or one of each group, when there are no more.
        seed: Same seed, same draw.
        apart: Group of each, of which at most one is drawn: what is drawn may also be actions, no two of one scene. None: no groups.
        shares: Factor name → how many of each of its levels; of a factor that is not named, in proportion.
    Returns:
        The drawn ids in the order of `scenes`.
    Source: Value Alignment Tax, section 4 (stratified split at scenario level). Differs: balanced by country and by topic, each for itself.
    """
    group_S = np.arange(len(scenes)) if apart is None else np.unique(np.asarray(apart), return_inverse=True)[1]
    count = min(count, len(np.unique(group_S)))
    if count == len(scenes):
        return list(scenes)
    codes_FS, share_F, given = [], [], shares or {}
    for factor, levels in factors.items():
        names, codes_S = np.unique(np.asarray(levels), return_inverse=True)
        codes_FS.append(codes_S)
        in_proportion = np.bincount(codes_S) * count / len(scenes)
        share_F.append(np.array([given[factor][name] for name in names.tolist()]) if factor in given else in_proportion)
    drawn_F = [np.zeros_like(share_) for share_ in share_F]
    left_S = np.random.default_rng(seed).permutation(len(scenes))
    chosen = []
    for _ in range(count):
        # Marginal cost of one more scene in a cell: the squared distance to its share grows by 2 * (drawn - share) + 1.
        cost_S = sum((drawn - share)[codes[left_S]] for drawn, share, codes in zip(drawn_F, share_F, codes_FS, strict=True))
        first = int(np.argmin(np.round(cost_S, 9))) if len(codes_FS) else 0
        scene = int(left_S[first])
        left_S = left_S[group_S[left_S] != group_S[scene]]
        chosen.append(scene)
        for drawn, codes in zip(drawn_F, codes_FS, strict=True):
            drawn[codes[scene]] += 1
    return [scenes[n] for n in sorted(chosen)]
