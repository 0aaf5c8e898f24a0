"""Parting a polygon into a given number of cells: of straight cuts between buildings and cuts along lanes, the cheapest."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.blocks.chords import chords
from gridgis.blocks.classes import Sizes
from gridgis.blocks.faces import borders, components
from gridgis.blocks.joining import Patches, absorb
from gridgis.blocks.lanes import Faces, faces, hang_together, parted, sweeps
from gridgis.blocks.network import Lines
from gridgis.blocks.prices import border_price, dear_metres, ragged_price, shape_price, size_price
from gridgis.blocks.weaving import united

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# where more parts than these are wanted, only the best cut is followed
_FEW: Final = 3
# of cuts of one kind so many are looked at
_LOOKED: Final = 16
# cuts whose ends are nearer than this are the same to the eye
_ALIKE_M: Final = 12.0
# what a line costs that meets the edge at a slant, by 1 − sine
_SLANT: Final = 0.4
# what a line costs that enters the polygon more than once, and one that is not near the middle
_TORN: Final = 0.5
_ASIDE: Final = 0.02
# walls go to and fro: each of their metres counts so much more
_WALLS: Final = 1.0
# outside dense places a cut keeps so far off houses, or each of its metres counts so much more: hamlets stay whole
_CLOSE_M: Final = 15.0
_AMONG: Final = 2.0
# a face between lanes below this share of the target is no face
_TINY: Final = 0.03


@dataclass(frozen=True, slots=True)
class Block:
    """What parting one polygon needs to know."""

    shape: shapely.Polygon
    buildings: Shapes
    """Polygons that must stay whole, none overlapping another, shape (n,)."""
    guides: Lines
    """Lines near it that borders may follow."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A polygon parted."""

    price: float
    """Of sizes, shapes and the borders between (`prices`); infinite where it could not be parted."""
    shapes: tuple[shapely.Polygon, ...]
    """The parts; the polygon itself where it could not be parted. Vertices of one cut may lack on another one's sides."""


@dataclass(frozen=True, slots=True)
class Halves:
    """A polygon cut in two."""

    left: shapely.Polygon
    right: shapely.Polygon
    price: float
    """Of the border between."""
    left_faces: Faces | None = None
    """Faces of the left one between lanes; None where a straight cut ran through them."""
    right_faces: Faces | None = None


Cut = Callable[[], Halves | None]


@dataclass(frozen=True, slots=True)
class _Wish:
    """Cells wished for."""

    table: Sizes
    klass: int
    again: bool
    places: Shapes
    """Ground close around houses, which cuts keep clear of where it is not dense all over."""

    @property
    def target(self) -> float:
        return float(self.table.target[self.klass])

    def price(self, area: Any, parts: int) -> Floats:
        return parts * size_price(np.asarray(area) / parts, self.klass, self.table)


def parts_of(
    block: Block, table: Sizes, *, klass: int, parts: int, wide: int = 2, most: float = np.inf, again: bool = False
) -> Parts:
    """The cheapest way found to part a polygon.

    The best cut leaves both sides near a whole number of cells, is short, follows lanes or runs between buildings; a building a
    straight line runs through goes whole to the side that has its middle. Each side is then parted in the same way.

    Parameters
    ----------
    block
        The polygon.
    table, klass
        Sizes by class, and the position of its class.
    parts
        Number of cells wanted.
    wide
        How many cuts are followed to the end, to take the best.
    most
        What costs more is of no use and given up early.
    again
        Whether to look for lanes in what a straight cut leaves as well; slower.

    Examples
    --------
    >>> from gridgis.blocks.classes import CLASSES, sizes
    >>> nothing = Lines(np.array([], dtype=object), np.array([], dtype=np.int64))
    >>> long = Block(shapely.box(0, 0, 300, 100), np.array([]), nothing)
    >>> sorted(part.bounds[0] for part in parts_of(long, sizes(CLASSES, 10_000), klass=0, parts=3).shapes)
    [0.0, 100.0, 200.0]
    """
    seen = _faces_of(block, table) if parts > 1 else None
    return _best(
        block, _Wish(table, klass, again, _close(block.buildings) if klass > 0 else block.buildings[:0]), parts, wide, most, seen
    )


def _best(block: Block, wish: _Wish, parts: int, wide: int, most: float, seen: Faces | None) -> Parts:
    polygon = block.shape
    if parts == 1:
        alone = float(wish.price(polygon.area, 1)) + float(shape_price(np.array([polygon]))[0])
        return Parts(alone, (polygon,))
    buildings = block.buildings
    near = buildings[shapely.intersects(buildings, polygon)] if len(buildings) else buildings
    if seen is None and wish.again:
        seen = _faces_of(block, wish.table)
    follow = wide if parts <= _FEW else 1
    best, made = Parts(np.inf, (polygon,)), 0
    for price, share, cut in _cuts(Block(polygon, near, block.guides), wish, parts, seen):
        limit = min(best.price, most)
        if made == follow or price >= limit:
            break
        halves = cut()
        if halves is None:
            continue
        made += 1
        one = Block(halves.left, near, block.guides)
        left = _best(one, wish, share, follow, limit - halves.price, halves.left_faces)
        other = Block(halves.right, near, block.guides)
        right = _best(other, wish, parts - share, follow, limit - halves.price - left.price, halves.right_faces)
        both = Parts(left.price + right.price + halves.price, left.shapes + right.shapes)
        if both.price < best.price or len(best.shapes) == 1:
            best = both
    return best


def _close(buildings: Shapes) -> Shapes:
    """The ground close around houses, as polygons that do not overlap."""
    if not len(buildings):
        return buildings
    return np.asarray(shapely.get_parts(shapely.union_all(shapely.buffer(buildings, _CLOSE_M, quad_segs=1))), dtype=object)


def _faces_of(block: Block, table: Sizes) -> Faces | None:
    """Its faces between lanes; None where no lane parts it."""
    if not len(block.guides.shapes):
        return None
    found = faces(block.shape, block.guides, block.buildings, least_m2=_TINY * float(table.target.min()))
    return found if len(found.shapes) > 1 else None


def _cuts(block: Block, wish: _Wish, parts: int, seen: Faces | None) -> Iterator[tuple[float, int, Cut]]:
    """Cuts in two with what they would cost at least and the cells of the one side, cheapest first."""
    return heapq.merge(_straight(block, wish, parts), _along(seen, block.shape.area, wish, parts), key=lambda row: row[:2])


def _ranked(left: Floats, extra: Floats, total: float, edges: Floats, parts: int, wish: _Wish) -> list[tuple[float, int, int]]:
    """What cuts cost with the share of cells on the left, the share, and the cut, cheapest first."""
    right, rows = total - left, []
    # many cells are halved about in the middle
    aside = 1 if parts <= 2 * _FEW else parts // 3
    for share in range(aside, parts - aside + 1):
        price = wish.price(left, share) + wish.price(right, parts - share) + extra + _ASIDE * abs(share - parts / 2)
        price += ragged_price(left, edges[0], parts=share) + ragged_price(right, edges[1], parts=parts - share)
        order = np.argsort(price, kind="stable")[: 8 * _LOOKED]
        rows += [(round(float(price[row]), 9), share, row) for row in order.tolist()]
    return sorted(rows)


def _straight(block: Block, wish: _Wish, parts: int) -> Iterator[tuple[float, int, Cut]]:
    polygon, total = block.shape, block.shape.area
    places = wish.places[shapely.intersects(wish.places, polygon)] if len(wish.places) else wish.places
    found = chords(polygon, block.buildings, parts=parts, places=places)
    extra = border_price(found.border + _WALLS * found.walls, wish.target) + _TORN * found.torn
    extra += _SLANT * found.slant + border_price(_AMONG * found.among, wish.target)
    edges = np.stack([found.edge + found.border, polygon.length - found.edge + found.border])
    used: list[Floats] = []
    for price, share, row in _ranked(found.left, extra, total, edges, parts, wish):
        ends = found.ends[row]
        if all(np.abs(ends - other).max() > _ALIKE_M for other in used):
            used.append(ends)
            yield price, share, partial(_halved, block, shapely.LineString(ends), float(found.walls[row]), wish.target)
        if len(used) == _LOOKED:
            return


def _halved(block: Block, line: shapely.LineString, walls: float, target: float) -> Halves | None:
    """What is left of a line, what is right of it, and the price of the border; None where that is more than two pieces."""
    shapes, solid = parted(block.shape, np.array([line], dtype=object), block.buildings)
    if len(shapes) < 2:
        return None
    left = _left_of(shapes, solid, line)
    found = borders(shapes)
    same = left[found.left] == left[found.right]
    shapes, first = united(shapes, components(len(shapes), found.left[same], found.right[same]))
    left = left[first]
    if left.all() or not left.any():
        return None
    area = shapely.area(shapes)
    # of each side the largest piece stays, what a corner or a building cut off goes to the other
    stays = [int(np.where(side, area, -1.0).argmax()) for side in (left, ~left)]
    small = ~np.isin(np.arange(len(shapes)), stays)
    none, owner = np.zeros(len(shapes)), np.zeros(len(shapes), dtype=np.int64)
    pieces = shapes
    shapes, _ = united(pieces, absorb(Patches(area, shapely.length(pieces), none, none, owner), borders(pieces), small))
    if len(shapes) != 2:
        return None
    metres = float(dear_metres(shapes, block.guides)[3].sum()) + _WALLS * walls
    # the piece that stays on the left is the one that holds it
    inside = shapely.get_coordinates(shapely.point_on_surface(pieces[stays[0]]))
    one, other = shapes if shapely.contains_xy(shapes[0], *inside[0]) else shapes[::-1]
    return Halves(one, other, float(border_price(metres, target)))


def _left_of(shapes: Shapes, solid: NDArray[np.bool_], line: shapely.LineString) -> NDArray[np.bool_]:
    """Which faces are to the left of a line; a building is where its middle is."""
    (x0, y0), (x1, y1) = shapely.get_coordinates(line)
    point = shapely.get_coordinates(shapely.point_on_surface(shapes))
    point[solid] = shapely.get_coordinates(shapely.centroid(shapes[solid]))
    return np.asarray((x1 - x0) * (point[:, 1] - y0) - (y1 - y0) * (point[:, 0] - x0) > 0)


def _along(seen: Faces | None, total: float, wish: _Wish, parts: int) -> Iterator[tuple[float, int, Cut]]:
    if seen is None or len(seen.shapes) < 2:
        return
    swept = sweeps(seen)
    extra = border_price(swept.dear, wish.target)
    for price, share, row in _ranked(swept.area, extra, total, swept.edges, parts, wish)[: 2 * _LOOKED]:
        yield price, share, partial(_sides, seen, swept.first[row], float(extra[row]))


def _sides(seen: Faces, first: NDArray[np.bool_], price: float) -> Halves | None:
    """Faces on both sides as polygons, and the price of the border; None where a side falls apart."""
    if not hang_together(seen, first):
        return None
    one, other = (united(seen.shapes[side], np.zeros(int(side.sum()), dtype=np.int64))[0][0] for side in (first, ~first))
    return Halves(one, other, price, seen.only(first), seen.only(~first))
