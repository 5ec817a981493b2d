"""How far each value takes part in what moves together: VAT(u) against its mean square, with the ring of chance alone (Figure 2, top)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vat.analyse.figures.base import Figure, dose_of, few_doses, named, over_replicates, tip
from vat.analyse.study import each
from vat.analyse.style import CHANCE, DASHES, FAINT, Look, plain
from vat.settings import settings

if TYPE_CHECKING:
    from pandas import DataFrame

    from vat.analyse.study import Study


@settings
class Radar(Figure):
    """figure=radar. A panel a cell, a line a dose; the strongest has its 95% intervals.

    Source: Value Alignment Tax, Figure 2. Differs: normalised so that the mean square over live values is 1; with the ring of chance and intervals.
    """

    title: ClassVar[str] = "Which values take part"
    caption: ClassVar[str] = (
        "VAT(u)/(√(V−1)·nVAT) of each value u: how strongly its shifts go with those of the others, 1 being the root mean square over values. The"
        " grey ring is what independent values would give under the strongest dose: a value inside it takes part no more than by chance. The "
        "shaded band is the 95% interval of VAT free of chance, cut off at the rim. Of many doses the first, the middle and the last are shown; "
        "the value that was pushed is in bold."
    )
    needs: ClassVar[str] = "a job with measure=tax in which at least two values shift"
    projection: ClassVar[str | None] = "polar"
    size: ClassVar[tuple[float, float]] = (3.5, 3.35)

    def data(self, study: Study) -> DataFrame:
        """A row a live value of a dose: share, its VAT normalised, with low and high, and chance."""
        tax = few_doses(study.by_value("vat"))
        whole = study.of("nvat")[["job", "step", "estimate"]].rename(columns={"estimate": "nvat"})
        tax = tax.merge(whole, on=["job", "step"])
        live = study.by_value("live")
        tax = tax.merge(live[live["estimate"] == 1][["job", "step", "of"]], on=["job", "step", "of"])
        tax = tax[tax["nvat"] > 0].copy()
        n_live = tax.groupby(["job", "step"])["of"].transform("count")
        scale = np.sqrt(n_live - 1) * tax["nvat"]
        for column in ("estimate", "low", "high", "null"):
            tax[column] = tax[column] / scale
        tax = over_replicates(tax, "of").rename(columns={"estimate": "share", "null": "chance"})
        return tax.drop(columns=["p", "q"]).assign(panel=[named(row) for row in each(tax)])

    def draw(self, axes: Any, rows: DataFrame, look: Look) -> None:
        """The polygon of each dose, and ring and band of the strongest."""
        doses = list(dict.fromkeys(rows["dose"]))
        target = rows["value"].iloc[0]
        for n, dose in enumerate(doses):
            line = rows[rows["dose"] == dose].set_index("of")
            values = [value for value in look.ring if value in line.index]
            line = line.loc[[*values, values[0]]]
            turn = [look.turn(value) for value in values]
            turn.append(turn[0] + 2 * np.pi)
            strongest = bool(line["strongest"].iloc[0])
            colour = look.colour(target)
            behind = len(doses) - 1 - n
            axes.plot(
                turn, line["share"], color=colour, linestyle=DASHES[min(behind, 3)], linewidth=1.6 if strongest else 0.9,
                alpha=1 if strongest else FAINT + 0.2, label=dose_of(line.iloc[0]) or "the only dose",
            )  # fmt: skip
            if strongest:
                axes.fill_between(turn, line["low"], line["high"], color=colour, alpha=0.13, linewidth=0)
                axes.plot(turn, line["chance"], color=CHANCE, linewidth=1.1)
                for value, at in zip(values, turn, strict=False):
                    row = line.loc[value] if value != values[0] else line.iloc[0]
                    [dot] = axes.plot([at], [row["share"]], marker=look.marker(value), color=look.colour(value), markeredgecolor="white", zorder=4)
                    interval = f"[{row['low']:.2f}, {row['high']:.2f}]"
                    tip(dot, f"{plain(value)}: {row['share']:.2f}, free of chance {interval}, by chance {row['chance']:.2f}")
        circle(axes, look, target)
        top = float(max(1.25 * rows["share"].max(), rows["chance"].max(), 1.5))
        axes.set_ylim(0, top * 1.04)
        axes.set_yticks([tick for tick in (0.5, 1, 1.5, 2, 2.5) if tick < top])
        axes.tick_params(axis="y", labelsize=6, labelcolor="0.4")
        axes.set_rlabel_position(np.rad2deg(look.turn(look.ring[0])) + 180 / len(look.ring))
        if len(doses) > 1:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, handlelength=1.8, columnspacing=0.8)


def circle(axes: Any, look: Look, target: str) -> None:
    """The values around a polar panel: from the top, clockwise, the pushed one in bold."""
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    axes.set_xticks([look.turn(value) for value in look.ring], [plain(value) for value in look.ring])
    for value, label in zip(look.ring, axes.get_xticklabels(), strict=True):
        turn = np.sin(look.turn(value))
        label.set_horizontalalignment("center" if abs(turn) < 0.2 else ("left" if turn > 0 else "right"))
        label.set_fontweight("bold" if value == target else "normal")
        label.set_fontsize(7)
    axes.tick_params(axis="x", pad=-1)
    axes.spines["polar"].set_visible(False)
    axes.grid(True)
