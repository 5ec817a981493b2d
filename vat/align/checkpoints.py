"""Checkpoints of a training run on disk: which are whole, which the run can go on from, and what is left of them when they are old.

A checkpoint counts only with its marker, which is written last, after everything in it is on disk; whatever lies there without one is torn.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from vat.errors import DataError
from vat.files import synced, whole_file

PREFIX, MARKER = "checkpoint-", "complete.json"
TO_GO_ON = ("optimizer.pt", "optimizer.bin", "scheduler.pt", "rng_state*.pth", "global_step*", "latest", "zero_to_*.py", "scaler.pt")
"""What only a run that goes on from here needs."""


def checkpoint(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return folder / f"{PREFIX}{step}"


def mark(path: Path, plan: str, layout: str) -> None:
    """Say that a checkpoint is whole, and how it is shared out: all its files synced, the marker last."""
    for file in sorted(path.rglob("*")):
        if file.is_file():
            synced(file)
    with whole_file(path / MARKER) as draft:
        draft.write_text(json.dumps({"plan": plan, "layout": layout}), encoding="utf-8")
    synced(path.parent)


def complete(folder: Path, plan: str) -> list[int]:
    """The steps whose checkpoints are whole, in order; torn ones are set aside and said so.

    Raises:
        DataError: A checkpoint belongs to another plan.
    """
    whole = []
    for step in sorted(int(path.name.removeprefix(PREFIX)) for path in folder.glob(f"{PREFIX}*") if path.name.removeprefix(PREFIX).isdigit()):
        path = checkpoint(folder, step)
        marker = path / MARKER
        if marker.is_file():
            found = json.loads(marker.read_text(encoding="utf-8")).get("plan")
            if found != plan:
                raise DataError(f"{path}: must be a checkpoint of this job; got one of another plan ({found}). Move it away.")
            whole.append(step)
        else:
            aside = path.with_name(f"{path.name}.torn")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            print(f"{path}: was not written to its end and was set aside; training goes on from before it", flush=True)
    return whole


def is_whole(path: Path, plan: str) -> bool:
    """Whether a checkpoint of this plan is whole; may be asked while it is being written."""
    marker = path / MARKER
    return marker.is_file() and json.loads(marker.read_text(encoding="utf-8")).get("plan") == plan


def layout_of(path: Path) -> str:
    """How a whole checkpoint is shared out."""
    return str(json.loads((path / MARKER).read_text(encoding="utf-8"))["layout"])


def only_to_judge(path: Path) -> None:
    """Leave of a checkpoint what it takes to judge it."""
    for pattern in TO_GO_ON:
        _give_up(path.glob(pattern))


def can_go_on(path: Path) -> bool:
    """Whether a checkpoint holds an optimizer: one file, or DeepSpeed's parts."""
    return any(any(path.glob(pattern)) for pattern in ("optimizer.*", "global_step*"))


def has_weights(path: Path) -> bool:
    """Whether a checkpoint is whole and still holds its weights, or its adapter."""
    return (path / MARKER).is_file() and any(path.glob("*.safetensors"))


def forget_before(folder: Path, step: int, judged: Collection[int], plan: str) -> None:
    """Leave of the checkpoints before a whole one what it takes to judge them, and nothing of those that nobody will judge."""
    for path in (checkpoint(folder, before) for before in range(step)):
        if is_whole(path, plan):
            if int(path.name.removeprefix(PREFIX)) in judged:
                only_to_judge(path)
            else:
                shutil.rmtree(path)


def only_marker(path: Path) -> None:
    """Give up the weights of a checkpoint; its marker says that it was whole, and what was judged of it is kept elsewhere."""
    _give_up(file for file in path.glob("*") if file.name != MARKER)


def _give_up(files: Iterable[Path]) -> None:
    """Files and folders, some of which another process may give up at the same time."""
    for file in list(files):
        shutil.rmtree(file, ignore_errors=True) if file.is_dir() else file.unlink(missing_ok=True)
