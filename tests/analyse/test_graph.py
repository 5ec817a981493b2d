"""Couplings as GraphML, read back by networkx."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest

from vat.analyse.graph import write_graphs
from vat.analyse.study import Study


def test_a_graph_holds_every_coupling_and_value_of_the_last_state(study: Study, tmp_path: Path) -> None:
    files = write_graphs(study, tmp_path)
    assert len(files) == len(study.jobs)
    trained = study.jobs.index[4]
    graph = networkx.read_graphml(tmp_path / f"{trained}-step-60.graphml")
    assert set(graph.nodes) == set(study.theory.values)
    assert graph.number_of_edges() == 45
    pair = study.by_pair("coupling").query("job == @trained and step == 60 and of == 'security' and other == 'power'").iloc[0]
    edge = graph.edges["security", "power"]
    assert edge["coupling"] == pytest.approx(pair["estimate"])
    assert edge["q"] == pytest.approx(pair["q"])
    assert (graph.graph["target"], graph.graph["direction"]) == ("power", -1)
    assert graph.nodes["security"]["vat"] > graph.nodes["tradition"]["vat"]


def test_what_is_not_defined_is_left_out(study: Study, tmp_path: Path) -> None:
    other = study.jobs.index[5]
    write_graphs(study, tmp_path)
    graph = networkx.read_graphml(tmp_path / f"{other}-step-0.graphml")
    assert "low" not in graph.edges["tradition", "power"], "tradition never moved: its couplings have no interval"
