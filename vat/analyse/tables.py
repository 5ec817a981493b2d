"""The papers' tables from a study, and their ways to a file: CSV and parquet with all digits; LaTeX and HTML as people read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vat.analyse.study import CELL, Study, each
from vat.analyse.table import interval, number, probability
from vat.measure.null import false_discovery_q

if TYPE_CHECKING:
    from pandas import DataFrame

LEVEL = 0.05
LEFT = {
    "model", "value", "of", "strategy", "with", "first", "second", "mark", "job", "dimension", "name", "kind", "judge", "evaluator",
    "calibration", "number",
}  # fmt: skip
"""Columns of words."""
EFFICIENT, RISKY = "efficient", "risky"
RULE = (
    f"{EFFICIENT}: the gain's 95% interval lies above 0, and the tax is not told from chance (false discovery rate {LEVEL} or more). "
    f"{RISKY}: the gain's interval lies below 0; or the tax is beyond chance and lies on fewer values than by chance (Gini, p below {LEVEL})."
)
"""What the marks of Table 2 mean. The paper marks rows by eye."""


class Table(NamedTuple):
    """A table: name of its files, title and caption, all digits in `data`, and `shown` as people read it."""

    name: str
    title: str
    caption: str
    data: DataFrame
    shown: DataFrame


def table2(study: Study) -> Table:
    """One row a job: its last state's gain, tax and Gini with what each would be by chance (Value Alignment Tax, Table 2).

    Differs from the paper's: intervals instead of standard deviations over subsamples (those are in `robustness`), a null beside every tax, marks
    by a rule (`RULE`).

    Returns:
        By job, in order of model, value, strategy and dose: the columns of a cell, shots, replicate; gain, nvat, gini, each with its columns
        _low, _high, _null, _p as far as it has them; nvat_q, the false discovery rate over the table; mark.
    """
    import numpy as np

    table = _last(study)
    for statistic, aspects in {"gain": ("low", "high"), "nvat": ("low", "high", "null", "p"), "gini": ("null", "p")}.items():
        found = study.of_the_last_state(statistic).loc[table.index]
        table[statistic] = found["estimate"]
        for aspect in aspects:
            table[f"{statistic}_{aspect}"] = found[aspect]
    table["nvat_q"] = false_discovery_q(table["nvat_p"].to_numpy(dtype=float))
    efficient = (table["gain_low"] > 0) & (table["nvat_q"] >= LEVEL)
    risky = (table["gain_high"] < 0) | ((table["nvat_q"] < LEVEL) & (table["gini_p"] < LEVEL))
    table["mark"] = np.select([risky, efficient], [RISKY, EFFICIENT], default="")
    shown = as_shown(
        table,
        {
            "gain": lambda row: f"{number(row.gain, '+.3f')} {interval(row.gain_low, row.gain_high, '+.3f')}",
            "nvat": lambda row: number(row.nvat), "by chance": lambda row: number(row.nvat_null),
            "beyond": lambda row: interval(row.nvat_low, row.nvat_high),
            "p": lambda row: probability(row.nvat_p), "q": lambda row: probability(row.nvat_q),
            "gini": lambda row: number(row.gini), "gini by chance": lambda row: number(row.gini_null), "mark": lambda row: row.mark,
        },
    )  # fmt: skip
    caption = (
        "Gain, tax (nVAT) and its concentration (Gini) of each job's last state, with what each would be by chance. Intervals are 95%; beyond is "
        "that of the tax free of chance, for other countries and topics too; p and q (false discovery rate) ask of these scenes whether values move "
        "together beyond what a country or topic shares, so that p may be small where beyond begins at 0. "
    )
    return Table("table2", "Gain and tax", caption + RULE, table, shown)


def robustness(study: Study) -> Table:
    """One row a job: whether its tax is stable over scenes, and its ranking of values over ways to measure (Value Alignment Tax, appendix C).

    Differs from the paper's: the agreement between halves of the scenes, which alone can be 0 by chance; and whether couplings follow the circle.
    """
    table = _last(study)
    whole = {"subsample": "nvat_subsample", "subsample_std": "nvat_subsample_std", "chance": "nvat"}
    for column, statistic in whole.items():
        table[column] = study.of_the_last_state(statistic).loc[table.index, "null" if column == "chance" else "estimate"]
    ways = {"kendall": "agreement_kendall", "items": "agreement_items", "items_apart": "agreement_items_apart"}
    for column, statistic in ways.items():
        found = study.of_the_last_state(statistic).loc[table.index]
        table[[column, f"{column}_low", f"{column}_high"]] = found[["estimate", "low", "high"]]
        table[f"{column}_tau"] = study.of_the_last_state(f"{statistic}_tau").loc[table.index, "estimate"]
        table[[f"{column}_split", f"{column}_split_p"]] = study.of_the_last_state(f"{statistic}_split").loc[table.index, ["estimate", "p"]]
    table[["circle", "circle_p"]] = study.of_the_last_state("circle").loc[table.index, ["estimate", "p"]]

    def agreement(name: str) -> Callable[[Any], str]:
        def said(row: Any) -> str:
            of = {part: getattr(row, f"{name}{part}") for part in ("", "_low", "_high", "_split", "_split_p")}
            whole = f"{number(of[''], '.2f')} {interval(of['_low'], of['_high'], '.2f')}"
            return f"{whole}; halves {number(of['_split'], '.2f')} (p {number(of['_split_p'], '.3f')})"

        return said

    shown = as_shown(
        table,
        {
            "nvat of 80%": lambda row: f"{number(row.subsample)} ± {number(row.subsample_std)}", "by chance": lambda row: number(row.chance),
            "Kendall": agreement("kendall"), "items": agreement("items"), "items, siblings apart": agreement("items_apart"),
            "circle": lambda row: f"{number(row.circle, '+.2f')} (p {number(row.circle_p, '.3f')})",
        },
    )  # fmt: skip
    caption = (
        "nVAT over random 80% of the scenes (mean ± standard deviation: stability, not confidence); Spearman's correlation of the values' VAT with "
        "the same under Kendall's coupling and from the mean VAT of their items (with and without couplings between items of one value), with 95% of "
        "resamples. Both sides see the same noise; between halves of the scenes they agree by chance only at 0 (p). circle: Mantel's correlation of "
        "coupling with distance on the theory's circle, negative if neighbours move together."
    )
    return Table("robustness", "Robustness", caption, table, shown)


def jobs_table(study: Study) -> Table:
    """One row a job: what it was and what it took."""
    usage = {name: str(name).removeprefix("usage.") for name in study.jobs if str(name).startswith("usage.")}
    table = _last(study).join(study.jobs[["name", "seconds", *usage]].rename(columns=usage))
    told = {"took": lambda row: f"{row.seconds:.0f} s"} | {
        name.replace("_", " "): (lambda row, name=name: number(getattr(row, name), ",.6g")) for name in usage.values()
    }
    shown = as_shown(table, told)
    return Table("jobs", "Jobs", "What each job took; a job's files are in MLflow and in mlruns/jobs/<job>.", table, shown)


def _last(study: Study) -> DataFrame:
    """Every job that pushed a value, in the study's order: the columns of a cell, shots and replicate."""
    points = study.points.drop_duplicates("job").set_index("job")
    return points[[*CELL, "shots", "replicate"]].copy()


def as_shown(table: DataFrame, forms: dict[str, Callable[[Any], str]]) -> DataFrame:
    """Rows by job: what each is of, then its numbers as people read them, then its job."""
    import pandas as pd

    def column(form: Callable[[Any], str]) -> list[str]:
        return [form(row) for row in each(table)]

    what: dict[str, Callable[[Any], str]] = {
        "model": lambda row: row.model, "value": lambda row: row.value, "dir": lambda row: f"{int(row.direction):+d}",
        "strategy": lambda row: row.strategy, "shots": lambda row: "" if pd.isna(row.shots) else f"{row.shots:.0f}",
        "rep": lambda row: str(row.replicate), "with": lambda row: row.settings,
    }  # fmt: skip
    columns = {name: column(form) for name, form in (what | forms).items()} | {"job": list(table.index)}
    return pd.DataFrame(columns if any(columns["with"]) else {name: cells for name, cells in columns.items() if name != "with"}, index=table.index)


def write(table: Table, folder: Path) -> list[Path]:
    """The table's files."""
    from vat.files import whole_file

    in_latex = table.caption.replace("%", r"\%")  # pandas escapes cells only
    texts = {
        f"{table.name}.csv": table.data.to_csv(),
        f"{table.name}.tex": table.shown.to_latex(index=False, caption=in_latex, label=f"tab:{table.name}", escape=True),
        f"{table.name}.html": table.shown.to_html(index=False, escape=True, border=0, classes="table"),
    }
    for file, text in texts.items():
        with whole_file(folder / file) as draft:
            draft.write_text(text, encoding="utf-8")
    with whole_file(folder / f"{table.name}.parquet") as draft:
        table.data.reset_index().to_parquet(draft, index=False)
    return [folder / file for file in (*texts, f"{table.name}.parquet")]


def printed(table: Table) -> str:
    """For a terminal."""
    from vat.analyse.table import plain_table

    rows: Sequence[Sequence[str]] = table.shown.to_numpy().tolist()
    return plain_table(list(table.shown.columns), rows, left=LEFT)
