"""One judged state: measured, and written to its folder as people and later programs read it.

Shapes: S scenes, V values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from vat.analyse.heatmap import draw_coupling
from vat.config import AlignSpec
from vat.data.base import Split
from vat.elicit.states import paired_states, rating_array, value_states
from vat.measure.base import Shifted
from vat.measure.coupling import coupling_matrix
from vat.measure.gain import mean_interval
from vat.theory.base import Theory
from vat.track.files import whole_file
from vat.types import Floats, Judgements


def record(folder: Path, name: str, spec: AlignSpec, split: Split, pre: Judgements | None, post: Judgements) -> dict[str, float]:
    """Write judgements, value states, coupling and figure of a state to `folder`, and return its metrics by their names in MLflow.

    Args:
        name: How the job is called in the figure.
        pre: The state before; None for the state before itself, which has value states only.
    """
    theory = spec.theory.load()
    _write_judgements(folder / "judgements.parquet", post)
    metrics = {"missing_rate": post.missing_rate, "ceiling_rate": _share_at_the_ends(post.rating_N)}
    if pre is None:
        post_SV = value_states(rating_array(post, theory), theory)
        _write_states(folder / "states.csv", split, theory, {"state": post_SV})
        return metrics | {f"state/{value}": mean_interval(post_SV[:, v]).mean for v, value in enumerate(theory.values)}
    shifted = _shifted(spec, split, pre, post, "mode")
    expected = _shifted(spec, split, pre, post, "expected")
    for measure in spec.measures.values():
        metrics |= measure.metrics(shifted)
        headline = measure.metrics(expected) if measure.headline else {}
        metrics |= {f"{name}_expected": headline[name] for name in measure.headline}
    _write_states(folder / "states.csv", split, theory, {"pre": shifted.pre_SV, "post": shifted.post_SV})
    _write_coupling(folder, name, spec, shifted, metrics)
    return metrics


def _share_at_the_ends(rating_N: Floats) -> float:
    """Share of the answers that there are, which are 1 or 5."""
    answered_N = rating_N[~np.isnan(rating_N)]
    return float(np.isin(answered_N, (1, 5)).mean()) if len(answered_N) else float("nan")


def direction_of(spec: AlignSpec) -> int:
    """As configured, or the theory's default for the value."""
    return spec.direction or spec.theory.load().spec(spec.value).direction


def _shifted(spec: AlignSpec, split: Split, pre: Judgements, post: Judgements, which: Literal["mode", "expected"]) -> Shifted:
    theory = spec.theory.load()
    pre_SV, post_SV = paired_states(rating_array(pre, theory, which=which), rating_array(post, theory, which=which), theory)
    return Shifted(pre_SV, post_SV, theory.values, theory.values.index(spec.value), direction_of(spec), split.test.scene_factors)


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


def _write_coupling(folder: Path, name: str, spec: AlignSpec, shifted: Shifted, metrics: Mapping[str, float]) -> None:
    import pandas as pd

    values, coupling_VV = list(shifted.values), coupling_matrix(shifted.post_SV - shifted.pre_SV)
    with whole_file(folder / "coupling.csv") as draft:
        pd.DataFrame(coupling_VV, index=values, columns=values).to_csv(draft, float_format="%.6g")
    tax = ""
    if {"gain", "nvat"} <= metrics.keys():
        tax = "gain {gain:+.3f} [{gain_low:+.3f}, {gain_high:+.3f}]   nvat {nvat:.3f}, by chance {nvat_null:.3f}, p {nvat_p:.4f}   ".format(**metrics)
    caption = "\n".join(filter(None, (f"{tax}N = {len(shifted.pre_SV)} scenes", spec.model.capabilities().caveat)))
    with whole_file(folder / "coupling.png") as draft:
        draw_coupling(draft, coupling_VV, values, title=name, caption=caption, target=spec.value)
