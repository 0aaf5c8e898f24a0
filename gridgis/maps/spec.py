"""A layer as the browser's map script takes it: look, legend, and, where no server answers, the data itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

import geopandas as gpd

from gridgis.layers import LAYERS
from gridgis.maps import opening
from gridgis.maps.image import overlay
from gridgis.maps.layer import LatticeValues, MapLayer
from gridgis.maps.paint import paint_source, png
from gridgis.maps.popup import is_nothing, rows_of
from gridgis.maps.source import Box, FrameSource, Source
from gridgis.maps.style import NO_DATA, Style
from gridgis.maps.tiles import whole
from gridgis.maps.world import lonlat
from gridgis.text import Lang

Bounds = tuple[float, float, float, float]

_PICTURE_PX: Final = 2000


def outer(layer: MapLayer, *, token: str, road: str) -> dict[str, Any]:
    """All the script needs of a layer but its place and data."""
    return {
        "name": layer.name, "title": layer.title, "token": token, "visible": layer.visible, "road": road,
        "style": look(layer.style), "legend": legend(layer.style, layer.title), "mark": mark(layer),
        "answers": bool(layer.popup), "labelled": layer.label is not None,
    }  # fmt: skip


def inline(layer: MapLayer, lang: Lang, *, token: str, shapes_limit: int, source: Source | None = None) -> dict[str, Any] | None:
    """A layer with its data: shapes up to a limit, else a picture; none for a layer without a place.

    Parameters
    ----------
    layer
        The layer.
    lang
        Language of its popups.
    token
        Names its content.
    shapes_limit
        More shapes than this are painted.
    source
        The layer opened, if it is already.
    """
    if isinstance(layer.data, LatticeValues):
        made = overlay(layer.data, layer.style)
        return {**outer(layer, token=token, road="image"), "bounds": made.bounds, "inline": data_url(made.png), "answers": False}
    if opening.count(layer) <= shapes_limit:
        held = source if isinstance(source, FrameSource) else opening.whole(layer)
        content = base64.b64encode(shapes(held, layer, lang)).decode()
        bounds = degrees(held.bounds)
        return None if bounds is None else {**outer(layer, token=token, road="folium"), "bounds": bounds, "inline": content}
    source = source or opening.stored(layer)
    box = source.bounds
    if box is None:
        return None
    wide, high = box[2] - box[0], box[3] - box[1]
    scale = _PICTURE_PX / max(wide, high)
    image = paint_source(source, box, (max(1, round(wide * scale)), max(1, round(high * scale))))
    spec = outer(layer, token=token, road="image")
    return {**spec, "bounds": degrees(box), "inline": data_url(png(image)), "answers": False}


def shapes(source: FrameSource, layer: MapLayer, lang: Lang) -> bytes:
    """A small layer in one piece, with its keys, labels and popups."""
    frame = source.frame
    extra: dict[str, object] = {"keys": [str(key) for key in frame.index]}
    if layer.label is not None and layer.label in frame.columns:
        extra["labels"] = ["" if is_nothing(value) else str(value) for value in frame[layer.label]]
    if layer.popup:
        extra["rows"] = rows_of(frame, layer.popup, lang)
    return whole(source, extra=extra)


def legend(style: Style, title: str) -> list[dict[str, str]]:
    """Legend lines of a style: text and colour each; one line where all rows look alike.

    >>> legend(Style(fill="#112233"), "Grids")
    [{'label': 'Grids', 'colour': '#112233'}]
    """
    if not style.classes:
        return [{"label": title, "colour": style.fill}]
    lines = [{"label": entry.label, "colour": entry.colour} for entry in style.classes]
    return [*lines, {"label": style.no_data, "colour": NO_DATA}] if style.no_data else lines


def look(style: Style) -> dict[str, Any]:
    """A style as the browser's script takes it."""
    return {
        "colours": list(style.colours), "noData": NO_DATA, "opacity": style.opacity, "line": style.line,
        "width": style.width, "radius": style.radius,
    }  # fmt: skip


def mark(layer: MapLayer) -> str:
    """What the legend draws: `area`, `line` or `point`."""
    if isinstance(layer.data, LatticeValues):
        return "area"
    if isinstance(layer.data, gpd.GeoDataFrame):
        first = layer.data.geometry.iloc[0] if len(layer.data) else None
        name = "" if first is None else first.geom_type
    else:
        name = {"line": "Line", "point": "Point"}.get(LAYERS[layer.data.layer].shape, "")
    return "line" if "Line" in name else "point" if "Point" in name else "area"


def degrees(box: Box | None) -> Bounds | None:
    """West, south, east, north in degrees of a world box."""
    if box is None:
        return None
    west, north = lonlat(box[0], box[1])
    east, south = lonlat(box[2], box[3])
    return west, south, east, north


def together(all_bounds: Sequence[Bounds]) -> Bounds | None:
    """The box around boxes; none for none.

    >>> together([(0, 0, 1, 1), (2, -1, 3, 0)]), together([])
    ((0, -1, 3, 1), None)
    """
    if not all_bounds:
        return None
    west, south, east, north = zip(*all_bounds, strict=True)
    return min(west), min(south), max(east), max(north)


def data_url(content: bytes) -> str:
    """A PNG as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(content).decode()
