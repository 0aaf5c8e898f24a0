"""Incidents of a workspace or of a file, with the area they are looked at in: read, filtered, and everything left out told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from gridgis.crs import is_mercator, is_metric
from gridgis.crs import work_crs as crs_to_work_in
from gridgis.errors import CrsError, DataError
from gridgis.files import Raw, read_any, read_raw
from gridgis.files.mapping import recognise
from gridgis.files.places import coordinate_columns, missing_crs, place
from gridgis.files.tables import fold
from gridgis.files.times import check_zone, instants
from gridgis.hotspots.points import Points, PointsReport, read_points
from gridgis.layers import LAYERS
from gridgis.progress import Progress, silent

if TYPE_CHECKING:
    from gridgis.store import Workspace

Mask = NDArray[np.bool_]

TIME_ZONE: Final = "Asia/Shanghai"
# before this nobody kept incidents by the hour: such a time is a slip or a program's zero
EARLIEST: Final = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
# what cannot be read as a time is moved here, before EARLIEST, so that it counts as impossible and not as missing
_IMPOSSIBLE: Final = pd.Timestamp("1700-01-01", tz="UTC")
_START, _END, _KIND, _WEIGHT = "__start", "__end", "__kind", "__weight"
# headings of times in published incident data, folded, after those the layer `incidents` knows
_TIMES: Final = (
    "occurredon", "occurredondate", "occurrencedate", "incidentdate", "incidentdatetime", "datetimeoccurred", "dateoccurred",
    "dateocc", "timestamp", "datesingle", "datestart", "starttime", "startdate", "createdat", "createddate", "reporteddate",
    "发生日期", "案发日期", "报案时间", "创建时间",
)  # fmt: skip
# categories named in an error
_MOST_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class Filters:
    """Which incidents are looked at; everything empty: all of them."""

    since: dt.date | None = None
    """First day, local."""
    until: dt.date | None = None
    """Last day, local, itself included."""
    categories: tuple[str, ...] = ()
    """Kinds of incident; case does not matter."""
    area: str | None = None
    """Code (in a file: or name) of the area to look at; None: all areas."""
    hours: tuple[int, ...] = ()
    """Hours of the day, local, 0–23: hour 8 is 08:00 to 08:59."""
    weekdays: tuple[int, ...] = ()
    """Days of the week, local: 1 is Monday, 7 Sunday."""
    time_zone: str = TIME_ZONE
    """Where dates and hours are local, and times without a zone of their own."""

    @property
    def needs_times(self) -> bool:
        """Whether an incident without a time cannot be judged."""
        return self.since is not None or self.until is not None or bool(self.hours or self.weekdays)


@dataclass(frozen=True, slots=True)
class FileColumns:
    """Which columns of a file of incidents hold what, and how it is placed; None: found out by the headings."""

    x: str | None = None
    y: str | None = None
    time: str | None = None
    """When it happened; of an interval, its beginning."""
    time_end: str | None = None
    """End of the interval, where only an interval is known."""
    category: str | None = None
    weight: str | None = None
    """What an incident counts; None: 1 each."""
    layer: str | None = None
    """Layer or sheet inside the file."""
    crs: str | None = None
    """What the coordinates are in where the file does not say."""
    datum: str = "wgs84"
    """`gcj02` or `bd09` for shifted coordinates."""


@dataclass(frozen=True, slots=True, eq=False)
class Incidents:
    """Incidents ready to be looked at, and what became of those that are not."""

    points: Points
    """In a system that measures; with `start` in UTC where times were asked for."""
    report: PointsReport
    """What was left out before filtering, and why."""
    filtered: int
    """Usable incidents that the filters did not choose."""
    area: gpd.GeoDataFrame | None
    """The area in the same system; None: none is known."""
    filters: Filters
    source: str
    """The file's name, or the workspace's."""
    synthetic: bool = False
    """Whether the workspace says its data is synthetic."""

    def to_json(self) -> dict[str, Any]:
        """What was read, used and left out."""
        return {
            "points_total": self.report.total,
            "points_used": len(self.points),
            "points_left_out": dict(self.report.left_out),
            "points_filtered": self.filtered,
            "duplicates": self.report.duplicates,
            "stacked": self.report.stacked,
        }

    def period(self, since: dt.date | None, until: dt.date | None) -> Incidents:
        """The same within an inner period; the incidents need times."""
        inner = replace(self.filters, since=since, until=until)
        points = self.points.where(passing(self.points, replace(inner, categories=(), hours=(), weekdays=())))
        return replace(self, points=points, filters=inner, filtered=self.filtered + len(self.points) - len(points))


def from_workspace(
    ws: Workspace,
    *,
    filters: Filters | None = None,
    times: bool = False,
    now: dt.datetime | None = None,
    progress: Progress = silent,
) -> Incidents:
    """The incidents of a workspace, in its areas (or the one the filters name), in its CRS.

    Parameters
    ----------
    ws
        A workspace with the layer `incidents`.
    filters
        Which of them.
    times
        Whether every incident must have a time even if the filters need none.
    now
        Later times are impossible; None: this moment.

    Raises
    ------
    DataError
        If there is no incident, the area or category is unknown, or nothing is left.
    """
    wish = filters or Filters()
    progress("hotspot_tasks.stage_read", 0, 1)
    frame = ws.read("incidents")
    if len(frame) == 0:
        raise DataError("hotspot_tasks.no_incidents")
    areas = ws.read("areas")
    if wish.area is not None and wish.area not in areas.index:
        raise DataError("hotspot_tasks.no_such_area", area=wish.area, source=ws.info.name or ws.info.url)
    ground = areas if wish.area is None else areas.loc[[wish.area]]
    ground = ground[~(ground.geometry.isna() | ground.geometry.is_empty)]
    rows = frame
    if times or wish.needs_times:
        rows = rows.assign(**{_START: frame["occurred_at"]})
    if "category" in frame:
        rows = rows.assign(**{_KIND: frame["category"]})
    found = _usable(rows, ground if len(ground) else None, ws.info.crs, wish, now)
    progress("hotspot_tasks.stage_read", 1, 1)
    return replace(found, source=ws.info.name or ws.info.url, synthetic=ws.info.synthetic)


def from_file(
    file: str | Path,
    *,
    within: str | Path | None = None,
    filters: Filters | None = None,
    columns: FileColumns | None = None,
    work_crs: str | None = None,
    times: bool = False,
    now: dt.datetime | None = None,
    progress: Progress = silent,
) -> Incidents:
    """The incidents of a file, in the polygons of another.

    1. Coordinates, time and category are found by their headings (经度/纬度, Longitude/Latitude, x/y; 发生时间, Date, Month;
       类别, Crime type), or as `columns` says. A coordinate that is no number is none: the row counts as without coordinates.
    2. Computing happens in `work_crs`, else the points' system if it measures, else the area's, else one chosen for the area.

    Parameters
    ----------
    file
        Any vector or table file with points.
    within
        Any file with polygons: the area; None: wherever the points are.
    filters, times, now
        As for `from_workspace`.
    columns
        Which column holds what.
    work_crs
        A system to compute in, projected in metres.

    Raises
    ------
    DataError, CrsError
        If a file cannot be read or placed, a column is missing, or nothing is left.
    """
    wish, known = filters or Filters(), columns or FileColumns()
    raw = _placed(read_raw(file, layer=known.layer, target="incidents", progress=progress), known)
    shapes = raw.shapes
    if shapes is None:
        raise DataError("files.no_coordinates", file=raw.file, columns=", ".join(map(str, raw.frame.columns)))
    rows = gpd.GeoDataFrame(raw.frame.drop(columns="geometry", errors="ignore"), geometry=shapes)
    rows = _with_columns(rows, known, wish, raw.file, times=times)
    ground = None if within is None else _area(within, known.crs, wish.area)
    if within is None and wish.area is not None:
        raise DataError("hotspot_tasks.area_without_file", area=wish.area)
    crs = _work_crs(shapes, ground, work_crs)
    found = _usable(rows, None if ground is None else ground.to_crs(crs), crs, wish, now)
    return replace(found, source=raw.file)


def _placed(raw: Raw, known: FileColumns) -> Raw:
    pair = (known.x, known.y) if known.x or known.y else (coordinate_columns(raw.frame.columns) or (None, None))[:2]
    if raw.shapes is None or known.x or known.y:
        frame = raw.frame
        for name in pair:
            if name is not None and name in frame.columns:
                numbers = pd.to_numeric(frame[name], errors="coerce")
                # a column of words is the wrong column; a word among numbers is a row without coordinates
                if numbers.notna().sum() * 2 >= frame[name].notna().sum():
                    frame = frame.assign(**{name: numbers})
        raw = replace(raw, frame=frame)
    placed = place(raw, crs=known.crs, datum=known.datum, x=known.x, y=known.y, strict=False)
    if placed.shapes is not None and placed.shapes.crs is None:
        raise missing_crs(placed)
    return placed


def _with_columns(rows: gpd.GeoDataFrame, known: FileColumns, wish: Filters, file: str, *, times: bool) -> gpd.GeoDataFrame:
    """The frame with columns of one name each for times, kind and weight."""
    names = [str(name) for name in rows.columns if name != rows.geometry.name]
    headings = recognise(names, LAYERS["incidents"]).fields
    for name in (known.time, known.time_end, known.category, known.weight):
        if name is not None and name not in names:
            raise DataError("files.no_such_column", file=file, column=name, columns=", ".join(names))
    more: dict[str, Any] = {}
    if times or wish.needs_times or known.time is not None:
        folded = {fold(name): name for name in reversed(names)}
        time = known.time or headings.get("occurred_at") or next((folded[one] for one in _TIMES if one in folded), None)
        if time is None:
            raise DataError("hotspot_tasks.no_time_column", file=file, columns=", ".join(names))
        more[_START] = _instants(rows[time], wish.time_zone)
        if known.time_end is not None:
            more[_END] = _instants(rows[known.time_end], wish.time_zone)
    kind = known.category or headings.get("category")
    if kind is not None:
        more[_KIND] = rows[kind].to_numpy()
    elif wish.categories:
        raise DataError("hotspot_tasks.no_category_column", file=file, columns=", ".join(names))
    if known.weight is not None:
        more[_WEIGHT] = rows[known.weight].to_numpy()
    return rows.assign(**more)


def _instants(column: pd.Series, zone: str) -> pd.Series:
    parsed = instants(column, time_zone=zone)
    times = parsed.column.copy()
    for rows in parsed.bad.values():
        times[rows] = _IMPOSSIBLE
    return times


def _area(file: str | Path, crs: str | None, wish: str | None) -> gpd.GeoDataFrame:
    """The polygons of a file; what it says of its own system holds, `crs` only where it is silent or wrong."""
    try:
        frame = read_any(file, target="areas")
    except CrsError:
        if crs is None:
            raise
        frame = read_any(file, crs=crs, target="areas")
    if wish is not None:
        fields = recognise([str(name) for name in frame.columns], LAYERS["areas"]).fields
        named = [frame[fields[key]].astype("string") == wish for key in ("code", "name") if key in fields]
        chosen = np.any([column.fillna(False).to_numpy(dtype=bool) for column in named], axis=0) if named else np.zeros(1, bool)
        if not chosen.any():
            raise DataError("hotspot_tasks.no_such_area", area=wish, source=Path(file).name)
        frame = frame[chosen]
    shapes = frame.geometry
    solid = ~(shapes.isna() | shapes.is_empty) & shapes.geom_type.isin(["Polygon", "MultiPolygon", "GeometryCollection"])
    if not solid.any():
        raise DataError("hotspot_tasks.no_polygon", file=Path(file).name)
    return gpd.GeoDataFrame(geometry=shapes[solid].reset_index(drop=True))


def _work_crs(shapes: gpd.GeoSeries, ground: gpd.GeoDataFrame | None, wish: str | None) -> pyproj.CRS:
    if ground is not None:
        own = [one for one in (shapes, ground.geometry) if _measures(one.crs)]
        return crs_to_work_in(own[0] if own else ground, wish=wish)
    x, y = shapely.get_x(shapes.to_numpy()), shapely.get_y(shapes.to_numpy())
    # neither 0/0 nor what is on no map says where the data lies
    there = np.isfinite(x) & np.isfinite(y) & ~((x == 0) & (y == 0))
    if shapes.crs is not None and shapes.crs.is_geographic:
        there &= (np.abs(x) <= 360) & (np.abs(y) <= 90)
    if not there.any():
        raise DataError("hotspots.no_points")
    return crs_to_work_in(shapes[there], wish=wish)


def _measures(crs: pyproj.CRS | None) -> bool:
    return crs is not None and is_metric(crs) and not is_mercator(crs)


def _usable(
    rows: gpd.GeoDataFrame, ground: gpd.GeoDataFrame | None, crs: pyproj.CRS | None, wish: Filters, now: dt.datetime | None
) -> Incidents:
    check_zone(wish.time_zone)

    def there(name: str) -> str | None:
        return name if name in rows.columns else None

    points, report = read_points(
        rows, crs=crs, area=ground, start=there(_START), end=there(_END), zone=wish.time_zone, earliest=EARLIEST,
        latest=now or dt.datetime.now(dt.UTC), category=there(_KIND), weight=there(_WEIGHT),
    )  # fmt: skip
    chosen = passing(points, wish)
    kept = points.where(chosen)
    if len(kept) == 0:
        why = ", ".join(f"{reason}: {count}" for reason, count in report.left_out.items() if count) or "–"
        left = report.total - report.used
        raise DataError("hotspot_tasks.nothing_left", total=report.total, left_out=left, why=why, filtered=len(points))
    return Incidents(kept, report, len(points) - len(kept), ground, wish, "")


def passing(points: Points, wish: Filters) -> Mask:
    """Which incidents the filters let through, the area aside; points without times pass every filter of times.

    Raises
    ------
    DataError
        If no incident is of a category asked for, or the time zone is unknown.
    """
    chosen = np.ones(len(points), dtype=bool)
    if wish.categories:
        chosen &= _of_kind(points, wish.categories)
    if not wish.needs_times or points.start is None:
        return chosen
    zone = check_zone(wish.time_zone)
    if wish.since is not None:
        chosen &= np.asarray(points.start >= pd.Timestamp(wish.since, tz=zone))
    if wish.until is not None:
        chosen &= np.asarray(points.start < pd.Timestamp(wish.until + dt.timedelta(days=1), tz=zone))
    local = points.start.tz_convert(zone)
    if wish.hours:
        chosen &= np.isin(local.hour, wish.hours)
    if wish.weekdays:
        chosen &= np.isin(local.day_of_week + 1, wish.weekdays)
    return chosen


def hours_between(begin: int, end: int) -> tuple[int, ...]:
    """The hours of the day from one up to another, over midnight if that is earlier; empty, which is all, for the whole day.

    >>> hours_between(22, 3), hours_between(0, 24), hours_between(8, 8)
    ((22, 23, 0, 1, 2), (), ())
    """
    count = (end - begin) % 24
    return tuple((begin + step) % 24 for step in range(count))


def _of_kind(points: Points, wish: Sequence[str]) -> Mask:
    kinds = np.full(len(points), None, dtype=object) if points.category is None else points.category
    codes, distinct = pd.factorize(pd.Series(kinds, dtype=object))
    folded = [str(kind).strip().casefold() for kind in distinct]
    for one in wish:
        if one.strip().casefold() not in folded:
            known = sorted(map(str, distinct))
            shown = ", ".join(known[:_MOST_NAMED]) + (" …" if len(known) > _MOST_NAMED else "")
            raise DataError("hotspot_tasks.no_such_category", category=one, known=shown)
    wanted = np.isin(folded, [one.strip().casefold() for one in wish])
    return np.append(wanted, False)[codes]  # code −1: without a category
