"""Training across the nodes of a real Ray cluster: the numbers of one machine, checkpoints once, and gone on from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.align.tasks import task
from tests.align.test_training import logged
from tests.fanout.clusters import RayCluster, ray_cluster
from vat.align.base import Resources, Strategy
from vat.align.checkpoints import checkpoint, layout_of
from vat.config import AlignSpec
from vat.errors import BackendError, ConfigError
from vat.fanout.on_ray import on_ray
from vat.fanout.sweep import run_points

Compose = Callable[..., AlignSpec]
SHORT = ("strategy.steps=4", "strategy.checkpoints=2", "strategy.batch=4", "strategy.keep=all")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster("--num-cpus=1", "--num-cpus=1") as made:
        yield made


def trained(strategy: Strategy, spec: AlignSpec, folder: Path, resources: Resources) -> list[int]:
    asked = task("power", -1, spec.model, lambda _: None, folder=folder, resources=resources)
    quiet = dataclasses.replace(asked, counting=lambda *_: nullcontext(lambda done, said="": None))
    return [state.step for state in strategy.states(quiet)]


@pytest.mark.slow
def test_two_nodes_train_to_the_numbers_of_two_processes_and_go_on_from_where_they_were(
    compose: Compose, tmp_path: Path, cluster: RayCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    spec = compose("strategy=sft", *SHORT)
    here = Resources(2, 0, None, 2)
    across = Resources(1, 0, None, 1, nodes=2, address=cluster.address)
    assert here.layout == across.layout == "2 processes"
    assert trained(spec.strategy, spec, tmp_path / "here", here) == [2, 4]
    assert trained(spec.strategy, spec, tmp_path / "across", across) == [2, 4]
    ours, theirs = (logged(tmp_path / name) for name in ("across", "here"))
    assert [line["step"] for line in ours] == [1, 2, 3, 4]
    assert max(abs(a["loss"] - b["loss"]) for a, b in zip(ours, theirs, strict=True)) < 5e-6
    one, other = (load_file(checkpoint(tmp_path / name, 4) / "model.safetensors") for name in ("across", "here"))
    assert max(float(np.abs(one[name] - other[name]).max()) for name in other) < 2e-5
    assert layout_of(checkpoint(tmp_path / "across", 4)) == "2 processes"
    assert not list((tmp_path / "across" / "ray").rglob("*.safetensors")), "written once, by the job"
    waits = compose("strategy=sft", *SHORT, "strategy.stop_at_gain=9")
    assert trained(waits.strategy, waits, tmp_path / "paused", across) == [2, 4], "one run a checkpoint"
    again = load_file(checkpoint(tmp_path / "paused", 4) / "model.safetensors")
    assert all((again[name] == one[name]).all() for name in one), "to the bit"
    assert logged(tmp_path / "paused") == ours


@pytest.mark.slow
def test_what_one_of_the_nodes_died_of_is_told_in_one_line(
    compose: Compose, tmp_path: Path, cluster: RayCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    spec = compose("strategy=sft", *SHORT, "strategy.lora={r: 2, target_modules: [no_such_layer]}")
    with pytest.raises(BackendError, match=r"no_such_layer") as caught:
        trained(spec.strategy, spec, tmp_path, Resources(1, 0, None, 1, nodes=2, address=cluster.address))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_whole_job_spans_two_nodes(compose: Compose, tmp_path: Path, cluster: RayCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    quick = ("data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99", "cluster.cpus=1")
    spec = compose("strategy=sft", *SHORT, *quick, f"cluster.address={cluster.address}", "cluster.nodes=2")
    [row] = run_points([spec], sweep="across", work=on_ray)
    assert not row.get("failed"), row
    [here] = run_points([compose("strategy=sft", *SHORT, *quick, "cluster.processes=2", f"tracking.root={tmp_path}/here")], sweep=None)
    assert row["job"] == here["job"]
    for step in ("2", "4"):
        assert row["steps"][step]["gain"] == pytest.approx(here["steps"][step]["gain"], abs=0.02)


def test_nodes_are_those_of_a_cluster(compose: Compose) -> None:
    with pytest.raises(ConfigError, match=r"^cluster\.nodes=2: must be nodes of a Ray cluster; got cluster\.address=local"):
        compose("strategy=sft", "cluster.nodes=2").cluster.check()
    compose("strategy=sft", "cluster.nodes=2", "cluster.address=127.0.0.1:6379").cluster.check()
