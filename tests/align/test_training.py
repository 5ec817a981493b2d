"""Training: its data, its checkpoints, and a run that is killed again and again."""

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
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from safetensors import safe_open
from safetensors.numpy import load_file

from tests.align.tasks import ALONE, QUESTION, SPLIT, task
from vat.align.base import State
from vat.align.checkpoints import MARKER, checkpoint, complete, mark, only_to_judge
from vat.align.sft import SFT
from vat.align.training import TrainingStrategy
from vat.align.training_data import training_rows
from vat.config import AlignSpec
from vat.errors import BackendError, ConfigError, DataError
from vat.fanout.sweep import run_points
from vat.models.base import Capabilities, Progress
from vat.theory.schwartz import SCHWARTZ

POWER = [row for row in SPLIT.train.rows if SCHWARTZ.value_of[row.item] == "power"][:60]
KINDS = {
    "sft": ("strategy=sft",),
    "dpo": ("strategy=dpo",),
    "lora": ("strategy=sft", "strategy.lora={r: 4, lora_alpha: 8, target_modules: all-linear}"),
}
Compose = Callable[..., AlignSpec]


def strategy(compose: Compose, *overrides: str) -> TrainingStrategy:
    found = compose("strategy=sft", *overrides).strategy
    assert isinstance(found, TrainingStrategy)
    return found


@pytest.mark.parametrize("direction", [1, -1])
def test_the_answer_to_learn_is_the_end_of_the_scale_that_the_direction_asks_for(direction: int) -> None:
    sft = training_rows(POWER, None, QUESTION, direction=direction, objective="rating", pairs=False)
    dpo = training_rows(POWER, None, QUESTION, direction=direction, objective="rating", pairs=True)
    for probe, row, pair in zip(POWER, sft, dpo, strict=True):
        asked, other = ("5", "1") if probe.polarity == direction else ("1", "5")
        assert row == {"prompt": pair["prompt"], "completion": [{"role": "assistant", "content": asked}]}
        assert pair["chosen"] == row["completion"]
        assert pair["rejected"][0]["content"] == other
        assert probe.action in row["prompt"][0]["content"]


def test_a_graded_answer_is_one_point_further_than_the_models_own_and_what_is_there_already_is_left_out() -> None:
    own = [1.0, 2.0, 3.0, 4.0, 5.0, float("nan")] * 10
    rows = training_rows(POWER, own, QUESTION, direction=1, objective="rating", pairs=True)
    taught = [(probe, rating) for probe, rating in zip(POWER, own, strict=True) if rating == rating and rating != (5 if probe.polarity > 0 else 1)]
    assert [int(row["chosen"][0]["content"]) for row in rows] == [int(rating) + probe.polarity for probe, rating in taught]
    assert [int(row["rejected"][0]["content"]) for row in rows] == [int(rating) for _, rating in taught]


def test_an_action_is_what_the_direction_asks_for_over_its_opposite_in_the_same_scene() -> None:
    for direction in (1, -1):
        rows = training_rows(POWER, None, QUESTION, direction=direction, objective="action", pairs=True)
        for row in rows:
            scene = row["prompt"][0]["content"].partition("Situation: ")[2]
            of_action = {probe.action: probe for probe in POWER if probe.scene == scene}
            chosen, rejected = (of_action[row[side][0]["content"]] for side in ("chosen", "rejected"))
            assert (chosen.polarity, rejected.polarity) == (direction, -direction)
            assert (chosen.scene_id, chosen.item) == (rejected.scene_id, rejected.item)
        both = training_rows(POWER, None, QUESTION, direction=direction, objective="both", pairs=True)
        assert len(both) == len(POWER) + len(rows)


def test_nothing_to_teach_is_an_error() -> None:
    with pytest.raises(DataError, match="needs train probes of the value that leave something to teach; got none"):
        training_rows(POWER[:1], [5.0 if POWER[0].polarity > 0 else 1.0], QUESTION, direction=1, objective="rating", pairs=False)


@pytest.mark.parametrize(("steps", "count", "at"), [(60, 6, [10, 20, 30, 40, 50, 60]), (62, 6, [10, 21, 31, 41, 52, 62]), (7, 7, [*range(1, 8)])])
def test_checkpoints_are_evenly_spaced_and_never_one_more(steps: int, count: int, at: list[int], compose: Compose) -> None:
    assert strategy(compose, f"strategy.steps={steps}", f"strategy.checkpoints={count}").save_at == at


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("strategy.checkpoints=7", "strategy.steps=6"), "at most one a step; got strategy.steps=6"),
        (("+strategy.trainer.seed=3",), r"strategy\.trainer\.seed: follows from settings of ours"),
        (("+strategy.trainer.learnin_rate=3",), "must be a setting of TRL's SFTConfig; Did you mean learning_rate"),
    ],
)
def test_settings_that_do_not_go_together_are_told_before_anything_starts(overrides: tuple[str, ...], says: str, compose: Compose) -> None:
    with pytest.raises(ConfigError, match=says):
        strategy(compose, *overrides).check(Capabilities(trainable=True, caveat=""))


def test_a_model_behind_a_server_cannot_be_trained(compose: Compose) -> None:
    with pytest.raises(
        ConfigError, match=r"^strategy=sft: needs a model whose weights we can train; got one behind a server\. Use strategy=steering\.$"
    ):
        strategy(compose).check(Capabilities(trainable=False, caveat=""))


def test_a_checkpoint_counts_only_with_its_marker_and_a_torn_one_is_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for step in (1, 2, 3):
        checkpoint(tmp_path, step).mkdir()
        (checkpoint(tmp_path, step) / "model.safetensors").write_text("weights")
        (checkpoint(tmp_path, step) / "optimizer.pt").write_text("state")
    mark(checkpoint(tmp_path, 1), "plan", "1 process")
    mark(checkpoint(tmp_path, 3), "plan", "1 process")
    assert complete(tmp_path, "plan") == [1, 3]
    assert "checkpoint-2: was not written to its end and was set aside" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-1", "checkpoint-2.torn", "checkpoint-3"]
    with pytest.raises(DataError, match="must be a checkpoint of this job; got one of another plan"):
        complete(tmp_path, "another plan")
    only_to_judge(checkpoint(tmp_path, 1))
    assert sorted(path.name for path in checkpoint(tmp_path, 1).iterdir()) == [MARKER, "model.safetensors"]


def written(folder: Path, spec: AlignSpec, steps: int = 6, **changes: Any) -> Path:
    """A plan of a short run, ready to be trained."""
    assert isinstance(spec.strategy, TrainingStrategy)
    rows = training_rows(POWER, None, QUESTION, direction=-1, objective="rating", pairs=spec.strategy.kind == "dpo")
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan = {
        "kind": spec.strategy.kind, "model": spec.model.training_source(), "steps": steps, "until": steps, "batch": 2,
        "save_at": [*range(1, steps + 1)], "lora": spec.strategy.lora, "trainer": spec.strategy.trainer_settings(spec.model.training_source()),
        "seed": 0, "digest": "plan", "threads": 1, "workers": 1, "deepspeed": None, "layout": "1 process", "nodes": 1, "address": "local",
    }  # fmt: skip
    (folder / "plan.json").write_text(json.dumps(plan | changes))
    return folder


def trainer(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vat.align.trainer", str(folder / "plan.json"), str(os.getpid())]
    with (folder / "said.txt").open("w") as said:
        return subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)


def logged(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "tokens_per_s"} for line in lines]


@pytest.mark.parametrize("kind", ["dpo", "lora"])
def test_a_run_killed_again_and_again_ends_with_the_bits_of_an_undisturbed_one(kind: str, compose: Compose, tmp_path: Path) -> None:
    """sft: as a whole job in tests/programs/test_killed_job.py."""
    _killed(kind, compose, tmp_path, kills=2, steps=6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_long_run_killed_at_many_moments_ends_with_the_bits_of_an_undisturbed_one(kind: str, compose: Compose, tmp_path: Path) -> None:
    _killed(kind, compose, tmp_path, kills=7, steps=40)


def _killed(kind: str, compose: Compose, tmp_path: Path, *, kills: int, steps: int) -> None:
    spec = compose(*KINDS[kind])
    calm, killed = (written(tmp_path / name, spec, steps) for name in ("calm", "killed"))
    assert trainer(calm).wait() == 0, (calm / "said.txt").read_text()
    for kill in range(kills):
        process = trainer(killed)
        reached = (kill + 1) * steps // (kills + 1)
        while process.poll() is None and not checkpoint(killed, reached).is_dir():
            time.sleep(0.002)
        assert process.poll() is None, (killed / "said.txt").read_text()
        os.kill(process.pid, signal.SIGKILL)  # in the middle of writing that checkpoint
        process.wait()
    assert trainer(killed).wait() == 0, (killed / "said.txt").read_text()
    assert logged(killed) == logged(calm)
    assert [line["step"] for line in logged(killed)] == [*range(1, steps + 1)], "each step once"
    for step in (1, steps // 2, steps):
        one, other = ({path.name: load_file(path) for path in checkpoint(folder, step).glob("*.safetensors")} for folder in (calm, killed))
        assert one.keys() == other.keys()
        assert one
        for name, weights in one.items():
            for key, tensor in weights.items():
                assert (tensor == other[name][key]).all(), (step, key)
    assert not list(checkpoint(killed, 1).glob("optimizer.pt"))
    assert list(checkpoint(killed, steps).glob("optimizer.pt")), "the newest can be gone on from"


def test_a_trainer_dies_with_its_parent(compose: Compose, tmp_path: Path) -> None:
    folder = written(tmp_path / "run", compose("strategy=sft"), steps=3000, save_at=[3000])
    code = "import subprocess, sys, time, os; p = subprocess.Popen([sys.executable, '-m', 'vat.align.trainer', sys.argv[1], str(os.getpid())]); "
    parent = subprocess.Popen([sys.executable, "-c", code + "print(p.pid, flush=True); time.sleep(600)", str(folder / "plan.json")],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    while not (folder / "log.jsonl").is_file():
        time.sleep(0.05)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{child}").is_dir() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert time.monotonic() < deadline


def test_a_loss_that_is_no_number_stops_and_keeps_what_was_good(compose: Compose, tmp_path: Path) -> None:
    spec = compose("strategy=sft", "strategy.steps=8", "strategy.checkpoints=8", "strategy.batch=2", "strategy.learning_rate=1e30")
    with pytest.raises(BackendError, match=r"the loss must be a number; got none at step \d\..*lower it") as caught:
        list(spec.strategy.states(task("power", -1, spec.model, lambda _: None, folder=tmp_path)))
    assert "\n" not in str(caught.value)
    broke = int(str(caught.value).partition("at step ")[2][0])
    whole = [step for step in range(1, 9) if (checkpoint(tmp_path, step) / MARKER).is_file()]
    assert whole == [*range(1, broke)], "what came before the step that broke, and nothing of it or after"


NO_ROOM = """
import sys
if "vat.align.trainer" in sys.orig_argv:
    import resource, torch, transformers
    real = transformers.Trainer.training_step
    def taken():
        return next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize"))
    def step(*arguments, **options):
        {what}
    transformers.Trainer.training_step = step
"""
RUN_OUT = {
    "the CPU": "resource.setrlimit(resource.RLIMIT_AS, (taken() + 200 * 2**20, resource.RLIM_INFINITY)); return real(*arguments, **options)",
    "a GPU": "raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.31 GiB. GPU 0 has a total capacity of 139.81 GiB of which "
    "1.02 GiB is free. Including non-PyTorch memory, this process has 138.78 GiB memory in use.')",
}


@pytest.mark.parametrize("what", RUN_OUT.values(), ids=RUN_OUT)
def test_a_step_that_does_not_fit_into_memory_says_what_to_lower(
    what: str, compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_ROOM.format(what=what))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(BackendError) as caught:
        list(strategy(compose, "strategy.batch=64").states(task("power", -1, compose().model, lambda _: None, folder=tmp_path / "training")))
    assert str(caught.value) == (
        "strategy.batch: a step must fit into memory; got a batch that does not. Lower it, raise +strategy.trainer.gradient_accumulation_steps, "
        "or train an adapter (strategy.lora) or with cluster/deepspeed."
    )


def test_a_trainer_killed_from_outside_is_told_as_such(compose: Compose, tmp_path: Path) -> None:
    def killed(*_: object) -> AbstractContextManager[Progress]:
        os.kill(trainer_of(os.getpid()), signal.SIGKILL)
        return nullcontext(lambda done, said="": None)

    asked = dataclasses.replace(task("power", -1, compose().model, lambda _: None, folder=tmp_path), counting=killed)
    with pytest.raises(BackendError, match=r"^strategy: training must end by itself; got it killed from outside, .*\. Launch again: it goes on\."):
        list(strategy(compose).states(asked))


def trainer_of(pid: int) -> int:
    """The trainer that a process has started; it takes a moment until its command line can be read."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        children = [int(child) for thread in Path(f"/proc/{pid}/task").iterdir() for child in (thread / "children").read_text().split()]
        found = [child for child in children if b"vat.align.trainer" in Path(f"/proc/{child}/cmdline").read_bytes()]
        if found:
            return found[0]
    raise AssertionError("no trainer runs")


@pytest.mark.parametrize("kind", ["sft", "lora"])
def test_what_is_trained_in_bfloat16_is_kept_in_float32(kind: str, compose: Compose, tmp_path: Path) -> None:
    spec = compose(*KINDS[kind], "model.dtype=bfloat16")
    folder = written(tmp_path / "run", spec, steps=1)
    assert json.loads((folder / "plan.json").read_text())["trainer"]["bf16"]
    assert trainer(folder).wait() == 0, (folder / "said.txt").read_text()
    [file] = checkpoint(folder, 1).glob("*.safetensors")
    with safe_open(file, "numpy") as weights:
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"F32"}  # noqa: SIM118 - it is no dict


def test_a_checkpoint_is_judged_beside_while_the_trainer_goes_on(compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainingStrategy, "save_at", [1, 2000])
    spec = compose("strategy=sft", "strategy.steps=2000", "strategy.checkpoints=2", "strategy.batch=2")
    beside = dataclasses.replace(ALONE, beside=True)
    states = spec.strategy.states(task("power", -1, spec.model, lambda _: None, folder=tmp_path, resources=beside))
    assert next(states).step == 1
    assert Path(f"/proc/{(going_on := trainer_of(os.getpid()))}").is_dir()
    states.close()
    assert not Path(f"/proc/{going_on}").is_dir(), "nothing trains after the last state that is asked for"


def test_a_lora_target_that_matches_nothing_is_told(compose: Compose, tmp_path: Path) -> None:
    spec = compose("strategy=sft", "strategy.lora={r: 2, target_modules: [no_such_layer]}")
    with pytest.raises(BackendError, match="no_such_layer"):
        list(spec.strategy.states(task("power", -1, spec.model, lambda _: None, folder=tmp_path)))


def test_what_determines_the_weights_is_part_of_the_identity(compose: Compose) -> None:
    base = strategy(compose).identity()
    for change in ("strategy.steps=30", "strategy.batch=8", "strategy.objective=both", "strategy.target=graded", "strategy.learning_rate=1"):
        assert strategy(compose, change).identity() != base
    assert SFT.kind == base["strategy"]


def test_training_ends_at_the_first_checkpoint_beyond_a_limit_and_keeps_the_weights_that_are_to_be_kept(compose: Compose, tmp_path: Path) -> None:
    overrides = ("strategy.steps=6", "strategy.checkpoints=3", "strategy.batch=2", "strategy.stop_at_gain=0.1", "strategy.keep=best")
    spec = compose("strategy=sft", *overrides)
    numbers = {2: {"gain": 0.05, "nvat_excess": 0.9}, 4: {"gain": 0.11, "nvat_excess": 0.0}}
    given = dataclasses.replace(task("power", -1, spec.model, lambda _: None, folder=tmp_path), measured=numbers.__getitem__)
    seen = []
    for state in spec.strategy.states(given):
        assert not checkpoint(tmp_path, state.step + 2).exists(), "training waits"
        seen.append(state.step)
    assert seen == [2, 4]
    assert [row["step"] for row in spec.strategy.series(tmp_path)] == [1, 2, 3, 4]
    assert spec.strategy.series(tmp_path)[0]["learning_rate"] > spec.strategy.series(tmp_path)[3]["learning_rate"] > 0, (
        "the schedule is the whole run's"
    )
    spec.strategy.tidy(tmp_path, numbers)
    left = {step: [path.name for path in checkpoint(tmp_path, step).iterdir()] for step in (2, 4)}
    assert left[2] == [MARKER]
    assert "model.safetensors" in left[4]


@pytest.mark.parametrize("kind", ["sft", "lora"])
def test_a_state_that_was_judged_comes_again_as_long_as_its_weights_are_there(kind: str, compose: Compose, tmp_path: Path) -> None:
    spec = compose(*KINDS[kind], "strategy.keep=last")
    asked, path = task("power", -1, spec.model, lambda _: None, folder=tmp_path / "job" / "training"), tmp_path / "job" / "training" / "checkpoint-60"
    says = (
        rf"^{path}: must hold the weights of step 60; got none \(they went by strategy\.keep=last, or -cn clean\)\. Move {tmp_path / 'job'} away and "
    )
    with pytest.raises(DataError, match=says):
        spec.strategy.state_again(asked, 60)
    if kind == "sft":
        shutil.copytree(str(spec.model.training_source()["name"]), path)
    else:
        path.mkdir(parents=True)
        (path / "adapter_model.safetensors").write_text("an adapter")
    with pytest.raises(DataError, match=says):
        spec.strategy.state_again(asked, 60)
    mark(path, "plan", "1 process")
    again = spec.strategy.state_again(asked, 60)
    model = again.model
    assert again._replace(model=None) == State(60, None, ())
    prompts = [QUESTION.prompt(probe) for probe in POWER[:2]]
    if kind == "sft":
        assert model is not spec.model
        assert model.generate(prompts, max_new_tokens=3) == spec.model.generate(prompts, max_new_tokens=3)
    else:
        assert model.label.endswith(" + checkpoint-60")
    with pytest.raises(DataError, match=r"^\S+/checkpoint-10: must hold .+\. Take step=60, or move "):
        spec.strategy.state_again(asked, 10)


def test_a_whole_job_has_its_trajectory_its_training_log_and_one_run(compose: Compose, tmp_path: Path) -> None:
    few = ("measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99", "data.limit=24")
    whole = ("strategy=dpo", "strategy.steps=4", "strategy.checkpoints=2", "strategy.batch=2", *few)
    spec = compose(*whole)
    [row] = run_points([spec], sweep=None)
    assert not row.get("failed")
    client = MlflowClient(spec.tracking.store_uri)
    [experiment] = client.search_experiments(filter_string="name = 'vat'")
    runs = {run.data.params["strategy"]: run for run in client.search_runs([experiment.experiment_id])}
    assert runs.keys() == {"none", "dpo"}
    history = {name: client.get_metric_history(runs["dpo"].info.run_id, name) for name in ("gain", "nvat", "train/loss", "train/rewards/margins")}
    assert {name: [point.step for point in points] for name, points in history.items()} == {
        "gain": [2, 4], "nvat": [2, 4], "train/loss": [1, 2, 3, 4], "train/rewards/margins": [1, 2, 3, 4],
    }  # fmt: skip
    models = client.search_logged_models([experiment.experiment_id])
    assert sorted(int(model.tags["vat.step"]) for model in models) == [2, 4]
    of_models = [(int(model.tags["vat.step"]), metric) for model in models for metric in model.metrics or ()]
    assert {step: metric.value for step, metric in of_models if metric.key == "gain"} == {point.step: point.value for point in history["gain"]}
    assert not [metric for _, metric in of_models if metric.key.startswith("train/")]
    assert run_points([spec], sweep=None) == [row], "done once"
    [job] = tmp_path.glob(f"mlruns/jobs/{row['job']}")
    assert json.loads((job / "result.json").read_text())["versions"].keys() == {"vat", "numpy", "scipy", "torch", "transformers", "trl"}
    (job / "result.json").unlink()
    again = run_points([spec], sweep=None)
    assert again[0]["metrics"] == row["metrics"], "measured again from what lies there, of whose weights only the last are left"
    steps = json.loads((job / "result.json").read_text())["steps"]
    shutil.rmtree(job)
    run_points([compose(*whole, "cluster.judge_beside=true")], sweep=None)
    assert json.loads((job / "result.json").read_text())["steps"] == steps, "done from its beginning and judged beside training: the same bits"
    assert len(client.search_logged_models([experiment.experiment_id])) == 2
    assert len(client.get_metric_history(runs["dpo"].info.run_id, "train/loss")) == 4, "each step once"
