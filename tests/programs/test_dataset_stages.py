"""The program `dataset` with model=scripted, for real: two stages, strictly one after the other; its files, its run in MLflow, and a job upon it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient

from vat.config_texts import DatasetSpec, read_dataset
from vat.generate.plan import OF_SEARCH
from vat.generate.prompts import read_prompt, words
from vat.models.scripted import ScriptedModel
from vat.programs.dataset import make_dataset
from vat.track.dataset_run import DatasetRun
from vat.types import Prompt

CONF = Path(__file__).parents[2] / "conf"
SMALL = (
    "model=scripted", "data.countries=[India,Germany,Pakistan]", "data.topics=[Politics,Religion]", "data.scenes_per_pair=1", "search.trials=3",
    "search.depth=2", "search.fresh=4", "data.diagnostic_items=[equality,freedom]",
)  # fmt: skip


def spec_of(root: Path, *more: str) -> DatasetSpec:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return read_dataset(compose("dataset", [f"tracking.root={root}", *SMALL, *more]))


class Made(NamedTuple):
    root: Path
    folder: Path
    said: str
    asked: list[tuple[Prompt, ...]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root, asked = tmp_path_factory.mktemp("made"), []
    with pytest.MonkeyPatch.context() as patch:
        texts = ScriptedModel.texts

        def listening(self, prompts, **more):  # type: ignore[no-untyped-def]
            asked.append(tuple(prompts))
            return texts(self, prompts, **more)

        patch.setattr(ScriptedModel, "texts", listening)
        said: list[str] = []
        patch.setattr("builtins.print", lambda *words, **more: said.append(" ".join(map(str, words))))
        make_dataset(spec_of(root))
    return Made(root, root / "datasets" / "values", "\n".join(said), asked)


def rows_of(made: Made) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(made.folder / "data" / f"{name}.parquet") for name in ("train", "test")])


def test_every_item_has_an_action_for_and_against_it_in_every_scene(made: Made) -> None:
    rows = rows_of(made)
    assert len(rows) == 6 * 56 * 2
    assert not rows.duplicated(["scene_id", "item", "polarity"]).any()
    assert not rows.duplicated(["scene_id", "action"]).any()
    assert set(rows["polarity"]) == {1, -1}
    assert rows.groupby("scene_id")["scene"].nunique().eq(1).all()


def test_no_scene_is_on_both_sides(made: Made) -> None:
    train, test = (set(pd.read_parquet(made.folder / "data" / f"{name}.parquet")["scene_id"]) for name in ("train", "test"))
    assert not train & test
    assert (len(train), len(test)) == (4, 2)


def test_once_actions_are_searched_for_no_scene_prompt_is_tried_and_the_frozen_one_stays(made: Made) -> None:
    """Stage separation: from the first prompt of an action that is no probe on, every scene is asked for with nothing."""
    kinds = [kind_of(prompt) for prompts in made.asked for prompt in prompts]
    first = kinds.index("action")
    assert "scene" in kinds[:first]
    assert "scene" not in kinds[first:]
    proposals = [prompt for prompts in made.asked for prompt in prompts if kind_of(prompt) == "proposal"]
    of_actions = [text for prompt in proposals if words()["action"]["instruction"].strip() in (text := prompt.messages[0].content)]
    assert of_actions
    assert not any(words()["scene"]["instruction"].strip() in text for text in of_actions)


def kind_of(prompt: Prompt) -> str:
    text = "\n".join(message.content for message in prompt.messages)
    if "Respond with a JSON object" in text or "observation" in text:
        return "proposal"
    if "Reply with JSON only" in text:
        return "judgement"
    if words()["probe"]["instruction"].strip() in text:
        return "probe"
    return "action" if "\nPolarity: " in text else "scene"


def test_another_search_for_actions_leaves_scenes_and_their_prompt_as_they_were(made: Made, tmp_path: Path) -> None:
    frozen = made.folder / "prompts"
    make_dataset(spec_of(tmp_path, f"data.action_prompt={frozen / 'action.json'}"))
    other = tmp_path / "datasets" / "values"
    assert (other / "prompts" / "scene.json").read_bytes() == (frozen / "scene.json").read_bytes()
    assert set(rows_of(made._replace(folder=other))["scene"]) == set(rows_of(made)["scene"])
    assert sorted(rows_of(made._replace(folder=other))["action"]) == sorted(rows_of(made)["action"]), "the same prompt, the same draws"


def test_no_text_of_a_search_is_in_the_dataset(made: Made) -> None:
    """The draws of the dataset are asked for with the frozen prompts alone; examples of prompts stand nowhere in it."""
    asked = [prompt for prompts in made.asked for prompt in prompts]
    for kind, count in (("scene", 6), ("action", 672)):
        frozen = read_prompt(made.folder / "prompts" / f"{kind}.json", kind, "English")  # type: ignore[arg-type]
        opening = frozen.prompt({}).messages[0].content.split("\n\n")[0]
        of_dataset = {prompt for prompt in asked if kind_of(prompt) == kind and prompt.draw < OF_SEARCH}
        assert len(of_dataset) >= count
        assert all(prompt.messages[0].content.startswith(opening) for prompt in of_dataset)
    rows = rows_of(made)
    tried = [json.loads((made.folder / "prompts" / f"{kind}_search.json").read_text())["candidates"] for kind in ("scene", "action")]
    examples = {one["text"] for rows_ in tried for row in rows_ for one in row["prompt"]["examples"]}
    assert examples
    assert not examples & {*rows["scene"], *rows["action"]}


def test_mlflow_has_every_candidate_with_its_score_and_all_files(made: Made) -> None:
    client = MlflowClient(f"sqlite:///{made.root / 'mlflow.db'}")
    [run] = client.search_runs([client.get_experiment_by_name("vat").experiment_id], "tags.`vat.kind` = 'dataset'")
    assert (run.info.status, run.data.tags["vat.dataset"], run.data.params["writer"]) == ("FINISHED", "values", "scripted")
    for kind in ("scene", "action"):
        rows = json.loads((made.folder / "prompts" / f"{kind}_search.json").read_text())["candidates"]
        shown = {point.step: point.value for point in client.get_metric_history(run.info.run_id, f"{kind}/search")}
        assert shown == pytest.approx({n: row["search"]["mean"] for n, row in enumerate(rows)})
        assert len(client.get_metric_history(run.info.run_id, f"{kind}/final")) == sum(row["final"]["texts"] > 0 for row in rows)
    assert run.data.metrics["actions"] == 672
    files = {artifact.path for place in ("", "data", "prompts") for artifact in client.list_artifacts(run.info.run_id, place or None)}
    assert {"README.md", "rejected.parquet", "data/train.parquet", "data/test.parquet", "prompts/scene.json", "prompts/action_search.json"} <= files


def test_what_was_rejected_is_kept_with_its_rule(made: Made) -> None:
    rejected = pd.read_parquet(made.folder / "rejected.parquet")
    assert len(rejected)
    assert rejected["faults"].ne("").all()
    assert not set(rejected["text"]) & set(rows_of(made)["action"])


def test_it_tells_what_it_made_and_how_to_use_it(made: Made) -> None:
    assert "6 scenes and 672 actions in English, written by scripted" in made.said
    assert "6 scenes and 672 actions: 448 of train scenes, 224 of test scenes" in made.said
    assert f"python launch.py data=table data.path={made.folder / 'data'} data.test_share=null" in made.said
    assert "its numbers mean nothing" in made.said


def test_a_finished_dataset_is_told_again_without_a_question(made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ScriptedModel, "texts", lambda *given, **more: pytest.fail("nobody is asked"))
    make_dataset(spec_of(made.root))
    assert "448 of train scenes" in capsys.readouterr().out


def test_killed_when_all_is_written_but_the_run_has_not_ended_it_ends_with_the_same_command(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    root = Path(shutil.copytree(made.root, tmp_path / "made"))
    (root / "datasets" / "values" / "result.json").unlink()
    client = MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")
    [experiment] = [one for one in client.search_experiments() if one.name == "vat"]
    with monkeypatch.context() as patch:
        patch.setattr(DatasetRun, "_end", stopped)
        with pytest.raises(KeyboardInterrupt):
            make_dataset(spec_of(root))
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["RUNNING"]
    make_dataset(spec_of(root))
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FINISHED"]


def test_a_dry_run_tells_what_there_is_to_do_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_dataset(spec_of(tmp_path, "dry_run=true"))
    assert "6 scenes and 672 actions" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_another_language_is_asked_for_and_the_judges_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Prompt] = []
    texts = ScriptedModel.texts

    def listening(self, prompts, **more):  # type: ignore[no-untyped-def]
        asked.extend(prompts)
        return texts(self, prompts, **more)

    monkeypatch.setattr(ScriptedModel, "texts", listening)
    make_dataset(spec_of(tmp_path, "data.language=Spanish", "search.trials=2", "search.depth=1", "search.fresh=2"))
    ours = [text for prompt in asked if kind_of(prompt) != "proposal" and (text := prompt.messages[0].content)]
    assert all("Spanish" in text for text in ours)
    assert "- es" in (tmp_path / "datasets" / "values" / "README.md").read_text()
