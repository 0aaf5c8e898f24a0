"""What rates divide by: residents, households or buildings of every cell, from a workspace's layers or from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis.apportion import zonal_sum
from gridgis.counts import Counts, best_counts, from_buildings, from_grids, from_raster
from gridgis.errors import DataError
from gridgis.files import read_any
from gridgis.files.mapping import recognise
from gridgis.ground import add_up, clip
from gridgis.hotspots.cells import CellSet, count
from gridgis.hotspots.rating import Rates, rates
from gridgis.layers import LAYERS
from gridgis.tasks.hotspot_points import Incidents
from gridgis.tasks.rasters import read_raster

if TYPE_CHECKING:
    from gridgis.store import Workspace

Floats = NDArray[np.float64]
Kind = Literal["residents", "households", "buildings"]
KINDS: Final[tuple[Kind, ...]] = ("residents", "households", "buildings")

# kind -> column of layers and files
_COLUMNS: Final = {"residents": "population", "households": "households"}
_RASTERS: Final = {".tif", ".tiff", ".vrt", ".img", ".asc"}


@dataclass(frozen=True, slots=True)
class Base:
    """A denominator and where it comes from."""

    kind: Kind
    """What is counted."""
    counts: Counts
    """Where they are."""
    source: str
    """In English: the layer or file."""


def base_of_workspace(ws: Workspace, kind: Kind, incidents: Incidents) -> Base:
    """The best source a workspace has for a kind: buildings, grids, then villages and towns (see `gridgis.counts`).

    Raises
    ------
    DataError
        If no layer knows it.
    """
    buildings = ws.read("buildings")
    if kind == "buildings":
        if len(buildings) == 0:
            raise DataError("hotspot_tasks.no_base", kind=kind)
        return Base(kind, from_buildings(buildings.assign(one=1.0), "one"), "buildings")
    areas = ws.read("areas")
    levels = [areas[areas["level"] == level] for level in ("village", "town", "county")]
    total = incidents.area if incidents.area is not None else areas
    found = best_counts(_COLUMNS[kind], total, buildings=buildings, grids=ws.read("grids"), areas=levels)
    if found is None:
        raise DataError("hotspot_tasks.no_base", kind=kind)
    return Base(kind, found, found.source)


def base_of_file(file: str | Path, kind: Kind, incidents: Incidents, *, crs: str | None = None) -> Base:
    """A denominator from a file: a raster of people per pixel, or shapes or points with a column of counts.

    Polygons count by a point inside when they are buildings (`kind` buildings), else their count is spread evenly over them.

    Parameters
    ----------
    file
        A raster (residents only), or any vector or table file with a column recognised as population or households.
    kind
        What is counted.
    incidents
        Whose area and system are meant.
    crs
        What the file is in where it does not say.

    Raises
    ------
    DataError
        If the file holds nothing of the kind.
    """
    work, name = incidents.points.crs, Path(file).name
    if Path(file).suffix.lower() in _RASTERS:
        if kind != "residents":
            raise DataError("hotspot_tasks.raster_of_residents", file=name)
        return Base(kind, from_raster(read_raster(file, within=_ground(incidents)), work), name)
    frame = read_any(file, crs=crs, target="buildings" if kind == "buildings" else "areas").to_crs(work)
    frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)]
    if kind == "buildings":
        return Base(kind, from_buildings(frame.assign(one=1.0), "one"), name)
    fields = recognise([str(column) for column in frame.columns], LAYERS["buildings"]).fields
    heading = fields.get(_COLUMNS[kind])
    if heading is None:
        columns = ", ".join(str(column) for column in frame.columns if column != frame.geometry.name)
        raise DataError("hotspot_tasks.no_base_column", file=name, kind=kind, columns=columns)
    numbers = frame.assign(number=pd.to_numeric(frame[heading], errors="coerce").fillna(0.0))
    flat = shapely.get_dimensions(np.asarray(frame.geometry.array, dtype=object)) < 2
    counts = from_buildings(numbers, "number") if flat.all() else from_grids(numbers[~flat], "number")
    return Base(kind, counts, name)


def base_per_cell(base: Base, cells: CellSet) -> Floats:
    """The denominator of every cell, shape (rows, columns): points where they lie, polygons and pixels by the share inside."""
    counts = base.counts
    total = np.zeros(cells.mask.shape)
    if len(counts.points):
        x, y = counts.points.T
        total += count(cells, x, y, weights=counts.point_values)
    if len(counts.shapes) or counts.raster is not None:
        squares = cells.lattice.boxes(*cells.places())
        sums = np.zeros(cells.size)
        if len(counts.shapes):
            zone, shape, part, _ = clip(counts.shapes, squares)
            density = counts.shape_values[shape] / shapely.area(counts.shapes)[shape]
            sums += add_up(zone, density * shapely.area(part), cells.size)
        if counts.raster is not None:
            sums += zonal_sum(counts.raster, gpd.GeoSeries(squares, crs=cells.lattice.crs)).to_numpy()
        total[cells.mask] += sums
    return total


def rates_of_cells(incidents: Floats, cells: CellSet, base: Base, *, per: float) -> Rates:
    """Rates of the cells of a lattice, smoothed towards the mean of all cells; cells outside the mask have none."""
    return rates(np.where(cells.mask, incidents, 0.0), base_per_cell(base, cells), per=per)


def population_points(base: Base, cells: CellSet) -> tuple[Floats, Floats]:
    """The denominator as points with weights, for relative risk: counted points, else the cells' centres."""
    if len(base.counts.points) and not len(base.counts.shapes) and base.counts.raster is None:
        return base.counts.points, base.counts.point_values
    x, y = cells.lattice.centre(*cells.places())
    return np.column_stack([x, y]), cells.take(base_per_cell(base, cells))


def _ground(incidents: Incidents) -> gpd.GeoDataFrame:
    if incidents.area is not None:
        return incidents.area
    x, y = incidents.points.x, incidents.points.y
    box = shapely.box(x.min(), y.min(), x.max(), y.max()).buffer(1.0)
    return gpd.GeoDataFrame(geometry=[box], crs=incidents.points.crs)
