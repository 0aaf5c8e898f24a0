"""Plans of redraw: the plans, their append-only entries, and where grids came from."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from gridgis.store import gpkg_schema
from gridgis.store.schema import Day, Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three tables; nothing that was there changes."""
    op.create_table(
        "plans",
        _fid(),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "state")),
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
    op.create_table(
        "plan_entries",
        _fid(),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("who", "why")),
        *(sa.Column(name, sa.Text()) for name in ("area", "op", "images")),
        sa.Column("target", sa.Integer()),
        sa.UniqueConstraint("plan", "seq", name="plan_entries_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "lineage",
        _fid(),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("code", "kind", "parent")),
        sa.Column("day", Day(), nullable=False),
        sa.Column("plan", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_index("lineage_code", "lineage", ["code"])
    op.create_index("lineage_parent", "lineage", ["parent"])
    if _is_geopackage():
        for name in ("plans", "plan_entries", "lineage"):
            gpkg_schema.register_attributes(op.get_bind().exec_driver_sql, name)
    for name in ("plan_entries", "lineage"):
        _protect(name, f"{name} is append-only")


def _fid() -> sa.Column[Any]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("fid", kind, sa.Identity(always=False), primary_key=True)


def _is_geopackage() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _protect(table: str, message: str) -> None:
    if _is_geopackage():
        for verb in ("UPDATE", "DELETE"):
            op.get_bind().exec_driver_sql(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"
    )
