"""Known skews of written actions, measured: what their words alone give away, how the two sides differ in length, what is said twice.

Whoever trains on the actions can pick up such a skew instead of the value; so it is told, not hidden.

Shapes: N actions, W words (or, where writing sets no spaces between words, runs of characters).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vat.errors import DataError
from vat.generate.intervals import NOT_KNOWN, Estimate, share_over_scenes, standardised_difference
from vat.generate.words import Unit, length_of, normalised, parts_of
from vat.types import Bools, Ints

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("scene_id", "value", "item", "polarity", "action")
FOLDS = 5
FEWEST, FEWEST_OF = 2, 5000
"""A word is looked at if it stands in so many actions, and in one of every 5,000: rarer ones take time and tell next to nothing of the whole."""
CROSSED = 2.0
"""What cross-validation does to the variance, at most: at chance, whether A's words tell B and whether B's tell A is one piece of luck, and it
counts twice. Measured: 1.5 times; intervals that take scenes for independent cover 89%, with the factor 96 to 99%."""
COMMON = 0.01
"""Share of the actions of a side that a word must stand in to be told as a cue of it."""


class Guess(NamedTuple):
    """How well words alone tell something, in scenes that the guesser has not seen; `chance` is what a guess without reading gets."""

    accuracy: Estimate
    chance: float
    actions: int


class Cue(NamedTuple):
    """A word that tells the side `polarity`: share of the actions of that side with it, and of the other."""

    word: str
    polarity: int
    share: float
    share_of_the_other: float


class Lengths(NamedTuple):
    """Mean length of supporting and of violating actions, and the difference in standard deviations (positive: supporting is longer)."""

    supports: float
    violates: float
    difference: Estimate


class Repeats(NamedTuple):
    """Share of actions whose text, but for case and punctuation, stands again in the same scene, or in another."""

    within_scene: float
    across_scenes: float


@dataclass(frozen=True)
class Skews:
    """What was measured; words and lengths are counted in `unit`."""

    unit: Unit
    polarity: Guess
    value: Guess
    cues: tuple[Cue, ...]
    lengths: Lengths
    repeats: Repeats


def skews_of(rows: pd.DataFrame, *, unit: Unit = "words", n_cues: int = 10) -> Skews:
    """Measure the skews of actions.

    Polarity is guessed by logistic regression on which words occur, value by naive Bayes (on the actions of the value–action gap 0.03 less
    accurate than the former, in a tenth of its time). No guesser has seen the scene that it is asked about. Polarity is asked where a scene has
    both sides of an item, as many of one as of the other, so that chance is exactly 1/2; of values the mean over values of the share that is right is
    told, so that chance is exactly 1/V. Intervals are over scenes, for guessers that have learnt from as many as these.

    Args:
        rows: An action a row, with COLUMNS.
        unit: See `words.unit_of`.
        n_cues: How many words to list of each side.
    Returns:
        NaN for what cannot be known, as with a single scene. The same rows give the same numbers.
    Raises:
        DataError: A column is missing, or there is no row.
    Source: Gururangan et al. (2018), what a classifier tells that sees only part of a sample. Differs: words only, no scene on both sides.
    """
    check_rows(rows, COLUMNS, where="skews")
    import pandas as pd

    texts = [normalised(action) for action in rows["action"]]
    scene_N, value_N = (np.asarray(pd.factorize(rows[name], sort=True)[0], dtype=np.int64) for name in ("scene_id", "value"))
    supports_N = np.asarray(rows["polarity"] > 0)
    words, present_NW = _bag_of_words(texts, unit)
    paired_N = _paired(rows)
    asked_NW, side_N = present_NW[paired_N], supports_N[paired_N]
    return Skews(
        unit=unit,
        polarity=Guess(_accuracy(_logistic(), asked_NW, side_N, scene_N[paired_N]), 0.5, len(side_N)),
        value=Guess(_accuracy(_naive_bayes(), present_NW, value_N, scene_N), 1 / (int(value_N.max()) + 1), len(value_N)),
        cues=_cues(words, asked_NW, side_N, n_cues),
        lengths=_lengths(texts, supports_N, scene_N, unit),
        repeats=_repeats(texts, rows["scene_id"]),
    )


def check_rows(rows: pd.DataFrame, columns: Sequence[str], *, where: str) -> None:
    """Raise DataError unless there are rows with these columns."""
    absent = [name for name in columns if name not in rows]
    if absent:
        raise DataError(f"{where}: needs a column {absent[0]!r}; got {', '.join(map(str, rows.columns)) or 'none'}. Add or rename it.")
    if rows.empty:
        raise DataError(f"{where}: needs at least one action; got none. Write some first.")


def _bag_of_words(texts: Sequence[str], unit: Unit) -> tuple[Sequence[str], Any]:
    """The W words in order and the sparse (N, W) matrix that is 1 where one occurs."""
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import CountVectorizer

    if not any(texts):
        return [], csr_array((len(texts), 0))
    reader = CountVectorizer(analyzer=lambda text: parts_of(text, unit), binary=True, dtype=np.float64)
    present_NW = csr_array(reader.fit_transform(texts))
    kept_W = np.flatnonzero(present_NW.sum(axis=0) >= max(FEWEST, len(texts) / FEWEST_OF))
    return list(reader.get_feature_names_out()[kept_W]), present_NW[:, kept_W]


def _paired(rows: pd.DataFrame) -> Bools:
    """(N,) whether an action has its like on the other side: of the actions of a scene and item the first ones of each side, as many of both."""
    place = rows.groupby(["scene_id", "item", "polarity"], sort=False).cumcount()
    sides = rows.assign(place=place).groupby(["scene_id", "item", "place"], sort=False)["polarity"].transform("nunique")
    return np.asarray(sides == 2)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _naive_bayes() -> Any:
    from sklearn.naive_bayes import MultinomialNB

    return MultinomialNB(fit_prior=False)


def _accuracy(guesser: Any, present_NW: Any, kind_N: Bools | Ints, scene_N: Ints) -> Estimate:
    """Mean over kinds of the share that is guessed right, each scene by a guesser that learnt from others."""
    scenes, scene_N = np.unique(scene_N, return_inverse=True)
    if len(scenes) < 2 or not present_NW.shape[1]:
        return NOT_KNOWN
    fold_N = np.random.default_rng(0).permutation(len(scenes))[scene_N] % min(FOLDS, len(scenes))
    right_N = np.zeros(len(kind_N), dtype=bool)
    for fold in range(fold_N.max() + 1):
        asked_N = fold_N == fold
        guessed = guesser.fit(present_NW[~asked_N], kind_N[~asked_N]).predict(present_NW[asked_N])
        right_N[asked_N] = guessed == kind_N[asked_N]
    return share_over_scenes(right_N, scene_N, np.unique(kind_N, return_inverse=True)[1], variance_factor=CROSSED)


def _cues(words: Sequence[str], present_NW: Any, supports_N: Bools, n_cues: int) -> tuple[Cue, ...]:
    """COMMON words that weigh most in a guesser that has learnt from all scenes, the heaviest first; supporting ones before violating.

    A word must stand more often on its side, too: of words that always come together one may weigh what the others do not.
    """
    if not words or not supports_N.any():
        return ()
    weight_W = np.round(_logistic().fit(present_NW, supports_N).coef_[0], 6)  # beyond that, threads of the linear algebra differ
    supports_W, violates_W = (np.asarray(present_NW[side_N].mean(axis=0), dtype=float).ravel() for side_N in (supports_N, ~supports_N))
    told = []
    for polarity, own_W, other_W in ((1, supports_W, violates_W), (-1, violates_W, supports_W)):
        usual_W = (own_W >= COMMON) & (own_W > other_W) & (polarity * weight_W > 0)
        heaviest = [int(w) for w in np.argsort(-polarity * weight_W, kind="stable") if usual_W[w]][:n_cues]
        told += [Cue(words[w], polarity, float(own_W[w]), float(other_W[w])) for w in heaviest]
    return tuple(told)


def _lengths(texts: Sequence[str], supports_N: Bools, scene_N: Ints, unit: Unit) -> Lengths:
    length_N = np.array([length_of(text, unit) for text in texts], dtype=float)
    supports, violates = (float(length_N[side_N].mean()) if side_N.any() else float("nan") for side_N in (supports_N, ~supports_N))
    return Lengths(supports, violates, standardised_difference(length_N, supports_N, scene_N))


def _repeats(texts: Sequence[str], scenes: pd.Series) -> Repeats:
    import pandas as pd

    said = pd.DataFrame({"text": texts, "scene": np.asarray(scenes)})
    again = said.duplicated(["scene", "text"], keep=False)
    elsewhere = said.groupby("text")["scene"].transform("nunique") > 1
    return Repeats(float(again.mean()), float(elsewhere.mean()))
