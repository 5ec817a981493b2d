"""An experiment of MLflow: its runs searched and made, and whatever goes wrong there in one line of ours."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vat.errors import BackendError, MissingDependency, shown
from vat.files import whole_file
from vat.track.settings import Tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient


def without_password(text: str) -> str:
    """A text in which a URI may stand, without the name and password that the URI may hold. To be used before the text is cut."""
    return re.sub(r"(password|token|key)=[^&\s'\"]+", r"\1=…", re.sub(r"//[^@\s]+@", "//…@", text))


@contextlib.contextmanager
def errors_of_mlflow(tracking: Tracking) -> Iterator[None]:
    """What MLflow raises inside is a BackendError outside; a driver of a database that is not installed, a MissingDependency."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingDependency(str(error.name), needed_by="tracking.uri", install=f"pip install {error.name}") from error
    except (MlflowException, SQLAlchemyError, OSError) as error:
        where = tracking.uri.split("://")[0] + "://…" if tracking.uri else Path(tracking.root) / "mlflow.db"
        rule = f"tracking.uri: MLflow at {where} must take our runs; got {shown(without_password(str(error)))}"
        raise BackendError(f"{rule}. What is done stays on disk: run the same command again.", retryable=True) from error


class Experiment:
    """The experiment that tracking names, made if it is new. client: of MLflow; id: of the experiment."""

    def __init__(self, tracking: Tracking) -> None:
        """Open the store, making it if it is new. Processes that make one together spoil it: the caller holds a lock.

        Raises:
            BackendError: It cannot be reached.
        """
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines whenever a run ends
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # a server that is down is said in seconds, not in minutes
        for noisy in ("alembic", "mlflow"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # prints a traceback of what it raises as well
        self._tracking = tracking
        self._is_served = (tracking.uri or "").startswith(("http", "databricks"))
        from mlflow import MlflowClient

        with self.errors():
            if tracking.uri is None and not tracking.database.exists():
                for left in tracking.folder.glob(f".{tracking.database.name}.*"):
                    left.unlink()
                with whole_file(tracking.database) as draft:  # a process that dies while it makes one would spoil it for good
                    MlflowClient(tracking_uri=f"sqlite:///{draft}").search_experiments(max_results=1)
            self.client: MlflowClient = MlflowClient(tracking_uri=tracking.store_uri)
            self.id = self._opened()

    def search(self, condition: str) -> list[Any]:
        """All runs that meet a condition of MLflow's, the newest first."""
        found, token = [], None
        while True:
            page = self.client.search_runs([self.id], condition, max_results=1000, page_token=token)
            found += list(page)
            token = page.token
            if not token:
                return found

    def is_one_deleted(self, condition: str) -> bool:
        """Whether a run that meets the condition was deleted."""
        from mlflow.entities import ViewType

        return bool(self.client.search_runs([self.id], condition, run_view_type=ViewType.DELETED_ONLY, max_results=1))

    def made(self, condition: str, tags: Mapping[str, str]) -> Any:
        """A new run, the only one for a condition. A server that goes away before it replies is asked again by MLflow's client, and has two then."""
        made = self.client.create_run(self.id, tags=dict(tags))
        if not self._is_served:
            return made
        *surplus, oldest = self.search(condition)
        for run in surplus:
            self.client.delete_run(run.info.run_id)
        return oldest

    def errors(self) -> contextlib.AbstractContextManager[None]:
        """What MLflow raises inside is an error of ours outside."""
        return errors_of_mlflow(self._tracking)

    def _opened(self) -> str:
        found = self.client.get_experiment_by_name(self._tracking.experiment)
        if found is not None:
            return str(found.experiment_id)
        place = None if self._is_served else (self._tracking.folder / "artifacts").as_uri()  # a server keeps artifacts where it likes
        return str(self.client.create_experiment(self._tracking.experiment, artifact_location=place))
