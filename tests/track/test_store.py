from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vat.track.files import whole_file
from vat.track.store import PartStore
from vat.types import LabelScores, Message, Prompt

PROMPTS = [Prompt((Message("user", f"question {n}"),), "", tuple("12345")) for n in range(5)]
SCORES = LabelScores(np.random.default_rng(0).dirichlet(np.ones(5), size=5), np.array([1.0, 0.3, 0.9, 1.0, 0.7]))


def test_what_is_written_comes_back_to_the_bit(tmp_path: Path) -> None:
    PartStore(tmp_path / "a").write(3, PROMPTS, SCORES)
    kept = PartStore(tmp_path / "a").read(3, PROMPTS)
    assert kept is not None
    np.testing.assert_array_equal(kept.probability_N5, SCORES.probability_N5)
    np.testing.assert_array_equal(kept.mass_N, SCORES.mass_N)


def test_a_missing_answer_comes_back_missing(tmp_path: Path) -> None:
    PartStore(tmp_path).write(0, PROMPTS, LabelScores(np.full((5, 5), np.nan), np.zeros(5)))
    kept = PartStore(tmp_path).read(0, PROMPTS)
    assert kept is not None
    assert np.isnan(kept.probability_N5).all()


def test_answers_to_other_prompts_are_not_answers(tmp_path: Path) -> None:
    PartStore(tmp_path).write(0, PROMPTS, SCORES)
    assert PartStore(tmp_path).read(0, PROMPTS[::-1]) is None
    assert PartStore(tmp_path).read(1, PROMPTS) is None


def test_a_torn_part_is_set_aside_and_asked_again(tmp_path: Path) -> None:
    PartStore(tmp_path).write(0, PROMPTS, SCORES)
    part = next(tmp_path.glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    assert PartStore(tmp_path).read(0, PROMPTS) is None
    assert [path.suffix for path in tmp_path.iterdir()] == [".torn"]


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"

    def fails_halfway() -> None:
        with whole_file(path) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails_halfway()
    assert list(path.parent.iterdir()) == []
    for text in ("first", "second"):
        with whole_file(path) as draft:
            draft.write_text(text)
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]
