"""The measures of the paper as options: what the modules of this folder compute, as rows of the tidy table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from vat.errors import DataError, choose
from vat.measure.amplification import Case, HubContrast, hub_contrast, largest_cases
from vat.measure.base import Columns, Measure, Shifted
from vat.measure.circumplex import first_harmonic, mantel
from vat.measure.coupling import checked, couple
from vat.measure.gain import mean_interval
from vat.measure.indices import value_tax
from vat.measure.robustness import granularity_agreement, metric_agreement
from vat.measure.tax import measure_tax
from vat.measure.tidy import Row, tidy
from vat.measure.uncertainty import bootstrap
from vat.settings import settings
from vat.types import Floats

Count = Annotated[int, Field(ge=99)]
Seed = Annotated[int, Field(ge=0)]


@settings
class TaxMeasure(Measure):
    """measure=tax, section 3: gain, deviations, couplings, taxes.

    `factors`: what scenes share that p-values are cleared of and intervals reach beyond; none of them: scenes are independent.
    `n_boot`: draws; `n_perm`: permutations of each p-value; `seed`: of both.
    """

    factors: tuple[str, ...]
    n_boot: Count
    n_perm: Count
    seed: Seed

    headline: ClassVar[tuple[str, ...]] = ("gain", "nvat", "nvat_p_free", "nvat_p_chi2", "nvat_excess", "gini", "nvat_pre", "nvat_partial")
    version: ClassVar[int] = 2

    def check(self, factors: Collection[str]) -> None:
        """Raises a DataError for a factor that scenes do not have."""
        for name in self.factors:
            if name not in factors:
                raise DataError(f"measure.tax.factors: must be of what scenes share; got {name!r}. {choose(name, factors)}")

    def rows(self, shifted: Shifted) -> Sequence[Row]:
        """Every number of a TaxReport."""
        self.check(shifted.factors)
        factors = {name: shifted.factors[name] for name in self.factors}
        report = measure_tax(
            shifted.pre_SV, shifted.post_SV, target=shifted.target, direction=shifted.direction, factors=factors,
            n_boot=self.n_boot, n_perm=self.n_perm, seed=self.seed,
        )  # fmt: skip
        return tidy(vars(report), shifted.values)


@settings
class AmplificationMeasure(Measure):
    """measure=amplification, section 6.4: whether the `hubs` values of highest VAT shift further than the rest; `cases` scenes to read."""

    hubs: Annotated[int, Field(ge=1)]
    cases: Annotated[int, Field(ge=1)]
    n_boot: Count
    seed: Seed

    def rows(self, shifted: Shifted) -> Sequence[Row]:
        """`hub` is 1 for a hub; `amplification` is Cliff's delta of hubs against the rest, with the tests as rows of their own."""
        _, contrast = self._contrast(shifted)
        record = {
            "hub": contrast.hub_V, "amplification_hub": contrast.median_hub, "amplification_rest": contrast.median_rest,
            "amplification": contrast.effect, "amplification_low": contrast.effect_low, "amplification_high": contrast.effect_high,
            "amplification_p": contrast.p_hubs, "amplification_p_scenes": contrast.p, "amplification_p_mannwhitney": contrast.p_mannwhitney,
        }  # fmt: skip
        return tidy(record, shifted.values)

    def tables(self, shifted: Shifted) -> Mapping[str, Columns]:
        """`cases`: where the hubs moved most (any value, without hubs), to be read."""
        gain, contrast = self._contrast(shifted)
        hubs = np.flatnonzero(contrast.hub_V).tolist() or None
        cases = largest_cases(shifted.pre_SV, shifted.post_SV, gain=gain, values=hubs, count=self.cases)
        columns: dict[str, list[object]] = {name: [getattr(case, name) for case in cases] for name in Case._fields}
        columns |= {"scene": [shifted.scenes[case.scene] for case in cases], "value": [shifted.values[case.value] for case in cases]}
        return {"cases": columns}

    def _contrast(self, shifted: Shifted) -> tuple[float, HubContrast]:
        """Mean shift of the target, NaN if its interval contains 0, and the contrast."""
        shift_SV = checked(shifted.post_SV - shifted.pre_SV)
        _, mean, low, high = mean_interval(shift_SV[:, shifted.target], factors=shifted.factors)
        gain = mean if low > 0 or high < 0 else float("nan")
        return gain, hub_contrast(shift_SV, _taxes(shift_SV), gain=gain, target=shifted.target, hubs=self.hubs, n_boot=self.n_boot, seed=self.seed)


@settings
class CircumplexMeasure(Measure):
    """measure=circumplex, section 6.3: whether couplings and taxes follow the theory's circle. NaN for a theory without one."""

    n_boot: Count
    n_perm: Count
    seed: Seed

    def rows(self, shifted: Shifted) -> Sequence[Row]:
        """`circle` is Mantel's r of coupling with distance, `wave` the amplitude of the first harmonic of VAT, `wave_phase` where it is highest."""
        shift_SV = checked(shifted.post_SV - shifted.pre_SV)
        couplings, tax_V = couple(shift_SV), _taxes(shift_SV)
        angle_OV = np.zeros((1, len(tax_V))) if shifted.angle_OV is None else shifted.angle_OV  # on one point nothing is defined
        near = mantel(couplings.coupling_VV, angle_OV, n_perm=self.n_perm, seed=self.seed, pair_VV=couplings.pair_VV)
        drawn_BV = bootstrap(shift_SV, n_boot=self.n_boot, seed=self.seed).value_tax_BV
        wave = first_harmonic(tax_V, angle_OV[max(near.order, 0)], n_perm=self.n_perm, seed=self.seed, draw_BV=drawn_BV)
        order = float(near.order) if near.order >= 0 else float("nan")
        record = {
            "circle": near.r, "circle_p": near.p_lower, "circle_p_two_sided": near.p, "circle_order": order,
            "wave": wave.amplitude, "wave_low": wave.amplitude_low, "wave_high": wave.amplitude_high, "wave_p": wave.p,
            "wave_phase": wave.phase, "wave_phase_low": wave.phase_low, "wave_phase_high": wave.phase_high, "wave_share": wave.share,
        }  # fmt: skip
        return tidy(record, shifted.values)


@settings
class RobustnessMeasure(Measure):
    """measure=robustness, appendix C: whether values rank alike by VAT under Kendall's coupling and by the mean VAT of their items."""

    n_boot: Count
    seed: Seed

    def rows(self, shifted: Shifted) -> Sequence[Row]:
        """Rank correlations of VAT under Kendall's coupling, from items as in the paper, and from items apart from those of their own value.

        `…_split` is the same between halves of the scenes, which alone can be 0 by chance.
        """
        shift_SV, items = checked(shifted.post_SV - shifted.pre_SV), shifted.items
        by_items = partial(granularity_agreement, checked(items.post_SU - items.pre_SU), items.value_U, shift_SV, n_boot=self.n_boot, seed=self.seed)
        record: dict[str, float] = {}
        for name, found in {
            "agreement_kendall": metric_agreement(shift_SV, n_boot=self.n_boot, seed=self.seed),
            "agreement_items": by_items(),
            "agreement_items_apart": by_items(siblings=False),
        }.items():
            record |= {name: found.spearman, f"{name}_low": found.spearman_low, f"{name}_high": found.spearman_high}
            record |= {f"{name}_tau": found.kendall, f"{name}_split": found.spearman_split, f"{name}_split_p": found.p}
        return tidy(record, shifted.values)


def _taxes(shift_SV: Floats) -> Floats:
    """(V,) VAT, NaN for a value none of whose couplings is defined."""
    couplings = couple(shift_SV)
    return np.where(couplings.pair_VV.any(axis=1), value_tax(couplings.coupling_VV), np.nan)
