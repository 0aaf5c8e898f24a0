"""The walking network: streets of the roads layer joined where they meet, and places attached to the nearest of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridgis.crs import require_metric
from gridgis.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Shapes = NDArray[np.object_]

NOT_WALKED: Final = frozenset({"motorway", "motorway_link", "raceway", "busway", "bus_guideway", "construction", "proposed"})
"""Kinds of road nobody walks on; a road of several kinds (`a;b`) is left out when all of them are here."""
_KIND_COLUMNS: Final = ("kind", "highway")
# vertices are the same point when they agree to the millimetre
_DIGITS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Streets between nodes, walked both ways; arrays of one entry per node (n) or edge (m)."""

    crs: pyproj.CRS
    """Projected, metres."""
    xy: Floats
    """Shape (n, 2): nodes."""
    u: Ints
    """Shape (m,): node where each edge's line begins."""
    v: Ints
    """Shape (m,): node where it ends; a loop has the same node twice."""
    length_m: Floats
    """Shape (m,), above 0."""
    lines: Shapes
    """Shape (m,): LineStrings; they begin and end at their nodes."""
    road: Ints
    """Shape (m,): position of the road in the frame it came from."""
    component: Ints
    """Shape (n,): connected part of every node; 0 is the one with the greatest length of streets."""

    def matrix(self, extra: tuple[Ints, Ints, Floats] | None = None, *, nodes: int | None = None) -> sparse.csr_array:
        """Shortest direct edge between nodes as a symmetric sparse matrix, with extra edges and nodes if given."""
        a, b, w = (self.u, self.v, self.length_m)
        if extra is not None:
            a, b, w = np.r_[a, extra[0]], np.r_[b, extra[1]], np.r_[w, extra[2]]
        size = nodes or len(self.xy)
        low, high = np.minimum(a, b), np.maximum(a, b)
        order = np.lexsort((w, high, low))
        order = order[low[order] != high[order]]
        first = np.r_[True, (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)][: len(order)]
        best = order[first]
        # an explicit zero would read as "no edge"
        weight = np.maximum(w[best], 1e-9)
        rows, columns = np.r_[low[best], high[best]], np.r_[high[best], low[best]]
        return sparse.csr_array((np.r_[weight, weight], (rows, columns)), shape=(size, size))


@dataclass(frozen=True, slots=True, eq=False)
class Attached:
    """Places on the network: the nearest point of the nearest edge."""

    edge: Ints
    """Shape (k,): position of the edge; −1 for a place that is null or off the network."""
    along_m: Floats
    """Shape (k,): metres from the edge's beginning."""
    door_m: Floats
    """Shape (k,): metres from the place to the street, also for those off the network; NaN for null places."""


def walk_network(roads: gpd.GeoDataFrame, *, not_walked: Collection[str] = NOT_WALKED, join_m: float = 0.5) -> Network:
    """The walking network of a roads layer, one-way rules ignored.

    1. Kinds in `not_walked` (columns `kind` or `highway`) are left out.
    2. Roads meet at vertices they have in common (to the millimetre), and where a road ends within `join_m` of another.
       Roads that merely cross, as on a bridge, do not meet.
    3. Each stretch between meetings is one edge, from node to node; a stretch given twice (both directions) is kept once.

    Raises
    ------
    CrsError, DataError
        If the CRS cannot measure, or no street can be walked.

    Examples
    --------
    >>> from gridgis import toy
    >>> x, y = toy.ORIGIN
    >>> streets = [shapely.LineString([(x, y), (x + 400, y)]), shapely.LineString([(x + 100, y), (x + 100, y + 300)])]
    >>> network = walk_network(gpd.GeoDataFrame(geometry=streets, crs=toy.CRS))
    >>> sorted(network.length_m.tolist())
    [100.0, 300.0, 300.0]
    """
    crs = require_metric(roads)
    shapes = np.asarray(roads.geometry.array, dtype=object)
    rows = np.flatnonzero(_walked(roads, not_walked) & ~shapely.is_missing(shapes))
    parts, of = shapely.get_parts(shapes[rows], return_index=True)
    line = (shapely.get_type_id(parts) == 1) & (shapely.length(parts) > 0)
    lines, road = shapely.force_2d(parts[line]), rows[of[line]].astype(np.intp)
    if not len(lines):
        raise DataError("reach.no_streets")
    return from_cuts(crs, lines, road, _meetings(lines, join_m))


def from_cuts(crs: pyproj.CRS, lines: Shapes, road: Ints, cuts: list[dict[float, tuple[float, float]]]) -> Network:
    """A network of lines cut at places along them: `cuts` has metres along -> the node there, both ends included.

    >>> line = shapely.LineString([(0, 0), (10, 0)])
    >>> stops = {0.0: (0, 0), 4.0: (4, 0), 10.0: (10, 0)}
    >>> cut = from_cuts(pyproj.CRS(4547), np.array([line]), np.zeros(1, dtype=np.intp), [stops])
    >>> cut.length_m.tolist()
    [4.0, 6.0]
    """
    nodes: dict[tuple[float, float], int] = {}
    seen: set[tuple[int, int, bytes]] = set()
    ends: list[tuple[int, int]] = []
    pieces: list[shapely.LineString] = []
    source: list[int] = []
    for at, places in enumerate(cuts):
        stops = sorted(places)
        for start, end in pairwise(stops):
            piece = lines[at] if len(stops) == 2 else piece_of(lines[at], start, end)
            a, b = (nodes.setdefault(places[stop], len(nodes)) for stop in (start, end))
            known = (min(a, b), max(a, b), shapely.to_wkb(shapely.set_precision(shapely.normalize(piece), 0.01)))
            if known in seen or piece.length <= 0:
                continue
            seen.add(known)
            ends.append((a, b))
            pieces.append(piece)
            source.append(int(road[at]))
    xy = np.array(list(nodes), dtype=np.float64).reshape(-1, 2)
    u, v = np.array(ends, dtype=np.intp).reshape(-1, 2).T
    made = on_nodes(np.array(pieces, dtype=object), xy[u], xy[v])
    length = np.asarray(shapely.length(made), dtype=np.float64)
    # a stub whose two ends became one node is no street
    real = length > 0
    u, v, made, length = u[real], v[real], made[real], length[real]
    origin = np.array(source, dtype=np.intp)[real]
    graph = sparse.csr_array((np.ones(len(u)), (u, v)), shape=(len(nodes), len(nodes)))
    count, component = csgraph.connected_components(graph, directed=False)
    rank = np.argsort(np.argsort(-np.bincount(component[u], weights=length, minlength=count), kind="stable"), kind="stable")
    return Network(crs, xy, u, v, length, made, origin, rank[component].astype(np.intp))


def on_nodes(lines: Shapes, begin: Floats, end: Floats) -> Shapes:
    """Lines whose first and last vertices are moved onto their nodes, shapes (k, 2).

    >>> line = shapely.LineString([(0, 0), (10, 0)])
    >>> on_nodes(np.array([line]), np.array([[0.0, 0.1]]), np.array([[10.0, 0.0]]))[0].wkt
    'LINESTRING (0 0.1, 10 0)'
    """
    xy, of = shapely.get_coordinates(lines, return_index=True)
    first = np.searchsorted(of, np.arange(len(lines)))
    last = np.searchsorted(of, np.arange(len(lines)), side="right") - 1
    xy[first], xy[last] = begin, end
    moved: Shapes = shapely.set_coordinates(lines, xy)
    return moved


def piece_of(line: shapely.LineString, start: float, end: float) -> shapely.LineString:
    """The part of a line between two distances along it, metres, in its direction.

    >>> piece_of(shapely.LineString([(0, 0), (10, 0), (10, 10)]), 5, 15).wkt
    'LINESTRING (5 0, 10 0, 10 5)'
    """
    xy = shapely.get_coordinates(line)
    along = _along(xy)
    inner = (along > start + 1e-9) & (along < end - 1e-9)
    places = np.r_[start, along[inner], end]
    return shapely.LineString(np.column_stack([np.interp(places, along, xy[:, axis]) for axis in (0, 1)]))


def attach(network: Network, points: Floats, *, off_m: float = 500.0) -> Attached:
    """Each point (shape (k, 2)) at the nearest point of the nearest edge; farther than `off_m` it is off the network.

    >>> from gridgis import toy
    >>> line = shapely.LineString([toy.ORIGIN, (toy.ORIGIN[0] + 100, toy.ORIGIN[1])])
    >>> network = walk_network(gpd.GeoDataFrame(geometry=[line], crs=toy.CRS))
    >>> found = attach(network, np.array([toy.ORIGIN]) + [[30, 7]])
    >>> found.edge.tolist(), found.along_m.round(6).tolist(), found.door_m.round(6).tolist()
    ([0], [30.0], [7.0])
    """
    edge = np.full(len(points), -1, dtype=np.intp)
    along, door = np.full(len(points), np.nan), np.full(len(points), np.nan)
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    if len(known):
        places: Shapes = np.asarray(shapely.points(points[known]), dtype=object)
        nearest, gap = shapely.STRtree(network.lines).query_nearest(places, all_matches=False, return_distance=True)
        at = known[nearest[0]]
        edge[at], door[at] = nearest[1], gap
        along[at] = shapely.line_locate_point(network.lines[nearest[1]], places[nearest[0]])
        edge[at[gap > off_m]] = -1
    return Attached(edge, along, door)


def _walked(roads: gpd.GeoDataFrame, not_walked: Collection[str]) -> NDArray[np.bool_]:
    kept = np.ones(len(roads), dtype=bool)
    for column in _KIND_COLUMNS:
        if column in roads:
            kinds = roads[column].fillna("").astype(str).str.split(";")
            kept &= np.array([not all(kind.strip() in not_walked for kind in some) for some in kinds], dtype=bool)
    return kept


def _meetings(lines: Shapes, join_m: float) -> list[dict[float, tuple[float, float]]]:
    xy, of = shapely.get_coordinates(lines, return_index=True)
    rounded = np.round(xy, _DIGITS) + 0.0
    starts = np.searchsorted(of, np.arange(len(lines) + 1))
    _, same, uses = np.unique(rounded, axis=0, return_inverse=True, return_counts=True)
    same = same.ravel()
    end = np.zeros(len(xy), dtype=bool)
    end[starts[:-1]] = end[starts[1:] - 1] = True
    node = end | (uses[same] > 1)
    cuts: list[dict[float, tuple[float, float]]] = []
    for first, last in pairwise(starts):
        along = _along(xy[first:last])
        chosen = np.flatnonzero(node[first:last])
        cuts.append({float(along[k]): (float(rounded[first + k, 0]), float(rounded[first + k, 1])) for k in chosen})
    loose = np.flatnonzero(end & (uses[same] == 1))
    if len(loose) and join_m > 0:
        points: Shapes = np.asarray(shapely.points(rounded[loose]), dtype=object)
        at, near = shapely.STRtree(lines).query(points, predicate="dwithin", distance=join_m)
        other = of[loose[at]] != near
        alias: dict[tuple[float, float], tuple[float, float]] = {}

        def root(place: tuple[float, float]) -> tuple[float, float]:
            while place in alias:
                place = alias[place]
            return place

        for k, line in zip(at[other].tolist(), near[other].tolist(), strict=True):
            here = (float(rounded[loose[k], 0]), float(rounded[loose[k], 1]))
            place = float(shapely.line_locate_point(lines[line], points[k]))
            closest = min(cuts[line], key=lambda stop: abs(stop - place))
            if abs(closest - place) > join_m:
                cuts[line][place] = here
            elif root(here) != root(cuts[line][closest]):
                # a cut beside a node would make a stub: the two are one node
                alias[root(here)] = root(cuts[line][closest])
        cuts = [{stop: root(node) for stop, node in some.items()} for some in cuts]
    return cuts


def _along(xy: Floats) -> Floats:
    steps: Floats = np.r_[0.0, np.cumsum(np.hypot(*np.diff(xy, axis=0).T))]
    return steps
