"""Unit grids (单元网格): lattice cells of about 10,000 m² cut along the borders of villages and communities, with codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis.areas import called, checked_areas, fit
from gridgis.codes import CellCode, cell_codes
from gridgis.crs import require_metric
from gridgis.cutting import Pieces, cut
from gridgis.errors import DataError
from gridgis.lattice import Lattice
from gridgis.measure import area_factor
from gridgis.merging import LARGE, SMALL, join_small, shapes_of, union_groups
from gridgis.progress import Progress, silent

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# beyond these a computer's memory, not patience, is the limit
_MOST_CELLS: Final = 20_000_000
_MOST_LATTICE: Final = 400_000_000


@dataclass(frozen=True, slots=True)
class GridReport:
    """What was done to get the cells, and how large they are."""

    cells: int
    """Number of cells."""
    parts: int
    """Number of pieces after cutting, before small ones joined their neighbours."""
    merged: int
    """Number of pieces that joined another: `parts` − `cells`."""
    share_within: float
    """Share (0–1) of cells whose ellipsoidal area is between half and one and a half nominal cells."""
    smallest_m2: float
    """Smallest ellipsoidal area."""
    median_m2: float
    """Median ellipsoidal area."""
    largest_m2: float
    """Largest ellipsoidal area."""
    lonely: tuple[str, ...]
    """Codes of cells under half a cell (plane), because they share no border with another cell of their area."""
    overlap_m2: float
    """Ground of the plane that two areas claimed; the area with the lesser code keeps it."""
    moved: pd.DataFrame
    """Areas whose ground changed by that: index area code, `gained_m2`, `lost_m2` (plane); no rows if none overlapped."""
    by_area: pd.DataFrame
    """Every area: index area code in ascending order, `cells`, `area_m2` (ellipsoid)."""


@dataclass(frozen=True, slots=True)
class UnitGrid:
    """The unit grid of areas."""

    cells: gpd.GeoDataFrame
    """Index `code`, ascending; `area_code`, `area_m2` (ellipsoid), `planar_m2` (plane), `geometry` (polygons, outer ring
    counter-clockwise)."""
    lattice: Lattice
    """The lattice the cells were cut by."""
    report: GridReport
    """Counts, sizes and what was moved."""


def unit_grid(areas: gpd.GeoDataFrame, *, cell_m: int = 100, code: CellCode = "15", progress: Progress = silent) -> UnitGrid:
    """Lattice cells cut along the borders of areas: every cell in one area, every area filled, none overlapping.

    1. Areas that overlap a little are made to fit: the area with the lesser code keeps the strip. What moved is reported.
       Gaps between areas stay gaps.
    2. Every area is cut along the lattice lines (multiples of `cell_m`). A cell that an area parts gives several pieces.
    3. A piece under half a cell joins the neighbour of its own area with the longest shared border, smallest piece first;
       neighbours that stay within one and a half cells come before others (`merging.join_small` has the rule in full).
       Pieces without a neighbour in their area stay alone and are reported.
    4. Cells are numbered area by area, rows from north to south, inside a row from west to east, by the lattice cell they
       grew from; inside one lattice cell from north to south, then from west to east.

    The same areas give the same cells and codes, whatever the order of rows.

    Parameters
    ----------
    areas
        Villages or communities, one level only, indexed by code: polygons in a CRS in metres, no Mercator.
    cell_m
        Side of a cell, whole metres; 100 for the 10,000 m² of a unit grid.
    code
        `"15"`: 12 digits of the area and three of the cell; `"long"`: as many more as the largest area needs; `"plain"`: the
        area's code whatever it is, and six digits or more.
    progress
        Told at every stage and can stop the work.

    Returns
    -------
    UnitGrid
        Cells, lattice and report.

    Raises
    ------
    CrsError
        If the CRS is missing, in degrees or a Mercator.
    DataError
        If there are no areas, one is null, empty, no polygon or invalid, codes repeat or are not 12 digits, two areas overlap
        by over 1 % of the smaller one, an area has more than 999 cells with `code="15"`, or there would be over 20 million.

    Examples
    --------
    >>> from gridgis import toy
    >>> villages = toy.areas().query("level == 'village'")
    >>> unit_grid(villages).cells[["area_code", "planar_m2"]].head(4).to_dict("split")["data"]
    [['420000100201', 10000.0], ['420000100201', 10000.0], ['420000100201', 5000.0], ['420000100201', 10000.0]]
    """
    crs = require_metric(areas)
    ordered = checked_areas(areas)
    _check_number(ordered, cell_m)
    lattice = Lattice.covering(ordered.total_bounds.tolist(), cell_m, crs)
    if lattice.rows * lattice.columns > _MOST_LATTICE:
        raise DataError("grids.too_wide", rows=lattice.rows, columns=lattice.columns, cell_m=cell_m)
    progress("grids.stage_fit", 0, 1)
    fitting, moved, overlap_m2 = fit(ordered)
    pieces = cut(np.asarray(fitting.geometry.array, dtype=object), lattice, progress=progress)
    progress("grids.stage_join", 0, 1)
    group = join_small(pieces, lattice)
    stays = np.flatnonzero(group == np.arange(len(group)))
    progress("grids.stage_code", 0, 2)
    index = np.asarray(ordered.index, dtype=object)
    names = np.array([called(ordered, at) for at in range(len(ordered))], dtype=object)
    codes = cell_codes(index, pieces.owner[stays], scheme=code, names=names)
    progress("grids.stage_code", 1, 2)
    shapes = union_groups(shapes_of(pieces, lattice), group)[stays]
    planar, area = _areas(shapes, pieces, stays, group, lattice)
    cells = gpd.GeoDataFrame(
        {
            "area_code": index[pieces.owner[stays]],
            "area_m2": area,
            "planar_m2": planar,
        },
        index=pd.Index(codes, name="code"),
        geometry=gpd.GeoSeries(shapes, index=codes, crs=areas.crs),
    )
    sums = {"cells": np.bincount(pieces.owner[stays], minlength=len(ordered)),
            "area_m2": np.bincount(pieces.owner[stays], weights=area, minlength=len(ordered))}  # fmt: skip
    nominal = float(cell_m**2)
    report = GridReport(
        cells=len(stays),
        parts=len(pieces),
        merged=len(pieces) - len(stays),
        share_within=float(((area >= SMALL * nominal) & (area <= LARGE * nominal)).mean()),
        smallest_m2=float(area.min()),
        median_m2=float(np.median(area)),
        largest_m2=float(area.max()),
        lonely=tuple(codes[planar < SMALL * nominal - 1e-3].tolist()),
        overlap_m2=overlap_m2,
        moved=moved,
        by_area=pd.DataFrame(sums, index=ordered.index),
    )
    progress("grids.stage_code", 2, 2)
    return UnitGrid(cells=cells, lattice=lattice, report=report)


def _check_number(areas: gpd.GeoDataFrame, cell_m: int) -> None:
    number = float(areas.area.sum()) / cell_m**2 if isinstance(cell_m, int) and cell_m >= 1 else 0.0
    if number > _MOST_CELLS:
        raise DataError("grids.too_many", number=f"{round(number):,}", cell_m=cell_m, most=f"{_MOST_CELLS:,}")


def _areas(shapes: Shapes, pieces: Pieces, stays: Ints, group: Ints, lattice: Lattice) -> tuple[Floats, Floats]:
    """Planar and ellipsoidal area of every cell; whole cells need no look at their shape."""
    plain = shapely.is_missing(pieces.shape[stays]) & (np.bincount(group, minlength=len(group))[stays] == 1)
    planar = np.full(len(stays), float(lattice.cell_m**2))
    planar[~plain] = shapely.area(shapes[~plain])
    x, y = lattice.centre(pieces.row[stays], pieces.column[stays])
    middle = shapely.centroid(shapes[~plain])
    x[~plain], y[~plain] = shapely.get_x(middle), shapely.get_y(middle)
    return planar, planar * area_factor(lattice.crs, x, y)
