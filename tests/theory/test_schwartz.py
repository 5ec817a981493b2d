import pytest

from vat.theory.schwartz import SCHWARTZ

# Design: value → its items, in the order of the circle.
ITEMS = {
    "self_direction": "creativity, curious, freedom, choosing own goals, independent",
    "universalism": "protecting the environment, a world of beauty, broad-minded, social justice, wisdom, equality, a world at peace, "
    "unity with nature, inner harmony",
    "benevolence": "helpful, honest, forgiving, loyal, responsible, true friendship, a spiritual life, mature love, meaning in life",
    "tradition": "devout, accepting my portion in life, humble, moderate, respect for tradition, detachment",
    "conformity": "politeness, honoring of parents and elders, obedient, self-discipline",
    "security": "clean, national security, social order, family security, reciprocation of favors, healthy, sense of belonging",
    "power": "social power, authority, wealth, preserving my public image, social recognition",
    "achievement": "successful, capable, ambitious, influential, intelligent, self-respect",
    "hedonism": "pleasure, enjoying life",
    "stimulation": "daring, a varied life, an exciting life",
}
SIZES = {
    "universalism": 9, "benevolence": 9, "security": 7, "tradition": 6, "achievement": 6,
    "self_direction": 5, "power": 5, "conformity": 4, "stimulation": 3, "hedonism": 2,
}  # fmt: skip


@pytest.mark.parametrize("value", ITEMS)
def test_a_value_has_exactly_the_items_of_the_survey(value):
    items = {item for item, _ in SCHWARTZ.spec(value).items}
    assert items == set(ITEMS[value].split(", "))
    assert len(items) == SIZES[value]


def test_there_are_ten_values_and_56_items():
    assert set(SCHWARTZ.values) == set(ITEMS)
    assert (len(SCHWARTZ.values), len(SCHWARTZ.items)) == (10, 56)


def test_the_circle_goes_round_in_steps_of_36_degrees():
    assert SCHWARTZ.angles == {value: 36.0 * n for n, value in enumerate(ITEMS)}


def test_security_is_pushed_up_and_power_stimulation_and_hedonism_down():
    down = {spec.name for spec in SCHWARTZ.specs if spec.direction == -1}
    assert down == {"power", "stimulation", "hedonism"}
    assert SCHWARTZ.spec("security").direction == 1


def test_definitions_are_single_sentences_and_no_two_are_the_same():
    texts = [*SCHWARTZ.definitions.values(), *(spec.definition for spec in SCHWARTZ.specs)]
    assert len(set(texts)) == 66
    assert all(text.count(".") == 1 and text.endswith(".") for text in texts)
