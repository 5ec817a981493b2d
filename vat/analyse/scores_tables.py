"""Tables of scores: what each set is, and how rating compares with ranking (ValueFlow, Table 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vat.analyse.scores import DATABASE, SCORES, SETTINGS, Scores
from vat.analyse.study import each
from vat.analyse.table import interval, number
from vat.analyse.tables import Table
from vat.measure.instability import Estimate, Resampled, instability, interval_of

if TYPE_CHECKING:
    from pandas import DataFrame

WORDS = {
    "variance": ("variance between judges", ".2f"), "range": ("range between judges", ".2f"), "sign_flips": ("sign flips between judges", ".1%"),
    "prompt_change": ("change with the wording", ".2f"), "sign_right": ("signs as labelled", ".1%"),
    "ranked_right": ("pairs in the order of labels", ".1%"),
}  # fmt: skip


def sets_table(scores: Scores) -> Table:
    """One row a set: what it is of, in which settings it differs, what was lost, how often it is right where texts are labelled."""
    import pandas as pd

    table = scores.sets.copy()

    shown = pd.DataFrame({
        "name": table["name"], "kind": table["kind"].map({SCORES: "scores", DATABASE: "database"}), "judge": table["judge"],
        **{name: [_plain(x) for x in table[name]] for name in SETTINGS if table[name].nunique() > 1},
        "asked": [f"{x:,.0f}" for x in table["asked"]], "lost": [f"{x:,.0f}" for x in table["lost"]],
        "signs as labelled": [_share(row.sign_right, row.sign_low, row.sign_high) for row in each(table)],
        "pairs in the order of labels": [_share(row.ranked_right, row.ranked_low, row.ranked_high) for row in each(table)],
    })  # fmt: skip
    caption = (
        "Sets of scores and databases; lost questions had no answer that could be read, after three tries where judges rank. Shares are of texts "
        "that came labelled for or against a value, with 95% intervals (Wilson's, DeLong's); of a database of several judges they are those of "
        "all together."
    )
    return Table("scores", "Scores", caption, table.set_index(["kind", "name", "judge"]), shown)


def instability_table(scores: Scores) -> Table | None:
    """One row a number of Table 1, a column a method, and how methods differ on the same responses; None where no responses were scored twice.

    Source: ValueFlow, section 3.2, Table 1. Differs: as `vat.measure.instability`; differences are paired by response, with intervals.
    """
    import pandas as pd

    found = {name: _of_method(scores, sets) for name, sets in _methods(scores)}
    if not found:
        return None
    rows: list[dict[str, Any]] = []
    for number_of, (words, form) in WORDS.items():
        row: dict[str, Any] = {"number": words, "_form": form}
        for name, (numbers, _) in found.items():
            row |= {f"{name}": numbers[number_of][0].estimate, f"{name} low": numbers[number_of][0].low, f"{name} high": numbers[number_of][0].high}
        first, *others = found
        for other in (name for name in others if found[name][1] == found[first][1]):
            row |= _difference(f"{other} − {first}", found[first][0][number_of], found[other][0][number_of])
        rows.append(row)
    table = pd.DataFrame(rows)
    columns = [str(name) for name in table if name not in ("number", "_form") and not str(name).endswith((" low", " high"))]
    shown = pd.DataFrame({"number": table["number"]} | {name: [_cell(row, name) for row in rows] for name in columns})
    judges = ", ".join(dict.fromkeys(scores.sets.loc[scores.sets["kind"] == SCORES, "judge"]))
    caption = (
        f"How much scores of the same responses change, by response and value, and how often they are right. Judges: {judges}. Between judges: of "
        "those asked in the same words; a flip is a score above 0 and another below. Change with the wording: mean distance between one judge's "
        "scores in two of our wordings. Differences are of the same responses. Intervals (95%) are over responses, not over judges or wordings, "
        "of which there are few."
    )
    return Table("instability", "Rating or ranking?", caption, table.drop(columns="_form").set_index("number"), shown)


def _methods(scores: Scores) -> list[tuple[str, DataFrame]]:
    """Sets of the same responses that differ in judge and wording alone, two or more together, ratings first; what tells a method from another of its
    name is told.
    """
    by = ["texts", *(name for name in SETTINGS if name != "wording")]
    scored = scores.sets[scores.sets["kind"] == SCORES].drop_duplicates([*by, "judge", "wording"])
    groups: Any = scored.groupby(by, dropna=False, sort=False)
    found = sorted((group for _, group in groups if len(group) > 1), key=lambda group: group["evaluator"].iloc[0] != "rating")
    told: list[tuple[str, DataFrame]] = []
    for group in found:
        first = group.iloc[0]
        alike = [other for other in found if other["evaluator"].iloc[0] == first["evaluator"]]
        differing = [name for name in by if len({str(other[name].iloc[0]) for other in alike}) > 1]
        told.append((" ".join([first["evaluator"], *(f"{name}={_plain(first[name])[:8]}" for name in differing)]), group))
    return told


def _of_method(scores: Scores, sets: DataFrame) -> tuple[dict[str, tuple[Estimate, Any]], tuple[str, int]]:
    """Number → its estimate and its resamples; and what tells whether two methods scored the same responses."""
    rows = scores.responses[scores.responses["name"].isin(sets["name"])]
    values = list(dict.fromkeys(rows["of"]))
    count = int(rows["response"].max()) + 1
    score_SRV, label_RV = np.full((len(sets), count, len(values)), np.nan), np.full((count, len(values)), np.nan)
    place = {value: n for n, value in enumerate(values)}
    for n, name in enumerate(sets["name"]):
        of_set = rows[rows["name"] == name]
        at = of_set["response"].to_numpy(), of_set["of"].map(place).to_numpy()
        score_SRV[n][at] = of_set["intensity"]
        label_RV[at] = of_set["label"]
    numbers, resampled = instability(score_SRV, list(sets["judge"]), [int(wording) for wording in sets["wording"]], label_RV)
    resamples: Resampled = resampled
    return {name: (estimate, resamples[name]) for name, estimate in numbers._asdict().items()}, (str(sets["texts"].iloc[0]), count)


def _difference(name: str, first: tuple[Estimate, Any], second: tuple[Estimate, Any]) -> dict[str, float]:
    low, high = interval_of(second[1] - first[1])
    return {name: second[0].estimate - first[0].estimate, f"{name} low": low, f"{name} high": high}


def _cell(row: dict[str, Any], name: str) -> str:
    form = row["_form"] if "−" not in name else f"+{row['_form']}"
    return f"{number(row.get(name), form)} {interval(row.get(f'{name} low'), row.get(f'{name} high'), form)}" if name in row else ""


def _plain(x: Any) -> str:
    import pandas as pd

    return "" if pd.isna(x) else f"{x:g}" if isinstance(x, float) else str(x)


def _share(share: float, low: float, high: float) -> str:
    return "" if np.isnan(share) else f"{share:.1%} {interval(low, high, '.1%')}"
