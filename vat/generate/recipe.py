"""What a dataset is made by: of which countries and topics, in which language, with how many tries; and how long prompts are searched for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vat.data.split import draw_scenes
from vat.errors import ConfigError, choose, shown
from vat.generate.languages import Language, language
from vat.settings import settings
from vat.theory.base import Theory

PAPER_ITEMS = ("equality", "social power", "respect for tradition", "freedom")
"""Of Value Alignment Tax, appendix A.2.3."""


@settings
class Recipe:
    """The settings of a dataset.

    language: of scenes and actions. countries, topics: each with each. scenes_per_pair: of a country and a topic.
    diagnostic_pairs: country and topic of the scenes that prompts are tried on; null: four of them, drawn.
    diagnostic_items: items of the theory that they are tried with; null: the paper's, or of another theory the first of four values.
    scene_prompt, action_prompt: file of a frozen prompt, to do without a search; null searches.
    temperature: of what is written. tries: of each text. test_share, split_seed: of the scenes that are held out. seed: of the search.
    license: as the data card names it.
    """

    language: str
    countries: list[str]
    topics: list[str]
    scenes_per_pair: Annotated[int, Field(ge=1)]
    diagnostic_pairs: list[tuple[str, str]] | None
    diagnostic_items: list[str] | None
    scene_prompt: str | None
    action_prompt: str | None
    temperature: Annotated[float, Field(ge=0, le=2)]
    tries: Annotated[int, Field(ge=1)]
    test_share: Annotated[float, Field(gt=0, lt=1)]
    split_seed: Annotated[int, Field(ge=0)]
    seed: Annotated[int, Field(ge=0)]
    license: str | None

    def items(self, theory: Theory) -> list[str]:
        """The items of a theory that prompts are tried with."""
        if self.diagnostic_items is not None:
            return self.diagnostic_items
        if all(item in theory.items for item in PAPER_ITEMS):
            return list(PAPER_ITEMS)
        spread = range(0, len(theory.specs), -(-len(theory.specs) // len(PAPER_ITEMS)))
        return [theory.specs[n].items[0][0] for n in spread]

    def checked(self, theory: Theory) -> Language:
        """Look at what the types do not tell; returns the language.

        Raises:
            ConfigError: One line for each fault.
        """
        faults = [*_names("data.countries", self.countries), *_names("data.topics", self.topics)]
        for item in self.diagnostic_items or ():
            if item not in theory.items:
                faults.append(f"data.diagnostic_items: must be items of theory {theory.name}; got {item!r}. {choose(item, theory.items)}")
        if self.diagnostic_items == []:
            faults.append("data.diagnostic_items: must be at least one item of the theory; got none. Use data.diagnostic_items=[equality].")
        for pair in self.diagnostic_pairs or ():
            for name, known, where in zip(pair, (self.countries, self.topics), ("countries", "topics"), strict=True):
                if name not in known:
                    faults.append(
                        f"data.diagnostic_pairs: must be of data.countries and data.topics; got {name!r}, none of data.{where}. Set it to null."
                    )
        if self.diagnostic_pairs is not None and len(self.diagnostic_pairs) < 2:
            faults.append(f"data.diagnostic_pairs: must be at least two; got {len(self.diagnostic_pairs)}. Add one, or set it to null.")
        if len(self.countries) * len(self.topics) * self.scenes_per_pair < 4:
            faults.append("data: needs at least 4 scenes, of which some are held out; got fewer. Add countries, topics or data.scenes_per_pair.")
        try:
            found = language(self.language)
        except ConfigError as error:
            faults.append(str(error))
        if faults:
            raise ConfigError("\n".join(dict.fromkeys(faults)))
        return found

    def pairs(self, count: int, *, seed: int, without: tuple[tuple[str, str], ...] = ()) -> list[tuple[str, str]]:
        """So many pairs of a country and a topic, drawn so that both are spread; pairs come again only when there are no others."""
        everything = [(country, topic) for country in self.countries for topic in self.topics if (country, topic) not in without]
        everything = everything or list(without)
        ids = [str(n) for n in range(len(everything))]
        factors = {"country": [country for country, _ in everything], "topic": [topic for _, topic in everything]}
        drawn = [everything[int(n)] for n in draw_scenes(ids, factors, count=min(count, len(ids)), seed=seed)]
        return [drawn[n % len(drawn)] for n in range(count)]


@settings
class SearchSettings:
    """How much is searched for a prompt.

    trials: of MIPROv2; COPRO gets as many scored texts. depth: rounds of COPRO. examples: at most, in a few-shot prompt. threads: texts at once.
    finalists: of each optimiser. fresh: items of the final. temperature: of proposals.
    """

    trials: Annotated[int, Field(ge=2)]
    depth: Annotated[int, Field(ge=1)]
    examples: Annotated[int, Field(ge=1)]
    threads: Annotated[int, Field(ge=1)]
    finalists: Annotated[int, Field(ge=1)]
    fresh: Annotated[int, Field(ge=2)]
    temperature: Annotated[float, Field(ge=0, le=2)]


def _names(where: str, names: list[str]) -> list[str]:
    """What is wrong with a list of names."""
    if not names:
        return [f"{where}: must be at least one name; got none. Use '{where}=[…,…]'."]
    faults = []
    for name in names:
        if not name.strip() or name != name.strip() or any(mark in name for mark in "/\n"):
            faults.append(f"{where}: a name is text without a slash and without spaces around it; got {shown(name)}. Write it otherwise.")
        if names.count(name) > 1:
            faults.append(f"{where}: a name stands once; got {name!r} {names.count(name)} times. Remove one.")
    return faults
