from collections import Counter
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from vat.data.split import draw_scenes

quick = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**31)


def crossed(*levels: int) -> tuple[list[str], dict[str, list[str]]]:
    """All cells of a full design, shapes countries × topics × scenes of a cell."""
    cells = list(product(*map(range, levels)))
    factors = {name: [f"{name}{cell[f]}" for cell in cells] for f, name in enumerate(("country", "topic"))}
    return ["/".join(map(str, cell)) for cell in cells], factors


def furthest_from_share(scenes, factors, drawn):
    """The largest distance of any level's count from its share."""
    wanted = set(drawn)
    distances = []
    for levels in factors.values():
        all_of, drawn_of = Counter(levels), Counter(level for scene, level in zip(scenes, levels, strict=True) if scene in wanted)
        distances += [abs(drawn_of[level] - size * len(drawn) / len(scenes)) for level, size in all_of.items()]
    return max(distances)


@given(seed=seeds)
@quick
def test_every_country_and_topic_of_the_shipped_design_is_within_one_of_its_share(seed):
    scenes, factors = crossed(12, 11, 2)
    drawn = draw_scenes(scenes, factors, count=80, seed=seed)
    assert len(set(drawn)) == 80
    assert furthest_from_share(scenes, factors, drawn) < 1


@given(levels=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)), share=st.floats(0.01, 1), seed=seeds)
@quick
def test_a_full_crossed_design_is_drawn_in_balance(levels, share, seed):
    scenes, factors = crossed(*levels)
    drawn = draw_scenes(scenes, factors, count=max(1, int(share * len(scenes))), seed=seed)
    # One at a time does not look ahead: about one draw in ten thousand leaves a level by 1.2.
    assert furthest_from_share(scenes, factors, drawn) < 1.5


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), share=st.floats(0.01, 1), seed=seeds)
@quick
def test_levels_of_unequal_size_each_give_their_share(sizes, share, seed):
    levels = [f"level{n}" for n, size in enumerate(sizes) for _ in range(size)]
    scenes = [f"scene{n}" for n in range(len(levels))]
    drawn = draw_scenes(scenes, {"country": levels}, count=max(1, int(share * len(scenes))), seed=seed)
    assert furthest_from_share(scenes, {"country": levels}, drawn) < 1 + 1e-9


@given(count=st.integers(0, 40), seed=seeds)
@quick
def test_as_many_distinct_scenes_as_asked_come_in_the_order_given(count, seed):
    scenes, factors = crossed(4, 5, 1)
    drawn = draw_scenes(scenes, factors, count=count, seed=seed)
    assert drawn == [scene for scene in scenes if scene in set(drawn)]
    assert len(drawn) == min(count, len(scenes))


@given(count=st.integers(20, 30), seed=seeds)
@quick
def test_all_scenes_come_when_no_fewer_are_asked_for(count, seed):
    scenes, factors = crossed(4, 5, 1)
    assert draw_scenes(scenes, factors, count=count, seed=seed) == scenes


def test_the_same_seed_gives_the_same_draw_and_every_other_seed_another():
    scenes, factors = crossed(12, 11, 2)
    draws = [tuple(draw_scenes(scenes, factors, count=80, seed=seed)) for seed in (*range(30), *range(30))]
    assert draws[:30] == draws[30:]
    assert len(set(draws)) == 30


def test_every_scene_is_drawn_as_often_as_the_others():
    scenes, factors = crossed(3, 4, 1)
    times = Counter(scene for seed in range(1000) for scene in draw_scenes(scenes, factors, count=4, seed=seed))
    assert all(abs(times[scene] / 1000 - 1 / 3) < 0.08 for scene in scenes)  # five standard errors


def test_without_factors_any_scene_may_be_drawn():
    draws = {tuple(draw_scenes("abcd", {}, count=2, seed=seed)) for seed in range(100)}
    assert len(draws) == 6


@given(levels=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)), count=st.integers(0, 30), seed=seeds)
@quick
def test_of_things_that_share_a_group_at_most_one_is_drawn(levels, count, seed):
    scenes, factors = crossed(*levels)
    apart = [scene.rpartition("/")[0] for scene in scenes]
    drawn = draw_scenes(scenes, factors, count=count, seed=seed, apart=apart)
    groups = [apart[scenes.index(scene)] for scene in drawn]
    assert len(groups) == len(set(groups)) == min(count, len(set(apart)))


def test_groups_of_one_change_nothing():
    scenes, factors = crossed(12, 11, 2)
    assert draw_scenes(scenes, factors, count=80, seed=3) == draw_scenes(scenes, factors, count=80, seed=3, apart=scenes)


def test_a_factor_may_have_shares_that_are_not_in_proportion():
    scenes, factors = crossed(4, 5, 1)
    wanted = {"country0": 1, "country1": 3, "country2": 0, "country3": 4}
    drawn = draw_scenes(scenes, factors, count=8, seed=0, shares={"country": wanted})
    assert Counter(factors["country"][scenes.index(scene)] for scene in drawn) == {name: n for name, n in wanted.items() if n}
