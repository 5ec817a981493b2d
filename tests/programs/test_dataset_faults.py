"""A whole dataset from models behind a server that fails in every way: no row is lost, doubled or invalid, and every token is in the account."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyarrow import parquet

from tests.generate.dataset_server import PRICES, PROSE, DatasetServer, Faults
from tests.programs.dataset_runs import FEW, KEY, KEY_NAME, NAME, ROOT, SEARCH, account_of, files_of, launch, made, models_at, result_of, tables_of
from tests.warm import typed
from vat.errors import OverBudget
from vat.generate.judges import TRIES
from vat.theory.schwartz import SCHWARTZ

FAULTS = Faults(passing=0.08, stuck=0.0015, content=0.06, forgetful=0.05)


def good(kind: str, text: str) -> bool:
    """Whether a text of the server's is as it is to be; not by the rules of the program."""
    if kind == "scene":
        return 0 < len(text.split()) <= 120 and text.endswith(".") and not text.startswith("I'm sorry")
    return re.fullmatch(r"I [^.?!\n]+\.", text) is not None and len(text.split()) <= 50


def assert_as_planned(tables: dict[str, list[dict[str, Any]]], countries: list[str], topics: list[str]) -> None:
    """Every row of the plan is there once, scenes are of one table, and every text is as it is to be."""
    rows = [row for table in tables.values() for row in table]
    found = Counter((row["scene_id"], row["item"], row["polarity"]) for row in rows)
    scenes = {f"{country}/{topic}/{n}": (country, topic) for country in countries for topic in topics for n in (1, 2)}
    assert found == Counter((scene, item, polarity) for scene in scenes for item in SCHWARTZ.items for polarity in (1, -1))
    assert not {row["scene_id"] for row in tables["train"]} & {row["scene_id"] for row in tables["test"]}
    assert abs(len({row["scene_id"] for row in tables["test"]}) - 0.3 * len(scenes)) <= 1
    texts = defaultdict(set)
    for row in rows:
        assert (row["country"], row["topic"]) == scenes[row["scene_id"]]
        assert row["value"] == SCHWARTZ.value_of[row["item"]]
        assert good("scene", row["scene"]), row["scene"]
        assert good("action", row["action"]), row["action"]
        assert f"{row['item']}" in row["action"], "an action of another item"
        texts[row["scene_id"]].add(row["scene"])
    assert all(len(of_scene) == 1 for of_scene in texts.values())
    assert len({next(iter(of_scene)) for of_scene in texts.values()}) == len(scenes)
    assert len({row["action"] for row in rows}) == len(rows)


def assert_asked_once(server: DatasetServer) -> None:
    """No question was answered twice, but for judgements that cannot be read: they are asked for again, so often and no more."""
    times = Counter(asked.question for asked in server.good_answers)
    unreadable = Counter(asked.question for asked in server.good_answers if asked.kind == "judgement" and asked.content)
    assert unreadable
    for question, count in times.items():
        assert count - unreadable[question] <= 1
        assert unreadable[question] < TRIES or count == TRIES


def assert_accounted(server: DatasetServer, folder: Path) -> None:
    """What the server charged is what the program has written down, by model and in all."""
    account, result = account_of(folder), result_of(folder)
    for model in PRICES:
        assert account[model][1:] == server.charged(model)
        assert account[model].requests == sum(asked.model == model and not asked.fault for asked in server.log)
    charged = [sum(server.charged(model)[n] for model in PRICES) for n in (0, 1)]
    assert [result["tokens_read"], result["tokens_written"]] == charged
    assert result["requests"] == sum(one.requests for one in account.values())
    assert result["usd"] == pytest.approx(charged_usd(server), rel=1e-12)


PAPER = yaml.safe_load((ROOT / "conf" / "recipe" / "paper.yaml").read_text())


@pytest.mark.parametrize(
    ("countries", "topics", "settings"),
    [
        pytest.param(["India", "Germany", "Pakistan"], ["Politics", "Religion", "Environment"], SEARCH, id="2016 rows"),
        pytest.param(PAPER["countries"], PAPER["topics"], (), id="29568 rows", marks=pytest.mark.slow),
    ],
)
def test_no_row_is_lost_doubled_or_invalid_whatever_the_server_does_and_all_that_it_charged_is_accounted_for(
    countries: list[str], topics: list[str], settings: tuple[str, ...], tmp_path: Path
) -> None:
    places = (f"data.countries={countries}", f"data.topics={topics}")  # Python's quotes are Hydra's
    with DatasetServer(FAULTS, delay_s=0.02, patience_s=4.0, key=KEY) as server:
        done = launch(tmp_path / "mlruns", [*models_at(server), *places, *settings, "data.tries=8"], how=typed)
        assert done.returncode == 0, done.stderr
    folder = tmp_path / "mlruns" / "datasets" / NAME
    assert_as_planned(tables_of(folder), countries, topics)
    assert_asked_once(server)
    assert_accounted(server, folder)
    assert server.most == 64
    assert {fault for asked in server.log if (fault := asked.fault)} > {
        "429",
        "503",
        "not json",
        "truncated",
        "html",
        "no choice",
        "odd usage",
        "stuck",
    }
    assert {wrong for asked in server.log if (wrong := asked.content)} > {"empty", "refusal", "we", "long", "prose", "sevens"}
    rejected = parquet.read_table(folder / "rejected.parquet").to_pylist()
    spoilt = sum(asked.kind == "action" and bool(asked.content) for asked in server.log)
    assert len(rejected) > 0.5 * spoilt
    assert not any(good("action", row["text"]) for row in rejected if " · " in row["id"]), "rejected for nothing"
    assert KEY not in done.stdout + done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert PROSE not in (folder / "README.md").read_text()


def charged_usd(server: DatasetServer) -> float:
    return sum(server.charged(model)[n] * price for model, prices in PRICES.items() for n, price in enumerate(prices)) / 1e6


def test_a_dataset_stops_before_it_costs_more_than_allowed_and_goes_on_for_more_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_NAME, KEY)
    root, faults = tmp_path / "mlruns", Faults(content=0.06)
    with DatasetServer(faults, key=KEY) as server:
        calm = made(root, [*models_at(server), *FEW, "name=calm"])
        whole = charged_usd(server)
    with DatasetServer(faults._replace(passing=0.05), delay_s=0.01, key=KEY) as server:
        command = [*models_at(server), *FEW, "name=stopped"]
        for share in (0.12, 0.6):
            limit, before = round(share * whole, 4), charged_usd(server)
            with pytest.raises(OverBudget, match=rf"^max_cost_usd={limit:g}: the work may not cost more; got 0\.\d+ USD spent\. Raise it") as caught:
                made(root, [*command, f"max_cost_usd={limit}"])
            assert "\n" not in str(caught.value)
            assert before < charged_usd(server) <= limit
            assert charged_usd(server) > 0.6 * limit, "it stops because of the money"
            assert not (root / "datasets" / "stopped" / "result.json").exists()
        stopped = made(root, [*command, "max_cost_usd=9"])
    assert files_of(stopped) == files_of(calm)
    assert_accounted(server, stopped)
    assert charged_usd(server) == pytest.approx(whole, rel=0.02), "nothing but trials was paid for twice"
