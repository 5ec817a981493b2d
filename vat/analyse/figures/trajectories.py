"""What a gain costs: gain against tax at each dose, strategy by strategy, with the front of each (Figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from vat.analyse.figures.base import Figure, dose_of, of_target, tip
from vat.analyse.figures.deviations import strategies
from vat.analyse.study import CELL, each
from vat.analyse.style import CHANCE, Look
from vat.measure.pareto import pareto_front
from vat.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from pandas import DataFrame

    from vat.analyse.study import Study

MOST_BARS = 24
"""Points of a panel beyond which the intervals of all would hide them."""


@settings
class Trajectories(Figure):
    """figure=trajectories. A panel a model and pushed value, a line a strategy and replicate.

    Source: Value Alignment Tax, Figure 3. Differs: with the level of chance and intervals; fronts are of each strategy over all its replicates.
    """

    title: ClassVar[str] = "What a gain costs"
    caption: ClassVar[str] = (
        "Gain of the pushed value against nVAT, at each number of examples or checkpoint; lines join those of one replicate in their order, and "
        "arrive at the largest dose, the larger mark. Crosses are 95% intervals of the gain and of the tax beyond chance, which is added to the "
        "chance level, the grey line (with more than 24 points only those of the largest dose; point at others to read them). Dashed: the front "
        "of a strategy, points than which no other of it has more gain for less tax; points behind it are faint."
    )
    needs: ClassVar[str] = "a job with measure=tax"
    size: ClassVar[tuple[float, float]] = (3.6, 3.1)

    def data(self, study: Study) -> DataFrame:
        """A row a state: gain and nvat with their low and high, chance, and whether it is on its strategy's front."""
        one = ["job", "step"]
        gain = study.of("gain").drop(columns=["null", "p", "q"]).rename(columns={"estimate": "gain", "low": "gain_low", "high": "gain_high"})
        tax = study.of("nvat")[[*one, "estimate", "low", "high", "null"]].rename(columns={"estimate": "nvat", "null": "chance"})
        for bound in ("low", "high"):  # of the tax free of chance, which adds up with chance in squares
            tax[f"nvat_{bound}"] = np.sqrt(tax[bound] ** 2 + tax["chance"] ** 2)
        found = gain.merge(tax.drop(columns=["low", "high"]), on=one).dropna(subset=["gain", "nvat"])
        gain_N, tax_N = (found[name].to_numpy(dtype=float) for name in ("gain", "nvat"))
        front_N = np.zeros(len(found), dtype=bool)
        for rows in found.groupby([*CELL], dropna=False).indices.values():
            front_N[rows] = pareto_front(gain_N[rows], tax_N[rows])
        found["on_front"] = front_N
        return found.assign(panel=list(map(of_target, each(found))))

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Lines, points and fronts."""
        axes.axhline(rows["chance"].mean(), color=CHANCE, linewidth=1.1)
        axes.axvline(0, color="0.85", linewidth=0.8, zorder=0)
        for (strategy, given), of_one in rows.groupby(["strategy", "settings"], sort=False, dropna=False):
            style = look.of_strategy(str(strategy))
            for _, line in of_one.groupby("replicate"):
                path = line.sort_values("dose")
                axes.plot(path["gain"], path["nvat"], color=style["color"], linewidth=0.8, alpha=0.35)
            for row in each(of_one):
                alpha = 1.0 if row.on_front else 0.3
                if len(rows) <= MOST_BARS or row.strongest:
                    axes.plot([row.gain_low, row.gain_high], [row.nvat, row.nvat], color=style["color"], linewidth=0.7, alpha=0.6 * alpha)
                    axes.plot([row.gain, row.gain], [row.nvat_low, row.nvat_high], color=style["color"], linewidth=0.7, alpha=0.6 * alpha)
                size = 4 + (1.6 if row.strongest else 0)
                [dot] = axes.plot([row.gain], [row.nvat], color=style["color"], marker=style["marker"], alpha=alpha, markersize=size, zorder=4)
                what = " ".join(filter(None, (str(strategy), dose_of(row), f"replicate {row.replicate}", str(given))))
                gain = f"gain {row.gain:+.3f} [{row.gain_low:+.3f}, {row.gain_high:+.3f}]"
                tip(dot, f"{what}: {gain}, nVAT {row.nvat:.3f} [{row.nvat_low:.3f}, {row.nvat_high:.3f}], by chance {row.chance:.3f}")
            front = of_one[of_one["on_front"]].sort_values("gain")
            axes.plot(front["gain"], front["nvat"], color=style["color"], linestyle="--", linewidth=1.3)
        axes.set_xlabel("gain")
        axes.set_ylabel("nVAT")
        axes.locator_params(nbins=5)

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """The strategies, the front and chance."""
        from matplotlib.lines import Line2D

        return [
            *strategies(rows, look),
            Line2D([], [], color="0.3", linestyle="--", linewidth=1.3, label="front"),
            Line2D([], [], color=CHANCE, linewidth=1.1, label="by chance"),
        ]
