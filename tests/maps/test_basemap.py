"""Base maps: the shift of GCJ-02 tiles as the browser is told it, against the formula itself."""

from __future__ import annotations

import numpy as np
import pytest

from gridgis.datum import from_wgs84
from gridgis.errors import DataError
from gridgis.maps.basemap import BaseMap, from_settings, shift_table
from gridgis.maps.world import uv

ADDRESS = "https://tiles.town.example/{z}/{x}/{y}.png"
WORLD_M = 40_075_016.7


@pytest.mark.parametrize("bounds", [(114.6, 30.35, 114.75, 30.48), (115.4, 39.4, 117.1, 41.0)])
def test_between_nodes_the_shift_is_right_to_half_a_metre(bounds: tuple[float, float, float, float]) -> None:
    west, south, east, north = bounds
    table = np.array(shift_table(BaseMap(ADDRESS, datum="gcj02"), bounds)) * 1e-10
    rng = np.random.default_rng(5)
    worst = 0.0
    n = len(table) - 1
    for lon, lat in zip(rng.uniform(west, east, 300), rng.uniform(south, north, 300), strict=True):
        x, y = (lon - west) / (east - west) * n, (lat - south) / (north - south) * n
        i, j = min(int(y), n - 1), min(int(x), n - 1)
        a, b = y - i, x - j
        told = (1 - a) * ((1 - b) * table[i, j] + b * table[i, j + 1]) + a * ((1 - b) * table[i + 1, j] + b * table[i + 1, j + 1])
        there = from_wgs84([lon], [lat], datum="gcj02")
        wanted = np.subtract(uv(float(there[0][0]), float(there[1][0])), uv(lon, lat))
        worst = max(worst, float(np.abs(told - wanted).max()) * WORLD_M * np.cos(np.radians(lat)))
    assert worst < 0.5


def test_true_tiles_are_not_moved() -> None:
    assert shift_table(BaseMap(ADDRESS), (114.0, 30.0, 115.0, 31.0)) is None


@pytest.mark.parametrize(
    "address", ["javascript:alert({z}{x}{y})", "https://a.example/{z}/{x}.png", "//a.example/{z}/{x}/{y}", ""]
)
def test_what_is_no_tile_address_is_refused(address: str) -> None:
    with pytest.raises(DataError):
        BaseMap(address)


def test_the_default_is_none() -> None:
    assert from_settings({"map.base_url": "  "}) is None
