"""Built-up outlines: which shapes belong together by the distance between their walls, and the ground they build up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from gridgis.ground import Ints, Shapes, overlapping_pairs
from gridgis.progress import Progress, silent

# shapes looked at together when pairs are sought: bounds memory however large the distance
_CHUNK: Final = 20_000
# segments per quarter circle of a buffer, and how far its edges fall short of the circle
_QUADRANT: Final = 8
_APOTHEM: Final = float(np.cos(np.pi / (4 * _QUADRANT)))
# clusters outlined between two words to the listener
_REPORT_EVERY: Final = 2_000


@dataclass(frozen=True, slots=True)
class Outline:
    """How an outline is drawn."""

    distance_m: float
    """Shapes up to this far apart, wall to wall, belong together (metres of the plane)."""
    hole_m2: float
    """Holes up to this size are filled, unless a shape of another cluster stands in them."""
    bridge_m: float
    """Width of the strips that tie the parts of one outline together."""


def clusters(shapes: Shapes, *, distance_m: float, groups: Ints | None = None) -> Ints:
    """The cluster every shape belongs to: shapes within a distance of each other, directly or through others.

    Parameters
    ----------
    shapes
        Valid shapes of any kind, none empty, shape (n,).
    distance_m
        Largest distance between two walls, in the unit of the coordinates; shapes that touch are at 0.
    groups
        Shape (n,): shapes of different groups never belong together. None: one group.

    Returns
    -------
    array
        Shape (n,), 0 … clusters − 1, numbered by the first shape of each.

    Examples
    --------
    >>> clusters(shapely.box([0, 15, 40], 0, [10, 25, 50], 10), distance_m=5).tolist()
    [0, 0, 1]
    """
    if len(shapes) == 0:
        return np.zeros(0, dtype=np.intp)
    kin = np.zeros(len(shapes), dtype=np.intp) if groups is None else groups
    points = shapely.point_on_surface(shapes)
    xy = np.column_stack([shapely.get_x(points), shapely.get_y(points)])
    # inner points in one square of diagonal `distance_m` are near enough without looking at the walls
    side = max(distance_m, 1e-9) / np.sqrt(2)
    square = np.floor((xy - xy.min(axis=0)) / side).astype(np.int64)
    _, label = np.unique(np.column_stack([kin, square]), axis=0, return_inverse=True)
    label = np.asarray(label, dtype=np.intp).reshape(-1)
    for first, second in _near(shapes, distance_m, label, kin):
        size = int(label.max()) + 1
        links = coo_array((np.ones(len(first), dtype=np.int8), (label[first], label[second])), shape=(size, size))
        _, joined = connected_components(links, directed=False)
        label[:] = joined[label]
    _, seen, label = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(seen), dtype=np.intp)
    rank[np.argsort(seen)] = np.arange(len(seen))
    return rank[label.reshape(-1)]


def outlines(shapes: Shapes, label: Ints, chosen: Ints, style: Outline, *, progress: Progress = silent) -> Shapes:
    """The built-up outline of chosen clusters, each one polygon, none overlapping another.

    1. Closing: the ground around the shapes into which no disc of radius `distance_m` fits, as far as it lies within
       half that distance of a wall. So two outlines cannot meet, and every shape lies in its own.
    2. Parts that closing leaves apart are tied by strips `bridge_m` wide along the shortest ways between their shapes.
    3. Holes up to `hole_m2` are filled, unless a shape of another cluster stands in them.

    Parameters
    ----------
    shapes
        Valid shapes, shape (n,).
    label
        Cluster of every shape, as `clusters` gives it for the same distance.
    chosen
        The clusters to outline, shape (k,).
    style
        Distances and sizes.
    progress
        Told of clusters outlined.

    Returns
    -------
    array
        Valid polygons, shape (k,).

    Examples
    --------
    >>> houses = shapely.box([0, 20], 0, [10, 30], 10)
    >>> outline = outlines(houses, np.zeros(2, dtype=int), np.zeros(1, dtype=int), Outline(20, 100, 4))[0]
    >>> outline.geom_type, bool(shapely.covers(outline, houses).all())
    ('Polygon', True)
    """
    if len(chosen) == 0:
        return np.empty(0, dtype=object)
    place = np.full(int(label.max()) + 1, -1, dtype=np.intp)
    place[chosen] = np.arange(len(chosen))
    of = place[label]
    mine = np.flatnonzero(of >= 0)
    mine = mine[np.argsort(of[mine], kind="stable")]
    groups = np.split(mine, np.flatnonzero(np.diff(of[mine])) + 1)
    closed = np.empty(len(chosen), dtype=object)
    for at, some in enumerate(groups):
        closed[at] = _close(shapes[some], style.distance_m)
        if at % _REPORT_EVERY == 0:
            progress("villages.stage_outline", at, len(chosen))
    closed = _bridge(closed, shapes, of, style)
    closed = _fill(closed, shapes, of, style.hole_m2)
    return _apart(closed)


def _near(shapes: Shapes, distance: float, label: Ints, kin: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of near shapes of one kin whose labels differ at the time of asking (the caller may join labels meanwhile)."""
    tree = shapely.STRtree(shapes)
    box = shapely.bounds(shapes)
    for start in range(0, len(shapes), _CHUNK):
        end = min(start + _CHUNK, len(shapes))
        part = box[start:end]
        reach = shapely.box(
            part[:, 0] - distance, part[:, 1] - distance, part[:, 2] + distance, part[:, 3] + distance
        )  # fmt: skip
        first, second = tree.query(reach)
        first = first + start
        maybe = (first < second) & (label[first] != label[second]) & (kin[first] == kin[second])
        first, second = first[maybe], second[maybe]
        near = shapely.dwithin(shapes[first], shapes[second], distance)
        if near.any():
            yield first[near], second[near]


def _close(shapes: Shapes, distance: float) -> shapely.Geometry:
    half = distance / 2
    around = shapely.union_all(shapely.buffer(shapes, half, quad_segs=_QUADRANT))
    # erosion by the inner radius of the polygons that stand for circles: what was inside stays inside
    grown = shapely.buffer(around, half, quad_segs=_QUADRANT)
    shrunk = shapely.buffer(grown, -2 * half * _APOTHEM, quad_segs=_QUADRANT)
    closed = shapely.intersection(shrunk, around)
    shapely.prepare(closed)
    out = ~shapely.covers(closed, shapes)
    if out.any():
        closed = shapely.union_all([closed, *shapes[out]])
    parts = shapely.get_parts(closed)
    if len(parts) > 1:
        # crumbs of the closing, pinched off between the buildings, are no part of the village
        built = np.unique(shapely.STRtree(shapes).query(parts, predicate="intersects")[0])
        closed = shapely.multipolygons(parts[built]) if len(built) > 1 else parts[built[0]]
    return closed


def _bridge(closed: Shapes, shapes: Shapes, of: Ints, style: Outline) -> Shapes:
    """Step 2: strips along the spanning tree of the parts of every outline that is in several."""
    many = np.flatnonzero(shapely.get_num_geometries(closed) > 1)
    if len(many) == 0:
        return closed
    parts, owner = shapely.get_parts(closed[many], return_index=True)
    mine = np.flatnonzero(np.isin(of, many))
    part = _part_of(shapes[mine], of[mine], parts, many[owner])
    shortest: dict[tuple[int, int], tuple[float, int, int]] = {}
    for first, second in _near(shapes[mine], style.distance_m, part, of[mine]):
        gaps = shapely.distance(shapes[mine[first]], shapes[mine[second]])
        for a, b, gap in zip(first.tolist(), second.tolist(), gaps.tolist(), strict=True):
            pair = (min(part[a], part[b]), max(part[a], part[b]))
            if pair not in shortest or gap < shortest[pair][0]:
                shortest[pair] = (gap, int(mine[a]), int(mine[b]))
    if not shortest:
        return closed
    pairs = list(shortest)
    row, column = np.array(pairs).T
    # a spanning tree reads 0 as "no edge": touching parts get a hair
    gaps = np.array([max(shortest[pair][0], 1e-9) for pair in pairs])
    tree = minimum_spanning_tree(coo_array((gaps, (row, column)), shape=(len(parts), len(parts)))).tocoo()
    chosen = [shortest[min(a, b), max(a, b)] for a, b in zip(tree.row.tolist(), tree.col.tolist(), strict=True)]
    lines = shapely.shortest_line(shapes[[a for _, a, _ in chosen]], shapes[[b for _, _, b in chosen]])
    strips = shapely.buffer(lines, style.bridge_m / 2, quad_segs=_QUADRANT)
    home = of[[a for _, a, _ in chosen]]
    tied = closed.copy()
    for at in many.tolist():
        tied[at] = shapely.union_all([closed[at], *strips[home == at]])
    return tied


def _part_of(shapes: Shapes, of: Ints, parts: Shapes, owner: Ints) -> Ints:
    shape, part = shapely.STRtree(parts).query(shapes, predicate="intersects")
    same = of[shape] == owner[part]
    found = np.zeros(len(shapes), dtype=np.intp)
    found[shape[same]] = part[same]
    return found


def _fill(closed: Shapes, shapes: Shapes, of: Ints, hole_m2: float) -> Shapes:
    parts, owner = shapely.get_parts(closed, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    inner = np.r_[False, part[1:] == part[:-1]][: len(rings)]
    holes, home = shapely.polygons(rings[inner]), owner[part[inner]]
    small = shapely.area(holes) <= hole_m2
    holes, home = holes[small], home[small]
    if len(holes) == 0:
        return closed
    shape, hole = shapely.STRtree(holes).query(shapes, predicate="intersects")
    strangers = np.zeros(len(holes), dtype=bool)
    strangers[hole[of[shape] != home[hole]]] = True
    holes, home = holes[~strangers], home[~strangers]
    filled = closed.copy()
    order = np.argsort(home, kind="stable")
    for some in np.split(order, np.flatnonzero(np.diff(home[order])) + 1):
        if len(some):
            filled[home[some[0]]] = shapely.union_all([closed[home[some[0]]], *holes[some]])
    return filled


def _apart(closed: Shapes) -> Shapes:
    """Strips may graze a neighbour by centimetres: the later outline gives way."""
    apart = closed.copy()
    for first, second, _ in zip(*overlapping_pairs(closed), strict=True):
        apart[second] = shapely.difference(apart[second], apart[first])
    return apart
