"""What a sweep is going to do, before it does it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from vat.config import AlignSpec
from vat.errors import ConfigError
from vat.fanout.plan import Plan
from vat.fanout.sweep import run_points
from vat.programs.align import baseline_of, job_of
from vat.programs.size import size_of
from vat.track.job import Job

Compose = Callable[..., AlignSpec]
QUICK = ("model=scripted", "data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")
PRICED = ("model=gpt-4o-mini", "model.usd_per_million_read=1", "model.usd_per_million_written=2", "data.limit=12")


def done(job: Job, spec: AlignSpec, seconds: float) -> None:
    """A finished job of that length, as the plan sees it."""
    from vat.programs.align import describe

    job.folder.mkdir(parents=True)
    job.finish({"description": describe(spec)._asdict(), "seconds": seconds, "steps": {}})


def test_points_are_jobs_and_each_needs_its_baseline(compose: Compose) -> None:
    specs = [compose(*QUICK, f"value={value}", f"shots={dose}") for value in ("power", "security") for dose in (2, 4)]
    plan = Plan([*specs, specs[0]])
    keys = [step.job.key for step in plan.steps]
    assert len(keys) == len(set(keys)) == 5
    baseline = job_of(baseline_of(specs[0])).key
    assert [step.needs for step in plan.steps] == [None, *[baseline] * 4]
    assert plan.steps[0].job.key == baseline
    assert plan.lines[0] == "5 points: 4 jobs and 1 baseline, 0 already done"
    rows = 12 * 2 * 56
    assert plan.lines[1] == f"To do: 5 jobs, {5 * rows:,} ratings, of unknown length: none like them is done yet"


def test_a_training_is_one_job_whatever_the_shots_and_as_many_ratings_as_it_has_checkpoints(compose: Compose) -> None:
    plan = Plan([compose("strategy=sft", "data.limit=12", f"shots={dose}") for dose in (2, 4, 8)])
    assert plan.lines[0] == "3 points: 1 job and 1 baseline, 0 already done"
    assert size_of(plan.steps[1].spec).ratings == 6 * size_of(plan.steps[0].spec).ratings


def test_how_long_jobs_take_is_known_from_those_like_them(compose: Compose) -> None:
    specs = [compose(*QUICK, f"replicate={n}") for n in range(4)]
    for n, seconds in ((0, 100.0), (1, 140.0)):
        done(job_of(specs[n]), specs[n], seconds)
    other = compose(*QUICK, "shots=8")
    plan = Plan([*specs, other])
    of_key = {step.job.key: step.seconds for step in plan.steps}
    assert of_key[job_of(specs[3]).key] == 120.0
    assert of_key[job_of(other).key] is None
    line = next(line for line in plan.lines if line.startswith("To do"))
    assert line.endswith("about 8 min of work and 2 jobs of unknown length"), line


def test_what_a_server_will_charge_is_estimated_from_its_prompts(compose: Compose) -> None:
    spec = compose(*PRICED, "strategy=none")
    size = size_of(spec)
    question = spec.elicit.question(spec.theory.load())
    prompts = [question.prompt(row) for row in spec.data.split(spec.theory.load()).test.rows]
    tokens = sum(len(message.content) for prompt in prompts for message in prompt.messages) / 4
    assert size.cost_usd == pytest.approx((tokens + 2 * len(prompts)) / 1e6, rel=0.05)
    more = size_of(compose(*PRICED, "shots=8")).cost_usd
    assert more is not None
    assert more > 3 * size.cost_usd, "examples cost"
    assert any(line.startswith("Servers: about $0.") for line in Plan([spec]).lines)
    assert size_of(compose(*QUICK)).cost_usd is None


def test_only_the_plan_if_that_is_what_is_wanted(compose: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = compose(*QUICK)
    assert run_points([replace(spec, cluster=replace(spec.cluster, dry_run=True))], sweep="mine") == []
    assert capsys.readouterr().out.startswith("1 point: 1 job and 1 baseline, 0 already done\nTo do: 2 jobs")
    assert not (tmp_path / "mlruns").exists()


def test_a_damaged_result_of_another_job_does_not_stop_a_plan(compose: Compose) -> None:
    spec = compose(*QUICK)
    other = Job(spec.tracking.folder, {"n": 1})
    other.folder.mkdir(parents=True)
    (other.folder / "result.json").write_text("{")
    (spec.tracking.folder / "jobs" / "junk").mkdir()
    (spec.tracking.folder / "jobs" / "junk" / "result.json").write_text(json.dumps({"seconds": 3}))
    assert len(Plan([spec]).waiting) == 2


@pytest.mark.parametrize("change", [{"address": "auto"}, {"retries": 7}, {"fail_fast": True}])
def test_a_sweep_is_done_by_one_cluster_in_one_way(change: dict[str, object], compose: Compose) -> None:
    spec = compose(*QUICK)
    other = replace(spec, cluster=replace(spec.cluster, **change), replicate=1)
    with pytest.raises(ConfigError, match="a sweep is done by one cluster in one way"):
        Plan([spec, other])
