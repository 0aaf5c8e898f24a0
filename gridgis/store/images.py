"""Row images, the form in which log and plans keep rows, and the same rows as a frame again, bit for bit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from gridgis.layers import Kind
from gridgis.store.log import row_image
from gridgis.store.reading import kinds_of, layer_named
from gridgis.store.values import column_series, instant_value

Image = dict[str, Any]
"""A row as plain values without the missing ones; geometry as hexadecimal WKB. JSON keeps every bit of it."""
Images = Mapping[str, Image | None]
"""Rows by key; None where a row is gone."""


def images_of(frame: pd.DataFrame, *, layer: str = "grids") -> dict[str, Image]:
    """The image of every row of a frame as `Workspace.read` gives it, by key.

    >>> from gridgis import toy
    >>> images = images_of(toy.grids())
    >>> images["G1"]["officer"], images["G1"]["geometry"][:10]
    ('Li', '0103000000')
    """
    key = layer_named(layer).key
    keys = frame[key] if key in frame.columns else frame.index
    names = [str(name) for name in frame.columns]
    columns = [frame[name].astype(object).tolist() for name in frame.columns]
    rows = zip(*columns, strict=True) if columns else (() for _ in range(len(frame)))
    return {
        str(code): row_image({key: str(code)} | dict(zip(names, row, strict=True))) for code, row in zip(keys, rows, strict=True)
    }


def rows_of(images: Images, *, crs: pyproj.CRS | None, layer: str = "grids") -> gpd.GeoDataFrame:
    """Images as a frame in the order given, indexed by key, with the columns `Workspace.read` has; gone rows are left out.

    >>> from gridgis import toy
    >>> rows = rows_of(images_of(toy.grids()), crs=toy.CRS)
    >>> bool((rows.geometry == toy.grids().geometry).all()), rows["officer"].tolist()
    (True, ['Li', 'Wang', 'Zhao'])
    """
    key = layer_named(layer).key
    kinds = kinds_of(layer_named(layer))
    there = [(code, image) for code, image in images.items() if image is not None]
    index = pd.Index(pd.Series([code for code, _ in there], dtype="str"), name=key)
    series = {
        name: column_series(kind, [_value(kind, image.get(name)) for _, image in there])
        for name, kind in kinds.items()
        if name != key
    }
    extra = dict.fromkeys(name for _, image in there for name in image if name not in kinds and name != "geometry")
    series |= {name: pd.Series([image.get(name) for _, image in there]) for name in extra}
    frame = pd.DataFrame(series, index=pd.RangeIndex(len(index)))
    frame.index = index
    wkb = np.empty(len(there), dtype=object)
    wkb[:] = [image.get("geometry") for _, image in there]
    frame["geometry"] = gpd.GeoSeries(shapely.from_wkb(wkb), index=index, crs=crs)
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=crs)


def _value(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case "date":
            return dt.date.fromisoformat(value)
        case "time":
            return instant_value(value)
        case _:
            return value
