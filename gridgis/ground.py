"""Ground covered by shapes that may overlap, reach outside or be broken: counted once, with a report of what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gridgis.errors import CrsError
from gridgis.measure import cell_area

Shapes = NDArray[np.object_]
Ints = NDArray[np.intp]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# an overlap under this share of the smaller shape is rounding along a common border, not ground counted twice
_ROUNDING: Final = 1e-9
# findings from this size on are reported
_REPORT_M2: Final = 1.0


@dataclass(frozen=True, slots=True)
class Ground:
    """The union of a layer's shapes, as pieces that do not overlap, and what was found on the way."""

    pieces: gpd.GeoSeries
    """Polygons with disjoint interiors whose union is the ground; a plain running index."""
    overlaps: pd.DataFrame
    """Pairs that overlap by 1 m² or more: `first`, `second` (index values of the layer), `area_m2`."""
    outside: pd.Series[float]
    """Square metres a shape has outside the frame it should lie in, by index value, from 1 m²; empty without a frame."""
    repaired: pd.Series[str]
    """Why a shape was broken, by index value: GEOS's reason with the place; it was repaired before it was counted."""
    without_ground: tuple[object, ...]
    """Index values of shapes that have no area: null, empty, or fallen to lines on repair."""

    @property
    def crs(self) -> pyproj.CRS:
        """The CRS of the pieces."""
        return pyproj.CRS.from_user_input(self.pieces.crs)

    def to_crs(self, crs: pyproj.CRS) -> Ground:
        """The same ground with its vertices in another CRS."""
        return Ground(self.pieces.to_crs(crs), self.overlaps, self.outside, self.repaired, self.without_ground)


def ground(layer: gpd.GeoDataFrame, *, within: gpd.GeoDataFrame | None = None) -> Ground:
    """The ground a layer's shapes cover, every spot once.

    1. Broken shapes are repaired the way PostGIS's `ST_MakeValid` does; what is no polygon afterwards is left out.
    2. Shapes whose interiors meet are united; shapes that only touch stay as they are, so that shared borders stay
       bit-identical and ten thousand clean grids cost no union.
    3. With `within`, the parts of every shape outside that frame are measured (the pieces themselves are not cut).

    All overlay happens in the layer's own CRS, where its edges are straight; areas are on the ellipsoid. Degrees are
    allowed here for that reason: nothing is measured in them.

    Parameters
    ----------
    layer
        Polygons in any CRS. An empty layer is no ground.
    within
        The frame, in the same CRS; its shapes count as one.

    Returns
    -------
    Ground

    Raises
    ------
    CrsError
        If a CRS is missing or the two differ.

    Examples
    --------
    >>> from gridgis import toy
    >>> twice = toy.grids().iloc[[0, 1, 1]].set_axis(["G1", "G2", "again"])
    >>> found = ground(twice, within=toy.areas())
    >>> found.pieces.area.sum(), found.overlaps[["first", "second"]].to_numpy().tolist()
    (np.float64(75000.0), [['G2', 'again']])
    """
    crs = _one_crs(layer, within)
    shapes, reasons = polygonal(np.asarray(layer.geometry.array, dtype=object))
    codes = layer.index.to_numpy()
    repaired = pd.Series(reasons[reasons != ""], index=layer.index[reasons != ""], dtype=object, name="repaired")
    has_area = shapely.area(shapes) > 0
    shapes, kept = shapes[has_area], codes[has_area]
    first, second, common = overlapping_pairs(shapes)
    overlaps = pd.DataFrame({"first": kept[first], "second": kept[second], "area_m2": areas_m2(common, crs)})
    pieces = gpd.GeoSeries(_unite(shapes, first, second), crs=crs)
    outside = pd.Series(dtype=float, name="outside_m2")
    if within is not None:
        outside = _outside(shapes, kept, within)
    return Ground(
        pieces, overlaps[overlaps["area_m2"] >= _REPORT_M2].reset_index(drop=True), outside, repaired,
        tuple(codes[~has_area].tolist()),
    )  # fmt: skip


def polygonal(shapes: Shapes) -> tuple[Shapes, Shapes]:
    """Shapes as valid polygons or multipolygons, and why each was broken (empty text where it was not).

    Null becomes empty. Repair is GEOS's `make_valid` by linework, as in PostGIS; lines and points it leaves are dropped.

    >>> bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    >>> mended, why = polygonal(np.array([bow_tie, None], dtype=object))
    >>> mended[0].area, why.tolist()
    (2.0, ['Self-intersection[1 1]', ''])
    """
    mended = np.array(shapes, dtype=object, copy=True)
    reasons = np.full(len(mended), "", dtype=object)
    mended[shapely.is_missing(mended)] = shapely.Polygon()
    broken = ~shapely.is_valid(mended)
    if broken.any():
        reasons[broken] = shapely.is_valid_reason(mended[broken])
        mended[broken] = shapely.make_valid(mended[broken])
    mixed = ~np.isin(shapely.get_type_id(mended), (3, 6))
    for at in np.flatnonzero(mixed):
        parts = shapely.get_parts(shapely.get_parts(mended[at]))
        mended[at] = shapely.union_all(parts[shapely.get_type_id(parts) == 3])
    return shapely.force_2d(mended), reasons


def overlapping_pairs(shapes: Shapes) -> tuple[Ints, Ints, Shapes]:
    """Pairs of valid polygons whose interiors meet, first < second, and the ground they share.

    Overlaps under 10⁻⁹ of the smaller shape are rounding along a common border and left out.

    >>> first, second, common = overlapping_pairs(shapely.box([0, 1, 3], 0, [2, 3, 4], 1))
    >>> first.tolist(), second.tolist(), shapely.area(common).tolist()
    ([0], [1], [1.0])
    """
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    once = first < second
    first, second = first[once], second[once]
    shapely.prepare(shapes)
    meet = ~shapely.touches(shapes[first], shapes[second])
    first, second = first[meet], second[meet]
    common = shapely.intersection(shapes[first], shapes[second])
    area = shapely.area(shapes)
    real = shapely.area(common) > _ROUNDING * np.minimum(area[first], area[second])
    return first[real], second[real], common[real]


def clip(pieces: Shapes, zones: Shapes) -> tuple[Ints, Ints, Shapes, Bools]:
    """Every piece cut by every zone it meets: zone position, piece position, the part, and whether it is the whole piece.

    Pieces and zones are valid polygons; parts without area are left out. A piece inside a zone comes back as the same
    object, uncut.

    >>> zone, piece, part, whole = clip(shapely.box([0, 2], 0, [1, 4], 1), shapely.box([0, 3], 0, [3, 5], 1))
    >>> zone.tolist(), piece.tolist(), shapely.area(part).tolist(), whole.tolist()
    ([0, 0, 1], [0, 1, 1], [1.0, 1.0, 1.0], [True, False, False])
    """
    if len(pieces) == 0 or len(zones) == 0:
        none = np.empty(0, dtype=np.intp)
        return none, none, np.empty(0, dtype=object), np.empty(0, dtype=bool)
    tree = shapely.STRtree(pieces)
    shapely.prepare(zones)
    zone, piece = tree.query(zones, predicate="intersects")
    whole = shapely.covers(zones[zone], pieces[piece])
    part = pieces[piece].copy()
    cut = np.flatnonzero(~whole)
    cut = cut[~shapely.touches(zones[zone[cut]], pieces[piece[cut]])]
    keep = whole.copy()
    part[cut] = shapely.intersection(part[cut], zones[zone[cut]])
    keep[cut] = shapely.area(part[cut]) > 0
    order = np.flatnonzero(keep)
    order = order[np.lexsort((piece[order], zone[order]))]
    return zone[order], piece[order], part[order], whole[order]


def areas_m2(shapes: Shapes, crs: pyproj.CRS) -> Floats:
    """Ellipsoidal areas of an array of shapes, in square metres.

    >>> from gridgis import toy
    >>> areas_m2(toy.buildings().geometry.to_numpy(), pyproj.CRS(toy.CRS))[:2].round(6).tolist()
    [100.0, 100.0]
    """
    if len(shapes) == 0:
        return np.zeros(0)
    return np.asarray(cell_area(gpd.GeoSeries(shapes, crs=crs)), dtype=np.float64)


def add_up(at: Ints, values: NDArray[np.floating[Any]], size: int) -> Floats:
    """Sums of values by position, shape (size,).

    >>> add_up(np.array([0, 2, 0]), np.array([1.0, 2.0, 3.0]), 3).tolist()
    [4.0, 0.0, 2.0]
    """
    return np.asarray(np.bincount(at, values, size), dtype=np.float64)


def _unite(shapes: Shapes, first: Ints, second: Ints) -> Shapes:
    if len(first) == 0:
        return shapes
    links = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(len(shapes), len(shapes)))
    _, group = connected_components(links, directed=False)
    entangled = np.zeros(len(shapes), dtype=bool)
    entangled[first] = entangled[second] = True
    members = np.flatnonzero(entangled)
    members = members[np.argsort(group[members], kind="stable")]
    cuts = np.flatnonzero(np.diff(group[members])) + 1
    united = [shapely.union_all(shapes[some]) for some in np.split(members, cuts)]
    return np.concatenate([shapes[~entangled], np.array(united, dtype=object)])


def _outside(shapes: Shapes, codes: NDArray[np.object_], within: gpd.GeoDataFrame) -> pd.Series[float]:
    crs = pyproj.CRS.from_user_input(within.crs)
    frame = shapely.union_all(polygonal(np.asarray(within.geometry.array, dtype=object))[0])
    shapely.prepare(frame)
    crossing = np.flatnonzero(~shapely.covers(frame, shapes))
    rest = shapely.difference(shapes[crossing], frame)
    area = areas_m2(rest, crs)
    far = area >= _REPORT_M2
    return pd.Series(area[far], index=codes[crossing[far]], name="outside_m2")


def _one_crs(layer: gpd.GeoDataFrame, within: gpd.GeoDataFrame | None) -> pyproj.CRS:
    for frame in (layer, within):
        if frame is not None and frame.crs is None:
            raise CrsError("crs.missing", layer=getattr(frame, "name", None) or "input")
    crs = pyproj.CRS.from_user_input(layer.crs)
    if within is not None and within.crs != layer.crs:
        raise CrsError("crs.mixed", first=crs.name, second=pyproj.CRS.from_user_input(within.crs).name)
    return crs
