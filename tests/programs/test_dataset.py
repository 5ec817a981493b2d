"""The program `dataset` when something is not as it should be: one line for each fault, in time, and nothing changed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.generate.dataset_server import CALM, FIRST, PROSE, REFUSAL, SECOND, WRITER, DatasetServer, Say
from tests.programs.dataset_runs import FEW, KEY, KEY_NAME, SEARCH, in_a_fork, launch, made, models_at, tables_of
from vat.errors import BackendError, ConfigError, OverBudget

OWN = ("""data.countries=["Côte d'Ivoire","Türkiye"]""", "data.topics=[Politics,'Food, drink']", "data.scenes_per_pair=1", *SEARCH)


@pytest.fixture(scope="module")
def root(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("datasets") / "mlruns"))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_NAME, KEY)


@pytest.fixture(scope="module")
def server() -> Iterator[DatasetServer]:
    with DatasetServer(CALM, key=KEY) as server:
        yield server


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """All files of a folder but its lock, with when they were written."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock"]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def refused(root: Path, server: DatasetServer, *overrides: str, error: type[Exception] = ConfigError) -> list[str]:
    """The lines with which a command ends."""
    with pytest.raises(error) as caught:
        made(root, [*models_at(server), *overrides])
    return str(caught.value).splitlines()


def test_every_model_that_cannot_be_asked_is_named_at_once_and_the_corrected_command_may_have_the_name(tmp_path: Path, empty_store: Path) -> None:
    root = Path(shutil.copytree(empty_store, tmp_path / "mlruns"))
    with DatasetServer(CALM, key=KEY) as server:
        keys = ("model.api_key_env=NOT_THERE", "judges.second.api_key_env=PATH_OF_WRONG_KEY")
        done = launch(root, [*models_at(server), *FEW, *keys], PATH_OF_WRONG_KEY="sk-wrong-0123456789")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "model.api_key_env=NOT_THERE: this environment variable must hold the key; got nothing."
        " Export it, or set model.api_key_env=null if the server wants no key.",
        f"judges.second: model.api_key_env=PATH_OF_WRONG_KEY: {server.url} must accept the key in this variable; got status 401. Check the key.",
    ]
    assert [asked.model for asked in server.log] == [FIRST, SECOND], "one trial each"
    assert [path.name for path in (root / "datasets" / "values").iterdir()] == ["lock"]


FAULTS = {
    "data.countries=[India,India,Germany]": "data.countries: a name stands once; got 'India' 2 times. Remove one.",
    "data.countries=[A/B,Chile,Peru]": "data.countries: a name is text without a slash and without spaces around it; got 'A/B'. Write it otherwise.",
    "data.countries=['',Chile,Peru]": "data.countries: a name is text without a slash and without spaces around it; got ''. Write it otherwise.",
    "data.countries=[]": "data.countries: must be at least one name; got none. Use 'data.countries=[…,…]'.",
    "data.countries=Chile": "data.countries: should be a valid list; got 'Chile'. See conf/recipe/.",
    "data.diagnostic_items=[equalty]": "data.diagnostic_items: must be items of theory schwartz; got 'equalty'. Did you mean equality?",
    "data.diagnostic_pairs=[[Peru,Politics],[India,Politics]]": "data.diagnostic_pairs: must be of data.countries and data.topics; got 'Peru', none"
    " of data.countries. Set it to null.",
    "data.scene_prompt=/nowhere.json": "data.scene_prompt: must be a file that a dataset has left in prompts/; got /nowhere.json, which is none."
    " Check the path.",
    "name=../x": "name: must be letters, digits, _, ., - and spaces; got '../x'. Use name=mine.",
    "max_cost_usd=0": "max_cost_usd: must be above 0, or null; got 0. Use max_cost_usd=5.",
    f"judges.second.name={FIRST}": f"judges.second: must be another model than judges.first; got {FIRST} for both. Give one of them another, or do"
    " with one: judges=itself.",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_setting_that_cannot_be_is_one_line_and_leaves_nothing(fault: str, tmp_path: Path, server: DatasetServer) -> None:
    before = len(server.log)
    lines = refused(tmp_path / "mlruns", server, *FEW, *(() if fault.startswith("name=") else ("name=mine",)), fault)
    assert FAULTS[fault] in lines
    assert len(lines) <= 2, "few countries may also be too few scenes"
    assert len(server.log) == before
    assert not [*tmp_path.iterdir()]


def test_a_limit_of_cost_needs_the_prices_of_all_models_before_anything_is_asked(root: Path, server: DatasetServer) -> None:
    [line] = refused(root, server, *FEW, "name=prices", "max_cost_usd=1", "judges.second.usd_per_million_read=null")
    assert line == "judges.second: model.max_cost_usd=1: needs prices; got none. Set model.usd_per_million_read."


def extremes(model: str, kind: str, text: str) -> str | None:
    """One judge finds everything perfect, the other nothing."""
    if kind != "judgement":
        return None
    return json.dumps({field: model == FIRST if isinstance(cell, bool) else 5 if model == FIRST else 1 for field, cell in json.loads(text).items()})


@pytest.mark.parametrize(
    ("say", "line", "most"),
    [
        (
            lambda model, kind, text: REFUSAL if model == WRITER else None,
            f"model: must write scenes that keep to the rules; got none in 8 (8 refusals), e.g. \"{REFUSAL}\". Choose another model,",
            30,
        ),
        (
            lambda model, kind, text: REFUSAL if (model, kind) == (WRITER, "scene") else None,
            f"model: must write scenes that keep to the rules; got none in 32 (32 refusals), e.g. \"{REFUSAL}\". Choose another model,",
            60,
        ),
        (extremes, "judges: must agree better than chance for a prompt to be chosen by what they say; got Krippendorff's alpha of", 500),
        (
            lambda model, kind, text: PROSE if (model, kind) == (SECOND, "judgement") else None,
            f"judge second: must reply with the JSON that it is asked for; got '{PROSE}' and",
            150,
        ),
        (
            lambda model, kind, text: "" if kind == "proposal" else None,
            "search: the model must propose instructions that can be read; got",
            60,
        ),
    ],
    ids=["refuses everything", "refuses scenes", "judges never agree", "a judge talks", "no proposals"],
)  # fmt: skip
def test_models_that_are_of_no_use_end_it_soon_in_one_line(say: Say, line: str, most: int, root: Path, request: pytest.FixtureRequest) -> None:
    with DatasetServer(CALM, key=KEY, say=say) as server:
        [told] = refused(root, server, *FEW, f"name={request.node.callspec.id}", error=BackendError)
    assert told.startswith(line)
    assert len(server.log) < most


def test_a_name_that_stands_for_another_dataset_is_refused_and_nothing_changes(root: Path, server: DatasetServer) -> None:
    command = (*FEW, "name=begun")
    refused(root, server, *command, "max_cost_usd=0.005", error=OverBudget)
    folder = root / "datasets" / "begun"
    before, asked = contents(folder), len(server.log)
    assert any("answers" in path for path in before)
    others = {
        "data.tries=9": "tries 5 there and 9 here.",
        "data.countries=[India,France]": "countries ['India', 'Germany'] there and ['India', 'France'] here, and ",
        "judges.second.name=third": "judge second {",
        "search.trials=3": "search {",
        "data.temperature=0.2": "temperature 0.7 there and 0.2 here, and 1 more.",
    }
    for setting, found in others.items():
        [line] = refused(root, server, *command, setting)
        assert line.startswith("name=begun: one name is one dataset; got another "), line
        assert line.endswith("Use another name=…, or the settings that it was begun with.")
        assert found in line
    assert contents(folder) == before
    assert len(server.log) == asked


@pytest.fixture(scope="module")
def finished(root: Path) -> Callable[[], Any]:
    """What a dataset of the user's own countries and topics has left, and what making it once more prints; its server is gone."""
    with pytest.MonkeyPatch.context() as patch, DatasetServer(CALM, key=KEY) as server:
        patch.setenv(KEY_NAME, KEY)
        command = [*models_at(server), *OWN, "name=finished"]
        made(root, command)
    return lambda: made(root, command)


def test_countries_and_topics_may_be_any_names(finished: Callable[[], Any], root: Path) -> None:
    rows = [row for table in tables_of(root / "datasets" / "finished").values() for row in table]
    assert Counter((row["country"], row["topic"]) for row in rows) == dict.fromkeys(
        [(country, topic) for country in ("Côte d'Ivoire", "Türkiye") for topic in ("Politics", "Food, drink")], 112
    )
    assert {row["scene_id"] for row in rows} > {"Côte d'Ivoire/Food, drink/1"}


def test_a_dataset_that_is_done_is_told_again_and_nobody_is_asked(
    finished: Callable[[], Any], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(root / "datasets" / "finished")
    finished()
    assert contents(root / "datasets" / "finished") == before
    said, complaint = capsys.readouterr()
    assert said.startswith("4 scenes and 448 actions: ")
    assert "Card: " in said
    assert not complaint


def test_of_two_processes_with_one_name_one_waits_and_asks_nothing(finished: Callable[[], Any], root: Path) -> None:
    said = {name: root.parent / f"{name}.txt" for name in ("first", "second")}
    prompts = [f"data.{kind}_prompt={root}/datasets/finished/prompts/{kind}.json" for kind in ("scene", "action")]
    with DatasetServer(CALM, key=KEY, delay_s=0.05) as server:
        command = [*models_at(server), *FEW, *prompts, "name=shared"]
        server.stop_at = 20
        first = in_a_fork(root, command, said["first"].name)
        assert server.stopped.wait(60)
        second = in_a_fork(root, command, said["second"].name)
        assert (first.wait(), second.wait()) == (0, 0), said["second"].read_text()
    assert len(server.good_answers) == len({asked.question for asked in server.good_answers}) > 452
    assert [asked.model for asked in server.log if asked.kind == "trial"] == [WRITER], "nobody judges, and the second does not try"
    lines = said["second"].read_text().splitlines()
    assert lines[0] == "name=shared: held by another process, waiting for it"
    assert lines[1].startswith("4 scenes and 448 actions: ")
    assert lines[1] in said["first"].read_text()
