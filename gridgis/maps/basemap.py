"""A base map from a tile address, and where its tiles must be put so that our data stay true."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np

from gridgis.datum import Datum, check_datum, from_wgs84
from gridgis.errors import DataError
from gridgis.maps.world import uv

_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>]+")
_NODES: Final = 9


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
        check_datum(self.datum)
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


def shift_table(base: BaseMap, bounds: Sequence[float]) -> list[list[list[float]]] | None:
    """How far the tiles show a place from where it is, in world units, on 9 × 9 nodes over bounds; none for true tiles.

    The browser moves the tiles, not the data: at the middle of the view they are right to the bilinear rest between nodes
    (under 2 m over 100 km); towards its edges the shift's own change shows, about 1 m per kilometre from the middle, which
    is under half a pixel at every zoom.

    Parameters
    ----------
    base
        The base map.
    bounds
        West, south, east, north in degrees.

    Returns
    -------
    list or None
        Rows from south to north of nodes from west to east of [du, dv].

    Examples
    --------
    >>> table = shift_table(BaseMap("http://a.example/{z}/{x}/{y}", datum="gcj02"), (114.0, 30.0, 115.0, 31.0))
    >>> du, dv = table[0][0]
    >>> 300 < du * 40_075_017 * 0.866 < 700  # metres to the east
    True
    """
    if base.datum in {"wgs84", "cgcs2000"}:
        return None
    west, south, east, north = bounds
    lon, lat = np.meshgrid(np.linspace(west, east, _NODES), np.linspace(south, north, _NODES))
    there_lon, there_lat = from_wgs84(lon, lat, datum=base.datum)
    rows = []
    for row in range(_NODES):
        nodes = []
        for column in range(_NODES):
            u0, v0 = uv(float(lon[row, column]), float(lat[row, column]))
            u1, v1 = uv(float(there_lon[row, column]), float(there_lat[row, column]))
            nodes.append([u1 - u0, v1 - v0])
        rows.append(nodes)
    return rows
