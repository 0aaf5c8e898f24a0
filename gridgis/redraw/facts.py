"""What is known at points (buildings, incidents, natural villages, stations), and in which cell of a partition each lies.

A point lies in exactly one cell, whatever the order of the cells: on a common border it belongs to the cell a hair to the
right of it, or a hair above where the border runs level (half-open cells); on the outline, where nothing lies there, it
counts a hair further in. So a cell's points depend on that cell and the outline alone, and cells nobody changed need not be
counted again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gridgis.apportion import building_points
from gridgis.crs import crs_name, require_metric
from gridgis.errors import CrsError
from gridgis.topology import segments

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

RESIDENTS: Final = ("households", "population")
"""Columns of buildings that are summed."""

# how far inside the outline a point on it counts
_INWARD_M: Final = 5e-4


@dataclass(frozen=True, slots=True)
class Points:
    """Points of one layer with what is known of each."""

    xy: Floats
    """Shape (n, 2), in the CRS of the facts; points without a place are left out."""
    counts: Mapping[str, Floats] = field(default_factory=dict)
    """Counts by name, shape (n,) each: 0 where a point has none; a name is missing where no point has one."""
    _tree: list[shapely.STRtree] = field(default_factory=list, repr=False)

    def tree(self) -> shapely.STRtree:
        """The points' index, built when first asked for."""
        if not self._tree:
            self._tree.append(shapely.STRtree(np.asarray(shapely.points(self.xy), dtype=object)))
        return self._tree[0]

    def inside(self, cells: Shapes, outline: BaseGeometry) -> tuple[Ints, Ints]:
        """Points that lie in cells of a partition: positions of point and cell, each point once at most.

        >>> west, east = shapely.box([0, 1], 0, [1, 2], 1)
        >>> found = Points(np.array([[0.5, 0.5], [1.0, 0.5], [2.0, 0.5], [9.0, 9.0]]))
        >>> point, cell = found.inside(np.array([west, east]), shapely.box(0, 0, 2, 1))
        >>> point.tolist(), cell.tolist()
        ([0, 1, 2], [0, 1, 1])
        """
        if len(self.xy) == 0 or len(cells) == 0:
            return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
        shapely.prepare(cells)
        cell, point = self.tree().query(cells, predicate="intersects")
        x, y = self.xy[point].T
        inner = np.asarray(shapely.contains_xy(cells[cell], x, y), dtype=bool)
        border = np.flatnonzero(~inner)
        if len(border):
            inner[border] = _half_open(self.xy, cells, point[border], cell[border])
        point, cell, edge = point[inner], cell[inner], np.unique(point[border])
        edge = edge[_beyond(self.xy[edge], outline)]
        if len(edge):
            moved = Points(_inward(self.xy[edge], outline))
            at, of = moved.inside(cells, outline)
            point, cell = np.concatenate([point, edge[at]]), np.concatenate([cell, of])
        order = np.argsort(point, kind="stable")
        return point[order], cell[order]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a town at points; None for a layer nobody has."""

    crs: pyproj.CRS
    """Projected, in metres; the partitions' own."""
    buildings: Points | None = None
    """A point inside every building, with `households` and `population` where the layer knows any."""
    incidents: Points | None = None
    """Where they happened."""
    natural_villages: Points | None = None
    """A point inside each."""
    stations: Points | None = None
    """Where they are; stations without a place are left out."""
    station_codes: tuple[str, ...] = ()
    """Of `stations`."""

    @classmethod
    def of(
        cls,
        crs: pyproj.CRS,
        *,
        buildings: gpd.GeoDataFrame | None = None,
        incidents: gpd.GeoDataFrame | None = None,
        natural_villages: gpd.GeoDataFrame | None = None,
        stations: gpd.GeoDataFrame | None = None,
    ) -> Self:
        """Facts of layers, in the CRS of the partitions; a layer that is None is unknown, an empty one is known to be empty.

        >>> from gridgis import toy
        >>> facts = Facts.of(pyproj.CRS(toy.CRS), buildings=toy.buildings(), stations=toy.stations())
        >>> facts.buildings.counts["population"].sum(), facts.station_codes, facts.incidents
        (np.float64(36.0), ('S1', 'S2'), None)
        """
        given = (buildings, incidents, natural_villages, stations)
        for layer in given:
            if layer is not None and (other := require_metric(layer)) != crs:
                raise CrsError("crs.mixed", first=crs_name(crs), second=crs_name(other))
        houses, events, hamlets, posts = (None if layer is None else _points(layer) for layer in given)
        codes: tuple[str, ...] = ()
        if stations is not None:
            there = ~(stations.geometry.isna() | stations.geometry.is_empty).to_numpy()
            codes = tuple(str(code) for code in stations.index[there])
        return cls(crs, houses, events, hamlets, posts, codes)


def _points(layer: gpd.GeoDataFrame) -> Points:
    xy = building_points(layer)
    there = np.isfinite(xy).all(axis=1)
    counts = {}
    for name in RESIDENTS:
        if name in layer and layer[name].notna().any():
            counts[name] = layer[name].to_numpy(dtype=float, na_value=0.0)[there]
    return Points(xy[there], counts)


def _half_open(xy: Floats, cells: Shapes, point: Ints, cell: Ints) -> NDArray[np.bool_]:
    """Whether points on the border of cells belong to them: by the number of edges a ray to the right crosses.

    Both sides of a common edge reckon with the same numbers in the same order, so that exactly one of them has the point.
    """
    result = np.zeros(len(point), dtype=bool)
    for at in np.unique(cell).tolist():
        these = np.flatnonzero(cell == at)
        ends = segments(cells[[at]]).ends
        up = ends[:, 1] <= ends[:, 3]
        x0, y0, x1, y1 = np.where(up[:, None], ends, ends[:, [2, 3, 0, 1]]).T
        for one in these.tolist():
            x, y = xy[point[one]]
            meets = np.flatnonzero((y0 <= y) & (y < y1))
            a, b = x0[meets], x1[meets]
            result[one] = np.count_nonzero(x < a + (y - y0[meets]) * (b - a) / (y1[meets] - y0[meets])) % 2 == 1
    return result


def _beyond(xy: Floats, outline: BaseGeometry) -> NDArray[np.bool_]:
    """Which points lie on the outline and belong to what lies beyond it."""
    if len(xy) == 0:
        return np.zeros(0, dtype=bool)
    line = shapely.boundary(outline)
    shapely.prepare(line)
    on = np.asarray(shapely.intersects(line, shapely.points(xy)), dtype=bool)
    at = np.flatnonzero(on)
    whole = np.array([outline], dtype=object)
    on[at] = ~_half_open(xy, whole, at, np.zeros(len(at), dtype=np.intp))
    return on


def _inward(xy: Floats, outline: BaseGeometry) -> Floats:
    """A spot of the ground within half a millimetre of points on the outline, in the widest piece of it."""
    box = shapely.box(*(xy - _INWARD_M).T, *(xy + _INWARD_M).T)
    spots = []
    for ground in np.asarray(shapely.intersection(outline, box), dtype=object):
        parts = shapely.get_parts(ground)
        spots.append(shapely.point_on_surface(parts[int(np.argmax(shapely.area(parts)))]))
    return np.asarray(shapely.get_coordinates(np.array(spots, dtype=object)), dtype=np.float64)
