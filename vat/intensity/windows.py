"""Which texts are ranked together, and in what order they are shown.

What a text's windows are follows from a seed, its own id and what it is set against, never from the other texts that are scored, or from their order.
More iterations go on where fewer ended: the first windows stay as they are.

Shapes: A anchors.
"""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from random import Random
from typing import Literal, NamedTuple

import numpy as np

from vat.errors import ConfigError, DataError, shown
from vat.intensity.calibration import LARGEST
from vat.types import Floats

Sampling = Literal["random", "bucketed", "fixed"]
ROUNDED = 9
"""Digits within which distances from a bin's middle are the same."""


class Window(NamedTuple):
    """Texts to be ranked together. focal: the one whose window it is. shown: ids in the order in which they are shown, the focal among them."""

    focal: str
    iteration: int
    shown: tuple[str, ...]


def pool_windows(ids: Sequence[str], *, size: int, iterations: int, seed: int, focal: Sequence[str] | None = None) -> list[Window]:
    """Windows of texts against others of the same pool: for each text and iteration, size − 1 of the others, uniform and without repeats.

    The order is a uniform permutation. In windows of two, a text is first as often as second over its iterations (one more by a coin, where they
    are odd).

    Args:
        ids: Of the pool, in any order; they belong to what determines the windows.
        focal: Those that get windows, in this order; None for all.
    Raises:
        ConfigError: A window of fewer than two, or no iteration.
        DataError: An id twice, a focal text that is not in the pool, or a pool smaller than a window.
    Source: ValueFlow, appendix C.2, step 3. Differs: the order is balanced for each text where the paper swaps at random.
    """
    _check(size, iterations)
    pool = sorted(ids)
    if twice := [one for one, other in pairwise(pool) if one == other]:
        raise DataError(f"pool: the id of a text must be its own; got {shown(twice[0])} twice. Drop duplicates.")
    if len(pool) < size:
        raise DataError(f"pool: must hold at least {size} texts for windows of {size}; got {len(pool)}. Use smaller windows or more texts.")
    windows = []
    for text in pool if focal is None else focal:
        place, luck, orders = _place(pool, text), _luck(seed, text, "opponents"), _Orders(seed, text)
        for iteration in range(iterations):
            others = [pool[n + (n >= place)] for n in luck.sample(range(len(pool) - 1), size - 1)]
            windows.append(Window(text, iteration, orders.next(others)))
    return windows


@dataclass(frozen=True)
class Anchors:
    """Texts of known intensity, against which others are ranked.

    ids: each its own. intensity_A: in [−10, 10]. error_A: standard errors, NaN where not known; they matter for `fixed` only.
    """

    ids: tuple[str, ...]
    intensity_A: Floats
    error_A: Floats

    def __post_init__(self) -> None:
        if len(set(self.ids)) < len(self.ids):
            raise DataError(f"anchors: the id of an anchor must be its own; got {len(set(self.ids))} ids for {len(self.ids)}. Drop duplicates.")
        if strange := [n for n, x in enumerate(self.intensity_A) if not abs(x) <= LARGEST]:
            rule = f"anchors: intensities must lie within -{LARGEST:g} and {LARGEST:g}; got {self.intensity_A[strange[0]]:g}"
            raise DataError(f"{rule} for {shown(self.ids[strange[0]])}. Calibrate them, or drop it.")

    @cached_property
    def _sorted(self) -> list[tuple[str, float, float]]:
        return sorted(zip(self.ids, self.intensity_A.tolist(), self.error_A.tolist(), strict=True))

    def bins(self, count: int) -> list[list[str]]:
        """Ids in bins of equal width over [−10, 10], from the lowest; what lies on a border is in the upper bin, 10 in the last."""
        found: list[list[str]] = [[] for _ in range(count)]
        for one, intensity, _ in self._sorted:
            found[_bin(intensity, count)].append(one)
        return found

    def empty_bins(self, count: int) -> tuple[int, ...]:
        """Which of so many bins, from the lowest, hold no anchor: what is drawn for them comes from the nearest that do."""
        return tuple(n for n, bin_ in enumerate(self.bins(count)) if not bin_)

    def panel(self, count: int) -> list[str]:
        """One anchor a bin: the nearest to its middle, the most certain on ties; for an empty bin the nearest of those that are left."""
        bins, taken = self.bins(count), dict[int, str]()
        for n in sorted(range(count), key=lambda n: (not bins[n], n)):
            middle = LARGEST * ((2 * n + 1) / count - 1)
            left = [anchor for anchor in self._sorted if anchor[0] not in taken.values()]
            taken[n] = min(left, key=lambda a: (round(abs(a[1] - middle), ROUNDED), math.inf if math.isnan(a[2]) else a[2], a[0]))[0]
        return [taken[n] for n in range(count)]


def anchored_windows(ids: Sequence[str], anchors: Anchors, *, size: int, iterations: int, seed: int, sampling: Sampling) -> list[Window]:
    """Windows of responses against size − 1 anchors.

    Args:
        sampling: `random` draws anchors uniformly; `bucketed` one from each of size − 1 bins, for an empty one from the nearest that hold some;
            `fixed` takes the same panel each time.
    Raises:
        ConfigError: A window of fewer than two, or no iteration.
        DataError: Fewer anchors than a window needs, or a response that is one of them.
    Source: ValueFlow, section 5.2. Differs: what becomes of an empty bin, which the paper leaves open; the order is really shuffled.
    """
    _check(size, iterations)
    count = size - 1
    if len(anchors.ids) < count:
        rule = f"anchors: must be at least {count} for windows of {size}; got {len(anchors.ids)}"
        raise DataError(f"{rule}. Use smaller windows, or a database with more texts of this value.")
    if both := sorted(set(ids) & set(anchors.ids)):
        raise DataError(f"responses: must have ids that no anchor has; got {shown(both[0])}. Take it out of the anchors.")
    everyone, bins, panel = sorted(anchors.ids), anchors.bins(count), anchors.panel(count)
    windows = []
    for response in ids:
        luck, orders = _luck(seed, response, "anchors"), _Orders(seed, response)
        for iteration in range(iterations):
            drawn = panel if sampling == "fixed" else _one_a_bin(bins, luck) if sampling == "bucketed" else luck.sample(everyone, count)
            windows.append(Window(response, iteration, orders.next(drawn)))
    return windows


def reshuffled(window: Window, attempt: int) -> Window:
    """The same texts in another order: each attempt, from 1 to size! − 1, has one of its own, all as likely. 0 is the window as it is."""
    assert 0 <= attempt < math.factorial(len(window.shown)), "there are no more orders"
    luck, orders = _luck(0, *window.shown, "again"), [window.shown]
    while len(orders) <= attempt:
        order = list(window.shown)
        luck.shuffle(order)
        if tuple(order) not in orders:
            orders.append(tuple(order))
    return window._replace(shown=orders[attempt])


class _Orders:
    """Orders of one text's windows, one after the other."""

    def __init__(self, seed: int, text: str) -> None:
        self._text, self._luck = text, _luck(seed, text, "order")
        self._comes_first: list[bool] = []

    def next(self, others: Sequence[str]) -> tuple[str, ...]:
        """The text and others; of two, each pair of windows shows it first once."""
        if len(others) > 1:
            order = [self._text, *others]
            self._luck.shuffle(order)
            return tuple(order)
        if not self._comes_first:
            coin = self._luck.random() < 0.5
            self._comes_first = [not coin, coin]
        return (self._text, *others) if self._comes_first.pop() else (*others, self._text)


def _one_a_bin(bins: Sequence[Sequence[str]], luck: Random) -> list[str]:
    """One of each bin; then, for each empty one, one of the nearest bins that have any left."""
    drawn = {n: luck.choice(bin_) for n, bin_ in enumerate(bins) if bin_}
    for n in sorted(set(range(len(bins))) - set(drawn)):
        taken = set(drawn.values())
        for distance in range(1, len(bins)):
            near = [bins[other] for other in (n - distance, n + distance) if 0 <= other < len(bins)]
            if any(not taken.issuperset(bin_) for bin_ in near):
                break
        while n not in drawn:
            at = luck.randrange(sum(map(len, near)))
            one = near[0][at] if at < len(near[0]) else near[1][at - len(near[0])]
            if one not in taken:
                drawn[n] = one
    return [drawn[n] for n in range(len(bins))]


def _bin(intensity: float, count: int) -> int:
    return min(count - 1, int(np.floor(round((intensity + LARGEST) / (2 * LARGEST) * count, ROUNDED))))


def _place(pool: Sequence[str], text: str) -> int:
    place = bisect_left(pool, text)
    if place == len(pool) or pool[place] != text:
        raise DataError(f"pool: a text must be in the pool to get windows; got {shown(text)}, which is not. Take ids of the pool.")
    return place


def _check(size: int, iterations: int) -> None:
    if size < 2:
        raise ConfigError(f"windows: must hold at least 2 texts; got {size}. Use 2 for a database and 6 for responses.")
    if iterations < 1:
        raise ConfigError(f"windows: must be asked for at least once a text; got {iterations}. Use more iterations.")


def _luck(seed: int, *about: str) -> Random:
    return Random(hashlib.sha256(json.dumps([seed, *about]).encode()).hexdigest())
