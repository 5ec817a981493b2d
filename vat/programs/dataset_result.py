"""What comes of a dataset: its tables and card, what was rejected, its run in MLflow, its result, and what is printed of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vat
from vat.config_texts import DatasetSpec
from vat.elicit.desk import Desk, Spent
from vat.files import whole_file
from vat.generate.bulk import Rejected, Written
from vat.generate.dataset_files import split_rows, write_dataset
from vat.generate.facts import KEPT, REFUSED, Agreement, CardFacts, FrozenPrompt, ModelUsed, PromptScore, Usage
from vat.generate.faults import REFUSED as REFUSAL
from vat.generate.intervals import Estimate
from vat.generate.prompts import words
from vat.generate.rules import RULES, unchecked
from vat.models.base import Model
from vat.programs.dataset_setup import Setup
from vat.track.dataset_folder import DatasetFolder
from vat.track.dataset_run import DatasetRun

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("scene", "action")
Z95 = 1.96


def finish(
    spec: DatasetSpec, setup: Setup, folder: DatasetFolder, run: DatasetRun, desk: Desk, *, scenes: Written, actions: Written
) -> dict[str, Any]:  # fmt: skip
    """Write the dataset and its card, and bring MLflow up to date; returns the result, to be kept when the run has ended.

    Raises:
        DataError: Too little was written for a dataset.
    """
    rows = _rows(setup, scenes, actions)
    split = split_rows(rows, test_share=spec.recipe.test_share, seed=spec.recipe.split_seed)
    searches = {kind: folder.json(f"prompts/{kind}_search.json") for kind in KINDS}
    account = desk.account()
    attempts = _attempts(setup, actions)
    write_dataset(folder.path, split, _facts(spec, setup, folder, searches, account, attempts))
    _write_rejected(folder.path / "rejected.parquet", [*scenes.rejected, *actions.rejected])
    result = _result(setup, searches, account, attempts, scenes, actions, counts={name: len(part) for name, part in split._asdict().items()})
    files: list[tuple[Path, str | None]] = [(folder.path / name, None) for name in ("README.md", "identity.json", "rejected.parquet")]
    files += [(path, "prompts") for path in sorted((folder.path / "prompts").iterdir())]
    files += [(path, "data") for path in sorted((folder.path / "data").iterdir())]
    params = {"dataset": spec.name, "theory": setup.theory.name, "language": setup.language.name} | {
        role.replace(" ", "_"): model.label for role, model in setup.models.items()
    }
    run.show(params, _steps(searches, result), files)
    return result


def told_of(folder: DatasetFolder, result: Mapping[str, Any]) -> list[str]:
    """A finished dataset in a few lines."""
    cost = "" if not result["usd"] else f", {result['usd']:.2f} USD"
    lines = [
        f"{result['scenes']:,} scenes and {result['actions']:,} actions: {result['train']:,} of train scenes, {result['test']:,} of test scenes",
        f"{result['requests']:,} requests{cost}; refused {result['refusal_rate']:.2%}, otherwise rejected {result['rejection_rate']:.2%} of answers",
    ]
    for kind in KINDS:
        if (prompt := result["prompts"].get(kind)) is not None:
            lines.append(f"prompt of {kind}s: {prompt['source']}, {prompt['mean']:.1f} ± {Z95 * (prompt['error'] or 0):.1f} of 100 on fresh samples")
    missing = result["missing_scenes"], result["missing_actions"]
    if any(missing):
        lines.append(
            f"missing after all tries: {missing[0]:,} scenes, {missing[1]:,} actions (rejected.parquet); a higher data.tries is another dataset"
        )
    return [
        *lines, f"Card: {folder.path / 'README.md'}    Failures: {folder.path / 'rejected.parquet'}",
        f"Measure with it: python launch.py data=table data.path={folder.path / 'data'} data.test_share=null", *result["notes"],
    ]  # fmt: skip


def _rows(setup: Setup, scenes: Written, actions: Written) -> pd.DataFrame:
    import pandas as pd

    slot_of = {slot.id: slot for slot in setup.plan.scenes}
    value_of = setup.theory.value_of
    return pd.DataFrame([
        {"scene_id": slot.scene_id, "country": slot_of[slot.scene_id].country, "topic": slot_of[slot.scene_id].topic,
         "scene": scenes.texts[slot.scene_id], "value": value_of[slot.item], "item": slot.item, "polarity": slot.polarity,
         "action": actions.texts[slot.id]}
        for slot in setup.plan.actions(list(scenes.texts)) if slot.id in actions.texts
    ])  # fmt: skip


def _attempts(setup: Setup, actions: Written) -> pd.DataFrame:
    """An answer to a request for an action a row: about which scene and value, and what became of it."""
    import pandas as pd

    slots = {slot.id: slot for slot in setup.plan.actions([slot.id for slot in setup.plan.scenes])}
    outcomes = [(one.id, REFUSED if REFUSAL in one.faults.split() else one.faults.split()[0]) for one in actions.rejected]
    outcomes += [(id_, KEPT) for id_ in actions.texts]
    value_of = setup.theory.value_of
    return pd.DataFrame([{"scene_id": slots[id_].scene_id, "value": value_of[slots[id_].item], "outcome": outcome} for id_, outcome in outcomes])


def _write_rejected(path: Path, rejected: Sequence[Rejected]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([("id", pa.string()), ("attempt", pa.int16()), ("faults", pa.string()), ("text", pa.string())])
    with whole_file(path) as draft:
        parquet.write_table(pa.Table.from_pylist([one._asdict() for one in rejected], schema=schema), draft)


def _facts(
    spec: DatasetSpec, setup: Setup, folder: DatasetFolder, searches: Mapping[str, Any], account: Mapping[str, Spent], attempts: pd.DataFrame
) -> CardFacts:  # fmt: skip
    prompts = {kind: folder.json(f"prompts/{kind}.json") or {} for kind in KINDS}
    chosen = {kind: _chosen(searches[kind]) for kind in KINDS}
    scenes = len(setup.plan.scenes)
    return CardFacts(
        name=spec.name, language=setup.language.code, theory=setup.theory.name, theory_source=setup.theory.source, version=vat.__version__,
        license=spec.recipe.license, split_seed=spec.recipe.split_seed,
        prompts=tuple(
            FrozenPrompt(kind, (chosen[kind] or {"source": "not searched for"})["source"], prompt["digest"], _told_prompt(prompt))
            for kind, prompt in prompts.items()
        ),
        scores=tuple(
            PromptScore(kind, row["source"], _estimate(row["final"]), row["chosen"])
            for kind in KINDS for row in (searches[kind] or {}).get("candidates", ()) if row["final"]["texts"]
        ),
        models=tuple(ModelUsed(role, model.label, *_origin(model)) for role, model in setup.models.items()),
        agreements=tuple(
            Agreement(
                f"{kind}s: {field.replace('_', ' ')}", "Krippendorff's alpha", _nan_estimate(one["alpha"], one["low"], one["high"]), int(one["texts"])
            )
            for kind in KINDS for field, one in (searches[kind] or {}).get("agreement", {}).items()
        ),
        usage=tuple(_usage(role, spent) for role, spent in account.items()),
        attempts=attempts, wanted={spec_.name: 2 * len(spec_.items) * scenes for spec_ in setup.theory.specs}, wanted_scenes=scenes,
        rules=tuple(RULES.values()), unchecked=unchecked(setup.language),
    )  # fmt: skip


def _usage(role: str, spent: Spent) -> Usage:
    """What a role took; what no server has counted is not known."""
    counted = spent.read or spent.written
    usd = None if math.isnan(spent.usd) or not counted else spent.usd
    return Usage(role, spent.requests, spent.read if counted else None, spent.written if counted else None, usd)


def _told_prompt(prompt: Mapping[str, Any]) -> str:
    """A frozen prompt as people read it: what is searched for, what stays, and the examples."""
    form = " ".join(words()[prompt["kind"]]["form"].format(language=prompt["language"]).split())
    examples = [
        "\n".join(
            [
                f"Example {n}",
                *(f"{name.capitalize()}: {text}" for name, text in one["given"].items()),
                f"{words()[prompt['kind']]['cue']} {one['text']}",
            ]
        )
        for n, one in enumerate(prompt["examples"], 1)
    ]
    return "\n\n".join([prompt["instruction"], form, *examples])


def _chosen(search: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The candidate that was chosen; None if there was no search."""
    found: dict[str, Any] | None = next((row for row in (search or {}).get("candidates", ()) if row["chosen"]), None)
    return found


def _origin(model: Model) -> tuple[str | None, str | None]:
    """Host and revision of a model, where it has them."""
    identity = model.identity()
    return tuple(None if (found := identity.get(name)) is None else str(found) for name in ("host", "revision"))  # type: ignore[return-value]


def _estimate(score: Mapping[str, Any]) -> Estimate:
    mean, error = (math.nan if score[name] is None else score[name] for name in ("mean", "error"))
    return Estimate(mean, max(0.0, mean - Z95 * error), min(100.0, mean + Z95 * error))


def _nan_estimate(*numbers: float | None) -> Estimate:
    return Estimate(*(math.nan if number is None else number for number in numbers))


def _result(
    setup: Setup, searches: Mapping[str, Any], account: Mapping[str, Spent], attempts: pd.DataFrame, scenes: Written, actions: Written, *,
    counts: Mapping[str, int],
) -> dict[str, Any]:  # fmt: skip
    chosen = {kind: _chosen(searches[kind]) for kind in KINDS}
    refused, kept = (float((attempts["outcome"] == outcome).mean()) for outcome in (REFUSED, KEPT))
    usd = sum(spent.usd for spent in account.values())
    return {
        "scenes": len(scenes.texts), "actions": len(actions.texts), **counts, "missing_scenes": len(scenes.missing),
        "missing_actions": len(actions.missing) + len(scenes.missing) * 2 * len(setup.theory.items), "refusal_rate": refused,
        "refusals": attempts["outcome"].eq(REFUSED).groupby(attempts["value"], sort=False).mean().to_dict(),
        "rejection_rate": 1 - kept - refused, "requests": sum(spent.requests for spent in account.values()),
        "tokens_read": sum(spent.read for spent in account.values()), "tokens_written": sum(spent.written for spent in account.values()),
        "usd": None if math.isnan(usd) else usd,
        "prompts": {kind: {"source": row["source"], **row["final"]} for kind, row in chosen.items() if row is not None},
        "notes": list(dict.fromkeys(f"Note: {caveat}" for model in setup.models.values() if (caveat := model.capabilities().caveat))),
    }  # fmt: skip


def _steps(searches: Mapping[str, Any], result: Mapping[str, Any]) -> dict[int, dict[str, float | None]]:
    """What MLflow shows: every candidate's score at the number of the candidate; all else at step 0."""
    steps: dict[int, dict[str, float | None]] = {0: {name: x for name, x in result.items() if isinstance(x, int | float)}}
    steps[0] |= {f"refusal_rate/{value}": share for value, share in result["refusals"].items()}
    for kind in KINDS:
        for n, row in enumerate((searches[kind] or {}).get("candidates", ())):
            scores = {f"{kind}/{when}": row[when]["mean"] for when in ("search", "final")}
            steps.setdefault(n, {}).update({name: score for name, score in scores.items() if score is not None})
    return steps
