"""The zones figures are told by: the whole town, and its parts by area, station or batch, each with its grids and stations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.coverage import Measure, Unit
from gridgis.crs import require_metric
from gridgis.errors import DataError
from gridgis.ground import Shapes, polygonal

By = Literal["area", "town", "village", "station", "batch"]
BY: Final[tuple[By, ...]] = get_args(By)


@dataclass(frozen=True, slots=True)
class Zones:
    """Zones, and which zone every grid and station is counted in."""

    frame: gpd.GeoDataFrame
    """Index: code of the zone; `name`; valid polygons (empty for a station or batch without grids)."""
    grids: pd.Series[str]
    """Zone code of every grid; null for none."""
    stations: pd.Series[str]
    """Zone code of every station; null for none."""


def whole(areas: gpd.GeoDataFrame, grids: pd.DataFrame, stations: pd.DataFrame, *, name: str = "") -> Zones:
    """The total everything is measured against, as one zone.

    1. One town: the town. 2. Several: all of them together, with the code and name of the county if there is one.
    3. None: all villages together, with the code of the town they name as parent if it is one and the same.
    4. Neither: every area there is.

    Parameters
    ----------
    areas
        Index: code; `name`, `level`, `parent`; polygons.
    grids, stations
        All counted in the total.
    name
        Name of the total where the areas give none.

    Raises
    ------
    DataError
        If there is no area.

    Examples
    --------
    >>> from gridgis import toy
    >>> whole(toy.areas(), toy.grids(), toy.stations()).frame["name"].to_dict()
    {'420000100': 'Toy'}
    """
    crs = require_metric(areas)
    chosen = next((areas[areas["level"] == level] for level in ("town", "village") if (areas["level"] == level).any()), areas)
    if len(chosen) == 0:
        raise DataError("coverage.no_areas")
    counties = areas[areas["level"] == "county"]
    code, told = "", name
    if len(chosen) == 1:
        code, told = str(chosen.index[0]), str(chosen["name"].iloc[0])
    elif len(counties) == 1 and (chosen["level"] == "town").all():
        code, told = str(counties.index[0]), str(counties["name"].iloc[0])
    elif "parent" in chosen and len(parents := set(chosen["parent"].astype(str))) == 1 and chosen["parent"].notna().all():
        code = parents.pop()
    shapes = _shapes(chosen)
    one = shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)
    frame = gpd.GeoDataFrame({"name": [told]}, index=pd.Index([code], name="code"), geometry=[one], crs=crs)
    return Zones(frame, _all_in(code, grids), _all_in(code, stations))


def parts(by: By, areas: gpd.GeoDataFrame, grids: gpd.GeoDataFrame, stations: pd.DataFrame, total: Zones) -> Zones:
    """The zones of a breakdown, sorted by code.

    1. `area`: villages and communities, or towns where there are none; `town`, `village`: that level. A grid or station
       counts where its `area_code` says, or in the town its area belongs to.
    2. `station`: the ground of a station's valid grids, open or not, inside the total.
    3. `batch`: the same by the grid's batch, else its station's; what has none stands last, without a code.

    Parameters
    ----------
    by
        The breakdown.
    areas, grids, stations
        Layers, indexed by code; `grids` are the valid ones.
    total
        The whole (`whole`), to which the ground of stations and batches is cut.

    Raises
    ------
    DataError
        If `by` is none of these, or there is no such area, station or batch.

    Examples
    --------
    >>> from gridgis import toy
    >>> layers = toy.areas(), toy.grids(), toy.stations()
    >>> found = parts("batch", *layers, whole(*layers))
    >>> found.frame.area.to_dict(), found.grids.to_dict()
    ({'1': 75000.0, '2': 45000.0}, {'G1': '1', 'G2': '1', 'G3': '2'})
    """
    if by not in BY:
        raise DataError("coverage.unknown_by", by=by)
    if by == "station":
        found = _by_station(grids, stations, total)
    elif by == "batch":
        found = _by_batch(grids, stations, total)
    else:
        found = _by_area(by, areas, grids, stations)
    if len(found.frame) == 0:
        raise DataError("coverage.no_zone", by=by)
    return found


def tally(zones: Zones, home: pd.Series[str], running: pd.Series[bool], unit: Unit, *, missing: str) -> list[Measure]:
    """How many grids (or stations) of every zone are in operation, out of how many.

    Parameters
    ----------
    zones
        The zones.
    home
        Zone code of every grid (`zones.grids`) or station.
    running
        Which are in operation, on the index of `home`.
    unit, missing
        What is counted, and the reason given where there is none at all.

    Examples
    --------
    >>> from gridgis import toy
    >>> all_of_it = whole(toy.areas(), toy.grids(), toy.stations())
    >>> running = pd.Series([True, True, False], index=toy.grids().index)
    >>> one = tally(all_of_it, all_of_it.grids, running, "grids", missing="coverage.no_grids")[0]
    >>> one.covered, one.total
    (2.0, 3.0)
    """

    def count(code: str) -> tuple[int, int]:
        here = home == code
        return int((here & running).sum()), int(here.sum())

    return _measures(zones, unit, missing if len(home) == 0 else None, count)


def tally_officers(zones: Zones, officers: pd.Series[str], running: pd.Series[bool]) -> list[Measure]:
    """How many officers of every zone have a grid in operation, out of all its grids name; each person once.

    >>> from gridgis import toy
    >>> all_of_it = whole(toy.areas(), toy.grids(), toy.stations())
    >>> running = pd.Series([True, True, False], index=toy.grids().index)
    >>> tally_officers(all_of_it, toy.grids()["officer"], running)[0].share
    0.6666666666666666
    """
    named = officers[officers.notna()]
    home, running = zones.grids[named.index], running[named.index]

    def count(code: str) -> tuple[int, int]:
        here = home == code
        return int(named[here & running].nunique()), int(named[here].nunique())

    return _measures(zones, "officers", "coverage.no_officers" if len(named) == 0 else None, count)


def _measures(zones: Zones, unit: Unit, missing: str | None, count: Callable[[str], tuple[int, int]]) -> list[Measure]:
    if missing is not None:
        return [Measure(unit, reason=missing)] * len(zones.frame)
    told = []
    for code in zones.frame.index:
        covered, total = count(str(code))
        reason = "coverage.nothing_to_cover" if total == 0 else None
        told.append(Measure(unit, float(covered), float(total), "coverage.source_register", reason=reason))
    return told


def _by_area(by: By, areas: gpd.GeoDataFrame, grids: gpd.GeoDataFrame, stations: pd.DataFrame) -> Zones:
    level = by if by != "area" else ("village" if (areas["level"] == "village").any() else "town")
    chosen = areas[areas["level"] == level].sort_index()
    frame = gpd.GeoDataFrame({"name": chosen["name"]}, geometry=_shapes(chosen), crs=areas.crs, index=chosen.index.astype(str))
    parent = areas["parent"] if "parent" in areas else pd.Series(dtype=object)

    def home(codes: pd.Series[str]) -> pd.Series[str]:
        own = codes.where(codes.isin(chosen.index))
        return own.fillna(codes.map(parent[~parent.index.duplicated()]).where(lambda up: up.isin(chosen.index)))

    return Zones(frame, home(_column(grids, "area_code")), home(_column(stations, "area_code")))


def _by_station(grids: gpd.GeoDataFrame, stations: pd.DataFrame, total: Zones) -> Zones:
    home = _column(grids, "station")
    own = pd.Series(stations.index.astype(str), index=stations.index, dtype=object)
    codes = sorted({str(code) for code in [*home.dropna(), *own]})
    names = stations["name"] if "name" in stations else pd.Series(dtype=object)
    names = names[~names.index.duplicated(keep="last")]
    frame = _grounds(codes, [names.get(code) or code for code in codes], home, grids, total)
    return Zones(frame, home, own)


def _by_batch(grids: gpd.GeoDataFrame, stations: pd.DataFrame, total: Zones) -> Zones:
    of_station = _column(stations, "batch")
    of_station = of_station[~of_station.index.duplicated(keep="last")]
    home = _column(grids, "batch")
    home = home.fillna(_column(grids, "station").map(of_station))
    named = sorted({str(code) for code in [*home.dropna(), *of_station.dropna()]}, key=lambda code: (len(code), code))
    home, of_station = home.fillna(""), of_station.fillna("")
    codes = [*named, ""] if named and ((home == "").any() or (of_station == "").any()) else named
    return Zones(_grounds(codes, codes, home, grids, total), home, of_station)


def _grounds(codes: list[str], names: list[str], home: pd.Series[str], grids: gpd.GeoDataFrame, total: Zones) -> gpd.GeoDataFrame:
    shapes = _shapes(grids)
    town = total.frame.geometry.iloc[0]
    shapely.prepare(town)
    crossing = ~shapely.covers(town, shapes)
    shapes[crossing] = polygonal(shapely.intersection(shapes[crossing], town))[0]
    rows = pd.Series(np.arange(len(grids))).groupby(home.to_numpy()).groups
    grounds = [shapely.union_all(shapes[np.asarray(rows[code])]) if code in rows else shapely.Polygon() for code in codes]
    index = pd.Index(codes, name="code", dtype=object)
    return gpd.GeoDataFrame({"name": names}, index=index, geometry=polygonal(np.array(grounds, dtype=object))[0], crs=grids.crs)


def _column(frame: pd.DataFrame, name: str) -> pd.Series[str]:
    values = frame[name] if name in frame else pd.Series([None] * len(frame), index=frame.index)
    values = values.astype(object)
    return values.where(values.notna() & (values.astype(str).str.strip() != ""), None)


def _all_in(code: str, frame: pd.DataFrame) -> pd.Series[str]:
    return pd.Series([code] * len(frame), index=frame.index, dtype=object)


def _shapes(frame: gpd.GeoDataFrame) -> Shapes:
    return polygonal(np.asarray(frame.geometry.array, dtype=object))[0]
