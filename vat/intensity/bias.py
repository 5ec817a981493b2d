"""Whether a judge ranks what it reads, or where it stands: how often the text in each shown place came first.

Orders are drawn at random, so that without bias every place is as likely to come first, whatever the texts are. A bias that does not depend on the
texts then falls on all of them alike: it blurs rankings and shifts no text against others. In windows of two, where each text is shown first as
often as second, counts vary a little less than the test reckons with: it errs toward finding nothing.

Shapes: W windows, K places.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from vat.errors import DataError
from vat.shares import wilson
from vat.types import Ints

BY_ROTE = 0.25
"""Share of windows answered without reading, from whose lower bound on a judge is said to do so."""
SURE = 0.01
"""Level of the test below which a bias is said to be there."""


class Share(NamedTuple):
    """A share of windows with its 95% interval."""

    share: float
    low: float
    high: float


class PositionBias(NamedTuple):
    """What the windows of one size say of a judge.

    first: for each shown place, in how many windows its text was ranked first; 1/K without bias. p: of that, by the chi-square test.
    mean_rank: of each shown place, from 1; (K + 1)/2 without bias.
    as_shown, as_shown_reversed: windows ranked 1..K, and K..1; 1/K! each without bias.
    """

    size: int
    windows: int
    first: tuple[Share, ...]
    p: float
    mean_rank: tuple[float, ...]
    as_shown: Share
    as_shown_reversed: Share

    def by_rote(self) -> tuple[Share, Share]:
        """Share of windows answered 1..K, and K..1, without reading: what is beyond the 1/K! of readers, below 0 where it is less."""
        chance = 1 / math.factorial(self.size)
        shares = (self.as_shown, self.as_shown_reversed)
        forward, backward = (Share(*((x - chance) / (1 - chance) for x in share)) for share in shares)
        return forward, backward

    def told(self, judge: str) -> list[str]:
        """Findings in words: the bias in a line, and a line of its own for a judge that repeats the order shown, or turns it round."""
        favourite = max(range(self.size), key=lambda place: self.first[place].share)
        found = self.first[0 if self.size == 2 else favourite]
        where = "the first of two" if self.size == 2 else f"place {favourite + 1} of {self.size} most often"
        sure = "biased" if self.p < SURE else "no bias found"
        lines = [
            f"{judge}: {sure}: ranked {where} first in {found.share:.1%} [{found.low:.1%}, {found.high:.1%}] of {self.windows:,} windows, "
            f"{1 / self.size:.1%} without bias (p = {self.p:.2g})"
        ]
        orders = (" > ".join(map(str, range(1, self.size + 1))), " > ".join(map(str, range(self.size, 0, -1))))
        for order, share, rote in zip(orders, (self.as_shown, self.as_shown_reversed), self.by_rote(), strict=True):
            if rote.low >= BY_ROTE:
                lines.append(
                    f"{judge}: answers {order} whatever the texts are, in about {rote.share:.0%} of the windows: it did so in {share.share:.1%}, "
                    f"{1 / math.factorial(self.size):.1%} by chance; its rankings say little"
                )
        return lines


def recorded(rankings: Iterable[Sequence[int]], judge: str) -> list[dict[str, Any]]:
    """The same as it is kept in files: size, windows, first (windows in which the text in each place came first), and what `told` says."""
    return [
        {"size": one.size, "windows": one.windows, "first": [round(share.share * one.windows) for share in one.first], "told": one.told(judge)}
        for one in position_bias(rankings)
    ]


def shown_in_runs(found: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """What was recorded, as metrics: of windows of each size and each place, the share of windows in which its text came first."""
    return {f"windows_of_{one['size']}/place_{place}_first": first / one["windows"] for one in found for place, first in enumerate(one["first"], 1)}


def position_bias(rankings: Iterable[Sequence[int]]) -> list[PositionBias]:
    """Bias by position, one record for each size of windows, the smallest first; nothing where there are no windows.

    Args:
        rankings: Of each window the shown places, from 0, of its texts, the most supportive first; empty ones (dropped windows) do not count.
    Raises:
        DataError: Something that is no order of 0 … K − 1.
    Source: ValueFlow, appendix C.3, Figure 20. Differs: intervals and a test; windows of any size; a judge that repeats the order shown is found.
    """
    by_size: dict[int, list[Sequence[int]]] = {}
    for places in rankings:
        if len(places):
            by_size.setdefault(len(places), []).append(places)
    return [_of_size(np.array(by_size[size], dtype=np.int64)) for size in sorted(by_size)]


def _of_size(place_WK: Ints) -> PositionBias:
    from scipy.stats import chisquare

    windows, size = place_WK.shape
    if (np.sort(place_WK, axis=1) != np.arange(size)).any():
        raise DataError(f"position bias: a ranking must hold each place from 0 to {size - 1} once; got another. Give places as shown.")
    first_K = np.bincount(place_WK[:, 0], minlength=size)
    mean_K = np.argsort(place_WK, axis=1).mean(axis=0) + 1.0
    forward = int((place_WK == np.arange(size)).all(axis=1).sum())
    backward = int((place_WK == np.arange(size)[::-1]).all(axis=1).sum())
    return PositionBias(
        size, windows, tuple(_share(int(count), windows) for count in first_K), float(chisquare(first_K).pvalue), tuple(mean_K.tolist()),
        _share(forward, windows), _share(backward, windows),
    )  # fmt: skip


def _share(hits: int, windows: int) -> Share:
    return Share(hits / windows, *wilson(hits, windows))
