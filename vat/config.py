"""What each program is told: from what Hydra composed to validated, frozen settings. Nothing but this, `vat.config_texts` and
`vat.nodes` sees a DictConfig.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from vat.errors import ConfigError, VatError, choose, shown
from vat.nodes import (
    GROUPS,
    build,
    build_each,
    file_names,
    flag,
    one_of,
    plain,
    read_keys,
    run_names,
    text,
    text_or_null,
    whole,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from vat.align.base import Strategy
    from vat.analyse.figures.base import Figure
    from vat.data.base import DataSource
    from vat.elicit.rating import RatingElicitation
    from vat.fanout.cluster import Cluster
    from vat.fanout.space import Range
    from vat.generate.sheets import Form
    from vat.measure.base import Measure
    from vat.models.base import Model
    from vat.theory.file import TheoryFile
    from vat.track.settings import Tracking

JOB_PARTS = ("theory", "data", "model", "elicit", "strategy")
"""The groups that determine a job."""
SCALARS = ("value", "direction", "replicate", "sweep")
_OF_A_POINT = tuple(group for group in GROUPS if group not in ("figure", "scores_figure", "recipe", "prompt_search", "database", "evaluator"))


@dataclass(frozen=True)
class JobSpec:
    """What a job is of: all that its key follows from, and where it is kept.

    direction: 1, -1, or None for the theory's default.
    """

    theory: TheoryFile
    data: DataSource
    model: Model
    elicit: RatingElicitation
    strategy: Strategy
    tracking: Tracking
    value: str
    direction: int | None
    replicate: int


@dataclass(frozen=True)
class AlignSpec(JobSpec):
    """One point of a sweep of the program `align`: a job, and how it is done and measured.

    measures: name → measure, in the order in which they were named.
    sweep: name of the sweep it belongs to, None if it is run alone.
    """

    measures: dict[str, Measure]
    cluster: Cluster
    sweep: str | None


def read(cfg: DictConfig) -> AlignSpec:
    """Validate a composed configuration.

    Raises:
        ConfigError: One line for each fault.
    """
    faults: list[str] = []
    parts: dict[str, Any] = {}
    scalars: dict[str, Any] = {}
    for key in cfg:
        if key not in {*_OF_A_POINT, *SCALARS, "shots", "hydra"}:
            faults.append(f"{key!s}: must be a setting; got an unknown key. {choose(str(key), (*_OF_A_POINT, *SCALARS, 'shots'))}")
    for key in (*_OF_A_POINT, *SCALARS):
        try:
            if key == "measure":
                parts["measures"] = build_each(key, plain(cfg, key))
            elif key in _OF_A_POINT:
                parts[key] = build(key, plain(cfg, key))
            else:
                scalars[key] = plain(cfg, key)
                faults += _SCALAR_RULES[key](scalars[key])
        except VatError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    return AlignSpec(**parts, **scalars)


@dataclass(frozen=True)
class MeasureSpec:
    """What the program `measure` is to do: which runs, by id or job, to measure with what."""

    runs: tuple[str, ...]
    measures: dict[str, Measure]
    tracking: Tracking


def read_measure(cfg: DictConfig) -> MeasureSpec:
    """Validate a composed configuration of the program `measure`.

    Raises:
        ConfigError: One line for each fault.
    """
    parts = read_keys(cfg, {"run": run_names, "measure": partial(build_each, "measure"), "tracking": partial(build, "tracking")})
    return MeasureSpec(parts["run"], parts["measure"], parts["tracking"])


@dataclass(frozen=True)
class CasesSpec:
    """What the program `cases` is to tell: of which runs, of which of their states (None for the last), and how many cases of each.

    max_new_tokens: of each answer, thoughts included.
    """

    runs: tuple[str, ...]
    step: int | None
    count: int
    max_new_tokens: int
    tracking: Tracking


def read_cases(cfg: DictConfig) -> CasesSpec:
    """Validate a composed configuration of the program `cases`. Raises as `read_measure`."""
    readers: dict[str, Callable[[Any], Any]] = {
        "run": run_names, "step": lambda node: None if node is None else whole("step", 0, node),
        "count": partial(whole, "count", 1), "max_new_tokens": partial(whole, "max_new_tokens", 1), "tracking": partial(build, "tracking"),
    }  # fmt: skip
    parts = read_keys(cfg, readers)
    return CasesSpec(parts.pop("run"), **parts)


@dataclass(frozen=True)
class StatusSpec:
    """What the program `status` is to look at."""

    tracking: Tracking


def read_status(cfg: DictConfig) -> StatusSpec:
    """Validate a composed configuration of the program `status`. Raises as `read_measure`."""
    return StatusSpec(**read_keys(cfg, {"tracking": partial(build, "tracking")}))


@dataclass(frozen=True)
class ReportSpec:
    """What the program `report` is to be about: a sweep, runs by id or job, or a condition of MLflow's; or sets of scores and databases, by name or
    pattern. And its figures, name → figure, of runs and of scores.
    """

    sweep: str | None
    runs: tuple[str, ...]
    filter: str | None
    scores: tuple[str, ...]
    figures: dict[str, Figure]
    scores_figures: dict[str, Figure]
    tracking: Tracking


def read_report(cfg: DictConfig) -> ReportSpec:
    """Validate a composed configuration of the program `report`. Raises as `read_measure`."""
    readers: dict[str, Callable[[Any], Any]] = {
        "sweep": partial(text_or_null, "sweep", "mysweep"), "runs": lambda node: run_names(node) if node else (),
        "filter": partial(text_or_null, "filter", "\"params.model = 'tiny'\""), "scores": partial(file_names, "scores", "[size-*]"),
        "figure": partial(build_each, "figure"), "scores_figure": partial(build_each, "scores_figure"), "tracking": partial(build, "tracking"),
    }  # fmt: skip
    parts = read_keys(cfg, readers)
    spec = ReportSpec(figures=parts.pop("figure"), scores_figures=parts.pop("scores_figure"), **parts)
    if sum((spec.sweep is not None, bool(spec.runs), spec.filter is not None, bool(spec.scores))) != 1:
        raise ConfigError("report: must be about one of sweep, runs, filter and scores; got none, or several. Use sweep=table2.")
    return spec


@dataclass(frozen=True)
class CleanSpec:
    """What the program `clean` is to remove of finished jobs: their weights, the parts of their answers; or only to tell what that is."""

    weights: bool
    parts: bool
    dry_run: bool
    tracking: Tracking


def read_clean(cfg: DictConfig) -> CleanSpec:
    """Validate a composed configuration of the program `clean`. Raises as `read_measure`."""
    readers: dict[str, Callable[[Any], Any]] = {name: partial(flag, name) for name in ("weights", "parts", "dry_run")}
    return CleanSpec(**read_keys(cfg, readers | {"tracking": partial(build, "tracking")}))


@dataclass(frozen=True)
class AnnotateSpec:
    """What the program `annotate` is to do with a dataset, named or by its folder.

    ratings: files that were handed back; none: make the sheets, of so many instances for so many annotators, in the form xlsx or csv.
    """

    dataset: str
    ratings: tuple[str, ...]
    theory: TheoryFile
    count: int
    annotators: int
    seed: int
    form: Form
    tracking: Tracking


def read_annotate(cfg: DictConfig) -> AnnotateSpec:
    """Validate a composed configuration of the program `annotate`. Raises as `read_measure`."""
    readers: dict[str, Callable[[Any], Any]] = {
        "dataset": partial(text, "dataset", "mine"), "ratings": partial(file_names, "ratings", "[a.xlsx,b.csv]"),
        "theory": partial(build, "theory"), "count": partial(whole, "count", 1), "annotators": partial(whole, "annotators", 1),
        "seed": partial(whole, "seed", 0), "form": partial(one_of, "form", ("xlsx", "csv")), "tracking": partial(build, "tracking"),
    }  # fmt: skip
    return AnnotateSpec(**read_keys(cfg, readers))


@dataclass(frozen=True)
class SearchSpec:
    """What the program `search` is to try.

    name: None for one that follows from the rest. trials: how many in all; at_once: how many of them are drawn together.
    space: setting → the values, or the range, that it is chosen from.
    point: the point where settings have given values, everything else being as configured; raises as `read`.
    """

    name: str | None
    trials: int
    at_once: int
    seed: int
    space: dict[str, Range | tuple[Any, ...]]
    point: Callable[[Mapping[str, Any]], AlignSpec]


def read_search(cfg: DictConfig) -> SearchSpec:
    """Validate a composed configuration of the program `search`. Raises as `read_measure`."""
    from omegaconf import OmegaConf, open_dict

    from vat.fanout.space import leaves, space_of

    fixed = deepcopy(cfg)
    with open_dict(fixed):
        node = fixed.pop("search", None)

    def point(values: Mapping[str, Any]) -> AlignSpec:
        changed = deepcopy(fixed)
        for key, value in values.items():
            OmegaConf.update(changed, key, value)
        return read(changed)

    faults, parts = [], {}
    try:
        base = point({})
        if not base.strategy.has_target:
            faults.append("strategy: a search is about one that pushes a value; got one that does not. Use strategy=steering, sft or dpo.")
        if base.sweep is not None:
            faults.append(f"sweep: a search is named by search.name; got {shown(base.sweep)}. Use that.")
        if "tax" not in base.measures:
            faults.append(f"measure: a search needs gain and nvat; got {', '.join(base.measures)}. Add tax.")
    except VatError as error:
        faults += str(error).splitlines()
    try:
        known = {*leaves("strategy", plain(fixed, "strategy")), "shots"}
        parts = read_keys(
            node if OmegaConf.is_dict(node) else OmegaConf.create({}),
            {
                "name": partial(text_or_null, "search.name", "mysearch"),
                "trials": partial(whole, "search.trials", 1), "at_once": partial(whole, "search.at_once", 1),
                "seed": partial(whole, "search.seed", 0), "space": partial(space_of, known),
            },
        )  # fmt: skip
    except VatError as error:
        faults += str(error).splitlines()
    if faults:
        raise ConfigError("\n".join(faults))
    return SearchSpec(**parts, point=point)


def _value_rule(value: object) -> list[str]:
    return [] if isinstance(value, str) else [f"value: must be the name of a value; got {shown(value)}. Use value=power."]


def _direction_rule(direction: object) -> list[str]:
    if direction is None or (type(direction) is int and direction in (1, -1)):
        return []
    return [f"direction: must be 1, -1 or null; got {shown(direction)}. Use direction=1 to push up, -1 to push down."]


def _replicate_rule(replicate: object) -> list[str]:
    if type(replicate) is int and replicate >= 0:
        return []
    return [f"replicate: must be 0, 1, 2 …; got {shown(replicate)}. Use replicate=0."]


def _sweep_rule(sweep: object) -> list[str]:
    try:
        text_or_null("sweep", "mysweep", sweep)
    except ConfigError as error:
        return [str(error)]
    return []


_SCALAR_RULES = {"value": _value_rule, "direction": _direction_rule, "replicate": _replicate_rule, "sweep": _sweep_rule}
