"""Tax of each value at its place on the theory's circle, for every value that was pushed (Figure 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vat.analyse.figures.base import Figure, dose_of, few_doses, of_method, over_replicates, tip
from vat.analyse.figures.radar import circle
from vat.analyse.study import each
from vat.analyse.style import CHANCE, DASHES, Look, plain, signed
from vat.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pandas import DataFrame

    from vat.analyse.study import Study

MOST_WITH_DOSES = 4
"""Pushed values of a panel beyond which their weaker doses would hide them all."""
_FAINTEST = 0.12


@settings
class Circumplex(Figure):
    """figure=circumplex. A panel a model and strategy, a closed line a pushed value and dose.

    Source: Value Alignment Tax, Figure 4. Differs: the level of chance is shown, and stability is defined: a value's smallest VAT over the doses
    against its largest.
    """

    title: ClassVar[str] = "The tax on the circle of values"
    caption: ClassVar[str] = (
        "VAT(u) of each value at its place on the circle. A colour is a value that was pushed; solid is the strongest dose, broken lines are the "
        "middle and the weakest (left out with more than 4 pushed values). A dot is as opaque as the value's VAT is stable: its smallest over the "
        "doses, divided by its largest (with one dose, opaque). The grey ring is chance alone. Whether the pattern follows the circle is tested in "
        "the table of robustness."
    )
    needs: ClassVar[str] = "a job with measure=tax and a theory whose values have angles"
    projection: ClassVar[str | None] = "polar"
    size: ClassVar[tuple[float, float]] = (4.0, 3.7)

    def data(self, study: Study) -> DataFrame:
        """A row a value of a dose: of, vat with low and high, chance, stability in [0, 1]."""
        if study.theory.angles is None:
            return study.points.iloc[:0].assign(panel="")
        found = over_replicates(study.by_value("vat"), "of").rename(columns={"estimate": "vat", "null": "chance"}).drop(columns=["p", "q"])
        of_value = found.groupby(["model", "value", "direction", "strategy", "settings", "of"], dropna=False)["vat"]
        largest = of_value.transform("max")
        found["stability"] = (of_value.transform("min") / largest.where(largest > 0)).fillna(0.0)
        found = few_doses(found)
        found = found.assign(panel=list(map(of_method, each(found)))).sort_values(["model", "strategy", "settings"], kind="stable")
        pushed = found.drop_duplicates(["panel", "value", "direction"])["panel"].value_counts()
        return found[found["strongest"] | (found["panel"].map(pushed) <= MOST_WITH_DOSES)].reset_index(drop=True)

    def draw(self, axes: Any, rows: DataFrame, look: Look) -> None:
        """The lines, the dots of the strongest dose, and the ring of chance."""
        from matplotlib.ticker import MaxNLocator

        circle(axes, look, "")
        ring = np.linspace(0, 2 * np.pi, 181)
        axes.plot(ring, np.full(len(ring), rows["chance"].mean()), color=CHANCE, linewidth=1.1)
        pushed: Any = rows.groupby(["value", "direction"], sort=False)
        for (value, direction), of_value in pushed:
            doses = list(dict.fromkeys(of_value["dose"]))
            for n, dose in enumerate(doses):
                line = of_value[of_value["dose"] == dose].set_index("of")
                values = [name for name in look.ring if name in line.index]
                turn = [look.turn(name) for name in values]
                behind = len(doses) - 1 - n
                style = {"color": look.colour(value), "linestyle": DASHES[min(behind, 3)], "linewidth": 0.7 if behind else 1.4}
                axes.plot([*turn, turn[0] + 2 * np.pi], line.loc[[*values, values[0]], "vat"], alpha=0.45 if behind else 0.9, **style)
                for name, at in zip(values, turn, strict=True) if not behind else ():
                    row = line.loc[name]
                    opaque = float(_FAINTEST + (1 - _FAINTEST) * row["stability"])
                    [dot] = axes.plot([at], [row["vat"]], marker=look.marker(value), color=style["color"], alpha=opaque, markersize=5.5)
                    interval = f"[{row['low']:.2f}, {row['high']:.2f}]"
                    asked = f"{plain(value)} {signed(direction)} {dose_of(row)}".strip()
                    what = f"{asked}: VAT of {plain(name)} {row['vat']:.2f}, free of chance {interval}, by chance {row['chance']:.2f}"
                    tip(dot, f"{what}; stability {row['stability']:.2f}")
        top = float(max(rows["vat"].max(), rows["chance"].max())) * 1.06
        axes.set_ylim(0, top)
        axes.set_yticks([tick for tick in MaxNLocator(4).tick_values(0, top) if 0 < tick < top])
        axes.tick_params(axis="y", labelsize=6, labelcolor="0.4")

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """The pushed values, and what the lines mean."""
        from matplotlib.lines import Line2D

        pushed = rows[["value", "direction"]].drop_duplicates()
        handles = [
            Line2D([], [], color=look.colour(row.value), marker=look.marker(row.value), label=f"{plain(row.value)} {signed(row.direction)}")
            for row in each(pushed)
        ]
        most = int(rows.groupby(["panel", "value", "direction"])["dose"].nunique().max())
        names = {2: ("strongest dose", "weakest"), 3: ("strongest dose", "middle", "weakest")}.get(most, ())
        handles += [Line2D([], [], color="0.3", linestyle=DASHES[n], label=name) for n, name in enumerate(names)]
        return [*handles, Line2D([], [], color=CHANCE, linewidth=1.1, label="by chance")]
