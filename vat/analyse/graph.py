"""The couplings of a state as a graph, for whatever reads GraphML."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vat.analyse.study import Study, each

if TYPE_CHECKING:
    import networkx


def coupling_graph(study: Study, job: str, step: int) -> networkx.Graph:
    """Values with what is known of each (vat, gnd, shift, hub), and their couplings with low, high, p and q; what is not defined is left out."""
    import networkx as nx

    about: Any = study.jobs.loc[job]
    graph = nx.Graph(name=str(about["name"]), job=job, step=step, target=str(about["value"]), direction=int(about["direction"]))
    graph.add_nodes_from(study.theory.values)
    rows = study.numbers[(study.numbers["job"] == job) & (study.numbers["step"] == step) & (study.numbers["ratings"] == "mode")]
    for row in each(rows[rows["statistic"].isin(["vat", "gnd", "shift", "hub"]) & rows["value"].notna()]):
        if math.isfinite(row.estimate):
            graph.nodes[row.value][row.statistic] = float(row.estimate)
    for row in each(rows[(rows["statistic"] == "coupling") & rows["estimate"].notna()]):
        numbers = {"coupling": row.estimate, "low": row.low, "high": row.high, "p": row.p, "q": row.q}
        graph.add_edge(row.value, row.other, **{name: float(x) for name, x in numbers.items() if math.isfinite(x)})
    return graph


def write_graphs(study: Study, folder: Path) -> list[Path]:
    """A file for each job's last state."""
    import networkx as nx

    from vat.files import whole_file

    files = []
    for job, step in study.points.groupby("job", sort=False)["step"].max().items():
        files.append(folder / f"{job}-step-{step}.graphml")
        with whole_file(files[-1]) as draft:
            nx.write_graphml(coupling_graph(study, str(job), int(step)), draft)
    return files
