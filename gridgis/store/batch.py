"""A frame taken apart for writing: keys, columns, geometry and extra columns, all checked."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from gridgis.crs import crs_name
from gridgis.errors import CrsError, DataError
from gridgis.layers import Column, Layer, Shape
from gridgis.store.schema import RESERVED
from gridgis.store.values import column_values, plain

Record = dict[str, Any]
"""One row as Python values by column name, with `geometry` (a shape or None) and `extra` (a dict)."""

_VALID_FROM: Final = Column("valid_from", "date")
_VALID_TO: Final = Column("valid_to", "date")
_VERSION: Final = Column("version", "int")
_KINDS: Final[dict[Shape, frozenset[int]]] = {
    "polygon": frozenset({3, 6}),
    "line": frozenset({1, 2, 5}),
    "point": frozenset({0, 4}),
    "any": frozenset(range(8)),
}
_MULTI: Final = frozenset({4, 5, 6})


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of a frame, ready to be written to a layer."""

    layer: Layer
    """The layer the rows are for."""
    keys: list[str]
    """Identity of every row, unique."""
    columns: dict[str, list[Any]]
    """Values by column, for the columns the frame has (the key always)."""
    geometry: npt.NDArray[Any] | None
    """Two-dimensional shapes, None where a row has none; None as a whole if the frame has no geometry column."""
    extra: list[dict[str, Any]] | None
    """Values of columns the layer does not have, missing ones left out; None if there is no such column."""

    def record(self, row: int) -> Record:
        """One row, with the columns the frame has."""
        record: Record = {name: values[row] for name, values in self.columns.items()}
        if self.geometry is not None:
            record["geometry"] = self.geometry[row]
        if self.extra is not None:
            record["extra"] = self.extra[row]
        return record

    def extra_texts(self) -> list[str | None]:
        """The extra columns as JSON, one text a row, None where there is nothing."""
        if self.extra is None:
            return [None] * len(self.keys)
        return [extra_text(values) for values in self.extra]


def extra_text(values: dict[str, Any]) -> str | None:
    """Extra columns as JSON; None for none.

    >>> extra_text({"b": 1, "a": "网"}), extra_text({})
    ('{"a": "网", "b": 1}', None)
    """
    return json.dumps(values, ensure_ascii=False, sort_keys=True) if values else None


def read_batch(layer: Layer, frame: pd.DataFrame, crs: pyproj.CRS | None) -> Batch:
    """A frame as rows of a layer, refused as a whole if one row breaks a rule.

    The key is the column of that name, else the index. A frame without geometry column says nothing of geometry.

    Raises
    ------
    CrsError
        If the frame has geometry in another system than the workspace.
    DataError
        For a missing or doubled key, a value of the wrong kind, or a shape the layer does not take.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.layers import LAYERS
    >>> read_batch(LAYERS["stations"], toy.stations(), pyproj.CRS(4547)).record(1)["name"]
    'East station'
    """
    keys = _keys(layer, frame)
    known = [*layer.columns, *((_VALID_FROM, _VALID_TO, _VERSION) if layer.history else ())]
    columns: dict[str, list[Any]] = {layer.key: keys}
    for column in known:
        if column.name != layer.key and column.name in frame.columns:
            columns[column.name] = column_values(layer.name, column, frame[column.name], keys)
    geometry = _geometry(layer, frame, keys, crs)
    shape_columns = {name for name in frame.columns if isinstance(frame[name].dtype, gpd.array.GeometryDtype)}
    ours = {column.name for column in known} | RESERVED | shape_columns
    return Batch(layer, keys, columns, geometry, _extra(frame, [name for name in frame.columns if name not in ours]))


def _keys(layer: Layer, frame: pd.DataFrame) -> list[str]:
    if layer.key in frame.columns:
        source: pd.Series[Any] = frame[layer.key]
    elif frame.index.name in (layer.key, None):
        source = frame.index.to_series()
    else:
        raise DataError("store.no_key", layer=layer.name, key=layer.key, index=frame.index.name)
    missing = source.isna().to_numpy()
    if missing.any():
        raise DataError("store.key_missing", layer=layer.name, key=layer.key, row=int(missing.argmax()) + 1)
    keys = [value if type(value) is str else str(value) for value in source.tolist()]
    if len(set(keys)) < len(keys):
        doubled = pd.Series(keys, dtype="str")
        key = str(doubled[doubled.duplicated()].iloc[0])
        raise DataError("store.key_doubled", layer=layer.name, key=key)
    return keys


def _geometry(layer: Layer, frame: pd.DataFrame, keys: Sequence[str], crs: pyproj.CRS | None) -> npt.NDArray[Any] | None:
    if not isinstance(frame, gpd.GeoDataFrame) or frame._geometry_column_name not in set(frame.columns):
        return None
    shapes: npt.NDArray[Any] = np.asarray(frame.geometry.array, dtype=object)
    present = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    if layer.geometry_required and not present.all():
        raise DataError("store.no_geometry", layer=layer.name, key=keys[int(present.argmin())])
    if present.any():
        _check_crs(layer, frame, crs)
    elif not len(shapes):
        return shapes
    shapes = shapes.copy()
    shapes[~present] = None
    if shapely.has_z(shapes).any():
        shapes = shapely.force_2d(shapes)
    kinds = shapely.get_type_id(shapes)
    fits = np.isin(kinds, list(_KINDS[layer.shape])) | ~present
    if not fits.all():
        row = int(fits.argmin())
        kind = shapes[row].geom_type
        raise DataError("store.wrong_shape", layer=layer.name, key=keys[row], shape=kind, wanted=layer.shape)
    # a collection of one is its part: both stores then give back the same
    single = np.isin(kinds, list(_MULTI)) & (shapely.get_num_geometries(shapes) == 1)
    if single.any():
        shapes[single] = shapely.get_geometry(shapes[single], 0)
    return shapes


def _check_crs(layer: Layer, frame: gpd.GeoDataFrame, crs: pyproj.CRS | None) -> None:
    if frame.crs is None:
        raise CrsError("crs.missing", layer=layer.name)
    if crs is None:
        raise CrsError("store.crs_unset", layer=layer.name)
    if frame.crs != crs and not frame.crs.equals(crs, ignore_axis_order=True):
        raise CrsError("store.crs_differs", layer=layer.name, crs=crs_name(frame.crs), workspace=crs_name(crs))


def _extra(frame: pd.DataFrame, names: list[Hashable]) -> list[dict[str, Any]] | None:
    if not names:
        return None
    rows: list[dict[str, Any]] = [{} for _ in range(len(frame))]
    for name in names:
        for row, value in zip(rows, frame[name].tolist(), strict=True):
            kept = plain(value)
            if kept is not None:
                row[str(name)] = kept
    return rows
