"""The toy town: a few squares whose every area, count and share can be checked by hand; examples and tests use it.

The town is 400 m × 300 m in EPSG:4547, its south-west corner on the central meridian (500000, 3366000), so that a
square metre of the plane is a square metre of the ellipsoid to 10⁻⁸. The west village is 250 m wide, the east one 150 m.
Three grids: G1 (150 m wide) and G2 (100 m) in the west, G3 in the east. Station S1 runs G1 and G2 and opened on
1 March 2012; station S2 runs G3 and has not opened. Twelve houses of 10 m × 10 m, one household and three people each:
four in G1, two in G2, six in G3.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import geopandas as gpd
import pandas as pd
import shapely

CRS: Final = "EPSG:4547"
ORIGIN: Final = (500000.0, 3366000.0)
TOWN: Final = "420000100"
WEST: Final = "420000100201"
EAST: Final = "420000100202"

# south-west corners of the houses, metres from the origin
_HOUSES: Final = (
    (20, 20), (40, 20), (20, 40), (40, 40),          # G1: 10 m apart
    (170, 150), (190, 150),                          # G2
    (270, 20), (290, 20), (310, 20), (270, 40), (290, 40), (380, 280),  # G3, the last one far from the others
)  # fmt: skip


def areas() -> gpd.GeoDataFrame:
    """The town and its two villages, indexed by code.

    >>> areas()[["name", "level"]].to_dict("split")["data"]
    [['Toy', 'town'], ['West', 'village'], ['East', 'village']]
    """
    rows = {
        "code": [TOWN, WEST, EAST],
        "name": ["Toy", "West", "East"],
        "level": ["town", "village", "village"],
        "parent": [None, TOWN, TOWN],
    }
    shapes = [_box(0, 0, 400, 300), _box(0, 0, 250, 300), _box(250, 0, 400, 300)]
    return gpd.GeoDataFrame(rows, geometry=shapes, crs=CRS).set_index("code")


def grids() -> gpd.GeoDataFrame:
    """The three management grids, indexed by code.

    >>> grids().area.tolist()
    [45000.0, 30000.0, 45000.0]
    """
    rows = {
        "code": ["G1", "G2", "G3"],
        "name": ["Grid 1", "Grid 2", "Grid 3"],
        "area_code": [WEST, WEST, EAST],
        "station": ["S1", "S1", "S2"],
        "officer": ["Li", "Wang", "Zhao"],
        "state": ["valid", "valid", "valid"],
    }
    shapes = [_box(0, 0, 150, 300), _box(150, 0, 250, 300), _box(250, 0, 400, 300)]
    return gpd.GeoDataFrame(rows, geometry=shapes, crs=CRS).set_index("code")


def stations() -> gpd.GeoDataFrame:
    """The two stations, indexed by code; the second has no opening date.

    >>> stations()["opened_on"].isna().tolist()
    [False, True]
    """
    rows = {
        "code": ["S1", "S2"],
        "name": ["West station", "East station"],
        "area_code": [WEST, EAST],
        "opened_on": pd.Series([dt.date(2012, 3, 1), None], dtype=object),
        "batch": ["1", "2"],
    }
    shapes = [_point(125, 150), _point(325, 150)]
    return gpd.GeoDataFrame(rows, geometry=shapes, crs=CRS).set_index("code")


def buildings() -> gpd.GeoDataFrame:
    """The twelve houses, indexed by id; 36 people in 12 households.

    >>> int(buildings()["population"].sum())
    36
    """
    rows = {"id": [f"B{i + 1:02d}" for i in range(len(_HOUSES))], "households": 1, "population": 3}
    shapes = [_box(x, y, x + 10, y + 10) for x, y in _HOUSES]
    return gpd.GeoDataFrame(rows, geometry=shapes, crs=CRS).set_index("id")


def _box(left: float, bottom: float, right: float, top: float) -> shapely.Polygon:
    x, y = ORIGIN
    return shapely.box(x + left, y + bottom, x + right, y + top)


def _point(right: float, up: float) -> shapely.Point:
    return shapely.Point(ORIGIN[0] + right, ORIGIN[1] + up)
