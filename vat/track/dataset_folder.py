"""The folder of a dataset that is being made: what it is of, the answers so far, what was found, and, when it is done, its result."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vat.errors import ConfigError, shown
from vat.files import whole_file
from vat.track.store import PartStore

IDENTITY, RESULT = "identity.json", "result.json"


class DatasetFolder:
    """The folder `<root>/datasets/<name>`, or of another `kind` of work by models that has a name, `<root>/<kind>/<name>`.

    identity.json    what the dataset is made of: another one of that name is refused
    answers/<role>/  what models have said, in parts that are only ever added
    prompts/         the frozen prompts, and what was found on the way to them
    rejected.parquet texts that broke a rule
    data/            the dataset
    README.md        its card
    result.json      its numbers; written last: the dataset is done when it is there
    lock             held by the process that works on it
    """

    def __init__(self, root: Path, name: str, identity: Mapping[str, object], *, kind: str = "datasets") -> None:
        self.path, self._name = root / kind / name, name
        self._identity: dict[str, Any] = json.loads(json.dumps(identity))

    @property
    def digest(self) -> str:
        """SHA-256 of what the dataset is made of."""
        return hashlib.sha256(json.dumps(self._identity, sort_keys=True).encode()).hexdigest()

    @contextlib.contextmanager
    def held(self, waiting: Callable[[], object]) -> Iterator[None]:
        """Hold the lock; if another process has it, call `waiting` and wait. Inside, the folder is this dataset's.

        Raises:
            ConfigError: It holds another dataset.
        """
        from filelock import FileLock, Timeout

        self.check()
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            self.check()
            for draft in self.path.rglob(".*.*"):  # left by a process that was killed while it wrote
                draft.unlink(missing_ok=True)
            if not (self.path / IDENTITY).is_file():
                self.keep(IDENTITY, self._identity)
            yield
        finally:
            lock.release()

    def check(self) -> None:
        """Raises a ConfigError if the folder is there and not this dataset's; it then stays as it is."""
        where = f"name={self._name}"
        if not (self.path / IDENTITY).is_file():
            draft = f".{IDENTITY}."  # of a process that begins at the same time, or was killed when it did
            if any(path.name != "lock" and not path.name.startswith(draft) for path in self.path.glob("*")):
                raise ConfigError(f"{where}: must be new, or a dataset of ours; got {self.path} with files of another kind. Use another name.")
            return
        kept = self.json(IDENTITY)
        if kept is None:
            raise ConfigError(f"{where}: must be a dataset of ours; got {self.path / IDENTITY}, which is damaged. Use another name.")
        other = sorted(key for key in {*kept, *self._identity} if kept.get(key) != self._identity.get(key))
        if other:
            first = other[0]
            found = f"{first} {shown(kept.get(first), 60)} there and {shown(self._identity.get(first), 60)} here" + f", and {len(other) - 1} more" * (
                len(other) > 1
            )
            raise ConfigError(f"{where}: one name is one dataset; got another {found}. Use another name=…, or the settings that it was begun with.")

    @property
    def begun(self) -> bool:
        """Whether anybody has answered anything for it."""
        return any(self.path.glob("answers/*/*/part-*"))

    def forget(self) -> None:
        """Leave nothing but the lock: the name is free again."""
        for path in sorted(self.path.iterdir(), key=lambda path: path.name == IDENTITY):  # or what is left would be somebody else's
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()

    def answers(self, role: str) -> PartStore:
        """Where the answers of a role are kept."""
        return PartStore(self.path / "answers" / role.replace(" ", "-") / "texts")

    def keep(self, name: str, tree: Mapping[str, Any]) -> None:
        """Keep something as JSON, whole or not at all."""
        with whole_file(self.path / name) as draft:
            draft.write_text(json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")

    def json(self, name: str) -> dict[str, Any] | None:
        """What was kept under a name, or None if there is nothing that can be read."""
        try:
            tree: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return tree if isinstance(tree, dict) else None

    def result(self) -> dict[str, Any] | None:
        """The numbers of the dataset if it is done."""
        return self.json(RESULT)
