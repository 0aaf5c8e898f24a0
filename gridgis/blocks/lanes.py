"""Cuts along lanes: a polygon's faces between lines, swept in every direction, with what each cut would leave and cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.blocks.faces import borders, components, crossed, whole
from gridgis.blocks.joining import Patches, absorb
from gridgis.blocks.network import REACH_M, Lines
from gridgis.blocks.prices import dear_metres
from gridgis.blocks.weaving import FINE_M, node, owners, polygons, united

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# directions faces are swept in
_DIRECTIONS: Final = 12
# a face of a lesser mean width (2 · area / perimeter) is no face
_NARROW_M: Final = 12.0


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces of a polygon between lines, and what their borders cost."""

    shapes: Shapes
    """Polygons with common vertices, shape (n,)."""
    left: Ints
    """Shape (m,): position of the one side of a piece of border."""
    right: Ints
    """Shape (m,)."""
    metres: Floats
    """Shape (m,): its length."""
    dear: Floats
    """Shape (m,): its metres as `prices.dear_metres` weighs them."""

    def only(self, chosen: Bools) -> Faces:
        """The chosen ones and what is between them."""
        place = np.cumsum(chosen) - 1
        both = chosen[self.left] & chosen[self.right]
        return Faces(self.shapes[chosen], place[self.left[both]], place[self.right[both]], self.metres[both], self.dear[both])


@dataclass(frozen=True, slots=True)
class Sweeps:
    """Ways to part faces in two."""

    first: Bools
    """Shape (n, faces): which faces the one part has."""
    area: Floats
    """m² of that part, shape (n,)."""
    dear: Floats
    """Weighed metres between the parts, shape (n,)."""
    edges: Floats
    """Perimeter of that part and of the other one, shape (2, n)."""


def parted(polygon: shapely.Polygon, lines: Shapes, buildings: Shapes) -> tuple[Shapes, Bools]:
    """Faces of a polygon between lines, crossed buildings each as one face, and which faces are buildings.

    >>> way, house = shapely.linestrings([[(5, -1), (5, 10)]]), shapely.box([4], [2], [7], [4])
    >>> shapes, solid = parted(shapely.box(0, 0, 9, 9), way, house)
    >>> shapely.area(shapes).tolist(), solid.tolist()
    ([32.0, 43.0, 6.0], [False, False, True])
    """
    near = lines[shapely.intersects(lines, polygon)]
    inner = shapely.get_parts(shapely.intersection(near, shapely.buffer(polygon, REACH_M)))
    inner = shapely.get_parts(inner)
    inner = inner[(shapely.get_type_id(inner) == 1) & ~shapely.is_empty(inner)]
    struck = buildings[crossed(inner, buildings)] if len(inner) else buildings[:0]
    noded = node(np.concatenate([[shapely.boundary(polygon)], inner, shapely.boundary(struck)]), grid_m=FINE_M)
    shapes = polygons(noded)
    owner = owners(shapes, np.array([polygon], dtype=object))
    shapes = shapes[owner >= 0]
    owner = np.zeros(len(shapes), dtype=np.int64)
    shapes, _, solid = whole(shapes, owner, struck)
    return shapes, solid


def faces(polygon: shapely.Polygon, lines: Lines, buildings: Shapes, *, least_m2: float) -> Faces:
    """The faces of a polygon between lines, buildings and strips as parts of a face beside.

    Parameters
    ----------
    polygon
        What is to be cut.
    lines
        Streets, lanes, paths and plot lines near it.
    buildings
        Polygons that stay whole, none overlapping another.
    least_m2
        What is smaller is no face.

    Examples
    --------
    >>> way = Lines(shapely.linestrings([[(50, -1), (50, 101)]]), np.array([4]))
    >>> found = faces(shapely.box(0, 0, 90, 100), way, np.array([]), least_m2=100)
    >>> shapely.area(found.shapes).tolist(), found.dear.round(1).tolist()
    ([4000.0, 5000.0], [14.0])
    """
    shapes, solid = parted(polygon, lines.shapes, buildings)
    shapes = _joined(shapes, solid, lines)
    area = shapely.area(shapes)
    shapes = _joined(shapes, (2 * area < _NARROW_M * shapely.length(shapes)) | (area < least_m2), lines)
    return Faces(shapes, *dear_metres(shapes, lines))


def _joined(shapes: Shapes, gone: Bools, lines: Lines) -> Shapes:
    if len(shapes) < 2 or not gone.any():
        return shapes
    none, owner = np.zeros(len(shapes)), np.zeros(len(shapes), dtype=np.int64)
    patches = Patches(shapely.area(shapes), shapely.length(shapes), none, none, owner)
    return united(shapes, absorb(patches, borders(shapes, lines), gone))[0]


def sweeps(found: Faces) -> Sweeps:
    """The ways to part faces in two by a line that moves across them; parts need not hang together (`hang_together`).

    Examples
    --------
    >>> way = Lines(shapely.linestrings([[(50, -1), (50, 101)]]), np.array([4]))
    >>> swept = sweeps(faces(shapely.box(0, 0, 90, 100), way, np.array([]), least_m2=100))
    >>> swept.area.tolist(), swept.dear.round(1).tolist()
    ([5000.0, 4000.0], [14.0, 14.0])
    """
    many = len(found.shapes)
    middle, area = shapely.get_coordinates(shapely.centroid(found.shapes)), shapely.area(found.shapes)
    angle = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    rows = []
    for way in np.stack([np.cos(angle), np.sin(angle)], axis=1):
        order = np.argsort(middle @ way, kind="stable")
        place = np.empty(many, dtype=np.int64)
        place[order] = np.arange(many)
        rows.append(place[None, :] < np.arange(1, many)[:, None])
    first = np.unique(np.concatenate(rows), axis=0) if many > 1 else np.zeros((0, many), dtype=bool)
    apart = first[:, found.left] != first[:, found.right]
    # what lies between two faces of one part is no edge of it
    edge = shapely.length(found.shapes)
    edges = [side @ edge - 2 * ((side[:, found.left] & ~apart) @ found.metres) for side in (first, ~first)]
    return Sweeps(first, first @ area, apart @ found.dear, np.stack(edges))


def hang_together(found: Faces, first: Bools) -> bool:
    """Whether both parts are of one piece each.

    >>> row = Faces(shapely.box([0, 1, 2], 0, [1, 2, 3], 1), np.array([0, 1]), np.array([1, 2]), np.ones(2), np.ones(2))
    >>> hang_together(row, np.array([True, True, False])), hang_together(row, np.array([True, False, True]))
    (True, False)
    """
    same = first[found.left] == first[found.right]
    return len(np.unique(components(len(first), found.left[same], found.right[same]))) == 2
