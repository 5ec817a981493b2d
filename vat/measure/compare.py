"""Claims about methods: over replicates (shot draws, training seeds) and scenes together, and between two methods on the same scenes.

A replicate's statistic is taken apart into pseudo-values, one a scene. A table of replicates by scenes then has the two levels of chance
that a claim must survive: other scenes (and the countries and topics they share), and other replicates.

Shapes: R replicates, C checkpoints, S scenes, V values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t

from vat.errors import DataError
from vat.measure.jackknife import LEVEL, Factors, jackknife
from vat.measure.pseudo_values import Of, pseudo_values
from vat.types import Floats

_NAN = float("nan")
_LONGEST = 50.0
"""On the log scale: far beyond any tax."""


class Estimate(NamedTuple):
    """A statistic of one method. NaN: not defined.

    estimate, low, high: free of the bias that few scenes bring, with its 95% interval over scenes and replicates.
    sd_replicate, sd_scene: what a replicate, and a scene, adds to its spread, as `vat.measure.power` takes them: variance
        sd_replicate² / R + sd_scene² / S. For nvat they are those of nvat². sd_replicate is NaN with one replicate, and the interval is
        then for this replicate only.
    """

    estimate: float
    low: float
    high: float
    sd_replicate: float
    sd_scene: float
    n_replicates: int
    n_scenes: int


class Difference(NamedTuple):
    """First minus second method on the same scenes. NaN: not defined.

    estimate, low, high: with its 95% interval over scenes and replicates; p: two-sided, against no difference.
    first, second: the two statistics. sd_replicate, sd_scene: of the difference, as in `Estimate`; for nvat of the difference in nvat².
    """

    estimate: float
    low: float
    high: float
    p: float
    first: float
    second: float
    sd_replicate: float
    sd_scene: float
    n_replicates: int
    n_scenes: int


class _Levels(NamedTuple):
    """Mean of a table of replicates by scenes, its standard error and degrees of freedom, and the two levels of its spread."""

    mean: float
    error: float
    freedom: float
    sd_replicate: float
    sd_scene: float


def over_replicates(
    shift: Floats, *, target: int, direction: int, of: Of = "nvat", at_gain: float | None = None, factors: Factors | None = None
) -> Estimate:
    """A method's tax, gain or hypervolume over replicates and scenes together.

    The hypervolume is the mean over replicates of what the checkpoints of each command, in gain × nvat free of chance, up to gain 0 and tax 1.
    Its front is chosen anew in each replicate and the best by luck is on it, so it lies too high: by 0.02 of 0.3 with six checkpoints that do
    not differ; half of that is taken off. The more checkpoints, the more: methods with as many of them compare best.

    Args:
        shift: (R, S, V) shifts of R replicates on the same scenes, or (S, V) of one; NaN where missing. With `at_gain` and of
            `hypervolume` (R, C, S, V) or (C, S, V), checkpoints in order.
        target: Column of the value that was pushed.
        direction: 1 if it was pushed up, -1 if down.
        of: `nvat` (rms form, debiased), `gain` or `hypervolume`.
        at_gain: The tax where a trajectory of checkpoints first reaches this gain, interpolated between checkpoints.
        factors: Factor name → level of each scene: the interval is for other countries and topics too.
    Raises:
        DataError: Other shapes, a target or direction that is none, a gain that a replicate does not reach, a gain for a hypervolume, or what
            `couple` refuses.
    Source: none in the paper, which has one draw and no interval. Pseudo-values: Tukey (1958), of the hypervolume near
        the infinitesimal jackknife of Jaeckel (1972). Differs: its step; coverage in docs/calibration.md.
    """
    pseudo_RS, chance = pseudo_values(shift, "shift", target, direction, of, at_gain, factors)
    levels = _levels(pseudo_RS, factors)
    reach = levels.error * float(student_t.ppf(0.5 + LEVEL / 2, levels.freedom))
    spread = (levels.sd_replicate, levels.sd_scene, *pseudo_RS.shape)
    if of == "gain":
        return Estimate(levels.mean, levels.mean - reach, levels.mean + reach, *spread)
    if of == "hypervolume":
        return Estimate(*np.maximum([levels.mean, levels.mean - reach, levels.mean + reach], 0.0).tolist(), *spread)
    square = float(np.clip(levels.mean, 0.0, 1.0))
    low, high = (square + chance) * np.exp([-reach / (square + chance), min(reach / (square + chance), _LONGEST)]) - chance
    return Estimate(float(np.sqrt(square)), float(np.sqrt(np.clip(low, 0.0, 1.0))), float(np.sqrt(np.clip(high, 0.0, 1.0))), *spread)


def paired_difference(
    first: Floats, second: Floats, *, target: int, direction: int, of: Of = "nvat", at_gain: float | None = None, factors: Factors | None = None
) -> Difference:
    """Whether one method's tax (gain, hypervolume) is higher than another's: the same scenes, replicates paired in their order if both have as many.

    The test compares nvat², whose difference is unbiased down to no tax at all; the interval is that of the difference divided by the sum of
    the two taxes, so that it excludes 0 just when p < 0.05. A method that loses at every checkpoint counts in a difference of hypervolumes with
    what it loses, not as 0.

    Args:
        first, second: Shifts of the two methods, as for `over_replicates`; checkpoints may differ in number. For a comparison of a trained
            and a prompted method give the prompted one's doses as checkpoints.
        target, direction, of, at_gain, factors: As for `over_replicates`.
    Raises:
        DataError: As `over_replicates`, and if the scenes or values of both differ in number.
    Source: none in the paper, which compares by eye. Pseudo-values: Tukey (1958); degrees of freedom: Satterthwaite (1946). Differs:
        size and coverage in docs/calibration.md: with 2 or 3 replicates the test rejects too often, so use 4 or more.
    """
    a_RS, chance_a = pseudo_values(first, "first", target, direction, of, at_gain, factors)
    b_RS, chance_b = pseudo_values(second, "second", target, direction, of, at_gain, factors)
    if a_RS.shape[1] != b_RS.shape[1] or np.shape(first)[-1] != np.shape(second)[-1]:
        raise DataError(f"second: must have the scenes and values of first; got shapes {np.shape(second)} and {np.shape(first)}. Pair them.")
    levels = _levels(a_RS - b_RS, factors) if len(a_RS) == len(b_RS) else _unpaired(a_RS, b_RS, factors)
    reach = levels.error * float(student_t.ppf(0.5 + LEVEL / 2, levels.freedom))
    p = float(2 * student_t.sf(abs(levels.mean) / levels.error, levels.freedom)) if levels.error > 0 else _NAN
    taxes = [float(pseudo_RS.mean()) for pseudo_RS in (a_RS, b_RS)]
    bounds, scale = [levels.mean, levels.mean - reach, levels.mean + reach], 1.0
    if of == "nvat":
        taxes = [float(np.sqrt(np.clip(tax, 0.0, 1.0))) for tax in taxes]
        scale = max(sum(taxes), float(np.sqrt((chance_a + chance_b) / 2)))
    estimate, low, high = (bound / scale for bound in bounds)
    if of == "nvat":
        estimate, low, high = (float(np.clip(bound, -1.0, 1.0)) for bound in (estimate, low, high))
    if of == "hypervolume":
        taxes = np.maximum(taxes, 0.0).tolist()
    n_replicates, n_scenes = min(len(a_RS), len(b_RS)), a_RS.shape[1]
    return Difference(estimate, low, high, p, taxes[0], taxes[1], levels.sd_replicate, levels.sd_scene, n_replicates, n_scenes)


def _levels(pseudo_RS: Floats, factors: Factors | None) -> _Levels:
    """What differs by scene AND replicate is in both levels and counts twice: taking it out again covers 79% with 3 replicates, not 91%."""
    n_replicates, n_scenes = pseudo_RS.shape
    mean_S = pseudo_RS.mean(axis=0)
    mean = float(mean_S.mean())

    def weighted(weight_BS: Floats) -> Floats:
        total_B = weight_BS.sum(axis=1)
        return np.asarray((weight_BS @ mean_S / np.where(total_B > 0, total_B, np.nan))[:, None], dtype=float)

    scenes = jackknife(weighted, np.array([mean]), n_scenes, factors=factors)
    variance, freedom = float(scenes.covariance_KK[0, 0]), float(scenes.freedom_K[0])
    if n_replicates == 1:
        return _Levels(mean, float(np.sqrt(variance)), freedom, _NAN, float(np.sqrt(variance * n_scenes)))
    between = float(pseudo_RS.mean(axis=1).var(ddof=1)) / n_replicates
    total = variance + between
    freedom = total**2 / (variance**2 / freedom + between**2 / (n_replicates - 1)) if total > 0 else freedom
    return _Levels(mean, float(np.sqrt(total)), freedom, float(np.sqrt(between * n_replicates)), float(np.sqrt(variance * n_scenes)))


def _unpaired(a_RS: Floats, b_RS: Floats, factors: Factors | None) -> _Levels:
    """Other replicates on each side: their spreads add up, scenes are still the same."""
    scenes = _levels((a_RS.mean(axis=0) - b_RS.mean(axis=0))[None], factors)
    parts = [(_levels(x_RS, None).sd_replicate ** 2 / len(x_RS), len(x_RS) - 1) for x_RS in (a_RS, b_RS)]
    owns = [(own, freedom) for own, freedom in parts if freedom > 0]
    total = scenes.error**2 + sum(own for own, _ in owns)
    terms = scenes.error**4 / scenes.freedom + sum(own**2 / freedom for own, freedom in owns)
    spread = float(np.sqrt(sum(own * (freedom + 1) for own, freedom in owns)))
    return _Levels(scenes.mean, float(np.sqrt(total)), total**2 / terms if terms > 0 else scenes.freedom, spread, scenes.sd_scene)
