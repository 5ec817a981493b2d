"""Finished scores of responses, and databases of intensities, as tidy tables: what depends on the judge, on windows, on the wording."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vat.analyse.differences import differences
from vat.analyse.study import BIAS, bias_rows, table_of
from vat.errors import DataError
from vat.measure.instability import ranked_right
from vat.shares import wilson
from vat.theory.base import Theory, theory_of

if TYPE_CHECKING:
    from pandas import DataFrame

SCORES, DATABASE = "intensity", "vidb"
SETTINGS = ("evaluator", "size", "iterations", "sampling", "way", "wording", "sharpness", "calibration", "ridge", "seed")
"""What sets of one kind may differ in, beside their judges."""
SETS = (
    "name", "kind", "judge", "texts", *SETTINGS, "asked", "lost", "sign_right", "sign_low", "sign_high", "ranked_right", "ranked_low", "ranked_high",
)  # fmt: skip
VALUES = ("name", "kind", "judge", "of", "mean", "low", "high", "scored", "sharpness", "sharpness_low", "sharpness_high")
RESPONSES = ("name", "of", "response", "intensity", "low", "high", "label")


@dataclass(frozen=True)
class Scores:
    """Sets of scores, and databases.

    sets: one row a set, in the columns SETS: its judge, a digest of what was scored, settings (NaN or None where it has no such), questions, those
        without an answer; share of labelled texts with the sign of their label, and of pairs in the order of their labels, with intervals.
    values: one row a set and value, in the columns VALUES: its mean over texts with an interval, and the judge's sharpness there.
    responses: one row a response of a set and value, in the columns RESPONSES; label is 1 or −1 where the response came labelled with the value.
    bias: as of `Study`. theory: of all of them. notes: what is to be said wherever numbers are shown.
    """

    sets: DataFrame
    values: DataFrame
    responses: DataFrame
    bias: DataFrame
    theory: Theory
    notes: tuple[str, ...]

    def alike(self, varied: str, kind: str = SCORES) -> list[DataFrame]:
        """Sets of one kind that differ in nothing but this column, two or more together, in its order; of sets that are the same the first."""
        by = ["judge", "texts", *SETTINGS]
        found = self.sets[(self.sets["kind"] == kind) & self.sets[varied].notna()]
        groups: Any = found.drop_duplicates(by).groupby([name for name in by if name != varied], dropna=False, sort=False)
        return [group.sort_values(varied, kind="stable") for _, group in groups if len(group) > 1]


class _Judge(NamedTuple):
    """One judge of a set. identity: what determines its answers."""

    label: str
    identity: Mapping[str, Any]
    asked: int
    lost: int
    bias: Sequence[Mapping[str, Any]]


class _Set(NamedTuple):
    """What a folder holds of a finished set."""

    folder: Path
    result: Mapping[str, Any]
    identity: Mapping[str, Any]
    judges: Sequence[_Judge]

    @property
    def kind(self) -> str:
        """SCORES or DATABASE."""
        return self.folder.parent.name


def scores_of(folders: Sequence[Path]) -> Scores:
    """Read sets of scores and databases from their folders.

    Raises:
        DataError: There is none; one is not finished; or they are of different theories.
    """
    import pandas as pd

    if not folders:
        raise DataError("report: must be about at least one finished set of scores; got none. Make one with -cn intensity, or -cn vidb.")
    found = [_set(folder) for folder in folders]
    theory = _one_theory(found)
    name_of = _names_of_judges([judge for one in found for judge in one.judges])
    tables = {one.folder: _labelled(one) for one in found}
    sets, values, bias = [], [], []
    for one in found:
        common = {"name": one.folder.name, "kind": one.kind} | {name: one.result.get(name) for name in SETTINGS} | _right(tables[one.folder])
        if one.kind == DATABASE:
            common |= {"evaluator": "ranking", "way": one.identity["way"]}
        for judge in one.judges:
            name = name_of(judge)
            texts = one.identity["corpus" if one.kind == DATABASE else "texts"]
            sets.append({**common, "judge": name, "texts": texts, "asked": judge.asked, "lost": judge.lost})
            bias += bias_rows(f"{one.kind} {one.folder.name}", name, judge.bias)
            if one.kind == SCORES:
                values += [{**common, "judge": name, "of": value, **numbers} for value, numbers in one.result["values"].items()]
    responses = [table.assign(name=folder.name)[list(RESPONSES)] for folder, table in tables.items() if folder.parent.name == SCORES]
    together = pd.concat(responses, ignore_index=True) if responses else table_of(RESPONSES)
    of_values = table_of(VALUES, [{name: row.get(name) for name in VALUES} for row in values]).astype(dict.fromkeys(VALUES[4:], float))
    of_sets = table_of(SETS, sets).astype(dict.fromkeys(("size", "iterations", "wording", "sharpness", *SETS[-6:]), float))
    return Scores(
        of_sets, of_values, together, table_of(BIAS, bias), theory, tuple(dict.fromkeys(note for one in found for note in one.result["notes"]))
    )


def _set(folder: Path) -> _Set:
    path = folder / "result.json"
    try:
        result, identity = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("result.json", "identity.json"))
    except OSError:
        program = "vidb" if folder.parent.name == DATABASE else "intensity"
        raise DataError(f"scores={folder.name}: must be finished; got {folder} without a result. Run its -cn {program} again to end it.") from None
    except ValueError as error:
        raise DataError(f"{path}: must be JSON; got something else ({error}). Move its folder away and make it again.") from error
    if folder.parent.name == SCORES and "evaluator" not in result:
        rule = f"scores={folder.name}: must be scores of responses; got those of a run"
        raise DataError(f"{rule}. They are in the report of its sweep: -cn report sweep=…, or runs=[…].")
    if folder.parent.name == DATABASE:
        judges = [
            _Judge(one["label"], identity[f"judge {name}"], one["asked"], sum(one["dropped"].values()), one["bias"])
            for name, one in result["judges"].items()
        ]
    else:
        judges = [_Judge(result["judge"], identity["judge"], result["asked"], sum(result["lost"].values()), result["bias"])]
    return _Set(folder, result, identity, judges)


def _one_theory(found: Sequence[_Set]) -> Theory:
    theories = {(theory := theory_of(one.result["theory"], one.folder / "result.json")).digest: (theory, one.folder.name) for one in found}
    if len(theories) > 1:
        (first, one), (other, another) = list(theories.values())[:2]
        rule = "report: scores that are compared must be of one theory"
        raise DataError(f"{rule}; got {first.name} in {one} and {other.name} in {another}. Make one report for each.")
    [(theory, _)] = theories.values()
    return theory


def _names_of_judges(judges: Sequence[_Judge]) -> Callable[[_Judge], str]:
    """What each is called: its label, with what it differs in from others of that label."""
    alike: dict[str, dict[str, Mapping[str, Any]]] = {}
    for judge in judges:
        alike.setdefault(judge.label, {})[repr(judge.identity)] = judge.identity
    differing = {label: differences(identities) for label, identities in alike.items()}

    def name_of(judge: _Judge) -> str:
        return " ".join([judge.label, *(f"{name}={setting}" for name, setting in differing[judge.label][repr(judge.identity)].items())])

    return name_of


def _labelled(one: _Set) -> DataFrame:
    """What was scored, a row a text and value, with its label there: 1, −1, NaN for none."""
    import pandas as pd

    if one.kind == DATABASE:
        table = pd.read_parquet(one.folder / "data" / "anchors.parquet", columns=["value", "id", "intensity", "direction"])
        return table.rename(columns={"value": "of", "id": "response", "direction": "label"})
    table = pd.read_parquet(one.folder / "scores.parquet").rename(columns={"value": "of"})
    label = pd.to_numeric(table["direction"], errors="coerce") if "direction" in table else pd.Series(np.nan, index=table.index)
    if "labelled" in table:
        label = label.where(table["labelled"].astype(str) == table["of"])
    return table.assign(response=table.groupby("of").cumcount(), label=np.sign(label))


def _right(table: DataFrame) -> dict[str, float]:
    """How often what is labelled has the sign, and pairs the order, of their labels."""
    score_RV, label_RV = (table.pivot(index="response", columns="of", values=name).to_numpy(dtype=float) for name in ("intensity", "label"))
    known_RV = np.isfinite(score_RV) & (np.abs(np.nan_to_num(label_RV)) == 1)
    right, count = int((np.sign(score_RV[known_RV]) == label_RV[known_RV]).sum()), int(known_RV.sum())
    signs = (right / count if count else np.nan, *wilson(right, count))
    names = [f"{what}_{end}" for what in ("sign", "ranked") for end in ("right", "low", "high")]
    return dict(zip(names, (*signs, *ranked_right(score_RV, label_RV)), strict=True))
