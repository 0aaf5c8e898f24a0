"""Areas on the ellipsoid: GeographicLib's own package and the shape of the Earth are the judges."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from geographiclib.geodesic import Geodesic
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from gridgis import toy
from gridgis.crs import parse_crs
from gridgis.errors import CrsError
from gridgis.measure import area_factor, cell_area, ellipsoidal_area
from tests.support import shared

GRS80 = Geodesic(6378137, 1 / 298.257222101)


def by_geographiclib(shape: shapely.Polygon | shapely.MultiPolygon, to_degrees: Transformer, earth: Geodesic) -> float:
    total = 0.0
    for part in shapely.get_parts(shape):
        for sign, ring in [(1, part.exterior), *[(-1, hole) for hole in part.interiors]]:
            polygon = earth.Polygon()
            for x, y in ring.coords[:-1]:
                lon, lat = to_degrees.transform(x, y)
                polygon.AddPoint(lat, lon)
            total += sign * abs(polygon.Compute()[2])
    return total


@pytest.mark.parametrize(("crs", "x", "y"), [(4547, 500_000, 3_366_000), (4549, 300_000, 6e6), (2380, 5e5, 4.4e6)])
def test_rings_holes_and_parts_measure_as_in_geographiclib(crs: int, x: float, y: float) -> None:
    ring = shapely.Point(x, y).buffer(900, quad_segs=5)
    holed = ring.difference(shapely.box(x - 100, y - 50, x + 30, y + 60))
    both = shapely.union_all([holed, shapely.box(x + 2000, y, x + 2001, y + 40)])
    frame = gpd.GeoSeries([ring, holed, both], crs=crs)
    to_degrees = Transformer.from_crs(crs, frame.crs.geodetic_crs, always_xy=True)
    ellipsoid = frame.crs.ellipsoid
    assert ellipsoid is not None
    earth = Geodesic(ellipsoid.semi_major_metre, 1 / ellipsoid.inverse_flattening)
    expected = [by_geographiclib(shape, to_degrees, earth) for shape in frame]
    assert ellipsoidal_area(frame).to_numpy() == pytest.approx(expected, rel=1e-9)


def test_the_projection_has_no_influence() -> None:
    areas = toy.areas()
    for crs in ("EPSG:4490", "EPSG:3857", "EPSG:4548", "+proj=laea +lat_0=30 +lon_0=110 +ellps=GRS80"):
        assert ellipsoidal_area(areas.to_crs(crs)).to_numpy() == pytest.approx(ellipsoidal_area(areas).to_numpy(), rel=1e-7)


def test_degrees_of_a_box_give_the_closed_formula_of_a_zone() -> None:
    # between two parallels and two meridians; edges along a parallel need many vertices, geodesics being shorter
    lon = np.linspace(116, 117, 2001)
    box = shapely.Polygon([*zip(lon, np.full(2001, 40.0), strict=True), *zip(lon[::-1], np.full(2001, 41.0), strict=True)])
    a, f = GRS80.a, GRS80.f
    e = np.sqrt(f * (2 - f))

    def q(lat: float) -> float:
        s = np.sin(np.radians(lat))
        return float(a**2 * (1 - e**2) / 2 * (s / (1 - (e * s) ** 2) + np.arctanh(e * s) / e))

    expected = np.radians(1) * (q(41) - q(40))
    assert ellipsoidal_area(gpd.GeoSeries([box], crs=4490)).iloc[0] == pytest.approx(expected, rel=1e-8)


def test_empty_null_and_thin_shapes() -> None:
    shapes = gpd.GeoSeries(
        [None, shapely.Polygon(), shapely.Point(1, 1), shapely.LineString([(0, 0), (9, 9)]),
         shapely.GeometryCollection([shapely.MultiPolygon([shapely.box(5e5, 4e6, 5e5 + 1, 4e6 + 1)]), shapely.Point(0, 0)])],
        index=list("abcde"), crs=4547,
    )  # fmt: skip
    for measured in (ellipsoidal_area(shapes), cell_area(shapes)):
        assert measured.name == "area_m2"
        assert measured.index.tolist() == list("abcde")
        assert measured.isna().tolist() == [True, False, False, False, False]
        assert measured.iloc[1:].to_numpy() == pytest.approx([0, 0, 0, 1.0], abs=1e-6)


def test_without_a_crs_there_is_no_area() -> None:
    with pytest.raises(CrsError):
        ellipsoidal_area(gpd.GeoSeries([shapely.box(0, 0, 1, 1)]))
    with pytest.raises(CrsError):
        cell_area(gpd.GeoSeries([shapely.box(0, 0, 1, 1)]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([4547, 32650, 32750]), st.integers(1, 2500), st.floats(1e3, 6e5))
def test_the_fast_area_of_cells_is_the_geodesic_one(seed: int, crs: int, count: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    x = np.round(250_000 + rng.random(count) * spread, -2)
    y = np.round(4_000_000 + rng.random(count) * spread, -2)
    cells = gpd.GeoSeries(shapely.box(x, y, x + 100, y + 100), crs=crs)
    assert cell_area(cells).to_numpy() == pytest.approx(ellipsoidal_area(cells).to_numpy(), rel=1e-8)


def test_a_region_as_wide_as_a_country_still_measures_right() -> None:
    crs = parse_crs("+proj=laea +lat_0=35 +lon_0=105 +ellps=GRS80 +units=m")
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-2.5e6, 2.5e6, 3000), rng.uniform(-1.8e6, 1.8e6, 3000)
    assert area_factor(crs, x, y) == pytest.approx(np.ones(3000), abs=1e-7)
    cells = gpd.GeoSeries(shapely.box(x, y, x + 100, y + 100), crs=crs)
    assert cell_area(cells).to_numpy() == pytest.approx(ellipsoidal_area(cells).to_numpy(), rel=3e-8)


def test_large_shapes_are_measured_exactly_by_the_fast_form_too() -> None:
    wide = gpd.GeoSeries([shapely.box(4e5, 4e6, 6e5, 4.1e6), shapely.box(4e5, 4e6, 4e5 + 50, 4e6 + 50)], crs=4548)
    assert cell_area(wide).to_numpy() == pytest.approx(ellipsoidal_area(wide).to_numpy(), rel=1e-8)


@pytest.mark.shared
def test_beijing_measures_as_in_geographiclib() -> None:
    areas = gpd.read_file(shared("beijing_subdistricts/haidian-all.geojson"))
    earth = Geodesic.WGS84
    same = Transformer.from_crs(4326, 4326, always_xy=True)
    expected = [by_geographiclib(shape, same, earth) for shape in areas.geometry]
    assert ellipsoidal_area(areas).to_numpy() == pytest.approx(expected, rel=1e-9)
