"""Dividing a large block: along lanes and plot lines where they do, else straight across its short axis between buildings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.blocks.classes import Sizes
from gridgis.blocks.faces import borders, components, crossed, whole
from gridgis.blocks.joining import Patches, absorb, settle
from gridgis.blocks.network import REACH_M, Lines
from gridgis.blocks.strips import share_out, thin
from gridgis.blocks.weaving import FINE_M, node, owners, polygons, united

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# straight cuts tried: directions from the short axis, degrees; steps along the long axis
_TURNS: Final = (0.0, -8.0, 8.0, -16.0, 16.0)
_STEPS: Final = 48
# the best so many are tried until one parts the polygon
_TRIED: Final = 12
# what a metre of a cut through buildings costs in metres of a free one
_THROUGH: Final = 12.0
# a piece below this share of the least size is no piece
_PIECE: Final = 0.6
_MOST_ROUNDS: Final = 12
# a face between guides below this share of the target is no face
_TINY: Final = 0.03


@dataclass(frozen=True, slots=True)
class Block:
    """What dividing one block needs to know."""

    shape: shapely.Polygon
    buildings: Shapes
    """Polygons that must stay whole, none overlapping another, shape (n,)."""
    guides: Lines
    """Lanes, paths and plot lines near it."""
    built: float
    """Share of the land around that is under buildings."""
    wet: float
    """Share of it that is water."""


def divide(block: Block, table: Sizes) -> Shapes:
    """The pieces of a block, with the same vertices on common borders; the block itself where it is not too large.

    1. The guides part the block into faces, which are joined to cells like streets' faces are (`joining.settle`).
    2. A cell still too large is cut straight across: of all lines near the short axis the one that leaves both sides near a
       whole number of cells, is short, and runs through no building or the least of it.
    3. A building a line runs through goes whole to the side that has more of it: the border goes around.

    Parameters
    ----------
    block
        The block.
    table
        Sizes by class.

    Examples
    --------
    >>> from gridgis.blocks.classes import CLASSES, sizes
    >>> nothing = Lines(np.array([], dtype=object), np.array([], dtype=np.int64))
    >>> long = Block(shapely.box(0, 0, 200, 100), np.array([]), nothing, 0.5, 0.0)
    >>> sorted(piece.bounds for piece in divide(long, sizes(CLASSES, 10_000)))
    [(0.0, 0.0, 100.0, 100.0), (100.0, 0.0, 200.0, 100.0)]
    """
    at = int(table.of(np.array([block.built]), np.array([block.wet]))[0])
    target, low, high = float(table.target[at]), float(table.low[at]), float(table.high[at])
    pieces: Shapes = np.array([block.shape], dtype=object)
    if block.shape.area <= high:
        return pieces
    if len(block.guides.shapes):
        pieces = _guided(block, table)
    done: list[shapely.Polygon] = []
    waiting = list(pieces)
    for _ in range(_MOST_ROUNDS):
        rest: list[shapely.Polygon] = []
        for piece in waiting:
            parts = _across(piece, block.buildings, target, low) if piece.area > high else [piece]
            (rest if len(parts) > 1 else done).extend(parts)
        waiting = rest
        if not waiting:
            break
    return np.array([*done, *waiting], dtype=object)


def _guided(block: Block, table: Sizes) -> Shapes:
    shapes, solid = _parted(block.shape, block.guides.shapes, block.buildings)
    if len(shapes) < 2:
        return shapes
    number = np.zeros(len(shapes), dtype=np.int64)
    patches = _patches(shapes, number, block)
    shapes = _joined(shapes, absorb(patches, borders(shapes, block.guides), solid))
    strip = thin(shapes, block.buildings, least_m2=_TINY * float(table.target.min()))
    number = np.zeros(len(shapes), dtype=np.int64)
    shapes, _ = share_out(shapes, number, strip, block.guides, block.buildings, grid_m=FINE_M)
    number = np.zeros(len(shapes), dtype=np.int64)
    return _joined(shapes, settle(_patches(shapes, number, block), borders(shapes, block.guides), table))


def _patches(shapes: Shapes, owner: Ints, block: Block) -> Patches:
    one = np.ones(len(shapes))
    return Patches(shapely.area(shapes), shapely.length(shapes), one * block.built, one * block.wet, owner)


def _joined(shapes: Shapes, group: Ints) -> Shapes:
    return united(shapes, group)[0]


def _parted(polygon: shapely.Polygon, lines: Shapes, buildings: Shapes) -> tuple[Shapes, NDArray[np.bool_]]:
    """Faces of a polygon between lines, crossed buildings each as one face, and which faces are buildings."""
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


def _across(polygon: shapely.Polygon, buildings: Shapes, target: float, low: float) -> list[shapely.Polygon]:
    """Two or more pieces of a polygon cut once, straight but for buildings it goes around; the polygon where no cut does."""
    near = buildings[shapely.intersects(buildings, polygon)] if len(buildings) else buildings
    for chord in _chords(polygon, near, target, low)[:_TRIED]:
        shapes, solid = _parted(polygon, np.array([chord], dtype=object), near)
        if len(shapes) < 2:
            continue
        side = _sides(shapes, solid, chord)
        found = borders(shapes)
        same = side[found.left] == side[found.right]
        shapes = _joined(shapes, components(len(shapes), found.left[same], found.right[same]))
        area = shapely.area(shapes)
        small = area < _PIECE * low
        owner = np.zeros(len(shapes), dtype=np.int64)
        none = np.zeros(len(shapes))
        group = absorb(Patches(area, shapely.length(shapes), none, none, owner), borders(shapes), small)
        pieces = _joined(shapes, group)
        if len(pieces) > 1:
            return list(pieces)
    return [polygon]


def _sides(shapes: Shapes, solid: NDArray[np.bool_], chord: shapely.LineString) -> Ints:
    """On which side of the line each face is; a building is where more of it is."""
    (x0, y0), (x1, y1) = shapely.get_coordinates(chord)[[0, -1]]
    way = np.array([x1 - x0, y1 - y0])
    point = shapely.get_coordinates(shapely.point_on_surface(shapes))
    point[solid] = shapely.get_coordinates(shapely.centroid(shapes[solid]))
    offset = point - (x0, y0)
    return np.asarray(way[0] * offset[:, 1] - way[1] * offset[:, 0] > 0, dtype=np.int64)


def _chords(polygon: shapely.Polygon, buildings: Shapes, target: float, low: float) -> list[shapely.LineString]:
    """Lines across a polygon, best first."""
    box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(polygon))
    if len(box) < 5:
        return []
    edges = np.diff(box[:3], axis=0)
    length = np.hypot(*edges.T)
    long = int(length.argmax())
    along, size = edges[long] / length[long], float(length[long])
    middle, reach = box[:4].mean(axis=0), float(length.sum())
    solid = shapely.union_all(buildings) if len(buildings) else shapely.Polygon()
    total = polygon.area
    found: list[tuple[float, int, shapely.LineString]] = []
    parts = max(2, round(total / target))
    for turn in _TURNS:
        angle = np.deg2rad(turn)
        way = np.array([-along[1], along[0]]) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        steps = (np.arange(1, _STEPS) / _STEPS - 0.5) * size
        base = middle + steps[:, None] * along
        ends = np.stack([base - way * reach, base + way * reach], axis=1)
        lines: Shapes = np.asarray(shapely.linestrings(ends), dtype=object)
        behind = -np.sign(way[0] * along[1] - way[1] * along[0]) * np.array([-way[1], way[0]]) * 2 * reach
        half = np.stack(
            [base - way * reach, base + way * reach, base + way * reach + behind, base - way * reach + behind], axis=1
        )
        left = shapely.area(shapely.intersection(polygon, shapely.polygons(half)))
        chords = shapely.intersection(lines, polygon)
        parts_of, whose = shapely.get_parts(chords, return_index=True)
        inner = shapely.get_type_id(parts_of) == 1
        within = shapely.length(shapely.intersection(parts_of[inner], solid))
        through = np.bincount(whose[inner], within, len(lines))
        share = np.minimum(left, total - left)
        near = np.clip(np.round(left / total * parts), 1, parts - 1)
        off = np.abs(left / total * parts - near) + 0.15 * np.abs(near - parts / 2)
        cost = shapely.length(chords) + _THROUGH * through + np.sqrt(total) * (off + abs(turn) / 100)
        good = share > max(_PIECE * low, 0.15 * total / parts)
        found += [(float(cost[at]), len(found) + k, lines[at]) for k, at in enumerate(np.flatnonzero(good))]
    return [line for _, _, line in sorted(found, key=lambda row: row[:2])]
