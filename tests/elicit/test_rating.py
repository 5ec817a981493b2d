from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from vat.elicit.rating import RatingElicitation
from vat.errors import BackendError, ConfigError
from vat.models.base import NOTHING_KEPT, Kept
from vat.models.scripted import BATCH, ScriptedModel
from vat.theory.schwartz import SCHWARTZ
from vat.types import Answered, Answers, Floats, Probe, Prompt, Shot, answers_of, gathered

ELICIT = RatingElicitation(
    mode="direct", format="chat", name_item=True, reversed=False, wording=0, min_mass=0.5, max_missing=0.2, answer_tokens=16, reasoning_tokens=64
)
PROBES = [Probe(f"s{n}", "c", "t", f"scene {n}", SCHWARTZ.items[n % 56], 1 if n % 2 else -1, f"I do {n}.") for n in range(BATCH + 300)]


class Fixed(ScriptedModel):
    """Gives the scores it is told to, and counts what it was asked."""

    def __init__(self, probability_5: Sequence[float], mass: float = 1.0, dies_after: int = 10**9) -> None:
        super().__init__(sway=0.0, refusals=0.0, fails_on="")
        self.__dict__.update(probability_5=probability_5, mass=mass, dies_after=dies_after, asked=[])

    def ratings(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        for rows, answers in super().ratings(prompts, max_new_tokens=max_new_tokens, kept=kept):
            if len(self.asked) >= self.dies_after:
                raise KeyboardInterrupt
            self.asked.append(len(rows))
            fixed = np.tile(np.array(self.probability_5, dtype=float), (len(rows), 1))
            yield Answered(rows, answers_of(fixed, np.full(len(rows), self.mass), text_N=answers.text_N))


class Says(ScriptedModel):
    """Writes the same text to everything, and gives no probabilities."""

    def __init__(self, text: str) -> None:
        super().__init__(sway=0.0, refusals=0.0, fails_on="")
        self.__dict__.update(text=text, asked=[])

    def texts(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
        self.asked.append((max_new_tokens, prompts[0]))
        yield Answered(range(len(prompts)), answers_of(None, None, text_N=[self.text] * len(prompts)))

    ratings = texts


class Memory:
    """A store that keeps its answers, as a job's folder does."""

    def __init__(self) -> None:
        self.kept: dict[Prompt, Answers] = {}
        self.closed = 0

    def read(self, prompts: Sequence[Prompt]) -> Answered:
        rows = [row for row, prompt in enumerate(prompts) if prompt in self.kept]
        parts = [Answered([n], self.kept[prompts[row]]) for n, row in enumerate(rows)]
        return Answered(rows, gathered(len(rows), parts))

    def write(self, prompts: Sequence[Prompt], answers: Answers) -> None:
        for n, prompt in enumerate(prompts):
            assert prompt not in self.kept, "asked twice"
            self.kept[prompt] = Answers(answers.probability_N5[[n]], answers.mass_N[[n]], answers.text_N[n : n + 1], answers.tokens_N2[[n]])

    def close(self) -> None:
        self.closed += 1

    def tokens(self) -> tuple[float, float]:
        return 0.0, 0.0


@pytest.mark.parametrize(
    ("probability_5", "mode"),
    [
        ((0.1, 0.2, 0.4, 0.2, 0.1), 3),
        ((0.4, 0.05, 0.1, 0.05, 0.4), 1),  # both as far from 3: the lower
        ((0.0, 0.4, 0.2, 0.4, 0.0), 2),
        ((0.3, 0.0, 0.3, 0.0, 0.4), 5),
        ((0.35, 0.35, 0.1, 0.1, 0.1), 2),  # the nearer to 3
        ((0.2, 0.2, 0.2, 0.2, 0.2), 3),
    ],
)
def test_a_tie_of_the_mode_goes_to_the_nearest_to_3_and_then_to_the_lower(probability_5: Sequence[float], mode: int) -> None:
    judged = ELICIT.judge(Fixed(probability_5), PROBES[:4], (), SCHWARTZ)
    assert (judged.rating_N == mode).all()
    assert judged.expected_N == pytest.approx(np.dot(probability_5, [1, 2, 3, 4, 5]))


def test_an_answer_without_enough_mass_on_the_labels_is_missing_and_never_zero() -> None:
    judged = replace(ELICIT, max_missing=1.0).judge(Fixed((0, 0, 0, 0, 1), mass=0.49), PROBES[:4], (), SCHWARTZ)
    assert np.isnan(judged.rating_N).all()
    assert np.isnan(judged.expected_N).all()
    assert judged.missing_rate == 1
    assert ELICIT.judge(Fixed((0, 0, 0, 0, 1), mass=0.5), PROBES[:4], (), SCHWARTZ).missing_rate == 0


def test_a_model_without_an_answer_is_missing() -> None:
    judged = replace(ELICIT, max_missing=1.0).judge(Fixed((np.nan,) * 5), PROBES[:4], (), SCHWARTZ)
    assert judged.missing_rate == 1


def test_too_many_missing_answers_fail_and_show_what_the_model_said() -> None:
    with pytest.raises(BackendError, match=r"at most 20% of answers missing; got 3\d% \(3\d% not one of the five\), as .*I would rather") as caught:
        ELICIT.judge(ScriptedModel(sway=0, refusals=0.35, fails_on=""), PROBES[:400], (), SCHWARTZ)
    assert "\n" not in str(caught.value)


def test_on_a_reversed_scale_the_same_stance_is_the_same_rating() -> None:
    plain = ELICIT.judge(Fixed((0.0, 0.1, 0.2, 0.6, 0.1)), PROBES[:4], (), SCHWARTZ)
    turned = replace(ELICIT, reversed=True).judge(Fixed((0.1, 0.6, 0.2, 0.1, 0.0)), PROBES[:4], (), SCHWARTZ)
    np.testing.assert_array_equal(plain.rating_N, turned.rating_N)
    np.testing.assert_allclose(plain.expected_N, turned.expected_N)
    np.testing.assert_array_equal(plain.probability_N5, turned.probability_N5)


def test_an_interrupted_job_goes_on_after_its_last_part_and_ends_with_the_same_answers() -> None:
    store, shots = Memory(), [Shot(PROBES[0], 5)]
    with pytest.raises(KeyboardInterrupt):
        ELICIT.judge(Fixed((0.1, 0.2, 0.3, 0.3, 0.1), dies_after=1), PROBES, shots, SCHWARTZ, store=store)
    model, seen = Fixed((0.1, 0.2, 0.3, 0.3, 0.1)), []
    judged = ELICIT.judge(model, PROBES, shots, SCHWARTZ, store=store, progress=seen.append)
    assert model.asked == [300]
    assert store.closed == 2, "also when it was interrupted"
    assert sum(seen) == len(PROBES)
    undisturbed = ELICIT.judge(Fixed((0.1, 0.2, 0.3, 0.3, 0.1)), PROBES, shots, SCHWARTZ)
    np.testing.assert_array_equal(judged.probability_N5, undisturbed.probability_N5)


def test_a_list_that_is_answered_already_asks_no_model() -> None:
    store = Memory()
    before = ELICIT.judge(Fixed((0, 0, 0, 0, 1)), PROBES[:30], (), SCHWARTZ, store=store)
    model = Fixed((1, 0, 0, 0, 0), dies_after=0)
    np.testing.assert_array_equal(ELICIT.judge(model, PROBES[:30], (), SCHWARTZ, store=store).rating_N, before.rating_N)


def test_after_an_error_while_answers_are_kept_the_model_is_told_to_stop() -> None:
    closed = []

    class Endless(Says):
        def texts(self, prompts: Sequence[Prompt], *, max_new_tokens: int, kept: Kept = NOTHING_KEPT) -> Iterator[Answered]:
            try:
                yield Answered([0], answers_of(None, None, text_N=["4"]))
                pytest.fail("it went on")
            finally:
                closed.append(True)

        ratings = texts

    class Full(Memory):
        def write(self, prompts: Sequence[Prompt], answers: Answers) -> None:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left") as caught:
        ELICIT.judge(Endless(""), PROBES[:5], (), SCHWARTZ, store=Full())
    assert closed == [True], f"though its frame lives on in {caught.tb}"


def test_what_decides_only_whether_answers_are_accepted_is_no_part_of_the_identity() -> None:
    assert replace(ELICIT, max_missing=0.9).identity() == ELICIT.identity()
    for change in (
        {"format": "plain"},
        {"name_item": False},
        {"reversed": True},
        {"wording": 2},
        {"min_mass": 0.4},
        {"mode": "text"},
        {"answer_tokens": 8},
    ):
        assert replace(ELICIT, **change).identity() != ELICIT.identity(), change


@pytest.mark.parametrize(("reversed", "rating"), [(False, 4), (True, 2)])
def test_a_model_that_writes_is_read_and_has_no_expected_rating(reversed: bool, rating: int) -> None:
    for mode in ("direct", "text"):
        judged = replace(ELICIT, mode=mode, reversed=reversed).judge(Says("I would give this a 4."), PROBES[:6], (), SCHWARTZ)
        assert (judged.rating_N == rating).all()
        assert np.isnan(judged.expected_N).all()
        assert np.isnan(judged.probability_N5).all()


def test_words_of_the_scale_are_read_as_the_scale_was_printed() -> None:
    judged = replace(ELICIT, mode="text", reversed=True).judge(Says("Strongly agree"), PROBES[:6], (), SCHWARTZ)
    assert (judged.rating_N == 5).all(), "1 on the reversed scale"


def test_reasons_are_asked_for_given_room_and_not_taken_for_the_answer() -> None:
    model = Says("<think>First I thought 1.</think>Two of my friends would. \nAnswer: 5")
    judged = replace(ELICIT, mode="reasoned").judge(model, PROBES[:6], [Shot(PROBES[7], 2)], SCHWARTZ)
    assert (judged.rating_N == 5).all()
    [(tokens, prompt)] = model.asked
    assert tokens == 64
    assert "Answer: and one number" in prompt.messages[0].content
    assert prompt.messages[1].content == "Answer: 2", "examples have the form that is asked for"


def test_a_thought_that_ran_out_of_tokens_is_missing_and_said_so() -> None:
    with pytest.raises(BackendError, match=r"got 100% \(100% cut short\), as \['<think>On the one hand 3"):
        replace(ELICIT, mode="reasoned").judge(Says("<think>On the one hand 3"), PROBES[:6], (), SCHWARTZ)


def test_reasons_need_turns() -> None:
    with pytest.raises(ConfigError, match=r"^elicit\.mode=reasoned: needs turns; got elicit\.format=plain\. Use elicit\.format=chat\.$"):
        replace(ELICIT, mode="reasoned", format="plain").check(Says(""), PROBES[0], (), SCHWARTZ)


def test_the_same_question_is_asked_once_and_answers_all_its_probes() -> None:
    model, seen, twice = Fixed((0, 0, 0, 1, 0)), [], [*PROBES[:5], *PROBES[:5]]
    judged = ELICIT.judge(model, twice, (), SCHWARTZ, progress=seen.append)
    assert model.asked == [5]
    assert sum(seen) == 10
    assert judged.probes == tuple(twice)
    assert (judged.rating_N == 4).all()


def test_answers_are_given_to_their_own_probes_in_whatever_order_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ELICIT.judge(ScriptedModel(sway=0, refusals=0, fails_on=""), PROBES[:200], (), SCHWARTZ).probability_N5
    real = ScriptedModel.ratings

    def shuffled(self: ScriptedModel, prompts: Sequence[Prompt], **options: object) -> Iterator[Answered]:
        order = np.random.default_rng(0).permutation(len(prompts))
        [(_, whole)] = real(self, prompts, **options)  # type: ignore[arg-type]
        for rows in np.array_split(order, 7):
            yield Answered(rows.tolist(), _taken(whole, rows))

    def _taken(whole: Answers, rows: Floats) -> Answers:
        return answers_of(whole.probability_N5[rows], whole.mass_N[rows])

    monkeypatch.setattr(ScriptedModel, "ratings", shuffled)
    judged = ELICIT.judge(ScriptedModel(sway=0, refusals=0, fails_on=""), PROBES[:200], (), SCHWARTZ)
    np.testing.assert_array_equal(judged.probability_N5, expected)
