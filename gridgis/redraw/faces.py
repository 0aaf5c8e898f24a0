"""Faces: what lines cut a polygon into, and polygons put together again without losing or moving a vertex."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gridgis.redraw.noding import directed
from gridgis.redraw.refusal import Refused

_SHARE = 1e-6


def faces(shape: BaseGeometry, lines: NDArray[np.float64]) -> list[shapely.Polygon]:
    """The connected pieces a polygon falls into along woven lines; pieces of lines that end inside it cut nothing.

    Parameters
    ----------
    shape
        Polygon or multipolygon with the lines woven in.
    lines
        Segments, shape (k, 2, 2), of all lines; those outside do not matter.

    Examples
    --------
    >>> square = shapely.Polygon([(0, 0), (1, 0), (2, 0), (2, 2), (1, 2), (0, 2)])
    >>> [face.area for face in faces(square, np.array([[(1.0, 0.0), (1.0, 2.0)]]))]
    [2.0, 2.0]
    """
    west, south, east, north = shape.bounds
    middle = lines.mean(axis=1) if len(lines) else np.zeros((0, 2))
    inside = (middle[:, 0] >= west) & (middle[:, 0] <= east) & (middle[:, 1] >= south) & (middle[:, 1] <= north)
    lines, middle = lines[inside], middle[inside]
    shapely.prepare(shape)
    lines = lines[shapely.intersects_xy(shape, middle)] if len(lines) else lines
    start, end, _ = directed(np.array([shape], dtype=object))
    own = {tuple(sorted(pair)) for pair in zip(map(tuple, start.tolist()), map(tuple, end.tolist()), strict=True)}
    cuts = {tuple(sorted(map(tuple, pair))) for pair in lines.tolist()} - own
    parts: list[shapely.Polygon] = list(shapely.get_parts(shape))
    if not cuts:
        return parts
    edges = np.asarray(shapely.linestrings(np.array(sorted(own | cuts))), dtype=object)
    found = shapely.get_parts(shapely.polygonize(edges))
    spots = shapely.point_on_surface(found)
    kept: list[shapely.Polygon] = list(found[shapely.intersects(shape, spots)])
    if abs(sum(face.area for face in kept) - shape.area) > _SHARE * max(shape.area, 1.0):
        raise Refused("redraw.too_tight", place=shape)
    return kept


def dissolve(pieces: Iterable[BaseGeometry]) -> BaseGeometry:
    """The union of polygons with common vertices along common borders: their outer segments, bit for bit.

    >>> dissolve([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]).area
    2.0
    """
    given = list(pieces)
    return given[0] if len(given) == 1 else shapely.coverage_union_all(given)


def border_lengths(piece: BaseGeometry, others: dict[str, BaseGeometry]) -> dict[str, float]:
    """Length in metres of the border a polygon has in common with each of others; those without one are left out.

    >>> border_lengths(shapely.box(0, 0, 1, 1), {"east": shapely.box(1, 0, 2, 1), "far": shapely.box(5, 0, 6, 1)})
    {'east': 1.0}
    """
    start, end, _ = directed(np.array([piece], dtype=object))
    own = set(zip(map(tuple, start.tolist()), map(tuple, end.tolist()), strict=True))
    own |= {(b, a) for a, b in own}
    west, south, east, north = piece.bounds
    lengths: dict[str, float] = {}
    for code, other in others.items():
        left, bottom, right, top = other.bounds
        if left > east or right < west or bottom > north or top < south:
            continue
        a, b, _ = directed(np.array([other], dtype=object))
        inside = (np.minimum(a[:, 0], b[:, 0]) <= east) & (np.maximum(a[:, 0], b[:, 0]) >= west)
        a, b = a[inside], b[inside]
        pairs = zip(map(tuple, a.tolist()), map(tuple, b.tolist()), strict=True)
        total = sum(float(np.hypot(p[0] - q[0], p[1] - q[1])) for p, q in pairs if (p, q) in own)
        if total > 0:
            lengths[code] = total
    return lengths
