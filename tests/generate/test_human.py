"""Which instances are rated."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.generate.datasets import CARE, drawn, probes
from vat.errors import DataError
from vat.generate.human import Sample, draw_sample, sample_of, sample_tree
from vat.theory.schwartz import SCHWARTZ
from vat.types import Probe


def shipped() -> list[Probe]:
    """As many scenes and actions as the paper's dataset."""
    return [
        Probe(f"{c}-{t}-{s}", f"C{c}", f"T{t}", "Scene.", item, polarity, f"I {item}.")
        for c in range(12) for t in range(11) for s in range(2) for item in SCHWARTZ.items for polarity in (1, -1)
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_of_the_papers_dataset_54_scenes_are_drawn_in_its_proportions(seed: int) -> None:
    from vat.data.base import Probes

    whole = Probes(tuple(shipped()))
    sample = draw_sample(whole, SCHWARTZ, dataset="mine", count=54, seed=seed)
    assert len({instance.scene_id for instance in sample.instances}) == 54
    share = {"country": Counter(row.country for row in whole.rows), "topic": Counter(row.topic for row in whole.rows)}
    share |= {"value": Counter(SCHWARTZ.value_of[row.item] for row in whole.rows), "polarity": Counter(str(row.polarity) for row in whole.rows)}
    for factor, levels in share.items():
        for level, size in levels.items():
            assert abs(sample.balance()[factor][level] - 54 * size / len(whole.rows)) < 1, (factor, level)
    of_a_value = Counter((instance.value, instance.polarity) for instance in sample.instances)
    assert all(abs(of_a_value[value, 1] - of_a_value[value, -1]) <= 1 for value in SCHWARTZ.values), "no value is only expressed"


def test_no_value_is_drawn_less_often_than_its_share_because_of_rounding() -> None:
    whole = probes(4, 4, 1)
    times = Counter(instance.value for seed in range(400) for instance in draw_sample(whole, CARE, dataset="", count=5, seed=seed).instances)
    assert times["self_rule"] / 400 == pytest.approx(5 / 4, abs=0.1)  # always 1 if rounded to the nearest; five standard errors


def test_every_action_may_be_drawn_and_none_is_preferred() -> None:
    whole = probes(2, 2, 1)
    times = Counter(instance.name for seed in range(600) for instance in draw_sample(whole, CARE, dataset="", count=2, seed=seed).instances)
    assert len(times) == len(whole.rows) == 32
    of_a_scene = Counter(row.scene_id for row in whole.rows)
    assert set(of_a_scene.values()) == {8}
    assert all(abs(n / 600 - 2 / 32) < 0.05 for n in times.values())  # five standard errors


def test_the_same_seed_draws_the_same_and_another_seed_another() -> None:
    samples = [drawn(seed=seed) for seed in (0, 1, 2, 0, 1, 2)]
    assert [sample.digest for sample in samples[:3]] == [sample.digest for sample in samples[3:]]
    assert len({sample.digest for sample in samples}) == 3


def test_of_few_scenes_each_gives_one_instance() -> None:
    sample = drawn(count=54)
    assert len(sample.instances) == len({instance.scene_id for instance in sample.instances}) == 24
    assert sample.balance()["country"] == {"C0": 8, "C1": 8, "C2": 8}


def test_an_instance_has_all_that_an_annotator_needs_and_an_id_of_its_own_words() -> None:
    [first, *_] = drawn().instances
    row = next(row for row in probes().rows if row.action == first.action)
    assert (first.scene_id, first.country, first.topic, first.scene, first.item, first.polarity) == (*row[:5], row.polarity)
    assert (first.value, first.definition) == (CARE.value_of[row.item], CARE.definitions[row.item])
    same = [one.name for seed in range(250) for one in drawn(seed=seed).instances if one.action == first.action]
    assert len(same) > 1
    assert set(same) == {first.name}, "the same in every sample"
    assert not first.name.isdigit()
    assert first.action.replace("I do it", "I do that") not in {one.action for one in drawn().instances}
    assert not {one.name for one in drawn().instances} & {one.name for one in drawn(action="I do that").instances}


def test_each_annotator_sees_all_instances_in_an_order_of_their_own() -> None:
    sample = drawn(count=24)
    orders = [sample.order(annotator) for annotator in (1, 2, 3, 1)]
    assert orders[0] == orders[3]
    assert len(set(orders)) == 3
    assert all(sorted(order) == sorted(sample.instances) for order in orders)


def test_a_sample_comes_back_from_json() -> None:
    sample = drawn()
    again = sample_of(json.loads(json.dumps(sample_tree(sample))), "sample.json")
    assert again == sample
    assert again.digest == sample.digest


def broken(sample: Sample) -> list[object]:
    tree = sample_tree(sample)
    other = json.loads(json.dumps(tree))
    other["instances"][0]["action"] = "I do nothing."
    return [[], None, {}, tree | {"seeds": 1}, {key: part for key, part in tree.items() if key != "data_digest"}, other, tree | {"data_digest": "0"}]


@pytest.mark.parametrize("n", range(7))
def test_a_file_that_is_no_sample_or_was_changed_is_refused(n: int) -> None:
    with pytest.raises(DataError, match=r"^sample\.json: must hold (a|the) sample") as caught:
        sample_of(broken(drawn())[n], "sample.json")
    assert "\n" not in str(caught.value)
