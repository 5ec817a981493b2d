"""A method's statistic taken apart into pseudo-values, one for each replicate and scene, of which `vat.measure.compare` makes claims.

Of several checkpoints there are two: the tax where their path first reaches a gain, and the hypervolume of all of them.

A hypervolume has corners: which checkpoints are on the front changes at once. Pseudo-values from leaving out one scene see a corner only if they
stand on it, and then too much of it: of two methods alike, with checkpoints alike and one replicate, they found 8 to 12% different at 5%. So the
change that a scene makes to gains and taxes is followed √S times as far, about a standard error, and in both directions: what differs between
the two is the scene's part, what they have in common the bias (2 to 6% in the same cases, docs/calibration.md).

Shapes: R replicates, C checkpoints, S scenes, V values, B resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np

from vat.errors import DataError
from vat.measure.coupling import checked
from vat.measure.indices import system_tax
from vat.measure.jackknife import Factors, crossed_bias
from vat.measure.pareto import hypervolume_batch
from vat.measure.resample import leave_one_out_weights, resampled_couplings
from vat.types import Floats

Of = Literal["nvat", "gain", "hypervolume"]
_CHUNK = 512


def pseudo_values(
    shift: Floats, where: str, target: int, direction: int, of: Of, at_gain: float | None, factors: Factors | None
) -> tuple[Floats, float]:
    """(R, S) pseudo-values of nvat², gain or hypervolume, and the level of nvat² under independence. Arguments as of `over_replicates`."""
    if of not in get_args(Of):
        raise DataError(f"of: must be one of {', '.join(get_args(Of))}; got {of!r}. Use of='nvat'.")
    if of == "hypervolume" and at_gain is not None:
        raise DataError(f"at_gain: must be None for a hypervolume, which is of all gains; got {at_gain:g}. Leave it out.")
    shift, of_path = np.asarray(shift, dtype=float), of == "hypervolume" or at_gain is not None
    wanted = 4 if of_path else 3
    shift = shift[None] if shift.ndim == wanted - 1 else shift
    if shift.ndim != wanted or not all(shift.shape[:-2]):
        form = "(replicates, checkpoints, scenes, values)" if of_path else "(replicates, scenes, values)"
        raise DataError(f"{where}: needs shifts as {form}; got shape {shift.shape}. Stack them in that order.")
    if target not in range(shift.shape[-1]) or direction not in (1, -1):
        raise DataError(f"target, direction: a column of the shifts, and 1 or -1; got {target} and {direction}. Fix them.")
    rows, n_scenes = [], shift.shape[-2]
    paths = [[checked(shift_SV) for shift_SV in (of_replicate if of_path else of_replicate[None])] for of_replicate in shift]
    seen = ~np.isnan(shift)
    count = (np.swapaxes(seen, -1, -2).astype(float) @ seen)[..., ~np.eye(shift.shape[-1], dtype=bool)]
    chance = float((1 / np.maximum(count - 1, 1)).mean())
    for r, path in enumerate(paths):
        gains = [partial(_gain, shift_SV, target=target, direction=direction) for shift_SV in path]
        if of == "hypervolume":
            gain_BC = np.stack([_left_out(gain, n_scenes) for gain in gains], axis=-1)
            rows.append(_of_hypervolume(gain_BC, np.stack([_free_of_chance(shift_SV, chance, factors) for shift_SV in path], axis=-1)))
            continue
        statistic = gains[0] if of == "gain" else partial(_square, path[0])
        if at_gain is not None:
            around = _around(path, f"{where}[{r}]", target, direction, at_gain)
            statistic = partial(_at_gain, around, target=target, direction=direction, of=of, at_gain=at_gain)
        statistic_B = _left_out(statistic, n_scenes)
        rows.append(n_scenes * statistic_B[0] - (n_scenes - 1) * statistic_B[1:])
    return np.array(rows), chance


def _left_out(statistic: Callable[[Floats], Floats], n_scenes: int) -> Floats:
    """(1 + S,) a statistic of all scenes, and with each of them left out."""
    weights = (leave_one_out_weights(np.arange(n_scenes), start, start + _CHUNK) for start in range(0, n_scenes, _CHUNK))
    return np.concatenate([statistic(np.ones((1, n_scenes))), *map(statistic, weights)])


def _around(path: Sequence[Floats], where: str, target: int, direction: int, at_gain: float) -> list[Floats | None]:
    """The two neighbouring checkpoints between which the gain is first reached; before the first stands the model that was not pushed."""
    whole = np.ones((1, len(path[0])))
    gains = [0.0, *(float(_gain(shift_SV, whole, target=target, direction=direction)[0]) for shift_SV in path)]
    reached = [n for n in range(1, len(gains)) if gains[n] >= at_gain]
    if not reached or at_gain <= 0:
        found = f"{at_gain:g}, {where} has {max(gains):.3g}"
        raise DataError(f"at_gain: must be above 0 and reached by every replicate; got {found}. Lower it.")
    return [None, *path][reached[0] - 1 : reached[0] + 1]


def _at_gain(around: Sequence[Floats | None], weight_BS: Floats, *, target: int, direction: int, of: Of, at_gain: float) -> Floats:
    """(B,) nvat² or gain of each resample between two checkpoints, where their gains pass `at_gain`."""
    gains = [_gain(shift_SV, weight_BS, target=target, direction=direction) for shift_SV in around]
    squares = gains if of == "gain" else [_square(shift_SV, weight_BS) for shift_SV in around]
    apart_B = gains[1] - gains[0]
    share_B = np.divide(at_gain - gains[0], apart_B, out=np.ones_like(apart_B), where=apart_B != 0)
    return squares[0] + share_B * (squares[1] - squares[0])


def _of_hypervolume(gain_BC: Floats, tax_BC: Floats) -> Floats:
    """(S,) pseudo-values of the hypervolume, from gains and taxes of all scenes and with each left out."""
    n_scenes, step = len(gain_BC) - 1, np.sqrt(len(gain_BC) - 1)
    whole = _area(gain_BC[:1], tax_BC[:1])
    there_S, back_S = (
        _area(gain_BC[0] + side * step * (gain_BC[1:] - gain_BC[0]), tax_BC[0] + side * step * (tax_BC[1:] - tax_BC[0])) for side in (1, -1)
    )
    bias = (n_scenes - 1) * ((there_S + back_S) / 2 - whole).mean() / step**2
    return np.asarray(whole - bias - (n_scenes - 1) * (there_S - back_S) / (2 * step), dtype=float)


def _area(gain_BC: Floats, tax_BC: Floats) -> Floats:
    """(B,) hypervolumes, NaN where a checkpoint that gains has no tax.

    Where none gains it is that of the nearest to gaining, below 0: a method that does nothing is on average 0, and has its interval.
    """
    undefined_B = (np.isnan(gain_BC) | (np.isnan(tax_BC) & (gain_BC > 0))).any(axis=-1)
    lost_B = (gain_BC * (1 - np.nan_to_num(tax_BC))).max(axis=-1)
    area_B = np.where((gain_BC > 0).any(axis=-1), hypervolume_batch(gain_BC, tax_BC), lost_B)
    return np.where(undefined_B, np.nan, area_B)


def _gain(shift_SV: Floats | None, weight_BS: Floats, *, target: int, direction: int) -> Floats:
    """(B,) gain of each resample; 0 of a model that was not pushed."""
    if shift_SV is None:
        return np.zeros(len(weight_BS))
    seen_S = ~np.isnan(shift_SV[:, target])
    weight_BN = weight_BS[:, seen_S]
    total_B = weight_BN.sum(axis=1)
    return np.asarray(direction * (weight_BN @ shift_SV[seen_S, target]) / np.where(total_B > 0, total_B, np.nan), dtype=float)


def _square(shift_SV: Floats | None, weight_BS: Floats) -> Floats:
    """(B,) nvat² of each resample, NaN where nothing couples; 0 of a model that was not pushed."""
    if shift_SV is None:
        return np.zeros(len(weight_BS))
    coupling_BVV = resampled_couplings(shift_SV, weight_BS)
    defined_BVV = ~np.isnan(coupling_BVV) & ~np.eye(shift_SV.shape[1], dtype=bool)
    return np.where(defined_BVV.any(axis=(1, 2)), system_tax(coupling_BVV, pairs=defined_BVV) ** 2, np.nan)


def _free_of_chance(shift_SV: Floats, chance: float, factors: Factors | None) -> Floats:
    """(1 + S,) nvat of all scenes and with each left out, less what chance and shared factors bring, signed; NaN where nothing couples.

    Below the level by chance a line, not a root, which is too steep near 0 for pseudo-values: without a tax intervals of the root covered 84%.
    """
    n_scenes = len(shift_SV)
    square_B = _left_out(partial(_square, shift_SV), n_scenes)
    own = (n_scenes - 1) * (square_B[1:].mean() - square_B[0])
    shared = crossed_bias(lambda weight_BS: _square(shift_SV, weight_BS)[:, None], square_B[:1], n_scenes, factors=factors)[0]
    bias = own if np.isnan(shared) else shared
    excess_B = square_B - bias
    excess_B[1:] -= own / (n_scenes - 1)  # fewer scenes, more chance
    return np.asarray(excess_B / np.sqrt(np.maximum(excess_B, np.fmax(chance, bias))), dtype=float)
