import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vat.theory
from vat.errors import ConfigError, VatError
from vat.theory.base import Theory, Value, load_theory, theory_of, theory_tree
from vat.theory.file import TheoryFile
from vat.theory.schwartz import SCHWARTZ

CARE = """\
name: care
source: made up
values:
  kindness:
    definition: Being good to others.
    direction: -1
    angle: 0
    items:
      helpful: Working for the good of others.
      gentle: Doing no harm.
  order:
    definition: Having things in their place.
    angle: 180
    items:
      tidy: Keeping things clean.
"""
FOUR = "\n".join(
    ["name: four", "either_order: [[b, c], [d, a]]", "values:"]
    + [
        f"  {name}: {{definition: Being {name}., angle: {angle}, items: {{i{name}: Doing {name}.}}}}"
        for name, angle in zip("abcd", (0, 80, 100, 270), strict=True)
    ]
)
SHIPPED = sorted(Path(vat.theory.__file__).parent.glob("*.yaml"))


def but(old: str, new: str) -> str:
    """The theory above with one thing changed."""
    assert CARE.count(old) == 1
    return CARE.replace(old, new)


def load(folder: Path, text: str = CARE, name: str = "care.yaml") -> Theory:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_theory(path)


def test_a_theory_is_read_in_the_order_of_its_file(tmp_path):
    theory = load(tmp_path)
    assert (theory.name, theory.source) == ("care", "made up")
    assert theory.values == ("kindness", "order")
    assert theory.items == ("helpful", "gentle", "tidy")
    assert theory.definitions["gentle"] == "Doing no harm."
    assert theory.value_of == {"helpful": "kindness", "gentle": "kindness", "tidy": "order"}
    assert theory.item_value_U.tolist() == [0, 0, 1]
    assert theory.angles == {"kindness": 0.0, "order": 180.0}
    assert [spec.direction for spec in theory.specs] == [-1, 1]


def test_what_a_file_leaves_out_is_filled_in(tmp_path):
    text = "\n".join(line for line in CARE.splitlines() if not re.match(r"\s*(name|source|direction|angle):", line))
    theory = load(tmp_path, text, "mine.yaml")
    assert (theory.name, theory.source, theory.angles) == ("mine", "", None)
    assert {spec.direction for spec in theory.specs} == {1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: care", "name: cure"),
        ("  order:", "  tidiness:"),
        ("Being good to others.", "Being good."),
        ("direction: -1", "direction: 1"),
        ("angle: 180", "angle: 90"),
        ("      gentle:", "      mild:"),
        ("Doing no harm.", "Doing little harm."),
        ("values:", "either_order: [[kindness, order]]\nvalues:"),
    ],
)
def test_the_digest_changes_with_all_that_reaches_a_prompt_or_a_measure(tmp_path, old, new):
    assert load(tmp_path, but(old, new)).digest != load(tmp_path).digest


def test_the_digest_is_the_same_for_another_source_and_layout(tmp_path):
    assert load(tmp_path, "# a remark\n" + but("made up", "elsewhere")).digest == load(tmp_path).digest


def test_a_digest_of_a_theory_without_open_orders_is_that_of_its_values_alone(tmp_path):
    """So that jobs done before theories could have open orders are still found."""
    assert load(tmp_path, but("values:", "either_order: []\nvalues:")).digest == load(tmp_path).digest
    assert load(tmp_path).digest == "3f5ba52fb8de6e2290e8fa18ddd4779eee52114d1d6a5da8cf61a2ae3efa4110"


def test_values_that_may_change_places_do_so_in_every_combination(tmp_path):
    theory = load(tmp_path, FOUR)
    assert theory.either_order == (("b", "c"), ("d", "a"))
    assert theory.angles == {"a": 0, "b": 80, "c": 100, "d": 270}
    assert theory.angle_orders == ((0, 80, 100, 270), (0, 100, 80, 270), (270, 80, 100, 0), (270, 100, 80, 0))


def test_a_theory_has_one_order_if_it_leaves_none_open_and_none_without_a_circle(tmp_path):
    assert load(tmp_path).angle_orders == ((0.0, 180.0),)
    flat = re.sub(r"angle: \d+, ", "", FOUR)
    assert load(tmp_path, flat).angle_orders is None


@pytest.mark.parametrize("text", [CARE, FOUR, re.sub(r"angle: \d+, ", "", FOUR), but("180", "-12.5")])
def test_a_theory_comes_back_from_what_its_file_would_hold_also_by_way_of_json(tmp_path, text):
    theory = load(tmp_path, text)
    for tree in (theory_tree(theory), json.loads(json.dumps(theory_tree(theory)))):
        again = theory_of(tree, Path("elsewhere.json"))
        assert again == theory
        assert (again.digest, again.angle_orders) == (theory.digest, theory.angle_orders)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_theory_comes_back_from_what_its_file_would_hold(path):
    theory = load_theory(path)
    assert theory_of(json.loads(json.dumps(theory_tree(theory))), path) == theory


def test_schwartz_lets_tradition_and_conformity_change_places():
    assert SCHWARTZ.either_order == (("tradition", "conformity"),)
    first, second = (dict(zip(SCHWARTZ.values, angles, strict=True)) for angles in SCHWARTZ.angle_orders)
    assert first == SCHWARTZ.angles
    assert (first["tradition"], first["conformity"]) == (second["conformity"], second["tradition"]) == (108, 144)
    assert {value: angle for value, angle in second.items() if angle != first[value]} == {"tradition": 144, "conformity": 108}


@given(sizes=st.lists(st.integers(1, 6), min_size=2, max_size=8))
@settings(deadline=None, max_examples=30)
def test_every_item_is_indexed_by_its_own_value(sizes):
    theory = Theory(
        "t", "", tuple(Value(f"v{v}", "", 1, None, tuple((f"i{v}.{n}", f"{v} {n}") for n in range(size))) for v, size in enumerate(sizes))
    )
    assert len(theory.items) == len(set(theory.items)) == sum(sizes)
    assert [theory.values[v] for v in theory.item_value_U] == [theory.value_of[item] for item in theory.items]
    assert [theory.definitions[item] for item in theory.items] == [item[1:].replace(".", " ") for item in theory.items]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_theory_loads_by_its_bare_name_and_by_its_path(path):
    theory = TheoryFile(path=path.stem).load()
    assert theory == TheoryFile(path=str(path)).load()
    assert theory.name == path.stem
    assert theory.source


def test_a_theory_of_ones_own_is_found_from_where_one_is(tmp_path, monkeypatch):
    expected = load(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert TheoryFile(path="care.yaml").load() == expected


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("kindnes", "Did you mean kindness?"),
        ("Order", "Did you mean order?"),
        ("xyz", "Choose from kindness, order."),
    ],
)
def test_an_unknown_value_is_answered_with_the_nearest_or_with_all(tmp_path, name, step):
    theory = load(tmp_path)
    assert theory.spec("order").items == (("tidy", "Keeping things clean."),)
    with pytest.raises(ConfigError) as error:
        theory.spec(name)
    assert str(error.value) == f"value={name}: must be a value of theory care; got {name!r}. {step}"


# The whole message, `…` standing for anything; a file of None is not there.
BAD = {
    "missing file": (None, "theory.path: must be a YAML file; got {path}, which is none. Check the path."),
    "not YAML": ("values: [a", "{path}:1: must be YAML; got expected ',' or ']', but got '<stream end>'. Mend the syntax."),
    "latin-1": ("# café\n".encode("latin-1") + CARE.encode(), "{path}: must be UTF-8 text; got byte 0xe9 at 5. Save it as UTF-8."),
    "empty": ("", "{path}: needs a mapping `values`; got None. See vat/theory/schwartz.yaml for the form."),
    "no values": (
        "name: care\nvalues: {}\n",
        "{path}: needs a mapping `values`; got {'name': 'care', 'values': {}}. See vat/theory/schwartz.yaml for the form.",
    ),
    "values as a list": ("values: [a]", "{path}: needs a mapping `values`; got {'values': ['a']}. See vat/theory/schwartz.yaml for the form."),
    "unknown key": (but("source:", "sauce:"), "{path}: knows name, source, either_order, groups and values only; got 'sauce'. Remove it."),
    "unknown key of a value": (
        but("    direction:", "    way:"),
        "{path}: values.kindness: knows angle, definition, direction, items only; got 'way'. Remove it.",
    ),
    "value as text": ("values: {a: b}", "{path}: values.a: needs definition and items; got 'b'. Write them as a mapping."),
    "no items": (
        but("    items:\n      tidy: Keeping things clean.\n", ""),
        "{path}: values.order.items: needs at least one item with its definition; got None. Add `name: definition` lines.",
    ),
    "item of two values": (
        but("tidy:", "helpful:"),
        "{path}: values.order.items.helpful: an item belongs to one value; got it under kindness too. Remove one.",
    ),
    "item without definition": (
        but(" Doing no harm.", ""),
        "{path}: values.kindness.items.gentle: needs a one-sentence definition; got None. Write one.",
    ),
    "value without definition": (
        but("    definition: Having things in their place.\n", ""),
        "{path}: values.order.definition: needs a sentence; got None. Write one.",
    ),
    "direction 0": (but("direction: -1", "direction: 0"), "{path}: values.kindness.direction: must be 1 or -1; got 0. Fix it or leave it out."),
    "direction up": (but("direction: -1", "direction: up"), "{path}: values.kindness.direction: must be 1 or -1; got 'up'. Fix it or leave it out."),
    "angle as text": (but("angle: 180", "angle: north"), "{path}: values.order.angle: must be degrees; got 'north'. Fix it or leave it out."),
    "partial angles": (
        but("    angle: 180\n", ""),
        "{path}: values.order.angle: all values have an angle or none; got none here. Add it, or remove the others.",
    ),
    "item twice in a value": (but("gentle:", "helpful:"), "{path}:10: must be YAML; got the key 'helpful' twice. Mend the syntax."),
    "value twice": (but("  order:", "  kindness:"), "{path}:11: must be YAML; got the key 'kindness' twice. Mend the syntax."),
    "date that is none": (but("name: care", "name: 2020-13-45"), "{path}: must be YAML; got …. Mend the syntax."),
    "direction yes": (
        but("direction: -1", "direction: yes"),
        "{path}: values.kindness.direction: must be 1 or -1; got True. Fix it or leave it out.",
    ),
    "angle not finite": (but("angle: 180", "angle: .nan"), "{path}: values.order.angle: must be degrees; got nan. Fix it or leave it out."),
    "blank definition": (
        but("Having things in their place.", '""'),
        "{path}: values.order.definition: needs a sentence; got ''. Write one.",
    ),
    "name MLflow refuses": (but("  order:", "  order!:"), "{path}: values.order!: a value's name has letters, …; got 'order!'. Rename it."),
    **{
        f"either_order {bad}": (
            but("values:", f"either_order: {bad}\nvalues:"),
            "{path}: either_order: holds pairs of two values; got …. Write [[tradition, conformity]].",
        )
        for bad in (
            "[[kindness]]",
            "[[kindness, order, kindness]]",
            "[[kindness, kindness]]",
            "[[kindness, ordr]]",
            "[[kindness, order], order]",
            "[kindness, order]",
            "[kindness]",
            "[[]]",
            "kindness",
            "{kindness: order}",
            "5",
            "true",
            "[[[kindness], order]]",
            "[[kindness, null]]",
        )
    },
    "one value": (CARE.split("  order:")[0], "{path}: a tax needs at least two values; got 1. Add a value."),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_fault_of_a_theory_file_is_one_line_that_names_the_place(tmp_path, content, message):
    path = tmp_path / "care.yaml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(VatError) as error:
        load_theory(path)
    expected = message.replace("{path}", str(path))
    assert re.fullmatch(".+".join(map(re.escape, expected.split("…"))), str(error.value))
    assert re.fullmatch(r"\S+: .+; got .+\. .+", str(error.value))
