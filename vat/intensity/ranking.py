"""A window as a prompt, and what a judge replied as a ranking, or why it is none. A wrong ranking is worse than a missing one.

A ranking is read from a line that holds nothing else: all numbers once, the best first, with `>` or commas between them ("3 > 1 > 2", "[3, 1, 2]",
"Text 3 > Text 1 > Text 2"); of two texts also the number of the better one. "Ranking:" or "Answer:" may stand before it. It must be the first line
of the reply, but for one like "Here is the ranking:", or the last, and then with "Answer:": what else stands before it may say which way it goes.
Prose beside it must not turn it round, take it back, give another, or call its first text one that opposes; commas have no prose beside them.

Not read: numbered lists ("1. Text 3": the first, or text 1?), ranks by text, ties, other signs ("<", "->", ";"), orders within a sentence.
How often it errs: of 40 replies that were written when it was final, meant to be hard, it read 3 that were taken back in words that it did not know
(it knows them now) and missed none of the 14 that can be read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

from vat.elicit.refusals import is_refusal
from vat.elicit.wording import said_at_last
from vat.errors import DataError
from vat.intensity.wording import words
from vat.types import Message, Prompt

Why = Literal[
    "", "empty", "cut short", "refusal", "prose", "list", "tie", "repeats", "incomplete", "out of range", "another form", "several", "undecided",
    "too long",
]  # fmt: skip
READ = 20_000
"""Characters of a reply that are looked at; a ranking in a longer one is none."""

THOUGHT_BEGINS = re.compile(r"<.{0,6}think", re.I)
CUE = re.compile(r"(?:(?:the|my|your|final|correct) ){0,3}(?:answer|ranking|order)(?: is)?(?: ?: ?| )")
"""What may stand before an order."""
LISTED = re.compile(r"(?:text )?\(?[0-9]{1,2}[.):]\s*\D{0,3}\S")
ITEM = r"(?:text )?(?:\[(?:text )?[1-9][0-9]{0,2}\]|[1-9][0-9]{0,2}|0)"
CHAIN = re.compile(rf"{ITEM}(?: ?> ?{ITEM})+")
COMMAS = re.compile(rf"\[ ?{ITEM}(?: ?, ?{ITEM})+ ?\]|\( ?{ITEM}(?: ?, ?{ITEM})+ ?\)|{ITEM}(?: ?, ?{ITEM})+")
ALONE = re.compile(rf"{ITEM}|\((?:text )?[0-9]{{1,3}}\)")
NUMBERS = re.compile(r"(?:text |and |[0-9]{1,3}|[\s<>=≈~≥≤,;/&()\[\]-])+")
TIES = re.compile(r"[=≈~≥≤/&]|\band\b|>.*,|,.*>")
WITHIN = re.compile(rf"{ITEM} ?> ?{ITEM}")
TURNED = re.compile(
    r"\b(?:least|lowest|worst|bottom|revers\w+|ascending|increasing|wait|actually|correct(?:ion|ed)|instead|mistaken?(?:ly)?|wrong|sorry"
    r"|reconsider\w*|second thought|on reflection|unsure|not (?:sure|certain|the|my|possible)|ties?|tied|equal(?:ly)?|same|cannot|cant"
    r"|example|form|format|would|could|might|edit|swap\w*|chang\w+|should|if|or|however|although|but rather|unclear|ambiguous|random(?:ly)?"
    r"|guess\w*)\b"
    r"|\b(?:oppos|against|negativ)\w*.{0,60}\b(?:to|first|down|up|then)\b"
    r"|^\[[0-9]"
)
"""Words that turn an order round or take it back, or may."""
HEADING = re.compile(
    r"(?:(?:sure|okay|ok|certainly)[!,.]? )?(?:here(?: is|s) )?(?:(?:the|my|final) ){0,2}(?:ranking|order|answer|explanation|reasons?|reasoning):"
)
"""What may end in a colon."""
ORDINALS = (("(?:first|former)", "text 1"), ("(?:second|latter)", "text 2"), ("third", "text 3"))
MOST = re.compile(r"([1-9][0-9]{0,2})\]?,? (?:\w+ ){0,4}(?:most|more|best|better|first|top|strongest|highest)\b")
AGAINST = r"(?:\w+ ){0,3}(?:oppos|reject|violat|undermin|contradict|against|contrary|neglect|disregard|hostile|deni)"
"""What the text that comes first is not said to do."""


class Target(NamedTuple):
    """The value that texts are ranked by."""

    name: str
    definition: str


class Reading(NamedTuple):
    """places: of the texts as shown, from 0, the one that supports most first; empty where nothing was read. why: why not; "" where it was.

    Reasons: `list` a numbered list; `tie`, `repeats`, `incomplete`, `out of range` an order that is none; `another form` numbers with other signs;
    `several` orders, or one that is taken back or turned round; `undecided` equal or hardly any probability; `too long` for the judge, who was not
    asked.
    """

    places: tuple[int, ...]
    why: Why = ""


def ranking_prompt(target: Target, texts: Sequence[str], *, wording: int = 0, labelled: bool = False) -> Prompt:
    """What a judge is asked about texts in the order in which they are shown.

    Args:
        labelled: It is asked for the first of them alone, and their numbers are labels, for a model that gives their probabilities.
    Raises:
        DataError: A text without a word.
    Source: ValueFlow, appendix C.2, Box 4. Differs: our wording; no reasons are asked for; one text a line, its white space single.
    """
    lines = [" ".join(text.split()) for text in texts]
    if not all(lines):
        raise DataError(f"judge: a text to be ranked must say something; got an empty one, text {lines.index('') + 1} of {len(lines)}. Leave it out.")
    form = words()[question_of(len(texts), labelled=labelled)][wording]
    shown = "\n".join(f"[{n}] {line}" for n, line in enumerate(lines, 1))
    name = target.name.replace("_", " ")
    order = " > ".join(map(str, [*range(2, len(texts) + 1), 1]))
    asked = form.format(size=len(texts), value=name, definition=" ".join(target.definition.split()), texts=shown, form=order).strip()
    return Prompt((Message("user", asked),), "", tuple(map(str, range(1, len(texts) + 1))) if labelled else ())


def question_of(size: int, *, labelled: bool) -> str:
    """Which question of wording.yaml is asked about so many texts."""
    return "choose" if size == 2 else "first" if labelled else "rank"


def read_ranking(reply: str, size: int) -> Reading:
    """What a judge replied to a window of so many texts, by the rule at the top of this file."""
    said = said_at_last(reply)
    if not said:
        return _nothing("cut short" if reply.strip() and THOUGHT_BEGINS.search(reply) and "</think" not in reply else "empty")
    lines = [line for line in map(_plain, said[:READ].split("\n")) if line]
    claims = {n: claim for n, line in enumerate(lines) if (claim := _claim(line, size)) is not None}
    if len(lines) == 1 and claims and len(said) <= READ:
        return claims[0]
    if is_refusal(reply):
        return _nothing("several" if claims else "refusal")
    if not claims or len(said) > READ:
        return _nothing("list" if sum(bool(LISTED.match(line)) for line in lines) > 1 else "prose")
    if not all(claim.places for claim in claims.values()):
        return next(claim for claim in claims.values() if not claim.places)
    prose = [line for n, line in enumerate(lines) if n not in claims]
    first, last, found = min(claims), max(claims), claims[min(claims)]
    leads = all(HEADING.fullmatch(line) for line in lines[:first])
    if not leads and not (first == last == len(lines) - 1 and CUE.match(lines[last])):
        return _nothing("prose")
    if prose and any("," in lines[n] for n in claims):  # beside words, "3, 1, 2" may as well be the ranks of texts 1, 2, 3
        return _nothing("prose")
    taken_back = any(_takes_back(line, found.places[0] + 1) for line in prose)
    return _nothing("several") if taken_back or len(set(claims.values())) > 1 else found


def _claim(line: str, size: int) -> Reading | None:
    """What a line that holds numbers and signs alone says; None for any other."""
    bare = CUE.sub("", line, count=1) if CUE.match(line) else line
    if CHAIN.fullmatch(bare) or COMMAS.fullmatch(bare):
        return _order(bare, size)
    if ALONE.fullmatch(bare):
        number = int(re.sub(r"\D", "", bare))
        if not 1 <= number <= size:
            return _nothing("out of range")
        return Reading((number - 1, 2 - number)) if size == 2 else _nothing("incomplete")
    if (
        not NUMBERS.fullmatch(bare)
        or LISTED.match(bare)
        or len(re.findall("[0-9]+", bare)) < 2
        or bare.startswith("-")
        or re.search(r"\b0[0-9]", bare)
    ):
        return None
    return _nothing("tie" if TIES.search(bare) else "another form")


def _takes_back(line: str, best: int) -> bool:
    """Whether a line of prose beside an order may give another, turn it round, or say something of its first text that does not go with it."""
    if WITHIN.search(line) or TURNED.search(line) or (line.endswith(":") and not HEADING.fullmatch(line)):
        return True
    numbered = line
    for ordinal, number in ORDINALS:
        numbered = re.sub(rf"\b(?:the )?{ordinal}\b(?: one| text)?", number, numbered)
    best_of_all = {int(found[1]) for form in (line, numbered) for found in MOST.finditer(form)}
    return not best_of_all <= {best} or bool(re.search(rf"\b(?:(?:text )?\[?{best}\]?,?|it|that|this|which|one) {AGAINST}", numbered))


def _order(line: str, size: int) -> Reading:
    places = [int(number) - 1 for number in re.findall("[0-9]+", line)]
    if not all(0 <= place < size for place in places):
        return _nothing("out of range")
    if len(set(places)) < len(places):
        return _nothing("repeats")
    return Reading(tuple(places)) if len(places) == size else _nothing("incomplete")


def _plain(line: str) -> str:
    """A line without markup, its signs of one kind and its spaces single."""
    line = unicodedata.normalize("NFKC", line).replace("&gt;", ">").replace("≻", ">").lower()
    line = re.sub(r"^ *```\w* *$|</?answer>", "", line)
    line = re.sub(r"\\boxed\{([^{}]*)\}", r"\1", line)
    line = re.sub(r"[*`$#\"']|^ *(?:> )+", "", line)
    line = " ".join(line.split())
    found = re.fullmatch(r"\{(.*)\}", line)
    return (found[1].strip() if found else line).removesuffix(".")


def _nothing(why: Why) -> Reading:
    return Reading((), why)
