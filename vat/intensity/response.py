"""How strongly responses hold a value, from where judges rank them among anchors of known intensity.

A judge's rankings follow Plackett–Luce with utilities β·intensity, where β is the judge's sharpness: 1 if it is as sharp as the anchors say, 0 if it
ranks at random. In a window, a response meets what is left of the anchors at each choice until it is chosen itself; so its likelihood is that of a
logistic curve in one unknown, and all responses are fitted at once.

Shapes: R responses, M windows each, A anchors in a window, T = M·A choices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit, logsumexp

from vat.errors import DataError
from vat.intensity.calibration import LARGEST
from vat.types import Bools, Floats, Ints

PRIOR_SD = 10.0
"""Of a response's intensity, about 0: as good as flat on the scale, and enough for a finite maximum where a response wins or loses everything."""
BELOW = 0.5
"""A response that is below all of its anchors in every window is so far below the least of them."""
LEVEL = 0.95
STEPS = 60
LONGEST_STEP = 5.0
PRECISE = 1e-9
GRID = np.linspace(-LARGEST, LARGEST, 401)
AT_ONCE = 2000
"""Responses whose intervals are computed together."""


class Rankings(NamedTuple):
    """What judges said of R responses in M windows each.

    anchor_RMA: intensities of the anchors, in the order in which they were ranked, best first. place_RM: how many of them were ranked above the
    response; −1 where a window was lost.
    """

    anchor_RMA: Floats
    place_RM: Ints


class Sharpness(NamedTuple):
    """How sharp judges are: β with its standard error and interval, from `windows` rankings of anchors among themselves.

    log_likelihood, log_likelihood_of_one: of these rankings at β and at 1.
    """

    beta: float
    error: float
    low: float
    high: float
    windows: int
    log_likelihood: float
    log_likelihood_of_one: float

    @property
    def is_as_said(self) -> bool:
        """Whether the anchors' intensities may be taken as they stand: 1 is in the interval."""
        return self.low <= 1 <= self.high


class Intensities(NamedTuple):
    """intensity_R: in [−10, 10], after the rules of section 5.2; NaN for a response without a window. low_R, high_R: the interval.

    fitted_R: before those rules. windows_R: how many windows it has. below_R, above_R: below, above all anchors in every window.
    """

    intensity_R: Floats
    low_R: Floats
    high_R: Floats
    fitted_R: Floats
    windows_R: Ints
    below_R: Bools
    above_R: Bools


def sharpness(rankings: Rankings) -> Sharpness:
    """The judges' sharpness, by the order of the anchors alone: what is left of a Plackett–Luce ranking without one item is one too.

    Raises:
        DataError: No window has two anchors of different intensity.
    Source: none; ValueFlow takes β = 1, section 5.2. With anchors of known error it is biased toward 0 by it, as any slope on a noisy variable is.
    """
    anchor_WA = rankings.anchor_RMA[rankings.place_RM >= 0]
    if anchor_WA.shape[1] < 2 or not len(anchor_WA) or np.ptp(anchor_WA, axis=1).max() < PRECISE:
        raise DataError("sharpness: windows must hold anchors of different intensity; got none. Use more anchors, or another strategy to draw them.")
    beta = 1.0
    for _ in range(STEPS):
        _, slope, curvature = _of_sharpness(anchor_WA, beta)
        step = np.clip(slope / curvature if curvature > 0 else np.sign(slope), -0.5 - abs(beta) / 2, 0.5 + abs(beta) / 2)
        beta += float(step)
        if abs(step) < PRECISE:
            break
    value, _, curvature = _of_sharpness(anchor_WA, beta)
    error = float(curvature**-0.5) if curvature > 0 else np.inf
    reach = 1.96 * error
    return Sharpness(beta, error, beta - reach, beta + reach, len(anchor_WA), value, _of_sharpness(anchor_WA, 1.0)[0])


def _of_sharpness(anchor_WA: Floats, beta: float) -> tuple[float, float, float]:
    """The log-likelihood of anchors' rankings, its slope and its negative curvature."""
    value = slope = curvature = 0.0
    for first in range(anchor_WA.shape[1] - 1):
        left_WA = anchor_WA[:, first:]
        total_W = logsumexp(beta * left_WA, axis=1)
        share_WA = np.exp(beta * left_WA - total_W[:, None])
        mean_W = (share_WA * left_WA).sum(axis=1)
        value += float((beta * left_WA[:, 0] - total_W).sum())
        slope += float((left_WA[:, 0] - mean_W).sum())
        curvature += float((share_WA * (left_WA - mean_W[:, None]) ** 2).sum())
    return value, slope, curvature


def intensities(rankings: Rankings, *, beta: float = 1.0, prior_sd: float = PRIOR_SD) -> Intensities:
    """Where the responses lie on the scale of the anchors.

    Args:
        beta: Sharpness of the judges, positive. 1 is the paper's.
        prior_sd: Of a normal prior about 0, in units of intensity.
    Raises:
        DataError: A judge who is not sharp at all says nothing.
    Source: ValueFlow, section 5.2. Differs: the sharpness is estimated instead of taken as 1, which on a judge of 0.2 errs by 2.8; the prior makes
        the fit finite (with three windows 4% of responses win or lose everything); every score has an interval, which is of the posterior on the
        scale: it tells how sure the place among these anchors is, given β, and takes the anchors as known. "Just below" the least anchor is
        half a unit below.
    """
    if not beta > 0:
        raise DataError(f"sharpness={beta:g}: must be positive; got a judge who ranks anchors against their order. Use another judge.")
    choices = _choices(rankings, beta)
    fitted_R = _fitted(choices, beta, prior_sd)
    low_R, high_R = _intervals(choices, beta, prior_sd)
    return _ruled(rankings, fitted_R, low_R, high_R)


def fitted(rankings: Rankings, *, beta: float = 1.0, prior_sd: float = PRIOR_SD) -> Floats:
    """(R,) the most likely intensities under the prior, without intervals or rules."""
    return _fitted(_choices(rankings, beta), beta, prior_sd)


class _Choices(NamedTuple):
    """What the likelihood needs of each choice, (R, T).

    left_RT: the intensity that alone would weigh as much as all anchors that are left. is_chosen_RT: the response is chosen. is_there_RT: there is
    such a choice.
    """

    left_RT: Floats
    is_chosen_RT: Bools
    is_there_RT: Bools


def _choices(rankings: Rankings, beta: float) -> _Choices:
    anchor_RMA, place_RM = rankings
    n_anchors = anchor_RMA.shape[2]
    left_RMA = np.logaddexp.accumulate(beta * anchor_RMA[..., ::-1], axis=2)[..., ::-1] / beta
    choice_A = np.arange(n_anchors)
    is_there_RMA = choice_A <= np.where(place_RM < 0, -1, place_RM)[..., None]
    is_chosen_RMA = is_there_RMA & (choice_A == place_RM[..., None])
    shape = (len(place_RM), -1)
    return _Choices(np.where(is_there_RMA, left_RMA, 0.0).reshape(shape), is_chosen_RMA.reshape(shape), is_there_RMA.reshape(shape))


def log_likelihood(rankings: Rankings, intensity_R: Floats, *, beta: float = 1.0) -> Floats:
    """(R,) of where responses were ranked, up to what does not depend on them."""
    return _value(_choices(rankings, beta), intensity_R[:, None], beta)[:, 0]


def _value(choices: _Choices, intensity_RG: Floats, beta: float) -> Floats:
    """(R, G) the log-likelihood at several intensities of each response."""
    found_RG = np.zeros(intensity_RG.shape)
    for left_R, is_chosen_R, is_there_R in zip(choices.left_RT.T, choices.is_chosen_RT.T, choices.is_there_RT.T, strict=True):
        ahead_RG = beta * (intensity_RG - left_R[:, None])
        found_RG += np.where(is_there_R[:, None], np.where(is_chosen_R[:, None], log_expit(ahead_RG), log_expit(-ahead_RG)), 0.0)
    return found_RG


def _fitted(choices: _Choices, beta: float, prior_sd: float) -> Floats:
    """Newton's steps for all responses at once, none too long and none beyond where the maximum must lie; who is done is left alone."""
    count = len(choices.left_RT)
    intensity_R, low_R, high_R = np.zeros(count), np.full(count, -np.inf), np.full(count, np.inf)
    going = np.arange(count)
    for _ in range(STEPS):
        left_RT, is_chosen_RT, is_there_RT = (table[going] for table in choices)
        at_R = intensity_R[going]
        chance_RT = np.where(is_there_RT, expit(beta * (at_R[:, None] - left_RT)), 0.0)
        slope_R = beta * (is_chosen_RT - chance_RT).sum(axis=1) - at_R / prior_sd**2
        curvature_R = beta**2 * (chance_RT * (1 - chance_RT)).sum(axis=1) + prior_sd**-2
        low_R[going], high_R[going] = np.where(slope_R > 0, at_R, low_R[going]), np.where(slope_R > 0, high_R[going], at_R)
        next_R = at_R + np.clip(slope_R / curvature_R, -LONGEST_STEP, LONGEST_STEP)
        is_beyond_R = ((next_R <= low_R[going]) | (next_R >= high_R[going])) & (np.abs(next_R - at_R) > PRECISE)
        next_R[is_beyond_R] = (low_R[going] + high_R[going])[is_beyond_R] / 2
        intensity_R[going] = next_R
        going = going[np.abs(next_R - at_R) > PRECISE]
        if not len(going):
            break
    return intensity_R


def _intervals(choices: _Choices, beta: float, prior_sd: float) -> tuple[Floats, Floats]:
    """Ends of the middle of the posterior on the scale."""
    tail = (1 - LEVEL) / 2
    ends: list[Floats] = []
    for begin in range(0, len(choices.left_RT), AT_ONCE):
        some = _Choices(*(table[begin : begin + AT_ONCE] for table in choices))  # type: ignore[arg-type]
        log_RG = _value(some, np.broadcast_to(GRID, (len(some.left_RT), len(GRID))), beta) - GRID**2 / (2 * prior_sd**2)
        density_RG = np.exp(log_RG - log_RG.max(axis=1, keepdims=True))
        mass_RG = np.cumsum((density_RG[:, 1:] + density_RG[:, :-1]) / 2, axis=1)
        mass_RG = np.concatenate([np.zeros((len(mass_RG), 1)), mass_RG], axis=1) / mass_RG[:, -1:]
        ends.append(np.stack([[np.interp(at, mass_G, GRID) for mass_G in mass_RG] for at in (tail, 1 - tail)]))
    low_R, high_R = np.concatenate(ends, axis=1) if ends else np.zeros((2, 0))
    return low_R, high_R


def _ruled(rankings: Rankings, fitted_R: Floats, low_R: Floats, high_R: Floats) -> Intensities:
    """The rules of section 5.2: no response lies outside of the anchors that it met, but for one that is always last."""
    anchor_RMA, place_RM = rankings
    is_there_RM = place_RM >= 0
    windows_R = is_there_RM.sum(axis=1)
    known_R = windows_R > 0
    least_R = np.where(is_there_RM[..., None], anchor_RMA, np.inf).min(axis=(1, 2))
    most_R = np.where(is_there_RM[..., None], anchor_RMA, -np.inf).max(axis=(1, 2))
    below_R = known_R & np.where(is_there_RM, place_RM == anchor_RMA.shape[2], True).all(axis=1)
    above_R = known_R & np.where(is_there_RM, place_RM == 0, True).all(axis=1)
    intensity_R = np.where(below_R, least_R - BELOW, np.clip(fitted_R, np.where(known_R, least_R, 0), np.where(known_R, most_R, 0)))
    intensity_R = np.clip(intensity_R, -LARGEST, LARGEST)
    low_R, high_R = np.minimum(low_R, intensity_R), np.maximum(high_R, intensity_R)
    intensity_R, low_R, high_R, fitted_R = (np.where(known_R, x_R, np.nan) for x_R in (intensity_R, low_R, high_R, fitted_R))
    return Intensities(intensity_R, low_R, high_R, fitted_R, windows_R, below_R, above_R)
