"""Faces between lines: noding, polygons, who they belong to, their common borders, and buildings kept whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from gridgis.blocks.network import Lines
from gridgis.merging import union_groups
from gridgis.topology import segments

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# a line runs along a border that is so near
_ON_M: Final = 1e-3
# lines that enter a building by less do not cross it
_ENTERS_M: Final = 1e-3
_SAME_M: Final = 1e-7
_SNAP_M: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Borders:
    """Pairs of polygons with a common border."""

    left: Ints
    """Shape (n,): position of the one, less than `right`."""
    right: Ints
    """Shape (n,)."""
    length: Floats
    """Shape (n,): metres."""
    held: Floats
    """Shape (n,): metres, each times the hold of the firmest line it runs along."""


def node(lines: Shapes) -> Shapes:
    """Lines cut wherever they meet, each piece once.

    >>> cross = shapely.linestrings([[(0, 0), (2, 2)], [(0, 2), (2, 0)]])
    >>> len(node(cross))
    4
    """
    merged = shapely.union_all(lines)
    parts = shapely.get_parts(merged)
    return np.asarray(parts[shapely.get_type_id(parts) == 1], dtype=object)


def polygons(noded: Shapes) -> Shapes:
    """The polygons between noded lines; loose ends and bridges bound nothing and drop out.

    >>> ring = np.array([shapely.LineString([(0, 0), (1, 0), (1, 1), (0, 0)]), shapely.LineString([(1, 1), (2, 2)])])
    >>> shapely.area(polygons(node(ring))).tolist()
    [0.5]
    """
    return np.asarray(shapely.get_parts(shapely.polygonize(noded)), dtype=object)


def owners(shapes: Shapes, grounds: Shapes) -> Ints:
    """Position of the ground each polygon lies in, −1 for none; polygons do not cross borders of grounds.

    >>> owners(shapely.box([0, 5], [0, 0], [1, 6], [1, 1]), np.array([shapely.box(0, 0, 2, 2)])).tolist()
    [0, -1]
    """
    inner = shapely.point_on_surface(shapes)
    which, ground = shapely.STRtree(grounds).query(inner, predicate="intersects")
    found = np.full(len(shapes), -1, dtype=np.int64)
    found[which[::-1]] = ground[::-1]
    return found


def borders(shapes: Shapes, lines: Lines | None = None) -> Borders:
    """Common borders of polygons that meet with the same vertices, and how firmly lines hold them.

    >>> found = borders(shapely.box([0, 1], [0, 0], [1, 2], [1, 1]))
    >>> found.left.tolist(), found.right.tolist(), found.length.tolist(), found.held.tolist()
    ([0], [1], [1.0], [0.0])
    """
    pieces = segments(shapes)
    order = np.lexsort((pieces.owner, *pieces.ends.T[::-1]))
    ends, owner = pieces.ends[order], pieces.owner[order]
    at = np.flatnonzero((ends[1:] == ends[:-1]).all(axis=1) & (owner[1:] != owner[:-1])) if len(ends) else np.zeros(0, np.int64)
    left, right, ends = owner[at], owner[at + 1], ends[at]
    length = np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
    held = length * holds((ends[:, :2] + ends[:, 2:]) / 2, lines)
    many = len(shapes)
    pairs, group = np.unique(left * many + right, return_inverse=True)
    return Borders(pairs // max(many, 1), pairs % max(many, 1), np.bincount(group, length, len(pairs)).astype(float),
                   np.bincount(group, held, len(pairs)).astype(float))  # fmt: skip


def holds(points: Floats, lines: Lines | None) -> Floats:
    """The hold of the firmest line each point lies on, 0 where there is none, shape (n,).

    >>> holds(np.array([[1.0, 0.0]]), Lines(shapely.linestrings([[(0, 0), (2, 0)]]), np.array([0]))).tolist()
    [1.0]
    """
    firm = np.zeros(len(points))
    if lines is not None and len(lines.shapes) and len(points):
        point, line = shapely.STRtree(lines.shapes).query(shapely.points(points), predicate="dwithin", distance=_ON_M)
        np.maximum.at(firm, point, lines.hold[line])
    return firm


def crossed(lines: Shapes, buildings: Shapes) -> Bools:
    """Which buildings lines run into, shape (n,).

    >>> crossed(shapely.linestrings([[(0, 0), (3, 0)]]), shapely.box([1, 1], [-1, 0], [2, 2], [1, 1])).tolist()
    [True, True]
    """
    found = np.zeros(len(buildings), dtype=bool)
    line, building = shapely.STRtree(buildings).query(lines, predicate="intersects")
    inside = shapely.length(shapely.intersection(lines[line], buildings[building])) > _ENTERS_M
    found[building[inside]] = True
    return found


def whole(shapes: Shapes, owner: Ints, buildings: Shapes) -> tuple[Shapes, Ints, Bools]:
    """Faces with those inside one building joined, per owner: polygons, their owners, and which are buildings.

    >>> faces = shapely.box([0, 1], [0, 0], [1, 2], [1, 1])
    >>> shapes, owner, solid = whole(faces, np.array([0, 0]), np.array([shapely.box(0, 0, 2, 1)]))
    >>> shapely.area(shapes).tolist(), solid.tolist()
    ([2.0], [True])
    """
    inside = owners(shapes, buildings)
    solid = inside >= 0
    number = np.where(solid, inside, len(buildings) + np.arange(len(shapes)))
    found = borders(shapes)
    same = (number[found.left] == number[found.right]) & (owner[found.left] == owner[found.right])
    group = components(len(shapes), found.left[same], found.right[same])
    stays = np.flatnonzero(group == np.arange(len(shapes)))
    return union_groups(shapes, group)[stays], owner[stays], solid[stays]


def components(many: int, left: Ints, right: Ints) -> Ints:
    """The first member of the connected group each of `many` items is in, shape (many,).

    >>> components(4, np.array([0, 3]), np.array([2, 2])).tolist()
    [0, 1, 0, 0]
    """
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(many, many))
    _, label = connected_components(graph, directed=False)
    _, first = np.unique(label, return_index=True)
    return np.asarray(first[label], dtype=np.int64)


def snapped(pieces: Shapes, polygon: shapely.Polygon) -> Shapes:
    """Pieces of a polygon, with vertices next to one of its own moved onto it: no border has two vertices a hair apart.

    >>> piece = shapely.Polygon([(0, 0), (1, 0), (1, 1), (1e-6, 1)])
    >>> snapped(np.array([piece]), shapely.box(0, 0, 1, 1))[0].area
    1.0
    """
    corners, xy = shapely.get_coordinates(polygon), shapely.get_coordinates(pieces)
    far, at = cKDTree(corners).query(xy)
    if not ((far > 0) & (far < _SNAP_M)).any():
        return pieces
    moved = np.where((far < _SNAP_M)[:, None], corners[at], xy)
    shapes = shapely.remove_repeated_points(shapely.set_coordinates(pieces.copy(), moved), 0.0)
    return np.asarray(shapes[shapely.is_valid(shapes) & (shapely.area(shapes) > 0)], dtype=object)


def with_vertices(shapes: Shapes, points: Floats) -> Shapes:
    """Polygons with a vertex at every point that lies inside one of their edges, shapes else as they were.

    >>> with_vertices(np.array([shapely.box(0, 0, 2, 2)]), np.array([[1.0, 0.0], [5.0, 5.0]]))[0].wkt
    'POLYGON ((2 0, 2 2, 0 2, 0 0, 1 0, 2 0))'
    """
    result = shapes.copy()
    points = np.unique(points, axis=0)
    spots: Shapes = np.asarray(shapely.points(points), dtype=object)
    at, spot = shapely.STRtree(spots).query(shapely.boundary(shapes), predicate="dwithin", distance=_SAME_M)
    for polygon in np.unique(at).tolist():
        near = points[spot[at == polygon]]
        result[polygon] = _with(shapes[polygon], near)
    return result


def _with(polygon: shapely.Polygon, points: Floats) -> shapely.Polygon:
    rings = [_ring(shapely.get_coordinates(ring), points) for ring in (polygon.exterior, *polygon.interiors)]
    return shapely.Polygon(rings[0], rings[1:])


def _ring(xy: Floats, points: Floats) -> Floats:
    start, way = xy[:-1], xy[1:] - xy[:-1]
    square = (way**2).sum(axis=1)
    offset = points[:, None] - start
    along = (offset * way).sum(axis=2) / np.where(square == 0, 1, square)
    aside = np.abs(offset[..., 0] * way[:, 1] - offset[..., 1] * way[:, 0]) / np.sqrt(np.where(square == 0, 1, square))
    fresh = ~(points[:, None] == xy[None]).all(axis=2).any(axis=1)
    inside = (along > 0) & (along < 1) & (aside < _SAME_M) & fresh[:, None]
    point, edge = np.nonzero(inside)
    if not len(point):
        return xy
    # a point near a corner may lie within reach of two edges: the nearer takes it
    best = np.full(len(points), np.inf)
    np.minimum.at(best, point, aside[point, edge])
    chosen = aside[point, edge] == best[point]
    point, edge = point[chosen], edge[chosen]
    _, once = np.unique(point, return_index=True)
    point, edge = point[once], edge[once]
    order = np.lexsort((along[point, edge], edge))
    return np.insert(xy, edge[order] + 1, points[point[order]], axis=0)
