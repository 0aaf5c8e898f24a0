"""What the map says about a place: the lines of a popup, as plain values the browser shows as text."""

from __future__ import annotations

from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.maps.compact import rings
from gridgis.maps.layer import LatticeValues
from gridgis.maps.popup import rows_of
from gridgis.maps.tiles import TILE_PX
from gridgis.maps.world import World, lonlat, uv
from gridgis.web.cache import Published

_REACH_PX: Final = 6.0
_OUTLINE_POINTS: Final = 4_000


def identify(layer: Published, lon: float, lat: float, zoom: float) -> dict[str, object] | None:
    """What lies at a place, topmost first; none where the layer has nothing.

    Parameters
    ----------
    layer
        A published layer.
    lon, lat
        Degrees.
    zoom
        The map's zoom: points and lines answer within six pixels.

    Returns
    -------
    dict or None
        `key`; `rows`, pairs of heading and value in the layer's language; `outline`, rings of [lon, lat].
    """
    if layer.source is None:
        return _value_at(layer, lon, lat)
    u, v = uv(lon, lat)
    reach = _REACH_PX / (TILE_PX / 2 * 2.0**zoom)
    found = layer.source.at(u, v, reach)
    if len(found) == 0:
        return None
    top = found.iloc[[-1]]
    return {
        "key": str(top.index[0]),
        "rows": rows_of(top, layer.layer.popup, layer.lang)[0],
        "outline": outline(top, reach),
    }


def outline(row: gpd.GeoDataFrame, tolerance: float) -> list[list[list[float]]]:
    """The border of one shape as rings of [lon, lat], thinned to what a screen shows; empty for points."""
    world = World.of(row.crs)
    geometry = np.asarray(row.geometry.array, dtype=object)
    if shapely.get_dimensions(geometry[0]) < 1:
        return []
    flat = rings(geometry, world)
    if len(flat.u) > _OUTLINE_POINTS:
        x0, y0, x1, y1 = shapely.bounds(geometry[0])
        slack = max(x1 - x0, y1 - y0) / _OUTLINE_POINTS
        flat = rings(shapely.simplify(geometry, slack), world)
    points = [list(lonlat(float(u), float(v))) for u, v in zip(flat.u, flat.v, strict=True)]
    return [
        [[round(lon, 7), round(lat, 7)] for lon, lat in points[a:b]] for a, b in zip(flat.start[:-1], flat.start[1:], strict=True)
    ]


def _said(number: float, layer: Published) -> float | str:
    """A value of a lattice: what the legend calls it where values are categories, else the number."""
    style = layer.layer.style
    labels = {entry.value: entry.label for entry in style.classes} if style.kind == "values" else {}
    return labels.get(number, number)


def _value_at(layer: Published, lon: float, lat: float) -> dict[str, object] | None:
    data = layer.layer.data
    if not isinstance(data, LatticeValues):
        return None
    u, v = uv(lon, lat)
    x, y = World.of(data.lattice.crs).backward(np.array([u]), np.array([v]))
    row, column = data.lattice.cell_at(x, y)
    if row[0] < 0 or np.isnan(data.numbers[row[0], column[0]]):
        return None
    said = pd.DataFrame({field.column: [_said(float(data.numbers[row[0], column[0]]), layer)] for field in layer.layer.popup})
    west, south, east, north = data.lattice.bounds(row, column)[0]
    square = gpd.GeoDataFrame(geometry=[shapely.box(west, south, east, north)], crs=data.lattice.crs)
    return {
        "key": f"{int(row[0])},{int(column[0])}",
        "rows": rows_of(said, layer.layer.popup, layer.lang)[0],
        "outline": outline(square, 0.0),
    }
