"""A database that is killed again and again while it is made: the same command ends with the bytes of an undisturbed one, and asks little twice."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mlflow import MlflowClient
from pyarrow import parquet

from tests.generate.dataset_server import FIRST, Faults
from tests.intensity.judge_server import MEMBER, PRICES, JudgeServer, corpus
from tests.programs.dataset_runs import KEY, Account, Running, account_of, in_a_fork, inode_of, models_at
from vat.models.exchange import GATHER_S
from vat.track.store import EVERY_S

FAULTS = Faults(passing=0.02, content=0.06)
DELAY_S = 0.06
PLACES = {"model": FIRST, "panel.one": MEMBER}
MODELS = {"judge-first": FIRST, "panel-one": MEMBER}
TEXTS, WINDOWS = 40, 2 * 40 * 8
"""Of each of two values; and of both."""
SETTINGS = ("values=[power,face]", f"database.texts={TEXTS}", "database.iterations=8", "database.flag_at=1")
FILES = ("data/anchors.parquet", "human/flagged.csv", "README.md", "result.json")
"""Written one after the other when everything has been answered."""
LOST_S = EVERY_S + GATHER_S
"""Answers that came within this time before a kill may be lost."""
SLACK_S = 2.5
"""By which a busy machine may be late."""


class Undisturbed(NamedTuple):
    """A database that was not killed. length_s: of its run; tried_s: until all models were tried out; answered_s: until each answer."""

    folder: Path
    length_s: float
    tried_s: float
    answered_s: list[float]


class Moment(NamedTuple):
    """When to kill: so long after the start, or after all models were tried out and so many answers were given, or after a file."""

    after_s: float
    tried: bool = False
    answers: int = 0
    file: str = ""


class Kill(NamedTuple):
    """When it was; how many answers the server had given, each time counted, and how many answered questions had no answer on disk."""

    at: float
    given: int
    lost: int


class Place:
    """A folder with a corpus, an empty store, and a server for the judges."""

    def __init__(self, folder: Path, empty_store: Path) -> None:
        self.root = Path(shutil.copytree(empty_store, folder / "mlruns"))
        self.folder = self.root / "vidb" / "anchors"
        self.server = JudgeServer(corpus(folder / "corpus.csv", 2 * TEXTS), FAULTS, delay_s=DELAY_S, key=KEY)

    @property
    def command(self) -> list[str]:
        places = models_at(self.server, PLACES, PRICES)
        return [*places, *SETTINGS, f"database.corpus={self.root.parent / 'corpus.csv'}"]

    def said(self) -> str:
        return (self.root.parent / "said.txt").read_text()


def begun(place: Place, *more: str) -> Running:
    return in_a_fork(place.root, [*place.command, *more], program="vidb")


@pytest.fixture(scope="module")
def undisturbed(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    place = Place(tmp_path_factory.mktemp("undisturbed"), empty_store)
    with place.server as server:
        begun(place, "dry_run=true").wait()  # the first fork waits for what all of them have loaded
        start = time.monotonic()
        assert begun(place).wait() == 0, place.said()
        length_s = time.monotonic() - start
    tried = [asked.at - start for asked in server.log if asked.kind == "trial"]
    return Undisturbed(place.folder, length_s, max(tried), sorted(asked.at - start for asked in server.good_answers))


def moments(undisturbed: Undisturbed, kills: int, seed: int) -> list[Moment]:
    """One in each of so many equal parts of the undisturbed run, as what had been reached by then and how long ago."""
    draw, drawn = random.Random(seed), []
    for n in range(kills):
        at_s = draw.uniform(n, n + 1) / kills * undisturbed.length_s
        answers = [s for s in undisturbed.answered_s if s <= at_s]
        if at_s < undisturbed.tried_s:
            drawn.append(Moment(at_s))
        else:
            drawn.append(Moment(at_s - max([undisturbed.tried_s, *answers]), tried=True, answers=len(answers)))
    return drawn


def killed(place: Place, moment: Moment) -> Kill | None:
    """Begin, and kill at a moment; None if it ended by itself before that."""
    server = place.server
    trials, inode = trials_of(server) + len(PLACES), inode_of(place.folder / moment.file)

    def reached() -> bool:
        if moment.file:
            return inode_of(place.folder / moment.file) not in (None, inode)
        return not moment.tried or (trials_of(server) >= trials and len(server.answered) >= moment.answers)

    running = begun(place)
    while running.poll() is None and not reached():
        time.sleep(0.001)
    until = time.monotonic() + moment.after_s
    while running.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    at = time.monotonic()
    if running.poll() is None:
        os.kill(running.pid, signal.SIGKILL)
    if (status := running.wait()) != -signal.SIGKILL:
        assert status == 0, place.said()
        return None
    while server.open:  # what was on its way
        time.sleep(0.001)
    given = len(server.good_answers)
    return Kill(at, given, len({asked.question for asked in server.good_answers}) - answers_in(place.folder))


def trials_of(server: JudgeServer) -> int:
    return sum(asked.kind == "trial" and not asked.fault for asked in server.log)


def answers_in(folder: Path) -> int:
    """How many answers are on disk, without those to trials, which are kept as empty texts of no draw."""
    count = 0
    for path in folder.glob("answers/*/texts/part-*.parquet"):
        count += len(set(parquet.read_table(path)["prompt"].to_pylist()))
    return count - kept_trials(folder)


def kept_trials(folder: Path) -> int:
    """A trial is a part of its own, with one answer that says nothing."""
    tables = [parquet.read_table(path) for path in folder.glob("answers/*/texts/part-*.parquet")]
    return sum(len(table) == 1 and table["text"].to_pylist() == [""] for table in tables)


def assert_the_same(folder: Path, undisturbed: Path, more: int) -> None:
    """The same bytes in all that is left to a user; in the result, everything but what it took. more: trials that are in the account."""
    for name in ("data/anchors.parquet", "human/flagged.csv", "README.md", "identity.json"):
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes(), name
    ours, theirs = (json.loads((path / "result.json").read_text()) for path in (folder, undisturbed))
    assert ours.pop("requests") == theirs.pop("requests") + more
    assert ours.pop("usd") >= theirs.pop("usd") > 0
    assert ours == theirs
    ours, theirs = ({str(path.relative_to(place)) for path in place.rglob("*") if "answers" not in path.parts} for place in (folder, undisturbed))
    assert ours == theirs, "what was being written at a kill is gone"


def assert_only_what_was_lost_was_asked_again(server: JudgeServer, kills: Sequence[Kill]) -> None:
    """An answer that was on disk at a kill was not asked for after it; and what was lost had come just before it."""
    answers, before, still_lost = server.good_answers, set[tuple[str, str, int]](), 0
    ends = [kill.given for kill in kills]
    for start, end, kill in zip([0, *ends], [*ends, len(answers)], [*kills, None], strict=True):
        questions = [asked.question for asked in answers[start:end]]
        again = sum(question in before for question in questions)
        assert len(set(questions)) == len(questions), "asked twice in one run"
        assert again <= still_lost
        before |= set(questions)
        if kill:
            assert kill.lost - (still_lost - again) <= sum(asked.at > kill.at - LOST_S - SLACK_S for asked in answers[start:end])
            still_lost = kill.lost
        else:
            assert again == still_lost


def assert_accounted(server: JudgeServer, folder: Path, undisturbed: Path) -> None:
    """What the undisturbed one has taken, and the trials that were kept; what was lost with a kill is in nobody's account."""
    found, calm = account_of(folder, MODELS), account_of(undisturbed, MODELS)
    for model in PLACES.values():
        [tokens] = {asked.tokens for asked in server.log if asked.kind == "trial" and asked.model == model and not asked.fault}
        more = found[model].requests - calm[model].requests
        assert found[model] == Account(calm[model].requests + more, *(calm[model][n + 1] + more * tokens[n] for n in (0, 1)))


def runs_of(root: Path) -> list[Any]:
    client = MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")
    [experiment] = [one for one in client.search_experiments() if one.name == "vat"]
    return list(client.search_runs([experiment.experiment_id]))


def assert_one_finished_run(root: Path, undisturbed: Path) -> None:
    [run] = runs_of(root)
    [calm] = runs_of(undisturbed.parents[1])
    assert run.info.status == "FINISHED"
    assert run.data.tags["vat.kind"] == "vidb"
    assert "vat.error" not in run.data.tags
    assert run.data.metrics == calm.data.metrics
    assert run.data.params == calm.data.params
    client = MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")
    for name in calm.data.metrics:
        assert len(client.get_metric_history(run.info.run_id, name)) == 1, f"{name} was logged twice"
    files = {file.path for file in client.list_artifacts(run.info.run_id)} | {file.path for file in client.list_artifacts(run.info.run_id, "data")}
    assert files == {"README.md", "identity.json", "data", "data/anchors.parquet"}


def assert_as_undisturbed(place: Place, kills: Sequence[Kill], undisturbed: Undisturbed) -> None:
    more = kept_trials(place.folder) - kept_trials(undisturbed.folder)
    assert 0 <= more <= len(PLACES) * len(kills)
    assert_the_same(place.folder, undisturbed.folder, more)
    assert_only_what_was_lost_was_asked_again(place.server, kills)
    assert_accounted(place.server, place.folder, undisturbed.folder)
    assert_one_finished_run(place.root, undisturbed.folder)


@pytest.mark.parametrize("kills", [pytest.param(3, id="3 times"), pytest.param(20, id="20 times", marks=pytest.mark.slow)])
def test_a_database_killed_at_random_moments_is_the_same_in_the_end(
    kills: int, undisturbed: Undisturbed, empty_store: Path, tmp_path: Path
) -> None:  # fmt: skip
    place = Place(tmp_path, empty_store)
    with place.server:
        done: list[Kill] = []
        for moment in moments(undisturbed, kills, seed=kills):
            if (kill := killed(place, moment)) is None:
                break
            done.append(kill)
        assert begun(place).wait() == 0, place.said()
    print([(round(kill.at - done[0].at, 1), kill.given, kill.lost) for kill in done], round(undisturbed.length_s, 1))
    assert len(done) >= 0.6 * kills, "it had ended before"
    assert any(0 < kill.given < WINDOWS for kill in done)
    assert_as_undisturbed(place, done, undisturbed)


@pytest.mark.slow
def test_a_database_killed_right_after_each_of_its_files_is_the_same_in_the_end(
    undisturbed: Undisturbed, empty_store: Path, tmp_path: Path
) -> None:  # fmt: skip
    place = Place(tmp_path, empty_store)
    with place.server:
        done = [killed(place, Moment(0.0, file=name)) for name in FILES]
        assert begun(place).wait() == 0, place.said()
    assert_as_undisturbed(place, [kill for kill in done if kill], undisturbed)
    assert all(done[:-1]), "what is written last may be found when all is over"
