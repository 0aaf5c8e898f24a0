"""What differs between the two stores, as one interface: connections, geometry, boxes, bulk writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyproj
import sqlalchemy as sa

from gridgis.layers import Kind, Layer
from gridgis.progress import Progress

StoreKind = Literal["geopackage", "postgis"]
Bounds = tuple[float, float, float, float]
CHUNK = 100_000
READ_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class WorkspaceInfo:
    """What a workspace says of itself."""

    url: str
    """Path of the GeoPackage, or the PostGIS address without its password."""
    kind: StoreKind
    """Which of the two stores it is."""
    name: str
    """The name its users gave it; may be empty."""
    crs: pyproj.CRS | None
    """The system its geometry is stored in; None until the first import of geometry fixes it."""
    synthetic: bool
    """Whether the geometry is invented and every screen and file has to say so."""
    schema: int
    """Number of the schema revision."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Encoded rows on their way into a table, column by column."""

    columns: Mapping[str, Sequence[Any]]
    """Values as the store writes them, by column name, all of one length; `geom` among them if there is geometry."""
    boxes: npt.NDArray[Any] | None = None
    """Boxes of the geometry (n x 4: minx, miny, maxx, maxy), NaN where there is none."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


class UnreadableGeometry(ValueError):
    """A stored value that is no geometry of its store: another program wrote it."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at
        """Position among the values read."""


class Backend(ABC):
    """One open store: hands out connections and speaks its dialect."""

    kind: StoreKind
    engine: sa.Engine

    @property
    @abstractmethod
    def label(self) -> str:
        """The store's address as messages show it, without a password."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A connection that sees one state throughout and changes nothing."""

    @abstractmethod
    def writing(self, wait_s: float) -> AbstractContextManager[sa.Connection]:
        """A transaction with the store's only right to write; `ConflictError` if it is not free within `wait_s`."""

    # values

    @abstractmethod
    def encode(self, kind: Kind, values: Sequence[Any]) -> Sequence[Any]:
        """Python values as the store takes them."""

    @abstractmethod
    def decode(self, kind: Kind, values: Sequence[Any]) -> Sequence[Any]:
        """Stored values as Python values."""

    @abstractmethod
    def encode_geometry(
        self, layer: Layer, shapes: npt.NDArray[Any], *, srs_id: int
    ) -> tuple[Sequence[Any], npt.NDArray[Any] | None]:
        """Shapes as the store takes them, and their boxes if it needs them."""

    @abstractmethod
    def decode_geometry(self, values: Sequence[Any]) -> npt.NDArray[Any]:
        """Stored geometry as shapes; `UnreadableGeometry` if a value is none."""

    def geometry_column(self, table: sa.Table) -> sa.ColumnElement[Any]:
        """The expression by which geometry is selected."""
        return table.c.geom

    # questions

    @abstractmethod
    def in_box(self, table: sa.Table, box: Bounds, *, srs_id: int) -> sa.ColumnElement[bool]:
        """The condition that a row's box may meet `box`, answered by the spatial index."""

    @abstractmethod
    def member(self, column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
        """The condition that a column has one of many values."""

    @abstractmethod
    def stream(self, connection: sa.Connection, statement: sa.Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
        """The rows of a statement, some thousands at a time, as the driver gives them."""

    @abstractmethod
    def bounds(self, connection: sa.Connection, table: sa.Table) -> Bounds | None:
        """The box around all geometry of a table, None if there is none."""

    @abstractmethod
    def boxes(self, connection: sa.Connection, table: sa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Row numbers, ascending, and boxes (n x 4: minx, miny, maxx, maxy) of all rows with geometry."""

    # writes

    @abstractmethod
    def insert(self, connection: sa.Connection, table: sa.Table, chunks: Iterator[Rows], total: int, progress: Progress) -> None:
        """Put rows, `total` in all, into a table and its spatial index, by the quickest way for their number."""

    @abstractmethod
    def delete_all(self, connection: sa.Connection, table: sa.Table) -> int:
        """Remove every row; how many there were."""

    @abstractmethod
    def delete_where(self, connection: sa.Connection, table: sa.Table, clauses: Sequence[sa.ColumnElement[bool]]) -> int:
        """Remove the rows that fulfil all conditions; how many there were."""

    @abstractmethod
    def register_crs(self, connection: sa.Connection, crs: pyproj.CRS) -> int:
        """Make the store's geometry columns be in `crs`; the number it has there."""

    @abstractmethod
    def loosen(self, connection: sa.Connection, table: sa.Table) -> None:
        """Let a layer declared as single points hold multi-points too."""

    @abstractmethod
    def finish(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
        """Last work of a write that touched these tables, before it is committed."""

    @abstractmethod
    def backup(self, connection: sa.Connection, revision: str) -> str:
        """Keep a copy of the state before a migration, whose transaction has just begun; where it is."""

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


@contextmanager
def commit_or_rollback(connection: sa.Connection) -> Iterator[sa.Connection]:
    """Commit what the block did, or undo it if the block raised (a stop by the user too)."""
    try:
        yield connection
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
