"""How strongly responses hold a value, by a judge: what all ways to ask it have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from vat.elicit.desk import Desk
from vat.intensity.ranking import Target
from vat.intensity.response import Intensities, Sharpness
from vat.intensity.windows import Anchors
from vat.intensity.wording import WORDINGS
from vat.settings import settings
from vat.types import Prompt


class Scale(NamedTuple):
    """A value that responses are scored on: what judges are told of it; and where they are to compare, its anchors and their texts by id."""

    target: Target
    anchors: Anchors | None = None
    texts: Mapping[str, str] = {}


class Scored(NamedTuple):
    """What came of all responses on a value.

    asked: questions; lost: those without an answer that can be read, by reason. places: of windows that were ranked, as in `Ranked`, one for each
        order drawn: further responses in the same place of the same order tell little more of a judge's bias.
    found: None where the answers say nothing of the value, and why.
    """

    asked: int
    lost: Mapping[str, int]
    places: list[tuple[int, ...]]
    sharpness: Sharpness | None
    found: Intensities | None
    why: str = ""


@settings
class Evaluator(ABC):
    """`wording`: which of our wordings judges are asked in.

    method: its name. compares: whether it needs a database's anchors.
    """

    wording: Annotated[int, Field(ge=0, lt=WORDINGS)]

    method: ClassVar[str]
    compares: ClassVar[bool]

    @property
    @abstractmethod
    def questions(self) -> int:
        """About each response."""

    @property
    @abstractmethod
    def told(self) -> str:
        """What its questions are, in the plural, as "windows of 6"."""

    def check(self, anchors: Anchors) -> None:  # noqa: B027 - who does not compare takes any
        """Raises a ConfigError or DataError if responses cannot be compared with these anchors."""

    @abstractmethod
    def trial(self, scale: Scale, text: str) -> Prompt:
        """A question to find out with whether a judge can be asked."""

    @abstractmethod
    def score(
        self, desk: Desk, role: str, scale: Scale, responses: Mapping[str, str], *, drawn_as: Callable[[str], str], max_new_tokens: int,
        told: Callable[[], object],
    ) -> Scored:  # fmt: skip
        """All responses, id → text, on one value.

        Args:
            drawn_as: Id → what its anchors and orders follow from; responses of the same are set against the same.
            max_new_tokens: Of a judge's reply. told: is called after each question.
        Raises:
            ConfigError, BackendError: As the desk; a judge whose replies cannot be read.
        """
