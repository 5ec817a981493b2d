"""A dataset on the Hugging Face hub or in a directory: which one it is, and its splits as `datasets` reads them. No code of it is run.

What comes from the hub is copied once into the cache of `datasets`, by commit. A directory is read anew each time: `datasets` would tell
an old copy of its files from a new one by their times alone.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from vat.errors import ConfigError, DataError, choose, shown

CONNECT_S = 10.0


class Loaded(NamedTuple):
    """A dataset: name of a split → its rows (a `datasets.Dataset`), and its commit on the hub (None for a directory)."""

    splits: Mapping[str, Any]
    commit: str | None


class Unreachable(Exception):  # noqa: N818 - not told as it stands: there may be a copy
    """The hub does not answer."""


def load(name: str, config: str | None, revision: str | None) -> Loaded:
    """All splits of a dataset.

    Args:
        name: Of a dataset on the hub, or a directory: of data files, or as `save_to_disk` leaves it.
        config: Which of its configurations, where there are several.
        revision: Commit, tag or branch on the hub; None for its default.
    Raises:
        ConfigError: There is no such dataset, configuration or revision, or it is out of reach.
        DataError: It is there, but cannot be read.
    """
    _quiet()
    if not Path(name).is_dir():
        return _on_hub(name, config, revision)
    if revision is not None:
        raise ConfigError(f"data.revision: a directory has none; got {shown(revision)} for {name}. Set data.revision=null.")
    return Loaded(_in_directory(Path(name), config), None)


def _in_directory(folder: Path, config: str | None) -> Mapping[str, Any]:
    import datasets

    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        if config is not None:
            raise ConfigError(f"data.config: what was saved to disk has no configurations; got {shown(config)}. Set data.config=null.")
        with _readable(str(folder)):
            saved = datasets.load_from_disk(str(folder))
        return saved if isinstance(saved, dict) else {str(saved.split or "train"): saved}
    with tempfile.TemporaryDirectory() as cache, _readable(str(folder)):
        builder = _builder(str(folder), config, cache_dir=cache)
        builder.download_and_prepare()
        return _splits(builder.as_dataset(in_memory=True))


@lru_cache(maxsize=2)
def _on_hub(name: str, config: str | None, revision: str | None) -> Loaded:
    try:
        commit = _commit(name, revision)
    except Unreachable as error:
        return _copy(name, config, revision, shown(str(error), 160))
    with _readable(name):
        builder = _builder(name, config, revision=commit)
        builder.download_and_prepare()
        return Loaded(_splits(builder.as_dataset()), commit)


def _commit(name: str, revision: str | None) -> str:
    """The commit that a revision stands for now."""
    import httpx
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        return str(huggingface_hub.HfApi().dataset_info(name, revision=revision, timeout=CONNECT_S).sha)
    except HFValidationError as error:
        step = f"Use data=table data.path={name}." if Path(name).is_file() else "Check it."
        raise ConfigError(f"data.name: must be an existing directory, or owner/name of a dataset on the hub; got {shown(name)}. {step}") from error
    except RepositoryNotFoundError as error:
        rule = f"data.name: must be a dataset on the hub that you may read, or a directory; got {shown(name)}"
        raise ConfigError(f"{rule}. Check the name; for a private dataset set $HF_TOKEN.") from error
    except RevisionNotFoundError as error:
        raise ConfigError(f"data.revision: must be a commit, tag or branch of {name}; got {shown(revision)}. Use data.revision=null.") from error
    except (httpx.HTTPError, OSError) as error:
        raise Unreachable(str(error)) from error


def _copy(name: str, config: str | None, revision: str | None, why: str) -> Loaded:
    """The newest copy on this machine of what cannot be reached, if it is the revision that is asked for."""
    from datasets.packaged_modules.cache.cache import Cache

    try:
        builder = Cache(repo_id=name, dataset_name=name.rpartition("/")[2], config_name=config, hash="auto", version="auto")
    except (ValueError, OSError) as error:
        rule = f"data.name={name}: must be in reach, or have a copy on this machine; got {why}, and {shown(str(error), 160)}"
        raise ConfigError(f"{rule}. Check the connection, and $HF_HUB_OFFLINE.") from error
    if revision not in (None, builder.hash):
        rule = f"data.revision={revision}: must be in reach, or be the copy on this machine; got {why}, and a copy of {builder.hash}"
        raise ConfigError(f"{rule}. Check the connection, or use that.")
    print(f"data.name={name}: the hub is out of reach; reading the copy of {builder.hash} on this machine", file=sys.stderr, flush=True)
    with _readable(name):
        return Loaded(_splits(builder.as_dataset()), builder.hash)


def _splits(dataset: Any) -> Mapping[str, Any]:
    return {str(split): rows for split, rows in dataset.items()}


def _builder(name: str, config: str | None, **options: Any) -> Any:
    """What reads the files of a configuration. Raises a ConfigError if there is no such configuration."""
    import datasets

    try:
        return datasets.load_dataset_builder(name, config, **options)
    except ValueError as error:
        if "config" not in str(error).lower():
            raise
        known = datasets.get_dataset_config_names(name, revision=options.get("revision"))
        raise ConfigError(f"data.config: must be a configuration of {name}; got {shown(config)}. {choose(config or '', known)}") from error


@contextlib.contextmanager
def _readable(name: str) -> Iterator[None]:
    """Whatever `datasets` may say of a dataset that cannot be read, as one line."""
    import httpx
    from datasets.exceptions import DatasetsError

    try:
        yield
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, ImportError, DatasetsError, httpx.HTTPError) as error:
        text = " ".join(f"{error} {error.__cause__ or ''}".split())
        if "scripts are no longer supported" in text:
            rule = f"data.name={name}: must be data that need no code of their own; got a dataset script, which is not run"
            step = "Convert it to parquet." if Path(name).is_dir() else "Try data.revision=refs/convert/parquet, where the hub may have parquet."
            raise ConfigError(f"{rule}. {step}") from error
        if "is a gated dataset" in text:
            rule = f"data.name={name}: must be open to you; got a gated dataset"
            raise ConfigError(f"{rule}. Ask for access on its page on the hub, then set $HF_TOKEN.") from error
        rule = f"data.name={name}: must be a dataset of tables that datasets can read; got {shown(text, 240)}"
        raise DataError(f"{rule}. Check its files, or use data=table.") from error


def _quiet() -> None:
    """Nothing said but by us, and bars only for somebody who watches."""
    import datasets
    import huggingface_hub
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    huggingface_hub.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
        disable_progress_bars()
