"""What a model is to the other stages: something that rates prompts and continues them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from vat.errors import ConfigError
from vat.settings import settings
from vat.types import Answered, Answers, Prompt, gathered


class Progress(Protocol):
    """What is told how far some work is."""

    def __call__(self, done: int, said: str = "") -> object:
        """So much was done since the last call (prompts answered, steps trained), and there is this to say of it."""


class Kept(NamedTuple):
    """What is known before a model is asked.

    rows: prompts of the list that are answered already.
    tokens: read and written for all that the job has asked so far, as the server counted them.
    """

    rows: frozenset[int] = frozenset()
    tokens: tuple[float, float] = (0.0, 0.0)


NOTHING_KEPT = Kept()


class Capabilities(NamedTuple):
    """What can be done with a model.

    trainable: its weights can be changed.
    caveat: said wherever its numbers are shown; empty if there is nothing to say.
    """

    trainable: bool
    caveat: str


@settings
class Model(ABC):
    """Base of all models. Building one is cheap; the weights are loaded when they are first needed."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What people call it, in tables and MLflow."""

    @abstractmethod
    def identity(self) -> dict[str, object]:
        """What determines the answers, and nothing else: it becomes part of a job's key.

        Raises:
            ConfigError, BackendError: The model is not there.
        """

    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What can be done with the model."""

    @abstractmethod
    def check(self, prompt: Prompt, *, max_new_tokens: int = 0) -> tuple[float, float]:
        """Find out, before long work starts and without loading the weights, whether prompts of this form can be answered.

        Args:
            max_new_tokens: Of the text to be written; 0 for a rating.
        Returns:
            Tokens read and written in order to find out; none where nobody was asked.
        Raises:
            ConfigError, BackendError: They cannot; the message says why and what to do.
        """

    @abstractmethod
    def ratings(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        """Probabilities of the labels as the next thing said, as they come; what is kept is left out.

        What is yielded together was computed together: a local model plans over all prompts, kept or not, so that the rest of an
        interrupted list gets the bits that it would have got without the interruption.

        Args:
            max_new_tokens: Of what a model writes that does not give probabilities; its answers have text instead.
        Raises:
            ConfigError, BackendError: The model cannot be asked or cannot answer; what was yielded is good.
        """

    @abstractmethod
    def texts(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        """What the model writes next, its most likely words, as it comes; what is kept is left out. Raises as `ratings`.

        What a model thought before it answered stands before the answer, as <think>…</think>; a thought that ran out of tokens stays open.
        """

    def too_long(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 0) -> set[int]:
        """Rows of prompts that do not fit into its context, as far as that is known without asking anybody; so far none.

        Args:
            max_new_tokens: Of the text to be written; 0 for a rating.
        """
        return set()

    def rate(self, prompts: Sequence[Prompt]) -> Answers:
        """All of `ratings`, in the order of the prompts."""
        return gathered(len(prompts), self.ratings(prompts, max_new_tokens=16))

    def generate(self, prompts: Sequence[Prompt], *, max_new_tokens: int) -> list[str]:
        """All of `texts`, in the order of the prompts."""
        return list(gathered(len(prompts), self.texts(prompts, max_new_tokens=max_new_tokens)).text_N)

    def training_source(self) -> dict[str, Any]:
        """What a trainer loads: `name`, `revision`, `dtype` and number (`parameters`) of the weights, and the `device`.

        Raises:
            ConfigError: Its weights are out of reach.
        """
        raise ConfigError(f"model {self.label}: must have weights within reach to be trained; got none. Use strategy=steering.")

    def trained(self, folder: Path, *, adapter: bool) -> Model:
        """The model with the weights, or with the adapter, that training left in a folder. Raises as `training_source`."""
        raise ConfigError(f"model {self.label}: must have weights within reach to be trained; got none. Use strategy=steering.")

    def cost_usd(self, tokens: tuple[float, float]) -> float:
        """What so many tokens read and written cost; NaN where nobody asks for money or the price is not known."""
        return math.nan

    def drawing(self, temperature: float) -> Model:
        """The same model, which draws its words at a temperature instead of taking the most likely ones: others for each `Prompt.draw`.

        Raises:
            ConfigError: It cannot.
        """
        rule = f"model {self.label}: must be able to draw its words, at temperature {temperature:g}; got one that takes the most likely ones"
        raise ConfigError(f"{rule}. Put it behind a server: model=openai model.base_url=…")

    def within(self, limit_usd: float | None) -> Model:
        """The same model, which stops before one list of prompts costs more; itself, where nobody asks for money."""
        return self

    @property
    def wants_gpu(self) -> bool:
        """Whether it computes on a GPU where there is one."""
        return False

    def smaller(self) -> Model:
        """The same model with less room for what is not its weights, after memory ran out; itself, where that is not known."""
        return self

    def to_keep(self) -> Model:
        """The model as its settings may be kept with what it answered: nothing secret in them, and nothing of how its prompts are shared out."""
        return self

    def unload(self) -> None:  # noqa: B027 - a model without weights has nothing to give up
        """Give up the memory of the weights; they are loaded again when needed."""
