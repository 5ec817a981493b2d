"""The command as a user types it: in a process of its own, from a folder of the user's."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.generate.datasets import filled
from tests.parts import parts
from tests.warm import LAUNCH, Warm, launch, typed
from vat.generate.human import sample_of

TAX = ("measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")
BAD = {
    "value": (["value=pwer"], "value=pwer: must be a value of theory schwartz; got 'pwer'. Did you mean power?"),
    "strategy": (["strategy=sterring"], "strategy=sterring: must be an option of strategy; got 'sterring'. Did you mean steering?"),
    "model": (["model=gpt"], "model=gpt: must be an option of model; got 'gpt'. Choose from"),
    "measure": (
        ["measure=[tax,nope]"],
        "measure=nope: must be an option of measure; got 'nope'. Choose from amplification, circumplex, robustness, tax.",
    ),
    "null": (["model=null"], "config: must compose; got 'Config group override must be a string or a list. Got NoneType'. See --help."),
    "key": (["valu=power"], "valu: must be a setting; got an unknown key. Did you mean value?"),
    "nested key": (["model.dtpe=float32"], "model.dtpe: must be a setting; got an unknown key. Did you mean dtype?"),
    "added key": (["+model.foo=1"], "model.foo: no such setting; got 1. Choose from attention"),
    "new key": (["+shot=8"], "shot: must be a setting; got an unknown key. Did you mean shots?"),
    "type": (["shots=abc"], "strategy.shots: should be a valid integer, unable to parse string as an integer; got 'abc'. See conf/strategy/."),
    "choice": (["elicit.format=plan"], "elicit.format: should be 'chat' or 'plain'; got 'plan'. See conf/elicit/."),
    "dose": (["shots=3"], "shots: half support and half violate the value, so an even number from 2; got 3."),
    "direction": (["direction=2"], "direction: must be 1, -1 or null; got 2."),
    "path": (["data=table"], "data.path: must be given; got nothing. Add data.path=…"),
    "file": (["data=table", "data.path=none.csv"], "data.path: must be an existing file; got none.csv. Check the path."),
    "theory": (["theory.path=mine.yaml"], "theory.path: must be a YAML file; got "),
    "list": (["value=power,security"], "value=power,security: a list of values makes a sweep; got one without -m."),
    "syntax": (["power"], "power: must have the form key=value; got something else."),
    "program": (["-cn", "aling"], "-cn aling: must be a program; got no conf/aling.yaml. Did you mean align?"),
    "sweep": (["+sweeps=tabel2"], "sweeps=tabel2: must be an option of sweeps; got 'tabel2'. Did you mean table2?"),
    "two sweeps": (["-m", "+sweeps=table2,figure3"], "+sweeps: must be one sweep; got table2,figure3. Launch one after the other"),
    "one sweep and another": (["+sweeps=table2", "+sweeps=figure3"], "sweeps: must be given once; got several. Give one, or launch one"),
    "a key twice": (["-m", "shots=2,4", "shots=8"], "shots: must be given once; got 2,4 and 8. Give one list."),
    "no values": (["-m", "replicate=range(0)"], "sweep: must have at least one point; got none. Check the lists"),
    "folder": (["tracking.root=/proc/mlruns"], "tracking.root: must be a folder that can be written; got /proc/mlruns"),
    "directory of a model": (["model=hf", "model.name=./none"], "model.name=./none: must be a causal language model"),
    "file of a program": (["-cn", "align.yaml", "value=pwer"], "value=pwer: must be a value of theory schwartz; got 'pwer'. Did you mean power?"),
    "measure nothing": (
        ["-cn", "measure"],
        "run: must be the id of a run or of a job, or a list of them; got None. See the closing table; quote it if it is a number.",
    ),
    "measure with": (
        ["-cn", "measure", "run=a", "measure=[nope]"],
        "measure=nope: must be an option of measure; got 'nope'. Choose from amplification",
    ),
    "measure, its key": (["-cn", "measure", "runn=a"], "runn: must be a setting; got an unknown key. Did you mean run?"),
    "measure, key of align": (["-cn", "measure", "value=power"], "value: must be a setting; got an unknown key. Choose from "),
    "measure, nested key": (
        ["-cn", "measure", "run=a", "measure.tax.n_prem=9"],
        "measure.tax.n_prem: must be a setting; got an unknown key. Did you mean n_perm?",
    ),
    "measure, list": (
        ["-cn", "measure", "run=a,b"],
        "run=a,b: a list of values makes a sweep; got one without -m. Run: python launch.py -cn measure -m run=a,b",
    ),
    "annotate nothing": (["-cn", "annotate"], "dataset: must be a text; got None. Use dataset=mine."),
    "annotate, no dataset": (["-cn", "annotate", "dataset=mine"], "dataset=mine: must be a dataset in "),
    "annotate, its key": (["-cn", "annotate", "dataset=mine", "annotator=2"], "annotator: must be a setting; got an unknown key. Did you mean annot"),
    "measure, nowhere": (["-cn", "measure", "run=a"], "tracking.root: must be where runs are kept; got "),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_line_that_says_what_to_do_and_nothing_is_written(case: str, tmp_path: Path) -> None:
    arguments, message = BAD[case]
    done = launch(*arguments, cwd=tmp_path)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(message), lines[0]
    assert not done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("reference", "line"), [
    ("${nope.nothing}", "config: every reference must resolve; got \"Interpolation key 'nope.nothing' not found\". Check the keys in ${…}."),
    ("${", "hydra.sweeper.grids[0].value: every reference must resolve; got \"no viable alternative at input '${'\". Check the keys in ${…}."),
])  # fmt: skip
def test_a_wrong_reference_in_a_sweep_of_ones_own_is_one_line(reference: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "mine" / "sweeps").mkdir(parents=True)
    sweep = {"hydra": {"mode": "MULTIRUN", "sweeper": {"grids": [{"value": reference}]}}}
    (tmp_path / "mine" / "sweeps" / "wrong.yaml").write_text(f"# @package _global_\n{json.dumps(sweep)}\n")
    done = launch("--config-dir", "mine", "+sweeps=wrong", cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()) == (2, [line])


def test_all_mistakes_of_a_sweep_are_told_together(tmp_path: Path) -> None:
    done = launch("-m", "value=pwer,power,secrity", "strategy=steering,foo", "shots=3,4", cwd=tmp_path)
    starts = sorted(line.split(":")[0] for line in done.stderr.strip().splitlines())
    assert starts == ["shots", "strategy=foo", "value=pwer", "value=secrity"]
    assert done.returncode == 2
    assert not list(tmp_path.iterdir())


def test_a_named_sweep_runs_from_any_directory_and_keys_on_the_command_line_replace_its_own(tmp_path: Path) -> None:
    done = typed("+sweeps=smoke", "model=scripted", "strategy=steering", *TAX, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 points: 2 jobs and 1 baseline, 0 already done" in done.stdout
    assert (tmp_path / "mlruns" / "mlflow.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["mlruns"], "nothing of Hydra's is left behind"


def test_a_theory_and_a_table_of_ones_own_need_no_python(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nvalues:\n  care: {definition: Caring., items: {helpful: Helping others., gentle: Being soft.}}\n"
        "  pride: {definition: Standing tall., direction: -1, items: {boastful: Praising oneself.}}\n"
    )
    rows = ["country,topic,scene,item,polarity,action"]
    for scene in range(12):
        for item in ("helpful", "gentle", "boastful"):
            for polarity in (1, -1):
                rows.append(f"C{scene % 3},T{scene % 4},Scene {scene}.,{item},{polarity},I do {item} {polarity} here.")
    (tmp_path / "mine.csv").write_text("\n".join(rows))
    few = ("measure.tax.n_perm=99", "measure.tax.n_boot=99", "measure.circumplex.n_perm=99", "measure.circumplex.n_boot=99")
    few += ("measure.amplification.n_boot=99", "measure.robustness.n_boot=99")
    done = launch("theory.path=mine.yaml", "data=table", "data.path=mine.csv", "value=pride", "shots=2", "model=scripted", *few, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "pride   -1  steering" in done.stdout


def test_a_job_killed_at_any_moment_ends_with_the_bits_of_an_undisturbed_one(tmp_path: Path) -> None:
    arguments = ["data.limit=100", "shots=8", *TAX, "cluster.cpus=1"]
    (tmp_path / "calm").mkdir()
    (tmp_path / "killed").mkdir()
    assert typed(*arguments, cwd=tmp_path / "calm").returncode == 0
    kept = 0
    for kill in range(2):
        process = Warm(*arguments, cwd=tmp_path / "killed", said=tmp_path / "said", complained=tmp_path / "said")
        while process.poll() is None and parts(tmp_path / "killed") <= kept:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        before, kept = kept, parts(tmp_path / "killed")
        assert kept > before, f"kill {kill} came after the end"
    done = launch(*arguments, cwd=tmp_path / "killed")
    assert done.returncode == 0, done.stderr
    assert _results(tmp_path / "killed") == _results(tmp_path / "calm")


def _results(folder: Path) -> dict[str, object]:
    return {path.parent.name: json.loads(path.read_text())["steps"] for path in folder.glob("mlruns/jobs/*/result.json")}


def test_finished_jobs_are_measured_again_by_a_command(tmp_path: Path) -> None:
    done = typed("model=scripted", "data.limit=12", *TAX, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [job] = re.findall(r" (\w{16})$", done.stdout, re.M)
    [baseline] = _results(tmp_path).keys() - {job}
    before = _results(tmp_path)
    done = launch("-cn", "measure", f"run={job}", *TAX, "measure.tax.n_perm=199", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"^scripted  power   -1  steering .* {job}$", done.stdout, re.M)
    after = _results(tmp_path)
    assert after[job]["0"]["nvat_p_free"] != before[job]["0"]["nvat_p_free"]
    done = launch("-cn", "measure", "-m", f"run={job},{baseline}", *TAX, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.findall(r" (\w{16})$", done.stdout, re.M) == [job, baseline]
    assert _results(tmp_path) == before, "in another process, to the bit"
    assert [path.name for path in tmp_path.iterdir()] == ["mlruns"], "nothing of Hydra's is left behind"


def test_people_rate_a_dataset_by_two_commands(tmp_path: Path) -> None:
    rows = [
        {"scene_id": f"s{n}", "country": f"C{n % 3}", "topic": f"T{n % 2}", "scene": f"Scene {n}.", "item": item, "polarity": polarity}
        | {"action": f"I do {item} {polarity} here."}
        for n in range(6) for item in ("wealth", "honest") for polarity in (1, -1)
    ]  # fmt: skip
    data = tmp_path / "mlruns" / "datasets" / "mine" / "data"
    data.mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(data / "train.parquet", index=False)
    done = launch("-cn", "annotate", "dataset=mine", "annotators=2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    human = data.parent / "human"
    sample = sample_of(json.loads((human / "sample.json").read_text()), "sample.json")
    given = (lambda _, d: 1 + d % 5), (lambda _, d: 1 + (d + 1) % 5)
    files = [filled(tmp_path / "back", sample, of_one, number=number).relative_to(tmp_path) for number, of_one in enumerate(given, 1)]
    done = launch("-cn", "annotate", "dataset=mine", f"ratings=[{files[0]},{files[1]}]", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^scenario realism +6 +12 +0 +1\.50 ", done.stdout, re.M), done.stdout
    assert (human / "table1.tex").is_file()
    (tmp_path / files[0]).write_bytes(b"broken")
    done = launch("-cn", "annotate", "dataset=mine", f"ratings=[{files[0]},{files[0]}]", cwd=tmp_path)
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [str(files[0])] * 2
    assert {path.name for path in tmp_path.iterdir()} == {"mlruns", "back"}, "nothing of Hydra's is left behind"
    assert not (tmp_path / "mlruns" / "mlflow.db").exists()


def test_an_id_that_looks_like_a_number_is_to_be_quoted(tmp_path: Path) -> None:
    done = launch("-cn", "measure", "run=1234567890123e45", cwd=tmp_path)
    assert done.returncode == 2
    assert "quote it if it is a number" in done.stderr
    assert "tracking.root: " in launch("-cn", "measure", 'run="1234567890123e45"', cwd=tmp_path).stderr


def test_help_shows_the_options_and_costs_no_more_than_that_of_a_bare_program_of_hydra(tmp_path: Path) -> None:
    """Hydra's own share grows with every folder of conf/, each of which costs it a copy of all it knows: so it is measured beside ours."""
    bare = f"import hydra; hydra.main(version_base='1.3', config_path='{LAUNCH.parent / 'conf'}', config_name='align')(lambda cfg: None)()"

    def seconds(*command: str) -> float:
        """Of a processor, whatever else it does meanwhile."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command, "--help"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    pairs = [(seconds(str(LAUNCH)), seconds("-c", bare)) for _ in range(5)]
    assert min(own for own, _ in pairs) < 1.5 * min(bare for _, bare in pairs)
    said = launch("--help", cwd=tmp_path).stdout
    for word in ("intensity_anchor, none, paraphrase, placebo, sft, steering, user_texts", "sweeps: equal_gain, figure3, five_values", "value=power"):
        assert word in said


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", str(LAUNCH), "--help"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stderr
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in said.splitlines() if line.startswith("import time")}
    assert "hydra" in loaded
    assert not loaded & {"torch", "ray", "mlflow", "transformers", "pandas", "scipy", "matplotlib", "pydantic", "trl"}
