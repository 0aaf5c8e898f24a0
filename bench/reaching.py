"""Patrol rounds of 50 grids on the streets of Futian, Shenzhen, with the proof; one grid's again by networkx's matching."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely

from gridgis.files import read_any
from gridgis.reach.extra import least_extra
from gridgis.reach.network import Network, walk_network
from gridgis.reach.patrol import Rounds, patrol_rounds
from gridgis.reach.surroundings import prepared, surroundings

ROOT: Final = Path(__file__).resolve().parent.parent
FUTIAN: Final = ROOT.parent / "shared" / "data" / "shenzhen_streets" / "shenzhen_futian_drive.graphml"
CRS: Final = "EPSG:4547"
GRIDS: Final = 50
BAR_S: Final = 30.0
GAP: Final = 0.01
Row = dict[str, Any]


def run(quick: bool) -> list[Row]:
    """Rows of the table; streets drawn by rule stand in where the shared extract is missing."""
    network = walk_network(_futian() if FUTIAN.exists() else _drawn())
    grids = cells(network, 12 if quick else GRIDS)
    rounds, spent = _timed(lambda: patrol_rounds(network, grids))
    gap = float(rounds.frame["gap"].max())
    proved = int(rounds.frame["exact"].sum())
    rows: list[Row] = [
        {
            "work": f"patrol: rounds of {len(grids)} grids, {proved} proved shortest, gap ≤ {gap:.2%}",
            "size": len(rounds.streets.u),
            "us_s": spent,
            "bar": f"≤ {BAR_S:g} s",
            "ok": sound(rounds) and gap <= GAP and spent <= BAR_S,
        }
    ]
    peer = _beside(rounds)
    return rows if peer is None else [*rows, peer]


def cells(network: Network, count: int, *, seed: int = 1) -> gpd.GeoDataFrame:
    """Grids: Voronoi cells of random points in the hull of the streets."""
    rng = np.random.default_rng(seed)
    hull = shapely.convex_hull(shapely.union_all(network.lines))
    west, south, east, north = hull.bounds
    points = rng.uniform((west, south), (east, north), (8 * count, 2))
    points = points[shapely.contains_xy(hull, points)][:count]
    shapes = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(points), extend_to=hull))
    codes = [f"G{k:02d}" for k in range(1, count + 1)]
    return gpd.GeoDataFrame(geometry=shapely.intersection(shapes, hull), index=codes, crs=network.crs)


def sound(rounds: Rounds) -> bool:
    """Whether every round is a closed walk over all streets of its grid, as long as stated, and no shorter than its bound."""
    network = rounds.streets
    for k, code in enumerate(rounds.frame.index):
        walked: list[int] = []
        for walk in rounds.walks[code]:
            edge, forward = np.abs(walk) - 1, walk > 0
            begins, ends = (
                np.where(forward, network.u[edge], network.v[edge]),
                np.where(forward, network.v[edge], network.u[edge]),
            )
            if (np.roll(begins, -1) != ends).any():
                return False
            walked += edge.tolist()
        row = rounds.frame.loc[code]
        if not set(np.flatnonzero(rounds.owner == k)) <= set(walked):
            return False
        if abs(network.length_m[walked].sum() - row["round_m"]) > 1e-6 or row["bound_m"] > row["round_m"] + 1e-6:
            return False
    return True


def _beside(rounds: Rounds) -> Row | None:
    """The largest grid whose streets hang together, beside networkx: distances, matching; lengths are compared first."""
    single = rounds.frame[rounds.frame["pieces"] == 1]
    if single.empty:
        return None
    code = str(single["streets_m"].idxmax())
    mine = np.flatnonzero(rounds.owner == rounds.frame.index.get_loc(code))
    network = rounds.streets
    theirs, peer_s = _timed(lambda: postman(network, mine))
    ours = float(single["repeated_m"][code])
    ways = prepared(network)
    _, us_s = min((_timed(lambda: least_extra(surroundings(ways, mine))) for _ in range(3)), key=lambda found: found[1])
    return {
        "work": f"patrol: the round of grid {code}, {theirs[1]} odd crossings",
        "size": len(mine),
        "us_s": us_s,
        "peer": "networkx min_weight_matching",
        "peer_s": peer_s,
        "ratio": peer_s / us_s,
        "ok": bool(np.isclose(ours, theirs[0], rtol=1e-9)),
    }


def postman(network: Network, mine: np.ndarray) -> tuple[float, int]:
    """Metres walked besides streets that hang together, and their odd crossings, the textbook way."""
    graph = nx.Graph()
    for a, b, length in zip(network.u.tolist(), network.v.tolist(), network.length_m.tolist(), strict=True):
        if not graph.has_edge(a, b) or graph[a][b]["weight"] > length:
            graph.add_edge(a, b, weight=length)
    odd = np.flatnonzero(np.bincount(np.r_[network.u[mine], network.v[mine]]) % 2).tolist()
    complete = nx.Graph()
    for a in odd:
        metres = nx.single_source_dijkstra_path_length(graph, a)
        complete.add_weighted_edges_from((a, b, metres[b]) for b in odd if b > a)
    return float(sum(complete[a][b]["weight"] for a, b in nx.min_weight_matching(complete))), len(odd)


def _futian() -> gpd.GeoDataFrame:
    return read_any(FUTIAN, target="roads").to_crs(CRS)


def _drawn(*, side: int = 36, cell_m: float = 110.0, seed: int = 1) -> gpd.GeoDataFrame:
    """A town of crooked blocks with one street in six missing."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1) * cell_m
    xy = (at + rng.uniform(-25, 25, at.shape)).round(3) + np.array([500_000.0, 2_500_000.0])
    lines = [shapely.LineString([xy[i, j], xy[i + 1, j]]) for i in range(side - 1) for j in range(side)]
    lines += [shapely.LineString([xy[i, j], xy[i, j + 1]]) for i in range(side) for j in range(side - 1)]
    kept = rng.uniform(size=len(lines)) > 1 / 6
    return gpd.GeoDataFrame(geometry=[line for line, keep in zip(lines, kept, strict=True) if keep], crs=CRS)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun
