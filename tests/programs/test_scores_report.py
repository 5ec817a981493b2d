"""`-cn report scores=…`: sets of scores by judges of known sharpness, and databases, as tables and figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hydra import compose, initialize_config_dir

from tests.analyse.readable import can_be_read
from tests.elicit.desks import Speaker
from tests.programs.test_vidb import Levels, corpus, intensity_spec, vidb_spec
from vat.analyse.figures.base import Figure
from vat.analyse.scores import Scores, scores_of
from vat.analyse.scores_tables import instability_table
from vat.analyse.style import Look
from vat.config import ReportSpec, read_report
from vat.errors import ConfigError, DataError
from vat.models.base import Model
from vat.nodes import build
from vat.programs.intensity import score_responses
from vat.programs.report import report
from vat.programs.vidb import make_database
from vat.types import Prompt

CONF = Path(__file__).parents[2] / "conf"
EVIL = "<b>x</b>"
FIGURES = sorted(path.stem for path in (CONF / "scores_figure").glob("*.yaml"))


class Named(Levels):
    """A judge of a known sharpness and name; it rates with noise of its own, and otherwise in other words."""

    def __init__(self, name: str, sharp: float) -> None:
        super().__init__(sharp)
        self._name, ranking = name, self.say

        def say(prompt: Prompt) -> str:
            asked = prompt.messages[0].content
            if "[1]" in asked:
                return ranking(prompt)
            level = float(asked.split("level ")[1].split()[0])
            noise = np.random.default_rng(list(f"{name}{asked}".encode())).normal(0, 3)
            return f"{np.clip(level + noise, -10, 10):.1f}"

        self.say = say

    @property
    def label(self) -> str:
        return self._name

    def identity(self) -> dict[str, object]:
        return {"levels": self._sharp, "name": self._name}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    root = folder / "mlruns"
    for m in (3, 20):
        make_database(
            vidb_spec(root, "values=[power]", f"database.corpus={corpus(folder)}", f"database.iterations={m}", f"name=m{m}", judge=Levels(1.0))
        )
    level = np.random.default_rng(2).uniform(-6, 6, 40).round(2)
    responses = [{"text": f"Answer {n} of level {x:+.2f} it is.", "value": "power", "direction": int(np.sign(x))} for n, x in enumerate(level)]
    pd.DataFrame(responses).to_csv(folder / "answers.csv", index=False)

    def score(name: str, judge: Model, *overrides: str) -> None:
        score_responses(intensity_spec(root, folder / "answers.csv", "values=[power]", "vidb=m20", f"name={name}", *overrides, judge=judge))

    for size in (3, 5):
        score(f"size-{size}", Named("sharp", 1.0), f"evaluator.size={size}")
    score("few", Named("sharp", 1.0), "evaluator.iterations=1")
    score("again", Named("sharp", 1.0))  # as ranking-h-0: the same set under two names counts once
    for judge in (Named("sharp", 1.0), Named(EVIL, 0.2)):
        for method in ("ranking", "rating"):
            for wording in (0, 1):
                score(f"{method}-{judge.label[1]}-{wording}", judge, f"evaluator={method}", f"evaluator.wording={wording}")
    return root


@pytest.fixture(scope="module")
def scores(root: Path) -> Scores:
    return scores_of([folder for kind in ("intensity", "vidb") for folder in sorted((root / kind).iterdir())])


@pytest.fixture
def asked(root: Path) -> Callable[..., ReportSpec]:
    def made(*overrides: str) -> ReportSpec:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return read_report(compose("report", [f"tracking.root={root}", *overrides]))

    return made


def figure(name: str) -> Figure:
    built: Figure = build("scores_figure", yaml.safe_load((CONF / "scores_figure" / f"{name}.yaml").read_text()))
    return built


def of_set(root: Path, name: str) -> np.ndarray:
    return pd.read_parquet(root / "intensity" / name / "scores.parquet")["intensity"].to_numpy()


def test_the_table_of_instability_has_the_numbers_of_the_scores_themselves(root: Path, scores: Scores) -> None:
    table = instability_table(scores)
    assert table is not None
    first, second = (of_set(root, f"rating-{judge}-0") for judge in "hb")
    other = of_set(root, "rating-h-1"), of_set(root, "rating-b-1")
    numbers = table.data["rating"]
    assert numbers["variance between judges"] == pytest.approx(np.mean([(first - second) ** 2 / 2, (other[0] - other[1]) ** 2 / 2]))
    assert numbers["change with the wording"] == pytest.approx(np.mean([np.abs(first - other[0]), np.abs(second - other[1])]))
    assert 6 < numbers["variance between judges"] < 12, "noise of variance nine was planted"
    assert table.data.loc["pairs in the order of labels", "ranking"] > 0.8
    low, high = (table.data.loc["variance between judges", f"ranking − rating {end}"] for end in ("low", "high"))
    assert low < table.data.loc["variance between judges", "ranking − rating"] < high
    assert list(table.shown.columns) == ["number", "rating", "ranking", "ranking − rating"], "other sizes and numbers of windows have one set each"


def test_figures_show_what_depends_on_windows_and_judges(root: Path, scores: Scores) -> None:
    steady = figure("sensitivity").data(scores)
    assert steady.groupby("varied")["at"].apply(list).to_dict() == {"size": [3, 5, 6], "iterations": [1, 3]}
    assert steady[(steady["varied"] == "size") & (steady["at"] == 6)]["change"].tolist() == [0]
    [change] = steady[(steady["varied"] == "iterations") & (steady["at"] == 1)]["change"]
    assert change == pytest.approx(np.abs(of_set(root, "few") - of_set(root, "ranking-h-0")).mean())
    judges = figure("by_judge").data(scores)
    assert judges.groupby("panel", sort=False)["judge"].apply(sorted).to_dict() == {
        "ranking · windows of 6, 3 a response": [EVIL, "sharp"], "ranking · windows of 6, 3 a response · wording 1": [EVIL, "sharp"],
        "rating": [EVIL, "sharp"], "rating · wording 1": [EVIL, "sharp"],
    }  # fmt: skip
    right = figure("accuracy").data(scores)
    database = right[right["panel"].str.startswith("database")]
    assert database["at"].tolist() == [3, 20]
    assert 0.7 < database["share"].iloc[0] < database["share"].iloc[1] <= 1
    bias = figure("position_bias").data(scores)
    assert set(bias[bias["size"] == 6]["judge"]) == {"sharp", EVIL}
    assert bias[(bias["size"] == 6) & (bias["judge"] == "sharp")]["share"].sum() == pytest.approx(1)
    of_sharp = scores.bias[(scores.bias["size"] == 6) & (scores.bias["judge"] == "sharp")]["windows"]
    assert of_sharp.nunique() > 1, "that of few is smaller"
    assert set(bias[(bias["size"] == 6) & (bias["judge"] == "sharp")]["windows"]) == {of_sharp.max()}
    assert bias[bias["size"] == 2]["place"].tolist() == [1], "of two places one says it all"
    assert ((bias["low"] <= bias["share"]) & (bias["share"] <= bias["high"])).all()


@pytest.mark.parametrize("name", FIGURES)
def test_a_page_can_be_read_no_text_lies_on_another_or_outside(name: str, scores: Scores) -> None:
    can_be_read(name, figure(name), scores, Look(scores.theory, []))


def test_the_report_is_a_page_with_tables_and_figures_in_every_form(asked: Callable[..., ReportSpec], capsys: pytest.CaptureFixture[str]) -> None:
    folder = report(asked("scores=[size-*,few,ra*,m*]"))
    page = (folder / "index.html").read_text()
    assert EVIL not in page
    assert "&lt;b&gt;x" in page
    assert page.count("<svg") >= len(FIGURES)
    assert "Rating or ranking?" in page
    assert {path.name for path in (folder / "tables").iterdir()} == {
        f"{name}.{form}" for name in ("instability", "scores") for form in ("csv", "parquet", "tex", "html")
    }
    assert {path.stem for path in (folder / "figures").glob("*.pdf")} == set(FIGURES)
    said = capsys.readouterr().out
    assert "variance between judges" in said
    assert "ranking-h-0" in said


def test_of_a_single_set_there_is_no_comparison_and_figures_say_what_they_need(asked: Callable[..., ReportSpec]) -> None:
    folder = report(asked("scores=few"))
    page = (folder / "index.html").read_text()
    assert "Rating or ranking?" not in page
    assert "scores of the same responses by two judges" in page
    assert [path.stem for path in (folder / "figures").glob("*.pdf")] == ["position_bias"]


def test_a_label_counts_for_the_value_that_it_is_of_and_no_other(root: Path, tmp_path: Path) -> None:
    [whole] = scores_of([root / "intensity" / "few"]).sets.to_dict("records")
    folder = shutil.copytree(root / "intensity" / "few", tmp_path / "intensity" / "two")
    power = pd.read_parquet(folder / "scores.parquet")
    pd.concat([power, power.assign(value="hedonism", intensity=-power["intensity"])]).to_parquet(folder / "scores.parquet")
    found = scores_of([folder])
    assert found.responses.groupby("of")["label"].count().to_dict() == {"hedonism": 0, "power": 40}
    assert [found.sets[name][0] for name in ("sign_right", "ranked_right")] == [whole["sign_right"], whole["ranked_right"]]


def test_judges_of_one_name_are_told_apart_by_what_they_differ_in(root: Path, tmp_path: Path) -> None:
    for n, sway in enumerate((0.1, 0.2)):
        shutil.copytree(root / "intensity" / "few", tmp_path / "intensity" / str(n))
        path = tmp_path / "intensity" / str(n) / "identity.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"judge": {"name": "sharp", "template_options": {"sway": sway}}}))
    found = scores_of(sorted((tmp_path / "intensity").iterdir()))
    assert found.sets["judge"].tolist() == ["sharp template_options.sway=0.1", "sharp template_options.sway=0.2"]


def test_what_cannot_be_reported_is_one_line(asked: Callable[..., ReportSpec], root: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^scores=sise-3: must be in .+/intensity, or beside it in vidb; got nothing of that name\. Did you mean size-3\?"
    ):
        report(asked("scores=sise-3"))
    with pytest.raises(ConfigError, match=r"^report: must be about one of sweep, runs, filter and scores; got none, or several"):
        asked("scores=few", "sweep=mine")
    with pytest.raises(DataError, match="must be about at least one finished set of scores; got none"):
        scores_of([])
    for name in ("few", "other", "begun"):
        shutil.copytree(root / "intensity" / "few", tmp_path / "intensity" / name)
    (tmp_path / "intensity" / "begun" / "result.json").unlink()
    with pytest.raises(DataError, match=r"^scores=begun: must be finished; got \S+/begun without a result\. Run its -cn intensity again"):
        scores_of([tmp_path / "intensity" / "begun"])
    path = tmp_path / "intensity" / "other" / "result.json"
    result = json.loads(path.read_text())
    path.write_text(json.dumps(result | {"theory": result["theory"] | {"name": "mine"}}))
    with pytest.raises(DataError, match=r"must be of one theory; got svt in few and mine in other\. Make one report for each"):
        scores_of([tmp_path / "intensity" / name for name in ("few", "other")])
    path.write_text("{")
    with pytest.raises(DataError, match=r"result\.json: must be JSON"):
        scores_of([path.parent])


def test_a_judge_with_one_reply_for_everything_has_no_scores_and_the_report_goes_on(root: Path, tmp_path: Path) -> None:
    answers = root.parent / "answers.csv"
    shutil.copytree(root / "vidb" / "m20", tmp_path / "vidb" / "m20")
    for name, judge in (("rote", Speaker(lambda prompt: "1 > 2 > 3 > 4 > 5 > 6")), ("well", Named("sharp", 1.0))):
        score_responses(intensity_spec(tmp_path, answers, "values=[power]", "vidb=m20", f"name={name}", judge=judge))
    found = scores_of([tmp_path / "intensity" / name for name in ("rote", "well")])
    assert found.sets.set_index("name")["ranked_right"].isna().to_dict() == {"rote": True, "well": False}
    table = instability_table(found)
    assert table is not None
    assert table.shown.loc[0, "ranking"] == "– [–, –]"
