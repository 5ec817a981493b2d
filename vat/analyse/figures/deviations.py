"""How far every value moved per unit of gain: the gain-normalised deviation, GND, with Fieller's intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vat.analyse.figures.base import Figure, dose_of, of_target, over_replicates, tip
from vat.analyse.study import each
from vat.analyse.style import Look, plain
from vat.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from pandas import DataFrame

    from vat.analyse.study import Study

_WIDEST = 3.0
"""What lies beyond is cut off: it says that the gain is hardly told from 0."""


@settings
class Deviations(Figure):
    """figure=deviations. A panel a model and pushed value, a mark a strategy, at its strongest dose.

    Source: Value Alignment Tax, section 3 (no figure there). Differs: shown with intervals.
    """

    title: ClassVar[str] = "How far each value moved"
    caption: ClassVar[str] = (
        "Mean shift of each value divided by the size of the target's gain (GND), with Fieller's 95% intervals, at the strongest dose (over "
        "replicates the mean, with the widest bounds). 0: the value stayed where it was; the target itself lies at +1 or −1, in bold. A strategy "
        "whose gain is not told from 0 has no GND and is left out."
    )
    needs: ClassVar[str] = "a job with measure=tax whose gain is told from 0"
    size: ClassVar[tuple[float, float]] = (3.4, 3.0)

    def data(self, study: Study) -> DataFrame:
        """A row a value of a strategy: of, gnd with low and high."""
        found = study.by_value("gnd")
        found = found[found["strongest"] & found["estimate"].notna()]
        found = over_replicates(found, "of").rename(columns={"estimate": "gnd"}).drop(columns=["p", "q", "null"])
        return found.assign(panel=list(map(of_target, each(found))))

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Values below each other in their order on the circle, one mark a strategy."""
        place = {value: n for n, value in enumerate(look.ring)}
        cells = list(rows.groupby(["strategy", "settings"], sort=False, dropna=False))
        axes.axvline(0, color="0.6", linewidth=0.8)
        for n, ((strategy, _), of_one) in enumerate(cells):
            offset = (n - (len(cells) - 1) / 2) * min(0.7 / len(cells), 0.25)
            style = look.of_strategy(str(strategy))
            for row in each(of_one):
                at = place[row.of] + offset
                low, high = np.clip([row.low, row.high], -_WIDEST, _WIDEST)
                axes.plot([low, high], [at, at], color=style["color"], linewidth=1)
                [dot] = axes.plot([np.clip(row.gnd, -_WIDEST, _WIDEST)], [at], color=style["color"], marker=style["marker"], linestyle="none")
                what = " ".join(filter(None, (str(strategy), dose_of(row), row.settings)))
                tip(dot, f"{what}: {plain(row.of)} {row.gnd:+.2f} [{row.low:+.2f}, {row.high:+.2f}]")
        axes.set_yticks(range(len(place)), [plain(value) for value in place])
        for value, label in zip(place, axes.get_yticklabels(), strict=True):
            label.set_fontweight("bold" if value == rows["value"].iloc[0] else "normal")
        axes.set_ylim(len(place) - 0.4, -0.6)
        axes.set_xlabel("GND")
        axes.locator_params(axis="x", nbins=5)
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """The strategies."""
        return strategies(rows, look)


def strategies(rows: DataFrame, look: Look) -> list[Any]:
    """A legend of the strategies in these rows."""
    from matplotlib.lines import Line2D

    return [Line2D([], [], label=strategy, **look.of_strategy(strategy)) for strategy in look.strategies if strategy in set(rows["strategy"])]
