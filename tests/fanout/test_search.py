"""A search: what is drawn, kept, taken up again and shown, with real studies in sqlite."""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient

from vat.config import AlignSpec, SearchSpec, read_search
from vat.errors import BackendError, ConfigError, DataError, MissingDependency
from vat.fanout import search as module
from vat.fanout.search import search
from vat.fanout.space import Range
from vat.fanout.sweep import run_points
from vat.models.scripted import ScriptedModel
from vat.programs.align import baseline_of, job_of
from vat.types import Prompt

Composed = Callable[..., SearchSpec]
QUICK = ("model=scripted", "data.limit=12", "measure=[tax]", "measure.tax.n_perm=99", "measure.tax.n_boot=99")
DOSES = "search.space={shots: [2, 4, 6, 8]}"
RATES = "search.space={strategy.learning_rate: {low: 1e-5, high: 1e-3, log: true}, strategy.steps: {low: 10, high: 60}, strategy.batch: [8, 16]}"


@pytest.fixture
def composed(tmp_path: Path, root: Path) -> Composed:
    def made(*overrides: str, folder: str = "mlruns") -> SearchSpec:
        with initialize_config_dir(str(root / "conf"), version_base="1.3"):
            return read_search(compose("search", [f"tracking.root={tmp_path / folder}", *overrides]))

    return made


@pytest.fixture
def moody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted model, but what it says follows from all that it is shown: doses then differ in gain and tax."""

    def answer(self: ScriptedModel, prompt: Prompt) -> tuple[Any, bool]:
        luck = hashlib.sha256(repr(prompt.messages).encode()).digest()[0] / 256
        bell = np.exp(-((np.arange(1, 6) - 1 - 4 * luck) ** 2))
        return bell / bell.sum(), False

    monkeypatch.setattr(ScriptedModel, "_answer", answer)


@pytest.fixture
def formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of which nothing is run: gain and tax follow from the settings of the training."""

    def rows(specs: Sequence[AlignSpec], **options: Any) -> list[dict[str, Any]]:
        return [{"job": job_of(spec).key, "metrics": numbers(spec.strategy)} for spec in specs]

    def numbers(strategy: Any) -> dict[str, float]:
        rate = np.log10(strategy.learning_rate)
        return dict.fromkeys(module.SHOWN, 0.5) | {"gain": strategy.steps / 60 - (rate + 4) ** 2, "nvat": strategy.steps / 80 + rate / strategy.batch}

    monkeypatch.setattr(module, "run_points", rows)
    monkeypatch.setattr(module, "preflight", lambda spec: [])
    monkeypatch.setattr(module.Runs, "__init__", lambda *_: None)
    monkeypatch.setattr(module.Runs, "mark_front", lambda *_: "tag")


def kept(tmp_path: Path, folder: str = "mlruns") -> list[tuple[Any, ...]]:
    """The trials of the only study of a place."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / folder / 'search.db'}")
    [study] = optuna.get_all_study_summaries(storage)
    trials = optuna.load_study(study_name=study.study_name, storage=storage).trials
    storage.engine.dispose()
    return [(trial.number, trial.state.name, dict(sorted(trial.params.items())), trial.values) for trial in trials]


def tagged(tmp_path: Path, tag: str, folder: str = "mlruns") -> set[str]:
    """The jobs whose runs bear a tag."""
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("vat").experiment_id
    return {run.data.tags["vat.job_key"] for run in client.search_runs([experiment], f"tags.`{tag}` = '1'")}


def front_of(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """The jobs that no other beats in one of gain and tax without losing in the other, by comparing each with each."""

    def beats(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        more, less = one["metrics"]["gain"] - other["metrics"]["gain"], other["metrics"]["nvat"] - one["metrics"]["nvat"]
        return more >= 0 and less >= 0 and more + less > 0

    return {row["job"] for row in rows if not any(beats(other, row) for other in rows)}


@pytest.mark.usefixtures("moody")
def test_the_pareto_set_is_that_of_brute_force_and_its_runs_are_tagged(
    composed: Composed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = (*QUICK, DOSES, "search.name=mine", "search.at_once=4")
    assert search(composed(*settings, "search.trials=2"))
    first = tagged(tmp_path, "pareto.mine")
    assert first == front_of(rows_of(composed(*settings), {params["shots"] for _, _, params, _ in kept(tmp_path)}))
    assert search(composed(*settings, "search.trials=10"))
    printed = capsys.readouterr().out.split("10 trials are done, 0 of them failed.")[1]
    assert {params["shots"] for _, _, params, _ in kept(tmp_path)} == {2, 4, 6, 8}
    rows = rows_of(composed(*settings), {2, 4, 6, 8})
    assert tagged(tmp_path, "pareto.mine") == front_of(rows)
    assert first - front_of(rows), "some run lost its tag"
    assert {row["job"] for row in rows if row["job"] in printed} == front_of(rows)
    assert "optimistic" in printed
    assert "its numbers mean nothing" in printed
    assert len(list((tmp_path / "mlruns" / "jobs").iterdir())) == 5, "four doses and a baseline, each once"


def rows_of(spec: SearchSpec, doses: set[int]) -> list[dict[str, Any]]:
    return run_points([spec.point({"shots": dose}) for dose in sorted(doses)], sweep=None)


@pytest.mark.usefixtures("formula")
def test_a_search_that_is_interrupted_again_and_again_has_the_trials_of_an_undisturbed_one(
    composed: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("strategy=sft", RATES, "search.trials=14", "search.at_once=3")
    assert search(composed(*settings, folder="calm"))
    calm = capsys.readouterr().out.split("\n\n", 1)[1]
    luck = np.random.default_rng(0)

    def dies(place: Any, name: str) -> None:
        real = getattr(place, name)

        def maybe(*args: Any, **options: Any) -> Any:
            moment = luck.random()
            if moment < 0.06:
                raise KeyboardInterrupt
            done = real(*args, **options)
            if moment > 0.94:
                raise KeyboardInterrupt
            return done

        monkeypatch.setattr(place, name, maybe)

    for name in ("add_trial", "tell", "set_user_attr"):
        dies(optuna.Study, name)
    dies(module, "run_points")
    for folder in ("one", "two"):
        spec, launches = composed(*settings, folder=folder), 0
        while True:
            launches += 1
            try:
                assert search(spec)
                break
            except KeyboardInterrupt:
                capsys.readouterr()
        assert launches > 2
        assert kept(tmp_path, folder) == kept(tmp_path, "calm")
        assert {state for _, state, _, _ in kept(tmp_path, folder)} == {"COMPLETE"}
        assert capsys.readouterr().out.split("\n\n", 1)[1] == calm


def test_a_search_that_is_killed_before_it_tells_ends_as_an_undisturbed_one(composed: Composed, tmp_path: Path, root: Path) -> None:
    settings = (*QUICK, DOSES, "search.trials=3", "search.at_once=2", f"tracking.uri=sqlite:///{tmp_path}/one.db")
    code = """
import os, runpy, signal, sys
import optuna
real, told = optuna.Study.tell, []
def tell(*args, **options):
    if len(told) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    told.append(real(*args, **options))
optuna.Study.tell = tell
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    command = [sys.executable, "-c", code, str(root / "launch.py"), "-cn", "search", *settings, "hydra/launcher=basic"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [state for _, state, _, _ in kept(tmp_path)] == ["COMPLETE", "RUNNING"]
    assert search(composed(*settings))
    assert search(composed(*settings, folder="calm"))
    assert kept(tmp_path) == kept(tmp_path, "calm")
    assert len(kept(tmp_path)) == 3


@pytest.mark.usefixtures("formula")
def test_another_seed_draws_other_trials_and_the_order_of_the_space_none(composed: Composed, tmp_path: Path) -> None:
    one, other = ("{strategy.steps: {low: 10, high: 60}, strategy.learning_rate: {low: 1e-5, high: 1e-3}}",
                  "{strategy.learning_rate: {low: 1e-5, high: 1e-3}, strategy.steps: {low: 10, high: 60}}")  # fmt: skip
    for folder, space, seed in (("a", one, 0), ("b", other, 0), ("c", one, 1)):
        search(composed("strategy=sft", f"search.space={space}", "search.trials=3", f"search.seed={seed}", folder=folder))
    assert kept(tmp_path, "a") == kept(tmp_path, "b")
    params = [{tuple(params.values()) for _, _, params, _ in kept(tmp_path, folder)} for folder in ("a", "c")]
    assert not params[0] & params[1]
    assert len(params[0]) == 3


@pytest.mark.usefixtures("formula")
def test_what_is_drawn_lies_in_the_space_and_whole_numbers_stay_whole(composed: Composed, tmp_path: Path) -> None:
    search(composed("strategy=sft", RATES, "search.trials=15"))
    drawn = [params for _, _, params, _ in kept(tmp_path)]
    assert all(1e-5 <= params["strategy.learning_rate"] <= 1e-3 for params in drawn)
    assert all(type(params["strategy.steps"]) is int and 10 <= params["strategy.steps"] <= 60 for params in drawn)
    assert {params["strategy.batch"] for params in drawn} == {8, 16}


@pytest.mark.usefixtures("formula")
def test_no_point_is_tried_again_before_all_are(composed: Composed, tmp_path: Path) -> None:
    search(composed("strategy=sft", "strategy.learning_rate=1e-4", "search.space={strategy.steps: {low: 10, high: 21}}", "search.trials=14"))
    steps = [params["strategy.steps"] for _, _, params, _ in kept(tmp_path)]
    assert sorted(steps[:12]) == list(range(10, 22))


def test_a_trial_that_cannot_be_or_fails_is_told_so_and_the_others_go_on(
    composed: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = ScriptedModel.ratings

    def breaks_after_four_examples(self: ScriptedModel, prompts: Sequence[Prompt], **options: Any) -> Any:
        if len(prompts[0].messages) == 9:
            raise BackendError("model scripted: must answer; got silence. Wake it.")
        return real(self, prompts, **options)

    monkeypatch.setattr(ScriptedModel, "ratings", breaks_after_four_examples)
    assert search(composed(*QUICK, "search.space={shots: {low: 2, high: 6}}", "search.trials=5", "search.at_once=5"))
    states = {params["shots"]: state for _, state, params, _ in kept(tmp_path)}
    assert states == {2: "COMPLETE", 3: "FAIL", 4: "FAIL", 5: "FAIL", 6: "COMPLETE"}
    printed = capsys.readouterr().out
    assert "failed, model scripted: must answer; got silence." in printed
    assert "failed, shots: half support and half violate the value" in printed


@pytest.mark.usefixtures("formula")
@pytest.mark.parametrize(("case", "states"), [("no baseline", "RR"), ("two batches in a row", "FFRR"), ("fail_fast", "RR")])
def test_a_search_stops_where_it_is_hardly_the_settings_that_fail_and_takes_its_trials_up_again(
    case: str, states: str, composed: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = composed("strategy=sft", RATES, "search.trials=4", "search.at_once=2", f"cluster.fail_fast={str(case == 'fail_fast').lower()}")
    if case != "no baseline":
        job_of(baseline_of(spec.point({}))).finish({})

    def broken(specs: Sequence[AlignSpec], **options: Any) -> list[dict[str, Any]]:
        return [{"job": job_of(spec).key, "failed": "model tiny: must answer; got silence. Wake it."} for spec in specs]

    with monkeypatch.context() as patch:
        patch.setattr(module, "run_points", broken)
        with pytest.raises(BackendError, match=r"^search: a job must be done before it goes on; got .*Run the same command again"):
            search(spec)
    before = kept(tmp_path)
    assert "".join(state[0] for _, state, _, _ in before) == states
    assert search(spec)
    after = kept(tmp_path)
    assert "".join(state[0] for _, state, _, _ in after) == states.replace("R", "C").ljust(4, "C")
    assert [params for _, _, params, _ in after][: len(before)] == [params for _, _, params, _ in before]


def test_a_plan_is_told_and_nothing_is_kept(composed: Composed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert search(composed(*QUICK, DOSES, "cluster.dry_run=true", "search.at_once=2"))
    assert "2 points: 2 jobs and 1 baseline, 0 already done" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("formula")
def test_a_named_search_cannot_go_on_as_another(composed: Composed) -> None:
    settings = ("strategy=sft", RATES, "search.trials=1", "search.name=mine")
    search(composed(*settings))
    for change in ("value=security", "search.seed=1", "measure.tax.n_perm=199", RATES.replace("60", "50")):
        with pytest.raises(ConfigError, match=r"^search\.name=mine: goes on with the space, the seed and the settings that it began with"):
            search(composed(*settings, change))


@pytest.mark.usefixtures("formula")
def test_a_search_without_a_name_goes_on_with_the_same_settings_and_is_another_with_others(composed: Composed, tmp_path: Path) -> None:
    settings = ("strategy=sft", RATES, "search.trials=1")
    search(composed(*settings))
    first = kept(tmp_path)
    search(composed(*settings, "search.trials=2", "search.at_once=2", "cluster.cpus=1"))
    assert kept(tmp_path)[:1] == first
    assert len(kept(tmp_path)) == 2
    search(composed(*settings, "value=security"))
    with pytest.raises(ValueError, match="too many values"):
        kept(tmp_path)


@pytest.mark.usefixtures("formula")
def test_two_processes_do_not_do_one_search(composed: Composed, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = (composed("strategy=sft", RATES, "search.trials=1", f"search.name={name}") for name in ("mine", "other"))
    real = module.run_points

    def within(specs: Sequence[AlignSpec], **options: Any) -> Any:
        monkeypatch.setattr(module, "run_points", real)
        with pytest.raises(BackendError, match=r"^mine: must be searched by one process; got another one at it\. "):
            search(mine)
        assert search(other), "another search may go on beside it"
        return real(specs, **options)

    monkeypatch.setattr(module, "run_points", within)
    assert search(mine)


@pytest.mark.usefixtures("formula")
@pytest.mark.parametrize(("at_once", "entered"), [(2, ["in", "out"]), (1, [])])
def test_all_batches_share_one_ray_and_trials_one_by_one_need_none(
    at_once: int, entered: list[str], composed: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, works, real = [], set(), module.run_points

    @contextlib.contextmanager
    def connected(cluster: Any) -> Iterator[None]:
        seen.append("in")
        yield
        seen.append("out")

    def noted(specs: Sequence[AlignSpec], *, work: Any, **options: Any) -> Any:
        works.add(work)
        return real(specs)

    monkeypatch.setattr(module, "connected", connected)
    monkeypatch.setattr(module, "run_points", noted)
    spec = composed("strategy=sft", RATES, "search.trials=4", f"search.at_once={at_once}")
    assert search(spec, side_by_side=True)
    assert (seen, works) == (entered, {module.on_ray if entered else module.in_turn})
    assert search(spec, side_by_side=True)
    assert seen == entered, "a search that is done starts no Ray"


def test_a_file_that_is_no_study_is_told_in_a_line(composed: Composed, tmp_path: Path) -> None:
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "search.db").write_text("no database at all, but long enough to be looked at " * 40)
    with pytest.raises(DataError, match=r"search\.db: must be a database of optuna studies that can be written; got [^\n]+\. Make room, or move it"):
        search(composed(*QUICK, DOSES))


def test_without_optuna_the_line_that_installs_it_is_given(composed: Composed, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, real = composed(*QUICK, DOSES), builtins.__import__

    def absent(name: str, *args: Any, **options: Any) -> Any:
        if name == "optuna":
            raise ModuleNotFoundError("No module named 'optuna'", name="optuna")
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingDependency, match=r"^-cn search: needs the package optuna; got none installed\. Run `pip install 'vat\[search\]'`\.$"):
        search(spec)


def test_a_space_is_read_as_it_stands(composed: Composed) -> None:
    spec = composed("strategy=sft", RATES)
    expected = {"strategy.learning_rate": Range(1e-5, 1e-3, True), "strategy.steps": Range(10, 60, False), "strategy.batch": (8, 16)}
    assert spec.space == expected
    point = spec.point({"strategy.steps": 30, "strategy.learning_rate": 1e-4})
    assert (point.strategy.steps, point.strategy.learning_rate) == (30, 1e-4)
    assert spec.point({}).strategy.steps == 60, "the configuration itself is as it was"


NONE = ": must be settings with what each is chosen from; got {}. Use 'search.space={{shots: [2, 4, 8]}}'."
GROUP = ": must be one setting of the strategy; got a group of them. Launch one search for each, or name a setting."
LIST = ".shots: must be a list of two or more different plain values, or {{low, high}}; got {}. Use [20, 40, 60]."
BAD_SPACE = {
    "nothing": ("null", NONE.format("None")),
    "empty": ("{}", NONE.format("{}")),
    "a list": ("[shots]", NONE.format("['shots']")),
    "an unknown key": (
        "{strategy.shot: [2, 4]}",
        ".strategy.shot: must be a setting of the strategy; got an unknown key. Did you mean strategy.shots?",
    ),
    "a key beyond the strategy": (
        "{elicit.wording: [0, 1]}",
        ".elicit.wording: must be a setting of the strategy; got an unknown key. Choose from shots, strategy.shots.",
    ),
    "a group": ("{model: [tiny, hf]}", f".model{GROUP}"),
    "the strategy": ("{strategy: [sft, dpo]}", f".strategy{GROUP}"),
    "low above high": ("{shots: {low: 8, high: 2}}", ".shots: low must be below high; got 8 and 2. Exchange them, or leave the setting out."),
    "low at high": ("{shots: {low: 2, high: 2}}", ".shots: low must be below high; got 2 and 2. Exchange them, or leave the setting out."),
    "log of 0": (
        "{shots: {low: 0, high: 2, log: true}}",
        ".shots: low must be above 0 where log is true; got 0. Raise it, or use log: false.",
    ),
    "no high": ("{shots: {low: 0}}", ".shots.high: must be a number; got None. Use {low: 1e-5, high: 1e-3, log: true}."),
    "no number": ("{shots: {low: a, high: 2}}", ".shots.low: must be a number; got 'a'. Use {low: 1e-5, high: 1e-3, log: true}."),
    "infinity": ("{shots: {low: 1, high: inf}}", ".shots.high: must be a number; got inf. Use {low: 1e-5, high: 1e-3, log: true}."),
    "log to a base": ("{shots: {low: 1, high: 2, log: 10}}", ".shots.log: must be true or false; got 10. Set one of them."),
    "a strange end": ("{shots: {low: 1, hihg: 2}}", ".shots.hihg: must be low, high or log; got an unknown key. Did you mean high?"),
    "one value": ("{shots: [2]}", LIST.format("[2]")),
    "a value twice": ("{shots: [2, 4, 2]}", LIST.format("[2, 4, 2]")),
    "a value alone": ("{shots: 2}", LIST.format("2")),
    "a list of lists": ("{shots: [[2], [4]]}", LIST.format("[[2], [4]]")),
}
BAD = {
    **{f"space: {case}": ((f"search.space={space}",), f"search.space{message}") for case, (space, message) in BAD_SPACE.items()},
    "settings of the trainer": (("strategy=dpo", "search.space={strategy.trainer: [1, 2]}"), f"search.space.strategy.trainer{GROUP}"),
    "no trial": (("search.trials=0", DOSES), "search.trials: must be 1, 2, 3 …; got 0. Use search.trials=1."),
    "half a trial": (("search.trials=1.5", DOSES), "search.trials: must be 1, 2, 3 …; got 1.5. Use search.trials=1."),
    "none at once": (("search.at_once=0", DOSES), "search.at_once: must be 1, 2, 3 …; got 0. Use search.at_once=1."),
    "a seed below 0": (("search.seed=-1", DOSES), "search.seed: must be 0, 1, 2 …; got -1. Use search.seed=0."),
    "a name that is none": (("search.name=''", DOSES), "search.name: must be a text or null; got ''. Use search.name=mysearch."),
    "a name of a sweep": (("sweep=mine", DOSES), "sweep: a search is named by search.name; got 'mine'. Use that."),
    "nothing pushed": (
        ("strategy=none", DOSES),
        "strategy: a search is about one that pushes a value; got one that does not. Use strategy=steering, sft or dpo.",
    ),
    "no tax": (("measure=[circumplex]", DOSES), "measure: a search needs gain and nvat; got circumplex. Add tax."),
    "a fault of the main program": (("replicate=-1", DOSES), "replicate: must be 0, 1, 2 …; got -1. Use replicate=0."),
    "an unknown setting": (("+search.trails=1", DOSES), "trails: must be a setting; got an unknown key. Did you mean trials?"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_line(case: str, composed: Composed) -> None:
    overrides, message = BAD[case]
    with pytest.raises(ConfigError) as caught:
        composed(*overrides)
    assert str(caught.value) == message


def test_mistakes_are_told_together(composed: Composed) -> None:
    with pytest.raises(ConfigError) as caught:
        composed("shots=abc", "search.trials=0", "search.seed=x", "search.space={shot: [1, 2], model: [a, b], shots: [1]}")
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "strategy.shots", "search.trials", "search.seed", "search.space.shot", "search.space.model", "search.space.shots",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("search.space={shots: [2, 3]}",), "shots: half support and half violate the value, so an even number from 2; got 3."),
        (("search.space={shots: [2, 4000]}",), "shots=4000: needs 2000 train probes of value power"),
        (("search.space={strategy.shots: [2, abc]}",), "strategy.shots: should be a valid integer"),
        (("value=pwer", DOSES), "value=pwer: must be a value of theory schwartz"),
        (("strategy=paraphrase", DOSES), "search.space.shots: must change the job; got a setting that it does not heed."),
    ],
)
def test_what_can_be_known_of_a_space_is_said_before_anything_starts(
    overrides: tuple[str, ...], message: str, composed: Composed, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        search(composed(*QUICK, *overrides))
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith(message)
    assert not list(tmp_path.iterdir())
