"""Which texts a value's intensities are estimated from: a pool of the corpus's texts, those about the value first.

Draws are by digest of seed, value and text: a text that is added to the corpus, or taken from it, changes nothing about the others.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from vat.errors import DataError, shown

DIRECTIONS = (-1, 0, 1)


class CorpusText(NamedTuple):
    """A text as a corpus has it. theory, value: what it is about, "" where that is not known. direction: against it, neither, or for it."""

    text: str
    theory: str
    value: str
    direction: int
    source: str


class SeedText(NamedTuple):
    """A text of a pool. id: follows from the text. direction: toward the pool's value; 0 if that is not known, or the text is not about it."""

    id: str
    text: str
    direction: int
    source: str


class Pool(NamedTuple):
    """texts: by id. duplicates: rows of the corpus that were dropped as their text was there. about: how many texts are about the value."""

    texts: tuple[SeedText, ...]
    duplicates: int
    about: int

    def balance(self) -> dict[int, int]:
        """How many texts of each direction there are."""
        count = Counter(text.direction for text in self.texts)
        return {direction: count[direction] for direction in DIRECTIONS}


def seed_pool(corpus: Sequence[CorpusText], *, theory: str, value: str, names: Collection[str], size: int, seed: int) -> Pool:
    """At most `size` texts for a value.

    Texts about the value come first, as many for as against it where there are more than enough. What is left is filled from all others, by chance
    but for their own direction, which makes up for what the value's texts lack on one side.

    Args:
        names: Under which the corpus may know the value: its own, and those of its items; case, and what stands between words, do not matter.
    Raises:
        DataError: No text at all.
    Source: ValueFlow, appendix C.2, step 1. Differs: white space does not make a text another; of a text that stands there for and against the value,
        nothing is believed.
    """
    of_text: dict[str, list[CorpusText]] = {}
    for row in corpus:
        if clean := " ".join(row.text.split()):
            of_text.setdefault(clean, []).append(row)
    if not of_text:
        raise DataError("corpus: must hold texts; got none. See the column text.")
    known = {_plain(name) for name in names}
    own: list[_Candidate] = []
    others: list[_Candidate] = []
    for text, rows in of_text.items():
        about = [row for row in rows if row.theory in ("", theory) and _plain(row.value) in known]
        sides = {row.direction for row in about or rows}
        side = sides.pop() if len(sides) == 1 else 0
        found = SeedText(id_of(text), text, side if about else 0, (about or rows)[0].source)
        (own if about else others).append(_Candidate(found, side))
    chosen = _balanced(_by_chance(own, seed, value), size, 0)
    lacking = sum(one.side for one in chosen)
    chosen += _balanced(_by_chance(others, seed, value), size - len(chosen), lacking)
    duplicates = sum(len(rows) - 1 for rows in of_text.values())
    return Pool(tuple(sorted(one.text for one in chosen)), duplicates, min(len(own), size))


def id_of(text: str) -> str:
    """Of a text; the same in every pool."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def corpus_texts(rows: Sequence[dict[str, object]], *, where: str) -> list[CorpusText]:
    """Rows of a table as texts: columns text, and where there are such theory, value, direction and source.

    Raises:
        DataError: A row without a text, or with a direction that is none; the message names it.
    """
    found: list[CorpusText] = []
    for n, row in enumerate(rows, 1):
        text, direction = row.get("text"), row.get("direction", 0)
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: row {n}, column text: must hold a text; got {shown(text)}. Drop the row or give its text.")
        try:
            side = 0 if direction in (None, "") or direction != direction else int(str(direction).removesuffix(".0"))
        except ValueError:
            side = 2
        if side not in DIRECTIONS:
            raise DataError(f"{where}: row {n}, column direction: must be -1, 0 or 1; got {shown(direction)}. Correct it, or leave it empty.")
        named = [str(row[name]).strip() if isinstance(row.get(name), str) else "" for name in ("theory", "value", "source")]
        found.append(CorpusText(text, named[0], named[1], side, named[2] or where))
    return found


def _plain(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.strip().casefold()))


class _Candidate(NamedTuple):
    """side: the text's own direction, toward whatever it is about."""

    text: SeedText
    side: int


def _by_chance(candidates: Sequence[_Candidate], seed: int, value: str) -> list[_Candidate]:
    """In an order in which only the texts themselves have a say."""
    return sorted(candidates, key=lambda one: hashlib.sha256(json.dumps([seed, value, one.text.id]).encode()).digest())


def _balanced(candidates: Sequence[_Candidate], room: int, surplus: int) -> list[_Candidate]:
    """As many as there is room for, the first if nothing speaks against it: of the side that there is more of, the last give way to the other's next.

    surplus: how many more there are already for than against.
    """
    chosen = list(candidates[:room])
    surplus += sum(one.side for one in chosen)
    side = 1 if surplus > 0 else -1
    givers = [n for n in reversed(range(len(chosen))) if chosen[n].side == side]
    takers = [one for one in candidates[room:] if one.side == -side]
    for n, one in list(zip(givers, takers, strict=False))[: abs(surplus) // 2]:
        chosen[n] = one
    return chosen
