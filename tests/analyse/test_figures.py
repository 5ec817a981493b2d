"""Every figure: the numbers drawn are those of golden tables, planted structure is in them, and pages can be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.analyse.planted import APART, TOGETHER, planted_job, steered_job
from tests.analyse.readable import can_be_read
from vat.analyse.figures.base import FORMATS, Figure, _pages, drawn
from vat.analyse.study import Study, study_of
from vat.analyse.style import CHANCE, Look, styled
from vat.nodes import build

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("golden")
FIGURES = sorted(path.stem for path in (ROOT / "conf" / "figure").glob("*.yaml"))
OF_INTENSITIES = {"steerability", "arrows", "profiles", "refusals", "position_bias"}


@pytest.fixture
def shown(name: str, study: Study, steered: Study) -> Study:
    """The study that has something to show in the figure of that name."""
    return steered if name in OF_INTENSITIES else study


def figure(name: str, **settings: object) -> Figure:
    node = yaml.safe_load((ROOT / "conf" / "figure" / f"{name}.yaml").read_text()) | settings
    built: Figure = build("figure", node)
    return built


def only(study: Study, keep: Callable[[Any], Any]) -> Study:
    """The study of some of its jobs."""
    jobs = study.jobs[keep(study.jobs)]
    return replace(study, jobs=jobs, numbers=study.numbers[study.numbers["job"].isin(jobs.index)])


@pytest.mark.parametrize("name", FIGURES)
def test_the_numbers_drawn_are_those_of_the_golden_table(name: str, shown: Study) -> None:
    """tests/analyse/golden: what each figure shows of the planted study, looked at once as pictures. Keys of jobs stand for their places."""
    found = figure(name).data(shown)
    order = {job: f"job {n}" for n, job in enumerate(shown.jobs.index)}
    if "job" in found:
        found = found.assign(job=found["job"].map(order))
    golden = pd.read_csv(GOLDEN / f"{name}.csv", dtype=str, keep_default_na=False)
    assert list(found.columns) == list(golden.columns)
    assert len(found) == len(golden)
    for column in golden:
        if pd.api.types.is_float_dtype(found[column]):
            wanted = pd.to_numeric(golden[column])
            np.testing.assert_allclose(found[column].to_numpy(dtype=float), wanted, rtol=1e-4, atol=1e-6, err_msg=f"{name}: {column}")
        else:
            assert ["" if x is None else str(x) for x in found[column].astype(object)] == list(golden[column]), column


@pytest.mark.parametrize("name", FIGURES)
def test_a_page_can_be_read_no_text_lies_on_another_or_outside(name: str, shown: Study) -> None:
    can_be_read(name, figure(name), shown, Look.of(shown))


@pytest.mark.parametrize("name", ["stability", "agreement"])
def test_lines_on_bars_are_edged_so_that_dark_bars_do_not_hide_them(name: str, study: Study) -> None:
    with styled():
        [page] = _pages(figure(name), figure(name).data(study), Look.of(study))
        lines = [line for axes in page.axes for line in axes.lines if line.get_color() in ("black", CHANCE)]
    assert len(lines) > 5
    assert all(line.get_path_effects() for line in lines)


@pytest.mark.parametrize("name", ["circumplex", "stability", "trajectories"])
def test_chance_is_the_same_unbroken_line_in_every_legend(name: str, study: Study) -> None:
    [chance] = [one for one in figure(name).key(figure(name).data(study), Look.of(study)) if one.get_label().startswith("by chance")]
    assert (chance.get_color(), chance.get_linestyle()) == (CHANCE, "-")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_kept_in_every_form_with_its_numbers_and_the_same_bytes_again(name: str, shown: Study, tmp_path: Path) -> None:
    for place in ("a", "b"):
        drawn(name, figure(name), shown, Look.of(shown), tmp_path / place)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == sorted([f"{name}.{form}" for form in (*FORMATS, "csv", "parquet")])
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    assert (tmp_path / "a" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert "<text" in (tmp_path / "a" / f"{name}.svg").read_text(), "text stays text"


def test_chords_are_the_pairs_that_were_planted_and_no_others(study: Study) -> None:
    found = figure("chord").data(study)
    sure = found[found["panel"] == "m · power ↓ · steering · 8 shots"]
    pairs = {frozenset((row.of, row.other)): row.coupling for row in sure.itertuples()}
    wanted = {frozenset(pair): 1 for pair in combinations(TOGETHER, 2)} | {frozenset((one, APART[0])): -1 for one in TOGETHER}
    assert pairs.keys() == wanted.keys()
    assert all(np.sign(pairs[pair]) == sign for pair, sign in wanted.items())


def test_the_radar_and_the_circle_have_the_planted_values_beyond_chance_and_the_others_not(study: Study) -> None:
    radar, circle = figure("radar").data(study), figure("circumplex").data(study)
    planted = {*TOGETHER, *APART}
    for found, size in ((radar[radar["panel"] == "m · power ↓ · steering"], "share"), (circle[circle["panel"] == "m · steering"], "vat")):
        strongest = found[found["strongest"]].set_index("of")
        assert set(strongest[size].nlargest(4).index) == planted
        assert (strongest.loc[list(planted), size] > 1.5 * strongest.loc[list(planted), "chance"]).all()
        assert (strongest[size].drop(list(planted)) < 1.5 * strongest["chance"].drop(list(planted))).all()
    live = radar[(radar["panel"] == "m · power ↓ · steering") & radar["strongest"]]
    assert (live["share"] ** 2).mean() == pytest.approx(1, abs=0.02), "over replicates the mean of shares whose mean square is 1"


def test_more_pushed_values_than_a_circle_has_room_for_are_shown_at_their_strongest_dose_alone(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = figure("circumplex").data(study)
    monkeypatch.setattr("vat.analyse.figures.circumplex.MOST_WITH_DOSES", 0)
    found = figure("circumplex").data(study)
    assert not whole["strongest"].all()
    pd.testing.assert_frame_equal(found, whole[whole["strongest"]].reset_index(drop=True))
    assert "weakest" not in {handle.get_label() for handle in figure("circumplex").key(found, Look.of(study))}


def test_a_value_that_never_moves_has_no_place_in_the_radar_and_grey_couplings(study: Study) -> None:
    radar, couplings = figure("radar").data(study), figure("couplings").data(study)
    assert "tradition" not in set(radar[radar["model"] == "other"]["of"])
    other = couplings[couplings["model"] == "other"]
    still = (other["of"] == "tradition") | (other["other"] == "tradition")
    assert other[still]["coupling"].isna().all()
    assert other[~still]["coupling"].notna().all()


def test_one_checkpoint_is_a_point_on_its_own_front(study: Study) -> None:
    alone = only(study, lambda jobs: jobs["model"] == "other")
    found = figure("trajectories").data(alone)
    assert len(found) == 1
    assert found["on_front"].all()
    assert len(drawn("trajectories", figure("trajectories"), alone, Look.of(alone)).pages) == 1


def test_what_was_not_measured_is_not_drawn_and_says_what_it_needs(study: Study) -> None:
    bare = replace(study, numbers=study.numbers[study.numbers["statistic"].isin(["gain", "shift"])])
    for name in FIGURES:
        found = drawn(name, figure(name), bare, Look.of(bare))
        assert found.pages == (), name
        assert len(found.data) == 0, name
        assert found.figure.needs.startswith("a job with")


def test_a_gain_that_is_not_told_from_0_leaves_a_cell_out_of_what_divides_by_it(tmp_path: Path) -> None:
    study = study_of([planted_job(tmp_path, push=0.0)])
    for name in ("hubs", "deviations"):
        assert len(figure(name).data(study)) == 0
    assert len(figure("radar").data(study)) == 10


def test_more_panels_than_a_page_takes_go_on_further_pages(study: Study, tmp_path: Path) -> None:
    found = drawn("chord", figure("chord", panels=1), study, Look.of(study), tmp_path)
    assert len(found.pages) == found.data["panel"].nunique() == 3
    assert sorted(path.name for path in tmp_path.glob("*.svg")) == ["chord-1.svg", "chord-2.svg", "chord-3.svg"]


def test_marks_say_their_numbers_and_names_with_markup_are_text(study: Study) -> None:
    jobs = study.jobs.assign(model='<script>alert("1")</script>&')
    [page] = drawn("radar", figure("radar"), replace(study, jobs=jobs), Look.of(study)).pages
    assert "<title>power: " in page
    assert "by chance" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_every_value_has_its_own_place_and_look_whatever_else_is_shown(study: Study) -> None:
    look, alone = Look.of(study), Look.of(only(study, lambda jobs: jobs["model"] == "other"))
    for value in study.theory.values:
        assert (look.turn(value), look.colour(value), look.marker(value)) == (alone.turn(value), alone.colour(value), alone.marker(value))
    assert len({(look.colour(value), look.marker(value)) for value in study.theory.values}) == 10
    turns = sorted(look.turn(value) for value in study.theory.values)
    assert min(np.diff(turns)) > 0.05


def test_one_target_alone_is_drawn_and_a_job_without_a_delta_is_not(tmp_path: Path) -> None:
    study = study_of(
        [steered_job(tmp_path, {"power": 2}, {"power": 3.0, "hedonism": 1.0}), steered_job(tmp_path, {"security": 1}, {"security": None})]
    )
    found = drawn("steerability", figure("steerability"), study, Look.of(study))
    assert found.data[["group", "target", "delta"]].to_numpy().tolist() == [["power", 2.0, 3.0]], "hedonism was not steered"
    assert len(found.pages) == 1
    assert set(figure("refusals").data(study)["target"].dropna()) == {1, 2}, "who has no Δ may have refused"


def test_jobs_of_one_pair_that_ask_the_same_are_one_arrow_whichever_they_are_about(tmp_path: Path) -> None:
    jobs = [
        steered_job(tmp_path, {"power": 2, "hedonism": -1}, {"power": 2.0, "hedonism": -1.0}),
        steered_job(tmp_path, {"hedonism": -1, "power": 2}, {"power": 4.0, "hedonism": -3.0}),
        steered_job(tmp_path, {"power": 1, "hedonism": 1}, {"power": 1.0, "hedonism": None}),
    ]
    [row] = figure("arrows").data(study_of(jobs)).to_dict("records")
    assert (row["first"], row["second"], row["first_delta"], row["second_delta"], row["n"]) == ("power", "hedonism", 3.0, -2.0, 2)
    assert (row["first_low"], row["first_high"]) == (1.5, 4.5), "the widest bounds"


def test_what_is_refused_before_counts_once_and_not_for_each_job(steered: Study) -> None:
    found = figure("refusals").data(steered)
    before = found[(found["panel"] == "m") & found["target"].isna()].iloc[0]
    assert (before["refusals"], before["answers"], before["jobs"]) == (1, 48, 7)
    strong = found[(found["panel"] == "m") & (found["target"] == 2)].iloc[0]
    assert (strong["refusals"], strong["answers"]) == (3 + 3 + 5, 3 * 48)


@pytest.mark.parametrize("name", sorted(OF_INTENSITIES))
def test_thirty_values_and_long_names_can_be_read_and_markup_is_text(name: str, steered: Study) -> None:
    many = _with_thirty_values(steered)
    can_be_read(name, figure(name), many, Look.of(many))
    for page in drawn(name, figure(name), many, Look.of(many)).pages:
        assert "<script" not in page


def _with_thirty_values(steered: Study) -> Study:
    """Thirty values with long names, all steered by themselves, three with all others, and each pair of neighbours in all sixteen ways."""
    values = tuple(f"the_right_to_something_{n}" for n in range(30))
    model = "<script>Organisation/Model-4B-Instruct-2507"
    asked: list[dict[str, int]] = [{value: target} for value in values for target in (-2, -1, 1, 2)]
    asked += [dict(zip(values, (first, -1, *[1] * 28), strict=True)) for first in (-2, 1, 2)]
    asked += [dict(zip(values[:2], (x, y), strict=True)) for x in (-2, -1, 1, 2) for y in (-2, -1, 1, 2)]
    job, number, row = steered.jobs.iloc[0].to_dict(), steered.numbers.iloc[[0]], steered.intensities.iloc[0].to_dict()
    jobs: dict[str, dict[str, Any]] = {}
    rows = []
    for n, targets in enumerate(asked):
        (first, *others), key = targets, f"{n:016x}"
        jobs[key] = job | {"model": model, "value": first, "settings": ""} | {f"strategy.also.{value}": str(targets[value]) for value in others}
        rows += [
            row | {"job": key, "steered": len(targets), "of": value, "target": target, "delta": target}
            | {"delta_low": target - 0.5, "delta_high": target + 0.5}
            for value, target in targets.items()
        ]  # fmt: skip
    specs = tuple(steered.theory.specs[0]._replace(name=value, angle=None) for value in values)
    theory = replace(steered.theory, specs=specs, either_order=(), groups=())
    numbers = pd.concat([number.assign(job=key) for key in jobs], ignore_index=True)
    table = pd.DataFrame.from_dict(jobs, orient="index").rename_axis("job")
    return replace(steered, jobs=table, numbers=numbers, intensities=pd.DataFrame(rows)[list(steered.intensities)], theory=theory)
