"""Faces between lines: their common borders and what holds those, and buildings kept whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gridgis.blocks.network import Lines
from gridgis.blocks.weaving import owners, united
from gridgis.topology import segments

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# a line runs along a border that is so near
_ON_M: Final = 1e-3
# lines that enter a building by less do not cross it
_ENTERS_M: Final = 1e-3


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


def borders(shapes: Shapes, lines: Lines | None = None) -> Borders:
    """Common borders of polygons that meet with the same vertices, and how firmly lines hold them.

    >>> found = borders(shapely.box([0, 1], [0, 0], [1, 2], [1, 1]))
    >>> found.left.tolist(), found.right.tolist(), found.length.tolist(), found.held.tolist()
    ([0], [1], [1.0], [0.0])
    """
    left, right, ends = meetings(shapes)
    length = np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
    held = length * holds((ends[:, :2] + ends[:, 2:]) / 2, lines)
    many = len(shapes)
    pairs, group = np.unique(left * many + right, return_inverse=True)
    return Borders(pairs // max(many, 1), pairs % max(many, 1), np.bincount(group, length, len(pairs)).astype(float),
                   np.bincount(group, held, len(pairs)).astype(float))  # fmt: skip


def meetings(shapes: Shapes) -> tuple[Ints, Ints, Floats]:
    """The segments two polygons share: positions of both, the lesser first, and x, y of both ends, shape (n, 4).

    >>> left, right, ends = meetings(shapely.box([0, 1], [0, 0], [1, 2], [1, 1]))
    >>> left.tolist(), right.tolist(), ends.tolist()
    ([0], [1], [[1.0, 0.0, 1.0, 1.0]])
    """
    pieces = segments(shapes)
    order = np.lexsort((pieces.owner, *pieces.ends.T[::-1]))
    ends, owner = pieces.ends[order], pieces.owner[order]
    at = np.flatnonzero((ends[1:] == ends[:-1]).all(axis=1) & (owner[1:] != owner[:-1])) if len(ends) else np.zeros(0, np.int64)
    return owner[at], owner[at + 1], ends[at]


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
    shapes, first = united(shapes, group)
    return shapes, owner[first], solid[first]


def components(many: int, left: Ints, right: Ints) -> Ints:
    """The first member of the connected group each of `many` items is in, shape (many,).

    >>> components(4, np.array([0, 3]), np.array([2, 2])).tolist()
    [0, 1, 0, 0]
    """
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(many, many))
    _, label = connected_components(graph, directed=False)
    _, first = np.unique(label, return_index=True)
    return np.asarray(first[label], dtype=np.int64)
