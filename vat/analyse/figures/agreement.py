"""Whether values rank alike by tax when it is measured in another way: Kendall's coupling, or the items (Figures 7 and 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from vat.analyse.figures.base import Figure, over_replicates, tip
from vat.analyse.figures.stability import ROWS, label_rows, paneled
from vat.analyse.study import each
from vat.analyse.style import COLOURS, Look, on_bars, plain, signed
from vat.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from pandas import DataFrame

    from vat.analyse.study import Study

WAYS = {"agreement_kendall": "Kendall's coupling", "agreement_items": "mean of items", "agreement_items_apart": "mean of items, siblings apart"}
_COLOUR = dict(zip(WAYS, (COLOURS[0], COLOURS[7], COLOURS[3]), strict=True))  # dark, medium, light


@settings
class Agreement(Figure):
    """figure=agreement. A panel a model and strategy, three bars a pushed value, at its strongest dose.

    Source: Value Alignment Tax, Figures 7 and 8. Differs: with intervals, and with the agreement between halves of the scenes, which alone is 0
    by chance.
    """

    title: ClassVar[str] = "Does the ranking survive another measure?"
    caption: ClassVar[str] = (
        "Rank agreement of the values' VAT with the same measured otherwise, at the strongest dose. Bars: Spearman's correlation with 95% of "
        "resamples; short lines: Kendall's τ. Both measurements see the same noise and agree by that alone; so the diamonds show the agreement "
        "when each is measured on another half of the scenes, about 0 if the ranking is chance."
    )
    needs: ClassVar[str] = "a job with measure=robustness"
    size: ClassVar[tuple[float, float]] = (3.6, 3.4)
    beside: ClassVar[float] = 1.5

    def data(self, study: Study) -> DataFrame:
        """A row a bar: way, spearman with low and high, tau, split and its p."""
        import pandas as pd

        one = ["job", "step"]
        parts = []
        for way in WAYS:
            found = study.of(way).drop(columns=["p", "q", "null"])
            found = found[found["strongest"]].dropna(subset=["estimate"])
            tau = study.of(f"{way}_tau")[[*one, "estimate"]].rename(columns={"estimate": "tau"})
            split = study.of(f"{way}_split")[[*one, "estimate", "p"]].rename(columns={"estimate": "split", "p": "split_p"})
            parts.append(found.merge(tau, on=one).merge(split, on=one).assign(way=way))
        found = pd.concat(parts)
        by = ["model", "value", "direction", "strategy", "settings", "dose", "way"]
        rest = found.groupby(by, sort=False, dropna=False).agg(tau=("tau", "mean"), split=("split", "mean"), split_p=("split_p", "max")).reset_index()
        found = over_replicates(found, "way").rename(columns={"estimate": "spearman"}).merge(rest, on=by)
        return paneled(found.sort_values(["model", "strategy", "settings"], kind="stable"), ROWS // len(WAYS))

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Three bars for each pushed value."""
        one_each = rows.drop_duplicates(["value", "direction", "dose"])
        place = {(row.value, row.direction, row.dose): n for n, row in enumerate(each(one_each))}
        axes.axvline(0, color="0.6", linewidth=0.8)
        for row in each(rows):
            at = place[row.value, row.direction, row.dose] + 0.26 * (list(WAYS).index(row.way) - 1)
            [bar] = axes.barh([at], [row.spearman], height=0.23, alpha=0.85, color=_COLOUR[row.way])
            axes.plot([row.low, row.high], [at, at], color="black", **on_bars(0.8))
            axes.plot([row.tau, row.tau], [at - 0.11, at + 0.11], color="black", **on_bars(1.6))
            axes.plot([row.split], [at], marker="D", color="white", markeredgecolor="black", markersize=3.6, markeredgewidth=0.7)
            numbers = f"ρ {row.spearman:.2f} [{row.low:.2f}, {row.high:.2f}], τ {row.tau:.2f}, between halves {row.split:.2f} (p {row.split_p:.3f})"
            tip(bar, f"{plain(row.value)} {signed(row.direction)}, {WAYS[row.way]}: {numbers}")
        label_rows(axes, one_each)
        axes.set_xlim(min(-0.05, rows[["low", "split", "tau"]].to_numpy(dtype=float).min() - 0.05), 1.04)
        axes.set_xlabel("rank agreement")
        axes.locator_params(axis="x", nbins=5)

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """The three ways, and what the marks mean."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        return [
            *(Patch(facecolor=_COLOUR[way], label=name) for way, name in WAYS.items()),
            Line2D([], [], color="black", linewidth=1.6, label="Kendall's τ"),
            Line2D([], [], color="white", marker="D", markeredgecolor="black", markersize=3.6, label="between halves of the scenes"),
        ]
