"""The small graph a patrol round is sought in: streets that must be walked, and the ways between them through all streets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridgis.reach.network import Floats, Ints, Network

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """Streets to be walked and the ways that can be worth walking besides, between nodes 0 … n − 1."""

    nodes: Ints
    """Shape (n,): the network's node of each."""
    required: Ints
    """Shape (r, 2): ends of the streets that must be walked."""
    ways: Ints
    """Shape (m, 2): ends of ways; a street that must be walked is among them too where it can be worth repeating."""
    way_edge: Ints
    """Shape (m,): the network's edge of each way."""
    length_m: Floats
    """Shape (m,): length of each way."""
    odd: Bools
    """Shape (n,): whether an odd number of streets to be walked ends there."""
    piece: Ints
    """Shape (n,): which connected piece of the streets to be walked it is on; −1 for nodes passed on the way only."""

    @property
    def pieces(self) -> int:
        """Number of pieces the streets to be walked hang in."""
        return int(self.piece.max()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """A network prepared for many searches."""

    network: Network
    matrix: sparse.csr_array
    """Shape (n, n): length of the shortest edge between two nodes."""
    pairs: Ints
    """Shape (p,): low node × n + high node, sorted."""
    edge: Ints
    """Shape (p,): the shortest edge of that pair."""


def prepared(network: Network) -> Ways:
    """The shortest edge between every two neighbours, to look up.

    >>> import geopandas as gpd, shapely
    >>> from gridgis import toy
    >>> from gridgis.reach.network import walk_network
    >>> line = shapely.LineString([toy.ORIGIN, (toy.ORIGIN[0] + 200, toy.ORIGIN[1])])
    >>> prepared(walk_network(gpd.GeoDataFrame(geometry=[line], crs=toy.CRS))).edge.tolist()
    [0]
    """
    key = _key(network.u, network.v, len(network.xy))
    order = np.lexsort((network.length_m, key))
    order = order[network.u[order] != network.v[order]]
    pairs, first = np.unique(key[order], return_index=True)
    return Ways(network, network.matrix(), pairs.astype(np.intp), order[first].astype(np.intp))


def surroundings(ways: Ways, required: Ints) -> Surroundings:
    """The graph for streets (positions of edges) that are all in one connected part of the network.

    1. Whatever is worth walking besides the streets themselves consists of shortest ways from one of their ends to another; one
       shortest way of each pair is enough.
    2. Those all lie within twice the distance from one end to the farthest.

    >>> import geopandas as gpd, shapely
    >>> from gridgis import toy
    >>> from gridgis.reach.network import walk_network
    >>> x, y = toy.ORIGIN
    >>> lines = [shapely.LineString([(x + a, y), (x + a + 100, y)]) for a in (0, 100, 200, 300)]
    >>> network = walk_network(gpd.GeoDataFrame(geometry=lines, crs=toy.CRS))
    >>> round_about = surroundings(prepared(network), np.array([0, 2]))
    >>> round_about.pieces, round_about.way_edge.tolist(), round_about.odd.tolist()
    (2, [0, 1, 2], [True, True, True, True])
    """
    network = ways.network
    ends = np.column_stack([network.u[required], network.v[required]])
    own = np.unique(ends)
    near = _near(ways.matrix, own)
    here = np.searchsorted(near, own)
    graph = ways.matrix[near][:, near]
    low, high = _shortest(graph, here)
    pair = _key(near[low], near[high], len(network.xy))
    edge = ways.edge[np.searchsorted(ways.pairs, pair)]
    nodes = np.union1d(near[np.r_[low, high]], own).astype(np.intp)
    inner = np.searchsorted(nodes, ends).astype(np.intp)
    outer = np.column_stack([np.searchsorted(nodes, near[low]), np.searchsorted(nodes, near[high])]).astype(np.intp)
    odd = np.bincount(inner.ravel(), minlength=len(nodes)) % 2 == 1
    piece = np.full(len(nodes), -1, dtype=np.intp)
    mine = np.searchsorted(nodes, own)
    piece[mine] = np.unique(connected(len(nodes), inner)[mine], return_inverse=True)[1]
    return Surroundings(nodes, inner, outer, edge, network.length_m[edge], odd, piece)


def connected(n: int, *pairs: Ints) -> Ints:
    """The connected part each of n nodes is in, when pairs of nodes (shape (k, 2)) are joined.

    >>> connected(4, np.array([[0, 2]]), np.array([[2, 3]])).tolist()
    [0, 1, 0, 0]
    """
    joined = np.concatenate(pairs)
    graph = sparse.csr_array((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(n, n))
    parts: Ints = csgraph.connected_components(graph, directed=False)[1].astype(np.intp)
    return parts


def _key(a: Ints, b: Ints, n: int) -> Ints:
    key: Ints = (np.minimum(a, b) * n + np.maximum(a, b)).astype(np.intp)
    return key


def _near(matrix: sparse.csr_array, own: Ints) -> Ints:
    """Rule 2: nodes within twice the distance from the first of our own to the farthest, in order."""
    metres = csgraph.dijkstra(matrix, indices=own[0])
    return np.flatnonzero(metres <= 2 * metres[own].max() * (1 + 1e-9)).astype(np.intp)


def _shortest(graph: sparse.csr_array, own: Ints) -> tuple[Ints, Ints]:
    """Rule 1: pairs of nodes joined by an edge of one of the shortest ways between two of our own."""
    n = graph.shape[0]
    before = csgraph.dijkstra(graph, indices=own, return_predecessors=True)[1]
    root, at = (axis.ravel() for axis in np.meshgrid(np.arange(len(own)), own, indexing="ij"))
    seen = np.zeros((len(own), n), dtype=bool)
    found: list[Ints] = []
    while len(root):
        previous = before[root, at]
        more = previous >= 0
        root, at, previous = root[more], at[more], previous[more]
        found.append(np.unique(_key(at, previous, n)))
        fresh = ~seen[root, previous]
        seen[root[fresh], previous[fresh]] = True
        steps = np.unique(root[fresh] * n + previous[fresh])
        root, at = steps // n, steps % n
    keys = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.intp)
    return (keys // n).astype(np.intp), (keys % n).astype(np.intp)
