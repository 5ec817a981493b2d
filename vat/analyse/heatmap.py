"""The coupling matrix of one state as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def draw_coupling(path: Path, coupling_VV: np.ndarray, values: Sequence[str], *, title: str, caption: str, target: str) -> None:
    """Write a PNG: red moved together, blue moved apart; the diagonal, 1 by definition, is left out and the target is in bold."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown_VV = np.where(np.eye(len(values), dtype=bool), np.nan, coupling_VV)
    names = [value.replace("_", "-") for value in values]
    figure, axes = pyplot.subplots(figsize=(2.6 + 0.48 * len(values), 2.6 + 0.42 * len(values)), layout="constrained")
    colours = pyplot.get_cmap("RdBu_r").with_extremes(bad="0.88")
    image = axes.imshow(shown_VV, cmap=colours, vmin=-1, vmax=1)
    for u, w in zip(*np.nonzero(~np.isnan(shown_VV)), strict=True):
        colour = "white" if abs(shown_VV[u, w]) > 0.6 else "black"
        axes.text(w, u, _short(shown_VV[u, w]), ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(values)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(values)), names)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_fontweight("bold" if label.get_text() == target.replace("_", "-") else "normal")
    axes.set_title(title, fontsize=10, loc="left")
    figure.colorbar(image, shrink=0.8, label="rank correlation of shifts over scenes")
    figure.supxlabel(caption, fontsize=7, wrap=True)
    figure.savefig(path, dpi=150, format="png")
    pyplot.close(figure)


def _short(x: float) -> str:
    """Two decimals without the leading 0 and without a negative zero."""
    return f"{round(x, 2) + 0.0:.2f}".replace("0.", ".", 1) if abs(x) < 1 else f"{x:.0f}"
