"""One job's ratings by several processes of a real Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.align.tasks import QUESTION, SPLIT
from vat.config import AlignSpec
from vat.errors import BackendError
from vat.fanout import spread
from vat.fanout.spread import SpreadModel
from vat.fanout.sweep import run_points
from vat.models.base import Kept
from vat.models.scripted import ScriptedModel
from vat.models.tiny.model import TinyModel
from vat.types import Answers

PROMPTS = [QUESTION.prompt(probe) for probe in SPLIT.test.rows[:300]]


@pytest.fixture(scope="module", autouse=True)
def ray_here() -> Iterator[None]:
    import ray

    ray.init(address="local", num_cpus=6, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def tiny() -> TinyModel:
    return TinyModel(dtype="float32", device="cpu", memory_gib=1.0, attention="auto", template_options={})


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spread, "BLOCK", 64)
        yield


@pytest.fixture(scope="module")
def model() -> Iterator[SpreadModel]:
    """Two workers, which import for seconds, for all tests."""
    model = SpreadModel(model=tiny(), workers=2, cpus=1)
    yield model
    model.unload()


@pytest.fixture(scope="module")
def whole(model: SpreadModel) -> Answers:
    return model.rate(PROMPTS)


def test_answers_are_the_models_own_and_the_same_bits_for_any_number_of_workers(whole: Answers) -> None:
    plain, one = tiny().rate(PROMPTS), SpreadModel(model=tiny(), workers=1, cpus=1)
    of_one = one.rate(PROMPTS)
    one.unload()
    assert np.array_equal(of_one.probability_N5, whole.probability_N5)
    assert np.abs(whole.probability_N5 - plain.probability_N5).max() < 1e-5
    assert np.array_equal(whole.probability_N5.argmax(axis=1), plain.probability_N5.argmax(axis=1))


def test_what_is_kept_is_not_asked_again_and_every_other_row_comes_once(model: SpreadModel, whole: Answers) -> None:
    kept = frozenset([*range(70, 130), 3, 299])
    rows: list[int] = []
    for part in model.ratings(PROMPTS, max_new_tokens=16, kept=Kept(kept)):
        rows += part.rows
        assert np.array_equal(part.answers.probability_N5, whole.probability_N5[list(part.rows)]), "the same bits"
    assert sorted(rows) == sorted(set(range(300)) - kept)


def test_a_worker_that_dies_is_replaced(model: SpreadModel, whole: Answers) -> None:
    import ray

    stream = model.ratings(PROMPTS, max_new_tokens=16)
    parts = [next(stream)]
    ray.kill(model.__dict__["_raters"][0], no_restart=False)
    parts += stream
    found = np.full((300, 5), np.nan)
    for part in parts:
        found[list(part.rows)] = part.answers.probability_N5
    assert np.array_equal(found, whole.probability_N5)


def test_an_error_of_the_model_is_its_own() -> None:
    model: Any = SpreadModel(model=ScriptedModel(sway=0.5, refusals=0.0, fails_on=PROMPTS[200].messages[0].content), workers=2, cpus=1)
    with pytest.raises(BackendError, match="scripted"):
        model.rate(PROMPTS)
    model.unload()


def test_a_job_may_ask_for_several_processes(compose: Callable[..., AlignSpec], tmp_path: Path) -> None:
    few = ("data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")
    [alone] = run_points([compose(*few)], sweep=None)
    [together] = run_points([compose(*few, "cluster.rating_workers=2", f"tracking.root={tmp_path}/other")], sweep=None)
    assert together["job"] == alone["job"]
    assert together["metrics"]["gain"] == alone["metrics"]["gain"]
