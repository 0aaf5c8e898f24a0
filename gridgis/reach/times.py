"""Walking times from places to places over the network: exact shortest ways, the walk to and from the street included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csgraph

from gridgis.errors import DataError
from gridgis.reach.network import Attached, Floats, Ints, Network, attach

SPEED_KMH = 4.8
OFF_M = 500.0


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """How long it takes to walk to every target from the source that is nearest to it on foot."""

    seconds: Floats
    """Shape (targets,): inf where no source leads, NaN where the target is null or off the network."""
    source: Ints
    """Shape (targets,): position of that source, −1 for none."""
    off: Ints
    """Positions of targets farther than `off_m` from every street, or without a place."""
    sources_off: Ints
    """Positions of sources likewise: they reach nobody."""


def times(network: Network, sources: Floats, targets: Floats, *, speed_kmh: float = SPEED_KMH, off_m: float = OFF_M) -> Times:
    """Seconds on foot to every target from its nearest source.

    Parameters
    ----------
    network
        From `walk_network`.
    sources, targets
        Points in its CRS, shapes (s, 2) and (t, 2); each goes straight to the nearest point of a street.
    speed_kmh
        Walking speed, on streets and to the door.
    off_m
        Places farther than this from every street are off the network: told, never reached.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> from gridgis import toy
    >>> from gridgis.reach.network import walk_network
    >>> x, y = toy.ORIGIN
    >>> network = walk_network(gpd.GeoDataFrame(geometry=[shapely.LineString([(x, y), (x + 400, y)])], crs=toy.CRS))
    >>> found = times(network, np.array([[x, y]]), np.array([[x + 110, y + 10]]), speed_kmh=3.6)
    >>> found.seconds.round(6).tolist()
    [120.0]
    """
    metres, nearest, start, end = _metres(network, sources, targets, off_m=off_m, each=False)
    off, lost = np.flatnonzero(end.edge < 0), np.flatnonzero(start.edge < 0)
    return Times(metres[0] / metres_per_second(speed_kmh), nearest, off.astype(np.intp), lost.astype(np.intp))


def time_matrix(
    network: Network, sources: Floats, targets: Floats, *, speed_kmh: float = SPEED_KMH, off_m: float = OFF_M
) -> Floats:
    """Seconds on foot from each source to every target, shape (sources, targets); as `times` for each source alone.

    >>> import geopandas as gpd, shapely
    >>> from gridgis import toy
    >>> from gridgis.reach.network import walk_network
    >>> x, y = toy.ORIGIN
    >>> network = walk_network(gpd.GeoDataFrame(geometry=[shapely.LineString([(x, y), (x + 400, y)])], crs=toy.CRS))
    >>> time_matrix(network, np.array([[x, y], [x + 400, y]]), np.array([[x + 100, y]]), speed_kmh=3.6).round(6).tolist()
    [[100.0], [300.0]]
    """
    return _metres(network, sources, targets, off_m=off_m, each=True)[0] / metres_per_second(speed_kmh)


def metres_per_second(speed_kmh: float) -> float:
    """A speed in the unit of times; DataError if it is none.

    >>> metres_per_second(3.6)
    1.0
    """
    if not (np.isfinite(speed_kmh) and speed_kmh > 0):
        raise DataError("reach.speed", speed_kmh=speed_kmh)
    return speed_kmh / 3.6


def _metres(
    network: Network, sources: Floats, targets: Floats, *, off_m: float, each: bool
) -> tuple[Floats, Ints, Attached, Attached]:
    start, end = attach(network, sources, off_m=off_m), attach(network, targets, off_m=off_m)
    n = len(network.xy)
    on, at = np.flatnonzero(start.edge >= 0), np.flatnonzero(end.edge >= 0)
    metres = np.full((len(sources) if each else 1, len(targets)), np.inf)
    nearest = np.full(len(targets), -1, dtype=np.intp)
    if len(on):
        edge = start.edge[on]
        mine = n + np.arange(len(on))
        low, high = start.door_m[on] + start.along_m[on], start.door_m[on] + network.length_m[edge] - start.along_m[on]
        extra = (np.r_[mine, mine], np.r_[network.u[edge], network.v[edge]], np.r_[low, high])
        graph = network.matrix(extra, nodes=n + len(on))
        if each:
            reached = csgraph.dijkstra(graph, indices=mine)
            best, _ = _to_targets(network, end, at, reached[:, :n])
            rows = on
        else:
            dist, _, origin = csgraph.dijkstra(graph, indices=mine, min_only=True, return_predecessors=True)
            best, side = _to_targets(network, end, at, dist[None, :n])
            rows = np.zeros(len(on), dtype=np.intp)
            from_node = origin[np.where(side[0], network.v[end.edge[at]], network.u[end.edge[at]])]
            found = np.isfinite(best[0])
            nearest[at[found]] = on[from_node[found] - n]
        metres[np.ix_(np.unique(rows), at)] = best
        # source and target on one edge: straight along it
        ours = pd.DataFrame({"edge": edge, "s": on, "row": rows})
        pairs = ours.merge(pd.DataFrame({"edge": end.edge[at], "t": at}), on="edge").sort_values(["s", "t"])
        s, t = pairs["s"].to_numpy(), pairs["t"].to_numpy()
        direct = start.door_m[s] + end.door_m[t] + np.abs(start.along_m[s] - end.along_m[t])
        for one, target, row, length in zip(s, t, pairs["row"], direct, strict=True):
            if length < metres[row, target]:
                metres[row, target] = length
                nearest[target] = one
    metres[:, end.edge < 0] = np.nan
    return metres, nearest, start, end


def _to_targets(network: Network, end: Attached, at: Ints, reached: Floats) -> tuple[Floats, np.ndarray]:
    edge = end.edge[at]
    by_u = reached[:, network.u[edge]] + end.along_m[at]
    by_v = reached[:, network.v[edge]] + network.length_m[edge] - end.along_m[at]
    return np.minimum(by_u, by_v) + end.door_m[at], by_v < by_u
