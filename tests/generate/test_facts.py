import numpy as np
import pandas as pd
import pytest

from tests.generate.written import ITEMS, written
from vat.errors import DataError
from vat.generate.facts import Pair, contents_of, outcomes_of


def attempts(*, scenes: int = 40, refused: float = 0.0, rejected: float = 0.0, whole_scenes: bool = False) -> pd.DataFrame:
    """An attempt for each item and polarity of each scene; refusals one by one, or of whole scenes."""
    random = np.random.default_rng(0)
    rows = []
    for scene in range(scenes):
        draw_of_scene = random.random()
        for value in [*ITEMS.values()] * 2:
            draw = draw_of_scene if whole_scenes else random.random()
            outcome = "refused" if draw < refused else "too long" if draw > 1 - rejected else "kept"
            rows.append((f"scene {scene}", value, outcome))
    return pd.DataFrame(rows, columns=["scene_id", "value", "outcome"])


def test_actions_and_scenes_are_counted_in_each_split():
    rows = written(countries=3, topics=2, scenes=2)
    held_out = rows["scene_id"].isin(["0/0/0", "2/1/1", "2/1/0"])
    found = contents_of(rows[~held_out], rows[held_out], language="en")
    assert found.actions == {"benevolence": Pair(36, 12), "power": Pair(36, 12), "stimulation": Pair(18, 6)}
    assert (found.scenes, found.scenes_of_a_cell) == (Pair(9, 3), (2, 2))
    assert found.countries == {"country 0": Pair(3, 1), "country 1": Pair(4, 0), "country 2": Pair(2, 2)}
    assert found.topics == {"topic 0": Pair(5, 1), "topic 1": Pair(4, 2)}


def test_shares_of_refusals_and_rejections_are_of_attempts_by_value_and_of_all():
    found = outcomes_of(attempts(refused=0.1, rejected=0.2))
    assert [(row.value, row.attempts) for row in found] == [("benevolence", 160), ("power", 160), ("stimulation", 80), (None, 400)]
    whole = found[-1]
    assert whole.refused.low < 0.1 < whole.refused.high
    assert whole.rejected.low < 0.2 < whole.rejected.high


def test_refusals_of_whole_scenes_are_known_less_well_than_as_many_one_by_one():
    def width(**how: bool) -> float:
        share = outcomes_of(attempts(scenes=200, refused=0.1, **how))[-1].refused
        return share.high - share.low

    assert width(whole_scenes=True) > 2 * width()


def test_a_fault_is_one_line():
    rows = written()
    with pytest.raises(DataError, match=r"^test: needs at least one action; got none\. Write some first\.$"):
        contents_of(rows, rows[:0], language="en")
    with pytest.raises(DataError, match=r"^attempts: needs a column 'outcome'; got scene_id, value\. Add or rename it\.$"):
        outcomes_of(attempts().drop(columns="outcome"))
