"""The sheet: rule by rule, how well cells keep the division principles, recomputed from nothing but the cells and the layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis.blocks.classes import CLASSES, SizeClass, sizes
from gridgis.blocks.density import solid_parts
from gridgis.blocks.faces import holds
from gridgis.blocks.network import Lines
from gridgis.topology import gaps, misfits, overlaps, segments

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]

# less of a building than this in another cell is rounding
CUT_M2: Final = 0.1
_COMPACT: Final = 0.5
_EVEN: Final = 2.0


def cut_buildings(
    cells: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame | None, areas: gpd.GeoDataFrame, *, large_m2: float
) -> pd.DataFrame:
    """Buildings that lie in more than one cell, and why; of a building in several parts each part counts by itself.

    Parameters
    ----------
    cells
        With `area_code`, without overlap.
    buildings
        Polygons; invalid ones are repaired for the measurement.
    areas
        The communities, indexed by code.
    large_m2
        A building larger than this may be parted.

    Returns
    -------
    DataFrame
        On the index of `buildings`, only those cut: `cells`, `largest_share` (of what lies in cells), and `reason`: `"area"` (a
        border of communities runs through it, and what lies in each community is not cut again), `"large"`, or `"avoidable"`.

    Examples
    --------
    >>> from gridgis import toy
    >>> cells = toy.grids()
    >>> house = gpd.GeoDataFrame(geometry=[shapely.box(500140, 3366000, 500160, 3366010)], crs=toy.CRS)
    >>> cut_buildings(cells, house, toy.areas(), large_m2=5000).to_dict("records")
    [{'cells': 2, 'largest_share': 0.5, 'reason': 'avoidable'}]
    """
    columns = {"cells": "int64", "largest_share": "float64", "reason": "object"}
    if buildings is None or not len(buildings):
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    shapes = shapely.force_2d(np.asarray(buildings.geometry.array, dtype=object))
    parts, of = solid_parts(shapes)
    places = np.asarray(cells.geometry.array, dtype=object)
    at, cell = shapely.STRtree(places).query(parts, predicate="intersects")
    held = shapely.area(shapely.intersection(parts[at], places[cell]))
    real = held > CUT_M2
    area = cells["area_code"].to_numpy()[cell[real]]
    table = pd.DataFrame({"part": at[real], "area": area, "m2": held[real]})
    by_part = table.groupby("part")["m2"].agg(["size", "max", "sum"])
    by_part = by_part[by_part["size"] > 1]
    each = table.groupby(["part", "area"]).size().groupby("part").max()
    ground = np.asarray(areas.geometry.array, dtype=object)[areas.index.get_indexer(pd.Index(table["area"]))]
    pieces = _pieces(parts[table["part"]], ground)
    table["pieces"] = pieces
    # a house that a community's border parts in two there may lie in two of its cells
    fits = (table.groupby(["part", "area"])["m2"].size() <= table.groupby(["part", "area"])["pieces"].max()).groupby("part").all()
    lined = (each[by_part.index] == 1) | fits[by_part.index]
    reason = np.where(lined, "area", np.where(shapely.area(parts[by_part.index]) > large_m2, "large", "avoidable"))
    share = (by_part["max"] / by_part["sum"]).to_numpy()
    found = {"house": of[by_part.index], "cells": by_part["size"].to_numpy(), "largest_share": share, "reason": reason}
    rows = pd.DataFrame(found).astype({"reason": object})
    rows = rows.assign(worst=rows["reason"].map({"avoidable": 0, "large": 1, "area": 2})).sort_values(["house", "worst"])
    rows = rows.drop_duplicates("house")
    return rows[["cells", "largest_share", "reason"]].set_axis(buildings.index[rows["house"]])


def _pieces(houses: Shapes, grounds: Shapes) -> NDArray[np.int64]:
    """In how many pieces each house lies in a ground, those of a rounding's size left out."""
    parts, at = shapely.get_parts(shapely.intersection(houses, grounds), return_index=True)
    return np.bincount(at[shapely.area(parts) > CUT_M2], minlength=len(houses)).astype(np.int64)


def sheet(
    cells: gpd.GeoDataFrame,
    areas: gpd.GeoDataFrame,
    *,
    lines: Lines | None = None,
    buildings: gpd.GeoDataFrame | None = None,
    classes: Sequence[SizeClass] = CLASSES,
    target_m2: float = 10_000,
) -> pd.DataFrame:
    """Every rule of division with what keeps it of what could.

    Hard: `seamless` (cells that overlap no other and have their neighbours' vertices), `filled` (m² of the areas held by a
    cell), `one_area` (cells inside their community), `buildings_whole` (buildings not cut without need). Soft:
    `along_lines` (metres of border between cells of one community on a street, water or plot line), `in_range` (cells whose
    area is in their class's range), `within_tenth` (cells of the first class within ±10 % of the target), `compact` (cells
    with 4π·area/perimeter² of 0.5 or more), `even_buildings` (cells with buildings that have at most twice the mean number
    of their class per area, and at least half of it).

    Parameters
    ----------
    cells
        With `area_code`, `klass`.
    areas
        The communities, indexed by code.
    lines
        What borders may follow; None: `along_lines` has nothing to count.
    buildings, classes, target_m2
        As for `drawing.block_grids`.

    Returns
    -------
    DataFrame
        Index `rule`; `hard`, `kept`, `of`, `unit`, `share` (NaN where there is nothing to count).

    Examples
    --------
    >>> from gridgis import toy
    >>> cells = toy.grids().assign(klass="core")
    >>> sheet(cells, toy.areas().query("level == 'village'")).loc["in_range", ["kept", "of"]].tolist()
    [0.0, 3.0]
    """
    table = sizes(classes, target_m2)
    shapes = np.asarray(cells.geometry.array, dtype=object)
    area, edge = cells.area.to_numpy(), cells.length.to_numpy()
    klass = np.array([table.names.index(name) for name in cells["klass"]], dtype=np.int64)
    bad = misfits(cells).to_numpy().copy()
    for side in ("left", "right"):
        bad |= cells.index.isin(overlaps(cells)[side])
    empty = float(gaps(cells, areas).area.sum())
    ground = float(shapely.area(shapely.union_all(np.asarray(areas.geometry.array, dtype=object))))
    own = np.asarray(areas.geometry.array, dtype=object)[areas.index.get_indexer(pd.Index(cells["area_code"]))]
    outside = shapely.area(shapely.difference(shapes, own)) > 1e-4
    cut = cut_buildings(cells, buildings, areas, large_m2=float(table.high[0]))
    count = _buildings_in(shapes, buildings)
    houses = int(count.sum())
    avoidable = int((cut["reason"] == "avoidable").sum())
    first = klass == 0
    on, of = _along(shapes, cells["area_code"].to_numpy(), lines)
    fits = (area >= table.low[klass]) & (area <= table.high[klass])
    near = np.abs(area - table.target[0]) <= 0.1 * table.target[0]
    even, lived = _even(count, area, klass)
    rows = [
        ("seamless", True, len(cells) - int(bad.sum()), len(cells), "cells"),
        ("filled", True, ground - empty, ground, "m2"),
        ("one_area", True, len(cells) - int(outside.sum()), len(cells), "cells"),
        ("buildings_whole", True, houses - avoidable, houses, "buildings"),
        ("along_lines", False, on, of, "m"),
        ("in_range", False, int(fits.sum()), len(cells), "cells"),
        ("within_tenth", False, int((near & first).sum()), int(first.sum()), "cells"),
        ("compact", False, int((4 * np.pi * area >= _COMPACT * edge**2).sum()), len(cells), "cells"),
        ("even_buildings", False, even, lived, "cells"),
    ]
    result = pd.DataFrame(rows, columns=["rule", "hard", "kept", "of", "unit"]).set_index("rule")
    result[["kept", "of"]] = result[["kept", "of"]].astype("float64")
    return result.assign(share=result["kept"] / result["of"].where(result["of"] > 0))


def _buildings_in(shapes: Shapes, buildings: gpd.GeoDataFrame | None) -> NDArray[np.int64]:
    """How many buildings have their middle in each cell."""
    if buildings is None or not len(buildings):
        return np.zeros(len(shapes), dtype=np.int64)
    geometry = np.asarray(buildings.geometry.array, dtype=object)
    middle = shapely.point_on_surface(geometry[~shapely.is_missing(geometry)])
    point, cell = shapely.STRtree(shapes).query(middle, predicate="intersects")
    _, once = np.unique(point, return_index=True)
    return np.bincount(cell[once], minlength=len(shapes)).astype(np.int64)


def _along(shapes: Shapes, area_code: NDArray[np.object_], lines: Lines | None) -> tuple[float, float]:
    """Metres of borders between cells of one area that lie on lines, and of all such borders."""
    pieces = segments(shapes)
    order = np.lexsort((pieces.owner, *pieces.ends.T[::-1]))
    ends, owner = pieces.ends[order], pieces.owner[order]
    at = np.flatnonzero((ends[1:] == ends[:-1]).all(axis=1)) if len(ends) else np.zeros(0, dtype=np.int64)
    at = at[area_code[owner[at]] == area_code[owner[at + 1]]]
    length = np.hypot(ends[at, 2] - ends[at, 0], ends[at, 3] - ends[at, 1])
    on = holds((ends[at, :2] + ends[at, 2:]) / 2, lines) > 0
    return float(length[on].sum()), float(length.sum()) if lines is not None else 0.0


def _even(count: NDArray[np.int64], area: NDArray[np.floating[Any]], klass: NDArray[np.int64]) -> tuple[int, int]:
    even = lived = 0
    for at in np.unique(klass):
        here = (klass == at) & (count > 0)
        if here.any():
            wished = count[here].sum() * area[here] / area[here].sum()
            even += int(((count[here] <= _EVEN * wished) & (count[here] >= wished / _EVEN)).sum())
            lived += int(here.sum())
    return even, lived
