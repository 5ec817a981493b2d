"""Whether a tax hangs on a few scenes: nVAT over random four fifths of them, beside what chance alone would give (Figure 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from vat.analyse.figures.base import Figure, dose_of, of_method, over_replicates, split_panels, tip
from vat.analyse.study import each
from vat.analyse.style import CHANCE, Look, on_bars, plain, signed
from vat.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from pandas import DataFrame

    from vat.analyse.study import Study

ROWS = 24
"""Bars that a panel has room for."""


@settings
class Stability(Figure):
    """figure=stability. A panel a model and strategy, a bar a pushed value and dose.

    Source: Value Alignment Tax, Figure 6. Differs: with the level of chance.
    """

    title: ClassVar[str] = "Is the tax stable over scenes?"
    caption: ClassVar[str] = (
        "Mean and standard deviation of nVAT over random 80% of the scenes (the paper's measure: it shows whether a few scenes carry the tax, not"
        " how sure the tax is; the interval of nVAT in Table 2 does that). The line is what independent values would give on all scenes."
    )
    needs: ClassVar[str] = "a job with measure=tax in which at least two values shift"
    size: ClassVar[tuple[float, float]] = (3.6, 3.4)
    beside: ClassVar[float] = 1.5

    def data(self, study: Study) -> DataFrame:
        """A row a bar: nvat (mean over subsamples; over replicates, their mean), std, chance."""
        one = ["job", "step"]
        found = study.of("nvat_subsample").drop(columns=["low", "high", "null", "p", "q"])
        spread = study.of("nvat_subsample_std")[[*one, "estimate"]].rename(columns={"estimate": "std"})
        chance = study.of("nvat")[[*one, "null"]]
        found = found.merge(spread, on=one).merge(chance, on=one).dropna(subset=["estimate"])
        widest = found.groupby(["model", "value", "direction", "strategy", "settings", "dose"], sort=False, dropna=False)["std"].max().reset_index()
        found = over_replicates(found).merge(widest, on=["model", "value", "direction", "strategy", "settings", "dose"])
        found = found.rename(columns={"estimate": "nvat", "null": "chance"})
        return paneled(found)

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Bars below each other."""
        for n, row in enumerate(each(rows)):
            [bar] = axes.barh([n], [row.nvat], height=0.7, color=look.colour(row.value), alpha=0.85 if row.strongest else 0.5)
            axes.plot([row.nvat - row.std, row.nvat + row.std], [n, n], color="black", **on_bars(1))
            axes.plot([row.chance, row.chance], [n - 0.42, n + 0.42], color=CHANCE, **on_bars(1.5))
            tip(bar, f"{plain(row.value)} {signed(row.direction)} {dose_of(row)}: {row.nvat:.3f} ± {row.std:.3f}, by chance {row.chance:.3f}")
        label_rows(axes, rows)
        axes.set_xlabel("nVAT over 80% of the scenes")
        axes.locator_params(axis="x", nbins=5)

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """What the two lines mean."""
        from matplotlib.lines import Line2D

        return [
            Line2D([], [], color="black", linewidth=1, label="± standard deviation"),
            Line2D([], [], color=CHANCE, linewidth=1.5, label="by chance (all scenes)"),
        ]


def paneled(rows: DataFrame, most: int = ROWS) -> DataFrame:
    """Rows with a panel for each model and strategy; one with more than `most` doses of pushed values goes on in others, which share them evenly."""
    rows = rows.assign(panel=list(map(of_method, each(rows))))
    of_a_dose = ["panel", "value", "direction", "dose"]
    for by in (of_a_dose, ["panel"]):  # those of a dose beside each other, and those of a panel, in the order in which they came
        rows = rows.iloc[rows.groupby(by, sort=False).ngroup().argsort(kind="stable")].reset_index(drop=True)
    return split_panels(rows, of_a_dose[1:], most)


def label_rows(axes: Axes, rows: DataFrame) -> None:
    """Name the bars, the first at the top."""
    names = [f"{plain(row.value)} {signed(row.direction)} {dose_of(row)}".strip() for row in each(rows)]
    axes.set_yticks(range(len(names)), names, fontsize=7.5 if len(names) <= 12 else 6)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)
