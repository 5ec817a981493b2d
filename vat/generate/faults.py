"""What is wrong with a text that a model has written: it declined to write, or the text breaks rules of its kind."""

from __future__ import annotations

from vat.elicit.refusals import is_refusal
from vat.generate.languages import Language
from vat.generate.prompts import Kind
from vat.generate.rules import action_faults, scene_faults

REFUSED, TWICE = "refusal", "twice"
"""Names of faults beside those of `vat.generate.rules`: the model declined; the same text is there already."""


def faults_of(kind: Kind, text: str, language: Language) -> tuple[str, ...]:
    """Names of what is wrong, () if nothing is. Who declines is not judged by the form of it."""
    if is_refusal(text):
        return (REFUSED,)
    return scene_faults(text, language) if kind == "scene" else action_faults(text, language)
