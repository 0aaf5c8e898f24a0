"""Reading layers: statements by date, box and values, and their rows as a frame."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely
import sqlalchemy as sa

from gridgis.errors import DataError, WorkspaceError
from gridgis.layers import LAYERS, Kind, Layer
from gridgis.store import migrations
from gridgis.store.backend import Backend, Bounds, UnreadableGeometry, WorkspaceInfo
from gridgis.store.schema import LATEST, PAST, WORKSPACE
from gridgis.store.values import column_series

Where = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """What the `workspace` table said when a transaction began."""

    info: WorkspaceInfo
    """The public part."""
    srs_id: int
    """The number of the workspace's system in the store."""
    revision: int
    """Number of the last committed write."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows and columns of a layer to read."""

    layer: Layer
    """The layer."""
    as_of: dt.date | None = None
    """The day the rows are valid on; None for the latest rows."""
    bbox: Bounds | None = None
    """The box the rows' own boxes meet (west, south, east, north in the workspace's system)."""
    columns: Sequence[str] | None = None
    """Columns wanted beside key and geometry; None for all."""
    where: Where = field(default_factory=dict)
    """Value, or list of values, by column."""
    geometry: bool = True
    """Whether to read geometry."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of the rows a query names."""

    columns: Mapping[str, Sequence[Any]]
    """Python values by column, the key among them."""
    shapes: npt.NDArray[Any]
    """Geometry of the rows, None where a row has none; empty if the query wants no geometry."""
    extra: Sequence[str | None]
    """The extra columns' JSON."""


def layer_named(name: str) -> Layer:
    """The layer of that name; `DataError` if there is none.

    >>> layer_named("grids").key
    'code'
    """
    if name not in LAYERS:
        raise DataError("store.unknown_layer", layer=name, layers=", ".join(LAYERS))
    return LAYERS[name]


def kinds_of(layer: Layer) -> dict[str, Kind]:
    """Kind of every column of a layer's table, history columns included, in the order frames show them."""
    kinds: dict[str, Kind] = {column.name: column.kind for column in layer.columns}
    if layer.history:
        kinds |= {"valid_from": "date", "valid_to": "date", "version": "int"}
    return kinds


def load_state(backend: Backend, connection: sa.Connection) -> State:
    """The workspace's own row."""
    row = connection.execute(sa.select(WORKSPACE)).mappings().first()
    if row is None:
        raise WorkspaceError("store.not_gridgis", place=backend.label)
    crs = _parse_crs(row["crs"]) if row["crs"] else None
    info = WorkspaceInfo(backend.label, backend.kind, row["name"], crs, bool(row["synthetic"]), int(migrations.HEAD))
    return State(info, int(row["srs_id"]), int(row["revision"]))


def read_frame(backend: Backend, connection: sa.Connection, state: State, query: Query) -> gpd.GeoDataFrame:
    """The rows a query names, indexed by key."""
    kinds = kinds_of(query.layer)
    parts: dict[str, list[pd.Series[Any]]] = {name: [] for name in _table_columns(query, kinds)}
    shapes, extra = [np.empty(0, dtype=object)], []
    # typed piece by piece: millions of Python values at once would keep the garbage collector busier than the reading
    for piece in pieces(backend, connection, state, query):
        for name, values in piece.columns.items():
            parts[name].append(column_series(kinds[name], values))
        shapes.append(piece.shapes)
        extra.append(piece.extra)
    columns = {name: _joined(found, kinds[name]) for name, found in parts.items()}
    return _assemble(query, columns, np.concatenate(shapes), extra, state.info.crs)


def pieces(backend: Backend, connection: sa.Connection, state: State, query: Query) -> Iterator[Piece]:
    """The rows a query names as Python values, some thousands at a time."""
    kinds = kinds_of(query.layer)
    names = _table_columns(query, kinds)
    for table in _tables(query):
        selected: list[sa.ColumnElement[Any]] = [*(table.c[name] for name in names), table.c.extra]
        if query.geometry:
            selected.append(backend.geometry_column(table))
        statement = sa.select(*selected).where(*conditions(backend, state, query, table)).order_by(table.c.fid)
        for rows in backend.stream(connection, statement):
            values: list[Sequence[Any]] = list(zip(*rows, strict=True))
            shapes = _shapes(backend, query, names, values) if query.geometry else np.empty(0, dtype=object)
            if query.bbox is not None:
                keep = _meets(shapes, query.bbox)
                shapes, values = shapes[keep], [list(compress(part, keep.tolist())) for part in values]
            columns = {name: backend.decode(kinds[name], part) for name, part in zip(names, values, strict=False)}
            yield Piece(columns, shapes, values[len(names)])


def _shapes(
    backend: Backend, query: Query, names: Sequence[str], values: Sequence[Sequence[Any]]
) -> npt.NDArray[Any]:  # fmt: skip
    try:
        return backend.decode_geometry(values[-1])
    except UnreadableGeometry as error:
        row = values[names.index(query.layer.key)][error.at]
        raise WorkspaceError("store.bad_geometry", place=backend.label, layer=query.layer.name, key=row) from error


def conditions(backend: Backend, state: State, query: Query, table: sa.Table) -> list[sa.ColumnElement[bool]]:
    """What rows of a table have to fulfil."""
    found: list[sa.ColumnElement[bool]] = []
    kinds = kinds_of(query.layer)
    for name, wanted in query.where.items():
        if name not in kinds:
            raise DataError("store.unknown_column", layer=query.layer.name, column=name, columns=", ".join(kinds))
        values = (
            list(wanted) if isinstance(wanted, list | tuple | set | frozenset | np.ndarray | pd.Series | pd.Index) else [wanted]
        )
        present = [value.item() if isinstance(value, np.generic) else value for value in values if not _missing(value)]
        clause = backend.member(table.c[name], backend.encode(kinds[name], present)) if present else sa.false()
        found.append(clause if len(present) == len(values) else sa.or_(clause, table.c[name].is_(None)))
    if query.as_of is not None and query.layer.history:
        (day,) = backend.encode("date", [query.as_of])
        found.append(sa.or_(table.c.valid_from.is_(None), table.c.valid_from <= day))
        found.append(sa.or_(table.c.valid_to.is_(None), table.c.valid_to > day))
    if query.bbox is not None:
        found.append(backend.in_box(table, query.bbox, srs_id=state.srs_id))
    return found


def count_rows(backend: Backend, connection: sa.Connection, state: State, query: Query) -> int:
    """How many rows a query names."""
    total = 0
    for table in _tables(query):
        statement = sa.select(sa.func.count()).select_from(table).where(*conditions(backend, state, query, table))
        total += int(connection.execute(statement).scalar_one())
    return total


def _tables(query: Query) -> list[sa.Table]:
    tables = [LATEST[query.layer.name]]
    if query.as_of is not None and query.layer.history:
        tables.append(PAST[query.layer.name])
    return tables


def _table_columns(query: Query, kinds: Mapping[str, Kind]) -> list[str]:
    if query.columns is None:
        return list(kinds)
    return [query.layer.key, *(name for name in kinds if name in query.columns and name != query.layer.key)]


def _assemble(
    query: Query,
    columns: dict[str, pd.Series[Any]],
    geometry: npt.NDArray[Any],
    extra: Sequence[Sequence[str | None]],
    crs: pyproj.CRS | None,
) -> gpd.GeoDataFrame:
    key = query.layer.key
    index = pd.Index(columns.pop(key), name=key)
    known = set(kinds_of(query.layer))
    series = columns | _extra_series(query, extra, known)
    if query.columns is not None:
        series = {name: series[name] for name in query.columns if name in series}
    frame = pd.DataFrame(series, index=pd.RangeIndex(len(index)))
    frame.index = index
    if not query.geometry:
        return gpd.GeoDataFrame(frame)
    frame["geometry"] = gpd.GeoSeries(geometry, index=index, crs=crs)
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=crs)


def _joined(parts: list[pd.Series[Any]], kind: Kind) -> pd.Series[Any]:
    return pd.concat(parts, ignore_index=True) if parts else column_series(kind, [])


def _extra_series(query: Query, pieces: Sequence[Sequence[str | None]], known: set[str]) -> dict[str, pd.Series[Any]]:
    has_any = any(any(texts) for texts in pieces)
    rows = [json.loads(text) if text else {} for texts in pieces for text in texts] if has_any else []
    names = list(dict.fromkeys(name for row in rows for name in row))
    if query.columns is not None:
        wanted = [name for name in query.columns if name not in known and name != "geometry"]
        unknown = [name for name in wanted if name not in names]
        if unknown and any(pieces):
            there = ", ".join([*sorted(known), *names])
            raise DataError("store.unknown_column", layer=query.layer.name, column=unknown[0], columns=there)
        names = [name for name in wanted if name in names]
    return {name: pd.Series([row.get(name) for row in rows]) for name in names}


def _meets(shapes: npt.NDArray[Any], box: Bounds) -> npt.NDArray[np.bool_]:
    west, south, east, north = box
    low_x, low_y, high_x, high_y = shapely.bounds(shapes).T
    meets: npt.NDArray[np.bool_] = (high_x >= west) & (low_x <= east) & (high_y >= south) & (low_y <= north)
    return meets


def _missing(value: object) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or value != value


def crs_text(crs: pyproj.CRS) -> str:
    """A system as the workspace keeps it: its authority's code where that is the same system, else WKT.

    >>> crs_text(pyproj.CRS(4547))
    'EPSG:4547'
    """
    authority = crs.to_authority(min_confidence=100)
    if authority is not None:
        code = ":".join(authority)
        if pyproj.CRS.from_user_input(code) == crs:
            return code
    return crs.to_wkt()


@lru_cache(maxsize=64)
def _parse_crs(text: str) -> pyproj.CRS:
    return pyproj.CRS.from_user_input(text)
