"""Joining the small pieces of a cut lattice to their neighbours, so that no cell is a sliver."""

from __future__ import annotations

import heapq
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.cutting import Pieces
from gridgis.lattice import Lattice
from gridgis.topology import segments, shared_pairs

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# a piece under half a cell is small; a cell should not grow beyond one and a half
SMALL: Final = 0.5
LARGE: Final = 1.5
# areas that differ by less than this are the same: a half is not "under half" by rounding
_SAME_M2: Final = 1e-3


def join_small(pieces: Pieces, lattice: Lattice) -> Ints:
    """The piece every piece joins.

    1. The smallest piece under half a cell comes first (area of the plane; among equals the earlier piece).
    2. It joins a piece of the same polygon it shares border with. Of those that stay within one and a half cells with it,
       the one with the longest shared border; if none does, the one with the longest shared border of all (among equals
       the earlier piece).
    3. Both are one piece from then on, which comes up again as long as it is under half a cell.
    4. A piece that shares border with none of its polygon stays alone.

    Parameters
    ----------
    pieces
        From `cutting.cut`, in its order.
    lattice
        The lattice they were cut by.

    Returns
    -------
    array
        Shape (n,): position of the piece each one joined, its own if it stays. The piece joined keeps its cell's place.

    Examples
    --------
    >>> from gridgis.cutting import cut
    >>> lattice = Lattice.covering((0, 0, 300, 100), 100, "EPSG:4547")
    >>> join_small(cut(np.array([shapely.box(0, 0, 230, 100)]), lattice), lattice).tolist()
    [0, 1, 1]
    """
    whole = shapely.is_missing(pieces.shape)
    area = np.full(len(pieces), float(lattice.cell_m**2))
    area[~whole] = shapely.area(pieces.shape[~whole])
    small = area < SMALL * lattice.cell_m**2 - _SAME_M2
    left, right, length = _borders(pieces, small, lattice)
    return _join(area, small, left, right, length, lattice.cell_m**2)


def shapes_of(pieces: Pieces, lattice: Lattice) -> Shapes:
    """The polygon of every piece, whole cells as squares.

    >>> from gridgis.cutting import cut
    >>> lattice = Lattice.covering((0, 0, 300, 100), 100, "EPSG:4547")
    >>> shapely.area(shapes_of(cut(np.array([shapely.box(0, 0, 130, 100)]), lattice), lattice)).tolist()
    [10000.0, 3000.0]
    """
    whole = shapely.is_missing(pieces.shape)
    shapes = pieces.shape.copy()
    shapes[whole] = lattice.boxes(pieces.row[whole], pieces.column[whole])
    return shapes


def union_groups(shapes: Shapes, group: Ints) -> Shapes:
    """The union of the shapes of each group, at the position the group is named after; None elsewhere.

    Parameters
    ----------
    shapes
        Polygons that meet with the same vertices, shape (n,).
    group
        Shape (n,): what `join_small` gives.

    Examples
    --------
    >>> squares = shapely.box([0, 1, 2], [0, 0, 0], [1, 2, 3], [1, 1, 1])
    >>> [shape and shape.area for shape in union_groups(squares, np.array([0, 0, 2]))]
    [2.0, None, 1.0]
    """
    result = shapes.copy()
    result[group != np.arange(len(group))] = None
    size = np.bincount(group, minlength=len(group))
    order = np.argsort(group, kind="stable")
    order = order[size[group[order]] > 1]
    sizes = size[group[order]]
    for number in np.unique(sizes):
        members = order[sizes == number].reshape(-1, number)
        united = np.asarray(shapely.coverage_union_all(shapes[members], axis=1), dtype=object)
        odd = shapely.get_type_id(united) != int(shapely.GeometryType.POLYGON)
        united[odd] = [shapely.union_all(shapes[row]) for row in members[odd]]
        result[group[members[:, 0]]] = shapely.orient_polygons(united)
    return np.asarray(result, dtype=object)


def _borders(pieces: Pieces, small: NDArray[np.bool_], lattice: Lattice) -> tuple[Ints, Ints, Floats]:
    """Borders of small pieces with others of the same polygon: two positions and metres. They lie on lattice lines."""
    # pieces of one polygon in one cell share no border (they would be one piece), so neighbours are in the next cells
    cells = lattice.rows * lattice.columns
    key = pieces.owner * cells + lattice.flat(pieces.row, pieces.column)  # ascending: that is the order of pieces
    near = small.copy()
    for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        flat = lattice.flat(pieces.row[small] + down, pieces.column[small] + across)
        wanted = (pieces.owner[small] * cells + flat)[flat >= 0]
        first, last = np.searchsorted(key, wanted), np.searchsorted(key, wanted, side="right")
        for step in range(int((last - first).max(initial=0))):
            near[(first + step)[first + step < last]] = True
    at = np.flatnonzero(near)
    found = segments(shapes_of(Pieces(pieces.owner[at], pieces.row[at], pieces.column[at], pieces.shape[at]), lattice))
    level = (found.ends[:, :2] == found.ends[:, 2:]) & (found.ends[:, :2] % lattice.cell_m == 0)
    left, right, length = shared_pairs(found.only(level.any(axis=1)))
    left, right = at[left], at[right]
    wanted_pair = (pieces.owner[left] == pieces.owner[right]) & (small[left] | small[right])
    return left[wanted_pair], right[wanted_pair], length[wanted_pair]


def _join(area: Floats, small: NDArray[np.bool_], left: Ints, right: Ints, length: Floats, cell_m2: float) -> Ints:
    joined = {int(at): int(at) for at in np.unique(np.concatenate([left, right, np.flatnonzero(small)]))}
    size = {at: float(area[at]) for at in joined}
    borders: dict[int, dict[int, float]] = {int(at): {} for at in np.flatnonzero(small)}
    for a, b, metres in zip(left.tolist(), right.tolist(), length.tolist(), strict=True):
        for one, other in ((a, b), (b, a)):
            if one in borders:
                borders[one][other] = metres
    # areas to 0.001 m², borders to 1 µm: what is equal but for rounding goes by the order of pieces
    queue = [(round(size[at], 3), at) for at in borders]
    heapq.heapify(queue)
    while queue:
        rounded, at = heapq.heappop(queue)
        mine = size[at]
        if joined[at] != at or rounded != round(mine, 3):
            continue  # joined another, or grew, since it was queued
        shared = _shared(joined, borders[at], at)
        if not shared:
            continue
        best = min(shared, key=lambda root: (size[root] + mine > LARGE * cell_m2 + _SAME_M2, -round(shared[root], 6), root))
        joined[at] = best
        size[best] += mine
        if best in borders:
            borders[best] = _shared(joined, borders[best], best, shared)
            if size[best] < SMALL * cell_m2 - _SAME_M2:
                heapq.heappush(queue, (round(size[best], 3), best))
    group = np.arange(len(area))
    group[list(joined)] = [_root(joined, at) for at in joined]
    return group


def _shared(joined: dict[int, int], borders: dict[int, float], at: int, more: dict[int, float] | None = None) -> dict[int, float]:
    """Metres of border with what each neighbour has become; what `at` itself has become is no neighbour."""
    shared: dict[int, float] = {}
    for other, metres in (*borders.items(), *(more or {}).items()):
        root = _root(joined, other)
        if root != at:
            shared[root] = shared.get(root, 0.0) + metres
    return shared


def _root(joined: dict[int, int], at: int) -> int:
    while joined[at] != at:
        joined[at] = joined[joined[at]]
        at = joined[at]
    return at
