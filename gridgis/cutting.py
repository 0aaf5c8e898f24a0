"""Cutting polygons along the lines of a lattice: cells a border runs through are cut, all others are taken whole.

Polygons get a vertex wherever a ring crosses a lattice line, computed from the segment's lesser end, so that both sides of
a common border get the same vertices bit for bit and every later cut only goes through vertices that are there. Then each
polygon is halved along lattice lines, and its halves again, until a piece fills a rectangle of whole cells that no border
enters or lies in a single cell. A large polygon is so never clipped cell by cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.halving import halve, inserted
from gridgis.lattice import Lattice
from gridgis.progress import Progress, silent

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# vertices this near to a lattice line are meant to lie on it
_SNAP_M: Final = 1e-6
# rounding may cost so much of a polygon's area when it is added up piece by piece
_LOST_M2: Final = 1e-3
_LOST_SHARE: Final = 1e-10


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a lattice leaves of polygons: one piece for every polygon and cell, or several where the cell parts it."""

    owner: Ints
    """Shape (n,): position of the polygon the piece is of."""
    row: Ints
    """Shape (n,): row of its cell."""
    column: Ints
    """Shape (n,): column of its cell."""
    shape: Shapes
    """Shape (n,): polygons, outer ring counter-clockwise; None for a piece that is the whole cell, without vertices but its
    corners."""

    def __len__(self) -> int:
        return len(self.owner)


def cut(shapes: Shapes, lattice: Lattice, *, progress: Progress = silent) -> Pieces:
    """Cut polygons along the lines of a lattice that covers them.

    Parameters
    ----------
    shapes
        Valid polygons or multipolygons, shape (n,), coordinates in the lattice's CRS. Where two share a border with the
        same vertices, their pieces do too.
    lattice
        Covers all of them.
    progress
        Told once for every halving.

    Returns
    -------
    Pieces
        Ordered by polygon, row, column, and inside a cell from north to south, then west to east. The union of a polygon's
        pieces is the polygon (vertices within 1 µm of a lattice line are put on it); pieces do not overlap and have the
        same vertices along common borders.

    Examples
    --------
    >>> lattice = Lattice.covering((0, 0, 300, 100), 100, "EPSG:4547")
    >>> pieces = cut(np.array([shapely.box(0, 0, 130, 100)]), lattice)
    >>> pieces.column.tolist(), [shape and shape.area for shape in pieces.shape]
    ([0, 1], [None, 3000.0])
    """
    parts, owner = _node(shapes, lattice.cell_m)
    touched = _touched(parts, lattice)
    whole, cut_owner, cut_shapes = halve(parts, owner, touched, lattice, progress=progress)
    wrong = _wrong(parts, owner, whole, cut_owner, cut_shapes, lattice)
    if len(wrong):  # rings that touch themselves can be too much for the fast way
        again = np.isin(owner, wrong)
        more, more_owner, more_shapes = halve(parts[again], owner[again], touched, lattice, intersection=shapely.intersection)
        fine, cut_fine = ~np.isin(whole[:, 0], wrong), ~np.isin(cut_owner, wrong)
        whole, cut_owner = np.concatenate([whole[fine], more]), np.concatenate([cut_owner[cut_fine], more_owner])
        cut_shapes = np.concatenate([cut_shapes[cut_fine], more_shapes])
    cut_shapes = _meet(cut_shapes, parts, lattice.cell_m)
    box = shapely.bounds(cut_shapes).reshape(-1, 4)
    # the middle of a piece's box is inside its cell, never on its edge
    row, column = lattice.cell_at((box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2)
    none = np.full(len(whole), None, dtype=object)
    all_owner = np.concatenate([whole[:, 0], cut_owner])
    all_row, all_column = np.concatenate([whole[:, 1], row]), np.concatenate([whole[:, 2], column])
    north = np.concatenate([np.zeros(len(whole)), -box[:, 3]])
    west = np.concatenate([np.zeros(len(whole)), box[:, 0]])
    order = np.lexsort((west, north, all_column, all_row, all_owner))
    shape = np.concatenate([none, np.asarray(shapely.orient_polygons(cut_shapes), dtype=object)])
    return Pieces(owner=all_owner[order], row=all_row[order], column=all_column[order], shape=shape[order])


def _node(shapes: Shapes, cell_m: int) -> tuple[Shapes, Ints]:
    """Polygons (parts and the position each comes from) with a vertex wherever a ring crosses a lattice line."""
    parts, owner = shapely.get_parts(shapely.force_2d(shapes), return_index=True)
    _, xy, (rings, part_offsets) = shapely.to_ragged_array(parts, include_z=False)
    ring_offsets = rings.astype(np.int64)
    xy = _snap(xy, cell_m)
    at = np.setdiff1d(np.arange(len(xy)), ring_offsets[1:] - 1, assume_unique=True)  # every vertex a segment starts from
    start, end = xy[at], xy[at + 1]
    forward = (start[:, 0] < end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] < end[:, 1]))
    low, high = np.where(forward[:, None], start, end), np.where(forward[:, None], end, start)
    found = [_crossings(low, high, axis, cell_m) for axis in (0, 1)]
    segment, along, points = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((np.where(forward[segment], along, -along), segment))
    segment, points = segment[order], points[order]
    noded, offsets = inserted(xy, ring_offsets, at[segment], points)
    # snapping can let two vertices of a ring meet: the second goes
    ring = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    kept = np.r_[True, (noded[1:] != noded[:-1]).any(axis=1) | (ring[1:] != ring[:-1])]
    sizes = np.bincount(ring[kept], minlength=len(offsets) - 1)
    real = sizes > 3  # a ring has three corners and its first again
    real &= real[part_offsets[:-1]][np.repeat(np.arange(len(parts)), np.diff(part_offsets))]
    kept &= real[ring]
    rings_of = np.add.reduceat(real, part_offsets[:-1]) if len(parts) else np.zeros(0, dtype=np.int64)
    offsets = np.r_[0, np.cumsum(sizes[real])]
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON,
        noded[kept],
        (offsets, np.r_[0, np.cumsum(rings_of[rings_of > 0])]),
    )
    return np.asarray(polygons, dtype=object), owner[rings_of > 0].astype(np.int64)


def _meet(pieces: Shapes, parts: Shapes, cell_m: int) -> Shapes:
    """Pieces, each in one cell, with every vertex of the polygons that lies on the sides of their cells.

    Clipping drops a vertex where a border only touches the side of a cell; the piece beyond that side has it.
    """
    if len(pieces) == 0:
        return pieces
    corners = shapely.get_coordinates(parts)
    _, xy, (rings, part_offsets) = shapely.to_ragged_array(pieces, include_z=False)
    ring_offsets = rings.astype(np.int64)
    at = np.setdiff1d(np.arange(len(xy)), ring_offsets[1:] - 1, assume_unique=True)
    start, end = xy[at], xy[at + 1]
    after: list[Ints] = []
    points: list[Floats] = []
    for axis in (0, 1):  # sides along which x stands still, then y
        side = (start[:, axis] == end[:, axis]) & (start[:, axis] % cell_m == 0)
        known = np.unique(corners[(corners[:, axis] % cell_m == 0) & (corners[:, 1 - axis] % cell_m != 0)], axis=0)
        first, count, order = _on_side((start[side] + end[side]) / 2, known, axis, cell_m)
        segment = np.repeat(np.flatnonzero(side), count)
        step = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
        found = known[order[np.repeat(first, count) + step]]
        a, b, c = start[segment, 1 - axis], end[segment, 1 - axis], found[:, 1 - axis]
        between = (np.minimum(a, b) < c) & (c < np.maximum(a, b))
        after.append(at[segment[between]])
        points.append(found[between])
    where, what = np.concatenate(after), np.concatenate(points)
    sequence = np.lexsort((np.hypot(*(what - xy[where]).T), where))
    noded, offsets = inserted(xy, ring_offsets, where[sequence], what[sequence])
    return np.asarray(shapely.from_ragged_array(shapely.GeometryType.POLYGON, noded, (offsets, part_offsets)), dtype=object)


def _on_side(middle: Floats, known: Floats, axis: int, cell_m: int) -> tuple[Ints, Ints, Ints]:
    """For the middle of each segment the first and the number of known points on its side of a cell, and their order."""

    def sides(xy: Floats) -> Ints:
        line, cell = np.round(xy[:, axis] / cell_m).astype(np.int64), np.floor(xy[:, 1 - axis] / cell_m).astype(np.int64)
        return np.asarray(line * (1 << 31) + cell, dtype=np.int64)  # a lattice is not as long as that

    owned = sides(known)
    order = np.argsort(owned, kind="stable")
    wanted = sides(middle)
    first = np.searchsorted(owned[order], wanted)
    return first, np.searchsorted(owned[order], wanted, side="right") - first, order


def _snap(values: Floats, cell_m: int) -> Floats:
    line = np.round(values / cell_m) * cell_m
    return np.where(abs(values - line) < _SNAP_M, line, values)


def _crossings(low: Floats, high: Floats, axis: int, cell_m: int) -> tuple[Ints, Floats, Floats]:
    """Where segments cross the lattice lines of one axis: segment, place on it (0–1), point; ends not counted."""
    a, b = low[:, axis], high[:, axis]
    lesser, greater = np.minimum(a, b), np.maximum(a, b)
    first = np.floor(lesser / cell_m).astype(np.int64) + 1
    count = np.maximum(np.ceil(greater / cell_m).astype(np.int64) - first, 0)
    segment = np.repeat(np.arange(len(a)), count)
    step = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    line = ((first[segment] + step) * cell_m).astype(np.float64)
    along = (line - a[segment]) / (b[segment] - a[segment])
    c, d = low[segment, 1 - axis], high[segment, 1 - axis]
    other = np.clip(c + along * (d - c), np.minimum(c, d), np.maximum(c, d))
    points = np.empty((len(segment), 2))
    points[:, axis], points[:, 1 - axis] = line, _snap(other, cell_m)
    return segment, along, points


def _touched(parts: Shapes, lattice: Lattice) -> NDArray[np.int64]:
    """How many cells a border enters or has a vertex on the side of, summed from the south-west corner (rows upwards)."""
    touched = np.zeros((lattice.rows + 2, lattice.columns + 2), dtype=bool)  # a frame of one cell around
    xy, ring = shapely.get_coordinates(shapely.get_rings(parts), return_index=True)
    at = (xy - (lattice.x0, lattice.y0)) / lattice.cell_m + 1
    inside = ring[1:] == ring[:-1]
    middle = np.floor((at[:-1][inside] + at[1:][inside]) / 2).astype(np.int64)
    on_line = xy % lattice.cell_m == 0
    # a segment along a line enters no cell
    along = ((on_line[:-1] & on_line[1:]) & (xy[:-1] == xy[1:])).any(axis=1)[inside]
    touched[middle[~along, 1], middle[~along, 0]] = True
    for axis in (0, 1):
        side = on_line[:, axis] & ~on_line[:, 1 - axis]
        cell = np.floor(at[side]).astype(np.int64)
        touched[cell[:, 1], cell[:, 0]] = True
        cell[:, axis] -= 1
        touched[cell[:, 1], cell[:, 0]] = True
    sums = np.zeros((lattice.rows + 1, lattice.columns + 1), dtype=np.int64)
    sums[1:, 1:] = touched[1:-1, 1:-1].cumsum(axis=0).cumsum(axis=1)
    return sums


def _wrong(parts: Shapes, owner: Ints, whole: Ints, cut_owner: Ints, cut_shapes: Shapes, lattice: Lattice) -> Ints:
    """Polygons one of whose pieces is invalid, or whose pieces have not their area together."""
    number = int(owner.max(initial=-1)) + 1
    asked = np.bincount(owner, weights=shapely.area(parts), minlength=number)
    given = np.bincount(whole[:, 0], minlength=number) * float(lattice.cell_m**2)
    given = given + np.bincount(cut_owner, weights=shapely.area(cut_shapes), minlength=number)
    broken = np.bincount(cut_owner[~shapely.is_valid(cut_shapes)], minlength=number) > 0
    return np.flatnonzero(broken | (abs(asked - given) > _LOST_M2 + _LOST_SHARE * asked))
