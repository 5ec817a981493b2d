"""How much scores depend on the size of windows and on their number (ValueFlow, Figure 34)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from vat.analyse.figures.base import Figure, tip
from vat.analyse.study import each
from vat.analyse.style import Look, plain
from vat.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from pandas import DataFrame

    from vat.analyse.scores import Scores

VARIED = {"size": "texts a window", "iterations": "windows a response"}


@settings
class Sensitivity(Figure):
    """scores_figure=sensitivity. A panel for sets that differ in one setting of the windows alone, a line a value.

    Source: ValueFlow, appendix D.8, Figure 34. Differs: with intervals, and how far single scores are from those at the largest setting.
    """

    title: ClassVar[str] = "How many windows, and how large?"
    caption: ClassVar[str] = (
        "Mean intensity of the responses on each value by the size of windows, or by their number, all else equal, with 95% intervals over "
        "responses. Pointing at a mark tells how far single responses are on average from their score at the largest setting. The same responses "
        "are scored each time: lines that are level where intervals are wide are steady all the same."
    )
    needs: ClassVar[str] = "scores of the same responses in windows of other size or number: -cn intensity +ablation=size, +ablation=iterations"
    size: ClassVar[tuple[float, float]] = (3.4, 3.0)

    def data(self, scores: Scores) -> DataFrame:
        """A row a mark: varied, at, of, mean with low and high, change (mean distance of single scores from those at the largest setting)."""
        import pandas as pd

        parts = []
        for varied in VARIED:
            for n, sets in enumerate(scores.alike(varied)):
                found = scores.values.merge(sets[["name", "kind", varied]], on=["name", "kind"]).rename(columns={varied: "at"})
                single = scores.responses[scores.responses["name"].isin(sets["name"])]
                last = single[single["name"] == sets["name"].iloc[-1]][["of", "response", "intensity"]].rename(columns={"intensity": "last"})
                apart = single.merge(last, on=["of", "response"])
                apart = apart.assign(change=(apart["intensity"] - apart["last"]).abs())
                mean = apart.groupby(["name", "of"], as_index=False)[["change"]].mean()
                found = found.merge(mean, on=["name", "of"]).sort_values(["of", "at"], kind="stable")
                other = next(name for name in VARIED if name != varied)
                told = f"{sets['judge'].iloc[0]} · {VARIED[other]}: {sets[other].iloc[0]:.0f}" + (f" ({n + 1})" if n else "")
                parts.append(found.assign(varied=varied, panel=f"by {VARIED[varied]} · {told}"))
        columns = ["varied", "at", "of", "mean", "low", "high", "change", "panel"]
        return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Lines, a little beside each other so that their intervals are seen."""
        values = [value for value in look.theory.values if value in set(rows["of"])]
        for n, value in enumerate(values):
            line = rows[rows["of"] == value]
            beside = (n - (len(values) - 1) / 2) * min(0.02, 0.3 / len(values))
            style: dict[str, Any] = {"color": look.colour(value), "marker": look.marker(value)}
            axes.plot(line["at"] + beside, line["mean"], linewidth=1, alpha=0.8, color=style["color"])
            for row in each(line):
                axes.plot([row.at + beside] * 2, [row.low, row.high], color=style["color"], linewidth=0.6, alpha=0.5)
                [dot] = axes.plot([row.at + beside], [row.mean], linestyle="none", **style)
                said = f"{plain(value)} at {row.at:.0f}: {row.mean:+.2f} [{row.low:+.2f}, {row.high:+.2f}]"
                tip(dot, f"{said}; single scores {row.change:.2f} from those at the largest")
        axes.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        axes.set_xticks(sorted(set(rows["at"])))
        axes.set_xlabel(VARIED[rows["varied"].iloc[0]])
        axes.set_ylabel("mean intensity")

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """The values."""
        return of_values(rows, look)


def of_values(rows: DataFrame, look: Look) -> list[Any]:
    """A legend of the values in the column `of`."""
    from matplotlib.lines import Line2D

    values = [value for value in look.theory.values if value in set(rows["of"])]
    return [Line2D([], [], color=look.colour(value), marker=look.marker(value), linewidth=1, label=plain(value)) for value in values]
