import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.generate.written import written
from vat.data.template import TemplateData
from vat.data.value_action_gap import ValueActionGap
from vat.errors import DataError
from vat.generate.skews import Skews, skews_of
from vat.theory.schwartz import SCHWARTZ

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "value_action_gap.parquet"


def as_rows(source) -> pd.DataFrame:
    rows = pd.DataFrame(source.probes(SCHWARTZ).rows)
    return rows.assign(value=rows["item"].map(SCHWARTZ.value_of))


def large(seed: int, **changed) -> pd.DataFrame:
    return written(countries=6, topics=5, scenes=2, seed=seed, **changed)


@pytest.fixture(scope="module")
def unskewed() -> list[Skews]:
    return [skews_of(large(seed)) for seed in range(40)]


def test_where_no_word_tells_polarity_the_interval_covers_chance(unskewed):
    covered = [found.polarity.accuracy.low <= 0.5 <= found.polarity.accuracy.high for found in unskewed]
    assert sum(covered) >= 35  # of 40; if 95% of all cover, fewer come once in a hundred times


def test_where_no_word_tells_the_value_the_interval_covers_chance(unskewed):
    assert {found.value.chance for found in unskewed} == {1 / 3}
    assert sum(found.value.accuracy.low <= 1 / 3 <= found.value.accuracy.high for found in unskewed) >= 35


def test_where_no_side_is_longer_the_interval_covers_nought(unskewed):
    assert sum(found.lengths.difference.low <= 0 <= found.lengths.difference.high for found in unskewed) >= 35


@pytest.mark.slow
@pytest.mark.parametrize("countries", [2, 6])
def test_intervals_of_guesses_by_chance_cover_it_as_often_as_they_say(countries):
    found = [skews_of(written(countries=countries, topics=5, seed=1000 + seed)) for seed in range(300)]
    for guesses in ([skews.polarity for skews in found], [skews.value for skews in found]):
        assert np.mean([guess.accuracy.low <= guess.chance <= guess.accuracy.high for guess in guesses]) > 0.94
        assert np.mean([guess.accuracy.number for guess in guesses]) == pytest.approx(guesses[0].chance, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_a_word_planted_in_a_third_of_one_side_is_found_and_told(seed):
    found = skews_of(written(countries=12, topics=11, seed=seed, cue="gladly"))
    assert found.polarity.accuracy.low > 0.55
    first = found.cues[0]
    assert (first.word, first.polarity, first.share_of_the_other) == ("gladly", 1, 0)
    assert first.share == pytest.approx(0.3, abs=0.06)
    assert [cue.polarity for cue in found.cues] == sorted((cue.polarity for cue in found.cues), reverse=True)


def test_a_cue_of_the_violating_side_is_told_as_its_own():
    rows = large(0, cue="gladly")
    found = skews_of(rows.assign(polarity=-rows["polarity"]))
    assert next(cue for cue in found.cues if cue.polarity == -1).word == "gladly"


def test_characters_stand_for_words_where_there_are_no_spaces():
    rows = written(countries=12, topics=11, seed=1, cue="gladly")
    rows["action"] = ["".join(chr(0x4E00 + int(word[1:])) if word[0] == "w" else "乐意" for word in text[2:-1].split()) for text in rows["action"]]
    assert np.isnan(skews_of(rows, unit="words").polarity.accuracy.number)  # no text stands twice, so no "word" does
    found = skews_of(rows, unit="characters")
    assert found.polarity.accuracy.low > 0.55
    assert {"乐", "意", "乐意"} & {cue.word for cue in found.cues[:3]}
    assert found.lengths.supports == pytest.approx(8.3, abs=0.1)


def test_words_that_belong_to_one_scene_help_nobody_with_another():
    rows = large(2)
    side = rows["polarity"].map({1: "yes", -1: "no"})
    rows["action"] = rows["action"] + " " + rows["scene_id"].str.replace("/", "x") + side
    found = skews_of(rows).polarity.accuracy
    assert found.low < 0.5 < found.high


def test_polarity_is_asked_only_where_both_sides_of_an_item_stand():
    rows = large(3)
    lopsided = pd.concat([rows, rows[rows["polarity"] == 1].assign(action="I add one more."), rows[:1].assign(item="alone", action="I am alone.")])
    found = skews_of(lopsided)
    assert (found.polarity.actions, found.value.actions) == (len(rows), len(lopsided))
    assert found.polarity.accuracy == skews_of(rows).polarity.accuracy


def test_a_rare_value_counts_as_much_as_a_frequent_one():
    rows = large(4)
    rows["action"] = np.where(rows["value"] == "stimulation", "I dare.", rows["action"])
    found = skews_of(rows).value.accuracy.number
    assert found == pytest.approx((1 + 2 * 0.5) / 3, abs=0.08)  # one value is always right, the other two are told apart by chance


def test_the_longer_side_is_told_in_words_and_in_standard_deviations():
    rows = large(5, longer=2)
    found = skews_of(rows).lengths
    assert found.supports - found.violates == pytest.approx(2, abs=0.2)
    assert found.violates == pytest.approx(9, abs=0.1)  # "I", and seven to nine words
    assert found.difference.low < 2 / np.sqrt(2 / 3) < found.difference.high


def test_texts_that_stand_again_are_counted_within_their_scene_and_across_scenes():
    rows = large(6)
    assert skews_of(rows).repeats == (0, 0)
    within, across = rows.copy(), rows.copy()
    within.loc[1, "action"] = within.loc[0, "action"].upper().replace(".", "!")
    across.loc[len(rows) - 1, "action"] = across.loc[0, "action"]
    assert skews_of(within).repeats == (2 / len(rows), 0)
    assert skews_of(across).repeats == (0, 2 / len(rows))


def test_the_same_rows_give_the_same_numbers_whatever_their_index():
    rows = large(7, cue="gladly")
    assert skews_of(rows) == skews_of(rows.set_index(rows.index[::-1]))


TOO_LITTLE = {"one scene": written(countries=1, topics=1, scenes=1), "one action": written()[:1], "no words": written().assign(action="…")}


@pytest.mark.parametrize("rows", TOO_LITTLE.values(), ids=TOO_LITTLE)
def test_what_cannot_be_known_is_not_a_number(rows):
    found = skews_of(rows)
    assert np.isnan([found.polarity.accuracy, found.value.accuracy]).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (written()[:0], "skews: needs at least one action; got none. Write some first."),
        (written()[["scene_id", "item"]], "skews: needs a column 'value'; got scene_id, item. Add or rename it."),
    ],
    ids=["empty", "column"],
)
def test_a_fault_is_one_line(rows, message):
    with pytest.raises(DataError) as error:
        skews_of(rows)
    assert str(error.value) == message


def test_the_template_gives_itself_away_and_thirty_thousand_actions_take_seconds(capsys):
    rows = as_rows(TemplateData(test_share=0.3, split_seed=0, limit=None))
    skews_of(rows[:100])  # the libraries are loaded
    start = time.process_time()
    found = skews_of(rows)
    took_s = time.process_time() - start
    with capsys.disabled():
        print(f"\nskews of {len(rows):,} actions: {took_s:.1f} s of processor")
    assert took_s < 15
    assert found.polarity.accuracy.number == 1  # few phrases an item: a list of words knows them all
    assert found.repeats == (0, 1)


def test_two_thousand_actions_take_less_than_two_seconds():
    rows = as_rows(TemplateData(test_share=0.3, split_seed=0, limit=None))[:2000]
    skews_of(rows[:100])
    start = time.process_time()
    skews_of(rows)
    assert time.process_time() - start < 2


def test_words_alone_tell_the_polarity_of_published_actions():
    if not REAL.is_file():
        pytest.skip(f"{REAL} is not there")
    found = skews_of(as_rows(ValueActionGap(path=str(REAL), test_share=0.3, split_seed=0, limit=None)))
    assert 0.90 < found.polarity.accuracy.low < found.polarity.accuracy.high < 0.95
    assert {"ensure", "refuse", "ignore"} <= {cue.word for cue in found.cues}
