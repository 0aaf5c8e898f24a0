"""Halving polygons along lattice lines until every piece is a rectangle of whole cells or lies in one cell.

Polygons come with a vertex wherever a ring crosses a lattice line. A ring without holes that meets the halving line in two
points is parted in numpy, all rings of a round at once: its vertices on one side are one half, those on the other side the
other. Only rings that meet the line more often, and polygons with holes, are clipped one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.lattice import Lattice
from gridgis.progress import Progress, silent

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Intersection = Callable[[Shapes, Shapes], Shapes]


def clip(parts: Shapes, boxes: Shapes) -> Shapes:
    """What each box leaves of its polygon: fast, but rings that touch themselves may come out broken.

    >>> clip(np.array([shapely.box(0, 0, 2, 2)]), np.array([shapely.box(1, 0, 5, 5)]))[0].area
    2.0
    """
    edges = shapely.bounds(boxes).tolist()
    clipped = [shapely.clip_by_rect(part, *edge) for part, edge in zip(parts, edges, strict=True)]
    return np.array(clipped, dtype=object)


def halve(
    parts: Shapes,
    owner: Ints,
    touched: Ints,
    lattice: Lattice,
    *,
    intersection: Intersection = clip,
    progress: Progress = silent,
) -> tuple[Ints, Ints, Shapes]:
    """Halve polygons until nothing is left to halve.

    Parameters
    ----------
    parts
        Polygons with a vertex wherever a ring crosses a lattice line, shape (n,).
    owner
        Shape (n,): a number every piece inherits.
    touched
        Shape (rows + 1, columns + 1): how many cells south-west of each lattice corner a border enters.
    lattice
        Covers all of them.
    intersection
        How polygons are clipped that numpy cannot part.
    progress
        Told once for every round.

    Returns
    -------
    tuple
        Whole cells, shape (k, 3): owner, row, column; owner and shape of the pieces in cells that a border enters.

    Examples
    --------
    >>> lattice = Lattice.covering((0, 0, 200, 100), 100, "EPSG:4547")
    >>> touched = np.array([[0, 0, 0], [0, 0, 1]])
    >>> whole, owner, pieces = halve(np.array([shapely.box(0, 0, 130, 100)]), np.array([7]), touched, lattice)
    >>> whole.tolist(), owner.tolist(), [piece.area for piece in pieces]
    ([[7, 0, 0]], [7], [3000.0])
    """
    steps = int(np.ceil(np.log2(lattice.rows)) + np.ceil(np.log2(lattice.columns))) + 1
    whole: list[Ints] = [np.zeros((0, 3), dtype=np.int64)]
    cut_owner: list[Ints] = [np.zeros(0, dtype=np.int64)]
    cut_shapes: list[Shapes] = [np.zeros(0, dtype=object)]
    singles: list[_Rings] = []
    step = 0
    rings, holed, holed_owner = _parted(parts, owner)
    while len(rings.owner) or len(holed):
        progress("grids.stage_cut", min(step, steps), steps)
        step += 1
        place = _place(*rings.extent(), touched, lattice)
        whole.append(_cells(rings.owner[place.full], place.only(place.full), lattice))
        singles.append(rings.only(place.single))
        rest, rest_place = rings.only(place.rest), place.only(place.rest)
        rings, odd = _split_rings(rest, rest_place, lattice)
        odd_shapes, odd_owner, odd_place = rest.only(odd).polygons(), rest.owner[odd], rest_place.only(odd)

        box = shapely.bounds(holed).reshape(-1, 4)
        place = _place(box[:, :2], box[:, 2:], shapely.area(holed), touched, lattice)
        whole.append(_cells(holed_owner[place.full], place.only(place.full), lattice))
        cut_owner.append(holed_owner[place.single])
        cut_shapes.append(holed[place.single])
        shapes = np.concatenate([odd_shapes, holed[place.rest]])
        owners = np.concatenate([odd_owner, holed_owner[place.rest]])
        halves, half_owner = _split(shapes, owners, odd_place.plus(place.only(place.rest)), lattice, intersection)
        more, holed, holed_owner = _parted(halves, half_owner)
        rings = _together([rings, more])
    plain = _together(singles)
    shapes = np.concatenate([plain.polygons(), *cut_shapes])
    return np.concatenate(whole), np.concatenate([plain.owner, *cut_owner]), shapes


def inserted(xy: Floats, ring_offsets: Ints, after: Ints, points: Floats) -> tuple[Floats, Ints]:
    """Vertices with points put in after the vertices `after` (ascending, in the order of `points`), and rings' new offsets.

    >>> xy, offsets = inserted(np.zeros((4, 2)), np.array([0, 2, 4]), np.array([1]), np.ones((1, 2)))
    >>> xy[:, 0].tolist(), offsets.tolist()
    ([0.0, 0.0, 1.0, 0.0, 0.0], [0, 3, 5])
    """
    added = np.bincount(after, minlength=len(xy))
    return np.insert(xy, after + 1, points, axis=0), ring_offsets + np.r_[0, np.cumsum(added)][ring_offsets]


@dataclass(frozen=True, slots=True)
class _Rings:
    """Polygons without holes, their vertices in one array."""

    xy: Floats
    """Shape (v, 2): vertices, ring after ring; the first one is not repeated at the end."""
    offsets: Ints
    """Shape (n + 1,): where each ring begins."""
    owner: Ints
    """Shape (n,)."""

    def only(self, chosen: Bools) -> _Rings:
        counts = np.diff(self.offsets)
        offsets = np.r_[0, np.cumsum(counts[chosen])]
        return _Rings(self.xy[np.repeat(chosen, counts)], offsets, self.owner[chosen])

    def following(self) -> Ints:
        """Shape (v,): position of the next vertex of the ring."""
        after = np.arange(1, len(self.xy) + 1)
        after[self.offsets[1:] - 1] = self.offsets[:-1]
        return after

    def extent(self) -> tuple[Floats, Floats, Floats]:
        """Lower-left and upper-right corner of each ring, shape (n, 2), and its area."""
        first = self.offsets[:-1]
        if len(first) == 0:
            return np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0)
        local = self.xy - np.repeat(self.xy[first], np.diff(self.offsets), axis=0)
        after = local[self.following()]
        area = np.add.reduceat(local[:, 0] * after[:, 1] - after[:, 0] * local[:, 1], first)
        return np.minimum.reduceat(self.xy, first), np.maximum.reduceat(self.xy, first), abs(area) / 2

    def polygons(self) -> Shapes:
        if len(self.owner) == 0:
            return np.zeros(0, dtype=object)
        closed, offsets = inserted(self.xy, self.offsets, self.offsets[1:] - 1, self.xy[self.offsets[:-1]])
        every = np.arange(len(self.owner) + 1)
        return np.asarray(shapely.from_ragged_array(shapely.GeometryType.POLYGON, closed, (offsets, every)), dtype=object)


def _together(several: list[_Rings]) -> _Rings:
    if not several:
        return _Rings(np.zeros((0, 2)), np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64))
    counts = np.concatenate([np.diff(rings.offsets) for rings in several])
    owner = np.concatenate([rings.owner for rings in several])
    return _Rings(np.concatenate([rings.xy for rings in several]), np.r_[0, np.cumsum(counts)], owner)


@dataclass(frozen=True, slots=True)
class _Place:
    """Which cells pieces reach over, columns and rows counted from the south-west corner."""

    low: Ints
    """Shape (n, 2): first column, first row."""
    high: Ints
    """Shape (n, 2): column and row after the last."""
    full: Bools
    """Whether the piece is the rectangle of these cells and no border touches them."""

    @property
    def single(self) -> Bools:
        return np.asarray(~self.full & (self.high - self.low == 1).all(axis=1), dtype=bool)

    @property
    def rest(self) -> Bools:
        return np.asarray(~self.full & (self.high - self.low > 1).any(axis=1), dtype=bool)

    def only(self, chosen: Bools) -> _Place:
        return _Place(self.low[chosen], self.high[chosen], self.full[chosen])

    def plus(self, other: _Place) -> _Place:
        mine, others = (self.low, self.high, self.full), (other.low, other.high, other.full)
        return _Place(*(np.concatenate(pair) for pair in zip(mine, others, strict=True)))

    def middle(self) -> tuple[Ints, Ints]:
        """The axis each piece is longer in (0 for x), and the line halfway along it."""
        axis = (self.high - self.low).argmax(axis=1)
        every = np.arange(len(axis))
        return axis, (self.low[every, axis] + self.high[every, axis]) // 2


def _place(lower: Floats, upper: Floats, area: Floats, touched: Ints, lattice: Lattice) -> _Place:
    origin = np.array([lattice.x0, lattice.y0])
    low = np.floor((lower - origin) / lattice.cell_m).astype(np.int64)
    high = np.ceil((upper - origin) / lattice.cell_m).astype(np.int64)
    borders = (
        touched[high[:, 1], high[:, 0]] - touched[low[:, 1], high[:, 0]]
        - touched[high[:, 1], low[:, 0]] + touched[low[:, 1], low[:, 0]]
    )  # fmt: skip
    # without a border inside, a piece consists of whole cells; it is their rectangle if it has its area
    full = (borders == 0) & (area > ((high - low).prod(axis=1) - 0.5) * lattice.cell_m**2)
    return _Place(low, high, full)


def _parted(parts: Shapes, owner: Ints) -> tuple[_Rings, Shapes, Ints]:
    """Polygons without holes as rings, and those with holes as they are."""
    holed = shapely.get_num_interior_rings(parts) > 0
    plain = parts[~holed]
    if len(plain) == 0:
        return _Rings(np.zeros((0, 2)), np.zeros(1, dtype=np.int64), owner[:0]), parts[holed], owner[holed]
    _, xy, (rings, _) = shapely.to_ragged_array(plain, include_z=False)
    offsets = rings.astype(np.int64)
    kept = np.ones(len(xy), dtype=bool)
    kept[offsets[1:] - 1] = False
    return _Rings(xy[kept], offsets - np.arange(len(offsets)), owner[~holed]), parts[holed], owner[holed]


def _split_rings(rings: _Rings, place: _Place, lattice: Lattice) -> tuple[_Rings, Bools]:
    """Both halves of the rings that meet their middle line in two points; which rings do not."""
    if len(rings.owner) == 0:
        return rings, np.zeros(0, dtype=bool)
    axis, middle = place.middle()
    line = (middle * lattice.cell_m + np.array([lattice.x0, lattice.y0])[axis]).astype(np.float64)
    counts = np.diff(rings.offsets)
    # sides along other lattice lines cross the middle without a vertex: they get one
    side, other = _sides(rings.xy, np.repeat(axis, counts), np.repeat(line, counts))
    after = rings.following()
    crossing = np.flatnonzero(side * side[after] < 0)
    slanted = np.zeros(len(counts), dtype=bool)
    ring = np.repeat(np.arange(len(counts)), counts)
    slanted[ring[crossing[other[crossing] != other[after[crossing]]]]] = True
    points = np.empty((len(crossing), 2))
    across = axis[ring[crossing]]
    every = np.arange(len(crossing))
    points[every, across], points[every, 1 - across] = line[ring[crossing]], other[crossing]
    xy, offsets = inserted(rings.xy, rings.offsets, crossing, points)
    counts = np.diff(offsets)
    side, _ = _sides(xy, np.repeat(axis, counts), np.repeat(line, counts))
    odd = slanted | (np.add.reduceat((side == 0).astype(np.int64), offsets[:-1]) != 2)
    plain = np.repeat(~odd, counts)
    lower, upper = plain & (side <= 0), plain & (side >= 0)
    sizes = [np.add.reduceat(half.astype(np.int64), offsets[:-1])[~odd] for half in (lower, upper)]
    halves = _Rings(
        np.concatenate([xy[lower], xy[upper]]),
        np.r_[0, np.cumsum(np.concatenate(sizes))],
        np.concatenate([rings.owner[~odd], rings.owner[~odd]]),
    )
    return halves, odd


def _sides(xy: Floats, axis: Ints, line: Floats) -> tuple[Floats, Floats]:
    """Which side of its line each vertex is on (-1, 0, 1), and its other coordinate."""
    return np.sign(np.where(axis == 0, xy[:, 0], xy[:, 1]) - line), np.where(axis == 0, xy[:, 1], xy[:, 0])


def _split(shapes: Shapes, owner: Ints, place: _Place, lattice: Lattice, intersection: Intersection) -> tuple[Shapes, Ints]:
    """Both halves of polygons by clipping, parts apart."""
    axis, middle = place.middle()
    every = np.arange(len(shapes))
    first_high, second_low = place.high.copy(), place.low.copy()
    first_high[every, axis] = middle
    second_low[every, axis] = middle
    origin = (lattice.x0, lattice.y0)
    lows = np.concatenate([place.low, second_low]) * lattice.cell_m + origin
    highs = np.concatenate([first_high, place.high]) * lattice.cell_m + origin
    boxes = np.asarray(shapely.box(lows[:, 0], lows[:, 1], highs[:, 0], highs[:, 1]), dtype=object)
    results = intersection(np.concatenate([shapes, shapes]), boxes)
    pieces, index = shapely.get_parts(results, return_index=True)
    if (shapely.get_type_id(pieces) > 3).any():  # a multipolygon inside a collection
        pieces, inner = shapely.get_parts(pieces, return_index=True)
        index = index[inner]
    polygons = (shapely.get_type_id(pieces) == 3) & ~shapely.is_empty(pieces)
    return pieces[polygons], np.concatenate([owner, owner])[index[polygons]]


def _cells(owner: Ints, place: _Place, lattice: Lattice) -> Ints:
    """Rectangles taken apart into cells: owner, row, column."""
    size = place.high - place.low
    count = size.prod(axis=1)
    rectangle = np.repeat(np.arange(len(owner)), count)
    number = np.arange(len(rectangle)) - np.repeat(np.cumsum(count) - count, count)
    up = place.low[rectangle, 1] + number // size[rectangle, 0]
    column = place.low[rectangle, 0] + number % size[rectangle, 0]
    return np.column_stack([owner[rectangle], lattice.rows - 1 - up, column])
