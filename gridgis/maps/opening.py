"""Layers opened for drawing: frames as they are, references through their workspace, each workspace opened once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from gridgis.errors import DataError
from gridgis.layers import LAYERS
from gridgis.maps.layer import LatticeValues, LayerRef, MapLayer, matches
from gridgis.maps.source import FrameSource, StoredSource
from gridgis.maps.style import classify
from gridgis.maps.world import Floats
from gridgis.store import Workspace, open_workspace

Value = TypeVar("Value")


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


_WORKSPACES_KEPT: Final = 4
_workspaces: Kept[Workspace] = Kept(_WORKSPACES_KEPT, lambda _: 1)


def workspace(url: str) -> Workspace:
    """The workspace at an address, opened once, and again when its file was replaced."""
    identity = 0 if "://" in url else Path(url).stat().st_ino
    return _workspaces.get_or_make((url, identity), lambda: open_workspace(url))


def count(layer: MapLayer) -> int:
    """Number of shapes of a layer, or of cells with a value."""
    data = layer.data
    if isinstance(data, LatticeValues):
        return int(np.isfinite(data.numbers).sum())
    if isinstance(data, gpd.GeoDataFrame):
        return len(data)
    return workspace(data.url).count(data.layer, as_of=data.as_of, where=matches(data.where) or None)


def read(ref: LayerRef, *, bbox: Sequence[float] | None = None, columns: Sequence[str] | None = None) -> gpd.GeoDataFrame:
    """The rows a reference names, those that touch `bbox` (in the workspace's CRS) if it is given.

    Raises `DataError` for a name that is no layer of `gridgis.layers`.
    """
    check_layer(ref.layer)
    box = None if bbox is None else (bbox[0], bbox[1], bbox[2], bbox[3])
    return workspace(ref.url).read(ref.layer, as_of=ref.as_of, bbox=box, columns=columns, where=matches(ref.where) or None)


def whole(layer: MapLayer) -> FrameSource:
    """All shapes of a layer in memory."""
    if isinstance(layer.data, LatticeValues):
        raise DataError("maps.bad_request")
    frame = layer.data if isinstance(layer.data, gpd.GeoDataFrame) else read(layer.data)
    return FrameSource(frame, layer.style)


def stored(layer: MapLayer) -> FrameSource | StoredSource:
    """The shapes of a layer: a frame's in memory, a reference's where they are looked at."""
    ref, style = layer.data, layer.style
    if not isinstance(ref, LayerRef):
        return whole(layer)
    held = workspace(ref.url)
    columns = [style.column] if style.column else []

    def outline() -> tuple[Floats, NDArray[np.uint8]]:
        if ref.as_of is None and not ref.where:
            boxes = held.boxes(ref.layer)
            if not style.classes:
                return boxes, np.zeros(len(boxes), dtype=np.uint8)
            rows = held.table(ref.layer, columns=columns)
            if len(rows) == len(boxes):  # else some have no geometry, and boxes do not say which
                return boxes, classify(rows, style)
        frame = read(ref, columns=columns)
        return np.asarray(frame.geometry.bounds, dtype=np.float64), classify(frame, style)

    return StoredSource(lambda bbox: read(ref, bbox=bbox), outline, lambda: held.bounds(ref.layer), held.info.crs, style)


def check_layer(name: str) -> None:
    """Raise `DataError` unless the name is in `gridgis.layers`."""
    if name not in LAYERS:
        raise DataError("maps.no_layer", layer=name, known=", ".join(LAYERS))
