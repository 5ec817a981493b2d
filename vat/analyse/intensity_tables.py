"""Tables of intensities: what each job's open answers say of each value, and how far each model can be steered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vat.analyse.steered import TARGETS, alone, scored
from vat.analyse.study import Study, each
from vat.analyse.style import asked
from vat.analyse.table import interval, number
from vat.analyse.tables import Table, as_shown
from vat.measure.gain import mean_interval

if TYPE_CHECKING:
    from pandas import DataFrame

METHOD = ("model", "strategy", "settings")
ENDS = ("", "_low", "_high")
AT = {-2: "minus_2", -1: "minus_1", 1: "plus_1", 2: "plus_2"}
"""Of a target, its columns."""
FROM_ENDS = ("range", "asymmetry")
ALL = "all"


def intensity_tables(study: Study) -> list[Table]:
    """Those that there is something for."""
    return [table for table in (intensities(study), steerability(study)) if len(table.data)]


def intensities(study: Study) -> Table:
    """One row a state and value that has a Δ: before, after and delta with _low and _high, target, scenes, refused before and after."""
    found = scored(study)
    found = found[found["delta"].notna()].set_index("job")
    steps = {"step": lambda row: str(row.step)} if found["step"].any() else {}
    shown = as_shown(
        found,
        {
            **steps, "steered": lambda row: str(row.steered), "of": lambda row: row.of,
            "target": lambda row: asked(row.target) if row.target == row.target else number(None),
            "before": lambda row: _estimate(row, "before"), "after": lambda row: _estimate(row, "after"), "Δ": lambda row: _estimate(row, "delta"),
            "scenes": lambda row: f"{row.scenes:.0f}",
            "refused before": lambda row: _refused(row, "_before"), "refused": lambda row: _refused(row, ""),
        },
    )  # fmt: skip
    caption = (
        "Intensity, from −10 to 10, of what the model says it does, before and after, and their difference Δ, with 95% intervals for other "
        "countries and topics too; target is what was asked of the value, if anything, and steered how many values have one at once. Scenes are "
        f"those where both answers have an intensity; a refusal has none and is counted, among all answers. {_judges(study)}"
    )
    what = ["model", "value", "direction", "strategy", "settings", "shots", "replicate", "step", "steered", "of", "target"]
    numbers = [f"{name}{end}" for name in ("before", "after", "delta") for end in ENDS]
    refusals = [f"refused{when}{end}" for when in ("_before", "") for end in ENDS]
    return Table("intensities", "Intensities", caption.strip(), found[[*what, *numbers, "scenes", *refusals, "answers"]], shown)


def steerability(study: Study) -> Table:
    """One row a model, strategy and value that was steered by itself, and one of all values of a model and strategy.

    Columns of Δ at each target (`minus_2` … `plus_2`), range, Δ(+2) − Δ(−2), and asymmetry, Δ(+2) + Δ(−2), each with _low and _high, NaN where
    not measured. The last two take their bounds from those of both Δ: their errors are not independent, as both are set against the same answers
    before, and such an interval holds whatever their correlation.

    Source: ValueFlow, section 6.2, which speaks of asymmetric values and gives no formula. Differs: asymmetry is ours, a sum and no ratio, which
    would have no bounds where the range is not told from 0.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for method, of_method in alone(study).sort_values(list(METHOD), kind="stable").groupby(list(METHOD), sort=False):
        of_values = [_row(str(value), of_value) for value, of_value in of_method.groupby("of", sort=False)]
        whole = [_mean(pd.DataFrame(of_values))] if len(of_values) > 1 else []
        rows += [dict(zip(METHOD, method, strict=True)) | row for row in (*of_values, *whole)]
    data = pd.DataFrame(rows).rename_axis("row")
    shown = [
        {"model": row.model, "strategy": row.strategy} | ({"with": row.settings} if data["settings"].any() else {})
        | {"value": row.value} | {f"Δ at {asked(target)}": _estimate(row, name) for target, name in AT.items()}
        | {name: _estimate(row, name) for name in FROM_ENDS}
        for row in each(data)
    ]  # fmt: skip
    caption = (
        "Δ of the intensity of a value that is steered by itself, by target, with 95% intervals for other countries and topics too (over "
        "replicates the mean, with the widest bounds). range: Δ(+2) − Δ(−2). asymmetry: Δ(+2) + Δ(−2), 0 where a value moves as far down as up, "
        "above 0 where it moves further up (ours: the paper gives no formula; a ratio would have no bounds where a value hardly moves). Both "
        "have the bounds that follow from those of the two Δ, so they hold however these are correlated. all: the mean of a column over its "
        f"values, with Student's interval over values. {_judges(study)}"
    )
    return Table("steerability", "How far each value can be steered", caption.strip(), data, pd.DataFrame(shown, index=data.index))


def _row(value: str, of_value: DataFrame) -> dict[str, Any]:
    at = {row.target: (row.delta, row.low, row.high) for row in each(of_value)}
    none = (float("nan"),) * len(ENDS)
    found = {name: at.get(target, none) for target, name in AT.items()}
    (up, up_low, up_high), (down, down_low, down_high) = found[AT[max(TARGETS)]], found[AT[min(TARGETS)]]
    found |= {"range": (up - down, up_low - down_high, up_high - down_low), "asymmetry": (up + down, up_low + down_low, up_high + down_high)}
    return {"value": value} | {f"{name}{end}": x for name, bounds in found.items() for end, x in zip(ENDS, bounds, strict=True)}


def _mean(of_values: DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = {"value": ALL}
    for name in (*AT.values(), *FROM_ENDS):
        _, *bounds = mean_interval(of_values[name].to_numpy(dtype=float))
        row |= {f"{name}{end}": x for end, x in zip(ENDS, bounds, strict=True)}
    return row


def _estimate(row: Any, name: str) -> str:
    estimate, low, high = (getattr(row, f"{name}{end}") for end in ENDS)
    return f"{number(estimate, '+.2f')} {interval(low, high, '+.2f')}" if estimate == estimate else number(None)


def _refused(row: Any, when: str) -> str:
    share, low, high = (getattr(row, f"refused{when}{end}") for end in ENDS)
    return f"{number(share, '.1%')} {interval(low, high, '.1%')}"


def _judges(study: Study) -> str:
    """Who scored, as far as it is kept: intensities by several judges are on one scale only as far as these agree."""
    judges = sorted(set(study.bias["judge"]))
    return f"Judge{'s' if len(judges) > 1 else ''}: {', '.join(judges)}." if judges else ""
