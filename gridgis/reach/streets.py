"""Streets by zone: every stretch of the walking network belongs to exactly one grid, community or unit, or to none."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis.crs import crs_name, require_metric
from gridgis.errors import CrsError
from gridgis.reach.network import Floats, Ints, Network, Shapes, on_nodes, piece_of

BORDER_M: Final = 0.05
"""A street no farther than this from a border runs on it, unless told otherwise; shorter stretches are not cut off."""


def street_metres(network: Network, zones: gpd.GeoDataFrame | gpd.GeoSeries, *, border_m: float = BORDER_M) -> pd.Series:
    """Metres of street in each zone; every metre counts once.

    Streets are cut where they cross a border, and each stretch belongs to the zone its midpoint lies in. A stretch that runs on
    the border of two zones belongs to the one north of it (east, if it runs due north), as cells of a lattice own two of their
    four sides; where no zone is on that side, to the first of its zones.

    Parameters
    ----------
    network
        From `walk_network`.
    zones
        Polygons in its CRS.
    border_m
        A street no farther than this from a border runs on it: more, where borders were drawn beside the streets they follow.

    Returns
    -------
    Series
        `street_metres`, float, on the index of `zones`; 0 for zones without streets and null polygons.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.reach.network import walk_network
    >>> x, y = toy.ORIGIN
    >>> lines = [[(x - 50, y + 10), (x + 400, y + 10)], [(x + 150, y), (x + 150, y + 100)]]
    >>> streets = gpd.GeoDataFrame(geometry=[shapely.LineString(line) for line in lines], crs=toy.CRS)
    >>> street_metres(walk_network(streets), toy.grids()).to_dict()
    {'G1': 150.0, 'G2': 200.0, 'G3': 150.0}
    """
    parts, owner = divide(network, zones, border_m=border_m)
    kept = owner >= 0
    metres = np.bincount(owner[kept], weights=parts.length_m[kept], minlength=len(zones))
    return pd.Series(metres, index=zones.index, name="street_metres", dtype=np.float64)


def divide(network: Network, zones: gpd.GeoDataFrame | gpd.GeoSeries, *, border_m: float = BORDER_M) -> tuple[Network, Ints]:
    """The network with its edges cut at the zones' borders, and for each edge the position of its zone, −1 for none.

    1. Nodes keep their numbers, cuts come after them; streets that are not cut keep their lines.
    2. An edge is cut only where its zone changes, so a street along a border is one piece, however the two wind about each
       other; and not where that would leave less than `border_m`.

    >>> from gridgis import toy
    >>> from gridgis.reach.network import walk_network
    >>> line = shapely.LineString([toy.ORIGIN, (toy.ORIGIN[0] + 200, toy.ORIGIN[1])])
    >>> parts, owner = divide(walk_network(gpd.GeoDataFrame(geometry=[line], crs=toy.CRS)), toy.grids())
    >>> parts.length_m.tolist(), owner.tolist()
    ([150.0, 50.0], [0, 1])
    """
    if (found := require_metric(zones)) != network.crs:
        raise CrsError("reach.other_crs", network=crs_name(network.crs), zones=crs_name(found))
    shapes: Shapes = np.asarray(zones.geometry.array, dtype=object)
    edge, start, end = _stretches(network, shapes, border_m)
    owner = _owners(_lines(network, edge, start, end), shapes, border_m)
    # rule 2: stretches of one edge that follow each other in one zone are one again
    first = np.r_[True, (np.diff(edge) != 0) | (np.diff(owner) != 0)][: len(edge)]
    at = np.flatnonzero(first)
    edge, owner, start = edge[at], owner[at], start[at]
    end = end[np.r_[at[1:], len(end)] - 1] if len(at) else end
    return _cut(network, edge, start, end), owner


def _stretches(network: Network, shapes: Shapes, border_m: float) -> tuple[Ints, Floats, Floats]:
    """Edges between all places where they meet a border: edge, from, to (metres along), in order along each edge."""
    borders = shapely.boundary(shapes)
    line, zone = shapely.STRtree(borders).query(network.lines, predicate="intersects")
    met = shapely.intersection(network.lines[line], borders[zone])
    xy, of = shapely.get_coordinates(met, return_index=True)
    places = line[of]
    along = shapely.line_locate_point(network.lines[places], shapely.points(xy)) if len(xy) else np.empty(0)
    inner = (along > border_m) & (along < network.length_m[places] - border_m)
    places, along = places[inner], along[inner]
    every = np.arange(len(network.u))
    edge, stop = np.r_[every, places], np.r_[np.zeros(len(every)), along]
    order = np.lexsort((stop, edge))
    edge, stop = edge[order], stop[order]
    # of stops that are nearly the same place the first one counts
    new = np.r_[True, (np.diff(edge) != 0) | (np.diff(stop) > border_m)][: len(edge)]
    edge, stop = edge[new].astype(np.intp), stop[new]
    last = np.r_[edge[1:] != edge[:-1], True][: len(edge)]
    return edge, stop, np.where(last, network.length_m[edge], np.r_[stop[1:], 0.0][: len(edge)])


def _lines(network: Network, edge: Ints, start: Floats, end: Floats) -> Shapes:
    lines = network.lines[edge]
    for k in np.flatnonzero((start > 0) | (end < network.length_m[edge])):
        lines[k] = piece_of(lines[k], start[k], end[k])
    return lines


def _owners(lines: Shapes, shapes: Shapes, border_m: float) -> Ints:
    """The zone of each stretch by its midpoint; of several, that on the left of the stretch taken eastwards."""
    middle = shapely.line_interpolate_point(lines, 0.5, normalized=True)
    piece, zone = shapely.STRtree(shapes).query(middle, predicate="dwithin", distance=border_m)
    owner = np.full(len(lines), -1, dtype=np.intp)
    if not len(piece):
        return owner
    several = np.bincount(piece, minlength=len(lines))[piece] > 1
    side = np.zeros(len(piece), dtype=np.intp)
    at = np.flatnonzero(several)
    probe = _beside(lines[piece[at]], middle[piece[at]], 2 * border_m)
    side[at] = ~shapely.intersects(shapes[zone[at]], probe)
    order = np.lexsort((zone, side, piece))
    owned, first = np.unique(piece[order], return_index=True)
    owner[owned] = zone[order[first]]
    return owner


def _beside(lines: Shapes, middle: Shapes, away_m: float) -> NDArray[np.object_]:
    """Points just north of the midpoints (east of them, where the line runs due north)."""
    half = shapely.length(lines) / 2
    step = np.minimum(half, 0.5)
    before = shapely.get_coordinates(shapely.line_interpolate_point(lines, half - step))
    after = shapely.get_coordinates(shapely.line_interpolate_point(lines, half + step))
    normal = (after - before)[:, ::-1] * (-1.0, 1.0)
    size = np.hypot(*normal.T)
    normal /= np.where(size > 0, size, 1.0)[:, None]
    # due north is due north to a billionth, else a rounding error decides
    south = (normal[:, 1] < -1e-9) | ((np.abs(normal[:, 1]) <= 1e-9) & (normal[:, 0] < 0))
    normal[south] *= -1.0
    points: NDArray[np.object_] = np.asarray(shapely.points(shapely.get_coordinates(middle) + away_m * normal), dtype=object)
    return points


def _cut(network: Network, edge: Ints, start: Floats, end: Floats) -> Network:
    if len(edge) == len(network.u):
        return network
    lines = _lines(network, edge, start, end)
    begins, ends = start == 0, end == network.length_m[edge]
    inner = np.flatnonzero(~begins)
    number = np.zeros(len(edge), dtype=np.intp)
    number[inner] = len(network.xy) + np.arange(len(inner))
    # the stretch that follows on the same edge begins where this one ends
    following = np.r_[number[1:], 0][: len(edge)]
    u, v = np.where(begins, network.u[edge], number), np.where(ends, network.v[edge], following)
    xy = np.vstack([network.xy, shapely.get_coordinates(shapely.get_point(lines[inner], 0)).reshape(-1, 2)])
    return replace(
        network,
        xy=xy,
        u=u.astype(np.intp),
        v=v.astype(np.intp),
        length_m=end - start,
        lines=on_nodes(lines, xy[u], xy[v]),
        road=network.road[edge],
        component=np.r_[network.component, network.component[network.u[edge[inner]]]],
    )
