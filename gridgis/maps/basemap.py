"""A base map from a tile address, and where its tiles must be put so that our data stay true."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from gridgis.datum import Datum, check_datum, from_wgs84
from gridgis.errors import DataError
from gridgis.maps.world import Floats

_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>]+")
_SPACING_DEGREES: Final = 0.018  # the shift has waves of 0.1°
_FEWEST_NODES: Final = 5
_MOST_NODES: Final = 97
_UNITS: Final = 1e10


@dataclass(frozen=True, slots=True)
class BaseMap:
    """Tiles of somebody's server under the map: the only thing a gridgis page ever asks another machine for."""

    url: str
    """Address with `{z}`, `{x}`, `{y}` and, if wanted, `{s}`."""
    attribution: str = ""
    """Who made the tiles; shown as plain text."""
    datum: Datum = "wgs84"
    """`gcj02` for Chinese map services, whose tiles are shifted by some 500 m."""
    max_zoom: int = 18
    """Deepest zoom the server has."""

    def __post_init__(self) -> None:
        if check_datum(self.datum) == "bd09":  # Baidu's tiles have a scheme of their own
            raise DataError("files.unknown_datum", datum=self.datum, known="wgs84, cgcs2000, gcj02")
        if not _ADDRESS.fullmatch(self.url) or not all(part in self.url for part in ("{z}", "{x}", "{y}")):
            raise DataError("maps.bad_base", url=self.url[:200])


def from_settings(settings: Mapping[str, str]) -> BaseMap | None:
    """The base map a workspace's settings name: `map.base_url`, `map.base_attribution`, `map.base_datum`; none by default.

    >>> from_settings({}) is None
    True
    >>> from_settings({"map.base_url": "http://tiles.town.example/{z}/{x}/{y}.png", "map.base_datum": "gcj02"}).datum
    'gcj02'
    """
    url = settings.get("map.base_url", "").strip()
    if not url:
        return None
    datum = cast("Datum", settings.get("map.base_datum") or "wgs84")
    return BaseMap(url, settings.get("map.base_attribution", ""), datum)


def shift_table(base: BaseMap, bounds: Sequence[float]) -> list[list[list[int]]] | None:
    """How far the tiles show a place from where it is, on nodes over bounds; none for true tiles.

    The browser moves the tiles, not the data. At the middle of the view they are right to the bilinear rest between nodes:
    under half a metre while a side of the bounds is up to 170 km. Away from the middle the shift's own change shows: 1–2 m
    per kilometre as a rule, 6 m at most, so under 4 pixels at the edge of a view of 1,280.

    Parameters
    ----------
    base
        The base map.
    bounds
        West, south, east, north in degrees.

    Returns
    -------
    list or None
        Rows from south to north of nodes from west to east of [du, dv] in units of 10⁻¹⁰ of the world's side.

    Examples
    --------
    >>> table = shift_table(BaseMap("http://a.example/{z}/{x}/{y}", datum="gcj02"), (114.0, 30.0, 115.0, 31.0))
    >>> du, dv = table[0][0]
    >>> 300 < du * 1e-10 * 40_075_017 * 0.866 < 700  # metres to the east
    True
    """
    if base.datum in {"wgs84", "cgcs2000"}:
        return None
    west, south, east, north = bounds
    nodes = math.ceil(max(east - west, north - south) / _SPACING_DEGREES) + 1
    nodes = min(max(nodes, _FEWEST_NODES), _MOST_NODES)
    lon, lat = np.meshgrid(np.linspace(west, east, nodes), np.linspace(south, north, nodes))
    there = from_wgs84(lon, lat, datum=base.datum)
    du = (there[0] - lon) / 360
    dv = _row(there[1]) - _row(lat)
    units: list[list[list[int]]] = np.rint(np.stack([du, dv], axis=2) * _UNITS).astype(int).tolist()
    return units


def _row(lat: Floats) -> Floats:
    return np.asarray(0.5 - np.arcsinh(np.tan(np.radians(lat))) / (2 * np.pi))
