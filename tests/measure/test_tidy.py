"""One table for all measures: what becomes a row, what stands in it, and what MLflow calls it."""

import numpy as np
import pytest

from vat.measure.tax import measure_tax
from vat.measure.tidy import ASPECTS, Row, metrics, tidy

NAN = float("nan")
VALUES = ("care", "pride", "order")


def test_a_number_is_a_row_without_a_value():
    assert tidy({"gain": 0.5}, VALUES) == (Row("gain", "", "", 0.5),)


def test_a_fields_interval_level_and_p_stand_in_its_row():
    record = {"nvat": 0.5, "nvat_low": 0.25, "nvat_high": 0.75, "nvat_null": 0.125, "nvat_p": 0.01, "nvat_q": 0.02, "gini": 0.0}
    assert tidy(record, VALUES) == (Row("nvat", "", "", 0.5, 0.25, 0.75, 0.125, 0.01, 0.02), Row("gini", "", "", 0.0))


def test_rows_come_in_the_order_of_the_fields_wherever_their_aspects_stand():
    rows = tidy({"b_low": 1.0, "b": 2.0, "a": 3.0, "b_high": 4.0}, VALUES)
    assert rows == (Row("b", "", "", 2.0, 1.0, 4.0), Row("a", "", "", 3.0))


def test_a_field_that_only_ends_like_an_aspect_is_a_row_of_its_own():
    rows = tidy({"nvat": 0.5, "nvat_p_free": 0.25, "nvat_p": 0.5, "ceiling_high": 1.0}, VALUES)
    assert rows == (Row("nvat", "", "", 0.5, p=0.5), Row("nvat_p_free", "", "", 0.25), Row("ceiling_high", "", "", 1.0))


def test_an_aspect_belongs_to_the_longest_name_that_fits():
    rows = tidy({"nvat": 1.0, "nvat_pre": 2.0, "nvat_pre_null": 3.0, "nvat_null": 4.0}, VALUES)
    assert rows == (Row("nvat", "", "", 1.0, null=4.0), Row("nvat_pre", "", "", 2.0, null=3.0))


def test_a_vector_is_a_row_a_value_under_its_name():
    rows = tidy({"shift": np.array([1.0, 2.0, 3.0]), "shift_low": np.array([0.5, NAN, 2.5])}, VALUES)
    assert [row[:4] for row in rows] == [("shift", "care", "", 1.0), ("shift", "pride", "", 2.0), ("shift", "order", "", 3.0)]
    np.testing.assert_array_equal([row.low for row in rows], [0.5, NAN, 2.5])
    assert all(row.high is None for row in rows)


def test_a_matrix_is_a_row_a_pair_each_pair_once():
    coupling = np.array([[1, 0.1, 0.2], [0.1, 1, 0.3], [0.2, 0.3, 1]])
    rows = tidy({"coupling": coupling, "coupling_q": coupling / 2}, VALUES)
    assert [(row.value, row.other, row.estimate, row.q) for row in rows] == [
        ("care", "pride", 0.1, 0.05), ("care", "order", 0.2, 0.1), ("pride", "order", 0.3, 0.15),
    ]  # fmt: skip


def test_what_is_not_defined_stays_nan_and_what_is_not_given_is_none():
    (row,) = tidy({"gain": NAN, "gain_low": NAN}, VALUES)
    assert np.isnan([row.estimate, row.low]).all()
    assert (row.high, row.null, row.p, row.q) == (None, None, None, None)


def test_every_number_of_a_row_is_a_plain_one():
    record = {"live": np.array([True, False, True]), "n": np.int64(4), "gain": np.float64(0.5), "gain_low": np.float32(0.25)}
    rows = tidy(record, VALUES)
    assert [row.estimate for row in rows] == [1.0, 0.0, 1.0, 4.0, 0.5]
    assert {type(row.estimate) for row in rows} == {float}
    assert type(rows[-1].low) is float


def test_the_vector_value_tax_is_vat():
    rows = tidy({"value_tax": np.arange(3.0), "value_tax_null": np.ones(3)}, VALUES)
    assert {row.statistic for row in rows} == {"vat"}
    assert metrics(rows) == {"vat/care": 0.0, "vat_null/care": 1.0, "vat/pride": 1.0, "vat_null/pride": 1.0, "vat/order": 2.0, "vat_null/order": 1.0}


def test_metrics_are_named_by_statistic_aspect_and_value_and_leave_out_pairs():
    rows = (
        Row("gain", "", "", 0.5, low=0.25, high=0.75), Row("nvat", "", "", 0.1, null=0.2, p=0.3), Row("shift", "care", "", 0.4, low=NAN, q=0.0),
        Row("coupling", "care", "pride", 0.9, low=0.8, q=0.01),
    )  # fmt: skip
    named = metrics(rows)
    assert list(named) == ["gain", "gain_low", "gain_high", "nvat", "nvat_null", "nvat_p", "shift/care", "shift_low/care", "shift_q/care"]
    np.testing.assert_array_equal(list(named.values()), [0.5, 0.25, 0.75, 0.1, 0.2, 0.3, 0.4, NAN, 0.0])
    assert metrics(()) == {}


@pytest.mark.parametrize("missing", [0.0, 1.0], ids=["observed", "nothing observed"])
def test_a_report_has_every_field_in_one_row_or_beside_one_and_the_same_rows_whatever_the_states(missing):
    states = np.random.default_rng(0).uniform(-1, 1, (2, 12, 3))
    states[:, np.random.default_rng(1).random((12, 3)) < missing] = NAN
    report = vars(measure_tax(*states, target=0, direction=1, n_boot=9, n_perm=9))
    rows = tidy(report, VALUES)
    names = [row[:3] for row in rows]
    assert len(set(names)) == len(names)
    fields = {"value_tax" if row.statistic == "vat" else row.statistic for row in rows}
    beside = {f"{field}_{aspect}" for field in fields for aspect in ASPECTS}
    assert fields <= report.keys() <= fields | beside
    assert len(rows) == sum({0: 1, 1: 3, 2: 3}[np.ndim(report[field])] for field in fields)
    row = next(row for row in rows if row[:3] == ("coupling", "pride", "order"))
    np.testing.assert_equal(row.estimate, float(report["coupling"][1, 2]))
    assert all(getattr(row, aspect) is not None for aspect in ("low", "high", "p", "q"))
    assert row.null is None
