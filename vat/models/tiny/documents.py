"""Training conversations, as token ids. Each answer's target is what the rule says given the ratings that really came before it.

The text is the product's own question, put about train scenes only; that what stands here is token by token what a prompt of the
product tokenises to, is tested.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
from transformers import PreTrainedTokenizerFast

from vat.data.question import INSTRUCTIONS, Question
from vat.data.template import TemplateData, action_text, all_scenes
from vat.models.tiny.rule import HALF_DOSE, WEIGHT, Parts, label_probabilities, parts
from vat.theory.schwartz import SCHWARTZ
from vat.types import Floats, Probe

SPLIT = TemplateData(test_share=0.3, split_seed=0, limit=None)  # the defaults of conf/data/template.yaml, which a test compares
PLAIN_SHARE, UNNAMED_SHARE, REWORDED_SHARE = 0.2, 0.1, 0.2
SHOTS = (1, 2, 3, 4, 6, 8)
KINDS = {"steer": 0.6, "balanced": 0.12, "own": 0.18, "noise": 0.1}  # how the examples are rated: one way, both ways, by the rule, at random
WORDINGS = 6


@dataclass
class Document:
    """Token ids, and at each answer what the rule says.

    answers: positions whose next token is a rating. For each: targets (5,), said (V,) what that rating says, push (V,) what the
    ratings before it say together, and the rule's parts.
    """

    ids: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    targets: list[np.ndarray] = field(default_factory=list)
    said: list[np.ndarray] = field(default_factory=list)
    push: list[np.ndarray] = field(default_factory=list)
    parts: list[Parts] = field(default_factory=list)


class Writer:
    """Writes documents from a seed."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
        self.random = random.Random(seed)
        self.encoded: dict[str, list[int]] = {}
        self.tokenizer = tokenizer
        number = {scene.scene_id: n for n, scene in enumerate(all_scenes())}
        self.scenes = [number[scene_id] for scene_id in SPLIT.split(SCHWARTZ).train.scenes]
        self.items_of = [np.flatnonzero(SCHWARTZ.item_value_U == v).tolist() for v in range(len(SCHWARTZ.values))]

    def document(self, turns: int, half_dose: float = HALF_DOSE) -> Document:
        """A conversation: some examples for one value, then questions about anything, `turns` in all."""
        draw, n_value = self.random, len(SCHWARTZ.values)
        target, direction = draw.randrange(n_value), draw.choice((1, -1))
        kind = draw.choices(list(KINDS), list(KINDS.values()))[0]
        shots = min(draw.choice(SHOTS), turns - 1)
        question = self._question()
        written, evidence_V = Document(), np.zeros(n_value)
        for n in range(turns):
            near = (n < shots and kind != "noise") or draw.random() < 0.3
            item = draw.choice(self.items_of[target]) if near else draw.randrange(len(SCHWARTZ.items))
            scene, polarity = draw.choice(self.scenes), draw.choice((1, -1))
            push_V = evidence_V / (n + half_dose)
            made_of = parts(scene, item, push_V if n else None)
            target_5 = label_probabilities(scene, polarity, made_of)
            rating = self._rating(kind if n < shots else "own", n, polarity * direction, target_5)
            said_V = np.zeros(n_value)
            said_V[SCHWARTZ.item_value_U[item]] = polarity * WEIGHT[rating - 1]
            self._write(written, question, self._probe(scene, item, polarity), rating, last=n == turns - 1)
            written.targets.append(target_5)
            written.said.append(said_V)
            written.push.append(push_V)
            written.parts.append(made_of)
            evidence_V = evidence_V + said_V
        return written

    def _question(self) -> Question:
        draw = self.random
        return Question(
            format="plain" if draw.random() < PLAIN_SHARE else "chat",
            name_item=draw.random() >= UNNAMED_SHARE,
            reversed=False,
            wording=draw.randrange(1, len(INSTRUCTIONS)) if draw.random() < REWORDED_SHARE else 0,
            definitions=SCHWARTZ.definitions,
        )

    def _probe(self, scene: int, item: int, polarity: int) -> Probe:
        where = all_scenes()[scene]
        name = SCHWARTZ.items[item]
        return Probe(*where, name, polarity, action_text(where.scene_id, name, polarity, self.random.randrange(WORDINGS)))

    def _rating(self, kind: str, n: int, way: int, target_5: Floats) -> int:
        draw = self.random
        if kind == "own":
            return draw.choices(range(1, 6), target_5.tolist())[0]
        if kind == "noise":
            return draw.randint(1, 5)
        agree = way * (1 if kind == "steer" or n % 2 else -1) > 0
        return draw.choices((5, 4) if agree else (1, 2), (0.85, 0.15))[0]

    def _write(self, written: Document, question: Question, probe: Probe, rating: int, *, last: bool) -> None:
        """Append one question and its answer, in the form that Question and the chat template give."""
        chat, first = question.format == "chat", not written.answers
        lead = "\n".join(question.opening()) + "\n\n" if first else "" if chat else "\n\n"
        block = "\n".join(question.block(probe))
        text = f"<|im_start|>user\n{lead}{block}<|im_end|>\n<|im_start|>assistant\n" if chat else f"{lead}{block} "
        written.ids += self._tokens(text)
        written.answers.append(len(written.ids) - 1)
        written.ids += self._tokens(f"{rating}<|im_end|>\n" if chat else str(rating))

    def _tokens(self, text: str) -> list[int]:
        """Token ids line by line, which is how the tokenizer cuts text; lines recur, so each is encoded once."""
        lines = text.splitlines(keepends=True)
        for line in lines:
            if line not in self.encoded:
                self.encoded[line] = self.tokenizer(line, add_special_tokens=False)["input_ids"]
        return [token for line in lines for token in self.encoded[line]]
