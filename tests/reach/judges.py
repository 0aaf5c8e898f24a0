"""Judges of patrol rounds: streets made at random, all walks tried, networkx's postman, a flow programme, a walker."""

from __future__ import annotations

import itertools

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely
from scipy import optimize, spatial

from gridgis.reach.network import Ints, Network, walk_network
from gridgis.reach.patrol import Rounds


def streets(*lines: list[tuple[float, float]], **columns: list[str]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=[shapely.LineString(line) for line in lines], crs=4547)


def few_streets(seed: int) -> tuple[Network, Ints]:
    """Up to nine streets between a few corners, and some of them that hang together through others."""
    rng = np.random.default_rng(seed)
    corners = rng.permutation(36)[: rng.integers(4, 7)]
    xy = np.column_stack([corners // 6, corners % 6]) * 10.0 + rng.uniform(0, 3, (len(corners), 2)).round(1)
    pairs = list(itertools.combinations(range(len(xy)), 2))
    chosen = rng.choice(len(pairs), min(len(pairs), 9), replace=False)
    network = walk_network(streets(*(xy[list(pairs[k])].tolist() for k in chosen)), join_m=0)
    main = np.flatnonzero(network.component[network.u] == 0)
    return network, np.sort(rng.choice(main, rng.integers(1, len(main) + 1), replace=False)).astype(np.intp)


def triangles(seed: int, *, corners: int, share: float) -> tuple[Network, Ints]:
    """Streets along the triangles between random corners, and a share of them."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 600, (corners, 2)).round(1)
    sides = {tuple(sorted(pair)) for three in spatial.Delaunay(xy).simplices for pair in itertools.combinations(three, 2)}
    network = walk_network(streets(*(xy[list(side)].tolist() for side in sorted(sides))), join_m=0)
    return network, np.sort(rng.choice(len(network.u), int(len(network.u) * share), replace=False)).astype(np.intp)


def by_trying_all(network: Network, required: Ints) -> float:
    """Least metres besides the required streets: every street 0, 1 or 2 times more, all combinations."""
    times = np.array(list(itertools.product(range(3), repeat=len(network.u))), dtype=np.int8)
    meets = np.zeros((len(network.u), len(network.xy)), dtype=np.int8)
    np.add.at(meets, (np.arange(len(network.u)), network.u), 1)
    np.add.at(meets, (np.arange(len(network.u)), network.v), 1)
    times = times[((times @ meets + meets[required].sum(axis=0)) % 2 == 0).all(axis=1)]
    metres = times @ network.length_m
    for k in np.argsort(metres, kind="stable"):
        graph = nx.Graph(zip(network.u[required].tolist(), network.v[required].tolist(), strict=True))
        more = np.flatnonzero(times[k])
        graph.add_edges_from(zip(network.u[more].tolist(), network.v[more].tolist(), strict=True))
        if nx.is_connected(graph):
            return float(metres[k])
    raise ValueError("no walk")


def by_postman(network: Network, required: Ints) -> float:
    """Least metres besides required streets that hang together: networkx matches the odd crossings over the whole network."""
    graph = nx.Graph()
    for a, b, length in zip(network.u.tolist(), network.v.tolist(), network.length_m.tolist(), strict=True):
        if not graph.has_edge(a, b) or graph[a][b]["weight"] > length:
            graph.add_edge(a, b, weight=length)
    ends = np.bincount(np.r_[network.u[required], network.v[required]])
    odd = np.flatnonzero(ends % 2).tolist()
    complete = nx.Graph()
    for a in odd:
        metres = nx.single_source_dijkstra_path_length(graph, a)
        complete.add_weighted_edges_from((a, b, metres[b]) for b in odd if b > a)
    return float(sum(complete[a][b]["weight"] for a, b in nx.min_weight_matching(complete)))


def by_flow(network: Network, required: Ints) -> float:
    """Least metres besides the required streets: whole numbers, even crossings, and water that must reach each of the streets."""
    n, m = len(network.xy), len(network.u)
    need = np.bincount(np.r_[network.u[required], network.v[required]], minlength=n)
    source = int(np.flatnonzero(need)[0])
    # walked x, half the ends z, water both ways along every street
    rows, low, high = [], [], []
    for node in range(n):
        row = np.zeros(m + n + 2 * m)
        row[:m] = (network.u == node).astype(float) + (network.v == node)
        row[m + node] = -2
        rows.append(row)
        low.append(-need[node])
        high.append(-need[node])
        row = np.zeros(m + n + 2 * m)
        row[m + n : m + n + m] = (network.v == node).astype(float) - (network.u == node)
        row[m + n + m :] = (network.u == node).astype(float) - (network.v == node)
        rows.append(row)
        thirst = float(need[node] > 0) if node != source else -float(np.count_nonzero(need)) + 1
        low.append(thirst)
        high.append(thirst)
    for k in range(m):
        for direction in (0, 1):
            row = np.zeros(m + n + 2 * m)
            row[k], row[m + n + direction * m + k] = -n, 1
            rows.append(row)
            low.append(-np.inf)
            high.append(n if k in required else 0)
    size = m + n + 2 * m
    found = optimize.milp(
        np.r_[network.length_m, np.zeros(n + 2 * m)],
        integrality=np.r_[np.ones(m + n), np.zeros(2 * m)],
        bounds=optimize.Bounds(np.zeros(size), np.r_[np.full(m, 2), np.full(n, m), np.full(2 * m, n)]),
        constraints=optimize.LinearConstraint(np.array(rows), low, high),
    )
    return float(found.fun)


def follow(rounds: Rounds) -> None:
    """Walk every round street by street, and compare what was walked with what is stated."""
    network = rounds.streets
    for k, code in enumerate(rounds.frame.index):
        row, route = rounds.frame.loc[code], rounds.routes[code]
        own = set(np.flatnonzero(rounds.owner == k).tolist())
        walked: list[int] = []
        for walk in rounds.walks[code]:
            steps = [(abs(s) - 1, s > 0) for s in walk.tolist()]
            begins = [int(network.u[e] if forward else network.v[e]) for e, forward in steps]
            ends = [int(network.v[e] if forward else network.u[e]) for e, forward in steps]
            assert begins[1:] + begins[:1] == ends  # each step begins where the last one ended, and the walk is closed
            walked += [e for e, _ in steps]
        assert own <= set(walked)
        lengths = shapely.length(network.lines)
        np.testing.assert_allclose(
            [row["streets_m"], row["round_m"]], [lengths[list(own)].sum(), lengths[walked].sum()], atol=1e-6
        )
        np.testing.assert_allclose(row["repeated_m"], row["round_m"] - row["streets_m"], atol=1e-9)
        assert row["bound_m"] <= row["round_m"] + 1e-9
        assert row["exact"] == (row["gap"] == 0)
        assert row["walks"] == len(rounds.walks[code])
        if route is None:
            assert not own
            continue
        np.testing.assert_allclose(route.length, row["round_m"], atol=1e-6)
        for line in shapely.get_parts(route):
            assert line.coords[0] == line.coords[-1]
        on = shapely.union_all(network.lines[walked])
        assert shapely.hausdorff_distance(route, on) < 1e-6
