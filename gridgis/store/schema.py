"""The tables of a workspace, made once from the table of layers for both stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from gridgis.layers import LAYERS, Kind, Layer, Shape

GEOMETRY_TYPES: Final[Mapping[Shape, str]] = {
    "polygon": "MULTIPOLYGON",
    "line": "MULTILINESTRING",
    "point": "POINT",
    "any": "GEOMETRY",
}
HISTORY_COLUMNS: Final = ("valid_from", "valid_to", "version")
# names of the store's own columns: a frame's column of that name is never taken for an extra one
RESERVED: Final = frozenset({"fid", "geom", "geometry", "extra", *HISTORY_COLUMNS})


class Geometry(sa.types.UserDefinedType[Any]):
    """A geometry column; values pass as the store writes them (GeoPackage blob, EWKB)."""

    cache_ok = True

    def __init__(self, shape: str = "GEOMETRY") -> None:
        self.shape = shape

    def get_col_spec(self, **_: Any) -> str:
        return self.shape


class Day(sa.types.UserDefinedType[Any]):
    """A date without time of day; ISO text in a GeoPackage."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "DATE"


class Instant(sa.types.UserDefinedType[Any]):
    """A moment in UTC, to the millisecond; ISO text ending in Z in a GeoPackage."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "DATETIME"


@compiles(Geometry, "postgresql")
def _geometry_postgis(*_: Any, **__: Any) -> str:
    return "geometry"


@compiles(Instant, "postgresql")
def _instant_postgis(*_: Any, **__: Any) -> str:
    return "TIMESTAMP WITH TIME ZONE"


def column_type(kind: Kind) -> sa.types.TypeEngine[Any]:
    """The column type of a kind of value.

    >>> str(column_type("float"))
    'DOUBLE'
    """
    match kind:
        case "code" | "text":
            return sa.Text()
        case "int":
            return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
        case "float":
            return sa.Double()
        case "date":
            return Day()
        case "time":
            return Instant()


def row_id() -> sa.Column[Any]:
    """The row number GeoPackage demands; no meaning outside the store."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("fid", kind, sa.Identity(always=False), primary_key=True)


def past_name(layer: str) -> str:
    """The table of a layer's past rows.

    >>> past_name("grids")
    'grids_past'
    """
    return f"{layer}_past"


def _layer_table(layer: Layer, metadata: sa.MetaData, *, past: bool) -> sa.Table:
    name = past_name(layer.name) if past else layer.name
    columns: list[sa.Column[Any]] = [row_id(), sa.Column("geom", Geometry(GEOMETRY_TYPES[layer.shape]))]
    for column in layer.columns:
        is_key = column.name == layer.key
        columns.append(sa.Column(column.name, column_type(column.kind), nullable=not is_key))
    if layer.history:
        columns += [sa.Column("valid_from", Day()), sa.Column("valid_to", Day())]
        columns.append(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    columns.append(sa.Column("extra", sa.Text()))
    keys = [layer.key, "version"] if past else [layer.key]
    return sa.Table(name, metadata, *columns, sa.UniqueConstraint(*keys, name=f"{name}_key"), sqlite_autoincrement=True)


METADATA: Final = sa.MetaData()
# columns by which large layers are asked for in part
_INDEXED: Final = (("unit_cells", "area_code"), ("incidents", "occurred_at"))

WORKSPACE: Final = sa.Table(
    "workspace",
    METADATA,
    row_id(),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("crs", sa.Text()),
    sa.Column("srs_id", sa.Integer(), nullable=False),
    sa.Column("synthetic", sa.Integer(), nullable=False),
    sa.Column("revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
    sqlite_autoincrement=True,
)
SETTINGS: Final = sa.Table(
    "settings",
    METADATA,
    row_id(),
    sa.Column("key", sa.Text(), nullable=False),
    sa.Column("value", sa.Text(), nullable=False),
    sa.UniqueConstraint("key", name="settings_key"),
    sqlite_autoincrement=True,
)
LOG: Final = sa.Table(
    "change_log",
    METADATA,
    row_id(),
    sa.Column("revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
    sa.Column("at", Instant(), nullable=False),
    sa.Column("who", sa.Text(), nullable=False),
    sa.Column("why", sa.Text(), nullable=False),
    sa.Column("layer", sa.Text(), nullable=False),
    sa.Column("key", sa.Text()),
    sa.Column("action", sa.Text(), nullable=False),
    sa.Column("before", sa.Text()),
    sa.Column("after", sa.Text()),
    sa.Index("change_log_layer_key", "layer", "key"),
    sqlite_autoincrement=True,
)
PLANS: Final = sa.Table(
    "plans",
    METADATA,
    row_id(),
    sa.Column("name", sa.Text(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("rev", sa.Integer(), nullable=False),
    sa.Column("note", sa.Text(), nullable=False),
    sa.Column("created_at", Instant(), nullable=False),
    sa.Column("created_by", sa.Text(), nullable=False),
    sa.Column("published_on", Day()),
    sa.Column("published_at", Instant()),
    sa.Column("published_by", sa.Text()),
    sa.UniqueConstraint("name", name="plans_key"),
    sqlite_autoincrement=True,
)
PLAN_ENTRIES: Final = sa.Table(
    "plan_entries",
    METADATA,
    row_id(),
    sa.Column("plan", sa.Text(), nullable=False),
    sa.Column("seq", sa.Integer(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("at", Instant(), nullable=False),
    sa.Column("who", sa.Text(), nullable=False),
    sa.Column("why", sa.Text(), nullable=False),
    sa.Column("area", sa.Text()),
    sa.Column("op", sa.Text()),
    sa.Column("images", sa.Text()),
    sa.Column("target", sa.Integer()),
    # also the index by which the tail of a plan is read
    sa.UniqueConstraint("plan", "seq", name="plan_entries_key"),
    sqlite_autoincrement=True,
)
LINEAGE: Final = sa.Table(
    "lineage",
    METADATA,
    row_id(),
    sa.Column("code", sa.Text(), nullable=False),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("parent", sa.Text(), nullable=False),
    # the day it took effect; "on" is a word of SQL
    sa.Column("day", Day(), nullable=False),
    sa.Column("plan", sa.Text()),
    sa.Index("lineage_code", "code"),
    sa.Index("lineage_parent", "parent"),
    sqlite_autoincrement=True,
)

LATEST: Final[Mapping[str, sa.Table]] = {name: _layer_table(layer, METADATA, past=False) for name, layer in LAYERS.items()}
PAST: Final[Mapping[str, sa.Table]] = {
    name: _layer_table(layer, METADATA, past=True) for name, layer in LAYERS.items() if layer.history
}
for _table, _column in _INDEXED:
    sa.Index(f"{_table}_{_column}", LATEST[_table].c[_column])
