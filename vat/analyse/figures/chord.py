"""Which pairs of values move together, or apart, beyond false discovery: chords between their places on the circle (Figure 2, bottom)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from vat.analyse.figures.base import Figure, named, over_replicates, tip
from vat.analyse.study import each
from vat.analyse.style import APART, TOGETHER, Look, plain
from vat.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from pandas import DataFrame

    from vat.analyse.study import Study


@settings
class Chord(Figure):
    """figure=chord. A panel a cell, at its strongest dose. level: of the false discovery rate.

    Source: Value Alignment Tax, Figure 2. Differs: the couplings that survive false-discovery control, not the largest ones.
    """

    level: Annotated[float, Field(gt=0, lt=1)]

    title: ClassVar[str] = "What moves with what"
    caption: ClassVar[str] = (
        "Couplings that survive false-discovery control within their state (in most of the replicates, where there are several), at the strongest"
        " dose, beyond what scenes of one country or topic share. Red, solid: the two values moved together over scenes; blue, dashed: apart. The "
        "width grows with the rank correlation ρ. The value that was pushed is in bold; a value without a chord couples with none."
    )
    needs: ClassVar[str] = "a job with measure=tax"
    size: ClassVar[tuple[float, float]] = (3.5, 3.3)

    def data(self, study: Study) -> DataFrame:
        """A row a surviving pair: of, other, coupling with low and high, the largest q, `survived` of `replicates`; a panel without any has one
        row without a pair.
        """
        import pandas as pd

        pairs = study.by_pair("coupling")
        pairs = pairs[pairs["strongest"]]
        pairs = pairs.assign(survived=(pairs["q"] < self.level).astype(int))
        found = over_replicates(pairs, "of", "other").rename(columns={"estimate": "coupling"})
        by = ["model", "value", "direction", "strategy", "settings", "dose", "of", "other"]
        count = pairs.groupby(by, sort=False, as_index=False, dropna=False)["survived"].sum()
        found = found.merge(count, on=by).drop(columns=["p", "null"])
        found = found.assign(panel=[named(row, dose=True) for row in each(found)])
        kept = found[found["survived"] > found["replicates"] / 2]
        bare = found[~found["panel"].isin(kept["panel"])].drop_duplicates("panel").copy()
        bare[["of", "other"]] = None
        bare[["coupling", "low", "high", "q"]] = np.nan
        bare["survived"] = 0
        order = {panel: n for n, panel in enumerate(dict.fromkeys(found["panel"]))}
        whole = pd.concat([kept, bare]) if len(bare) else kept
        return whole.sort_values("panel", key=lambda panels: panels.map(order), kind="stable").reset_index(drop=True)

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """The values on a circle, the chords inside it."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        axes.set_aspect("equal")
        axes.set_axis_off()
        axes.set_xlim(-1.75, 1.75)
        axes.set_ylim(-1.32, 1.32)
        rim = np.linspace(0, 2 * np.pi, 181)
        axes.plot(np.sin(rim), np.cos(rim), color="0.88", linewidth=1, zorder=0)
        at = {value: np.array([np.sin(look.turn(value)), np.cos(look.turn(value))]) for value in look.ring}
        for row in each(rows[rows["of"].notna()]):
            start, end = at[row.of], at[row.other]
            bend = 0.55 * (1 - np.linalg.norm(start - end) / 4)  # the chord of neighbours stays near the rim
            path = Path([start, bend * start, bend * end, end], [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
            chord = PathPatch(
                path, facecolor="none", edgecolor=TOGETHER if row.coupling > 0 else APART, linestyle="-" if row.coupling > 0 else (0, (3, 1)),
                linewidth=0.5 + 5 * abs(row.coupling), alpha=0.75, capstyle="butt",
            )  # fmt: skip
            among = f", in {row.survived} of {row.replicates} replicates" if row.replicates > 1 else ""
            what = f"{plain(row.of)} and {plain(row.other)}: {row.coupling:+.2f} [{row.low:+.2f}, {row.high:+.2f}], q {row.q:.3f}{among}"
            tip(chord, what)
            axes.add_patch(chord)
        target = rows["value"].iloc[0]
        for value, (x, y) in at.items():
            axes.plot([x], [y], marker=look.marker(value), color=look.colour(value), markersize=6, markeredgecolor="white")
            side = "center" if abs(x) < 0.2 else ("left" if x > 0 else "right")
            weight = "bold" if value == target else "normal"
            axes.text(1.1 * x, 1.12 * y, plain(value), ha=side, va="center", fontsize=7, fontweight=weight)
        if rows["of"].isna().all():
            axes.text(0, 0, "no coupling\nsurvives", ha="center", va="center", color="0.4", fontsize=7.5)

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """What the two colours mean, and the width."""
        from matplotlib.lines import Line2D

        return [
            Line2D([], [], color=TOGETHER, linewidth=2.5, label="moved together"),
            Line2D([], [], color=APART, linewidth=2.5, linestyle=(0, (3, 1)), label="moved apart"),
            Line2D([], [], color="0.4", linewidth=0.5 + 5 * 0.2, label="|ρ| 0.2"),
            Line2D([], [], color="0.4", linewidth=0.5 + 5 * 0.6, label="|ρ| 0.6"),
        ]
