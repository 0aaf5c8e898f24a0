"""Shapes as a few flat arrays of whole numbers: what the browser draws from, and how it is written as bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.maps.world import Floats, World

MAGIC: Final = 0x314D4747  # "GGM1", little-endian
AREA, LINE, POINT, HOLE = 0, 1, 2, 3

_POLYGON_TYPES: Final = (3, 6)
_LINE_TYPES: Final = (1, 2, 5)
_POINT_TYPES: Final = (0, 4)


@dataclass(frozen=True, slots=True)
class Rings:
    """Shapes as rings in world coordinates."""

    shape: NDArray[np.int64]
    """Shape (rings,): number of the shape each ring belongs to, rising."""
    start: NDArray[np.int64]
    """Shape (rings + 1,): first point of every ring; the last entry is the number of points."""
    kind: NDArray[np.uint8]
    """Shape (rings,): 0 the outer ring of an area, 1 a line, 2 a point, 3 a hole of the area before it."""
    u: Floats
    """Shape (points,): world coordinates, west to east."""
    v: Floats
    """Shape (points,): world coordinates, north to south."""


def rings(geometry: NDArray[np.object_], world: World) -> Rings:
    """Shapes taken apart into rings; null and empty shapes have none, collections are opened.

    >>> import pyproj
    >>> flat = rings(np.array([shapely.box(0, 0, 1, 1), None, shapely.Point(2, 2)]), World.of(pyproj.CRS(4326)))
    >>> flat.shape.tolist(), flat.start.tolist(), flat.kind.tolist()
    ([0, 2], [0, 5, 6], [0, 2])
    """
    parts, owner = shapely.get_parts(geometry, return_index=True)
    if np.isin(shapely.get_type_id(parts), (4, 5, 6, 7)).any():  # multi-parts inside a collection
        parts, inner = shapely.get_parts(parts, return_index=True)
        owner = owner[inner]
    types = shapely.get_type_id(parts)
    pieces, owners, kinds = [], [], []
    for wanted, kind in ((_POLYGON_TYPES, AREA), (_LINE_TYPES, LINE), (_POINT_TYPES, POINT)):
        chosen = np.isin(types, wanted)
        if not chosen.any():
            continue
        some, whose = parts[chosen], owner[chosen]
        if kind == AREA:
            some, inner = shapely.get_rings(some, return_index=True)
            whose = whose[inner]
            outer = np.concatenate([[True], inner[1:] != inner[:-1]])
            kinds.append(np.where(outer, AREA, HOLE).astype(np.uint8))
        else:
            kinds.append(np.full(len(some), kind, dtype=np.uint8))
        pieces.append(some)
        owners.append(whose)
    if not pieces:
        none = np.empty(0, dtype=np.int64)
        return Rings(none, np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.uint8), np.empty(0), np.empty(0))
    lines, whose, kind_of = np.concatenate(pieces), np.concatenate(owners), np.concatenate(kinds)
    if len(pieces) > 1:
        order = np.argsort(whose, kind="stable")
        lines, whose, kind_of = lines[order], whose[order], kind_of[order]
    counts = shapely.get_num_coordinates(lines)
    xy = shapely.get_coordinates(lines)
    u, v = world.forward(xy[:, 0], xy[:, 1])
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Rings(whose.astype(np.int64), start, kind_of, u, v)


def boxes(flat: Rings, count: int) -> Floats:
    """World box (u0, v0, u1, v1) of every shape, shape (count, 4); NaN for shapes without a ring.

    >>> import pyproj
    >>> flat = rings(np.array([shapely.box(0, 0, 180, 1), None]), World.of(pyproj.CRS(4326)))
    >>> boxes(flat, 2)[:, [0, 2]].round(3).tolist()
    [[0.5, 1.0], [nan, nan]]
    """
    out = np.full((count, 4), np.nan)
    if len(flat.shape) == 0:
        return out
    first = np.concatenate([[True], flat.shape[1:] != flat.shape[:-1]])
    at, who = flat.start[:-1][first], flat.shape[first]
    for column, (reduce, values) in enumerate(((np.fmin, flat.u), (np.fmin, flat.v), (np.fmax, flat.u), (np.fmax, flat.v))):
        out[who, column] = reduce.reduceat(values, at)
    return out


def encode(
    flat: Rings,
    *,
    ids: NDArray[np.integer],
    classes: NDArray[np.uint8],
    origin: tuple[float, float],
    unit: float,
    extra: Mapping[str, object] | None = None,
) -> bytes:
    """Rings as bytes: whole steps of `unit` from `origin`, points that fall on the one before left out.

    Neighbours' shared borders round to the same steps, so they stay shared. Layout, little-endian, numbers of four bytes
    unless said: magic; shapes n; rings r; points p; origin u, origin v, unit (eight bytes each); ids n; first ring of every
    shape n + 1; first point of every ring r + 1; points 2 p as differences from the point before; classes n × 1 byte; kinds
    r × 1 byte; the rest is UTF-8 JSON (`extra`).

    Parameters
    ----------
    flat
        Rings; `flat.shape` counts within `ids`.
    ids
        Shape (n,): what the browser calls each shape.
    classes
        Shape (n,): class numbers.
    origin
        World point of step 0, 0.
    unit
        Side of a step, world units.
    extra
        Anything else the browser wants beside.

    Examples
    --------
    >>> import pyproj
    >>> flat = rings(np.array([shapely.box(0, 0, 1, 1)]), World.of(pyproj.CRS(4326)))
    >>> data = encode(flat, ids=np.array([7]), classes=np.array([0], np.uint8), origin=(0.5, 0.5), unit=1e-6)
    >>> data[:4], struct.unpack("<III", data[4:16])
    (b'GGM1', (1, 1, 5))
    """
    qu = _steps(flat.u, origin[0], unit)
    qv = _steps(flat.v, origin[1], unit)
    count = len(ids)
    ring_of_point = np.repeat(np.arange(len(flat.kind)), np.diff(flat.start))
    keep = np.ones(len(qu), dtype=bool)
    if len(qu):
        same_place = (qu[1:] == qu[:-1]) & (qv[1:] == qv[:-1])
        keep[1:] = ~(same_place & (ring_of_point[1:] == ring_of_point[:-1]))
    qu, qv = qu[keep], qv[keep]
    per_ring = np.bincount(ring_of_point[keep], minlength=len(flat.kind))
    ring_start = np.concatenate([[0], np.cumsum(per_ring)]).astype("<u4")
    shape_start = np.searchsorted(flat.shape, np.arange(count + 1)).astype("<u4")
    points = np.empty((len(qu), 2), dtype="<i4")
    points[:, 0], points[:, 1] = np.diff(qu, prepend=0), np.diff(qv, prepend=0)
    head = struct.pack("<IIII3d", MAGIC, count, len(flat.kind), len(qu), origin[0], origin[1], unit)
    tail = b"" if extra is None else json.dumps(extra, ensure_ascii=False, separators=(",", ":")).encode()
    return b"".join(
        (
            head, ids.astype("<u4").tobytes(), shape_start.tobytes(), ring_start.tobytes(), points.tobytes(),
            classes.astype(np.uint8).tobytes(), flat.kind.tobytes(), tail,
        )
    )  # fmt: skip


def _steps(values: Floats, origin: float, unit: float) -> NDArray[np.int64]:
    steps = np.rint((np.nan_to_num(values, nan=origin) - origin) / unit)
    return np.clip(steps, -(2**30), 2**30).astype(np.int64)
