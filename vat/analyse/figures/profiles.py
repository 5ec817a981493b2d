"""Three or more values steered together: the intensities that come of each profile of targets (ValueFlow, Figure 8, right)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vat.analyse.figures.base import Figure, of_method, split_panels, tip
from vat.analyse.steered import scored
from vat.analyse.study import STATE, each
from vat.analyse.style import Look, asked, plain
from vat.settings import settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure as Page
    from pandas import DataFrame

    from vat.analyse.study import Study

FEWEST = 3
"""Values that make a profile; two are arrows."""
MOST = 8
"""Profiles, and values, that a panel has room for."""
MOST_WITH_INTERVALS = 5
"""Values whose cells are wide enough for them."""
LARGEST = 10
_DARK = 6.5
"""On colours of this intensity and beyond, print is white."""


@settings
class Profiles(Figure):
    """figure=profiles. A panel a model, strategy and set of values, a row a profile.

    Source: ValueFlow, Figure 8, right. Differs: with intervals, and the target in each cell.
    """

    title: ClassVar[str] = "Several values steered at once"
    caption: ClassVar[str] = (
        "Intensity of open answers, from −10 to 10, after three or more values were steered together: a row a profile of targets. In each cell "
        "the intensity, above it the target, below it the 95% interval over scenes, where there is room (point at a cell to read it, and what the "
        "intensity was before); over jobs that ask the same the mean, with the widest bounds. Grey: not known."
    )
    needs: ClassVar[str] = "a job with three steered values or more (strategy.also={…}) whose answers were scored (-cn intensity run=<job>)"
    size: ClassVar[tuple[float, float]] = (4.2, 3.1)
    beside: ClassVar[float] = 0.4

    def data(self, study: Study) -> DataFrame:
        """A row a cell: profile (all its targets in words), of, target, after with low and high, before, delta; n jobs of which it is the mean."""
        import pandas as pd

        found = scored(study)
        found = found[(found["steered"] >= FEWEST) & found["strongest"] & found["target"].notna()]
        if not len(found):
            return pd.DataFrame(columns=["panel"])
        told = [
            dict(zip(STATE, rows[[*STATE]].iloc[0], strict=True)) | {
                "values": ", ".join(map(plain, rows["of"])), "order": tuple(-rows["target"]),
                "profile": ", ".join(f"{plain(row.of)} {asked(row.target)}" for row in each(rows)),
            }
            for _, rows in found.groupby([*STATE], sort=False)
        ]  # fmt: skip
        found = found.merge(pd.DataFrame(told), on=[*STATE])
        found = found.sort_values(["model", "strategy", "settings", "values", "order"], kind="stable")
        what = ["model", "strategy", "settings", "values", "profile", "of", "target"]
        numbers = {"after": ("after", "mean"), "low": ("after_low", "min"), "high": ("after_high", "max")}
        numbers |= {"before": ("before", "mean"), "delta": ("delta", "mean"), "n": ("job", "nunique")}
        table = found.groupby(what, sort=False, as_index=False).agg(**numbers)
        table = table.assign(panel=_titles(table)).drop(columns="values")
        return split_panels(split_panels(table, ["profile"], MOST), ["of"], MOST)

    def columns(self, rows: DataFrame) -> int:
        """Two, as panels are wide."""
        return 2

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """The heatmap."""
        profiles, values = (list(dict.fromkeys(rows[name])) for name in ("profile", "of"))
        axes.set_facecolor("0.85")
        for row in each(rows):
            _cell(axes, values.index(row.of) + 0.5, profiles.index(row.profile) + 0.5, row, with_interval=len(values) <= MOST_WITH_INTERVALS)
        axes.set_xlim(0, len(values))
        axes.set_ylim(max(len(profiles), 2), 0)
        axes.set_xticks(np.arange(len(values)) + 0.5, [plain(value) for value in values], rotation=90, fontsize=7)
        axes.set_yticks(np.arange(len(profiles)) + 0.5, [str(n + 1) for n in range(len(profiles))])
        axes.set_ylabel("profile")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)

    def finish(self, page: Page, rows: DataFrame) -> None:
        """The scale that the panels share."""
        page.colorbar(_colours(), ax=page.axes, shrink=0.6, aspect=30, label="intensity after")


def _titles(table: DataFrame) -> list[str]:
    """Methods; where one has several sets of values, each has panels of its own."""
    titles: dict[str, list[str]] = {}
    for row in each(table):
        sets = titles.setdefault(of_method(row), [])
        if row.values not in sets:
            sets.append(row.values)
    named = []
    for row in each(table):
        method, *given = of_method(row).split("\n")
        sets = titles[of_method(row)]
        named.append("\n".join([method if len(sets) == 1 else f"{method} · set {sets.index(row.values) + 1}", *given]))
    return named


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _colours() -> ScalarMappable:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(-LARGEST, LARGEST), "RdBu_r")


def _cell(axes: Axes, x: float, y: float, row: Any, *, with_interval: bool) -> None:
    from matplotlib.patches import Rectangle

    known = row.after == row.after
    ink = "white" if known and abs(row.after) > _DARK else "black"
    fill = _colours().to_rgba(row.after) if known else "0.85"
    cell = axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=fill, edgecolor="white", linewidth=0.8))
    axes.text(x, y - 0.31, asked(row.target), ha="center", va="center", fontsize=6, color=ink, fontweight="bold")
    axes.text(x, y + 0.02, _minus(f"{row.after:+.1f}") if known else "–", ha="center", va="center", fontsize=8, color=ink)
    if known and with_interval:
        axes.text(x, y + 0.33, _minus(f"[{row.low:+.1f}, {row.high:+.1f}]"), ha="center", va="center", fontsize=5, color=ink)
    told = f"{row.after:+.2f} [{row.low:+.2f}, {row.high:+.2f}], before {row.before:+.2f}, Δ {row.delta:+.2f}" if known else "not known"
    tip(cell, f"{plain(row.of)}, target {asked(row.target)}: {told} ({row.profile})")
