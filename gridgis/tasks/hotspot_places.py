"""Hot spots as places: neighbouring hot cells together, each with its figures and the name of where it lies."""

from __future__ import annotations

from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from gridgis.hotspots.cells import CellSet
from gridgis.hotspots.getis_ord import LatticeResult

Floats = NDArray[np.float64]

# finest first: a place is known by its village rather than by its town
_LEVELS: Final = ("village", "town", "county")
_AROUND: Final = np.ones((3, 3), dtype=int)


def spots_of(cells: CellSet, counts: Floats, found: LatticeResult, areas: gpd.GeoDataFrame) -> pd.DataFrame:
    """Hot spots, the surest first: hot cells that touch, along a side or in a corner, are one spot.

    Returns
    -------
    DataFrame
        Index: number from 1. `row`, `column` of the cell with the largest z, `x`, `y` its middle, `place` (name of the
        smallest area around it, "" if none), `cells`, `count`, `z` (the largest), `q` (its q-value), `class` (the surest).
    """
    hot = (found.klass > 0) & cells.mask
    label, number = ndimage.label(hot, structure=_AROUND)
    columns = ["row", "column", "x", "y", "place", "cells", "count", "z", "q", "class"]
    if not number:
        return pd.DataFrame(columns=columns, index=pd.RangeIndex(1, 1, name="spot"))
    row, column = np.nonzero(hot)
    frame = pd.DataFrame(
        {
            "label": label[row, column], "row": row, "column": column, "count": counts[row, column],
            "z": found.z[row, column], "q": found.q[row, column], "class": found.klass[row, column].astype(int),
        }
    )  # fmt: skip
    sums = frame.groupby("label").agg(cells=("count", "size"), count=("count", "sum"), **{"class": ("class", "max")})
    top = frame.sort_values(["z", "count"], ascending=False, kind="stable").drop_duplicates("label").set_index("label")
    spots = top[["row", "column", "z", "q"]].join(sums)
    x, y = cells.lattice.centre(spots["row"], spots["column"])
    spots = spots.assign(x=x, y=y, place=place_names(areas, x, y))
    spots["count"] = spots["count"].astype(int)
    spots = spots.sort_values(["z", "count"], ascending=False, kind="stable")
    return spots[columns].set_axis(pd.RangeIndex(1, len(spots) + 1, name="spot"))


def place_names(areas: gpd.GeoDataFrame, x: Floats, y: Floats) -> list[str]:
    """Name of the smallest kind of area around each point, or of the nearest; "" where there are no areas.

    >>> from gridgis import toy
    >>> place_names(toy.areas(), np.array([500010.0, 500900.0]), np.array([3366010.0, 3366010.0]))
    ['West', 'East']
    """
    names = np.full(len(x), "", dtype=object)
    if not len(areas) or not len(x):
        return [""] * len(x)
    points = np.asarray(shapely.points(x, y), dtype=object)
    for level in _LEVELS:
        here = areas[areas["level"] == level]
        open_ = np.flatnonzero(names == "")
        if not len(here) or not len(open_):
            continue
        at, which = shapely.STRtree(here.geometry.to_numpy()).query(points[open_], predicate="intersects")
        names[open_[at]] = here["name"].astype(str).to_numpy()[which]
    # a cell at the border may have its middle outside: it is known by what lies nearest
    open_ = np.flatnonzero(names == "")
    if len(open_):
        finest = next(here for level in _LEVELS if len(here := areas[areas["level"] == level]))
        nearest = shapely.STRtree(finest.geometry.to_numpy()).nearest(points[open_])
        names[open_] = finest["name"].astype(str).to_numpy()[nearest]
    return [str(name) for name in names]
