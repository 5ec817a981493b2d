from __future__ import annotations

from typing import Any

from vat.analyse.table import checkpoint_line, closing_table, described

NUMBERS = {
    "gain": 0.41, "gain_low": 0.38, "gain_high": 0.44, "nvat": 0.135, "nvat_null": 0.1125, "nvat_p": 0.0015,
    "nvat_excess": 0.0755, "nvat_low": 0.031, "nvat_high": 0.122, "gini": 0.125, "gini_null": 0.113,
}  # fmt: skip


def row(**changed: Any) -> dict[str, Any]:
    base = {"model": "tiny", "value": "power", "direction": -1, "strategy": "steering", "shots": 4, "replicate": 0, "job": "86f3", "metrics": NUMBERS}
    return base | changed


def test_every_tax_stands_beside_its_level_by_chance_and_its_p_value() -> None:
    header, line = closing_table([row()]).splitlines()
    assert header.split() == [
        "model",
        "value",
        "dir",
        "strategy",
        "shots",
        "rep",
        "gain",
        "[95%",
        "interval]",
        "nvat",
        "by",
        "chance",
        "p",
        "beyond",
        "[95%",
        "interval]",
        "gini",
        "by",
        "chance",
        "job",
    ]
    assert line.split() == [
        "tiny",
        "power",
        "-1",
        "steering",
        "4",
        "0",
        "+0.410",
        "[+0.380,",
        "+0.440]",
        "0.135",
        "0.113",
        "0.0015",
        "0.075",
        "[0.031,",
        "0.122]",
        "0.125",
        "0.113",
        "86f3",
    ]


def test_what_is_not_defined_is_a_dash_and_never_a_zero() -> None:
    line = closing_table([row(metrics=NUMBERS | {"nvat_p": None, "gini": float("nan")})]).splitlines()[1]
    assert line.split()[-8:] == ["0.113", "–", "0.075", "[0.031,", "0.122]", "–", "0.113", "86f3"]


def test_false_discoveries_stand_beside_the_p_value_where_they_are_known() -> None:
    header, *lines = closing_table([row(q=0.003), row(q=float("nan")), row(q=None)]).splitlines()
    assert header.split()[-11:-6] == ["by", "chance", "p", "q", "beyond"]
    assert [line.split()[-9:-6] for line in lines[:2]] == [["0.113", "0.0015", "0.0030"], ["0.113", "0.0015", "–"]]
    assert lines[2].split()[-8:-6] == ["0.113", "0.0015"]
    assert "q" not in closing_table([row(q=None)]).split()


def test_a_row_says_what_the_parameters_of_its_run_say() -> None:
    params = {"model": "tiny", "theory": "schwartz", "value": "power", "direction": -1, "strategy": "steering", "shots": 4, "replicate": 0}
    assert closing_table([described(params) | {"job": "86f3", "metrics": NUMBERS}]) == closing_table([row()])
    baseline = described({"model": "tiny", "strategy": "none"})
    assert closing_table([baseline | {"job": "86f3", "metrics": {}}]).splitlines()[1].split() == ["tiny", "none", "86f3"]
    assert described(params | {"shots": ""})["shots"] is None, "a strategy without examples"


def test_a_failure_has_no_numbers_and_says_why_below() -> None:
    table = closing_table([row(), row(job="99aa", failed="model tiny: must answer; got silence. Wake it.")])
    assert table.splitlines()[2].split() == ["tiny", "power", "-1", "steering", "4", "0", "failed", "99aa"]
    assert table.endswith("Failed:\n  99aa: model tiny: must answer; got silence. Wake it.")


def test_a_baseline_has_no_gain() -> None:
    baseline = row(value="", direction=None, strategy="none", shots=None, replicate="", metrics={"missing_rate": 0.0})
    assert closing_table([baseline]).splitlines()[1].split() == ["tiny", "none", "86f3"]


def test_other_settings_are_shown_where_rows_differ_in_them() -> None:
    table = closing_table([row(settings="elicit.wording=0"), row(settings="elicit.wording=2")])
    assert [line.split()[6] for line in table.splitlines()] == ["with", "elicit.wording=0", "elicit.wording=2"]


def test_a_checkpoint_is_a_line_and_what_was_not_measured_is_a_dash() -> None:
    numbers = {"gain": 0.1333, "gain_low": 0.1, "gain_high": 0.2, "nvat": 0.13, "nvat_null": 0.113, "nvat_p": 0.1255}
    assert checkpoint_line("step 10", numbers) == "step 10: gain +0.133 [+0.100, +0.200]   nvat 0.130, by chance 0.113, p 0.1255"
    assert checkpoint_line("step 10", {"gain": 0.1}) == "step 10: gain +0.100 [–, –]   nvat –, by chance –, p –"
