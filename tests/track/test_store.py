from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from vat.files import whole_file
from vat.track import store
from vat.track.store import PartStore
from vat.types import Answered, Answers, Message, Prompt, answers_of

PROMPTS = [Prompt((Message("user", f"question {n}"),), "", tuple("12345")) for n in range(5)]
RANDOM = np.random.default_rng(0)
ANSWERS = Answers(RANDOM.dirichlet(np.ones(5), size=5), RANDOM.random(5), ("", "4", "Ångström 🙂", "", "no"), RANDOM.integers(9, size=(5, 2)) * 1.0)


def kept(folder: Path, rows: list[int], answers: Answers = ANSWERS) -> None:
    """A part with some of the answers."""
    part = PartStore(folder)
    part.write([PROMPTS[n] for n in rows], Answered(range(5), answers).without([n for n in range(5) if n not in rows]).answers)
    part.close()


def assert_same(one: Answers, other: Answers) -> None:
    for name in ("probability_N5", "mass_N", "tokens_N2"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.text_N == other.text_N


def test_what_is_written_comes_back_to_the_bit_whatever_the_order_it_is_asked_for_in(tmp_path: Path) -> None:
    kept(tmp_path / "list", [0, 1, 2, 3, 4])
    found = PartStore(tmp_path / "list").read(PROMPTS)
    assert list(found.rows) == [0, 1, 2, 3, 4]
    assert_same(found.answers, ANSWERS)
    turned = PartStore(tmp_path / "list").read(PROMPTS[::-1]).answers
    np.testing.assert_array_equal(turned.mass_N, ANSWERS.mass_N[::-1])


def test_parts_add_up_and_tell_which_prompts_they_answer(tmp_path: Path) -> None:
    kept(tmp_path, [1, 3])
    kept(tmp_path, [4])
    found = PartStore(tmp_path).read(PROMPTS)
    assert list(found.rows) == [1, 3, 4]
    assert_same(found.answers, Answered(range(5), ANSWERS).without([0, 2]).answers)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-00000.parquet", "part-00001.parquet"]


def test_a_missing_answer_comes_back_missing(tmp_path: Path) -> None:
    kept(tmp_path, [0, 1, 2, 3, 4], answers_of(None, None, text_N=["x"] * 5))
    found = PartStore(tmp_path).read(PROMPTS).answers
    assert np.isnan(found.probability_N5).all()
    assert np.isnan(found.mass_N).all()
    assert np.isnan(found.tokens_N2).all()


def test_what_was_answered_first_counts(tmp_path: Path) -> None:
    kept(tmp_path, [0])
    kept(tmp_path, [0], answers_of(None, np.ones(5)))
    assert_same(PartStore(tmp_path).read(PROMPTS).answers, Answered(range(5), ANSWERS).without([1, 2, 3, 4]).answers)


def test_another_label_or_word_is_another_prompt(tmp_path: Path) -> None:
    kept(tmp_path, [0])
    others = [PROMPTS[0]._replace(labels=tuple("54321")), Prompt((), "question 0", tuple("12345")), PROMPTS[1]]
    assert not PartStore(tmp_path).read(others).rows


def test_a_torn_part_is_set_aside_and_asked_again_and_its_number_is_not_used_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(tmp_path, [0, 1])
    kept(tmp_path, [2])
    torn = tmp_path / "part-00001.parquet"
    torn.write_bytes(torn.read_bytes()[:100])
    assert list(PartStore(tmp_path).read(PROMPTS).rows) == [0, 1]
    assert "part-00001.parquet: is damaged and was set aside" in capsys.readouterr().out
    kept(tmp_path, [2])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-00000.parquet", "part-00001.torn", "part-00002.parquet"]
    assert list(PartStore(tmp_path).read(PROMPTS).rows) == [0, 1, 2]


def test_parts_are_written_as_time_goes_by_and_ever_more_rarely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(store.time, "monotonic", lambda: now[0])
    part, written = PartStore(tmp_path), []
    for second in range(4000):
        now[0] = float(second)
        before = len(list(tmp_path.glob("part-*")))
        part.write(PROMPTS[:1], Answered(range(5), ANSWERS).without([1, 2, 3, 4]).answers)
        written += [second] * (len(list(tmp_path.glob("part-*"))) - before)
    assert written[:3] == [1, 2, 3]
    assert max(np.diff(written)) <= 41
    assert len(written) < 450


def test_tokens_are_counted_over_all_lists_of_the_job_and_what_nobody_counted_is_left_out(tmp_path: Path) -> None:
    kept(tmp_path / "asked", [0, 1])
    kept(tmp_path / "step", [2, 3, 4])
    kept(tmp_path / "local", [0], answers_of(None, np.ones(5)))
    assert PartStore(tmp_path / "step").tokens() == tuple(ANSWERS.tokens_N2.sum(axis=0))


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


def test_draws_of_one_question_are_kept_apart_and_the_first_is_the_question_as_it_was(tmp_path: Path) -> None:
    kept(tmp_path, [0])
    first, second = PROMPTS[0], PROMPTS[0]._replace(draw=1)
    assert PartStore(tmp_path).read([second]).rows == []
    assert list(PartStore(tmp_path).read([second, first]).rows) == [1]
    key = hashlib.sha256(json.dumps([[["user", "question 0"]], "", list("12345")]).encode()).digest()
    assert parquet.read_table(tmp_path / "part-00000.parquet")["prompt"].to_pylist() == [key], "parts of before there were draws are still read"


def test_an_open_store_sees_what_was_written_since_and_counts_it(tmp_path: Path) -> None:
    store = PartStore(tmp_path)
    assert store.count() == 0
    kept(tmp_path, [2])
    assert list(store.read(PROMPTS).rows) == [2]
    kept(tmp_path, [0, 4])
    found = store.read(PROMPTS)
    assert list(found.rows) == [0, 2, 4]
    assert_same(found.answers, Answered(range(5), ANSWERS).without([1, 3]).answers)
    assert store.count() == 3
