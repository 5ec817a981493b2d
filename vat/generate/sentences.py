"""A text's sentences and words, counted as a strict but fair reader would.

Sentences are those of the library sentencex (abbreviations of some 300 languages), corrected where it was found wrong. Where a text may be read
as one sentence or as two ("I hesitate … I leave."), it is one.
"""

from __future__ import annotations

import itertools
import re
import unicodedata

from sentencex import segment

from vat.generate.languages import Language

TITLES = (
    "Ms|Mx|M|MM|Mme|Mlle|Mdm|Mdme|Engr|Atty|Brgy|Bgy|Alh|Chf|Hon|Pres|Supt|Insp|Cpl|Pte|Cmdr|Amb|Smt|Shri|Bp|Msgr|Pst|Ust|Mt|Ft|Sra|Srta|Dra|Drs|Ir"
    "|Fr|Sr|Jr|Dr|Prof|Rev|Mr|Mrs|Capt|Gen|Col|Sgt|Lt|Gov|Sen|Rep"
)
BEFORE_NUMBERS = "approx|appr|ca|c|no|nos|nr|p|pp|vol|fig|art|sec|par|para|ch|ext|tel|Rs|min|max"
LONGEST_ABBREVIATION = 12
"""In characters, with what stands around it."""
_NAME_FOLLOWS = re.compile(rf"(?<!\w)(?:{TITLES})\.\s*$")
_NUMBER_FOLLOWS = re.compile(rf"(?<!\w)(?:{BEFORE_NUMBERS})\.\s*$", re.I)
_NUMBER = re.compile(r"[\d€$£₹₦₱₨#]")
_LIST_NUMBER = re.compile(r"(?:^|[:;,.]\s*)\(?\d{1,2}[.)]\s*$")
_QUOTATION = re.compile(r"""["“”„«»‘'「『].{0,1000}["“”«»’'」』]\s*""", re.S)
_QUOTED_TO_THE_END = re.compile(r"[\"“”»’'」』]$")
_MISSED = re.compile(r"""[.!?](?:(?<=\bno.)(?= ["“]?[A-Z])|(?<=[a-z]{2}.)(?=I |[A-Z][a-z'’]))""")
_MISSED_AFTER_I = re.compile(r"\.(?= I(?:['’]| [a-z]))(?:(?<=[ap]\.m.)|(?<=[ap]\. m.)|(?<=\betc.)|(?<=[ .][A-Z].))")
_WORD = re.compile(r"[^\W_][^\s—…]*")
_HALF_WORDS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Characters of scripts that leave no space between words: Thai, Lao, Burmese, Khmer, kana, Chinese characters."""


def word_count(text: str) -> int:
    """How many words a text has: what stands between spaces or dashes and has a letter or a digit.

    Where no space is left between words (Chinese, Japanese, Thai, …) two characters count as one word, and marks above or below none.
    """
    if text.isascii():
        return len(_WORD.findall(text))
    together = [character for character in _HALF_WORDS.findall(text) if not unicodedata.category(character).startswith("M")]
    return len(_WORD.findall(_HALF_WORDS.sub(" ", text) if together else text)) + (len(together) + 1) // 2


def sentences(text: str, language: Language) -> tuple[str, ...]:
    """The sentences of a text, without the spaces around them; () for a text without any.

    Corrected in what sentencex finds: a sentence goes on after a title or an abbreviation that it does not know, after a list's number, after a
    quotation that begins it ('"Stop!" I say.'), and in lower case. One ends after "no." before a capital, where the space was forgotten, and in a
    text that begins with I after "p.m.", "etc." or a capital before another I.
    """
    line = " ".join(text.split())
    found: list[str] = []
    before = ""
    for piece in _pieces(line, language.code):
        if before and (_goes_on(before, piece, language) or (piece[0].islower() and not line[0].islower())):
            found[-1] += piece
        else:
            found.append(piece)
        before = piece
    return tuple(sentence.strip() for sentence in found)


def _pieces(line: str, code: str) -> list[str]:
    pieces = [part for piece in segment(code, line) for part in _cut(piece, _MISSED)]
    return [part for piece in pieces for part in _cut(piece, _MISSED_AFTER_I)] if line.startswith("I") else pieces


def _cut(piece: str, ends: re.Pattern[str]) -> list[str]:
    """Cut after each match."""
    cuts = [0, *(found.end() for found in ends.finditer(piece)), len(piece)]
    return [piece[start:end] for start, end in itertools.pairwise(cuts) if piece[start:end].strip()]


def _goes_on(before: str, piece: str, language: Language) -> bool:
    """Whether a piece belongs to the sentence of the one before it."""
    end = before[-LONGEST_ABBREVIATION:]
    if _NAME_FOLLOWS.search(end) or _LIST_NUMBER.search(end) or _QUOTATION.fullmatch(before):
        return True
    if _NUMBER_FOLLOWS.search(end) and _NUMBER.match(piece.lstrip()):
        return True
    return not language.words_apart and bool(_QUOTED_TO_THE_END.search(end))
