"""The map on a page: one call that draws any number of shapes by whichever road fits."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from gridgis.maps.basemap import BaseMap, shift_table
from gridgis.maps.folium_map import WORDS, asset, styles
from gridgis.maps.layer import MapLayer
from gridgis.maps.spec import Bounds, degrees, inline, outer, together
from gridgis.text import Lang, t
from gridgis.web import cache as published
from gridgis.web.routes import PLACE

LEAFLET: Final = "1.9.4"
INLINE_SHAPES: Final = 20_000
"""Without our own routes a layer of more shapes is sent as a picture."""

_HTML: Final = (
    '<div class="gg-map" data-state="loading"><div class="gg-canvas" role="application" tabindex="0"></div>'
    '<div class="gg-tools"></div><div class="gg-panel" hidden></div><div class="gg-foot" hidden></div>'
    '<div class="gg-note" role="status" hidden></div></div>'
)


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
    start = bounds or together([spec["bounds"] for spec in specs])
    data = {
        "layers": specs,
        "bounds": start,
        "height": int(height),
        "lang": lang,
        "notice": notice,
        "selectable": selectable,
        "text": {word: t(f"maps.{word}", lang) for word in WORDS},
        "leaflet": leaflet(),
        "base": None if base is None else _base(base, start),
    }
    result = _component()(key=key, data=data, default={"selection": None}, on_selection_change=_nothing)
    chosen = result.get("selection")
    if not selectable or not isinstance(chosen, dict):
        return None
    return Selection(str(chosen.get("layer")), str(chosen.get("key")))


def _spec(layer: MapLayer, lang: Lang, prefix: str | None) -> dict[str, Any] | None:
    """What the browser is told about one layer; none for a layer without a place."""
    known = published.publish(layer, lang)
    if prefix is None:
        return inline(layer, lang, token=known.token, shapes_limit=INLINE_SHAPES, source=known.source)
    spec = outer(layer, token=known.token, road=known.road)
    spec["bounds"] = published.picture(known).bounds if known.source is None else degrees(known.source.bounds)
    if spec["bounds"] is None:
        return None
    place = {"folium": "shapes", "tiles": "tiles", "image": "image"}[known.road]
    spec["url"] = f"{prefix}{PLACE}/{place}/{known.token}"
    spec["identify"] = f"{prefix}{PLACE}/identify/{known.token}"
    return spec


def _base(base: BaseMap, bounds: Bounds | None) -> dict[str, Any]:
    around = bounds or (73.0, 18.0, 136.0, 54.0)
    table = shift_table(base, around)
    shift = None if table is None else {"table": table, "bounds": around}
    return {"url": base.url, "attribution": base.attribution, "maxZoom": base.max_zoom, "shift": shift}


def route_prefix() -> str | None:
    """What stands before every address of ours; none where our routes do not answer."""
    return _Serving.prefix


def leaflet() -> dict[str, str]:
    """Where a component's script finds Leaflet."""
    prefix = _Serving.prefix
    if prefix is not None:
        return {"version": LEAFLET, "url": f"{prefix}{PLACE}/static/vendor/leaflet/leaflet.js"}
    return {"version": LEAFLET, "inline": asset("vendor/leaflet/leaflet.js")}


@cache
def _component() -> ComponentRenderer:
    script = "\n".join(asset(name) for name in ("shapes.js", "layers.js", "dom.js", "gridmap.js"))
    return st.components.v2.component("gridgis_map", html=_HTML, css=styles(), js=script, isolate_styles=False)


def _nothing() -> None:
    """A change of selection needs no work of ours: the rerun it causes is all."""
