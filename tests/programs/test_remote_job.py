"""A whole job against a server over HTTP: what launch.py prints, keeps and pays for."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

from tests.models.faulty_server import FaultyServer, some
from tests.parts import parts
from tests.warm import Warm, launch, typed

FEW = ("measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99", "data.limit=12", "shots=2")
KEY = "sk-a-key-that-nobody-may-see-0123456789"
KEPT = {"SOME_KEY": KEY}


def settings(server: FaultyServer, *more: str) -> list[str]:
    return ["model=openai", "model.name=served", f"model.base_url={server.url}", "model.api_key_env=SOME_KEY", *FEW, *more]


def results(folder: Path) -> dict[str, dict[str, object]]:
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("mlruns/jobs/*/result.json")}


def test_a_job_stops_before_it_costs_more_than_allowed_goes_on_for_more_and_shows_its_key_nowhere(tmp_path: Path) -> None:
    prices = ("model.usd_per_million_read=1.0", "model.usd_per_million_written=2.0")
    with FaultyServer(some(0.1, kinds=["500", "truncated", "dropped"]), key=KEY) as server:
        stopped = launch(*settings(server, *prices, "model.max_cost_usd=0.3"), cwd=tmp_path, environment=KEPT)
        assert stopped.returncode == 1
        assert re.search(r"model\.max_cost_usd=0\.3: a job may not cost more; got 0\.2\d+ USD spent", stopped.stdout)
        assert not results(tmp_path)
        done = launch(*settings(server, *prices, "model.max_cost_usd=9"), cwd=tmp_path, environment=KEPT)
        assert done.returncode == 0, done.stderr
        charged = [sum(seen.tokens[n] for seen in server.seen) for n in (0, 1)]
    usages = [result["usage"] for result in results(tmp_path).values()]
    assert len(usages) == 2, "baseline and job"
    written_off = 0.15 * charged[0]  # broken answers were charged for and tell no tokens, and each process asked once to try the server out
    assert 0 <= charged[0] - sum(usage["tokens_read"] for usage in usages) <= written_off
    for usage in usages:
        assert usage["cost_usd"] == (usage["tokens_read"] + 2 * usage["tokens_written"]) / 1e6
    assert re.search(r"These jobs and baselines have taken [\d,]+ tokens read and [\d,]+ written, \$\d+\.\d{4}\.", done.stdout)
    assert KEY not in stopped.stdout + stopped.stderr + done.stdout + done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_a_job_killed_while_it_asks_ends_with_the_answers_of_an_undisturbed_one(tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    (tmp_path / "killed").mkdir()
    with FaultyServer(delay_s=0.02) as server:
        slowly = settings(server, "model.concurrency=8")
        assert typed(*slowly, cwd=tmp_path / "calm", environment=KEPT).returncode == 0
        asked = len(set(server.good))
        server.seen.clear()
        kept = 0
        for _ in range(2):
            process = Warm(*slowly, cwd=tmp_path / "killed", said=tmp_path / "said", complained=tmp_path / "said", environment=KEPT)
            while process.poll() is None and parts(tmp_path / "killed") <= kept:
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            before, kept = kept, parts(tmp_path / "killed")
            assert kept > before, "killed after the end"
        assert launch(*slowly, cwd=tmp_path / "killed", environment=KEPT).returncode == 0
        repeated = len(server.good) - asked
    steps = [{key: result["steps"] for key, result in results(tmp_path / name).items()} for name in ("calm", "killed")]
    assert steps[0] == steps[1]
    assert repeated < 0.3 * asked, "only what came after the last part was asked again"
