"""Units of ground with weights, and who borders on whom: what balanced grids are put together from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy import sparse, spatial

from gridgis.crs import require_metric
from gridgis.errors import DataError
from gridgis.topology import Segments, segments, shared_pairs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# half the width of a barrier that is a line, metres
_WALL_M: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What grids are put together from: n units and the p pairs of them that share border."""

    index: pd.Index
    """The units, unique."""
    weights: pd.DataFrame
    """Work of each unit by kind (`households`, `incidents`, …), on `index`; finite and not negative."""
    pairs: pd.DataFrame
    """`left`, `right` (positions in `index`, left < right), `length_m` (common border), `street_m` (metres of it along a
    street), `linked` (no common border: joined to its nearest unit because it lies alone); each pair once, in order."""
    area_m2: Floats
    """Area of the plane, shape (n,)."""
    perimeter_m: Floats
    """Length of all rings, shape (n,)."""
    xy: Floats
    """A point inside each unit, shape (n, 2), metres."""
    groups: Ints
    """The group (village) of each unit, 0 …, shape (n,): grids are not mixed of several unless that is allowed."""
    group_names: tuple[str, ...]
    """What the groups are called."""
    whole: Ints
    """What each unit would rather not be parted from (a natural village), 0 …; −1: nothing. Shape (n,)."""
    barriers: Mask
    """Pairs that a river or a main road parts without a bridge, shape (p,): no grid hangs together across them."""

    def __len__(self) -> int:
        return len(self.index)

    def load(self, factors: Mapping[str, float] | None = None) -> Floats:
        """Work of each unit, shape (n,): the sum of its weights, each times its factor; None: all of them, once each.

        >>> from gridgis import toy
        >>> units_from(toy.grids().assign(houses=[4, 2, 6], calls=[1, 0, 0]), weights=["houses", "calls"]).load({"calls": 9})
        array([9., 0., 0.])
        """
        wanted = dict.fromkeys(self.weights.columns, 1.0) if factors is None else dict(factors)
        for name, factor in wanted.items():
            if name not in self.weights:
                raise DataError("balance.no_weight", weight=name, known=", ".join(self.weights.columns))
            if not (math.isfinite(factor) and factor >= 0):
                raise DataError("balance.factor", weight=name, factor=factor)
        total = np.zeros(len(self))
        for name, factor in wanted.items():
            total += factor * self.weights[name].to_numpy(dtype=np.float64)
        return total

    def open_pairs(self, *, mix_groups: bool = False) -> Mask:
        """Pairs across which a grid may hang together, shape (p,): no barrier, and one group unless groups may mix."""
        left, right = self.pairs["left"].to_numpy(), self.pairs["right"].to_numpy()
        return np.asarray(~self.barriers & (mix_groups | (self.groups[left] == self.groups[right])))


def units_from(
    frame: gpd.GeoDataFrame,
    *,
    weights: Sequence[str],
    groups: pd.Series | None = None,
    whole: pd.Series | None = None,
    streets: gpd.GeoDataFrame | None = None,
    barriers: gpd.GeoDataFrame | None = None,
    bridges: gpd.GeoDataFrame | None = None,
    near_m: float = 15.0,
    link_islands: bool = False,
) -> Units:
    """Units of a layer of polygons that meet with the same vertices on common borders.

    1. Two units are neighbours if they share border; those that touch in a point are not.
    2. A border runs along a street where stretches of it, at most `near_m` long, have their middle within `near_m` of one.
    3. A unit stands where most of it lies beside the barriers. Two neighbours are parted if most of their border lies within
       `near_m` of a barrier, or no way on the ground of the two leads past it; a bridge there joins them again. A unit wholly
       in the water hangs on one shore.
    4. With `link_islands`, units cut off from the rest of their group are joined to the nearest unit of it (`linked` pairs).

    Parameters
    ----------
    frame
        Polygons in a CRS in metres, with the columns named in `weights`; missing weights are errors, not zeros.
    weights
        Columns that measure work.
    groups
        The group (village) of each unit, on the frame's index; None: one group.
    whole
        What each unit would rather not be parted from, on the frame's index; null: nothing.
    streets, barriers, bridges
        Lines (barriers also polygons) in the frame's CRS.
    near_m
        What lies this near runs along.
    link_islands
        Whether islands are joined to their nearest neighbour.

    Examples
    --------
    >>> from gridgis import toy
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> units.pairs[["left", "right", "length_m"]].to_numpy().tolist()
    [[0.0, 1.0, 300.0], [1.0, 2.0, 300.0]]
    """
    for other in (streets, barriers, bridges):
        if other is not None:
            require_metric(frame, other)
    require_metric(frame)
    if not frame.index.is_unique:
        raise DataError("balance.twice", unit=frame.index[frame.index.duplicated()][0])
    shapes = np.asarray(frame.geometry.array, dtype=object)
    if (empty := shapely.is_missing(shapes) | shapely.is_empty(shapes)).any():
        raise DataError("balance.no_shape", unit=frame.index[empty][0])
    border = segments(shapes)
    left, right, length = shared_pairs(border)
    inner = shapely.point_on_surface(shapes)
    group, names = _codes(groups, frame.index)
    units = Units(
        index=frame.index, weights=_weights(frame, weights), area_m2=shapely.area(shapes), perimeter_m=shapely.length(shapes),
        pairs=_pairs(left, right, length), xy=np.column_stack([shapely.get_x(inner), shapely.get_y(inner)]),
        groups=group if groups is not None else np.zeros(len(frame), np.int64), group_names=names or ("",),
        whole=_codes(whole, frame.index)[0], barriers=np.zeros(len(left), bool),
    )  # fmt: skip
    if streets is not None and len(left):
        units.pairs["street_m"] = _metres_near(border, units, np.asarray(streets.geometry.array, dtype=object), near_m)
    if barriers is not None and len(left):
        units = replace(units, barriers=_barred(shapes, border, units, barriers, bridges, near_m))
    return _linked(units) if link_islands else units


def units_of(
    pairs: pd.DataFrame,
    weights: pd.DataFrame,
    *,
    area_m2: Floats,
    perimeter_m: Floats,
    xy: Floats,
    groups: pd.Series | None = None,
) -> Units:
    """Units given by their pairs instead of polygons: `left`, `right` are positions, `length_m` their common border.

    >>> two = pd.DataFrame({"left": [0], "right": [1], "length_m": [1.0]})
    >>> len(units_of(two, pd.DataFrame({"n": [1, 2]}), area_m2=np.ones(2), perimeter_m=np.full(2, 4.0), xy=np.eye(2)))
    2
    """
    group, names = _codes(groups, weights.index)
    n = len(weights)
    made = _pairs(*(pairs[name].to_numpy() for name in ("left", "right", "length_m")))
    return Units(
        index=weights.index, weights=_weights(weights, list(weights.columns)), pairs=made, area_m2=area_m2,
        perimeter_m=perimeter_m, xy=xy, groups=group if groups is not None else np.zeros(n, np.int64),
        group_names=names or ("",), whole=np.full(n, -1), barriers=np.zeros(len(pairs), bool),
    )  # fmt: skip


def _pairs(left: Ints, right: Ints, length: Floats) -> pd.DataFrame:
    return pd.DataFrame({"left": left, "right": right, "length_m": length, "street_m": 0.0, "linked": False})


def _weights(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    for name in names:
        if name not in frame:
            raise DataError("balance.no_weight", weight=name, known=", ".join(map(str, frame.columns)))
    table = pd.DataFrame(frame[list(names)]).astype(np.float64)
    bad = ~np.isfinite(table.to_numpy()) | (table.to_numpy() < 0)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError("balance.bad_weight", unit=table.index[row], weight=names[column], value=table.iloc[row, column])
    return table


def _codes(values: pd.Series | None, index: pd.Index) -> tuple[Ints, tuple[str, ...]]:
    """Numbers of the distinct values in order of their text, −1 where null; and the texts."""
    if values is None:
        return np.full(len(index), -1), ()
    there = values.reindex(index)
    text = there.astype(str).where(there.notna(), None)
    codes, names = pd.factorize(text, sort=True)
    return codes.astype(np.int64), tuple(names)


def _common(border: Segments, units: Units) -> tuple[Ints, Floats]:
    """Segments that two units own: the pair each belongs to and its ends, shape (s, 4)."""
    order = np.lexsort((border.owner, *border.ends.T[::-1]))
    ends, owner = border.ends[order], border.owner[order]
    twin = np.flatnonzero((ends[1:] == ends[:-1]).all(axis=1) & (owner[1:] != owner[:-1]))
    key = units.pairs["left"].to_numpy() * len(units) + units.pairs["right"].to_numpy()
    return np.searchsorted(key, owner[twin] * len(units) + owner[twin + 1]), ends[twin]


def _metres_near(border: Segments, units: Units, lines: NDArray[np.object_], near_m: float) -> Floats:
    """Metres of each pair's border near a line: stretches of at most `near_m` whose middle is."""
    pair, ends = _common(border, units)
    length = np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
    many = np.maximum(np.ceil(length / near_m), 1).astype(np.int64)
    of = np.repeat(np.arange(len(pair)), many)
    share = (np.arange(len(of)) - np.repeat(np.cumsum(many) - many, many) + 0.5) / many[of]
    middle = shapely.points(ends[of, :2] + share[:, None] * (ends[of, 2:] - ends[of, :2]))
    near = np.zeros(len(of), bool)
    near[shapely.STRtree(lines).query(middle, predicate="dwithin", distance=near_m)[0]] = True
    return np.bincount(pair[of[near]], (length / many)[of[near]], minlength=len(units.pairs)).astype(np.float64)


def _barred(
    shapes: NDArray[np.object_],
    border: Segments,
    units: Units,
    barriers: gpd.GeoDataFrame,
    bridges: gpd.GeoDataFrame | None,
    near_m: float,
) -> Mask:
    lines = np.asarray(barriers.geometry.array, dtype=object)
    left, right = units.pairs["left"].to_numpy(), units.pairs["right"].to_numpy()
    along = _metres_near(border, units, lines, near_m) > units.pairs["length_m"].to_numpy() / 2
    walls = np.where(shapely.get_dimensions(lines) < 2, shapely.buffer(lines, _WALL_M, quad_segs=1), lines)
    spot, wet = _banks(shapes, walls)
    barred = along | _apart(shapes, walls, spot, left, right)
    barred[wet[left] | wet[right]] = True
    if bridges is not None and barred.any():
        barred[_bridged(shapes, lines, bridges, barred, left, right, near_m)] = False
    return _ashore(units, barred, wet)


def _banks(shapes: NDArray[np.object_], walls: NDArray[np.object_]) -> tuple[NDArray[np.object_], Mask]:
    """A point in the largest piece of each unit that barriers leave, the western one of equal pieces; and units left nothing."""
    spot = shapely.point_on_surface(shapes)
    wet = np.zeros(len(shapes), bool)
    unit, wall = shapely.STRtree(walls).query(shapes, predicate="intersects")
    for at in np.unique(unit):
        pieces = shapely.get_parts(shapely.difference(shapes[at], shapely.union_all(walls[wall[unit == at]])))
        size = np.round(shapely.area(pieces), 1)
        if not size.any():
            wet[at] = True
            continue
        spot[at] = shapely.point_on_surface(pieces[np.lexsort((shapely.bounds(pieces)[:, 0], -size))[0]])
    return spot, wet


def _apart(shapes: NDArray[np.object_], walls: NDArray[np.object_], spot: NDArray[np.object_], left: Ints, right: Ints) -> Mask:
    """Pairs whose points cannot be joined on the ground of the two without crossing a barrier."""
    apart = np.zeros(len(left), bool)
    ground = shapely.union(shapes[left], shapes[right])
    pair, wall = shapely.STRtree(walls).query(ground, predicate="intersects")
    for at in np.unique(pair):
        pieces = shapely.get_parts(shapely.difference(ground[at], shapely.union_all(walls[wall[pair == at]])))
        held = shapely.intersects(pieces, spot[left[at]]) & shapely.intersects(pieces, spot[right[at]])
        apart[at] = not held.any()
    return apart


def _bridged(
    shapes: NDArray[np.object_],
    lines: NDArray[np.object_],
    bridges: gpd.GeoDataFrame,
    barred: Mask,
    left: Ints,
    right: Ints,
    near_m: float,
) -> Ints:
    """Barred pairs that a bridge over the barrier joins on the ground of the two."""
    tree = shapely.STRtree(lines)
    crossing = np.asarray(bridges.geometry.array, dtype=object)
    crossing = crossing[np.unique(tree.query(crossing, predicate="intersects")[0])]
    ground = shapely.union(shapes[left[barred]], shapes[right[barred]])
    at, line = shapely.STRtree(crossing).query(ground, predicate="intersects")
    where = np.flatnonzero(barred)[at]
    piece = shapely.intersection(crossing[line], ground[at])
    spans = shapely.intersects(piece, shapes[left[where]]) & shapely.intersects(piece, shapes[right[where]])
    meets = np.zeros(len(piece), bool)
    meets[tree.query(piece, predicate="dwithin", distance=near_m)[0]] = True
    return np.unique(where[spans & meets])


def _ashore(units: Units, barred: Mask, wet: Mask) -> Mask:
    """Units under water belong to one shore: each hangs on the neighbour with the longest border, shores first."""
    left, right, length = (units.pairs[name].to_numpy() for name in ("left", "right", "length_m"))
    dry = ~wet
    opened = barred.copy()
    while True:
        edge = np.flatnonzero(dry[left] != dry[right])
        if not len(edge):
            return opened
        inner = np.where(dry[left[edge]], right[edge], left[edge])
        order = edge[np.lexsort((edge, -length[edge], inner))]
        first = np.unique(np.sort(inner), return_index=True)[1]
        opened[order[first]] = False
        dry[inner] = True


def _linked(units: Units) -> Units:
    """Units with a pair from every island of a group to the nearest unit of the same group outside it, until none is left."""
    left, right = units.pairs["left"].to_numpy(), units.pairs["right"].to_numpy()
    added: list[tuple[int, int]] = []
    usable = units.open_pairs()
    for group in np.unique(units.groups):
        members = np.flatnonzero(units.groups == group)
        while True:
            rows = np.r_[left[usable], np.array([a for a, _ in added], dtype=np.int64)]
            columns = np.r_[right[usable], np.array([b for _, b in added], dtype=np.int64)]
            graph = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(units), len(units)))
            piece = sparse.csgraph.connected_components(graph, directed=False)[1][members]
            sizes = np.bincount(piece)
            if np.count_nonzero(sizes) < 2:
                break
            there = np.flatnonzero(sizes)
            smallest = there[np.argmin(sizes[there])]
            inside, outside = members[piece == smallest], members[piece != smallest]
            distance, nearest = spatial.cKDTree(units.xy[outside]).query(units.xy[inside])
            start = int(np.argmin(distance))
            a, b = sorted((int(inside[start]), int(outside[nearest[start]])))
            added.append((a, b))
    known = set(zip(left.tolist(), right.tolist(), strict=True))
    # two sides of a river without a bridge are no island of each other: a barrier stays one
    fresh = sorted(pair for pair in added if pair not in known)
    if not fresh:
        return units
    ends = np.array(fresh, dtype=np.int64)
    more = _pairs(ends[:, 0], ends[:, 1], np.zeros(len(fresh))).assign(linked=True)
    table = pd.concat([units.pairs, more], ignore_index=True)
    barriers = np.r_[units.barriers, np.zeros(len(fresh), bool)]
    order = np.lexsort((table["right"], table["left"]))
    return replace(units, pairs=table.iloc[order].reset_index(drop=True), barriers=barriers[order])
