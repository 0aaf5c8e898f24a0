"""What keeps the boundaries of an area's grids from being a partition: each defect with its grids, area and place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from gridgis.codes import listed
from gridgis.crs import require_metric
from gridgis.errors import DataError
from gridgis.ground import areas_m2, polygonal
from gridgis.redraw.fitting import Fit, fit, left_over, mean_width
from gridgis.redraw.partition import Outline, Shapes, frozen_shapes
from gridgis.text import number
from gridgis.topology import overlaps
from gridgis.validity import why_invalid

CRACK_WIDTH_M: Final = 1.0
"""Ground nobody holds whose mean width is below this is a gap; wider ground is free ground."""

Kind = Literal["overlap", "gap", "outside", "invalid", "sliver", "misfit", "torn"]
KINDS: Final[tuple[Kind, ...]] = ("overlap", "gap", "outside", "invalid", "sliver", "misfit", "torn")

# what two shapes with the same vertices share by the rounding of an overlay
_NOTHING_M2: Final = 1e-9
_PLACE: Final = re.compile(r"\[(\S+) (\S+)\]")


@dataclass(frozen=True, slots=True)
class Defect:
    """One place where boundaries do not fit."""

    kind: Kind
    """`overlap` (two grids hold the ground), `gap` (a crack nobody holds), `outside` (beyond the area), `invalid` (a ring that
    crosses itself, or no polygon at all), `sliver` (a part too thin to be meant), `misfit` (a border whose sides differ by
    less than any of these shows), `torn` (a grid of several parts)."""
    codes: tuple[str, ...]
    """The grids it concerns; of a gap those that border on it."""
    area_m2: float
    """Ground it concerns, on the ellipsoid; 0 for rings and borders."""
    place: BaseGeometry
    """The ground, or the spot, in the CRS of the grids."""
    reason: str = ""
    """GEOS's reason of a broken ring."""
    blocks: bool = True
    """Whether the grids cannot be opened because of it: several parts may be meant, and so may one thin grid."""


@dataclass(frozen=True, slots=True)
class Given:
    """The grids of one area as they came, before anything is known of how they fit."""

    area: str
    """Code of the area."""
    crs: pyproj.CRS
    """Of the grids and the area, in metres."""
    outline: Outline
    """The area's ground."""
    codes: tuple[str, ...]
    """Of the grids."""
    shapes: Shapes
    """As they came, without heights, shape (n,)."""
    attributes: pd.DataFrame
    """The other columns, index = `codes`."""


def taken(grids: gpd.GeoDataFrame, area: gpd.GeoDataFrame) -> Given:
    """Grids and their area, checked for what has to be there: one area with a boundary, codes that differ, one CRS in metres.

    >>> from gridgis import toy
    >>> taken(toy.grids(), toy.areas().loc[[toy.TOWN]]).codes
    ('G1', 'G2', 'G3')
    """
    crs = require_metric(grids, area)
    if len(area) != 1:
        raise DataError("redraw_opening.one_area", count=len(area))
    code = str(area.index[0])
    outline = area.geometry.iloc[0]
    outline = shapely.force_2d(outline) if shapely.has_z(outline) else outline
    if not isinstance(outline, (shapely.Polygon, shapely.MultiPolygon)) or outline.is_empty or not outline.is_valid:
        reason = "–" if outline is None or outline.is_empty else why_invalid(outline)
        raise DataError("redraw_opening.no_area", area=code, reason=reason)
    codes = tuple(str(value) for value in grids.index)
    if len(set(codes)) != len(codes):
        twice = pd.Index(codes)
        raise DataError("redraw_opening.twice", codes=listed(np.array(sorted(set(twice[twice.duplicated()])), dtype=object)))
    shapes = np.asarray(grids.geometry.array, dtype=object)
    deep = shapely.has_z(shapes)
    if deep.any():
        shapes = np.where(deep, shapely.force_2d(shapes), shapes)
    attributes = pd.DataFrame(grids.drop(columns=grids.geometry.name)).set_axis(pd.Index(codes, name="code"))
    return Given(code, crs, outline, codes, frozen_shapes(shapes), attributes)


def defects(grids: gpd.GeoDataFrame, area: gpd.GeoDataFrame, *, crack_width_m: float = CRACK_WIDTH_M) -> tuple[Defect, ...]:
    """Everything that keeps grids from being a partition of their area, and parts that may not be meant.

    Vertices that only lack on one side of a border, and differences of rounding (a micrometre), are no defect:
    `open_partition` weaves them in.

    Parameters
    ----------
    grids
        The grids of one area in a CRS in metres, indexed by code.
    area
        One row, indexed by code, in the same CRS.
    crack_width_m
        Ground nobody holds is a gap where its mean width, 2 · area / perimeter, is below this, and free ground where it
        is wider, enclosed or not. A crack that runs into free ground is part of it. A part of a grid thinner than this is
        a sliver.

    Returns
    -------
    tuple
        By kind, the largest first; empty for grids that fit.

    Examples
    --------
    >>> from gridgis import toy
    >>> grids, town = toy.grids(), toy.areas().loc[[toy.TOWN]]
    >>> grids.loc["G2", "geometry"] = shapely.box(500140, 3366000, 500249.5, 3366300)
    >>> [(d.kind, d.codes, round(d.area_m2, 3)) for d in defects(grids, town)]
    [('overlap', ('G1', 'G2'), 3000.0), ('gap', ('G2', 'G3'), 150.0)]
    """
    given = taken(grids, area)
    mended, reasons = polygonal(given.shapes)
    fitted = fit(mended, given.outline)
    return found_defects(given, fitted, reasons, crack_width_m=crack_width_m)


def found_defects(given: Given, fitted: Fit, reasons: Shapes, *, crack_width_m: float) -> tuple[Defect, ...]:
    """The defects of grids whose mended shapes were fitted as well as they can be.

    >>> from gridgis import toy
    >>> given = taken(toy.grids(), toy.areas().loc[[toy.TOWN]])
    >>> found_defects(given, fit(given.shapes, given.outline), np.full(3, ""), crack_width_m=1.0)
    ()
    """
    found = [*_broken(given, reasons), *_parts(given, fitted, crack_width_m)]
    if len(fitted.left):
        dirty = [*_overlaps(given, fitted), *_outside(given, fitted)]
        missing = shapely.difference(given.outline, shapely.union_all(fitted.shapes))
        gaps = _gaps(given, fitted, shapely.get_parts(polygonal(np.array([missing], dtype=object))[0]), crack_width_m)
        found += dirty + gaps
        if not dirty and not gaps:
            found += _misfits(given, fitted)
    else:
        found += _gaps(given, fitted, fitted.free, crack_width_m)
    return tuple(sorted(found, key=lambda defect: (KINDS.index(defect.kind), -defect.area_m2, defect.codes)))


def dirty_error(given: Given, found: tuple[Defect, ...]) -> DataError:
    """What to say of grids that cannot be opened: how many defects of each kind, the largest, and the way out.

    >>> given = Given("A", pyproj.CRS(4547), shapely.box(0, 0, 9, 9), (), frozen_shapes([]), pd.DataFrame())
    >>> str(dirty_error(given, (Defect("overlap", ("G1", "G2"), 12.3, shapely.box(0, 0, 4, 3)),)))[:59]
    'The grids of area A do not fit together: 1 overlap, 0 narro'
    """
    stop = [defect for defect in found if defect.blocks]
    counts = {kind: sum(defect.kind == kind for defect in stop) for kind in KINDS}
    worst = sorted(stop, key=lambda defect: -defect.area_m2)
    return DataError(
        "redraw_opening.dirty",
        area=given.area,
        overlaps=counts["overlap"], gaps=counts["gap"], outside=counts["outside"], invalid=counts["invalid"],
        slivers=counts["sliver"], misfits=counts["misfit"],
        worst=listed(np.array([_said(defect) for defect in worst], dtype=object), most=3),
    )  # fmt: skip


def _said(defect: Defect) -> str:
    spot = shapely.point_on_surface(defect.place)
    codes = "/".join(defect.codes[:3]) or "–"
    return f"{codes} {number(defect.area_m2, digits=2)} m² ({spot.x:.1f}, {spot.y:.1f})"


def _broken(given: Given, reasons: Shapes) -> Iterator[Defect]:
    kinds = shapely.get_type_id(given.shapes)
    for at in np.flatnonzero((reasons != "") | ~np.isin(kinds, (3, 6)) | shapely.is_empty(given.shapes)).tolist():
        reason = str(reasons[at]) or ("Empty" if kinds[at] < 0 or given.shapes[at].is_empty else given.shapes[at].geom_type)
        spot = _PLACE.search(reason)
        place = shapely.Point(float(spot[1]), float(spot[2])) if spot else shapely.point_on_surface(given.outline)
        yield Defect("invalid", (given.codes[at],), 0.0, place, reason)


def _overlaps(given: Given, fitted: Fit) -> Iterator[Defect]:
    suspects = _uncancelled(fitted)
    frame = gpd.GeoDataFrame(geometry=fitted.shapes[suspects], index=np.array(given.codes, dtype=object)[suspects], crs=given.crs)
    found = overlaps(frame, least_m2=_NOTHING_M2)
    for left, right, m2, place in zip(found["left"], found["right"], found["area_m2"].tolist(), found.geometry, strict=True):
        yield Defect("overlap", (str(left), str(right)), m2, place)


def _outside(given: Given, fitted: Fit) -> Iterator[Defect]:
    suspects = _uncancelled(fitted)
    shapely.prepare(fitted.outline)
    suspects = suspects[~shapely.covered_by(fitted.shapes[suspects], fitted.outline)]
    beyond, _ = polygonal(shapely.difference(fitted.shapes[suspects], fitted.outline))
    for at, place, m2 in zip(suspects.tolist(), beyond, areas_m2(beyond, given.crs).tolist(), strict=True):
        if place.area > _NOTHING_M2:
            yield Defect("outside", (given.codes[at],), m2, place)


def _gaps(given: Given, fitted: Fit, places: Shapes, crack_width_m: float) -> list[Defect]:
    cracks = places[(mean_width(places) < crack_width_m) & (shapely.area(places) > _NOTHING_M2)]
    if len(cracks) == 0:
        return []
    crack, shape = shapely.STRtree(fitted.shapes).query(cracks, predicate="dwithin", distance=1e-6)
    sizes = areas_m2(cracks, given.crs).tolist()
    return [
        Defect("gap", tuple(sorted(given.codes[at] for at in shape[crack == number_])), m2, place)
        for number_, (place, m2) in enumerate(zip(cracks, sizes, strict=True))
    ]


def _parts(given: Given, fitted: Fit, crack_width_m: float) -> Iterator[Defect]:
    """Grids of several parts, and parts that are too thin."""
    parts, owner = shapely.get_parts(fitted.shapes, return_index=True)
    many = np.bincount(owner, minlength=len(given.codes))
    sizes = areas_m2(parts, given.crs)
    thin = (mean_width(parts) < crack_width_m) & ~shapely.is_empty(parts)
    for at in np.flatnonzero(many > 1).tolist():
        smaller = float(sizes[owner == at].sum() - sizes[owner == at].max())
        yield Defect("torn", (given.codes[at],), smaller, fitted.shapes[at], blocks=False)
    for at in np.flatnonzero(thin).tolist():
        alone = bool((thin | (owner != owner[at])).all())
        yield Defect("sliver", (given.codes[owner[at]],), float(sizes[at]), parts[at], blocks=not alone)


def _misfits(given: Given, fitted: Fit) -> Iterator[Defect]:
    """Borders that do not cancel though no ground shows it."""
    lines = np.asarray(shapely.linestrings(fitted.left.ends.reshape(-1, 2, 2)), dtype=object)
    for line in shapely.get_parts(shapely.line_merge(shapely.union_all(lines))):
        near = shapely.STRtree(fitted.shapes).query(line, predicate="dwithin", distance=1e-6)
        yield Defect("misfit", tuple(sorted(given.codes[at] for at in near)), 0.0, line)


def _uncancelled(fitted: Fit) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    """Positions of the shapes with a segment that does not cancel among shapes and outline.

    Without the free ground: what is read from left-over segments of overlapping shapes may balance some of them.
    """
    left = left_over(fitted.shapes, fitted.outline)
    lines = np.asarray(shapely.linestrings(left.ends.reshape(-1, 2, 2)), dtype=object)
    shape, _ = shapely.STRtree(lines).query(fitted.shapes, predicate="intersects")
    return np.unique(shape)
