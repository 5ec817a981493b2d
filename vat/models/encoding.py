"""Prompts → token ids, and the tokens that answer them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vat.errors import ConfigError, shown
from vat.types import Prompt

Ids = npt.NDArray[np.int32]
EMPTY = np.array([], dtype=np.int32)
TOGETHER = 512
"""Texts that the tokenizer is given at once: what it returns beside the ids is large."""


class Encoded(NamedTuple):
    """Token ids of N prompts, each ending where the answer's token would come.

    labels: the tokens that answer; none where the answer is a text. thinks: the chat template has opened a thought (<think>).
    """

    ids: list[Ids]
    labels: list[int]
    thinks: bool


class Encoder:
    """A tokenizer as prompts need it.

    tokenizer: of transformers. model: what people call the model, for messages. room: tokens that fit into its context, if known.
    template_options: passed on to the chat template.
    """

    def __init__(self, tokenizer: Any, *, model: str, room: int | None, template_options: dict[str, Any]) -> None:
        self._tokenizer, self._model, self._room, self._options = tokenizer, model, room, template_options

    def encode(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 0) -> Encoded:
        """Encode prompts of one form; for ratings if no new tokens are asked for.

        For ratings each is encoded with its first label, whose token is then dropped: so tokens that reach over the border come out right.

        Raises:
            ConfigError: An empty prompt; a chat prompt without a chat template; labels that are not single tokens; a prompt longer than the context.
        """
        ids, labels, first = self._ids(prompts, max_new_tokens)
        lengths = [len(row) for row in ids]
        if not all(lengths):
            empty = shown(prompts[lengths.index(0)])
            raise ConfigError(f"model {self._model}: a prompt must have tokens; got none for {empty}. Check elicit and the data.")
        longest = max(lengths) + max_new_tokens
        if self._room is not None and longest > self._room:
            new = f", {max_new_tokens} of them to write" if max_new_tokens else ""
            rule = f"model {self._model}: takes prompts of at most {self._room} tokens"
            raise ConfigError(f"{rule}; got {longest}{new}. Use fewer shots or another model.")
        return Encoded(ids, labels, first.rfind("<think>") > first.rfind("</think>"))

    def too_long(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 0) -> set[int]:
        """Rows of prompts of one form that are longer than the context; none where that is not known. Raises as `encode`."""
        if self._room is None:
            return set()
        ids, _, _ = self._ids(prompts, max_new_tokens)
        return {row for row, one in enumerate(ids) if len(one) + max_new_tokens > self._room}

    def text(self, ids: Sequence[int]) -> str:
        """Token ids → text."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def _ids(self, prompts: Sequence[Prompt], max_new_tokens: int) -> tuple[list[Ids], list[int], str]:
        """Tokens of each prompt, the tokens of the labels, and the first prompt as text."""
        texts = [self._render(prompt) for prompt in prompts]
        begin = np.array([self._tokenizer.bos_token_id] if prompts[0].text and self._adds_bos else [], dtype=np.int32)
        labels: list[int] = []
        if max_new_tokens:
            whole = self._tokens(texts)
        else:
            labels = self._label_tokens(texts[0], prompts[0].labels)
            whole = [row[:-1] for row in self._tokens([text + prompt.labels[0] for text, prompt in zip(texts, prompts, strict=True)])]
        ids = [np.concatenate([begin, row]) for row in whole]
        return ids, labels, texts[0]

    def _render(self, prompt: Prompt) -> str:
        if not prompt.messages:
            if not prompt.text:
                raise ConfigError(f"model {self._model}: a prompt must say something; got an empty one. Check elicit and the data.")
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
        """The one token in which the labels differ after this prompt."""
        whole = [row.tolist() for row in self._whole([text + label for label in labels])]
        shared = common_length(whole)
        tails = [row[shared:] for row in whole]
        if len({tuple(tail) for tail in tails if len(tail) == 1}) < len(labels):
            pieces = {label: self._tokenizer.convert_ids_to_tokens(tail) for label, tail in zip(labels, tails, strict=True)}
            rule = f"model {self._model}: the labels {labels[0].strip()} … {labels[-1].strip()} must be single tokens after the prompt"
            raise ConfigError(f"{rule}; got {shown(pieces)}. Use another model.")
        return [tail[0] for tail in tails]

    def _tokens(self, texts: Sequence[str]) -> list[Ids]:
        """Token ids of texts. What stands between two special tokens recurs from prompt to prompt and is encoded once; a few texts are
        also encoded whole, and where that differs, all are."""
        if self._special is None:
            return self._whole(texts)
        pieces = [[piece for piece in self._special.split(text) if piece] for text in texts]
        different = list(dict.fromkeys(itertools.chain.from_iterable(pieces)))
        ids_of = dict(zip(different, self._whole(different), strict=True))
        rows = [np.concatenate([EMPTY, *(ids_of[piece] for piece in row)]) for row in pieces]
        looked_at = sorted({*range(0, len(texts), len(texts) // 4 + 1), max(range(len(texts)), key=lambda n: len(texts[n])), len(texts) - 1})
        alike = all(map(np.array_equal, (rows[n] for n in looked_at), self._whole([texts[n] for n in looked_at])))
        return rows if alike else self._whole(texts)

    def _whole(self, texts: Sequence[str]) -> list[Ids]:
        rows: list[Ids] = []
        for start in range(0, len(texts), TOGETHER):
            encoded = self._tokenizer(texts[start : start + TOGETHER], add_special_tokens=False, return_attention_mask=False)
            rows += [np.array(ids, dtype=np.int32) for ids in encoded["input_ids"]]
        return rows

    @cached_property
    def _special(self) -> re.Pattern[str] | None:
        """What splits a text at the tokenizer's special tokens; None if it has none."""
        names = sorted(self._tokenizer.get_added_vocab(), key=len, reverse=True)
        return re.compile("(" + "|".join(map(re.escape, names)) + ")") if names else None

    @cached_property
    def _adds_bos(self) -> bool:
        """Whether the model expects plain text to begin with a token of its own (a chat template writes it itself)."""
        bos = self._tokenizer.bos_token_id
        return bos is not None and self._tokenizer("a")["input_ids"][:1] == [bos]


def common_length(ids: Sequence[list[int]]) -> int:
    """How many first tokens all rows have in common."""
    low, high = min(ids), max(ids)
    return next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
