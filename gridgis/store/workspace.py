"""A workspace: open or create one, read its layers, and write to it in transactions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import sqlalchemy as sa

from gridgis.crs import work_crs
from gridgis.errors import DataError, WorkspaceError
from gridgis.store import geopackage, log, migrations
from gridgis.store.backend import Backend, Bounds, WorkspaceInfo
from gridgis.store.plans import PlanReading
from gridgis.store.reading import Query, State, Where, count_rows, crs_text, layer_named, load_state, read_frame
from gridgis.store.schema import LATEST, SETTINGS, WORKSPACE
from gridgis.store.values import floor_ms
from gridgis.store.write import Write

WAIT_S: Final = 5.0
_POSTGRES: Final = ("postgresql://", "postgres://", "postgresql+psycopg://")


class Workspace(PlanReading):
    """An open workspace; a context manager, safe to share between threads.

    Every read sees one state; a write is one transaction with one owner. Times are kept to the millisecond.

    Examples
    --------
    >>> import tempfile
    >>> from gridgis import toy
    >>> with tempfile.TemporaryDirectory() as folder, create_workspace(f"{folder}/toy.gpkg", crs=toy.CRS) as workspace:
    ...     with workspace.write(who="Li", why="first grids") as write:
    ...         counts = write.upsert("grids", toy.grids())
    ...     counts.inserted, workspace.read("grids")["officer"].tolist()
    (3, ['Li', 'Wang', 'Zhao'])
    """

    def __init__(self, backend: Backend, url: str) -> None:
        self._backend = backend
        self._url = url

    @property
    def url(self) -> str:
        """What `open_workspace` takes to open this workspace again; it may hold a password, so it is not for showing."""
        return self._url

    @property
    def info(self) -> WorkspaceInfo:
        """What the workspace says of itself now."""
        return self._state().info

    @property
    def revision(self) -> int:
        """Number of the last committed write, by whomever: the key of every cache."""
        return self._state().revision

    def read(
        self,
        layer: str,
        *,
        as_of: dt.date | None = None,
        bbox: Bounds | None = None,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
    ) -> gpd.GeoDataFrame:
        """The rows of a layer, indexed by key, in the order they were first written.

        Parameters
        ----------
        layer
            Name of the layer.
        as_of
            The day the rows are valid on, past versions included; None for the latest rows.
        bbox
            West, south, east, north in the workspace's system: rows whose own boxes meet it.
        columns
            Columns wanted beside key and geometry; all by default, with `valid_from`, `valid_to` and `version` on
            layers that keep history, and with columns the layer's table does not know.
        where
            Value, or list of values, by column of the layer; None matches missing.

        Returns
        -------
        GeoDataFrame
            Dates are `datetime.date`, times UTC; text is `str` with missing values as NaN.
        """
        query = Query(layer_named(layer), as_of, bbox, columns, where or {})
        with self._backend.reading() as connection:
            return read_frame(self._backend, connection, load_state(self._backend, connection), query)

    def table(
        self, layer: str, *, as_of: dt.date | None = None, columns: Sequence[str] | None = None, where: Where | None = None
    ) -> pd.DataFrame:
        """The rows of a layer without their geometry: quicker where only values are wanted; see `read`."""
        query = Query(layer_named(layer), as_of, None, columns, where or {}, geometry=False)
        with self._backend.reading() as connection:
            return pd.DataFrame(read_frame(self._backend, connection, load_state(self._backend, connection), query))

    def count(self, layer: str, *, as_of: dt.date | None = None, where: Where | None = None) -> int:
        """Number of rows of a layer; see `read`."""
        query = Query(layer_named(layer), as_of, where=where or {})
        with self._backend.reading() as connection:
            return count_rows(self._backend, connection, load_state(self._backend, connection), query)

    def bounds(self, layer: str) -> Bounds | None:
        """West, south, east, north of a layer's latest rows in the workspace's system; None without geometry."""
        table = LATEST[layer_named(layer).name]
        with self._backend.reading() as connection:
            return self._backend.bounds(connection, table)

    def boxes(self, layer: str) -> npt.NDArray[np.float64]:
        """Boxes (n x 4: west, south, east, north) of a layer's latest rows with geometry, in the order of `read`.

        Without touching the geometry: a million rows in a fraction of a second from the GeoPackage's index, whose boxes
        are rounded outward by up to half a metre.
        """
        table = LATEST[layer_named(layer).name]
        with self._backend.reading() as connection:
            return self._backend.boxes(connection, table)[1]

    def log(self, *, layer: str | None = None, key: str | None = None, limit: int | None = None) -> pd.DataFrame:
        """The change log, oldest entry first, with `limit` the newest ones only.

        Columns: at (UTC), who, why, layer, key, action, before, after (dicts; geometry as hexadecimal WKB), revision
        (the number of the write the entry belongs to). Layers without history have one entry per write, its counts in
        `after`.
        """
        with self._backend.reading() as connection:
            return log.read(self._backend, connection, layer=layer, key=key, limit=limit)

    def settings(self) -> Mapping[str, str]:
        """All settings by name."""
        with self._backend.reading() as connection:
            rows = connection.execute(sa.select(SETTINGS.c.key, SETTINGS.c.value).order_by(SETTINGS.c.key)).all()
        return MappingProxyType({row.key: row.value for row in rows})

    @contextmanager
    def write(self, *, who: str, why: str, at: dt.datetime | None = None, wait_s: float = WAIT_S) -> Iterator[Write]:
        """One transaction: what the block writes becomes true when it ends, or not at all if it raises.

        Parameters
        ----------
        who, why
            Name and reason for the log.
        at
            The moment for the log (aware); now by default.
        wait_s
            Seconds to wait for another writer.

        Raises
        ------
        ConflictError
            If another writer does not finish within `wait_s`.
        """
        if at is not None and at.tzinfo is None:
            raise DataError("store.naive_at", value=at)
        moment = floor_ms(at or dt.datetime.now(dt.UTC))
        with self._backend.writing(wait_s) as connection:
            state = load_state(self._backend, connection)
            write = Write(self._backend, connection, state, log.Author(who, why, moment, state.revision + 1))
            yield write
            write._finish()

    def close(self) -> None:
        """Give back all connections; the last one to close a GeoPackage folds its write-ahead log into the file."""
        self._backend.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Workspace({self._backend.label!r})"

    def _state(self) -> State:
        with self._backend.reading() as connection:
            return load_state(self._backend, connection)


def open_workspace(url: str | Path) -> Workspace:
    """Open a workspace: the path of a `.gpkg` file, or a `postgresql://user@host/database?schema=name` address.

    An older schema is brought up to date, after a copy was kept. Raises `WorkspaceError`, the workspace untouched, if
    there is none, it is no workspace of gridgis, or it was made by a newer program.
    """
    if is_postgres(url):
        from gridgis.store import postgis

        backend: Backend = postgis.open_backend(str(url))
    else:
        backend = geopackage.open_backend(Path(url))
    try:
        _bring_up_to_date(backend)
    except BaseException:
        backend.close()
        raise
    return Workspace(backend, str(url))


def create_workspace(
    url: str | Path, *, name: str = "", crs: pyproj.CRS | str | int = "auto", synthetic: bool = False
) -> Workspace:
    """Make a new, empty workspace and open it; it is there whole, or not at all.

    Parameters
    ----------
    url
        As for `open_workspace`.
    name
        What its users call it.
    crs
        The system its geometry is stored in, projected in metres; `"auto"` leaves it to the first import.
    synthetic
        Whether its geometry is invented.

    Raises
    ------
    WorkspaceError
        If there is one already, or a path does not end in `.gpkg`.
    CrsError
        If the system cannot measure.
    """
    system = None if isinstance(crs, str) and crs == "auto" else work_crs(wish=crs_text(pyproj.CRS.from_user_input(crs)))

    def fill(backend: Backend, connection: sa.Connection) -> None:
        migrations.upgrade(connection)
        number = -1 if system is None else backend.register_crs(connection, system)
        text = None if system is None else crs_text(system)
        row = {"name": name, "crs": text, "srs_id": number, "synthetic": int(synthetic), "revision": 0}
        connection.execute(sa.insert(WORKSPACE).values(row))

    if is_postgres(url):
        from gridgis.store import postgis

        postgis.create(str(url), fill)
    else:
        if Path(url).suffix.lower() != ".gpkg":  # under another name GDAL and QGIS would not know it for what it is
            raise WorkspaceError("store.ending", place=str(url))
        geopackage.create(Path(url), fill)
    return open_workspace(url)


def _bring_up_to_date(backend: Backend) -> None:
    with backend.reading() as connection:
        found = _schema_revision(connection)
    if found not in migrations.known_revisions():
        raise WorkspaceError("store.newer", place=backend.label, found=found, known=migrations.HEAD)
    if found == migrations.HEAD:
        return
    with backend.writing(WAIT_S) as connection:
        found = _schema_revision(connection)
        if found != migrations.HEAD:  # unless another program did it while this one waited for its turn
            backend.backup(connection, found)
            migrations.upgrade(connection)


def _schema_revision(connection: sa.Connection) -> str:
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())


def is_postgres(url: str | Path) -> bool:
    """Whether an address names a PostGIS workspace.

    >>> is_postgres("postgresql://localhost/town"), is_postgres("town.gpkg")
    (True, False)
    """
    return str(url).startswith(_POSTGRES)
