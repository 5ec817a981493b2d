import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from vat.data.base import Split
from vat.data.value_action_gap import ValueActionGap
from vat.errors import VatError
from vat.theory.schwartz import SCHWARTZ

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "value_action_gap.parquet"
ROWS = [
    {"country": country, "topic": topic, "value": value, "polarity": polarity, "action": f"I act {value} {polarity}."}
    for country in ("France", "India")
    for topic in ("Politics", "Religion")
    for value in ("Social Power", "Honest")
    for polarity in (1, -1)
]


def gap(path: Path) -> ValueActionGap:
    return ValueActionGap(path=str(path), test_share=0.3, split_seed=0, limit=None)


def write(path: Path, rows: list[dict]) -> Path:
    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def changed(**cells) -> list[dict]:
    """The rows with other cells in the third."""
    return [*ROWS[:2], ROWS[2] | cells, *ROWS[3:]]


def test_the_scene_is_the_country_and_the_topic(tmp_path):
    probes = gap(write(tmp_path / "gap.parquet", ROWS)).probes(SCHWARTZ)
    assert len(probes.rows) == 16
    assert probes.scene_factors == {"country": ("France", "France", "India", "India"), "topic": ("Politics", "Religion") * 2}
    assert probes.rows[0].scene == "You live in France, and something comes up in your daily life that has to do with this topic: Politics."
    assert (probes.rows[0].item, probes.rows[0].polarity, probes.rows[0].action) == ("social power", 1, "I act Social Power 1.")


def test_rows_of_a_scene_need_not_stand_together(tmp_path):
    mixed = gap(write(tmp_path / "mixed.parquet", ROWS[::2] + ROWS[1::2])).probes(SCHWARTZ)
    assert mixed.scenes == gap(write(tmp_path / "gap.parquet", ROWS)).probes(SCHWARTZ).scenes
    assert [row.scene_id for row in mixed.rows] == [scene for scene in mixed.scenes for _ in range(4)]


BAD = {
    "missing file": (None, "data.path: must be an existing file; got {path}. Check the path."),
    "missing column": (
        [{key: cell for key, cell in row.items() if key != "value"} for row in ROWS],
        "{path}: needs a column 'value'; got country, topic, polarity, action. Add or rename it.",
    ),
    "no rows": ([], "{path}: needs a column 'country'; got none. Add or rename it."),
    "unknown item": (changed(value="Honesty"), "{path}:3: value must belong to theory schwartz; got 'Honesty'. Did you mean honest?"),
    "polarity 0": (changed(polarity=0), "{path}:3: polarity must be 1 or -1; got 0. Fix the row or drop it."),
    "no country": (changed(country=None), "{path}:3: country must be text; got None. Fix the row or drop it."),
    "duplicate": (
        changed(**ROWS[0]),
        "{path}:3: an action stands once per scene, item and polarity; got a duplicate item, see line 1. Drop it.",
    ),
}


@pytest.mark.parametrize(("rows", "message"), BAD.values(), ids=BAD)
def test_a_fault_is_one_line_that_names_the_row(tmp_path, rows, message):
    path = tmp_path / "gap.parquet"
    if rows is not None:
        write(path, rows)
    with pytest.raises(VatError) as error:
        gap(path).split(SCHWARTZ)
    assert str(error.value) == message.replace("{path}", str(path))
    assert re.fullmatch(r"\S+: .+; got .+\. .+", str(error.value))


@pytest.fixture(scope="module")
def real() -> Split:
    if not REAL.is_file():
        pytest.skip(f"{REAL} is not there")
    return gap(REAL).split(SCHWARTZ)


def test_the_published_actions_fit_the_theory(real):
    rows = real.train.rows + real.test.rows
    assert len(rows) == 14_723
    assert {row.item for row in rows} == set(SCHWARTZ.items)
    assert {row.polarity for row in rows} == {1, -1}


def test_the_published_actions_are_held_out_by_scene_and_in_balance(real):
    assert (len(real.train.scenes), len(real.test.scenes)) == (92, 40)
    assert not set(real.train.scenes) & set(real.test.scenes)
    for factor in real.test.scene_factors.values():
        assert set(Counter(factor).values()) == {3, 4}
