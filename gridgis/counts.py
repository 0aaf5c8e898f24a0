"""What is known of a number of people or households, and where: the best source at hand, ready to be asked for any zone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from gridgis.apportion import NOWHERE, Floats, Raster, Shapes, building_points, by_buildings, locate, memberships, zonal_sum
from gridgis.crs import require_metric
from gridgis.ground import Ground, add_up, areas_m2, clip, polygonal

Source = Literal["buildings", "grids", "areas_by_buildings", "areas_by_area", "raster"]

# buildings without a count are sheds and schools; with fewer than this share counted the layer is no census
_COUNTED_BUILDINGS: Final = 0.5
# grids that leave more of the total than this without a count cannot give its denominator
_COUNTED_GROUND: Final = 0.95


@dataclass(frozen=True, slots=True)
class Counts:
    """A count spread over points, polygons or pixels; its sum over a zone is the sum of what lies inside.

    A point counts where it lies; a polygon's count is spread evenly over its ground; a pixel counts by the share of it
    inside. Nothing is in two sources at once, so nothing is counted twice.
    """

    source: Source
    """Where the count comes from; `coverage.source_<source>` says it in words."""
    crs: pyproj.CRS
    """CRS of points and shapes."""
    points: Floats
    """Shape (n, 2); empty for none."""
    point_values: Floats
    """Shape (n,)."""
    shapes: Shapes
    """Valid polygons, shape (m,)."""
    shape_values: Floats
    """Shape (m,)."""
    raster: Raster | None = None

    def within(self, zones: Shapes, ground: Ground) -> tuple[Floats, Floats]:
        """The count covered by the ground, and all of it, in every zone.

        Parameters
        ----------
        zones
            Valid polygons in `crs`, shape (z,). A point on a common border belongs to the earlier zone.
        ground
            The covered ground, in `crs`.

        Returns
        -------
        tuple of arrays
            Covered and total, shape (z,) each.
        """
        covered, total = np.zeros(len(zones)), np.zeros(len(zones))
        pieces = np.asarray(ground.pieces.array, dtype=object)
        if len(self.points):
            point, zone = memberships(self.points, zones)
            running = (locate(self.points, pieces) != NOWHERE)[point]
            total += add_up(zone, self.point_values[point], len(zones))
            covered += add_up(zone[running], self.point_values[point[running]], len(zones))
        if len(self.shapes):
            zone, shape, part, _ = clip(self.shapes, zones)
            size = shapely.area(self.shapes)[shape]
            density = self.shape_values[shape] / size
            total += add_up(zone, density * shapely.area(part), len(zones))
            of, _, common, _ = clip(pieces, part)
            open_m2 = _snap(add_up(of, shapely.area(common), len(part)), shapely.area(part))
            covered += add_up(zone, density * open_m2, len(zones))
        if self.raster is not None:
            total += zonal_sum(self.raster, gpd.GeoSeries(zones, crs=self.crs)).to_numpy()
            zone, _, part, _ = clip(pieces, zones)
            if len(part):
                sums = zonal_sum(self.raster, gpd.GeoSeries(part, crs=self.crs)).to_numpy()
                covered += add_up(zone, sums, len(zones))
        return _whole(covered), _whole(total)


def from_buildings(buildings: gpd.GeoDataFrame, column: str) -> Counts:
    """Counts known building by building; buildings without one count nothing.

    >>> from gridgis import toy
    >>> float(from_buildings(toy.buildings(), "population").point_values.sum())
    36.0
    """
    values = buildings[column].fillna(0).to_numpy(dtype=float)
    return _counts("buildings", require_metric(buildings), points=building_points(buildings), values=values)


def from_grids(grids: gpd.GeoDataFrame, column: str) -> Counts:
    """Counts known grid by grid, each spread evenly over its grid.

    >>> from gridgis import toy
    >>> from_grids(toy.grids().assign(population=[10, 20, 30]), "population").shape_values.tolist()
    [10.0, 20.0, 30.0]
    """
    return _from_shapes("grids", grids, column)


def from_areas(areas: gpd.GeoDataFrame, column: str, *, buildings: gpd.GeoDataFrame | None = None) -> Counts:
    """Counts known village by village, shared among the buildings of each (by footprint), else spread over its ground.

    An area without buildings keeps its count, spread over its ground: the total is conserved.

    >>> from gridgis import toy
    >>> counts = from_areas(toy.areas().iloc[1:].assign(population=[20, 6]), "population", buildings=toy.buildings())
    >>> counts.source, float(counts.point_values.sum())
    ('areas_by_buildings', 26.0)
    """
    if buildings is None or len(buildings) == 0:
        return _from_shapes("areas_by_area", areas, column)
    given = by_buildings(areas, buildings, column)
    known = given.notna().to_numpy()
    points = building_points(buildings)
    shapes = polygonal(np.asarray(areas.geometry.array, dtype=object))[0]
    built = np.isin(np.arange(len(areas)), locate(points[known], shapes))
    rest = _from_shapes("areas_by_buildings", areas[~built], column)
    shared = np.asarray(given[known], dtype=np.float64)
    return Counts("areas_by_buildings", rest.crs, points[known], shared, rest.shapes, rest.shape_values)


def from_raster(raster: Raster, crs: pyproj.CRS) -> Counts:
    """Counts of a raster, asked for zones in `crs`.

    >>> from gridgis import toy
    >>> from gridgis.ground import ground
    >>> x, y = toy.ORIGIN
    >>> pixels = Raster(np.full((3, 4), 10.0), (x, y, x + 400, y + 300), pyproj.CRS(toy.CRS))
    >>> town = np.array([toy.areas().geometry.iloc[0]])
    >>> [float(count[0]) for count in from_raster(pixels, pixels.crs).within(town, ground(toy.grids().iloc[:2]))]
    [75.0, 120.0]
    """
    none = _counts("raster", crs)
    return Counts("raster", crs, none.points, none.point_values, none.shapes, none.shape_values, raster)


def best_counts(
    column: str,
    total: gpd.GeoDataFrame,
    *,
    buildings: gpd.GeoDataFrame | None = None,
    grids: gpd.GeoDataFrame | None = None,
    areas: Sequence[gpd.GeoDataFrame] = (),
    raster: Raster | None = None,
) -> Counts | None:
    """The best source there is for a count, or None where no layer knows it.

    1. a raster that is given (somebody chose it);
    2. buildings, if half of them or more carry the count;
    3. grids, if all of them carry it and they cover 95 % of the total;
    4. areas, the first layer of which all carry it: by their buildings, else by area.

    Parameters
    ----------
    column
        `population` or `households`.
    total
        The town, for rule 3.
    buildings, grids, areas, raster
        What there is; `areas` from the finest to the coarsest (villages, then towns).

    Examples
    --------
    >>> from gridgis import toy
    >>> best_counts("population", toy.areas(), buildings=toy.buildings()).source
    'buildings'
    >>> best_counts("population", toy.areas()) is None
    True
    """
    crs = require_metric(total)
    if raster is not None and column == "population":
        return from_raster(raster, crs)
    if buildings is not None and _known(buildings, column) >= _COUNTED_BUILDINGS:
        return from_buildings(buildings, column)
    if grids is not None and _known(grids, column) == 1 and _covers(grids, total):
        return from_grids(grids, column)
    for layer in areas:
        if _known(layer, column) == 1:
            return from_areas(layer, column, buildings=buildings)
    return None


def _counts(source: Source, crs: pyproj.CRS, *, points: Floats | None = None, values: Floats | None = None) -> Counts:
    none = np.zeros(0)
    known = np.zeros((0, 2)) if points is None else points
    return Counts(source, crs, known, none if values is None else values, np.empty(0, dtype=object), none)


def _from_shapes(source: Source, frame: gpd.GeoDataFrame, column: str) -> Counts:
    shapes = polygonal(np.asarray(frame.geometry.array, dtype=object))[0]
    values = frame[column].fillna(0).to_numpy(dtype=float)
    solid = shapely.area(shapes) > 0
    empty = _counts(source, require_metric(frame))
    return Counts(source, empty.crs, empty.points, empty.point_values, shapes[solid], values[solid])


def _known(frame: pd.DataFrame, column: str) -> float:
    if column not in frame or len(frame) == 0:
        return 0.0
    return float(frame[column].notna().mean())


def _covers(grids: gpd.GeoDataFrame, total: gpd.GeoDataFrame) -> bool:
    crs = require_metric(grids, total)
    frame = polygonal(np.asarray(total.geometry.array, dtype=object))[0]
    whole = shapely.union_all(frame)
    shapes = polygonal(np.asarray(grids.geometry.array, dtype=object))[0]
    _, _, part, _ = clip(shapes, np.array([whole], dtype=object))
    # overlapping grids count twice here, which a threshold bears
    return float(areas_m2(part, crs).sum()) >= _COUNTED_GROUND * float(areas_m2(np.array([whole]), crs).sum())


def _snap(part: Floats, whole: Floats) -> Floats:
    snapped = np.where(np.abs(part - whole) <= 1e-9 * whole, whole, np.minimum(part, whole))
    return np.asarray(snapped, dtype=np.float64)


def _whole(values: Floats) -> Floats:
    near = np.round(values)
    return np.where(np.abs(values - near) < 1e-6, near, values)
