"""Whether judges rank what they read or where it stands: how often the text in each shown place came first (ValueFlow, Figure 20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from vat.analyse.figures.base import Figure, tip
from vat.analyse.study import each
from vat.analyse.style import CHANCE, COLOURS, MARKERS, Look
from vat.settings import settings
from vat.shares import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from pandas import DataFrame

    from vat.analyse.scores import Scores
    from vat.analyse.study import Study


@settings
class PositionBias(Figure):
    """figure=position_bias, scores_figure=position_bias. A panel a size of windows, a row a judge, a mark a shown place.

    Source: ValueFlow, appendix C.3, Figure 20. Differs: windows of any size, with intervals.
    """

    title: ClassVar[str] = "Do judges read, or go by position?"
    caption: ClassVar[str] = (
        "Share of a judge's windows in which the text in each shown place was ranked first, with Wilson's 95% intervals; of windows of two, the "
        "first place alone. Of a judge with several sets of windows of one size the largest counts: they may show the same orders again. Orders "
        "are drawn at random, so that a judge without bias stands on the line whatever the texts are."
    )
    needs: ClassVar[str] = "a job with answers that a judge has ranked (-cn intensity run=…), or scores by ranking"
    size: ClassVar[tuple[float, float]] = (3.6, 2.6)
    beside: ClassVar[float] = 1.5

    def data(self, study: Study | Scores) -> DataFrame:
        """A row a mark: judge, size, place, share with low and high, windows, chance."""
        of_most = study.bias.groupby(["size", "judge"])["windows"].transform("max") == study.bias["windows"]
        found = study.bias[of_most].drop_duplicates(["size", "judge", "place"]).drop(columns="source")
        found = found[(found["size"] > 2) | (found["place"] == 1)].sort_values(["size"], kind="stable")
        bounds = [wilson(int(row.first), int(row.windows)) for row in each(found)]
        found = found.assign(share=found["first"] / found["windows"], low=[low for low, _ in bounds], high=[high for _, high in bounds])
        found = found.assign(chance=1 / found["size"], panel=[f"windows of {size}" for size in found["size"]])
        return found.drop(columns="first").reset_index(drop=True)

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Judges below each other, their places beside each other."""
        judges = list(dict.fromkeys(rows["judge"]))
        places = sorted(set(rows["place"]))
        axes.axvline(rows["chance"].iloc[0], color=CHANCE, linewidth=1.1)
        for row in each(rows):
            n = places.index(row.place)
            at = judges.index(row.judge) + (n - (len(places) - 1) / 2) * min(0.7 / len(places), 0.25)
            axes.plot([row.low, row.high], [at, at], color=COLOURS[n % len(COLOURS)], linewidth=1)
            [dot] = axes.plot([row.share], [at], color=COLOURS[n % len(COLOURS)], marker=MARKERS[n % len(MARKERS)], linestyle="none")
            tip(dot, f"{row.judge}, place {row.place}: first in {row.share:.1%} [{row.low:.1%}, {row.high:.1%}] of {row.windows:,} windows")
        axes.set_yticks(range(len(judges)), judges)
        axes.set_ylim(len(judges) - 0.4, -0.6)
        axes.set_xlim(0, min(1.0, max(2 * rows["chance"].iloc[0], rows["high"].max() + 0.03)))
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.set_xlabel("share of windows in which it was first")
        axes.locator_params(axis="x", nbins=5)
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """The places, and what is expected of each."""
        from matplotlib.lines import Line2D

        places = sorted(set(rows["place"]))
        marks = [
            Line2D([], [], color=COLOURS[n % len(COLOURS)], marker=MARKERS[n % len(MARKERS)], linestyle="none", label=f"place {place}")
            for n, place in enumerate(places)
        ]
        return [*marks, Line2D([], [], color=CHANCE, linewidth=1.1, label="without bias")]
