"""A study of planted jobs, made once."""

from __future__ import annotations

import pytest

from tests.analyse.planted import planted_job, steered_study
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
    """`steered_study`."""
    return steered_study(tmp_path_factory.mktemp("steered"))
