"""What a figure is to the report: numbers taken from a study, split into panels, and a way to draw one panel. Panels are set into pages."""

from __future__ import annotations

import io
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from vat.analyse.study import CELL
from vat.analyse.style import Look, plain, signed, styled
from vat.settings import settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Page
    from pandas import DataFrame

    from vat.analyse.scores import Scores
    from vat.analyse.study import Study

FORMATS = ("pdf", "svg", "png")
_PIXELS = 128
"""To an inch of a figure on the page: text is then as large there as the page's own small print."""
NARROWEST = 4.2
"""Inches that a page is wide at least, so that its legend has room."""
_CHARACTER, _LINE = 0.071, 0.16
"""Inches that a character of a title is wide, and that a line of it or of a legend is high."""
_MOST_LINES = 5
_SVG = "http://www.w3.org/2000/svg"


@settings
class Figure(ABC):
    """Base of all figures.

    title: what it shows. caption: how to read it, whole sentences. needs: what a study must have for it to be drawn.
    projection: of its panels. size: of a panel, in inches; beside: how much of it the labels left of its axes take, where its title begins.
    panels: on a page, at most; the rest follow on further pages.
    """

    panels: Annotated[int, Field(ge=1)]

    title: ClassVar[str]
    caption: ClassVar[str]
    needs: ClassVar[str]
    projection: ClassVar[str | None] = None
    size: ClassVar[tuple[float, float]] = (2.9, 2.9)
    beside: ClassVar[float] = 0.8

    @abstractmethod
    def data(self, study: Any) -> DataFrame:
        """The numbers that are drawn, and no others, of a `Study`, or of `Scores` where it is a figure of those: one row a mark, its panel's title in
        the column `panel`, in the order of drawing. No rows: there is nothing to draw.
        """

    @abstractmethod
    def draw(self, axes: Axes, rows: DataFrame, look: Look) -> None:
        """Draw the rows of one panel."""

    def columns(self, rows: DataFrame) -> int:
        """Panels side by side."""
        return 2 if rows["panel"].nunique() in (2, 4) else 3

    def key(self, rows: DataFrame, look: Look) -> Sequence[Any]:
        """Handles of the legend of a page of these rows; none where names stand at the marks."""
        return ()

    def finish(self, page: Page, rows: DataFrame) -> None:  # noqa: B027 - most pages have nothing beside their panels
        """What a page has beside its panels, as a scale that they share."""


class Drawn(NamedTuple):
    """A figure of a study: the numbers in it, and its pages as SVG; no pages where there is nothing to draw."""

    name: str
    figure: Figure
    data: DataFrame
    pages: tuple[str, ...]


def named(row: Any, *, dose: bool = False) -> str:
    """A cell as a panel's title, as "tiny · power ↓ · sft"; with its dose if that is asked for."""
    parts = [row.model, f"{plain(row.value)} {signed(row.direction)}", row.strategy]
    if dose and row.dose:
        parts.append(dose_of(row))
    return " · ".join(parts) + (f"\n{row.settings}" if row.settings else "")


def of_method(row: Any) -> str:
    """A panel's title where it is about a model and a strategy, whatever was pushed."""
    return f"{row.model} · {row.strategy}" + (f"\n{row.settings}" if row.settings else "")


def of_target(row: Any) -> str:
    """A panel's title where it is about a model and a pushed value, however it was pushed."""
    return f"{row.model} · {plain(row.value)} {signed(row.direction)}"


def over_replicates(rows: DataFrame, *by: str) -> DataFrame:
    """A number of each cell and dose, and of each of the columns `by`: the mean of its replicates, and the widest of their bounds.

    A replicate is another draw, so a bound that holds for each of them is what one figure can show of all.
    """
    present = {"estimate": "mean", "low": "min", "high": "max", "null": "mean", "q": "max", "p": "max"}
    how = {name: (name, kind) for name, kind in present.items() if name in rows}
    told = {name: (name, "first") for name in ("shots", "step", "strongest")}
    grouped = rows.groupby([*CELL, "dose", *by], sort=False, as_index=False, dropna=False)
    return grouped.agg(**told, replicates=("replicate", "nunique"), **how)


def split_panels(rows: DataFrame, by: Sequence[str], most: int) -> DataFrame:
    """A panel with more than `most` groups, told apart by the columns `by`, goes on in others, which share them evenly."""
    import pandas as pd

    group = rows.groupby(["panel", *by], sort=False, dropna=False).ngroup()
    place = group.groupby(rows["panel"], sort=False).transform(lambda groups: pd.factorize(groups)[0])
    count = place.groupby(rows["panel"], sort=False).transform("max") + 1
    part = place // -(-count // -(-count // most))
    return rows.assign(panel=[panel if not n else f"{panel} ({n + 1})" for panel, n in zip(rows["panel"], part, strict=True)])


def few_doses(rows: DataFrame, cell: Sequence[str] = CELL) -> DataFrame:
    """Rows of the first, the middle and the last dose of each cell: more lines than that hide each other."""

    def kept(doses: Any) -> Any:
        found = sorted(set(doses))
        return doses.isin([found[0], found[len(found) // 2], found[-1]])

    return rows[rows.groupby([*cell], dropna=False)["dose"].transform(kept).astype(bool)]


def dose_of(row: Any) -> str:
    """The dose of a state in words."""
    if row.shots == row.shots and row.shots is not None:
        return f"{row.shots:.0f} shots"
    return f"step {row.step}" if row.step else ""


def drawn(name: str, figure: Figure, study: Study | Scores, look: Look, folder: Path | None = None) -> Drawn:
    """Draw a figure, and keep it in a folder as PDF, SVG and PNG, a file a page, with its numbers as CSV and parquet."""
    from vat.files import whole_file

    data = figure.data(study)
    pages = []
    with styled():
        for n, page in enumerate(_pages(figure, data, look), start=1):
            saved = {form: _saved(page, form) for form in (FORMATS if folder else ("svg",))}
            pages.append(_for_html(saved["svg"], page.get_figwidth()))
            for form, content in saved.items() if folder else ():
                assert folder is not None
                with whole_file(folder / f"{name}{f'-{n}' if _n_pages(figure, data) > 1 else ''}.{form}") as draft:
                    draft.write_bytes(content)
    if folder:
        with whole_file(folder / f"{name}.csv") as draft:
            data.to_csv(draft, index=False)
        with whole_file(folder / f"{name}.parquet") as draft:
            data.to_parquet(draft, index=False)
    return Drawn(name, figure, data, tuple(pages))


def tip(artist: Any, text: str) -> None:
    """What a reader of the page sees who points at a mark."""
    artist.set_gid(f"tip:{text}")


def _n_pages(figure: Figure, data: DataFrame) -> int:
    return -(-data["panel"].nunique() // figure.panels) if len(data) else 0


def _pages(figure: Figure, data: DataFrame, look: Look) -> Iterator[Page]:
    """Pages of panels, of one size all of them. Each is closed when the next is asked for, or none any more."""
    from matplotlib import pyplot

    titles = list(dict.fromkeys(data["panel"])) if len(data) else []
    for start in range(0, len(titles), figure.panels):
        shown = titles[start : start + figure.panels]
        rows = data[data["panel"].isin(shown)]
        across = min(len(shown), figure.columns(rows))
        down = -(-len(shown) // across)
        width, height = figure.size
        in_lines = {title: _in_lines(title, width - figure.beside) for title in shown}
        height += _LINE * max(title.count("\n") for title in in_lines.values())
        options = {"projection": figure.projection} if figure.projection else {}
        wide = max(width * across, NARROWEST)
        handles = list(figure.key(rows, look))
        entries = _side_by_side([handle.get_label() for handle in handles], wide)
        tall = height * down + 0.14 + _LINE * -(-len(handles) // entries)
        page, grid = pyplot.subplots(down, across, figsize=(wide, tall), squeeze=False, subplot_kw=options, layout="constrained")
        for axes in grid.flat[len(shown) :]:
            axes.set_axis_off()
        for axes, title in zip(grid.flat, shown, strict=False):
            figure.draw(axes, rows[rows["panel"] == title], look)
            axes.set_title(in_lines[title])
        if handles:
            page.legend(handles=handles, loc="outside lower center", ncols=entries)
        figure.finish(page, rows)
        if (layout := page.get_layout_engine()) is not None:  # once, not again for each form that it is saved in
            for _ in range(3 if any(axes.get_aspect() != "auto" for axes in page.axes) else 1):  # round panels settle later
                layout.execute(page)
            page.set_layout_engine(None)
        try:
            yield page
        finally:
            pyplot.close(page)


def _in_lines(title: str, width: float) -> str:
    """A panel's title in lines of at most so many inches, so that it ends before the next: broken between its parts, within them if need be."""
    fit = int(width / _CHARACTER)
    lines: list[str] = []
    for whole in title.split("\n"):
        line, *parts = whole.split(" · ")
        for part in parts:
            if len(f"{line} · {part}") > fit:
                lines.append(line)
                line = part
            else:
                line = f"{line} · {part}"
        lines.append(line)
    broken = [piece for line in lines for piece in textwrap.wrap(line, fit)]
    return "\n".join(broken if len(broken) <= _MOST_LINES else [*broken[: _MOST_LINES - 1], f"… {broken[-1]}"])


def _side_by_side(labels: Sequence[str], width: float) -> int:
    """How many entries of a legend fit beside each other into so many inches."""
    return max(1, min(len(labels), int(width / (0.62 + 0.066 * max(map(len, labels), default=0)))))


def _saved(page: Page, form: str) -> bytes:
    """A page as a file of that form."""
    buffer = io.BytesIO()
    page.savefig(buffer, format=form, metadata=_undated(form))
    return buffer.getvalue()


def _for_html(svg: bytes, width: float) -> str:
    """An SVG so many inches wide to be set into HTML: marks that have something to say bear it as their title."""
    from xml.etree import ElementTree

    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(svg)
    root.set("width", f"{width * _PIXELS:.0f}")
    root.attrib.pop("height")
    for element in root.iter():
        text = element.get("id", "")
        if text.startswith("tip:"):
            del element.attrib["id"]
            element.set("class", "tip")
            title = ElementTree.Element(f"{{{_SVG}}}title")
            title.text = text.removeprefix("tip:")
            element.insert(0, title)
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    return ElementTree.tostring(root, encoding="unicode")


def _undated(form: str) -> dict[str, None]:
    """The same numbers give the same bytes."""
    return {} if form == "png" else {"Date" if form == "svg" else "CreationDate": None}
