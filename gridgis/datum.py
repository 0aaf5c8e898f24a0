"""GCJ-02 and BD-09, the shifted coordinates of Chinese phones and map sites, to WGS 84 and back.

Both shifts are sums of sines published in many independent implementations. The way out (`from_wgs84`) is that formula;
the way back (`to_wgs84`) repeats w ← w + (given − shifted(w)), which closes in on the exact inverse by a factor of a
hundred or more a step: five steps leave 3·10⁻⁹ m. The government of China shifts the mainland only: points elsewhere,
Hong Kong, Macao and Taiwan included, are returned as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from gridgis.crs import WGS84
from gridgis.errors import CrsError, DataError

Datum = Literal["wgs84", "cgcs2000", "gcj02", "bd09"]
DATUMS: Final[tuple[Datum, ...]] = get_args(Datum)

_Floats = NDArray[np.float64]
_Forward = Callable[[_Floats, _Floats], tuple[_Floats, _Floats]]

# Krasovsky 1940: the ellipsoid on which the shift, given in metres, is turned into degrees
_SEMI_MAJOR_M: Final = 6378245.0
_ECCENTRICITY_SQ: Final = 0.00669342162296594323
_STEPS: Final = 5
_BAIDU_DEGREES: Final = (0.0065, 0.006)

# Boxes (west, south, east, north) that together cover the mainland, coarse by up to 100 km at land borders
_MAINLAND: Final = (
    (79.4462, 42.8899, 96.3300, 49.2204),
    (109.6872, 39.3742, 135.0002, 54.1415),
    (73.1246, 29.5297, 124.143255, 42.8899),
    (82.9684, 26.7186, 97.0352, 29.5297),
    (97.0253, 20.414096, 124.367395, 29.5297),
    (107.975793, 17.871542, 111.744104, 20.414096),
)
# … less what lies in them and is elsewhere: Taiwan, Indochina, Russia and Mongolia
_ELSEWHERE: Final = (
    (119.921265, 21.785006, 122.497559, 25.398623),
    (101.8652, 20.0988, 106.6650, 22.2840),
    (106.4525, 20.4878, 108.0510, 21.5422),
    (109.0323, 50.3257, 119.1270, 55.8175),
    (127.4568, 49.5574, 137.0227, 55.8175),
    (131.2662, 42.5692, 137.0227, 44.8922),
)
# Hong Kong and Macao as rings of (lon, lat), to about a kilometre: Shenzhen and Zhuhai begin right at their borders
_HONG_KONG: Final = (
    (113.82, 22.15), (114.52, 22.15), (114.52, 22.45), (114.42, 22.565), (114.235, 22.555), (114.215, 22.557),
    (114.165, 22.562), (114.150, 22.542), (114.115, 22.530), (114.075, 22.513), (114.050, 22.502), (114.020, 22.500),
    (113.950, 22.455), (113.870, 22.420), (113.82, 22.28),
)  # fmt: skip
_MACAO: Final = ((113.528, 22.108), (113.602, 22.108), (113.602, 22.21), (113.555, 22.214), (113.535, 22.208))


def to_wgs84(lon: ArrayLike, lat: ArrayLike, *, datum: Datum) -> tuple[_Floats, _Floats]:
    """Longitudes and latitudes in WGS 84 degrees of points given in `datum`.

    Parameters
    ----------
    lon, lat
        Degrees, of one shape; NaN stays NaN.
    datum
        What the input is in. `wgs84` and `cgcs2000` come back unchanged: the two agree to centimetres.

    Returns
    -------
    tuple of arrays
        Longitude and latitude, of the input's shape. Exact to 10⁻⁸ m inside the mainland. A point whose answer lies
        outside is returned as it came.

    Examples
    --------
    >>> lon, lat = to_wgs84([114.6855], [30.4310], datum="gcj02")
    >>> round(float(lon[0]), 4), round(float(lat[0]), 4)
    (114.6803, 30.4336)
    """
    given_lon, given_lat = _pair(lon, lat)
    kind = check_datum(datum)
    if kind in {"wgs84", "cgcs2000"}:
        return given_lon, given_lat
    true_lon, true_lat = given_lon, given_lat
    if kind == "bd09":
        true_lon, true_lat = _undo(_gcj02_to_bd09, true_lon, true_lat)
    true_lon, true_lat = _undo(_wgs84_to_gcj02, true_lon, true_lat)
    inside = in_mainland(true_lon, true_lat)
    return np.where(inside, true_lon, given_lon), np.where(inside, true_lat, given_lat)


def from_wgs84(lon: ArrayLike, lat: ArrayLike, *, datum: Datum) -> tuple[_Floats, _Floats]:
    """Longitudes and latitudes in `datum` of WGS 84 points; the inverse of `to_wgs84`.

    >>> lon, lat = from_wgs84([114.68, 139.69], [30.43, 35.68], datum="gcj02")
    >>> [round(float(v), 4) for v in lon], [round(float(v), 4) for v in lat]
    ([114.6852, 139.69], [30.4274, 35.68])
    """
    true_lon, true_lat = _pair(lon, lat)
    kind = check_datum(datum)
    if kind in {"wgs84", "cgcs2000"}:
        return true_lon, true_lat
    new_lon, new_lat = _wgs84_to_gcj02(true_lon, true_lat)
    if kind == "bd09":
        new_lon, new_lat = _gcj02_to_bd09(new_lon, new_lat)
    inside = in_mainland(true_lon, true_lat)
    return np.where(inside, new_lon, true_lon), np.where(inside, new_lat, true_lat)


def unshift(shapes: gpd.GeoSeries, *, datum: Datum) -> gpd.GeoSeries:
    """Geometry in WGS 84 / CGCS2000 of geometry whose coordinates are in `datum`, vertex by vertex, in the same CRS.

    A projected series is taken to degrees, unshifted, and projected back. Null geometry stays null. Raises `CrsError`
    if the series has no CRS.

    >>> from gridgis import toy
    >>> moved = unshift(toy.stations().geometry, datum="gcj02")
    >>> int(moved.distance(toy.stations().geometry).iloc[0])  # metres
    604
    """
    return _moved(shapes, datum, backwards=True)


def shift(shapes: gpd.GeoSeries, *, datum: Datum) -> gpd.GeoSeries:
    """Geometry in `datum` of WGS 84 / CGCS2000 geometry; the inverse of `unshift`.

    >>> from gridgis import toy
    >>> there = shift(toy.stations().geometry, datum="bd09")
    >>> back = unshift(there, datum="bd09")
    >>> bool((back.distance(toy.stations().geometry) < 1e-3).all())
    True
    """
    return _moved(shapes, datum, backwards=False)


def in_mainland(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Whether points (WGS 84 degrees) lie where coordinates are shifted; NaN does not.

    >>> in_mainland([116.40, 114.17, 121.56, 139.69], [39.90, 22.32, 25.04, 35.68]).tolist()  # Beijing, Hong Kong, Taipei, Tokyo
    [True, False, False, False]
    """
    x, y = _pair(lon, lat)
    inside = _in_boxes(x, y, _MAINLAND) & ~_in_boxes(x, y, _ELSEWHERE)
    for ring in (_HONG_KONG, _MACAO):
        inside &= ~_in_ring(x, y, ring)
    return inside


def check_datum(datum: str) -> Datum:
    """`datum` if it is one this module knows; else `DataError`.

    >>> check_datum("gcj02")
    'gcj02'
    """
    for known in DATUMS:
        if datum == known:
            return known
    raise DataError("files.unknown_datum", datum=datum, known=", ".join(DATUMS))


def _moved(shapes: gpd.GeoSeries, datum: Datum, *, backwards: bool) -> gpd.GeoSeries:
    if shapes.crs is None:
        raise CrsError("crs.missing", layer=str(shapes.name or "input"))
    if check_datum(datum) in {"wgs84", "cgcs2000"}:
        return shapes
    move = to_wgs84 if backwards else from_wgs84

    def per_vertex(coordinates: _Floats) -> _Floats:
        return np.column_stack(move(coordinates[:, 0], coordinates[:, 1], datum=datum))

    degrees = shapes if shapes.crs.is_geographic else shapes.to_crs(WGS84)
    moved = shapely.transform(degrees.to_numpy(), per_vertex)
    series = gpd.GeoSeries(moved, index=shapes.index, crs=degrees.crs, name=shapes.name)
    return series if degrees.crs == shapes.crs else series.to_crs(shapes.crs)


def _pair(lon: ArrayLike, lat: ArrayLike) -> tuple[_Floats, _Floats]:
    x, y = np.broadcast_arrays(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))
    return x, y


def _undo(forward: _Forward, lon: _Floats, lat: _Floats) -> tuple[_Floats, _Floats]:
    x, y = lon, lat
    for _ in range(_STEPS):
        there_x, there_y = forward(x, y)
        x, y = x + (lon - there_x), y + (lat - there_y)
    return x, y


def _wgs84_to_gcj02(lon: _Floats, lat: _Floats) -> tuple[_Floats, _Floats]:
    x, y = lon - 105.0, lat - 35.0
    root, product = np.sqrt(np.abs(x)), 0.1 * x * y
    ripple = 20.0 * np.sin(6 * np.pi * x) + 20.0 * np.sin(2 * np.pi * x)
    north_m = (
        -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + product + 0.2 * root
        + (ripple + _waves(y, ((20.0, 1.0), (40.0, 3.0), (160.0, 12.0), (320.0, 30.0)))) * 2 / 3
    )  # fmt: skip
    east_m = (
        300.0 + x + 2.0 * y + 0.1 * x * x + product + 0.1 * root
        + (ripple + _waves(x, ((20.0, 1.0), (40.0, 3.0), (150.0, 12.0), (300.0, 30.0)))) * 2 / 3
    )  # fmt: skip
    phi = np.radians(lat)
    flat = 1 - _ECCENTRICITY_SQ * np.sin(phi) ** 2
    metres_per_lat = np.radians(_SEMI_MAJOR_M * (1 - _ECCENTRICITY_SQ) / flat**1.5)
    metres_per_lon = np.radians(_SEMI_MAJOR_M * np.cos(phi) / np.sqrt(flat))
    return lon + east_m / metres_per_lon, lat + north_m / metres_per_lat


def _waves(values: _Floats, terms: tuple[tuple[float, float], ...]) -> _Floats:
    total = np.zeros_like(values)
    for height, length in terms:
        total += height * np.sin(np.pi * values / length)
    return total


def _gcj02_to_bd09(lon: _Floats, lat: _Floats) -> tuple[_Floats, _Floats]:
    turn = np.pi * 3000.0 / 180.0
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * turn)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * turn)
    return radius * np.cos(angle) + _BAIDU_DEGREES[0], radius * np.sin(angle) + _BAIDU_DEGREES[1]


def _in_boxes(x: _Floats, y: _Floats, boxes: tuple[tuple[float, float, float, float], ...]) -> NDArray[np.bool_]:
    inside = np.zeros(x.shape, dtype=bool)
    for west, south, east, north in boxes:
        inside |= (west <= x) & (x <= east) & (south <= y) & (y <= north)
    return inside


def _in_ring(x: _Floats, y: _Floats, ring: tuple[tuple[float, float], ...]) -> NDArray[np.bool_]:
    return np.asarray(shapely.contains_xy(shapely.Polygon(ring), x, y), dtype=bool)
