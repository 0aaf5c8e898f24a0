"""The lattice of square cells: an invertible map between points, cells and boxes, in whole metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyproj
import rasterio
import shapely
from numpy.typing import ArrayLike, NDArray

from gridgis.crs import crs_name, is_mercator, is_metric, parse_crs
from gridgis.errors import CrsError, DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lattice:
    """Square cells of whole metres over a box, in reading order: row 0 is the northernmost, column 0 the westernmost.

    A cell owns its west and south edge, not its east and north edge: [west, east) × [south, north). Corners are whole
    metres, so every corner is a float without rounding, and two lattices with the same cell size, origin and CRS share their
    lines wherever they lie.
    """

    crs: pyproj.CRS
    """Projected in metres, no Mercator."""
    x0: int
    """West edge of column 0, metres; whole cells from the origin."""
    y0: int
    """South edge of the last row, metres; whole cells from the origin."""
    cell_m: int
    """Side of a cell, whole metres, at least 1."""
    rows: int
    """Number of rows, at least 1."""
    columns: int
    """Number of columns, at least 1."""
    origin: tuple[int, int] = (0, 0)
    """A point the lines run through, whole metres."""

    def __post_init__(self) -> None:
        if not is_metric(self.crs) or is_mercator(self.crs):
            key = "crs.mercator" if is_metric(self.crs) else "crs.not_metric"
            raise CrsError(key, crs=crs_name(self.crs), suggestion="EPSG:4547")
        whole = all(isinstance(value, int) for value in (self.x0, self.y0, self.cell_m, self.rows, self.columns))
        if not whole or self.cell_m < 1:
            raise DataError("grids.cell_size", cell_m=self.cell_m)
        if (self.x0 - self.origin[0]) % self.cell_m or (self.y0 - self.origin[1]) % self.cell_m:
            raise DataError("grids.origin", x0=self.x0, y0=self.y0, cell_m=self.cell_m)
        if self.rows < 1 or self.columns < 1:
            raise DataError("grids.shape", rows=self.rows, columns=self.columns)

    @classmethod
    def covering(
        cls, bounds: Sequence[float], cell_m: int, crs: str | int | pyproj.CRS, *, origin: tuple[int, int] = (0, 0)
    ) -> Lattice:
        """The smallest lattice over a box.

        Parameters
        ----------
        bounds
            West, south, east, north in metres; finite. An east or north edge that lies on a lattice line adds no column or
            row, so points exactly on it have no cell; a box without width gets one column.
        cell_m
            Side of a cell, whole metres.
        crs
            Projected in metres, no Mercator.
        origin
            A point the lines run through, whole metres.

        Raises
        ------
        DataError
            If the box is empty or not finite, or the cell size is not a whole number of metres ≥ 1.

        Examples
        --------
        >>> Lattice.covering((499950, 3366000, 500200, 3366101), 100, "EPSG:4547").shape
        (2, 3)
        """
        if not isinstance(cell_m, int) or cell_m < 1:
            raise DataError("grids.cell_size", cell_m=cell_m)
        west, south, east, north = (float(value) for value in bounds)
        if not all(map(math.isfinite, (west, south, east, north))) or east < west or north < south:
            raise DataError("grids.no_bounds", bounds=", ".join(f"{value:g}" for value in bounds))
        across, up = origin
        first_column, last_column = _line_below(west, cell_m, across), _line_above(east, cell_m, across)
        first_row, last_row = _line_below(south, cell_m, up), _line_above(north, cell_m, up)
        return cls(
            crs=parse_crs(crs),
            x0=across + first_column * cell_m,
            y0=up + first_row * cell_m,
            cell_m=cell_m,
            rows=max(last_row - first_row, 1),
            columns=max(last_column - first_column, 1),
            origin=(across % cell_m, up % cell_m),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.rows, self.columns

    @property
    def total_bounds(self) -> tuple[int, int, int, int]:
        """West, south, east, north of the whole lattice, metres."""
        return self.x0, self.y0, self.x0 + self.columns * self.cell_m, self.y0 + self.rows * self.cell_m

    @property
    def transform(self) -> rasterio.Affine:
        """Pixel (column, row) to point, for rasterio: one pixel is one cell.

        >>> lattice = Lattice.covering((0, 0, 200, 300), 100, "EPSG:4547")
        >>> lattice.transform @ (0, 0), lattice.transform @ (2, 3)
        ((0.0, 300.0), (200.0, 0.0))
        """
        north = float(self.y0 + self.rows * self.cell_m)
        return rasterio.Affine(float(self.cell_m), 0.0, float(self.x0), 0.0, -float(self.cell_m), north)

    def cell_at(self, x: ArrayLike, y: ArrayLike) -> tuple[Ints, Ints]:
        """Row and column of the cell each point lies in; -1, -1 outside the lattice and for NaN.

        Parameters
        ----------
        x, y
            Coordinates, shape (n,).

        Examples
        --------
        >>> lattice = Lattice.covering((0, 0, 200, 300), 100, "EPSG:4547")
        >>> row, column = lattice.cell_at([0, 99.9, 100, 200], [0, 299, 100, 0])
        >>> row.tolist(), column.tolist()
        ([2, 0, 1, -1], [0, 0, 1, -1])
        """
        column = _step(np.asarray(x, dtype=np.float64), self.x0, self.cell_m, self.columns)
        up = _step(np.asarray(y, dtype=np.float64), self.y0, self.cell_m, self.rows)
        inside = (column >= 0) & (up >= 0)
        return np.where(inside, self.rows - 1 - up, -1), np.where(inside, column, -1)

    def bounds(self, row: ArrayLike, column: ArrayLike) -> Floats:
        """West, south, east, north of cells, shape (n, 4): exact whole metres.

        Cells outside the lattice are given too: it has an endless continuation.

        >>> Lattice.covering((0, 0, 200, 300), 100, "EPSG:4547").bounds([0], [1]).tolist()
        [[100.0, 200.0, 200.0, 300.0]]
        """
        west = self.x0 + np.asarray(column, dtype=np.int64) * self.cell_m
        south = self.y0 + (self.rows - 1 - np.asarray(row, dtype=np.int64)) * self.cell_m
        return np.stack([west, south, west + self.cell_m, south + self.cell_m], axis=-1).astype(np.float64)

    def centre(self, row: ArrayLike, column: ArrayLike) -> tuple[Floats, Floats]:
        """Middle of cells, x and y, shape (n,) each.

        >>> x, y = Lattice.covering((0, 0, 200, 300), 100, "EPSG:4547").centre([0], [1])
        >>> float(x[0]), float(y[0])
        (150.0, 250.0)
        """
        box = self.bounds(row, column)
        return box[..., 0] + self.cell_m / 2, box[..., 1] + self.cell_m / 2

    def boxes(self, row: ArrayLike, column: ArrayLike) -> NDArray[np.object_]:
        """Squares of cells as shapely polygons, shape (n,), counter-clockwise.

        >>> Lattice.covering((0, 0, 200, 300), 100, "EPSG:4547").boxes([2], [0])[0].bounds
        (0.0, 0.0, 100.0, 100.0)
        """
        box = self.bounds(row, column)
        return np.asarray(shapely.box(box[..., 0], box[..., 1], box[..., 2], box[..., 3]), dtype=object)

    def flat(self, row: ArrayLike, column: ArrayLike) -> Ints:
        """Number of cells in reading order: row · columns + column; -1 for a cell outside.

        >>> Lattice.covering((0, 0, 200, 300), 100, "EPSG:4547").flat([0, 2, 3], [1, 0, 0]).tolist()
        [1, 4, -1]
        """
        r, c = np.asarray(row, dtype=np.int64), np.asarray(column, dtype=np.int64)
        inside = (r >= 0) & (r < self.rows) & (c >= 0) & (c < self.columns)
        return np.where(inside, r * self.columns + c, -1)

    def cell_of(self, flat: ArrayLike) -> tuple[Ints, Ints]:
        """Row and column of numbers in reading order: the inverse of `flat`; -1, -1 for a number outside.

        >>> row, column = Lattice.covering((0, 0, 200, 300), 100, "EPSG:4547").cell_of([1, 4])
        >>> row.tolist(), column.tolist()
        ([0, 2], [1, 0])
        """
        number = np.asarray(flat, dtype=np.int64)
        inside = (number >= 0) & (number < self.rows * self.columns)
        return np.where(inside, number // self.columns, -1), np.where(inside, number % self.columns, -1)


def _line_below(value: float, cell_m: int, start: int) -> int:
    number = math.floor((value - start) / cell_m)
    number -= start + number * cell_m > value  # the difference and the division round; comparing with the exact line does not
    return number + (start + (number + 1) * cell_m <= value)


def _line_above(value: float, cell_m: int, start: int) -> int:
    return -_line_below(-value, cell_m, -start)


def _step(value: Floats, start: int, cell_m: int, count: int) -> Ints:
    with np.errstate(invalid="ignore"):
        guess = np.floor((value - start) / cell_m)
        # the difference and the division round; comparing with the exact lines does not
        guess -= value < start + guess * cell_m
        guess += value >= start + (guess + 1) * cell_m
        inside = (guess >= 0) & (guess < count)
    return np.where(inside, guess, -1).astype(np.int64)
