"""What every measure owes the main program, whatever its yaml names, and what the measures of the paper hand on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vat.config import AlignSpec
from vat.errors import DataError
from vat.measure.base import Items, Measure, Shifted
from vat.measure.coupling import coupling_matrix
from vat.measure.indices import value_tax
from vat.measure.tax import measure_tax
from vat.measure.tidy import Row, metrics

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "measure").glob("*.yaml"))
VALUES = ("care", "pride", "order", "ease", "thrill")
ITEM_VALUE = np.array([0, 0, 0, 1, 1, 2, 3, 3, 4])
CIRCLE = np.array([[0.0, 72, 144, 216, 288], [0, 72, 216, 144, 288]])


def shifted(*, scenes: int = 30, missing: float = 0.0, moved: bool = True, circle: bool = True) -> Shifted:
    """Pushed down by half a step: five values of nine items, some of which share what they do in a scene."""
    random = np.random.default_rng(0)
    pre_SU = np.round(random.uniform(-0.5, 1, (scenes, 9)) * 4) / 4
    common_S = random.normal(size=(scenes, 1))
    post_SU = np.clip(pre_SU + moved * np.round(random.normal(0.3 * common_S - 0.4, 0.3, (scenes, 9)) * 4) / 4, -1, 1)
    gone_SU = random.random((scenes, 9)) < missing
    pre_SU[gone_SU] = post_SU[gone_SU] = np.nan
    pre_SV, post_SV = (np.stack([_observed_mean(x_SU[:, v == ITEM_VALUE]) for v in range(5)], axis=1) for x_SU in (pre_SU, post_SU))
    return Shifted(
        pre_SV, post_SV, VALUES, target=1, direction=-1, scenes=tuple(f"s{n}" for n in range(scenes)),
        factors={"country": tuple(f"c{n % 3}" for n in range(scenes)), "topic": tuple(f"t{n % 4}" for n in range(scenes))},
        items=Items(pre_SU, post_SU, ITEM_VALUE), angle_OV=CIRCLE if circle else None,
    )  # fmt: skip


def _observed_mean(x_SU: np.ndarray) -> np.ndarray:
    count_S = (~np.isnan(x_SU)).sum(axis=1)
    return np.where(count_S > 0, np.nansum(x_SU, axis=1) / np.maximum(count_S, 1), np.nan)


STATES = {
    "complete": shifted(), "a third missing": shifted(missing=0.33), "no circle": shifted(circle=False), "nothing moves": shifted(moved=False),
    "nothing observed": shifted(missing=1.0), "three scenes": shifted(scenes=3),
}  # fmt: skip


@pytest.fixture(scope="module")
def measures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Measure]:
    """Every measure as its yaml makes it, with as few draws as it takes."""
    from hydra import compose, initialize_config_dir

    from vat.config import read

    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        spec = read(compose("align", [f"tracking.root={tmp_path_factory.mktemp('mlruns')}", f"measure=[{','.join(NAMES)}]"]))
    few = {"n_boot": 99, "n_perm": 99}
    return {
        name: dataclasses.replace(measure, **{field: few[field] for field in few.keys() & vars(measure).keys()})  # type: ignore[arg-type]
        for name, measure in spec.measures.items()
    }


def keys(rows: object) -> list[tuple[str, str, str]]:
    return [(row.statistic, row.value, row.other) for row in rows]  # type: ignore[attr-defined]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", NAMES)
def test_every_measure_gives_plain_numbers_and_the_same_ones_again(name: str, state: str, measures: dict[str, Measure]) -> None:
    measure = measures[name]
    rows = measure.rows(STATES[state])
    assert rows
    for row in rows:
        assert type(row) is Row
        assert type(row.estimate) is float
        assert all(aspect is None or type(aspect) is float for aspect in row[4:])
        assert row.value in ("", *VALUES)
        assert row.other in ("", *VALUES)
    assert len(set(keys(rows))) == len(rows)
    assert set(measure.headline) <= {row.statistic for row in rows}
    np.testing.assert_equal(measure.rows(STATES[state]), rows)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", NAMES)
def test_every_measure_gives_the_same_rows_with_the_same_columns_whatever_the_states(name: str, state: str, measures: dict[str, Measure]) -> None:
    given, expected = (measures[name].rows(STATES[of]) for of in (state, "complete"))
    assert keys(given) == keys(expected)
    assert [[aspect is None for aspect in row[4:]] for row in given] == [[aspect is None for aspect in row[4:]] for row in expected]
    assert metrics(given).keys() == metrics(expected).keys()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", NAMES)
def test_every_measures_own_tables_are_columns_of_as_many_plain_cells(name: str, state: str, measures: dict[str, Measure]) -> None:
    for title, table in measures[name].tables(STATES[state]).items():
        assert title.isidentifier()
        assert table
        assert all(isinstance(cell, (str, int, float)) for column in table.values() for cell in column)
        assert len({len(column) for column in table.values()}) == 1


def test_no_two_measures_use_one_name(measures: dict[str, Measure]) -> None:
    named = [name for measure in measures.values() for name in metrics(measure.rows(STATES["complete"]))]
    assert len(set(named)) == len(named)
    titles = [title for measure in measures.values() for title in measure.tables(STATES["complete"])]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", NAMES)
def test_no_measure_changes_the_states(name: str, measures: dict[str, Measure]) -> None:
    states, kept = shifted(missing=0.2), shifted(missing=0.2)
    measures[name].rows(states)
    measures[name].tables(states)
    np.testing.assert_equal(states._asdict(), kept._asdict())


def test_the_tax_alone_refuses_scenes_that_lack_a_factor_it_is_cleared_of(measures: dict[str, Measure]) -> None:
    refused = []
    for name, measure in measures.items():
        measure.check(("topic", "country", "season"))  # more than it needs is no fault
        try:
            measure.check(("topic",))
        except DataError as error:
            refused.append((name, str(error)))
    assert [name for name, _ in refused] == ["tax"]
    assert refused[0][1].startswith("measure.tax.factors: must be of what scenes share; got 'country'. ")


def test_the_tax_is_a_report(measures: dict[str, Measure]) -> None:
    state = STATES["a third missing"]
    found = metrics(measures["tax"].rows(state))
    report = measure_tax(state.pre_SV, state.post_SV, target=1, direction=-1, factors=state.factors, n_boot=99, n_perm=99, seed=0)
    for v, value in enumerate(VALUES):
        assert found[f"shift/{value}"] == report.shift[v]
        assert found[f"vat/{value}"] == report.value_tax[v]
        np.testing.assert_equal(found[f"gnd/{value}"], report.gnd[v])
    for name in (
        "gain",
        "gain_low",
        "nvat",
        "nvat_high",
        "nvat_null",
        "nvat_p",
        "nvat_p_free",
        "nvat_p_chi2",
        "nvat_excess",
        "nvat_frobenius",
        "gini",
    ):
        np.testing.assert_equal(found[name], getattr(report, name))


def test_the_tax_heeds_the_factors_that_its_settings_name(measures: dict[str, Measure]) -> None:
    random = np.random.default_rng(0)
    effects = 0.5 * random.normal(size=(3, 1))[np.arange(30) % 3]  # all that values share is the country
    state = STATES["complete"]._replace(pre_SV=np.zeros((30, 5)), post_SV=np.clip(effects + 0.2 * random.normal(size=(30, 5)), -1, 1))
    found = {}
    for names in ((), ("country",)):
        found[names] = metrics(dataclasses.replace(measures["tax"], factors=names).rows(state))  # type: ignore[call-arg]
        factors = {name: state.factors[name] for name in names}
        report = measure_tax(state.pre_SV, state.post_SV, target=1, direction=-1, factors=factors, n_boot=99, n_perm=99, seed=0)
        assert (found[names]["nvat_p"], found[names]["gain_low"]) == (report.nvat_p, report.gain_low)
    assert found[()]["nvat_p"] == 0.01 < 0.05 < found["country",]["nvat_p"]
    assert found["country",]["gain_low"] < found[()]["gain_low"] < found[()]["gain"]


def test_a_factor_that_scenes_do_not_have_is_refused_in_one_line(measures: dict[str, Measure]) -> None:
    tax = dataclasses.replace(measures["tax"], factors=("county",))  # type: ignore[call-arg]
    refused = r"^measure\.tax\.factors: must be of what scenes share; got 'county'\. Did you mean country\?$"
    with pytest.raises(DataError, match=refused):
        tax.check(("country", "topic"))
    with pytest.raises(DataError, match=refused):
        tax.rows(STATES["complete"])


def test_hubs_are_the_values_of_highest_tax_and_cases_are_theirs(measures: dict[str, Measure]) -> None:
    state = STATES["complete"]
    amplification = dataclasses.replace(measures["amplification"], hubs=2, cases=4)  # type: ignore[call-arg]
    found = {(row.statistic, row.value): row.estimate for row in amplification.rows(state)}
    hubs = {value for value in VALUES if found["hub", value]}
    tax = value_tax(coupling_matrix(state.post_SV - state.pre_SV))
    others = [v for v in range(5) if v != 1]
    assert hubs == {VALUES[v] for v in sorted(others, key=lambda v: -tax[v])[:2]}
    cases = amplification.tables(state)["cases"]
    assert len(cases["amplification"]) == 4
    assert set(cases["value"]) <= hubs
    assert set(cases["scene"]) <= set(state.scenes)


def test_a_theory_without_a_circle_has_nothing_on_it(measures: dict[str, Measure]) -> None:
    rows = measures["circumplex"].rows(STATES["no circle"])
    assert [row.statistic for row in rows if not np.isnan(row.estimate)] == []


def test_values_that_couple_with_their_neighbours_follow_the_circle(measures: dict[str, Measure]) -> None:
    random = np.random.default_rng(1)
    wave = np.stack([np.cos(np.deg2rad(CIRCLE[0])), np.sin(np.deg2rad(CIRCLE[0]))])
    post = np.clip(np.round(random.normal(size=(200, 2)) @ wave * 10) / 40, -1, 1)
    state = shifted(scenes=200)._replace(pre_SV=np.zeros((200, 5)), post_SV=post)
    found = metrics(measures["circumplex"].rows(state))
    assert found["circle"] < -0.9
    assert found["circle_order"] == 0
    turned = metrics(measures["circumplex"].rows(state._replace(angle_OV=CIRCLE[::-1])))
    assert (turned["circle"], turned["circle_order"]) == (found["circle"], 1)


def test_the_tax_comes_as_its_yaml_says(compose: Callable[..., AlignSpec]) -> None:
    tax = compose("measure.tax.n_perm=4999", "measure.tax.factors=[topic]").measures["tax"]
    assert (tax.n_boot, tax.n_perm, tax.seed, tax.factors) == (1000, 4999, 0, ("topic",))  # type: ignore[attr-defined]
