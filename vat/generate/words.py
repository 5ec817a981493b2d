"""Words of a text in any language, and texts that say the same but for case and punctuation."""

from __future__ import annotations

import unicodedata
from typing import Literal

Unit = Literal["words", "characters"]

WITHOUT_SPACES = frozenset({"bo", "dz", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Languages whose writing sets no spaces between words."""
LONGEST_RUN = 3
"""Characters of a run, where these stand for words."""


def unit_of(language: str) -> Unit:
    """What stands for words in a language, by its code (`en`, `zh-Hant`)."""
    return "characters" if language.lower().replace("_", "-").split("-")[0] in WITHOUT_SPACES else "words"


def normalised(text: str) -> str:
    """Text in lower case without punctuation and symbols, one space between words, in any script; apostrophes within words stay."""
    words = unicodedata.normalize("NFKC", text).casefold().translate(_PLAIN).split()
    return " ".join(word for word in (word.strip("'") for word in words) if word)


def parts_of(text: str, unit: Unit) -> list[str]:
    """The words of a normalised text, or its runs of up to LONGEST_RUN characters; one that recurs is given as often."""
    stretches = text.split()
    if unit == "words":
        return stretches
    return [stretch[n : n + length] for stretch in stretches for length in range(1, LONGEST_RUN + 1) for n in range(len(stretch) - length + 1)]


def length_of(text: str, unit: Unit) -> int:
    """How many words a normalised text has, or how many characters other than spaces."""
    stretches = text.split()
    return len(stretches) if unit == "words" else sum(map(len, stretches))


class _Plain(dict[int, str]):
    """Character → what stands for it; each is looked up once."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        kind = unicodedata.category(letter)
        # Marks (M) are letters of many scripts; format characters (Cf) join letters within a word, as in Persian.
        self[code] = "'" if letter in "'’" else "" if kind == "Cf" else " " if kind[0] in "PSC" else letter
        return self[code]


_PLAIN = _Plain()
