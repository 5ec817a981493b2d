"""A database of value intensities, and responses scored against it, by judges whose sharpness is known."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.elicit.desks import Speaker
from tests.intensity.simulated import rank
from vat.config_texts import IntensitySpec, VidbSpec, read_intensity, read_vidb
from vat.errors import BackendError, ConfigError, DataError, VatError
from vat.intensity.anchors import ANCHORS, read_anchors
from vat.intensity.database import COLUMNS
from vat.models.base import Model
from vat.programs.intensity import score_responses
from vat.programs.vidb import make_database
from vat.track.dataset_run import DatasetRun
from vat.types import Prompt

ROOT = Path(__file__).parents[2]
SMALL = ("values=[power,face]", "database.texts=24", "database.iterations=6")


class Levels(Speaker):
    """Ranks texts that tell their own intensity ("level +3.50 …") as a Plackett–Luce judge of a known sharpness does, by a hash of the question."""

    def __init__(self, sharp: float) -> None:
        super().__init__(self._ranking)
        self._sharp = sharp

    def identity(self) -> dict[str, object]:
        return {"levels": self._sharp}

    def _ranking(self, prompt: Prompt) -> str:
        asked = prompt.messages[0].content
        levels = [float(level) for level in re.findall(r"^\[\d\] .*?level ([+-][\d.]+)", asked, re.M)]
        seed = hashlib.sha256(f"{asked}{prompt.draw}".encode()).digest()
        luck = np.random.default_rng(np.frombuffer(seed, dtype=np.uint32))
        order = (rank([levels], sharpness=self._sharp, rng=luck)[0] + 1).tolist()
        return str(order[0]) if len(order) == 2 else " > ".join(map(str, order))


def vidb_spec(root: Path, *overrides: str, judge: Model | None = None, **changes: Any) -> VidbSpec:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        spec = read_vidb(compose("vidb", ["model=scripted", f"tracking.root={root}", *overrides]))
    return replace(spec, **({"judges": {"first": judge}} if judge else {}), **changes)


def intensity_spec(root: Path, responses: Path, *overrides: str, judge: Model | None = None) -> IntensitySpec:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        spec = read_intensity(compose("intensity", ["model@judge=scripted", f"tracking.root={root}", f"responses={responses}", *overrides]))
    return replace(spec, judge=judge) if judge else spec


def corpus(folder: Path, count: int = 150, seed: int = 0) -> Path:
    """Texts of known intensities, normal and at most 10 in size as a calibrated database has them."""
    levels = np.random.default_rng(seed).normal(size=count)
    levels *= 10 / np.abs(levels).max()
    rows = [{"text": f"Number {n} has level {x:+.2f} today.", "value": "power", "direction": int(np.sign(x))} for n, x in enumerate(levels)]
    pd.DataFrame(rows).to_csv(folder / "corpus.csv", index=False)
    return folder / "corpus.csv"


def responses_file(folder: Path, count: int = 60) -> tuple[Path, np.ndarray]:
    levels = np.random.default_rng(5).uniform(-8, 8, count).round(2)
    pd.DataFrame({"text": [f"Answer {n} is of level {x:+.2f} I think." for n, x in enumerate(levels)], "query": range(count)}).to_csv(
        folder / "answers.csv", index=False
    )
    return folder / "answers.csv", levels


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A database of texts whose intensities are known, by a judge as sharp as they say."""
    folder = tmp_path_factory.mktemp("levels")
    root = folder / "mlruns"
    make_database(vidb_spec(root, "values=[power]", f"database.corpus={corpus(folder)}", "database.iterations=30", judge=Levels(1.0)))
    return root


def test_a_database_has_every_text_once_with_its_intensity_and_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "mlruns"
    make_database(vidb_spec(root, *SMALL))
    folder = root / "vidb" / "anchors"
    table = pd.read_parquet(folder / ANCHORS)
    assert list(table.columns) == list(COLUMNS)
    assert table.groupby(["theory", "value"]).size().to_dict() == {("svt", "power"): 24, ("svt", "face"): 24}
    assert table["intensity"].between(-10, 10).all()
    assert table.groupby("value")["intensity"].apply(lambda x: x.abs().max()).tolist() == pytest.approx([10, 10])
    assert (table["error"] > 0).all()
    assert not table["flagged"].any()
    card = (folder / "README.md").read_text()
    assert "| power | 24 | 0 |" in card
    assert "model=scripted answers by a hash" in card
    said = capsys.readouterr().out
    assert "2 values, 48 texts (48 of them named as about their value), 288 windows of 2" in said
    assert "48 intensities of 2 values; " in said
    assert "ranked the first of two first in" in said
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}
    make_database(vidb_spec(root, *SMALL))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"} == before
    run = run_of(root, "vidb")
    assert run.info.status == "FINISHED"
    assert run.data.metrics["power/texts"] == 24
    assert run.data.metrics["first/windows_of_2/place_1_first"] + run.data.metrics["first/windows_of_2/place_2_first"] == pytest.approx(1)


def test_intensities_are_recovered(levels: Path) -> None:
    found = read_anchors(levels / "vidb" / "anchors", "svt", "power")
    true = np.array([float(re.search(r"level ([+-][\d.]+)", text)[1]) for text in found.texts])  # type: ignore[index]
    assert np.corrcoef(found.intensity_A, true)[0, 1] > 0.97
    result = json.loads((levels / "vidb" / "anchors" / "result.json").read_text())
    assert result["values"]["power"]["sign_right"] > 0.85
    assert result["values"]["power"]["pools"] == 1


def test_interrupted_at_any_moment_it_ends_with_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_database(vidb_spec(tmp_path / "calm", *SMALL))
    texts, asked = Levels.texts, [0]

    class Stops(Levels):
        def texts(self, prompts, **more):  # type: ignore[no-untyped-def]
            for part in texts(self, prompts, **more):
                asked[0] += 1
                if asked[0] in (30, 170):
                    raise KeyboardInterrupt
                yield part

    def spec(root: Path, judge: Model) -> VidbSpec:
        return vidb_spec(root, "values=[power]", f"database.corpus={corpus(tmp_path, 30)}", "database.iterations=8", judge=judge)

    make_database(spec(tmp_path / "calm2", Levels(1.0)))
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            make_database(spec(tmp_path / "stopped", Stops(1.0)))
    make_database(spec(tmp_path / "stopped", Stops(1.0)))
    of = [(tmp_path / name / "vidb" / "anchors" / ANCHORS).read_bytes() for name in ("calm2", "stopped")]
    assert of[0] == of[1]


def test_killed_when_all_is_written_but_the_run_has_not_ended_it_ends_with_the_same_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels, file = tmp_path / "mlruns", responses_file(tmp_path, 6)[0]
    settings = ("values=[power]", f"database.corpus={corpus(tmp_path, 20)}", "database.iterations=8")
    commands = {
        "vidb": lambda: make_database(vidb_spec(levels, *settings, judge=Levels(1.0))),
        "intensity": lambda: score_responses(intensity_spec(levels, file, "values=[power]", "name=few", judge=Levels(1.0))),
    }
    for kind, command in commands.items():
        with monkeypatch.context() as patch:
            patch.setattr(DatasetRun, "_end", stopped)
            with pytest.raises(KeyboardInterrupt):
                command()
        assert run_of(levels, kind).info.status == "RUNNING"
        command()
        assert run_of(levels, kind).info.status == "FINISHED"


def stopped(*_: object) -> None:
    raise KeyboardInterrupt


def run_of(root: Path, kind: str) -> Run:
    """The only one of its kind."""
    client = MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")
    [experiment] = [one for one in client.search_experiments() if one.name == "vat"]
    [run] = client.search_runs([experiment.experiment_id], f"tags.`vat.kind` = '{kind}'")
    return run


def test_what_a_panel_doubts_goes_to_people_and_comes_back_as_half_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def says(prompt: Prompt) -> str:
        return "0" if "Number 3 " in prompt.messages[0].content else "1"

    def doubter(name: str) -> Model:
        found = Speaker(says)
        found.identity = lambda: {"doubter": name}  # type: ignore[method-assign]
        return found

    root, panel = tmp_path / "mlruns", {name: doubter(name) for name in "abc"}
    settings = ("values=[power]", f"database.corpus={corpus(tmp_path, 20)}", "database.iterations=8")
    make_database(vidb_spec(root, *settings, judge=Levels(1.0), panel=panel))
    folder = root / "vidb" / "anchors"
    before = pd.read_parquet(folder / ANCHORS)
    [row] = before[before["flagged"]].to_dict("records")
    assert row["text"].startswith("Number 3 ")
    assert row["doubts"] == 3
    assert row["text"] not in read_anchors(folder, "svt", "power").usable().texts
    sheet = (folder / "human" / "flagged.csv").read_text(encoding="utf-8-sig")
    for given in (4, 4, 0, 0, 4):  # taken in twice, it counts once; and 0 is a rating
        (tmp_path / "back.csv").write_text(sheet.rstrip("\n\r") + f"{given}\n")
        make_database(vidb_spec(root, *settings, judge=Levels(1.0), panel=panel, ratings=(str(tmp_path / "back.csv"),)))
        after = pd.read_parquet(folder / ANCHORS).set_index("id").loc[row["id"]]
        assert after["intensity"] == pytest.approx((row["intensity"] + given) / 2)
        assert after["human"] == given
    assert row["text"] in read_anchors(folder, "svt", "power").usable().texts
    assert "1 of 1 flagged intensities are now half what people gave" in capsys.readouterr().out


def test_scores_are_near_the_truth_with_intervals_that_hold_it(levels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, true = responses_file(tmp_path)
    score_responses(intensity_spec(levels, file, "values=[power]", "name=sharp", judge=Levels(1.0)))
    table = pd.read_csv(levels / "intensity" / "sharp" / "scores.csv")
    assert table["query"].tolist() == list(range(60)), "what stood beside a response stands beside its score"
    assert (table["intensity"] - true).abs().mean() < 1.3
    assert ((table["low"] <= true + 1) & (true - 1 <= table["high"])).mean() > 0.9
    assert (table["windows"] == 3).all()
    assert "60 responses, 1 values, 180 windows of 6" in capsys.readouterr().out
    [run] = MlflowClient(tracking_uri=f"sqlite:///{levels}/mlflow.db").search_runs(["1"], "attributes.run_name LIKE '%sharp'")
    first = [run.data.metrics[f"windows_of_6/place_{place}_first"] for place in range(1, 7)]
    assert sum(first) == pytest.approx(1), "its bias by position is among what runs are compared by"


def test_a_blunt_judge_is_said_and_reckoned_with(levels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, true = responses_file(tmp_path)
    for name, more in (("known", ()), ("believed", ("evaluator.sharpness=1",))):
        score_responses(intensity_spec(levels, file, "values=[power]", f"name={name}", *more, judge=Levels(0.2)))
    said = capsys.readouterr().out
    assert "The judge is not as sharp as the anchors say on 1 of 1 values; scores take that into account" in said
    assert "scores take it for 1, and their intervals are wrong" in said
    known, believed = (pd.read_csv(levels / "intensity" / name / "scores.csv") for name in ("known", "believed"))
    covered = [((one["low"] <= true) & (true <= one["high"])).mean() for one in (known, believed)]
    assert covered[0] > 0.85 > 0.75 > covered[1]
    result = json.loads((levels / "intensity" / "known" / "result.json").read_text())["values"]["power"]
    assert result["sharpness_low"] < 0.25 < 1 > result["sharpness_high"]


@pytest.mark.parametrize(
    ("say", "found"),
    [
        (lambda prompt: "1 > 2 > 3 > 4 > 5 > 6", r"answers 1 > 2 > 3 > 4 > 5 > 6 whatever the texts are"),
        (lambda prompt: "6 > 5 > 4 > 3 > 2 > 1", r"answers 6 > 5 > 4 > 3 > 2 > 1 whatever the texts are"),
    ],
    ids=["as shown", "turned round"],
)
def test_a_judge_that_does_not_read_is_found_out(
    say: Callable[[Prompt], str], found: str, levels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, _ = responses_file(tmp_path)
    score_responses(intensity_spec(levels, file, "values=[power]", f"name=rote {found[8]}", judge=Speaker(say)))
    said = capsys.readouterr().out
    assert re.search(found, said), said
    assert "no scores: " in said or "not as sharp" in said


def test_anchors_that_a_panel_doubts_are_no_anchors_until_people_have_looked(levels: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(levels / "vidb" / "anchors" / ANCHORS)
    table["flagged"] = table["intensity"] > 0
    doubted = tmp_path / "doubted"
    (doubted / "data").mkdir(parents=True)
    table.to_parquet(doubted / ANCHORS)
    file, _ = responses_file(tmp_path, 6)
    judge = Levels(1.0)
    score_responses(intensity_spec(levels, file, "values=[power]", "name=doubted", f"vidb={doubted}", judge=judge))
    shown = "\n".join(prompt.messages[0].content for prompt in judge.asked)
    for text, flagged in zip(table["text"], table["flagged"], strict=True):
        assert not (flagged and text in shown)
    assert any(text in shown for text in table["text"])


def test_a_judge_who_is_asked_the_same_twice_counts_once(tmp_path: Path) -> None:
    root = tmp_path / "mlruns"
    make_database(vidb_spec(root, "values=[power]", f"database.corpus={corpus(tmp_path, 4)}", "database.iterations=30", judge=Levels(1.0)))
    table = pd.read_parquet(root / "vidb" / "anchors" / ANCHORS)
    assert table["windows"].max() <= 6, "of four texts each meets three others, in two orders"
    assert json.loads((root / "vidb" / "anchors" / "result.json").read_text())["judges"]["first"]["windows"] == 12


def test_an_empty_response_is_missing_and_lost_windows_are_counted(levels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, _ = responses_file(tmp_path, 12)
    table = pd.read_csv(file)
    table.loc[2, "text"] = "  "
    table.to_csv(file, index=False)
    judge = Levels(1.0)
    ranking = judge.say
    judge.say = lambda prompt: "They are all alike." if "Answer 5 " in prompt.messages[0].content else ranking(prompt)
    score_responses(intensity_spec(levels, file, "values=[power]", "name=lost", judge=judge))
    scores = pd.read_parquet(levels / "intensity" / "lost" / "scores.parquet")
    assert scores["intensity"].isna().tolist() == [n in (2, 5) for n in range(12)]
    assert scores["windows"].tolist() == [0 if n in (2, 5) else 3 for n in range(12)]
    assert "3 of 33 questions were lost: 3 prose" in capsys.readouterr().out


def test_a_rating_needs_no_database_and_its_scores_have_no_intervals(levels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, true = responses_file(tmp_path, 30)
    table = pd.read_csv(file).assign(value="power", direction=np.sign(true))
    table.to_csv(file, index=False)
    judge = Speaker(lambda prompt: re.search(r"level ([+-][\d.]+)", prompt.messages[0].content)[1])  # type: ignore[index]
    settings = ("values=[power,face]", "evaluator=rating", "name=rated", "vidb=none", f"tracking.root={tmp_path}/fresh")
    score_responses(intensity_spec(levels, file, *settings, judge=judge))
    scores = pd.read_parquet(tmp_path / "fresh" / "intensity" / "rated" / "scores.parquet")
    power = scores[scores["value"] == "power"]
    assert power["intensity"].tolist() == true.tolist()
    assert scores["low"].isna().all()
    assert scores["labelled"].eq("power").all(), "what a response was labelled with stands beside what it was scored on"
    said = capsys.readouterr().out
    assert "rated: 30 responses, 2 values, 60 ratings by speaker" in said
    assert re.search(r"^power +[+-]\d\.\d\d +\[[+-]\d\.\d\d, [+-]\d\.\d\d\] +30 ", said, re.M), said


def test_a_response_that_is_longer_than_the_judges_context_is_missing_and_counted(
    levels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Short(Levels):
        def too_long(self, prompts: Sequence[Prompt], *, max_new_tokens: int = 0) -> set[int]:
            return {n for n, prompt in enumerate(prompts) if len(prompt.messages[0].content) > 5000}

    file, _ = responses_file(tmp_path, 6)
    table = pd.read_csv(file)
    table.loc[4, "text"] += " And so on." * 500
    table.to_csv(file, index=False)
    score_responses(intensity_spec(levels, file, "values=[power]", "name=long", judge=Short(1.0)))
    scores = pd.read_parquet(levels / "intensity" / "long" / "scores.parquet")
    assert scores["intensity"].isna().tolist() == [n == 4 for n in range(6)]
    assert "3 of 18 questions were lost: 3 too long" in capsys.readouterr().out


BAD_DATABASE = {
    "value": (("values=[powr]",), "values: must be of theory svt; got 'powr'. Did you mean power?"),
    "values": (("values={a:1}",), "values: must be a list of names, or null for all; got {'a': 1}"),
    "way": (("way=words",), "way: must be "),
    "large": (("database.size=6", "way=probabilities"), "way=probabilities: ranks windows of at most 5 texts; got database.size=6"),
    "size": (("database.size=1",), "database.size: "),
    "corpus": (("database.corpus=none.csv",), "none.csv"),
    "paper": (("database=paper",), "database.corpus: must be given; got nothing. Add database.corpus=…"),
}


@pytest.mark.parametrize("name", BAD_DATABASE)
def test_a_database_that_cannot_be_is_one_line_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    overrides, said = BAD_DATABASE[name]
    with pytest.raises(VatError) as caught:
        make_database(vidb_spec(tmp_path / "mlruns", *overrides))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mlruns").exists()


def test_a_corpus_with_too_few_texts_or_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold 6 texts for windows of 6; got 4"):
        make_database(vidb_spec(tmp_path / "mlruns", "values=[power]", f"database.corpus={corpus(tmp_path, 4)}", "database.size=6"))
    (tmp_path / "other.csv").write_text("words\nI go.\n")
    with pytest.raises(DataError, match=r"other\.csv: needs a column 'text'"):
        make_database(vidb_spec(tmp_path / "mlruns", f"database.corpus={tmp_path / 'other.csv'}"))


def test_other_settings_under_the_same_name_are_refused_and_nothing_changes(tmp_path: Path) -> None:
    root = tmp_path / "mlruns"
    make_database(vidb_spec(root, *SMALL))
    before = (root / "vidb" / "anchors" / ANCHORS).read_bytes()
    with pytest.raises(ConfigError, match=r"^name=anchors: one name is one dataset; got another iterations 6 there and 7 here"):
        make_database(vidb_spec(root, *SMALL[:2], "database.iterations=7"))
    assert (root / "vidb" / "anchors" / ANCHORS).read_bytes() == before


def test_a_judge_who_talks_or_refuses_ends_it_soon_in_one_line(tmp_path: Path) -> None:
    for n, reply in enumerate(("Both texts have their merits, I would say.", "I'm sorry, but I can't help with that.", "1 > 1")):
        judge = Speaker(lambda prompt, reply=reply: reply)  # type: ignore[misc]
        with pytest.raises(BackendError, match=r"^judge first: must rank texts in the form that it is asked for; got") as caught:
            make_database(vidb_spec(tmp_path / "mlruns", *SMALL, f"name=talk{n}", judge=judge))
        assert "\n" not in str(caught.value)
        assert len(judge.asked) <= 60


def test_scores_that_cannot_be_are_one_line(levels: Path, tmp_path: Path) -> None:
    file, _ = responses_file(tmp_path, 4)
    (tmp_path / "empty.csv").write_text("text\n \n")
    cases: tuple[tuple[Path, tuple[str, ...], str], ...] = (
        (file, ("vidb=anchor",), "vidb=anchor: must be a database in"),
        (file, ("values=[powr]",), "value=powr: must be a value of theory svt; got 'powr'. Did you mean power?"),
        (file, ("values=[face]",), "must hold values of theory svt; got none of 'face'"),
        (file, ("values=[power]", "evaluator.size=200"), "anchors: must be at least 199 for windows of 200; got 96"),
        (file, ("values=[power]", "evaluator.size=2"), "evaluator.sharpness=null: is estimated from windows that hold two anchors or more"),
        (
            file,
            ("values=[power]", "evaluator.way=probabilities"),
            "evaluator.way=probabilities: ranks windows of at most 5 texts; got evaluator.size=6",
        ),
        (tmp_path / "empty.csv", ("values=[power]",), "must hold responses in its column text; got none"),
        (tmp_path / "none.csv", ("values=[power]",), "none.csv"),
    )
    for responses, overrides, said in cases:
        with pytest.raises(VatError) as caught:
            score_responses(intensity_spec(levels, responses, *overrides, "name=never"))
        assert said in str(caught.value), str(caught.value)
        assert "\n" not in str(caught.value)
    assert not (levels / "intensity" / "never").exists()
    assert math.isfinite(read_anchors(levels / "vidb" / "anchors", "svt", "power").intensity_A[0])
