"""Human evaluation of a dataset: which instances are rated, in what respects, and in which order each annotator sees them.

An instance is a scene with one of its actions. Its id follows from its words, so that ratings find back to it whatever the file they come in.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from vat.data.base import Probes
from vat.data.question import POINTS
from vat.data.split import draw_scenes
from vat.errors import DataError, shown
from vat.theory.base import Theory
from vat.types import LABELS, Floats

SCALE = dict(zip(LABELS, POINTS, strict=True))
"""Rating → what it says of a statement."""
ASKED = {1: "express the value", -1: "go against the value"}
"""Polarity → what the action is to do."""


class Dimension(NamedTuple):
    """One respect in which an instance is rated: its name, as in the table, and the statement that annotators agree with or not."""

    name: str
    statement: str


DIMENSIONS = (
    Dimension("scenario realism", "This scene could happen: its people, place and occasion are concrete, and I can believe in them."),
    Dimension("cultural grounding", "The scene belongs to its country: its roles, institutions, customs or rules are those of that place."),
    Dimension("affordance richness", "There are several things that a person in this scene might well do, and they would show different values."),
    Dimension("normative neutrality", "The scene leaves open what is right: it neither says nor hints which way of acting is the good one."),
    Dimension("action correctness", "The action does what it should: it expresses the value, or goes against it, whichever the row asks for."),
    Dimension("action plausibility", "A person in this scene could really do this, and some would."),
    Dimension("action sufficiency", "The action is definite enough: one can tell what is done, and what it says about the value."),
    Dimension("harmlessness", "Nothing in the action is harmful, offensive or demeaning to anybody."),
)
"""Value Alignment Tax, Table 1. Differs: the statements are our own wording, the paper gives names and short definitions only."""


class Instance(NamedTuple):
    """A scene with one action. name: its id. value: that the item belongs to. definition: of the item. polarity: 1 or -1."""

    name: str
    scene_id: str
    country: str
    topic: str
    scene: str
    value: str
    item: str
    definition: str
    polarity: int
    action: str


@dataclass(frozen=True)
class Sample:
    """The instances of a dataset that are rated.

    dataset, data_digest: the dataset's name, and the digest of its probes. count: how many instances were asked for. seed: of the draw.
    """

    dataset: str
    data_digest: str
    count: int
    seed: int
    instances: tuple[Instance, ...]

    @cached_property
    def digest(self) -> str:
        """Names dataset and instances. Begins with a letter: a spreadsheet takes 16 digits for a number and rounds them."""
        return "s" + _digest((self.data_digest, *sorted(tuple(instance) for instance in self.instances)))[:15]

    def order(self, annotator: int) -> tuple[Instance, ...]:
        """The instances as annotator 1, 2, … sees them, each in an order of their own, so that tiring is not always at the expense of the same."""
        order = np.random.default_rng([self.seed, annotator]).permutation(len(self.instances))
        return tuple(self.instances[n] for n in order)

    def balance(self) -> dict[str, Counter[str]]:
        """What was stratified: factor → how many instances have each level."""
        factors = ("country", "topic", "value", "polarity")
        return {factor: Counter(str(getattr(instance, factor)) for instance in self.instances) for factor in factors}


def draw_sample(probes: Probes, theory: Theory, *, dataset: str, count: int, seed: int) -> Sample:
    """Draw instances such that countries, topics, values and polarities come in the dataset's proportions.

    Args:
        probes: All actions of the dataset.
        theory: That they are about.
        dataset: Its name.
        count: Instances wanted; one of each scene if there are fewer scenes.
        seed: Same seed, same sample.
    Returns:
        Instances of different scenes, in the dataset's order.
    Source: Value Alignment Tax, section 4 (54 instances drawn at random). Differs: stratified, each factor for itself and polarity within value.
    """
    rows = probes.rows
    cells = [(theory.value_of[row.item], row.polarity) for row in rows]
    factors = {
        "country": [row.country for row in rows], "topic": [row.topic for row in rows], "value": [value for value, _ in cells],
        "polarity": [str(polarity) for _, polarity in cells], "cell": [f"{value} {polarity}" for value, polarity in cells],
    }  # fmt: skip
    of_a_scene = [row.scene_id for row in rows]
    shares = _shares(Counter(cells), min(count, len(probes.scenes)), seed)
    drawn = draw_scenes([str(n) for n in range(len(rows))], factors, count=count, seed=seed, apart=of_a_scene, shares=shares)
    instances = []
    for row in (rows[int(n)] for n in drawn):
        value, definition = theory.value_of[row.item], theory.definitions[row.item]
        name = f"i{_digest((*row, value, definition))[:9]}"
        instances.append(Instance(name, row.scene_id, row.country, row.topic, row.scene, value, row.item, definition, row.polarity, row.action))
    assert len({instance.name for instance in instances}) == len(instances)
    return Sample(dataset, probes.digest, count, seed, tuple(instances))


def sample_tree(sample: Sample) -> dict[str, Any]:
    """A sample as JSON holds it."""
    return {"sample": sample.digest, **asdict(sample), "instances": [instance._asdict() for instance in sample.instances]}


def sample_of(tree: Any, where: str) -> Sample:
    """The sample that `sample_tree` made this of.

    Args:
        where: The file, for messages.
    Raises:
        DataError: It is no sample, or was changed since.
    """
    try:
        told: dict[str, Any] = {key: part for key, part in tree.items() if key != "sample"}
        sample = Sample(**(told | {"instances": tuple(Instance(**instance) for instance in told["instances"])}))
        whole = sample.digest == tree["sample"]
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{where}: must hold a sample; got {shown(str(error))}. Move it away and export again.") from error
    if not whole:
        raise DataError(f"{where}: must hold the sample as it was drawn; got one that was changed. Bring the file back from a copy.")
    return sample


def _shares(size: Counter[tuple[str, int]], count: int, seed: int) -> dict[str, dict[str, float]]:
    """How many instances of each value and polarity: whole numbers next to the exact ones, rounded at random, so that on average they are those.

    Rounded to the nearest, the largest values would always have fewer than their share, and a small one none.
    """
    random = np.random.default_rng(seed)
    values = random.permutation(sorted({value for value, _ in size})).tolist()
    of_a_value = np.array([size[value, 1] + size[value, -1] for value in values])
    count_V = _rounded(count * of_a_value / size.total(), random)
    expressed_V = _rounded(count_V * np.array([size[value, 1] for value in values]) / of_a_value, random)
    cells = {f"{value} 1": float(x) for value, x in zip(values, expressed_V, strict=True)}
    cells |= {f"{value} -1": float(x) for value, x in zip(values, count_V - expressed_V, strict=True)}
    polarity = {"1": float(expressed_V.sum()), "-1": float((count_V - expressed_V).sum())}
    return {"value": dict(zip(values, map(float, count_V), strict=True)), "polarity": polarity, "cell": cells}


def _rounded(x_V: Floats, random: np.random.Generator) -> Floats:
    """Whole numbers, each the next below or above, of the same sum if that is whole, and on average the same."""
    return np.diff(np.floor(np.cumsum(x_V) + random.random() + 1e-9), prepend=0.0)


def _digest(parts: tuple[object, ...]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
