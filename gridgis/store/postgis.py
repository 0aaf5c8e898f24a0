"""The server store: a schema of its own in a PostgreSQL database with PostGIS, reached through psycopg.

Readers see one state (`REPEATABLE READ`) and never wait; the one writer holds an advisory lock of the schema until its
transaction ends. Migrations run in one transaction after the tables were copied to a schema beside; a dump before an
upgrade is still the better backup.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg
import pyproj
import shapely
import sqlalchemy as sa
from pyproj.enums import WktVersion
from pyproj.exceptions import CRSError as ProjError
from sqlalchemy.dialects.postgresql import ARRAY

from gridgis.crs import crs_name
from gridgis.errors import ConflictError, CrsError, WorkspaceError
from gridgis.layers import Kind, Layer
from gridgis.progress import Progress
from gridgis.store.backend import READ_CHUNK, Backend, Bounds, Rows, StoreKind, commit_or_rollback
from gridgis.store.schema import LATEST, METADATA, PAST

_SCHEMA: Final = "gridgis"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}")
_WAIT_S: Final = 5.0
_ANALYZE_FROM: Final = 10_000
# PostGIS leaves the numbers up to 998999 to users; ours start high, clear of those that tools hand out from below.
_FIRST_CUSTOM_SRID: Final = 990_000
# a row of five 8-byte values in PostgreSQL's binary COPY: their count, then the length and bytes of each
_BOX_ROW: Final = np.dtype(
    [
        ("fields", ">i2"),
        *(
            part
            for name in ("fid", "x0", "y0", "x1", "y1")
            for part in ((f"{name}_bytes", ">i4"), (name, ">i8" if name == "fid" else ">f8"))
        ),
    ]
)


class PostGIS(Backend):
    """An open PostGIS workspace."""

    kind: StoreKind = "postgis"

    def __init__(self, url: str) -> None:
        self.url, self.schema = parse_url(url)
        options = f'-c search_path="{self.schema}",public -c application_name=gridgis -c timezone=UTC'
        self.engine = sa.create_engine(
            self.url,
            pool_size=4,
            max_overflow=16,
            pool_pre_ping=True,
            # server-side prepared statements outlive a change of the tables' types
            connect_args={"options": options, "prepare_threshold": None, "connect_timeout": 10},
        )

    @property
    def label(self) -> str:
        return _shown(self.url, self.schema)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        with self._told(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def writing(self, wait_s: float) -> Iterator[sa.Connection]:
        with self._told(wait_s), self.engine.connect() as connection, commit_or_rollback(connection):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, int(wait_s * 1000))}")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"gridgis.{self.schema}", 0))))
            yield connection

    @contextmanager
    def _told(self, wait_s: float = _WAIT_S) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise ConflictError("store.busy", place=self.label, seconds=f"{wait_s:g}") from error
            key = "store.no_server" if error.connection_invalidated or _is_connecting(error) else "store.failed"
            raise WorkspaceError(key, place=self.label, reason=self._reason(error.orig)) from error
        except psycopg.Error as error:  # raised by COPY, outside SQLAlchemy
            raise WorkspaceError("store.failed", place=self.label, reason=self._reason(error)) from error

    def _reason(self, error: BaseException | None) -> str:
        reason = " ".join(str(error).split())
        return reason.replace(str(self.url.password), "***") if self.url.password else reason

    # values

    def encode(self, kind: Kind, values: Sequence[Any]) -> Sequence[Any]:
        return values

    def decode(self, kind: Kind, values: Sequence[Any]) -> Sequence[Any]:
        return values

    def encode_geometry(
        self, layer: Layer, shapes: npt.NDArray[Any], *, srs_id: int
    ) -> tuple[Sequence[Any], npt.NDArray[Any] | None]:
        numbered = shapely.set_srid(shapes, max(srs_id, 0))
        wkb: list[Any] = shapely.to_wkb(numbered, hex=True, output_dimension=2, byte_order=1, include_srid=True).tolist()
        return wkb, None

    def decode_geometry(self, values: Sequence[Any]) -> npt.NDArray[Any]:
        wkb: npt.NDArray[Any] = np.empty(len(values), dtype=object)
        wkb[:] = values
        return np.asarray(shapely.from_wkb(wkb), dtype=object)

    def geometry_column(self, table: sa.Table) -> sa.ColumnElement[Any]:
        return sa.func.ST_AsBinary(table.c.geom, type_=sa.LargeBinary())

    # questions

    def in_box(self, table: sa.Table, box: Bounds, *, srs_id: int) -> sa.ColumnElement[bool]:
        return table.c.geom.op("&&", is_comparison=True)(sa.func.ST_MakeEnvelope(*box, max(srs_id, 0)))

    def member(self, column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
        return column == sa.any_(sa.literal(list(values), ARRAY(column.type)))

    def stream(self, connection: sa.Connection, statement: sa.Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
        options = {"stream_results": True, "max_row_buffer": READ_CHUNK}
        yield from connection.execute(statement, execution_options=options).partitions(READ_CHUNK)

    def boxes(self, connection: sa.Connection, table: sa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        raw = connection.connection.driver_connection
        if not isinstance(raw, psycopg.Connection):
            raise TypeError(type(raw))
        sides = ", ".join(f"ST_{side}(geom)" for side in ("XMin", "YMin", "XMax", "YMax"))
        rows = f'SELECT fid::int8, {sides} FROM "{table.name}" WHERE NOT ST_IsEmpty(geom) ORDER BY fid'
        with raw.cursor() as cursor, cursor.copy(f"COPY ({rows}) TO STDOUT (FORMAT binary)") as copy:
            sent = b"".join(copy)
        # a head of 19 bytes, rows of one width, an end of 2: numpy reads what would be millions of Python numbers
        found = np.frombuffer(sent, dtype=_BOX_ROW, count=(len(sent) - 21) // _BOX_ROW.itemsize, offset=19)
        boxes = np.stack([found[side] for side in ("x0", "y0", "x1", "y1")], axis=1).astype(np.float64)
        return found["fid"].astype(np.int64), boxes

    def bounds(self, connection: sa.Connection, table: sa.Table) -> Bounds | None:
        extent = sa.select(sa.func.ST_Extent(table.c.geom).label("e")).subquery()
        sides = (sa.func.ST_XMin, sa.func.ST_YMin, sa.func.ST_XMax, sa.func.ST_YMax)
        west, south, east, north = connection.execute(sa.select(*(side(extent.c.e) for side in sides))).one()
        return None if west is None else (west, south, east, north)

    # writes

    def insert(self, connection: sa.Connection, table: sa.Table, chunks: Iterator[Rows], total: int, progress: Progress) -> None:
        raw = connection.connection.driver_connection
        if not isinstance(raw, psycopg.Connection):
            raise TypeError(type(raw))
        done = 0
        with raw.cursor() as cursor:
            for rows in chunks:
                names = ", ".join(f'"{name}"' for name in rows.columns)
                with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
                    for row in zip(*rows.columns.values(), strict=True):
                        copy.write_row(row)
                done += len(rows)
                progress("store.stage_rows", done, total)
        if total >= _ANALYZE_FROM:
            connection.exec_driver_sql(f'ANALYZE "{table.name}"')

    def delete_all(self, connection: sa.Connection, table: sa.Table) -> int:
        return connection.execute(sa.delete(table)).rowcount

    def delete_where(self, connection: sa.Connection, table: sa.Table, clauses: Sequence[sa.ColumnElement[bool]]) -> int:
        return connection.execute(sa.delete(table).where(*clauses)).rowcount

    def register_crs(self, connection: sa.Connection, crs: pyproj.CRS) -> int:
        srid = self._srid(connection, crs)
        for table in (*LATEST.values(), *PAST.values()):
            connection.exec_driver_sql(
                f'ALTER TABLE "{table.name}" ALTER COLUMN geom TYPE geometry(Geometry, {srid}) USING ST_SetSRID(geom, {srid})'
            )
        return srid

    def loosen(self, connection: sa.Connection, table: sa.Table) -> None:
        """Nothing: a geometry column takes every kind."""

    def finish(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
        """Nothing: the server keeps its own records."""

    def backup(self, connection: sa.Connection, revision: str) -> str:
        target = f"{self.schema}_before_{revision}"
        connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{target}" CASCADE')
        connection.exec_driver_sql(f'CREATE SCHEMA "{target}"')
        for name in sorted(_tables(connection, self)):
            connection.exec_driver_sql(f'CREATE TABLE "{target}"."{name}" AS TABLE "{self.schema}"."{name}"')
        return target

    def _srid(self, connection: sa.Connection, crs: pyproj.CRS) -> int:
        code = crs.to_epsg(min_confidence=100)
        wkt = _wkt1(crs)
        known = sa.text("SELECT srid FROM spatial_ref_sys WHERE auth_name = 'EPSG' AND auth_srid = :code")
        same = sa.text("SELECT srid FROM spatial_ref_sys WHERE srtext = :wkt ORDER BY srid LIMIT 1")
        found = connection.execute(same, {"wkt": wkt}) if code is None else connection.execute(known, {"code": code})
        if (srid := found.scalar()) is not None:
            return int(srid)
        free = sa.text("SELECT greatest(:first, max(srid) + 1) FROM spatial_ref_sys WHERE srid < 998999")
        number = code if code is not None else int(connection.execute(free, {"first": _FIRST_CUSTOM_SRID}).scalar_one())
        row = {"srid": number, "name": "EPSG" if code else "gridgis", "wkt": wkt, "proj": _proj4(crs)}
        try:
            with connection.begin_nested():
                connection.execute(sa.text("INSERT INTO spatial_ref_sys VALUES (:srid, :name, :srid, :wkt, :proj)"), row)
        except sa.exc.DBAPIError as error:
            raise CrsError(
                "store.crs_unregistered", place=self.label, crs=crs_name(crs), reason=self._reason(error.orig)
            ) from error
        return number


def parse_url(url: str) -> tuple[sa.URL, str]:
    """The driver's address and the schema of a workspace's address.

    >>> parse_url("postgresql://li@localhost/town?schema=miaoling")[1]
    'miaoling'
    """
    try:
        found = sa.make_url(url).set(drivername="postgresql+psycopg")
    except (sa.exc.ArgumentError, ValueError) as error:
        raise WorkspaceError("store.bad_url", place=re.sub(r"://[^@]*@", "://***@", url)) from error
    schema = found.query.get("schema", _SCHEMA)
    if not isinstance(schema, str) or not _NAME.fullmatch(schema) or schema.startswith("pg_"):
        raise WorkspaceError("store.bad_url", place=_shown(found, str(schema)))
    return found.difference_update_query(["schema"]), schema


def open_backend(url: str) -> PostGIS:
    """Connect to a workspace; see `open_workspace`. Its schema may still be an older one."""
    backend = PostGIS(url)
    try:
        _refuse_others(backend)
    except BaseException:
        backend.close()
        raise
    return backend


def create(url: str, build: Callable[[Backend, sa.Connection], None]) -> None:
    """Make a new schema with its tables in one transaction; `WorkspaceError` if it holds tables already."""
    backend = PostGIS(url)
    try:
        with backend.writing(_WAIT_S) as connection:
            if connection.exec_driver_sql("SELECT 1 FROM pg_extension WHERE extname = 'postgis'").scalar() is None:
                raise WorkspaceError("store.no_postgis", place=backend.label)
            if _tables(connection, backend):
                raise WorkspaceError("store.exists", place=backend.label)
            connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{backend.schema}"')
            build(backend, connection)
    finally:
        backend.close()


def drop(url: str) -> None:
    """Remove a workspace with everything in it."""
    backend = PostGIS(url)
    try:
        with backend.writing(_WAIT_S) as connection:
            if not set(METADATA.tables) & _tables(connection, backend):
                raise WorkspaceError("store.missing", place=backend.label)
            connection.exec_driver_sql(f'DROP SCHEMA "{backend.schema}" CASCADE')
    finally:
        backend.close()


def _refuse_others(backend: PostGIS) -> None:
    with backend.reading() as connection:
        names = _tables(connection, backend)
        if not names:
            raise WorkspaceError("store.missing", place=backend.label)
        if not {"alembic_version", "workspace", "change_log"} <= names:
            raise WorkspaceError("store.not_gridgis", place=backend.label)


def _tables(connection: sa.Connection, backend: PostGIS) -> set[str]:
    statement = sa.text("SELECT tablename FROM pg_tables WHERE schemaname = :schema")
    return set(connection.execute(statement, {"schema": backend.schema}).scalars())


def _is_connecting(error: sa.exc.DBAPIError) -> bool:
    # an error without a statement came up before there was a connection to run one
    return isinstance(error, sa.exc.OperationalError) and error.statement is None


def _shown(url: sa.URL, schema: str) -> str:
    plain = url.set(drivername="postgresql").update_query_dict({"schema": schema})
    return plain.render_as_string(hide_password=True)


def _proj4(crs: pyproj.CRS) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the loss pyproj warns of is made good by the WKT beside it
        return crs.to_proj4()


def _wkt1(crs: pyproj.CRS) -> str:
    try:
        return crs.to_wkt(WktVersion.WKT1_GDAL)
    except ProjError:  # WKT1 cannot say every system
        return crs.to_wkt()
