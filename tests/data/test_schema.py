import csv
import io
import json
import re
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from vat.data.schema import COLUMNS, probes_from_rows, read_table
from vat.errors import DataError, VatError
from vat.theory.base import Theory, Value

SUFFIXES = (".csv", ".jsonl", ".parquet")
FIRST_LINE = {".csv": 2, ".jsonl": 1, ".parquet": 1}
CARE = Theory("care", "", tuple(Value(name, "", 1, None, ((item, "Text."),)) for name, item in (("kindness", "honest"), ("order", "tidy"))))


def row(n: int, **changed) -> dict:
    return {"country": "India", "topic": "Work", "scene": f"Scene {n}.", "item": "honest", "polarity": 1, "action": "I tell."} | changed


def written(suffix: str, rows: list[dict]) -> bytes:
    """The rows as a file of that kind; a column is there if the first row has it."""
    names = list(rows[0]) if rows else list(COLUMNS)
    if suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()
    if suffix == ".jsonl":
        return "".join(json.dumps(cells, ensure_ascii=False) + "\n" for cells in rows).encode()
    columns = {name: [cells[name] for cells in rows] for name in names}
    as_text = {name: [cell if cell is None else str(cell) for cell in cells] for name, cells in columns.items()}
    mixed = {name for name, cells in columns.items() if any(isinstance(cell, str) for cell in cells)}
    file = io.BytesIO()
    parquet.write_table(pa.table({name: as_text[name] if name in mixed else columns[name] for name in names}), file)
    return file.getvalue()


def read(path: Path):
    return probes_from_rows(read_table(path), CARE, where=str(path))


def put(folder: Path, suffix: str, content: bytes) -> Path:
    path = folder / f"items{suffix}"
    path.write_bytes(content)
    return path


words = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=8)
sentences = dict.fromkeys(("country", "topic", "scene", "action"), words)
any_row = st.fixed_dictionaries(sentences | {"item": st.sampled_from(["honest", "tidy"]), "polarity": st.sampled_from([1, -1])})


@given(rows=st.lists(any_row, min_size=1, max_size=12, unique_by=lambda cells: tuple(cells.values())))
@settings(deadline=None, max_examples=40)
def test_all_kinds_of_file_give_the_same_probes_and_every_row_once(rows):
    with tempfile.TemporaryDirectory() as folder:
        csv_, jsonl, table = (read(put(Path(folder), suffix, written(suffix, rows))) for suffix in SUFFIXES)
    assert csv_ == jsonl == table
    told = sorted(tuple(getattr(probe, column) for column in COLUMNS) for probe in csv_.rows)
    assert told == sorted(tuple(cells[column] for column in COLUMNS) for cells in rows)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_come_in_the_order_in_which_their_scenes_first_appear(tmp_path, suffix):
    probes = read(put(tmp_path, suffix, written(suffix, [row(2), row(1), row(2, item="tidy"), row(1, polarity=-1)])))
    assert [(probe.scene, probe.item, probe.polarity) for probe in probes.rows] == [
        ("Scene 2.", "honest", 1), ("Scene 2.", "tidy", 1), ("Scene 1.", "honest", 1), ("Scene 1.", "honest", -1),
    ]  # fmt: skip
    assert len(probes.scenes) == 2


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_scene_id_keeps_apart_scenes_that_read_the_same(tmp_path, suffix):
    probes = read(put(tmp_path, suffix, written(suffix, [row(1, scene_id="a"), row(1, scene_id="b")])))
    assert probes.scenes == ("a", "b")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_space_around_text_and_capitals_of_items_do_not_matter_nor_do_further_columns(tmp_path, suffix):
    loose = row(1, country=" India ", item=" HONEST", action="I tell. ", remark="?")
    assert read(put(tmp_path, suffix, written(suffix, [loose]))) == read(put(tmp_path, suffix, written(suffix, [row(1)])))


def test_a_csv_as_spreadsheets_save_it_is_read(tmp_path):
    assert read(put(tmp_path, ".csv", b"\xef\xbb\xbf" + written(".csv", [row(1)]))) == read(put(tmp_path, ".csv", written(".csv", [row(1)])))


def test_blank_lines_of_jsonl_are_passed_over_but_counted(tmp_path):
    path = put(tmp_path, ".jsonl", b"\n" + written(".jsonl", [row(1), row(2)]).replace(b"\n", b"\n\n"))
    assert [line for line, _ in read_table(path)] == [2, 4]


# What the second of three rows has instead, and the message; {got} is the cell as the kind of file gives it.
BAD_ROWS = {
    "polarity 0": ({"polarity": 0}, "{where}: polarity must be 1 or -1; got {got}. Fix the row or drop it."),
    "polarity x": ({"polarity": "x"}, "{where}: polarity must be 1 or -1; got {got}. Fix the row or drop it."),
    "no polarity": ({"polarity": None}, "{where}: polarity must be 1 or -1; got {got}. Fix the row or drop it."),
    "no action": ({"action": None}, "{where}: action must be text; got {got}. Fix the row or drop it."),
    "blank scene": ({"scene": " "}, "{where}: scene must be text; got {got}. Fix the row or drop it."),
    "item misspelt": ({"item": "Honset"}, "{where}: item must belong to theory care; got {got}. Did you mean honest?"),
    "item unheard of": ({"item": "xyz"}, "{where}: item must belong to theory care; got {got}. Choose from honest, tidy."),
    "duplicate item": (
        {"scene": "Scene 0."},
        "{where}: an action stands once per scene, item and polarity; got a duplicate item, see line {first}. Drop it.",
    ),
    "scene_id of another": ({"scene_id": "s0"}, "{where}: a scene_id has one country, topic, scene; got others for {got}. Use a new id."),
}
GOOD = [row(n, scene_id=f"s{n}") for n in range(3)]
NOT_TEXT = pa.array([b"caf\xe9"], pa.binary()).view(pa.string())
CAFE = row(0, action="café")


def bad_rows():
    for name, (cells, message) in BAD_ROWS.items():
        rows = [row(n) for n in range(3)] if "scene_id" not in cells else GOOD
        rows = [rows[0], rows[1] | cells, rows[2]]
        for suffix in SUFFIXES:
            line, cell = FIRST_LINE[suffix] + 1, next(iter(cells.values()))
            got = repr(cell) if suffix != ".csv" else repr("" if cell is None else str(cell))
            expected = message.replace("{got}", got).replace("{where}", f"{{path}}:{line}").replace("{first}", str(line - 1))
            yield pytest.param(suffix, written(suffix, rows), expected, id=f"{name}{suffix}")


def bad_files():
    def case(name, suffix, content, message):
        return pytest.param(suffix, content, message, id=f"{name}{suffix}")

    without = [{key: cell for key, cell in row(n).items() if key != "polarity"} for n in range(3)]
    for suffix in SUFFIXES:
        yield case("missing file", suffix, None, "data.path: must be an existing file; got {path}. Check the path.")
        where = "{path}:1" if suffix == ".jsonl" else "{path}"
        message = f"{where}: needs a column 'polarity'; got country, topic, scene, item, action. Add or rename it."
        yield case("missing column", suffix, written(suffix, without), message)
        yield case("no rows", suffix, written(suffix, []), "{path}: needs at least one row; got an empty file. Add rows.")
    for suffix in (".csv", ".jsonl"):
        yield case("empty", suffix, b"", "{path}: needs at least one row; got an empty file. Add rows.")
        text = written(suffix, [CAFE]).decode()
        message = f"{{path}}: must be UTF-8 text; got byte 0xe9 at {text.index('é')}. Save it as UTF-8."
        yield case("latin-1", suffix, text.encode("latin-1"), message)
    columns = {name: [cell] for name, cell in CAFE.items()} | {"action": NOT_TEXT}
    parquet.write_table(pa.table(columns), file := io.BytesIO())
    yield case("latin-1", ".parquet", file.getvalue(), "{path}: must be UTF-8 text; got byte 0xe9 at 3. Save it as UTF-8.")
    whole = written(".parquet", GOOD)
    for name, content in {"empty": b"", "torn": whole[: len(whole) // 2], "text": b"country,topic"}.items():
        yield case(name, ".parquet", content, "{path}: must be a parquet file; got …. Convert it.")
    line = written(".jsonl", [row(0)])
    for name, text in {"torn line": '{"country": ', "list": "[1, 2]"}.items():
        got = "'{\"country\": '" if name == "torn line" else text
        yield case(name, ".jsonl", line + text.encode(), f"{{path}}:2: must be one JSON object; got {got}. Fix the row or drop it.")
    yield case("unknown kind", ".xlsx", line, "data.path: must end in .csv, .jsonl or .parquet; got items.xlsx. Convert or rename it.")


@pytest.mark.parametrize(("suffix", "content", "message"), [*bad_rows(), *bad_files()])
def test_a_fault_of_a_data_file_is_one_line_that_names_the_place(tmp_path, suffix, content, message):
    path = tmp_path / f"items{suffix}" if content is None else put(tmp_path, suffix, content)
    with pytest.raises(VatError) as error:
        read(path)
    expected = message.replace("{path}", str(path))
    assert re.fullmatch(".+".join(map(re.escape, expected.split("…"))), str(error.value))
    assert re.fullmatch(r"\S+: .+; got .+\. .+", str(error.value))


def test_items_are_found_whatever_their_capitals_in_file_and_theory(tmp_path):
    spec = Value("v", "", 1, None, (("Honest", "Telling the truth."), ("tidy", "Keeping order.")))
    probes = probes_from_rows(read_table(put(tmp_path, ".csv", written(".csv", [row(1)]))), Theory("t", "", (spec,)), where="")
    assert probes.rows[0].item == "Honest"


def test_separators_inside_json_strings_do_not_end_a_line(tmp_path):
    strange = row(1, action="I pause.\u2028I go on.\x85")
    content = b"\xef\xbb\xbf" + json.dumps(strange, ensure_ascii=False).encode()
    assert read(put(tmp_path, ".jsonl", content)).rows[0].action.startswith("I pause.\u2028")


@pytest.mark.parametrize("place", [0.3, 0.9])
def test_a_parquet_file_damaged_in_the_middle_is_one_line(tmp_path, place):
    content = bytearray(written(".parquet", GOOD))
    spot = int(len(content) * place)
    content[spot : spot + 60] = b"\x00" * 60
    with pytest.raises(DataError) as caught:
        read(put(tmp_path, ".parquet", bytes(content)))
    assert "\n" not in str(caught.value)


def test_a_column_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="a column stands once; got 'action' 2 times"):
        read(put(tmp_path, ".csv", b"country,topic,scene,item,polarity,action,action\n"))


def test_a_cell_that_csv_cannot_hold_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"items\.csv:1: must be CSV; got field larger than field limit"):
        read(put(tmp_path, ".csv", written(".csv", [row(1, action="x" * 140_000)])))


def test_true_is_no_polarity(tmp_path):
    with pytest.raises(DataError, match=r"items\.jsonl:1: polarity must be 1 or -1; got True"):
        read(put(tmp_path, ".jsonl", written(".jsonl", [row(1, polarity=True)])))
