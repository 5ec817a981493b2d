import dataclasses
import importlib
import json
import re
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from vat.config import read, read_annotate, read_cases, read_measure
from vat.errors import ConfigError
from vat.nodes import GROUPS, build, node_of

CONF = Path(__file__).parents[1] / "conf"
OPTIONS = [pytest.param(group, path, id=f"{group}={path.stem}") for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))]
RUN = "run: must be the id of a run or of a job, or a list of them; got {}. See the closing table; quote it if it is a number."
CHOSEN = {
    "theory": "schwartz", "data": "template", "model": "tiny", "elicit": "rating",
    "strategy": "steering", "measure": "tax", "cluster": "local", "tracking": "mlflow",
}  # fmt: skip


def loaded(path: Path) -> DictConfig:
    """A yaml upon those that it is made from: of its group, or the default of a group within it."""
    node = OmegaConf.load(path)
    names = [name for name in node.pop("defaults", []) if name != "_self_"]
    below = [loaded(path.parent / f"{'/'.join(*name.items()) if OmegaConf.is_dict(name) else name}.yaml") for name in names]
    return OmegaConf.merge(*below, node)


def option(group: str, name: str) -> dict:
    """A yaml as Hydra would give it, what must be given being given."""
    node = loaded(CONF / group / f"{name}.yaml")
    for key in node:
        if OmegaConf.is_missing(node, key):
            node[key] = "given"
    return OmegaConf.to_container(OmegaConf.create({"shots": 4, group: node}), resolve=True)[group]


def composed(changed: dict | None = None) -> DictConfig:
    """The default configuration with some keys, as `data.limit`, set otherwise."""
    scalars = {"value": "power", "direction": None, "shots": 4, "replicate": 0, "sweep": None}
    nodes = {group: loaded(CONF / group / f"{name}.yaml") for group, name in CHOSEN.items()}
    cfg = OmegaConf.create(scalars | nodes | {"measure": {CHOSEN["measure"]: nodes["measure"]}})
    for key, setting in (changed or {}).items():
        OmegaConf.update(cfg, key, setting, merge=False, force_add=True)
    return cfg


def test_the_options_of_every_group_are_found():
    assert {param.values[0] for param in OPTIONS} == set(GROUPS)


@pytest.mark.parametrize(("group", "path"), OPTIONS)
def test_every_option_is_built_as_it_stands(group, path):
    node = option(group, path.stem)
    part = build(group, node)
    assert f"{type(part).__module__}.{type(part).__name__}" == node["_target_"]
    settings = {key: setting for key, setting in node.items() if key != "_target_"}
    assert {key: list(built) if type(built := getattr(part, key)) is tuple else built for key in settings} == settings


@pytest.mark.parametrize(("group", "path"), OPTIONS)
def test_a_yaml_lists_exactly_the_settings_of_its_class_and_holds_their_only_defaults(group, path):
    node = option(group, path.stem)
    fields = dataclasses.fields(type(build(group, node)))
    assert [field.name for field in fields if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING] == []
    assert sorted(node.keys() - {"_target_"}) == sorted(field.name for field in fields)


@pytest.mark.parametrize(("group", "path"), OPTIONS)
def test_the_node_of_an_instance_makes_one_like_it(group, path):
    part = build(group, option(group, path.stem))
    again = build(group, json.loads(json.dumps(node_of(part))))
    assert again == part
    assert type(again) is type(part)


@pytest.mark.parametrize(("group", "path"), OPTIONS)
def test_settings_cannot_be_changed_once_built(group, path):
    part = build(group, option(group, path.stem))
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.anything = 1


def test_the_embedded_model_was_trained_on_the_default_split():
    from vat.models.tiny.documents import SPLIT

    assert build("data", option("data", "template")) == SPLIT


def test_a_whole_configuration_becomes_one_record():
    spec = read(composed({"direction": -1, "replicate": 2, "sweep": "mine"}))
    assert (spec.value, spec.direction, spec.replicate, spec.sweep) == ("power", -1, 2, "mine")
    assert spec.strategy.shots == 4
    parts = [*(getattr(spec, group) for group in CHOSEN if group != "measure"), *spec.measures.values()]
    assert all(type(part).__module__.startswith("vat.") for part in parts)


def test_equal_nodes_give_the_same_instance_whatever_the_order_of_their_keys():
    node = option("data", "template")
    assert build("data", node) is build("data", dict(reversed(node.items())))
    assert read(composed({"value": "security"})).model is read(composed({"replicate": 1})).model


def test_unequal_nodes_give_instances_of_their_own():
    node = option("data", "template")
    assert build("data", node | {"limit": 12}).limit == 12
    assert build("data", node).limit is None


# Keys that are set otherwise, and the whole message; `…` stands for anything.
BAD = {
    "unknown setting": ({"data.limt": 3}, "data.limt: no such setting; got 3. Did you mean limit?"),
    "unheard of setting": ({"tracking.xyz": 3}, "tracking.xyz: no such setting; got 3. Choose from experiment, root, uri."),
    "wrong type": (
        {"data.split_seed": "abc"},
        "data.split_seed: should be a valid integer, unable to parse string as an integer; got 'abc'. See conf/data/.",
    ),
    "wrong type by reference": (
        {"shots": "abc"},
        "strategy.shots: should be a valid integer, unable to parse string as an integer; got 'abc'. See conf/strategy/.",
    ),
    "not a number": ({"data.test_share": float("nan")}, "data.test_share: should be a finite number; got nan. See conf/data/."),
    "out of range": ({"elicit.min_mass": 1.5}, "elicit.min_mass: should be less than or equal to 1; got 1.5. See conf/elicit/."),
    "not a choice": ({"elicit.format": "html"}, "elicit.format: should be 'chat' or 'plain'; got 'html'. See conf/elicit/."),
    "missing path": ({"data.path": "???"}, "data.path: must be given; got nothing. Add data.path=…"),
    "missing setting": (
        {"tracking": {"_target_": "vat.track.settings.Tracking", "root": "mlruns", "experiment": "vat"}},
        "tracking.uri: must be given; got nothing. Add tracking.uri=…",
    ),
    "no class": ({"data": {"path": "x"}}, "data: must be an option of conf/data/; got {'path': 'x'}. Use data=<option>."),
    "not a node": ({"data": "template"}, "data: must be an option of conf/data/; got 'template'. Use data=<option>."),
    "class outside": ({"data._target_": "os.system"}, "data._target_: must be a class of vat; got 'os.system'. Use an option of conf/data/."),
    "class of a namesake": ({"data._target_": "vatican.X"}, "data._target_: must be a class of vat; got 'vatican.X'. Use an option of conf/data/."),
    "class not there": (
        {"data._target_": "vat.data.table.Nope"},
        "data._target_: must be a kind of vat.data.base.DataSource; got vat.data.table.Nope. Use an option of conf/data/.",
    ),
    "module not there": (
        {"data._target_": "vat.data.nope.Table"},
        "data._target_: must be a kind of vat.data.base.DataSource; got vat.data.nope.Table. Use an option of conf/data/.",
    ),
    **{
        f"not a data source: {target}": (
            {"data._target_": target},
            f"data._target_: must be a kind of vat.data.base.DataSource; got {target}. Use an option of conf/data/.",
        )
        for target in ("vat.data.table.Path", "vat.errors.shown", "vat.errors.difflib", "vat.data.base.DataSource", "vat.theory.file.TheoryFile")
    },
    "a share beyond all": ({"data.test_share": 1.5}, "data.test_share: should be less than 1; got 1.5. See conf/data/."),
    "a negative seed": ({"data.split_seed": -1}, "data.split_seed: should be greater than or equal to 0; got -1. See conf/data/."),
    "no scenes": ({"data.limit": 0}, "data.limit: should be greater than or equal to 1; got 0. See conf/data/."),
    "a name that is a number": (
        {"measure": {"tax": {"_target_": "vat.measure.standard.TaxMeasure", 1: 2}}},
        "measure.tax.1: a setting has a name; got 1. See conf/measure/.",
    ),
    "dangling reference": (
        {"strategy.shots": "${nope}"},
        "strategy: every reference must resolve; got …. Check the keys in ${…}.",
    ),
    "no measure": ({"measure": {}}, "measure: must be options of conf/measure/; got {}. Use measure=[<option>,…]."),
    "bad measure": ({"measure.tax.n_perm": 5}, "measure.tax.n_perm: should be greater than or equal to 99; got 5. See conf/measure/."),
    "no value": ({"value": None}, "value: must be the name of a value; got None. Use value=power."),
    **{
        f"direction {bad!r}": ({"direction": bad}, f"direction: must be 1, -1 or null; got {bad!r}. Use direction=1 to push up, -1 to push down.")
        for bad in (0, 2, "up", True, 1.0)
    },
    **{
        f"replicate {bad!r}": ({"replicate": bad}, f"replicate: must be 0, 1, 2 …; got {bad!r}. Use replicate=0.")
        for bad in (-1, 1.5, "a", True, None)
    },
    "blank sweep": ({"sweep": " "}, "sweep: must be a text or null; got ' '. Use sweep=mysweep."),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "message"), BAD.values(), ids=BAD)
def test_a_fault_of_a_configuration_is_one_line_that_names_the_key(changed, message):
    with pytest.raises(ConfigError) as error:
        read(composed(changed))
    assert re.fullmatch(".+".join(map(re.escape, message.split("…"))) + "…?", str(error.value))
    assert re.fullmatch(r"[\w.]+: .+; got .+\. .+", str(error.value))


def again(**changed: object) -> DictConfig:
    """A configuration of the program `measure` with some keys set otherwise."""
    nodes = {"measure": {"tax": OmegaConf.load(CONF / "measure" / "tax.yaml")}, "tracking": OmegaConf.load(CONF / "tracking" / "mlflow.yaml")}
    return OmegaConf.create({"run": "86f3e8ea9a861599"} | nodes | changed)


@pytest.mark.parametrize(
    ("run", "runs"),
    [("86f3", ("86f3",)), (1234567890123456, ("1234567890123456",)), (["86f3", 12], ("86f3", "12")), (["86f3", "99aa", "86f3"], ("86f3", "99aa"))],
)
def test_runs_to_measure_are_named_alone_or_in_a_list_each_once(run, runs):
    spec = read_measure(again(run=run))
    assert spec.runs == runs
    assert list(spec.measures) == ["tax"]
    assert spec.tracking.experiment == "vat"


def test_what_measures_a_run_again_is_what_measures_it_at_first():
    assert read_measure(again()).measures["tax"] is read(composed()).measures["tax"]


BAD_AGAIN = {
    **{
        f"run {bad!r}": ({"run": bad}, RUN.format(repr(bad)))
        for bad in (None, "", " ", [], ["86f3", None], [["86f3"]], {"id": "86f3"}, True)
    },
    "run not given": ({"run": "???"}, RUN.format("…")),
    "no measure": ({"measure": {}}, "measure: must be options of conf/measure/; got {}. Use measure=[<option>,…]."),
    "no tracking": ({"tracking": None}, "tracking: must be an option of conf/tracking/; got None. Use tracking=<option>."),
    "unknown key": ({"rum": "86f3"}, "rum: must be a setting; got an unknown key. Did you mean run?"),
    "key of another program": ({"value": "power"}, "value: must be a setting; got an unknown key. Choose from ….",),
    "dangling reference": ({"run": "${nope}"}, "run: every reference must resolve; got …. Check the keys in ${…}."),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "message"), BAD_AGAIN.values(), ids=BAD_AGAIN)
def test_a_fault_of_what_to_measure_again_is_one_line_that_names_the_key(changed, message):
    with pytest.raises(ConfigError) as error:
        read_measure(again(**changed))
    assert re.fullmatch(".+".join(map(re.escape, message.split("…"))) + "…?", str(error.value))


def test_all_faults_of_what_to_measure_again_are_reported_together():
    with pytest.raises(ConfigError) as error:
        read_measure(again(run=None, measure={"tax": {"_target_": "os.system"}}, tracking={"_target_": "vat.track.settings.Tracking"}, rum=1))
    starts = [line.split(": ")[0] for line in str(error.value).splitlines()]
    assert starts == ["rum", "run", "measure.tax._target_", "tracking.root", "tracking.uri", "tracking.experiment"]


def of_cases(**changed: object) -> DictConfig:
    """A configuration of the program `cases`, as its yaml has it, with some keys set otherwise."""
    tree = OmegaConf.load(CONF / "cases.yaml")
    keys = {key: None if OmegaConf.is_missing(tree, key) else tree[key] for key in tree if key not in ("defaults", "hydra")}
    return OmegaConf.create(keys | {"run": "86f3", "tracking": OmegaConf.load(CONF / "tracking" / "mlflow.yaml")} | changed)


def test_what_cases_are_told_of_is_the_last_state_unless_a_step_is_named():
    spec = read_cases(of_cases())
    assert (spec.runs, spec.step, spec.count, spec.max_new_tokens) == (("86f3",), None, 4, 128)
    assert read_cases(of_cases(step=0)).step == 0


@pytest.mark.parametrize("key", ["count", "max_new_tokens"])
@pytest.mark.parametrize("bad", [0, -1, 1.5, "4", None, True])
def test_how_many_cases_and_tokens_is_a_number_from_1(key, bad):
    with pytest.raises(ConfigError, match=rf"^{key}: must be 1, 2, 3 …; got {bad!r}\. Use {key}=1\.$"):
        read_cases(of_cases(**{key: bad}))


def test_all_faults_of_what_to_tell_are_reported_together():
    with pytest.raises(ConfigError) as error:
        read_cases(of_cases(run=None, step=-1, count=0, max_new_tokens="a", tracking=None, steps=3))
    assert [line.split(": ")[0] for line in str(error.value).splitlines()] == ["steps", "run", "step", "count", "max_new_tokens", "tracking"]


def of_annotate(**changed: object) -> DictConfig:
    """A configuration of the program `annotate`, as its yaml has it, with some keys set otherwise."""
    tree = OmegaConf.load(CONF / "annotate.yaml")
    keys = {key: None if OmegaConf.is_missing(tree, key) else tree[key] for key in tree if key not in ("defaults", "hydra")}
    groups = {group: OmegaConf.load(CONF / group / f"{CHOSEN[group]}.yaml") for group in ("theory", "tracking")}
    return OmegaConf.create(keys | {"dataset": "mine"} | groups | changed)


def test_people_rate_54_instances_each_on_a_workbook_of_three_unless_told_otherwise():
    spec = read_annotate(of_annotate())
    assert (spec.dataset, spec.ratings, spec.count, spec.annotators, spec.seed, spec.form) == ("mine", (), 54, 3, 0, "xlsx")
    assert read_annotate(of_annotate(ratings="a.csv")).ratings == ("a.csv",)
    assert read_annotate(of_annotate(ratings=["a.csv", "b.xlsx"], form="csv")).ratings == ("a.csv", "b.xlsx")


BAD_ANNOTATE = {
    **{f"dataset {bad!r}": ({"dataset": bad}, f"dataset: must be a text; got {bad!r}. Use dataset=mine.") for bad in (None, " ", 3, ["a"])},
    "dataset not given": ({"dataset": "???"}, "dataset: must be a text; got …. Use dataset=mine."),
    **{
        f"ratings {bad!r}": ({"ratings": bad}, f"ratings: must be files; got {bad!r}. Use ratings=[a.xlsx,b.csv].")
        for bad in (None, "", 3, ["a.csv", 3], [""])
    },
    **{f"form {bad!r}": ({"form": bad}, f"form: must be one of xlsx, csv; got {bad!r}. Use form=xlsx.") for bad in ("ods", None, True)},
    "no instances": ({"count": 0}, "count: must be 1, 2, 3 …; got 0. Use count=1."),
    "no annotators": ({"annotators": 0}, "annotators: must be 1, 2, 3 …; got 0. Use annotators=1."),
    "a negative seed": ({"seed": -1}, "seed: must be 0, 1, 2 …; got -1. Use seed=0."),
    "unknown key": ({"rating": "a.csv"}, "rating: must be a setting; got an unknown key. Did you mean ratings?"),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "message"), BAD_ANNOTATE.values(), ids=BAD_ANNOTATE)
def test_a_fault_of_what_people_are_to_rate_is_one_line_that_names_the_key(changed, message):
    with pytest.raises(ConfigError) as error:
        read_annotate(of_annotate(**changed))
    assert re.fullmatch(".+".join(map(re.escape, message.split("…"))) if "???" in changed.values() else re.escape(message), str(error.value))


FAULTY = {
    "data.limt": 3, "data.limit": "many", "model._target_": "os.system", "elicit.wording": 9,
    "strategy.shots": "${nope}", "value": "${nope}", "direction": 0, "replicate": -1,
}  # fmt: skip


def test_all_faults_of_a_configuration_are_reported_together():
    with pytest.raises(ConfigError) as error:
        read(composed(FAULTY))
    assert [line.split(": ")[0] for line in str(error.value).splitlines()] == [
        "data.limit", "data.limt", "model._target_", "elicit.wording", "strategy", "value", "direction", "replicate",
    ]  # fmt: skip
    assert all(re.fullmatch(r"[\w.]+: .+; got .+\. .+", line) for line in str(error.value).splitlines())


@pytest.mark.parametrize("target", ["stranger.Thing", "vatstranger.Thing", ".stranger.Thing", 5, ["vat.x"]])
def test_a_class_outside_vat_is_refused_before_it_is_imported(tmp_path, monkeypatch, target):
    for name in ("stranger", "vatstranger"):
        (tmp_path / f"{name}.py").write_text("Thing = dict\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(ConfigError) as error:
        build("model", {"_target_": target})
    assert str(error.value) == f"model._target_: must be a class of vat; got {target!r}. Use an option of conf/model/."
    assert not {"stranger", "vatstranger"} & set(sys.modules)
