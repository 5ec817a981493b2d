"""The program `vidb`: a database of value intensities (ValueFlow, section 5.1 and appendix C), value by value.

Texts of a value → windows → rankings by judges → Plackett–Luce utilities → intensities → a panel's doubts → people's ratings of what it doubts.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from vat.config_texts import VidbSpec
from vat.data.schema import read_table
from vat.elicit.desk import Desk
from vat.errors import ConfigError, DataError, VatError, choose
from vat.intensity.adjudication import blended, read_sheets
from vat.intensity.anchors import ANCHORS
from vat.intensity.database import Estimated, estimated
from vat.intensity.demonstration import demonstration
from vat.intensity.judging import Ranked, RankingJudge
from vat.intensity.panel import panel_of
from vat.intensity.pool import CorpusText, Pool, corpus_texts, seed_pool
from vat.intensity.ranking import Target, ranking_prompt
from vat.intensity.windows import pool_windows
from vat.intensity.wording import words
from vat.programs.progress import counter
from vat.programs.vidb_result import KIND, OfValue, Setup, doubted_of, finish, of_judge, told_of, write_anchors
from vat.theory.base import Theory
from vat.track.dataset_folder import RESULT, DatasetFolder
from vat.track.dataset_run import DatasetRun
from vat.types import LABELS

VERSION = 1
"""Raised when the same settings give another database than before."""


def make_database(spec: VidbSpec) -> None:
    """Make the database, or go on with it, or take in what people say of it; and print what it is.

    Raises:
        ConfigError, DataError: Settings, a corpus or sheets that cannot be; another database of this name.
        BackendError: A model cannot be asked, or would cost too much; what was done is kept.
    """
    setup = set_up(spec)
    folder = DatasetFolder(spec.tracking.folder, spec.name, setup.identity, kind=KIND)
    folder.check()
    windows = sum(len(pool.texts) for pool in setup.pools.values()) * spec.recipe.iterations * len(setup.judges)
    texts, about = (sum(counts) for counts in zip(*((len(pool.texts), pool.about) for pool in setup.pools.values()), strict=True))
    size = f"{len(setup.pools)} values, {texts:,} texts ({about:,} of them named as about their value), {windows:,} windows of {spec.recipe.size}"
    print(f"{spec.name}: {size}, ranked by {', '.join(setup.models[role].label for role in setup.judges)}", flush=True)
    if spec.dry_run:
        return
    spec.tracking.check()
    with folder.held(partial(print, f"name={spec.name}: held by another process, waiting for it", flush=True)):
        if (result := folder.result()) is None:
            desk = Desk(setup.models, folder.answers, limit_usd=spec.max_cost_usd)
            _try_out(setup, folder, desk)
            run = DatasetRun(spec.tracking, spec.name, folder.digest, kind=KIND)
            with run.running():
                try:
                    made = _made(spec, setup, folder, desk, windows)
                finally:
                    desk.leave()
                result = finish(spec, setup, folder, run, desk, made)
            folder.keep(RESULT, result)  # last, or the run of one that is killed here would be RUNNING for good
        if spec.ratings:
            _adjudicated(spec, folder)
        print("\n".join(told_of(folder, result)), flush=True)


def set_up(spec: VidbSpec) -> Setup:
    """Check the settings against each other, and draw the pools.

    Raises:
        ConfigError, DataError: One line for each fault.
    """
    theory = spec.theory.load()
    values = spec.values or theory.values
    if unknown := [value for value in values if value not in theory.values]:
        raise ConfigError(f"values: must be of theory {theory.name}; got {unknown[0]!r}. {choose(unknown[0], theory.values)}")
    if spec.way == "probabilities" and spec.recipe.size > len(LABELS):
        rule = f"way=probabilities: ranks windows of at most {len(LABELS)} texts; got database.size={spec.recipe.size}"
        raise ConfigError(f"{rule}. Use database.size=2, or way=texts.")
    corpus, digest = _corpus(spec)
    pools: dict[str, Pool] = {}
    for value in values:
        names = {value, *(item for item, _ in theory.spec(value).items)}
        pools[value] = seed_pool(corpus, theory=theory.name, value=value, names=names, size=spec.recipe.texts, seed=spec.recipe.seed)
        if len(pools[value].texts) < spec.recipe.size:
            rule = f"database.corpus: must hold {spec.recipe.size} texts for windows of {spec.recipe.size}; got {len(pools[value].texts)}"
            raise DataError(f"{rule}. Use a larger one.")
    models = {f"judge {name}": judge for name, judge in spec.judges.items()} | {f"panel {name}": member for name, member in spec.panel.items()}
    recipe = {name: setting for name, setting in asdict(spec.recipe).items() if name not in ("corpus", "license")}
    identity: dict[str, object] = {"version": VERSION, "wording": words()["version"], "theory": theory.digest, "values": list(values), **recipe}
    identity |= {"corpus": digest, "way": spec.way, "max_new_tokens": spec.max_new_tokens} | {
        role: model.identity() for role, model in models.items()
    }
    judges, panel = ([role for role in models if role.startswith(kind)] for kind in ("judge ", "panel "))
    return Setup(theory, models, judges, panel, pools, identity)


def _corpus(spec: VidbSpec) -> tuple[list[CorpusText], str]:
    """The corpus and its digest."""
    if spec.recipe.corpus is None:
        rows, where = demonstration(), "demonstration"
    else:
        rows, where = [row for _, row in read_table(Path(spec.recipe.corpus), ("text",))], spec.recipe.corpus
    corpus = corpus_texts(rows, where=where)
    return corpus, hashlib.sha256(repr([row[:4] for row in corpus]).encode()).hexdigest()


def _try_out(setup: Setup, folder: DatasetFolder, desk: Desk) -> None:
    """One request to each model before the work; all of their faults together."""
    value, pool = next(iter(setup.pools.items()))
    question = ranking_prompt(_target(setup.theory, value), [text.text for text in pool.texts[:2]])
    faults: list[str] = []
    begun = folder.begun
    for role in setup.models:
        try:
            desk.try_out(role, question, max_new_tokens=16)
        except VatError as error:
            faults += [f"{role.replace('judge ', 'judges.').replace('panel ', 'panel.')}: {line}" for line in str(error).splitlines()]
    if faults:
        if not begun:
            folder.forget()
        raise ConfigError("\n".join(dict.fromkeys(faults)))


def _made(spec: VidbSpec, setup: Setup, folder: DatasetFolder, desk: Desk, total: int) -> dict[str, OfValue]:
    made: dict[str, OfValue] = {}
    with counter(f"{spec.name} · windows", total, unit="windows", folder=folder.path) as progress:
        for value, pool in setup.pools.items():
            target, texts = _target(setup.theory, value), {text.id: text.text for text in pool.texts}
            windows = pool_windows(list(texts), size=spec.recipe.size, iterations=spec.recipe.iterations, seed=_seed(spec, setup.theory, value))
            ranked: dict[str, list[Ranked]] = {}
            for role in setup.judges:
                judge = RankingJudge(desk, role, way=spec.way, max_new_tokens=spec.max_new_tokens)
                ranked[role] = []
                for one in judge.rank(target, windows, texts):
                    ranked[role].append(one)
                    progress(1, _usd(desk))
            ranked = {role: _each_once(of_judge) for role, of_judge in ranked.items()}
            rankings = [one.ranking for of_judge in ranked.values() for one in of_judge if one.places]
            try:
                found = estimated(pool, rankings, method=spec.recipe.calibration, ridge=spec.recipe.ridge)
            except DataError as error:
                raise DataError(f"{value}: {error}") from error
            judges = {role: of_judge(one, pool, found) for role, one in ranked.items()}
            made[value] = OfValue(found, judges, _doubts(setup, desk, target, pool, found))
    return made


def _each_once(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Windows that were shown alike are one: a judge is asked the same thing once, and its answer counts once."""
    return list({one.window.shown: one for one in ranked}.values())


def _doubts(setup: Setup, desk: Desk, target: Target, pool: Pool, found: Estimated) -> dict[str, int]:
    scored = [(text, float(found.intensity_I[n])) for n, text in enumerate(pool.texts) if not math.isnan(found.intensity_I[n])]
    verdicts = panel_of(desk, setup.panel, target, [(text.text, intensity) for text, intensity in scored])
    return {text.id: of_text.doubts for (text, _), of_text in zip(scored, verdicts, strict=False)}


def _adjudicated(spec: VidbSpec, folder: DatasetFolder) -> None:
    """Blend what people say into the intensities of the flagged texts."""
    import pandas as pd

    table = pd.read_parquet(folder.path / ANCHORS)
    flagged = table[table["flagged"]]
    theory = spec.theory.load()
    given = read_sheets([Path(file) for file in spec.ratings], [doubted_of(theory, row) for row in flagged.to_dict("records")])
    rows = []
    for row in table.to_dict("records"):
        human = given.get((row["theory"], row["value"], row["id"]))
        if human is not None:
            before = row["intensity"] if row["human"] is None or math.isnan(row["human"]) else 2 * row["intensity"] - row["human"]
            row |= {"human": human, "intensity": blended(before, human)}
        rows.append(row)
    write_anchors(folder, rows)
    print(f"{len(given):,} of {len(flagged):,} flagged intensities are now half what people gave", flush=True)


def _target(theory: Theory, value: str) -> Target:
    return Target(value, theory.spec(value).definition)


def _seed(spec: VidbSpec, theory: Theory, value: str) -> int:
    """Of the windows of one value."""
    return int.from_bytes(hashlib.sha256(f"{spec.recipe.seed}|{theory.name}|{value}".encode()).digest()[:4])


def _usd(desk: Desk) -> str:
    return f"{spent:.2f} USD" if (spent := desk.usd()) else ""
