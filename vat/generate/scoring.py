"""How good a text is: its form, checked in code, and what judges say of it. One score a text, in [0, 100]; a text that breaks a rule has 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from vat.elicit.desk import Desk
from vat.generate.faults import faults_of
from vat.generate.judges import ActionUse, Judges, Reading, SceneUse, action_composite, scene_composite
from vat.generate.languages import Language
from vat.generate.plan import SUPPORTS, VIOLATES, given_of_action
from vat.generate.prompts import base_prompt
from vat.generate.rules import cleaned
from vat.theory.base import Theory

PROBE_TOKENS = 120
Given = Mapping[str, str]
Judgements = Sequence[Sequence[Reading | None]]


class Scored(NamedTuple):
    """A text with its score: NaN where no judge could be read. faults: names of the rules that it breaks. by_judge: each judge's own score."""

    text: str
    score: float
    faults: tuple[str, ...]
    by_judge: tuple[float, ...]


class Scorer(Protocol):
    """What scores texts of one kind."""

    def __call__(self, givens: Sequence[Given], texts: Sequence[str]) -> list[Scored]:
        """Score texts, each with what it was given. Raises as the desk and the judges."""


class SceneScorer:
    """Scores scenes, each with a few values: what the fixed probe does in it for and against them, and what judges say of that.

    items: the values. Source: Value Alignment Tax, appendix A.2.3 to A.2.5. Differs: a scene that breaks a rule has 0 and is not judged.
    """

    def __init__(self, desk: Desk, judges: Judges, language: Language, theory: Theory, items: Sequence[str]) -> None:
        self._desk, self._judges, self._language, self._theory, self._items = desk, judges, language, theory, items
        self._probe = base_prompt("action", language.name, instruction="probe")

    def __call__(self, givens: Sequence[Given], texts: Sequence[str]) -> list[Scored]:
        """Score scenes; given are country and topic."""
        faults = [faults_of("scene", text, self._language) for text in texts]
        good = [n for n, found in enumerate(faults) if not found]
        uses = self._uses([(givens[n], texts[n]) for n in good])
        judgements = self._judges.of_scene(uses) if uses else []
        width = len(self._items)
        of_scene = {n: [readings[at * width : (at + 1) * width] for readings in judgements] for at, n in enumerate(good)}
        return [_scored(text, faults[n], of_scene.get(n), scene_composite) for n, text in enumerate(texts)]

    def _uses(self, scenes: Sequence[tuple[Given, str]]) -> list[SceneUse]:
        """Each scene with each value, and what the probe does in it."""
        asked = [(given, text, item, polarity) for given, text in scenes for item in self._items for polarity in (SUPPORTS, VIOLATES)]
        prompts = [self._probe.prompt(given_of_action(text, item, polarity, self._theory)) for _, text, item, polarity in asked]
        said = map(cleaned, self._desk.ask("probe", prompts, max_new_tokens=PROBE_TOKENS) if prompts else [])
        return [
            SceneUse(given["country"], given["topic"], text, item, self._theory.definitions[item], supports=next(said), violates=next(said))
            for given, text in scenes for item in self._items
        ]  # fmt: skip


class ActionScorer:
    """Scores actions. Source: Value Alignment Tax, appendix A.3.2, A.3.5 and A.3.6. Differs: none."""

    def __init__(self, judges: Judges, language: Language) -> None:
        self._judges, self._language = judges, language

    def __call__(self, givens: Sequence[Given], texts: Sequence[str]) -> list[Scored]:
        """Score actions; given are scene, value, its meaning, and polarity."""
        faults = [faults_of("action", text, self._language) for text in texts]
        good = [n for n, found in enumerate(faults) if not found]
        uses = [ActionUse(givens[n]["scene"], givens[n]["value"], givens[n]["meaning"], givens[n]["polarity"], texts[n]) for n in good]
        judgements = self._judges.of_actions(uses) if uses else []
        of_action = {n: [[readings[at]] for readings in judgements] for at, n in enumerate(good)}
        return [_scored(text, faults[n], of_action.get(n), action_composite) for n, text in enumerate(texts)]


def _scored(text: str, faults: tuple[str, ...], judgements: Judgements | None, composite: Callable[[Judgements], float]) -> Scored:
    if judgements is None:
        return Scored(text, 0.0, faults, ())
    return Scored(text, composite(judgements), faults, tuple(composite([of_judge]) for of_judge in judgements))


def mean_of(scores: Sequence[float]) -> tuple[float, float, int]:
    """Mean, its standard error, and the number of scores that are known; NaN where there are too few."""
    known = [score for score in scores if not math.isnan(score)]
    n = len(known)
    mean = math.fsum(known) / n if n else math.nan  # fsum: threads bring scores in any order
    error = math.sqrt(math.fsum((score - mean) ** 2 for score in known) / (n - 1) / n) if n > 1 else math.nan
    return mean, error, n
