"""Datasets and databases that tests have made: by launch.py, and in this process, against a server of ours; and what lies in their folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hydra import compose, initialize_config_dir
from pyarrow import parquet

from tests import warm
from tests.generate.dataset_server import FIRST, PRICES, SECOND, WRITER, DatasetServer
from vat.config_texts import read_dataset, read_vidb
from vat.programs.dataset import make_dataset
from vat.programs.vidb import make_database

ROOT = Path(__file__).parents[2]
Ended = subprocess.CompletedProcess[str]
Running = warm.Warm | subprocess.Popen[bytes]
"""A process that makes a dataset: its pid, `poll` and `wait`."""
KEY = "sk-a-key-that-nobody-may-see-0123456789"
KEY_NAME = "SOME_KEY"
NAME = "values"
PLACES = {"model": WRITER, "judges.first": FIRST, "judges.second": SECOND}
"""Where in the configuration each model stands."""
MODELS = {"judge-first": FIRST, "judge-second": SECOND}
SEARCH = (
    "data.diagnostic_items=[equality]", "search.trials=2", "search.depth=1", "search.examples=1", "search.finalists=1", "search.fresh=4",
)  # fmt: skip
"""As little of a search as there is with both optimisers and a final."""
FEW = ("data.countries=[India,Germany]", "data.topics=[Politics,Religion]", "data.scenes_per_pair=1", *SEARCH)
"""4 scenes, 448 actions."""

PROGRAMS: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any], object]]] = {
    "dataset": ("datasets", read_dataset, make_dataset),
    "vidb": ("vidb", read_vidb, make_database),
}
"""By the name of their configuration: in which folder they work, what reads their settings, and the program."""


class Account(NamedTuple):
    """requests: that were answered. read, written: tokens."""

    requests: int
    read: float
    written: float


def models_at(
    server: DatasetServer, places: Mapping[str, str] = PLACES, prices: Mapping[str, tuple[float, float]] = PRICES
) -> Iterator[str]:  # fmt: skip
    """Overrides: each model at its place, all of them at a server."""
    yield "model=openai"
    for place, name in places.items():
        if place != "model":
            yield f"+model@{place}=openai"
        read, wrote = prices[name]
        settings = {
            "name": name, "base_url": server.url, "api_key_env": KEY_NAME, "timeout_s": server.patience_s,
            "usd_per_million_read": read, "usd_per_million_written": wrote,
        }  # fmt: skip
        yield from (f"{place}.{key}={setting}" for key, setting in settings.items())


def launch(
    root: Path, overrides: Sequence[str], *, program: str = "dataset", how: Callable[..., Ended] = warm.launch, **environment: str
) -> Ended:  # fmt: skip
    """`python launch.py -cn dataset …`, ended. environment: what is there besides."""
    return how("-cn", program, f"tracking.root={root}", *overrides, cwd=root.parent, environment={KEY_NAME: KEY} | environment)


def made(root: Path, overrides: Sequence[str], program: str = "dataset") -> Path:
    """The same but for the process; returns the dataset's folder."""
    kind, read, make = PROGRAMS[program]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        spec = read(compose(program, [f"tracking.root={root}", *overrides]))
    make(spec)
    return root / kind / str(spec.name)


def in_a_fork(root: Path, overrides: Sequence[str], said: str = "said.txt", program: str = "dataset") -> Running:
    """Begin it in a process that has imported everything already."""
    file = root.parent / said
    arguments = ("-cn", program, f"tracking.root={root}", *overrides)
    return warm.Warm(*arguments, cwd=root.parent, said=file, complained=file, environment={KEY_NAME: KEY})


def in_a_process(root: Path, overrides: Sequence[str], said: str = "said.txt", program: str = "dataset") -> Running:
    """Begin it in one that begins with nothing."""
    command = [sys.executable, str(warm.LAUNCH), "-cn", program, f"tracking.root={root}", *overrides]
    with (root.parent / said).open("a") as file:
        return subprocess.Popen(command, cwd=root.parent, env=os.environ | {KEY_NAME: KEY}, stdout=file, stderr=file)


def inode_of(file: Path) -> int | None:
    """Another one whenever the file is written."""
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


def tables_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of train and test."""
    return {name: parquet.read_table(folder / "data" / f"{name}.parquet").to_pylist() for name in ("train", "test")}


def result_of(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


def account_of(folder: Path, models: Mapping[str, str] = MODELS) -> dict[str, Account]:
    """What the answers that are kept have taken, by model. models: by the folder of their role; any other is the writer's."""
    by_model = dict.fromkeys([WRITER, *models.values()], Account(0, 0.0, 0.0))
    for path in sorted(folder.glob("answers/*/texts/part-*.parquet")):
        model = models.get(path.parts[-3], WRITER)
        table = parquet.read_table(path)
        before = by_model[model]
        read, wrote = (float(np.nansum(table[name].to_numpy())) for name in ("tokens_read", "tokens_written"))
        by_model[model] = Account(before.requests + len(table), before.read + read, before.written + wrote)
    return by_model


def files_of(folder: Path) -> dict[str, bytes]:
    """All that a dataset leaves to its user but for the card and the numbers that tell what it took to make it."""
    patterns = ("data/*.parquet", "prompts/*.json", "rejected.parquet", "identity.json")
    return {str(path.relative_to(folder)): path.read_bytes() for pattern in patterns for path in sorted(folder.glob(pattern))}
