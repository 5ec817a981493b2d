"""Tables of a report that compare strategies: what each commands of gain × tax over all its doses, and which is better at equal gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from vat.analyse.study import Study, each
from vat.analyse.style import plain, signed
from vat.analyse.summary import MOST_NAMED
from vat.analyse.table import interval, number, probability
from vat.analyse.tables import LEVEL, Table
from vat.measure.base import Shifted
from vat.programs.equal_gain import AtEqualGain, at_equal_gain
from vat.programs.hypervolumes import Hypervolume, HypervolumeDifference, hypervolumes
from vat.programs.replicates import FEW
from vat.programs.trajectories import States

if TYPE_CHECKING:
    from pandas import DataFrame

HYPERVOLUME = (
    "Area of gain × nVAT that a strategy's doses dominate, up to no gain and the largest tax there can be, 1: more gain or less tax at any dose "
    "makes it larger. Intervals are 95%, over scenes and replicates. More doses command more: compare strategies with as many of them. "
)
EQUAL_GAIN = (
    "Tax free of chance where the strategies' trajectories first reach a gain, interpolated between doses: at the largest gain that all replicates "
    "reach, and at half of it; the difference on the same scenes, with its 95% interval. q is the false discovery rate over the table. "
)


class Methods(NamedTuple):
    """What a study says of strategies: tables, and sentences for its summary."""

    tables: list[Table]
    words: list[str]


def compared(study: Study) -> Methods:
    """Hypervolumes, their differences, and taxes at equal gain, as far as there is something to compare."""
    rows, states = rows_of(study), states_of(study)
    found, equal = hypervolumes(rows, states), at_equal_gain(rows, states)
    tables = []
    if found.each:
        tables.append(Table("hypervolumes", "Gain and tax over all doses", HYPERVOLUME + _few(found.each), *_tables(found.each, _hypervolume)))
    if found.differences:
        caption = "First minus second strategy, on the same scenes and replicates. " + HYPERVOLUME + _few(found.differences)
        tables.append(Table("hypervolume_differences", "One strategy against another, over all doses", caption, *_tables(found.differences, _apart)))
    if equal:
        tables.append(Table("equal_gain", "One strategy against another, at equal gain", EQUAL_GAIN + _few(equal), *_tables(equal, _at_equal_gain)))
    return Methods(tables, [text for text in (_over_all_doses(found.differences), _at_one_gain(equal)) if text])


def _over_all_doses(differences: Sequence[HypervolumeDifference]) -> str:
    if not differences:
        return ""
    sure = [one for one in differences if one.q < LEVEL]
    if not sure:
        return "Over all doses no strategy is told from another in gain and tax (false discovery rate)."
    told = []
    for one in sure[:MOST_NAMED]:
        better, worse = (one.first, one.second) if one.difference.estimate > 0 else (one.second, one.first)
        doses = "" if len(set(one.n_doses)) == 1 else f", with {' and '.join(map(str, one.n_doses))} doses of {one.first} and {one.second}"
        told.append(f"{better} commands more of gain and low tax than {worse} ({_of(one)}, by {abs(one.difference.estimate):.3f} of area{doses})")
    more = f"; {len(sure) - MOST_NAMED} more differences are in the table" if len(sure) > MOST_NAMED else ""
    return f"Over all doses {'; '.join(told)} (false discovery rate below {LEVEL:.0%}){more}."


def _at_one_gain(equal: Sequence[AtEqualGain]) -> str:
    if not equal:
        return ""
    sure = [one for one in equal if one.q < LEVEL]
    if not sure:
        return f"At equal gain no strategy's tax is told from another's ({len(equal)} comparisons, false discovery rate)."
    told = []
    for one in sure[:MOST_NAMED]:
        less, more = (one.second, one.first) if one.difference.estimate > 0 else (one.first, one.second)
        told.append(f"{less} costs less than {more} ({_of(one)}, at gain {one.gain:+.2f}, by {abs(one.difference.estimate):.3f})")
    return f"At equal gain {'; '.join(told)} (false discovery rate below {LEVEL:.0%})."


def _of(one: HypervolumeDifference | AtEqualGain) -> str:
    return f"{plain(one.value)} {signed(one.direction)} of {one.model}"


def rows_of(study: Study) -> list[dict[str, Any]]:
    """Jobs as the tables of a sweep take them."""
    gain = {job: None if x != x else float(x) for job, x in study.of_the_last_state("gain")["estimate"].items()}
    names = ("model", "value", "direction", "strategy", "settings", "replicate", "job")
    return [
        {name: getattr(row, name) for name in names}
        | {"shots": None if row.shots != row.shots else int(row.shots), "metrics": {"gain": gain[row.job]}}
        for row in each(study.points.drop_duplicates("job"))
    ]


def states_of(study: Study) -> States:
    """Job → its states in order of their step."""
    states: dict[str, list[Callable[[], Shifted]]] = {}
    for row in each(study.points.sort_values("step", kind="stable")):
        states.setdefault(row.job, []).append(partial(study.shifted, row.job, row.step))
    return states


def _tables(records: Sequence[Any], shown: Any) -> tuple[DataFrame, DataFrame]:
    """All digits, a column a number; and the same as people read it."""
    import pandas as pd

    data = pd.DataFrame([_flat(record._asdict()) for record in records])
    return data.rename_axis("row"), pd.DataFrame([shown(record) for record in records], index=data.index)


def _flat(record: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, entry in record.items():
        if hasattr(entry, "_asdict"):
            flat |= _flat(entry._asdict(), f"{above}{name}_")
        elif isinstance(entry, tuple):
            flat |= {f"{above}{name}_{n + 1}": one for n, one in enumerate(entry)}
        else:
            flat[f"{above}{name}"] = entry
    return flat


def _hypervolume(one: Hypervolume) -> dict[str, str]:
    area = one.hypervolume
    return _what(one) | {
        "strategy": one.strategy, "doses": str(one.n_doses), "replicates": str(one.n_replicates),
        "hypervolume": f"{number(area.estimate)} {interval(area.low, area.high)}",
    }  # fmt: skip


def _apart(one: HypervolumeDifference) -> dict[str, str]:
    apart = one.difference
    return _what(one) | {
        "first": one.first, "second": one.second, "doses": " and ".join(map(str, one.n_doses)), "replicates": str(one.n_replicates),
        "first - second": f"{number(apart.estimate, '+.3f')} {interval(apart.low, apart.high, '+.3f')}",
        "p": probability(apart.p), "q": probability(one.q),
    }  # fmt: skip


def _at_equal_gain(one: AtEqualGain) -> dict[str, str]:
    taxes = {
        f"tax of {which}": f"{number(tax.estimate)} {interval(tax.low, tax.high)}"
        for which, tax in (("first", one.first_tax), ("second", one.second_tax))
    }
    apart = one.difference
    first = {"first": one.first, "second": one.second, "replicates": str(one.n_replicates), "at gain": number(one.gain, "+.3f")}
    last = {
        "first - second": f"{number(apart.estimate, '+.3f')} {interval(apart.low, apart.high, '+.3f')}",
        "p": probability(apart.p), "q": probability(one.q),
    }  # fmt: skip
    return _what(one) | first | taxes | last


def _what(one: Any) -> dict[str, str]:
    return {"model": one.model, "value": one.value, "dir": f"{one.direction:+d}"} | ({"with": one.settings} if one.settings else {})


def _few(records: Sequence[Any]) -> str:
    """What the fewest replicates allow to say."""
    note = FEW.get(min(record.n_replicates for record in records))
    return f"Here: {note}." if note else ""
