"""How often models refuse to answer, by the target that they are steered to: model by model, and value by value (ValueFlow, Figures 9, 31 and 32)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vat.analyse.figures.base import Figure, split_panels, tip
from vat.analyse.figures.steerability import METHOD, MOST, target_bars, targets
from vat.analyse.steered import TARGETS, scored
from vat.analyse.study import STATE, each
from vat.analyse.style import Look, asked, on_bars
from vat.settings import settings
from vat.shares import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Page
    from pandas import DataFrame

    from vat.analyse.study import Study

_PLACES = (None, *TARGETS)
"""Along a panel: before, then each target."""


@settings
class Refusals(Figure):
    """figure=refusals. A panel a model, its strategies side by side; a panel a strategy that has steered several values, a row a value.

    Source: ValueFlow, Figures 9, 31 and 32. Differs: with intervals, and beside what is refused without steering.
    """

    title: ClassVar[str] = "Who refuses when steered"
    caption: ClassVar[str] = (
        "Share of open answers that are refusals where one value is steered, by target, with Wilson's 95% interval of the counts of all jobs "
        "together (all values of a model; or all models, value by value). It takes answers as independent, which those to one scene are not "
        "quite. Before: the same scenes without steering, counted once and not again for each job. The scale is that of the page."
    )
    needs: ClassVar[str] = "a job with strategy=intensity_anchor or user_texts whose answers were scored (-cn intensity run=<job>)"
    size: ClassVar[tuple[float, float]] = (3.3, 4.0)
    beside: ClassVar[float] = 0.9

    def data(self, study: Study) -> DataFrame:
        """A row a bar: group (a value, or none where it is about a model), target (NaN: before), share with low and high, refusals, answers, jobs."""
        import pandas as pd

        found = scored(study)
        found = found[(found["steered"] == 1) & found["strongest"] & found["target"].notna() & (found["answers"] > 0)].drop_duplicates([*STATE])
        found = found.sort_values(METHOD, kind="stable")
        rows: list[dict[str, Any]] = []
        for model, of_model in found.groupby("model", sort=False):
            about: dict[str, Any] = {"panel": model, "model": model, "strategy": "", "settings": "", "group": "", "target": np.nan}
            rows.append(about | _before(of_model))
            for (strategy, given, target), jobs in of_model.groupby(["strategy", "settings", "target"]):
                rows.append(about | {"strategy": strategy, "settings": given, "target": target} | _pooled(jobs))
        place = {value: n for n, value in enumerate(study.theory.values)}
        for (strategy, given), of_method in found.groupby(["strategy", "settings"]):
            if of_method["of"].nunique() == 1:
                continue
            panel = f"{'all models' if of_method['model'].nunique() > 1 else 'by value'} · {strategy}" + (f"\n{given}" if given else "")
            about = {"panel": panel, "model": "", "strategy": strategy, "settings": given}
            for value in sorted(set(of_method["of"]), key=place.__getitem__):
                for target, jobs in of_method[of_method["of"] == value].groupby("target"):
                    rows.append(about | {"group": value, "target": target} | _pooled(jobs))
        return split_panels(pd.DataFrame(rows), ["group"], MOST) if rows else pd.DataFrame(columns=["panel"])

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Bars of a model upright, those of values lying."""
        from matplotlib.ticker import PercentFormatter

        if rows["group"].iloc[0]:
            target_bars(axes, rows, "share", _told)
            axes.set_xlabel("refused")
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.locator_params(axis="x", nbins=5)
        else:
            _upright(axes, rows, look)
            axes.set_ylabel("refused")
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.locator_params(axis="y", nbins=6)

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """The strategies of models' panels, and the targets of values'."""
        from matplotlib.patches import Patch

        of_models = rows[rows["group"] == ""]
        methods = of_models[of_models["strategy"] != ""][["strategy", "settings"]].drop_duplicates()
        of_strategies = [
            Patch(edgecolor="white", linewidth=0, label=" ".join(filter(None, (row.strategy, row.settings))), **look.bar_of_strategy(row.strategy))
            for row in each(methods.drop_duplicates("strategy") if methods["settings"].eq("").all() else methods)
        ]  # fmt: skip
        return [*of_strategies, *targets(rows[rows["group"] != ""])]

    def finish(self, page: Page, rows: DataFrame) -> None:
        """One scale for shares."""
        most = min(1.0, max(float(rows["high"].max()) * 1.05, 0.05))
        panels = [bool(of_panel["group"].iloc[0]) for _, of_panel in rows.groupby("panel", sort=False)]
        for axes, of_values in zip(page.axes, panels, strict=False):
            (axes.set_xlim if of_values else axes.set_ylim)(0, most)


def _upright(axes: Axes, rows: DataFrame, look: Look) -> None:
    """Targets beside each other, with a bar a strategy; before them one bar, as no strategy is at work there."""
    places = [place for place in _PLACES if place is None or place in set(rows["target"])]
    methods = list(rows[rows["strategy"] != ""][["strategy", "settings"]].drop_duplicates().itertuples(index=False, name=None))
    width = 0.8 / len(methods)
    for row in each(rows):
        before = not row.strategy
        shift = 0.0 if before else width * (methods.index((row.strategy, row.settings)) - (len(methods) - 1) / 2)
        at = (0 if before else places.index(int(row.target))) + shift
        style = {"facecolor": "0.65"} if before else look.bar_of_strategy(row.strategy)
        [bar] = axes.bar([at], [row.share], width=width * 0.92, edgecolor="white", linewidth=0, **style)
        axes.plot([at, at], [row.low, row.high], color="black", **on_bars(0.8))
        what = "before" if before else " ".join(filter(None, (row.strategy, asked(row.target), row.settings)))
        tip(bar, f"{what}: {_told(row)}")
    axes.set_xticks(range(len(places)), ["before" if place is None else asked(place) for place in places])
    axes.set_xlabel("target")
    axes.tick_params(axis="x", length=0)
    axes.grid(True, axis="y")
    axes.set_axisbelow(True)


def _told(row: Any) -> str:
    return f"{row.share:.1%} [{row.low:.1%}, {row.high:.1%}], {row.refusals} of {row.answers} answers, {row.jobs} job{'s' if row.jobs > 1 else ''}"


def _pooled(jobs: DataFrame) -> dict[str, Any]:
    """Counts of jobs together."""
    return _share(int((jobs["refused"] * jobs["answers"]).round().sum()), int(jobs["answers"].sum()), len(jobs))


def _before(jobs: DataFrame) -> dict[str, Any]:
    """The jobs of a model ask it the same before: as many answers as one of them has, of which their mean share is refused."""
    answers = int(jobs["answers"].max())
    return _share(round(float(jobs["refused_before"].mean()) * answers), answers, len(jobs))


def _share(refusals: int, answers: int, jobs: int) -> dict[str, Any]:
    low, high = wilson(refusals, answers)
    return {"share": refusals / answers, "low": low, "high": high, "refusals": refusals, "answers": answers, "jobs": jobs}
