"""measure=tax: everything that tax.py measures, under the names it has in MLflow."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from vat.measure.base import Measure, Shifted
from vat.measure.tax import measure_tax
from vat.settings import settings


@settings
class TaxMeasure(Measure):
    """`n_perm`: permutations of each p-value; `seed`: of the permutations."""

    n_perm: Annotated[int, Field(ge=99)]
    seed: Annotated[int, Field(ge=0)]

    headline: ClassVar[tuple[str, ...]] = (
        "gain", "gain_low", "gain_high", "nvat", "nvat_null", "nvat_p", "nvat_p_free", "nvat_p_chi2", "nvat_excess", "gini", "gini_null",
        "nvat_pre", "nvat_pre_null", "nvat_pre_p", "nvat_partial", "nvat_partial_null", "nvat_partial_p",
    )  # fmt: skip

    def metrics(self, shifted: Shifted) -> dict[str, float]:
        """Every number of a TaxReport; those of a value as shift/<value>, gnd/<value>, vat/<value>."""
        pre_SV, post_SV, values, target, direction, factors = shifted
        report = measure_tax(pre_SV, post_SV, target=target, direction=direction, factors=factors, n_perm=self.n_perm, seed=self.seed)
        scalars = {key: float(value) for key, value in vars(report).items() if np.ndim(value) == 0}
        rows = {"shift": report.shift, "gnd": report.gnd, "gnd_low": report.gnd_low, "gnd_high": report.gnd_high, "vat": report.value_tax}
        return scalars | {f"{row}/{value}": float(column[v]) for row, column in rows.items() for v, value in enumerate(values)}
