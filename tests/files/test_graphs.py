"""Street networks saved by OSMnx become roads."""

from __future__ import annotations

import networkx as nx
import osmnx
import pytest

from gridgis.errors import DataError
from gridgis.files.reading import read_any
from tests.support import shared


def crossing(path):
    """Three corners on the equator: a two-way street of two names, and a one-way street."""
    graph = nx.MultiDiGraph(crs="EPSG:4326")
    for node, x in ((1, 114.0), (2, 114.001), (3, 114.002)):
        graph.add_node(node, x=x, y=30.0)
    for start, end, back in ((1, 2, False), (2, 1, True)):
        graph.add_edge(
            start, end, osmid=[11, 12], name=["东街", "西街"], highway="primary", length=96.5, reversed=back, oneway=False
        )
    graph.add_edge(2, 3, osmid=13, name="南街", highway="service", length=96.5, reversed=False, oneway=True)
    osmnx.save_graphml(graph, path)
    return path


def test_both_directions_of_a_street_are_one_row(tmp_path):
    roads = read_any(crossing(tmp_path / "streets.graphml"), target="roads")
    assert sorted(roads["name"]) == ["东街;西街", "南街"]
    assert roads.crs.to_epsg() == 4326
    assert sorted(roads.geometry.length.round(6)) == [0.001, 0.001]


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    file = tmp_path / "no.graphml"
    file.write_text("<graphml", encoding="utf-8")
    with pytest.raises(DataError, match=r"no\.graphml"):
        read_any(file)


@pytest.mark.shared
def test_the_streets_of_futian_keep_their_names():
    roads = read_any(shared("shenzhen_streets/shenzhen_futian_drive.graphml"), target="roads")
    assert len(roads) == 2595  # 4,009 directed edges
    assert "景田路" in set(roads["name"])
