from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vat.errors import DataError
from vat.track.job import Job, job_key

HOLD = """
import sys, time
from pathlib import Path
from vat.track.job import Job
with Job(Path(sys.argv[1]), {"a": 1}).held():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_key_depends_on_what_is_said_and_not_on_its_order() -> None:
    assert job_key({"a": 1, "b": {"c": 2, "d": 3}}) == job_key({"b": {"d": 3, "c": 2}, "a": 1})
    assert job_key({"a": 1}) != job_key({"a": 2})
    assert len(job_key({"a": 1})) == 16


def test_a_key_refuses_what_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        job_key({"a": float("nan")})


def test_a_job_is_done_when_its_result_is_there_and_missing_stays_missing(tmp_path: Path) -> None:
    job = Job(tmp_path, {"a": 1})
    assert job.result() is None
    job.finish({"steps": {"0": {"gain": 0.5, "gnd": float("nan")}}})
    assert Job(tmp_path, {"a": 1}).result() == {"steps": {"0": {"gain": 0.5, "gnd": None}}}
    assert Job(tmp_path, {"a": 2}).result() is None


def test_a_finished_job_is_found_by_its_key(tmp_path: Path) -> None:
    job = Job(tmp_path, {"b": [1, 2], "a": {"c": None}})
    job.step_folder(0)
    assert Job.of_key(tmp_path, job.key) is None, "it is not finished"
    job.finish({"steps": {}})
    found = Job.of_key(tmp_path, job.key)
    assert found is not None
    assert (found.key, found.folder, found.identity, found.result()) == (job.key, job.folder, job.identity, {"steps": {}})
    assert Job.of_key(tmp_path, "0" * 16) is None
    assert Job.of_key(tmp_path / "elsewhere", job.key) is None


@pytest.mark.parametrize("content", [b'{"a": ', b"", b"\xff\xfe", b"[]"])
def test_a_damaged_identity_is_said_and_not_overwritten(tmp_path: Path, content: bytes) -> None:
    job = Job(tmp_path, {"a": 1})
    job.finish({})
    (job.folder / "identity.json").write_bytes(content)
    with pytest.raises(DataError, match=r"identity\.json: must be JSON .*; got a damaged file\. Launch the job again\.$"):
        Job.of_key(tmp_path, job.key)
    assert (job.folder / "identity.json").read_bytes() == content


def test_drafts_of_a_killed_process_are_cleared_by_the_next_owner(tmp_path: Path) -> None:
    job = Job(tmp_path, {"a": 1})
    draft = job.step_folder(0) / ".coupling.png.12345"
    draft.write_text("half")
    with job.held():
        assert not draft.exists()
    assert (job.folder / "lock").exists()


def test_a_damaged_result_is_said_and_not_overwritten(tmp_path: Path) -> None:
    job = Job(tmp_path, {"a": 1})
    job.finish({})
    (job.folder / "result.json").write_text('{"steps": ')
    with pytest.raises(DataError, match=r"result\.json: must be JSON .*; got a damaged file\. Delete it"):
        job.result()


def test_one_process_holds_a_job_and_its_death_frees_it(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline().strip() == "held"
    waited: list[float] = []

    def while_waiting() -> None:
        waited.append(time.time())
        os.kill(owner.pid, signal.SIGKILL)

    with Job(tmp_path, {"a": 1}).held(while_waiting):
        assert waited, "the job was not held by the other process"
    owner.wait()
    owner.stdout.close()
