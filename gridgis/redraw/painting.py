"""Painting beside a crooked border: the rest of the unit cell between joins the painted ground, where that is little."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import shapely

from gridgis.redraw.edits import Note
from gridgis.redraw.ground import crumb_limit
from gridgis.redraw.partition import SNAP_M, Partition, Shapes
from gridgis.redraw.verbs import Assign, rings_of

_MOST: Final = 0.5


def with_cells_between(partition: Partition, op: Assign, cells: Shapes) -> tuple[Assign, Note] | None:
    """The assignment with the cells between painted ground and the grid it goes to, and a note; None where none will do.

    1. A cell lies between when it has a side in common with painted ground that does not reach the grid, and the grid holds
       most of it.
    2. Of several, the one with the least ground to hand over is taken.
    3. What is handed over in these cells must be as little as what may go along as crumbs.

    Parameters
    ----------
    partition
        What the assignment is for.
    op
        One whose ground does not reach its grid (`redraw.apart`, `redraw.corner`).
    cells
        Unit cells around that ground, shape (n,).

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.redraw.partition import partition_of
    >>> town = partition_of(toy.grids(), area=toy.TOWN)  # G1 ends at 150 m, cells of 80 m end at 160 m
    >>> cells = shapely.box(500000 + 80 * np.arange(4), 3366000, 500080 + 80 * np.arange(4), 3366080)
    >>> wider, note = with_cells_between(town, Assign(rings_of(cells[2]), to="G1"), cells)
    >>> note.values["area"], len(wider.polygons)
    (800.0, 2)
    """
    held = partition.shape(op.to)
    painted = [shapely.Polygon(rings[0], rings[1:]) for rings in op.polygons]
    ground = shapely.union_all(painted, grid_size=SNAP_M)
    whole = shapely.area(shapely.intersection(cells, partition.outline))
    rest = whole - shapely.area(shapely.intersection(cells, held))
    cells, rest = cells[rest < _MOST * whole], rest[rest < _MOST * whole]
    if not len(cells):
        return None
    chosen: set[int] = set()
    for part in shapely.get_parts(ground):
        if shapely.length(shapely.intersection(part, held)) > SNAP_M:
            continue
        beside = np.flatnonzero(shapely.length(shapely.intersection(shapely.boundary(cells), shapely.boundary(part))) > SNAP_M)
        if not len(beside):
            return None
        chosen.add(int(beside[rest[beside].argmin()]))
    handed = float(rest[sorted(chosen)].sum())
    if not chosen or handed >= crumb_limit(ground):
        return None
    polygons = (*op.polygons, *(rings for at in sorted(chosen) for rings in rings_of(cells[at])))
    told = {"to": op.to, "area": round(handed, 1), "count": len(chosen)}
    return replace(op, polygons=polygons), Note("redraw.cells_between", told)
