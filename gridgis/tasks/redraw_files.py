"""Lines and polygons for redraw from files: any vector file, brought into the workspace's system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely

from gridgis.errors import CrsError, DataError
from gridgis.files import read_any
from gridgis.redraw.partition import Shapes, frozen_shapes
from gridgis.redraw.verbs import Line, Rings, line_of, rings_of
from gridgis.text import Phrase

if TYPE_CHECKING:
    import geopandas as gpd

    from gridgis.store import Workspace


def read_line(ws: Workspace, file: str | Path, *, crs: str | None = None) -> Line:
    """The one line of a file, in the workspace's CRS; several that follow on each other are joined.

    Raises `DataError` for a file without a line, or with lines apart.
    """
    found = _read(ws, file, crs)
    lines = [part for part in shapely.get_parts(found.geometry.to_numpy()) if part.geom_type in ("LineString", "LinearRing")]
    whole = shapely.line_merge(shapely.union_all(lines)) if len(lines) > 1 else lines[0] if lines else None
    if whole is None:
        raise DataError("redrawing.no_line", file=str(file), kinds=_kinds(found))
    if whole.geom_type != "LineString":
        raise DataError("redrawing.lines_apart", file=str(file), count=len(shapely.get_parts(whole)))
    return line_of(whole)


def read_polygons(ws: Workspace, file: str | Path, *, crs: str | None = None) -> tuple[Rings, ...]:
    """The polygons of a file, in the workspace's CRS; `DataError` if there is none."""
    found = _read(ws, file, crs)
    rings = _rings(found)
    if not rings:
        raise DataError("redrawing.no_polygon", file=str(file), kinds=_kinds(found))
    return rings


def cell_polygons(ws: Workspace, codes: Sequence[str]) -> tuple[Rings, ...]:
    """The polygons of unit cells by code; `DataError` for codes that are not there."""
    cells = ws.read("unit_cells", where={"code": list(codes)})
    missing = [code for code in codes if code not in cells.index]
    if missing or not codes:
        raise DataError("redrawing.no_cells", cells=", ".join(missing))
    return _rings(cells)


def cells_around(ws: Workspace, polygons: Sequence[Rings]) -> Shapes:
    """The unit cells at and in some polygons, shape (n,); none where the workspace has none."""
    if not ws.count("unit_cells"):
        return frozen_shapes([])
    corners = np.array([xy for rings in polygons for xy in rings[0]])
    west, south, east, north = map(float, (*corners.min(axis=0), *corners.max(axis=0)))
    return frozen_shapes(ws.read("unit_cells", bbox=(west, south, east, north)).geometry.dropna())


def _kinds(frame: gpd.GeoDataFrame) -> Phrase:
    """What a file holds instead, in a reader's words."""
    dimension = shapely.get_dimensions(np.asarray(frame.geometry.dropna(), dtype=object))
    names = {0: "points", 1: "lines", 2: "polygons"}
    return Phrase(f"redrawing.holds_{names.get(int(dimension.max(initial=-1)), 'nothing')}", {})


def _rings(frame: gpd.GeoDataFrame) -> tuple[Rings, ...]:
    return tuple(rings for shape in frame.geometry.dropna() for rings in rings_of(shape))


def _read(ws: Workspace, file: str | Path, crs: str | None) -> gpd.GeoDataFrame:
    try:
        found = read_any(file, crs=crs)
    except CrsError as error:
        if error.key != "files.swapped":
            raise
        # what that message advises are options of importing
        raise CrsError("redrawing.swapped", file=str(file)) from error
    target = ws.info.crs
    return found if target is None or found.crs == target else found.to_crs(target)
