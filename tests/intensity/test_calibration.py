"""The three maps onto the scale."""

from __future__ import annotations

import numpy as np
import pytest

from vat.errors import DataError
from vat.intensity.calibration import Method, calibrated

UTILITY_I = np.array([-1.0, 0.5, np.nan, 3.0, -0.5])
ERROR_I = np.array([0.1, 0.2, np.nan, 0.4, 0.2])
METHODS: tuple[Method, ...] = ("zscore", "minmax", "quantile")


def test_zscore_is_linear_about_the_mean_with_the_farthest_text_at_an_end() -> None:
    found = calibrated(UTILITY_I, ERROR_I)
    np.testing.assert_allclose(found.intensity_I, [-6, 0, np.nan, 10, -4])
    np.testing.assert_allclose(found.error_I, [0.4, 0.8, np.nan, 1.6, 0.8])


def test_minmax_puts_both_ends_at_the_ends() -> None:
    found = calibrated(UTILITY_I, ERROR_I, "minmax")
    np.testing.assert_allclose(found.intensity_I, [-10, -2.5, np.nan, 10, -7.5])
    np.testing.assert_allclose(found.error_I, 5 * ERROR_I)


def test_quantile_is_normal_by_rank_and_reaches_both_ends() -> None:
    utility_I = np.exp(np.random.default_rng(0).normal(size=1000))
    found = calibrated(utility_I, np.full(1000, 1e-3), "quantile")
    assert (np.argsort(found.intensity_I) == np.argsort(utility_I)).all()
    assert np.abs(found.intensity_I).max() == pytest.approx(10)
    assert found.intensity_I.mean() == pytest.approx(0, abs=1e-9)
    assert np.mean(np.abs(found.intensity_I) > 9.5) < 0.01, "the ends are not full"
    near = np.searchsorted(np.sort(utility_I), [1.0, 3.0])
    slow, fast = found.error_I[np.argsort(utility_I)][near[1]], found.error_I[np.argsort(utility_I)][near[0]]
    assert fast > slow, "where texts lie close, little error of utility is much of rank"


def test_texts_of_one_utility_have_one_intensity() -> None:
    for method in METHODS:
        found = calibrated(np.array([0.0, 1.0, 1.0, 2.0]), np.ones(4), method)
        assert found.intensity_I[1] == found.intensity_I[2]
        assert np.isfinite(found.error_I).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("utility_I", [np.zeros(5), np.array([np.nan, np.nan]), np.array([1.0])], ids=["alike", "none", "one"])
def test_texts_that_do_not_differ_have_no_scale(method: Method, utility_I: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"^calibration: texts must differ in their utilities; got \d of which none do"):
        calibrated(utility_I, np.ones(len(utility_I)), method)
