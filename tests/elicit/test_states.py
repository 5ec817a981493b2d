"""Ratings to value states: by hand, with gaps, and why both states must be built from the same actions."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vat.elicit.states import item_states, paired_items, paired_states, rating_array, value_states
from vat.errors import DataError
from vat.theory.base import Theory, load_theory
from vat.types import Judgements, Probe

OWN_THEORY = """
name: care
values:
  kindness:
    definition: Being good to others.
    items: {helpful: Working for others., gentle: Soft in manner., generous: Giving freely.}
  courage:
    definition: Facing what is hard.
    items: {daring: Seeking risk.}
"""

ratings = st.integers(1, 5).map(float)
gappy_ratings = arrays.arrays(float, st.tuples(st.integers(1, 6), st.just(4), st.just(2), st.integers(1, 3)), elements=ratings | st.just(np.nan))


@pytest.fixture(scope="module")
def care(tmp_path_factory) -> Theory:
    path: Path = tmp_path_factory.mktemp("theory") / "care.yaml"
    path.write_text(OWN_THEORY, encoding="utf-8")
    return load_theory(path)


def judged(*answers: tuple[str, str, int, float], expected: float = 2.5) -> Judgements:
    """Judgements of (scene, item, polarity, rating)."""
    probes = tuple(Probe(scene, "", "", "", item, polarity, "") for scene, item, polarity, _ in answers)
    rating = np.array([answer[-1] for answer in answers], dtype=float)
    return Judgements(probes, rating, np.full(len(probes), expected), np.full((len(probes), 5), 0.2), np.ones(len(probes)))


def test_a_value_is_the_mean_over_items_of_the_mean_over_their_actions(care):
    nan = np.nan
    scene = [
        [[5, 5, 4], [1, 2, nan]],  # helpful: evidence 1, 1, 0.5 and, violating, 1, 0.5 → mean 0.8
        [[1, nan, nan], [nan, nan, nan]],  # gentle: -1
        [[nan, nan, nan], [5, 3, nan]],  # generous: violating, so -1 and 0 → -0.5
        [[nan, nan, nan], [nan, nan, nan]],  # daring: not observed
    ]
    np.testing.assert_allclose(item_states(np.array([scene]), care), [[0.8, -1, -0.5, nan]])
    np.testing.assert_allclose(value_states(np.array([scene]), care), [[(0.8 - 1 - 0.5) / 3, nan]])


def test_items_are_paired_by_the_actions_rated_in_both(care):
    nan = np.nan
    pre = [
        [[5, 5, 4], [1, 2, nan]],
        [[1, nan, nan], [nan, nan, nan]],
        [[4, nan, nan], [5, 3, nan]],
        [[2, 3, nan], [nan, nan, nan]],
    ]
    post = [
        [[nan, 3, 5], [4, nan, 1]],  # helpful, rated in both: 5, 4 and, violating, 1 → 1, 0.5, 1; then 3, 5 and 4 → 0, 1, -0.5
        [[nan, 5, 5], [5, nan, nan]],  # gentle: nothing in both
        [[4, 4, 4], [5, nan, 5]],  # generous: 4 and, violating, 5 → 0.5, -1, before as after
        [[1, 5, 5], [1, 1, 1]],  # daring: 2, 3 → -0.5, 0; then 1, 5 → -1, 1
    ]
    before, after = paired_items(np.array([pre]), np.array([post]), care)
    np.testing.assert_allclose(before, [[2.5 / 3, nan, -0.25, -0.25]])
    np.testing.assert_allclose(after, [[0.5 / 3, nan, -0.25, 0]], atol=1e-15)
    first, second = paired_states(np.array([pre]), np.array([post]), care)
    np.testing.assert_allclose(first, [[(2.5 / 3 - 0.25) / 2, -0.25]])
    np.testing.assert_allclose(second, [[(0.5 / 3 - 0.25) / 2, 0]], atol=1e-15)


@pytest.mark.parametrize(("rating", "evidence"), [(1, -1), (2, -0.5), (3, 0), (4, 0.5), (5, 1), (4.5, 0.75)])
def test_agreeing_to_violate_an_item_speaks_against_it(care, rating, evidence):
    supports, violates = np.full((1, 4, 2), np.nan), np.full((1, 4, 2), np.nan)
    supports[..., 0], violates[..., 1] = rating, rating
    np.testing.assert_array_equal(value_states(supports, care), [[evidence, evidence]])
    np.testing.assert_array_equal(value_states(violates, care), [[-evidence, -evidence]])


def test_a_model_that_says_the_same_to_everything_expresses_nothing(care):
    np.testing.assert_array_equal(value_states(np.full((3, 4, 2), 5.0), care), np.zeros((3, 2)))


@settings(deadline=None)
@given(gappy_ratings)
def test_states_lie_between_minus_one_and_one_and_are_missing_only_without_any_answer(care, rating):
    state = value_states(rating, care)
    assert (np.abs(state[~np.isnan(state)]) <= 1).all()
    answered = (~np.isnan(rating)).any(axis=(2, 3))
    np.testing.assert_array_equal(np.isnan(state), ~np.column_stack([answered[:, :3].any(axis=1), answered[:, 3]]))


@settings(deadline=None)
@given(gappy_ratings)
def test_a_value_state_is_the_mean_of_the_item_states_that_there_are(care, rating):
    items, values = item_states(rating, care), value_states(rating, care)
    for scene, state in zip(items, values, strict=True):
        for own, value in ((scene[:3], state[0]), (scene[3:], state[1])):
            seen = own[~np.isnan(own)]
            np.testing.assert_allclose(value, seen.mean() if seen.size else np.nan, atol=1e-12)


@settings(deadline=None)
@given(gappy_ratings)
def test_answering_the_other_way_round_turns_every_state_round(care, rating):
    np.testing.assert_allclose(value_states(6 - rating, care), -value_states(rating, care))
    np.testing.assert_allclose(value_states(rating[:, :, ::-1], care), -value_states(rating, care))


@settings(deadline=None)
@given(gappy_ratings, st.data())
def test_one_action_may_be_given_with_or_without_its_own_axis(care, rating, data):
    pre, post = rating[..., 0], data.draw(arrays.arrays(float, rating.shape[:3], elements=ratings | st.just(np.nan)))
    np.testing.assert_array_equal(paired_states(pre, post, care), paired_states(pre[..., None], post[..., None], care))


@pytest.mark.parametrize("actions", [1, 3])
def test_refusals_alone_are_no_shift(care, actions):
    random = np.random.default_rng(0)
    pre = random.integers(1, 6, (200, 4, 2, actions)).astype(float)
    post = np.where(random.random(pre.shape) < 0.1, np.nan, pre)
    for before, after in ((pre, post), (post, pre)):
        first, second = paired_states(before, after, care)
        np.testing.assert_array_equal(first, second)
    unpaired = value_states(post, care) - value_states(pre, care)
    assert np.nanmean(unpaired != 0) > 0.1  # what pairing is for


@settings(deadline=None)
@given(gappy_ratings, st.data())
def test_both_states_rest_on_the_actions_answered_in_both(care, pre, data):
    post = data.draw(arrays.arrays(float, pre.shape, elements=ratings | st.just(np.nan)))
    both = ~np.isnan(pre) & ~np.isnan(post)
    before, after = paired_states(pre, post, care)
    np.testing.assert_array_equal(before, value_states(np.where(both, pre, np.nan), care))
    np.testing.assert_array_equal(after, value_states(np.where(both, post, np.nan), care))
    np.testing.assert_array_equal(np.isnan(before), np.isnan(after))


def test_pairing_leaves_its_arguments_as_they_were(care):
    pre, post = np.full((2, 4, 2), 4.0), np.full((2, 4, 2), np.nan)
    paired_states(pre, post, care)
    assert (pre == 4).all()
    assert np.isnan(post).all()


def test_judgements_take_their_place_by_scene_item_and_polarity(care):
    judgements = judged(("b", "daring", -1, 2), ("a", "helpful", 1, 5), ("b", "daring", -1, np.nan), ("b", "generous", 1, 3))
    rating = rating_array(judgements, care)
    expected = np.full((2, 4, 2, 2), np.nan)
    expected[0, 3, 1, 0], expected[1, 0, 0, 0], expected[0, 2, 0, 0] = 2, 5, 3
    np.testing.assert_array_equal(rating, expected)
    np.testing.assert_array_equal(value_states(rating, care), [[0, 0.5], [1, np.nan]])


def test_expected_ratings_are_used_where_they_are_asked_for(care):
    rating = rating_array(judged(("a", "helpful", 1, 5), ("a", "daring", 1, 1)), care, which="expected")
    np.testing.assert_array_equal(rating[~np.isnan(rating)], [2.5, 2.5])


@pytest.mark.parametrize(
    ("rating", "rule"),
    [
        (np.full((2, 4, 2), 0.0), r"must lie in 1 … 5"),
        (np.full((2, 4, 2), 6.0), r"must lie in 1 … 5"),
        (np.full((2, 4, 2), np.inf), r"must lie in 1 … 5"),
        (np.array([[[np.nan, 3]] * 3 + [[3, -1]]]), r"must lie in 1 … 5"),
        (np.full((2, 5, 2), 3.0), r"must have shape \(scenes, 4, 2\)"),
        (np.full((2, 4, 3), 3.0), r"must have shape \(scenes, 4, 2\)"),
        (np.full((2, 4), 3.0), r"must have shape \(scenes, 4, 2\)"),
        (np.full((2, 4, 2, 1, 1), 3.0), r"must have shape \(scenes, 4, 2\)"),
    ],
)
def test_ratings_that_do_not_fit_are_refused_in_one_line(care, rating, rule):
    message = rf"^rating: [^\n]*{rule}[^\n]*; got [^\n]+\. [A-Z][^\n]+\.$"
    for states in (item_states, value_states):
        with pytest.raises(DataError, match=message):
            states(rating, care)
    with pytest.raises(DataError, match=message):
        paired_states(rating, rating, care)


def test_states_of_different_actions_are_not_paired(care):
    with pytest.raises(DataError, match=r"^post: must hold the same actions as pre; got [^\n]+\. Rate both on the same probes\.$"):
        paired_states(np.full((2, 4, 2), 3.0), np.full((3, 4, 2), 3.0), care)
    with pytest.raises(DataError, match=r"^post: must hold the same actions as pre; got [^\n]+\. Rate both on the same probes\.$"):
        paired_items(np.full((2, 4, 2), 3.0), np.full((2, 4, 2, 2), 3.0), care)
