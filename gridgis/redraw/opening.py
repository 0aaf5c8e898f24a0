"""Grids as they are stored become a partition: missing vertices are woven in, anything worse is listed and refused."""

from __future__ import annotations

import geopandas as gpd
import numpy as np

from gridgis.ground import polygonal
from gridgis.redraw.defects import CRACK_WIDTH_M, Defect, defects, dirty_error, found_defects, taken
from gridgis.redraw.fitting import fit
from gridgis.redraw.partition import Partition, frozen_shapes
from gridgis.redraw.repairing import Repaired, repair

__all__ = ["CRACK_WIDTH_M", "Defect", "Repaired", "defects", "open_partition", "repair"]


def open_partition(grids: gpd.GeoDataFrame, area: gpd.GeoDataFrame, *, crack_width_m: float = CRACK_WIDTH_M) -> Partition:
    """The grids of one area as a partition: the same vertices on common borders, free ground where nobody holds it.

    Grids that fit come back bit for bit. Where a vertex of one grid lies inside an edge of another or of the outline, to a
    micrometre, it is put into that edge; vertices a micrometre apart become one. Nothing else is moved.

    Parameters
    ----------
    grids
        The grids of one area in a CRS in metres, indexed by code; none at all: the whole area is free.
    area
        One row, indexed by code, in the same CRS.
    crack_width_m
        Ground nobody holds is free ground from this mean width (2 · area / perimeter) on, and a defect below.

    Raises
    ------
    DataError
        If the grids overlap, leave narrow gaps, reach out of the area, or have broken rings or slivers: with counts, the
        largest ones and the way out.

    Examples
    --------
    >>> from gridgis import toy
    >>> town = open_partition(toy.grids().drop("G2"), toy.areas().loc[[toy.TOWN]])
    >>> town.codes, [ground.area for ground in town.free]
    (('G1', 'G3'), [30000.0])
    """
    given = taken(grids, area)
    mended, reasons = polygonal(given.shapes)
    whole = not (reasons != "").any()
    fitted = fit(given.shapes if whole else mended, given.outline)
    found = found_defects(given, fitted, reasons, crack_width_m=crack_width_m)
    if any(defect.blocks for defect in found) or len(fitted.left):
        raise dirty_error(given, found)
    return Partition(
        area=given.area,
        crs=given.crs,
        outline=fitted.outline,
        codes=given.codes,
        shapes=frozen_shapes(np.asarray(fitted.shapes)),
        free=frozen_shapes(fitted.free),
        attributes=given.attributes,
    )
