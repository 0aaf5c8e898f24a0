"""Dividing a large block: along lanes and plot lines where they do, else straight across between buildings."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.blocks.classes import Sizes
from gridgis.blocks.faces import borders
from gridgis.blocks.joining import Patches, absorb, settle
from gridgis.blocks.lanes import parted
from gridgis.blocks.parting import Block, parts_of
from gridgis.blocks.strips import share_out, thin
from gridgis.blocks.weaving import FINE_M, united

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# a face between guides below this share of the target is no face
_TINY: Final = 0.03


def divide(block: Block, table: Sizes, *, built: float, wet: float) -> Shapes:
    """The pieces of a block; the block itself where it is not too large.

    1. The guides part the block into faces, which are joined to cells like streets' faces are (`joining.settle`).
    2. A cell still too large is parted into as many cells as its area is targets (`parting.parts_of`).

    Parameters
    ----------
    block
        The block.
    table
        Sizes by class.
    built, wet
        Share of the land around that is under buildings, and of the block that is water.

    Examples
    --------
    >>> from gridgis.blocks.classes import CLASSES, sizes
    >>> from gridgis.blocks.network import Lines
    >>> nothing = Lines(np.array([], dtype=object), np.array([], dtype=np.int64))
    >>> long = Block(shapely.box(0, 0, 200, 100), np.array([]), nothing)
    >>> sorted(piece.bounds for piece in divide(long, sizes(CLASSES, 10_000), built=0.5, wet=0.0))
    [(0.0, 0.0, 100.0, 100.0), (100.0, 0.0, 200.0, 100.0)]
    """
    klass = int(table.of(np.array([built]), np.array([wet]))[0])
    target, high = float(table.target[klass]), float(table.high[klass])
    pieces: Shapes = np.array([block.shape], dtype=object)
    if block.shape.area <= high:
        return pieces
    if len(block.guides.shapes):
        pieces = _guided(block, table, built, wet)
    done: list[shapely.Polygon] = []
    for piece in pieces:
        many = max(2, round(piece.area / target))
        done += (
            parts_of(replace(block, shape=piece), table, klass=klass, parts=many, again=True).shapes
            if piece.area > high
            else [piece]
        )
    return np.array(done, dtype=object)


def _guided(block: Block, table: Sizes, built: float, wet: float) -> Shapes:
    shapes, solid = parted(block.shape, block.guides.shapes, block.buildings)
    if len(shapes) < 2:
        return shapes
    number = np.zeros(len(shapes), dtype=np.int64)
    patches = _patches(shapes, number, built, wet)
    shapes = _joined(shapes, absorb(patches, borders(shapes, block.guides), solid))
    strip = thin(shapes, block.buildings, least_m2=_TINY * float(table.target.min()))
    number = np.zeros(len(shapes), dtype=np.int64)
    shapes, _ = share_out(shapes, number, strip, block.guides, block.buildings, grid_m=FINE_M)
    number = np.zeros(len(shapes), dtype=np.int64)
    return _joined(shapes, settle(_patches(shapes, number, built, wet), borders(shapes, block.guides), table))


def _patches(shapes: Shapes, owner: Ints, built: float, wet: float) -> Patches:
    one = np.ones(len(shapes))
    return Patches(shapely.area(shapes), shapely.length(shapes), one * built, one * wet, owner)


def _joined(shapes: Shapes, group: Ints) -> Shapes:
    return united(shapes, group)[0]
