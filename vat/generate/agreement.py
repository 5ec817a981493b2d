"""What annotators' ratings say of a dataset in one respect: their mean, how far they agree, and how far they would by chance.

Instances are the unit: intervals are for other instances of the dataset, rated by these annotators. What other annotators would say, they do not
tell. That the sample is spread over countries, topics and values makes a mean a little surer than its interval, which does not reckon with it.

Shapes: A annotators, I instances, D dimensions, B resamples.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from vat.shares import LEVEL, wilson
from vat.types import LABELS, Floats, Ints

STANCES = ((1, 2), (3,), (4, 5))
"""Ratings that disagree, take no side, agree."""
FEWEST = 20
"""Instances with two ratings for alpha to have an interval: below that the bootstrap's covers 81 to 95% (20: 86 to 96%, 54: 91 to 96%)."""
MOST_UNDEFINED = 0.05
"""Share of resamples without an alpha, beyond which those that have one tell too little."""


class Ratings(NamedTuple):
    """What was handed in. rating_AID: 1 to 5, NaN where an annotator gave none."""

    annotators: tuple[str, ...]
    rating_AID: Floats


class Finding(NamedTuple):
    """One respect: a row of the table. NaN for what is not defined.

    ratings, missing: how many were given, and were not. instances: with a rating; shared: with two or more.
    mean: of the instances' mean ratings, with a Student interval over instances. sd: of the same; sd_ratings: of all single ratings.
    agreement: share of the shared instances in which two annotators or more take the same stance, with Wilson's interval; agreement_chance: what it
        would be if all drew their stances at random from the shares that they have together. With four ratings or more of an instance both are 1,
        as there are but three stances.
    alpha: Krippendorff's, for ordered ratings, over the shared instances; 0 at chance, 1 for full agreement; with a bootstrap interval over them.
    """

    ratings: int
    missing: int
    instances: int
    shared: int
    mean: float
    mean_low: float
    mean_high: float
    sd: float
    sd_ratings: float
    agreement: float
    agreement_low: float
    agreement_high: float
    agreement_chance: float
    alpha: float
    alpha_low: float
    alpha_high: float


def finding(rating_AI: Floats, *, n_boot: int = 2000, seed: int = 0) -> Finding:
    """What ratings say in one respect.

    Args:
        rating_AI: (A, I) 1 to 5, NaN where missing.
        n_boot: Resamples of the instances.
        seed: Of those.
    Source: Value Alignment Tax, Table 1; Krippendorff (2011), Computing Krippendorff's alpha-reliability; Wilson (1927). Differs: intervals, chance
        and alpha are added. The paper does not say what its standard deviation is over; one of 0.25 about a mean of 4.20 cannot be of single
        ratings (whole numbers: at least 0.40), so `sd` is over instances.
    """
    given_AI = ~np.isnan(rating_AI)
    count_I = given_AI.sum(axis=0)
    mean_I = np.nansum(rating_AI, axis=0)[count_I > 0] / count_I[count_I > 0]
    label_I5 = (rating_AI[:, :, None] == np.array(LABELS)).sum(axis=0)
    shared_S5 = label_I5[count_I > 1]
    low, high = _mean_interval(mean_I)
    return Finding(
        int(count_I.sum()), int((~given_AI).sum()), len(mean_I), len(shared_S5),
        float(mean_I.mean()) if len(mean_I) else math.nan, low, high, _spread(mean_I), _spread(rating_AI[given_AI]),
        *_agreement(shared_S5), _chance(label_I5), *_alpha(shared_S5, n_boot, seed),
    )  # fmt: skip


def ordinal_alpha(label_I5: Ints) -> float:
    """Krippendorff's alpha for ordered ratings; NaN if no instance has two, or all that can be compared are the same.

    Args:
        label_I5: (I, 5) how many annotators gave each rating.
    """
    import krippendorff

    shared_S5 = label_I5[label_I5.sum(axis=1) > 1]
    if (shared_S5.sum(axis=0) > 0).sum() < 2:
        return math.nan
    return float(krippendorff.alpha(value_counts=shared_S5, value_domain=LABELS, level_of_measurement="ordinal"))


def _stances(label_I5: Ints) -> Ints:
    """(I, 3) how many annotators take each stance."""
    return np.stack([label_I5[:, [LABELS.index(label) for label in stance]].sum(axis=1) for stance in STANCES], axis=1)


def _agreement(shared_S5: Ints) -> tuple[float, float, float]:
    hits, trials = int((_stances(shared_S5).max(axis=1, initial=0) > 1).sum()), len(shared_S5)
    return (hits / trials if trials else math.nan, *wilson(hits, trials))


def _chance(label_I5: Ints) -> float:
    """Two of m draws from three stances are the same unless m = 2 or 3 and all differ."""
    stance_I3 = _stances(label_I5)
    count_S = stance_I3.sum(axis=1)[stance_I3.sum(axis=1) > 1]
    if not len(count_S):
        return math.nan
    first, second, third = stance_I3.sum(axis=0) / stance_I3.sum()
    differ = {2: 2 * (first * second + first * third + second * third), 3: 6 * first * second * third}
    return float(np.mean([1 - differ.get(count, 0.0) for count in count_S.tolist()]))


def _alpha(shared_S5: Ints, n_boot: int, seed: int) -> tuple[float, float, float]:
    alpha = ordinal_alpha(shared_S5)
    if math.isnan(alpha) or len(shared_S5) < FEWEST:
        return alpha, math.nan, math.nan
    drawn_BS = np.random.default_rng(seed).integers(0, len(shared_S5), size=(n_boot, len(shared_S5)))
    alpha_B = np.array([ordinal_alpha(shared_S5[drawn_S]) for drawn_S in drawn_BS])
    if np.isnan(alpha_B).mean() > MOST_UNDEFINED:
        return alpha, math.nan, math.nan
    low, high = np.nanquantile(alpha_B, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return alpha, float(low), float(high)


def _mean_interval(mean_I: Floats) -> tuple[float, float]:
    """Undefined where instances do not differ: how much they would otherwise is then not known, which is not the same as not at all."""
    from scipy.special import stdtrit

    error = _spread(mean_I) / math.sqrt(len(mean_I)) if len(mean_I) else math.nan
    if math.isnan(error) or error < 1e-9:  # equal means differ by rounding
        return math.nan, math.nan
    reach = float(stdtrit(len(mean_I) - 1, (1 + LEVEL) / 2)) * error
    return max(float(LABELS[0]), float(mean_I.mean()) - reach), min(float(LABELS[-1]), float(mean_I.mean()) + reach)


def _spread(x: Floats) -> float:
    """Standard deviation of a sample; NaN for fewer than two."""
    return float(x.std(ddof=1)) if len(x) > 1 else math.nan
