"""From composed configurations to the program they are for: one primary config in conf/ is one program, and one function here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from vat.errors import ConfigError, VatError, choose

if TYPE_CHECKING:
    from omegaconf import DictConfig


Spec = TypeVar("Spec")


def run(
    program: str, cfgs: Sequence[DictConfig], *, overrides: Sequence[Sequence[str]] = (), given: Sequence[str] = (), faults: Sequence[str] = ()
) -> bool:
    """Do one point, or with -m all points of a sweep; whether all of it was done.

    Args:
        program: Name of the primary config.
        overrides: What distinguishes each point of a sweep; empty for a single point.
        given: What the command line says, for the sweep's name.
        faults: What composing the points has found wrong; reported together with what the program finds.
    Raises:
        VatError: Nothing was started.
    """
    name = program.removesuffix(".yaml")
    if name not in _PROGRAMS:
        raise ConfigError(f"-cn {program}: must be a program; got another file of conf/. {choose(name, _PROGRAMS)}")
    return _PROGRAMS[name](cfgs, overrides, given, faults)


def _align(cfgs: Sequence[DictConfig], overrides: Sequence[Sequence[str]], given: Sequence[str], faults: Sequence[str]) -> bool:
    from vat.config import read
    from vat.fanout.sweep import run_points

    specs, found = _read_each(cfgs, read, faults)
    name = cfgs[0].get("sweep") if cfgs else None
    if overrides:
        name = name or _name(given)
    rows = run_points(specs, sweep=name, faults=found, settings=_differences(overrides) if overrides and not found else ())
    return not any(row.get("failed") for row in rows)


def _measure(cfgs: Sequence[DictConfig], overrides: Sequence[Sequence[str]], given: Sequence[str], faults: Sequence[str]) -> bool:
    from vat.config import read_measure
    from vat.programs.measure import measure_again

    specs, found = _read_each(cfgs, read_measure, faults)
    if found:
        raise ConfigError("\n".join(found))
    measure_again(specs)
    return True


def _read_each(cfgs: Sequence[DictConfig], read: Callable[[DictConfig], Spec], faults: Sequence[str]) -> tuple[list[Spec], list[str]]:
    """The points that can be read, and the faults of all others together."""
    specs, found = [], list(faults)
    for cfg in cfgs:
        try:
            specs.append(read(cfg))
        except VatError as error:
            found += str(error).splitlines()
    return specs, found


_PROGRAMS: dict[str, Callable[[Sequence[DictConfig], Sequence[Sequence[str]], Sequence[str], Sequence[str]], bool]] = {
    "align": _align,
    "measure": _measure,
}


def _name(given: Sequence[str]) -> str:
    """The name of a sweep that was given none: its settings, but for where it runs and is kept, which may hold secrets."""
    return " ".join(sorted(one for one in given if not one.lstrip("+~").startswith(("tracking", "cluster", "hydra")))) or "defaults"


def _differences(overrides: Sequence[Sequence[str]]) -> list[str]:
    """For each point, the overrides that not all points share and that no column of the closing table shows."""
    from vat.analyse.table import HEADER

    shared = set.intersection(*(set(of_point) for of_point in overrides))
    columns = {*HEADER, "direction", "replicate"}
    return [" ".join(one for one in of_point if one not in shared and one.partition("=")[0] not in columns) for of_point in overrides]
