"""Counts of people or households brought from where they are known to where they are asked, with their totals kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import exactextract
import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray

from gridgis.crs import crs_name, require_metric
from gridgis.errors import DataError
from gridgis.ground import add_up, clip, polygonal

Shapes = NDArray[np.object_]
Ints = NDArray[np.intp]
Floats = NDArray[np.float64]
Weight = Literal["footprint", "households", "equal"]

NOWHERE: Final = -1


@dataclass(frozen=True, slots=True)
class Raster:
    """Counts per pixel on a north-up raster, such as WorldPop's people per pixel (no densities)."""

    counts: Floats
    """Shape (rows, columns), north first; NaN where nothing is known."""
    bounds: tuple[float, float, float, float]
    """West, south, east, north in `crs`."""
    crs: pyproj.CRS


def share_out(total: int, weights: Floats) -> NDArray[np.int64]:
    """A whole number shared out by weights in whole parts, by largest remainder: parts add up to `total` exactly.

    Equal remainders go to the earlier part. Weights that are all zero (or NaN) count as equal.

    >>> share_out(10, np.array([1.0, 1.0, 1.0])).tolist(), share_out(3, np.array([5.0, 0.0, 1.0])).tolist()
    ([4, 3, 3], [3, 0, 0])
    """
    if len(weights) == 0:
        return np.zeros(0, dtype=np.int64)
    quota = total * _shares(np.asarray(weights, dtype=np.float64))
    parts: NDArray[np.int64] = np.floor(quota).astype(np.int64)
    rest = int(total - parts.sum())
    order = np.argsort(-(quota - parts), kind="stable")
    parts[order[:rest]] += 1
    return parts


def building_points(buildings: gpd.GeoDataFrame | gpd.GeoSeries) -> Floats:
    """One point inside every building, shape (n, 2): what decides in which grid it lies. NaN for null or empty ones.

    >>> from gridgis import toy
    >>> building_points(toy.buildings())[0].tolist()
    [500025.0, 3366025.0]
    """
    points = np.asarray(buildings.geometry.array, dtype=object)
    if (shapely.get_type_id(points) != 0).any():
        points = shapely.point_on_surface(points)
    return np.column_stack([shapely.get_x(points), shapely.get_y(points)])


def locate(points: Floats, shapes: Shapes) -> Ints:
    """Position of the shape every point lies in, −1 for none; on a common border the earlier shape has it.

    >>> locate(np.array([[0.5, 0.5], [1.0, 0.5], [9.0, 9.0]]), shapely.box([0, 1], 0, [1, 2], 1)).tolist()
    [0, 0, -1]
    """
    found = np.full(len(points), len(shapes), dtype=np.intp)
    if len(points) and len(shapes):
        point, shape = _touching(points, shapes)
        np.minimum.at(found, point, shape)
    found[found == len(shapes)] = NOWHERE
    return found


def memberships(points: Floats, shapes: Shapes) -> tuple[Ints, Ints]:
    """All pairs of point and shape it lies in (positions): shapes may be nested or overlap, and each has the point.

    A point on a border belongs to the earlier of the shapes that meet there, so that side by side none has it twice.

    >>> point, shape = memberships(np.array([[0.5, 0.5], [1.0, 0.5]]), shapely.box([0, 0, 1], 0, [2, 1, 2], 1))
    >>> list(zip(point.tolist(), shape.tolist()))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    if len(points) == 0 or len(shapes) == 0:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    point, shape = _touching(points, shapes)
    x, y = points[point].T
    inside = np.asarray(shapely.contains_xy(shapes[shape], x, y), dtype=bool)
    order = np.lexsort((shape, point))
    point, shape, keep = point[order], shape[order], inside[order]
    edge = np.flatnonzero(~keep)
    first = np.r_[True, point[edge][1:] != point[edge][:-1]][: len(edge)]
    keep[edge[first]] = True
    return point[keep], shape[keep]


def count_points(
    points: gpd.GeoDataFrame | gpd.GeoSeries, polygons: gpd.GeoDataFrame, *, values: pd.Series[float] | None = None
) -> pd.Series[float]:
    """How many points lie in every polygon, or the sum of their values; a point is counted at most once.

    Parameters
    ----------
    points
        Points, or buildings, which count by a point inside them. A point on a common border, or where polygons overlap,
        goes to the polygon that comes first.
    polygons
        Where to count.
    values
        What to add up, on the index of `points`; missing values are skipped. None counts points.

    Returns
    -------
    Series
        `count`, on the index of `polygons`; 0 where there is none.

    Raises
    ------
    CrsError
        If the CRS is missing, mixed, or cannot measure.

    Examples
    --------
    >>> from gridgis import toy
    >>> count_points(toy.buildings(), toy.grids()).to_dict()
    {'G1': 4.0, 'G2': 2.0, 'G3': 6.0}
    >>> count_points(toy.buildings(), toy.grids(), values=toy.buildings()["population"]).sum()
    np.float64(36.0)
    """
    require_metric(points, polygons)
    geometry = np.asarray(points.geometry.array, dtype=object)
    only_points = bool((shapely.get_type_id(geometry) == 0).all())
    shapes = polygonal(np.asarray(polygons.geometry.array, dtype=object))[0]
    point, shape = _touching(building_points(points), shapes, geometry if only_points else None)
    # a point that several polygons meet goes to the first
    first = np.full(len(points), len(shapes), dtype=np.intp)
    np.minimum.at(first, point, shape)
    hit = first < len(shapes)
    weights = np.ones(len(points)) if values is None else values.reindex(points.index).fillna(0).to_numpy(dtype=float)
    return pd.Series(add_up(first[hit], weights[hit], len(polygons)), index=polygons.index, name="count")


def by_buildings(
    areas: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, column: str, *, weight: Weight = "footprint"
) -> pd.Series[float]:
    """The counts of areas given to the buildings that stand in them, in whole numbers where the area's count is whole.

    An area's count is shared among its buildings in proportion to their footprint, their households, or evenly, by
    largest remainder: what the buildings of an area get adds up to the area's count. The count of an area without
    buildings goes to none.

    Parameters
    ----------
    areas
        Polygons with the column to share out; null counts give null.
    buildings
        Polygons or points. Where the weight is missing or zero for all buildings of an area, they share evenly.
    column
        Name of the count in `areas`.
    weight
        `footprint` (m² of the plane), `households` (a column of `buildings`), or `equal`.

    Returns
    -------
    Series
        Named like the column, on the index of `buildings`; NaN outside every area and where the area's count is null.

    Examples
    --------
    >>> from gridgis import toy
    >>> areas = toy.areas().iloc[1:].assign(population=[20, 6])
    >>> by_buildings(areas, toy.buildings(), "population").tolist()
    [4.0, 4.0, 3.0, 3.0, 3.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    require_metric(areas, buildings)
    at = locate(building_points(buildings), polygonal(np.asarray(areas.geometry.array, dtype=object))[0])
    weights = _weights(buildings, weight)
    given = np.full(len(buildings), np.nan)
    counts = areas[column].to_numpy(dtype=float, na_value=np.nan)
    order = np.argsort(at, kind="stable")
    for some in np.split(order, np.flatnonzero(np.diff(at[order])) + 1):
        if len(some) == 0 or at[some[0]] == NOWHERE or np.isnan(counts[at[some[0]]]):
            continue
        count = counts[at[some[0]]]
        whole = count == int(count)
        given[some] = share_out(int(count), weights[some]) if whole else count * _shares(weights[some])
    return pd.Series(given, index=buildings.index, name=column)


def by_area(source: gpd.GeoDataFrame, target: gpd.GeoDataFrame, column: str) -> pd.Series[float]:
    """Counts of polygons brought to other polygons by the share of ground they have in common (even density).

    Target = Σ count · area(source ∩ target) / area(source). Where targets cover a source without overlap, its count is
    kept whole; targets that overlap each get their share.

    Parameters
    ----------
    source
        Polygons with the column; null counts give nothing.
    target
        Where the counts are asked.
    column
        Name of the count.

    Returns
    -------
    Series
        Named like the column, on the index of `target`; 0 where nothing meets it.

    Examples
    --------
    >>> from gridgis import toy
    >>> by_area(toy.areas().iloc[:1].assign(population=[1200]), toy.grids(), "population").to_dict()
    {'G1': 450.0, 'G2': 300.0, 'G3': 450.0}
    """
    require_metric(source, target)
    ours = polygonal(np.asarray(source.geometry.array, dtype=object))[0]
    at, of, part, whole = clip(ours, polygonal(np.asarray(target.geometry.array, dtype=object))[0])
    counts = source[column].fillna(0).to_numpy(dtype=float)
    share = np.where(whole, 1.0, shapely.area(part) / shapely.area(ours)[of])
    return pd.Series(add_up(at, counts[of] * share, len(target)), index=target.index, name=column)


def zonal_sum(raster: Raster, polygons: gpd.GeoSeries | gpd.GeoDataFrame) -> pd.Series[float]:
    """Sum of a raster's counts in every polygon, a pixel on the edge counting by the share of it inside (exactextract).

    Parameters
    ----------
    raster
        Counts per pixel; unknown pixels count nothing.
    polygons
        In any CRS; brought to the raster's, where the share of a pixel is measured.

    Returns
    -------
    Series
        `sum`, on the index of `polygons`; 0 outside the raster.

    Raises
    ------
    DataError
        If the polygons lie outside the raster altogether.

    Examples
    --------
    >>> from gridgis import toy
    >>> x, y = toy.ORIGIN
    >>> pixels = Raster(np.full((3, 4), 10.0), (x, y, x + 400, y + 300), pyproj.CRS(toy.CRS))
    >>> zonal_sum(pixels, toy.grids()).to_dict()
    {'G1': 45.0, 'G2': 30.0, 'G3': 45.0}
    """
    shapes = gpd.GeoDataFrame(geometry=polygons.geometry.array, crs=polygons.crs).to_crs(raster.crs)
    if len(shapes) == 0:
        return pd.Series(dtype=float, index=polygons.index, name="sum")
    west, south, east, north = raster.bounds
    left, bottom, right, top = shapes.total_bounds
    if not (left <= east and right >= west and bottom <= north and top >= south):
        raise DataError("apportion.raster_elsewhere", crs=crs_name(raster.crs))
    ground = ~(shapes.geometry.is_empty | shapes.geometry.isna()).to_numpy()
    source = NumPyRasterSource(np.ma.masked_invalid(raster.counts), west, south, east, north, srs_wkt=raster.crs.to_wkt())
    sums = np.zeros(len(shapes))
    if ground.any():
        table = exactextract.exact_extract(source, shapes[ground], ["sum"], output="pandas", strategy="feature-sequential")
        sums[ground] = table["sum"].fillna(0).to_numpy(dtype=float)
    return pd.Series(sums, index=polygons.index, name="sum")


def _touching(points: Floats, shapes: Shapes, geometry: Shapes | None = None) -> tuple[Ints, Ints]:
    """Pairs of point and shape that meet, shape by shape: a prepared shape answers its points eight times as fast in a row.

    `geometry` holds the points as shapes, where they are at hand.
    """
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    shapely.prepare(shapes)
    asked = shapely.points(points[known]) if geometry is None else geometry[known]
    at, shape = shapely.STRtree(shapes).query(asked)
    order = np.argsort(shape, kind="stable")
    point, shape = known[at[order]], shape[order]
    x, y = points[point].T
    meets = shapely.intersects_xy(shapes[shape], x, y)
    return point[meets], shape[meets]


def _weights(buildings: gpd.GeoDataFrame, weight: Weight) -> Floats:
    if weight == "footprint":
        return np.asarray(shapely.area(np.asarray(buildings.geometry.array, dtype=object)), dtype=np.float64)
    if weight == "households" and "households" in buildings:
        return buildings["households"].to_numpy(dtype=float, na_value=0.0)
    return np.ones(len(buildings))


def _shares(weights: Floats) -> Floats:
    weights = np.nan_to_num(weights)
    total = float(weights.sum())
    return weights / total if total > 0 else np.full(len(weights), 1 / len(weights))
