"""A job: its key, its folder, its lock, its result. What lies in the folder is enough to bring any MLflow server up to date."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vat.errors import DataError
from vat.files import left_alone, whole_file
from vat.track.store import PartStore, tokens_in

CONFIG, PAGE = "config.json", "page.html"
INTENSITY = "intensity.json"
"""In the folder of a step, where its answers were ranked: intensities, refusals, and as `metrics` what its run shows of them."""
RESULT_VERSION = 1
"""Raised when the same settings give other results than before; old jobs are then no longer taken for done."""


def job_key(identity: Mapping[str, object]) -> str:
    """First 16 hex digits of the SHA-256 of the canonical JSON of everything that determines a job's result."""
    canonical = json.dumps({"result_version": RESULT_VERSION, **identity}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class HeldElsewhere(Exception):  # noqa: N818 - no error: somebody else does the work
    """Another process holds the job."""


class Job:
    """The folder `<root>/jobs/<key>`.

    identity.json   what the key stands for
    config.json     the settings that it was last launched with, of which the same job can be made again; not of a baseline
    answers/<name>/ the model's answers, in parts, as they come
    steps/<step>/   judgements, value states, coupling, figure of each measured state
    result.json     the numbers; written last: the job is done when it is there
    page.html       the numbers as figures, for people
    lock            held by the process that works on the job, for its life
    """

    def __init__(self, root: Path, identity: Mapping[str, object]) -> None:
        self.identity = identity
        self.key = job_key(identity)
        self.folder = root / "jobs" / self.key

    @classmethod
    def of_key(cls, root: Path, key: str) -> Job | None:
        """The finished job of that key, or None if it is not there.

        Raises:
            DataError: Its identity is not what this program writes.
        """
        path = root / "jobs" / key / "identity.json"
        if not path.is_file():
            return None
        try:
            identity = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            identity = None
        if not isinstance(identity, dict) or job_key(identity) != key:
            raise DataError(f"{path}: must be JSON of what the key stands for; got a damaged file. Launch the job again.")
        return cls(root, identity)

    @staticmethod
    @contextlib.contextmanager
    def left_alone(root: Path, key: str) -> Iterator[bool]:
        """Whether a job's folder is here and no process holds it, nor will as long as the block lasts."""
        folder = root / "jobs" / key
        if not folder.is_dir():
            yield False
            return
        with left_alone(folder / "lock") as free:
            yield free

    @contextlib.contextmanager
    def held(self, waiting: Callable[[], object] | None = lambda: None) -> Iterator[None]:
        """Hold the job's lock; if another process has it, call `waiting` and wait. The system frees it when its owner dies.

        Raises:
            HeldElsewhere: Another process has it, and `waiting` is None.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if waiting is None:
                raise HeldElsewhere from None
            waiting()
            lock.acquire()
        try:
            for draft in self.folder.rglob(".*"):  # left by a process that was killed while it wrote
                draft.unlink(missing_ok=True)
            yield
        finally:
            lock.release()

    def keep_config(self, config: Mapping[str, object]) -> bool:
        """Keep the settings of which the job can be made again; whether they are others than were kept."""
        path, text = self.folder / CONFIG, json.dumps(config, indent=1, allow_nan=False) + "\n"
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        with whole_file(path) as draft:
            draft.write_text(text, encoding="utf-8")
        return True

    def config(self) -> dict[str, Any] | None:
        """The settings that were kept, or None where there are none.

        Raises:
            DataError: The file is not what this program writes.
        """
        path = self.folder / CONFIG
        if not path.is_file():
            return None
        try:
            config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            config = {}
        if not isinstance(config, dict) or not config:
            raise DataError(f"{path}: must be JSON of a job's settings; got a damaged file. Launch the job again with its own settings.")
        return config

    def answers(self, name: str) -> PartStore:
        """Where the answers to one list of prompts are kept."""
        return PartStore(self.folder / "answers" / name)

    def tokens(self) -> tuple[float, float]:
        """Tokens read and written for it so far, as far as a server counted them."""
        return tokens_in(self.folder / "answers")

    def step_folder(self, step: int) -> Path:
        """Where the files of a measured state lie."""
        folder = self.folder / "steps" / f"{step:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def is_done(self) -> bool:
        """Whether it has a result, made with whatever measures."""
        return (self.folder / "result.json").is_file()

    def result(self) -> dict[str, Any] | None:
        """The result, or None while the job is not done.

        Raises:
            DataError: The file is not what this program writes.
        """
        if not self.is_done:
            return None
        path = self.folder / "result.json"
        try:
            result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path}: must be JSON as a finished job leaves it; got a damaged file. Delete it to measure again.") from error
        return result

    def shown(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Its result as its run shows it: with the metrics that were added to its states later."""
        steps = {}
        for step, metrics in result["steps"].items():
            path = self.folder / "steps" / f"{int(step):06d}" / INTENSITY
            later = json.loads(path.read_text(encoding="utf-8")).get("metrics", {}) if path.is_file() else {}
            steps[step] = {**metrics, **later}
        return {**result, "steps": steps}

    def finish(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Write what the key stands for and the result; from now on the job is done. Returns the result as `result` reads it."""
        for name, content in (("identity.json", self.identity), ("result.json", _without_nan(result))):
            with whole_file(self.folder / name) as draft:
                draft.write_text(json.dumps(content, indent=1, allow_nan=False, default=str) + "\n", encoding="utf-8")
        written = self.result()
        assert written is not None
        return written


def _without_nan(x: Any) -> Any:
    """The same with None for what is not defined: JSON has no NaN."""
    if isinstance(x, Mapping):
        return {key: _without_nan(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_without_nan(value) for value in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x
