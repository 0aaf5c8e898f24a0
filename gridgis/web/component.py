"""The map on a page: one call that draws any number of shapes by whichever road fits."""

from __future__ import annotations

import base64
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from gridgis.errors import DataError
from gridgis.layers import LAYERS
from gridgis.maps.basemap import BaseMap, shift_table
from gridgis.maps.layer import LatticeValues, MapLayer
from gridgis.maps.paint import paint_source, png
from gridgis.maps.source import FrameSource
from gridgis.maps.style import NO_DATA, Style
from gridgis.maps.world import lonlat
from gridgis.text import Lang, t
from gridgis.web import cache as published
from gridgis.web.cache import Published
from gridgis.web.routes import PLACE, STATIC, shapes_of

LEAFLET: Final = "1.9.4"
INLINE_SHAPES: Final = 20_000
"""Without our own routes a layer of more shapes is sent as a picture."""

_WORDS: Final = ("zoom_in", "zoom_out", "whole", "map_label", "close", "legend", "failed", "empty")
_HTML: Final = (
    '<div class="gg-map" data-state="loading"><div class="gg-canvas" role="application" tabindex="0"></div>'
    '<div class="gg-tools"></div><div class="gg-panel" hidden></div><div class="gg-foot" hidden></div>'
    '<div class="gg-note" role="status" hidden></div></div>'
)
_PICTURE_PX: Final = 1600

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Selection:
    """What the reader last clicked."""

    layer: str
    """`MapLayer.name`."""
    key: str
    """The row's key as text."""


class _Serving:
    """Whether our routes answer beside Streamlit in this process, and under which address."""

    prefix: str | None = None
    lock = threading.Lock()


def serving(prefix: str) -> None:
    """Note that our routes answer under `prefix`: from now on maps send addresses instead of data."""
    with _Serving.lock:
        _Serving.prefix = prefix


def grid_map(
    layers: Sequence[MapLayer],
    *,
    key: str,
    lang: Lang,
    height: int = 560,
    bounds: Bounds | None = None,
    notice: str | None = None,
    base: BaseMap | None = None,
    selectable: bool = True,
) -> Selection | None:
    """Draw layers on one map, the first at the bottom.

    Panning, zooming and switching layers happen in the browser alone. Map, view, switches and selection survive a rerun
    as long as `key` stays; the view moves only when `bounds` changes.

    Parameters
    ----------
    layers
        What is drawn; any number of shapes each.
    key
        Identifies the map on its page.
    lang
        Language of buttons and popups.
    height
        Pixels.
    bounds
        West, south, east, north in degrees to open with; none for everything that is drawn.
    notice
        A line at the foot of the map, such as that the data is synthetic.
    base
        A base map of tiles; none, the default, asks no other machine for anything.
    selectable
        Whether a click tells Python (one rerun of the page or fragment); popups open either way.

    Returns
    -------
    Selection or None
        What was clicked last; none when nothing is or `selectable` is off.

    Raises
    ------
    DataError
        If the map's script was not fetched at set-up.
    """
    prefix = _Serving.prefix
    specs = [spec for spec in (_spec(layer, lang, prefix) for layer in layers) if spec is not None]
    opening = bounds or _together([spec["bounds"] for spec in specs])
    data = {
        "layers": specs,
        "bounds": opening,
        "height": int(height),
        "lang": lang,
        "notice": notice,
        "selectable": selectable,
        "text": {word: t(f"maps.{word}", lang) for word in _WORDS},
        "leaflet": _leaflet(prefix),
        "base": None if base is None else _base(base, opening),
    }
    result = _component()(key=key, data=data, default={"selection": None}, on_selection_change=_nothing)
    chosen = result.get("selection")
    if not selectable or not isinstance(chosen, dict):
        return None
    return Selection(str(chosen.get("layer")), str(chosen.get("key")))


def _spec(layer: MapLayer, lang: Lang, prefix: str | None) -> dict[str, Any] | None:
    """What the browser is told about one layer; none for a layer without a place."""
    known = published.publish(layer, lang)
    spec: dict[str, Any] = {
        "name": layer.name, "title": layer.title, "token": known.token, "visible": layer.visible, "road": known.road,
        "style": _look(layer.style), "legend": legend(layer.style, layer.title), "mark": _mark(layer),
        "answers": bool(layer.popup), "labelled": layer.label is not None,
    }  # fmt: skip
    if isinstance(layer.data, LatticeValues):
        spec["bounds"] = published.picture(known).bounds
    else:
        spec["bounds"] = _degrees(known)
    if spec["bounds"] is None:
        return None
    if prefix is None:
        _fill_inline(spec, known)
        return spec
    place = {"folium": "shapes", "tiles": "tiles", "image": "image"}[known.road]
    spec["url"] = f"{prefix}{PLACE}/{place}/{known.token}"
    spec["identify"] = f"{prefix}{PLACE}/identify/{known.token}"
    return spec


def _fill_inline(spec: dict[str, Any], known: Published) -> None:
    """Without our routes the data travels with the page: small layers whole, others as a picture."""
    if known.source is None:
        spec["inline"] = _data_url(published.picture(known).png)
        return
    if isinstance(known.source, FrameSource) and known.count <= INLINE_SHAPES:
        spec["road"] = "folium"
        spec["inline"] = base64.b64encode(shapes_of(known)).decode()
        return
    source, box = known.source, known.source.index.bounds
    if box is None:
        return
    wide, high = box[2] - box[0], box[3] - box[1]
    longest = max(wide, high)
    size = (max(1, round(_PICTURE_PX * wide / longest)), max(1, round(_PICTURE_PX * high / longest)))
    spec["road"], spec["answers"] = "image", False
    spec["inline"] = _data_url(published.plain(("inline", known.token), lambda: png(paint_source(source, box, size))))


def legend(style: Style, title: str) -> list[dict[str, str]]:
    """Legend lines of a style: text and colour each; one line where all rows look alike.

    >>> legend(Style(fill="#112233"), "Grids")
    [{'label': 'Grids', 'colour': '#112233'}]
    """
    if not style.classes:
        return [{"label": title, "colour": style.fill}]
    lines = [{"label": entry.label, "colour": entry.colour} for entry in style.classes]
    return [*lines, {"label": style.no_data, "colour": NO_DATA}] if style.no_data else lines


def _look(style: Style) -> dict[str, Any]:
    return {
        "colours": list(style.colours), "noData": NO_DATA, "opacity": style.opacity, "line": style.line,
        "width": style.width, "radius": style.radius,
    }  # fmt: skip


def _mark(layer: MapLayer) -> str:
    if isinstance(layer.data, LatticeValues):
        return "area"
    if isinstance(layer.data, gpd.GeoDataFrame):
        first = layer.data.geometry.iloc[0] if len(layer.data) else None
        name = "" if first is None else first.geom_type
    else:
        name = {"line": "Line", "point": "Point"}.get(LAYERS[layer.data.layer].shape, "")
    return "line" if "Line" in name else "point" if "Point" in name else "area"


def _degrees(known: Published) -> Bounds | None:
    box = known.source.index.bounds if known.source else None
    if box is None:
        return None
    west, north = lonlat(box[0], box[1])
    east, south = lonlat(box[2], box[3])
    return west, south, east, north


def _together(all_bounds: Sequence[Bounds]) -> Bounds | None:
    if not all_bounds:
        return None
    west, south, east, north = zip(*all_bounds, strict=True)
    return min(west), min(south), max(east), max(north)


def _base(base: BaseMap, bounds: Bounds | None) -> dict[str, Any]:
    around = bounds or (73.0, 18.0, 136.0, 54.0)
    table = shift_table(base, around)
    shift = None if table is None else {"table": table, "bounds": around}
    return {"url": base.url, "attribution": base.attribution, "maxZoom": base.max_zoom, "shift": shift}


def _leaflet(prefix: str | None) -> dict[str, str]:
    if prefix is not None:
        return {"version": LEAFLET, "url": f"{prefix}{PLACE}/static/vendor/leaflet/leaflet.js"}
    return {"version": LEAFLET, "inline": _asset("vendor/leaflet/leaflet.js")}


@cache
def _component() -> ComponentRenderer:
    script = "\n".join(_asset(name) for name in ("shapes.js", "layers.js", "gridmap.js"))
    # Leaflet's own pictures are not used, and an address in a style sheet without a file would be a failed request
    leaflet = "".join(line for line in _asset("vendor/leaflet/leaflet.css").splitlines(keepends=True) if "url(" not in line)
    return st.components.v2.component(
        "gridgis_map", html=_HTML, css=leaflet + _asset("gridmap.css"), js=script, isolate_styles=False
    )


def _asset(name: str) -> str:
    file = Path(STATIC / name)
    if not file.is_file():
        raise DataError("maps.assets_missing")
    return file.read_text(encoding="utf-8")


def _data_url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def _nothing() -> None:
    """A change of selection needs no work of ours: the rerun it causes is all."""
