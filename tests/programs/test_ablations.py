"""`+ablation=…`: each is as many sets as its grids have points, under names of their own; and the whole way from command lines to a report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from tests.programs.dataset_runs import launch
from vat.config_texts import read_intensity, read_vidb
from vat.fanout.grids import points_of

CONF = Path(__file__).parents[2] / "conf"
POINTS = {"iterations": 5, "pairs": 6, "ranking": 6, "rating": 6, "size": 4}


def test_every_ablation_is_known_here() -> None:
    assert sorted(POINTS) == sorted(path.stem for path in (CONF / "ablation").glob("*.yaml"))


def test_wherever_an_ablation_is_named_there_is_one() -> None:
    files = [CONF.parent / "README.md", *CONF.rglob("*.yaml"), *(CONF.parent / "vat").rglob("*.py")]
    named = {name for file in files for name in re.findall(r"ablation=(\w+)", file.read_text(encoding="utf-8"))}
    assert named == set(POINTS)


@pytest.mark.parametrize("name", POINTS)
def test_an_ablation_is_sets_of_different_settings_and_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "vidb" if name == "pairs" else "intensity"
    read: Any = read_vidb if name == "pairs" else read_intensity
    given = [f"+ablation={name}", "model=scripted" if name == "pairs" else "responses=answers.csv"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        whole = compose(program, given, return_hydra_config=True)
        assert str(whole.hydra.mode).endswith("MULTIRUN")
        grids: Any = OmegaConf.to_container(whole.hydra.sweeper.grids, resolve=False)
        points = points_of(grids, {}, lambda key, text: [f"{key}={one}" for one in str(text).split(",")])
        specs = [read(compose(program, [*given, *point])) for point in points]
    assert len(specs) == POINTS[name]
    names = [spec.name if name == "pairs" else spec.label for spec in specs]
    assert len(set(names)) == len(names)
    assert len({repr((spec.recipe, getattr(spec, "judge", None))) for spec in specs}) == len(specs)


def test_from_the_command_lines_to_a_report(tmp_path: Path) -> None:
    """Offline: judges of other taste take the place of judges."""
    root, responses = tmp_path / "mlruns", tmp_path / "answers.csv"
    rows = [{"text": f"Answer {n} about it.", "value": "power", "direction": 1 if n % 2 else -1} for n in range(12)]
    pd.DataFrame(rows).to_csv(responses, index=False)
    scored = [f"responses={responses}", "values=[power]", "model@judge=scripted", "judge.sway=0.3,0.7", "name=by/${judge.sway}-${evaluator.wording}"]
    for program, overrides in (("intensity", ["+ablation=rating", *scored]), ("report", ["scores=by-*"])):
        done = launch(root, overrides, program=program)
        assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (root / "intensity").iterdir()) == ["by-0.3-0", "by-0.3-1", "by-0.7-0", "by-0.7-1"]
    [folder] = (root / "reports").iterdir()
    table = pd.read_csv(folder / "tables" / "instability.csv", index_col="number")
    assert table.loc["change with the wording", "rating"] > 0
    assert "variance between judges" in done.stdout
    assert "numbers mean nothing" in done.stdout
