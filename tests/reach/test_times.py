"""Walking times: by hand on small streets, and networkx as the judge on Futian's streets."""

from __future__ import annotations

import itertools

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import shapely

from gridgis.errors import DataError
from gridgis.reach.network import Network, attach, walk_network
from gridgis.reach.times import time_matrix, times


def streets(*lines: list[tuple[float, float]], **columns: list[str]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=[shapely.LineString(line) for line in lines], crs=4547)


def judged(network: Network, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Metres by networkx on a graph in which every place is a node of its own between its edge's ends."""
    graph = nx.Graph()

    def join(a: object, b: object, length: float) -> None:
        if not graph.has_edge(a, b) or graph[a][b]["weight"] > length:
            graph.add_edge(a, b, weight=length)

    for a, b, length in zip(network.u.tolist(), network.v.tolist(), network.length_m.tolist(), strict=True):
        join(a, b, length)
    found = attach(network, np.vstack([sources, targets]))
    stops = [(int(edge), float(along), k) for k, (edge, along) in enumerate(zip(found.edge, found.along_m, strict=True))]
    for edge, some in itertools.groupby(sorted(stops), key=lambda stop: stop[0]):
        row = [(0.0, int(network.u[edge])), *((s, f"p{k}") for _, s, k in some), (network.length_m[edge], int(network.v[edge]))]
        for (s, a), (t, b) in itertools.pairwise(row):
            join(a, b, t - s)
    metres = np.full((len(sources), len(targets)), np.inf)
    for s in range(len(sources)):
        reached = nx.single_source_dijkstra_path_length(graph, f"p{s}", weight="weight")
        for k in range(len(targets)):
            t = len(sources) + k
            metres[s, k] = reached.get(f"p{t}", np.inf) + found.door_m[s] + found.door_m[t]
    return metres


def test_streets_meet_at_common_vertices_and_ends_and_not_where_they_merely_cross() -> None:
    crossing = walk_network(streets([(0, 0), (100, 0)], [(50, -50), (50, 50)]))
    assert sorted(crossing.length_m.tolist()) == [100, 100]
    assert crossing.component.max() == 1
    meeting = walk_network(streets([(0, 0), (50, 0), (100, 0)], [(50, -50), (50, 0), (50, 50)]))
    assert meeting.length_m.tolist() == [50, 50, 50, 50]
    ended = walk_network(streets([(0, 0), (100, 0)], [(50, 0.3), (50, 50)], [(100.4, 0), (200, 0)]))
    assert ended.component.max() == 0
    # the gaps are walked too: streets reach as far as the node they share
    assert sorted(ended.length_m.round(3).tolist()) == [49.7, 50.001, 50.401, 99.6]
    assert shapely.get_coordinates(shapely.get_point(ended.lines, 0)).tolist() == ended.xy[ended.u].tolist()
    assert shapely.get_coordinates(shapely.get_point(ended.lines, -1)).tolist() == ended.xy[ended.v].tolist()


def test_motorways_are_left_out_and_both_directions_are_one_street() -> None:
    roads = streets([(0, 0), (100, 0)], [(100, 0), (0, 0)], [(0, 0), (0, 9)], kind=["primary", "primary", "motorway"])
    assert walk_network(roads).length_m.tolist() == [100]
    assert len(walk_network(roads, not_walked=()).u) == 2
    with pytest.raises(DataError, match="no street"):
        walk_network(roads.iloc[2:])


def test_the_nearest_source_is_found_along_streets_round_a_block() -> None:
    # a block of 100 m; sources on opposite corners; a door 10 m from the street
    network = walk_network(streets([(0, 0), (100, 0)], [(100, 0), (100, 100)], [(100, 100), (0, 100)], [(0, 100), (0, 0)]))
    found = times(network, np.array([[0.0, 0], [100, 100]]), np.array([[30.0, -10], [90, 100], [9000, 0]]), speed_kmh=3.6)
    assert found.seconds[:2].tolist() == pytest.approx([40, 10])
    assert found.source.tolist() == [0, 1, -1]
    assert np.isnan(found.seconds[2])
    assert found.off.tolist() == [2]


def test_an_island_is_never_reached_and_a_wrong_speed_is_refused() -> None:
    network = walk_network(streets([(0, 0), (100, 0)], [(0, 400), (100, 400)]))
    assert np.isinf(times(network, np.array([[0.0, 0]]), np.array([[50.0, 400]])).seconds).all()
    with pytest.raises(DataError, match="speed"):
        times(network, np.zeros((1, 2)), np.zeros((1, 2)), speed_kmh=0)


def test_networkx_agrees_on_random_streets() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        corners = rng.uniform(0, 300, (12, 2)).round(1)
        ends = [tuple(rng.choice(12, 2, replace=False)) for _ in range(18)]
        network = walk_network(streets(*([tuple(corners[a]), tuple(corners[b])] for a, b in ends)))
        sources, targets = rng.uniform(0, 300, (4, 2)), rng.uniform(0, 300, (25, 2))
        metres = judged(network, sources, targets)
        assert time_matrix(network, sources, targets, speed_kmh=3.6) == pytest.approx(metres, abs=1e-6)
        nearest = times(network, sources, targets, speed_kmh=3.6)
        assert nearest.seconds == pytest.approx(metres.min(axis=0), abs=1e-6)
        on = np.flatnonzero(np.isfinite(nearest.seconds))
        assert metres[nearest.source[on], on] == pytest.approx(nearest.seconds[on], abs=1e-6)


def test_networkx_agrees_on_the_streets_of_futian(futian: gpd.GeoDataFrame) -> None:
    network = walk_network(futian)
    rng = np.random.default_rng(5)
    west, south, east, north = futian.total_bounds
    places = np.column_stack([rng.uniform(west, east, 205), rng.uniform(south, north, 205)])
    places = places[attach(network, places).edge >= 0]
    metres = judged(network, places[:5], places[5:])
    assert time_matrix(network, places[:5], places[5:], speed_kmh=3.6) == pytest.approx(metres, abs=1e-6)
