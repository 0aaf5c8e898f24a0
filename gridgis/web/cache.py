"""What the routes serve: layers published by pages under a token made of their content, and the tiles made of them."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.errors import DataError, GridgisError
from gridgis.maps import opening
from gridgis.maps.choose import Road, road
from gridgis.maps.image import Overlay, overlay
from gridgis.maps.layer import LatticeValues, LayerRef, MapLayer
from gridgis.maps.opening import Kept
from gridgis.maps.source import FrameSource, StoredSource
from gridgis.store import Workspace
from gridgis.text import Lang

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


_published: Kept[Published] = Kept(_LAYERS_KEPT, lambda _: 1)
_sources: Kept[FrameSource | StoredSource] = Kept(_LAYERS_KEPT // 2, lambda _: 1)
_overlays: Kept[Overlay] = Kept(_TILE_BYTES_KEPT // 4, lambda made: len(made.png) + 100)
_contents: Kept[bytes] = Kept(_TILE_BYTES_KEPT, lambda made: len(made) + 100)


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
            return Published(token, layer, lang, "image", None)
        way = road(opening.count(layer), on_lattice=False)
        opened = opening.whole if way == "folium" else opening.stored
        source = _sources.get_or_make((source_key, way), lambda: opened(layer))
        if way == "tiles":  # the first tiles need the boxes: read them while the browser still starts the map
            threading.Thread(target=_warm, args=(source,), daemon=True).start()
        return Published(token, layer, lang, way, source)

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


def document(token: str) -> bytes | None:
    """A document of the planners' editor as gzip, published by its page with `packed`."""
    return _contents.get(("editor", token))


def plain(key: Sequence[object], make: Callable[[], bytes]) -> bytes:
    """Bytes made once and kept as they are."""
    return _contents.get_or_make(tuple(key), make)


def workspace(url: str) -> Workspace:
    """The workspace the pages and routes share."""
    return opening.workspace(url)


def is_current(layer: Published) -> bool:
    """Whether the workspace is still at the revision the page was drawn from."""
    data = layer.layer.data
    return not isinstance(data, LayerRef) or opening.workspace(data.url).revision == data.revision


def _warm(source: FrameSource | StoredSource) -> None:
    with contextlib.suppress(GridgisError):  # the tiles will meet the same error and say so
        source.index  # noqa: B018


def _identity(data: gpd.GeoDataFrame | LayerRef | LatticeValues, layer: MapLayer) -> object:
    if isinstance(data, LayerRef):
        opening.check_layer(data.layer)
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
