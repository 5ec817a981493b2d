"""The fits of value intensity against their peers in the same process, at the same log-likelihood.

Utilities of texts against choix's `ilsr` and the loop over windows of the paper's appendix C.2; intensities of responses against scipy's
`minimize_scalar` one by one.

python benchmarks/intensity.py           # a missed target says NO
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import TypeVar

import choix
import numpy as np
from scipy.optimize import minimize_scalar

from vat.intensity import plackett_luce, response
from vat.types import Floats, Ints

ALMOST_NONE = 1e-7
"""A ridge too small to be seen in a log-likelihood, for peers that have none."""
SAME = 1e-6
"""Log-likelihoods that differ by less, relatively, are the same."""
EPOCHS = 20_000

T = TypeVar("T")


def best(work: Callable[[], T], times: int) -> tuple[float, T]:
    """Seconds of the fastest of several runs, and what it gave."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), found


def windows(n: int, k: int, m: int, seed: int) -> Ints:
    """m windows of k for each of n items, opponents uniform, as a Plackett–Luce judge ranks items of standard normal utilities."""
    random = np.random.default_rng(seed)
    utility_I = random.normal(size=n)
    focal = np.repeat(np.arange(n), m)
    others = np.stack([random.choice(n - 1, k - 1, replace=False) for _ in focal]) if k > 2 else random.integers(0, n - 1, (n * m, 1))
    window = np.concatenate([focal[:, None], others + (others >= focal[:, None])], axis=1)
    order = np.argsort(-(utility_I[window] + random.gumbel(size=window.shape)), axis=1)
    return np.take_along_axis(window, order, axis=1)


def told(what: str, ratio: float, least: float, more: str) -> bool:
    """Print a ratio and whether it is enough."""
    print(f"{what}: {ratio:,.0f} ×   at least {least:,.0f} ×: {'yes' if ratio >= least else 'NO'}   ({more})", flush=True)
    return ratio >= least


def against_choix(k: int, m: int, least: float) -> bool:
    """n = 1,000 texts."""
    data, n = windows(1000, k, m, seed=0), 1000
    rankings = [tuple(window) for window in data.tolist()]
    theirs = choix.ilsr_pairwise if k == 2 else choix.ilsr_rankings
    their_s, their_I = best(lambda: theirs(n, rankings), 1)
    our_s, ours = best(lambda: plackett_luce.fit(data, n, ridge=ALMOST_NONE, with_errors=False), 5)
    values = ours.log_likelihood, plackett_luce.log_likelihood(data, their_I)
    assert abs(values[0] - values[1]) <= SAME * abs(values[1]), values
    return told(f"choix ilsr, k = {k}, m = {m}", their_s / our_s, least, f"{their_s:.2f} s and {1000 * our_s:.0f} ms, {ours.evaluations} evaluations")


def against_the_loop() -> bool:
    """The paper's: one window after the other, a step after each pass. How many passes it takes is counted with the same steps on arrays.

    A step is 0.05 of the summed gradient, as in the paper; with windows of six it diverges.
    """
    data, n = windows(1000, 2, 30, seed=0), 1000
    our_s, ours = best(lambda: plackett_luce.fit(data, n, ridge=ALMOST_NONE, with_errors=False), 5)
    score = np.zeros(n)

    def one_pass() -> Floats:
        gradient = np.zeros(n)
        for window in data:
            shifted = score[window] - score[window].max()
            weight = np.exp(shifted)
            for first in range(len(window)):
                left = weight[first:].sum()
                gradient[window[first]] += 1
                for other in range(first, len(window)):
                    gradient[window[other]] -= weight[other] / left
        return gradient

    pass_s, looped = best(one_pass, 1)
    likelihood = plackett_luce._Likelihood([data], n)
    assert np.allclose(looped, likelihood.value(score)[1])
    utility_I, passes = np.zeros(n), 0
    while passes < EPOCHS:
        value, gradient_I = likelihood.value(utility_I)
        if abs(value - ours.log_likelihood) <= SAME * abs(ours.log_likelihood):
            break
        utility_I, passes = utility_I + 0.05 * gradient_I, passes + 1
    more = f"{passes:,} passes of {pass_s:.2f} s and {1000 * our_s:.0f} ms"
    return told("the paper's loop, k = 2, m = 30", passes * pass_s / our_s, 1000, more)


def large() -> bool:
    """n = 10,000 texts, m = 30."""
    data, n = windows(10_000, 2, 30, seed=0), 10_000
    seconds, found = best(lambda: plackett_luce.fit(data, n, with_errors=False), 3)
    tracemalloc.start()
    plackett_luce.fit(data, n, with_errors=False)
    mib = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    whole_s, _ = best(lambda: plackett_luce.fit(data, n), 1)
    met = found.evaluations <= 25 and mib <= 60
    print(f"n = 10,000, m = 30: {found.evaluations} evaluations, {mib:.0f} MB, {seconds:.2f} s ({whole_s:.2f} s with standard errors)", end="")
    print(f"   at most 25 and 60 MB: {'yes' if met else 'NO'}")
    return met


def responses() -> bool:
    """10,000 responses, k = 6, m = 3."""
    random, n, m, a = np.random.default_rng(0), 10_000, 3, 5
    true_R, anchor_RMA = random.uniform(-9, 9, n), np.sort(random.uniform(-10, 10, (n, m, a)))[..., ::-1]
    place_RM = (anchor_RMA + random.gumbel(size=anchor_RMA.shape) > true_R[:, None, None] + random.gumbel(size=(n, m, 1))).sum(axis=2)
    rankings = response.Rankings(anchor_RMA, place_RM)
    our_s, ours = best(lambda: response.fitted(rankings), 5)
    few = 500

    def one_by_one() -> Floats:
        found = np.empty(few)
        for row in range(few):
            one = response.Rankings(anchor_RMA[row : row + 1], place_RM[row : row + 1])
            left, chosen, there = (table[0] for table in response._choices(one, 1.0))

            def loss(x: float, left: Floats = left, chosen: Floats = chosen, there: Floats = there) -> float:
                ahead = x - left
                return float((there * np.logaddexp(0, np.where(chosen, -ahead, ahead))).sum()) + x * x / (2 * response.PRIOR_SD**2)

            found[row] = minimize_scalar(loss, bounds=(-60, 60), method="bounded", options={"xatol": 1e-6}).x
        return found

    their_s, theirs = best(one_by_one, 1)
    some = response.Rankings(anchor_RMA[:few], place_RM[:few])
    values = [response.log_likelihood(some, x) - x**2 / (2 * response.PRIOR_SD**2) for x in (ours[:few], theirs)]
    assert np.abs(values[0] - values[1]).max() <= SAME
    return told(
        "minimize_scalar, one response after the other",
        their_s * n / few / our_s,
        50,
        f"{their_s * n / few:.1f} s and {1000 * our_s:.0f} ms for {n:,}",
    )


def main() -> int:
    met = [against_choix(2, 30, 20), against_choix(6, 6, 40), against_the_loop(), large(), responses()]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
