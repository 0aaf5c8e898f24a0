"""The embedded store: one GeoPackage file, reached only through Python's own `sqlite3`, in WAL mode.

Readers get a snapshot and never wait; one writer at a time holds the file (`BEGIN IMMEDIATE`). A process killed at any
moment leaves the state before or after its transaction: the write-ahead log is replayed or dropped on the next opening.
WAL needs shared memory, so a workspace belongs on a local disk, not on a network drive. On read-only media the file is
opened as immutable.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyproj
import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from gridgis.errors import ConflictError, WorkspaceError
from gridgis.layers import Kind, Layer
from gridgis.progress import Progress
from gridgis.store import gpkg_blob, gpkg_schema, rtree
from gridgis.store.backend import CHUNK, READ_CHUNK, Backend, Bounds, Rows, StoreKind, commit_or_rollback
from gridgis.store.values import by_distinct, instant_text, instant_value

_BUSY_MS: Final = 5000
_CACHE_KIB: Final = 65_536
# Inserting into the tree one by one costs some twelve times what packing costs per box, for all boxes of the table.
_PACK_FROM: Final = 2_000
_PACK_WORTH: Final = 12
_FEW: Final = 500


class GeoPackage(Backend):
    """An open GeoPackage workspace."""

    kind: StoreKind = "geopackage"

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self.engine = sa.create_engine(
            "sqlite://", creator=self._connect, poolclass=QueuePool, pool_size=4, max_overflow=-1, pool_reset_on_return="rollback"
        )

    @property
    def label(self) -> str:
        return str(self.path)

    def _connect(self) -> sqlite3.Connection:
        return connect(self.path, mode="ro&immutable=1" if self.read_only else "rw")

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        try:
            with self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA query_only = ON")
                connection.exec_driver_sql("BEGIN")
                yield connection
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            # bulk rows go through sqlite3 itself: its errors come as they are
            reason = str(getattr(error, "orig", error))
            raise WorkspaceError("store.failed", place=self.label, reason=reason) from error

    @contextmanager
    def writing(self, wait_s: float) -> Iterator[sa.Connection]:
        if self.read_only:
            raise WorkspaceError("store.read_only", place=self.label)
        try:
            with self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA query_only = OFF")
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(wait_s * 1000)}")
                try:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                except sa.exc.OperationalError as error:
                    if "locked" not in str(error.orig):
                        raise
                    raise ConflictError("store.busy", place=self.label, seconds=f"{wait_s:g}") from error
                finally:
                    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_BUSY_MS}")
                with commit_or_rollback(connection):
                    yield connection
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            # bulk rows go through sqlite3 itself: its errors come as they are
            reason = str(getattr(error, "orig", error))
            raise WorkspaceError("store.failed", place=self.label, reason=reason) from error

    # values

    def encode(self, kind: Kind, values: Sequence[Any]) -> Sequence[Any]:
        match kind:
            case "date":
                return by_distinct(values, lambda day: day.isoformat())
            case "time":
                return by_distinct(values, instant_text)
            case _:
                return values

    def decode(self, kind: Kind, values: Sequence[Any]) -> Sequence[Any]:
        match kind:
            case "date":
                return by_distinct(values, lambda text: instant_value(text).date())
            case "time":
                return by_distinct(values, instant_value)
            case _:
                return values

    def encode_geometry(
        self, layer: Layer, shapes: npt.NDArray[Any], *, srs_id: int
    ) -> tuple[Sequence[Any], npt.NDArray[Any] | None]:
        return gpkg_blob.to_blobs(shapes, srs_id=srs_id, multi=layer.shape in {"polygon", "line"})

    def decode_geometry(self, values: Sequence[Any]) -> npt.NDArray[Any]:
        return gpkg_blob.from_blobs(values)

    # questions

    def in_box(self, table: sa.Table, box: Bounds, *, srs_id: int) -> sa.ColumnElement[bool]:
        tree = sa.table(gpkg_schema.rtree_name(table.name), *(sa.column(name) for name in ("id", "minx", "maxx", "miny", "maxy")))
        west, south, east, north = box
        hits = sa.select(tree.c.id).where(tree.c.maxx >= west, tree.c.minx <= east, tree.c.maxy >= south, tree.c.miny <= north)
        return table.c.fid.in_(hits)

    def member(self, column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
        if len(values) <= _FEW:
            return column.in_(values)
        # SQLite bounds the number of parameters: a long list travels as one JSON text
        listed = sa.func.json_each(json.dumps(list(values))).table_valued("value")
        return column.in_(sa.select(listed.c.value))

    def stream(self, connection: sa.Connection, statement: sa.Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
        # the driver's own tuples: no column needs a conversion by SQLAlchemy, and its row objects cost as much as the rows
        result = connection.execute(statement)
        cursor = result.cursor
        while cursor is not None and (rows := cursor.fetchmany(READ_CHUNK)):
            yield rows
        result.close()

    def boxes(self, connection: sa.Connection, table: sa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        tree = gpkg_schema.rtree_name(table.name)
        leaves = f'SELECT data FROM "{tree}_node" WHERE nodeno NOT IN (SELECT parentnode FROM "{tree}_parent")'
        return rtree.leaf_cells([data for (data,) in connection.exec_driver_sql(leaves)])

    def bounds(self, connection: sa.Connection, table: sa.Table) -> Bounds | None:
        tree = gpkg_schema.rtree_name(table.name)
        root = connection.exec_driver_sql(f'SELECT data FROM "{tree}_node" WHERE nodeno = 1').scalar()
        near = rtree.root_box(root) if root else None
        if near is None:
            return None
        # the tree's boxes are rounded outward; the true edge belongs to one of the rows on the rounded edge
        found = []
        for side, (condition, edge) in enumerate(zip(("minx <= ?", "miny <= ?", "maxx >= ?", "maxy >= ?"), near, strict=True)):
            rows = connection.exec_driver_sql(
                f'SELECT geom FROM "{table.name}" WHERE fid IN (SELECT id FROM "{tree}" WHERE {condition})', (edge,)
            )
            edges = [gpkg_blob.box(blob)[side] for (blob,) in rows]
            found.append(min(edges) if side < 2 else max(edges))
        return found[0], found[1], found[2], found[3]

    # writes

    def insert(self, connection: sa.Connection, table: sa.Table, chunks: Iterator[Rows], total: int, progress: Progress) -> None:
        run, raw = connection.exec_driver_sql, _raw(connection)
        tree = gpkg_schema.rtree_name(table.name)
        present = int(run(f'SELECT count(*) FROM "{tree}_rowid"').scalar_one())
        packs = total >= _PACK_FROM and total * _PACK_WORTH > present
        if packs:
            gpkg_schema.drop_triggers(run, table.name)
        fid = 1 + int(run("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?", (table.name,)).scalar_one())
        ids: list[npt.NDArray[np.int64]] = []
        boxes: list[npt.NDArray[np.float64]] = []
        done = 0
        for rows in chunks:
            names = list(rows.columns)
            marks = ", ".join("?" * (len(names) + 1))
            quoted = ", ".join(f'"{name}"' for name in names)
            numbers = range(fid, fid + len(rows))
            raw.executemany(
                f'INSERT INTO "{table.name}" (fid, {quoted}) VALUES ({marks})',
                zip(numbers, *rows.columns.values(), strict=True),
            )
            if packs and rows.boxes is not None:
                ids.append(np.arange(fid, fid + len(rows), dtype=np.int64))
                boxes.append(rows.boxes)
            fid += len(rows)
            done += len(rows)
            progress("store.stage_rows", done, total)
        if packs:
            progress("store.stage_index", 0, 1)
            _pack_tree(connection, tree, ids, boxes, keep="")
            gpkg_schema.create_triggers(run, table.name)
            progress("store.stage_index", 1, 1)

    def delete_all(self, connection: sa.Connection, table: sa.Table) -> int:
        run = connection.exec_driver_sql
        count = int(run(f'SELECT count(*) FROM "{table.name}"').scalar_one())
        if count:
            gpkg_schema.drop_triggers(run, table.name)
            run(f'DELETE FROM "{table.name}"')
            _write_tree(connection, gpkg_schema.rtree_name(table.name), np.empty(0, np.int64), np.empty((0, 4), np.float32))
            gpkg_schema.create_triggers(run, table.name)
        return count

    def delete_where(self, connection: sa.Connection, table: sa.Table, clauses: Sequence[sa.ColumnElement[bool]]) -> int:
        count = int(connection.execute(sa.select(sa.func.count()).select_from(table).where(*clauses)).scalar_one())
        tree, run = gpkg_schema.rtree_name(table.name), connection.exec_driver_sql
        present = int(run(f'SELECT count(*) FROM "{tree}_rowid"').scalar_one())
        packs = count >= _PACK_FROM and count * _PACK_WORTH > present
        if packs:
            gpkg_schema.drop_triggers(run, table.name)
        connection.execute(sa.delete(table).where(*clauses))
        if packs:
            _pack_tree(connection, tree, [], [], keep=f'WHERE id IN (SELECT fid FROM "{table.name}")')
            gpkg_schema.create_triggers(run, table.name)
        return count

    def register_crs(self, connection: sa.Connection, crs: pyproj.CRS) -> int:
        number = gpkg_schema.register_srs(connection, crs)
        connection.exec_driver_sql("UPDATE gpkg_contents SET srs_id = ? WHERE data_type = 'features'", (number,))
        connection.exec_driver_sql("UPDATE gpkg_geometry_columns SET srs_id = ?", (number,))
        return number

    def loosen(self, connection: sa.Connection, table: sa.Table) -> None:
        connection.exec_driver_sql(
            "UPDATE gpkg_geometry_columns SET geometry_type_name = 'GEOMETRY' WHERE table_name = ?", (table.name,)
        )

    def finish(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
        for table in tables:
            box = self.bounds(connection, table) if "geom" in table.c else None
            connection.exec_driver_sql(
                "UPDATE gpkg_contents SET last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now'), "
                "min_x = ?, min_y = ?, max_x = ?, max_y = ? WHERE table_name = ?",
                (*(box or (None, None, None, None)), table.name),
            )

    def backup(self, connection: sa.Connection, revision: str) -> str:
        target = self.path.with_name(f"{self.path.stem}.before-{revision}.gpkg")
        number = 1
        while target.exists():
            number += 1
            target = self.path.with_name(f"{self.path.stem}.before-{revision}-{number}.gpkg")
        unfinished = target.with_suffix(".part")
        unfinished.unlink(missing_ok=True)
        # a second connection: it reads the committed state, and the writer's right keeps others from changing it
        with closing(connect(self.path, mode="rw")) as source, closing(sqlite3.connect(unfinished)) as copy:
            source.backup(copy)
        unfinished.replace(target)
        return str(target)


def connect(path: Path, *, mode: str) -> sqlite3.Connection:
    """A connection to an existing file with the functions the R-tree triggers call."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_MS / 1000,
    )
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    for name, function in _SPATIAL.items():
        connection.create_function(name, 1, function, deterministic=True)
    return connection


def create(path: Path, build: Callable[[Backend, sa.Connection], None]) -> None:
    """Make a new file whole or not at all: built under another name beside it, then linked to its own.

    `build` fills the standard tables in one transaction. `WorkspaceError` if the file exists or its folder does not.
    """
    if path.exists():
        raise WorkspaceError("store.exists", place=str(path))
    if not path.parent.is_dir():
        raise WorkspaceError("store.no_folder", place=str(path), folder=str(path.parent))
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.unlink(missing_ok=True)
        with closing(sqlite3.connect(unfinished)) as made:
            made.execute("PRAGMA journal_mode = WAL")
        backend = GeoPackage(unfinished, read_only=False)
        try:
            with backend.writing(0) as connection:
                gpkg_schema.create_core(connection.exec_driver_sql)
                build(backend, connection)
        finally:
            backend.close()
        _publish(unfinished, path)
    except WorkspaceError:
        raise
    except OSError as error:
        raise WorkspaceError("store.failed", place=str(path), reason=error.strerror or str(error)) from error
    finally:
        with suppress(OSError):  # a folder that cannot be written to has been told already
            unfinished.unlink(missing_ok=True)


def open_backend(path: Path) -> GeoPackage:
    """Connect to a workspace file, which is only looked at; see `open_workspace`. Its schema may still be an older one.

    Raises `WorkspaceError` if there is no such file, or it is no GeoPackage, or one that gridgis did not make.
    """
    if not path.is_file():
        raise WorkspaceError("store.missing", place=str(path))
    try:
        with closing(connect(path, mode="ro" if writable(path) else "ro&immutable=1")) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "gpkg_contents" not in names:
                raise WorkspaceError("store.not_geopackage", place=str(path))
            if not {"alembic_version", "workspace", "change_log"} <= names:
                raise WorkspaceError("store.not_gridgis", place=str(path))
    except sqlite3.DatabaseError as error:
        raise WorkspaceError("store.not_geopackage", place=str(path)) from error
    return GeoPackage(path, read_only=not writable(path))


def writable(path: Path) -> bool:
    """Whether a workspace can be written: its file and, for the write-ahead log, its folder."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _publish(unfinished: Path, path: Path) -> None:
    try:
        path.hardlink_to(unfinished)
    except FileExistsError as error:
        raise WorkspaceError("store.exists", place=str(path)) from error
    except OSError:  # a file system without hard links
        if path.exists():
            raise WorkspaceError("store.exists", place=str(path)) from None
        unfinished.rename(path)


def _raw(connection: sa.Connection) -> sqlite3.Connection:
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError(type(raw))
    return raw


def _pack_tree(
    connection: sa.Connection,
    tree: str,
    ids: list[npt.NDArray[np.int64]],
    boxes: list[npt.NDArray[np.float64]],
    *,
    keep: str,
) -> None:
    every_id: list[npt.NDArray[np.int64]] = []
    every_box: list[npt.NDArray[np.float32]] = []
    kept = connection.exec_driver_sql(f'SELECT id, minx, maxx, miny, maxy FROM "{tree}" {keep}')
    for rows in kept.partitions(CHUNK):
        every_id.append(np.array([row[0] for row in rows], dtype=np.int64))
        every_box.append(np.array([row[1:] for row in rows], dtype=np.float32))
    for numbers, exact in zip(ids, boxes, strict=True):
        present = ~np.isnan(exact[:, 0])
        every_id.append(numbers[present])
        every_box.append(rtree.outward(exact[present]))
    _write_tree(
        connection,
        tree,
        np.concatenate([np.empty(0, np.int64), *every_id]),
        np.concatenate([np.empty((0, 4), np.float32), *every_box]),
    )


def _write_tree(connection: sa.Connection, tree: str, ids: npt.NDArray[np.int64], boxes: npt.NDArray[np.float32]) -> None:
    page_size = int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())
    packed = rtree.pack(ids, boxes, page_size=page_size)
    raw = _raw(connection)
    for part, rows in (("node", packed.node_rows()), ("rowid", packed.rowid_rows()), ("parent", packed.parent_rows())):
        raw.execute(f'DELETE FROM "{tree}_{part}"')
        raw.executemany(f'INSERT INTO "{tree}_{part}" VALUES (?, ?)', rows)


def _box_side(side: int) -> Callable[[bytes | None], float | None]:
    def value(blob: bytes | None) -> float | None:
        return None if blob is None else gpkg_blob.box(blob)[side]

    return value


def _is_empty(blob: bytes | None) -> int | None:
    return None if blob is None else int(gpkg_blob.is_empty(blob))


_SPATIAL: Final[dict[str, Callable[[bytes | None], float | int | None]]] = {
    "ST_IsEmpty": _is_empty,
    "ST_MinX": _box_side(0),
    "ST_MinY": _box_side(1),
    "ST_MaxX": _box_side(2),
    "ST_MaxY": _box_side(3),
}
