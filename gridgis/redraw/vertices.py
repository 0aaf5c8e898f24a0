"""Operations on a single vertex: move, add, delete, on every side of the border at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridgis.redraw.edits import Change, Edit, edit_of
from gridgis.redraw.noding import XY, Floats, directed, insert_vertices, map_rings, rounded
from gridgis.redraw.partition import SNAP_M, Partition, Shapes
from gridgis.redraw.refusal import Refused
from gridgis.redraw.verbs import AddVertex, DeleteVertex, MoveVertex

VERTEX_REACH_M: Final = 0.05
"""A position this near a vertex, in metres, means the vertex."""
BORDER_REACH_M: Final = 0.5
"""A position this near a border, in metres, means the border."""


def move_vertex(partition: Partition, op: MoveVertex) -> Edit:
    """A vertex moves in every grid that has it; within reach of another vertex the two become one.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area=toy.TOWN)
    >>> there = add_vertex(town, AddVertex((500150.0, 3366100.0))).partition
    >>> edit = move_vertex(there, MoveVertex((500150.0, 3366100.0), (500140.0, 3366100.0)))
    >>> edit.partition.shape("G1").area, edit.partition.shape("G2").area
    (43500.0, 31500.0)
    """
    old = _vertex(partition, op.at)
    if old in _points(partition.outline):
        raise Refused("redraw.outline_fixed", place=shapely.Point(old))
    near = _nearest(partition, op.to)
    distance = np.inf if near is None or near == old else _distance(near, op.to)
    new = near if near is not None and distance <= VERTEX_REACH_M else rounded(*op.to)
    if new == old:
        raise Refused("redraw.vertex_there", place=shapely.Point(old))
    edit = _renew(partition, old, lambda ring: [new if point == old else point for point in ring])
    _require_room(edit, new)
    return edit


def add_vertex(partition: Partition, op: AddVertex) -> Edit:
    """The border nearest to a position gets a vertex there, on both sides; it can be dragged away at once.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> edit = add_vertex(partition_of(toy.grids(), area=toy.TOWN), AddVertex((500150.2, 3366100.0)))
    >>> [(code, change.after.area) for code, change in sorted(edit.changes.items())]
    [('G1', 45000.0), ('G2', 30000.0)]
    """
    members = np.concatenate([partition.shapes, partition.free])
    start, end, _ = directed(members)
    run = end - start
    at = np.array(op.at)
    t = np.clip(((at - start) * run).sum(axis=1) / np.maximum((run**2).sum(axis=1), 1e-300), 0, 1)
    foot = start + t[:, None] * run
    distance = np.hypot(*(at - foot).T)
    nearest = int(distance.argmin())
    if distance[nearest] > BORDER_REACH_M:
        raise Refused("redraw.no_border_here", place=shapely.Point(op.at), reach=BORDER_REACH_M)
    a, b = _xy(start[nearest]), _xy(end[nearest])
    new = rounded(*_xy(foot[nearest]))
    if min(_distance(a, new), _distance(b, new)) <= SNAP_M:
        raise Refused("redraw.vertex_there", place=shapely.Point(new))
    pair = (a, b) if a < b else (b, a)
    if insert_vertices(partition.outline, {pair: [new]}) is not partition.outline:
        raise Refused("redraw.outline_fixed", place=shapely.Point(new))
    edit = _edit(partition, lambda shape: insert_vertices(shape, {pair: [new]}), new)
    if op.to is None or rounded(*op.to) == new:
        return edit
    moved = move_vertex(edit.partition, MoveVertex(at=new, to=op.to))
    changes = {code: Change("reshaped", partition.shape(code), change.after) for code, change in moved.changes.items()}
    return Edit(moved.partition, changes)


def delete_vertex(partition: Partition, op: DeleteVertex) -> Edit:
    """A vertex of one border goes, on both its sides.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area=toy.TOWN)
    >>> bent = add_vertex(town, AddVertex((500150.0, 3366100.0), to=(500140.0, 3366100.0))).partition
    >>> delete_vertex(bent, DeleteVertex((500140.0, 3366100.0))).partition.shape("G1").area
    45000.0
    """
    old = _vertex(partition, op.at)
    if old in _points(partition.outline):
        raise Refused("redraw.outline_fixed", place=shapely.Point(old))
    start, end, _ = directed(np.concatenate([partition.shapes, partition.free]))
    ends = {_xy(p) for p in end[(start == old).all(axis=1)]} | {_xy(p) for p in start[(end == old).all(axis=1)]}
    if len(ends) > 2:
        raise Refused("redraw.vertex_needed", place=shapely.Point(old))

    def without(ring: list[XY]) -> list[XY]:
        left = [point for point in ring[:-1] if point != old]
        return [*left, left[0]] if len(left) > 2 and len(left) < len(ring) - 1 else (ring if old not in ring else [])

    edit = _renew(partition, old, without)
    for point in ends:
        _require_room(edit, point)
    return edit


def _renew(partition: Partition, old: XY, renew: Callable[[list[XY]], list[XY]]) -> Edit:
    return _edit(partition, lambda shape: map_rings(shape, renew), old)


def _edit(partition: Partition, renew: Callable[[BaseGeometry], BaseGeometry], at: XY) -> Edit:
    """The edit in which the members around a position are renewed."""
    spot = shapely.Point(at).buffer(SNAP_M)

    def each(shapes: Shapes) -> list[BaseGeometry]:
        near = shapely.intersects(shapes, spot)
        return [renew(shape) if hit else shape for shape, hit in zip(shapes, near, strict=True)]

    shapes = {
        code: new
        for code, old, new in zip(partition.codes, partition.shapes, each(partition.shapes), strict=True)
        if new is not old
    }
    for code, shape in shapes.items():
        if shape.is_empty:
            raise Refused("redraw.nothing_left", codes=(code,), place=partition.shape(code), code=code)
        if shapely.get_num_geometries(shape) < shapely.get_num_geometries(partition.shape(code)):
            raise Refused("redraw.nothing_left", codes=(code,), place=partition.shape(code), code=code)
    free = [shape for shape in each(partition.free) if not shape.is_empty]
    return edit_of(partition, shapes, free, partition.outline)


def _require_room(edit: Edit, at: XY) -> None:
    """No border may pass a vertex within a millimetre without going through it."""
    partition = edit.partition
    start, end, _ = directed(np.concatenate([partition.shapes, partition.free]))
    mine = (start == at).all(axis=1)
    vertices = np.unique(start, axis=0)
    for a, b in zip(start[mine], end[mine], strict=True):
        _require_apart(vertices, a, b)
    spot = np.array(at)
    low, high = np.minimum(start, end) - SNAP_M, np.maximum(start, end) + SNAP_M
    near = ((low <= spot) & (high >= spot)).all(axis=1) & ~mine & ~(end == at).all(axis=1)
    for a, b in zip(start[near], end[near], strict=True):
        _require_apart(spot[None, :], a, b)


def _require_apart(points: Floats, a: Floats, b: Floats) -> None:
    run = b - a
    t = ((points - a) * run).sum(axis=1) / max(float((run**2).sum()), 1e-300)
    inside = (t > 0) & (t < 1) & (points != a).any(axis=1) & (points != b).any(axis=1)
    distance = np.hypot(*(points[inside] - (a + t[inside, None] * run)).T)
    if (distance <= SNAP_M).any():
        raise Refused("redraw.too_tight", place=shapely.Point(points[inside][distance.argmin()]))


def _vertex(partition: Partition, at: XY) -> XY:
    """The vertex meant by a position."""
    near = _nearest(partition, at)
    if near is None or _distance(near, at) > VERTEX_REACH_M:
        raise Refused("redraw.no_vertex_here", place=shapely.Point(at), reach=VERTEX_REACH_M)
    return near


def _nearest(partition: Partition, at: XY) -> XY | None:
    coords = shapely.get_coordinates(np.concatenate([partition.shapes, partition.free]))
    if not len(coords):
        return None
    return _xy(coords[np.hypot(*(coords - np.array(at)).T).argmin()])


def _points(shape: BaseGeometry) -> set[XY]:
    return set(map(_xy, shapely.get_coordinates(shape)))


def _distance(a: XY, b: XY) -> float:
    return float(np.hypot(a[0] - b[0], a[1] - b[1]))


def _xy(point: Floats) -> XY:
    return float(point[0]), float(point[1])
