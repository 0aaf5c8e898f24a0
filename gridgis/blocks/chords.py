"""Straight cuts across a polygon, each with what it would leave on both sides and the border it would make, buildings whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# directions tried, from across the long axis, degrees
_TURNS: Final = (0.0, 8.0, -8.0, 16.0, -16.0, 90.0, 82.0, 98.0)
# lines along each sweep: so far apart, metres, but no more than so many
_STEP_M: Final = 3.5
_MOST_STEPS: Final = 72
_MOST_EDGES: Final = 8_000


@dataclass(frozen=True, slots=True)
class Chords:
    """Lines across a polygon, shapes as said."""

    ends: Floats
    """Shape (n, 2, 2): both ends, beyond the polygon."""
    left: Floats
    """m² to the left of the line, every building whole on the side its middle is on, shape (n,)."""
    border: Floats
    """Metres of border: the line where it is free, and the walls of buildings it would go around, shape (n,)."""
    walls: Floats
    """Metres of these walls, shape (n,)."""
    among: Floats
    """Metres of the line in places to keep clear of, shape (n,)."""
    edge: Floats
    """Metres of the polygon's edge to the left, shape (n,)."""
    slant: Floats
    """How far from upright the line meets the polygon's edge: 1 − sine of the angle, summed over all it meets, shape (n,)."""
    torn: Bools
    """Whether the line enters the polygon more than once, shape (n,)."""


def chords(polygon: shapely.Polygon, buildings: Shapes, *, parts: int, places: Shapes | None = None) -> Chords:
    """Lines across a polygon in several directions, with what they would leave.

    In every direction lines a few metres apart, and those that leave a whole number of equal parts.

    Parameters
    ----------
    polygon
        What is to be cut.
    buildings
        Polygons in it that stay whole, none overlapping another.
    parts
        Number of equal parts.
    places
        Polygons to keep clear of, such as the ground close around houses, none overlapping another.

    Examples
    --------
    >>> found = chords(shapely.box(0, 0, 200, 100), np.array([shapely.box(90, 20, 120, 40)]), parts=2)
    >>> upright = np.flatnonzero(np.abs(found.ends[:, 0, 0] - found.ends[:, 1, 0]) < 1e-9)
    >>> at = upright[np.abs(found.ends[upright, 0, 0] - 98).argmin()]
    >>> x = found.ends[at, 0, 0]  # left of the house's middle: the house is the right side's, and the border goes around
    >>> bool(np.isclose(found.left[at], 100 * x - 20 * (x - 90))), bool(np.isclose(found.border[at], 80 + 20 + 2 * (x - 90)))
    (True, True)
    """
    box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(polygon))
    sides = np.diff(box[:3], axis=0)
    length = np.hypot(*sides.T)
    middle, reach = box[:4].mean(axis=0), float(length.sum())
    long = sides[int(length.argmax())]
    angle = np.arctan2(long[1], long[0]) + np.deg2rad(_TURNS)
    axes = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    xy, _ = _edges(np.array([polygon], dtype=object), middle)
    # directions at once, but no more than memory likes
    many = max(1, _MOST_EDGES // len(xy))
    rows = []
    for first in range(0, len(axes), many):
        sweep = _Sweep(xy, buildings, places, middle, axes[first : first + many], reach)
        low, high = sweep.x.min(axis=(0, 2))[:, None], sweep.x.max(axis=(0, 2))[:, None]
        steps = int(np.clip(length.max() // _STEP_M, 4, _MOST_STEPS))
        at = low + (high - low) * np.arange(1, steps) / steps
        even = sweep.columns(at)
        wanted = polygon.area * np.arange(1, parts) / parts
        grown = np.maximum.accumulate(even[1].reshape(at.shape), axis=1)
        exact = [np.interp(wanted, [0.0, *areas, polygon.area], [a, *xs, b])
                 for areas, xs, a, b in zip(grown, at, low[:, 0], high[:, 0], strict=True)]  # fmt: skip
        rows += [even, sweep.columns(np.array(exact))]
    return Chords(*(np.concatenate(columns) for columns in zip(*rows, strict=True)))


class _Sweep:
    """A polygon's edges as lines see them that move across it in some directions."""

    def __init__(self, xy: Floats, buildings: Shapes, places: Shapes | None, middle: Floats, axes: Floats, reach: float) -> None:
        self.places = np.array([], dtype=object) if places is None else places
        self.buildings, self.middle, self.axes, self.reach = buildings, middle, axes, reach
        self.ups = np.stack([-axes[:, 1], axes[:, 0]], axis=1)
        # along and across, shape (2, directions, edges)
        self.x, self.y = axes @ xy.transpose(1, 2, 0), self.ups @ xy.transpose(1, 2, 0)
        self.size = np.hypot(*(xy[:, 1] - xy[:, 0]).T)

    def columns(self, at: Floats) -> tuple[NDArray[Any], ...]:
        """The columns of `Chords` for lines at places along each direction, shape (directions, lines)."""
        area, wide, crossed, share = _profile(self.x[..., None], self.y[..., None], at[:, None, :])
        left, border, entries = area.sum(axis=1), wide.sum(axis=1), crossed.sum(axis=1)
        edge = (share * self.size[None, :, None]).sum(axis=1)
        slant = (crossed * (1 - np.abs(self.x[1] - self.x[0]) / self.size)[..., None]).sum(axis=1)
        walls, among = np.zeros(at.shape), np.zeros(at.shape)
        if len(self.places):
            among = _around(self.places, self.middle, self.axes, self.ups, at)[1]
        if len(self.buildings):
            moved, lost, walls = _around(self.buildings, self.middle, self.axes, self.ups, at)
            left, border = left + moved, border - lost + walls
        base = self.middle + at[..., None] * self.axes[:, None]
        up = self.ups[:, None] * self.reach
        ends = np.stack([base - up, base + up], axis=2).reshape(-1, 2, 2)
        return (ends, *(column.ravel() for column in (left, border, walls, among, edge, slant, entries > 2)))


def _edges(shapes: Shapes, origin: Floats) -> tuple[Floats, Ints]:
    """Edges of polygons, shape (n, 2, 2), run with the polygon to the left, and the polygon each is of, ascending."""
    rings, shape = shapely.get_rings(shapely.orient_polygons(shapes), return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    inside = ring[1:] == ring[:-1]
    return np.stack([xy[:-1][inside], xy[1:][inside]], axis=1) - origin, np.asarray(shape[ring[:-1][inside]], dtype=np.int64)


def _around(buildings: Shapes, origin: Floats, axes: Floats, ups: Floats, at: Floats) -> tuple[Floats, Floats, Floats]:
    """For every line: area that comes to the left because buildings stay whole, metres inside of them, metres around."""
    xy, owner = _edges(buildings, origin)
    x, y = axes @ xy.transpose(1, 2, 0), ups @ xy.transpose(1, 2, 0)
    starts = np.flatnonzero(np.r_[True, np.diff(owner) > 0])
    first = np.minimum.reduceat(x.min(axis=0), starts, axis=1)
    last = np.maximum.reduceat(x.max(axis=0), starts, axis=1)
    middle = axes @ (shapely.get_coordinates(shapely.centroid(buildings)) - origin).T
    turn, house, line = np.nonzero((first[:, :, None] < at[:, None, :]) & (at[:, None, :] < last[:, :, None]))
    many = np.diff(np.r_[starts, len(owner)])[house]
    pair = np.repeat(np.arange(len(house)), many)
    edge = np.arange(len(pair)) - np.repeat(np.cumsum(many) - many, many) + np.repeat(starts[house], many)
    area, wide, _, share = _profile(x[:, turn[pair], edge], y[:, turn[pair], edge], at[turn, line][pair])
    size = np.hypot(*(xy[edge, 1] - xy[edge, 0]).T)
    west = middle[turn, house] <= at[turn, line]
    before = np.bincount(pair, size * share, len(house))
    walls = np.where(west, np.bincount(pair, size, len(house)) - before, before)
    moved = np.where(west, shapely.area(buildings)[house], 0.0) - np.bincount(pair, area, len(house))
    place, count = turn * at.shape[1] + line, at.size
    inside = np.bincount(pair, wide, len(house))
    sums = [np.bincount(place, values, count).astype(float).reshape(at.shape) for values in (moved, inside, walls)]
    return sums[0], sums[1], sums[2]


def _profile(x: Floats, y: Floats, at: Floats) -> tuple[Floats, Floats, Bools, Floats]:
    """What edges add to the area left of lines x = at and to the width on them; whether they cross; and their share to the left.

    The area is minus the integral of y along the edge as far as it lies to the left (Green): the line itself adds nothing.
    """
    (xa, xb), (ya, yb) = x, y
    run = xb - xa
    level = run == 0
    run = np.where(level, 1.0, run)
    slope = np.where(level, 0.0, (yb - ya) / run)
    ca, cb = np.minimum(xa, at), np.minimum(xb, at)
    area = (xa - (ca + cb) / 2) * slope
    area -= ya
    area *= cb - ca
    crossed = (xa < at) != (xb < at)
    wide = np.where(crossed, -np.sign(run) * (ya + (at - xa) * slope), 0.0)
    share = np.where(level, xa < at, (cb - ca) / run)
    return area, wide, crossed, share
