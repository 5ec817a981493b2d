"""`-cn search`: settings of a strategy that give much gain for little tax, chosen by optuna; its study is <tracking.root>/search.db.

Each trial is drawn by a sampler made for it alone, whose seed follows from search.seed and the trial's number. So all that a trial depends on is what
the study holds, and that is the same at its draw whenever the search was interrupted: a trial is written whole or not at all, those that are drawn
together are told together, and no others are drawn before. One seed thus gives one sequence of trials, with the same space, search.at_once and
version of optuna, as long as jobs that fail do so each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vat.analyse.table import checkpoint_line, interval, number, plain_table
from vat.config import AlignSpec, SearchSpec
from vat.errors import BackendError, ConfigError, DataError, MissingDependency, VatError, shown
from vat.fanout.in_turn import in_turn
from vat.fanout.on_ray import on_ray
from vat.fanout.ray_cluster import connected
from vat.fanout.space import Range
from vat.fanout.sweep import run_points
from vat.programs.align import baseline_of, job_of, preflight
from vat.programs.record import settings_of
from vat.track.runs import Runs

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

AIMS: dict[str, Literal["maximize", "minimize"]] = {"gain": "maximize", "nvat": "minimize"}
"""Metrics of a job's last state, and what is wanted of them."""
SHOWN = ("gain", "gain_low", "gain_high", "nvat", "nvat_null", "nvat_p", "nvat_excess", "nvat_low", "nvat_high")
"""What the study keeps of a job for its table."""
BARREN = 2
"""After so many batches in a row without a job that was done, it is hardly the settings."""
DRAWS = 100
"""How often to draw at random in place of a trial that there was already; a small space may have no other."""


def search(spec: SearchSpec, *, side_by_side: bool = False) -> bool:
    """Try points until there are as many as asked for, and print the Pareto set; whether there is one.

    Args:
        side_by_side: Whether trials that are drawn together are done on Ray, or one after the other in this process.
    Raises:
        MissingDependency: optuna is not installed.
        ConfigError: The space has a point that cannot be; or the search went by other settings so far.
        DataError: Its study cannot be read or written.
        BackendError: Another process does this search; or jobs fail whatever the settings. Trials that are not told are taken up again.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MissingDependency("optuna", needed_by="-cn search", install="pip install 'vat[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    base, fixed = _checked(spec)
    side_by_side = side_by_side and spec.at_once > 1
    name = spec.name or f"search {fixed[:8]}"
    print(f"{name}: {spec.trials} trials, {spec.at_once} at a time, over {', '.join(spec.space)}", flush=True)
    if base.cluster.dry_run:
        drawn = _drawn(optuna.create_study(directions=list(AIMS.values())), spec, min(spec.at_once, spec.trials))
        run_points([spec.point(trial.params) for trial in drawn], sweep=name)
        return True
    with _study(base.tracking.folder / "search.db", name, fixed) as study:
        tag = _Search(spec, study, base, side_by_side=side_by_side).go_on()
        print("\n" + "\n".join(_closing(study, spec, base, tag)), flush=True)
        return bool(tag)


class _Search:
    """A search as it goes."""

    def __init__(self, spec: SearchSpec, study: Study, base: AlignSpec, *, side_by_side: bool) -> None:
        self._spec, self._study, self._base, self._side_by_side = spec, study, base, side_by_side
        self._barren = 0

    def go_on(self) -> str:
        """Do batch after batch; returns the tag that the runs of the Pareto set bear in MLflow, "" if no trial was done."""
        tag, batch = self._marked(), self._batch()
        with connected(self._base.cluster) if batch and self._side_by_side else contextlib.nullcontext():  # whose processes keep their model
            while batch:
                self._do(batch)
                tag, batch = self._marked(), self._batch()
        return tag

    def _marked(self) -> str:
        """Bring the tags of the runs up to date."""
        seen = self._study.user_attrs
        front = {seen[_key(trial)]["job"] for trial in self._study.best_trials}
        return Runs(self._base.tracking, None).mark_front(self._study.study_name, front) if front else ""

    def _batch(self) -> list[FrozenTrial]:
        """The trials to do next: those that were drawn and not told, and what their batch lacks; or a new batch."""
        count, at_once = len(self._study.trials), self._spec.at_once
        whole = count % at_once == 0 and self._untold()
        for trial in () if whole else _drawn(self._study, self._spec, min(self._spec.trials, (count // at_once + 1) * at_once)):
            self._study.add_trial(trial)
        return self._untold()

    def _untold(self) -> list[FrozenTrial]:
        from optuna.trial import TrialState

        return self._study.get_trials(states=(TrialState.RUNNING,))

    def _do(self, batch: Sequence[FrozenTrial]) -> None:
        """Do the jobs of trials and tell what became of each."""
        specs: dict[int, AlignSpec] = {}
        told: dict[int, Mapping[str, Any]] = {}
        for trial in batch:
            settings = (f"{_short(key)}={_text(trial.params[key])}" for key in self._spec.space)
            print(f"trial {trial.number + 1} of {self._spec.trials}: {' '.join(settings)}", flush=True)
            try:
                specs[trial.number] = self._spec.point(trial.params)
                faults = preflight([specs[trial.number]])
            except VatError as error:
                faults = str(error).splitlines()
            if faults:
                specs.pop(trial.number, None)
                told[trial.number] = {"failed": " ".join(faults)}
        work = on_ray if self._side_by_side else in_turn
        rows = run_points(list(specs.values()), sweep=self._study.study_name, work=work, quiet=True) if specs else []
        told |= zip(specs, rows, strict=True)
        self._require_some(list(specs.values()), rows)
        for trial in batch:
            self._tell(trial, told[trial.number])

    def _require_some(self, specs: Sequence[AlignSpec], rows: Sequence[Mapping[str, Any]]) -> None:
        """Raises a BackendError, and leaves the trials untold, if it is not the settings that jobs fail of."""
        failed = [row["failed"] for row in rows if row.get("failed")]
        self._barren = self._barren + 1 if rows and len(failed) == len(rows) else 0
        if not failed:
            return
        lacking = any(job_of(baseline_of(spec)).result() is None for spec in specs)
        if lacking or self._barren >= BARREN or self._base.cluster.fail_fast:
            rule = f"search: a job must be done before it goes on; got {shown(failed[0], 300)}"
            raise BackendError(f"{rule}. Run the same command again: trials without a result are taken up again.")

    def _tell(self, trial: FrozenTrial, row: Mapping[str, Any]) -> None:
        """First what the table shows of it, so that a trial that is told has it."""
        from optuna.trial import TrialState

        numbers = {key: row.get("metrics", {}).get(key) for key in SHOWN}
        failed = row.get("failed") or ("" if None not in map(numbers.get, AIMS) else "its gain or nvat is not defined. Use more scenes.")
        self._study.set_user_attr(_key(trial), {"job": row.get("job", ""), "failed": failed, **numbers})
        name = f"trial {trial.number + 1} of {self._spec.trials}"
        if failed:
            print(f"{name}: failed, {failed}", flush=True)
            self._study.tell(trial.number, state=TrialState.FAIL)
        else:
            print(checkpoint_line(name, numbers), flush=True)
            self._study.tell(trial.number, [numbers[aim] for aim in AIMS])


def _checked(spec: SearchSpec) -> tuple[AlignSpec, str]:
    """A point of the search, and a digest of all that determines what its trials are and how they end.

    Raises:
        ConfigError: An end or a choice of the space cannot be used, or changes nothing. One line for each fault.
    """
    first = {key: domain[0] for key, domain in spec.space.items()}
    keys: dict[str, set[str]] = {key: set() for key in spec.space}
    faults = []
    for key, domain in spec.space.items():
        for value in domain[:2] if isinstance(domain, Range) else domain:
            try:
                point = spec.point(first | {key: value})
                faults += preflight([point])
                keys[key].add(job_of(point).key)
            except VatError as error:
                faults += str(error).splitlines()
    if not faults:
        same = (key for key, found in keys.items() if len(found) == 1)
        faults += [f"search.space.{key}: must change the job; got a setting that it does not heed. Leave it out." for key in same]
    if faults:
        raise ConfigError("\n".join(dict.fromkeys(faults)))
    base = spec.point(first)
    known = [job_of(base).identity, settings_of(base.measures), {key: repr(domain) for key, domain in spec.space.items()}, spec.seed]
    return base, hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def _study(file: Path, name: str, fixed: str) -> Iterator[Study]:
    """The study of that name, new or as it was left, held by this process; `fixed` is a digest of what it cannot change."""
    import optuna
    from filelock import FileLock, Timeout
    from sqlalchemy.exc import SQLAlchemyError

    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file.with_name(f"search-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"))
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(lock.acquire(timeout=0))
        except Timeout as error:
            raise BackendError(f"{name}: must be searched by one process; got another one at it. Wait for it, or see search.name.") from error
        try:
            with FileLock(file.with_name("search.lock")):  # processes that make a fresh database together spoil it
                storage = optuna.storages.RDBStorage(f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": 60}})
                held.callback(storage.engine.dispose)
                study = optuna.create_study(storage=storage, study_name=name, directions=list(AIMS.values()), load_if_exists=True)
            if study.user_attrs.get("fixed", fixed) != fixed:
                rule = f"search.name={name}: goes on with the space, the seed and the settings that it began with; got others"
                raise ConfigError(f"{rule}. Set them so, or choose another name.")
            study.set_user_attr("fixed", fixed)
            yield study
        except (optuna.exceptions.OptunaError, SQLAlchemyError) as error:
            rule = f"{file}: must be a database of optuna studies that can be written; got {shown(str(error))}"
            raise DataError(f"{rule}. Make room, or move it away: the search begins again, and its jobs are there.") from error


def _drawn(study: Study, spec: SearchSpec, count: int) -> list[FrozenTrial]:
    """What makes the study one of `count` trials."""
    import numpy as np
    import optuna
    from optuna.trial import TrialState, create_trial

    sketch = optuna.create_study(directions=study.directions)  # optuna writes a trial setting by setting
    sketch.add_trials(study.trials)
    seen, drawn = [trial.params for trial in study.trials], []
    space = {key: _distribution(spec.space[key]) for key in sorted(spec.space)}
    for n in range(len(study.trials), count):
        seed = int(np.random.SeedSequence([spec.seed, n]).generate_state(1)[0])
        sketch.sampler, at_random = optuna.samplers.TPESampler(seed=seed), optuna.samplers.RandomSampler(seed=seed)
        trial = sketch.ask(space)
        for _ in range(DRAWS if trial.params in seen else 0):
            sketch.tell(trial, state=TrialState.FAIL)  # from which the sampler learns nothing
            sketch.sampler = at_random
            trial = sketch.ask(space)
            if trial.params not in seen:
                break
        seen.append(trial.params)
        drawn.append(create_trial(state=TrialState.RUNNING, params=trial.params, distributions=trial.distributions))
    return drawn


def _distribution(domain: Range | tuple[Any, ...]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(domain, Range):
        return CategoricalDistribution(domain)
    if isinstance(domain.low, int) and isinstance(domain.high, int):
        return IntDistribution(domain.low, domain.high, log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def _closing(study: Study, spec: SearchSpec, base: AlignSpec, tag: str) -> Iterator[str]:
    """The Pareto set, each job of it once, and how to read it."""
    told = [trial for trial in study.trials if trial.state.is_finished()]
    yield f"{len(told)} trials are done, {sum(trial.values is None for trial in told)} of them failed."
    if not tag:
        return
    seen = study.user_attrs
    front = {seen[_key(trial)]["job"]: trial for trial in reversed(study.best_trials)}
    header = ["trial", *map(_short, spec.space), "gain", "[95% interval]", "nvat", "by chance", "p", "beyond", "[95% interval]", "job"]
    rows = []
    for job, trial in sorted(front.items(), key=lambda item: -item[1].values[0]):
        numbers = seen[_key(trial)]
        measured = [
            number(numbers["gain"], "+.3f"), interval(numbers["gain_low"], numbers["gain_high"], "+.3f"),
            number(numbers["nvat"]), number(numbers["nvat_null"]), number(numbers["nvat_p"], ".4f"),
            number(numbers["nvat_excess"]), interval(numbers["nvat_low"], numbers["nvat_high"]),
        ]  # fmt: skip
        rows.append([str(trial.number + 1), *(_text(trial.params[key]) for key in spec.space), *measured, job])
    yield "Pareto set, none of which another trial beats in gain without losing in nvat:\n"
    yield plain_table(header, rows, left={"job"})
    yield "\nIt is chosen among many by these very numbers, so they are optimistic, intervals and p included: do the jobs that you take from it again"
    yield "with another replicate before you believe them."
    yield f"Runs of the Pareto set in MLflow, experiment {base.tracking.experiment}: tags.`{tag}` = '1'"
    if caveat := base.model.capabilities().caveat:
        yield f"Note: {caveat}"


def _key(trial: FrozenTrial) -> str:
    """Under which the study keeps what its table shows of a trial."""
    return f"trial {trial.number}"


def _short(key: str) -> str:
    return key.removeprefix("strategy.")


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
