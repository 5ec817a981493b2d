"""Table 2 from numbers that are known."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from vat.analyse.study import Study, study_of
from vat.analyse.tables import EFFICIENT, RISKY, jobs_table, robustness, table2, write
from vat.theory.file import TheoryFile
from vat.track.job import Job

THEORY = TheoryFile(path=str(Path(__file__).parents[2] / "vat" / "theory" / "schwartz.yaml")).load()
FORM = {"settings": "", "direction": -1, "strategy": "steering", "replicate": 0, "note": "", "kind": "job"}


def study(**jobs: dict[str, object]) -> Study:
    """Job → its settings, and statistic → (estimate, low, high, null, p)."""
    about, numbers = {}, []
    for job, told in jobs.items():
        about[job] = FORM | {"model": "m", "value": "power", "shots": 4} | {name: x for name, x in told.items() if not isinstance(x, tuple)}
        for statistic, found in ((name, x) for name, x in told.items() if isinstance(x, tuple)):
            row = dict(zip(("estimate", "low", "high", "null", "p"), found, strict=True))
            numbers.append({"job": job, "step": 0, "statistic": statistic, "value": None, "other": None, "ratings": "mode"} | row)
    return Study(pd.DataFrame.from_dict(about, orient="index").rename_axis("job"), pd.DataFrame(numbers), THEORY, pd.DataFrame)


def measured(gain: tuple[float, float], nvat_p: float, gini_p: float) -> dict[str, object]:
    return {"gain": (sum(gain) / 2, *gain, None, None), "nvat": (0.2, 0.1, 0.3, 0.11, nvat_p), "gini": (0.15, None, None, 0.12, gini_p)}


MARKS = {
    ("up", "chance", "even"): EFFICIENT, ("up", "chance", "few"): EFFICIENT, ("up", "beyond", "even"): "", ("up", "beyond", "few"): RISKY,
    ("unsure", "chance", "even"): "", ("unsure", "chance", "few"): "", ("unsure", "beyond", "even"): "", ("unsure", "beyond", "few"): RISKY,
    ("down", "chance", "even"): RISKY, ("down", "chance", "few"): RISKY, ("down", "beyond", "even"): RISKY, ("down", "beyond", "few"): RISKY,
}  # fmt: skip
GAIN = {"up": (0.1, 0.3), "unsure": (-0.1, 0.3), "down": (-0.3, -0.1)}


@pytest.mark.parametrize("case", MARKS)
def test_a_row_is_marked_by_the_rule_that_stands_below_it(case: tuple[str, str, str]) -> None:
    gain, tax, gini = case
    found = table2(study(a=measured(GAIN[gain], 0.001 if tax == "beyond" else 0.5, 0.01 if gini == "few" else 0.5))).data
    assert found.loc["a", "mark"] == MARKS[case]


def test_marks_heed_the_false_discovery_rate_of_the_table_and_not_a_lucky_p() -> None:
    many = {f"j{n}": measured((0.1, 0.3), 0.04 if n == 0 else 0.9, 0.01) for n in range(10)}
    found = table2(study(**many)).data
    assert found.loc["j0", "nvat_q"] == pytest.approx(0.4)
    assert set(found["mark"]) == {EFFICIENT}


def test_a_baseline_has_no_row_and_what_is_not_measured_is_missing_and_marks_nothing() -> None:
    table = table2(study(a={"gain": (0.2, 0.1, 0.3, None, None)}, b={"kind": "baseline", "gain": (0.0, 0.0, 0.0, None, None)}))
    found = table.data
    assert list(found.index) == ["a"]
    assert found[["nvat", "nvat_p", "nvat_q", "gini"]].isna().all(axis=None)
    assert found.loc["a", "mark"] == ""
    assert table.shown.loc["a", ["nvat", "q", "gini"]].tolist() == ["–"] * 3


def test_rows_stand_in_order_of_model_value_strategy_and_dose() -> None:
    one = measured((0.1, 0.3), 0.5, 0.5)
    found = table2(study(a=one | {"shots": 8}, b=one | {"shots": 2}, c=one | {"model": "k"}, d=one | {"value": "hedonism", "shots": None}))
    assert list(found.data.index) == ["c", "b", "a", "d"], "values in the theory's order"
    assert found.shown["shots"].tolist() == ["4", "2", "8", ""]


def test_names_with_markup_are_escaped_and_the_csv_has_all_digits(tmp_path: Path) -> None:
    risky = measured((1 / 3, 2 / 3), 0.5, 0.5) | {"model": "<script>a_b&c"}
    table = table2(study(a=risky))
    files = {path.suffix: path.read_text(errors="replace") for path in write(table._replace(caption="What 5% means."), tmp_path)}
    assert "<script>" not in files[".html"]
    assert "&lt;script&gt;a_b&amp;c" in files[".html"]
    assert r"a\_b\&c" in files[".tex"]
    assert r"What 5\% means." in files[".tex"]
    assert pd.read_csv(tmp_path / "table2.csv").loc[0, "gain_low"] == 1 / 3


def test_the_robustness_of_a_job_is_that_of_its_last_state(planted: list[Job]) -> None:
    whole = study_of(planted)
    table = robustness(whole)
    job = planted[4]
    result = job.result()
    assert result is not None
    last = result["steps"]["60"]
    row = table.data.loc[job.key]
    wanted = (
        "nvat_subsample",
        "nvat_subsample_std",
        "nvat_null",
        "agreement_kendall",
        "agreement_items_low",
        "agreement_items_apart_split",
        "circle_p",
    )
    names = ("subsample", "subsample_std", "chance", "kendall", "items_low", "items_apart_split", "circle_p")
    assert [row[name] for name in names] == pytest.approx([last[name] for name in wanted], rel=1e-5)
    said = table.shown.loc[job.key]
    assert said["nvat of 80%"] == f"{last['nvat_subsample']:.3f} ± {last['nvat_subsample_std']:.3f}"
    assert said["Kendall"].startswith(f"{last['agreement_kendall']:.2f} [")
    assert jobs_table(whole).shown.loc[job.key, ["took", "cost usd"]].tolist() == ["2 s", "0.25"]
