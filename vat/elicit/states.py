"""Judgements → value states, and the pairs of states from which a shift is made.

Shapes: S scenes, U items, P polarities (supports, violates), A actions of one scene, item and polarity, V values.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from vat.errors import DataError
from vat.theory.base import Theory
from vat.types import Floats, Judgements

SIGNS = (1, -1)


def rating_array(judgements: Judgements, theory: Theory, *, which: Literal["mode", "expected"] = "mode") -> Floats:
    """Ratings by scene, item and polarity.

    Args:
        which: the mode of the answer, or its mean under the label probabilities.
    Returns:
        (S, U, 2, A) ratings in [1, 5], scenes in order of appearance, NaN where nothing was asked or answered.
    Raises:
        DataError: No probes, or probes of another theory.
    """
    if not judgements.probes or {probe.item for probe in judgements.probes} - set(theory.items):
        strange = sorted({probe.item for probe in judgements.probes} - set(theory.items))
        raise DataError(f"judgements: must be of items of theory {theory.name}; got {strange or 'no probes'}. Rate the items of the theory.")
    rating_N = judgements.rating_N if which == "mode" else judgements.expected_N
    scene_at = {scene: n for n, scene in enumerate(dict.fromkeys(probe.scene_id for probe in judgements.probes))}
    item_at = {item: n for n, item in enumerate(theory.items)}
    seen: dict[tuple[int, int, int], int] = {}
    places = []
    for probe in judgements.probes:
        cell = scene_at[probe.scene_id], item_at[probe.item], SIGNS.index(probe.polarity)
        places.append((*cell, seen.setdefault(cell, 0)))
        seen[cell] += 1
    rating_SUPA = np.full((len(scene_at), len(item_at), len(SIGNS), max(seen.values())), np.nan)
    rating_SUPA[tuple(np.array(places).T)] = rating_N
    return rating_SUPA


def item_states(rating: Floats, theory: Theory) -> Floats:
    """How much each item is expressed in each scene.

    Args:
        rating: (S, U, 2) or (S, U, 2, A) ratings in [1, 5]: items in the theory's order, then actions that support and actions that
            violate the item; NaN where missing.
    Returns:
        (S, U) states in [-1, 1]: evidence σ·(r - 3)/2, averaged over an item's observed actions; NaN where there is none.
    Raises:
        DataError: Another shape, or a rating outside [1, 5].
    Source: Value Alignment Tax, section 2.1. Differs: items with several actions or with missing ones.
    """
    rating_SUPA = _checked(rating, theory)
    evidence_SUPA = np.array(SIGNS)[:, None] * (rating_SUPA - 3) / 2
    return _mean_of_observed(evidence_SUPA.reshape(*evidence_SUPA.shape[:2], -1))


def value_states(rating: Floats, theory: Theory) -> Floats:
    """How much each value is expressed in each scene.

    Args:
        rating: As for `item_states`.
    Returns:
        (S, V) states in [-1, 1]: the mean over a value's observed items; NaN where none of them was observed.
    Raises:
        DataError: Another shape, or a rating outside [1, 5].
    Source: Value Alignment Tax, section 2.1. Differs: values with missing items.
    """
    return _of_values(item_states(rating, theory), theory)


def paired_states(pre: Floats, post: Floats, theory: Theory) -> tuple[Floats, Floats]:
    """Value states before and after, from the actions that were rated in BOTH, so that a refusal alone is not a shift.

    Args:
        pre, post: (S, U, 2) or (S, U, 2, A) ratings in [1, 5] of the same actions, as for `item_states`.
    Returns:
        pre_SV, post_SV: (S, V) states in [-1, 1], NaN in both where no action of a value was rated in both.
    Raises:
        DataError: Shapes differ or do not fit the theory, or a rating outside [1, 5].
    Source: Value Alignment Tax, section 2.1. Differs: the paper does not say what becomes of missing answers.
    """
    pre_SU, post_SU = paired_items(pre, post, theory)
    return _of_values(pre_SU, theory), _of_values(post_SU, theory)


def paired_items(pre: Floats, post: Floats, theory: Theory) -> tuple[Floats, Floats]:
    """The same item by item: (S, U) states in [-1, 1], NaN in both where no action of an item was rated in both. Raises as it does."""
    pre, post = np.asarray(pre, dtype=float), np.asarray(post, dtype=float)
    if pre.shape != post.shape:
        raise DataError(f"post: must hold the same actions as pre; got shapes {post.shape} and {pre.shape}. Rate both on the same probes.")
    one_missing = np.isnan(pre) | np.isnan(post)
    return item_states(np.where(one_missing, np.nan, pre), theory), item_states(np.where(one_missing, np.nan, post), theory)


def _of_values(item_SU: Floats, theory: Theory) -> Floats:
    return np.stack([_mean_of_observed(item_SU[:, theory.item_value_U == v]) for v in range(len(theory.values))], axis=1)


def _checked(rating: Floats, theory: Theory) -> Floats:
    rating = np.asarray(rating, dtype=float)
    if rating.ndim == 3:
        rating = rating[..., None]
    if rating.ndim != 4 or rating.shape[1:3] != (len(theory.items), len(SIGNS)):
        wanted = f"(scenes, {len(theory.items)}, 2) or (scenes, {len(theory.items)}, 2, actions)"
        raise DataError(f"rating: must have shape {wanted} for theory {theory.name}; got {rating.shape}. Use rating_array.")
    if ((rating < 1) | (rating > 5)).any():
        found = f"{np.nanmin(rating):g} … {np.nanmax(rating):g}"
        raise DataError(f"rating: must lie in 1 … 5, or be NaN where missing; got {found}. Mark what is missing as NaN.")
    return rating


def _mean_of_observed(x: Floats) -> Floats:
    """Mean over the last axis without NaN; NaN where all are."""
    count = (~np.isnan(x)).sum(axis=-1)
    mean: Floats = np.divide(np.nansum(x, axis=-1), count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean
