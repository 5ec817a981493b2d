"""Whether the pages of a figure can be read, without a browser."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from vat.analyse.figures.base import Figure, _pages
from vat.analyse.scores import Scores
from vat.analyse.study import Study
from vat.analyse.style import Look, styled


def can_be_read(name: str, figure: Figure, study: Study | Scores, look: Look) -> None:
    """No text lies on another, or outside of its page."""
    with styled():
        for page in _pages(figure, figure.data(study), look):
            page.canvas.draw()
            boxes = [(text.get_text(), text.get_window_extent()) for text in _texts(page) if text.get_visible() and text.get_text().strip()]
            assert len(boxes) > 5
            for (one, a), (other, b) in combinations(boxes, 2):
                width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
                assert width < 2 or height < 2, f"{name}: {one!r} lies on {other!r}"
            whole = page.bbox.padded(2)
            cut = [text for text, box in boxes if not (whole.contains(box.x0, box.y0) and whole.contains(box.x1, box.y1))]
            assert not cut, f"{name}: cut off"


def _texts(page: Any) -> list[Any]:
    """All that is drawn; ticks beyond an axis have a text, too, that is not."""
    found = [text for legend in page.legends for text in legend.get_texts()]
    for axes in page.axes:
        found += [*axes.texts, axes._left_title, *_ticks(axes)] + ([axes.xaxis.label, axes.yaxis.label] if axes.axison else [])
        found += axes.get_legend().get_texts() if axes.get_legend() else []
    return found


def _ticks(axes: Any) -> list[Any]:
    if not axes.axison:
        return []
    found = []
    for axis, (low, high) in ((axes.xaxis, sorted(axes.get_xlim())), (axes.yaxis, sorted(axes.get_ylim()))):
        found += [tick.label1 for tick in axis.get_major_ticks() if low - 1e-9 <= tick.get_loc() <= high + 1e-9]
    return found
