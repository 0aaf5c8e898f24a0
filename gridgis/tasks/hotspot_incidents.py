"""The incidents of a workspace as analysts choose among them: by period, kind, place, hour and weekday."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray

from gridgis.crs import is_metric
from gridgis.errors import DataError
from gridgis.hotspots.points import Points, PointsReport, inside, read_points
from gridgis.tasks.hotspot_points import TIME_ZONE, Filters, passing

if TYPE_CHECKING:
    from gridgis.store import Workspace

Mask = NDArray[np.bool_]

# coarsest first: the first level there is makes up the whole
_LEVELS: Final = ("county", "town", "village")


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """All incidents of a workspace, and its areas, read once for any number of questions."""

    points: Points
    """Incidents with a place and a time."""
    report: PointsReport
    """What was left out in reading, and why."""
    areas: gpd.GeoDataFrame
    """Areas with a geometry: `name`, `level`."""
    crs: pyproj.CRS
    """What is computed in."""
    place: str
    """Name of the whole."""
    synthetic: bool
    """Whether the geometry is made up."""
    _grounds: dict[str | None, gpd.GeoSeries] = field(default_factory=dict)

    @property
    def categories(self) -> dict[str, int]:
        """Kinds of incident, the most frequent first, each with how many there are."""
        kinds = pd.Series(self.points.category, dtype=object).value_counts()
        return {str(kind): int(count) for kind, count in kinds.items()}

    def local(self, zone: str) -> pd.DatetimeIndex:
        """The clock where the incidents happened, without a time zone."""
        start = self.points.start
        return pd.DatetimeIndex([]) if start is None else start.tz_convert(zone).tz_localize(None)

    def days(self, zone: str) -> tuple[dt.date, dt.date]:
        """First day of the first month and last day of the last month in which something happened.

        Raises `DataError` if nothing did.
        """
        local = self.local(zone)
        if not len(local):
            raise DataError("hotspage.no_incidents")
        first, last = local.min(), local.max()
        return first.replace(day=1).date(), last.replace(day=last.days_in_month).date()

    def has_hours(self, zone: str) -> bool:
        """Whether times of day are known: dates alone, or months, all stand at midnight."""
        local = self.local(zone)
        return bool(((local.hour != 0) | (local.minute != 0)).any())

    def territory(self, code: str | None) -> gpd.GeoDataFrame:
        """The area of a code; for none, the areas of the coarsest level there is. Empty where there is no area."""
        if code is not None and code in self.areas.index:
            return self.areas.loc[[code]]
        level = next((level for level in _LEVELS if (self.areas["level"] == level).any()), None)
        return self.areas if level is None else self.areas[self.areas["level"] == level]

    def ground(self, code: str | None) -> gpd.GeoSeries:
        """`territory` as one shape, without inner borders: made once, for every question needs it several times."""
        if code not in self._grounds:
            shapes = self.territory(code).geometry
            parts = [] if shapes.empty else [shapely.union_all(shapely.make_valid(shapes.to_numpy()))]
            self._grounds[code] = gpd.GeoSeries(parts, crs=self.crs)
        return self._grounds[code]

    def name_of(self, code: str | None) -> str:
        """Name of an area, or of the whole."""
        return str(self.areas.loc[code, "name"]) if code is not None and code in self.areas.index else self.place


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The incidents a question is about."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    """Metres, shape (n,)."""
    local: pd.DatetimeIndex
    """Local clock, shape (n,)."""
    first: dt.date
    last: dt.date
    """Period looked at, both included."""
    left_out: Mapping[str, int]
    """Reason → incidents that could not be used; those not asked for are not among them."""


def read_incidents(ws: Workspace) -> Archive:
    """The incidents and areas of a workspace.

    Raises
    ------
    DataError
        If there is no incident with a place and a time.
    """
    frame = ws.read("incidents", columns=["occurred_at", "category"])
    areas = ws.read("areas", columns=["name", "level"])
    areas = areas[areas.geometry.notna() & ~areas.geometry.is_empty]
    crs = ws.info.crs
    if not len(frame) or crs is None or not is_metric(crs):
        raise DataError("hotspage.no_incidents")
    points, report = read_points(frame, crs=crs, start="occurred_at", zone="UTC", category="category")
    if not len(points):
        raise DataError("hotspage.no_incidents")
    return Archive(points, report, areas, crs, _whole_name(ws, areas), ws.info.synthetic)


def time_zone(ws: Workspace, incidents: Archive) -> str:
    """The zone a workspace's hours are told in: its setting `time_zone`, else the zone of where the incidents are."""
    told = ws.settings().get("time_zone")
    if told:
        return str(told)
    middle = float(np.median(incidents.points.x)), float(np.median(incidents.points.y))
    lon, lat = pyproj.Transformer.from_crs(incidents.crs, 4326, always_xy=True).transform(*middle)
    return zone_at(lon, lat)


def zone_at(lon: float, lat: float) -> str:
    """The time zone of a place: that of the nearest city in the time zone data base, all of China being one zone.

    Where the data base has no table of cities it is `TIME_ZONE`.

    >>> zone_at(114.9, 30.4), zone_at(87.6, 43.8), zone_at(-73.9, 40.7)
    ('Asia/Shanghai', 'Asia/Shanghai', 'America/New_York')
    """
    best, found = np.inf, TIME_ZONE
    for line in _cities():
        countries, place, name, *_ = line.split("\t")
        parts = re.fullmatch(r"([+-]\d{4,6})([+-]\d{5,7})", place)
        if parts is None:
            continue
        city_lat, city_lon = (_degrees(part) for part in parts.groups())
        across = (abs(city_lon - lon + 180) % 360 - 180) * np.cos(np.radians(lat))
        distance = float(np.hypot(across, city_lat - lat))
        if distance < best:
            best, found = distance, TIME_ZONE if countries.split(",")[0] == "CN" else name.strip()
    return found


def _degrees(text: str) -> float:
    """Degrees of the table's ±DDMM, ±DDDMM, ±DDMMSS or ±DDDMMSS."""
    digits = text[1:]
    whole = len(digits) - (4 if len(digits) > 5 else 2)
    rest = digits[whole:]
    value = int(digits[:whole]) + int(rest[:2]) / 60 + int(rest[2:] or 0) / 3600
    return -value if text[0] == "-" else value


def _cities() -> list[str]:
    """Lines of the data base's table of zones and their cities, from the system or from the package `tzdata`."""
    files = [Path(folder) / "zone1970.tab" for folder in zoneinfo.TZPATH]
    with contextlib.suppress(ModuleNotFoundError):  # then the system's tables are all there is
        files.append(Path(str(resources.files("tzdata"))) / "zoneinfo" / "zone1970.tab")
    file = next((file for file in files if file.is_file()), None)
    lines = [] if file is None else file.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def choose(incidents: Archive, filters: Filters) -> Chosen:
    """The incidents the filters let through, inside the area.

    Incidents in the period and of the kinds asked for, but outside the area, are counted under `outside` when the area is
    the whole; outside of one area of many they are simply not asked for.
    """
    local = incidents.local(filters.time_zone)
    first, last = incidents.days(filters.time_zone)
    first, last = filters.since or first, filters.until or last
    kept = passing(incidents.points, replace(filters, since=first, until=last))
    left_out = {name: count for name, count in incidents.report.left_out.items() if count}
    territory = incidents.ground(filters.area)
    x, y = incidents.points.x[kept], incidents.points.y[kept]
    if len(territory):
        within = inside(territory, x, y)
        if filters.area is None and not within.all():
            left_out["outside"] = int((~within).sum())
        kept[np.flatnonzero(kept)[~within]] = False
        x, y = x[within], y[within]
    return Chosen(x, y, local[kept], first, last, left_out)


def _whole_name(ws: Workspace, areas: gpd.GeoDataFrame) -> str:
    towns = areas[areas["level"] != "village"]
    return str(towns["name"].iloc[0]) if len(towns) == 1 else ws.info.name
