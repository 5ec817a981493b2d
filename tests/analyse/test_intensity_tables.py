"""Tables of intensities from numbers that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.analyse.planted import planted_job, steered_job, with_intensities
from vat.analyse.intensity_tables import intensities, intensity_tables, steerability
from vat.analyse.study import Study, study_of
from vat.analyse.tables import write


def test_a_row_is_a_state_and_value_that_has_a_delta(tmp_path: Path) -> None:
    job = steered_job(tmp_path, {"power": -2}, {"power": -3.0, "hedonism": 0.5, "security": None}, refused=12)
    table = intensities(study_of([job]))
    assert table.data["of"].tolist() == ["power", "hedonism"], "in the theory's order; what has no Δ has no row"
    assert table.data[["before", "after", "delta", "delta_low", "target", "scenes"]].iloc[0].tolist() == [-1, -4, -3, -3.5, -2, 36]
    power, hedonism = table.shown.to_dict("records")
    assert (power["target"], hedonism["target"]) == ("−2", "–"), "hedonism was not steered, which is not 0"
    assert power["Δ"] == "-3.00 [-3.50, -2.50]"
    assert (power["refused before"][:4], power["refused"][:5]) == ("2.1%", "25.0%")
    assert table.caption.endswith("Judge: gemma.")


def test_steerability_has_what_is_measured_its_range_and_asymmetry_and_a_dash_for_the_rest(steered: Study) -> None:
    table = steerability(steered)
    rows = table.data.set_index(["model", "strategy", "value"])
    power = rows.loc[("m", "intensity_anchor", "power")]
    assert power[["minus_2", "plus_2", "plus_2_low", "plus_2_high"]].tolist() == [-4, 5, 3.5, 6.5], "of two replicates the mean, the widest bounds"
    assert power[["range", "range_low", "range_high"]].tolist() == [9, 7, 11]
    assert power[["asymmetry", "asymmetry_low", "asymmetry_high"]].tolist() == [1, -1, 3]
    shown = table.shown.set_index(["model", "strategy", "value"])
    assert shown.loc[("m", "intensity_anchor", "power"), "Δ at +1"] == "–"
    only = shown.loc[("m", "user_texts", "power")]
    assert (only["Δ at +1"], only["range"], only["asymmetry"]) == ("+1.50 [+1.00, +2.00]", "–", "–"), "one target has no range, and not 0"


def test_all_is_the_mean_over_values_and_a_single_value_needs_none(steered: Study) -> None:
    rows = steerability(steered).data.set_index(["model", "strategy", "value"])
    assert ("m", "user_texts", "all") not in rows.index
    whole = rows.loc[("m", "intensity_anchor", "all")]
    assert whole[["minus_2", "plus_2", "range", "asymmetry"]].tolist() == [-4, 4.5, 8.5, 0.5]
    assert whole["plus_2_high"] - 4.5 == pytest.approx(12.706 * 0.5, rel=1e-3), "Student's, over two values that are 1 apart"


def test_asymmetry_has_bounds_where_a_value_hardly_moves(tmp_path: Path) -> None:
    jobs = [steered_job(tmp_path, {"power": target}, {"power": 0.0}) for target in (-2, 2)]
    row = steerability(study_of(jobs)).data.iloc[0]
    assert row[["range", "asymmetry", "asymmetry_low", "asymmetry_high"]].tolist() == [0, 0, -1, 1]


def test_jobs_without_targets_have_intensities_and_no_steerability_and_without_any_there_is_no_table(study: Study, tmp_path: Path) -> None:
    assert intensity_tables(study) == []
    job = with_intensities(planted_job(tmp_path, measured=False), {"power": -2.0}, {})
    assert [table.name for table in intensity_tables(study_of([job]))] == ["intensities"]


def test_names_with_markup_are_escaped_in_files(steered: Study, tmp_path: Path) -> None:
    evil = replace(steered, jobs=steered.jobs.assign(model="<script>a_b&c"))
    for table in intensity_tables(evil):
        files = {path.suffix: path.read_text(errors="replace") for path in write(table, tmp_path)}
        assert "<script>" not in files[".html"]
        assert r"a\_b\&c" in files[".tex"]
