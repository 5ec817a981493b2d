"""Training with several processes and DeepSpeed, on the CPU: the same numbers, whole checkpoints, and nothing left running or torn."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.align.tasks import task
from tests.align.test_training import KINDS, logged, trainer, written
from vat.align.base import Resources
from vat.align.checkpoints import MARKER, checkpoint, layout_of
from vat.align.training import TrainingStrategy
from vat.config import AlignSpec
from vat.errors import BackendError, ConfigError
from vat.programs.align import preflight, resources_of

Compose = Callable[..., AlignSpec]
needs_deepspeed = pytest.mark.skipif(find_spec("deepspeed") is None, reason="DeepSpeed is not installed")
STAGES = [pytest.param(name, marks=needs_deepspeed) for name in ("zero1", "zero2", "zero3")]
LOSS_TOLERANCE = 2e-6
WEIGHT_TOLERANCE = 2e-5
"""Layouts add up in another order. Measured over six steps that move weights by up to 2.5e-4: losses within 6e-7; weights within 5e-6 (SFT), 9e-7
(DPO), 1.3e-6 (LoRA)."""


def planned(folder: Path, compose: Compose, kind: str = "sft", *overrides: str, **changes: Any) -> Path:
    """A plan of a short run in the layout that the overrides ask for."""
    spec = compose(*KINDS[kind], *overrides)
    resources = resources_of(spec)
    return written(
        folder, spec, **{"workers": resources.workers, "deepspeed": resources.deepspeed, "layout": resources.layout, "batch": 4, "steps": 4} | changes
    )


def trained(folder: Path) -> Path:
    assert trainer(folder).wait() == 0, (folder / "said.txt").read_text()
    return folder


def weights(folder: Path, step: int) -> dict[str, np.ndarray]:
    """All weights of a checkpoint; DeepSpeed writes a head that is tied to the embedding once more."""
    [file] = checkpoint(folder, step).glob("*.safetensors")
    found = load_file(file)
    head = found.pop("lm_head.weight", None)
    assert head is None or (head == found["model.embed_tokens.weight"]).all()
    return found


def assert_same(one: Path, other: Path, *, steps: int, loss: float, weight: float) -> None:
    """That two runs logged and ended with the same numbers, but for so much; 0 is to the bit."""
    for here, there in zip(logged(one), logged(other), strict=True):
        assert here["step"] == there["step"]
        assert abs(here["loss"] - there["loss"]) <= loss, here["step"]
    ours, theirs = weights(one, steps), weights(other, steps)
    assert ours.keys() == theirs.keys()
    assert max(float(np.abs(ours[name] - theirs[name]).max()) for name in ours) <= weight


def killed_while_it_writes(folder: Path, step: int) -> None:
    """Kill a trainer's first process, which takes all others with it, while that checkpoint is being written."""
    process = trainer(folder)
    while process.poll() is None and not checkpoint(folder, step).is_dir():
        time.sleep(0.002)
    workers = children(process.pid)
    assert process.poll() is None, (folder / "said.txt").read_text()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    gone(workers)


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for thread in tasks.iterdir() for child in (thread / "children").read_text().split()]


def gone(pids: list[int]) -> None:
    """Wait until none of the processes runs any more."""
    deadline = time.monotonic() + 60
    for pid in pids:
        while alive(pid):
            assert time.monotonic() < deadline, pid
            time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _killed(kind: str, compose: Compose, tmp_path: Path, overrides: tuple[str, ...], *, steps: int, kills: tuple[int, ...]) -> None:
    """A run killed while it writes each of these checkpoints, against an undisturbed one."""
    import transformers

    calm = trained(planned(tmp_path / "calm", compose, kind, *overrides, steps=steps))
    killed = planned(tmp_path / "killed", compose, kind, *overrides, steps=steps)
    for step in kills:
        killed_while_it_writes(killed, step)
    trained(killed)
    assert logged(killed) == logged(calm)
    assert [line["step"] for line in logged(killed)] == [*range(1, steps + 1)], "each step once"
    for step in range(1, steps + 1):
        assert (checkpoint(killed, step) / MARKER).is_file()
        one, other = weights(calm, step), weights(killed, step)
        assert one.keys() == other.keys()
        assert all((one[name] == other[name]).all() for name in one), step
        if kind == "sft":
            model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint(killed, step))
            assert {name: tuple(array.shape) for name, array in one.items()}.items() <= {
                name: tuple(tensor.shape) for name, tensor in model.state_dict().items()
            }.items()


@needs_deepspeed
def test_two_processes_killed_while_they_write_a_checkpoint_end_with_the_bits_of_an_undisturbed_run(compose: Compose, tmp_path: Path) -> None:
    _killed("sft", compose, tmp_path, ("cluster.processes=2", "cluster/deepspeed=zero2"), steps=4, kills=(2,))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", [None, *STAGES])
def test_every_layout_killed_again_and_again_ends_with_the_bits_of_an_undisturbed_run(
    kind: str, stage: str | None, compose: Compose, tmp_path: Path
) -> None:
    overrides = ("cluster.processes=2", *([f"cluster/deepspeed={stage}"] if stage else []))
    _killed(kind, compose, tmp_path, overrides, steps=8, kills=(1, 3, 4, 8))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_all_layouts_train_to_the_same_weights(kind: str, compose: Compose, tmp_path: Path) -> None:
    alone = trained(planned(tmp_path / "alone", compose, kind, steps=6))
    layouts = {"two": ("cluster.processes=2",), "in pieces": ("cluster.processes=2", "+strategy.trainer.gradient_accumulation_steps=2")}
    if find_spec("deepspeed"):
        layouts |= {stage: ("cluster.processes=2", f"cluster/deepspeed={stage}") for stage in ("zero1", "zero2", "zero3")}
        layouts |= {"zero1 alone": ("cluster/deepspeed=zero1",)}
    for name, overrides in layouts.items():
        other = trained(planned(tmp_path / name, compose, kind, *overrides, steps=6))
        assert_same(alone, other, steps=6, loss=LOSS_TOLERANCE, weight=WEIGHT_TOLERANCE)
    if find_spec("deepspeed"):
        assert_same(tmp_path / "zero1", tmp_path / "zero2", steps=6, loss=0, weight=0)


def test_a_strategy_trains_with_two_processes_and_goes_on_only_with_as_many(compose: Compose, tmp_path: Path) -> None:
    short = ("strategy.steps=4", "strategy.checkpoints=2", "strategy.batch=4", "strategy.stop_at_gain=9")
    spec = compose("strategy=sft", *short, "cluster.processes=2", "cluster.cpus=2")
    two = task("power", -1, spec.model, lambda _: None, folder=tmp_path, resources=resources_of(spec))
    one = task("power", -1, spec.model, lambda _: None, folder=tmp_path)
    states = spec.strategy.states(two)
    assert next(states).step == 2
    states.close()
    assert json.loads((tmp_path / "plan.json").read_text())["threads"] == 1, "two threads for two processes"
    assert layout_of(checkpoint(tmp_path, 2)) == "2 processes"
    with pytest.raises(ConfigError, match=r"^cluster: training must go on as it began, with 2 processes; got 1 process\. Set nodes, .* so, or"):
        list(spec.strategy.states(one))
    shutil.copytree(checkpoint(tmp_path, 2), checkpoint(tmp_path, 4))
    assert [state.step for state in spec.strategy.states(one)] == [2, 4], "nothing is left to train"


LATE = """
import os, time
if os.environ.get("RANK") == "1":
    import transformers
    wrote = transformers.Trainer._save_rng_state
    transformers.Trainer._save_rng_state = lambda self, folder: (time.sleep(3), wrote(self, folder))
"""


def test_a_checkpoint_is_marked_only_when_every_process_has_written_its_part(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(LATE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    folder = planned(tmp_path / "run", compose, "sft", "cluster.processes=2", steps=1, save_at=[1])
    process = trainer(folder)
    while process.poll() is None and not (checkpoint(folder, 1) / MARKER).is_file():
        time.sleep(0.002)
    assert (checkpoint(folder, 1) / "rng_state_1.pth").is_file()
    assert process.wait() == 0, (folder / "said.txt").read_text()


def test_all_processes_die_with_the_one_that_asked_for_training(compose: Compose, tmp_path: Path) -> None:
    folder = planned(tmp_path / "run", compose, "sft", "cluster.processes=2", steps=100_000, save_at=[100_000])
    code = "import subprocess, sys, time, os; subprocess.Popen([sys.executable, '-m', 'vat.align.trainer', sys.argv[1], str(os.getpid())]); "
    command = [sys.executable, "-c", code + "time.sleep(600)", str(folder / "plan.json")]
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while parent.poll() is None and not (folder / "log.jsonl").is_file():
        time.sleep(0.05)
    [launcher] = children(parent.pid)
    workers = children(launcher)
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    gone([launcher, *workers])


def test_all_processes_end_when_training_is_interrupted(compose: Compose, tmp_path: Path) -> None:
    spec = compose("strategy=sft", "strategy.steps=100000", "strategy.checkpoints=1", "strategy.batch=4", "cluster.processes=2")
    running: list[int] = []

    def interrupted(done: int, said: str = "") -> None:
        if done:
            running.extend(pid for child in children(os.getpid()) for pid in (child, *children(child)))
            raise KeyboardInterrupt

    asked = task("power", -1, spec.model, lambda _: None, folder=tmp_path, resources=resources_of(spec))
    with pytest.raises(KeyboardInterrupt):
        next(spec.strategy.states(dataclasses.replace(asked, counting=lambda *_: nullcontext(interrupted))))
    assert len(running) >= 3
    gone(running)


@pytest.mark.slow
def test_what_one_of_several_processes_died_of_is_told_in_one_line(compose: Compose, tmp_path: Path) -> None:
    spec = compose("strategy=sft", "strategy.lora={r: 2, target_modules: [no_such_layer]}", "cluster.processes=2")
    with pytest.raises(BackendError, match=r"Error: .*no_such_layer") as caught:
        list(spec.strategy.states(task("power", -1, spec.model, lambda _: None, folder=tmp_path, resources=resources_of(spec))))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_all_processes(compose: Compose, tmp_path: Path) -> None:
    overrides = ("strategy.steps=8", "strategy.checkpoints=8", "strategy.batch=2", "strategy.learning_rate=1e30", "cluster.processes=2")
    spec = compose("strategy=sft", *overrides)
    with pytest.raises(BackendError, match=r"the loss must be a number; got none at step \d\."):
        list(spec.strategy.states(task("power", -1, spec.model, lambda _: None, folder=tmp_path, resources=resources_of(spec))))


REFUSED = {
    "a batch for three": (
        ("cluster.processes=3",),
        "strategy.batch=16: must divide by processes times gradient_accumulation_steps; got 3 times 1. Use strategy.batch=18.",
    ),
    "a batch in pieces": (
        ("cluster.processes=2", "+strategy.trainer.gradient_accumulation_steps=16"),
        "strategy.batch=16: must divide by processes times gradient_accumulation_steps; got 2 times 16. Use strategy.batch=32.",
    ),
    "no such GPU": (
        ("cluster.gpus=64",),
        "cluster.gpus=64: must be on this machine; got 0. Use cluster.gpus=0, and cluster.processes for several processes on the CPU.",
    ),
    "no number of pieces": (
        ("+strategy.trainer.gradient_accumulation_steps=many",),
        "strategy.trainer.gradient_accumulation_steps: must be 1, 2, 3 …; got 'many'. Leave it out for 1.",
    ),
    "both": (
        ("cluster.gpus=2", "cluster.processes=2"),
        "cluster.processes=2: must be 1 where GPUs train, one process on each; got cluster.gpus=2. Set one of the two.",
    ),
    "no stage": (
        ("cluster.deepspeed={zero_optimization: {stage: 4}}",),
        "cluster.deepspeed: must have a zero_optimization.stage of 0, 1, 2 or 3; got {'stage': 4}. Use cluster/deepspeed=zero2.",
    ),
}


@pytest.mark.parametrize(("overrides", "says"), REFUSED.values(), ids=REFUSED)
def test_what_the_machine_or_the_batch_does_not_allow_is_told_before_anything_starts(
    overrides: tuple[str, ...], says: str, compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert says in preflight([compose("strategy=sft", "model.device=cpu", *overrides)])


def test_a_batch_that_does_not_divide_is_refused_by_the_strategy_itself(compose: Compose, tmp_path: Path) -> None:
    spec = compose("strategy=sft")
    assert isinstance(spec.strategy, TrainingStrategy)
    with pytest.raises(ConfigError, match=r"^strategy\.batch=16: must divide"):
        next(spec.strategy.states(task("power", -1, spec.model, lambda _: None, folder=tmp_path, resources=Resources(5, 0, None, 1))))
    assert list(tmp_path.iterdir()) == []


def test_a_model_on_another_device_than_the_processes_is_refused(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = compose("strategy=sft", "model.device=cpu")
    with pytest.raises(ConfigError, match=r"^cluster\.gpus=2: needs a model on a GPU; got one on cpu\."):
        spec.strategy.check_resources(spec.model, Resources(1, 2, None, 1))
    monkeypatch.setattr(type(spec.model), "training_source", lambda self: {"device": "cuda"})
    with pytest.raises(ConfigError, match=r"^cluster\.processes=2: is for training on the CPU; got a model on cuda\."):
        spec.strategy.check_resources(spec.model, Resources(2, 0, None, 1))


def test_the_layout_is_no_part_of_a_job(compose: Compose) -> None:
    from vat.programs.align import job_of

    one, two = (compose("strategy=sft", *overrides) for overrides in ((), ("cluster.processes=2", "cluster/deepspeed=zero3")))
    assert job_of(one).key == job_of(two).key


@pytest.mark.parametrize(
    ("resources", "layout"),
    [
        (Resources(1, 0, None, None), "1 process"),
        (
            Resources(1, 4, {"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}}, None),
            "4 processes, ZeRO-2, offload_optimizer",
        ),
    ],
)
def test_a_layout_has_a_name_for_people(resources: Resources, layout: str) -> None:
    assert resources.layout == layout


@needs_deepspeed
@pytest.mark.parametrize("stage", ["zero1", "zero2", "zero3", "zero2_offload", "zero3_offload"])
def test_every_option_of_deepspeed_is_what_its_name_says(stage: str, compose: Compose) -> None:
    found = compose("strategy=sft", f"cluster/deepspeed={stage}").cluster
    assert found.deepspeed is not None
    zero = found.deepspeed["zero_optimization"]
    assert zero["stage"] == int(stage[4])
    assert ("offload_optimizer" in zero) == stage.endswith("_offload")
    assert zero.get("stage3_gather_16bit_weights_on_model_save", False) == (stage[4] == "3"), "or its checkpoints could not be loaded"
    found.check()


def test_no_deepspeed_is_the_default(compose: Compose) -> None:
    assert compose().cluster.deepspeed is None
    assert compose("cluster/deepspeed=none").cluster == compose().cluster
