"""What a text says itself: without thoughts, without what follows its end, and without what it quotes."""

from __future__ import annotations

import re

from vat.elicit.reader import after_thoughts
from vat.elicit.reader_patterns import SIGNS, TURN_ENDS

SPEECH = '""'
"""Stands where something was quoted."""
_QUOTED = re.compile(r"""("[^"]{0,1000}"|(?<!\w)'(?:[^'\n]|'(?=\w)){1,400}'(?!\w))""")


def said_at_last(text: str) -> str:
    """What a reply says when its last thought has ended, up to the end of its turn; "" if the thought never ends."""
    return TURN_ENDS.split((after_thoughts(text) or "").lstrip(), maxsplit=1)[0].strip()


def own_words(text: str) -> str:
    """A text with signs of one kind and single spaces, and with `SPEECH` for what it quotes.

    Quoted are the words between quotation marks of any kind, and between single ones that are no apostrophes. A quotation that ends a sentence
    leaves a full stop: 'She says "No." He goes.' is two sentences still.
    """
    return _QUOTED.sub(_left, " ".join((text if text.isascii() else text.translate(SIGNS)).split()))


def _left(quoted: re.Match[str]) -> str:
    before_the_mark, after = quoted[0].rstrip("\"' "), quoted.string[quoted.end() : quoted.end() + 2]
    ends = before_the_mark.endswith((".", "!", "?", "…")) and (not after or (after[0] == " " and not after[1:].islower()))
    return f"{SPEECH}." if ends else SPEECH
