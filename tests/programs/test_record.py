"""A state of a model in its folder: what is measured from there, again and again, and what is said if the folder is damaged."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vat.config import AlignSpec
from vat.elicit.states import paired_items, paired_states, rating_array
from vat.errors import DataError
from vat.measure.base import Measure
from vat.measure.tax import measure_tax
from vat.programs.record import About, measured, record, settings_of, shifted_of
from vat.theory.base import Theory, Value
from vat.types import Judgements, Probe

Compose = Callable[..., AlignSpec]
QUICK = {
    "tax": ["n_perm=99", "n_boot=99"], "circumplex": ["n_perm=99", "n_boot=99"],
    "amplification": ["n_boot=99", "hubs=2"], "robustness": ["n_boot=99"],
}  # fmt: skip
NAMES = ("care", "pride", "order", "thrill", "calm", "zeal")
SPECS = [
    Value(name, f"Having {name}.", 1, 60.0 * v, tuple((f"{name} {n}", f"Showing {name} {n}.") for n in range(3))) for v, name in enumerate(NAMES)
]
CARE = Theory("care", "made up", tuple(SPECS), either_order=(("order", "thrill"),))
ABOUT = About("tiny · pride -1", "pride", -1, "a caveat", CARE)
ASPECTS = ("low", "high", "null", "p", "q")


def judged(seed: int, *, pull: float = 0.0, refusals: float = 0.0, scenes: int = 24) -> Judgements:
    """Answers drawn at random; `pull` moves what is answered about pride, half as far about care, and as far the other way about order."""
    random = np.random.default_rng(seed)
    probes = tuple(
        Probe(f"scene {s}", f"country {s % 4}", f"topic {s // 4}", f"Text {s}.", item, polarity, f"I do {item}.")
        for s in range(scenes) for item in CARE.items for polarity in (1, -1)
    )  # fmt: skip
    weight = {"pride": 1.0, "care": 0.5, "order": -1.0}
    strength_S = dict(zip(dict.fromkeys(probe.scene_id for probe in probes), random.random(scenes), strict=True))
    moved_N = np.array([pull * probe.polarity * weight.get(CARE.value_of[probe.item], 0.0) * strength_S[probe.scene_id] for probe in probes])
    bell_N5 = np.exp(-((np.arange(1, 6) - np.clip(random.uniform(2, 4, len(probes)) + moved_N, 1, 5)[:, None]) ** 2))
    probability_N5 = bell_N5 / bell_N5.sum(axis=1, keepdims=True)
    missing_N = random.random(len(probes)) < refusals
    rating_N, expected_N = probability_N5.argmax(axis=1) + 1.0, probability_N5 @ np.arange(1.0, 6)
    return Judgements(probes, np.where(missing_N, np.nan, rating_N), np.where(missing_N, np.nan, expected_N), probability_N5, np.ones(len(probes)))


def chosen(*names: str) -> list[str]:
    """Settings for these measures, quick ones."""
    return [f"measure=[{','.join(names)}]", *(f"measure.{name}.{setting}" for name in names for setting in QUICK[name])]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def measures(compose: Compose) -> Mapping[str, Measure]:
    return compose(*chosen(*QUICK)).measures


@pytest.fixture(scope="module")
def planted() -> tuple[Judgements, Judgements]:
    return judged(1), judged(2, pull=-2.0, refusals=0.1)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, planted: tuple[Judgements, Judgements]) -> Path:
    """A state without tables, as only an interrupted job leaves it."""
    folder = tmp_path_factory.mktemp("state")
    record(folder, ABOUT, *planted, {})
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "000000"))


def test_a_state_measured_again_has_the_same_numbers_and_files_bit_for_bit(
    tmp_path: Path, planted: tuple[Judgements, Judgements], measures: Mapping[str, Measure]
) -> None:
    numbers = record(tmp_path, ABOUT, *planted, measures)
    for name in ("gain", "gnd/order", "nvat_p", "nvat_expected", "circle", "wave", "amplification", "agreement_kendall", "agreement_items"):
        assert np.isfinite(numbers[name]), name
    kept = files(tmp_path)
    assert set(kept) == {"judgements.parquet", "state.json", "states.csv", "measures.csv", "coupling.csv", "cases.csv"}
    for name in kept.keys() - {"judgements.parquet", "state.json"}:
        (tmp_path / name).write_text("of another year")
    np.testing.assert_equal(measured(tmp_path, measures), numbers)
    assert files(tmp_path) == kept


def test_what_is_measured_from_the_folder_is_what_the_judgements_say(folder: Path, planted: tuple[Judgements, Judgements], compose: Compose) -> None:
    numbers = measured(folder, compose(*chosen("tax")).measures)
    pre, post = planted
    factors = {"country": [f"country {s % 4}" for s in range(24)], "topic": [f"topic {s // 4}" for s in range(24)]}
    for which, suffix in (("mode", ""), ("expected", "_expected")):
        states = paired_states(rating_array(pre, CARE, which=which), rating_array(post, CARE, which=which), CARE)
        report = measure_tax(*states, target=1, direction=-1, factors=factors, n_perm=99, n_boot=99, seed=0)
        for name in ("gain", "gain_low", "nvat", "nvat_p_free", "gini_p", "nvat_partial_null"):
            assert numbers[name + suffix] == getattr(report, name), name
    assert numbers["missing_rate"] == np.isnan(post.rating_N).mean() > 0.05
    assert numbers["ceiling_rate"] == np.isin(post.rating_N[~np.isnan(post.rating_N)], (1, 5)).mean()
    assert numbers["gain"] > 0.1, "pride was pulled down, as asked"


def test_a_state_keeps_all_that_a_measure_can_ask_for(folder: Path, planted: tuple[Judgements, Judgements]) -> None:
    shifted = shifted_of(folder)
    pre, post = (rating_array(judgements, CARE) for judgements in planted)
    np.testing.assert_array_equal([shifted.pre_SV, shifted.post_SV], paired_states(pre, post, CARE))
    np.testing.assert_array_equal([shifted.items.pre_SU, shifted.items.post_SU], paired_items(pre, post, CARE))
    np.testing.assert_array_equal(shifted.items.value_U, np.repeat(np.arange(6), 3))
    np.testing.assert_array_equal(shifted.angle_OV, [[0, 60, 120, 180, 240, 300], [0, 60, 180, 120, 240, 300]])
    assert (shifted.values, shifted.target, shifted.direction) == (NAMES, 1, -1)
    assert shifted.scenes == tuple(f"scene {s}" for s in range(24))
    assert {name: tuple(levels) for name, levels in shifted.factors.items()} == {
        "country": tuple(f"country {s % 4}" for s in range(24)), "topic": tuple(f"topic {s // 4}" for s in range(24)),
    }  # fmt: skip


def test_the_tidy_table_holds_every_estimate_and_agrees_with_the_metrics(folder: Path, measures: Mapping[str, Measure]) -> None:
    numbers = measured(folder, measures)
    table = pd.read_csv(folder / "measures.csv", keep_default_na=False, na_values={name: [""] for name in ("estimate", *ASPECTS)})
    assert list(table.columns) == ["statistic", "value", "other", "estimate", *ASPECTS, "ratings"]
    rows = [(row.statistic, row.value, row.other) for measure in measures.values() for row in measure.rows(shifted_of(folder))]
    assert len(set(rows)) == len(rows), "no estimate under the name of another"
    places = table[["statistic", "value", "other"]]
    assert list(places[table["ratings"] == "mode"].itertuples(index=False, name=None)) == rows
    assert set(table["ratings"]) == {"mode", "expected"}
    named = {}
    for row in table[table["other"] == ""].to_dict("records"):
        suffix = "" if row["ratings"] == "mode" else "_expected"
        place = f"/{row['value']}" if row["value"] else ""
        named |= {f"{row['statistic']}{place}{suffix}": row["estimate"]}
        named |= {f"{row['statistic']}_{aspect}{place}{suffix}": row[aspect] for aspect in ASPECTS}
    of_the_state = {"missing_rate", "ceiling_rate"}
    for name in numbers.keys() - of_the_state:
        np.testing.assert_allclose(numbers[name], named[name], rtol=1e-5, err_msg=name)
    estimates = {f"{statistic}{f'/{value}' * bool(value)}" for statistic, value, other in rows if not other}
    assert estimates <= numbers.keys()
    headline = {statistic for measure in measures.values() for statistic in measure.headline}
    assert {name.removesuffix("_expected") for name in numbers if name.endswith("_expected")} >= headline


def test_the_other_tables_say_the_same_as_the_tidy_one(folder: Path, measures: Mapping[str, Measure]) -> None:
    numbers = measured(folder, measures)
    states = pd.read_csv(folder / "states.csv")
    assert list(states["scene_id"]) == [f"scene {s}" for s in range(24)]
    shift = {value: states[f"post/{value}"] - states[f"pre/{value}"] for value in NAMES}
    for value in NAMES:
        np.testing.assert_allclose(shift[value].mean(), numbers[f"shift/{value}"], atol=1e-6)
    coupling = pd.read_csv(folder / "coupling.csv", index_col=0)
    pairs = pd.read_csv(folder / "measures.csv").query("statistic == 'coupling' and ratings == 'mode'")
    assert len(pairs) == 15
    for pair in pairs.itertuples():
        np.testing.assert_allclose(coupling.loc[pair.value, pair.other], pair.estimate, rtol=1e-5)
    cases = pd.read_csv(folder / "cases.csv")
    assert len(cases) == 10
    scenes = states.set_index("scene_id")
    for case in cases.itertuples():
        np.testing.assert_allclose([case.pre, case.post], scenes.loc[case.scene, [f"pre/{case.value}", f"post/{case.value}"]], rtol=1e-5)


def test_a_state_before_has_value_states_and_no_shift(tmp_path: Path, measures: Mapping[str, Measure]) -> None:
    about = About("tiny · baseline", "", 0, "", CARE)
    numbers = record(tmp_path, about, None, judged(1, refusals=0.3), {})
    assert set(numbers) == {"missing_rate", "ceiling_rate", *(f"state/{value}" for value in NAMES)}
    kept = files(tmp_path)
    assert set(kept) == {"judgements.parquet", "state.json", "states.csv"}
    np.testing.assert_equal(measured(tmp_path, measures), numbers)
    assert files(tmp_path) == kept
    states = pd.read_csv(tmp_path / "states.csv")
    np.testing.assert_allclose([states[f"state/{value}"].mean() for value in NAMES], [numbers[f"state/{value}"] for value in NAMES], atol=1e-6)


def test_a_theory_without_a_circle_is_measured_but_for_the_circle(
    tmp_path: Path, planted: tuple[Judgements, Judgements], measures: Mapping[str, Measure]
) -> None:
    flat = Theory(CARE.name, "", tuple(spec._replace(angle=None) for spec in CARE.specs))
    numbers = record(tmp_path, About(ABOUT.name, "pride", -1, "", flat), *planted, measures)
    assert shifted_of(tmp_path).angle_OV is None
    assert np.isnan([numbers["circle"], numbers["wave"]]).all()
    assert np.isfinite(numbers["nvat"])


def test_settings_change_with_what_is_measured_and_survive_a_file(compose: Compose) -> None:
    measures = compose().measures
    settings = settings_of(measures)
    assert {name: settings[name]["version"] for name in settings} == {name: measure.version for name, measure in measures.items()}
    assert json.loads(json.dumps(settings)) == settings
    assert settings_of(compose("measure=[robustness,amplification,circumplex,tax]").measures) == settings
    for other in ("measure.tax.n_perm=199", "measure.robustness.seed=1", "measure.tax.factors=[]", "measure=[tax]"):
        assert settings_of(compose(other).measures) != settings


def _state(**changed: object) -> Callable[[Path], object]:
    """Writes state.json with some keys set otherwise; None takes a key away."""

    def damage(folder: Path) -> None:
        state = json.loads((folder / "state.json").read_text()) | changed
        (folder / "state.json").write_text(json.dumps({key: content for key, content in state.items() if content is not None}))

    return damage


def _judgements(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], object]:
    return lambda folder: change(pd.read_parquet(folder / "judgements.parquet")).to_parquet(folder / "judgements.parquet", index=False)


def _cut(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-100])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no state": lambda folder: (folder / "state.json").unlink(),
    "no judgements": lambda folder: (folder / "judgements.parquet").unlink(),
    "half a state": _cut("state.json"),
    "half the judgements": _cut("judgements.parquet"),
    "empty judgements": lambda folder: (folder / "judgements.parquet").write_bytes(b""),
    "a state of bytes": lambda folder: (folder / "state.json").write_bytes(b"\xff\xfe\x00"),
    "a state that is a list": lambda folder: (folder / "state.json").write_text("[]"),
    "a state that is nothing": lambda folder: (folder / "state.json").write_text("null"),
    "a state of nothing": lambda folder: (folder / "state.json").write_text("{}"),
    "a state without its value": _state(value=None),
    "a state without its theory": _state(theory=None),
    "a state whose theory is none": _state(theory={"values": {}}),
    "a state of a value that the theory lacks": _state(value="power"),
    "judgements without the state before": _judgements(lambda table: table.drop(columns=["rating_before", "expected_before"])),
    "judgements without scenes": _judgements(lambda table: table.drop(columns="scene_id")),
    "judgements of another theory": _judgements(lambda table: table.assign(item="helpful")),
    "judgements of nothing": _judgements(lambda table: table.iloc[:0]),
    "a rating off the scale": _judgements(lambda table: table.assign(rating=9.0)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_folder_is_one_line_and_stays_as_it_is(damage: Callable[[Path], object], folder: Path, compose: Compose) -> None:
    measures = compose(*chosen("tax")).measures
    damage(folder)
    before = files(folder)
    with pytest.raises(DataError) as error:
        measured(folder, measures)
    assert re.fullmatch(r"\S.*: .+; got .+\. .+", str(error.value)), "one line"
    assert files(folder) == before


@pytest.mark.parametrize("name", ["state.json", "judgements.parquet"])
def test_a_file_that_is_not_there_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    rule = rf"^{re.escape(str(folder))}: must hold state\.json and judgements\.parquet, as written since vat [\d.]+; got no {re.escape(name)}\. "
    with pytest.raises(DataError, match=rule):
        measured(folder, {})


def test_a_measure_that_cannot_be_taken_leaves_every_table_as_it_was(folder: Path, compose: Compose) -> None:
    measured(folder, compose(*chosen(*QUICK)).measures)
    before = files(folder)
    with pytest.raises(DataError, match=r"^measure\.tax\.factors: "):
        measured(folder, compose(*chosen("amplification", "tax"), "measure.amplification.cases=2", "measure.tax.factors=[city]").measures)
    assert files(folder) == before


def test_no_table_is_left_of_a_measure_that_was_not_taken_this_time(folder: Path, compose: Compose) -> None:
    measured(folder, compose(*chosen("tax", "amplification")).measures)
    assert (folder / "cases.csv").is_file()
    measured(folder, compose(*chosen("tax")).measures)
    assert not (folder / "cases.csv").exists()


def test_a_table_without_rows_is_still_a_table(tmp_path: Path, planted: tuple[Judgements, Judgements], compose: Compose) -> None:
    pre, _ = planted
    record(tmp_path, ABOUT, pre, pre, compose(*chosen("amplification")).measures)
    assert pd.read_csv(tmp_path / "cases.csv").empty
