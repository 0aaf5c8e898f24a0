"""How densely the land around a place is built, what of a cell is water, and buildings as solid masses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from gridgis.blocks.faces import components

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# side of the squares built ground is summed on, and squares across the window density is taken over
_SQUARE_M: Final = 50.0
_WINDOW: Final = 5
_OVERLAP_M2: Final = 0.05


@dataclass(frozen=True, slots=True)
class Density:
    """Built share on a raster, and the water."""

    x0: float
    """West edge, metres."""
    y0: float
    """South edge, metres."""
    share: Floats
    """Shape (rows, columns), south first: built share of the land within the window; nan where there is no land."""
    waters: Shapes
    """Polygons of water, shape (k,)."""

    def built(self, shapes: Shapes) -> Floats:
        """Built share around every polygon: the mean at its middle and along its edge, shape (n,)."""
        xy, at = shapely.get_coordinates(shapely.segmentize(shapes, _SQUARE_M), return_index=True)
        middle = shapely.get_coordinates(shapely.point_on_surface(shapes))
        edge = np.bincount(at, self._at(xy), len(shapes)) / np.maximum(np.bincount(at, minlength=len(shapes)), 1)
        return (edge + self._at(middle)) / 2

    def wet(self, shapes: Shapes) -> Floats:
        """Share of every polygon that is water, shape (n,)."""
        found = np.zeros(len(shapes))
        if len(self.waters):
            at, water = shapely.STRtree(self.waters).query(shapes, predicate="intersects")
            np.add.at(found, at, shapely.area(shapely.intersection(shapes[at], self.waters[water])))
        return np.asarray(found / np.maximum(shapely.area(shapes), 1e-12), dtype=float)

    def _at(self, xy: Floats) -> Floats:
        row = np.clip(((xy[:, 1] - self.y0) // _SQUARE_M).astype(int), 0, self.share.shape[0] - 1)
        column = np.clip(((xy[:, 0] - self.x0) // _SQUARE_M).astype(int), 0, self.share.shape[1] - 1)
        return np.asarray(self.share[row, column], dtype=float)


def density(grounds: Shapes, buildings: gpd.GeoDataFrame | None, water: gpd.GeoDataFrame | None, *, first_only: bool) -> Density:
    """Built share of the land of areas within 125 m of every square of 50 m.

    Parameters
    ----------
    grounds
        Polygons of the areas.
    buildings, water
        Polygons; lines count for nothing.
    first_only
        Whether all land counts as fully built, because nothing is known.

    Examples
    --------
    >>> house = gpd.GeoDataFrame(geometry=[shapely.box(100, 100, 150, 150)])
    >>> about = density(np.array([shapely.box(0, 0, 250, 250)]), house, None, first_only=False)
    >>> about.built(np.array([shapely.box(100, 100, 150, 150)])).round(3).tolist()
    [0.045]
    """
    left, bottom, right, top = shapely.total_bounds(grounds)
    x0, y0 = np.floor(left / _SQUARE_M) * _SQUARE_M, np.floor(bottom / _SQUARE_M) * _SQUARE_M
    columns, rows = int((right - x0) // _SQUARE_M) + 1, int((top - y0) // _SQUARE_M) + 1
    waters = _polygons(water)
    if first_only:
        return Density(x0, y0, np.ones((rows, columns)), waters)
    land = np.zeros((rows, columns))
    x = x0 + (np.arange(columns) + 0.5) * _SQUARE_M
    y = y0 + (np.arange(rows) + 0.5) * _SQUARE_M
    xx, yy = (part.ravel() for part in np.meshgrid(x, y))
    points = shapely.points(xx, yy)
    inside = np.zeros(len(points), dtype=bool)
    inside[np.unique(shapely.STRtree(points).query(grounds, predicate="intersects")[1])] = True
    if len(waters):
        inside[np.unique(shapely.STRtree(points).query(waters, predicate="contains")[1])] = False
    land = inside.reshape(rows, columns) * _SQUARE_M**2
    houses = _polygons(buildings)
    centre = shapely.get_coordinates(shapely.centroid(houses))
    row, column = ((centre[:, 1] - y0) // _SQUARE_M).astype(int), ((centre[:, 0] - x0) // _SQUARE_M).astype(int)
    there = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    built = np.zeros((rows, columns))
    np.add.at(built, (row[there], column[there]), shapely.area(houses[there]))
    window = _WINDOW**2
    around = uniform_filter(land, _WINDOW, mode="constant") * window
    share = uniform_filter(built, _WINDOW, mode="constant") * window / np.maximum(around, _SQUARE_M**2)
    return Density(x0, y0, np.clip(share, 0.0, 1.0), waters)


def masses(buildings: gpd.GeoDataFrame | None, *, most_m2: float) -> Shapes:
    """Buildings as polygons without overlap: those drawn on each other are one, those larger than a cell are left out.

    >>> houses = gpd.GeoDataFrame(geometry=shapely.box([0, 5, 20], [0, 0, 0], [10, 15, 99], [10, 10, 99]))
    >>> shapely.area(masses(houses, most_m2=5000)).tolist()
    [150.0]
    """
    parts = _polygons(buildings)
    parts = parts[(shapely.area(parts) <= most_m2) & (shapely.area(parts) > 0)]
    if not len(parts):
        return parts
    left, right = shapely.STRtree(parts).query(parts, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    real = shapely.area(shapely.intersection(parts[left], parts[right])) > _OVERLAP_M2
    group = components(len(parts), left[real], right[real])
    if not real.any():
        return parts
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(group[order]) > 0])
    united = [shapely.union_all(run) if len(run) > 1 else run[0] for run in np.split(parts[order], starts[1:])]
    return np.asarray(shapely.get_parts(np.array(united, dtype=object)), dtype=object)


def _polygons(frame: gpd.GeoDataFrame | None) -> Shapes:
    if frame is None:
        return np.array([], dtype=object)
    shapes = shapely.force_2d(np.asarray(frame.geometry.array, dtype=object))
    return solid_parts(shapes[~shapely.is_missing(shapes)])[0]


def solid_parts(shapes: Shapes) -> tuple[Shapes, Ints]:
    """The polygons in shapes, broken ones mended, and the position of the shape each is of.

    Parts of one shape that lie on each other are parts each, as somebody meant them to be.

    >>> twice = shapely.MultiPolygon([shapely.box(0, 0, 2, 1), shapely.box(1, 0, 3, 1)])
    >>> [shape.area for shape in solid_parts(np.array([twice]))[0]]
    [2.0, 2.0]
    """
    parts, of = shapely.get_parts(shapes, return_index=True)
    mended, at = shapely.get_parts(np.where(shapely.is_valid(parts), parts, shapely.make_valid(parts)), return_index=True)
    pieces, whose = shapely.get_parts(mended, return_index=True)
    real = (shapely.get_type_id(pieces) == 3) & ~shapely.is_empty(pieces)
    return np.asarray(pieces[real], dtype=object), np.asarray(of[at[whose[real]]], dtype=np.int64)
