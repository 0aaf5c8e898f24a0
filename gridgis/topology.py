"""How the polygons of a layer fit together: shared borders, overlaps, gaps, slivers, and a repair that says what it moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gridgis.codes import listed
from gridgis.crs import require_metric
from gridgis.errors import DataError
from gridgis.measure import ellipsoidal_area

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Keep = Literal["first", "longest_border", "largest", "smallest"]

# two neighbours whose borders cross by rounding alone meet in less than this
_NOTHING_M2: Final = 1e-6
# what is nearer than this touches
_TOUCH_M: Final = 1e-8
_STRATEGY: Final = {"first": "min_index", "longest_border": "longest_border", "largest": "max_area", "smallest": "min_area"}


@dataclass(frozen=True, slots=True)
class Segments:
    """The straight pieces of all rings, each written from its lower-left end: equal pieces are equal bit for bit."""

    owner: Ints
    """Shape (n,): position of the polygon the segment bounds."""
    ends: Floats
    """Shape (n, 4): x, y of the lesser end (by x, then y), x, y of the other one."""
    forward: NDArray[np.bool_]
    """Shape (n,): whether the ring runs from the first end to the second."""

    def only(self, chosen: NDArray[np.bool_]) -> Segments:
        """The chosen ones, shape (n,)."""
        return Segments(owner=self.owner[chosen], ends=self.ends[chosen], forward=self.forward[chosen])


def segments(shapes: Shapes) -> Segments:
    """The segments of every ring of polygons, in ring order; segments without length are left out.

    Parameters
    ----------
    shapes
        Polygons or multipolygons, shape (n,); null and empty ones have no segments.

    Examples
    --------
    >>> segments(np.array([shapely.box(0, 0, 1, 1)])).ends.tolist()
    [[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]]
    """
    parts, part_owner = shapely.get_parts(shapes, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    inside = ring[1:] == ring[:-1]
    start, end = xy[:-1][inside], xy[1:][inside]
    owner = part_owner[ring_part[ring[:-1][inside]]]
    forward = (start[:, 0] < end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] < end[:, 1]))
    ends = np.where(forward[:, None], np.hstack([start, end]), np.hstack([end, start]))
    real = (start != end).any(axis=1)
    return Segments(owner=owner[real].astype(np.int64), ends=ends[real], forward=forward[real])


def shared_borders(frame: gpd.GeoDataFrame) -> pd.DataFrame:
    """Pairs of polygons that share border, and how much, by segments equal bit for bit.

    Exact and fast on a layer whose neighbours have the same vertices along their common border (`cover` makes it so);
    borders that only lie on each other are not found. Polygons that touch in a point share no border.

    Parameters
    ----------
    frame
        Polygons in a CRS in metres; the index tells them apart.

    Returns
    -------
    DataFrame
        `left`, `right` (index values, `left` earlier in the frame), `length_m` (metres of the plane), ordered by position;
        no rows if nothing is shared.

    Examples
    --------
    >>> from gridgis import toy
    >>> shared_borders(toy.grids()).to_dict("split")["data"]
    [['G1', 'G2', 300.0], ['G2', 'G3', 300.0]]
    """
    require_metric(frame)
    left, right, length = shared_pairs(segments(np.asarray(frame.geometry.array, dtype=object)))
    index = frame.index
    return pd.DataFrame({"left": index[left], "right": index[right], "length_m": length})


def shared_pairs(pieces: Segments) -> tuple[Ints, Ints, Floats]:
    """Positions of two polygons and the length of the segments both own: left < right, in order, each pair once.

    >>> left, right, length = shared_pairs(segments(shapely.box([0, 1, 1], [0, 0, 1], [1, 2, 2], [1, 1, 2])))
    >>> left.tolist(), right.tolist(), length.tolist()
    ([0, 1], [1, 2], [1.0, 1.0])
    """
    order = np.lexsort((pieces.owner, *pieces.ends.T[::-1]))
    ends, owner = pieces.ends[order], pieces.owner[order]
    run = np.r_[0, np.cumsum((ends[1:] != ends[:-1]).any(axis=1))] if len(ends) else np.zeros(0, dtype=np.int64)
    found: list[tuple[Ints, Ints, Floats]] = []
    step = 1
    # in a clean layer a segment has one or two owners; where polygons lie on each other it may have more
    while step < len(run) and (same := run[step:] == run[:-step]).any():
        at = np.flatnonzero(same)
        at = at[owner[at] != owner[at + step]]
        length = np.hypot(ends[at, 2] - ends[at, 0], ends[at, 3] - ends[at, 1])
        found.append((owner[at], owner[at + step], length))
        step += 1
    if not found:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
    left, right, length = (np.concatenate(column) for column in zip(*found, strict=True))
    many = int(right.max()) + 1
    pairs, group = np.unique(left * many + right, return_inverse=True)
    metres = np.zeros(len(pairs))
    np.add.at(metres, group, length)
    return pairs // many, pairs % many, metres


def overlaps(frame: gpd.GeoDataFrame, *, least_m2: float = _NOTHING_M2) -> gpd.GeoDataFrame:
    """Where two polygons lie on each other: one row for every pair.

    Parameters
    ----------
    frame
        Valid polygons in a CRS in metres.
    least_m2
        Overlaps of this area of the plane or less are rounding and left out.

    Returns
    -------
    GeoDataFrame
        `left`, `right` (index values, `left` earlier in the frame), `area_m2` (ellipsoid), `geometry` (what both hold),
        ordered by position; no rows if nothing overlaps. Null and empty shapes overlap nothing.

    Examples
    --------
    >>> from gridgis import toy
    >>> overlaps(toy.areas())[["left", "right", "area_m2"]].round(3).to_dict("split")["data"]
    [['420000100', '420000100201', 75000.0], ['420000100', '420000100202', 45000.0]]
    """
    crs = require_metric(frame)
    shapes = np.asarray(frame.geometry.array, dtype=object)
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    order = np.lexsort((right, left))
    left, right = left[order], right[order]
    common = shapely.intersection(shapes[left], shapes[right])
    real = shapely.area(common) > least_m2
    places = polygonal(common[real])
    rows = {"left": frame.index[left[real]], "right": frame.index[right[real]]}
    result = gpd.GeoDataFrame(rows, geometry=places, crs=crs)
    result.insert(2, "area_m2", ellipsoidal_area(result))
    return result


def gaps(frame: gpd.GeoDataFrame, within: gpd.GeoDataFrame | None = None, *, least_m2: float = _NOTHING_M2) -> gpd.GeoDataFrame:
    """Ground no polygon holds: the holes of their union, or what they leave of the polygons of `within`.

    Parameters
    ----------
    frame
        Valid polygons in a CRS in metres.
    within
        Ground that ought to be held, in the same CRS; None: only holes enclosed by the polygons count.
    least_m2
        Gaps of this area of the plane or less are rounding and left out.

    Returns
    -------
    GeoDataFrame
        One row for every gap: `area_m2` (ellipsoid), `geometry`; from west to east.

    Examples
    --------
    >>> from gridgis import toy
    >>> gaps(toy.grids().drop("G2"), toy.areas()).area.tolist()
    [30000.0]
    """
    crs = require_metric(frame) if within is None else require_metric(frame, within)
    union = shapely.union_all(np.asarray(frame.geometry.array, dtype=object))
    if within is None:
        rings = shapely.get_rings(shapely.get_parts(union))
        outer = shapely.get_exterior_ring(shapely.get_parts(union))
        holes = [shapely.Polygon(ring) for ring in rings if not any(shapely.equals_exact(ring, outer, 0.0))]
        wanted = shapely.union_all(np.array(holes, dtype=object))
    else:
        wanted = shapely.union_all(np.asarray(within.geometry.array, dtype=object))
    parts = shapely.get_parts(polygonal(np.array([shapely.difference(wanted, union)])))
    parts = parts[shapely.area(parts) > least_m2]
    box = shapely.bounds(parts).reshape(-1, 4)
    result = gpd.GeoDataFrame(geometry=parts[np.lexsort((box[:, 1], box[:, 0]))], crs=crs)
    result.insert(0, "area_m2", ellipsoidal_area(result))
    return result


def slivers(frame: gpd.GeoDataFrame, *, width_m: float = 1.0, least_m2: float = 0.0) -> pd.Series[bool]:
    """Which polygons have a part too thin or too small to be meant.

    Parameters
    ----------
    frame
        Polygons in a CRS in metres.
    width_m
        A part whose mean width, 2 · area / perimeter of the plane, is below this is a sliver.
    least_m2
        So is a part whose area of the plane is below this.

    Returns
    -------
    Series
        Of bool, named `slivers`, on the index of `frame`; False for null and empty ones.

    Examples
    --------
    >>> from gridgis import toy
    >>> slivers(toy.grids(), width_m=75.1).tolist()
    [False, True, False]
    """
    require_metric(frame)
    parts, owner = shapely.get_parts(np.asarray(frame.geometry.array, dtype=object), return_index=True)
    parts, owner = parts[~shapely.is_empty(parts)], owner[~shapely.is_empty(parts)]
    area, edge = shapely.area(parts), shapely.length(parts)
    thin = (2 * area < width_m * edge) | (area < least_m2)
    found = pd.Series(np.zeros(len(frame), dtype=bool), index=frame.index, name="slivers", dtype=bool)
    found.iloc[np.unique(owner[thin])] = True
    return found


def misfits(frame: gpd.GeoDataFrame) -> pd.Series[bool]:
    """Which polygons do not meet their neighbours: they overlap one, or one has a vertex inside an edge of the other.

    GEOS's coverage check finds the suspects; each is then looked at itself, because GEOS also suspects the neighbours of a
    ring that touches itself in a point. What escapes it, ground held twice along equal borders, `overlaps` finds.

    Parameters
    ----------
    frame
        Polygons in a CRS in metres.

    Returns
    -------
    Series
        Of bool, named `misfits`, on the index of `frame`; False for null and empty ones. Gaps are no misfit.

    Examples
    --------
    >>> from gridgis import toy
    >>> misfits(toy.areas()).tolist(), misfits(toy.grids()).any()
    ([True, True, True], np.False_)
    """
    require_metric(frame)
    shapes = np.asarray(frame.geometry.array, dtype=object)
    suspect = np.flatnonzero(~shapely.is_empty(shapely.coverage_invalid_edges(shapes)))
    suspect = suspect[~shapely.is_missing(shapes[suspect])]
    mine, others = shapely.STRtree(shapes).query(shapes[suspect], predicate="dwithin", distance=_TOUCH_M)
    mine, others = suspect[mine][suspect[mine] != others], others[suspect[mine] != others]
    both = shapely.area(shapely.intersection(shapes[mine], shapes[others])) > _NOTHING_M2
    found = np.zeros(len(frame), dtype=bool)
    found[mine[both]] = True
    near = np.unique(np.concatenate([mine, others]))
    pieces = segments(shapes[near])
    corners = np.unique(pieces.ends.reshape(-1, 2), axis=0)
    lines: Shapes = np.asarray(shapely.linestrings(pieces.ends.reshape(-1, 2, 2)), dtype=object)
    at, line = shapely.STRtree(lines).query(shapely.points(corners), predicate="dwithin", distance=_TOUCH_M)
    inside = (np.linalg.norm(pieces.ends[line].reshape(-1, 2, 2) - corners[at][:, None], axis=2) > 2 * _TOUCH_M).all(axis=1)
    torn = near[pieces.owner[line[inside]]]
    found[np.intersect1d(torn, suspect)] = True
    return pd.Series(found, index=frame.index, name="misfits", dtype=bool)


def is_seamless(frame: gpd.GeoDataFrame, within: gpd.GeoDataFrame | None = None, *, gap_width_m: float = 0.0) -> bool:
    """Whether the polygons meet without overlap, with the same vertices on common borders, and leave no gap.

    Parameters
    ----------
    frame
        Polygons in a CRS in metres.
    within
        Ground they have to fill, in the same CRS; None: only cracks between two polygons count.
    gap_width_m
        Cracks narrower than this count as gaps.

    Examples
    --------
    >>> from gridgis import toy
    >>> is_seamless(toy.grids(), toy.areas()), is_seamless(toy.areas())
    (True, False)
    """
    require_metric(frame)
    shapes = np.asarray(frame.geometry.array, dtype=object)
    torn = not shapely.coverage_is_valid(shapes, gap_width=gap_width_m) and (gap_width_m > 0 or misfits(frame).any())
    # GEOS looks at borders: a polygon that holds a neighbour's ground along equal borders escapes it
    if torn or len(overlaps(frame)):
        return False
    return within is None or len(gaps(frame, within)) == 0


@dataclass(frozen=True, slots=True)
class Covered:
    """A layer made seamless, and what that moved."""

    frame: gpd.GeoDataFrame
    """The input with repaired geometry; same index, columns and order."""
    moved: pd.DataFrame
    """One row for every polygon whose ground changed, on the frame's index: `gained_m2`, `lost_m2` (plane)."""

    @property
    def moved_m2(self) -> float:
        """Ground that changed hands, was won or was lost, in m² of the plane: the larger of all gains and all losses."""
        return float(max(self.moved["gained_m2"].sum(), self.moved["lost_m2"].sum()))


def cover(frame: gpd.GeoDataFrame, *, gap_width_m: float = 0.0, keep: Keep = "first") -> Covered:
    """Make polygons meet: overlaps given to one side, narrow gaps closed, the same vertices on common borders.

    Parameters
    ----------
    frame
        Valid, non-empty polygons in a CRS in metres.
    gap_width_m
        Gaps narrower than this are given to the neighbour with the longest border; 0 leaves all gaps.
    keep
        Who keeps ground two polygons claim: the earlier row, the one with the longest border on it, the larger or the
        smaller polygon.

    Returns
    -------
    Covered
        The repaired layer and the ground moved, row by row; a layer that is seamless already comes back as it is.

    Raises
    ------
    DataError
        If a polygon vanishes in the repair, because others hold all of its ground.

    Examples
    --------
    >>> from gridgis import toy
    >>> grids = toy.grids()
    >>> grids.loc["G2", "geometry"] = shapely.box(500140, 3366000, 500250, 3366300)
    >>> cover(grids).moved.to_dict("index")
    {'G2': {'gained_m2': 0.0, 'lost_m2': 3000.0}}
    """
    require_metric(frame)
    before = shapely.force_2d(np.asarray(frame.geometry.array, dtype=object))
    if is_seamless(frame, gap_width_m=gap_width_m):
        return Covered(frame, pd.DataFrame({"gained_m2": [], "lost_m2": []}, index=frame.index[:0], dtype="float64"))
    options: dict[str, Any] = {"gap_width": gap_width_m, "merge_strategy": _STRATEGY[keep]}
    after: Shapes = shapely.coverage_clean(before, **options)  # type: ignore[attr-defined]  # newer than its stubs
    gone = shapely.is_empty(after) & ~shapely.is_empty(before)
    if gone.any():
        raise DataError("topology.swallowed", rows=listed(np.array([str(value) for value in frame.index[gone]])))
    # ground moves only where something did not fit; elsewhere the repair turns rings and adds vertices at most
    misfit = ~shapely.is_empty(shapely.coverage_invalid_edges(before, gap_width=gap_width_m))
    changed = np.flatnonzero(misfit | (abs(shapely.area(after) - shapely.area(before)) > _NOTHING_M2))
    gained = shapely.area(shapely.difference(after[changed], before[changed]))
    lost = shapely.area(shapely.difference(before[changed], after[changed]))
    table = pd.DataFrame({"gained_m2": gained, "lost_m2": lost}, index=frame.index[changed])
    repaired = frame.set_geometry(gpd.GeoSeries(after, index=frame.index, crs=frame.crs))
    return Covered(repaired, table[(table > _NOTHING_M2).any(axis=1)])


def polygonal(shapes: Shapes) -> Shapes:
    """The polygons in shapes, points and lines left out; what holds none becomes an empty polygon.

    >>> touching = shapely.from_wkt("GEOMETRYCOLLECTION (POINT (0 0), POLYGON ((0 0, 1 0, 1 1, 0 0)))")
    >>> polygonal(np.array([touching]))[0].geom_type
    'Polygon'
    """
    result = shapes.copy()
    mixed = np.flatnonzero(~np.isin(shapely.get_type_id(shapes), (3, 6)) & ~shapely.is_missing(shapes))
    for at in mixed:
        parts = [p for part in shapely.get_parts(shapes[at]) for p in shapely.get_parts(part) if p.geom_type == "Polygon"]
        result[at] = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts) if parts else shapely.Polygon()
    return result
