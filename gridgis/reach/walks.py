"""Closed walks over streets: each street of a connected graph with an even number of ends at every node, once and in one go."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import shapely

from gridgis.reach.network import Ints, Network


def closed_walk(network: Network, edges: Ints) -> Ints:
    """The edges in the order in which one walk takes them all and ends where it began (Hierholzer's method).

    Parameters
    ----------
    network
        The streets.
    edges
        Positions of edges, one for each time an edge is walked: connected, an even number of ends at every node.

    Returns
    -------
    array
        Shape (len(edges),): position + 1 of each edge, negative where it is walked against its line. Begins at the node with
        the lowest number.

    Raises
    ------
    ValueError
        If no such walk exists.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> from gridgis import toy
    >>> from gridgis.reach.network import walk_network
    >>> line = shapely.LineString([toy.ORIGIN, (toy.ORIGIN[0] + 100, toy.ORIGIN[1])])
    >>> network = walk_network(gpd.GeoDataFrame(geometry=[line], crs=toy.CRS))
    >>> closed_walk(network, np.array([0, 0])).tolist()
    [1, -1]
    """
    u, v = network.u[edges].tolist(), network.v[edges].tolist()
    at: dict[int, list[int]] = {}
    # from the last one on, so that the first street listed is taken first
    for k in range(len(edges) - 1, -1, -1):
        at.setdefault(u[k], []).append(k)
        at.setdefault(v[k], []).append(k)
    if any(len(some) % 2 for some in at.values()):
        raise ValueError("a node with an odd number of ends has no closed walk through it")
    used = [False] * len(edges)
    start = min(at) if at else 0
    trail: list[tuple[int, int]] = [(start, 0)]
    walk: list[int] = []
    while trail:
        here, came = trail[-1]
        ways = at.get(here, [])
        while ways and used[ways[-1]]:
            ways.pop()
        if not ways:
            trail.pop()
            if came:
                walk.append(came)
            continue
        k = ways.pop()
        used[k] = True
        forward = u[k] == here
        signed = int(edges[k]) + 1
        trail.append((v[k] if forward else u[k], signed if forward else -signed))
    if len(walk) != len(edges):
        raise ValueError("streets in several pieces have no closed walk")
    return np.array(walk[::-1], dtype=np.intp)


def line_of(network: Network, walk: Ints) -> shapely.LineString:
    """The line one walks.

    >>> import geopandas as gpd, shapely
    >>> from gridgis import toy
    >>> from gridgis.reach.network import walk_network
    >>> x, y = toy.ORIGIN
    >>> network = walk_network(gpd.GeoDataFrame(geometry=[shapely.LineString([(x, y), (x + 100, y)])], crs=toy.CRS))
    >>> line_of(network, np.array([1, -1])).length
    200.0
    """
    parts = [shapely.get_coordinates(network.lines[abs(step) - 1])[:: 1 if step > 0 else -1] for step in walk]
    return shapely.LineString(np.concatenate([parts[0], *(later[1:] for _, later in pairwise(parts))]))
