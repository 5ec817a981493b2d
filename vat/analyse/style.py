"""How every figure looks: one set of fonts and lines, and for each value its colour, its marker and its place on the circle.

Colours are told apart by people who see fewer of them (Tol's muted scheme); what a colour says is also said by a name, a place or a marker.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vat.analyse.study import Study
from vat.theory.base import Theory

COLOURS = ("#332288", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499", "#44AA99", "#88CCEE", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
DASHES: tuple[Any, ...] = ("-", "--", ":", "-.")
APART, TOGETHER = "#2166AC", "#B2182B"  # the ends of RdBu, which differ in lightness from what lies between them
TARGETS: dict[int, dict[str, Any]] = {
    -2: {"facecolor": APART, "hatch": "////"}, -1: {"facecolor": "#92C5DE", "hatch": "////"}, 1: {"facecolor": "#F4A582"}, 2: {"facecolor": TOGETHER},
}  # fmt: skip
"""Of a bar, by what was asked of a value: strong is dark, away is hatched, so that grey tells them apart as well."""
HATCHES = ("", "xxxx", "....", "||||", "----")
CHANCE = "0.45"
FAINT = 0.35
FONT = ["DejaVu Sans", "Verdana", "sans-serif"]
_RC: dict[Any, Any] = {
    "font.family": "sans-serif", "font.sans-serif": FONT, "font.size": 8, "axes.titlesize": 8.5, "axes.labelsize": 8, "legend.fontsize": 7.5,
    "xtick.labelsize": 7.5, "ytick.labelsize": 7.5, "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.6, "lines.linewidth": 1.4, "lines.markersize": 4.5, "grid.color": "0.88", "grid.linewidth": 0.6, "legend.frameon": False,
    "hatch.linewidth": 0.5, "figure.dpi": 150, "savefig.dpi": 150, "text.parse_math": False,
    "pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "vat",
}  # fmt: skip


@contextmanager
def styled() -> Iterator[None]:
    """Figures made inside look alike; nothing is shown on a screen."""
    import matplotlib

    matplotlib.use("Agg")
    with matplotlib.rc_context(_RC):
        yield


def on_bars(width: float, edge: float = 0.7) -> dict[str, Any]:
    """How a line so many points wide is drawn that lies on bars: edged in white, so that it is seen on dark ones too; thin bars take a thin edge."""
    from matplotlib.patheffects import withStroke

    return {"linewidth": width, "path_effects": [withStroke(linewidth=width + 2 * edge, foreground="white")]}


@dataclass(frozen=True)
class Look:
    """What stands for what, the same in all figures of a report.

    strategies: those that there are, in a fixed order.
    """

    theory: Theory
    strategies: Sequence[str]

    @classmethod
    def of(cls, study: Study) -> Look:
        """For the figures of a study."""
        return cls(study.theory, sorted(set(study.points["strategy"])))

    def colour(self, value: str) -> str:
        """Of a value."""
        return COLOURS[self.theory.values.index(value) % len(COLOURS)]

    def marker(self, value: str) -> str:
        """Of a value; where a theory has more values than there are colours, those of one colour have different ones."""
        return MARKERS[self.theory.values.index(value) // len(COLOURS) % len(MARKERS)]

    def of_strategy(self, strategy: str) -> dict[str, Any]:
        """Colour and marker of a strategy."""
        n = self.strategies.index(strategy)
        return {"color": COLOURS[(0, 4, 2, 7, 5, 1, 6, 3, 8, 9)[n % 10]], "marker": MARKERS[n % len(MARKERS)]}

    def bar_of_strategy(self, strategy: str) -> dict[str, Any]:
        """Colour and hatching of a strategy's bars."""
        return {"facecolor": self.of_strategy(strategy)["color"], "hatch": HATCHES[self.strategies.index(strategy) % len(HATCHES)]}

    def turn(self, value: str) -> float:
        """Where a value is on the circle, in radians from the top, clockwise; evenly spaced in the theory's order where it has no circle."""
        return self._turns[value]

    @cached_property
    def ring(self) -> list[str]:
        """The values in their order on the circle."""
        return sorted(self.theory.values, key=lambda value: self._turns[value])

    @cached_property
    def _turns(self) -> dict[str, float]:
        degrees = self.theory.angles or {value: 360 * n / len(self.theory.values) for n, value in enumerate(self.theory.values)}
        taken: dict[float, int] = {}
        turns = {}
        for value, angle in degrees.items():  # values at one angle, as theories have them, stand side by side
            turns[value] = math.radians(angle + 6 * taken.get(angle, 0))
            taken[angle] = taken.get(angle, 0) + 1
        return turns


def plain(value: str) -> str:
    """A value as people write it."""
    return value.replace("_", "-")


def signed(direction: int) -> str:
    """Which way a value was pushed, as an arrow."""
    return "↑" if direction > 0 else "↓"


def asked(target: float) -> str:
    """The intensity that was asked of a value, with its sign."""
    return f"{target:+.0f}".replace("-", "−")
