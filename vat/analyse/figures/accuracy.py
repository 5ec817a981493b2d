"""How often labelled texts are in the order of their labels, by the size and the number of windows (ValueFlow, Figure 19)."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

from vat.analyse.figures.base import Figure, tip
from vat.analyse.figures.by_judge import judges, numbered, of_judge
from vat.analyse.figures.sensitivity import VARIED
from vat.analyse.study import each
from vat.analyse.style import CHANCE, Look
from vat.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from pandas import DataFrame

    from vat.analyse.scores import Scores

KINDS = {"vidb": "database", "intensity": "responses"}


@settings
class Accuracy(Figure):
    """scores_figure=accuracy. A panel for texts whose labels are known, a line a judge, for sets that differ in one setting of the windows alone.

    Source: ValueFlow, appendix C.3, Figure 19. Differs: with intervals; size and number of windows each by themselves.
    """

    title: ClassVar[str] = "How often are intensities right?"
    caption: ClassVar[str] = (
        "Share of the pairs of texts, one labelled for a value and one against it, whose intensities are in this order, with 95% intervals "
        "(DeLong's). It says nothing of how strongly a text holds a value, and no more than labels know. Grey: by chance."
    )
    needs: ClassVar[str] = (
        "databases, or scores of labelled responses, with windows of other size or number: -cn vidb -m database.iterations=5,10,20 …"
    )
    size: ClassVar[tuple[float, float]] = (3.4, 2.8)

    def data(self, scores: Scores) -> DataFrame:
        """A row a mark: judge with its number, at, share with low and high."""
        import pandas as pd

        parts = []
        for kind, varied in product(KINDS, VARIED):
            [other] = VARIED.keys() - {varied}
            for sets in scores.alike(varied, kind):
                known = sets.dropna(subset=["ranked_right"])
                found = known[[varied, "ranked_right", "ranked_low", "ranked_high"]].set_axis(["at", "share", "low", "high"], axis=1)
                told = f"{KINDS[kind]} · by {_words(varied)} · {_words(other)}: {sets[other].iloc[0]:.0f}"
                parts.append(found.assign(varied=varied, judge=sets["judge"].iloc[0], panel=told))
        columns = ["varied", "judge", "at", "share", "low", "high", "panel"]
        return numbered(pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns))

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Lines with intervals."""
        for number, of_one in rows.groupby("number"):
            style = of_judge(int(str(number)))
            axes.plot(of_one["at"], of_one["share"], linewidth=1, color=style["color"])
            for row in each(of_one):
                axes.plot([row.at] * 2, [row.low, row.high], color=style["color"], linewidth=0.8)
                [dot] = axes.plot([row.at], [row.share], linestyle="none", **style)
                tip(dot, f"{row.judge}, at {row.at:.0f}: {row.share:.1%} [{row.low:.1%}, {row.high:.1%}]")
        axes.axhline(0.5, color=CHANCE, linewidth=1.1)
        axes.set_ylim(min(0.45, rows["low"].min() - 0.03), 1.02)
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.set_xticks(sorted(set(rows["at"])))
        axes.set_xlabel(_words(rows["varied"].iloc[0]))
        axes.set_ylabel("pairs in the right order")

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """The judges."""
        return judges(rows)


def _words(varied: str) -> str:
    return VARIED[varied].replace("response", "text")
