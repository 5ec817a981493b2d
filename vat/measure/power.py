"""Planning, before any model runs: the tax, the gain or the difference of methods that a design would find, and the design that finds it.

Closed forms, milliseconds a call. A tax is always one beyond the scene factors, as `nvat_p` tests it.

Shapes: V values, E = 3 eigenspaces of the covariance of equal couplings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import ncf, pearson3
from scipy.stats import t as student_t

from vat.errors import DataError
from vat.measure.null import FEWEST_FREE
from vat.types import Floats, Ints

MOST = 10_000
"""Replicates or scenes beyond which a difference counts as out of reach."""
_FEWEST = 3
"""Scenes that two values must share for a coupling."""
_LOCKSTEP = 1 - 1e-6
"""Largest tax whose estimate has a spread at all."""


def tax_power(nvat: float, *, n_scenes: int, n_values: int, n_factor_levels: Sequence[int] = (), level: float = 0.05) -> float:
    """How often the permutation test (`nvat_p`) finds a tax that is there, if one common factor couples all values equally.

    The sum of squared couplings is then no noncentral χ²: estimates of pairs that share a value err together, which widens it (at nvat
    0.08 and ten values a plain noncentral χ² promises 80% where 70% are found). To leading order no structure with this nvat is wider,
    so from a power of one half on the plan holds for the others: where it promises 80%, values on a circle are found in 83 to 91%, three
    strong pairs in 86 to 99%. A promised 20 to 30% is up to 3 points too much for such pairs.

    Args:
        nvat: Root mean square of the population's Spearman couplings, in (0, 1], free of chance: as `nvat_excess`, not as `nvat`. With
            factors, of the residuals of ranks; where two factors carry 30% of the variance each, 6% below that of the shifts without them.
        n_scenes: Scenes in which every value is observed.
        n_values: Values that move.
        n_factor_levels: Number of levels of each scene factor the ranks are cleared of: (12, 11) for 12 countries × 11 topics.
        level: Of the test.
    Returns:
        The power; NaN where the factors leave fewer than 2 degrees of freedom, for there is no test.
    Raises:
        DataError: nvat outside (0, 1], fewer than 3 scenes or 2 values, a factor without levels, a level outside (0, 1).
    Source: covariance of correlations of normals, Pearson and Filon (1898), here at Spearman's couplings; three moments matched by a
        gamma, Imhof (1961). Simulated at a planned 80%: within 1 point for ten values and nvat up to 0.15, and 1 to 2 points modest up
        to 0.5; 4 to 12 points modest for 20 and more values in fewer than 20 scenes; for two or three values 1 point too much at nvat
        0.2 and 3 at 0.4 (two values in fewer than 5 scenes cannot reach 5% at all). Differs: none in the paper, which plans nothing.
    """
    _require(0 < nvat <= 1, "nvat", "must lie in (0, 1]", nvat, "Give the smallest tax that would matter")
    _check_design(n_scenes, n_values, n_factor_levels, level)
    return _tax_power(nvat, n_scenes - _spent(n_factor_levels), n_values, level)


def scenes_needed(nvat: float, *, n_values: int, power: float = 0.8, level: float = 0.05, n_factor_levels: Sequence[int] = ()) -> int:
    """Fewest scenes with which `tax_power` reaches a power.

    Args:
        nvat, n_values, n_factor_levels, level: As of `tax_power`.
        power: To be reached, between level and 1.
    Returns:
        Scenes with every value observed; the factors' degrees of freedom are paid for in it.
    Raises:
        DataError: As `tax_power`, or a power not between level and 1.
    Source: `tax_power`. Differs: none.
    """
    _require(0 < nvat <= 1, "nvat", "must lie in (0, 1]", nvat, "Give the smallest tax that would matter")
    _check_design(_FEWEST, n_values, n_factor_levels, level)
    _check_power(power, level)
    too_few, enough = FEWEST_FREE - 1, FEWEST_FREE
    while _tax_power(nvat, enough, n_values, level) < power:
        too_few, enough = enough, 2 * enough
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if _tax_power(nvat, middle, n_values, level) < power:
            too_few = middle
        else:
            enough = middle
    return enough + _spent(n_factor_levels)


def smallest_detectable_tax(*, n_scenes: int, n_values: int, power: float = 0.8, level: float = 0.05, n_factor_levels: Sequence[int] = ()) -> float:
    """Smallest nvat that `tax_power` finds with a power.

    Args:
        n_scenes, n_values, n_factor_levels, level: As of `tax_power`.
        power: To be reached, between level and 1.
    Returns:
        nvat in (0, 1); NaN where the factors leave fewer than 2 degrees of freedom, or not even lockstep would be found.
    Raises:
        DataError: As `tax_power`, or a power not between level and 1.
    Source: `tax_power`. Differs: none.
    """
    _check_design(n_scenes, n_values, n_factor_levels, level)
    _check_power(power, level)
    free = n_scenes - _spent(n_factor_levels)
    if not _tax_power(1.0, free, n_values, level) >= power:
        return float("nan")
    return float(brentq(lambda nvat: _tax_power(nvat, free, n_values, level) - power, 0.0, 1.0))


def smallest_detectable_gain(sd: float, *, n_scenes: int, power: float = 0.8, level: float = 0.05) -> float:
    """Smallest mean shift whose interval over scenes excludes 0 with a power: two-sided one-sample t test.

    Args:
        sd: Standard deviation of the shift over scenes.
        n_scenes: Scenes with an observed shift.
        power, level: Of the test, level < power < 1.
    Returns:
        The mean shift, in the units of sd.
    Raises:
        DataError: sd not positive, fewer than 3 scenes, a level outside (0, 1), a power not between level and 1.
    Source: noncentral t, exact for normal shifts (Johnson and Welch 1940). Differs: none in the paper, which plans nothing.
    """
    _require(0 < sd < np.inf, "sd", "must be positive and finite", sd, "Take it from a pilot run")
    _check_design(n_scenes, 2, (), level)
    _check_power(power, level)
    steps = 1.0
    while _t_power(steps, n_scenes - 1, level) < power:
        steps *= 2
    return sd / float(np.sqrt(n_scenes)) * float(brentq(lambda steps: _t_power(steps, n_scenes - 1, level) - power, 0.0, steps))


def difference_power(difference: float, *, sd_replicate: float, sd_scene: float, n_replicates: int, n_scenes: int, level: float = 0.05) -> float:
    """How often a two-sided test finds a difference between two methods that ran K replicates each on the same N scenes.

    The estimate has the variance sd_replicate² / K + sd_scene² / N: replicates share their scenes, so more of them do not wear the
    scene term down. Both terms are taken as estimated, from K and from N, and the estimate over its standard error as t with
    Satterthwaite's degrees of freedom: K - 1 where replicates dominate, N - 1 where scenes do.

    Args:
        difference: To be found, not 0: of gains, of nvat_excess or of any mean of like kind.
        sd_replicate: Spread of the paired difference over replicates on the same scenes; unpaired: root of the sum of both methods'
            variances over replicates (whose 2 (K - 1) degrees of freedom are then counted as K - 1). 0 if nothing is drawn.
        sd_scene: Spread of the difference due to which scenes there are, times sqrt(N); for a gain the standard deviation over
            scenes of the difference averaged over replicates.
        n_replicates, n_scenes: K and N.
        level: Of the test.
    Returns:
        The power; NaN for one replicate of a method that varies: it shows no spread to test against.
    Raises:
        DataError: A difference of 0, a negative spread or none at all, no replicate, fewer than 3 scenes, a level outside (0, 1).
    Source: Satterthwaite (1946). Simulated at a planned 80%, the test estimating its degrees of freedom: within 2 points from 4
        replicates on, 3 too much for 3 and 5 for 2, where the test itself rejects up to 8% and 13% instead of 5%. Differs: none in the
        paper, which plans nothing.
    """
    _check_difference(difference, sd_replicate, sd_scene, level)
    _require(n_replicates >= 1, "n_replicates", "needs at least 1", n_replicates, "Plan 4 or more")
    _require(n_scenes >= _FEWEST, "n_scenes", f"needs at least {_FEWEST}", n_scenes, "Add scenes")
    return float(_difference_power(difference, sd_replicate, sd_scene, np.array([n_replicates]), np.array([n_scenes]), level)[0])


def replicates_needed(
    difference: float, *, sd_replicate: float, sd_scene: float, n_scenes: int, power: float = 0.8, level: float = 0.05
) -> int | None:
    """Fewest replicates of each method with which `difference_power` reaches a power.

    Args:
        difference, sd_replicate, sd_scene, n_scenes, level: As of `difference_power`.
        power: To be reached, between level and 1.
    Returns:
        Replicates; None where 10,000 are too few, as a rule because the scene term alone is too large: add scenes.
    Raises:
        DataError: As `difference_power`, or a power not between level and 1.
    Source: `difference_power`. Differs: none.
    """
    _check_difference(difference, sd_replicate, sd_scene, level)
    _check_power(power, level)
    _require(n_scenes >= _FEWEST, "n_scenes", f"needs at least {_FEWEST}", n_scenes, "Add scenes")
    K = np.arange(1, MOST + 1)
    return _first(K, _difference_power(difference, sd_replicate, sd_scene, K, np.full_like(K, n_scenes), level) >= power)


def scenes_needed_for_difference(
    difference: float, *, sd_replicate: float, sd_scene: float, n_replicates: int, power: float = 0.8, level: float = 0.05
) -> int | None:
    """Fewest scenes with which `difference_power` reaches a power.

    Args:
        difference, sd_replicate, sd_scene, n_replicates, level: As of `difference_power`.
        power: To be reached, between level and 1.
    Returns:
        Scenes; None where 10,000 are too few, as a rule because the replicate term alone is too large: add replicates.
    Raises:
        DataError: As `difference_power`, or a power not between level and 1.
    Source: `difference_power`. Differs: none.
    """
    _check_difference(difference, sd_replicate, sd_scene, level)
    _check_power(power, level)
    _require(n_replicates >= 1, "n_replicates", "needs at least 1", n_replicates, "Plan 4 or more")
    N = np.arange(_FEWEST, MOST + 1)
    return _first(N, _difference_power(difference, sd_replicate, sd_scene, np.full_like(N, n_replicates), N, level) >= power)


class _Moments(NamedTuple):
    skew: float
    mean: float
    sd: float


def _tax_power(nvat: float, free: int, n_values: int, level: float) -> float:
    if free < FEWEST_FREE:
        return float("nan")
    rejected_from = pearson3.isf(level, *_squares(0.0, free, n_values))
    return float(pearson3.sf(rejected_from, *_squares(min(nvat, _LOCKSTEP), free, n_values)))


def _squares(r: float, free: int, n_values: int) -> _Moments:
    """Moments of free · Σ ρ² over the pairs of values that all couple by r; of χ² with one degree of freedom a pair at r = 0.

    Couplings are about normal. Their covariance has three eigenvalues: along all pairs alike, where the mean is too; along what a
    value's pairs share; and the rest. Mean and spread are corrected for few scenes: the correlation's bias of -r (1 - r²) / 2 free, and
    (free - 1) / (free + 2), the ratio of the variance of a squared correlation under independence to that of χ².
    """
    same, share, apart = (1 - r**2) ** 2, r * (1 - 2 * r**2) - r**2 * (1 - 3 * r**2) / 2, 2 * r**2 * (1 - r) ** 2
    V = n_values
    size_E = np.array([
        same + 2 * (V - 2) * share + (V - 2) * (V - 3) / 2 * apart,
        same + (V - 4) * share - (V - 3) * apart,
        same - 2 * share + apart,
    ])  # fmt: skip
    count_E = np.array([1, V - 1, V * (V - 3) / 2])
    pushed = V * (V - 1) / 2 * r**2 * (free - 1 + r**2)
    variance = 2 * count_E @ size_E**2 + 4 * size_E[0] * pushed
    third = 8 * count_E @ size_E**3 + 24 * size_E[0] ** 2 * pushed
    return _Moments(third / variance**1.5, count_E @ size_E + pushed, np.sqrt(variance * (free - 1) / (free + 2)))


def _difference_power(difference: float, sd_replicate: float, sd_scene: float, K: Ints, N: Ints, level: float) -> Floats:
    by_replicate, by_scene = sd_replicate**2 / K, sd_scene**2 / N
    free_of_one = np.where(K > 1, K - 1, np.nan)
    unsure = (by_replicate**2 / free_of_one if sd_replicate else 0.0) + by_scene**2 / (N - 1)
    return _t_power(difference / np.sqrt(by_replicate + by_scene), (by_replicate + by_scene) ** 2 / unsure, level)


def _t_power(steps: float | Floats, free: float | Floats, level: float) -> Floats:
    """Power of a two-sided t test at `steps` standard errors; t² as noncentral F, which has no form at 0 and, unlike t, keeps its far tail."""
    power: Floats = ncf.sf(student_t.isf(level / 2, free) ** 2, 1, free, np.maximum(np.square(steps), 1e-9))
    return power


def _first(candidates: Ints, reached: np.ndarray) -> int | None:
    return int(candidates[reached.argmax()]) if reached.any() else None


def _spent(n_factor_levels: Sequence[int]) -> int:
    """Degrees of freedom of the intercept and the factors' main effects."""
    return 1 + sum(levels - 1 for levels in n_factor_levels)


def _require(holds: bool, where: str, rule: str, got: object, step: str) -> None:
    if not holds:
        raise DataError(f"{where}: {rule}; got {got}. {step}.")


def _check_design(n_scenes: int, n_values: int, n_factor_levels: Sequence[int], level: float) -> None:
    _require(n_scenes >= _FEWEST, "n_scenes", f"needs at least {_FEWEST}", n_scenes, "Add scenes")
    _require(n_values >= 2, "n_values", "needs at least 2", n_values, "Add values")
    _require(all(levels >= 1 for levels in n_factor_levels), "n_factor_levels", "each needs at least 1", n_factor_levels, "Drop that factor")
    _require(0 < level < 1, "level", "must lie in (0, 1)", level, "Use 0.05")


def _check_power(power: float, level: float) -> None:
    _require(level < power < 1, "power", f"must lie between level={level} and 1", power, "Use 0.8")


def _check_difference(difference: float, sd_replicate: float, sd_scene: float, level: float) -> None:
    _require(0 < abs(difference) < np.inf, "difference", "must be finite and not 0", difference, "Give the smallest that would matter")
    for where, sd in (("sd_replicate", sd_replicate), ("sd_scene", sd_scene)):
        _require(0 <= sd < np.inf, where, "must be finite and not negative", sd, "Take it from a pilot run")
    _require(sd_replicate + sd_scene > 0, "sd_replicate, sd_scene", "one must be positive", (sd_replicate, sd_scene), "Take them from a pilot run")
    _require(0 < level < 1, "level", "must lie in (0, 1)", level, "Use 0.05")
