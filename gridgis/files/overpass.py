"""Streets, water and buildings of an area straight from OpenStreetMap (Overpass, through OSMnx): retries, kept answers."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.errors import DataError
from gridgis.progress import Progress, silent

_STREAMS: Final = ["river", "stream", "canal", "drain", "ditch"]
_BASINS: Final = ["reservoir", "basin"]
TAGS: Final[dict[str, bool | str | list[str]]] = {
    "highway": True,
    "building": True,
    "waterway": _STREAMS,
    "natural": "water",
    "landuse": _BASINS,
}
LAYERS_FETCHED: Final = ("roads", "water", "buildings")
# how long to wait for the first sign of the server, seconds; and before asking again
_KNOCK_S: Final = 5.0
_PAUSES_S: Final = (5.0, 20.0, 60.0)
_BUSY: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What OpenStreetMap has of an area."""

    layers: dict[str, gpd.GeoDataFrame]
    """Layer → rows with `osm_id`, `name`, `kind` in WGS 84; a layer without rows is there and empty."""
    asked: bool
    """Whether the server was asked; else all came from answers kept."""


class _Offline(Exception):
    """The server cannot be reached."""


class _Busy(Exception):
    """The server cannot answer now."""

    def __init__(self, status: int, wait_s: float | None) -> None:
        super().__init__(status)
        self.status, self.wait_s = status, wait_s


def cache_folder() -> Path:
    """Where answers are kept: `$GRIDGIS_CACHE`, else `gridgis/osm` in the user's cache folder."""
    given = os.environ.get("GRIDGIS_CACHE")
    if given:
        return Path(given) / "osm"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gridgis" / "osm"


def fetch(
    polygon: shapely.Polygon | shapely.MultiPolygon,
    *,
    url: str | None = None,
    timeout_s: float = 180.0,
    retries: int = 3,
    cache: Path | None = None,
    refresh: bool = False,
    progress: Progress = silent,
) -> Fetched:
    """The streets, water and buildings that touch a polygon.

    An answer is kept in a folder and used again, so that a second call needs no network. A server that is busy is asked again
    after a pause (the one it asks for, else 5, 20, 60 s), as often as `retries` says. Without a network it says so at once.

    Parameters
    ----------
    polygon
        A polygon or multipolygon, valid, in degrees of WGS 84.
    url
        Address of an Overpass server; None: the public one.
    timeout_s
        How long the server may take for one answer.
    retries
        How often a busy server, or one that breaks off, is asked again.
    cache
        Folder of answers kept; None: `cache_folder()`.
    refresh
        Whether to ask even if there is an answer.
    progress
        Told before every try and every second of a pause, and can stop the work.

    Raises
    ------
    DataError
        If the server cannot be reached, does not answer in time, is still busy after all tries, or answers nonsense.
    """
    folder = cache_folder() if cache is None else cache
    for attempt in range(retries + 1):
        progress("overpass.stage_ask", attempt, retries + 1)
        try:
            frame, asked = _ask(polygon, url, timeout_s, folder, refresh)
        except _Offline as error:
            raise DataError("overpass.offline", server=str(error)) from error
        except _Busy as error:
            if attempt == retries:
                raise DataError("overpass.busy", status=error.status, tries=retries + 1) from error
            wait = error.wait_s if error.wait_s is not None else _PAUSES_S[min(attempt, len(_PAUSES_S) - 1)]
            for second in range(int(np.ceil(wait))):
                progress("overpass.stage_wait", second, int(np.ceil(wait)))
                time.sleep(1.0)
        else:
            progress("overpass.stage_ask", retries + 1, retries + 1)
            return Fetched(_layers(frame), asked)
    raise DataError("overpass.busy", status=0, tries=retries + 1)


def _ask(
    polygon: shapely.Polygon | shapely.MultiPolygon, url: str | None, timeout_s: float, folder: Path, refresh: bool
) -> tuple[gpd.GeoDataFrame, bool]:
    import osmnx
    import requests

    asked = False

    def knock(request: Any) -> Any:  # osmnx looks into its cache first, so this is called only when it must ask
        nonlocal asked
        asked = True
        _knock(request.url)
        return request

    def look(response: Any, **_: Any) -> None:
        if response.status_code in _BUSY:
            after = response.headers.get("Retry-After", "")
            raise _Busy(response.status_code, float(after) if after.isdigit() else None)
        if b'"remark"' in response.content[-2000:]:  # broken off in the middle: what there is, is not all
            raise _Busy(response.status_code, None)

    with (
        _fresh(folder, refresh) as kept,
        _settings(osmnx.settings, kept, url, timeout_s, {"auth": knock, "hooks": {"response": look}}),
    ):
        try:
            return osmnx.features.features_from_polygon(polygon, TAGS), asked
        except requests.exceptions.Timeout as error:
            raise DataError("overpass.timeout", seconds=f"{timeout_s:g}") from error
        except requests.exceptions.ConnectionError as error:
            raise _Busy(0, None) from error  # it was there a moment ago: broken off
        except osmnx._errors.InsufficientResponseError as error:
            if asked and "No matching features" not in str(error):
                raise DataError("overpass.nonsense", reason=str(error)[:200]) from error
            return gpd.GeoDataFrame({"geometry": []}, crs=4326), asked
        except (osmnx._errors.ResponseStatusCodeError, requests.exceptions.RequestException, ValueError) as error:
            raise DataError("overpass.nonsense", reason=str(error)[:200]) from error


def _knock(url: str) -> None:
    """Raise `_Offline` unless somebody listens at an address; behind a proxy only the proxy knows."""
    from requests.utils import get_environ_proxies

    if get_environ_proxies(url):
        return
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), timeout=_KNOCK_S).close()
    except OSError as error:
        raise _Offline(host) from error


@contextmanager
def _fresh(folder: Path, refresh: bool) -> Iterator[Path]:
    """The folder of answers; with `refresh` an empty one, whose answers take the place of old ones when all went well."""
    if not refresh:
        yield folder
        return
    with TemporaryDirectory(prefix="gridgis-") as empty:
        yield Path(empty)
        folder.mkdir(parents=True, exist_ok=True)
        for file in Path(empty).glob("*.json"):
            shutil.copyfile(file, folder / file.name)


@contextmanager
def _settings(settings: Any, folder: Path, url: str | None, timeout_s: float, kwargs: dict[str, Any]) -> Iterator[None]:
    """OSMnx's settings for the time being; it also turns the process's name look-up, which is turned back."""
    wish = {
        "use_cache": True,
        "cache_folder": folder,
        "requests_timeout": int(np.ceil(timeout_s)),
        "requests_kwargs": kwargs,
        "overpass_rate_limit": False,  # its own look at the server's queue sleeps for a minute and cannot be stopped
        "doh_url_template": None,
        **({"overpass_url": url} if url else {}),
    }
    before = {name: getattr(settings, name) for name in wish}
    look_up = socket.getaddrinfo
    for name, value in wish.items():
        setattr(settings, name, value)
    try:
        yield
    finally:
        socket.getaddrinfo = look_up
        for name, value in before.items():
            setattr(settings, name, value)


def _layers(frame: gpd.GeoDataFrame) -> dict[str, gpd.GeoDataFrame]:
    """Rows by layer, with the ids an extract of OpenStreetMap gives them."""
    shapes = np.asarray(frame.geometry.array, dtype=object)
    kind = shapely.get_type_id(shapes)
    line, area = kind == 1, np.isin(kind, (3, 6))

    def tag(name: str) -> pd.Series[Any]:
        return frame[name] if name in frame.columns else pd.Series(None, index=frame.index, dtype=object)

    highway, building, waterway = tag("highway"), tag("building"), tag("waterway")
    lake = tag("natural").where(tag("natural") == "water")
    lake = lake.where(lake.notna(), tag("landuse").where(tag("landuse").isin(_BASINS)))
    stream = waterway.where(waterway.isin(_STREAMS))
    chosen = {
        "roads": (highway, line & highway.notna().to_numpy()),
        "water": (lake.where(pd.Series(area, index=frame.index), stream),
                  (line & stream.notna().to_numpy()) | (area & lake.notna().to_numpy())),
        "buildings": (building, area & building.notna().to_numpy() & (building != "no").to_numpy()),
    }  # fmt: skip
    number = [] if not len(frame) else [str(value) for value in frame.index.get_level_values(-1)]
    element = [] if not len(frame) else [str(value)[0] for value in frame.index.get_level_values(0)]
    ids = np.array(
        [code if flat else first + code for code, first, flat in zip(number, element, line, strict=True)], dtype=object
    )
    name = tag("name")
    return {
        layer: gpd.GeoDataFrame(
            {"osm_id": ids[mask], "name": name[mask].to_numpy(dtype=object), "kind": values[mask].to_numpy(dtype=object)},
            geometry=shapes[mask],
            crs=frame.crs,
        )
        for layer, (values, mask) in chosen.items()
    }
