"""Prompts → token ids, and the five tokens that answer them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from vat.errors import ConfigError, shown
from vat.types import Prompt


class Encoded(NamedTuple):
    """Token ids of N prompts, each ending where the answer's token would come; and the five tokens that answer."""

    ids: list[list[int]]
    labels: list[int]


class Encoder:
    """A tokenizer as prompts need it.

    tokenizer: of transformers. model: what people call the model, for messages. room: tokens that fit into its context, if known.
    template_options: passed on to the chat template.
    """

    def __init__(self, tokenizer: Any, *, model: str, room: int | None, template_options: dict[str, Any]) -> None:
        self._tokenizer, self._model, self._room, self._options = tokenizer, model, room, template_options

    def encode(self, prompts: Sequence[Prompt]) -> Encoded:
        """Encode prompts of one form.

        Each is encoded with its first label, whose token is then dropped: so tokens that reach over the border come out right.

        Raises:
            ConfigError: A chat prompt without a chat template; labels that are not single tokens; a prompt longer than the context.
        """
        texts = [self._render(prompt) for prompt in prompts]
        labels = self._label_tokens(texts[0], prompts[0].labels)
        begin = [self._tokenizer.bos_token_id] if prompts[0].text and self._adds_bos else []
        whole = self._tokens([text + prompt.labels[0] for text, prompt in zip(texts, prompts, strict=True)])
        ids = [begin + row[:-1] for row in whole]
        longest = max(map(len, ids))
        if self._room is not None and longest > self._room:
            raise ConfigError(f"model {self._model}: takes prompts of at most {self._room} tokens; got {longest}. Use fewer shots or another model.")
        return Encoded(ids, labels)

    def text(self, ids: Sequence[int]) -> str:
        """Token ids → text."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def _render(self, prompt: Prompt) -> str:
        if not prompt.messages:
            return prompt.text
        if not self._tokenizer.chat_template:
            raise ConfigError(f"model {self._model}: elicit.format=chat needs a chat template; got a tokenizer without one. Use elicit.format=plain.")
        from jinja2 import TemplateError

        turns = [message._asdict() for message in prompt.messages]
        try:
            return str(self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **self._options))
        except TemplateError as error:
            found = shown(str(error), 100)
            raise ConfigError(f"model {self._model}: its chat template must take our turns; got {found}. Use elicit.format=plain.") from error

    def _label_tokens(self, text: str, labels: Sequence[str]) -> list[int]:
        """The one token in which the five labels differ after this prompt."""
        whole = self._tokens([text + label for label in labels])
        shared = common_length(whole)
        tails = [row[shared:] for row in whole]
        if len({tuple(tail) for tail in tails if len(tail) == 1}) < len(labels):
            pieces = {label: self._tokenizer.convert_ids_to_tokens(tail) for label, tail in zip(labels, tails, strict=True)}
            raise ConfigError(
                f"model {self._model}: the labels 1 … 5 must be single tokens after the prompt; got {shown(pieces)}. Use another model."
            )
        return [tail[0] for tail in tails]

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids

    @cached_property
    def _adds_bos(self) -> bool:
        """Whether the model expects plain text to begin with a token of its own (a chat template writes it itself)."""
        bos = self._tokenizer.bos_token_id
        return bos is not None and self._tokenizer("a")["input_ids"][:1] == [bos]


def common_length(ids: Sequence[list[int]]) -> int:
    """How many first tokens all rows have in common."""
    low, high = min(ids), max(ids)
    return next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
