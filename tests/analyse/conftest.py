"""A study of planted jobs, made once."""

from __future__ import annotations

import pytest

from tests.analyse.planted import planted_job, steered_job
from vat.analyse.study import Study, study_of
from vat.track.job import Job


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    """Two doses of steering in two replicates, a training of two checkpoints, and another value of another model."""
    root = tmp_path_factory.mktemp("planted")
    jobs = [planted_job(root, shots=shots, replicate=replicate, push=shots / 10) for shots in (2, 8) for replicate in (0, 1)]
    jobs.append(planted_job(root, strategy="sft", shots=None, steps=(30, 60), push=0.7))
    jobs.append(planted_job(root, model="other", value="hedonism", push=0.6, still=("tradition",)))
    return jobs


@pytest.fixture(scope="session")
def study(planted: list[Job]) -> Study:
    return study_of(planted)


@pytest.fixture(scope="session")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Jobs of known intensities: two values of two models steered by themselves, once in two replicates, one by another strategy, and once with no
    Δ; a pair with two tuples of targets; three values with two profiles."""
    root = tmp_path_factory.mktemp("steered")
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
