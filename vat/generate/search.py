"""The search for a writing prompt: few-shot by MIPROv2 against zero-shot by COPRO on matched budgets, both of DSPy; then a final on fresh samples.

With a handful of development items the best score is mostly luck, so what either search found best is written with and scored anew, on other
items and all finalists on the same ones, before one is chosen. Where nothing beats the prompt that the search began with, that one stays.

Source: Value Alignment Tax, appendix A.2.6 and A.3.7. Differs: the paper chooses by the score of the search itself.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vat.elicit.desk import Desk
from vat.errors import BackendError, shown
from vat.generate.bulk import SAMPLE, unusable
from vat.generate.plan import OF_FINAL
from vat.generate.prompts import WritingPrompt
from vat.generate.recipe import SearchSettings
from vat.generate.rules import cleaned
from vat.generate.scoring import Given, Scored, Scorer, mean_of

FEW, ZERO, BASE = "MIPROv2", "COPRO", "the first"
"""Where a candidate comes from."""
PROPOSER_TOKENS, NO_END = 2000, 10**9
GOOD_ENOUGH = 60.0
"""What a text must score to become an example."""


class Task(NamedTuple):
    """What a search is for.

    start: the prompt it begins with. development: items of the search, and for some of them texts of ours to begin the examples with.
    fresh: items of the final. role: who writes, at the desk. max_new_tokens: of a text.
    """

    start: WritingPrompt
    development: Sequence[tuple[Given, str | None]]
    fresh: Sequence[Given]
    scorer: Scorer
    role: str
    max_new_tokens: int


@dataclass
class Candidate:
    """A prompt that was tried. source: which optimiser. searched: its scores in the search. final: those of the final, () if it was not in it."""

    prompt: WritingPrompt
    source: str
    searched: list[float] = field(default_factory=list)
    final: tuple[float, ...] = ()


class Chosen(NamedTuple):
    """How a search ended. candidates: all, as they were first tried. violations: texts that broke a rule. budgets: texts scored by optimiser."""

    prompt: WritingPrompt
    candidates: list[Candidate]
    violations: list[dict[str, str]]
    budgets: dict[str, int]

    def to_json(self, agreement: Mapping[str, Any]) -> dict[str, Any]:
        """Every prompt that was tried with its scores, which of them was chosen, what was spent on each optimiser; and how far judges agreed."""
        rows = []
        for candidate in self.candidates:
            scores = {"search": mean_of(candidate.searched), "final": mean_of(candidate.final)}
            told = {name: {"mean": _known(mean), "error": _known(error), "texts": n} for name, (mean, error, n) in scores.items()}
            rows.append({"source": candidate.source, "chosen": candidate.prompt == self.prompt} | told | {"prompt": candidate.prompt.to_json()})
        return {"budgets": self.budgets, "agreement": dict(agreement), "candidates": rows, "violations": self.violations}


def searched(task: Task, search: SearchSettings, desk: Desk, *, seed: int, told: Callable[[int], object] = lambda count: None) -> Chosen:
    """Search for a prompt and choose one.

    Args:
        told: Is called with the number of texts scored whenever some were.
    Raises:
        ConfigError, BackendError: As the desk; what was asked is kept, and the same search goes on from there.
    """
    book = _Book(task, desk, told)
    with _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries in between, about each other
        book.source = FEW
        _compiled(desk, task, search, book, lambda program: _mipro(program, task, search, desk, book, seed))
        few = book.count
        book.source = ZERO
        _compiled(desk, task, search, book, lambda program: _copro(program, task, search, desk, book, budget=few))
    budgets = {FEW: few, ZERO: book.count - few}
    finalists = _finalists(book, search.finalists, _minibatch(len(task.development)))
    for candidate in finalists:
        candidate.final = tuple(scored.score for scored in _fresh_scores(candidate.prompt, task, desk, book))
        told(len(task.fresh))
    best = max(finalists, key=lambda candidate: _or_least(mean_of(candidate.final)[0]))
    return Chosen(best.prompt, list(book.candidates.values()), sorted(book.violations, key=lambda row: (row["prompt"], row["text"])), budgets)


def steps_of(search: SearchSettings, development: int, fresh: int) -> int:
    """About how many texts a search scores, for an estimate."""
    each = development * (3 + search.trials // 5) + search.trials * _minibatch(development) + 3 * search.examples
    return 2 * each + (2 * search.finalists + 1) * fresh


class _Book:
    """Every text that was scored, by the prompt that it was written with."""

    def __init__(self, task: Task, desk: Desk, told: Callable[[int], object]) -> None:
        self.candidates: dict[str, Candidate] = {}
        self.violations: list[dict[str, str]] = []
        self.source, self.count, self._usable = BASE, 0, False
        self._lock = threading.Lock()
        self._task, self._desk, self._told = task, desk, told
        self.candidates[task.start.digest] = Candidate(task.start, BASE)

    def metric(self, example: Any, prediction: Any, trace: object = None) -> float:
        """Called by DSPy: the score in [0, 1] of one text."""
        given = {name: example[name] for name in example.inputs().keys()}  # noqa: SIM118 - no mapping
        [scored] = self._task.scorer([given], [prediction.text])
        candidate = self.candidates.setdefault(prediction.prompt.digest, Candidate(prediction.prompt, self.source))
        candidate.searched.append(scored.score)
        with self._lock:
            self.note(prediction.prompt, scored)
            self.count, self._usable = self.count + 1, self._usable or not scored.faults
            self._told(1)
            if self.count >= SAMPLE:
                self.end_if_unusable()
        return (0.0 if math.isnan(scored.score) else scored.score) / 100

    def end_if_unusable(self) -> None:
        """Nobody is asked any more if no text so far is of use."""
        if self.count and not self._usable:
            self._desk.end(unusable(self._task.start.kind, [(row["faults"], row["text"]) for row in self.violations]))

    def note(self, prompt: WritingPrompt, scored: Scored) -> None:
        """Keep what broke a rule."""
        if scored.faults:
            self.violations.append({"kind": prompt.kind, "faults": " ".join(scored.faults), "text": scored.text, "prompt": prompt.digest})


def _mipro(program: Any, task: Task, search: SearchSettings, desk: Desk, book: _Book, seed: int) -> None:
    import dspy

    from vat.generate.writers import lm

    trainset = _examples(task)
    labelled = sum(text is not None for _, text in task.development)
    optimiser = dspy.MIPROv2(
        metric=book.metric, prompt_model=lm(desk, "proposer", max_new_tokens=PROPOSER_TOKENS),
        task_model=lm(desk, task.role, max_new_tokens=task.max_new_tokens), auto=None, num_candidates=max(4, search.trials // 2),
        max_bootstrapped_demos=search.examples, max_labeled_demos=min(search.examples, labelled), num_threads=search.threads, max_errors=NO_END,
        metric_threshold=GOOD_ENOUGH / 100, seed=seed + 1, init_temperature=search.temperature,
    )  # fmt: skip
    optimiser.compile(
        program, trainset=trainset, valset=trainset, num_trials=search.trials, minibatch=len(trainset) > 1,
        minibatch_size=_minibatch(len(trainset)), program_aware_proposer=False,
    )  # fmt: skip


def _copro(program: Any, task: Task, search: SearchSettings, desk: Desk, book: _Book, *, budget: int) -> None:
    import dspy

    from vat.generate.writers import lm

    trainset = _examples(task)
    breadth = max(2, round(budget / search.depth / len(trainset)))
    proposer = lm(desk, "proposer", max_new_tokens=PROPOSER_TOKENS)
    optimiser = dspy.COPRO(metric=book.metric, prompt_model=proposer, breadth=breadth, depth=search.depth, init_temperature=search.temperature)
    optimiser.compile(program, trainset=trainset, eval_kwargs={"num_threads": search.threads, "display_progress": False, "display_table": 0})


def _compiled(desk: Desk, task: Task, search: SearchSettings, book: _Book, compile_: Callable[[Any], None]) -> None:
    """Let an optimiser work on the program of the prompt. What it swallows of our errors is raised here."""
    import dspy

    from vat.generate.writers import LettersOfOurs, Writer, lm, patient

    given = list(task.development[0][0])
    writing = lm(desk, task.role, max_new_tokens=task.max_new_tokens)
    adapter = LettersOfOurs(task.start.kind, task.start.language)
    try:
        with patient(), dspy.context(lm=writing, adapter=adapter, num_threads=search.threads, max_errors=NO_END):
            compile_(Writer(task.start, given))
    except Exception as error:
        book.end_if_unusable()
        desk.raise_end()
        rule = f"search: the model must propose instructions that can be read; got {shown(str(error), 200)}"
        raise BackendError(f"{rule}. Choose another model, or another data.seed, under another name=….") from error
    desk.raise_end()


def _examples(task: Task) -> list[Any]:
    """The development items as DSPy knows them."""
    import dspy

    known = [dict(given) | ({} if text is None else {"text": text}) for given, text in task.development]
    return [dspy.Example(**one).with_inputs(*given) for one, (given, _) in zip(known, task.development, strict=True)]


def _minibatch(development: int) -> int:
    return max(1, min(development - 1, (development + 1) // 2, 16))


def _finalists(book: _Book, each: int, fewest: int) -> list[Candidate]:
    """The prompt that the search began with, and the best of each optimiser; of equals the earlier. Who has fewer texts than others comes last."""
    finalists = [candidate for candidate in book.candidates.values() if candidate.source == BASE]
    for source in (FEW, ZERO):
        of_source = [candidate for candidate in book.candidates.values() if candidate.source == source]
        order = sorted(of_source, key=lambda one: (len(one.searched) < fewest, -_or_least(mean_of(one.searched)[0])))
        finalists += order[:each]
    return finalists


def _fresh_scores(prompt: WritingPrompt, task: Task, desk: Desk, book: _Book) -> list[Scored]:
    """What a prompt scores on items and draws that the search has not seen."""
    prompts = [prompt.prompt(given, OF_FINAL + n) for n, given in enumerate(task.fresh)]
    texts = [cleaned(text) for text in desk.ask(task.role, prompts, max_new_tokens=task.max_new_tokens)]
    scores = task.scorer(task.fresh, texts)
    for scored in scores:
        book.note(prompt, scored)
    return scores


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number


def _or_least(score: float) -> float:
    return -1.0 if math.isnan(score) else score


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What DSPy prints and logs is not for our user; its errors come as ours. Its log stays shut: its threads outlive an interruption."""
    logging.getLogger("dspy").setLevel(logging.CRITICAL)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
