"""Where runs are kept."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from vat.errors import ConfigError
from vat.settings import settings


@settings
class Tracking:
    """`root`: folder of jobs, artifacts and the default database. `uri`: an MLflow server or database. `experiment`: its name there."""

    root: str
    uri: str | None
    experiment: str

    @property
    def folder(self) -> Path:
        """The root, absolute."""
        return Path(self.root).absolute()

    @property
    def store_uri(self) -> str:
        """Where MLflow keeps runs: as configured, or sqlite in the root."""
        return self.uri or f"sqlite:///{self.database}?timeout=60"

    @property
    def database(self) -> Path:
        """The default one."""
        return self.folder / "mlflow.db"

    def require(self) -> None:
        """Raises a ConfigError if nothing was ever kept here, so that looking for a run does not make a store."""
        if self.uri is None and not self.database.is_file():
            raise ConfigError(f"tracking.root: must be where runs are kept; got {self.folder}, which holds none. Use tracking.root=<folder>.")

    def check(self) -> None:
        """Write into the root once, and leave nothing behind, not even the root if it was not there.

        Raises:
            ConfigError: It cannot be written.
        """
        if (self.folder / "jobs").is_file():
            raise ConfigError(f"tracking.root: must hold a folder jobs; got a file {self.folder / 'jobs'}. Use tracking.root=<folder>.")
        absent = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".write-", delete=True) as probe:
                os.fsync(probe.fileno())
            for folder in absent:
                with contextlib.suppress(OSError):  # another process may have begun to use it
                    folder.rmdir()
        except OSError as error:
            found = f"{self.folder} ({error.strerror})"
            raise ConfigError(f"tracking.root: must be a folder that can be written; got {found}. Use tracking.root=<folder>.") from error
