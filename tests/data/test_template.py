import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import vat
from vat.data.template import SIDE, TemplateData, action_text, words
from vat.errors import ConfigError
from vat.theory.base import Theory, Value
from vat.theory.schwartz import SCHWARTZ

DIGEST = """
from vat.data.template import TemplateData
from vat.theory.schwartz import SCHWARTZ
print(TemplateData(test_share=0.3, split_seed=0, limit=None).split(SCHWARTZ).digest)
"""


def template(**changed) -> TemplateData:
    return TemplateData(**{"test_share": 0.3, "split_seed": 0, "limit": None} | changed)


@pytest.fixture(scope="module")
def probes():
    return template().probes(SCHWARTZ)


@pytest.fixture(scope="module")
def split():
    return template().split(SCHWARTZ)


def test_every_item_is_supported_and_violated_once_in_every_scene(probes):
    assert len(probes.rows) == len({(row.scene_id, row.item, row.polarity) for row in probes.rows}) == 29_568
    assert Counter(row.scene_id for row in probes.rows) == dict.fromkeys(probes.scenes, 2 * 56)


def test_twelve_countries_and_eleven_topics_are_crossed_with_two_scenes_each(probes):
    cells = Counter(zip(*probes.scene_factors.values(), strict=True))
    countries, topics = (set(level) for level in zip(*cells, strict=True))
    assert (len(probes.scenes), len(countries), len(topics)) == (264, 12, 11)
    assert cells == {(country, topic): 2 for country in countries for topic in topics}


def test_no_two_scenes_read_the_same_and_each_names_its_country(probes):
    texts = {row.scene_id: row.scene for row in probes.rows}
    assert len(set(texts.values())) == 264
    assert all(row.country in row.scene for row in probes.rows)


@pytest.mark.parametrize("item", SCHWARTZ.items)
def test_an_item_has_two_phrases_for_each_side_and_none_for_both(item):
    sides = [words()["actions"][item][SIDE[polarity]] for polarity in (1, -1)]
    assert all(len(set(side)) >= 2 for side in sides)
    assert not set(sides[0]) & set(sides[1])


def test_no_phrase_stands_for_two_items():
    phrases = Counter(phrase for item in words()["actions"].values() for side in item.values() for phrase in side)
    assert max(phrases.values()) == 1


def test_every_action_is_a_filled_in_sentence_and_all_phrases_occur(probes):
    actions = {row.action for row in probes.rows}
    assert all(action.endswith(".") and " I " in action and "{" not in action for action in actions)
    for item in SCHWARTZ.items:
        for polarity, side in SIDE.items():
            said = " ".join({row.action for row in probes.rows if (row.item, row.polarity) == (item, polarity)})
            assert all(phrase in said for phrase in words()["actions"][item][side])


def test_another_wording_says_it_otherwise():
    assert len({action_text("India/Politics/1", "honest", 1, wording) for wording in range(20)}) > 4


def test_what_finished_jobs_were_done_with_is_still_the_same_data(split):
    assert split.digest == "69fb4022f6636f76fadd039c60a7965752c5fb183ea65dc0830470947a760d1c"
    assert template(split_seed=1, limit=12).split(SCHWARTZ).digest == "356cc1e22d4cb3c349ba4592742542cec6786f7c9545a535413dbc908b4df0e9"


def test_it_has_no_split_of_its_own():
    with pytest.raises(ConfigError) as error:
        template(test_share=None).split(SCHWARTZ)
    assert str(error.value) == "data.test_share: null takes the split that comes with the data; got data without one. Set data.test_share=0.3."


def test_the_text_does_not_depend_on_the_process(split):
    hash_seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(vat.__file__).parents[1])}
    there = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == split.digest


def test_the_test_side_has_80_scenes_and_shares_none_with_the_train_side(split):
    assert (len(split.train.scenes), len(split.test.scenes)) == (184, 80)
    assert not set(split.train.scenes) & set(split.test.scenes)


def test_every_country_gives_six_or_seven_test_scenes_and_every_topic_seven_or_eight(split):
    assert set(Counter(split.test.scene_factors["country"]).values()) == {6, 7}
    assert set(Counter(split.test.scene_factors["topic"]).values()) == {7, 8}


@pytest.mark.parametrize("limit", [3, 12, 24, 66])
def test_a_limit_keeps_the_balance_and_the_train_side(split, limit):
    limited = template(limit=limit).split(SCHWARTZ)
    assert limited.train.digest == split.train.digest
    assert set(limited.test.scenes) <= set(split.test.scenes)
    assert len(limited.test.scenes) == limit
    for factor, count in (("country", 12), ("topic", 11)):
        times = Counter(limited.test.scene_factors[factor])
        assert all(abs(times[level] - limit / count) <= 1.25 for level in set(split.test.scene_factors[factor]))


def test_another_split_seed_holds_out_other_scenes(split):
    assert template(split_seed=1).split(SCHWARTZ).test.scenes != split.test.scenes


def test_a_theory_with_other_items_is_refused_in_one_line():
    values = tuple(Value(name, "", 1, None, ((item, "Text."),)) for name, item in (("a", "honest"), ("b", "tidy")))
    with pytest.raises(ConfigError) as error:
        template().probes(Theory("mine", "", values))
    assert (
        str(error.value)
        == "data=template: has the items of theory=schwartz; got theory mine with item 'tidy'. Use data=table; -cn dataset writes one."
    )
