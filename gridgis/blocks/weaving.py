"""A frame of small coordinates on a fine grid in which lines are noded without doubt, and the way back to the vertices given.

Coordinates are taken from a near, whole-metre origin and set on a grid of 2⁻³⁰ m, about a nanometre. There GEOS's snap rounding
is exact: no vertex comes to lie a hair beside a line it belongs to, whatever meets. On the way back vertices that were given get
their own bits again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import GEOSException

from gridgis.topology import segments

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

GRID_M: Final = 2.0**-30
FINE_M: Final = 2.0**-34
# ground so near a shape that rounding alone kept it out
_HAIR_M: Final = 1e-6
_MOST_PASSES: Final = 5
# a vertex so many steps of the grid beside an edge belongs on it
_BESIDE: Final = 1.5


@dataclass(frozen=True, slots=True)
class Frame:
    """The origin, and the vertices that go back to their own bits."""

    x0: float
    """Whole metres."""
    y0: float
    """Whole metres."""
    given: dict[tuple[float, float], tuple[float, float]]
    """Vertex in the frame → vertex as it was given."""

    def enter(self, shapes: Shapes) -> Shapes:
        """Shapes in the frame."""
        return np.asarray(shapely.transform(shapes, self._inward), dtype=object)

    def entered(self, layer: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame | None:
        """A layer in the frame, without a CRS."""
        if layer is None:
            return None
        shapes = self.enter(shapely.force_2d(np.asarray(layer.geometry.array, dtype=object)))
        columns = {"kind": layer["kind"].to_numpy()} if "kind" in layer else {}
        return gpd.GeoDataFrame(columns, index=layer.index, geometry=gpd.GeoSeries(shapes, index=layer.index))

    def leave(self, shapes: Shapes) -> Shapes:
        """Shapes back where they came from."""
        return np.asarray(shapely.transform(shapes, self._outward), dtype=object)

    def _inward(self, xy: Floats) -> Floats:
        return np.asarray(np.round((xy - np.array([self.x0, self.y0])) / GRID_M) * GRID_M, dtype=float)

    def _outward(self, xy: Floats) -> Floats:
        moved = xy + np.array([self.x0, self.y0])
        for at, vertex in enumerate(map(tuple, xy.tolist())):
            if vertex in self.given:
                moved[at] = self.given[vertex]
        return np.asarray(moved, dtype=float)


def frame_of(grounds: Shapes) -> Frame:
    """The frame of areas, whose vertices will keep their bits.

    >>> square = shapely.box(500000.1, 3366000.1, 500100.1, 3366100.1)
    >>> frame = frame_of(np.array([square]))
    >>> bool(frame.leave(frame.enter(np.array([square])))[0] == square)
    True
    """
    x0, y0 = np.floor(shapely.total_bounds(grounds)[:2]).tolist()
    bare = Frame(x0, y0, {})
    xy = shapely.get_coordinates(grounds)
    inner = shapely.get_coordinates(bare.enter(grounds))
    return Frame(x0, y0, dict(zip(map(tuple, inner.tolist()), map(tuple, xy.tolist()), strict=True)))


def node(lines: Shapes, *, grid_m: float = GRID_M) -> Shapes:
    """Lines cut wherever they meet, each piece once, vertices on the grid.

    Parameters
    ----------
    lines
        Of the frame.
    grid_m
        Width of the grid. What is parted by itself and fitted to its neighbours later (`fit_together`) takes `FINE_M`, so that
        its new vertices lie on old borders to less than half a step of the grid they are fitted on.

    Examples
    --------
    >>> cross = shapely.linestrings([[(0, 0), (2, 2)], [(0, 2), (2, 0)]])
    >>> len(node(cross))
    4
    """
    merged = shapely.union_all(lines, grid_size=grid_m)
    parts = shapely.get_parts(merged)
    return np.asarray(parts[shapely.get_type_id(parts) == 1], dtype=object)


def polygons(noded: Shapes) -> Shapes:
    """The polygons between noded lines; loose ends and bridges bound nothing and drop out.

    >>> ring = np.array([shapely.LineString([(0, 0), (1, 0), (1, 1), (0, 0)]), shapely.LineString([(1, 1), (2, 2)])])
    >>> shapely.area(polygons(node(ring))).tolist()
    [0.5]
    """
    return np.asarray(shapely.get_parts(shapely.polygonize(noded)), dtype=object)


def owners(shapes: Shapes, grounds: Shapes) -> Ints:
    """Position of the ground each polygon lies in, −1 for none; polygons do not cross borders of grounds.

    >>> owners(shapely.box([0, 5], [0, 0], [1, 6], [1, 1]), np.array([shapely.box(0, 0, 2, 2)])).tolist()
    [0, -1]
    """
    inner = shapely.point_on_surface(shapes)
    which, ground = shapely.STRtree(grounds).query(inner, predicate="intersects")
    found = np.full(len(shapes), -1, dtype=np.int64)
    found[which[::-1]] = ground[::-1]
    return found


def fit_together(shapes: Shapes, *, grid_m: float = GRID_M) -> tuple[Shapes, Ints]:
    """Polygons that fill the same ground but lack vertices of their neighbours, woven anew: faces, and the polygon each is of.

    Parameters
    ----------
    shapes
        Polygons, shape (n,).
    grid_m
        As for `node`.

    Examples
    --------
    >>> shapes, of = fit_together(shapely.box([0, 0, 1], [0, 1, 1], [2, 1, 2], [1, 2, 2]))
    >>> [len(shape.exterior.coords) for shape in shapes[np.argsort(of)]]
    [6, 5, 5]
    """
    lines = node(_through_vertices(np.unique(segments(shapes).ends, axis=0), within_m=4 * FINE_M), grid_m=grid_m)
    for _ in range(_MOST_PASSES):
        # a border bent by one vertex may pass by the next by a grid step: weave until nothing new is met
        again = node(_through_vertices(_edges(lines), within_m=_BESIDE * grid_m), grid_m=grid_m)
        settled = shapely.get_num_coordinates(again).sum() == shapely.get_num_coordinates(lines).sum()
        lines = again
        if settled:
            break
    faces = polygons(lines)
    of = owners(faces, shapes)
    lost = np.flatnonzero(of < 0)
    if len(lost):
        inner = shapely.point_on_surface(faces[lost])
        at, near = shapely.STRtree(shapes).query_nearest(inner, max_distance=_HAIR_M, all_matches=False)
        of[lost[at]] = near
    return faces[of >= 0], of[of >= 0]


def _edges(lines: Shapes) -> Floats:
    """The straight pieces of lines, each once, shape (m, 4)."""
    xy, of = shapely.get_coordinates(lines, return_index=True)
    same = of[1:] == of[:-1]
    return np.asarray(np.unique(np.column_stack([xy[:-1], xy[1:]])[same], axis=0), dtype=np.float64)


def _through_vertices(ends: Floats, *, within_m: float) -> Shapes:
    """Every edge, shape (m, 4), as a line that is led through the vertices so near it that rounding alone put them beside it."""
    edges = ends.reshape(-1, 2, 2)
    lines: Shapes = np.asarray(shapely.linestrings(edges), dtype=object)
    corners = np.unique(edges.reshape(-1, 2), axis=0)
    corner, line = shapely.STRtree(lines).query(shapely.points(corners), predicate="dwithin", distance=within_m)
    between = (corners[corner][:, None] != edges[line]).any(axis=2).all(axis=1)
    corner, line = corner[between], line[between]
    along = np.linalg.norm(corners[corner] - edges[line, 0], axis=1)
    order = np.lexsort((along, line))
    corner, line = corner[order], line[order]
    for at in np.unique(line).tolist():
        lines[at] = shapely.LineString([edges[at, 0], *corners[corner[line == at]], edges[at, 1]])
    return lines


def united(shapes: Shapes, group: Ints) -> tuple[Shapes, Ints]:
    """The union of every group, in the order of groups' first members, and those members' positions.

    Parameters
    ----------
    shapes
        Polygons that meet with the same vertices, shape (n,).
    group
        Shape (n,): position of the member a group is named after; a group hangs together along borders.

    Examples
    --------
    >>> shapes, first = united(shapely.box([0, 1, 2], [0, 0, 0], [1, 2, 3], [1, 1, 1]), np.array([0, 0, 2]))
    >>> shapely.area(shapes).tolist(), first.tolist()
    ([2.0, 1.0], [0, 2])
    """
    order = np.argsort(group, kind="stable")
    names, starts = np.unique(group[order], return_index=True)
    result = [run[0] if len(run) == 1 else _union(run) for run in np.split(shapes[order], starts[1:])]
    return np.array(result, dtype=object), names.astype(np.int64)


def _union(members: Shapes) -> Any:
    try:
        union: Any = shapely.coverage_union_all(members)
    except GEOSException:
        union = shapely.Point()
    # coverage union trusts its input; where that is not enough, the slow way on the finer grid
    return union if union.geom_type == "Polygon" and union.is_valid else shapely.union_all(members, grid_size=FINE_M)
