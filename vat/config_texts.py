"""What the programs are told that have models write, rank or score texts: `dataset`, `vidb`, `intensity`. As `vat.config` for the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from vat.errors import ConfigError, shown
from vat.nodes import amount_or_null, build, build_each, file_names, flag, folder_name, one_of, read_keys, run_names, text, text_or_null, whole

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from vat.generate.recipe import Recipe, SearchSettings
    from vat.intensity.evaluator import Evaluator
    from vat.intensity.judging import Way
    from vat.intensity.recipe import DatabaseRecipe
    from vat.models.base import Model
    from vat.theory.file import TheoryFile
    from vat.track.settings import Tracking


@dataclass(frozen=True)
class DatasetSpec:
    """What the program `dataset` is to make: with which model, judges (name → model), recipe and search for prompts; and where it is kept.

    max_cost_usd: of all models together; None for no limit. dry_run: only tell what it would take.
    """

    name: str
    theory: TheoryFile
    model: Model
    judges: dict[str, Model]
    recipe: Recipe
    search: SearchSettings
    max_cost_usd: float | None
    dry_run: bool
    tracking: Tracking


def read_dataset(cfg: DictConfig) -> DatasetSpec:
    """Validate a composed configuration of the program `dataset`. Raises as `vat.config.read_measure`."""
    readers: dict[str, Callable[[Any], Any]] = {
        "name": partial(folder_name, "name"), "theory": partial(build, "theory"), "model": partial(build, "model"), "judges": _judges,
        "data": partial(build, "recipe", where="data"), "search": partial(build, "prompt_search", where="search"),
        "max_cost_usd": partial(amount_or_null, "max_cost_usd"), "dry_run": partial(flag, "dry_run"), "tracking": partial(build, "tracking"),
    }  # fmt: skip
    parts = read_keys(cfg, readers)
    return DatasetSpec(recipe=parts.pop("data"), **parts)


def _judges(nodes: Any) -> dict[str, Model]:
    """The judges by name. One model twice would only agree with itself."""
    if nodes is None:
        raise ConfigError("judges: must be named for this model; got none. Use judges=paper, or judges=itself where it is to judge what it writes.")
    judges = build_each("model", nodes, where="judges")
    known: dict[str, str] = {}
    for name, judge in judges.items():
        same = known.setdefault(repr(judge.identity()), name)
        if same != name:
            rule = f"judges.{name}: must be another model than judges.{same}; got {judge.label} for both"
            raise ConfigError(f"{rule}. Give one of them another, or do with one: judges=itself.")
    return judges


@dataclass(frozen=True)
class VidbSpec:
    """What the program `vidb` is to make: of which values (None for all), with which judges and panel (name → model), by which recipe.

    way: how judges answer. ratings: sheets of flagged texts that people have handed back. Otherwise as `DatasetSpec`.
    """

    name: str
    theory: TheoryFile
    values: tuple[str, ...]
    judges: dict[str, Model]
    panel: dict[str, Model]
    recipe: DatabaseRecipe
    way: Way
    max_new_tokens: int
    max_cost_usd: float | None
    dry_run: bool
    ratings: tuple[str, ...]
    tracking: Tracking


def read_vidb(cfg: DictConfig) -> VidbSpec:
    """Validate a composed configuration of the program `vidb`. Raises as `vat.config.read_measure`."""
    readers: dict[str, Callable[[Any], Any]] = {
        "name": partial(folder_name, "name"), "theory": partial(build, "theory"), "model": lambda node: None, "values": _value_names,
        "judges": _judges, "panel": lambda nodes: {} if nodes is None else build_each("model", nodes, where="panel"),
        "database": partial(build, "database"), "way": partial(one_of, "way", ("texts", "probabilities")),
        "max_new_tokens": partial(whole, "max_new_tokens", 1), "max_cost_usd": partial(amount_or_null, "max_cost_usd"),
        "dry_run": partial(flag, "dry_run"), "ratings": partial(file_names, "ratings", "[a.csv,b.csv]"), "tracking": partial(build, "tracking"),
    }  # fmt: skip
    parts = read_keys(cfg, readers)
    del parts["model"]  # it is one of the judges, where it is used
    return VidbSpec(recipe=parts.pop("database"), **parts)


@dataclass(frozen=True)
class IntensitySpec:
    """What the program `intensity` is to score, by a judge, among the texts of a database, named or by its folder.

    responses: a file; or runs, or those of a sweep: what their models say before and after, in so many scenes (None for all), each in so many tokens.
    values: none for all of the theory, or for those that a run pushes. label: the name under which the scores of a file are kept.
    """

    responses: str | None
    runs: tuple[str, ...]
    sweep: str | None
    step: int | None
    scenes: int | None
    answer_tokens: int
    vidb: str
    theory: TheoryFile
    values: tuple[str, ...]
    judge: Model
    recipe: Evaluator
    label: str
    max_new_tokens: int
    max_cost_usd: float | None
    dry_run: bool
    tracking: Tracking


def read_intensity(cfg: DictConfig) -> IntensitySpec:
    """Validate a composed configuration of the program `intensity`. Raises as `vat.config.read_measure`."""
    readers: dict[str, Callable[[Any], Any]] = {
        "responses": partial(text_or_null, "responses", "answers.csv"), "run": lambda node: run_names(node) if node else (),
        "sweep": partial(text_or_null, "sweep", "steerability"),
        "step": lambda node: None if node is None else whole("step", 0, node), "answer_tokens": partial(whole, "answer_tokens", 1),
        "scenes": lambda node: None if node is None else whole("scenes", 2, node), "vidb": partial(text, "vidb", "anchors"),
        "theory": partial(build, "theory"),
        "values": _value_names, "judge": partial(build, "model", where="judge"), "evaluator": partial(build, "evaluator"),
        "name": _name_of_scores, "max_new_tokens": partial(whole, "max_new_tokens", 1),
        "max_cost_usd": partial(amount_or_null, "max_cost_usd"), "dry_run": partial(flag, "dry_run"), "tracking": partial(build, "tracking"),
    }  # fmt: skip
    parts = read_keys(cfg, readers)
    if sum((parts["responses"] is not None, bool(parts["run"]), parts["sweep"] is not None)) != 1:
        rule = "intensity: must be of responses, of runs or of a sweep; got none, or several"
        raise ConfigError(f"{rule}. Use responses=answers.csv, run=<id>, or sweep=steerability.")
    label = parts.pop("name") or ("" if parts["responses"] is None else folder_name("name", PurePath(parts["responses"]).stem))
    return IntensitySpec(recipe=parts.pop("evaluator"), label=label, runs=parts.pop("run"), **parts)


def _name_of_scores(node: Any) -> str | None:
    """A slash, as in names of models, is a dash in that of a folder."""
    return None if node is None else folder_name("name", node.replace("/", "-") if isinstance(node, str) else node)


def _value_names(node: Any) -> tuple[str, ...]:
    """Names of values, each once; none for all."""
    names = [] if node is None else [node] if isinstance(node, str) else node
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"values: must be a list of names, or null for all; got {shown(node)}. Use values=[power,security].")
    return tuple(dict.fromkeys(names))
