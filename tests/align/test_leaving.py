"""Training that is told to leave, as on a machine that is wanted back: it saves where it is, and goes on from there to the bit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from tests.align.tasks import task
from tests.align.test_training import logged, trainer, written
from vat.align.checkpoints import MARKER, PREFIX, checkpoint
from vat.config import AlignSpec
from vat.errors import DataError
from vat.programs.align import resources_of

Compose = Callable[..., AlignSpec]


@pytest.mark.parametrize("layout", ["cluster.processes=1", pytest.param("cluster.processes=2", marks=pytest.mark.slow)])
def test_a_run_that_is_told_to_leave_saves_where_it_is_and_ends_with_the_bits_of_an_undisturbed_one(
    layout: str, compose: Compose, tmp_path: Path
) -> None:
    spec = compose("strategy=sft", layout)
    resources = resources_of(spec)
    shared = {"save_at": [40, 80], "workers": resources.workers, "layout": resources.layout}
    calm, told = (written(tmp_path / name, spec, 80, **shared) for name in ("calm", "told"))
    assert trainer(calm).wait() == 0, (calm / "said.txt").read_text()
    process = subprocess.Popen(
        [sys.executable, "-m", "vat.align.trainer", str(told / "plan.json"), str(os.getpid())], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    while process.poll() is None and (not (told / "log.jsonl").is_file() or len(logged(told)) < 3):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()
    [left] = [path for path in told.glob(f"{PREFIX}*") if (path / MARKER).is_file()]
    step = int(left.name.removeprefix(PREFIX))
    assert 3 <= step < 40, "between two checkpoints"
    assert len(logged(told)) == step
    assert trainer(told).wait() == 0, (told / "said.txt").read_text()
    assert logged(told) == logged(calm)
    ours, theirs = (load_file(checkpoint(folder, 80) / "model.safetensors") for folder in (told, calm))
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert not left.exists(), "nobody will judge it"
    assert sorted(path.name for path in told.glob(f"{PREFIX}*")) == ["checkpoint-40", "checkpoint-80"]


def test_a_checkpoint_without_its_optimizer_is_not_gone_on_from(compose: Compose, tmp_path: Path) -> None:
    spec = compose("strategy=sft", "strategy.steps=4", "strategy.checkpoints=2", "strategy.batch=2", "strategy.keep=all")
    given = task("power", -1, spec.model, lambda _: None, folder=tmp_path)
    assert [state.step for state in spec.strategy.states(given)] == [2, 4]
    shutil.rmtree(checkpoint(tmp_path, 4))
    with pytest.raises(DataError, match=r"checkpoint-2: must hold the optimizer that training goes on with; got none.*Move .* away"):
        list(spec.strategy.states(given))
