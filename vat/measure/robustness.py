"""Whether the ranking of values by tax survives another way of measuring it, and whether there is a ranking to survive.

Shapes: S scenes, V values, U items, B resamples or permutations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.stats import kendalltau, rankdata

from vat.errors import DataError
from vat.measure.circumplex import arrangements
from vat.measure.coupling import checked, couple
from vat.measure.indices import value_tax
from vat.measure.resample import bootstrap_weights, resampled_couplings, subsample_weights
from vat.types import Floats, Ints

FEWEST = 3
"""Values that can be ranked, and scenes that a half needs."""
HALVINGS = 50
PERMUTATIONS = 1999
_DECIMALS = 12  # norms that are equal but for float noise tie
_NAN = float("nan")

TaxOf = Callable[[Floats], Floats]
"""(B, S) how often each resample takes each scene → (B, V) taxes measured on it, NaN where undefined."""


class Agreement(NamedTuple):
    """How far two measurements rank the same values alike. NaN where it is not defined.

    spearman, kendall: rank correlations (τ-b) over the n values that both define.
    spearman_low, spearman_high: 95% of resamples of the scenes. Stability, not confidence: both sides are measured on the same resample.
    spearman_split: the same agreement with each side measured on the other half of the scenes, mean over random halvings. About 0 if the
        ranking is chance. `spearman` is not: noise that both sides share makes them agree.
    p: share of permutations of one side's values that agree as well; where there is a split, of the halvings taken together.
    """

    spearman: float
    kendall: float
    n: int
    spearman_low: float = _NAN
    spearman_high: float = _NAN
    spearman_split: float = _NAN
    p: float = _NAN


def rank_agreement(a_V: Floats, b_V: Floats, *, seed: int = 0) -> Agreement:
    """Rank correlation of two measurements of the same values.

    Args:
        a_V, b_V: (V,) numbers, NaN where undefined; only values finite in both count.
        seed: Of the permutations behind `p`, which holds if the two were measured on different scenes (or runs).
    Returns:
        NaN for fewer than 3 values, or where either side does not vary. No interval, no split.
    Raises:
        DataError: Not two vectors of one length.
    Source: Value Alignment Tax, appendix C. Differs: with a permutation test.
    """
    a_V, b_V = np.asarray(a_V, dtype=float), np.asarray(b_V, dtype=float)
    if a_V.ndim != 1 or a_V.shape != b_V.shape:
        raise DataError(f"b_V: must be a vector as long as a_V; got shapes {b_V.shape} and {a_V.shape}. Give both the same values.")
    both_V = np.isfinite(a_V) & np.isfinite(b_V)
    product_VV = _rank_products(a_V[both_V], b_V[both_V])
    if product_VV is None:
        return Agreement(_NAN, _NAN, int(both_V.sum()))
    kendall = kendalltau(*(np.round(x_V[both_V], _DECIMALS) for x_V in (a_V, b_V))).statistic
    return Agreement(float(np.trace(product_VV)), float(kendall), len(product_VV), p=_permuted_p(product_VV, seed))


def metric_agreement(shift_SV: Floats, *, n_boot: int = 199, seed: int = 0) -> Agreement:
    """Whether Spearman's and Kendall's coupling rank the values alike by VAT.

    They nearly always do: 80 scenes of INDEPENDENT values agree at 0.98 (0.94 to 1). That says the choice of metric does not matter, not
    that the ranking means anything; `spearman_split` and `p` do.

    Args:
        shift_SV: (S, V) shifts, NaN where missing.
        n_boot: Resamples of scenes.
        seed: Of resamples, halvings and permutations.
    Returns:
        Over values with a defined coupling. The split is NaN with fewer than 6 scenes.
    Raises:
        DataError: What `couple` refuses, or no resamples.
    Source: Value Alignment Tax, appendix C. Differs: with an interval and the split.
    """
    shift_SV = checked(shift_SV)
    return _agreement(partial(_taxes, shift_SV), partial(_kendall_taxes, shift_SV), len(shift_SV), n_boot, seed)


def granularity_agreement(
    shift_SU: Floats, item_value_U: Ints, shift_SV: Floats, *, siblings: bool = True, n_boot: int = 199, seed: int = 0
) -> Agreement:
    """Whether values rank alike by their own VAT and by the mean VAT of their items.

    Read `spearman_split` and `p`. Where no value couples with another, 80 scenes of Schwartz's 56 items still agree with their values, at
    0.1 with siblings and up to 0.7 without, as both sides see the same noise: permuting values once calls that an agreement in 8-11% (with
    siblings) at a level of 5%. The split is then 0, and its p rejects 4-7%.
    With siblings, as in the paper, an item's tax counts the items of its own value, of which it has one to eight, while no value's tax
    counts the value itself. So agreement depends on which values are large: where all couple with one factor, 0.9 if the large ones most
    and 0.0 if the large ones least (split 0.6 and -0.2); without siblings 0.9 and 0.9 (0.4 and 0.4).

    Args:
        shift_SU: (S, U) shifts of items, NaN where missing.
        item_value_U: Column of shift_SV that each item belongs to.
        shift_SV: (S, V) shifts of the values, in the same scenes.
        siblings: Whether an item's tax counts its coupling with items of its own value.
        n_boot: Resamples of scenes.
        seed: Of resamples, halvings and permutations.
    Returns:
        Over values with a defined coupling that have an item with one. The split is NaN with fewer than 6 scenes.
    Raises:
        DataError: Scenes or items that do not fit, what `couple` refuses, or no resamples.
    Source: Value Alignment Tax, appendix C (56D against 10D). Differs: with an interval and the split; siblings may be left out.
    """
    shift_SU, shift_SV, item_value_U = checked(shift_SU), checked(shift_SV), np.asarray(item_value_U)
    n_values = shift_SV.shape[1]
    if len(shift_SU) != len(shift_SV):
        raise DataError(f"shift_SU: needs the {len(shift_SV)} scenes of shift_SV; got {len(shift_SU)}. Pair them by scene.")
    if item_value_U.shape != shift_SU.shape[1:] or not np.isin(item_value_U, np.arange(n_values)).all():
        found = f"shape {item_value_U.shape}, values {np.unique(item_value_U).tolist()[:12]}"
        raise DataError(
            f"item_value_U: needs one of {n_values} columns for each of {shift_SU.shape[1]} items; got {found}. Take them from the theory."
        )

    belongs_UV = (item_value_U[:, None] == np.arange(n_values)).astype(float)

    def of_items(weight_BS: Floats) -> Floats:
        """(B, V) mean tax of each value's items that have one."""
        tax_BU = _taxes(shift_SU, weight_BS, None if siblings else item_value_U)
        count_BV = np.isfinite(tax_BU) @ belongs_UV
        return np.asarray(np.nan_to_num(tax_BU) @ belongs_UV / np.where(count_BV > 0, count_BV, np.nan), dtype=float)

    return _agreement(of_items, partial(_taxes, shift_SV), len(shift_SV), n_boot, seed)


def _taxes(shift_SV: Floats, weight_BS: Floats, family_V: Ints | None = None) -> Floats:
    """VAT of each column, NaN where none of its couplings is defined; with `family_V`, from couplings with other families only."""
    coupling_BVV = resampled_couplings(shift_SV, weight_BS)
    own_VV = np.eye(shift_SV.shape[1], dtype=bool) if family_V is None else family_V[:, None] == family_V
    coupling_BVV = np.where(own_VV, np.nan, coupling_BVV)
    return np.where(np.isnan(coupling_BVV).all(axis=-1), np.nan, value_tax(coupling_BVV))


def _kendall_taxes(shift_SV: Floats, weight_BS: Floats) -> Floats:
    """The same from Kendall's coupling, whose resamples are counted one by one."""
    taxes = []
    for weight_S in weight_BS:
        couplings = couple(np.repeat(shift_SV, weight_S.astype(int), axis=0), method="kendall")
        taxes.append(np.where(couplings.pair_VV.any(axis=1), value_tax(couplings.coupling_VV), np.nan))
    return np.array(taxes)


def _agreement(first: TaxOf, second: TaxOf, n_scenes: int, n_boot: int, seed: int) -> Agreement:
    """The agreement on all scenes, its spread over resamples, and what is left of it between halves."""
    if n_boot < 1:
        raise DataError(f"n_boot: needs at least 1 resample; got {n_boot}. Use 199 or more.")
    whole_BS = np.ones((1, n_scenes))
    a_V, b_V = first(whole_BS)[0], second(whole_BS)[0]
    whole = rank_agreement(a_V, b_V)._replace(p=_NAN)
    if np.isnan(whole.spearman):
        return whole
    both_V = np.isfinite(a_V) & np.isfinite(b_V)

    def products(weight_BS: Floats, other_BS: Floats) -> list[Floats]:
        """Of the first measured in some scenes and the second in others, where both have a ranking."""
        pairs = zip(first(weight_BS)[:, both_V], second(other_BS)[:, both_V], strict=True)
        return [product_VV for pair in pairs if (product_VV := _rank_products(*pair)) is not None]

    drawn_BS = bootstrap_weights(n_scenes, n_boot=n_boot, seed=seed)
    if resampled := products(drawn_BS, drawn_BS):
        low, high = np.quantile([np.trace(product_VV) for product_VV in resampled], [0.025, 0.975])
        whole = whole._replace(spearman_low=float(low), spearman_high=float(high))
    if n_scenes < 2 * FEWEST:
        return whole
    half_BS = subsample_weights(n_scenes, n_kept=(n_scenes + 1) // 2, n_draws=HALVINGS, seed=seed)
    halved = products(half_BS, 1 - half_BS)
    if not halved:
        return whole
    split = np.mean([np.trace(product_VV) for product_VV in halved])
    return whole._replace(spearman_split=float(split), p=_combined(np.array([_permuted_p(product_VV, seed) for product_VV in halved])))


def _rank_products(a_V: Floats, b_V: Floats) -> Floats | None:
    """(V, V) products of unit-length centred ranks, 0 where either is undefined; the trace is Spearman's ρ. None if that is undefined."""
    both_V = np.isfinite(a_V) & np.isfinite(b_V)
    unit_V = []
    for x_V in (a_V, b_V):
        rank_V = rankdata(np.round(x_V[both_V], _DECIMALS))
        rank_V -= (len(rank_V) + 1) / 2
        if len(rank_V) < FEWEST or not rank_V.any():
            return None
        unit_V.append(np.zeros(len(x_V)))
        unit_V[-1][both_V] = rank_V / np.linalg.norm(rank_V)
    return np.outer(*unit_V)


def _permuted_p(product_VV: Floats, seed: int) -> float:
    """Share of arrangements of one side's values (the observed counted in) that agree at least as well."""
    order_BV = arrangements(len(product_VV), n_perm=PERMUTATIONS, seed=seed)
    agreement_B = product_VV[np.arange(len(product_VV)), order_BV].sum(axis=1)
    return float((agreement_B >= np.trace(product_VV) - 1e-9).mean())


def _combined(p_B: Floats) -> float:
    """One p from dependent ones (Cauchy combination, Liu and Xie 2020; capped, or a single p of 1 would outweigh all others).

    Halvings overlap: permuting the mean of their rank products as if it were one halving rejected 8% of chance rankings at a level of 5%;
    this rejects 5-7% at 5%, and 0.1% at 1% (80 scenes of ten independent values, 1500 data sets).
    """
    return float(0.5 - np.arctan(np.tan((0.5 - np.minimum(p_B, 0.99)) * np.pi).mean()) / np.pi)
