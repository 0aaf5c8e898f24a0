"""The ground walking times and rounds are asked about: an area on a day, its communities, grids and buildings."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.errors import DataError
from gridgis.layers import LEVELS
from gridgis.operation import planned
from gridgis.reach.network import Floats, Shapes

if TYPE_CHECKING:
    from gridgis.store import Workspace

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """An area, or all of a workspace, on a day."""

    date: dt.date
    named: tuple[str, str] | None
    """Code and name of the area; None: all of the workspace."""
    ground: gpd.GeoSeries
    """The area, or all areas without one above them; several may lie apart."""
    lowest: gpd.GeoDataFrame
    """The areas of the lowest level in it, indexed by code."""
    grids: gpd.GeoDataFrame
    """The grids there are in it, open or not, indexed by code."""
    around: Box | None
    """What is read of roads and sources; None: everything."""

    def to_json(self) -> dict[str, Any]:
        """The day and the area, for `--json`."""
        area = None if self.named is None else {"code": self.named[0], "name": self.named[1] or None}
        return {"as_of": self.date.isoformat(), "area": area}

    def buildings(self, ws: Workspace) -> gpd.GeoDataFrame:
        """The buildings whose middle lies in it.

        Raises `DataError` if there are none.
        """
        bounds = None if self.named is None else _grown(self.ground, 0.0)
        found = ws.read("buildings", bbox=bounds, columns=["population"]) if ws.count("buildings") else None
        if found is not None and self.named is not None:
            found = found[labels(points_of(found), self.ground, found.index).notna()]
        if found is None or found.empty:
            raise DataError("reach.no_buildings")
        return found


def scope_of(ws: Workspace, area: str | None, *, date: dt.date, margin_m: float) -> Scope:
    """What belongs to an area of any level on a day; None: to the workspace.

    Raises
    ------
    DataError
        If the area is unknown, or there are no areas.
    """
    areas = ws.read("areas", as_of=date)
    areas = areas[areas.geometry.notna()]
    if areas.empty:
        raise DataError("grids.no_areas")
    if area is not None and area not in areas.index:
        raise DataError("reach.unknown_area", area=area, date=date.isoformat())
    inner = areas if area is None else areas[areas.index.isin(below(areas, area))]
    present = [level for level in reversed(LEVELS) if (inner["level"] == level).any()]
    lowest = inner[inner["level"] == present[0]]
    grids = ws.read("grids", as_of=date)
    grids = grids[planned(grids, as_of=date) & grids.geometry.notna()]
    if area is None:
        return Scope(date, None, gpd.GeoSeries(inner.geometry), lowest, grids, None)
    ground = gpd.GeoSeries(inner.geometry[inner.index == area])
    named = (area, str(inner["name"][area] or ""))
    return Scope(date, named, ground, lowest, grids[grids["area_code"].isin(inner.index)], _grown(ground, margin_m))


def below(areas: pd.DataFrame, area: str) -> set[str]:
    """An area and all areas below it.

    >>> from gridgis import toy
    >>> len(below(toy.areas(), toy.TOWN)), below(toy.areas(), toy.WEST) == {toy.WEST}
    (3, True)
    """
    found, fresh = {area}, {area}
    while fresh and "parent" in areas:
        fresh = set(map(str, areas.index[areas["parent"].isin(fresh)])) - found
        found |= fresh
    return found


def points_of(frame: gpd.GeoDataFrame) -> Floats:
    """A point of each shape, shape (n, 2): itself, or one inside it; NaN without a place.

    >>> from gridgis import toy
    >>> (points_of(toy.stations())[0] - toy.ORIGIN).tolist()
    [125.0, 150.0]
    """
    points: Shapes = shapely.point_on_surface(np.asarray(frame.geometry.array, dtype=object))
    return np.column_stack([shapely.get_x(points), shapely.get_y(points)])


def labels(xy: Floats, zones: gpd.GeoDataFrame | gpd.GeoSeries, index: pd.Index) -> pd.Series:
    """The zone each point (shape (n, 2)) lies in, the first of several; null in none.

    >>> from gridgis import toy
    >>> houses = toy.buildings()
    >>> labels(points_of(houses), toy.grids(), houses.index).value_counts().to_dict()
    {'G3': 6, 'G1': 4, 'G2': 2}
    """
    found = pd.Series(None, index=index, dtype=object)
    shapes: Shapes = np.asarray(zones.geometry.array, dtype=object)
    points: Shapes = np.asarray(shapely.points(xy), dtype=object)
    at, zone = shapely.STRtree(shapes).query(points, predicate="intersects")
    order = np.lexsort((zone, at))
    which, first = np.unique(at[order], return_index=True)
    found.iloc[which] = zones.index.to_numpy()[zone[order][first]]
    return found


def middles(grids: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame | None) -> Floats:
    """Where the officer of each grid is looked for, shape (n, 2): at the building nearest to the middle of all its buildings,
    else, in a grid without any, at a point in it.

    >>> from gridgis import toy
    >>> (middles(toy.grids(), toy.buildings())[:2] - toy.ORIGIN).tolist()
    [[25.0, 25.0], [175.0, 155.0]]
    """
    xy = points_of(grids)
    if buildings is None or buildings.empty:
        return xy
    houses = pd.DataFrame(points_of(buildings), columns=["x", "y"], index=buildings.index)
    grid = labels(houses.to_numpy(), grids, buildings.index)
    mean = houses.groupby(grid).transform("mean")
    houses["away"] = ((houses - mean) ** 2).sum(axis=1, skipna=False).round(6)
    nearest = houses["away"].groupby(grid).idxmin()
    at = grids.index.get_indexer(nearest.index)
    xy[at] = houses.loc[nearest.to_numpy(), ["x", "y"]].to_numpy()
    return xy


def _grown(ground: gpd.GeoSeries, margin_m: float) -> Box:
    left, bottom, right, top = (float(side) for side in ground.total_bounds)
    return left - margin_m, bottom - margin_m, right + margin_m, top + margin_m
