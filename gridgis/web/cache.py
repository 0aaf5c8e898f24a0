"""What the routes serve: layers published by pages under a token made of their content, and the tiles made of them."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

import gridgis
from gridgis.errors import DataError
from gridgis.layers import LAYERS
from gridgis.maps.choose import Road, road
from gridgis.maps.image import Overlay, overlay
from gridgis.maps.layer import LatticeValues, LayerRef, MapLayer, matches
from gridgis.maps.source import FrameSource, StoredSource
from gridgis.maps.style import Style, classify
from gridgis.maps.world import Floats
from gridgis.text import Lang

if TYPE_CHECKING:
    from gridgis.store import Workspace

_LAYERS_KEPT: Final = 128
_TILE_BYTES_KEPT: Final = 96 * 2**20
_GZIP_LEVEL: Final = 4

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """A layer the routes can serve."""

    token: str
    """32 hexadecimal digits made of everything that decides what is drawn and said."""
    layer: MapLayer
    """What the page asked for."""
    lang: Lang
    """Language of its popups."""
    road: Road
    """How it is drawn."""
    source: FrameSource | StoredSource | None
    """Its shapes; none for values on a lattice."""
    count: int
    """Number of its shapes or cells."""


class Kept(Generic[Value]):
    """A bounded store of made things: the least recently used make way, and one key is made once at a time."""

    def __init__(self, room: int, weigh: Callable[[Value], int]) -> None:
        self._room = room
        self._weigh = weigh
        self._used = 0
        self._things: OrderedDict[object, Value] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[object, threading.Lock] = {}

    def get(self, key: object) -> Value | None:
        """What is kept under a key."""
        with self._lock:
            thing = self._things.get(key)
            if thing is not None:
                self._things.move_to_end(key)
            return thing

    def get_or_make(self, key: object, make: Callable[[], Value]) -> Value:
        """What is kept under a key, made first if need be; others who ask meanwhile wait for it."""
        found = self.get(key)
        if found is not None:
            return found
        with self._lock:
            turn = self._making.setdefault(key, threading.Lock())
        with turn:
            found = self.get(key)
            if found is None:
                found = make()
                self._put(key, found)
        with self._lock:
            self._making.pop(key, None)
        return found

    def _put(self, key: object, thing: Value) -> None:
        with self._lock:
            self._things[key] = thing
            self._used += self._weigh(thing)
            while self._used > self._room and len(self._things) > 1:
                _, old = self._things.popitem(last=False)
                self._used -= self._weigh(old)


_published: Kept[Published] = Kept(_LAYERS_KEPT, lambda _: 1)
_sources: Kept[FrameSource | StoredSource] = Kept(_LAYERS_KEPT // 2, lambda _: 1)
_overlays: Kept[Overlay] = Kept(_TILE_BYTES_KEPT // 4, lambda made: len(made.png) + 100)
_contents: Kept[bytes] = Kept(_TILE_BYTES_KEPT, lambda made: len(made) + 100)
_workspaces: Kept[Workspace] = Kept(4, lambda _: 1)


def publish(layer: MapLayer, lang: Lang) -> Published:
    """Make a layer known to the routes; the same content gets the same token, so that browsers keep what they have.

    Raises
    ------
    DataError
        If a reference names no layer of `gridgis.layers`.
    CrsError
        If a frame has no CRS.
    """
    data = layer.data
    look = (layer.style.column, layer.style.kind, layer.style.classes, layer.style.colours, layer.style.opacity, layer.style)
    source_key = _digest("source", _identity(data, layer), look)
    token = _digest("layer", source_key, layer.name, layer.title, layer.popup, layer.label, lang)

    def make() -> Published:
        if isinstance(data, LatticeValues):
            count = int(np.isfinite(data.numbers).sum())
            return Published(token, layer, lang, "image", None, count)
        source = _sources.get_or_make(source_key, lambda: _source(data, layer.style))
        count = len(data) if isinstance(data, gpd.GeoDataFrame) else _count(data)
        way = road(count, on_lattice=False)
        if way == "folium" and isinstance(data, LayerRef):
            source = _sources.get_or_make((source_key, "whole"), lambda: FrameSource(read(data), layer.style))
        return Published(token, layer, lang, way, source, count)

    return _published.get_or_make(token, make)


def find(token: str) -> Published | None:
    """The layer published under a token."""
    return _published.get(token)


def picture(layer: Published) -> Overlay:
    """The picture of values on a lattice."""
    data = layer.layer.data
    if not isinstance(data, LatticeValues):
        raise DataError("maps.bad_request")
    return _overlays.get_or_make(layer.token, lambda: overlay(data, layer.layer.style))


def packed(key: Sequence[object], make: Callable[[], bytes]) -> bytes:
    """Bytes made once and kept as gzip."""
    return _contents.get_or_make(tuple(key), lambda: gzip.compress(make(), _GZIP_LEVEL, mtime=0))


def plain(key: Sequence[object], make: Callable[[], bytes]) -> bytes:
    """Bytes made once and kept as they are."""
    return _contents.get_or_make(tuple(key), make)


def read(ref: LayerRef, *, bbox: Sequence[float] | None = None, columns: Sequence[str] | None = None) -> gpd.GeoDataFrame:
    """The rows a reference names, those that touch `bbox` (in the workspace's CRS) if it is given."""
    box = None if bbox is None else (bbox[0], bbox[1], bbox[2], bbox[3])
    return workspace(ref.url).read(ref.layer, as_of=ref.as_of, bbox=box, columns=columns, where=matches(ref.where) or None)


def workspace(url: str) -> Workspace:
    """The workspace at an address, opened once, and again when its file was replaced."""
    identity = 0 if "://" in url else Path(url).stat().st_ino
    return _workspaces.get_or_make((url, identity), lambda: gridgis.open_workspace(url))


def is_current(layer: Published) -> bool:
    """Whether the workspace is still at the revision the page was drawn from."""
    data = layer.layer.data
    return not isinstance(data, LayerRef) or workspace(data.url).revision == data.revision


def _source(data: gpd.GeoDataFrame | LayerRef, style: Style) -> FrameSource | StoredSource:
    if isinstance(data, gpd.GeoDataFrame):
        return FrameSource(data, style)
    columns = [style.column] if style.column else []

    def outline() -> tuple[Floats, NDArray[np.uint8]]:
        frame = read(data, columns=columns)
        return np.asarray(frame.geometry.bounds, dtype=np.float64), classify(frame, style)

    return StoredSource(lambda bbox: read(data, bbox=bbox), outline, workspace(data.url).info.crs, style)


def _count(ref: LayerRef) -> int:
    return workspace(ref.url).count(ref.layer, as_of=ref.as_of, where=matches(ref.where) or None)


def _identity(data: gpd.GeoDataFrame | LayerRef | LatticeValues, layer: MapLayer) -> object:
    if isinstance(data, LayerRef):
        if data.layer not in LAYERS:
            raise DataError("maps.no_layer", layer=data.layer, known=", ".join(LAYERS))
        return data
    if isinstance(data, LatticeValues):
        return data.lattice, hashlib.blake2b(np.ascontiguousarray(data.numbers).tobytes()).hexdigest()
    wanted = {layer.style.column, layer.label, *(field.column for field in layer.popup)}
    columns = [column for column in data.columns if column in wanted]
    rows = pd.DataFrame(data[columns]).astype(str) if columns else pd.DataFrame(index=data.index)
    said = pd.util.hash_pandas_object(rows.set_axis(data.index.astype(str)), index=True).to_numpy()
    shapes = hashlib.blake2b(b"".join(wkb or b"-" for wkb in shapely.to_wkb(np.asarray(data.geometry.array, dtype=object))))
    return shapes.hexdigest(), hashlib.blake2b(said.tobytes()).hexdigest(), tuple(columns), str(data.crs)


def _digest(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
