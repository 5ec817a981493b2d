"""From what a model wrote to one of the five labels of the printed scale, or why there is none. A wrong label is worse than a missing one.

Left out first: thoughts (up to the last `</think>`; one that never closes is "cut short"), markup, mentions of the whole scale ("from 1 to 5",
"1 = strongly disagree … 5 = strongly agree"), the numbers of a numbered list, the prompt's own lines, and the next question that a base model
makes up after its answer.

A value is a digit 1-5 ("4", "4/5", "4 out of 5", "4.0"), its word, or a phrase of the scale; "4 - agree" is one value, and if the printed
scale says otherwise the text has no answer. A value is an answer only where it stands as one:
- alone: the whole of the first or last sentence, or of a line ("4", "Probably a 4.", "I strongly agree.");
- first, before an explanation ("4, because …", "4. I would …"); "1. …" only if it cannot be the start of a list;
- after a cue: "Rating: 4", "my answer is 4", "I would give it a 4", `{"rating": 4}`; not if denied, conditional, asked or someone else's.
A word needs the end of its sentence after it, and "one" also a cue that is no verb, or nothing beside it: "no one", "I choose one".

All answers of a text must be one label, and nothing said with or after them may take it back ("4, maybe 3", "on second thought", "2. I
agree."): else it is "ambiguous". A line of its own "Answer: 4" outranks what the sentences before it say, but no bare answer that opens the
text and no other such line; "Final answer: 4" outranks all but another final answer and what follows.

A refusal, or a remark that an AI has no views, does not undo an answer that is given nevertheless; without one it is a "refusal".
Everything is linear in the length of the text: repetition in patterns is bounded, and white space is single before they are used.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from vat.elicit.reader_patterns import (
    ACTS,
    ANOTHER,
    CONDITIONAL,
    DENIED,
    EITHER,
    EMOJI,
    ENUMERATION,
    FOREIGN_SCALE,
    HEDGED,
    ITEM,
    LEGEND,
    LIST_MARKER,
    NEXT_QUESTION,
    NO_MARKUP,
    NOUN_LINE,
    PLEASANTRY,
    PROMPT_LINE,
    REFUSAL,
    SCALE,
    SCALE_MENTION,
    SENTENCE_ENDS,
    SIGNS,
    STARTS,
    TAKEN_BACK,
    THOUGHT,
    TURN_ENDS,
    Grammar,
    digit_of,
    grammar_of,
)

Why = Literal["", "empty", "cut short", "refusal", "ambiguous", "unreadable"]


class Reading(NamedTuple):
    """What was read.

    label: 1 to 5 as printed on the scale, None where there is no usable answer.
    why: why there is none; "" where there is one.
    """

    label: int | None
    why: Why = ""


NOTHING, SEVERAL = 0, -1


class Claims(NamedTuple):
    """Labels that a text gives as answers, others that stand against them (0: something does), and those of its agreement in words."""

    sure: set[int]
    rivals: set[int]
    leaning: set[int]


def read_answer(text: str, points: Mapping[str, int]) -> Reading:
    """The label that a text gives as its answer, or why it gives none.

    Args:
        points: Phrase → label of the scale as it was printed, phrases in lower case.
    """
    spoken = after_thoughts(text)
    if spoken is None:
        return Reading(None, "cut short")
    said = _plain(spoken)
    if not said:
        return Reading(None, "empty")
    label = _label(said, grammar_of(tuple(points.items())))
    if label > 0:
        return Reading(label)
    if REFUSAL.search(said):
        return Reading(None, "refusal")
    return Reading(None, "ambiguous" if label == SEVERAL else "unreadable")


def after_thoughts(text: str) -> str | None:
    """What a text says when its last thought has ended; None if that never ends."""
    thoughts = list(THOUGHT.finditer(text))
    if thoughts and not thoughts[-1]["closes"]:
        return None
    return text[thoughts[-1].end() :] if thoughts else text


@lru_cache(maxsize=4096)
def _sign(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    kind = unicodedata.category(character)
    if kind == "Cf":
        return ""
    return " " if kind in ("So", "Sk") and character >= EMOJI else unicodedata.normalize("NFKC", character)[:4]


def _plain(text: str) -> str:
    """Lower case, digits and punctuation of one kind, no markup, single spaces, one line break between lines."""
    text = TURN_ENDS.split(text.lstrip(), maxsplit=1)[0].translate(SIGNS)
    if not text.isascii():
        text = "".join(map(_sign, text))
    text = text.lower()
    for pattern, replacement in NO_MARKUP:
        text = pattern.sub(replacement, text)
    return text.strip()


def _label(said: str, grammar: Grammar) -> int:
    """The one label that a text gives; NOTHING or SEVERAL where there is not one."""
    scaleless = _without_scale(_first_question(said, grammar), grammar)
    if scaleless is None:
        return SEVERAL
    if FOREIGN_SCALE.search(scaleless):
        return NOTHING
    text = NOUN_LINE.sub(r"\1: ", _without_lists(scaleless))
    is_list = bool(ENUMERATION.match(text))
    lines = text.split("\n")
    declared = [(n, found) for n, line in enumerate(lines) if (found := grammar.declared.match(line))]
    finals = [n for n, found in declared if found["final"]]
    outranking = finals or [n for n, found in declared if found["noun"] == "answer" and found["is"] != " is"]
    if not outranking:
        claims = _claims(lines, grammar, opens=not is_list)
        if starts := STARTS.match(lines[0]):
            claims.rivals.add(int(starts[1]))
        label = _agreed(claims)
        return SEVERAL if label == NOTHING and EITHER.search(scaleless) else label
    claims = _claims(lines[outranking[0] :], grammar, opens=False)
    if not finals:
        claims.rivals.update(grammar.label(found) for _, found in declared)
        first = grammar.opening.match(SENTENCE_ENDS.split(lines[0])[0])
        if first and not is_list:
            claims.rivals.add(grammar.label(first))
    return _agreed(claims)


def _first_question(said: str, grammar: Grammar) -> str:
    """Without what follows an answer as the next question, and without the lines of the prompt."""
    for question in NEXT_QUESTION.finditer(said):
        end = max(question.start() - 1, 0)
        last = said[said.rfind("\n", 0, end) + 1 : end]
        if grammar.bare.match(last) or grammar.declared.match(last):
            said = said[:end]
            break
    return PROMPT_LINE.sub("", said).strip()


def _without_lists(said: str) -> str:
    """Without the numbers of lists: 1, 2 … in this order."""
    runs: list[list[int]] = []
    for marker in LIST_MARKER.finditer(said):
        number = int(marker[1] or marker[2])
        if number == 1:
            runs.append([marker.start()])
        elif runs and number == len(runs[-1]) + 1:
            runs[-1].append(marker.start())
    numbering = {start for run in runs if len(run) > 1 for start in run}
    return LIST_MARKER.sub(lambda marker: "\n" if marker.start() in numbering else marker[0], said).strip()


def _without_scale(said: str, grammar: Grammar) -> str | None:
    """With SCALE for mentions of the whole scale, "4" for "4 - agree"; None where a number is given a meaning that it does not have."""
    pairs = list(grammar.pair.finditer(said))
    labels = [digit_of(pair["number"] or pair["glossed"]) for pair in pairs]
    if any(grammar.meaning(pair["meaning"] or pair["gloss"]) != label for pair, label in zip(pairs, labels, strict=True)):
        return None
    explained = {n for run in LEGEND.finditer("".join(map(str, labels))) for n in range(*run.span())}
    shown = iter([SCALE if n in explained else str(label) for n, label in enumerate(labels)])
    said = grammar.pair.sub(lambda pair: next(shown) + ")" * (pair[0].count(")") - pair[0].count("(")), said)
    return SCALE_MENTION.sub(SCALE, said)


def _sentences(lines: Sequence[str], opens: bool) -> Iterator[tuple[str, str, bool, bool]]:
    """Each sentence, the one before it, whether it is the first, and whether it has a place where an answer may stand alone."""
    before = ""
    for row, line in enumerate(lines):
        parts = SENTENCE_ENDS.split(line)
        for n, part in enumerate(parts):
            closes = len(parts) == 1 or (row == len(lines) - 1 and n == len(parts) - 1)
            yield part, before, opens, opens or (closes and before.endswith((".", "!", ":", ";", SCALE, f"{SCALE})")))
            opens = opens and bool(PLEASANTRY.match(part))
            before = part


def _claims(lines: Sequence[str], grammar: Grammar, *, opens: bool) -> Claims:
    claims = Claims(set(), set(), set())
    for sentence, before, first, stands in _sentences(lines, opens):
        rest = sentence
        alone = (grammar.opening if first else grammar.bare).match(sentence)
        if alone and not (first and alone["word"] == "one" and alone["lead"]):
            starts_a_list = sentence.startswith("1") and (sentence.endswith(".") or before.endswith(":"))
            more_may_follow = before and (alone["word"] or starts_a_list)
            (claims.sure if stands and not more_may_follow else claims.rivals).add(grammar.label(alone))
            rest = sentence[alone.start("end") :]
        elif (explained := grammar.opening.match(sentence)) and not explained["word"]:
            claims.rivals.add(grammar.label(explained))
        elif listed := ITEM.match(sentence):
            claims.rivals.add(int(listed[1]))
        for found in grammar.cued.finditer(rest):
            if not _is_own(rest, found):
                continue
            if found["end"] is None:
                claims.rivals.add(grammar.label(found))
                continue
            claims.sure.add(grammar.label(found))
            rest = rest[found.start("end") :] if rest is sentence else rest
        if (acts := ACTS.match(sentence)) and (leaning := grammar.meaning("disagree" if acts["not"] else "agree")):
            claims.leaning.add(leaning)
        claims.leaning.update(map(grammar.label, grammar.leaning.finditer(sentence)))
        if claims.sure:
            claims.rivals.update(digit_of(found["mention"]) for found in HEDGED.finditer(rest))
            if rest is not sentence:
                claims.rivals.update(digit_of(found["mention"]) for found in ANOTHER.finditer(rest))
            if TAKEN_BACK.search(rest):
                claims.rivals.add(NOTHING)
        if len(claims.sure) > 1:
            break
    return claims


def _is_own(sentence: str, found: re.Match[str]) -> bool:
    """Whether what a cue introduces is the writer's own answer: not denied, conditional or someone else's, and no pronoun "one"."""
    before = sentence[max(found.start() - 160, 0) : found.start()]
    pronoun = found["word"] == "one" and found["verb"] and not f"{found['verb']}{found['lead']}".rstrip().endswith(" a")
    return not (pronoun or DENIED.search(before[-120:]) or CONDITIONAL.search(before))


def _agreed(claims: Claims) -> int:
    if not claims.sure:
        return NOTHING
    label = min(claims.sure)
    if len(claims.sure | claims.rivals) > 1 or any((leaning > 3) - (leaning < 3) != (label > 3) - (label < 3) for leaning in claims.leaning):
        return SEVERAL
    return label
