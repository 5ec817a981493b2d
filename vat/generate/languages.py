"""Which languages scenes and actions may be written in, and what can be checked in each. The words are in languages.yaml."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml

from vat.errors import ConfigError, choose, shown


class Language(NamedTuple):
    """A language of prompts, scenes and actions.

    name: as in prompts. code: ISO 639. first_person: matches the words of which a sentence in the first person has at least one; None where no
    word need tell, so that it cannot be checked. words_apart: whether words are written apart. ends_marked: whether sentences end with a mark.
    """

    name: str
    code: str
    first_person: re.Pattern[str] | None
    words_apart: bool
    ends_marked: bool


def language(name: str) -> Language:
    """The language of an English name or an ISO 639 code, in any case.

    Raises:
        ConfigError: It is none of `languages()`.
    """
    wanted = " ".join(name.lower().split())
    for known in languages():
        if wanted in (known.name.lower(), known.code):
            return known
    names = [known.name for known in languages()]
    raise ConfigError(f"data.language: must be the name or the code of a language; got {shown(name)}. {choose(wanted, names)}")


@lru_cache(maxsize=1)
def languages() -> tuple[Language, ...]:
    """All of them, in the order of the file."""
    tree = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return tuple(_language(name, **node) for name, node in tree.items())


def _language(name: str, *, code: str, first_person: str = "", words: str = "apart", ends: str = "marked") -> Language:
    assert words in ("apart", "together"), name
    assert ends in ("marked", "unmarked"), name
    around = rf"(?<![\w'])(?:{first_person})(?!\w)" if words == "apart" else first_person
    return Language(name, code, re.compile(around, re.I) if first_person else None, words == "apart", ends == "marked")
