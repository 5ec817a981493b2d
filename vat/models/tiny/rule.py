"""The rule that is planted in the embedded model: what it should answer, before and after it has seen rated examples.

A value state in about [-1, 1] is the sum of what the value, the country, the situation and the item ask for. Examples earlier in a
conversation move it along Schwartz's circle: a shift for the example's own value, and part of it, by the cosine of their angle, for
every other value. How strong the shift is and how far it is turned differs between situations, also between the two of one topic, so
that values move together from scene to scene beyond what country and topic share. n examples weigh n / (n + HALF_DOSE).

Shapes: S scenes (264), U items (56), V values (10), C countries, K situations (two a topic).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from vat.data.template import all_scenes
from vat.theory.schwartz import SCHWARTZ
from vat.types import Floats

SEED = 1992
BASE_STATE = {
    "self_direction": 0.10, "universalism": 0.14, "benevolence": 0.20, "tradition": -0.06, "conformity": 0.02,
    "security": 0.08, "power": -0.06, "achievement": 0.04, "hedonism": 0.0, "stimulation": -0.10,
}  # fmt: skip
REACH = 1.1  # shift of the target if infinitely many examples agreed
HALF_DOSE = 6.0  # so many agreeing examples give half of REACH
OWN_SHARE = 0.4  # part of the shift that stays with the example's own value; the rest follows the circle
RATING_SD = 0.55  # spread of the answer around its mean, in points of the scale
COUNTRY_SD, SITUATION_SD, ITEM_SD, YES_SD = 0.12, 0.12, 0.22, 0.2  # parts of the state; YES is agreeing with anything, by country
GAIN_SD, TURN_SD, OWN_GAIN_SD = 0.2, 0.3, 0.15  # how far scenes differ in: all shifts, their angle (radians), each value's shift
RESTLESS_SD = 0.08  # any conversation moves each value a little, unrelated to the others
WEIGHT = np.array([-1.0, -0.2, 0.0, 0.2, 1.0])  # what an example rated 1 … 5 says; moderate ratings say little


class Parts(NamedTuple):
    """What the answer to a probe is made of, in units of evidence."""

    state: float
    restless: float
    shift: float


class Planted(NamedTuple):
    """Every coefficient of the rule."""

    state_SU: Floats
    kernel_SVV: Floats
    yes_S: Floats
    restless_SV: Floats


@lru_cache(maxsize=1)
def planted() -> Planted:
    """Draw the coefficients, from a fixed seed."""
    random = np.random.default_rng(SEED)
    scenes = all_scenes()
    n_topic, n_country, n_value = len({scene.topic for scene in scenes}), len({scene.country for scene in scenes}), len(SCHWARTZ.values)
    country_S, situation_S = np.divmod(np.arange(len(scenes)), 2 * n_topic)  # the order of all_scenes
    angle_V = np.deg2rad([SCHWARTZ.angles[value] for value in SCHWARTZ.values]) if SCHWARTZ.angles else np.zeros(n_value)
    item_value_U = SCHWARTZ.item_value_U

    item_U = random.normal(size=len(item_value_U)) * ITEM_SD
    item_U -= (np.bincount(item_value_U, item_U) / np.bincount(item_value_U))[item_value_U]
    base_V = np.array([BASE_STATE[value] for value in SCHWARTZ.values])
    state_SV = base_V + COUNTRY_SD * _columns(random, n_country, n_value)[country_S]
    state_SV = state_SV + SITUATION_SD * _by_situation(random, n_topic, n_value)[situation_S]

    gain_K, turn_K = _contrast(np.abs(_columns(random, n_topic, 2))).T
    gain_S, turn_S = 1 + GAIN_SD * gain_K[situation_S], TURN_SD * turn_K[situation_S]
    own_SV = 1 + OWN_GAIN_SD * (_columns(random, n_country, n_value)[country_S] + _by_situation(random, n_topic, n_value)[situation_S])
    turned_SVV = np.cos(angle_V[None, None] - angle_V[None, :, None] + turn_S[:, None, None])  # example's value, rated value
    kernel_SVV = (OWN_SHARE * np.eye(n_value) + (1 - OWN_SHARE) * turned_SVV) * gain_S[:, None, None] * own_SV[:, None]

    yes_S = YES_SD * _columns(random, n_country, 1)[country_S, 0]
    restless_SV = RESTLESS_SD * (_columns(random, n_country, n_value)[country_S] + _by_situation(random, n_topic, n_value)[situation_S])
    return Planted(state_SV[:, item_value_U] + item_U, kernel_SVV, yes_S, restless_SV)


def parts(scene: int, item: int, push_V: Floats | None) -> Parts:
    """What the answer is made of after examples; `push_V`: their summed evidence / (n + HALF_DOSE), None without any."""
    rule, value = planted(), int(SCHWARTZ.item_value_U[item])
    state = float(rule.state_SU[scene, item])
    if push_V is None:
        return Parts(state, 0.0, 0.0)
    return Parts(state, float(rule.restless_SV[scene, value]), float(REACH * push_V @ rule.kernel_SVV[scene, :, value]))


def label_probabilities(scene: int, polarity: int, made_of: Parts) -> Floats:
    """(5,) distribution of the answer: a bell of RATING_SD around its mean, cut into the five labels."""
    mean = np.clip(3 + 2 * polarity * sum(made_of) + planted().yes_S[scene], 0.7, 5.3)
    bell = np.exp(-0.5 * ((np.arange(1, 6) - mean) / RATING_SD) ** 2)
    return np.asarray(bell / bell.sum())


def _columns(random: np.random.Generator, rows: int, columns: int, *, centred: bool = True) -> Floats:
    """Columns of mean square 1, uncorrelated with each other, so that chance plants no coupling; by default with mean 0."""
    draw = random.normal(size=(rows, columns))
    basis: Floats = np.linalg.qr(draw - draw.mean(axis=0) * centred)[0] * np.sqrt(rows)
    return basis


def _contrast(topic_T: Floats) -> Floats:
    """(T, n) → (K, n): each topic's number for its first situation, the negative of it for its second."""
    return np.stack([topic_T, -topic_T], axis=1).reshape(-1, topic_T.shape[1])


def _by_situation(random: np.random.Generator, n_topic: int, columns: int) -> Floats:
    """(K, n) numbers of mean square 1: uncorrelated across topics, and also within topics once the topic is taken out."""
    shared_TV, own_TV = _columns(random, n_topic, columns), _columns(random, n_topic, columns, centred=False)
    both_KV: Floats = (np.repeat(shared_TV, 2, axis=0) + _contrast(own_TV)) / np.sqrt(2)
    return both_KV
