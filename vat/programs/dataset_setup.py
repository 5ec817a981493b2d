"""What a dataset is set up with: the settings of `-cn dataset` as models by role, a plan, frozen prompts, and what its identity follows from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from vat.config_texts import DatasetSpec
from vat.errors import ConfigError, VatError
from vat.generate.languages import Language
from vat.generate.plan import Plan, plan_of
from vat.generate.prompts import Kind, WritingPrompt, read_prompt, words
from vat.models.base import Model
from vat.theory.base import Theory

VERSION = 1
"""Raised when the same settings give another dataset than before."""
PAPER_PAIRS = (
    ("United States", "Work Orientation"), ("India", "Family & Changing Gender Roles"), ("Germany", "Politics"), ("Pakistan", "Religion"),
)  # fmt: skip
"""Of appendix A.2.2, as our topics are called."""
PAIRS = 4


class Setup(NamedTuple):
    """models: by role. judges: the roles of judges. prompts: those that were given, by kind. pairs: country and topic that prompts are tried on."""

    theory: Theory
    language: Language
    plan: Plan
    models: dict[str, Model]
    judges: list[str]
    prompts: dict[str, WritingPrompt]
    pairs: tuple[tuple[str, str], ...]
    identity: dict[str, object]


def set_up(spec: DatasetSpec) -> Setup:
    """Check the settings against each other.

    Raises:
        ConfigError, DataError: One line for each fault.
    """
    faults: list[str] = []
    theory = spec.theory.load()
    try:
        language = spec.recipe.checked(theory)
    except VatError as error:
        raise ConfigError(str(error)) from error
    prompts: dict[str, WritingPrompt] = {}
    kinds: tuple[tuple[Kind, str | None], ...] = (("scene", spec.recipe.scene_prompt), ("action", spec.recipe.action_prompt))
    for kind, path in kinds:
        try:
            if path is not None:
                prompts[kind] = read_prompt(Path(path), kind, language.name)
        except VatError as error:
            faults += str(error).splitlines()
    models: dict[str, Model] = {}
    try:
        models = _models(spec, searches=len(prompts) < len(kinds), scenes="scene" not in prompts)
    except VatError as error:
        faults += str(error).splitlines()
    if faults:
        raise ConfigError("\n".join(faults))
    pairs = _pairs(spec)
    plan = plan_of(spec.recipe.countries, spec.recipe.topics, spec.recipe.scenes_per_pair, theory)
    identity = _identity(spec, theory, language, models, prompts, pairs)
    return Setup(theory, language, plan, models, [role for role in models if role.startswith("judge ")], prompts, pairs, identity)


def _models(spec: DatasetSpec, *, searches: bool, scenes: bool) -> dict[str, Model]:
    """Who is asked, by role; only those that will be."""
    temperature = spec.recipe.temperature
    writer = spec.model.drawing(temperature) if temperature else spec.model
    models = {"writer": writer}
    if scenes:
        models |= {"probe": writer}
    if searches:
        models |= {"proposer": spec.model.drawing(spec.search.temperature)} | {f"judge {name}": judge for name, judge in spec.judges.items()}
    return models


def _pairs(spec: DatasetSpec) -> tuple[tuple[str, str], ...]:
    """As set; else the paper's, if all of them are among the countries and topics; else some that are drawn."""
    recipe = spec.recipe
    if recipe.diagnostic_pairs is not None:
        return tuple((country, topic) for country, topic in recipe.diagnostic_pairs)
    if all(country in recipe.countries and topic in recipe.topics for country, topic in PAPER_PAIRS):
        return PAPER_PAIRS
    return tuple(dict.fromkeys(recipe.pairs(PAIRS, seed=recipe.seed)))


def _identity(
    spec: DatasetSpec,
    theory: Theory,
    language: Language,
    models: dict[str, Model],
    prompts: dict[str, WritingPrompt],
    pairs: tuple[tuple[str, str], ...],
) -> dict[str, object]:
    recipe: dict[str, Any] = {
        name: setting for name, setting in asdict(spec.recipe).items()
        if name not in ("license", "scene_prompt", "action_prompt", "language", "diagnostic_pairs", "seed", "diagnostic_items")
    }  # fmt: skip
    identity: dict[str, object] = {"version": VERSION, "wording": words()["version"], "theory": theory.digest, "language": language.name, **recipe}
    identity |= {role: model.identity() for role, model in models.items() if role != "probe"}
    identity |= {f"{kind}_prompt": prompt.digest for kind, prompt in prompts.items()}
    if len(prompts) < 2:
        search = asdict(spec.search)
        del search["threads"]
        identity |= {"search": search, "seed": spec.recipe.seed, "diagnostic_items": spec.recipe.items(theory), "diagnostic_pairs": pairs}
    return identity
