"""Areas on the ellipsoid: exact for any polygon, and a fast form for the many small cells of a grid."""

from __future__ import annotations

from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from gridgis.crs import crs_name
from gridgis.errors import CrsError

Floats = NDArray[np.float64]

# shapes up to this many metres across are "small": the factor at the centroid then stands for all of it to 1e-9
_SMALL_M: Final = 1000.0
# side of the square by which a projection's area factor is measured: smaller ones drown in the rounding of degrees
_PROBE_M: Final = 1000.0
_DEGREES: Final = (6, 12, 24, 48)
_FACTOR_ERROR: Final = 2e-10


def ellipsoidal_area(shapes: gpd.GeoDataFrame | gpd.GeoSeries) -> pd.Series[float]:
    """Area of every shape on the ellipsoid of its own CRS, in square metres.

    The vertices are brought to longitude and latitude of the same datum and joined by geodesics (Karney 2013, through
    `pyproj.Geod`): the definition of PostGIS's `ST_Area(geography)`. Holes are taken off, parts are added up. Where a
    straight edge of the plane is hundreds of kilometres long, the geodesic between its ends runs beside it.

    Parameters
    ----------
    shapes
        Any geometry in any CRS, Mercator and degrees included: the projection has no influence on the result.

    Returns
    -------
    Series
        `area_m2` on the index of `shapes`; 0 for empty shapes, points and lines, NaN for null.

    Raises
    ------
    CrsError
        If there is no CRS.

    Examples
    --------
    >>> from gridgis import toy
    >>> ellipsoidal_area(toy.grids()).round(3).tolist()
    [45000.0, 30000.0, 45000.0]
    """
    geometry = np.asarray(shapes.geometry.array, dtype=object)
    areas = _geodesic_areas(geometry, _crs_of(shapes))
    areas[shapely.is_missing(geometry)] = np.nan
    return pd.Series(areas, index=shapes.index, name="area_m2")


def cell_area(shapes: gpd.GeoDataFrame | gpd.GeoSeries) -> pd.Series[float]:
    """The same as `ellipsoidal_area` for many small shapes in a projected CRS, several times as fast.

    Area of the plane times `area_factor` at the centroid; for cells of 100 m equal to the geodesic area to 1e-8 (less than
    the rounding of coordinates in degrees moves that one). Shapes over 1 km across are measured by `ellipsoidal_area` itself.

    Parameters
    ----------
    shapes
        Polygons in a projected CRS; in one of degrees each is measured by `ellipsoidal_area`.

    Returns
    -------
    Series
        `area_m2` on the index of `shapes`; 0 for empty shapes, points and lines, NaN for null.

    Examples
    --------
    >>> from gridgis import toy
    >>> cell_area(toy.buildings()).round(6).unique().tolist()
    [100.0]
    """
    crs = _crs_of(shapes)
    if not crs.is_projected:
        return ellipsoidal_area(shapes)
    geometry = np.asarray(shapes.geometry.array, dtype=object)
    areas = shapely.area(geometry)
    box = shapely.bounds(geometry)
    metre = float(crs.axis_info[0].unit_conversion_factor)
    with np.errstate(invalid="ignore"):
        wide = np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]) * metre > _SMALL_M
    small = (areas > 0) & ~wide
    centroids = shapely.centroid(geometry[small])
    areas[small] *= area_factor(crs, shapely.get_x(centroids), shapely.get_y(centroids))
    areas[wide] = _geodesic_areas(geometry[wide], crs)
    return pd.Series(areas, index=shapes.index, name="area_m2")


def area_factor(crs: pyproj.CRS, x: Floats, y: Floats) -> Floats:
    """Square metres of the ellipsoid per unit square of the plane, at points of a projected CRS.

    Measured on 1 km squares at a few dozen to a few thousand points (geodesic area over plane area) and carried to all
    points by a Chebyshev polynomial whose degree grows until it agrees with further squares to 2e-10; where none does (a
    projection that tears inside the box of the points), every point is measured by its own square.

    Parameters
    ----------
    crs
        A projected CRS.
    x, y
        Coordinates in it, shape (n,).

    Returns
    -------
    array
        Shape (n,); 1 everywhere in an equal-area CRS in metres.

    Examples
    --------
    >>> from gridgis.crs import parse_crs
    >>> area_factor(parse_crs(32650), np.array([500000.0, 700000.0]), np.array([4.4e6, 4.4e6])).round(5).tolist()
    [1.0008, 0.99982]
    """
    if len(x) == 0:
        return np.ones(0)
    side = _PROBE_M / float(crs.axis_info[0].unit_conversion_factor)
    low = np.array([x.min(), y.min()]) - side
    span = np.array([x.max(), y.max()]) + side - low
    u, v = 2 * (x - low[0]) / span[0] - 1, 2 * (y - low[1]) / span[1] - 1
    for degree in _DEGREES:
        if (degree + 1) ** 2 > max(4 * len(x), 49):
            break
        nodes = chebyshev.chebpts1(degree + 1)
        grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
        values = _probe(crs, low + (grid + 1) / 2 * span, side)
        if not np.isfinite(values).all():
            break
        basis = chebyshev.chebvander(nodes, degree)
        inverse = np.linalg.inv(basis)
        coefficients = inverse @ values.reshape(degree + 1, degree + 1) @ inverse.T
        tests = np.linspace(-0.97, 0.93, 5)
        spots = np.stack(np.meshgrid(tests, tests, indexing="ij"), axis=-1).reshape(-1, 2)
        seen = _probe(crs, low + (spots + 1) / 2 * span, side)
        error = chebyshev.chebval2d(spots[:, 0], spots[:, 1], coefficients) - seen
        if np.nanmax(np.abs(error / seen)) < _FACTOR_ERROR:
            return np.asarray(chebyshev.chebval2d(u, v, coefficients), dtype=np.float64)
    return _probe(crs, np.column_stack([x, y]), side)


def _probe(crs: pyproj.CRS, centres: Floats, side: float) -> Floats:
    half = side / 2
    low, high = centres - half, centres + half
    squares = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    return np.asarray(_geodesic_areas(squares, crs) / shapely.area(squares), dtype=np.float64)


def _crs_of(shapes: gpd.GeoDataFrame | gpd.GeoSeries) -> pyproj.CRS:
    if shapes.crs is None:
        raise CrsError("crs.missing", layer=getattr(shapes, "name", None) or "input")
    return pyproj.CRS.from_user_input(shapes.crs)


def _geodesic_areas(geometry: NDArray[np.object_], crs: pyproj.CRS) -> Floats:
    geod, geodetic = crs.get_geod(), crs.geodetic_crs
    if geod is None or geodetic is None:
        raise CrsError("crs.unknown", text=crs_name(crs))
    owner = np.arange(len(geometry))
    parts = geometry
    while (shapely.get_type_id(parts) > 3).any():  # a collection may hold multipolygons
        parts, index = shapely.get_parts(parts, return_index=True)
        owner = owner[index]
    rings, part = shapely.get_rings(parts, return_index=True)
    areas = np.zeros(len(geometry))
    if len(rings) == 0:
        return areas
    # a polygon's outer ring comes first: it counts, the holes after it are taken off
    sign = np.where(np.r_[True, part[1:] != part[:-1]], 1.0, -1.0)
    xy = shapely.get_coordinates(rings)
    lon, lat = pyproj.Transformer.from_crs(crs, geodetic, always_xy=True).transform(xy[:, 0], xy[:, 1])
    degree = float(np.degrees(geodetic.axis_info[0].unit_conversion_factor))
    if abs(degree - 1) > 1e-12:  # a few old systems count in grads
        lon, lat = lon * degree, lat * degree
    ends = np.cumsum(shapely.get_num_coordinates(rings))
    starts = ends - shapely.get_num_coordinates(rings)
    measured = np.array(
        [abs(geod.polygon_area_perimeter(lon[a:b], lat[a:b])[0]) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    )
    np.add.at(areas, owner[part], sign * measured)
    return areas
