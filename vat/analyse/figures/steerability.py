"""How far the intensity of what a model says moves when one value is steered, by target (ValueFlow, Figures 5 and 6)."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vat.analyse.figures.base import Figure, of_method, split_panels, tip
from vat.analyse.steered import TARGETS, alone
from vat.analyse.study import each
from vat.analyse.style import TARGETS as LOOK_OF
from vat.analyse.style import Look, asked, on_bars, plain
from vat.measure.gain import mean_interval
from vat.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Page
    from pandas import DataFrame

    from vat.analyse.study import Study

MOST = 10
"""Groups of bars that a panel has room for."""
METHOD = ["model", "strategy", "settings"]
_WIDER = 1.6
"""How much longer than the longest bar intervals are shown at most."""


@settings
class Steerability(Figure):
    """figure=steerability. A panel a model and strategy, four bars a value; before them, with several models, means of these and of values.

    Source: ValueFlow, Figures 5 and 6. Differs: with intervals; strategies are not mixed.
    """

    title: ClassVar[str] = "How far each value can be steered"
    caption: ClassVar[str] = (
        "Δ of the intensity of open answers, after minus before, on a scale from −10 to 10, where one value is steered, by the target asked for: "
        "bars with 95% intervals for other countries and topics too (over replicates the mean, with the widest bounds). Where a strategy has "
        "steered several models, a bar is also the mean of a value over models, and of a model over its values, with an interval over these "
        "(Student's; of one alone, its own). All panels of a page are on one scale, on which longer intervals are cut off."
    )
    needs: ClassVar[str] = "a job with strategy=intensity_anchor or user_texts whose answers were scored (-cn intensity run=<job>)"
    size: ClassVar[tuple[float, float]] = (3.3, 4.7)
    beside: ClassVar[float] = 1.1

    def data(self, study: Study) -> DataFrame:
        """A row a bar: group (a value or a model), target, delta with low and high; n, of how many it is the mean."""
        import pandas as pd

        found = alone(study)[[*METHOD, "of", "target", "delta", "low", "high", "replicates"]]
        found = found.sort_values(METHOD, kind="stable")
        several = found[found.groupby(["strategy", "settings"])["model"].transform("nunique") > 1]
        means = [_means(several, "of", "mean of models"), _means(several, "model", "mean of values")] if len(several) else []
        parts = [*means, found.assign(group=found["of"], n=1, panel=list(map(of_method, each(found))))]
        whole = pd.concat(parts, ignore_index=True)
        return split_panels(whole[["panel", *METHOD, "group", "target", "delta", "low", "high", "n"]], ["group"], MOST)

    def columns(self, rows: DataFrame) -> int:
        """The methods, where they are two or three, so that each has a column."""
        methods = len(rows[["strategy", "settings"]].drop_duplicates())
        return methods if methods in (2, 3) else super().columns(rows)

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Groups below each other, their bars in order of the target."""
        target_bars(axes, rows, "delta", _told)
        axes.axvline(0, color="0.3", linewidth=0.8)
        axes.set_xlabel("intensity Δ")
        axes.locator_params(axis="x", nbins=5)

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """The targets."""
        return targets(rows)

    def finish(self, page: Page, rows: DataFrame) -> None:
        """One scale, with 0 in the middle: so that it is seen which way values move further."""
        longest = max(float(rows["delta"].abs().max()), 0.5)
        of_scenes = rows.loc[rows["n"] == 1, ["low", "high"]]  # those over two models are easily ten times as wide
        widest = float(np.nanmax(np.abs(of_scenes.to_numpy(dtype=float)), initial=longest))
        reach = min(widest, _WIDER * longest) * 1.05
        for axes in page.axes:
            axes.set_xlim(-reach, reach)


def _means(found: DataFrame, group: str, title: str) -> DataFrame:
    """Of each strategy: means over what is not the group."""
    import pandas as pd

    rows = []
    for (strategy, given, name, target), of_one in found.groupby(["strategy", "settings", group, "target"], sort=False, dropna=False):
        n, mean, low, high = mean_interval(of_one["delta"].to_numpy(dtype=float))
        if n == 1:
            low, high = of_one[["low", "high"]].iloc[0]
        panel = f"{title} · {strategy}" + (f"\n{given}" if given else "")
        rows.append({
            "model": name if group == "model" else "", "strategy": strategy, "settings": given, "group": name, "target": target,
            "delta": mean, "low": low, "high": high, "n": n, "panel": panel,
        })  # fmt: skip
    return pd.DataFrame(rows).sort_values(["strategy", "settings"], kind="stable")


def _told(row: Any) -> str:
    return f"Δ {row.delta:+.2f} [{row.low:+.2f}, {row.high:+.2f}]" + (f", mean of {row.n}" if row.n > 1 else "")


def target_bars(axes: Axes, rows: DataFrame, length: str, told: Any) -> None:
    """Bars of the targets of each group, side by side in their order; only targets of this panel have a place.

    Args:
        told: Of a row, what a reader sees who points at its bar.
    """
    groups = {group: n for n, group in enumerate(dict.fromkeys(rows["group"]))}
    there = [target for target in TARGETS if target in set(rows["target"])]
    height = 0.8 * min(1, (len(groups) + 1) / 5) / len(there)  # bars of few groups are no blocks
    for row in each(rows):
        at = groups[row.group] + height * (there.index(row.target) - (len(there) - 1) / 2)
        [bar] = axes.barh([at], [getattr(row, length)], height=height * 0.92, edgecolor="white", linewidth=0, **LOOK_OF[int(row.target)])
        axes.plot([row.low, row.high], [at, at], color="black", **on_bars(0.8, edge=0.35))
        tip(bar, f"{plain(row.group)} {asked(row.target)}: {told(row)}")
    names = [textwrap.fill(plain(group), 18) for group in groups]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)


def targets(rows: DataFrame) -> list[Any]:
    """A legend of the targets in these rows."""
    from matplotlib.patches import Patch

    there = set(rows["target"])
    return [Patch(edgecolor="white", linewidth=0, label=f"target {asked(target)}", **LOOK_OF[target]) for target in TARGETS if target in there]
