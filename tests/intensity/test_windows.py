"""Windows: who is ranked against whom, in what order, and what that depends on."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from vat.errors import ConfigError, DataError
from vat.intensity.windows import Anchors, Sampling, Window, anchored_windows, pool_windows, reshuffled

POOL = [f"text {n}" for n in range(30)]
SAMPLINGS: list[Sampling] = ["random", "bucketed", "fixed"]


def anchors(intensities: list[float], errors: list[float] | None = None) -> Anchors:
    ids = tuple(f"a{n:02d}" for n in range(len(intensities)))
    return Anchors(ids, np.array(intensities, dtype=float), np.array(errors or [math.nan] * len(ids)))


EVEN = anchors(np.linspace(-10, 10, 40).tolist())


def drawn(windows: list[Window]) -> list[set[str]]:
    return [set(window.shown) - {window.focal} for window in windows]


@given(st.integers(2, 7), st.integers(1, 4), st.integers(0, 99))
def test_every_text_gets_its_windows_of_others_without_repeats(size: int, iterations: int, seed: int) -> None:
    windows = pool_windows(POOL[:9], size=size, iterations=iterations, seed=seed)
    assert Counter((window.focal, window.iteration) for window in windows) == Counter(itertools.product(POOL[:9], range(iterations)))
    assert all(len(set(window.shown)) == size and window.focal in window.shown and set(window.shown) <= set(POOL[:9]) for window in windows)


def test_every_other_text_is_as_likely_an_opponent_whatever_its_place_in_the_pool() -> None:
    for focal in (POOL[0], sorted(POOL)[-1], POOL[17]):
        others = Counter(one for opponents in drawn(pool_windows(POOL, size=4, iterations=2000, seed=3, focal=[focal])) for one in opponents)
        assert len(others) == 29
        assert chisquare(list(others.values())).pvalue > 1e-4


@pytest.mark.parametrize("size", [3, 4])
def test_orders_are_uniform_permutations_of_focal_and_opponents(size: int) -> None:
    pool = POOL[:size]
    orders = Counter(window.shown for window in pool_windows(pool, size=size, iterations=3000, seed=1, focal=pool[:1]))
    assert len(orders) == math.factorial(size)
    assert chisquare(list(orders.values())).pvalue > 1e-4


@pytest.mark.parametrize("iterations", [1, 2, 5, 6, 31])
def test_of_two_a_text_is_first_as_often_as_second_and_an_odd_one_falls_by_a_coin(iterations: int) -> None:
    pool = [f"text {n}" for n in range(400)]
    windows = pool_windows(pool, size=2, iterations=iterations, seed=2)
    first = Counter(window.focal for window in windows if window.shown[0] == window.focal)
    assert {first[text] for text in pool} == {iterations // 2, (iterations + 1) // 2}
    if iterations % 2:
        assert sum(first[text] > iterations // 2 for text in pool) == pytest.approx(200, abs=50)
    else:
        starts = sum(window.iteration == 0 and window.shown[0] == window.focal for window in windows)
        assert starts == pytest.approx(200, abs=50), "which of a pair comes first is a coin too"


@pytest.mark.parametrize("size", [2, 5])
def test_a_texts_windows_depend_on_no_other_text_that_is_scored_nor_on_the_order_of_the_pool(size: int) -> None:
    everyone = pool_windows(POOL, size=size, iterations=4, seed=5)
    alone = pool_windows(POOL[::-1], size=size, iterations=4, seed=5, focal=[POOL[7]])
    assert alone == [window for window in everyone if window.focal == POOL[7]]
    assert alone != pool_windows(POOL, size=size, iterations=4, seed=6, focal=[POOL[7]])


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("size", [2, 6])
def test_a_responses_windows_depend_on_no_other_response(size: int, sampling: Sampling) -> None:
    both = anchored_windows(["r1", "r2"], EVEN, size=size, iterations=3, seed=5, sampling=sampling)
    shuffled = Anchors(EVEN.ids[::-1], EVEN.intensity_A[::-1], EVEN.error_A[::-1])
    assert anchored_windows(["r2"], shuffled, size=size, iterations=3, seed=5, sampling=sampling) == both[3:]


@pytest.mark.parametrize("size", [2, 5])
def test_more_iterations_go_on_where_fewer_ended(size: int) -> None:
    few, many = (pool_windows(POOL, size=size, iterations=m, seed=5, focal=POOL[:2]) for m in (3, 8))
    assert [window for window in many if window.iteration < 3] == few
    for sampling in SAMPLINGS:
        few, many = (anchored_windows(["r"], EVEN, size=size, iterations=m, seed=5, sampling=sampling) for m in (3, 8))
        assert many[:3] == few


def test_one_anchor_comes_from_each_bin_and_all_of_a_bin_are_as_likely() -> None:
    windows = anchored_windows(["r"], EVEN, size=6, iterations=1500, seed=1, sampling="bucketed")
    bins = EVEN.bins(5)
    assert [len(bin_) for bin_ in bins] == [8] * 5
    assert all(len(one & set(bin_)) == 1 for one in drawn(windows) for bin_ in bins)
    assert chisquare(list(Counter(one for shown in drawn(windows) for one in shown).values())).pvalue > 1e-4


def test_what_lies_on_a_border_is_in_the_upper_bin_and_the_ends_are_in_bins() -> None:
    assert anchors([-10, -6, -2, 2, 6, 10]).bins(5) == [["a00"], ["a01"], ["a02"], ["a03"], ["a04", "a05"]]
    assert anchors([-10 / 3, 10 / 3]).bins(3) == [[], ["a00"], ["a01"]]


def test_for_an_empty_bin_the_nearest_that_hold_some_give_without_repeats_and_it_is_said_which() -> None:
    sparse = anchors([-9, -8, -7.5, 9, 8])
    assert sparse.empty_bins(5) == (1, 2, 3)
    assert sparse.empty_bins(2) == ()
    seen = drawn(anchored_windows(["r"], sparse, size=6, iterations=50, seed=1, sampling="bucketed"))
    assert seen == [set(sparse.ids)] * 50
    lone = anchors([-9, -8, 1, 9])  # bins of five: the second and the fourth are empty; the third's only one is taken
    seen = drawn(anchored_windows(["r"], lone, size=5, iterations=50, seed=1, sampling="bucketed"))
    assert seen == [set(lone.ids)] * 50
    halves = anchors([-9, -8, 8, 9])  # the middle of three is as near to one side as to the other
    assert {frozenset(one) for one in drawn(anchored_windows(["r"], halves, size=4, iterations=60, seed=1, sampling="bucketed"))} == {
        frozenset(three) for three in itertools.combinations(halves.ids, 3)
    }


def test_a_far_bin_gives_nothing_while_a_nearer_one_has_some() -> None:
    uneven = anchors([-9, -8.5, -8, 3, 3.5, 8, 8.5, 9])  # of five bins the second is nearest to the first, the third to the fourth
    seen = drawn(anchored_windows(["r"], uneven, size=6, iterations=40, seed=1, sampling="bucketed"))
    assert all(len(one & {"a00", "a01", "a02"}) == 2 and {"a03", "a04"} < one for one in seen)


def test_the_panel_is_the_nearest_to_each_bins_middle_and_the_most_certain_on_ties() -> None:
    four = anchors([-7.5, -7, -2, -3, 2.5, 2.5, 7.4], [0.1, 0.1, 0.5, 0.2, math.nan, 0.9, 0.1])
    assert four.panel(4) == ["a00", "a03", "a05", "a06"]
    windows = anchored_windows(["r1", "r2"], four, size=5, iterations=9, seed=1, sampling="fixed")
    assert drawn(windows) == [{"a00", "a03", "a05", "a06"}] * 18
    assert len({window.shown for window in windows}) > 5, "only the order differs"


def test_an_empty_bin_of_the_panel_is_filled_by_the_nearest_that_is_left() -> None:
    assert anchors([-8, -6, 7, 8.5]).panel(4) == ["a00", "a01", "a03", "a02"]


def test_a_window_that_is_asked_for_again_shows_the_same_texts_in_another_order() -> None:
    window = Window("a", 0, ("b", "a", "c"))
    orders = [reshuffled(window, attempt).shown for attempt in range(6)]
    assert orders[0] == window.shown
    assert set(orders) == set(itertools.permutations(window.shown))
    second = Counter(tuple(sorted(texts).index(one) for one in reshuffled(Window("a", 0, texts), 1).shown) for texts in (
        (f"a{n}", f"b{n}", f"c{n}") for n in range(1000)
    ))  # fmt: skip
    assert len(second) == 5
    assert chisquare(list(second.values())).pvalue > 1e-4
    assert reshuffled(window, 1) == reshuffled(window, 1)
    assert reshuffled(Window("a", 0, ("b", "a")), 1).shown == ("a", "b")


@pytest.mark.parametrize(
    ("made", "error", "said"),
    [
        (lambda: pool_windows(POOL[:5], size=6, iterations=3, seed=0), DataError, "pool: must hold at least 6 texts for windows of 6; got 5."),
        (lambda: pool_windows(POOL, size=1, iterations=3, seed=0), ConfigError, "windows: must hold at least 2 texts; got 1."),
        (lambda: pool_windows(POOL, size=2, iterations=0, seed=0), ConfigError, "windows: must be asked for at least once"),
        (lambda: pool_windows([*POOL, POOL[3]], size=2, iterations=1, seed=0), DataError, "pool: the id of a text must be its own; got 'text 3'"),
        (lambda: pool_windows(POOL, size=2, iterations=1, seed=0, focal=["x"]), DataError, "pool: a text must be in the pool to get"),
        (lambda: anchored_windows(["r"], anchors([1, 2, 3]), size=6, iterations=3, seed=0, sampling="random"), DataError, "anchors: must be"),
        (lambda: anchored_windows(["a01"], EVEN, size=2, iterations=1, seed=0, sampling="fixed"), DataError, "responses: must have ids that no"),
        (lambda: anchors([1, 10.5]), DataError, "anchors: intensities must lie within -10 and 10; got 10.5 for 'a01'."),
        (lambda: anchors([1, math.nan]), DataError, "anchors: intensities must lie within -10 and 10; got nan for 'a01'."),
        (lambda: Anchors(("a", "a"), np.zeros(2), np.zeros(2)), DataError, "anchors: the id of an anchor must be its own; got 1 ids for 2."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_a_line(made: object, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as caught:
        made()  # type: ignore[operator]
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
