"""What model=scripted writes when it is asked for scenes, actions, judgements, rankings, scores, or better instructions: text by rule.

An instruction is as good as the hints in it that this writer heeds. So a search for instructions has something to find, offline and in seconds. A
text is as strong for a value as a hash says, so that rankings agree with each other. All of it means nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re

from vat.types import Prompt

HINTS = {
    "people": "Name the people, their offices and their customs.",
    "pressure": "Let several people want different things.",
    "place": "Say where and when it happens.",
    "open": "End while nothing is settled.",
    "concrete": "Name things and people that can be pointed at.",
    "moment": "Say when you do it.",
}
"""What an instruction can say that makes its texts better."""
NOISE = ("Be brief.", "Be creative.", "Use vivid words.", "Think about the reader.", "Take your time.")
_SCENE = {
    "people": "the clerk of the {topic} office and a village elder look through the register",
    "pressure": "the union wants one thing, the families another",
    "place": "at the market hall on a Tuesday morning in {country}",
    "open": "the list lies open on the table and nobody has signed it",
}
_ACTION = {"concrete": "hand Ms Rao the {value} form", "moment": "before the noon bell"}
HEEDED, OTHERWISE = 0.95, 0.35
"""How often a text has what its instruction hints at, and what it does not."""
BROKEN = 0.03
"""Share of texts that break a rule."""
PLAUSIBLE = 6.0
"""How far a score may be from what it would give itself."""
SPREAD = 2.0
"""Standard deviation of how strong texts are, where the noise of a ranking is Gumbel's."""


def written(prompt: Prompt, taste: float = 0.0) -> str | None:
    """What is written, the same for the same prompt, draw and taste; None for a prompt that asks for something else."""
    if not prompt.messages:
        return None
    seen = "\n".join(message.content for message in prompt.messages)
    last = prompt.messages[-1].content
    luck = random.Random(hashlib.sha256(json.dumps([seen, prompt.draw, taste]).encode()).hexdigest())
    if found := re.search(r"Respond with a JSON object in the following order of fields: (.*)", last):
        return json.dumps({field: _proposed(field, luck) for field in re.findall(r"`(\w+)`", found[1])})
    if found := re.search(r"^\{\".*\}$", last.strip().splitlines()[-1]):
        return _judgement(last, found[0], luck)
    if (value := re.search(r"^Value: (.*)$", last, re.M)) and (text := re.search(r"^(?:Text|Statement): (.*)$", last, re.M)):
        own = min(10.0, max(-10.0, 3 * _strength(value[1], text[1]) + luck.gauss(0, 1.5)))
        score = re.search(r"^Score: (.*)$", last, re.M)
        return str(int(abs(float(score[1]) - own) < PLAUSIBLE)) if score else f"{own:.1f}"
    if strengths := _strengths(last):
        noisy = [strength - math.log(luck.expovariate(1.0)) for strength in strengths]  # Gumbel's noise: Plackett and Luce's rankings
        best_first = sorted(range(1, len(noisy) + 1), key=lambda n: -noisy[n - 1])
        return " > ".join(map(str, best_first)) if len(best_first) > 2 else str(best_first[0])
    given = dict(re.findall(r"^([A-Z]\w+): (.*)$", last, re.MULTILINE))
    instruction = prompt.messages[0].content
    if "Topic" in given:
        return _scene(given, instruction, len(prompt.messages) > 2, luck)
    if "Polarity" in given and "Meaning" in given:
        return _action(given, instruction, luck)
    return None


def choice(prompt: Prompt) -> list[float] | None:
    """How likely each of the texts is to be ranked first; None for a prompt that asks for something else."""
    strengths = _strengths(prompt.messages[-1].content) if prompt.messages else []
    if not strengths or len(prompt.labels) != len(strengths):
        return None
    weights = [math.exp(strength) for strength in strengths]
    return [weight / sum(weights) for weight in weights]


def _strengths(question: str) -> list[float]:
    """The texts "[1] …", "[2] …" of a question that names a value, each by how strong it is for it; none in any other."""
    value, texts = re.search(r"^Value: (.*)$", question, re.MULTILINE), re.findall(r"^\[(\d+)\] (.*)$", question, re.MULTILINE)
    if not value or len(texts) < 2 or [number for number, _ in texts] != [str(n) for n in range(1, len(texts) + 1)]:
        return []
    return [_strength(value[1], text) for _, text in texts]


def _strength(value: str, text: str) -> float:
    return random.Random(hashlib.sha256(json.dumps([value, text]).encode()).hexdigest()).gauss(0, SPREAD)


def _proposed(field: str, luck: random.Random) -> str:
    """A new instruction, with some of the hints; or whatever else a proposal has."""
    if "instruction" not in field:
        return "Text:" if "prefix" in field else "Short texts about everyday life."
    clauses = [hint for hint in HINTS.values() if luck.random() < 0.5] + [noise for noise in NOISE if luck.random() < 0.4]
    luck.shuffle(clauses)
    return " ".join(["Write what is asked for.", *clauses])


def _scene(given: dict[str, str], instruction: str, has_examples: bool, luck: random.Random) -> str:
    parts = [
        part.format(topic=given["Topic"], country=given["Country"]) for hint, part in _SCENE.items() if _has(hint, instruction, luck, has_examples)
    ]
    if luck.random() < BROKEN:
        parts += ["and so on"] * 60
    number = f"It is the {luck.randrange(1, 10**6)}th meeting of the year"
    return "; ".join([number, *parts]) + "."


def _action(given: dict[str, str], instruction: str, luck: random.Random) -> str:
    what = _ACTION["concrete"].format(value=given["Value"]) if _has("concrete", instruction, luck) else "do something about it"
    when = f" {_ACTION['moment']}" if _has("moment", instruction, luck) else ""
    way = "for" if "in line" in given["Polarity"] else "against"
    who = "We" if luck.random() < BROKEN else "I"
    return f"{who} {what}{when} and vote {way} motion {luck.randrange(1, 10**7)} about {given['Value']}."


def _has(hint: str, instruction: str, luck: random.Random, has_examples: bool = False) -> bool:
    return luck.random() < (HEEDED if has_examples or HINTS[hint] in instruction else OTHERWISE)


def _judgement(question: str, form: str, luck: random.Random) -> str:
    """The form filled in: better for texts that have more of what good texts have."""
    shown: dict[str, str] = dict(re.findall(r"^(Action|Scene): (.*)$", question, re.MULTILINE))
    marks = ("Ms Rao", "noon") if "Action" in shown else ("clerk", "union", "market", "nobody")
    text = shown.get("Action") or shown.get("Scene", "")
    quality = sum(mark in text for mark in marks) / len(marks)
    mean = 1.5 + 3.3 * quality

    def rated(_: re.Match[str]) -> str:
        return str(min(5, max(1, round(mean + luck.gauss(0, 0.3)))))

    filled = re.sub(r"true or false", lambda _: "true" if luck.random() < 0.4 + 0.6 * quality else "false", form)
    return re.sub(r"1-5", rated, filled)
