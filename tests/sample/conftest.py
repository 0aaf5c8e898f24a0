"""The sample, made once for all tests, and ground truth about it that no module of gridgis had a hand in."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pytest
import shapely
from geographiclib.geodesic import Geodesic
from numpy.typing import NDArray

from gridgis.sample import miaoling

# CGCS2000's ellipsoid
_ELLIPSOID = Geodesic(6378137.0, 1 / 298.257222101)


@pytest.fixture(scope="session")
def town() -> Mapping[str, gpd.GeoDataFrame]:
    return miaoling()


@pytest.fixture(scope="session")
def open_grids(town: Mapping[str, gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    """The grids whose station has an opening date up to the end of 2012, by a plain look-up."""
    opened = {code: day for code, day in town["stations"]["opened_on"].items() if day is not None and day == day}
    assert all(day.year == 2012 for day in opened.values())
    grids = town["grids"]
    return grids[[station in opened for station in grids["station"]]]


def geodesic_m2(shapes: gpd.GeoSeries) -> float:
    """Area of polygons without holes on the ellipsoid, ring by ring, by GeographicLib."""
    total = 0.0
    for shape in shapes.to_crs(4490):
        assert len(shape.interiors) == 0
        ring = _ELLIPSOID.Polygon()
        for lon, lat in list(shape.exterior.coords)[:-1]:
            ring.AddPoint(lat, lon)
        total += abs(ring.Compute()[2])
    return total


def inside(points: NDArray[np.float64], shape: shapely.Polygon) -> NDArray[np.bool_]:
    """Which points lie in a polygon, by counting how often a ray to the east crosses its ring."""
    ring = np.array(shape.exterior.coords)
    odd = np.zeros(len(points), dtype=bool)
    for (x1, y1), (x2, y2) in pairwise(ring):
        spans = (y1 > points[:, 1]) != (y2 > points[:, 1])
        if spans.any():
            crossing = x1 + (points[:, 1] - y1) * (x2 - x1) / (y2 - y1 if y2 != y1 else 1.0)
            odd ^= spans & (points[:, 0] < crossing)
    return odd


def middles(buildings: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Mean of each building's four corners."""
    corners = shapely.get_coordinates(buildings.geometry.to_numpy()).reshape(len(buildings), 5, 2)
    mean: NDArray[np.float64] = corners[:, :4].mean(axis=1)
    return mean
