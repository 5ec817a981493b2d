"""The program `dataset`: scenes and actions written by a model, in the order of the paper's two stages (Value Alignment Tax, section 4, appendix A).

Stage I searches for a prompt of scenes and freezes it; the scenes are written. Stage II searches for a prompt of actions, in scenes of that prompt,
and freezes it; the actions are written. What stage II is given of stage I are texts of scenes, so that nothing of it can reach the scene prompt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from vat.config_texts import DatasetSpec
from vat.elicit.desk import Desk
from vat.errors import ConfigError, VatError
from vat.generate.bulk import Wanted, Written, write
from vat.generate.judges import Judges
from vat.generate.plan import OF_TRIALS, SUPPORTS, VIOLATES, SceneSlot, given_of_action
from vat.generate.prompts import Kind, WritingPrompt, base_prompt, read_prompt, words
from vat.generate.scoring import ActionScorer, SceneScorer
from vat.generate.search import Task, searched, steps_of
from vat.programs.dataset_result import finish, told_of
from vat.programs.dataset_setup import Setup, set_up
from vat.programs.progress import counter
from vat.track.dataset_folder import RESULT, DatasetFolder
from vat.track.dataset_run import DatasetRun

SCENE_TOKENS, ACTION_TOKENS = 400, 150
DEVELOPMENT_SCENES = 4
READ_A_REQUEST, WRITTEN_A_REQUEST = 350.0, 60.0
"""Tokens, for an estimate."""


def make_dataset(spec: DatasetSpec) -> None:
    """Make the dataset, or go on with it, and print what it is.

    Raises:
        ConfigError: Settings that cannot be, or those of another dataset with this name.
        BackendError: A model cannot be asked, gives nothing usable, or would cost too much; what was done is kept.
    """
    setup = set_up(spec)
    folder = DatasetFolder(spec.tracking.folder, spec.name, setup.identity)
    folder.check()
    if spec.dry_run:
        print("\n".join(_estimate(spec, setup)))
        return
    spec.tracking.check()
    with folder.held(partial(print, f"name={spec.name}: held by another process, waiting for it", flush=True)):
        if (result := folder.result()) is None:
            print("\n".join(_estimate(spec, setup)), flush=True)
            work = _Work(spec, setup, folder, Desk(setup.models, folder.answers, limit_usd=spec.max_cost_usd))
            _try_out(work)
            run = DatasetRun(spec.tracking, spec.name, folder.digest)
            with run.running():
                try:
                    made = _made(work)
                finally:
                    work.desk.leave()
                result = finish(spec, setup, folder, run, work.desk, scenes=made.scenes, actions=made.actions)
            folder.keep(RESULT, result)  # last, or the run of one that is killed here would be RUNNING for good
        print("\n".join(told_of(folder, result)), flush=True)


class _Work(NamedTuple):
    """What all stages work with."""

    spec: DatasetSpec
    setup: Setup
    folder: DatasetFolder
    desk: Desk


class _Made(NamedTuple):
    scenes: Written
    actions: Written


def _made(work: _Work) -> _Made:
    """Both stages, one after the other."""
    setup = work.setup
    scene_prompt = _prompt(work, "scene", lambda judges: _scene_task(work, judges))
    wanted = [Wanted(slot.id, slot.given(), "", slot.number - 1) for slot in setup.plan.scenes]
    scenes = _written(work, scene_prompt, wanted, "scenes", SCENE_TOKENS)
    tried_in = _outside_scenes(work, scene_prompt)
    action_prompt = _prompt(work, "action", lambda judges: _action_task(work, judges, *tried_in))
    slots = setup.plan.actions(list(scenes.texts))
    wanted = [Wanted(slot.id, slot.given(scenes.texts, setup.theory), slot.scene_id) for slot in slots]
    return _Made(scenes, _written(work, action_prompt, wanted, "actions", ACTION_TOKENS))


def _try_out(work: _Work) -> None:
    """One request to each model before the work; all of their faults together."""
    question = base_prompt("scene", work.setup.language.name).prompt(work.setup.plan.scenes[0].given())
    faults: list[str] = []
    begun = work.folder.begun
    for role in work.setup.models:
        try:
            work.desk.try_out(role, question, max_new_tokens=ACTION_TOKENS)
        except VatError as error:
            place = f"judges.{role.removeprefix('judge ')}: " if role.startswith("judge ") else ""
            faults += [f"{place}{line}" for line in str(error).splitlines()]
    if faults:
        if not begun:
            work.folder.forget()  # or the name would stand for settings that cannot be
        raise ConfigError("\n".join(dict.fromkeys(faults)))


def _prompt(work: _Work, kind: Kind, task_of: Callable[[Judges], Task]) -> WritingPrompt:
    """The frozen prompt of a kind: the one that was given, that was found before, or that a search finds now."""
    spec, setup, folder = work.spec, work.setup, work.folder
    name = f"prompts/{kind}.json"
    if (given := setup.prompts.get(kind)) is not None:
        folder.keep(name, given.to_json())
        return given
    if folder.json(name) is not None:
        return read_prompt(folder.path / name, kind, setup.language.name)
    judges = Judges(work.desk, setup.judges, setup.language.name)
    task = task_of(judges)
    steps = steps_of(spec.search, len(task.development), len(task.fresh))
    with counter(f"{spec.name} · prompt of {kind}s", steps, unit="texts", folder=folder.path) as progress:
        chosen = searched(task, spec.search, work.desk, seed=spec.recipe.seed, told=lambda count: progress(count, _usd(work.desk)))
    work.desk.close()  # a search that has ended is not repeated: what was paid for in it is in the account by then
    folder.keep(f"prompts/{kind}_search.json", chosen.to_json(judges.agreement()))
    folder.keep(name, chosen.prompt.to_json())
    return chosen.prompt


def _scene_task(work: _Work, judges: Judges) -> Task:
    spec, setup = work.spec, work.setup
    examples = {(one["country"], one["topic"]): one["scene"] for one in words()["examples"]} if setup.language.code == "en" else {}
    development = [(_given_of_scene(pair), examples.get(pair)) for pair in setup.pairs]
    fresh = spec.recipe.pairs(spec.search.fresh, seed=spec.recipe.seed + 1, without=setup.pairs)
    scorer = SceneScorer(work.desk, judges, setup.language, setup.theory, spec.recipe.items(setup.theory))
    return Task(base_prompt("scene", setup.language.name), development, [_given_of_scene(pair) for pair in fresh], scorer, "writer", SCENE_TOKENS)


def _outside_scenes(work: _Work, prompt: WritingPrompt) -> tuple[list[str], list[str]]:
    """Scenes of the frozen prompt that stand in no dataset: those to search prompts of actions in, and others for their final."""
    spec, setup = work.spec, work.setup
    if "action" in setup.prompts:
        return [], []
    inside = setup.pairs[:DEVELOPMENT_SCENES]
    fresh = max(2, math.ceil(spec.search.fresh / (2 * len(spec.recipe.items(setup.theory)))))
    pairs = [*inside, *spec.recipe.pairs(fresh, seed=spec.recipe.seed + 2, without=setup.pairs)]
    wanted = [Wanted(f"outside {n}", _given_of_scene(pair), "") for n, pair in enumerate(pairs)]
    texts = _written(work, prompt, wanted, "scenes to try actions in", SCENE_TOKENS, first_draw=OF_TRIALS).texts
    return tuple([texts[one.id] for one in some if one.id in texts] for some in (wanted[: len(inside)], wanted[len(inside) :]))  # type: ignore[return-value]


def _action_task(work: _Work, judges: Judges, development: Sequence[str], fresh: Sequence[str]) -> Task:
    spec, setup = work.spec, work.setup
    tried, last = (
        [given_of_action(scene, item, polarity, setup.theory) for scene in scenes for item in spec.recipe.items(setup.theory)
         for polarity in (SUPPORTS, VIOLATES)] for scenes in (development, fresh)
    )  # fmt: skip
    scorer = ActionScorer(judges, setup.language)
    return Task(base_prompt("action", setup.language.name), [(given, None) for given in tried], last, scorer, "writer", ACTION_TOKENS)


def _written(work: _Work, prompt: WritingPrompt, wanted: Sequence[Wanted], what: str, tokens: int, *, first_draw: int = 0) -> Written:
    with counter(f"{work.spec.name} · {what}", len(wanted), unit=what.split()[0], folder=work.folder.path) as progress:
        return write(
            work.desk, prompt, wanted, work.setup.language, tries=work.spec.recipe.tries, max_new_tokens=tokens, first_draw=first_draw,
            told=lambda count: progress(count, _usd(work.desk)),
        )  # fmt: skip


def _given_of_scene(pair: tuple[str, str]) -> dict[str, str]:
    return SceneSlot(*pair, 0).given()


def _usd(desk: Desk) -> str:
    return f"{spent:.2f} USD" if (spent := desk.usd()) else ""


def _estimate(spec: DatasetSpec, setup: Setup) -> list[str]:
    """How much there is to do, if nothing is done yet."""
    scenes = len(setup.plan.scenes)
    actions = scenes * len(setup.plan.actions(["one"]))
    items, search = len(spec.recipe.items(setup.theory)), spec.search
    of_scenes = 0 if "scene" in setup.prompts else steps_of(search, len(setup.pairs), search.fresh)
    of_actions = 0 if "action" in setup.prompts else steps_of(search, 2 * items * DEVELOPMENT_SCENES, search.fresh)
    requests = {"writer": scenes + actions + of_scenes + of_actions, "probe": 2 * items * of_scenes, "proposer": 2 * search.trials}
    requests |= dict.fromkeys(setup.judges, items * of_scenes + of_actions)
    cost = sum(model.cost_usd((requests[role] * READ_A_REQUEST, requests[role] * WRITTEN_A_REQUEST)) for role, model in setup.models.items())
    about = "of unknown cost" if math.isnan(cost) else f"about {cost:.2f} USD"
    return [
        f"{spec.name}: {scenes:,} scenes and {actions:,} actions in {setup.language.name}, written by {spec.model.label}",
        f"In all about {round(sum(requests.values()), -2):,} requests, {about}; what is kept is not asked again",
    ]
