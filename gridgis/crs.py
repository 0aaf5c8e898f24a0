"""One door for coordinate reference systems: parse them, choose one to work in, and refuse what cannot measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import geopandas as gpd
import numpy as np
import pyproj
from pyproj.exceptions import CRSError as ProjError

from gridgis.errors import CrsError

CGCS2000: Final = "EPSG:4490"
WGS84: Final = "EPSG:4326"

# Where the CGCS2000 3-degree zones are the law; the frame is coarse on purpose: outside it nobody expects them.
_CHINA: Final = (73.0, 3.0, 136.0, 54.0)
# EPSG:4534–4554 are the 3-degree zones without zone number in the easting, central meridians 75°E–135°E.
_FIRST_ZONE_EPSG: Final = 4534
_FIRST_MERIDIAN: Final = 75
# Beyond this distance from the central meridian a Gauss-Krüger zone errs by over 0.1 % in area: "wide".
_WIDE_DEGREES: Final = 3.0
_MERCATOR_METHODS: Final = ("mercator", "popular visualisation pseudo mercator", "web mercator")


def parse_crs(text: str | int | pyproj.CRS) -> pyproj.CRS:
    """A coordinate reference system from an EPSG code, a PROJ string, WKT or a name PROJ knows.

    Raises `CrsError` for anything else.

    >>> parse_crs("EPSG:4547").to_epsg()
    4547
    """
    try:
        return pyproj.CRS.from_user_input(text)
    except ProjError as error:
        raise CrsError("crs.unknown", text=str(text)[:200]) from error


def crs_name(crs: pyproj.CRS) -> str:
    """A short name for messages: the authority's code where there is one, else the system's own name.

    >>> crs_name(parse_crs(4547))
    'EPSG:4547'
    """
    authority = crs.to_authority()
    return ":".join(authority) if authority else crs.name


def is_mercator(crs: pyproj.CRS) -> bool:
    """Whether a system is a (normal or web) Mercator; Transverse Mercator is not.

    >>> is_mercator(parse_crs(3857)), is_mercator(parse_crs(4547))
    (True, False)
    """
    operation = crs.coordinate_operation
    method = operation.method_name.lower() if operation else ""
    return any(method.startswith(name) for name in _MERCATOR_METHODS)


def is_metric(crs: pyproj.CRS) -> bool:
    """Whether a system is projected with both axes in metres (Mercator included: see `is_mercator`).

    >>> is_metric(parse_crs(4547)), is_metric(parse_crs(4490))
    (True, False)
    """
    return crs.is_projected and all(axis.unit_conversion_factor == 1.0 for axis in crs.axis_info[:2])


def require_metric(*frames: gpd.GeoDataFrame | gpd.GeoSeries) -> pyproj.CRS:
    """The one system all frames share, projected in metres and no Mercator: the guard of every spatial function.

    Parameters
    ----------
    *frames
        Frames or series, one at least.

    Raises
    ------
    CrsError
        If a frame has no system, two differ, or the system cannot measure.

    Examples
    --------
    >>> from gridgis import toy
    >>> require_metric(toy.areas(), toy.grids()).to_epsg()
    4547
    """
    first: pyproj.CRS | None = None
    for frame in frames:
        if frame.crs is None:
            raise CrsError("crs.missing", layer=getattr(frame, "name", None) or "input")
        if first is None:
            first = frame.crs
        elif frame.crs != first:
            raise CrsError("crs.mixed", first=crs_name(first), second=crs_name(frame.crs))
    if first is None:
        raise CrsError("crs.empty")
    measures = is_metric(first)
    if measures and not is_mercator(first):
        return first
    key = "crs.mercator" if measures else "crs.not_metric"
    raise CrsError(key, crs=crs_name(first), suggestion=_suggestion(frames))


def choose_crs(*frames: gpd.GeoDataFrame | gpd.GeoSeries) -> pyproj.CRS:
    """The system to compute in: CGCS2000's 3-degree zone in China, UTM elsewhere, equal-area for a wide region.

    The zone is that of the centre of all frames' bounds (central meridian 3·round(lon/3), no zone number in the
    easting). A region reaching over 3° from its central meridian gets a Lambert azimuthal equal-area system centred on
    whole degrees. Raises `CrsError` if there is no geometry or no system to start from.

    >>> from gridgis import toy
    >>> choose_crs(toy.areas().to_crs(4490)).to_epsg()
    4547
    """
    west, south, east, north = lonlat_bounds(*frames)
    lon, lat = (west + east) / 2, (south + north) / 2
    inside_china = _CHINA[0] <= lon <= _CHINA[2] and _CHINA[1] <= lat <= _CHINA[3]
    meridian = min(max(3 * round(lon / 3), 75), 135) if inside_china else 6 * int(np.floor(lon / 6)) + 3
    reach = _WIDE_DEGREES + (0 if inside_china else 1)
    if max(east - meridian, meridian - west) > reach:
        datum = "GRS80" if inside_china else "WGS84"
        return parse_crs(f"+proj=laea +lat_0={round(lat)} +lon_0={round(lon)} +ellps={datum} +units=m +type=crs")
    if inside_china:
        return parse_crs(_FIRST_ZONE_EPSG + (meridian - _FIRST_MERIDIAN) // 3)
    zone = int((lon + 180) // 6) % 60 + 1
    return parse_crs((32600 if lat >= 0 else 32700) + zone)


def work_crs(*frames: gpd.GeoDataFrame | gpd.GeoSeries, wish: str | None = None) -> pyproj.CRS:
    """The system to compute in, a wish first: `wish`, else the input's own if it can measure, else `choose_crs`.

    >>> from gridgis import toy
    >>> work_crs(toy.areas()).to_epsg(), work_crs(toy.areas(), wish="EPSG:4548").to_epsg()
    (4547, 4548)
    """
    if wish and wish != "auto":
        crs = parse_crs(wish)
        if not is_metric(crs) or is_mercator(crs):
            key = "crs.mercator" if is_mercator(crs) else "crs.not_metric"
            raise CrsError(key, crs=crs_name(crs), suggestion=_suggestion(frames))
        return crs
    own = frames[0].crs if frames else None
    if own is not None and is_metric(own) and not is_mercator(own):
        return own
    return choose_crs(*frames)


def lonlat_bounds(*frames: gpd.GeoDataFrame | gpd.GeoSeries) -> tuple[float, float, float, float]:
    """West, south, east, north of all frames together, in degrees of WGS 84.

    >>> from gridgis import toy
    >>> [round(v, 3) for v in lonlat_bounds(toy.areas())]
    [114.0, 30.414, 114.004, 30.417]
    """
    boxes: list[Sequence[float]] = []
    for frame in frames:
        if frame.crs is None:
            raise CrsError("crs.missing", layer=getattr(frame, "name", None) or "input")
        box = frame.total_bounds
        if not np.isfinite(box).all():
            continue
        if frame.crs.is_geographic and (abs(box) > (360.0, 90.0, 360.0, 90.0)).any():
            raise CrsError("crs.out_of_range", x=box[0], y=box[1], crs=crs_name(frame.crs))
        move = pyproj.Transformer.from_crs(frame.crs, WGS84, always_xy=True)
        boxes.append(move.transform_bounds(box[0], box[1], box[2], box[3], densify_pts=21))
    if not boxes:
        raise CrsError("crs.empty")
    low, high = np.min(boxes, axis=0), np.max(boxes, axis=0)
    return float(low[0]), float(low[1]), float(high[2]), float(high[3])


def _suggestion(frames: Sequence[gpd.GeoDataFrame | gpd.GeoSeries]) -> str:
    try:
        return crs_name(choose_crs(*frames))
    except CrsError:
        return "EPSG:4547"
