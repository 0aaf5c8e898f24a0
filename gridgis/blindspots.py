"""Blind spots: built-up ground, houses and residents outside every grid in operation."""

from __future__ import annotations

from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.apportion import NOWHERE, Floats, Ints, building_points, locate
from gridgis.counts import Counts
from gridgis.crs import require_metric
from gridgis.ground import Ground, Shapes, add_up, areas_m2, polygonal
from gridgis.villages import natural_villages as find_villages

# ground under this size is rounding along a grid's edge, no blind spot
_LEAST_M2: Final = 1.0


def blind_spots(
    covered: Ground,
    areas: gpd.GeoDataFrame,
    *,
    natural_villages: gpd.GeoDataFrame | None = None,
    buildings: gpd.GeoDataFrame | None = None,
    population: Counts | None = None,
    households: Counts | None = None,
) -> gpd.GeoDataFrame:
    """Where people live outside every grid in operation.

    1. The part of every natural village that lies outside (`kind` = `natural_village`), from 1 m². Without a layer of
       them, they are found from the buildings.
    2. Buildings outside that belong to no natural village, together for each area (`scattered`).
    3. Where neither is known, the ground of every area outside the grids (`area`).

    Parameters
    ----------
    covered
        The ground of the grids in operation.
    areas
        Villages and communities (index: code; `name`).
    natural_villages, buildings
        Built-up ground; None or empty: unknown.
    population, households
        Where people and households are; None: unknown, and null in the result.

    Returns
    -------
    GeoDataFrame
        A running index; `kind`, `code` and `name` (of the natural village or area), `area_code`, `area_m2` (ellipsoidal),
        `buildings`, `population`, `households` in that ground (null where unknown), geometry. Worst first: by people, then
        buildings, then ground. Empty when everything is covered.

    Examples
    --------
    >>> from gridgis import counts, toy
    >>> from gridgis.ground import ground
    >>> people = counts.from_buildings(toy.buildings(), "population")
    >>> opened = ground(toy.grids().loc[["G1", "G2"]])
    >>> blind = blind_spots(opened, toy.areas().iloc[1:], buildings=toy.buildings(), population=people)
    >>> blind[["kind", "area_code", "buildings", "population"]].to_dict("split")["data"]
    [['natural_village', '420000100202', 5, 15.0], ['scattered', '420000100202', 1, 3.0]]
    """
    crs = require_metric(*(one for one in (areas, natural_villages, buildings, covered.pieces) if one is not None))
    if natural_villages is None or len(natural_villages) == 0:
        known = buildings is not None and len(buildings) > 0
        natural_villages = find_villages(buildings, areas=areas).villages if known and buildings is not None else None
    rows = []
    if natural_villages is not None:
        rows.append(_outside("natural_village", natural_villages, covered, buildings, population, households))
    if buildings is not None and len(buildings) and natural_villages is not None:
        rows.append(_scattered(natural_villages, covered, areas, buildings, population, households))
    if not rows:
        rows.append(_outside("area", areas.assign(area_code=areas.index), covered, buildings, population, households))
    table = pd.concat([one for one in rows if len(one)] or rows[:1], ignore_index=True)
    order = ["population", "buildings", "area_m2", "code"]
    table = table.sort_values(order, ascending=[False, False, False, True], na_position="last", ignore_index=True)
    return gpd.GeoDataFrame(table, geometry="geometry", crs=crs)


def _outside(
    kind: str, places: gpd.GeoDataFrame, covered: Ground, buildings: gpd.GeoDataFrame | None,
    population: Counts | None, households: Counts | None,
) -> gpd.GeoDataFrame:  # fmt: skip
    shapes = _shapes(places)
    rest = _minus(shapes, np.asarray(covered.pieces.array, dtype=object))
    area = areas_m2(rest, covered.crs)
    blind = np.flatnonzero(area >= _LEAST_M2)
    columns: dict[str, object] = {
        "kind": kind,
        "code": places.index.astype(str).to_numpy()[blind],
        "name": places["name"].to_numpy()[blind],
        "area_code": places["area_code"].to_numpy()[blind] if "area_code" in places else None,
        "area_m2": area[blind],
        "buildings": _houses(shapes, covered, buildings)[blind] if buildings is not None and len(buildings) else None,
    }
    for name, known in (("population", population), ("households", households)):
        if known is None:
            columns[name] = np.full(len(blind), np.nan)
        else:
            running, total = known.within(shapes, covered)
            columns[name] = (total - running)[blind]
    return gpd.GeoDataFrame(columns, geometry=rest[blind], crs=covered.crs, index=range(len(blind)))


def _scattered(
    villages: gpd.GeoDataFrame, covered: Ground, areas: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame,
    population: Counts | None, households: Counts | None,
) -> gpd.GeoDataFrame:  # fmt: skip
    points = building_points(buildings)
    alone = _outside_all(points, _shapes(villages)) & _outside_all(points, np.asarray(covered.pieces.array, dtype=object))
    alone &= np.isfinite(points).all(axis=1)
    frames = _shapes(areas)
    home = locate(points, frames)
    at = np.flatnonzero(alone & (home != NOWHERE))
    where = np.unique(home[at])
    houses = np.asarray(buildings.geometry.array, dtype=object)
    groups = [polygonal(np.array([shapely.union_all(houses[at[home[at] == one]])]))[0][0] for one in where.tolist()]
    shapes = np.array(groups, dtype=object)
    columns: dict[str, object] = {
        "kind": "scattered",
        "code": areas.index.astype(str).to_numpy()[where],
        "name": areas["name"].to_numpy()[where],
        "area_code": areas.index.astype(str).to_numpy()[where],
        "area_m2": areas_m2(shapes, covered.crs),
        "buildings": np.bincount(home[at], minlength=len(areas))[where],
    }
    for name, known in (("population", population), ("households", households)):
        columns[name] = _lone(known, villages, covered, frames)[where]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=covered.crs, index=range(len(where)))


def _lone(known: Counts | None, villages: gpd.GeoDataFrame, covered: Ground, frames: Shapes) -> Floats:
    """Counts standing outside villages and grids, by area; unknown unless they are known house by house."""
    if known is None or len(known.points) == 0:
        return np.full(len(frames), np.nan)
    pieces = np.asarray(covered.pieces.array, dtype=object)
    at = np.flatnonzero(_outside_all(known.points, _shapes(villages)) & _outside_all(known.points, pieces))
    home = locate(known.points[at], frames)
    return add_up(home[home != NOWHERE], known.point_values[at[home != NOWHERE]], len(frames))


def _houses(shapes: Shapes, covered: Ground, buildings: gpd.GeoDataFrame) -> Ints:
    points = building_points(buildings)
    home = locate(points, shapes)
    at = np.flatnonzero(home != NOWHERE)
    outside = at[_outside_all(points[at], np.asarray(covered.pieces.array, dtype=object))]
    return np.asarray(np.bincount(home[outside], minlength=len(shapes)), dtype=np.intp)


def _outside_all(points: Floats, shapes: Shapes) -> np.ndarray:
    return np.asarray(locate(points, shapes) == NOWHERE)


def _minus(shapes: Shapes, pieces: Shapes) -> Shapes:
    rest = shapes.copy()
    if len(pieces) == 0 or len(shapes) == 0:
        return rest
    at, piece = shapely.STRtree(pieces).query(shapes, predicate="intersects")
    order = np.argsort(at, kind="stable")
    for some in np.split(order, np.flatnonzero(np.diff(at[order])) + 1):
        if len(some):
            rest[at[some[0]]] = shapely.difference(rest[at[some[0]]], shapely.union_all(pieces[piece[some]]))
    return polygonal(rest)[0]


def _shapes(frame: gpd.GeoDataFrame) -> Shapes:
    return polygonal(np.asarray(frame.geometry.array, dtype=object))[0]
