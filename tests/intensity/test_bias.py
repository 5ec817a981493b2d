"""Whether a judge ranks what it reads, or where it stands; and that balanced orders keep the second out of what is measured."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import binomtest, chisquare

from tests.intensity.simulated import rank
from vat.errors import DataError
from vat.intensity.bias import PositionBias, position_bias
from vat.intensity.windows import pool_windows

ids = [f"{n:03d}" for n in range(60)]
STRENGTH = dict(zip(ids, np.linspace(-2, 2, 60).tolist(), strict=True))


def of_judge(bias: float, size: int = 2, windows: int = 3000, seed: int = 0) -> PositionBias:
    rng = np.random.default_rng(seed)
    [found] = position_bias(rank(rng.normal(size=(windows, size)), bias=bias, rng=rng).tolist())
    return found


def test_by_hand() -> None:
    small, large = position_bias([(0, 1, 2), (0, 2, 1), (2, 1, 0), (), (1, 0), (0, 1, 2)])
    assert (small.size, small.windows, large.size, large.windows) == (2, 1, 3, 4)
    assert [share.share for share in large.first] == [0.75, 0.0, 0.25]
    wanted = binomtest(3, 4).proportion_ci(method="wilson")
    assert large.first[0][1:] == pytest.approx((wanted.low, wanted.high))
    assert large.p == pytest.approx(chisquare([3, 0, 1]).pvalue)
    assert large.mean_rank == (1.5, 2.25, 2.25)
    assert (large.as_shown.share, large.as_shown_reversed.share) == (0.5, 0.25)


@pytest.mark.parametrize("size", [2, 3, 6])
def test_a_judge_that_reads_shows_no_bias_more_often_than_the_level_of_the_test(size: int) -> None:
    p_S = np.array([of_judge(0.0, size, windows=300, seed=seed).p for seed in range(200)])
    assert 0.01 <= (p_S < 0.05).mean() <= 0.10
    assert not any("whatever" in line for line in of_judge(0.0, size).told("judge a"))


@pytest.mark.parametrize("size", [2, 6])
@pytest.mark.parametrize("bias", [0.3, -0.3])
def test_a_bias_is_found_and_its_side_is_told(size: int, bias: float) -> None:
    found = of_judge(bias, size)
    assert found.p < 1e-3
    assert (found.first[0].low > 1 / size) if bias > 0 else (found.first[0].high < 1 / size)
    assert (found.mean_rank[0] < (size + 1) / 2) == (bias > 0)
    assert found.told("judge a")[0].startswith("judge a: biased: ranked ")


@pytest.mark.parametrize("size", [2, 4, 6])
def test_a_judge_that_always_answers_in_the_order_shown_is_a_finding_of_its_own(size: int) -> None:
    [found] = position_bias([tuple(range(size))] * 200)
    assert found.told("judge a")[1].startswith(f"judge a: answers {' > '.join(map(str, range(1, size + 1)))} whatever the texts are")
    [backward] = position_bias([tuple(range(size))[::-1]] * 200)
    assert backward.told("judge a")[1].startswith(f"judge a: answers {' > '.join(map(str, range(size, 0, -1)))} whatever the texts are")
    assert (len(found.told("judge a")), len(backward.told("judge a"))) == (2, 2)


def test_how_many_windows_are_answered_by_rote_is_told_from_those_that_come_out_so_by_chance() -> None:
    rng = np.random.default_rng(1)
    read = rank(rng.normal(size=(3000, 3)), rng=rng)
    read[:1200] = (0, 1, 2)
    [found] = position_bias(read.tolist())
    forward, backward = found.by_rote()
    assert forward.low < 0.4 < forward.high
    assert backward.share < 0
    assert forward.share == pytest.approx((found.as_shown.share - 1 / 6) / (5 / 6))
    assert f"in about {forward.share:.0%} of the windows: it did so in {found.as_shown.share:.1%}, 16.7% by chance" in found.told("judge a")[1]


def test_what_is_no_order_is_refused() -> None:
    with pytest.raises(DataError, match="a ranking must hold each place from 0 to 2 once"):
        position_bias([(1, 2, 3)])
    assert position_bias([(), ()]) == []


def utilities(rankings: list[tuple[str, ...]]) -> np.ndarray:
    """Bradley and Terry's fit with a small ridge, by the plainest means."""
    best, worst = (np.array([int(ranking[at]) for ranking in rankings]) for at in (0, 1))

    def loss(u: np.ndarray) -> tuple[float, np.ndarray]:
        gap = u[best] - u[worst]
        slope = -1 / (1 + np.exp(gap))
        gradient = np.bincount(best, slope, len(u)) - np.bincount(worst, slope, len(u)) + 0.002 * u
        return float(np.logaddexp(0, -gap).sum() + 0.001 * u @ u), gradient

    return np.asarray(minimize(loss, np.zeros(len(ids)), jac=True, method="L-BFGS-B").x)


def fitted(bias: float, *, balanced: bool, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shown = [window.shown for window in pool_windows(ids, size=2, iterations=100, seed=seed)]
    if not balanced:  # as where the text that is asked about always stands first: here the stronger half of the texts
        shown = [tuple(sorted(pair, key=lambda one: one < ids[30])) for pair in shown]
    places = rank([[STRENGTH[one] for one in pair] for pair in shown], bias=bias, rng=rng)
    return utilities([tuple(pair[place] for place in order) for pair, order in zip(shown, places.tolist(), strict=True)])


def test_in_balanced_windows_a_bias_shifts_no_text_and_elsewhere_it_does() -> None:
    """A bias blurs: what is left of the differences between texts is smaller, in proportion, and without a side. 60 texts, 6 judges."""
    truth = np.array(list(STRENGTH.values()))

    def shift(bias: float, *, balanced: bool) -> tuple[float, float]:
        """Slope of utilities on the truth, and by how much the stronger half lies off that line."""
        mean = np.mean([fitted(bias, balanced=balanced, seed=seed) for seed in range(6)], axis=0)
        slope = float(truth @ mean / (truth @ truth))
        step = np.sign(truth) - truth * float(np.sign(truth) @ truth) / float(truth @ truth)
        return slope, float(step @ (mean - mean.mean()) / (step @ step))

    slope, off = shift(1.0, balanced=True)
    assert 0.7 < slope < 1.0
    assert abs(off) < 0.08
    assert shift(0.0, balanced=True)[0] == pytest.approx(1.0, abs=0.06)
    assert abs(shift(1.0, balanced=False)[1]) > 0.3
