"""What a model is to the other stages: something that rates prompts and continues them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

from vat.settings import settings
from vat.types import LabelScores, Prompt

Progress = Callable[[int], object]
"""Called with the number of prompts answered since the last call."""


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
    def check(self, prompt: Prompt) -> None:
        """Find out, before long work starts and without loading the weights, whether prompts of this form can be rated.

        Raises:
            ConfigError, BackendError: They cannot; the message says why and what to do.
        """

    @abstractmethod
    def rate(self, prompts: Sequence[Prompt], progress: Progress = lambda done: None) -> LabelScores:
        """Probabilities of the five labels as the next thing said, for each prompt.

        Raises:
            BackendError: The model could not be loaded or could not answer.
        """

    @abstractmethod
    def generate(self, prompts: Sequence[Prompt], *, max_new_tokens: int) -> list[str]:
        """The most likely continuation of each prompt, as text.

        Raises:
            BackendError: The model could not be loaded or could not answer.
        """

    def unload(self) -> None:  # noqa: B027 - a model without weights has nothing to give up
        """Give up the memory of the weights; they are loaded again when needed."""
