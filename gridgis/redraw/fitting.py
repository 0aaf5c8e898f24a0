"""Whether polygons fit together, as algebra: directed segments that cancel, the free ground left over, vertices woven in.

Every ring is run with the ground on its left. Where two polygons meet, one runs the common segment forward and the other
back; the outline is run the other way round. Polygons and free ground fill an outline without gap or overlap exactly when
all segments cancel: no tolerance is involved. Segments that do not cancel bound free ground, or something that does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from shapely.geometry.base import BaseGeometry

from gridgis.redraw.partition import OUTLINE_SNAP_M, Outline
from gridgis.topology import Floats, Ints, Segments, Shapes, segments

Point = tuple[float, ...]

WEAVE_M: Final = 1e-6
"""Vertices nearer than this are one, and a vertex nearer than this to an edge lies on it, metres: what rounding can do."""

# a vertex this near to the outline lies on it, as `invariants` judges
_OUTLINE_M: Final = 1e-8
# a vertex put into an edge bends it by rounding, so that another one may come to lie beside it
_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class Left:
    """Segments of polygons and an outline that do not cancel."""

    ends: Floats
    """Shape (n, 4): x, y of the lesser end, x, y of the other one; each segment once."""
    times: Ints
    """Shape (n,): how often the polygons run it forward, less how often they run it back, less the same of the outline."""

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True)
class Fit:
    """Polygons and an outline with the same vertices along common borders, and what is free between them."""

    shapes: Shapes
    """The polygons, shape (n,): the same objects where no vertex was added or moved."""
    outline: Outline
    """The outline, likewise."""
    free: Shapes
    """Connected polygons of ground inside the outline that no shape holds, shape (m,), from west to east."""
    left: Left
    """Segments that still do not cancel; none: shapes and free ground fill the outline, without gap or overlap."""


def left_over(shapes: Shapes, outline: Outline) -> Left:
    """The segments of valid polygons that do not cancel against each other or against the outline.

    >>> left_over(shapely.box([0, 1], 0, [1, 3], 1), shapely.box(0, 0, 3, 1)).ends.tolist()
    [[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 3.0, 0.0], [0.0, 1.0, 1.0, 1.0], [0.0, 1.0, 3.0, 1.0], [1.0, 0.0, 3.0, 0.0], [1.0, 1.0, 3.0, 1.0]]
    """  # noqa: E501
    pieces = _directed(shapes, outline)
    return _sum(pieces, outline_at=len(shapes))


def free_ground(left: Left) -> Shapes:
    """The polygons bounded by segments that do not cancel, with ground missing on their inside, from west to east.

    >>> hole = left_over(shapely.box([0, 2], 0, [1, 3], [1, 1]), shapely.box(0, 0, 3, 1))
    >>> len(free_ground(hole))  # the edges of the outline lack the corners of the polygons
    0
    >>> outline = shapely.Polygon([(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (2, 1), (1, 1), (0, 1)])
    >>> free_ground(left_over(shapely.box([0, 2], 0, [1, 3], [1, 1]), outline))[0].bounds
    (1.0, 0.0, 2.0, 1.0)
    """
    none = np.empty(0, dtype=object)
    if len(left) == 0:
        return none
    lines: Shapes = np.asarray(shapely.linestrings(left.ends.reshape(-1, 2, 2)), dtype=object)
    faces = shapely.get_parts(shapely.polygonize(lines))
    if len(faces) == 0:
        return none
    faces = shapely.orient_polygons(faces)
    times = {tuple(ends): count for ends, count in zip(left.ends.tolist(), left.times.tolist(), strict=True)}
    first = shapely.get_coordinates(shapely.get_exterior_ring(faces), return_index=True)
    starts = np.searchsorted(first[1], np.arange(len(faces)))
    a, b = first[0][starts].tolist(), first[0][starts + 1].tolist()
    # the missing polygon would run its first segment against what is left over
    missing = [
        times.get((*p, *q), 0) < 0 if p < q else times.get((*q, *p), 0) > 0
        for p, q in zip(map(tuple, a), map(tuple, b), strict=True)
    ]
    free = faces[np.array(missing)]
    box = shapely.bounds(free).reshape(-1, 4)
    return np.asarray(free[np.lexsort((box[:, 1], box[:, 0]))], dtype=object)


def fit(shapes: Shapes, outline: Outline) -> Fit:
    """Polygons and their outline with vertices woven in where they lack them, and the free ground between.

    1. Where all segments cancel already, or what is left over bounds free ground, everything comes back as the same objects.
    2. Else vertices nearer than `WEAVE_M` become one (the outline's own, if one is), and edges get the vertices that lie
       within `WEAVE_M` of them; only edges that do not cancel are touched, and until nothing changes.
    3. What is left over then does not fit: `Fit.left` tells.

    Parameters
    ----------
    shapes
        Valid polygons or multipolygons, shape (n,).
    outline
        A valid polygon or multipolygon.

    Examples
    --------
    >>> corner = shapely.box([0, 1, 1], [0, 0, 1], [1, 2, 2], [2, 1, 2])  # the left one lacks the corner of the right ones
    >>> woven = fit(corner, shapely.box(0, 0, 2, 2))
    >>> len(woven.left), len(woven.free), shapely.get_num_coordinates(woven.shapes).tolist()
    (0, 0, [6, 5, 5])
    """
    given = np.asarray(shapes, dtype=object)
    for _ in range(_ROUNDS):
        left = left_over(given, outline)
        free = free_ground(left)
        rest = left if len(free) == 0 else left_over(np.concatenate([given, free]), outline)
        # an edge and the same edge with a vertex beside it bound ground too, a nanometre wide: that is woven, not free; and a
        # shape that runs along the outline without a vertex in common would be a hole on the rim of the free ground
        if len(rest) == 0 and (mean_width(free) >= WEAVE_M).all() and shapely.is_valid(free).all():
            return Fit(given, outline, free, rest)
        everything = np.append(given, np.array([outline], dtype=object))
        woven, changed = _weave(everything, left)
        if not changed:
            return Fit(given, outline, free, rest)
        given, outline = woven[:-1], woven[-1]
    left = left_over(given, outline)
    free = free_ground(left)
    return Fit(given, outline, free, left_over(np.concatenate([given, free]), outline))


def _directed(shapes: Shapes, outline: Outline) -> Segments:
    everything = np.append(np.asarray(shapes, dtype=object), np.array([outline], dtype=object))
    return segments(np.asarray(shapely.orient_polygons(everything), dtype=object))


def _sum(pieces: Segments, *, outline_at: int) -> Left:
    times = np.where(pieces.forward, 1, -1) * np.where(pieces.owner == outline_at, -1, 1)
    order = np.lexsort(pieces.ends.T[::-1])
    ends, times = pieces.ends[order], times[order]
    if len(ends) == 0:
        return Left(ends, times.astype(np.int64))
    starts = np.flatnonzero(np.r_[True, (ends[1:] != ends[:-1]).any(axis=1)])
    sums = np.add.reduceat(times, starts)
    keep = sums != 0
    return Left(ends[starts][keep], sums[keep].astype(np.int64))


def _weave(shapes: Shapes, left: Left) -> tuple[Shapes, bool]:
    """Vertices of left-over segments merged and put into left-over edges; the outline is the last shape."""
    corners = np.unique(left.ends.reshape(-1, 2), axis=0)
    moved = _merged(corners, shapes[-1])
    kept = np.unique(np.array([moved.get(tuple(xy), tuple(xy)) for xy in corners.tolist()]).reshape(-1, 2), axis=0)
    extra = _put_in(left.ends, kept, moved)
    moved, extra = _onto_outline(moved, extra, shapes[-1])
    if not moved and not extra:
        return shapes, False
    touched = {end for ends in extra for end in (ends[:2], ends[2:])} | moved.keys()
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    suspects = np.unique(owner[[point in touched for point in map(tuple, xy.tolist())]])
    result = shapes.copy()
    changed = False
    for at in suspects.tolist():
        result[at], new = _rewritten(shapes[at], moved, extra)
        changed |= new
    return result, changed


def _merged(corners: Floats, outline: Outline) -> dict[Point, Point]:
    """Where each corner goes that is not the one of its kind, by the place it had."""
    pairs = KDTree(corners).query_pairs(WEAVE_M, output_type="ndarray")
    if len(pairs) == 0:
        return {}
    links = coo_array((np.ones(len(pairs), dtype=np.int8), tuple(pairs.T)), shape=(len(corners), len(corners)))
    _, group = connected_components(links, directed=False)
    own = set(map(tuple, shapely.get_coordinates(outline).tolist()))
    points = [tuple(xy) for xy in corners.tolist()]
    moved: dict[Point, Point] = {}
    for some in np.unique(group[pairs]).tolist():
        members = [points[at] for at in np.flatnonzero(group == some).tolist()]
        one = min(members, key=lambda point: (point not in own, point))
        moved.update({point: one for point in members if point != one})
    return moved


def _onto_outline(
    moved: dict[Point, Point], extra: dict[tuple[float, ...], list[Point]], outline: Outline
) -> tuple[dict[Point, Point], dict[tuple[float, ...], list[Point]]]:
    """The outline is not bent: corners put into its edges go onto them instead, by a micrometre at most."""
    own = set(map(tuple, segments(np.array([outline], dtype=object)).ends.tolist()))
    onto: dict[Point, Point] = {}
    for edge in extra.keys() & own:
        a, b = np.array(edge[:2]), np.array(edge[2:])
        for point in extra[edge]:
            foot = a + (b - a) * (np.dot(point - a, b - a) / np.dot(b - a, b - a))
            if np.hypot(*(point - foot)) > _OUTLINE_M:
                onto[point] = tuple((np.round(foot / OUTLINE_SNAP_M) * OUTLINE_SNAP_M).tolist())
    if not onto:
        return moved, extra
    return (
        {point: onto.get(to, to) for point, to in moved.items()} | onto,
        {edge: [onto.get(point, point) for point in points] for edge, points in extra.items()},
    )


def _put_in(ends: Floats, corners: Floats, moved: dict[Point, Point]) -> dict[tuple[float, ...], list[tuple[float, ...]]]:
    """Corners that lie inside left-over edges, by the edge, from its lesser end on."""
    lines = np.asarray(shapely.linestrings(ends.reshape(-1, 2, 2)), dtype=object)
    corner, line = shapely.STRtree(lines).query(shapely.points(corners), predicate="dwithin", distance=WEAVE_M)
    found: dict[tuple[float, ...], list[tuple[float, tuple[float, ...]]]] = {}
    for at, of in zip(corner.tolist(), line.tolist(), strict=True):
        edge, point = tuple(ends[of].tolist()), tuple(corners[at].tolist())
        a, b = (moved.get(end, end) for end in (edge[:2], edge[2:]))
        if point in (a, b) or min(np.hypot(*np.subtract(point, a)), np.hypot(*np.subtract(point, b))) <= WEAVE_M:
            continue
        along = float(np.dot(np.subtract(point, a), np.subtract(b, a)))
        found.setdefault(edge, []).append((along, point))
    return {edge: [point for _, point in sorted(points)] for edge, points in found.items()}


def _rewritten(
    shape: BaseGeometry,
    moved: dict[Point, Point],
    extra: dict[tuple[float, ...], list[tuple[float, ...]]],
) -> tuple[BaseGeometry, bool]:
    """A polygon or multipolygon with corners moved and put in, and whether that changed it."""
    changed = False

    def ring(line: BaseGeometry) -> list[tuple[float, ...]]:
        nonlocal changed
        points = [tuple(xy) for xy in shapely.get_coordinates(line).tolist()]
        new: list[tuple[float, ...]] = []
        for a, b in zip(points, [*points[1:], points[0]], strict=True):
            new.append(moved.get(a, a))
            inside = extra.get((*a, *b)) if a < b else (extra.get((*b, *a)) or [])[::-1]
            new += inside or []
        changed |= new != points
        return [point for at, point in enumerate(new) if at == 0 or point != new[at - 1]]

    def polygon(part: BaseGeometry) -> shapely.Polygon:
        shell, *holes = (ring(line) for line in shapely.get_rings(part))
        # a hole merged to nothing is gone; a shell merged to nothing leaves no polygon
        return shapely.Polygon(shell, [hole for hole in holes if len(hole) > 3]) if len(shell) > 3 else shapely.Polygon()

    parts = [polygon(part) for part in shapely.get_parts(shape)]
    parts = [part for part in parts if not part.is_empty]
    if not changed:
        return shape, False
    whole = parts[0] if len(parts) == 1 and shape.geom_type == "Polygon" else shapely.MultiPolygon(parts)
    return whole, True


def mean_width(shapes: Shapes) -> NDArray[np.float64]:
    """Mean width of polygons in metres: twice the area over the perimeter, shape (n,); 0 for empty ones.

    >>> mean_width(shapely.box(0, 0, [10, 1000], [10, 1])).round(3).tolist()
    [5.0, 0.999]
    """
    length = shapely.length(shapes)
    return np.divide(2 * shapely.area(shapes), length, out=np.zeros(len(shapes)), where=length > 0)
