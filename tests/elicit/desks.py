"""A desk with scripted models, and one whose models say what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vat.elicit.desk import Desk
from vat.errors import OverBudget
from vat.models.base import NOTHING_KEPT, Capabilities, Kept, Model
from vat.models.scripted import ScriptedModel
from vat.track.store import PartStore
from vat.types import Answered, Prompt, answers_of

ROLES = ("writer", "probe", "proposer", "judge first", "judge second")


def scripted(sway: float = 0.5, refusals: float = 0.0) -> ScriptedModel:
    return ScriptedModel(sway=sway, refusals=refusals, fails_on="")


def scripted_desk(folder: Path, limit_usd: float | None = None) -> Desk:
    models = {role: scripted(0.6 if role == "judge second" else 0.5) for role in ROLES}
    return Desk(models, lambda role: PartStore(folder / role / "texts"), limit_usd=limit_usd)


class Speaker(Model):
    """Says what `say` says; a token is a character, a million cost a dollar. `asked` is what it was asked."""

    def __init__(self, say: Callable[[Prompt], str]) -> None:
        self.say = say
        self.asked: list[Prompt] = []
        self.limit: float | None = None

    @property
    def label(self) -> str:
        return "speaker"

    def identity(self) -> dict[str, object]:
        return {"speaker": id(self)}

    def capabilities(self) -> Capabilities:
        return Capabilities(trainable=False, caveat="")

    def check(self, prompt: Prompt, *, max_new_tokens: int = 0) -> tuple[float, float]:
        return 7.0, 1.0

    def ratings(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        """Labels as likely as it says, in per cent of all but the last: "70" of two, "50 30" of three."""
        for part in self.texts(prompts, max_new_tokens=max_new_tokens, kept=kept):
            given = [float(share) / 100 for share in part.answers.text_N[0].split()]
            yield Answered(part.rows, answers_of(np.array([[*given, 1 - sum(given)]]), np.array([0.9]), tokens_N2=part.answers.tokens_N2))

    def drawing(self, temperature: float) -> Model:
        return self

    def within(self, limit_usd: float | None) -> Model:
        self.limit = limit_usd
        return self

    def cost_usd(self, tokens: tuple[float, float]) -> float:
        return sum(tokens) / 1e6

    def texts(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        spent = 0.0
        for row, prompt in enumerate(prompts):
            if self.limit is not None and spent >= self.limit:
                raise OverBudget("model.max_cost_usd: spent")
            text = self.say(prompt)
            self.asked.append(prompt)
            read = sum(len(message.content) for message in prompt.messages)
            spent += self.cost_usd((read, len(text)))
            yield Answered([row], answers_of(None, None, text_N=[text], tokens_N2=np.array([[read, len(text)]], dtype=float)))


def desk_of(folder: Path, models: dict[str, Any], **more: Any) -> Desk:
    return Desk(models, lambda role: PartStore(folder / role / "texts"), **({"limit_usd": None} | more))
