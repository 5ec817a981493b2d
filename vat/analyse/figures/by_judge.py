"""How much scores depend on who judges (ValueFlow, Figure 33)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from vat.analyse.figures.base import Figure, tip
from vat.analyse.study import each
from vat.analyse.style import COLOURS, MARKERS, Look, plain
from vat.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from pandas import DataFrame

    from vat.analyse.scores import Scores


@settings
class ByJudge(Figure):
    """scores_figure=by_judge. A panel for sets that differ in the judge alone, a row a value, a mark a judge.

    Source: ValueFlow, appendix D.8, Figure 33. Differs: with intervals; ratings beside rankings.
    """

    title: ClassVar[str] = "Do judges agree?"
    caption: ClassVar[str] = (
        "Mean intensity of the same responses on each value by each judge, all else equal, with 95% intervals over responses. As responses are "
        "the same, marks may differ for sure where intervals overlap; the table of instability compares response by response."
    )
    needs: ClassVar[str] = "scores of the same responses by two judges: -cn intensity +ablation=ranking"
    size: ClassVar[tuple[float, float]] = (3.4, 3.2)

    def data(self, scores: Scores) -> DataFrame:
        """A row a mark: judge with its number, of, mean with low and high."""
        import pandas as pd

        parts = []
        for sets in scores.alike("judge"):
            first = sets.iloc[0]
            size = "" if pd.isna(first["size"]) else f" · windows of {first['size']:.0f}, {first['iterations']:.0f} a response"
            wording = f" · wording {first['wording']:.0f}" if first["wording"] else ""
            found = scores.values[scores.values["name"].isin(sets["name"]) & (scores.values["kind"] == first["kind"])]
            parts.append(found[["judge", "of", "mean", "low", "high"]].assign(panel=f"{first['evaluator']}{size}{wording}"))
        found = pd.concat(parts) if parts else pd.DataFrame(columns=["judge", "of", "mean", "low", "high", "panel"])
        return numbered(found.dropna(subset=["mean"]))

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Values below each other in their order on the circle."""
        place = {value: n for n, value in enumerate(value for value in look.ring if value in set(rows["of"]))}
        judges = sorted(set(rows["number"]))
        axes.axvline(0, color="0.6", linewidth=0.8)
        for row in each(rows):
            at = place[row.of] + (judges.index(row.number) - (len(judges) - 1) / 2) * min(0.7 / len(judges), 0.25)
            style = of_judge(row.number)
            axes.plot([row.low, row.high], [at, at], color=style["color"], linewidth=1)
            [dot] = axes.plot([row.mean], [at], linestyle="none", **style)
            tip(dot, f"{row.judge}, {plain(row.of)}: {row.mean:+.2f} [{row.low:+.2f}, {row.high:+.2f}]")
        axes.set_yticks(range(len(place)), [plain(value) for value in place])
        axes.set_ylim(len(place) - 0.4, -0.6)
        axes.set_xlabel("mean intensity")
        axes.locator_params(axis="x", nbins=5)
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """The judges."""
        return judges(rows)


def numbered(rows: DataFrame) -> DataFrame:
    """Rows with the number of their judge, so that it looks the same in all panels."""
    number_of = {judge: n for n, judge in enumerate(dict.fromkeys(rows["judge"]))}
    return rows.assign(number=[number_of[judge] for judge in rows["judge"]]).reset_index(drop=True)


def of_judge(number: int) -> dict[str, Any]:
    """Colour and marker of a judge."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}


def judges(rows: DataFrame) -> list[Any]:
    """A legend of the judges in these rows."""
    from matplotlib.lines import Line2D

    there = dict(sorted(zip(rows["number"], rows["judge"], strict=True)))
    return [Line2D([], [], linestyle="none", label=judge, **of_judge(number)) for number, judge in there.items()]
