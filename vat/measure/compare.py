"""Claims about methods: over replicates (shot draws, training seeds) and scenes together, and between two methods on the same scenes.

A replicate's statistic is taken apart into pseudo-values, one a scene. A table of replicates by scenes then has the two levels of chance
that a claim must survive: other scenes (and the countries and topics they share), and other replicates.

Shapes: R replicates, C checkpoints, S scenes, V values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.stats import t as student_t

from vat.errors import DataError
from vat.measure.coupling import checked
from vat.measure.indices import system_tax
from vat.measure.jackknife import LEVEL, Factors, jackknife
from vat.measure.resample import leave_one_out_weights, resampled_couplings
from vat.types import Floats

Of = Literal["nvat", "gain"]
_CHUNK = 512
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
    """A method's tax or gain over replicates and scenes together.

    Args:
        shift: (R, S, V) shifts of R replicates on the same scenes, or (S, V) of one; NaN where missing. With `at_gain`
            (R, C, S, V) or (C, S, V), checkpoints in order.
        target: Column of the value that was pushed.
        direction: 1 if it was pushed up, -1 if down.
        of: `nvat` (rms form, debiased) or `gain`.
        at_gain: The tax where a trajectory of checkpoints first reaches this gain, interpolated between checkpoints.
        factors: Factor name → level of each scene: the interval is for other countries and topics too.
    Raises:
        DataError: Other shapes, a target or direction that is none, a gain that a replicate does not reach, or what `couple` refuses.
    Source: none in the paper, which has one draw and no interval. Pseudo-values: Tukey (1958). Differs: coverage in docs/calibration.md.
    """
    pseudo_RS, chance = _pseudo_values(shift, "shift", target, direction, of, at_gain)
    levels = _levels(pseudo_RS, factors)
    reach = levels.error * float(student_t.ppf(0.5 + LEVEL / 2, levels.freedom))
    spread = (levels.sd_replicate, levels.sd_scene, *pseudo_RS.shape)
    if of == "gain":
        return Estimate(levels.mean, levels.mean - reach, levels.mean + reach, *spread)
    square = float(np.clip(levels.mean, 0.0, 1.0))
    low, high = (square + chance) * np.exp([-reach / (square + chance), min(reach / (square + chance), _LONGEST)]) - chance
    return Estimate(float(np.sqrt(square)), float(np.sqrt(np.clip(low, 0.0, 1.0))), float(np.sqrt(np.clip(high, 0.0, 1.0))), *spread)


def paired_difference(
    first: Floats, second: Floats, *, target: int, direction: int, of: Of = "nvat", at_gain: float | None = None, factors: Factors | None = None
) -> Difference:
    """Whether one method's tax (or gain) is higher than another's: the same scenes, replicates paired in their order if both have as many.

    The test compares nvat², whose difference is unbiased down to no tax at all; the interval is that of the difference divided by the sum of
    the two taxes, so that it excludes 0 just when p < 0.05.

    Args:
        first, second: Shifts of the two methods, as for `over_replicates`. For a comparison of a trained and a prompted method at equal
            gain give the prompted one's doses as checkpoints.
        target, direction, of, at_gain, factors: As for `over_replicates`.
    Raises:
        DataError: As `over_replicates`, and if the scenes or values of both differ in number.
    Source: none in the paper, which compares by eye. Pseudo-values: Tukey (1958); degrees of freedom: Satterthwaite (1946). Differs:
        size and coverage in docs/calibration.md: with 2 or 3 replicates the test rejects too often, so use 4 or more.
    """
    a_RS, chance_a = _pseudo_values(first, "first", target, direction, of, at_gain)
    b_RS, chance_b = _pseudo_values(second, "second", target, direction, of, at_gain)
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
    n_replicates, n_scenes = min(len(a_RS), len(b_RS)), a_RS.shape[1]
    return Difference(estimate, low, high, p, taxes[0], taxes[1], levels.sd_replicate, levels.sd_scene, n_replicates, n_scenes)


def _pseudo_values(shift: Floats, where: str, target: int, direction: int, of: Of, at_gain: float | None) -> tuple[Floats, float]:
    """(R, S) pseudo-values of nvat² or gain, and the level of nvat² under independence."""
    shift = np.asarray(shift, dtype=float)
    wanted = 4 if at_gain is not None else 3
    shift = shift[None] if shift.ndim == wanted - 1 else shift
    if shift.ndim != wanted or not len(shift):
        form = "(replicates, checkpoints, scenes, values)" if at_gain is not None else "(replicates, scenes, values)"
        raise DataError(f"{where}: needs shifts as {form}; got shape {shift.shape}. Stack them in that order.")
    if of not in get_args(Of):
        raise DataError(f"of: must be nvat or gain; got {of!r}. Use of='nvat'.")
    if target not in range(shift.shape[-1]) or direction not in (1, -1):
        raise DataError(f"target, direction: a column of the shifts, and 1 or -1; got {target} and {direction}. Fix them.")
    rows, n_scenes = [], shift.shape[-2]
    for r, of_replicate in enumerate(shift):
        trajectory: list[Floats | None] = [checked(shift_SV) for shift_SV in (of_replicate if at_gain is not None else of_replicate[None])]
        if at_gain is not None:
            trajectory = _around(trajectory, f"{where}[{r}]", target, direction, at_gain)
        whole = _statistic(trajectory, np.ones((1, n_scenes)), target, direction, of, at_gain)
        left_S = np.concatenate([
            _statistic(trajectory, leave_one_out_weights(np.arange(n_scenes), start, start + _CHUNK), target, direction, of, at_gain)
            for start in range(0, n_scenes, _CHUNK)
        ])  # fmt: skip
        rows.append(n_scenes * whole - (n_scenes - 1) * left_S)
    seen = ~np.isnan(shift)
    count = (np.swapaxes(seen, -1, -2).astype(float) @ seen)[..., ~np.eye(shift.shape[-1], dtype=bool)]
    return np.array(rows), float((1 / np.maximum(count - 1, 1)).mean())


def _around(trajectory: Sequence[Floats | None], where: str, target: int, direction: int, at_gain: float) -> list[Floats | None]:
    """The two neighbouring checkpoints between which the gain is first reached; before the first stands the model that was not pushed."""
    trajectory = [None, *trajectory]
    gains = [float(_gain(shift_SV, None, target, direction)[0]) for shift_SV in trajectory]
    reached = [n for n in range(1, len(gains)) if gains[n] >= at_gain]
    if not reached or at_gain <= 0:
        found = f"{at_gain:g}, {where} has {max(gains):.3g}"
        raise DataError(f"at_gain: must be above 0 and reached by every replicate; got {found}. Lower it.")
    return trajectory[reached[0] - 1 : reached[0] + 1]


def _statistic(trajectory: Sequence[Floats | None], weight_BS: Floats, target: int, direction: int, of: Of, at_gain: float | None) -> Floats:
    """(B,) nvat² or gain of each resample; between two checkpoints, where their gains pass `at_gain`."""
    gains = [_gain(shift_SV, weight_BS, target, direction) for shift_SV in trajectory]
    squares = gains if of == "gain" else [_square(shift_SV, weight_BS) for shift_SV in trajectory]
    if at_gain is None:
        return squares[0]
    apart_B = gains[1] - gains[0]
    share_B = np.divide(at_gain - gains[0], apart_B, out=np.ones_like(apart_B), where=apart_B != 0)
    return squares[0] + share_B * (squares[1] - squares[0])


def _gain(shift_SV: Floats | None, weight_BS: Floats | None, target: int, direction: int) -> Floats:
    """(B,) gain of each resample, or (1,) of all scenes; 0 of a model that was not pushed."""
    if shift_SV is None:
        return np.zeros(1 if weight_BS is None else len(weight_BS))
    seen_S = ~np.isnan(shift_SV[:, target])
    weight_BN = np.ones((1, int(seen_S.sum()))) if weight_BS is None else weight_BS[:, seen_S]
    total_B = weight_BN.sum(axis=1)
    return np.asarray(direction * (weight_BN @ shift_SV[seen_S, target]) / np.where(total_B > 0, total_B, np.nan), dtype=float)


def _square(shift_SV: Floats | None, weight_BS: Floats) -> Floats:
    """(B,) nvat² of each resample, NaN where nothing couples; 0 of a model that was not pushed."""
    if shift_SV is None:
        return np.zeros(len(weight_BS))
    coupling_BVV = resampled_couplings(shift_SV, weight_BS)
    defined_BVV = ~np.isnan(coupling_BVV) & ~np.eye(shift_SV.shape[1], dtype=bool)
    return np.where(defined_BVV.any(axis=(1, 2)), system_tax(coupling_BVV, pairs=defined_BVV) ** 2, np.nan)


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
