"""From utilities to intensities: one monotone map for each value onto the scale from −10 (opposes) to 10 (supports).

Source: ValueFlow, appendix C.2, "Calibration to [−10, 10]". The middle of the scale is where the middle of the texts lies, which is neutral only as
far as the texts are balanced.

Shapes: I items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np

from vat.errors import DataError
from vat.types import Floats

LARGEST = 10.0
ALIKE = 1e-9
"""Utilities that differ by less are the same."""

Method = Literal["zscore", "minmax", "quantile"]


class Calibrated(NamedTuple):
    """intensity_I: in [−10, 10]. error_I: standard errors, those of the utilities times the slope of the map. NaN as in the utilities."""

    intensity_I: Floats
    error_I: Floats


def calibrated(utility_I: Floats, error_I: Floats, method: Method = "zscore") -> Calibrated:
    """Intensities of the texts of one value.

    Args:
        utility_I, error_I: As fitted; NaN for texts without rankings, which say nothing and get nothing.
        method: zscore: linear, mean 0, the farthest text at −10 or 10. minmax: linear, the least at −10, the greatest at 10. quantile: by rank, as
            normal as they come, which gives up how far apart texts lie.
    Raises:
        DataError: No two utilities differ.
    Source: ValueFlow, appendix C.2. Differs: utilities that are all alike are refused instead of divided by a small number, and so are none at all.
        In `quantile` the farthest text is at −10 or 10, as in `zscore`, where the paper puts whatever lies beyond one standard deviation, a third of
        all texts; and texts of the same utility share their mean rank.
    """
    known_I = np.isfinite(utility_I)
    if not known_I.any() or np.ptp(utility_I[known_I]) < ALIKE:
        raise DataError(f"calibration: texts must differ in their utilities; got {int(known_I.sum())} of which none do. See what the judges said.")
    intensity_I, slope_I = np.full(len(utility_I), np.nan), np.full(len(utility_I), np.nan)
    intensity_I[known_I], slope_I[known_I] = _MAPS[method](utility_I[known_I])
    return Calibrated(intensity_I, slope_I * error_I)


def _zscore(utility_I: Floats) -> tuple[Floats, Floats]:
    centred_I = utility_I - utility_I.mean()
    slope = LARGEST / np.abs(centred_I).max()  # the standard deviation of the z-score cancels
    return np.clip(slope * centred_I, -LARGEST, LARGEST), np.full(len(utility_I), slope)


def _minmax(utility_I: Floats) -> tuple[Floats, Floats]:
    slope = 2 * LARGEST / np.ptp(utility_I)
    return np.clip(slope * (utility_I - utility_I.min()) - LARGEST, -LARGEST, LARGEST), np.full(len(utility_I), slope)


def _quantile(utility_I: Floats) -> tuple[Floats, Floats]:
    from scipy.special import ndtri
    from scipy.stats import rankdata

    normal_I = ndtri((rankdata(utility_I) - 0.5) / len(utility_I))
    intensity_I = LARGEST * normal_I / np.abs(normal_I).max()
    points, first = np.unique(utility_I, return_index=True)
    return intensity_I, np.interp(utility_I, points, np.gradient(intensity_I[first], points))


_MAPS: Mapping[Method, Callable[[Floats], tuple[Floats, Floats]]] = {"zscore": _zscore, "minmax": _minmax, "quantile": _quantile}
