"""Places on the web map: exact against PROJ, fitted to a hand's breadth, tiles where the scheme puts them."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgis.errors import CrsError
from gridgis.maps.world import World, lonlat, tile_box, uv


@pytest.mark.parametrize("crs", ["EPSG:4548", "EPSG:4490", "EPSG:32651", "+proj=laea +lat_0=40 +lon_0=116 +ellps=GRS80 +units=m"])
def test_a_million_points_are_where_proj_puts_them(crs: str) -> None:
    system = pyproj.CRS(crs)
    lon, lat = np.meshgrid(np.linspace(115.4, 117.5, 250), np.linspace(39.4, 41.1, 250))
    x, y = pyproj.Transformer.from_crs("EPSG:4490", system, always_xy=True).transform(lon.ravel(), lat.ravel())
    u, v = World.of(system).forward(x, y)
    east, north = pyproj.Transformer.from_crs(system, "EPSG:3857", always_xy=True).transform(x, y)
    side = 2 * math.pi * 6378137.0
    assert np.abs(u - (east / side + 0.5)).max() * side < 0.05
    assert np.abs(v - (0.5 - north / side)).max() * side < 0.05
    back_x, back_y = World.of(system).backward(u, v)
    unit = 1.0 if system.is_projected else 1e-5
    assert np.abs(back_x - x).max() < 0.05 * unit
    assert np.abs(back_y - y).max() < 0.05 * unit


@given(lon=st.floats(-180, 180), lat=st.floats(-85, 85))
def test_degrees_and_world_are_inverse(lon: float, lat: float) -> None:
    back = lonlat(*uv(lon, lat))
    assert back == pytest.approx((lon, lat), abs=1e-9)


@given(z=st.integers(0, 22), data=st.data())
def test_the_four_children_of_a_tile_fill_it(z: int, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, 2**z - 1)), data.draw(st.integers(0, 2**z - 1))
    children = [tile_box(z + 1, 2 * x + dx, 2 * y + dy) for dx in (0, 1) for dy in (0, 1)]
    low = min(box[0] for box in children), min(box[1] for box in children)
    high = max(box[2] for box in children), max(box[3] for box in children)
    assert (*low, *high) == pytest.approx(tile_box(z, x, y), abs=1e-15)


def test_a_layer_without_a_system_has_no_place() -> None:
    with pytest.raises(CrsError):
        World.of(None)
