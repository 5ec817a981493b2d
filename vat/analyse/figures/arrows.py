"""Two values steered together: where each pair of targets takes both intensities (ValueFlow, Figure 8, left)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vat.analyse.figures.base import Figure, of_method, tip
from vat.analyse.steered import scored
from vat.analyse.study import STATE, each
from vat.analyse.style import COLOURS, Look, asked, plain
from vat.settings import settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Page
    from pandas import DataFrame

    from vat.analyse.study import Study

SIDES = ("first", "second")
_INCHES = 1.9
"""About how wide a panel's axes are."""
_WIDE, _HIGH = 0.36, 0.12
"""Inches that a label takes."""


@settings
class Arrows(Figure):
    """figure=arrows. A panel a pair of values of a model and strategy, an arrow a pair of targets.

    Source: ValueFlow, Figure 8, left. Differs: with the intervals of both Δ.
    """

    title: ClassVar[str] = "Two values steered at once"
    caption: ClassVar[str] = (
        "Δ of the intensities of open answers where two values are steered together: an arrow for each pair of targets, which stand at its tip, "
        "those of the horizontal value first; crosses are 95% intervals for other countries and topics too (over jobs that ask the same the "
        "mean, with the widest bounds). Values that simply add up would take (+2, +1) and (+1, +2) to either side of the dotted diagonal. All "
        "panels of a page are on one scale."
    )
    needs: ClassVar[str] = "a job with two steered values (strategy.also={value: target}) whose answers were scored (-cn intensity run=<job>)"
    size: ClassVar[tuple[float, float]] = (2.9, 2.9)

    def data(self, study: Study) -> DataFrame:
        """A row an arrow: first and second value, each with its _target, _delta, _low and _high; n jobs of which it is the mean."""
        import pandas as pd

        found = scored(study)
        found = found[(found["steered"] == 2) & found["strongest"] & found["target"].notna() & found["delta"].notna()]
        rows: list[dict[str, Any]] = []
        for _, pair in found.groupby([*STATE], sort=False):
            if len(pair) < len(SIDES):
                continue
            row: dict[str, Any] = {name: pair[name].iloc[0] for name in ("job", "model", "strategy", "settings")}
            for side, of_one in zip(SIDES, each(pair), strict=True):
                row |= {side: of_one.of, f"{side}_target": of_one.target, f"{side}_delta": of_one.delta}
                row |= {f"{side}_low": of_one.delta_low, f"{side}_high": of_one.delta_high}
            rows.append(row)
        if not rows:
            return pd.DataFrame(columns=["panel"])
        what, of = ["model", "strategy", "settings", *SIDES], [f"{side}_target" for side in SIDES]
        numbers = {f"{side}_{name}": (f"{side}_{name}", how) for side in SIDES for name, how in (("delta", "mean"), ("low", "min"), ("high", "max"))}
        table = pd.DataFrame(rows).groupby([*what, *of], sort=False, as_index=False).agg(**numbers, n=("job", "nunique"))
        table = table.sort_values([*what, *of], ascending=[True] * len(what) + [False] * len(of), kind="stable", ignore_index=True)
        return table.assign(panel=[_title(row) for row in each(table)])

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Arrows from where the model is without steering."""
        for line in (axes.axhline, axes.axvline):
            line(0, color="0.6", linewidth=0.8, zorder=0)
        axes.axline((0, 0), slope=1, color="0.75", linewidth=0.7, linestyle=":", zorder=0)
        for n, row in enumerate(each(rows)):
            x, y, colour = row.first_delta, row.second_delta, _colour(n)
            axes.plot([row.first_low, row.first_high], [y, y], color=colour, linewidth=0.8, alpha=0.6)
            axes.plot([x, x], [row.second_low, row.second_high], color=colour, linewidth=0.8, alpha=0.6)
            axes.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0, "linewidth": 1.3})
            [dot] = axes.plot([x], [y], "o", color=colour, markersize=2.5)
            parts = (f"{plain(row.first)} {x:+.2f} [{row.first_low:+.2f}, {row.first_high:+.2f}]",
                     f"{plain(row.second)} {y:+.2f} [{row.second_low:+.2f}, {row.second_high:+.2f}]")  # fmt: skip
            tip(dot, f"{_asked(row)}: {', '.join(parts)}")
        axes.set_xlabel(f"Δ {plain(rows['first'].iloc[0])}")
        axes.set_ylabel(f"Δ {plain(rows['second'].iloc[0])}")
        axes.set_aspect("equal")
        axes.grid(True)
        axes.set_axisbelow(True)

    def finish(self, page: Page, rows: DataFrame) -> None:
        """One scale; then labels where there is room."""
        reach = 1.3 * max(float(np.nanmax(np.abs(rows[[f"{side}_delta" for side in SIDES]].to_numpy(dtype=float)))), 0.5)
        for axes, (_, of_panel) in zip(page.axes, rows.groupby("panel", sort=False), strict=False):
            axes.set_xlim(-reach, reach)
            axes.set_ylim(-reach, reach)
            axes.locator_params(nbins=5)
            _label(axes, of_panel, reach)


def _title(row: Any) -> str:
    method, *given = of_method(row).split("\n")
    return "\n".join([f"{method} · {plain(row.first)}, {plain(row.second)}", *given])


def _asked(row: Any) -> str:
    return f"{asked(row.first_target)}, {asked(row.second_target)}"


def _colour(n: int) -> str:
    return COLOURS[(0, 4, 1, 5, 2, 6, 9, 7)[n % 8]]


def _label(axes: Axes, rows: DataFrame, reach: float) -> None:
    """The targets of each arrow beyond its tip: the nearest place where it lies on no other label, tip or, if that can be, interval."""
    from matplotlib.patheffects import withStroke

    inch = 2 * reach / _INCHES
    taken = [(row.first_delta, row.second_delta, 0.04 * inch, 0.04 * inch) for row in each(rows)]
    lines = [line for row in each(rows) for line in _cross(row)]
    for n, row in enumerate(each(rows)):
        x, y = row.first_delta, row.second_delta
        ahead = math.atan2(y, x)
        places = [
            (x + away * inch * 1.8 * math.cos(ahead + turn), y + away * inch * math.sin(ahead + turn), _WIDE / 2 * inch, _HIGH / 2 * inch)
            for away in (0.13, 0.2, 0.28, 0.36, 0.45, 0.55) for turn in (0, 0.5, -0.5, 1, -1, 1.6, -1.6, 2.3, -2.3, math.pi)
        ]  # fmt: skip
        free = [place for place in places if not any(_overlap(place, other) for other in taken) and _inside(place, reach)]
        clear = [place for place in free if not any(_overlap(place, line) for line in lines)]
        place = (clear or free or places)[0]
        taken.append(place)
        text = axes.annotate(
            _asked(row), (x, y), place[:2], ha="center", va="center", fontsize=6.5, color=_colour(n), fontweight="bold",
            arrowprops={"arrowstyle": "-", "color": _colour(n), "linewidth": 0.4, "shrinkA": 0, "shrinkB": 0} if _far(place, x, y, inch) else None,
        )  # fmt: skip
        text.set_path_effects([withStroke(linewidth=1.6, foreground="white")])


def _cross(row: Any) -> list[tuple[float, ...]]:
    """Its intervals as flat places."""
    wide = ((row.first_low + row.first_high) / 2, row.second_delta, (row.first_high - row.first_low) / 2, 0.0)
    high = (row.first_delta, (row.second_low + row.second_high) / 2, 0.0, (row.second_high - row.second_low) / 2)
    return [wide, high]


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return abs(a[0] - b[0]) < a[2] + b[2] and abs(a[1] - b[1]) < a[3] + b[3]


def _inside(place: tuple[float, ...], reach: float) -> bool:
    return all(abs(place[n]) + place[n + 2] < reach for n in (0, 1))


def _far(place: tuple[float, ...], x: float, y: float, inch: float) -> bool:
    return math.hypot((place[0] - x) / 1.8, place[1] - y) > 0.25 * inch
