"""What a writing model is told: an instruction that was searched for, examples, and a form that stays as it is. Frozen, it has a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from vat.errors import ConfigError, DataError, shown
from vat.types import Message, Prompt

Kind = Literal["scene", "action"]


class Example(NamedTuple):
    """What was given (name → text) and what was written."""

    given: tuple[tuple[str, str], ...]
    text: str


@dataclass(frozen=True)
class WritingPrompt:
    """The prompt of one kind of text.

    instruction: what the search is about. examples: shown as turns before the question.
    language: as named in the form.
    """

    kind: Kind
    instruction: str
    examples: tuple[Example, ...]
    language: str

    def prompt(self, given: Mapping[str, str], draw: int = 0) -> Prompt:
        """The question for one text: instruction and form first, as all questions share them, then the examples, then what is given."""
        form = " ".join(words()[self.kind]["form"].format(language=self.language).split())
        head, turns = f"{self.instruction.strip()}\n\n{form}\n\n", []
        for example in self.examples:
            turns += [Message("user", f"{head}{self._question(dict(example.given))}"), Message("assistant", example.text)]
            head = ""
        return Prompt((*turns, Message("user", f"{head}{self._question(given)}")), "", (), draw)

    @property
    def digest(self) -> str:
        """SHA-256 of all that it makes a model see."""
        told = [asdict(self), words()[self.kind]["form"], words()[self.kind]["cue"]]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As it is kept, with its digest."""
        examples = [{"given": dict(example.given), "text": example.text} for example in self.examples]
        kept = {"kind": self.kind, "instruction": self.instruction, "examples": examples, "language": self.language}
        return kept | {"digest": self.digest}

    def _question(self, given: Mapping[str, str]) -> str:
        return "\n".join([*(f"{name.capitalize()}: {text}" for name, text in given.items()), words()[self.kind]["cue"]])


def base_prompt(kind: Kind, language: str, *, instruction: str | None = None) -> WritingPrompt:
    """The prompt from which the search begins, or with another instruction of ours (`probe`)."""
    return WritingPrompt(kind, words()[instruction or kind]["instruction"], (), language)


def read_prompt(path: Path, kind: Kind, language: str) -> WritingPrompt:
    """A prompt as `to_json` kept it.

    Raises:
        ConfigError: There is no such file, or the prompt is of another kind or language.
        DataError: The file holds something else, or was changed since.
    """
    where = f"data.{kind}_prompt"
    if not path.is_file():
        raise ConfigError(f"{where}: must be a file that a dataset has left in prompts/; got {path}, which is none. Check the path.")
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        examples = tuple(Example(tuple(example["given"].items()), example["text"]) for example in kept["examples"])
        prompt = WritingPrompt(kept["kind"], kept["instruction"], examples, kept["language"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: must be a prompt as a dataset has left it; got {shown(str(error))}. Take prompts/{kind}.json of one.") from error
    if (prompt.kind, prompt.language) != (kind, language):
        found = f"one of a {prompt.kind} in {prompt.language}"
        raise ConfigError(f"{where}: must be the prompt of a {kind} in {language}; got {found}. Take another, or leave it out.")
    if prompt.digest != kept.get("digest"):
        raise DataError(f"{path}: must be as it was frozen; got another text than its digest stands for. Restore it, or leave it out.")
    return prompt


@lru_cache(maxsize=1)
def words() -> dict[str, Any]:
    """wording.yaml."""
    tree: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("wording.yaml").read_text(encoding="utf-8"))
    return tree
