"""One value's part of a database: from rankings of its pool to texts with intensities, and how good they are.

A judge's rankings count alike whoever gave them. Errors are those of the fit: they tell how sure the place of a text is among these texts by these
judges, not what other judges would say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from vat.errors import DataError
from vat.intensity.calibration import Method, calibrated
from vat.intensity.plackett_luce import Utilities, fit
from vat.intensity.pool import Pool
from vat.intensity.response import Rankings, Sharpness, sharpness
from vat.shares import wilson
from vat.types import Floats

COLUMNS = ("theory", "value", "id", "text", "source", "direction", "utility", "intensity", "error", "windows", "doubts", "flagged", "human")
"""Of anchors.parquet: a row for each text of each value."""


class Estimated(NamedTuple):
    """Intensities of a pool's texts, in its order. fit: what they come from. intensity_I, error_I: NaN for a text whose windows were all lost."""

    fit: Utilities
    intensity_I: Floats
    error_I: Floats


class Quality(NamedTuple):
    """How good a value's intensities are.

    texts, lost: with an intensity, and without as all their windows were lost. pools: groups that no window connects; 1 is what one wants.
    unbeaten, beaten: texts that won, lost everything, of which only the ridge says how far out they are.
    for_, against: mean intensity of the texts labelled so; NaN without any.
    sign_right: share of the labelled texts whose intensity has the sign of their label, with Wilson's interval.
    error: the mean standard error.
    """

    texts: int
    lost: int
    pools: int
    unbeaten: int
    beaten: int
    for_: float
    against: float
    sign_right: float
    sign_low: float
    sign_high: float
    error: float


def estimated(pool: Pool, rankings: Sequence[Sequence[str]], *, method: Method, ridge: float) -> Estimated:
    """Fit and calibrate.

    Args:
        rankings: Ids of texts, the most supportive first.
    Raises:
        DataError: No ranking is left, or all texts come out alike.
    """
    if not rankings:
        raise DataError(
            f"windows: some must be ranked for a value to have intensities; got none of {len(pool.texts)} texts. See what judges replied."
        )
    number = {text.id: n for n, text in enumerate(pool.texts)}
    found = fit([[number[one] for one in ranking] for ranking in rankings], len(pool.texts), ridge=ridge)
    return Estimated(found, *calibrated(found.utility_I, found.error_I, method))


def quality(pool: Pool, found: Estimated) -> Quality:
    """Of a value's intensities."""
    direction_I = np.array([text.direction for text in pool.texts])
    known_I = np.isfinite(found.intensity_I)
    labelled_I = known_I & (direction_I != 0)
    right = int((np.sign(found.intensity_I[labelled_I]) == direction_I[labelled_I]).sum())
    count = int(labelled_I.sum())
    for_, against = (_mean(found.intensity_I[known_I & (direction_I == side)]) for side in (1, -1))
    low, high = wilson(right, count)
    return Quality(
        int(known_I.sum()), int((~known_I).sum()), found.fit.pools, int(found.fit.unbeaten_I.sum()), int(found.fit.beaten_I.sum()),
        for_, against, right / count if count else np.nan, low, high, _mean(found.error_I[known_I]),
    )  # fmt: skip


def sharpness_of(pool: Pool, found: Estimated, rankings: Sequence[Sequence[str]]) -> Sharpness | None:
    """How sharp one judge is on the scale that was estimated from all of them; None where it cannot be told.

    It is flattered, as the scale was made from the judge's rankings too.
    """
    intensity = dict(zip((text.id for text in pool.texts), found.intensity_I.tolist(), strict=True))
    by_size: dict[int, list[list[float]]] = {}
    for ranking in rankings:
        by_size.setdefault(len(ranking), []).append([intensity[one] for one in ranking])
    if len(by_size) != 1:
        return None
    ((_, ranked),) = by_size.items()
    try:
        return sharpness(Rankings(np.array(ranked)[:, None, :], np.zeros((len(ranked), 1), dtype=np.int64)))
    except DataError:
        return None


def rows_of(theory: str, value: str, pool: Pool, found: Estimated, doubts: Mapping[str, int], *, flag_at: int) -> list[dict[str, object]]:
    """Rows of anchors.parquet; texts without an intensity are none.

    Args:
        doubts: Id → how many of the panel doubt it; empty without a panel.
    """
    return [
        {
            "theory": theory, "value": value, "id": text.id, "text": text.text, "source": text.source, "direction": text.direction,
            "utility": float(found.fit.utility_I[n]), "intensity": float(found.intensity_I[n]), "error": float(found.error_I[n]),
            "windows": int(found.fit.windows_I[n]), "doubts": doubts.get(text.id, 0), "flagged": doubts.get(text.id, 0) >= flag_at, "human": None,
        }
        for n, text in enumerate(pool.texts) if np.isfinite(found.intensity_I[n])
    ]  # fmt: skip


def _mean(x: Floats) -> float:
    return float(x.mean()) if len(x) else np.nan
