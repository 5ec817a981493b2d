"""The data card: README.md of a dataset, with the front matter that Hugging Face reads and, in plain words, all that is known of it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vat.generate.facts import KEPT, REFUSED, CardFacts, Contents, Outcomes, Pair, Usage, outcomes_of
from vat.generate.intervals import Estimate

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = Path(__file__).with_name("card.jinja")
UNKNOWN = "not known"
WRITER = "writer"
"""The role of the model that wrote what is in the rows."""
SIDES = {1: "supports", -1: "violates"}
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card(facts: CardFacts, contents: Contents) -> str:
    """The text of README.md: the same facts give the same text.

    What comes from models and settings cannot break out of its place: cells are escaped, prompts stand in fences longer than any in them.

    Raises:
        DataError: The attempts lack a column.
    """
    outcomes = [] if facts.attempts is None else outcomes_of(facts.attempts)
    return _template().render(
        facts=facts, contents=contents, skews=contents.skews, front_matter=front_matter(facts, contents), total=sum(_totals(contents)),
        writers=", ".join(inline(model.name) for model in facts.models if model.role == WRITER), where=facts.repo or "path/to/this/folder",
        outcomes=outcomes, **_rows(facts, contents, outcomes),
    )  # fmt: skip


def front_matter(facts: CardFacts, contents: Contents) -> str:
    """What a hub reads, as YAML between its rulers."""
    import yaml

    total = sum(_totals(contents))
    tree: dict[str, Any] = {
        "pretty_name": facts.name,
        "language": [facts.language],
        "license": facts.license or "unknown",
        "size_categories": [next((name for limit, name in SIZES if total < limit), "n>1M")],
        "task_categories": ["text-classification", "text-generation"],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "source_datasets": ["original"],
        "tags": ["human-values", "value-alignment", facts.theory, "synthetic"],
        "configs": [
            {"config_name": "default", "data_files": [{"split": name, "path": f"data/{name}.parquet"} for name in ("train", "test")]},
        ],
    }
    return f"---\n{yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)}---"


def number(value: float | None, form: str = ",.6g") -> str:
    """A number as it is told, or that it is not known."""
    return UNKNOWN if value is None or math.isnan(value) else format(value, form)


def interval(estimate: Estimate, form: str = ".3f") -> str:
    """An estimate with its 95% interval, as `0.926 [0.921, 0.930]`; the interval is left out where it is not known."""
    low, high = number(estimate.low, form), number(estimate.high, form)
    return number(estimate.number, form) + ("" if UNKNOWN in (low, high) else f" [{low}, {high}]")


def inline(value: object) -> str:
    """Text that says what it says within a line or a cell, whatever marks of Markdown or HTML are in it."""
    text = UNKNOWN if value is None or value == "" else " ".join(str(value).split())
    return re.sub(r"([\\`*|]|\](?=[(\[:]))", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def fenced(text: str) -> str:
    """Text as a code block whose fence is longer than any run of backticks in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text.strip()}\n{fence}"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; columns whose name begins with # hold numbers and stand to the right."""
    head = f"| {' | '.join(column.removeprefix('#') for column in columns)} |"
    rule = f"|{'|'.join('---:' if column.startswith('#') else '---' for column in columns)}|"
    return "\n".join([head, rule, *(f"| {' | '.join(map(inline, row))} |" for row in rows)])


def _totals(contents: Contents) -> tuple[int, int]:
    return sum(pair.train for pair in contents.actions.values()), sum(pair.test for pair in contents.actions.values())


def _rows(facts: CardFacts, contents: Contents, outcomes: Sequence[Outcomes]) -> dict[str, list[tuple[object, ...]]]:
    """Rows of the tables that hold numbers, by name; empty for what is not known."""
    actions = [*contents.actions.items(), ("all", Pair(*_totals(contents)))]
    return {
        "values": [(value, number(pair.train), number(pair.test)) for value, pair in actions],
        "countries": [(name, *pair) for name, pair in contents.countries.items()],
        "topics": [(name, *pair) for name, pair in contents.topics.items()],
        "scores": [(row.kind, row.search, interval(row.score, ".1f"), "yes" if row.chosen else "no") for row in facts.scores],
        "agreements": [(row.about, row.measure, interval(row.agreement, ".2f"), number(row.judged)) for row in facts.agreements],
        "usage": [(row.role, *map(number, row[1:4]), number(row.usd, ",.2f")) for row in [*facts.usage, *_together(facts.usage)]],
        "by_value": [(row.value or "all", number(row.attempts), interval(row.refused, ".2%"), interval(row.rejected, ".2%")) for row in outcomes],
        "rules": _rules(facts),
        "missing": _missing(facts, contents),
        "cues": [(cue.word, SIDES[cue.polarity], f"{cue.share:.1%}", f"{cue.share_of_the_other:.1%}") for cue in contents.skews.cues],
        "human": [(row.about, interval(row.rating, ".2f"), number(row.people), number(row.rated)) for row in facts.human],
    }


def _rules(facts: CardFacts) -> list[tuple[object, ...]]:
    """Each rule for which answers were not taken, the most often broken first: how many answers, and their share of all."""
    if facts.attempts is None:
        return []
    count = Counter(str(outcome) for outcome in facts.attempts["outcome"] if outcome not in (KEPT, REFUSED))
    return [(rule, number(n), f"{n / len(facts.attempts):.2%}") for rule, n in sorted(count.items(), key=lambda pair: (-pair[1], pair[0]))]


def _missing(facts: CardFacts, contents: Contents) -> list[tuple[object, ...]]:
    """Values with fewer actions than were to be written: how many were, how many are missing, and their share."""
    found = {value: sum(pair) for value, pair in contents.actions.items()}
    lacking = [(value, wanted, wanted - found.get(value, 0)) for value, wanted in (facts.wanted or {}).items()]
    return [(value, number(wanted), number(lack), f"{lack / wanted:.2%}") for value, wanted, lack in lacking if lack > 0]


def _together(usage: Sequence[Usage]) -> list[Usage]:
    """What several roles took together; not known where that of one is not."""
    columns = list(zip(*(row[1:] for row in usage), strict=True))
    return [Usage("together", *(None if None in column else sum(column) for column in columns))] if len(usage) > 1 else []


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.globals.update(table=table, number=number, interval=interval)
    environment.filters.update(inline=inline, fenced=fenced)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
