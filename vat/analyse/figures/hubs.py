"""Whether the values that couple most also shift most, scene by scene: amplification of hubs against that of the rest (Figure 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vat.analyse.figures.base import Figure, dose_of, tip
from vat.analyse.figures.stability import paneled
from vat.analyse.study import each
from vat.analyse.style import COLOURS, Look, plain, signed
from vat.measure.amplification import amplification
from vat.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from pandas import DataFrame

    from vat.analyse.study import Study

GROUPS = ("hub", "rest")
MOST_PAIRS = 5
"""Pushed values that a panel has room for."""
QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
_FILL = {"hub": COLOURS[4], "rest": "0.85"}


@settings
class Hubs(Figure):
    """figure=hubs. A panel a model and strategy, two boxes a pushed value, at its strongest dose.

    Source: Value Alignment Tax, Figure 5. Differs: with an effect size, its interval and a test over the choice of hubs.
    """

    title: ClassVar[str] = "Do hubs amplify?"
    caption: ClassVar[str] = (
        "Shift of a value in a scene, per unit of what the target gained on average: for hubs, the values of highest VAT, and for the rest; the "
        "target is in neither. Boxes hold the middle half of scenes and values, whiskers 5% to 95% (all replicates together). Below: Cliff's "
        "delta with its 95% interval, and the share p of choices of as many other values that would look as different."
    )
    needs: ClassVar[str] = "a job with measure=amplification whose gain is told from 0"
    size: ClassVar[tuple[float, float]] = (4.3, 3.0)

    def data(self, study: Study) -> DataFrame:
        """A row a group of a pushed value: group, quantiles p5 … p95, n entries, and effect with low, high and p."""
        import pandas as pd

        effects = study.of("amplification")
        effects = effects[effects["strongest"] & effects["estimate"].notna()]
        flags = study.by_value("hub").set_index(["job", "step", "of"])["estimate"] if len(effects) else None
        rows: list[dict[str, Any]] = []
        for _, of_cell in effects.groupby(["model", "value", "direction", "strategy", "settings"], sort=False, dropna=False):
            assert flags is not None
            entries: dict[str, list[float]] = {group: [] for group in GROUPS}
            for state in each(of_cell):
                shifted = study.shifted(state.job, state.step)
                shift_SV = shifted.post_SV - shifted.pre_SV
                moved_SV = amplification(shift_SV, gain=float(np.nanmean(shift_SV[:, shifted.target])))
                for v, value in enumerate(shifted.values):
                    if v != shifted.target and np.nanstd(shift_SV[:, v]) > 0:
                        entries["hub" if flags[state.job, state.step, value] else "rest"] += moved_SV[~np.isnan(moved_SV[:, v]), v].tolist()
            first = of_cell.iloc[0]
            told = {name: first[name] for name in ("model", "value", "direction", "strategy", "settings", "dose", "shots", "step")}
            told |= {"effect": of_cell["estimate"].mean(), "low": of_cell["low"].min(), "high": of_cell["high"].max(), "p": of_cell["p"].max()}
            for group in GROUPS:
                quantiles = {name: float(np.quantile(entries[group], q)) for name, q in QUANTILES.items()}
                rows.append({**told, "replicates": len(of_cell), "group": group, "n": len(entries[group]), **quantiles})
        return paneled(pd.DataFrame(rows), MOST_PAIRS) if rows else pd.DataFrame(columns=["panel"])

    def columns(self, rows: DataFrame) -> int:
        """Two, as panels are wide."""
        return 2

    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Two boxes for each pushed value, the effect under its name."""
        pushed = list(rows.groupby(["value", "direction"], sort=False))
        names = []
        for n, (_, pair) in enumerate(pushed):
            for row in each(pair):
                box = {"whislo": row.p5, "q1": row.p25, "med": row.p50, "q3": row.p75, "whishi": row.p95}
                at = n - 0.19 if row.group == "hub" else n + 0.19
                made = axes.bxp(
                    [box], positions=[at], widths=0.32, showfliers=False, patch_artist=True, manage_ticks=False,
                    boxprops={"facecolor": _FILL[row.group], "linewidth": 0.6, "hatch": "////" if row.group == "hub" else None},
                    medianprops={"color": "black", "linewidth": 1.3}, whiskerprops={"linewidth": 0.6}, capprops={"linewidth": 0.6},
                )  # fmt: skip
                tip(made["boxes"][0], f"{row.group} of {plain(row.value)} {signed(row.direction)}: median {row.p50:.2f} of {row.n} entries")
            one = next(each(pair))
            effect = f"δ {one.effect:+.2f}\n[{one.low:+.2f}, {one.high:+.2f}]\np {one.p:.3f}"
            names.append("\n".join(filter(None, (f"{plain(one.value)} {signed(one.direction)}", dose_of(one), effect))))
        axes.set_xticks(range(len(names)), names, fontsize=6.5 if len(names) < MOST_PAIRS else 5.5)
        axes.set_xlim(-0.6, max(len(names) - 0.4, 0.6))
        axes.set_ylim(bottom=0)
        axes.set_ylabel("shift per unit of gain")
        axes.tick_params(axis="x", length=0)

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """The two groups."""
        from matplotlib.patches import Patch

        return [
            Patch(facecolor=_FILL["hub"], hatch="////", edgecolor="black", linewidth=0.6, label="hubs"),
            Patch(facecolor=_FILL["rest"], edgecolor="black", linewidth=0.6, label="the rest"),
        ]
