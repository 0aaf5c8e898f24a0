"""Weave lines into a subdivision: every crossing becomes a vertex of every ring that has that segment, and of the line.

1. A vertex of a line within 1 mm of an existing vertex is that vertex.
2. A vertex of a line within 1 mm of a border becomes a vertex of the border; on the outline it is put on the outline.
3. A line that passes an existing vertex within 1 mm goes through it.
4. Other crossings are rounded to 1 mm, on the outline to 2⁻³⁰ m.
5. What rounding bends may cross again, so 1–4 are repeated until nothing is left to do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gridgis.redraw.partition import OUTLINE_SNAP_M, SNAP_M, Shapes
from gridgis.redraw.refusal import Refused

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
XY = tuple[float, float]
Segment = tuple[XY, XY]

_MARGIN_M: Final = 1.0
_ROUNDS: Final = 30
_BROADCAST: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Woven:
    """Shapes with new vertices, and the lines through them."""

    members: Shapes
    """As given, shape (n,); those with new vertices are new objects."""
    changed: frozenset[int]
    """Positions of the members with new vertices."""
    lines: Floats
    """Segments of the lines, shape (k, 2, 2): they meet each other and the borders in common vertices only."""


@dataclass(slots=True)
class _Borders:
    """The distinct segments near the lines and who has them."""

    ends: Floats
    """Shape (m, 2, 2): lesser end first."""
    outline: NDArray[np.bool_]
    """Shape (m,): whether the segment lies on the outline."""


def rounded(x: float, y: float, *, step: float = SNAP_M) -> XY:
    """A position on the fixed grid; the same on every machine.

    >>> rounded(500000.00049, 3366000.0006)
    (500000.0, 3366000.001)
    """
    if step == SNAP_M:
        # whole millimetres divided by 1000 are the doubles nearest to the decimal numbers; multiplied by 0.001 they are not
        return round(x * 1000) / 1000, round(y * 1000) / 1000
    return round(x / step) * step, round(y / step) * step


def weave(members: Shapes, lines: list[Floats], *, outline: int) -> Woven:
    """Weave lines into polygons that have common vertices along common borders.

    Parameters
    ----------
    members
        Polygons and multipolygons, shape (n,): grids, free ground and the outline.
    lines
        Vertices of each line, shape (k, 2), each with two at least.
    outline
        Position of the outline among the members.

    Examples
    --------
    >>> from gridgis import toy
    >>> left, right = toy.grids().geometry[:2]
    >>> whole = shapely.coverage_union_all([left, right])
    >>> line = np.array([[500150.0, 3366100.0], [500250.0, 3366100.0]])
    >>> woven = weave(np.array([left, right, whole]), [line], outline=2)
    >>> sorted(woven.changed), shapely.get_num_coordinates(woven.members).tolist()
    ([0, 1, 2], [6, 7, 8])
    """
    lines = [line for line in lines if len(line) > 1]
    if not lines:
        return Woven(members=members, changed=frozenset(), lines=np.zeros((0, 2, 2)))
    every = np.concatenate(lines)
    box = (*(every.min(axis=0) - _MARGIN_M), *(every.max(axis=0) + _MARGIN_M))
    borders = _borders(members, box, outline)
    chains, paths = _Loom(borders, lines).run()
    renewed = {tuple(map(tuple, borders.ends[root])): chain for root, chain in chains.items() if len(chain) > 2}
    out = members.copy()
    changed = set()
    if renewed:
        inserts = {(a, b): chain[1:-1] for (a, b), chain in renewed.items()}
        points = shapely.multipoints([chain[0] for chain in renewed.values()] + [chain[-1] for chain in renewed.values()])
        for position in np.flatnonzero(_meets(members, shapely.bounds(points))):
            shape = members[position]
            new = insert_vertices(shape, inserts)
            if new is not shape:
                out[position] = new
                changed.add(int(position))
    out.flags.writeable = False
    pairs = {tuple(sorted(pair)) for path in paths for pair in pairwise(path) if pair[0] != pair[1]}
    return Woven(members=out, changed=frozenset(changed), lines=np.array(sorted(pairs)).reshape(-1, 2, 2))


def insert_vertices(shape: BaseGeometry, inserts: dict[Segment, list[XY]]) -> BaseGeometry:
    """A polygon with vertices put into some of its segments; the same object where none is its own.

    Parameters
    ----------
    shape
        Polygon or multipolygon.
    inserts
        Of each segment, lesser end first, the new vertices from there on.

    Examples
    --------
    >>> insert_vertices(shapely.box(0, 0, 1, 1), {((0.0, 0.0), (1.0, 0.0)): [(0.5, 0.0)]}).exterior.coords[:]
    [(1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0), (0.5, 0.0), (1.0, 0.0)]
    """

    def renew(ring: list[XY]) -> list[XY]:
        new: list[XY] = ring[:1]
        for a, b in pairwise(ring):
            middle = inserts.get((a, b) if a < b else (b, a))
            if middle:
                new.extend(middle if a < b else middle[::-1])
            new.append(b)
        return new

    touched = {p for pair in inserts for p in pair}
    coords = shapely.get_coordinates(shape)
    xs = {p[0] for p in touched}
    near = coords[np.isin(coords[:, 0], list(xs))]
    if not any((x, y) in touched for x, y in near.tolist()):
        return shape
    return map_rings(shape, renew)


def map_rings(shape: BaseGeometry, renew: object) -> BaseGeometry:
    """A polygon whose rings are passed through a function of closed rings; the same object if none changes.

    Repeated vertices and spikes are taken out; a ring that collapses goes.

    >>> map_rings(shapely.box(0, 0, 1, 1), lambda ring: ring[:2] + [(1.5, 1.5)] + ring[2:]).area
    1.25
    """
    parts, changed = [], False
    for part in shapely.get_parts(shape):
        rings = []
        for ring in (part.exterior, *part.interiors):
            old = [(x, y) for x, y in shapely.get_coordinates(ring).tolist()]
            new = renew(old)  # type: ignore[operator]
            if new != old:
                changed = True
                new = without_spikes(new)
            rings.append(new)
        if rings[0]:
            parts.append(shapely.Polygon(rings[0], [ring for ring in rings[1:] if ring]))
    if not changed:
        return shape
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def without_spikes(ring: list[XY]) -> list[XY]:
    """A closed ring without repeated vertices and without runs there and back; empty when nothing is left.

    >>> without_spikes([(0, 0), (2, 0), (3, 0), (2, 0), (2, 2), (0, 0)])
    [(0, 0), (2, 0), (2, 2), (0, 0)]
    """
    out: list[XY] = []
    for point in ring[:-1]:
        out.append(point)
        while len(out) > 1:
            if out[-1] == out[-2]:
                out.pop()
            elif len(out) > 2 and out[-1] == out[-3]:
                del out[-2:]
            else:
                break
    while len(out) > 2:
        if out[0] == out[-1]:
            out.pop()
        elif out[1] == out[-1]:
            out = out[1:]
            out.pop(0)
        elif out[0] == out[-2]:
            del out[-2:]
        else:
            break
    return [*out, out[0]] if len(out) > 2 else []


def _meets(members: Shapes, box: tuple[float, ...] | Floats) -> NDArray[np.bool_]:
    bounds = shapely.bounds(members)
    return np.asarray((bounds[:, 0] <= box[2]) & (bounds[:, 2] >= box[0]) & (bounds[:, 1] <= box[3]) & (bounds[:, 3] >= box[1]))


def _borders(members: Shapes, box: tuple[float, ...], outline: int) -> _Borders:
    near = np.flatnonzero(_meets(members, box))
    start, end, owner = directed(members[near])
    low, high = np.minimum(start, end), np.maximum(start, end)
    inside = (low[:, 0] <= box[2]) & (high[:, 0] >= box[0]) & (low[:, 1] <= box[3]) & (high[:, 1] >= box[1])
    start, end, owner = start[inside], end[inside], near[owner[inside]]
    swap = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    ends = np.where(swap[:, None], np.hstack([end, start]), np.hstack([start, end]))
    order = np.lexsort(ends.T)
    ends, is_outline = ends[order], (owner == outline)[order]
    first = np.r_[True, (ends[1:] != ends[:-1]).any(axis=1)] if len(ends) else np.zeros(0, dtype=bool)
    flag = np.logical_or.reduceat(is_outline, np.flatnonzero(first)) if len(ends) else is_outline
    return _Borders(ends=ends[first].reshape(-1, 2, 2), outline=flag)


def directed(shapes: Shapes) -> tuple[Floats, Floats, Ints]:
    """Start, end and owner of every segment of polygons, in ring order as the rings run.

    >>> start, end, owner = directed(np.array([shapely.box(0, 0, 1, 1)]))
    >>> start.tolist()[0], end.tolist()[0], owner.tolist()
    ([1.0, 0.0], [1.0, 1.0], [0, 0, 0, 0])
    """
    parts, part_owner = shapely.get_parts(shapes, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    return xy[:-1][same], xy[1:][same], part_owner[ring_part[ring[:-1][same]]].astype(np.int64)


class _Loom:
    """The state of the repetition: chains of vertices of borders and lines, growing until nothing crosses."""

    def __init__(self, borders: _Borders, lines: list[Floats]) -> None:
        self.borders = borders
        count = len(borders.ends)
        self.chains: dict[int, list[XY]] = {}
        self.first_line = count
        self.vertices = borders.ends.reshape(-1, 2)
        self.existing = set(map(tuple, self.vertices.tolist()))
        self.fixed: set[XY] = set()
        self.tree = shapely.STRtree(np.asarray(shapely.points(self.vertices), dtype=object)) if count else None
        for number, line in enumerate(lines):
            settled = [self._settle(x, y) for x, y in line.tolist()]
            self.chains[count + number] = [p for i, p in enumerate(settled) if i == 0 or p != settled[i - 1]]

    def _settle(self, x: float, y: float) -> XY:
        if self.tree is not None:
            hits = self.tree.query_nearest(shapely.Point(x, y), max_distance=SNAP_M)
            if len(hits):
                px, py = self.vertices[hits[0]].tolist()
                return px, py
        return rounded(x, y)

    def run(self) -> tuple[dict[int, list[XY]], list[list[XY]]]:
        for _ in range(_ROUNDS):
            ends, root = self._segments()
            moved, cuts = self._events(ends, root)
            if moved:
                self.chains = {
                    number: [moved.get(p, p) for p in chain] if number >= self.first_line else chain
                    for number, chain in self.chains.items()
                }
                continue  # what was found belongs to vertices that are no more
            self._cut(ends, root, cuts)
            if not cuts:
                chains = {number: chain for number, chain in self.chains.items() if number < self.first_line}
                return chains, [chain for number, chain in self.chains.items() if number >= self.first_line]
        place = shapely.MultiPoint([p for number, chain in self.chains.items() if number >= self.first_line for p in chain])
        raise Refused("redraw.too_tight", place=place)

    def _segments(self) -> tuple[Floats, Ints]:
        """All segments as they are now, and the border or line each is a piece of; lines last."""
        whole = np.ones(self.first_line, dtype=bool)
        whole[[number for number in self.chains if number < self.first_line]] = False
        pieces = [(a, b, number) for number, chain in sorted(self.chains.items()) for a, b in pairwise(chain) if a != b]
        extra = np.array([(a, b) for a, b, _ in pieces], dtype=np.float64).reshape(-1, 2, 2)
        roots = np.array([number for *_, number in pieces], dtype=np.int64)
        return np.concatenate([self.borders.ends[whole], extra]), np.concatenate([np.flatnonzero(whole), roots])

    def _events(self, ends: Floats, root: Ints) -> tuple[dict[XY, XY], dict[int, list[XY]]]:
        """Line vertices to move onto the outline, and vertices to put into segments."""
        line, other = self._pairs(ends, root)
        origin = np.floor(ends.reshape(-1, 2).min(axis=0)) if len(ends) else np.zeros(2)
        p, q = ends[line, 0] - origin, ends[line, 1] - origin
        a, b = ends[other, 0] - origin, ends[other, 1] - origin
        moved: dict[XY, XY] = {}
        cuts: dict[int, list[XY]] = {}
        near_any = np.zeros(len(line), dtype=bool)
        for point, first, second, host in ((a, p, q, line), (b, p, q, line), (p, a, b, other), (q, a, b, other)):
            distance, foot = _to_segment(point, first, second)
            # beside the end of a segment the segment does not pass the point: they stay two vertices
            inner = (distance <= SNAP_M) & (foot != first).any(axis=1) & (foot != second).any(axis=1)
            inner &= (point != first).any(axis=1) & (point != second).any(axis=1)
            for i in np.flatnonzero(inner):
                at = _pair(point[i] + origin)
                if host is other and self._on_outline(root[other[i]]) and at not in self.fixed:
                    if at not in self.existing:
                        foot_xy = rounded(*_pair(foot[i] + origin), step=OUTLINE_SNAP_M)
                        moved[at] = self._end_near(foot_xy, ends[other[i]]) or foot_xy
                elif host is line or root[other[i]] >= self.first_line or at not in self.existing:
                    cuts.setdefault(int(host[i]), []).append(at)
                    near_any[i] = True
        self.fixed.update(moved.values())
        cross, at_xy = _crossings(p, q, a, b)
        # segments that share an end meet there and nowhere else, whatever the rounding of a crossing says
        apart = np.logical_and.reduce([(u != w).any(axis=1) for u in (p, q) for w in (a, b)])
        for i in np.flatnonzero(cross & apart & ~near_any):
            step = OUTLINE_SNAP_M if self._on_outline(root[other[i]]) else SNAP_M
            c = rounded(*_pair(at_xy[i] + origin), step=step)
            if root[other[i]] < self.first_line:
                c = self._end_near(c, ends[other[i]]) or c
            for host in (line[i], other[i]):
                if c not in (_pair(ends[host, 0]), _pair(ends[host, 1])):
                    if step == OUTLINE_SNAP_M:
                        self.fixed.add(c)
                    cuts.setdefault(int(host), []).append(c)
        return moved, cuts

    def _end_near(self, c: XY, ends: Floats) -> XY | None:
        """The end of a border's segment that a point on it is as good as: beside it, both its segments would get the point."""
        near = [end for end in map(_pair, ends) if math.hypot(c[0] - end[0], c[1] - end[1]) <= SNAP_M]
        return near[0] if near else None

    def _on_outline(self, root: int) -> bool:
        return root < self.first_line and bool(self.borders.outline[root])

    def _pairs(self, ends: Floats, root: Ints) -> tuple[Ints, Ints]:
        """Pairs (segment of a line, another segment) whose boxes come within a millimetre; two lines' once."""
        of_line = np.flatnonzero(root >= self.first_line)
        low, high = ends.min(axis=1), ends.max(axis=1)
        if len(of_line) * len(ends) <= _BROADCAST:
            hit = (
                (low[of_line, None, 0] - SNAP_M <= high[None, :, 0])
                & (high[of_line, None, 0] + SNAP_M >= low[None, :, 0])
                & (low[of_line, None, 1] - SNAP_M <= high[None, :, 1])
                & (high[of_line, None, 1] + SNAP_M >= low[None, :, 1])
            )
            left, right = np.nonzero(hit)
        else:
            tree = shapely.STRtree(shapely.box(*low.T, *high.T))
            left, right = tree.query(shapely.box(*(low[of_line] - SNAP_M).T, *(high[of_line] + SNAP_M).T))
        line = of_line[left]
        keep = (root[right] < self.first_line) | (line < right)
        return line[keep], right[keep]

    def _cut(self, ends: Floats, root: Ints, cuts: dict[int, list[XY]]) -> None:
        for piece, points in cuts.items():
            number = int(root[piece])
            a, b = _pair(ends[piece, 0]), _pair(ends[piece, 1])
            chain = self.chains.get(number, [a, b])
            along = sorted(set(points), key=lambda c: ((c[0] - a[0]) * (b[0] - a[0]) + (c[1] - a[1]) * (b[1] - a[1]), c))
            for i in range(len(chain) - 1):
                if chain[i] == a and chain[i + 1] == b:
                    self.chains[number] = [*chain[: i + 1], *along, *chain[i + 1 :]]
                    break


def _pair(xy: Floats) -> XY:
    return float(xy[0]), float(xy[1])


def _to_segment(point: Floats, first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Distance to a segment and the nearest point on it."""
    run = second - first
    length2 = np.maximum((run**2).sum(axis=1), 1e-300)
    t = np.clip(((point - first) * run).sum(axis=1) / length2, 0.0, 1.0)
    foot = first + t[:, None] * run
    return np.hypot(*(point - foot).T), foot


def _crossings(p: Floats, q: Floats, a: Floats, b: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Whether two segments cross inside both, and where."""
    d, e, f = q - p, b - a, a - p
    denominator = d[:, 0] * e[:, 1] - d[:, 1] * e[:, 0]
    safe = np.where(denominator == 0.0, 1.0, denominator)
    t = (f[:, 0] * e[:, 1] - f[:, 1] * e[:, 0]) / safe
    u = (f[:, 0] * d[:, 1] - f[:, 1] * d[:, 0]) / safe
    cross = (denominator != 0.0) & (t > 0) & (t < 1) & (u > 0) & (u < 1)
    return cross, p + t[:, None] * d
