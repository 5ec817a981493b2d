"""The program `annotate`: sheets on which people rate a sample of a dataset, and the table of what they say (Value Alignment Tax, Table 1)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vat.analyse.table import interval, number
from vat.analyse.tables import Table, printed, write
from vat.config import AnnotateSpec
from vat.data.base import Probes
from vat.data.schema import probes_from_rows, read_table
from vat.errors import ConfigError, DataError, choose, shown
from vat.files import whole_file
from vat.generate.agreement import Finding, Ratings, finding
from vat.generate.human import DIMENSIONS, Sample, draw_sample, sample_of, sample_tree
from vat.generate.returned import read_ratings
from vat.generate.sheets import write_sheets
from vat.theory.base import Theory
from vat.track.human import log_human
from vat.types import Probe

FOLDER, SAMPLE, TABLE = "human", "sample.json", "table1"


class _Dataset(NamedTuple):
    """own: whether it is one of tracking.root, and so may have a run in MLflow."""

    name: str
    folder: Path
    own: bool
    probes: Probes


def annotate(spec: AnnotateSpec) -> Path:
    """Export the sheets or, where ratings are given, import them; returns the folder of either.

    Raises:
        ConfigError: There is no such dataset, or no place for its sheets.
        DataError: The dataset, its sample or what was handed back breaks a rule; one line for each fault.
        BackendError: MLflow has a run of the dataset and cannot take the table, which is on disk.
    """
    theory = spec.theory.load()
    dataset = _dataset(spec, theory)
    folder = dataset.folder / FOLDER
    return _import(spec, dataset, folder) if spec.ratings else _export(spec, dataset, theory, folder)


def _export(spec: AnnotateSpec, dataset: _Dataset, theory: Theory, folder: Path) -> Path:
    sample = draw_sample(dataset.probes, theory, dataset=dataset.name, count=spec.count, seed=spec.seed)
    path = folder / SAMPLE
    try:
        if path.is_file() and _kept_sample(path).digest != sample.digest:
            kept = _kept_sample(path)
            rule = f"{path}: holds the sample that annotators may be rating, of count={kept.count} seed={kept.seed}; got another to export"
            raise DataError(f"{rule}. Export with these, or move the folder {FOLDER} away.")
        with whole_file(path) as draft:
            draft.write_text(json.dumps(sample_tree(sample), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written, kept_files = write_sheets(folder, sample, annotators=spec.annotators, form=spec.form)
    except OSError as error:
        raise ConfigError(f"dataset: its folder must be one that can be written; got {folder} ({error.strerror}). Copy the dataset.") from error
    few = f"Note: the dataset has {len(sample.instances)} scenes, so {len(sample.instances)} instances and not {spec.count}."
    lines = [_balance(sample), *[few] * (len(sample.instances) < spec.count)]
    lines += [*map(str, written), *(f"{file}: was there, left as it is" for file in kept_files)]
    named = f"dataset={spec.dataset}" if re.fullmatch(r"[\w./-]+", spec.dataset) else f"\"dataset='{spec.dataset}'\""
    lines += ["", f"When they come back: python launch.py -cn annotate {named} ratings=[<file>,<file>]"]
    print("\n".join(lines), flush=True)
    return folder


def _import(spec: AnnotateSpec, dataset: _Dataset, folder: Path) -> Path:
    path = folder / SAMPLE
    if not path.is_file():
        raise DataError(f"ratings: must be of a sample of the dataset; got none, there is no {path}. Export it first, without ratings.")
    sample = _kept_sample(path)
    if sample.data_digest != dataset.probes.digest:
        rule = f"dataset={spec.dataset}: must be as it was when its sample was drawn; got other data than {path} is of"
        raise DataError(f"{rule}. Bring the data back, or move the folder {FOLDER} away and export again.")
    ratings = read_ratings([Path(file) for file in spec.ratings], sample)
    findings = {
        dimension.name: finding(ratings.rating_AID[:, :, d], seed=sample.seed) for d, dimension in enumerate(DIMENSIONS)
    }  # fmt: skip
    table = _table(dataset.name, findings)
    files = write(table, folder)
    print("\n".join(["", printed(table), "", table.caption, *_notes(ratings, findings), *map(str, files)]), flush=True)
    numbers = {name.replace(" ", "_"): found for name, found in findings.items()}
    logged = {name: found.mean for name, found in numbers.items()} | {f"{name}_alpha": found.alpha for name, found in numbers.items()}
    run = log_human(spec.tracking, dataset.name, files, logged) if dataset.own else None
    if run:
        print(f"In MLflow: artifacts and metrics human/… of run {run}", flush=True)
    return folder


def _dataset(spec: AnnotateSpec, theory: Theory) -> _Dataset:
    place = spec.tracking.folder / "datasets"
    folder = next((folder for folder in (place / spec.dataset, Path(spec.dataset).absolute()) if (folder / "data").is_dir()), None)
    files = sorted((folder / "data").glob("*.parquet")) if folder else []
    if folder is None or not files:
        rule = f"dataset={spec.dataset}: must be a dataset in {place}, or a folder with data/*.parquet; got none"
        raise ConfigError(f"{rule}. {choose(spec.dataset, {found.parents[1].name for found in place.glob('*/data/*.parquet')})}")
    rows: list[Probe] = []
    sides: dict[str, Path] = {}
    for file in files:
        probes = probes_from_rows(read_table(file), theory, where=str(file))
        for scene in probes.scenes:
            if sides.setdefault(scene, file) != file:
                raise DataError(f"{file}: a scene stands in one file; got {shown(scene)}, as in {sides[scene]}. Make the dataset again.")
        rows += probes.rows
    return _Dataset(folder.resolve().name, folder, folder.resolve().parent == place.resolve(), Probes(tuple(rows)))


def _kept_sample(path: Path) -> Sample:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: must be JSON; got {shown(str(error))}. Bring the file back from a copy.") from error
    return sample_of(tree, str(path))


def _balance(sample: Sample) -> str:
    """How the sample is spread, in a line."""
    spread = sample.balance()
    asked = spread.pop("polarity")
    names = {"country": "countries", "topic": "topics", "value": "values"}
    told = [f"{len(levels)} {names[factor]} ({_range(list(levels.values()))} of each)" for factor, levels in spread.items()]
    return f"{len(sample.instances)} instances, each of another scene: {', '.join(told)}; {asked['1']} actions for the value, {asked['-1']} against"


def _range(counts: Sequence[int]) -> str:
    return str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _table(dataset: str, findings: dict[str, Finding]) -> Table:
    """Table 1: all digits, and as people read it."""
    import pandas as pd

    data = pd.DataFrame.from_dict({name: found._asdict() for name, found in findings.items()}, orient="index").rename_axis("dimension")
    shown_rows = [
        {
            "dimension": name, "instances": str(found.instances), "ratings": str(found.ratings), "missing": str(found.missing),
            "mean": f"{number(found.mean, '.2f')} {interval(found.mean_low, found.mean_high, '.2f')}", "sd": number(found.sd, ".2f"),
            "agreement": f"{number(found.agreement, '.2f')} {interval(found.agreement_low, found.agreement_high, '.2f')}",
            "by chance": number(found.agreement_chance, ".2f"),
            "alpha": f"{number(found.alpha, '.2f')} {interval(found.alpha_low, found.alpha_high, '.2f')}",
        }
        for name, found in findings.items()
    ]  # fmt: skip
    caption = (
        "What annotators say, from 1 (strongly disagree) to 5 (strongly agree). mean, sd: of the instances' mean ratings; intervals (95%) are for "
        "other instances rated by these annotators. agreement: share of the instances with two ratings or more in which two annotators take the same "
        "stance: agree (4, 5), neither (3), disagree (1, 2); by chance: what it would be if each rating were drawn at random from all that were "
        "given. alpha: Krippendorff's for ordered ratings, 0 by chance, 1 if all agree."
    )
    return Table(TABLE, f"Human evaluation of {dataset}", caption, data, pd.DataFrame(shown_rows, index=data.index))


def _notes(ratings: Ratings, findings: dict[str, Finding]) -> list[str]:
    """What a reader of the table must know of these ratings."""
    given_AID = ~np.isnan(ratings.rating_AID)
    lines = [f"{len(ratings.annotators)} annotators, {given_AID.shape[1]} instances, {given_AID.sum()} of {given_AID.size} ratings given."]
    for annotator, missing in zip(ratings.annotators, (~given_AID).sum(axis=(1, 2)), strict=True):
        if missing:
            lines.append(f"Note: {shown(annotator)} left {missing} of {given_AID[0].size} cells empty; they are missing, and stand for nothing.")
    if len(ratings.annotators) < 2:
        lines.append("Note: with one annotator there is no agreement to speak of: it and alpha are undefined.")
    elif unclear := [name for name, found in findings.items() if np.isnan(found.alpha)]:
        lines.append(f"Note: alpha is undefined where all ratings that can be compared are the same, or none can: {', '.join(unclear)}.")
    if given_AID.sum(axis=0).max() > 3:
        lines.append("Note: of four ratings two always take the same of three stances: this agreement is then 1 whatever was rated. See alpha.")
    return lines
