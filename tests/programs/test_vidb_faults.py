"""A database by a judge behind a server that fails in every way: each text has an intensity near the truth, and every token is in the account."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from tests.generate.dataset_server import FIRST, Faults
from tests.intensity.judge_server import PRICES, JudgeServer, corpus
from tests.programs.dataset_runs import KEY, Running, account_of, in_a_fork, in_a_process, models_at

FAULTS = Faults(passing=0.01, content=0.03)
LOOK_S = 0.2
Z95 = 1.96
Start = Callable[..., Running]


class Memory(NamedTuple):
    """Of a process, in MB: now, and at most so far."""

    now: float
    most: float


def memory_of(pid: int) -> Memory | None:
    """None if the process is gone."""
    try:
        said = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = [re.search(rf"{name}:\s+(\d+) kB", said) for name in ("VmRSS", "VmHWM")]
    return Memory(*(int(one[1]) / 1024 for one in found if one)) if all(found) else None


def assert_no_window_was_lost_for_nothing(server: JudgeServer, table: pd.DataFrame, judge: dict[str, Any]) -> None:
    """Whatever could be read counts once; what could not was asked for in the other order; lost is what could be read in neither."""
    answers = server.good_answers
    assert len({asked.question for asked in answers}) == len(answers), "something was answered twice"
    readable = {server.shown[asked.turns] for asked in answers if not asked.content}
    spoilt = {server.shown[asked.turns] for asked in answers if asked.content}
    assert {shown[::-1] for shown in spoilt} <= readable | spoilt
    assert table["windows"].sum() == 2 * len(readable)
    in_neither = {shown for shown in spoilt if shown[::-1] in spoilt}
    lost = sum(judge["dropped"].values())
    assert len(in_neither) / 2 <= lost <= len(in_neither), "a pair that was to be shown both ways is two windows"
    assert in_neither
    assert judge["windows"] == len(readable) + lost


@pytest.mark.parametrize(
    ("texts", "iterations", "start", "most_mb"),
    [
        pytest.param(150, 20, in_a_fork, 600, id="3000 windows"),
        pytest.param(10_000, 30, in_a_process, 1000, id="300000 windows", marks=pytest.mark.slow),
    ],
)  # the larger is as database=paper has it of each value: the fit, and what is held in memory of a value, are as large as they get
def test_every_text_has_its_intensity_whatever_the_server_does_and_all_that_it_charged_is_accounted_for(
    texts: int, iterations: int, start: Start, most_mb: float, empty_store: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(empty_store, tmp_path / "mlruns"))
    levels = corpus(tmp_path / "corpus.csv", texts)
    settings = ["values=[power]", f"database.corpus={tmp_path / 'corpus.csv'}", f"database.texts={texts}", f"database.iterations={iterations}"]
    looks: list[tuple[int, Memory]] = []
    with JudgeServer(levels, FAULTS, key=KEY) as server:
        began = time.monotonic()
        running = start(root, [*models_at(server, {"model": FIRST}, PRICES), *settings], program="vidb")
        while running.poll() is None:
            if memory := memory_of(running.pid):
                looks.append((len(server.log), memory))
            time.sleep(LOOK_S)
        assert running.wait() == 0, (tmp_path / "said.txt").read_text()
        took_s = time.monotonic() - began
    folder = root / "vidb" / "anchors"
    table, result = pd.read_parquet(folder / "data" / "anchors.parquet"), json.loads((folder / "result.json").read_text())
    true = table["text"].map(levels).to_numpy()
    slope = float(np.polyfit(true, table["utility"], 1)[0])
    error = table["error"] * table["utility"].std() / table["intensity"].std()
    covered = float((abs(table["utility"] - (true - true.mean())) < Z95 * error).mean())
    correlation, most = float(np.corrcoef(table["intensity"], true)[0, 1]), max(memory.most for _, memory in looks)
    print(f"{texts * iterations:,} windows, {len(server.log):,} requests, {took_s:.0f} s, r = {correlation:.3f}, at most {most:.0f} MB", end="; ")
    print(f"slope {slope:.3f}, intervals cover {covered:.1%}; {sum(result['judges']['first']['dropped'].values())} windows lost")
    print([(n, round(memory.now)) for n, memory in looks[:: max(1, len(looks) // 20)]])
    assert sorted(table["text"]) == sorted(levels)
    assert np.isfinite(table[["utility", "intensity", "error"]]).all(axis=None)
    assert correlation > 0.96
    assert result["values"]["power"]["pools"] == 1
    assert 0.85 < slope < 1.15, "utilities are those of the judge, whose sharpness is 1"
    assert 0.88 < covered < 0.99
    assert_no_window_was_lost_for_nothing(server, table, result["judges"]["first"])
    account = account_of(folder, {"judge-first": FIRST})[FIRST]
    assert account[1:] == server.charged(FIRST)
    assert account.requests == result["requests"] == sum(not asked.fault for asked in server.log)
    assert result["usd"] == pytest.approx(sum(tokens * price / 1e6 for tokens, price in zip(account[1:], PRICES[FIRST], strict=True)), rel=1e-9)
    assert {asked.fault for asked in server.log} >= {"", "429", "500", "503", "dropped", "cut", "truncated", "html"}
    assert most < most_mb
