"""Case studies of a judged state: which they are, by the rule of its tables, and what was stored of them.

cases.csv    where values moved most (`measure=amplification`), largest first
cases.json   those that were told: {version, question, rule, cases: [{scene_id, country, topic, scene, value, amplification, pre, post, before,
             after, actions: [{item, polarity, action, rating_before, rating}, …]}, …]}; what was missing is null, a refusal may be ""
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

TABLE, CASES = "cases.csv", "cases.json"


class Chosen(NamedTuple):
    """One value in one scene: its state before and after, and how far it shifted per unit of gain."""

    scene_id: str
    value: str
    amplification: float
    pre: float
    post: float


def chosen_cases(folder: Path, count: int) -> list[Chosen]:
    """The first rows of cases.csv, so many at most and one a scene; none where there is no table, or no gain that is told from 0.

    Source: Value Alignment Tax, appendix D.1. Differs: a rule, where the paper gives criteria.
    """
    import pandas as pd

    if not (folder / TABLE).is_file():
        return []
    names = {"scene": str, "value": str, "amplification": float, "pre": float, "post": float}
    table = pd.read_csv(folder / TABLE, dtype=names, keep_default_na=False)
    first: dict[str, Chosen] = {}
    for row in zip(*(table[name].tolist() for name in names), strict=True):
        first.setdefault(row[0], Chosen(*row))
    return list(first.values())[:count]


def rule_of(folder: Path) -> str:
    """By which rule `chosen_cases` are chosen, in a sentence for readers."""
    import pandas as pd

    table = pd.read_csv(folder / "measures.csv", dtype=str, keep_default_na=False)
    hubs = table[(table["statistic"] == "hub") & (table["ratings"] == "mode") & (table["estimate"] == "1")]["value"].tolist()
    among = f"the {len(hubs)} values that shift together with others most ({', '.join(hubs)})" if hubs else "all values"
    which = f"Of {among}, those scenes are shown where one of them shifted furthest per unit of gain"
    return f"{which}, the one nearest to neutral before first among equals, and each scene once; what the answers say plays no part."


def stored_cases(folder: Path) -> dict[str, Any] | None:
    """What cases.json holds, if its cases are those that the tables name now; else None."""
    path = folder / CASES
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        told = [Chosen(*(case[name] for name in Chosen._fields)) for case in stored["cases"]]
        return stored if told == chosen_cases(folder, len(told)) and stored["rule"] == rule_of(folder) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
