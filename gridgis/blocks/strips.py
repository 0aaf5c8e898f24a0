"""Strips between two carriageways, junctions and roundabouts: cut where other streets meet them, and given to blocks beside."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.blocks.faces import Borders, borders
from gridgis.blocks.joining import Patches, absorb
from gridgis.blocks.network import REACH_M, Lines
from gridgis.blocks.weaving import FINE_M, GRID_M, fit_together, node, owners, polygons, united
from gridgis.topology import segments

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# a face of a mean width (2 · area / perimeter) under the first is a strip; with buildings in it, under the second
STRIP_M: Final = 32.0
_THIN_M: Final = 10.0
_BUILT: Final = 0.05
# strips under this area are given away in one piece
_SHORT_M2: Final = 600.0
_RAYS: Final = 120
# a strip goes to the block on this side where both sides share as much border: one side all along a street
_SIDE: Final = np.array([-0.6, -0.8])
_SIDE_WEIGHT: Final = 0.6


def thin(shapes: Shapes, buildings: Shapes, *, least_m2: float) -> Bools:
    """Which faces are no blocks: strips without buildings, slivers, and whatever is under the least area.

    Parameters
    ----------
    shapes
        Polygons, shape (n,).
    buildings
        Polygons.
    least_m2
        What is smaller is no block whatever its shape.

    Examples
    --------
    >>> thin(shapely.box([0, 0, 0], [0, 50, 99], [200, 200, 5], [20, 90, 104]), np.array([]), least_m2=200).tolist()
    [True, False, True]
    """
    area, edge = shapely.area(shapes), shapely.length(shapes)
    built = np.zeros(len(shapes))
    if len(buildings):
        at, house = shapely.STRtree(buildings).query(shapes, predicate="intersects")
        np.add.at(built, at, shapely.area(shapely.intersection(shapes[at], buildings[house])))
    limit = np.where(built < _BUILT * area, STRIP_M, _THIN_M)
    return np.asarray((2 * area < limit * edge) | (area < least_m2), dtype=bool)


def share_out(
    shapes: Shapes, owner: Ints, strip: Bools, lines: Lines, buildings: Shapes, *, grid_m: float = GRID_M
) -> tuple[Shapes, Ints]:
    """Faces with strips given to their neighbours of the same owner, and the owners.

    1. A long strip is cut straight across wherever another border meets it, so that each piece lies beside one block.
    2. Pieces go to the block with the longest border on them; where both sides have about as much, always to the side in the
       south-west, so that the border keeps to one carriageway.

    Parameters
    ----------
    shapes
        Polygons that meet with the same vertices, shape (n,).
    owner
        Shape (n,).
    strip
        Shape (n,): which are strips.
    lines
        Streets and water, which hold borders.
    buildings
        Polygons no strip is cut through.
    grid_m
        As for `weaving.node`.

    Examples
    --------
    >>> faces = shapely.box([0, 0, 0], [0, 50, 70], [100, 100, 100], [50, 70, 120])
    >>> nothing = Lines(np.array([]), np.array([], dtype=np.int64))
    >>> shapes, owner = share_out(faces, np.zeros(3, dtype=np.int64), np.array([False, True, False]), nothing, np.array([]))
    >>> shapely.area(shapes).round(1).tolist()
    [7000.0, 5000.0]
    """
    long = np.flatnonzero(strip & (shapely.area(shapes) > _SHORT_M2))
    corners, solid = _meetings(shapes), shapely.STRtree(buildings)
    kept, belongs, flags = [np.delete(shapes, long)], [np.delete(owner, long)], [np.delete(strip, long)]
    for at in long.tolist():
        pieces = _cut(shapes[at], corners, solid)
        kept.append(pieces)
        belongs.append(np.full(len(pieces), owner[at]))
        flags.append(np.ones(len(pieces), dtype=bool))
    shapes, owner, strip = np.concatenate(kept), np.concatenate(belongs), np.concatenate(flags)
    if len(long):
        shapes, of = fit_together(shapes, grid_m=grid_m)
        owner, strip = owner[of], strip[of]
    found = _sided(shapes, strip, borders(shapes, lines))
    nothing = np.zeros(len(shapes))
    group = absorb(Patches(shapely.area(shapes), shapely.length(shapes), nothing, nothing, owner), found, strip)
    shapes, first = united(shapes, group)
    return shapes, owner[first]


def _sided(shapes: Shapes, strip: Bools, found: Borders) -> Borders:
    """Borders of strips, longer where the block lies on the preferred side."""
    middle = shapely.get_coordinates(shapely.centroid(shapes))
    way = middle[found.right] - middle[found.left]
    way /= np.maximum(np.hypot(*way.T), 1e-9)[:, None]
    side = np.where(strip[found.left] & ~strip[found.right], 1.0, np.where(strip[found.right] & ~strip[found.left], -1.0, 0.0))
    factor = 1 + _SIDE_WEIGHT * side * np.sign((way @ _SIDE).round(9))
    return Borders(found.left, found.right, found.length * factor, found.held * factor)


def _meetings(shapes: Shapes) -> Floats:
    """Corners where three borders or more meet, shape (k, 2)."""
    ends = np.unique(segments(shapes).ends, axis=0).reshape(-1, 2)
    corners, times = np.unique(ends, axis=0, return_counts=True)
    return np.asarray(corners[times > 2])


def _cut(strip: shapely.Polygon, corners: Floats, solid: shapely.STRtree) -> Shapes:
    """The strip cut across at the corners on its edge; as it is where that is not possible."""
    edge = shapely.boundary(strip)
    near = corners[shapely.dwithin(shapely.points(corners), edge, 1e-7)]
    width = 2 * strip.area / strip.length
    chords = [chord for corner in near if (chord := _chord(strip, corner, width)) is not None]
    # a cut that only takes a corner off parts nothing
    chords = [chord for chord in chords if _least_part(edge, chord) > width**2 and not len(solid.query(chord, "intersects"))]
    whole: Shapes = np.array([strip], dtype=object)
    if not chords:
        return whole
    shapes = polygons(node(np.array([edge, *chords], dtype=object), grid_m=FINE_M))
    return shapes[owners(shapes, whole) >= 0]


def _least_part(edge: Any, chord: shapely.LineString) -> float:
    parts = polygons(node(np.array([edge, chord], dtype=object), grid_m=FINE_M))
    return float(shapely.area(parts).min()) if len(parts) > 1 else 0.0


def _chord(strip: shapely.Polygon, corner: Floats, width: float) -> shapely.LineString | None:
    """The shortest way across the strip from a corner, and a little beyond."""
    angle = np.arange(_RAYS) * 2 * np.pi / _RAYS
    way = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ends = np.stack([corner + way * REACH_M, corner + way * 4 * width], axis=1)
    rays: Shapes = np.asarray(shapely.linestrings(ends), dtype=object)
    starts = shapely.points(corner + way * REACH_M)
    free = shapely.contains(strip, starts)
    inner = shapely.intersection(rays[free], strip)
    best, length = None, 3 * width
    for part, direction in zip(inner, way[free], strict=True):
        xy = shapely.get_coordinates(shapely.get_parts(part)[:1] if part.geom_type != "LineString" else part)
        far = float(np.hypot(*(xy[-1] - corner))) if len(xy) else 0.0
        # shorter than half the width only cuts off a corner; longer than the reach of the ray is no way across
        if 0.5 * width < far < min(length, 3.9 * width):
            best, length = direction, far
    if best is None:
        return None
    return shapely.LineString([corner, corner + best * (length + REACH_M)])
