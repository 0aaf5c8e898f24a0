"""Incidents as points with times, and an account of every row that could not be used: nothing is dropped in silence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from gridgis.crs import crs_name, is_mercator, is_metric, parse_crs, require_metric
from gridgis.errors import CrsError, DataError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Reason = Literal["no_coordinates", "zero_zero", "outside", "no_time", "bad_time"]

REASONS: Final[tuple[Reason, ...]] = ("no_coordinates", "zero_zero", "outside", "no_time", "bad_time")
"""Why a row is left out; a row with several reasons counts under the first of them."""

# from so many points on, the area is first looked up in a coarse raster of squares
_MANY: Final = 20_000
_SQUARES: Final = 128
# a text of a time that says its distance from UTC
_ZONED: Final = r"(?:Z|[+-]\d\d:?\d\d)$"


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Incidents that can be used, in the order of the frame they come from."""

    x: Floats
    """Shape (n,): easting, metres."""
    y: Floats
    """Shape (n,): northing, metres."""
    crs: pyproj.CRS
    """Projected in metres, no Mercator."""
    index: pd.Index
    """Shape (n,): which row of the frame each point is."""
    start: pd.DatetimeIndex | None = None
    """Shape (n,): when, in UTC; where an interval is known, its beginning. None: times were not asked for."""
    end: pd.DatetimeIndex | None = None
    """Shape (n,): end of the interval, in UTC, NaT where there is none."""
    category: NDArray[np.object_] | None = None
    """Shape (n,): kind of incident as text, None where it is missing."""
    weight: Floats | None = None
    """Shape (n,): what a point counts; None: each counts 1."""

    def __len__(self) -> int:
        return len(self.x)

    def where(self, chosen: Mask) -> Points:
        """The points for which a mask of shape (n,) is true."""
        return Points(
            x=self.x[chosen],
            y=self.y[chosen],
            crs=self.crs,
            index=self.index[chosen],
            start=None if self.start is None else self.start[chosen],
            end=None if self.end is None else self.end[chosen],
            category=None if self.category is None else self.category[chosen],
            weight=None if self.weight is None else self.weight[chosen],
        )


@dataclass(frozen=True, slots=True)
class PointsReport:
    """What became of the rows of a frame: `total` = `used` + everything in `left_out`."""

    total: int
    """Number of rows."""
    used: int
    """Number of points that are used."""
    left_out: Mapping[str, int]
    """Reason → rows, every reason of `REASONS`, 0 where none was left out for it."""
    duplicates: int
    """Used rows equal to an earlier one in every column (geometry included); they are used, as they may be true."""
    stacked: int
    """Used points that share their exact place with another: snap points of anonymised data."""


def read_points(
    frame: gpd.GeoDataFrame,
    *,
    crs: str | int | pyproj.CRS | None = None,
    area: gpd.GeoDataFrame | gpd.GeoSeries | None = None,
    start: str | None = None,
    end: str | None = None,
    zone: str | None = None,
    earliest: dt.datetime | None = None,
    latest: dt.datetime | None = None,
    category: str | None = None,
    weight: str | None = None,
) -> tuple[Points, PointsReport]:
    """Points of a frame in a system that measures, and what was left out.

    1. `no_coordinates`: no geometry, no point, or coordinates that are not numbers or lie on no map.
    2. `zero_zero`: at 0/0 of the frame's own system, where data without a place ends up.
    3. `outside`: not in the polygons of `area` (their edge is inside), if an area is given.
    4. `no_time`, `bad_time`: only where `start` is given. Empty; or no time at all, before `earliest`, after `latest`, or an
       end before its start. An empty end is none.

    Parameters
    ----------
    frame
        Incidents, point geometry; a multipoint of one point is a point. Any system.
    crs
        What to compute in; None: `area`'s system, or the frame's own.
    area
        Polygons in the system computed in.
    start, end
        Columns of times: instants with a time zone, or text by ISO 8601 (`2024-07`, `2024-07-01 23:50`). `end` needs `start`.
    zone
        Where times without a time zone are local, such as `"Asia/Shanghai"`; None: they are refused.
    earliest, latest
        Aware; what lies outside is impossible.
    category, weight
        Columns of the kind of incident and of what a point counts (finite, not negative).

    Raises
    ------
    CrsError
        If a system is missing, cannot measure, or differs from the area's.
    DataError
        If a column is missing, times lack a zone, or a weight is no number of 0 or more.

    Examples
    --------
    >>> from gridgis import toy
    >>> shapes = gpd.points_from_xy([500010, 500020, 0, 900000], [3366010, 3366020, 0, 3366000])
    >>> points, report = read_points(gpd.GeoDataFrame(geometry=shapes, crs=toy.CRS), area=toy.areas())
    >>> len(points), report.left_out["zero_zero"], report.left_out["outside"]
    (2, 1, 1)
    """
    for column in (start, end, category, weight):
        if column is not None and column not in frame.columns:
            raise DataError("hotspots.column", column=column, columns=", ".join(map(str, frame.columns)))
    own, work = _systems(frame, crs, area)
    raw_x, raw_y = _coordinates(frame)
    x, y = _moved(raw_x, raw_y, own, work)
    reason = np.full(len(frame), -1, dtype=np.int8)
    _leave_out(reason, "no_coordinates", ~(np.isfinite(raw_x) & np.isfinite(raw_y)))
    _leave_out(reason, "zero_zero", (raw_x == 0) & (raw_y == 0))
    _leave_out(reason, "no_coordinates", ~(np.isfinite(x) & np.isfinite(y)))
    if area is not None:
        left = np.flatnonzero(reason < 0)
        _leave_out(reason, "outside", ~np.isin(np.arange(len(frame)), left[inside(area, x[left], y[left])]))
    begun = ended = None
    if start is not None:
        begun, empty, bad = _times(frame[start], zone, earliest, latest)
        if end is not None:
            ended, _, bad_end = _times(frame[end], zone, earliest, latest)
            bad |= bad_end | np.asarray(ended < begun)
        _leave_out(reason, "no_time", empty)
        _leave_out(reason, "bad_time", bad)
    kept = reason < 0
    weights = None if weight is None else _weights(frame[weight], kept)
    kinds = None if category is None else frame[category].astype(object).where(frame[category].notna(), None).to_numpy()
    points = Points(x, y, work, frame.index, begun, ended, kinds, weights).where(kept)
    return points, _report(frame, points, reason)


def inside(area: gpd.GeoDataFrame | gpd.GeoSeries, x: Floats, y: Floats) -> Mask:
    """Which points lie in the polygons of an area, their edge included; shape (n,).

    >>> from gridgis import toy
    >>> inside(toy.areas(), np.array([500000.0, 500400.1]), np.array([3366000.0, 3366000.0])).tolist()
    [True, False]
    """
    require_metric(area)
    shapes = shapely.make_valid(np.asarray(area.geometry.dropna().array, dtype=object))
    shape = shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)
    shapely.prepare(shape)
    found = np.zeros(len(x), dtype=np.bool_)
    if shape.is_empty:
        return found
    if len(x) < _MANY:
        return np.asarray(shapely.intersects_xy(shape, x, y), dtype=np.bool_)
    west, south, east, north = shape.bounds
    boxed = np.flatnonzero((x >= west) & (x <= east) & (y >= south) & (y <= north))
    # a square wholly inside or outside answers for all its points
    side = max(east - west, north - south, 1e-9) / _SQUARES
    across = np.minimum((x[boxed] - west) // side, _SQUARES - 1).astype(np.int64)
    up = np.minimum((y[boxed] - south) // side, _SQUARES - 1).astype(np.int64)
    grid_x, grid_y = np.meshgrid(np.arange(_SQUARES), np.arange(_SQUARES))
    grace = side * 1e-6
    squares = shapely.box(
        west + grid_x * side - grace, south + grid_y * side - grace,
        west + (grid_x + 1) * side + grace, south + (grid_y + 1) * side + grace,
    )  # fmt: skip
    whole, met = shapely.contains_properly(shape, squares)[up, across], shapely.intersects(shape, squares)[up, across]
    found[boxed[whole]] = True
    open_ = boxed[met & ~whole]
    found[open_] = shapely.intersects_xy(shape, x[open_], y[open_])
    return found


def _systems(frame: gpd.GeoDataFrame, wish: str | int | pyproj.CRS | None, area: Any) -> tuple[pyproj.CRS, pyproj.CRS]:
    """The frame's own system, and the one to compute in."""
    if frame.crs is None:
        raise CrsError("crs.missing", layer="points")
    fixed = None if area is None else require_metric(area)
    crs = parse_crs(wish) if wish is not None else fixed or frame.crs
    if fixed is not None and crs != fixed:
        raise CrsError("crs.mixed", first=crs_name(crs), second=crs_name(fixed))
    if not is_metric(crs) or is_mercator(crs):
        raise CrsError("crs.mercator" if is_metric(crs) else "crs.not_metric", crs=crs_name(crs), suggestion="EPSG:4547")
    return frame.crs, crs


def _coordinates(frame: gpd.GeoDataFrame) -> tuple[Floats, Floats]:
    shapes: NDArray[np.object_] = np.array(frame.geometry.array, dtype=object)
    many = shapely.get_type_id(shapes) == shapely.GeometryType.MULTIPOINT
    shapes[many] = np.where(shapely.get_num_geometries(shapes[many]) == 1, shapely.get_geometry(shapes[many], 0), None)
    shapes[shapely.is_empty(shapes)] = None  # GEOS has no coordinate of an empty point
    return shapely.get_x(shapes), shapely.get_y(shapes)


def _moved(x: Floats, y: Floats, source: pyproj.CRS, target: pyproj.CRS) -> tuple[Floats, Floats]:
    if source == target:
        return x, y
    moved = pyproj.Transformer.from_crs(source, target, always_xy=True).transform(x, y)
    return np.asarray(moved[0], dtype=np.float64), np.asarray(moved[1], dtype=np.float64)


def _leave_out(reason: NDArray[np.int8], name: Reason, rows: Mask) -> None:
    reason[rows & (reason < 0)] = REASONS.index(name)


def _times(
    column: pd.Series, zone: str | None, earliest: dt.datetime | None, latest: dt.datetime | None
) -> tuple[pd.DatetimeIndex, Mask, Mask]:
    """Times in UTC, which rows are empty, and which hold no possible time."""
    empty = column.isna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        aware = naive = pd.DatetimeIndex(column)
        zoned = np.full(len(column), aware.tz is not None)
    else:
        text = column.astype("string").str.strip()
        empty = empty | (text == "").fillna(False).to_numpy(dtype=bool)
        zoned = text.str.contains(_ZONED).fillna(False).to_numpy(dtype=bool)
        aware = pd.DatetimeIndex(pd.to_datetime(text.where(zoned), errors="coerce", format="ISO8601", utc=True))
        naive = pd.DatetimeIndex(pd.to_datetime(text.where(~zoned), errors="coerce", format="ISO8601"))
    if aware.tz is None or not zoned.all():
        naive = pd.DatetimeIndex(naive.where(~zoned))
        if zone is None and not naive.isna().all():
            raise DataError("hotspots.naive_times", column=column.name)
        # an hour that the clock shows twice is the first of them; one it skips is the next there is
        local = naive.tz_localize(zone or "UTC", ambiguous=np.ones(len(naive), dtype=bool), nonexistent="shift_forward")
        index = local.tz_convert("UTC") if aware.tz is None else aware.where(zoned, local.tz_convert("UTC"))
    else:
        index = aware
    index = index.tz_convert("UTC")
    bad = np.asarray(index.isna()) & ~empty
    if earliest is not None:
        bad |= np.asarray(index < pd.Timestamp(earliest))
    if latest is not None:
        bad |= np.asarray(index > pd.Timestamp(latest))
    return index, empty, bad


def _weights(column: pd.Series, kept: Mask) -> Floats:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(kept & ~(np.isfinite(values) & (values >= 0)))
    if len(wrong):
        raise DataError("hotspots.weight", column=column.name, row=column.index[wrong[0]], value=column.iloc[wrong[0]])
    return values


def _report(frame: gpd.GeoDataFrame, points: Points, reason: NDArray[np.int8]) -> PointsReport:
    numbers = np.bincount(reason[reason >= 0], minlength=len(REASONS))
    used = np.flatnonzero(reason < 0)
    places = pd.DataFrame({"x": points.x, "y": points.y})
    stacked = places.duplicated(keep=False).to_numpy()
    # only rows that share their place can be equal: the others need not be compared column by column
    rows = pd.DataFrame(frame.drop(columns=frame.geometry.name)).iloc[used[stacked]].astype("string")
    rows = rows.reset_index(drop=True).assign(_x=points.x[stacked], _y=points.y[stacked])
    return PointsReport(
        total=len(frame),
        used=len(points),
        left_out=dict(zip(REASONS, numbers.tolist(), strict=True)),
        duplicates=int(rows.duplicated().sum()),
        stacked=int(stacked.sum()),
    )
