"""The kernels of `vat/measure` against the usual ways to the same numbers: same process, same data, one thread.

python benchmarks/measure.py            # a row for each peer, number of scenes and kind of data; a missed target says NO

Numbers are compared first, to 1e-12. Then the works take turns of at least 5 ms, and a row shows medians over turns. With a peer it is
processor time, of which other processes take none; without one it is wall time. What stands ready before the clock starts: how often a
resample takes each scene, for us; resampled rows and frames, for peers; a compiled kernel. Peers get what suits them best: contiguous
columns, frames that need no copy, kendalltau told its method, all shuffles drawn in one call a value.

Shapes: S scenes, V values, B resamples or permutations, R runs.
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy
from scipy.stats import kendalltau, spearmanr

from vat.measure.coupling import coupling_batch, coupling_matrix
from vat.measure.kendall import kendall_matrix
from vat.measure.null import permutation_null, random_orders
from vat.measure.resample import bootstrap_weights, resampled_couplings
from vat.measure.tax import measure_tax
from vat.measure.uncertainty import bootstrap

VALUES, RUNS = 10, 288
SAME, TURN_S = 1e-12, 0.005
ROUNDS = {80: 15, 1000: 9, 9000: 5}
DRAWS = {80: 2000, 1000: 1000, 9000: 200}
PERMUTATIONS = {80: 1999, 1000: 999, 9000: 199}
PEER_DRAWS = {80: 40, 1000: 20, 9000: 5}
HAS_NUMBA = find_spec("numba") is not None


class Row(NamedTuple):
    """Median µs of a unit of work. `target`: the ratio to reach, or without a peer the µs to stay below."""

    unit: str
    peer: str
    n: int
    data: str
    ours_us: float
    peer_us: float | None
    target: float | None


class Work(NamedTuple):
    """Something to time, that does `units` of work."""

    units: int
    run: Callable[[], Any]


def main() -> None:
    rows: list[Row] = []
    for part, scenes in ((resample, ROUNDS), (permutation, ROUNDS), (kendall, (80, 1000)), (batch, (80,)), (whole, (80,))):
        for n, data in itertools.product(scenes, ("grid", "continuous")):
            print(f"{part.__name__}, N={n}, {data} …", file=sys.stderr, flush=True)
            rows += part(n, data)
    show(rows)
    if not HAS_NUMBA:
        print("Kendall matrix, numba: not installed (pip install 'vat[fast]').")
    print(f"numpy {np.__version__}, scipy {scipy.__version__}, pandas {pd.__version__}; load average {os.getloadavg()[0]:.1f}")


def resample(n: int, data: str) -> Iterable[Row]:
    shift_SV, peer_draws = shifts(n, data), PEER_DRAWS[n]
    weight_BS = bootstrap_weights(n, n_boot=DRAWS[n], seed=0)
    drawn_BSV = [np.asfortranarray(np.repeat(shift_SV, weight_S.astype(int), axis=0)) for weight_S in weight_BS[:peer_draws]]
    frames = [pd.DataFrame(drawn_SV, copy=False) for drawn_SV in drawn_BSV]
    ours = Work(DRAWS[n], lambda: resampled_couplings(shift_SV, weight_BS))
    by_scipy = Work(peer_draws, lambda: [spearmanr(drawn_SV).statistic for drawn_SV in drawn_BSV])
    by_pandas = Work(peer_draws, lambda: [frame.corr("spearman") for frame in frames])
    agree("resample", ours.run()[:peer_draws], by_scipy.run(), by_pandas.run())
    us, scipy_us, pandas_us = taking_turns(n, ours, by_scipy, by_pandas)
    yield Row("resample", "scipy spearmanr", n, data, us, scipy_us, {80: 50, 1000: 15, 9000: 5}[n])
    yield Row("resample", "pandas corr", n, data, us, pandas_us, 8)


def permutation(n: int, data: str) -> Iterable[Row]:
    shift_SV, few = shifts(n, data), PEER_DRAWS[n]

    def by_shuffling() -> list[float]:
        random = np.random.default_rng(0)
        return taxes(np.stack([random.permuted(np.broadcast_to(x_S, (few, n)), axis=1) for x_S in shift_SV.T]))

    def by_our_shuffles() -> list[float]:
        random = np.random.default_rng(0)
        return taxes(np.stack([x_S[random_orders(random, few, n)] for x_S in shift_SV.T]))

    def taxes(shuffled_VBS: Any) -> list[float]:
        frames = (pd.DataFrame(shuffled_VBS[:, b].T, copy=False) for b in range(few))
        return [((frame.corr("spearman").to_numpy() ** 2).sum() - VALUES) / (VALUES * (VALUES - 1)) for frame in frames]

    agree("permutation", permutation_null(shift_SV, n_perm=few, seed=0).nvat_B ** 2, by_our_shuffles())
    ours = Work(PERMUTATIONS[n], lambda: permutation_null(shift_SV, n_perm=PERMUTATIONS[n], seed=0))
    us, loop_us = taking_turns(n, ours, Work(few, by_shuffling))
    yield Row("permutation", "pandas loop", n, data, us, loop_us, 10 if n == 80 else None)


def kendall(n: int, data: str) -> Iterable[Row]:
    shift_SV = shifts(n, data)
    pairs, upper = list(itertools.combinations(shift_SV.T.copy(), 2)), np.triu_indices(VALUES, 1)
    frame = pd.DataFrame(np.asfortranarray(shift_SV), copy=False)
    by_scipy = Work(1, lambda: [kendalltau(x_S, y_S, method="asymptotic").statistic for x_S, y_S in pairs])
    by_pandas = Work(1, lambda: frame.corr("kendall").to_numpy())
    ours = {"numpy": Work(1, lambda: kendall_matrix(shift_SV, engine="numpy"))}
    if HAS_NUMBA:
        ours["numba"] = Work(1, lambda: kendall_matrix(shift_SV, engine="numba"))
    for work in ours.values():
        agree("Kendall matrix", work.run()[upper], by_scipy.run(), by_pandas.run()[upper])
    *ours_us, scipy_us, pandas_us = taking_turns(n, *ours.values(), by_scipy, by_pandas)
    for engine, us in zip(ours, ours_us, strict=True):
        yield Row(f"Kendall matrix, {engine}", f"{len(pairs)} scipy kendalltau", n, data, us, scipy_us, 5 if (engine, n) == ("numpy", 1000) else 50)
        yield Row(f"Kendall matrix, {engine}", "pandas corr", n, data, us, pandas_us, None)


def batch(n: int, data: str) -> Iterable[Row]:
    shift_RSV = shifts(RUNS * n, data).reshape(RUNS, n, VALUES)
    contiguous_RSV = [np.asfortranarray(shift_SV) for shift_SV in shift_RSV]
    ours = Work(RUNS, lambda: coupling_batch(shift_RSV))
    by_scipy = Work(RUNS, lambda: [spearmanr(shift_SV).statistic for shift_SV in contiguous_RSV])
    singly = Work(RUNS, lambda: [coupling_matrix(shift_SV) for shift_SV in shift_RSV])
    agree("batch", ours.run(), by_scipy.run(), singly.run())
    us, scipy_us, singly_us = taking_turns(n, ours, by_scipy, singly)
    yield Row(f"run in a batch of {RUNS}", "scipy spearmanr", n, data, us, scipy_us, 20)
    yield Row(f"run in a batch of {RUNS}", "coupling_matrix", n, data, us, singly_us, 20)


def whole(n: int, data: str) -> Iterable[Row]:
    random, shift_SV = np.random.default_rng(1), shifts(n, data)
    pre_SV = np.round(random.uniform(-0.5, 0.5, shift_SV.shape) * 20) / 20
    post_SV = np.clip(pre_SV + shift_SV, -1, 1)
    cell_S = random.permutation(264)[:n]  # 12 countries × 11 topics × 2
    factors = {"country": cell_S // 22, "topic": cell_S // 2 % 11}
    draws = Work(1, lambda: bootstrap(shift_SV, n_boot=10_000))
    report = Work(1, lambda: measure_tax(pre_SV, post_SV, target=0, direction=1, factors=factors))
    draws_us, report_us = taking_turns(n, draws, report, clock=time.perf_counter)
    yield Row("10,000 bootstrap draws, in all", "-", n, data, draws_us, None, 500_000)
    yield Row("measure_tax report, in all", "-", n, data, report_us, None, None)


def shifts(n: int, data: str) -> np.ndarray:
    """Independent values: on the grid of shifts in practice, with many ties, or next to none tied."""
    normal_SV = np.random.default_rng(n).normal(size=(n, VALUES))
    return np.round(normal_SV * 5) / 20 if data == "grid" else np.round(normal_SV / 4, 6)


def agree(unit: str, ours: object, *theirs: object) -> None:
    gap = max(np.abs(np.asarray(ours) - np.asarray(peer)).max() for peer in theirs)
    if not gap <= SAME:
        sys.exit(f"benchmarks/measure.py: {unit}: ours and the peer's must agree to {SAME:g}; got {gap:g}. Mend that before timing it.")


def taking_turns(n: int, *works: Work, clock: Callable[[], float] = time.process_time) -> list[float]:
    """Median µs of a unit of each work."""

    def seconds(work: Work, times: int) -> float:
        start = clock()
        for _ in range(times):
            work.run()
        return (clock() - start) / times

    times = [max(1, round(TURN_S / seconds(work, 1))) for work in works]
    turns = [[seconds(work, often) / work.units * 1e6 for work, often in zip(works, times, strict=True)] for _ in range(ROUNDS[n])]
    return [statistics.median(of_work) for of_work in zip(*turns, strict=True)]


def show(rows: Sequence[Row]) -> None:
    lines = [("unit", "peer", "N", "data", "ours µs", "peer µs", "ratio", "target", "met")]
    for unit, peer, n, data, ours_us, peer_us, target in rows:
        if peer_us is None:
            shown, goal, met = ("-", "-"), f"< {target} µs", ours_us < (target or 0)
        else:
            shown, goal, met = (f"{peer_us:.1f}", f"{peer_us / ours_us:.2f}"), f"≥ {target}", peer_us / ours_us >= (target or 0)
        judged = ("-", "-") if target is None else (goal, "yes" if met else "NO")
        lines.append((unit, peer, str(n), data, f"{ours_us:.1f}", *shown, *judged))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [cell.rjust(width) if c in (2, 4, 5, 6, 7) else cell.ljust(width) for c, (cell, width) in enumerate(zip(line, widths, strict=True))]
        print("  ".join(cells).rstrip())


if __name__ == "__main__":
    main()
