"""The card as a text: whole, golden, with nothing that breaks out of its place and nothing unknown told as nought."""

import math
import os
import re
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.generate.test_facts import attempts
from tests.generate.written import written
from vat.generate.card import card, fenced, inline, table
from vat.generate.dataset_files import split_rows
from vat.generate.facts import Agreement, CardFacts, Contents, FrozenPrompt, HumanRating, ModelUsed, PromptScore, Usage, contents_of
from vat.generate.intervals import NOT_KNOWN, Estimate
from vat.generate.skews import Cue, Guess, Lengths, Repeats, Skews

GOLDEN = Path(__file__).with_name("golden") / "card.md"
EVIL = "a|b `c` <script>\nd [e](f) *g* &"
BARE = CardFacts(name="Small", language="en", theory="schwartz", theory_source="Schwartz (1992)", version="0.1.0")
FACTS = replace(
    BARE,
    repo="someone/small", license="cc-by-4.0", split_seed=0, wanted={"benevolence": 96, "power": 100, "stimulation": 48}, wanted_scenes=25,
    prompts=(
        FrozenPrompt("scene", "few-shot (MIPROv2)", "12ab", "Describe a situation.\n\nLike this:\n```\nA market.\n```"),
        FrozenPrompt("action", None, "34cd", "Say what you do."),
    ),
    scores=(
        PromptScore("scene", "few-shot (MIPROv2)", Estimate(95.0, 93.2, 96.8), True),
        PromptScore("scene", "zero-shot (COPRO)", Estimate(91.0, math.nan, math.nan), False),
    ),
    models=(ModelUsed("writer", "gpt-4o-mini", "api.openai.com", None), ModelUsed("judge first", "deepseek-chat", "api.deepseek.com", "v3.2")),
    agreements=(Agreement("correctness", "Krippendorff's α (ordinal)", Estimate(0.61, 0.52, 0.7), 240),),
    usage=(Usage("writer", 1234, 56_000.0, 7_800.0, 0.42), Usage("judge first", None, 96_000.0, 9_600.0, math.nan)),
    attempts=attempts(scenes=24, refused=0.05, rejected=0.1), rules=("at most 50 words", "one sentence"), unchecked=("first person",),
    human=(HumanRating("plausibility", Estimate(3.9, 3.7, 4.1), 27, 54),), citation="@misc{small}",
)  # fmt: skip


SKEWS = Skews(
    "words", Guess(Estimate(0.926, 0.921, 0.93), 0.5, 238), Guess(NOT_KNOWN, 1 / 3, 240),
    (Cue("gladly", 1, 0.225, 0.0), Cue("refuse", -1, 0.04, 0.001)), Lengths(24.52, 21.32, Estimate(0.709, 0.668, 0.749)), Repeats(0.0, 0.0125),
)  # fmt: skip


@cache
def contents(language: str) -> Contents:
    return contents_of(*split_rows(written(cue="gladly", longer=1), test_share=0.3, seed=0), language=language)


def made(facts: CardFacts = FACTS) -> str:
    return card(facts, contents(facts.language))


@pytest.fixture(scope="module")
def text() -> str:
    return made()


def part_of(text: str, heading: str) -> str:
    """What stands between a heading and the next of its kind."""
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_the_card_is_the_golden_one():
    """tests/generate/golden/card.md, read once by eye. VAT_GOLDEN=write writes it anew."""
    text = card(FACTS, replace(contents("en"), skews=SKEWS))
    if os.environ.get("VAT_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_the_same_facts_give_the_same_text(text):
    contents.cache_clear()
    assert made() == text


def test_what_is_not_known_is_told_as_such_and_never_as_nought():
    text = made(BARE)
    for what in ("Prompts", "Scores of the prompts", "Models", "How far judges agree", "Requests, tokens and cost", "Refusals and rejected answers"):
        assert f"{what}: not known." in text
    assert "Whether actions are missing is not known." in text
    assert "none was chosen yet" in text
    assert not re.search(r"nan|None|\b0\.00\b(?!%)", text)


def test_a_sum_with_an_unknown_part_is_not_known(text):
    assert "| judge first | not known | 96,000 | 9,600 | not known |" in text
    assert "| together | not known | 152,000 | 17,400 | not known |" in text


def test_missing_actions_and_scenes_are_counted_against_what_was_wanted(text):
    found = part_of(text, "Refused, rejected, missing")
    assert "| power | 100 | 4 | 4.00% |" in found
    assert "| benevolence |" not in found.split("Missing")[1]
    assert "Scenes with actions: 24 of 25." in found
    assert "No action is missing." in made(replace(FACTS, wanted={"power": 96}))


def test_nobody_is_said_to_have_checked_it_unless_people_did(text):
    assert "| plausibility | 3.90 [3.70, 4.10] | 27 | 54 |" in part_of(text, "Limits")
    assert "No people have checked it." not in text
    assert "No people have checked it." in made(replace(FACTS, human=()))


def test_prompts_stand_in_full_whatever_fences_are_in_them():
    for prompt in ("a ``` b", "````\nx\n````", "no marks", "`"):
        found = fenced(prompt)
        fence = re.match("`+", found)[0]
        assert found == f"{fence}text\n{prompt}\n{fence}"
        assert fence not in prompt
    assert len(re.match("`+", fenced("plain"))[0]) == 3


def test_text_from_elsewhere_keeps_to_its_cell():
    assert inline(EVIL) == r"a\|b \`c\` &lt;script&gt; d [e\](f) \*g\* &amp;"
    lines = table(["a", "#b"], [(EVIL, 1), ("", None)]).split("\n")
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines] == [3] * 4
    assert lines[-1] == "| not known | not known |"


def test_no_fact_breaks_the_card(text):
    evil = replace(
        FACTS, name=EVIL, license=EVIL, theory=EVIL, theory_source=EVIL, rules=(EVIL,), unchecked=(EVIL,), citation=EVIL,
        models=(ModelUsed(EVIL, EVIL, EVIL, EVIL), ModelUsed("writer", EVIL, None, None)), prompts=(FrozenPrompt(EVIL, EVIL, "1", EVIL),),
        scores=(PromptScore(EVIL, EVIL, NOT_KNOWN, False),), agreements=(Agreement(EVIL, EVIL, NOT_KNOWN, None),),
        usage=(Usage(EVIL, None, None, None, None),), human=(HumanRating(EVIL, NOT_KNOWN, None, None),), wanted={EVIL: 3},
        attempts=attempts().replace({"kept": EVIL, "power": EVIL}),
    )  # fmt: skip
    found = made(evil)
    assert yaml.safe_load(found.split("---\n")[1])["pretty_name"] == EVIL
    body = re.sub(r"(?ms)^(`{3,}).*?^\1$", "", found.split("\n---\n")[1])
    assert "<script>" not in body
    for line in body.split("\n"):
        if line.startswith("|"):
            assert re.search(r"(?<!\\)\|$", line)
    headings = [line for line in found.split("\n") if line.startswith("## ")]
    assert headings == [line for line in text.split("\n") if line.startswith("## ")]


def test_norwegian_is_a_language_and_not_a_denial():
    front = yaml.safe_load(made(replace(FACTS, language="no")).split("---\n")[1])
    assert front["language"] == ["no"]


def test_every_fact_is_told():
    """A fact that changes nothing was forgotten."""
    other = replace(BARE, name="x1", language="fr", theory="x2", theory_source="x3", version="x4")
    plain = made(BARE)
    for field in fields(CardFacts):
        changed = getattr(other if getattr(BARE, field.name) != getattr(other, field.name) else FACTS, field.name)
        assert made(replace(BARE, **{field.name: changed})) != plain, field.name
