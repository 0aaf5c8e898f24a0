"""Where rows are: coordinates from columns or geometry, the CRS they are in, and whether that can be true."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis import datum as datums
from gridgis.crs import WGS84, crs_name, parse_crs
from gridgis.errors import CrsError, DataError
from gridgis.files.raw import Raw
from gridgis.files.spatial import has_z
from gridgis.files.tables import fold

# Pairs of headings (folded) that hold coordinates, most certain first; True: degrees by their name alone.
_PAIRS: Final = (
    ("经度", "纬度", True), ("longitude", "latitude", True), ("lon", "lat", True), ("lng", "lat", True), ("long", "lat", True),
    ("经度坐标", "纬度坐标", True), ("gpslon", "gpslat", True), ("gpslng", "gpslat", True),
    ("x坐标", "y坐标", False), ("横坐标", "纵坐标", False), ("坐标x", "坐标y", False), ("xcoord", "ycoord", False),
    ("xcoordinate", "ycoordinate", False), ("coordx", "coordy", False), ("pointx", "pointy", False),
    ("easting", "northing", False), ("x", "y", False), ("lon", "latitude", True),
)  # fmt: skip
_WKT: Final = ("wkt", "geometry", "geom", "thegeom", "几何", "空间坐标", "geometrywkt")
# Degrees of mainland China as a box: to tell longitude from latitude.
_CHINA: Final = (73.0, 3.0, 136.0, 54.0)
# Where fewer rows than this are possible, the whole file is wrong and not the rows.
_MOST: Final = 0.5
# China's 3-degree zones that write their number in front of the easting, in millions of metres: EPSG:4513–4533.
_ZONES: Final = range(25, 46)
_FIRST_ZONE_EPSG: Final = 4513
_ZONE_M: Final = 1_000_000


def place(
    raw: Raw, *, crs: str | None = None, datum: str = "wgs84", x: str | None = None, y: str | None = None,
    swap_xy: bool = False, strict: bool = True,
) -> Raw:  # fmt: skip
    """The rows with geometry in two dimensions, the CRS known and believable, datum shifts undone.

    Tables get points from the columns `x` and `y`, else from a pair of headings such as 经度 and 纬度, or geometry from a
    WKT column; a table with neither comes back without geometry. Coordinates under headings that mean degrees, or that
    look like degrees, are WGS 84 unless `crs` says otherwise. `swap_xy` exchanges the two coordinates first.
    `strict` refuses a file for one impossible coordinate; without it such rows are left to `repair.check_shapes`.

    Raises
    ------
    CrsError
        If coordinates cannot be in the CRS they are said to be in.
    DataError
        If a coordinate column is missing or holds something else than numbers.
    """
    kind = datums.check_datum(datum)
    placed = _from_columns(raw, x, y) if raw.shapes is None or x or y else raw
    shapes = placed.shapes
    if shapes is None:
        return placed
    flat = has_z(shapes)
    if flat:
        shapes = _with(shapes, shapely.force_2d(shapes.to_numpy()))
        placed = placed.noting("files.note_flattened", file=raw.file, count=flat)
    if swap_xy:
        shapes = _with(shapes, _swapped(shapes))
    placed = _with_crs(replace(placed, shapes=shapes), crs)
    if placed.shapes is None or placed.shapes.crs is None:
        return placed
    _check_plausible(placed, placed.shapes, strict=strict)
    if kind in {"gcj02", "bd09"}:
        placed = replace(placed, shapes=datums.unshift(placed.shapes, datum=kind))
        placed = placed.noting("files.note_datum", file=raw.file, datum=kind.upper())
    return placed


def missing_crs(raw: Raw) -> CrsError:
    """The error for geometry of unknown CRS, telling what its numbers look like."""
    if raw.shapes is None:
        return CrsError("crs.missing", layer=raw.file)
    box = raw.shapes.total_bounds
    at = {"file": raw.file, "x": _short(box[0]), "y": _short(box[1])}
    zone = int(box[0] // _ZONE_M) if np.isfinite(box[0]) else 0
    if zone in _ZONES:
        return CrsError("files.no_crs_zone", **at, zone=zone, crs=f"EPSG:{_FIRST_ZONE_EPSG + zone - _ZONES.start}")
    return CrsError("files.no_crs_degrees" if _like_degrees(box) else "files.no_crs_metres", **at)


def coordinate_columns(columns: pd.Index | list[str]) -> tuple[str, str, bool] | None:
    """The columns that hold x and y by their headings, and whether these mean degrees.

    >>> coordinate_columns(["名称", "经度", "纬度"])
    ('经度', '纬度', True)
    """
    folded = {fold(name): str(name) for name in reversed(list(columns))}
    for first, second, degrees in _PAIRS:
        if first in folded and second in folded:
            return folded[first], folded[second], degrees
    return None


def _from_columns(raw: Raw, x: str | None, y: str | None) -> Raw:
    if (x is None) != (y is None):
        raise DataError("files.one_coordinate", file=raw.file)
    columns = [str(name) for name in raw.frame.columns]
    for name in (x, y):
        if name is not None and name not in columns:
            raise DataError("files.no_such_column", file=raw.file, column=name, columns=", ".join(columns))
    if x is not None and y is not None:
        return _points(raw, x, y, degrees=False)
    wkt = next((name for name in columns if fold(name) in _WKT), None)
    if wkt is not None and raw.frame[wkt].notna().any():
        return _from_wkt(_wkt_joined(raw, wkt), wkt)
    pair = coordinate_columns(columns)
    if pair is None:
        return raw
    return _points(raw, pair[0], pair[1], degrees=pair[2])


def _points(raw: Raw, x: str, y: str, *, degrees: bool) -> Raw:
    values = {}
    for name in (x, y):
        column = raw.frame[name]
        numbers = pd.to_numeric(column, errors="coerce")
        bad = numbers.isna() & column.notna()
        if bad.any():
            at = int(np.argmax(bad))
            value = str(column.iloc[at])[:60]
            raise DataError("files.bad_coordinate", file=raw.file, row=column.index[at], column=name, value=value)
        values[name] = numbers.to_numpy(dtype=float)
    known = np.isfinite(values[x]) & np.isfinite(values[y])
    made = np.full(len(known), None, dtype=object)
    made[known] = shapely.points(values[x][known], values[y][known])
    shapes = gpd.GeoSeries(made, index=raw.frame.index, name="geometry")
    placed = replace(raw, shapes=shapes).noting("files.note_columns", file=raw.file, x=x, y=y)
    if not known.any():
        return placed
    box = shapes.total_bounds
    if degrees or _like_degrees(box):
        return replace(placed, shapes=shapes.set_crs(WGS84)).noting("files.note_wgs84", file=raw.file)
    return placed


def _wkt_joined(raw: Raw, column: str) -> Raw:
    # our own workbooks continue an outline that is too long for a cell in wkt_2, wkt_3, …
    more = [name for name in raw.frame.columns if re.fullmatch(r"wkt_\d+", str(name))]
    if not more:
        return raw
    text = raw.frame[column].astype("string")
    for name in sorted(more, key=lambda name: int(str(name)[4:])):
        text = text + raw.frame[name].astype("string").fillna("")
    return replace(raw, frame=raw.frame.drop(columns=more).assign(**{column: text.astype(object)}))


def _from_wkt(raw: Raw, column: str) -> Raw:
    texts = raw.frame[column]
    binary = texts.map(lambda value: isinstance(value, bytes)).any()
    reader = shapely.from_wkb if binary else shapely.from_wkt
    values = texts.astype(object).where(texts.notna(), None).to_numpy()
    if not binary:
        values = np.array([None if v is None else str(v).split(";", 1)[-1] for v in values], dtype=object)
    made = reader(values, on_invalid="ignore")
    bad = pd.isna(made) & texts.notna().to_numpy()
    if bad.any():
        at = texts.index[int(np.argmax(bad))]
        raise DataError("files.bad_wkt", file=raw.file, row=at, column=column, value=str(texts[at])[:60])
    shapes = gpd.GeoSeries(made, index=texts.index, name="geometry")
    if _like_degrees(shapes.total_bounds):
        shapes = shapes.set_crs(WGS84)
        raw = raw.noting("files.note_wgs84", file=raw.file)
    return replace(raw, shapes=shapes, frame=raw.frame.drop(columns=column))


def _with_crs(raw: Raw, crs: str | None) -> Raw:
    if crs is None or raw.shapes is None:
        return raw
    said = parse_crs(crs)
    declared = raw.shapes.crs
    shapes = raw.shapes.set_crs(said, allow_override=True)
    if declared is not None and not declared.equals(said, ignore_axis_order=True) and raw.numbered == "feature":
        raw = raw.noting("files.note_crs_override", file=raw.file, declared=crs_name(declared), crs=crs_name(said))
    return replace(raw, shapes=shapes)


def _check_plausible(raw: Raw, shapes: gpd.GeoSeries, *, strict: bool) -> None:
    crs = shapes.crs
    boxes = shapely.bounds(shapes.to_numpy())
    boxes = boxes[np.isfinite(boxes).all(axis=1) & (np.abs(boxes) > 1e-9).any(axis=1)]  # devices write 0/0 for "unknown"
    if crs is None or len(boxes) == 0:
        return
    if crs.is_geographic:
        inside = np.asarray((np.abs(boxes) <= np.array([360.0, 90.0, 360.0, 90.0])).all(axis=1), dtype=bool)
        if not inside.all():
            _refuse_degrees(raw, shapes, boxes, inside, strict=strict)
            boxes = boxes[inside]
    box = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    at = {"file": raw.file, "x": _short(box[0]), "y": _short(box[1]), "crs": crs_name(crs)}
    if crs.is_geographic:
        if _within(box, (_CHINA[1], _CHINA[0], _CHINA[3], 90.0)) and not _within(box, _CHINA):
            raise CrsError("files.swapped", **at)
        return
    if _like_degrees(box):
        raise CrsError("files.degrees_as_projected", **at)
    area = crs.area_of_use
    if crs.is_projected and area is not None:
        degrees = gpd.GeoSeries([shapely.box(*box)], crs=crs).to_crs(WGS84).total_bounds
        slack = 6.0  # zones are used well beyond their legal edge; the wrong zone is off by whole degrees
        wide = (area.west - slack, area.south - slack, area.east + slack, area.north + slack)
        if not np.isfinite(degrees).all() or not _touches(degrees, wide):
            raise CrsError("files.outside_crs", **at, name=crs.name)


def _refuse_degrees(
    raw: Raw, shapes: gpd.GeoSeries, boxes: NDArray[np.float64], inside: NDArray[np.bool_], *, strict: bool
) -> None:
    """Numbers that are no degrees: a whole file of them has the wrong CRS, a few are slips in their rows."""
    x, y = boxes[~inside][0, :2]
    at = {"file": raw.file, "x": _short(x), "y": _short(y), "crs": "" if shapes.crs is None else crs_name(shapes.crs)}
    if inside.mean() < _MOST:
        swapped = np.abs(boxes[~inside][:, [1, 0, 3, 2]]) <= np.array([180.0, 90.0, 180.0, 90.0])
        raise CrsError("files.swapped" if swapped.all() else "files.projected_as_degrees", **at)
    if strict:
        bounds = shapely.bounds(shapes.to_numpy())
        row = shapes.index[int(np.argmax((np.abs(bounds) > np.array([360.0, 90.0, 360.0, 90.0])).any(axis=1)))]
        raise DataError("files.bad_place", row=row, **at)


def _within(box: NDArray[np.float64], frame: tuple[float, float, float, float]) -> bool:
    return bool(frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3])


def _touches(box: NDArray[np.float64], frame: tuple[float, float, float, float]) -> bool:
    return bool(box[0] <= frame[2] and frame[0] <= box[2] and box[1] <= frame[3] and frame[1] <= box[3])


def _like_degrees(box: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(box).all() and np.all(np.abs(box) <= (180.0, 180.0, 180.0, 180.0)))


def _swapped(shapes: gpd.GeoSeries) -> NDArray[np.object_]:
    def swap(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        return coordinates[:, ::-1]

    return np.asarray(shapely.transform(shapely.force_2d(shapes.to_numpy()), swap), dtype=object)


def _with(shapes: gpd.GeoSeries, values: NDArray[np.object_]) -> gpd.GeoSeries:
    return gpd.GeoSeries(values, index=shapes.index, crs=shapes.crs, name=shapes.name)


def _short(value: float) -> str:
    return f"{value:.6g}" if abs(value) < 1000 else f"{value:.0f}"
