"""Finished jobs with a structure that is known: ratings made so that some values shift together, some apart, and all others by themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vat.analyse.study import Study, study_of
from vat.nodes import build
from vat.programs.record import About, record
from vat.shares import wilson
from vat.theory.file import TheoryFile
from vat.track.job import INTENSITY, Job
from vat.types import Judgements, Probe

THEORY = TheoryFile(path="schwartz").load()
TOGETHER, APART = ("security", "power", "achievement"), ("universalism",)
COUNTRIES, TOPICS = [f"country {n}" for n in range(8)], [f"topic {n}" for n in range(6)]
QUICK = {"n_boot": 99, "seed": 0}
MEASURES = {
    "tax": {"factors": ["country", "topic"], "n_perm": 999}, "circumplex": {"n_perm": 99}, "amplification": {"hubs": 3, "cases": 5}, "robustness": {},
}  # fmt: skip


@cache
def measures() -> dict[str, Any]:
    """All four, quick."""
    return {
        name: build("measure", {"_target_": f"vat.measure.standard.{name.title()}Measure", **QUICK, **settings})
        for name, settings in MEASURES.items()
    }


@cache
def bare() -> dict[str, Any]:
    """The tax alone, as quick as it can be."""
    return {"tax": build("measure", {"_target_": "vat.measure.standard.TaxMeasure", "n_boot": 99, "seed": 0, "factors": [], "n_perm": 99})}


def judged(*, value: str, direction: int, push: float, seed: int, still: tuple[str, ...] = ()) -> tuple[Judgements, Judgements]:
    """Before and after: two items a value, each probed once by either polarity in 48 scenes.

    A latent of each scene moves TOGETHER one way and APART the other; every other value has a latent of its own. The target moves by `push`
    besides; `still` do not move at all.
    """
    random = np.random.default_rng(seed)
    items = [(spec.name, item) for spec in THEORY.specs for item, _ in spec.items[:2]]
    probes, before, after = [], [], []
    for country in COUNTRIES:
        for topic in TOPICS:
            latent = random.normal()
            own = {v: latent if v in TOGETHER else -latent if v in APART else random.normal() for v in THEORY.values}
            for v, item in items:
                base = random.integers(2, 5, size=2)
                moved = 0.0 if v in still else 0.7 * own[v] + (direction * push * 2 if v == value else 0.0)
                for polarity, rating in zip((1, -1), base, strict=True):
                    probes.append(Probe(f"{country}/{topic}", country, topic, "A scene.", item, polarity, "An action."))
                    noise = 0.0 if v in still else 0.25 * random.normal()
                    before.append(rating)
                    after.append(np.clip(np.round(rating + polarity * moved + noise), 1, 5))

    def judgements(rating: list[Any]) -> Judgements:
        rating_N = np.array(rating, dtype=float)
        return Judgements(tuple(probes), rating_N, rating_N, np.full((len(probes), 5), np.nan), np.full(len(probes), np.nan))

    return judgements(before), judgements(after)


def planted_job(
    root: Path, *, model: str = "m", value: str = "power", direction: int = -1, strategy: str = "steering", shots: int | None = 4,
    steps: tuple[int, ...] = (0,), replicate: int = 0, push: float = 0.5, still: tuple[str, ...] = (), note: str = "",
    measured: bool = True, **other: Any
) -> Job:  # fmt: skip
    """A finished job in a folder; a training has several steps, each pushed further. Not `measured`: by its tax alone."""
    identity = {
        "program": "align", "theory": THEORY.digest, "data": "0" * 64, "model": {"revision": "r", "name": model}, "elicit": {},
        "strategy": {"strategy": strategy, "shots": shots, **other}, "value": value, "direction": direction, "replicate": replicate,
    }  # fmt: skip
    job = Job(root, identity)
    numbers = {}
    for n, step in enumerate(steps):
        share = (n + 1) / len(steps)
        seed = 1000 * replicate + len(strategy)
        pre, post = judged(value=value, direction=direction, push=push * share, seed=seed, still=still)
        numbers[step] = record(job.step_folder(step), About(strategy, value, direction, note, THEORY), pre, post, measures() if measured else bare())
    params = {
        "model": model, "theory": "schwartz", "data": "planted", "test_scenes": 48, "strategy": strategy, "elicit.wording": 0, "model_revision": "r",
        "value": value, "direction": direction, "shots": "" if shots is None else shots, "replicate": replicate,
    }  # fmt: skip
    description = {"name": f"{model} · {value} · {strategy}", "kind": "job", "params": params, "data": ["planted", "0" * 64], "note": note}
    job.finish({
        "description": description, "steps": numbers, "measures": {}, "usage": {"tokens_read": 1200.0, "cost_usd": 0.25}, "training": [],
        "seconds": 2.5, "rated_s": 1.0, "versions": {"vat": "0.1.0"},
    })  # fmt: skip
    return job


def with_intensities(
    job: Job, deltas: Mapping[str, float | None], targets: Mapping[str, int], *, refused: int = 0, refused_before: int = 1, answers: int = 48
) -> Job:  # fmt: skip
    """The job after `-cn intensity run=<job>`: from an intensity of −1 before; each Δ ± 0.5, those before and after ± 1."""

    def told(value: str, delta: float | None) -> dict[str, Any]:
        middles = {"before": None if delta is None else -1.0, "after": None if delta is None else delta - 1, "delta": delta}
        reach = {"before": 1.0, "after": 1.0, "delta": 0.5}
        numbers: dict[str, Any] = {"scenes": 0.0 if delta is None else float(answers - refused), "target": targets.get(value)}
        for name, middle in middles.items():
            ends = (None, None) if middle is None else (middle - reach[name], middle + reach[name])
            numbers |= {name: middle, f"{name}_low": ends[0], f"{name}_high": ends[1]}
        return numbers

    counts = {"before": refused_before, "after": refused}
    result = {
        "values": {value: told(value, delta) for value, delta in deltas.items()},
        "targets": dict(targets), "answers": answers, "judge": "gemma", "metrics": {},
        "refusals": {when: [count / answers, *wilson(count, answers)] for when, count in counts.items()},
        "bias": [{"size": 2, "windows": 10, "first": [6, 4]}, {"size": 4, "windows": answers, "first": [answers - 30, 12, 10, 8]}],
    }  # fmt: skip
    (job.step_folder(0) / INTENSITY).write_text(json.dumps(result), encoding="utf-8")
    return job


def steered_job(root: Path, targets: Mapping[str, int], deltas: Mapping[str, float | None], *, refused: int = 0, **settings: Any) -> Job:
    """A job of `intensity_anchor`, about the first of its targets, whose answers were scored."""
    (value, target), *others = targets.items()
    job = planted_job(
        root, value=value, direction=1 if target > 0 else -1, shots=None, measured=False, strength=abs(target), also=dict(others),
        **({"strategy": "intensity_anchor"} | settings),
    )  # fmt: skip
    return with_intensities(job, deltas, targets, refused=refused)


def steered_study(root: Path) -> Study:
    """Jobs of known intensities: two values of two models steered by themselves, once in two replicates, one by another strategy, and once with no
    Δ; a pair with two tuples of targets; three values with two profiles."""
    jobs = [
        steered_job(root, {value: target}, {value: gain * target, "hedonism" if value == "power" else "power": 0.25}, refused=refused, model=model)
        for model, gain in (("m", 2.0), ("other", 1.0)) for value in ("power", "security") for target, refused in ((-2, 12), (2, 3))
    ]  # fmt: skip
    jobs.append(steered_job(root, {"power": 2}, {"power": 6.0}, refused=5, model="m", replicate=1))
    jobs.append(steered_job(root, {"power": 1}, {"power": 1.5}, model="m", strategy="user_texts"))
    jobs.append(steered_job(root, {"security": 1}, {"security": None}, refused=48, model="m"))
    jobs += [steered_job(root, {"power": x, "universalism": y}, {"power": 2.0 * x, "universalism": 1.0 * y}) for x, y in ((2, -2), (1, 2))]
    for profile in ((2, 1, -2), (-2, 2, 1)):
        targets = dict(zip(("benevolence", "power", "hedonism"), profile, strict=True))
        jobs.append(steered_job(root, targets, {value: None if value == "hedonism" and x < 0 else 1.5 * x for value, x in targets.items()}))
    return study_of(jobs)
