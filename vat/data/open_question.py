"""The open question: what do you do here? Asked of a model before and after, so that people can read what a shift is.

No number of a study comes from its answers. After examples it stands where the next rating question would stand.
"""

from __future__ import annotations

from collections.abc import Sequence

from vat.data.question import Question, after
from vat.types import Message, Prompt, Shot

VERSION = 1
WORDING = "What do you do in this situation? Say it in your own words, in the first person, in one or two sentences."
CUE = "What I do:"


def open_prompt(scene: str, shots: Sequence[Shot], question: Question, preamble: str = "") -> Prompt:
    """The open question about a scene, after `preamble` and `shots` as they precede every `question`."""
    return after(preamble, _asked(scene, shots, question))


def _asked(scene: str, shots: Sequence[Shot], question: Question) -> Prompt:
    asked = f"Situation: {scene}\n{WORDING}\n{CUE}"
    if not shots:
        return Prompt((), asked, ()) if question.format == "plain" else Prompt((Message("user", asked),), "", ())
    *before, last = shots
    rated, answer = question.prompt(last.probe, before), question.answer(last.rating)
    if question.format == "plain":
        return Prompt((), f"{rated.text} {answer}\n\n{asked}", ())
    return Prompt((*rated.messages, Message("assistant", answer), Message("user", asked)), "", ())
