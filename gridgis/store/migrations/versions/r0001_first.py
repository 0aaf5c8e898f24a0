"""The first schema: ten layers, the past of three of them, settings and the log; frozen, whatever the layers become."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from gridgis.store import gpkg_schema
from gridgis.store.schema import Day, Geometry, Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# layer: (geometry type, key, "column:kind …", keeps history)
_LAYERS: Final = {
    "areas": (
        "MULTIPOLYGON", "code", "code:t name:t level:t parent:t population:f households:f kind:t", True,
    ),
    "grids": (
        "MULTIPOLYGON", "code",
        "code:t name:t area_code:t station:t officer:t batch:t opened_on:d population:f households:f state:t", True,
    ),
    "stations": ("POINT", "code", "code:t name:t area_code:t opened_on:d batch:t", True),
    "unit_cells": (
        "MULTIPOLYGON", "code",
        "code:t area_m2:f area_code:t initial_time:i planar_m2:f end_time:i state:t note:t", False,
    ),
    "natural_villages": ("MULTIPOLYGON", "code", "code:t name:t buildings:n population:f area_code:t", False),
    "buildings": ("MULTIPOLYGON", "id", "id:t name:t kind:t households:f population:f", False),
    "roads": ("MULTILINESTRING", "id", "id:t name:t kind:t", False),
    "water": ("GEOMETRY", "id", "id:t name:t kind:t", False),
    "places": ("POINT", "id", "id:t name:t kind:t", False),
    "incidents": ("POINT", "id", "id:t occurred_at:i category:t source:t description:t", False),
}  # fmt: skip


def upgrade() -> None:
    """Create everything in an empty database."""
    _create_meta()
    for name, (shape, key, columns, history) in _LAYERS.items():
        _create_layer(name, shape, columns, history, [key], key)
        if history:
            _create_layer(f"{name}_past", shape, columns, history, [key, "version"], key)
    op.create_index("unit_cells_area_code", "unit_cells", ["area_code"])
    op.create_index("incidents_occurred_at", "incidents", ["occurred_at"])
    _protect_log()


def _kind(letter: str) -> Any:
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return {"t": sa.Text(), "f": sa.Double(), "n": whole, "d": Day(), "i": Instant()}[letter]


def _fid() -> sa.Column[Any]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("fid", kind, sa.Identity(always=False), primary_key=True)


def _is_geopackage() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _create_layer(name: str, shape: str, columns: str, history: bool, unique: list[str], key: str) -> None:
    made: list[sa.Column[Any]] = [_fid(), sa.Column("geom", Geometry(shape))]
    for pair in columns.split():
        column, letter = pair.split(":")
        made.append(sa.Column(column, _kind(letter), nullable=column != key))
    if history:
        made += [sa.Column("valid_from", Day()), sa.Column("valid_to", Day())]
        made.append(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    made.append(sa.Column("extra", sa.Text()))
    op.create_table(name, *made, sa.UniqueConstraint(*unique, name=f"{name}_key"), sqlite_autoincrement=True)
    if _is_geopackage():
        gpkg_schema.register_layer(op.get_bind().exec_driver_sql, name, shape)
    else:
        op.execute(f'CREATE INDEX "{name}_geom" ON "{name}" USING gist (geom)')


def _create_meta() -> None:
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "workspace",
        _fid(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("crs", sa.Text()),
        sa.Column("srs_id", sa.Integer(), nullable=False),
        sa.Column("synthetic", sa.Integer(), nullable=False),
        sa.Column("revision", whole, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "settings",
        _fid(),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.UniqueConstraint("key", name="settings_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "change_log",
        _fid(),
        sa.Column("revision", whole, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("who", "why", "layer")),
        sa.Column("key", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("before", sa.Text()),
        sa.Column("after", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_index("change_log_layer_key", "change_log", ["layer", "key"])
    if _is_geopackage():
        for name in ("workspace", "settings", "change_log"):
            gpkg_schema.register_attributes(op.get_bind().exec_driver_sql, name)


def _protect_log() -> None:
    message = "the change log is append-only"
    if _is_geopackage():
        for verb in ("UPDATE", "DELETE"):
            op.get_bind().exec_driver_sql(
                f"CREATE TRIGGER change_log_no_{verb.lower()} BEFORE {verb} ON change_log "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION change_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER change_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON change_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION change_log_refuse()"
    )
