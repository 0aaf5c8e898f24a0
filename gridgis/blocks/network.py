"""The lines borders follow: streets by kind, water edges and plot lines, with how firmly each holds, and small gaps closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# a street may stop so far short of the next one and is still meant to reach it
GAP_M: Final = 20.0
# lines drawn for a border reach so far beyond it, that rounding does not keep them from meeting it
REACH_M: Final = 0.05
_SHORT_M: Final = 1e-3


@dataclass(frozen=True, slots=True)
class LineClass:
    """One class of lines."""

    name: str
    hold: float
    """How firmly a border holds to the line, 0 (not at all) to 1 (cells are joined across it last)."""
    outlines: bool
    """Whether blocks are made of it; else it only guides where a large block is divided."""
    kinds: frozenset[str] = frozenset()
    """OpenStreetMap's words for streets of this class."""


LINE_CLASSES: Final = (
    LineClass("main", 1.0, True, frozenset({"motorway", "trunk", "primary", "secondary", "motorway_link", "trunk_link",
                                            "primary_link", "secondary_link"})),
    LineClass("water", 0.9, True),
    LineClass("street", 0.6, True, frozenset({"tertiary", "tertiary_link", "unclassified", "residential", "living_street",
                                              "pedestrian", "road"})),
    LineClass("plot", 0.3, False),
    LineClass("lane", 0.2, False, frozenset({"service", "track", "busway"})),
    LineClass("path", 0.1, False, frozenset({"footway", "path", "cycleway", "bridleway", "steps", "trail"})),
)  # fmt: skip
# ways nobody draws a border along: inside buildings, not there yet, or no way at all
NO_BORDER: Final = frozenset({"corridor", "elevator", "platform", "construction", "proposed", "abandoned", "razed", "raceway",
                              "bus_guideway", "escape", "rest_area", "services", "bus_stop"})  # fmt: skip
# water one steps over: a guide, no border of blocks
NARROW_WATER: Final = frozenset({"drain", "ditch"})


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines with what they are."""

    shapes: Shapes
    """Shape (n,): line strings."""
    klass: Ints
    """Shape (n,): position in `LINE_CLASSES`."""

    def only(self, chosen: NDArray[np.bool_]) -> Lines:
        """The chosen ones."""
        return Lines(self.shapes[chosen], self.klass[chosen])

    @property
    def hold(self) -> Floats:
        """How firmly each holds, shape (n,)."""
        return np.array([row.hold for row in LINE_CLASSES])[self.klass]

    @property
    def outlining(self) -> NDArray[np.bool_]:
        """Which ones make blocks, shape (n,)."""
        return np.array([row.outlines for row in LINE_CLASSES])[self.klass]


def lines_of(
    streets: gpd.GeoDataFrame,
    *,
    water: gpd.GeoDataFrame | None = None,
    compounds: gpd.GeoDataFrame | None = None,
    classes: Sequence[LineClass] = LINE_CLASSES,
) -> Lines:
    """Streets, edges of water and lines of compounds as lines of their classes.

    Parameters
    ----------
    streets
        Lines; `kind` in OpenStreetMap's words says the class. Several (`residential;service`) count as the firmest; none or
        an unknown one is a street. Kinds nobody draws a border along are left out.
    water
        Lines, or polygons whose edges count.
    compounds
        Polygons or lines of plots, compounds or land use.
    classes
        The table of classes.

    Examples
    --------
    >>> ways = [shapely.LineString([(0, y), (9, y)]) for y in (0, 5, 9)]
    >>> roads = gpd.GeoDataFrame({"kind": ["primary", "footway", None]}, geometry=ways)
    >>> [LINE_CLASSES[at].name for at in lines_of(roads).klass]
    ['main', 'path', 'street']
    """
    names = [row.name for row in classes]
    place = {kind: at for at, row in enumerate(classes) for kind in row.kinds}
    hold = [row.hold for row in classes]
    kinds = streets["kind"].tolist() if "kind" in streets else [None] * len(streets)

    def class_of(kind: object) -> int:
        words = [word.strip() for word in kind.split(";")] if isinstance(kind, str) and kind.strip() else []
        if words and all(word in NO_BORDER for word in words):
            return -1
        known = [place[word] for word in words if word in place]
        return max(known, key=lambda at: hold[at]) if known else names.index("street")

    found = [_parts(streets, np.array([class_of(kind) for kind in kinds], dtype=np.int64))]
    if water is not None and len(water):
        narrow = water["kind"].isin(NARROW_WATER) if "kind" in water else np.zeros(len(water), dtype=bool)
        found.append(_parts(water, np.where(narrow, names.index("lane"), names.index("water"))))
    if compounds is not None and len(compounds):
        found.append(_parts(compounds, np.full(len(compounds), names.index("plot"), dtype=np.int64)))
    shapes = np.concatenate([part.shapes for part in found])
    klass = np.concatenate([part.klass for part in found])
    return Lines(shapes, klass).only(klass >= 0)


def _parts(frame: gpd.GeoDataFrame, klass: Ints) -> Lines:
    shapes = shapely.force_2d(np.asarray(frame.geometry.array, dtype=object))
    good = ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)
    parts, at = shapely.get_parts(shapes[good], return_index=True)
    klass = klass[good][at]
    area = shapely.get_type_id(parts) == 3
    rings, ring_at = shapely.get_rings(parts[area], return_index=True)
    line = shapely.get_type_id(parts) == 1
    return Lines(
        np.concatenate(
            [parts[line], np.asarray(shapely.boundary(np.asarray(shapely.polygons(rings), dtype=object)), dtype=object)]
        ),
        np.concatenate([klass[line], klass[area][ring_at]]),
    )


def close_gaps(lines: Shapes, walls: Shapes, obstacles: Shapes, *, gap_m: float = GAP_M) -> Shapes:
    """Short straight pieces that carry loose ends of lines on to the line they were meant to meet.

    A loose end is an end no other line touches. It is carried on in its own direction, up to `gap_m`; where nothing is met
    there, to the nearest point of another line within half of that. Never through an obstacle.

    Parameters
    ----------
    lines
        Noded line strings, shape (n,).
    walls
        Other lines an end may meet (outlines of areas), shape (m,).
    obstacles
        Polygons no piece may cross, such as buildings, shape (k,).
    gap_m
        How far at most, metres.

    Returns
    -------
    array
        Line strings, reaching a little beyond what they meet.

    Examples
    --------
    >>> lines = np.array([shapely.LineString([(0, 0), (50, 0)]), shapely.LineString([(60, -20), (60, 20)])])
    >>> [round(piece.length) for piece in close_gaps(lines, np.array([]), np.array([]))]
    [10]
    """
    if not len(lines):
        return lines
    ends = np.concatenate([shapely.get_coordinates(shapely.get_point(lines, at)) for at in (0, -1)])
    before = np.concatenate([shapely.get_coordinates(shapely.get_point(lines, at)) for at in (1, -2)])
    owner = np.tile(np.arange(len(lines)), 2)
    _, place, times = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    loose = np.flatnonzero(times[place.ravel()] == 1)
    every = np.concatenate([lines, walls])
    tree, solid = shapely.STRtree(every), shapely.STRtree(obstacles)
    touching = np.unique(tree.query(shapely.points(ends[loose]), predicate="dwithin", distance=_SHORT_M), axis=1)
    others = touching[1] != owner[loose[touching[0]]]
    loose = np.delete(loose, np.unique(touching[0][others]))
    pieces = []
    for at in loose.tolist():
        end, way = ends[at], ends[at] - before[at]
        length = float(np.hypot(*way))
        if length == 0:
            continue
        target = _ahead(end, way / length, gap_m, owner[at], every, tree)
        if target is None:
            target = _nearby(end, gap_m / 2, owner[at], every, tree)
        if target is None:
            continue
        far = float(np.hypot(*(target - end)))
        piece = shapely.LineString([end, target + (target - end) / far * REACH_M])
        if not len(solid.query(piece, predicate="crosses")):
            pieces.append(piece)
    return np.array(pieces, dtype=object)


def _ahead(end: Floats, way: Floats, most: float, own: int, every: Shapes, tree: shapely.STRtree) -> Floats | None:
    ray = shapely.LineString([end + way * _SHORT_M, end + way * most])
    hit = tree.query(ray, predicate="intersects")
    hit = hit[hit != own]
    points = shapely.get_coordinates(shapely.intersection(ray, every[hit]))
    distance = np.hypot(*(points - end).T)
    return None if not len(points) else points[int(distance.argmin())]


def _nearby(end: Floats, most: float, own: int, every: Shapes, tree: shapely.STRtree) -> Floats | None:
    point = shapely.Point(end)
    near = tree.query(point, predicate="dwithin", distance=most)
    near = near[near != own]
    if not len(near):
        return None
    best = every[near[int(shapely.distance(point, every[near]).argmin())]]
    target = shapely.get_coordinates(shapely.shortest_line(point, best))[1]
    return target if np.hypot(*(target - end)) > _SHORT_M else None
