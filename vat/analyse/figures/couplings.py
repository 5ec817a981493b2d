"""All couplings of a state as a matrix, models below each other and pushed values side by side, on one scale (Figures 9 and 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from vat.analyse.figures.base import Figure, named, over_replicates, tip
from vat.analyse.study import each
from vat.analyse.style import Look, plain
from vat.settings import settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Page
    from pandas import DataFrame

    from vat.analyse.study import Study


@settings
class Couplings(Figure):
    """figure=couplings. A panel a cell, at its strongest dose. level: of the false discovery rate, for the dots.

    Source: Value Alignment Tax, appendix E. Differs: dots mark what survives false-discovery control.
    """

    level: Annotated[float, Field(gt=0, lt=1)]

    title: ClassVar[str] = "All couplings"
    caption: ClassVar[str] = (
        "Rank correlation over scenes between the shifts of each two values, at the strongest dose (over replicates the mean), all panels on one "
        "scale. The diagonal is 1 by definition and left out; grey is not defined, as a value that never moves couples with none; a dot survives "
        "false-discovery control within its state (in every replicate), beyond what scenes of one country or topic share: what those alone bring "
        "about is coloured and has no dot. The value that was pushed is in bold."
    )
    needs: ClassVar[str] = "a job with measure=tax"
    size: ClassVar[tuple[float, float]] = (3.2, 3.1)

    def data(self, study: Study) -> DataFrame:
        """A row a pair: of, other, coupling with low and high, the largest q; strategies after each other, then models, then values."""
        pairs = study.by_pair("coupling")
        live = study.by_value("live")[["job", "step", "of", "estimate"]]
        for side in ("of", "other"):  # 0 with a value that never moves is a convention, not a finding
            pairs = pairs.merge(live.rename(columns={"of": side, "estimate": f"live_{side}"}), on=["job", "step", side], how="left")
        alive = (pairs["live_of"] != 0) & (pairs["live_other"] != 0)
        pairs["estimate"] = pairs["estimate"].where(alive)
        found = over_replicates(pairs[pairs["strongest"]], "of", "other").rename(columns={"estimate": "coupling"}).drop(columns=["p", "null"])
        found = found.assign(panel=[named(row, dose=True) for row in each(found)])
        return found.sort_values(["strategy", "settings", "model"], kind="stable").reset_index(drop=True)

    def columns(self, rows: DataFrame) -> int:
        """The values that were pushed."""
        return int(min(max(len(rows[["value", "direction"]].drop_duplicates()), 2), 4))

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """The matrix."""
        from matplotlib import pyplot

        values = look.ring
        place = {value: n for n, value in enumerate(values)}
        matrix_VV = np.full((len(values), len(values)), np.nan)
        sure: list[tuple[int, int]] = []
        for row in each(rows):
            u, w = place[row.of], place[row.other]
            matrix_VV[u, w] = matrix_VV[w, u] = row.coupling
            sure += [(u, w), (w, u)] if row.q < self.level else []
        colours = pyplot.get_cmap("RdBu_r").with_extremes(bad="0.9")
        mesh = axes.pcolormesh(np.ma.masked_invalid(matrix_VV), cmap=colours, vmin=-1, vmax=1, edgecolors="white", linewidth=0.4)
        axes.set_facecolor("0.9")
        tip(mesh, "; ".join(f"{plain(row.of)}, {plain(row.other)} {row.coupling:+.2f}" for row in each(rows) if row.q < self.level) or "none")
        if sure:
            axes.plot([w + 0.5 for _, w in sure], [u + 0.5 for u, _ in sure], "o", color="black", markersize=2)
        axes.set_xlim(0, len(values))
        axes.set_ylim(len(values), 0)
        axes.set_aspect("equal")
        names = [plain(value) for value in values]
        axes.set_xticks(np.arange(len(values)) + 0.5, names, rotation=90, fontsize=6.5)
        axes.set_yticks(np.arange(len(values)) + 0.5, names, fontsize=6.5)
        axes.tick_params(length=0)
        for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            label.set_fontweight("bold" if label.get_text() == plain(rows["value"].iloc[0]) else "normal")
        for spine in axes.spines.values():
            spine.set_visible(False)

    def finish(self, page: Page, rows: DataFrame) -> None:
        """The scale that the panels share."""
        mesh = page.axes[0].collections[0]
        page.colorbar(mesh, ax=page.axes, shrink=0.5, aspect=30, label="rank correlation of shifts over scenes")
