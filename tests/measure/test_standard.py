"""What every measure owes the main program, and the names of measure=tax."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vat.config import AlignSpec
from vat.measure.base import Shifted
from vat.measure.tax import measure_tax

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "measure").glob("*.yaml"))
VALUES = ("care", "pride", "order")


def shifted(missing: float = 0.0) -> Shifted:
    random = np.random.default_rng(0)
    pre_SV, post_SV = random.choice([-1, -0.5, 0, 0.5, 1], size=(2, 30, 3))
    pre_SV[random.random(pre_SV.shape) < missing] = np.nan
    return Shifted(pre_SV, post_SV, VALUES, 1, -1, {"country": [f"c{n % 3}" for n in range(30)]})


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("name", NAMES)
def test_every_measure_gives_plain_numbers_and_the_same_ones_again(name: str, missing: float, compose: Callable[..., AlignSpec]) -> None:
    measure = compose(f"measure=[{name}]").measures[name]
    metrics = measure.metrics(shifted(missing))
    assert metrics
    assert all(type(value) is float for value in metrics.values())
    assert set(measure.headline) <= metrics.keys()
    np.testing.assert_equal(measure.metrics(shifted(missing)), metrics)


def test_the_tax_has_a_number_for_each_value_under_its_name(compose: Callable[..., AlignSpec]) -> None:
    metrics = compose("measure.tax.n_perm=99").measures["tax"].metrics(shifted())
    report = measure_tax(*shifted()[:2], target=1, direction=-1, factors=shifted().factors, n_perm=99, seed=0)
    for v, value in enumerate(VALUES):
        assert metrics[f"shift/{value}"] == report.shift[v]
        assert metrics[f"vat/{value}"] == report.value_tax[v]
        np.testing.assert_equal(metrics[f"gnd/{value}"], report.gnd[v])
    for name in ("gain", "nvat", "nvat_null", "nvat_p", "nvat_p_free", "nvat_p_chi2", "nvat_excess", "nvat_frobenius", "gini", "gini_null"):
        np.testing.assert_equal(metrics[name], getattr(report, name))
