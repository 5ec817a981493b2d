"""A dataset that is killed again and again while it is made: the same command ends with the bytes of an undisturbed one, and asks little twice."""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.generate.dataset_server import Asked, DatasetServer, Faults
from tests.programs.dataset_runs import (
    FEW,
    KEY,
    NAME,
    Account,
    Running,
    account_of,
    files_of,
    in_a_fork,
    in_a_process,
    inode_of,
    models_at,
    tables_of,
)
from vat.generate.plan import OF_SEARCH
from vat.models.exchange import GATHER_S
from vat.track.store import EVERY_S

FAULTS = Faults(passing=0.04, content=0.06)
SETTINGS = (*FEW, "data.tries=8")
STAGES = ("prompt of scenes", "scenes", "prompt of actions", "actions")
ORDER = ("prompt of scenes", "prompt of actions", "actions", "files", "scenes")
"""In which stages are killed, one kill each, and again from the first."""
FILES = ("data/train.parquet", "data/test.parquet", "README.md", "rejected.parquet")
"""Written one after the other when everything has been answered."""
LATEST_S = 0.1
"""A kill comes at most so long after a file."""
LOST_S = EVERY_S + GATHER_S
"""Answers that came within this time before a kill may be lost."""
SLACK_S = 2.5
"""By which a busy machine may be late."""
Start = Callable[[Path, Sequence[str]], "Running"]


class Undisturbed(NamedTuple):
    """A dataset that was not killed, and after how many answers, each question counted once, a stage of STAGES begins and ends."""

    folder: Path
    answers: dict[str, tuple[int, int]]


class Moment(NamedTuple):
    """When to kill: after so many answers; or so long after a file was written."""

    answers: int
    file: str = ""
    after_s: float = 0.0


@pytest.fixture(scope="module")
def undisturbed(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    root = Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("undisturbed") / "mlruns"))
    with DatasetServer(FAULTS, delay_s=0.02, key=KEY) as server:
        assert in_a_fork(root, [*models_at(server), *SETTINGS]).wait() == 0, (root.parent / "said.txt").read_text()
    answers = server.good_answers
    scenes = [n for n, asked in enumerate(answers) if asked.kind == "scene"]
    first = next(n for n in scenes if answers[n].draw < OF_SEARCH)
    judged = max(n for n, asked in enumerate(answers) if asked.kind in ("judgement", "proposal"))
    ranks = [0, first, max(scenes) + 1, judged + 1, len(answers)]
    distinct = [len({asked.question for asked in answers[:rank]}) for rank in ranks]
    return Undisturbed(root / "datasets" / NAME, dict(zip(STAGES, itertools.pairwise(distinct), strict=True)))


def moments(undisturbed: Undisturbed, kills: int, seed: int) -> list[Moment]:
    """When to kill, in the order in which these moments come."""
    draw, drawn = random.Random(seed), []
    last = undisturbed.answers["actions"][1]
    for n in range(kills):
        stage = ORDER[n % len(ORDER)]
        if stage == "files":
            drawn.append(Moment(last, draw.choice(FILES), draw.uniform(0, LATEST_S)))
        else:
            start, end = undisturbed.answers[stage]
            drawn.append(Moment(draw.randint(start + 1, end)))
    return sorted(drawn)


def killed(server: DatasetServer, start: Callable[[], Running], folder: Path, moment: Moment) -> float:
    """Kill the program at a moment; returns when that was."""
    times: list[float] = []
    inode = inode_of(folder / moment.file)

    def kill() -> None:
        times.append(time.monotonic())
        os.kill(running.pid, signal.SIGKILL)

    server.stopped.clear()
    if not moment.file:
        server.then, server.stop_at = kill, moment.answers
    running = start()
    while running.poll() is None and not server.stopped.is_set():
        if moment.file and inode_of(folder / moment.file) not in (None, inode):
            time.sleep(moment.after_s)
            kill()
            break
        time.sleep(0.002)
    assert running.wait() == -signal.SIGKILL, "ended before it was killed"
    return times[0]


def assert_little_was_asked_twice(server: DatasetServer, kills: Sequence[float]) -> None:
    """What was answered well twice had been answered just before a kill, and was asked for again after it."""
    before: dict[tuple[str, str, int], Asked] = {}
    for asked in server.good_answers:
        first = before.get(asked.question)
        if first and not (asked.kind == "judgement" and asked.content):
            [kill, *_] = [at for at in kills if at > first.at - SLACK_S]
            assert kill - first.at < LOST_S + SLACK_S
            assert asked.at > kill
        before[asked.question] = asked


def assert_the_same(folder: Path, undisturbed: Path) -> None:
    """The same bytes in all files; in the card, everything but what it took."""
    ours, theirs = files_of(folder), files_of(undisturbed)
    assert ours.keys() == theirs.keys()
    assert not [name for name in theirs if ours[name] != theirs[name]]
    assert {"data/train.parquet", "data/test.parquet", "rejected.parquet", "prompts/scene.json", "prompts/action_search.json"} < theirs.keys()
    cards = [(path / "README.md").read_text().splitlines() for path in (folder, undisturbed)]
    assert len(cards[0]) == len(cards[1])
    differing = [line for line, other in zip(*cards, strict=True) if line != other]
    assert all(re.match(r"\| (writer|judge first|judge second|together) \| [\d,]+ \|", line) for line in differing), differing


@pytest.mark.parametrize(
    ("kills", "start"), [pytest.param(4, in_a_fork, id="4 times"), pytest.param(20, in_a_process, id="20 times", marks=pytest.mark.slow)]
)
def test_a_dataset_killed_at_random_moments_is_the_same_in_the_end(
    kills: int, start: Start, undisturbed: Undisturbed, empty_store: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(empty_store, tmp_path / "mlruns"))
    folder = root / "datasets" / NAME
    with DatasetServer(FAULTS, delay_s=0.02, key=KEY) as server:
        command = [*models_at(server), *SETTINGS]
        times = [killed(server, lambda: start(root, command), folder, moment) for moment in moments(undisturbed, kills, seed=kills)]
        assert start(root, command).wait() == 0, (tmp_path / "said.txt").read_text()
    assert_the_same(folder, undisturbed.folder)
    assert_little_was_asked_twice(server, times)
    rows = [(row["scene_id"], row["item"], row["polarity"]) for table in tables_of(folder).values() for row in table]
    assert len(rows) == len(set(rows)) == 448
    trials = [asked for asked in server.log if asked.kind == "trial"]
    assert len(trials) == 3 * (kills + 1), "three models, once a launch"
    for model, account in account_of(folder).items():  # what was lost with a kill is in nobody's account; the rest is, trials included
        more = [asked.tokens for asked in trials[3:] if asked.model == model]
        calm = account_of(undisturbed.folder)[model]
        assert account == Account(calm.requests + len(more), *(calm[n + 1] + sum(tokens[n] for tokens in more) for n in (0, 1)))
