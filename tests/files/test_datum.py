"""GCJ-02 and BD-09 against two independent implementations, and the inverse against the way out."""

from __future__ import annotations

import warnings

import geocoordinates_ffi as oracle
import geopandas as gpd
import numpy as np
import prcoords
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gridgis import datum, toy
from gridgis.errors import DataError

MILLIMETRE = 1e-3
GEOD = pyproj.Geod(ellps="WGS84")

# well inside the mainland: Ürümqi, Harbin, Kunming, Sanya, Lhasa, Beijing, Ezhou, Shenzhen
CITIES = np.array(
    [(87.6, 43.8), (126.6, 45.8), (102.7, 25.0), (109.5, 18.25), (91.1, 29.65), (116.4, 39.9), (114.68, 30.43), (114.06, 22.54)]
)
inland = st.tuples(st.floats(100.0, 117.0), st.floats(26.0, 39.0))


def metres(lon_a, lat_a, lon_b, lat_b):
    return np.abs(GEOD.inv(lon_a, lat_a, lon_b, lat_b)[2])


@pytest.mark.parametrize(("kind", "forward"), [("gcj02", prcoords.wgs_gcj), ("bd09", prcoords.wgs_bd)])
def test_the_way_out_is_what_prcoords_says(kind, forward):
    theirs = np.array([forward((lat, lon)) for lon, lat in CITIES])
    lon, lat = datum.from_wgs84(CITIES[:, 0], CITIES[:, 1], datum=kind)
    assert metres(lon, lat, theirs[:, 1], theirs[:, 0]).max() < MILLIMETRE


@pytest.mark.parametrize("kind", ["gcj02", "bd09"])
def test_both_ways_are_what_geocoordinates_says(kind):
    out = {"gcj02": oracle.wgs84_to_gcj02, "bd09": oracle.wgs84_to_bd09}[kind]
    theirs = [out(oracle.Wgs84(lat=lat, lon=lon)) for lon, lat in CITIES]
    lon, lat = datum.from_wgs84(CITIES[:, 0], CITIES[:, 1], datum=kind)
    assert metres(lon, lat, [p.lon for p in theirs], [p.lat for p in theirs]).max() < MILLIMETRE
    back = {"gcj02": oracle.gcj02_to_wgs84_refined, "bd09": oracle.bd09_to_wgs84_refined}[kind]
    refined = [back(point) for point in theirs]
    lon, lat = datum.to_wgs84([p.lon for p in theirs], [p.lat for p in theirs], datum=kind)
    assert metres(lon, lat, [p.lon for p in refined], [p.lat for p in refined]).max() < 0.01  # theirs stops at 1 cm


@pytest.mark.parametrize("kind", ["gcj02", "bd09"])
@given(point=inland)
def test_the_way_back_undoes_the_way_out_to_a_millimetre(kind, point):
    lon, lat = datum.from_wgs84([point[0]], [point[1]], datum=kind)
    back = datum.to_wgs84(lon, lat, datum=kind)
    assert metres([point[0]], [point[1]], *back).max() < MILLIMETRE
    assert 50 < metres([point[0]], [point[1]], lon, lat).max() < 3000


@pytest.mark.parametrize("kind", ["gcj02", "bd09"])
@pytest.mark.parametrize(
    "place", [(139.69, 35.68), (114.17, 22.32), (113.55, 22.19), (121.56, 25.04), (105.85, 21.03), (-0.12, 51.5), (126.98, 37.57)]
)
def test_nothing_moves_outside_the_mainland(kind, place):
    # Tokyo, Hong Kong, Macao, Taipei, Hanoi, London, Seoul
    for move in (datum.from_wgs84, datum.to_wgs84):
        lon, lat = move([place[0]], [place[1]], datum=kind)
        assert (lon[0], lat[0]) == place


def test_wgs84_and_cgcs2000_pass_unchanged():
    for kind in ("wgs84", "cgcs2000"):
        lon, lat = datum.to_wgs84(CITIES[:, 0], CITIES[:, 1], datum=kind)
        np.testing.assert_array_equal(np.column_stack([lon, lat]), CITIES)


def test_polygons_come_back_to_a_millimetre_in_a_projected_system_and_null_stays_null():
    shapes = gpd.GeoSeries([*toy.areas().geometry, None], crs=toy.CRS)
    for kind in ("gcj02", "bd09"):
        back = datum.unshift(datum.shift(shapes, datum=kind), datum=kind)
        assert back.crs == shapes.crs
        assert back.iloc[-1] is None
        assert shapely.hausdorff_distance(back.iloc[:-1].to_numpy(), shapes.iloc[:-1].to_numpy()).max() < MILLIMETRE


def test_an_unknown_datum_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match="wgs84, cgcs2000, gcj02, bd09"):
        datum.to_wgs84([114.0], [30.0], datum="beijing54")


def test_the_shift_of_the_toy_town_is_what_prcoords_gives():
    station = toy.stations().to_crs(4326).geometry.iloc[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = prcoords.wgs_gcj((station.y, station.x))
    ours = datum.shift(toy.stations().geometry.to_crs(4326), datum="gcj02").iloc[0]
    assert metres([ours.x], [ours.y], [theirs.lon], [theirs.lat])[0] < MILLIMETRE
