"""Operations with a line: split a grid along it, or move the borders it crosses onto it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridgis.redraw.edits import FREE, Edit, Lineage, open_sheet
from gridgis.redraw.faces import border_lengths, faces
from gridgis.redraw.ground import pieces_of
from gridgis.redraw.noding import Floats
from gridgis.redraw.partition import SNAP_M, Partition
from gridgis.redraw.refusal import Refused
from gridgis.redraw.verbs import Line, Reshape, Split

REACH_M: Final = 0.05
"""A line that ends this near a border, in metres, reaches it."""
SMALLEST_M2: Final = 1.0
"""A part smaller than this is a slip of the hand."""


def split(
    partition: Partition, op: Split, *, taken: Collection[str] = (), anchors: Mapping[str, shapely.Point] | None = None
) -> Edit:
    """A grid is cut; the parts without the anchor (else the smaller ones) get the next free codes, from west to east.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area=toy.TOWN)
    >>> edit = split(town, Split("G1", ((499990.0, 3366100.0), (500160.0, 3366100.0))))
    >>> edit.partition.shape("G1").area, edit.partition.shape("G4").area
    (30000.0, 15000.0)
    """
    shape = partition.shape(op.grid)
    line = _line(op.line, (op.grid,))
    through, dangling = _through(line, shape)
    if not through:
        key = "redraw.line_ends_inside" if dangling else "redraw.line_misses"
        raise Refused(key, codes=(op.grid,), place=shapely.MultiPoint(_ends(dangling)) if dangling else line, grid=op.grid)
    sheet = open_sheet(partition, taken, through)
    whole: list[shapely.Polygon] = []
    parts: list[shapely.Polygon] = []
    for piece in shapely.get_parts(sheet.woven(partition.position(op.grid))):
        found = faces(piece, sheet.lines)
        (whole if len(found) == 1 else parts).extend(found)
    if not parts:
        raise Refused("redraw.line_cuts_nothing", codes=(op.grid,), place=line, grid=op.grid)
    small = [part for part in parts if part.area < SMALLEST_M2]
    if small:
        raise Refused("redraw.part_small", codes=(op.grid,), place=small[0], grid=op.grid, area=round(small[0].area, 3))
    anchor = shapely.Point(op.keep) if op.keep else (anchors or {}).get(op.grid)
    if op.keep and not any(shapely.intersects(part, anchor) for part in parts):
        raise Refused("redraw.keep_outside", codes=(op.grid,), place=anchor, grid=op.grid)
    keeper = _keeper(parts, anchor)
    sheet.pieces[op.grid] = [*whole, keeper]
    others = sorted((part for part in parts if part is not keeper), key=_reading_order)
    for part in others:
        code = sheet.new_grid(op.grid)
        sheet.pieces[code] = [part]
        sheet.lineage.append(Lineage(code, op.grid, "split from"))
    return sheet.finish(exclaves=False)


def reshape(
    partition: Partition, op: Reshape, *, taken: Collection[str] = (), anchors: Mapping[str, shapely.Point] | None = None
) -> Edit:
    """Every grid the line cuts keeps the part with its anchor (else the largest); the others go to the neighbour beyond.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> bulge = ((500140.0, 3366100.0), (500170.0, 3366100.0), (500170.0, 3366200.0), (500140.0, 3366200.0))
    >>> edit = reshape(partition_of(toy.grids(), area=toy.TOWN), Reshape(bulge))
    >>> edit.partition.shape("G1").area, edit.partition.shape("G2").area
    (47000.0, 28000.0)
    """
    line = _line(op.line, op.grids or ())
    allowed = partition.codes if op.grids is None else op.grids
    near = [code for code in allowed if shapely.intersects(partition.shape(code), line)]
    grounds = {code: [partition.shape(code)] for code in near}
    if op.grids is None or FREE in op.grids:
        grounds[FREE] = [free for free in partition.free if shapely.intersects(free, line)]
    through = [piece for shapes in grounds.values() for shape in shapes for piece in _through(line, shape)[0]]
    sheet = open_sheet(partition, taken, through)
    cut: list[tuple[str, shapely.Polygon]] = []
    kept = {code: sheet.woven(partition.position(code)) for code in allowed if code != FREE}
    for code in grounds if through else ():
        stay: list[shapely.Polygon] = []
        for piece in _grounds(sheet.members, partition, code):
            found = faces(piece, sheet.lines)
            keeper = _keeper(found, (anchors or {}).get(code))
            stay.append(keeper)
            cut += [(code, face) for face in found if face is not keeper]
        if any(owner == code for owner, _ in cut):
            sheet.pieces[code] = list(stay)
            if code != FREE:
                kept[code] = shapely.MultiPolygon(stay) if len(stay) > 1 else stay[0]
    if not cut:
        raise Refused("redraw.line_moves_nothing", codes=op.grids or (), place=line)
    for code, face in cut:
        lengths = border_lengths(face, {other: shape for other, shape in kept.items() if other != code})
        if not lengths:
            raise Refused("redraw.falls_out", codes=(code,) if code else (), place=face, grid=code)
        sheet.held(min(lengths, key=lambda other: (-lengths[other], other))).append(face)
    return sheet.finish(exclaves=op.exclaves)


def _grounds(members: Iterable[BaseGeometry], partition: Partition, code: str) -> list[BaseGeometry]:
    every = list(members)
    if code == FREE:
        return every[len(partition.codes) : -1]
    return list(shapely.get_parts(every[partition.position(code)]))


def _line(line: Line, codes: Collection[str]) -> shapely.LineString:
    """The drawn line; refused when it has no length or crosses itself."""
    coords = np.array(line, dtype=np.float64).reshape(-1, 2)
    keep = np.r_[True, (coords[1:] != coords[:-1]).any(axis=1)] if len(coords) else np.zeros(0, dtype=bool)
    coords = coords[keep]
    if len(coords) < 2 or not np.isfinite(coords).all():
        raise Refused("redraw.line_short", codes=codes)
    drawn = shapely.LineString(coords)
    if not drawn.is_simple:
        raise Refused("redraw.line_crosses_itself", codes=codes, place=drawn)
    return drawn


def _through(line: shapely.LineString, shape: BaseGeometry) -> tuple[list[Floats], list[Floats]]:
    """The pieces of a line inside a polygon that run from border to border or closed, and those that end inside."""
    through: list[Floats] = []
    dangling: list[Floats] = []
    border = shapely.boundary(shape)
    for piece in pieces_of(shapely.intersection(line, shape)):
        if (piece[0] == piece[-1]).all():
            through.append(piece)
            continue
        ends = [shapely.Point(xy) for xy in piece[[0, -1]]]
        gaps = [float(shapely.distance(border, end)) for end in ends]
        if max(gaps) > REACH_M:
            dangling.append(piece)
            continue
        feet = np.array([shapely.get_coordinates(shapely.shortest_line(border, end))[0] for end in ends])
        before = feet[:1] if gaps[0] > SNAP_M else piece[:0]
        after = feet[1:] if gaps[1] > SNAP_M else piece[:0]
        through.append(np.concatenate([before, piece, after]))
    return through, dangling


def _ends(pieces: Iterable[Floats]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for piece in pieces for x, y in piece[[0, -1]]]


def _keeper(parts: Collection[shapely.Polygon], anchor: BaseGeometry | None) -> shapely.Polygon:
    """The part that holds the anchor, else the largest; the first in reading order among equals."""
    ordered = sorted(parts, key=_reading_order)
    if anchor is not None:
        for part in ordered:
            if shapely.intersects(part, anchor):
                return part
    largest = max(part.area for part in ordered)
    return next(part for part in ordered if part.area >= largest * (1 - 1e-9))


def _reading_order(part: shapely.Polygon) -> tuple[float, float]:
    west, _, _, north = part.bounds
    return west, -north
