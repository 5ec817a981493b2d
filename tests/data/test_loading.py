"""Datasets as published: in directories of every form, and on a hub that answers, moves on, or is out of reach."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest

from tests.data.hub_server import commit_of, serving
from vat.data.loading import load
from vat.errors import ConfigError, DataError, VatError

TRAIN, TEST = [{"n": 1, "text": "a"}, {"n": 2, "text": "b"}], [{"n": 3, "text": "c"}]
CARD = b"---\nconfigs:\n- config_name: english\n  data_files: a.csv\n- config_name: german\n  data_files: b.csv\n---\n"
READ = """
import json, sys, time
import datasets  # seconds on a busy machine, and not what is timed
from vat.data.loading import load
from vat.errors import VatError
for line in sys.stdin:
    began, told = time.monotonic(), {}
    try:
        loaded = load(*json.loads(line))
        told = {"commit": loaded.commit, "splits": {name: rows.to_list() for name, rows in loaded.splits.items()}}
    except VatError as error:
        told = {"error": str(error)}
    print(json.dumps(told | {"seconds": time.monotonic() - began}), flush=True)
"""


def of(rows: list[dict[str, Any]]) -> datasets.Dataset:
    return datasets.Dataset.from_list(rows)


def as_files(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    of(TRAIN).to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    of(TEST).to_parquet(folder / "data" / "test-00000-of-00001.parquet")
    return folder


def as_csv(folder: Path) -> Path:
    folder.mkdir()
    of(TRAIN).to_csv(folder / "train.csv")
    of(TEST).to_csv(folder / "test.csv")
    return folder


def as_saved(folder: Path) -> Path:
    datasets.DatasetDict(train=of(TRAIN), test=of(TEST)).save_to_disk(str(folder))
    return folder


@pytest.fixture(autouse=True)
def quiet():
    datasets.disable_progress_bars()


@pytest.mark.parametrize("write", [as_files, as_csv, as_saved])
def test_a_directory_gives_the_same_rows_in_whatever_form(tmp_path, write):
    splits, commit = load(str(write(tmp_path / "published")), None, None)
    assert {name: rows.to_list() for name, rows in splits.items()} == {"train": TRAIN, "test": TEST}
    assert commit is None


def test_one_split_saved_alone_is_called_as_it_was_or_train(tmp_path):
    of(TRAIN).save_to_disk(str(tmp_path / "nameless"))
    datasets.Dataset.from_list(TEST, split="test").save_to_disk(str(tmp_path / "named"))
    assert list(load(str(tmp_path / "nameless"), None, None).splits) == ["train"]
    assert list(load(str(tmp_path / "named"), None, None).splits) == ["test"]


def test_a_file_that_changed_and_kept_its_time_is_read_anew_and_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = as_csv(tmp_path / "published")
    before, file = load(str(folder), None, None).splits["test"].to_list(), folder / "test.csv"
    times = file.stat()
    file.write_text(file.read_text().replace("c", "z"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (before, load(str(folder), None, None).splits["test"].to_list()) == (TEST, [{"n": 3, "text": "z"}])
    assert not (tmp_path / "cache").exists()


def test_a_configuration_is_chosen_by_name(tmp_path):
    (tmp_path / "README.md").write_bytes(CARD)
    of(TRAIN).to_csv(tmp_path / "a.csv")
    of(TEST).to_csv(tmp_path / "b.csv")
    assert load(str(tmp_path), "german", None).splits["train"].to_list() == TEST


def two_configurations(folder: Path) -> None:
    (folder / "README.md").write_bytes(CARD)
    of(TRAIN).to_csv(folder / "a.csv")
    of(TEST).to_csv(folder / "b.csv")


def a_configuration_of_nothing(folder: Path) -> None:
    (folder / "README.md").write_bytes(CARD.replace(b"b.csv", b"config.csv"))
    of(TRAIN).to_csv(folder / "a.csv")


def torn(folder: Path) -> None:
    (folder / "train.csv").write_text("a,b\n1,2\n1,2,3,4\n")


def two_kinds(folder: Path) -> None:
    of(TRAIN).to_csv(folder / "train.csv")
    of(TEST).to_parquet(folder / "test.parquet")


def two_tables(folder: Path) -> None:
    of(TRAIN).to_csv(folder / "train.csv")
    of([{"x": 1}]).to_csv(folder / "test.csv")


def no_parquet(folder: Path) -> None:
    (folder / "train.parquet").write_bytes(b"text")


def pickled(folder: Path) -> None:
    (folder / "train.pkl").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")


def script(folder: Path) -> None:
    (folder / f"{folder.name}.py").write_text("import pathlib; pathlib.Path('ran').touch()")
    of(TRAIN).to_csv(folder / "train.csv")


def saved(folder: Path) -> None:
    as_saved(folder)


def torn_save(folder: Path) -> None:
    as_saved(folder)
    next((folder / "train").glob("*.arrow")).write_bytes(b"")


UNREADABLE = "data.name={path}: must be a dataset of tables that datasets can read; got …. Check its files, or use data=table."
# How the directory is written, configuration, revision, message; `…` stands for anything.
BAD = {
    "none is chosen": (two_configurations, None, None, "data.config: must be a configuration of {path}; got None. Choose from english, german."),
    "misspelt": (two_configurations, "germn", None, "data.config: must be a configuration of {path}; got 'germn'. Did you mean german?"),
    "of one that has none": (torn, "en", None, "data.config: must be a configuration of {path}; got 'en'. Choose from default."),
    "saved has none": (saved, "en", None, "data.config: what was saved to disk has no configurations; got 'en'. Set data.config=null."),
    "revision of a directory": (torn, None, "v1", "data.revision: a directory has none; got 'v1' for {path}. Set data.revision=null."),
    "empty": (lambda folder: None, None, None, UNREADABLE.replace("…", "…doesn't contain any data files…")),
    "files not there": (a_configuration_of_nothing, "german", None, UNREADABLE),
    "torn": (torn, None, None, UNREADABLE.replace("…", "…Expected 2 fields in line 3, saw 4…")),
    "two kinds of file": (two_kinds, None, None, UNREADABLE),
    "two tables": (two_tables, None, None, UNREADABLE),
    "no parquet": (no_parquet, None, None, UNREADABLE),
    "saved, torn": (torn_save, None, None, UNREADABLE),
    "pickled": (pickled, None, None, UNREADABLE),
    "script": (
        script, None, None,
        "data.name={path}: must be data that need no code of their own; got a dataset script, which is not run. Convert it to parquet.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("write", "config", "revision", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_one_line_and_no_code_is_run(tmp_path, monkeypatch, write, config, revision, message):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "published"
    folder.mkdir()
    write(folder)
    with pytest.raises(VatError) as error:
        load(str(folder), config, revision)
    assert_says(str(error.value), message.replace("{path}", str(folder)))
    assert [path.name for path in tmp_path.iterdir()] == ["published"]


def test_a_name_that_is_none_is_told_without_asking_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("a\n1\n")
    rule = "data.name: must be an existing directory, or owner/name of a dataset on the hub"
    for name, step in (("./none", "Check it."), ("a/b/c", "Check it."), ("./mine.csv", "Use data=table data.path=./mine.csv.")):
        with pytest.raises(ConfigError) as error:
            load(name, None, None)
        assert str(error.value) == f"{rule}; got {name!r}. {step}"


def assert_says(text: str, pattern: str) -> None:
    """Whether a text is the pattern, in which `…` stands for anything."""
    assert re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), text), text


CSV = b"n,text\n1,a\n2,b\n"
OLD, NEW = {"train.csv": CSV}, {"train.csv": CSV, "test.csv": b"n,text\n3,c\n", "README.md": b"---\n{}\n---\n"}
REPOS = {
    "lab/moves": [OLD, NEW], "lab/gated": [OLD], "lab/code": [{"code.py": b"import pathlib; pathlib.Path('ran').touch()", **OLD}],
    "lab/two": [{"README.md": CARD, "a.csv": CSV, "b.csv": CSV}],
}  # fmt: skip
ASKED = {
    "main": ["lab/moves", None, None], "commit": ["lab/moves", None, commit_of(OLD)], "no revision": ["lab/moves", None, "v9"],
    "gated": ["lab/gated", None, None], "code": ["lab/code", None, None], "not there": ["lab/none", None, None],
    "none is chosen": ["lab/two", None, None], "torn": ["./torn", None, None], "chosen": ["lab/two", "german", None],
}  # fmt: skip
LATER = {
    "newest copy": ASKED["main"], "copy by commit": ASKED["commit"], "other commit": ["lab/moves", None, "f" * 40],
    "no copy": ["lab/none", None, None],
}  # fmt: skip


def read(url: str, home: Path, asked: dict[str, list[Any]], **environment: str) -> dict[str, dict[str, Any]]:
    """What a process of its own reads from a hub at that address."""
    environment = {"HF_ENDPOINT": url, "HF_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
    lines = "".join(json.dumps(arguments) + "\n" for arguments in asked.values())
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ], input=lines, env=os.environ | environment,
        cwd=home, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    told = dict(zip(asked, map(json.loads, done.stdout.splitlines()), strict=True))
    return told | {"said": {"lines": done.stderr.splitlines()}}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def closed() -> str:
    """An address of this machine where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(scope="module")
def online(home) -> dict[str, dict[str, Any]]:
    (home / "torn").mkdir()
    torn(home / "torn")
    with serving(REPOS, gated=frozenset({"lab/gated"})) as hub:
        return read(hub.url, home, ASKED)


@pytest.fixture(scope="module", params=["out of reach", "offline"])
def later(request, online, home, closed) -> dict[str, dict[str, Any]]:
    """The same machine when the hub does not answer, or must not be asked."""
    return read(closed, home, LATER, **({"HF_HUB_OFFLINE": "1"} if request.param == "offline" else {}))


def test_a_dataset_of_the_hub_is_read_at_its_newest_commit_or_at_the_one_asked_for(online):
    rows = [{"n": 1, "text": "a"}, {"n": 2, "text": "b"}]
    assert online["main"] | {"seconds": 0} == {"commit": commit_of(NEW), "splits": {"train": rows, "test": TEST}, "seconds": 0}
    assert online["commit"] | {"seconds": 0} == {"commit": commit_of(OLD), "splits": {"train": rows}, "seconds": 0}
    assert online["chosen"]["splits"] == {"train": rows}
    assert online["said"]["lines"] == []


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no revision", "data.revision: must be a commit, tag or branch of lab/moves; got 'v9'. Use data.revision=null."),
        ("gated", "data.name=lab/gated: must be open to you; got a gated dataset. Ask for access on its page on the hub, then set $HF_TOKEN."),
        ("code", "data.name=lab/code: must be data that need no code of their own; got a dataset script, which is not run. Try data.revision=…."),
        ("none is chosen", "data.config: must be a configuration of lab/two; got None. Choose from english, german."),
        ("torn", UNREADABLE.replace("{path}", "torn")),
        ("not there", "data.name: must be a dataset on the hub that you may read, or a directory; got 'lab/none'. Check …dataset set $HF_TOKEN."),
    ],
)
def test_what_the_hub_does_not_give_is_one_line_and_nothing_else_is_said(online, home, case, message):
    assert_says(online[case]["error"], message)
    assert online["said"]["lines"] == []
    assert not (home / "ran").exists()


def test_without_the_hub_the_copy_on_this_machine_is_read_and_named(later):
    copy = commit_of(OLD)  # the last that was loaded
    assert later["newest copy"]["commit"] == later["copy by commit"]["commit"] == copy
    assert later["newest copy"]["splits"] == {"train": [{"n": 1, "text": "a"}, {"n": 2, "text": "b"}]}
    assert later["said"]["lines"][0] == f"data.name=lab/moves: the hub is out of reach; reading the copy of {copy} on this machine"


def test_without_the_hub_and_without_a_copy_one_line_comes_within_seconds(later):
    pattern = "data.name=lab/none: must be in reach, or have a copy on this machine; got …, and …. Check the connection, and $HF_HUB_OFFLINE."
    assert_says(later["no copy"]["error"], pattern)
    pattern = "data.revision=ffff…: must be in reach, or be the copy on this machine; got …, and a copy of …. Check the connection, or use that."
    assert_says(later["other commit"]["error"], pattern)
    assert all(told["seconds"] < 5 for name, told in later.items() if name != "said")


def test_errors_are_of_the_setting_or_of_the_data(tmp_path):
    with pytest.raises(ConfigError):
        load(str(tmp_path / "none" / "at" / "all"), None, None)
    with pytest.raises(DataError):
        load(str(tmp_path), None, None)
