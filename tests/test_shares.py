"""Intervals of shares."""

from __future__ import annotations

import math

import pytest
from scipy.stats import binomtest

from vat.shares import wilson


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (5, 5), (1, 3), (48, 54), (54, 54)])
def test_the_interval_of_a_share_is_wilsons(hits: int, trials: int) -> None:
    wanted = binomtest(hits, trials).proportion_ci(method="wilson")
    assert wilson(hits, trials) == pytest.approx((wanted.low, wanted.high))


def test_without_trials_there_is_no_interval() -> None:
    assert all(map(math.isnan, wilson(0, 0)))
