"""One judged state: measured, and written to its folder as people and later programs read it.

Shapes: S scenes, V values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from vat.analyse.heatmap import draw_coupling
from vat.config import AlignSpec
from vat.data.base import Split
from vat.elicit.states import paired_states, rating_array, value_states
from vat.measure.tax import TaxReport, measure_tax
from vat.theory.base import Theory
from vat.track.files import whole_file
from vat.types import Floats, Judgements

HEADLINE = ("gain", "gain_low", "gain_high", "nvat", "nvat_null", "nvat_p", "nvat_p_free", "nvat_p_chi2", "nvat_excess", "gini", "gini_null")
"""The numbers that are also given from expected ratings, as gain_expected and so on."""


def record(folder: Path, name: str, spec: AlignSpec, split: Split, pre: Judgements | None, post: Judgements) -> dict[str, float]:
    """Write judgements, value states, coupling and figure of a state to `folder`, and return its metrics by their names in MLflow.

    Args:
        name: How the job is called in the figure.
        pre: The state before; None for the state before itself, which has value states only.
    """
    theory = spec.theory.load()
    _write_judgements(folder / "judgements.parquet", post)
    metrics = {"missing_rate": post.missing_rate, "ceiling_rate": float(np.isin(post.rating_N, (1, 5)).mean())}
    if pre is None:
        post_SV = value_states(rating_array(post, theory), theory)
        _write_states(folder / "states.csv", split, theory, {"state": post_SV})
        return metrics | {f"state/{value}": float(np.nanmean(post_SV[:, v])) for v, value in enumerate(theory.values)}
    pre_SV, post_SV = _pair(pre, post, theory, "mode")
    report = _measure(spec, split, pre_SV, post_SV)
    expected = _measure(spec, split, *_pair(pre, post, theory, "expected"))
    _write_states(folder / "states.csv", split, theory, {"pre": pre_SV, "post": post_SV})
    _write_coupling(folder, name, spec, report)
    return metrics | _metrics(report, theory) | {f"{key}_expected": getattr(expected, key) for key in HEADLINE}


def direction_of(spec: AlignSpec) -> int:
    """As configured, or the theory's default for the value."""
    return spec.direction or spec.theory.load().spec(spec.value).direction


def _pair(pre: Judgements, post: Judgements, theory: Theory, which: Literal["mode", "expected"]) -> tuple[Floats, Floats]:
    return paired_states(rating_array(pre, theory, which=which), rating_array(post, theory, which=which), theory)


def _measure(spec: AlignSpec, split: Split, pre_SV: Floats, post_SV: Floats) -> TaxReport:
    return measure_tax(
        pre_SV,
        post_SV,
        target=spec.theory.load().values.index(spec.value),
        direction=direction_of(spec),
        factors=split.test.scene_factors,
        n_perm=spec.measure.n_perm,
        seed=spec.measure.seed,
    )


def _metrics(report: TaxReport, theory: Theory) -> dict[str, float]:
    scalars = {key: float(value) for key, value in vars(report).items() if np.ndim(value) == 0}
    rows = {"shift": report.shift, "gnd": report.gnd, "vat": report.value_tax}
    return scalars | {f"{row}/{value}": float(column[v]) for row, column in rows.items() for v, value in enumerate(theory.values)}


def _write_judgements(path: Path, judgements: Judgements) -> None:
    import pandas as pd

    table = pd.DataFrame([probe._asdict() for probe in judgements.probes]).drop(columns=["scene", "action"])
    table["rating"], table["expected"], table["mass"] = judgements.rating_N, judgements.expected_N, judgements.mass_N
    for n, column in enumerate(judgements.probability_N5.T):
        table[f"p{n + 1}"] = column
    with whole_file(path) as draft:
        table.to_parquet(draft, index=False)


def _write_states(path: Path, split: Split, theory: Theory, states: dict[str, Floats]) -> None:
    import pandas as pd

    columns: dict[str, object] = {"scene_id": split.test.scenes, **split.test.scene_factors}
    columns |= {f"{name}/{value}": state_SV[:, v] for name, state_SV in states.items() for v, value in enumerate(theory.values)}
    with whole_file(path) as draft:
        pd.DataFrame(columns).to_csv(draft, index=False, float_format="%.6g")


def _write_coupling(folder: Path, name: str, spec: AlignSpec, report: TaxReport) -> None:
    import pandas as pd

    values = spec.theory.load().values
    with whole_file(folder / "coupling.csv") as draft:
        pd.DataFrame(report.coupling, index=list(values), columns=list(values)).to_csv(draft, float_format="%.6g")
    interval = f"gain {report.gain:+.3f} [{report.gain_low:+.3f}, {report.gain_high:+.3f}]"
    tax = f"nvat {report.nvat:.3f}, by chance {report.nvat_null:.3f}, p {report.nvat_p:.4f}"
    caption = "\n".join(filter(None, (f"{interval}   {tax}   N = {report.n_scenes} scenes", spec.model.capabilities().caveat)))
    with whole_file(folder / "coupling.png") as draft:
        draw_coupling(draft, report.coupling, values, title=name, caption=caption, target=spec.value)
