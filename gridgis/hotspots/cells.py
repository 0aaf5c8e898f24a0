"""The cells hot spots are looked for in: the part of a lattice an area overlaps, and counts of points in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import ArrayLike, NDArray

from gridgis.crs import require_metric
from gridgis.errors import DataError
from gridgis.hotspots.band import own
from gridgis.lattice import Lattice

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# beyond this memory, not patience, is the limit
_MOST_CELLS: Final = 400_000_000


@dataclass(frozen=True, slots=True, eq=False)
class CellSet:
    """Cells of a lattice: those an area overlaps, each as a full square. Other cells have no value and are no neighbours."""

    lattice: Lattice
    """Where the cells lie."""
    mask: Mask
    """Shape (rows, columns): which cells there are."""

    def __post_init__(self) -> None:
        if self.mask.shape != self.lattice.shape or self.mask.dtype != np.bool_:
            found, wanted = (" × ".join(map(str, shape)) for shape in (self.mask.shape, self.lattice.shape))
            raise DataError("hotspots.shape", found=found, wanted=wanted)

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(np.count_nonzero(self.mask))

    def places(self) -> tuple[Ints, Ints]:
        """Row and column of every cell, in reading order: shape (size,) each."""
        row, column = np.nonzero(self.mask)
        return row.astype(np.int64), column.astype(np.int64)

    def ids(self) -> pd.Index:
        """The cells' names, `r{row}c{column}`, in reading order."""
        row, column = (place.astype("U") for place in self.places())
        names: list[str] = np.char.add(np.char.add("r", row), np.char.add("c", column)).tolist()
        return pd.Index(names, dtype=object, name="cell_id")

    def take(self, values: NDArray[Any]) -> NDArray[Any]:
        """The values of an array (rows, columns) at the cells, in reading order: shape (size,)."""
        return values[self.mask]

    def spread(self, values: ArrayLike) -> Floats:
        """Values in reading order as an array (rows, columns), NaN where there is no cell: the inverse of `take`."""
        spread = np.full(self.mask.shape, np.nan)
        spread[self.mask] = values
        return spread

    def frame(self, columns: Mapping[str, NDArray[Any]]) -> gpd.GeoDataFrame:
        """The cells as squares with the values of arrays (rows, columns), index `cell_id` in reading order."""
        taken = {name: self.take(values) for name, values in columns.items()}
        return gpd.GeoDataFrame(taken, geometry=self.lattice.boxes(*self.places()), index=self.ids(), crs=self.lattice.crs)


def cells_within(area: gpd.GeoDataFrame | gpd.GeoSeries, *, cell_m: int, origin: tuple[float, float] | None = None) -> CellSet:
    """Every lattice cell an area overlaps, as a full square.

    A cell that only touches the area along an edge or in a corner is none of them: they share no ground.

    Parameters
    ----------
    area
        Polygons, projected in metres; together they are the area. They may overlap and have holes.
    cell_m
        Side of a cell, whole metres.
    origin
        A point the lattice lines run through, whole metres; None: lines are multiples of `cell_m`.

    Raises
    ------
    DataError
        If there is no polygon, the origin is no whole metre, or the lattice would not fit in memory.

    Examples
    --------
    >>> from gridgis import toy
    >>> cells = cells_within(toy.areas().loc[[toy.WEST]], cell_m=100)
    >>> cells.lattice.shape, cells.size, cells.ids()[-1]
    ((3, 3), 9, 'r2c2')
    """
    crs = require_metric(area)
    shapes = area.geometry.to_numpy()
    shapes = shapely.make_valid(shapes[~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)])
    shapes = shapes[np.isin(shapely.get_type_id(shapes), (3, 6, 7))]
    if len(shapes) == 0:
        raise DataError("hotspots.no_area")
    lattice = Lattice.covering(shapely.total_bounds(shapes).tolist(), cell_m, crs, origin=_whole(origin))
    _demand_room(lattice)
    return CellSet(lattice, _overlapped(shapes[0] if len(shapes) == 1 else shapely.union_all(shapes), lattice))


def cells_around(
    x: ArrayLike, y: ArrayLike, *, cell_m: int, crs: str | int | pyproj.CRS, origin: tuple[float, float] | None = None
) -> CellSet:
    """Every cell of the smallest lattice in which each point has a cell: the study area when none is given.

    Points without a finite coordinate are passed over. Options as for `cells_within`.

    >>> cells_around([0.0, 250.0], [0.0, 100.0], cell_m=100, crs="EPSG:4547").lattice.shape
    (2, 3)
    """
    px, py = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    there = np.isfinite(px) & np.isfinite(py)
    if not there.any():
        raise DataError("hotspots.no_points")
    px, py = px[there], py[there]
    bounds = [px.min(), py.min(), np.nextafter(px.max(), np.inf), np.nextafter(py.max(), np.inf)]
    lattice = Lattice.covering([float(value) for value in bounds], cell_m, crs, origin=_whole(origin))
    _demand_room(lattice)
    return CellSet(lattice, np.ones(lattice.shape, dtype=np.bool_))


def count(cells: CellSet, x: ArrayLike, y: ArrayLike, *, weights: ArrayLike | None = None) -> Floats:
    """How many points lie in each cell, shape (rows, columns), or the sum of their weights; 0 where there is no cell.

    Cells are half-open: a point on a common edge counts once, in the cell east or north of it. Points in no cell and points
    without coordinates (NaN) count nowhere. One pass over the points.

    Parameters
    ----------
    cells
        Where to count.
    x, y
        Coordinates in the lattice's system, shape (n,).
    weights
        Shape (n,); None: every point counts 1.

    Examples
    --------
    >>> cells = cells_around([0, 250], [0, 0], cell_m=100, crs="EPSG:4547")
    >>> count(cells, [0, 99.9, 100, 300], [0, 50, 0, 0]).tolist()
    [[2.0, 1.0, 0.0]]
    """
    from gridgis.hotspots import kernels

    px, py = (own(np.asarray(values, dtype=np.float64)) for values in (x, y))
    w = np.empty(0) if weights is None else own(np.asarray(weights, dtype=np.float64))
    if px.shape != py.shape or px.ndim != 1 or (weights is not None and w.shape != px.shape):
        raise DataError("hotspots.lengths", x=len(px), y=len(py), weights=len(w))
    counts = np.zeros(cells.lattice.shape)
    if len(px):
        lattice = cells.lattice
        kernels.count_points(px, py, w, float(lattice.x0), float(lattice.y0), float(lattice.cell_m), counts)
    counts[~cells.mask] = 0.0
    return counts


def _whole(origin: tuple[float, float] | None) -> tuple[int, int]:
    if origin is None:
        return (0, 0)
    if any(float(value) != int(value) for value in origin):
        raise DataError("hotspots.origin", x=origin[0], y=origin[1])
    return int(origin[0]), int(origin[1])


def _demand_room(lattice: Lattice) -> None:
    if lattice.rows * lattice.columns > _MOST_CELLS:
        raise DataError("hotspots.too_many", rows=lattice.rows, columns=lattice.columns, cell_m=lattice.cell_m)


def _overlapped(area: shapely.Geometry, lattice: Lattice) -> Mask:
    """Cells that share ground with the area: blocks wholly inside are filled, those outside dropped, the rest quartered."""
    mask = np.zeros(lattice.shape, dtype=np.bool_)
    shapely.prepare(area)
    side = 1 << max(lattice.rows - 1, lattice.columns - 1, 0).bit_length()
    row, column = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    while len(row):
        upper_left, lower_right = lattice.bounds(row, column), lattice.bounds(row + side - 1, column + side - 1)
        boxes = shapely.box(upper_left[:, 0], lower_right[:, 1], lower_right[:, 2], upper_left[:, 3])
        met = shapely.intersects(area, boxes)
        row, column, boxes = row[met], column[met], boxes[met]
        if side == 1:
            ground = ~shapely.touches(area, boxes)
            mask[row[ground], column[ground]] = True
            break
        inside = shapely.contains(area, boxes)
        for top, left in zip(row[inside].tolist(), column[inside].tolist(), strict=True):
            mask[top : top + side, left : left + side] = True
        side //= 2
        row, column = row[~inside], column[~inside]
        row = (row[:, None] + np.array([0, 0, side, side])).ravel()
        column = (column[:, None] + np.array([0, side, 0, side])).ravel()
        there = (row < lattice.rows) & (column < lattice.columns)
        row, column = row[there], column[there]
    return mask
