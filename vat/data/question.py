"""The question: how far do you agree that you would act this way, 1 to 5?

What is shared by many prompts comes first: instruction, scale, examples, scene; then action, item and the answer cue. The wording
is ours; the paper does not give its own. Any change of it is a new VERSION, which is part of every job's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vat.types import LABELS, Message, Probe, Prompt, Shot

VERSION = 1

# The first is the question; the others say the same in other words, as a control.
INSTRUCTIONS = (
    "Below you find a situation and an action. Picture yourself in the situation and tell how far you agree that you would act this way.",
    "Read the situation and the action that follows. To what degree would you yourself do this there?",
    "You will see what is going on and one thing a person could do. Say how well it fits what you would do.",
    "Think of yourself as being in the situation described. How strongly do you agree that this is how you would act?",
)
POINTS = ("strongly disagree", "disagree", "neither agree nor disagree", "agree", "strongly agree")
ANSWER_WITH = "Answer with one number only:"
CUE = "Your answer:"
REASON_FIRST = "First think it through in a few sentences. Then give your answer on a last line of its own, as Answer: and one number:"
REASON_CUE = "Your thoughts, then your answer:"


def after(preamble: str, prompt: Prompt) -> Prompt:
    """The prompt with a text before all else, in its first turn where it has turns (not every model has a system's); itself for ""."""
    if not preamble:
        return prompt
    if not prompt.messages:
        return prompt._replace(text=f"{preamble}\n\n{prompt.text}")
    first, *rest = prompt.messages
    return prompt._replace(messages=(first._replace(content=f"{preamble}\n\n{first.content}"), *rest))


@dataclass(frozen=True)
class Question:
    """How a probe is put to a model.

    format: `chat` gives turns for a chat template, examples as turns of their own; `plain` one text to be continued, for base models.
    name_item: name the item and its definition.
    reversed: print the scale the other way round, 1 for strongly agree.
    wording: which of INSTRUCTIONS.
    definitions: item → definition.
    reasoned: ask for the reasons before the answer.
    """

    format: Literal["chat", "plain"]
    name_item: bool
    reversed: bool
    wording: int
    definitions: dict[str, str]
    reasoned: bool = False

    def prompt(self, probe: Probe, shots: Sequence[Shot] = ()) -> Prompt:
        """The prompt for one probe, after `shots` with their ratings."""
        blocks = ["\n".join(self.block(shot.probe)) for shot in shots] + ["\n".join(self.block(probe))]
        blocks[0] = "\n".join(self.opening()) + f"\n\n{blocks[0]}"
        answers = [self.answer(shot.rating) for shot in shots]
        if self.format == "plain":
            examples = [f"{block} {answer}" for block, answer in zip(blocks, answers, strict=False)]
            return Prompt((), "\n\n".join([*examples, blocks[-1]]), tuple(f" {label}" for label in LABELS))
        turns = [Message("user", blocks[0])]
        for answer, block in zip(answers, blocks[1:], strict=True):
            turns += [Message("assistant", answer), Message("user", block)]
        return Prompt(tuple(turns), "", tuple(map(str, LABELS)))

    def answer(self, rating: int) -> str:
        """A rating in the form in which it is asked for."""
        return ("Answer: " if self.reasoned else "") + str(self.printed(rating))

    def printed(self, rating: int) -> int:
        """The number that stands for a rating on the scale as it is printed (and the other way round)."""
        return 6 - rating if self.reversed else rating

    def opening(self) -> list[str]:
        """The lines that come first: instruction and scale."""
        how = REASON_FIRST if self.reasoned else ANSWER_WITH
        return [INSTRUCTIONS[self.wording], how, *(f"{label} = {point}" for point, label in self.points().items())]

    def points(self) -> dict[str, int]:
        """The points of the scale in words, and the number that is printed for each."""
        return dict(zip(reversed(POINTS) if self.reversed else POINTS, LABELS, strict=True))

    def block(self, probe: Probe) -> list[str]:
        """The lines about one probe."""
        lines = [f"Situation: {probe.scene}", f"Action: {probe.action}"]
        if self.name_item:
            lines.append(f"Value at stake: {probe.item} - {self.definitions[probe.item]}")
        return [*lines, REASON_CUE if self.reasoned else CUE]
