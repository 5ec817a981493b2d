"""The theories of ValueFlow, as they come with vat."""

from __future__ import annotations

from pathlib import Path

import pytest

from vat.errors import DataError
from vat.theory.base import Theory, load_theory, theory_of, theory_tree
from vat.theory.file import TheoryFile


def theory(name: str) -> Theory:
    return TheoryFile(path=name).load()


@pytest.mark.parametrize(("name", "values", "items"), [("svt", 12, 19), ("mft", 6, 26), ("duty", 7, 7), ("rights", 7, 30)])
def test_a_theory_has_its_values_and_items_each_with_words_of_its_own(name: str, values: int, items: int) -> None:
    found = theory(name)
    assert (found.name, len(found.values), len(found.items)) == (name, values, items)
    said = [spec.definition for spec in found.specs] + [text for spec in found.specs for _, text in spec.items]
    assert len(set(said)) == len(said)
    assert all(text.endswith(".") and 3 <= len(text.split()) <= 20 for text in said)


def test_the_target_values_are_thirty_two() -> None:
    assert sum(len(theory(name).values) for name in ("svt", "mft", "duty", "rights")) == 32


def test_three_values_of_svt_stand_between_two_orders_and_every_other_in_one() -> None:
    found = theory("svt").groups_of
    assert found["hedonism"] == ("openness_to_change", "self_enhancement")
    assert found["face"] == ("self_enhancement", "conservation")
    assert found["humility"] == ("conservation", "self_transcendence")
    assert {len(groups) for value, groups in found.items() if value not in ("hedonism", "face", "humility")} == {1}


def test_the_orders_of_svt_are_arcs_of_its_circle() -> None:
    found = theory("svt")
    assert found.angles is not None
    for _, members in found.groups:
        at = sorted(found.angles[value] for value in members)
        gaps = sorted((after - before) % 360 for before, after in zip(at, [*at[1:], at[0]], strict=True))
        assert set(gaps[:-1]) == {30.0}


def test_rights_come_in_three_generations_that_share_nothing() -> None:
    found = theory("rights")
    assert [len(members) for _, members in found.groups] == [2, 3, 2]
    assert {len(groups) for groups in found.groups_of.values()} == {1}


def test_groups_are_kept_and_are_no_part_of_what_is_asked() -> None:
    tree = theory_tree(theory("svt"))
    assert theory_of(tree, Path("svt.yaml")) == theory("svt")
    del tree["groups"]
    assert theory_of(tree, Path("svt.yaml")).digest == theory("svt").digest


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ("[a]", "groups: needs lists of values by name; got ['a']"),
        ("{g: []}", "groups.g: holds values, each once; got []"),
        ("{g: [a, a]}", "groups.g: holds values, each once; got ['a', 'a']"),
        ("{g: [a, bb]}", "groups.g: holds values of the theory; got 'bb'. "),
        ("{g: [[a]]}", "groups.g: holds values of the theory; got ['a']. "),
        ("{g: [a, {b: a}]}", "groups.g: holds values of the theory; got {'b': 'a'}. "),
        ("[]", "groups: needs lists of values by name; got []"),
        ("false", "groups: needs lists of values by name; got False"),
        ("{null: [a]}", "groups: a group's name is text; got None"),
        ("{'': [a]}", "groups: a group's name is text; got ''"),
        ("{1: [a]}", "groups: a group's name is text; got 1"),
    ],
)
def test_groups_that_cannot_be_are_one_line(groups: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"values: {{a: {{definition: One., items: {{x: Ex.}}}}, b: {{definition: Two., items: {{y: Why.}}}}}}\ngroups: {groups}\n")
    with pytest.raises(DataError) as caught:
        load_theory(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
