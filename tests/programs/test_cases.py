"""Case studies of finished jobs: the embedded model steered and trained, a server, and the scripted model for what can go wrong."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient
from mlflow.entities import Run
from omegaconf import DictConfig

from tests.models.faulty_server import FaultyServer
from vat.align.checkpoints import checkpoint
from vat.align.training_run import TrainingRun
from vat.analyse.cases import CASES, chosen_cases, stored_cases
from vat.config import CleanSpec, read, read_cases, read_measure
from vat.data.open_question import VERSION, WORDING, open_prompt
from vat.data.template import TemplateData
from vat.errors import BackendError, ConfigError, VatError
from vat.fanout.programs import Launch, run
from vat.fanout.spread import SpreadModel
from vat.fanout.sweep import run_points
from vat.models.base import Model
from vat.models.local import LocalModel
from vat.models.scripted import ScriptedModel
from vat.models.tiny import CAVEAT
from vat.programs import cases as cases_module
from vat.programs.align import config_of, job_of, split_of, task_of
from vat.programs.cases import tell_cases
from vat.programs.clean import clean
from vat.programs.measure import measure_again
from vat.programs.rebuild import rebuilt
from vat.theory.base import theory_tree
from vat.theory.schwartz import SCHWARTZ
from vat.track.job import Job
from vat.types import Answered, Prompt, answers_of

Told = dict[str, Any]
VALUES = ("power", "security", "hedonism")
MEASURES = (
    "measure=[tax,amplification]",
    "measure.tax.n_perm=99",
    "measure.tax.n_boot=99",
    "measure.tax.factors=[]",
    "measure.amplification.n_boot=99",
)
TAX_ONLY = ("measure=[tax]", *MEASURES[1:4])
STEERED = ("model=tiny", *MEASURES)
TRAINED = (
    *STEERED, "strategy=sft", "strategy.steps=2", "strategy.checkpoints=2", "strategy.batch=8", "strategy.learning_rate=0.03", "strategy.keep=all",
    "strategy.lora={r: 4, lora_alpha: 8, target_modules: all-linear}",
)  # fmt: skip
SCRIPTED = ("model=scripted", *MEASURES)
FEW = 12
"""Tokens of an answer."""
SECRET = "sk-nobody-may-see-this"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, empty_database: Callable[[], Path]) -> Path:
    """A small theory, a table of its actions, and an MLflow database with nothing in it."""
    place = tmp_path_factory.mktemp("place")
    tree = theory_tree(SCHWARTZ)
    few = {name: tree["values"][name] | {"items": dict(list(tree["values"][name]["items"].items())[:2])} for name in VALUES}
    (place / "theory.yaml").write_text(yaml.safe_dump({"name": "few", "values": few}, sort_keys=False))
    probes = TemplateData(test_share=0.3, split_seed=0, limit=None).probes(SCHWARTZ)
    items = [item for value in few.values() for item in value["items"]]
    rows = [row._asdict() for row in probes.of_scenes(probes.scenes[:160:8]).rows if row.item in items]
    pd.DataFrame(rows).to_csv(place / "data.csv", index=False)
    shutil.copy(empty_database(), place / "mlflow.db")
    return place


def composed(place: Path, program: str, mlruns: Path, *overrides: str) -> DictConfig:
    own = (f"theory.path={place / 'theory.yaml'}", "data=table", f"data.path={place / 'data.csv'}") if program == "align" else ()
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        return compose(program, [f"tracking.root={mlruns}", *own, *overrides])


def made(place: Path, name: str, *overrides: str) -> Path:
    """A folder in which one job and its baseline were done."""
    mlruns = place / name / "mlruns"
    mlruns.mkdir(parents=True)
    shutil.copy(place / "mlflow.db", mlruns)
    [row] = run_points([read(composed(place, "align", mlruns, *overrides))], sweep=None)
    assert not row.get("failed"), row
    return mlruns


@pytest.fixture(scope="module")
def steered_once(place: Path) -> Path:
    return made(place, "steered", *STEERED)


@pytest.fixture(scope="module")
def trained_once(place: Path) -> Path:
    at = Place(place, made(place, "trained", *TRAINED), TRAINED)
    make_it_gain(at)
    return at.mlruns


@pytest.fixture(scope="module")
def scripted_once(place: Path) -> Path:
    at = Place(place, made(place, "scripted", *SCRIPTED), SCRIPTED)
    make_it_gain(at)
    return at.mlruns


class Place:
    """Where a job was done, and what is done there."""

    def __init__(self, inputs: Path, mlruns: Path, overrides: tuple[str, ...]) -> None:
        self.inputs, self.mlruns, self.overrides = inputs, mlruns, overrides
        self.spec = read(self.composed("align", *overrides))
        self.job = job_of(self.spec)

    def composed(self, program: str, *overrides: str) -> DictConfig:
        return composed(self.inputs, program, self.mlruns, *overrides)

    def launch(self, *overrides: str) -> list[dict[str, Any]]:
        return run_points([read(self.composed("align", *(overrides or self.overrides)))], sweep=None)

    def measure(self, *overrides: str) -> None:
        measure_again([read_measure(self.composed("measure", f"run={self.job.key}", *overrides))])

    def tell(self, *overrides: str, name: str = "", step: int | None = None) -> Told:
        """`python launch.py -cn cases …`, but for the process; what is in cases.json then."""
        tell_cases([read_cases(self.composed("cases", f"max_new_tokens={FEW}", f"run={name or self.job.key}", *overrides))])
        steps = (self.job.result() or {})["steps"]
        told: Told = json.loads((self.job.step_folder(max(map(int, steps)) if step is None else step) / CASES).read_text())
        return told

    def refused(self, *overrides: str, name: str = "") -> str:
        with pytest.raises(VatError) as error:
            self.tell(*overrides, name=name)
        return str(error.value)

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=f"sqlite:///{self.mlruns}/mlflow.db")

    def runs(self) -> dict[str, Run]:
        found = self.client.search_runs([self.client.get_experiment_by_name("vat").experiment_id])
        return {run.data.tags["vat.job_key"]: run for run in found}

    def artifact(self, name: str) -> bytes:
        return Path(self.client.download_artifacts(self.runs()[self.job.key].info.run_id, name)).read_bytes()

    @property
    def baseline(self) -> str:
        return next(key for key, run in self.runs().items() if run.data.tags["vat.kind"] == "baseline")

    def files(self) -> dict[str, bytes]:
        """What the jobs have kept, but for the model's answers."""
        paths = (path for path in (self.mlruns / "jobs").rglob("*") if path.is_file() and path.name != "lock" and "answers" not in path.parts)
        return {path.relative_to(self.mlruns).as_posix(): path.read_bytes() for path in paths}


def copied(once: Path, tmp_path: Path, place: Path, overrides: tuple[str, ...]) -> Place:
    """A copy of the jobs on disk, brought up to date in an MLflow of its own."""
    shutil.copytree(once, tmp_path / "mlruns", ignore=shutil.ignore_patterns("artifacts", "mlflow.db"))
    shutil.copy(place / "mlflow.db", tmp_path / "mlruns")
    at = Place(place, tmp_path / "mlruns", overrides)
    at.launch()
    return at


@pytest.fixture
def steered(steered_once: Path, tmp_path: Path, place: Path) -> Place:
    return copied(steered_once, tmp_path, place, STEERED)


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path, place: Path) -> Place:
    return copied(trained_once, tmp_path, place, TRAINED)


@pytest.fixture
def scripted(scripted_once: Path, tmp_path: Path, place: Path) -> Place:
    return copied(scripted_once, tmp_path, place, SCRIPTED)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    for model in (ScriptedModel, LocalModel):
        monkeypatch.setattr(model, "texts", lambda *arguments, **options: pytest.fail("the model was asked"))
        monkeypatch.setattr(model, "ratings", lambda *arguments, **options: pytest.fail("the model was asked"))


def make_it_gain(at: Place) -> None:
    """Who answers by a hash heeds no examples, and two steps teach little: ratings are moved by hand, the target far, other values by luck."""
    for path in at.job.folder.rglob("judgements.parquet"):
        table, luck = pd.read_parquet(path), np.random.default_rng(0)
        is_target = table["item"].map(at.spec.theory.load().value_of) == at.spec.value
        table["rating_before"], table["rating"] = (luck.integers(1, 6, len(table)).astype(float) for _ in range(2))
        table.loc[is_target, "rating_before"], table.loc[is_target, "rating"] = 3 + table["polarity"], 3 - 2 * table["polarity"]
        table.to_parquet(path, index=False)
    at.measure(*MEASURES)


def asked_of(model: Model, told: Told, at: Place, shots: tuple[Any, ...] = ()) -> list[str]:
    question = at.spec.elicit.question(at.spec.theory.load())
    return [text.strip() for text in model.generate([open_prompt(case["scene"], shots, question) for case in told["cases"]], max_new_tokens=FEW)]


# ── what is told


def test_a_steered_model_says_what_it_does_without_and_with_its_examples(steered: Place, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    told = steered.tell("count=3")
    task = task_of(steered.spec, steered.job, None, counting=None, measured=None, logged=None)  # type: ignore[arg-type]
    [state] = steered.spec.strategy.states(task)
    assert len(state.shots) == 4
    before, after = [case["before"] for case in told["cases"]], [case["after"] for case in told["cases"]]
    assert before == asked_of(steered.spec.model, told, steered)
    assert after == asked_of(steered.spec.model, told, steered, state.shots)
    assert before != after
    assert (told["version"], told["question"]) == (VERSION, WORDING)
    assert steered.artifact("step-0/cases.json") == (steered.job.step_folder(0) / CASES).read_bytes()
    said = capsys.readouterr().out
    assert CAVEAT in said
    assert re.search(r"2\. \S.* · \w+ [+-]\d\.\d\d → [+-]\d\.\d\d, \d+\.\d times the gain\n   .+\n   before: .+\n   after: .+\n", said)
    assert not (steered.job.folder / "progress.json").exists()


def test_a_case_shows_the_scene_and_what_was_rated_there_of_its_value(scripted: Place) -> None:
    told, theory = scripted.tell(), scripted.spec.theory.load()
    table, chosen = pd.read_csv(scripted.job.step_folder(0) / "cases.csv"), pd.read_parquet(scripted.job.step_folder(0) / "judgements.parquet")
    probes = split_of(scripted.spec.data, scripted.spec.theory).test.rows
    assert len(told["cases"]) == 4
    for case in told["cases"]:
        [row] = table[(table["scene"] == case["scene_id"]) & (table["value"] == case["value"])].to_dict("records")
        assert {key: case[key] for key in ("amplification", "pre", "post")} == {key: row[key] for key in ("amplification", "pre", "post")}
        own = [probe for probe in probes if probe.scene_id == case["scene_id"] and theory.value_of[probe.item] == case["value"]]
        assert {(probe.country, probe.topic, probe.scene) for probe in own} == {(case["country"], case["topic"], case["scene"])}
        rated = chosen[chosen["scene_id"] == case["scene_id"]].set_index(["item", "polarity"])
        assert case["actions"] == [
            {"item": probe.item, "polarity": probe.polarity, "action": probe.action}
            | {key: int(rated.loc[(probe.item, probe.polarity), key]) for key in ("rating_before", "rating")}
            for probe in own
        ]
        assert len(own) == 4


def test_a_rating_that_is_missing_is_null(scripted: Place) -> None:
    path = scripted.job.step_folder(0) / "judgements.parquet"
    first = chosen_cases(path.parent, 1)[0]
    table = pd.read_parquet(path)
    table.loc[table["scene_id"] == first.scene_id, "rating_before"] = float("nan")
    table.to_parquet(path, index=False)
    [case] = scripted.tell("count=1")["cases"]
    assert {action["rating_before"] for action in case["actions"]} == {None}
    assert None not in {action["rating"] for action in case["actions"]}


def test_cases_are_the_first_rows_of_the_table_one_a_scene(tmp_path: Path) -> None:
    rows = ["007,b,3.5,0,1", "9,a,3.5,0.5,-1", "007,a,2,0,1", "NA,a,1,0,1", "x,b,0.5,-0.25,0"]
    (tmp_path / "cases.csv").write_text("\n".join(["scene,value,amplification,pre,post", *rows]) + "\n")
    assert [case[:2] for case in chosen_cases(tmp_path, 9)] == [("007", "b"), ("9", "a"), ("NA", "a"), ("x", "b")]
    assert chosen_cases(tmp_path, 2) == [("007", "b", 3.5, 0, 1), ("9", "a", 3.5, 0.5, -1)]


def test_where_the_table_names_fewer_scenes_than_asked_for_that_is_said(scripted: Place, capsys: pytest.CaptureFixture[str]) -> None:
    scripted.tell("count=99")
    scenes = pd.read_csv(scripted.job.step_folder(0) / "cases.csv")["scene"].nunique()
    assert f"{scenes} cases, not 99: cases.csv names no more scenes" in capsys.readouterr().out
    scripted.tell(f"count={scenes}")
    assert "names no more scenes" not in capsys.readouterr().out


def test_the_rule_names_the_hubs(scripted: Place) -> None:
    scripted.measure(*MEASURES, "measure.amplification.hubs=1")
    table = pd.read_csv(scripted.job.step_folder(0) / "measures.csv")
    [hub] = table[(table["statistic"] == "hub") & (table["estimate"] == 1)]["value"]
    assert f"Of the 1 values that shift together with others most ({hub}), " in scripted.tell()["rule"]
    scripted.measure(*MEASURES)
    assert "Of all values, those scenes" in scripted.tell()["rule"], "three hubs leave nothing for the rest"


def test_a_trained_checkpoint_is_asked_with_its_weights_and_never_trained(trained: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainingRun, "__enter__", lambda self: pytest.fail("it trained"))
    last, first = trained.tell(), trained.tell("step=1", step=1)
    again = trained.tell(f"max_new_tokens={FEW + 1}")
    base = trained.spec.model
    for told, step in ((last, 2), (first, 1)):
        assert [case["before"] for case in told["cases"]] == asked_of(base, told, trained)
        model = base.trained(checkpoint(trained.job.folder / "training", step), adapter=True)
        assert [case["after"] for case in told["cases"]] == asked_of(model, told, trained)
        model.unload()
        assert json.loads(trained.artifact(f"step-{step}/cases.json")) == (told if step == 1 else again)
    said = [[case[when] for case in told["cases"]] for told, when in ((first, "before"), (first, "after"), (last, "after"))]
    assert said[0] != said[1] != said[2] != said[0]
    assert [case["before"][:5] for case in again["cases"]] == [case["before"][:5] for case in last["cases"]], "the adapter is off again"
    assert {path.parent.name for path in trained.job.folder.rglob(CASES)} == {"000001", "000002"}


def test_weights_that_were_given_up_are_one_line_with_the_next_step(trained: Place) -> None:
    for file in checkpoint(trained.job.folder / "training", 2).glob("*.safetensors"):
        file.unlink()
    assert re.fullmatch(
        rf"run={trained.job.key}: \S+/checkpoint-2: must hold the weights of step 2; got none \(they went by strategy\.keep=all, or -cn clean\)\. "
        rf"Take step=1, or move {trained.job.folder} away and launch the job again with strategy\.keep=all\.",
        trained.refused(),
    )
    clean(CleanSpec(weights=True, parts=False, dry_run=False, tracking=trained.spec.tracking))
    assert re.search(rf"got none \(.+\)\. Move {trained.job.folder} away and launch the job again", trained.refused())


def test_a_model_behind_a_server_tells_what_follows_its_thoughts(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    shutil.copy(place / "mlflow.db", tmp_path)
    with FaultyServer(key=SECRET, thinks=True) as server:
        at = Place(place, tmp_path, ("model=openai", "model.name=served", f"model.base_url={server.url}", "model.api_key_env=SOME_KEY", *MEASURES))
        at.launch()
        make_it_gain(at)
        server.seen.clear()
        told = at.tell("count=2", "max_new_tokens=50")
        asked = list(server.seen)
        at.tell("count=2", "max_new_tokens=50")
        assert len(server.seen) == len(asked), "nothing was asked twice"
    for case in told["cases"]:
        assert case["before"] == case["after"] != ""
        assert "Let me think" not in case["before"]
        assert case["scene"] in case["before"], "the server repeats the last question"
    rated = [seen for seen in asked if len(seen.body["messages"]) > 1]
    assert len(rated) == 2
    for seen in asked:
        assert {turn["role"] for turn in seen.body["messages"]} <= {"user", "assistant"}
        assert (seen.body["temperature"], seen.body["max_tokens"], "logprobs" in seen.body) in ((0, 50, False), (0, 1, False))
    assert [turn["content"] for turn in rated[0].body["messages"] if turn["role"] == "assistant"].count("1") == 2
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_of_a_text_that_is_continued_the_first_paragraph_is_told(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = (*SCRIPTED, "elicit.format=plain", "elicit.max_missing=1")
    at = Place(place, tmp_path, plain)
    shutil.copy(place / "mlflow.db", tmp_path)
    at.launch()
    make_it_gain(at)
    seen: list[Prompt] = []

    def texts(self: ScriptedModel, prompts: list[Prompt], **options: Any) -> Any:
        seen.extend(prompts)
        return _texts(self, prompts, "\n I stay.\n\nSituation: another\n\nmore")

    monkeypatch.setattr(ScriptedModel, "texts", texts)
    assert {case[when] for case in at.tell()["cases"] for when in ("before", "after")} == {"I stay."}
    assert {bool(prompt.text) for prompt in seen} == {True}
    assert {prompt.messages for prompt in seen} == {()}


def _texts(model: ScriptedModel, prompts: list[Prompt], text: str) -> Any:
    yield Answered(range(len(prompts)), answers_of(None, None, text_N=[text] * len(prompts)))


def test_a_thought_without_an_end_is_one_line_and_more_room_is_asked_for_anew(scripted: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(["<think>well", "<think>well</think>I go.", "<think>so</think>I stay."])
    monkeypatch.setattr(ScriptedModel, "texts", lambda self, prompts, **options: _texts(self, prompts, next(said)))
    assert re.fullmatch(
        rf"max_new_tokens={FEW}: must leave room for an answer after the thoughts of model scripted; got 4 of 4 thoughts without an end\. Raise it\.",
        scripted.refused(),
    )
    assert not list(scripted.job.folder.rglob(CASES))
    told = scripted.tell("max_new_tokens=500")
    assert {(case["before"], case["after"]) for case in told["cases"]} == {("I go.", "I stay.")}


def test_what_would_steer_a_terminal_is_kept_and_not_printed(
    scripted: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ScriptedModel, "texts", lambda self, prompts, **options: _texts(self, prompts, "I \x1b[2Jrun.\nAway."))
    assert scripted.tell()["cases"][0]["after"] == "I \x1b[2Jrun.\nAway."
    said = capsys.readouterr().out
    assert "after: I [2Jrun. Away." in said
    assert "\x1b" not in said


# ── again, interrupted, held


def test_what_was_said_is_not_asked_again_and_more_cases_ask_for_more_only(scripted: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    two = scripted.tell("count=2")
    asked: list[int] = []
    texts = ScriptedModel.texts

    def counted(self: ScriptedModel, prompts: list[Prompt], *, max_new_tokens: int, kept: Any) -> Any:
        asked.append(len(prompts) - len(kept.rows))
        return texts(self, prompts, max_new_tokens=max_new_tokens, kept=kept)

    monkeypatch.setattr(ScriptedModel, "texts", counted)
    before = scripted.files()
    assert scripted.tell("count=2") == two
    assert scripted.files() == before
    assert asked == []
    assert scripted.tell("count=4")["cases"][:2] == two["cases"]
    assert asked == [2, 2]


def test_an_interrupted_run_leaves_no_cases_and_repeats_nothing(scripted: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, asked = ScriptedModel.texts, []

    def breaks(self: ScriptedModel, prompts: list[Prompt], **options: Any) -> Any:
        asked.append(len(prompts[0].messages))
        if len(asked) == 2:
            raise KeyboardInterrupt
        yield from texts(self, prompts, **options)

    monkeypatch.setattr(ScriptedModel, "texts", breaks)
    with pytest.raises(KeyboardInterrupt):
        scripted.tell()
    assert not list(scripted.job.folder.rglob(CASES))
    scripted.tell()
    assert asked == [1, 9, 9], "the model before was asked once"


def test_cases_are_written_whole_or_not_at_all_and_a_run_stays_finished(scripted: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scripted.tell("count=1")

    def breaks(path: Path) -> Any:
        raise BackendError("disk: must have room; got none. Make some.")

    with monkeypatch.context() as patch:
        patch.setattr(cases_module, "whole_file", breaks)
        assert scripted.refused("count=2").startswith("disk: ")
    assert stored_cases(scripted.job.step_folder(0)) == first
    assert scripted.runs()[scripted.job.key].info.status == "FINISHED"


def test_the_job_is_held_while_its_model_is_asked(scripted: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, free = ScriptedModel.texts, []

    def looks(self: ScriptedModel, prompts: list[Prompt], **options: Any) -> Any:
        with Job.left_alone(scripted.mlruns, scripted.job.key) as left:
            free.append(left)
        return texts(self, prompts, **options)

    monkeypatch.setattr(ScriptedModel, "texts", looks)
    scripted.tell()
    assert free == [False, False]


def test_several_runs_are_told_in_one_go(scripted: Place, capsys: pytest.CaptureFixture[str]) -> None:
    [row] = scripted.launch(*SCRIPTED, "shots=2")
    make_it_gain(Place(scripted.inputs, scripted.mlruns, (*SCRIPTED, "shots=2")))
    run_id = scripted.runs()[row["job"]].info.run_id
    capsys.readouterr()
    assert run("cases", Launch([scripted.composed("cases", f"run=[{scripted.job.key},{run_id}]", "count=1")]))
    assert {path.parents[2].name for path in (scripted.mlruns / "jobs").rglob(CASES)} == {scripted.job.key, row["job"]}
    assert re.findall(r"· (\d) shots", capsys.readouterr().out) == ["4", "2"]


# ── measured again, and on another machine


@pytest.mark.usefixtures("silent")
def test_measuring_again_keeps_the_cases_that_the_tables_still_name_and_removes_others(scripted: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ScriptedModel, "texts", lambda self, prompts, **options: _texts(self, prompts, "I go."))
        scripted.tell("count=2")
    path = scripted.job.step_folder(0) / CASES
    before = path.read_bytes()
    scripted.measure(*MEASURES, "measure.tax.n_perm=199")
    assert path.read_bytes() == before
    assert stored_cases(path.parent) == json.loads(before)
    path.write_bytes(before.replace(b"Of all values", b"Of the hubs"))
    assert stored_cases(path.parent) is None, "the same cases by another rule"
    path.write_bytes(before)
    scripted.measure(*MEASURES, "measure.amplification.hubs=1")
    assert not path.exists()
    path.write_bytes(before)
    assert stored_cases(path.parent) is None, "as they come back from an MLflow that knows the old ones"
    path.write_bytes(before[:40])
    assert stored_cases(path.parent) is None
    scripted.measure(*MEASURES)
    assert not path.exists(), "a damaged one is worth nothing"


@pytest.mark.usefixtures("silent")
def test_without_amplification_cases_go_too(scripted: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ScriptedModel, "texts", lambda self, prompts, **options: _texts(self, prompts, "I go."))
        scripted.tell("count=2")
    scripted.measure(*TAX_ONLY)
    assert not list(scripted.job.folder.rglob(CASES))


def test_a_job_whose_folder_is_gone_comes_back_with_its_settings_and_cases(scripted: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.tell("count=2")
    before = {name: content for name, content in scripted.files().items() if scripted.job.key in name}
    shutil.rmtree(scripted.mlruns / "jobs")
    monkeypatch.setattr(ScriptedModel, "ratings", lambda *arguments, **options: pytest.fail("it was rated again"))
    assert scripted.tell("count=2")["cases"]
    assert {name: content for name, content in scripted.files().items() if scripted.job.key in name} == before


# ── the settings that make a job again


@pytest.mark.parametrize("kind", ["steered", "trained", "scripted"])
def test_a_job_is_made_again_from_its_id_alone(kind: str, request: pytest.FixtureRequest) -> None:
    at: Place = request.getfixturevalue(kind)
    job = Job.of_key(at.mlruns, at.job.key)
    assert job is not None
    spec = rebuilt(job, at.spec.tracking, "run=x")
    for part in ("theory", "data", "model", "elicit", "strategy"):
        assert getattr(spec, part) == getattr(at.spec, part)
        assert getattr(spec, part) is getattr(rebuilt(job, at.spec.tracking, "run=x"), part), "equal nodes are one instance"
    assert (spec.value, spec.direction, spec.replicate) == ("power", -1, 0)
    assert at.artifact("config.json") == (job.folder / "config.json").read_bytes()
    assert not (at.mlruns / "jobs" / at.baseline / "config.json").exists()


@pytest.mark.usefixtures("silent")
def test_a_job_done_before_settings_were_kept_gets_them_when_it_is_launched_again(scripted: Place) -> None:
    kept = scripted.job.folder / "config.json"
    content, files, run = kept.read_bytes(), scripted.files(), scripted.runs()[scripted.job.key]
    kept.unlink()
    [artifact] = (scripted.mlruns / "artifacts" / run.info.run_id).rglob("config.json")
    artifact.unlink()
    assert scripted.refused() == (
        f"run={scripted.job.key}: must have kept its settings; got one that was done before vat kept any. "
        "Launch it again with its own settings, which are then kept; nothing is asked again."
    )
    scripted.launch()
    assert kept.read_bytes() == content
    assert artifact.read_bytes() == content
    assert scripted.files() == files
    after = scripted.runs()[scripted.job.key]
    assert (after.data.metrics, after.data.tags, after.info.end_time) == (run.data.metrics, run.data.tags, run.info.end_time)


@pytest.mark.usefixtures("silent")
def test_settings_that_determine_nothing_are_kept_as_last_launched(scripted: Place) -> None:
    scripted.launch(*SCRIPTED, "model.fails_on=xyz")
    assert json.loads(scripted.artifact("config.json"))["model"]["fails_on"] == "xyz"
    assert rebuilt(scripted.job, scripted.spec.tracking, "x").model.fails_on == "xyz"  # type: ignore[attr-defined]


def test_of_a_model_that_is_spread_over_processes_the_model_itself_is_kept(place: Path, tmp_path: Path) -> None:
    spec = read(composed(place, "align", tmp_path, *STEERED))
    assert config_of(replace(spec, model=SpreadModel(model=spec.model, workers=2, cpus=1))) == config_of(spec)


@pytest.mark.parametrize("address", [f"http://me:{SECRET}@127.0.0.1:1/v1", f"http://127.0.0.1:1/v1?key={SECRET}"])
def test_an_address_with_a_password_in_it_is_not_kept(address: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "abc")
    shutil.copy(place / "mlflow.db", tmp_path)
    with FaultyServer() as server:
        own = ("model=openai", "model.name=served", "model.api_key_env=SOME_KEY", *MEASURES)
        at = Place(place, tmp_path, (*own, f"model.base_url={server.url}"))
        at.launch()
    was = at.job.config()
    [row] = at.launch(*own, f"model.base_url='{address}'", f"model.api_key_env={SECRET}")
    assert row["job"] == at.job.key, "a finished job is asked nothing and so refuses nothing"
    now = at.job.config()
    assert was is not None
    assert now is not None
    assert was["model"]["api_key_env"] == "SOME_KEY"
    assert now["model"] == was["model"] | {"base_url": "http://…" if "@" in address else "http://127.0.0.1:1/v1", "api_key_env": None}
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


# ── what cannot be told


def _data_changes(at: Place) -> None:
    config = json.loads((at.job.folder / "config.json").read_text())
    other = at.mlruns / "other.csv"
    other.write_text(Path(config["data"]["path"]).read_text().replace("Right away", "At once"))
    (at.job.folder / "config.json").write_text(json.dumps(config | {"data": config["data"] | {"path": str(other)}}))


def _config(content: Callable[[dict[str, Any]], Any]) -> Callable[[Place], None]:
    def change(at: Place) -> None:
        path = at.job.folder / "config.json"
        path.write_text(json.dumps(content(json.loads(path.read_text()))))

    return change


def _gains_nothing(at: Place) -> None:
    path = at.job.step_folder(0) / "judgements.parquet"
    table = pd.read_parquet(path)
    table.loc[table["item"].map(at.spec.theory.load().value_of) == "power", "rating"] = table["rating_before"]
    table.to_parquet(path, index=False)
    at.measure(*MEASURES)


FAULTS: dict[str, tuple[Callable[[Place], object], tuple[str, ...], str]] = {
    "unknown": (lambda at: None, ("run=86f3e8ea9a861599",), r"run=86f3e8ea9a861599: must be a finished run or job in experiment vat; got none .+"),
    "a step that is not there": (lambda at: None, ("step=3",), r"run=\w+: must have been judged at step=3; got states at 0\. Take one of these\."),
    "measured without amplification": (
        lambda at: at.measure(*TAX_ONLY), (),
        r"run=(\w+): must be measured with measure=amplification, .+; got no cases\.csv\. Measure it again: python launch\.py -cn measure run=\1\.",
    ),
    "no gain": (
        _gains_nothing, (),
        r"run=\w+: must have a gain that is told from 0, by which shifts are divided; got \+0\.000 \[.+\] at step 0\. Take a state .+",
    ),
    "other data": (
        _data_changes, (),
        r"run=\w+: model, data and theory on this machine must be what it was done with; got another data\. Put that back as it was\.",
    ),
    "data that is gone": (
        _config(lambda config: config | {"data": config["data"] | {"path": "gone.csv"}}), (),
        r"run=\w+: data\.path: must .+; got .*gone\.csv.*\. .+",
    ),
    "another value": (_config(lambda config: config | {"value": "hedonism"}), (), r"run=\w+: model, .+; got another value\. Put .+"),
    "a setting of another version": (
        _config(lambda config: config | {"strategy": config["strategy"] | {"dose": 3}}), (),
        r"run=\w+: must have kept settings that this version of vat knows; got 'strategy\.dose: no such setting.+\. Launch it again .+",
    ),
    "a setting that is gone": (
        _config(lambda config: {key: node for key, node in config.items() if key != "elicit"}), (),
        r"run=\w+: must have kept settings .+; got .+\. .+",
    ),
    "a class from elsewhere": (
        _config(lambda config: config | {"model": {"_target_": "os.system"}}), (),
        r"run=\w+: must have kept settings .+must be a class of vat.+\. .+",
    ),
    "settings that are none": (_config(lambda config: [1]), (), r"run=\w+: \S+config\.json: must be JSON of .+; got a damaged file\. .+"),
}  # fmt: skip


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(("change", "overrides", "message"), FAULTS.values(), ids=FAULTS)
def test_a_run_of_which_no_cases_can_be_told_is_one_line(
    change: Callable[[Place], object], overrides: tuple[str, ...], message: str, scripted: Place
) -> None:
    change(scripted)
    said = scripted.refused(*overrides)
    assert re.fullmatch(message, said)
    assert "\n" not in said
    assert not list(scripted.mlruns.rglob(CASES))


@pytest.mark.usefixtures("silent")
def test_a_baseline_has_no_cases(scripted: Place) -> None:
    assert re.fullmatch(
        r"run=\w+: must be of a job that pushes a value; got a baseline, which pushes none\. Take .+", scripted.refused(name=scripted.baseline)
    )


def test_a_job_that_did_not_finish_has_no_cases(scripted: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*arguments: object, **options: object) -> None:
        raise BackendError("model scripted: must answer; got silence. Wake it.")

    monkeypatch.setattr(ScriptedModel, "ratings", breaks)
    [row] = scripted.launch(*SCRIPTED, "value=hedonism")
    assert row["failed"]
    assert re.fullmatch(r"run=\w+: must be a finished run or job in experiment vat; got .+", scripted.refused(name=row["job"]))


def test_a_question_that_is_only_reworded_has_no_cases(scripted: Place) -> None:
    [row] = scripted.launch(*SCRIPTED, "strategy=paraphrase")
    other = Place(scripted.inputs, scripted.mlruns, (*SCRIPTED, "strategy=paraphrase"))
    assert other.job.key == row["job"]
    make_it_gain(other)
    assert re.fullmatch(
        r"run=\w+: must be of a strategy that an open question sees; got strategy=paraphrase, which only rewords the rating question\. Take .+",
        other.refused(),
    )


@pytest.mark.usefixtures("silent")
def test_all_faults_are_told_before_any_model_is_asked(scripted: Place) -> None:
    (scripted.job.folder / "answers").rename(scripted.job.folder / "gone")
    names = f"[{scripted.job.key},nope,{scripted.baseline},../x]"
    starts = [re.sub(r": .*", "", line) for line in scripted.refused(name=names).splitlines()]
    assert starts == ["run=nope", f"run={scripted.baseline}", "run=../x"]


@pytest.mark.usefixtures("silent")
def test_where_nothing_is_kept_nothing_is_made(place: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^tracking\.root: must be where runs are kept"):
        tell_cases([read_cases(composed(place, "cases", tmp_path / "mlruns", "run=x"))])
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_gone_is_one_line(scripted: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(self: ScriptedModel, prompts: list[Prompt], **options: Any) -> Any:
        raise BackendError("model.base_url=x: the server must be there and stay there; got nobody. Start it.", retryable=True)

    monkeypatch.setattr(ScriptedModel, "texts", breaks)
    assert scripted.refused() == "model.base_url=x: the server must be there and stay there; got nobody. Start it."
    assert scripted.runs()[scripted.job.key].info.status == "FINISHED"
