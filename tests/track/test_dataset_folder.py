"""The folder of a dataset: one name, one dataset."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from vat.errors import ConfigError
from vat.track.dataset_folder import DatasetFolder

IDENTITY = {"language": "English", "tries": 5, "pairs": (("India", "Religion"),)}


class Stopped(BaseException):
    """A process ends here, and does nothing after it."""


def stopped(*_: object, **__: object) -> None:
    raise Stopped


def folder(root: Path, **changes: object) -> DatasetFolder:
    return DatasetFolder(root, "mine", IDENTITY | changes)


def test_it_knows_its_own_again(tmp_path: Path) -> None:
    with folder(tmp_path).held(lambda: None):
        folder(tmp_path).keep("result.json", {"rows": 3})
    with folder(tmp_path).held(lambda: None):
        assert folder(tmp_path).result() == {"rows": 3}
    assert folder(tmp_path).digest == folder(tmp_path).digest != folder(tmp_path, tries=6).digest


def test_another_dataset_of_that_name_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    with folder(tmp_path).held(lambda: None):
        pass
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    message = r"^name=mine: one name is one dataset; got another language 'English' there and 'Hindi' here, and 1 more. Use another name=…"
    with pytest.raises(ConfigError, match=message), folder(tmp_path, language="Hindi", tries=6).held(lambda: None):
        raise AssertionError("it is not ours")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_damaged_identity_and_files_of_somebody_else_are_left_alone(tmp_path: Path, text: str) -> None:
    place = tmp_path / "datasets" / "mine"
    place.mkdir(parents=True)
    (place / "identity.json").write_text(text)
    with pytest.raises(ConfigError, match=r"name=mine: must be a dataset of ours; got .*identity\.json, which is damaged"):
        folder(tmp_path).check()
    (place / "identity.json").rename(place / "notes.txt")
    with pytest.raises(ConfigError, match="with files of another kind"):
        folder(tmp_path).check()
    assert [path.name for path in place.iterdir()] == ["notes.txt"]


def test_what_a_killed_process_has_half_written_goes(tmp_path: Path) -> None:
    with folder(tmp_path).held(lambda: None):
        pass
    draft = folder(tmp_path).path / "prompts" / ".scene.json.123"
    draft.parent.mkdir()
    draft.write_text("half")
    with folder(tmp_path).held(lambda: None):
        assert not draft.exists()


def test_killed_while_it_begins_it_can_begin_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process leaves is a draft of what the dataset is made of, and nothing else that says whose the folder is."""
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stopped)
        patch.setattr(Path, "unlink", stopped)
        with pytest.raises(Stopped), folder(tmp_path).held(lambda: None):
            raise AssertionError("it has not begun")
    place = folder(tmp_path).path
    assert {path.name.rpartition(".")[0] for path in place.iterdir() if path.name != "lock"} == {".identity.json"}
    folder(tmp_path).check()
    with folder(tmp_path).held(lambda: None):
        assert sorted(path.name for path in place.iterdir()) == ["identity.json", "lock"]


def test_killed_while_it_forgets_it_is_still_the_same_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with folder(tmp_path).held(lambda: None):
        folder(tmp_path).keep("prompts/scene.json", {})
        monkeypatch.setattr(shutil, "rmtree", stopped)
        with pytest.raises(Stopped):
            folder(tmp_path).forget()
    folder(tmp_path).check()
    with pytest.raises(ConfigError, match="one name is one dataset"):
        folder(tmp_path, tries=6).check()


def test_who_comes_second_says_so_and_waits(tmp_path: Path) -> None:
    said, order = threading.Event(), []

    def second() -> None:
        with folder(tmp_path).held(said.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with folder(tmp_path).held(lambda: None):
        thread.start()
        assert said.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_what_is_kept_is_json_that_people_can_read(tmp_path: Path) -> None:
    with folder(tmp_path).held(lambda: None):
        folder(tmp_path).keep("prompts/scene.json", {"text": "Zürich"})
    assert "Zürich" in (folder(tmp_path).path / "prompts" / "scene.json").read_text(encoding="utf-8")
    assert json.loads((folder(tmp_path).path / "identity.json").read_text())["pairs"] == [["India", "Religion"]]
    assert folder(tmp_path).json("nothing.json") is None


def test_a_dataset_that_could_not_begin_leaves_its_name_free(tmp_path: Path) -> None:
    with folder(tmp_path).held(lambda: None):
        assert not folder(tmp_path).begun
        (folder(tmp_path).path / "answers" / "writer" / "texts").mkdir(parents=True)
        (folder(tmp_path).path / "answers" / "writer" / "texts" / "part-00000.parquet").touch()
        assert folder(tmp_path).begun
        folder(tmp_path).forget()
    with folder(tmp_path, language="Hindi").held(lambda: None):
        assert not folder(tmp_path, language="Hindi").begun
