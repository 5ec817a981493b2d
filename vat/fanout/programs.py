"""From composed configurations to the program they are for: one primary config in conf/ is one program, and one function here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from vat.errors import ConfigError, VatError, choose

if TYPE_CHECKING:
    from omegaconf import DictConfig


Spec = TypeVar("Spec")


class Launch(NamedTuple):
    """What the command line asks for.

    cfgs: the composed points, one or those of a sweep, each good until the next is asked for. overrides: what distinguishes each point of a
    sweep; empty for a single point. given: what the command line says, for the sweep's name. faults: what composing the points has found wrong.
    side_by_side: a sweep's jobs on Ray, or one after the other in this process.
    """

    cfgs: Iterable[DictConfig]
    overrides: Sequence[Sequence[str]] = ()
    given: Sequence[str] = ()
    faults: Sequence[str] = ()
    side_by_side: bool = False


def run(program: str, launch: Launch) -> bool:
    """Do what the command line asks for; whether all of it was done.

    Args:
        program: Name of the primary config.
    Raises:
        VatError: Nothing was started.
    """
    name = program.removesuffix(".yaml")
    if name not in _PROGRAMS:
        raise ConfigError(f"-cn {program}: must be a program; got another file of conf/. {choose(name, _PROGRAMS)}")
    return _PROGRAMS[name](launch)


def _align(launch: Launch) -> bool:
    from vat.config import read
    from vat.fanout.in_turn import in_turn
    from vat.fanout.on_ray import on_ray
    from vat.fanout.sweep import run_points

    specs, found = _read_each(launch, read)
    name = specs[0].sweep if specs else None
    if launch.overrides:
        name = name or _name(launch.given)
    settings = _differences(launch.overrides) if launch.overrides and not found else ()
    rows = run_points(specs, sweep=name, faults=found, settings=settings, work=on_ray if launch.side_by_side else in_turn)
    return not any(row.get("failed") for row in rows)


def _measure(launch: Launch) -> bool:
    from vat.config import read_measure
    from vat.programs.measure import measure_again

    measure_again(_read_all(launch, read_measure))
    return True


def _cases(launch: Launch) -> bool:
    from vat.config import read_cases
    from vat.programs.cases import tell_cases

    tell_cases(_read_all(launch, read_cases))
    return True


def _status(launch: Launch) -> bool:
    from vat.config import read_status
    from vat.programs.status import status_lines

    for spec in _read_all(launch, read_status):
        print("\n".join(status_lines(spec.tracking)))
    return True


def _clean(launch: Launch) -> bool:
    from vat.config import read_clean
    from vat.programs.clean import clean

    for spec in _read_all(launch, read_clean):
        clean(spec)
    return True


def _report(launch: Launch) -> bool:
    from vat.config import read_report
    from vat.programs.report import report

    for spec in _read_all(launch, read_report):
        report(spec)
    return True


def _annotate(launch: Launch) -> bool:
    from vat.config import read_annotate
    from vat.programs.annotate import annotate

    for spec in _read_all(launch, read_annotate):
        annotate(spec)
    return True


def _dataset(launch: Launch) -> bool:
    from vat.config_texts import read_dataset
    from vat.programs.dataset import make_dataset

    for spec in _read_all(launch, read_dataset):
        make_dataset(spec)
    return True


def _vidb(launch: Launch) -> bool:
    from vat.config_texts import read_vidb
    from vat.programs.vidb import make_database

    for spec in _read_all(launch, read_vidb):
        make_database(spec)
    return True


def _intensity(launch: Launch) -> bool:
    from vat.config_texts import read_intensity
    from vat.programs.intensity import score_responses

    for spec in _read_all(launch, read_intensity):
        score_responses(spec)
    return True


def _search(launch: Launch) -> bool:
    from vat.config import read_search
    from vat.fanout.search import search

    side_by_side = launch.side_by_side or (not launch.overrides and _is_on_ray())
    found = [search(spec, side_by_side=side_by_side) for spec in _read_all(launch, read_search)]
    return all(found)


def _is_on_ray() -> bool:
    """Whether hydra/launcher=ray, where there is no -m to call it."""
    from hydra.core.hydra_config import HydraConfig

    return bool(HydraConfig.initialized() and HydraConfig.get().runtime.choices["hydra/launcher"] == "ray")


def _read_all(launch: Launch, read: Callable[[DictConfig], Spec]) -> list[Spec]:
    """All points, or a ConfigError with the faults of all of them."""
    specs, found = _read_each(launch, read)
    if found:
        raise ConfigError("\n".join(found))
    return specs


def _read_each(launch: Launch, read: Callable[[DictConfig], Spec]) -> tuple[list[Spec], list[str]]:
    """The points that can be read, and the faults of all others together."""
    specs, found = [], []
    for cfg in launch.cfgs:
        try:
            specs.append(read(cfg))
        except VatError as error:
            found += str(error).splitlines()
    return specs, [*launch.faults, *found]


_PROGRAMS: dict[str, Callable[[Launch], bool]] = {
    "align": _align, "search": _search, "measure": _measure, "cases": _cases, "status": _status, "clean": _clean, "report": _report,
    "annotate": _annotate, "dataset": _dataset, "vidb": _vidb, "intensity": _intensity,
}  # fmt: skip


def _name(given: Sequence[str]) -> str:
    """The name of a sweep that was given none: its settings, but for where it runs and is kept, which may hold secrets."""
    return " ".join(sorted(one for one in given if not one.lstrip("+~").startswith(("tracking", "cluster", "hydra")))) or "defaults"


def _differences(overrides: Sequence[Sequence[str]]) -> list[str]:
    """For each point, the overrides that not all points share and that no column of the closing table shows."""
    from vat.analyse.table import HEADER

    shared = set.intersection(*(set(of_point) for of_point in overrides))
    columns = {*HEADER, "direction", "replicate"}
    return [" ".join(one for one in of_point if one not in shared and one.partition("=")[0] not in columns) for of_point in overrides]
