"""Operations that hand ground over: merge, assign, create, retire."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridgis.redraw.edits import FREE, Edit, Lineage, Note, Sheet, open_sheet
from gridgis.redraw.faces import border_lengths, dissolve
from gridgis.redraw.noding import Floats
from gridgis.redraw.partition import SNAP_M, Partition
from gridgis.redraw.refusal import Refused
from gridgis.redraw.verbs import Assign, Create, Merge, Retire, Rings
from gridgis.topology import segments
from gridgis.validity import why_invalid, why_no_polygon

CRUMB_M2: Final = 2500.0
"""What is cut off a grid and smaller than this, a quarter of a unit cell, goes along with the ground it was cut off by …"""
CRUMB_SHARE: Final = 0.25
"""… if it is smaller than this share of that ground, too."""

_NOTHING_M2: Final = 1e-4


def merge(partition: Partition, op: Merge, *, taken: Collection[str] = ()) -> Edit:
    """Grids become one; the first keeps code and attributes.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> edit = merge(partition_of(toy.grids(), area=toy.TOWN), Merge(("G1", "G2")))
    >>> edit.partition.codes, edit.partition.shape("G1").area
    (('G1', 'G3'), 75000.0)
    """
    codes = tuple(dict.fromkeys(op.grids))
    if len(codes) < 2:
        raise Refused("redraw.merge_one", codes=codes, place=partition.shape(codes[0]) if codes else None)
    shapes = {code: partition.shape(code) for code in codes}
    reached, waiting = {codes[0]}, set(codes[1:])
    while waiting and not op.exclaves:
        near = {c for c in waiting if border_lengths(shapes[c], {r: shapes[r] for r in reached})}
        if not near:
            place = shapely.union_all([shapes[code] for code in waiting])
            raise Refused("redraw.merge_apart", codes=codes, place=place, grids=", ".join(sorted(waiting)), into=codes[0])
        reached |= near
        waiting -= near
    sheet = open_sheet(partition, taken, [])
    for code in codes[1:]:
        sheet.held(codes[0]).append(shapes[code])
        _end(sheet, code, into=codes[0])
    return sheet.finish(exclaves=op.exclaves)


def assign(partition: Partition, op: Assign, *, taken: Collection[str] = ()) -> Edit:
    """Ground goes to a grid, and with it crumbs it would cut off those that lose it (`CRUMB_M2`).

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> from gridgis.redraw.verbs import rings_of
    >>> block = rings_of(shapely.box(500150, 3366000, 500200, 3366050))
    >>> edit = assign(partition_of(toy.grids(), area=toy.TOWN), Assign(block, to="G1"))
    >>> [(code, change.role, change.after.area) for code, change in sorted(edit.changes.items())]
    [('G1', 'gained', 47500.0), ('G2', 'lost', 27500.0)]
    """
    partition.position(op.to)
    sources = [code for code in (op.source if op.source is not None else (*partition.codes, FREE)) if code != op.to]
    for code in sources:
        if code != FREE:
            partition.position(code)
    wanted, notes = _within(partition, op.polygons)
    sheet = open_sheet(partition, taken, _boundary(partition, wanted, sources))
    moved = _take(sheet, wanted, sources)
    if not moved:
        raise Refused("redraw.nothing_to_assign", codes=(op.to,), place=wanted, to=op.to)
    if not op.exclaves:
        notes += _take_crumbs(sheet, moved, wanted, to=op.to)
        _require_reached(sheet.held(op.to), moved, op.to)
    sheet.held(op.to).extend(face for pieces in moved.values() for face in pieces)
    sheet.notes += notes
    return sheet.finish(exclaves=op.exclaves)


def create(partition: Partition, op: Create, *, taken: Collection[str] = ()) -> Edit:
    """Ground becomes a new grid, with the attributes of the grid that gives most.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> from gridgis.redraw.verbs import rings_of
    >>> block = rings_of(shapely.box(500100, 3366000, 500200, 3366050))
    >>> edit = create(partition_of(toy.grids(), area=toy.TOWN), Create(block))
    >>> edit.partition.shape("G4").area, [(row.code, row.kind, row.parent) for row in edit.lineage]
    (5000.0, [('G4', 'cut from', 'G1'), ('G4', 'cut from', 'G2')])
    """
    wanted, notes = _within(partition, op.polygons)
    sources = [FREE] if op.free_only else [*partition.codes, FREE]
    sheet = open_sheet(partition, taken, _boundary(partition, wanted, sources))
    moved = _take(sheet, wanted, sources)
    if not moved:
        raise Refused("redraw.nothing_to_create", place=wanted)
    given = {code: sum(face.area for face in pieces) for code, pieces in moved.items() if code != FREE}
    parent = min(given, key=lambda code: (-given[code], code)) if given else None
    code = sheet.new_grid(parent, code=op.code, name=op.name)
    if not op.exclaves:
        notes += _take_crumbs(sheet, moved, wanted, to=code)
    sheet.pieces[code] = [face for pieces in moved.values() for face in pieces]
    sheet.lineage += [Lineage(code, donor, "cut from") for donor in sorted(given)]
    sheet.notes += notes
    return sheet.finish(exclaves=op.exclaves)


def retire(partition: Partition, op: Retire, *, taken: Collection[str] = ()) -> Edit:
    """A grid ends; each of its parts goes whole to the neighbour with the longest common border, or to nobody.

    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area=toy.TOWN)
    >>> retire(town, Retire("G3")).partition.shape("G2").area, retire(town, Retire("G3", to="free")).partition.free[0].area
    (75000.0, 45000.0)
    """
    shape = partition.shape(op.grid)
    sheet = open_sheet(partition, taken, [])
    if op.to == "free":
        sheet.held(FREE).append(shape)
        _end(sheet, op.grid, into=None)
        return sheet.finish(exclaves=op.exclaves)
    others = {code: other for code, other in zip(partition.codes, partition.shapes, strict=True) if code != op.grid}
    heirs: list[str] = []
    for part in shapely.get_parts(shape):
        lengths = border_lengths(part, others)
        if not lengths:
            raise Refused("redraw.no_neighbour", codes=(op.grid,), place=part, code=op.grid)
        heir = min(lengths, key=lambda code: (-lengths[code], code))
        sheet.held(heir).append(part)
        heirs += [heir] * (heir not in heirs)
    _end(sheet, op.grid, into=None)
    sheet.lineage += [Lineage(op.grid, heir, "merged into") for heir in heirs]
    return sheet.finish(exclaves=op.exclaves)


def _end(sheet: Sheet, code: str, *, into: str | None) -> None:
    sheet.gone.add(code)
    sheet.pieces[code] = []
    if into is not None:
        sheet.lineage.append(Lineage(code, into, "merged into"))


def _within(partition: Partition, polygons: Iterable[Rings]) -> tuple[BaseGeometry, list[Note]]:
    """The wanted ground as one geometry inside the area, and a note when some of it lay outside."""
    try:
        shapes = np.array([shapely.Polygon(rings[0], rings[1:]) for rings in polygons], dtype=object)
    except (ValueError, IndexError, shapely.GEOSException) as error:
        raise Refused("redraw.polygon_broken", reason=why_no_polygon(error)) from error
    for shape in shapes:
        if not shape.is_valid:
            raise Refused("redraw.polygon_broken", place=shape, reason=why_invalid(shape))
    whole = shapely.union_all(shapes, grid_size=SNAP_M) if len(shapes) else shapely.Polygon()
    if whole.area < 1.0:
        raise Refused("redraw.polygon_small", place=whole, area=round(float(whole.area), 3))
    outside = shapely.difference(whole, partition.outline)
    if whole.area - outside.area < 1.0:
        raise Refused("redraw.outside", place=whole, area=partition.area)
    # cells and blocks follow the outline to a millimetre
    if outside.area > 2 * SNAP_M * whole.length:
        return whole, [Note("redraw.clipped", {"area": partition.area, "outside_m2": round(float(outside.area), 1)})]
    return whole, []


def _boundary(partition: Partition, wanted: BaseGeometry, sources: Collection[str]) -> list[Floats]:
    """The runs of the wanted ground's boundary that may run inside the sources.

    Segments that are borders already are left out: nothing has to be woven there, and an overlay would only add rounding.
    """
    box = shapely.bounds(wanted)
    losing = set(sources)
    held = [s for c, s in zip(partition.codes, partition.shapes, strict=True) if c in losing]
    grounds = np.array([*held, *(partition.free if FREE in sources else [])], dtype=object)
    bounds = shapely.bounds(grounds).reshape(-1, 4)
    near = (bounds[:, 0] <= box[2]) & (bounds[:, 2] >= box[0]) & (bounds[:, 1] <= box[3]) & (bounds[:, 3] >= box[1])
    if not near.any():
        return []
    members = grounds[near]
    borders = set(map(tuple, segments(members).ends.tolist()))
    own = segments(np.array([wanted], dtype=object))
    drawn = own.ends[[tuple(ends) not in borders for ends in own.ends.tolist()]].reshape(-1, 2, 2)
    lines = np.asarray(shapely.linestrings(drawn), dtype=object)
    _, at = shapely.STRtree(lines).query(members, predicate="intersects")
    return pieces_of(shapely.multilinestrings(lines[np.unique(at)])) if len(at) else []


def pieces_of(lines: BaseGeometry) -> list[Floats]:
    """The vertices of every line in a geometry, lines that continue each other joined; points are left out.

    >>> [line.tolist() for line in pieces_of(shapely.MultiLineString([[(0, 0), (1, 0)], [(1, 0), (2, 1)]]))]
    [[[0.0, 0.0], [1.0, 0.0], [2.0, 1.0]]]
    """
    parts = [part for part in shapely.get_parts(lines) if part.geom_type in ("LineString", "LinearRing") and not part.is_empty]
    joined = shapely.line_merge(shapely.MultiLineString(parts)) if parts else shapely.MultiLineString()
    return [shapely.get_coordinates(part) for part in shapely.get_parts(joined) if part.length > 0]


def _take(sheet: Sheet, wanted: BaseGeometry, sources: Iterable[str]) -> dict[str, list[BaseGeometry]]:
    """Take the faces that lie in the wanted ground from their holders."""
    shapely.prepare(wanted)
    partition = sheet.partition
    taken: dict[str, list[BaseGeometry]] = {}
    for code in sources:
        grounds = partition.free if code == FREE else [partition.shape(code)]
        if not any(shapely.intersects(wanted, ground) for ground in grounds):
            continue
        found = np.array(sheet.faces_of(code), dtype=object)
        share = shapely.area(shapely.intersection(found, wanted)) / np.maximum(shapely.area(found), 1e-12)
        inside = share > 0.5
        if inside.any():
            taken[code] = list(found[inside])
            sheet.pieces[code] = list(found[~inside])
    if sum(face.area for pieces in taken.values() for face in pieces) <= _NOTHING_M2:
        return {}
    swallowed = [code for code in taken if code != FREE and not sheet.pieces[code]]
    if swallowed:
        place = shapely.union_all([partition.shape(code) for code in swallowed])
        raise Refused("redraw.swallowed", codes=swallowed, place=place, grids=", ".join(swallowed), count=len(swallowed))
    return taken


def crumb_limit(drawn: BaseGeometry) -> float:
    """Below how many m² ground goes along with drawn ground without being asked for.

    >>> crumb_limit(shapely.box(0, 0, 100, 100)), crumb_limit(shapely.box(0, 0, 20, 20))
    (2500.0, 100.0)
    """
    return min(CRUMB_M2, CRUMB_SHARE * float(drawn.area))


def _take_crumbs(sheet: Sheet, moved: dict[str, list[BaseGeometry]], wanted: BaseGeometry, *, to: str) -> list[Note]:
    """Small pieces that would be cut off a grid go along, into `moved`; what is larger is left for the rule to refuse."""
    limit = crumb_limit(wanted)
    crumbs: dict[str, list[BaseGeometry]] = {}
    for code in moved:
        if code == FREE:
            continue
        earlier = int(shapely.get_num_geometries(sheet.partition.shape(code)))
        parts = sorted(shapely.get_parts(dissolve(sheet.pieces[code])), key=lambda part: -float(part.area))
        if small := [part for part in parts[earlier:] if part.area < limit]:
            crumbs[code] = small
            sheet.pieces[code] = [part for part in parts if not any(part is crumb for crumb in small)]
    for code, small in crumbs.items():
        moved[code] = [*moved[code], *small]
    if not crumbs:
        return []
    area = sum(float(part.area) for small in crumbs.values() for part in small)
    told = {"grids": ", ".join(sorted(crumbs)), "to": to, "area": round(area, 1), "limit": round(limit)}
    return [Note("redraw.crumbs", told)]


def _require_reached(held: Collection[BaseGeometry], moved: dict[str, list[BaseGeometry]], to: str) -> None:
    """Ground that does not border on the grid it goes to is refused, with how far off it is."""
    faces = [face for pieces in moved.values() for face in pieces]
    own = shapely.get_parts(dissolve(held))
    parts = shapely.get_parts(dissolve([*held, *faces]))
    off = [part for part in parts if not shapely.intersects(part, shapely.point_on_surface(own)).any()]
    if not off or len(parts) <= len(own):
        return
    gaps = [float(shapely.distance(own, part).min()) for part in off]
    gap = min(gaps)
    place = off[gaps.index(gap)]
    if gap <= SNAP_M:
        raise Refused("redraw.corner", codes=(to,), place=place, to=to)
    raise Refused("redraw.apart", codes=(to,), place=place, to=to, gap=round(gap, 1))
