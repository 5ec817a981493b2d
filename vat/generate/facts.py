"""What a data card tells: facts of how a dataset was made, given by whoever made it, and what is counted in its rows.

What is not known is None or NaN, and told as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from vat.generate.intervals import Estimate, share_over_scenes
from vat.generate.skews import Skews, check_rows, skews_of
from vat.generate.words import unit_of

if TYPE_CHECKING:
    import pandas as pd

KEPT, REFUSED = "kept", "refused"
"""Outcomes of an attempt; any other is the name of the rule that the text broke."""
CONTEXT = ("scene_id", "country", "topic", "scene")
COLUMNS = (*CONTEXT, "value", "item", "polarity", "action")


class FrozenPrompt(NamedTuple):
    """A prompt that all texts of a kind (`scene`, `action`) were written with, in full; search: how it was found."""

    kind: str
    search: str | None
    digest: str
    text: str


class PromptScore(NamedTuple):
    """What judges gave, of 100, to what a prompt makes a model write; chosen: whether it is the one that was used."""

    kind: str
    search: str
    score: Estimate
    chosen: bool


class ModelUsed(NamedTuple):
    """A model and what it did (`writer`, `judge first`)."""

    role: str
    name: str
    host: str | None
    revision: str | None


class Agreement(NamedTuple):
    """How far judges, or people, agree on something; measure: by which number, judged: over how many texts."""

    about: str
    measure: str
    agreement: Estimate
    judged: int | None


class Usage(NamedTuple):
    """What a role has been asked; read, written: tokens."""

    role: str
    requests: int | None
    read: float | None
    written: float | None
    usd: float | None


class HumanRating(NamedTuple):
    """What people gave, from 1 to 5; people, rated: how many of them and how many texts."""

    about: str
    rating: Estimate
    people: int | None
    rated: int | None


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What the rows do not tell.

    name: of the dataset. repo: where it will lie on a hub (`user/name`). language: its code (ISO 639: `en`). license: as hubs name it.
    theory: its name, theory_source: where it comes from. wanted: value → actions that were to be written; wanted_scenes: and scenes.
    attempts: an answer to a request for an action each, with scene_id, value and outcome. split_seed: of the draw of test scenes.
    rules: what every text was checked for; unchecked: rules that could not be checked in this language.
    citation: how its makers want to be cited. version: of vat.
    """

    name: str
    language: str
    theory: str
    theory_source: str
    version: str
    repo: str | None = None
    license: str | None = None
    prompts: tuple[FrozenPrompt, ...] = ()
    scores: tuple[PromptScore, ...] = ()
    models: tuple[ModelUsed, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    usage: tuple[Usage, ...] = ()
    attempts: pd.DataFrame | None = None
    wanted: Mapping[str, int] | None = None
    wanted_scenes: int | None = None
    split_seed: int | None = None
    rules: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    human: tuple[HumanRating, ...] = ()
    citation: str | None = None


class Pair(NamedTuple):
    """A count in each split."""

    train: int
    test: int


@dataclass(frozen=True)
class Contents:
    """What is counted in the rows: actions by value, scenes by country and by topic, fewest and most scenes of a country and topic, and skews."""

    actions: Mapping[str, Pair]
    scenes: Pair
    countries: Mapping[str, Pair]
    topics: Mapping[str, Pair]
    scenes_of_a_cell: tuple[int, int]
    skews: Skews


class Outcomes(NamedTuple):
    """What became of the attempts about one value, or about all (value None): shares with scenes as the unit."""

    value: str | None
    attempts: int
    refused: Estimate
    rejected: Estimate


def contents_of(train: pd.DataFrame, test: pd.DataFrame, *, language: str) -> Contents:
    """Count and measure the rows of a dataset.

    Args:
        train, test: An action a row, with COLUMNS; values are told in the order in which they first stand.
    Raises:
        DataError: A column is missing, or there is no row.
    """
    import pandas as pd

    for name, rows in (("train", train), ("test", test)):
        check_rows(rows, COLUMNS, where=name)
    both = pd.concat([train, test], keys=["train", "test"], names=["split"]).reset_index("split")
    scenes = both.drop_duplicates("scene_id")
    cells = scenes.groupby(["country", "topic"]).size()
    return Contents(
        actions=_pairs(both, "value"), scenes=_pairs(scenes.assign(all=""), "all")[""],
        countries=dict(sorted(_pairs(scenes, "country").items())), topics=dict(sorted(_pairs(scenes, "topic").items())),
        scenes_of_a_cell=(int(cells.min()), int(cells.max())), skews=skews_of(both, unit=unit_of(language)),
    )  # fmt: skip


def outcomes_of(attempts: pd.DataFrame) -> list[Outcomes]:
    """Shares of refused and rejected answers for each value, and for all of them last.

    Raises:
        DataError: A column is missing, or there is no row.
    """
    check_rows(attempts, ("scene_id", "value", "outcome"), where="attempts")
    groups = [(str(value), rows) for value, rows in attempts.groupby("value", sort=False)]
    return [_outcomes(value, rows) for value, rows in [*groups, (None, attempts)]]


def _outcomes(value: str | None, rows: pd.DataFrame) -> Outcomes:
    import numpy as np
    import pandas as pd

    scene_N = np.asarray(pd.factorize(rows["scene_id"])[0], dtype=np.int64)
    refused_N = np.asarray(rows["outcome"] == REFUSED)
    rejected_N = ~refused_N & np.asarray(rows["outcome"] != KEPT)
    return Outcomes(value, len(rows), share_over_scenes(refused_N, scene_N), share_over_scenes(rejected_N, scene_N))


def _pairs(rows: pd.DataFrame, column: str) -> dict[str, Pair]:
    """Rows of each level in each split, in the order in which levels first stand."""
    count = rows.groupby([column, "split"], sort=False).size()
    return {str(level): Pair(int(count.get((level, "train"), 0)), int(count.get((level, "test"), 0))) for level in rows[column].unique()}
