"""A share of trials and how far it can be trusted."""

from __future__ import annotations

import math

LEVEL = 0.95


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Wilson's 95% interval for a share; NaN without trials.

    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference. Differs: none.
    """
    from scipy.special import ndtri

    if not trials:
        return math.nan, math.nan
    z, share = float(ndtri((1 + LEVEL) / 2)), hits / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    reach = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, centre - reach), min(1.0, centre + reach)
