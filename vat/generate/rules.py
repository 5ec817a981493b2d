"""The rules that a written scene or action must keep, checked in code: which of them it breaks.

A reply is cleared first of what is only wrapping (`cleaned`). A text that breaks a rule is worth nothing to the dataset, and is kept to see what
goes wrong. What code cannot tell in a language is not checked there; `unchecked` names it, for the data card.
"""

from __future__ import annotations

import re

from vat.elicit.wording import own_words, said_at_last
from vat.generate.english import asks_the_reader, begins_in_first_person, closes_with_a_question, takes_a_side
from vat.generate.languages import Language
from vat.generate.sentences import sentences, word_count

ACTION_WORDS = 50
SCENE_WORDS = 120
RULES = {
    "empty": "There is a text.",
    "markup": "It is plain text: no label before it, no quotation marks around it, no markup.",
    "lines": "An action is on one line.",
    "one_sentence": "An action is one sentence.",
    "unfinished": "An action ends with a full stop or another mark that ends sentences.",
    "first_person": "An action is told by the one who acts: I is the subject of the sentence, alone.",
    "long": f"An action has at most {ACTION_WORDS} words, a scene at most {SCENE_WORDS}; without spaces between words, two characters count as one.",
    "asks": "A scene asks its reader for no decision, and does not close with a question that nobody in it asks.",
    "takes_side": "A scene's narrator does not say what is right or should be done.",
}
"""What each rule asks for, in the order in which faults are named."""

_CLOSER = "en"
"""The language whose sentences are looked into, not only searched for words."""
_LABEL = (
    r"(?:(?:my|the|your|final|suggested|proposed|generated|first[- ]person|expressive|suppressing|concrete) ){0,2}"
    "(?:action|answer|response|reply|output|scene|scenario|sentence|statement|aktion|handlung|acción|ação|azione|aksi|tindakan|行动|行動|场景|場面)"
    r"(?: ?\([^()\n]{0,40}\)| \d{1,2})?"
)
_LABELLED = re.compile(rf"(?:#{{1,6}} ?)?(?:\*\*|__)?{_LABEL}(?:\*\*|__)?(?:\s*[:：](?:\*\*|__)?|(?=\s*\n))\s*|1[.)] +(?=\S)", re.I)
_FENCED = re.compile(r"(```|~~~)[\w-]{0,20}\s*\n(.*?)\s*\1", re.S)
_AROUND = tuple((marks[: len(marks) // 2], marks[len(marks) // 2 :]) for marks in (
    "****", "____", "**", "__", "``", '""', "''", "“”", "‘’", "’’", "„“", "„”", "«»", "»«", "「」", "『』", "()", "[]",
))  # fmt: skip
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
_BULLET = re.compile(r"[-*•] \s*(?=\S)")
_MARKUP = re.compile(
    r"\*\*|__\w|`|\*(?<![\w*].)\w[^*\n]{0,300}\*(?![\w*])|<(?:/|[a-zA-Z])[a-zA-Z]{0,9}(?: [^<>\n]{0,100})?/?>|\[[^\]\n]{1,200}\]\("
    r"|#(?<![^\n].)#{0,5} |\n(?:[-*•]|\d{1,2}[.)]) "
)
_ENDED = re.compile(r"""[.!?…。！？．｡؟۔।॥։።፧၊။៕][\s"'“”’»«)\]」』]*$""")


def cleaned(reply: str) -> str:
    """A reply without what is only wrapping.

    Taken off: thoughts and marks of a turn's end, a code fence, quotation marks, brackets or emphasis around the whole, a label ("Action:"), a
    first number, the bullet of a single line, doubled spaces. Whatever chooses among words stays, and is judged: a preamble ("Here is …"), a
    note, a second sentence.
    """
    text = _spaced(said_at_last(reply))
    while (less := _less(text)) != text:
        text = less
    return text


def action_faults(text: str, language: Language) -> tuple[str, ...]:
    """The rules that an action breaks, in the order of `RULES`; () if none. Wrapping is a fault, and the other rules judge what it wraps."""
    inside = cleaned(text)
    words = word_count(inside)
    if not words:
        return ("empty",)
    broken = {
        "markup": inside != _spaced(text) or _MARKUP.search(inside),
        "lines": "\n" in inside,
        "one_sentence": len(sentences(inside, language)) != 1,
        "unfinished": language.ends_marked and not _ENDED.search(inside),
        "first_person": not _in_first_person(own_words(inside), language),
        "long": words > ACTION_WORDS,
    }
    return tuple(rule for rule in RULES if broken.get(rule))


def scene_faults(text: str, language: Language) -> tuple[str, ...]:
    """The rules that a scene breaks, in the order of `RULES`; () if none. Wrapping is a fault, and the other rules judge what it wraps."""
    inside = cleaned(text)
    words = word_count(inside)
    if not words:
        return ("empty",)
    said = sentences(own_words(inside), language)
    broken = {
        "markup": inside != _spaced(text) or _MARKUP.search(inside),
        "long": words > SCENE_WORDS,
        "asks": asks_the_reader(said) if language.code == _CLOSER else closes_with_a_question(said),
        "takes_side": language.code == _CLOSER and takes_a_side(said),
    }
    return tuple(rule for rule in RULES if broken.get(rule))


def unchecked(language: Language) -> tuple[str, ...]:
    """The rules that cannot be checked in a language, in the order of `RULES`.

    Outside English the first person is a word anywhere in the sentence, and only a closing question is known to ask the reader.
    """
    missing = {
        "one_sentence": not language.ends_marked,
        "unfinished": not language.ends_marked,
        "first_person": language.first_person is None,
        "takes_side": language.code != _CLOSER,
    }
    return tuple(rule for rule in RULES if missing.get(rule))


def _in_first_person(said: str, language: Language) -> bool:
    if language.code == _CLOSER:
        return begins_in_first_person(said)
    return language.first_person is None or bool(language.first_person.search(said))


def _spaced(text: str) -> str:
    """Single spaces, none around line breaks."""
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def _less(text: str) -> str:
    """A text without its outermost wrapping; the text itself if there is none."""
    if labelled := _LABELLED.match(text):
        return text[labelled.end() :]
    if text[:1].isalnum():
        return text
    if fenced := _FENCED.fullmatch(text):
        return fenced[2].strip()
    between = _APOSTROPHE.sub("", text)
    for opening, closing in _AROUND:
        inside = between[len(opening) : -len(closing)]
        if inside and between.startswith(opening) and between.endswith(closing) and opening not in inside and closing not in inside:
            return text[len(opening) : -len(closing)].strip()
    if "\n" not in text and (bullet := _BULLET.match(text)):
        return text[bullet.end() :]
    return text
