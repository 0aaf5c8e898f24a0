"""Contents of one map tile: shapes as compact bytes where a reader can tell them apart, a picture where they are dust."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from gridgis.maps.compact import encode
from gridgis.maps.paint import paint_source, png
from gridgis.maps.source import Box, FrameSource, Source
from gridgis.maps.world import tile_box

TILE_PX: Final = 512
"""Side of a tile on screen: a quarter of the requests of the usual 256."""
STEPS: Final = 4096
"""Whole steps along a tile's side: an eighth of a pixel."""
MAX_ZOOM: Final = 22
SHAPES_PER_TILE: Final = 5_000
"""Up to so many shapes a tile sends as shapes: five pixels each when they fill it."""

_MARGIN: Final = 12 / TILE_PX  # outlines and points of shapes just outside reach in
_FINEST: Final = 2.0**-30  # 4 cm at the equator: no screen shows less

Media = Literal["application/x-gridgis-shapes", "image/png"]


@dataclass(frozen=True, slots=True)
class Tile:
    """What is sent for one tile."""

    content: bytes
    """The bytes; empty where nothing lies."""
    media: Media
    """What they are."""


def tile(source: Source, z: int, x: int, y: int) -> Tile:
    """One tile of a layer in the usual web-map scheme, 512 pixels wide.

    Parameters
    ----------
    source
        The layer.
    z, x, y
        Zoom 0–22 of a scheme whose tile 0/0/0 is the world, column from the west, row from the north.

    Returns
    -------
    Tile
        Shapes for up to 5,000 of them, else a picture; no bytes where nothing lies.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.maps.style import Style
    >>> tile(FrameSource(toy.grids(), Style()), 0, 0, 0).content[:4]
    b'GGM1'
    >>> tile(FrameSource(toy.grids(), Style()), 4, 0, 0).content
    b''
    """
    box = tile_box(z, x, y)
    rows = source.index.within(grown(box))
    if len(rows) == 0:
        return Tile(b"", "application/x-gridgis-shapes")
    if len(rows) <= SHAPES_PER_TILE:
        drawn = source.drawn(grown(box))
        unit = (box[2] - box[0]) / STEPS
        content = encode(drawn.flat, ids=drawn.ids, classes=drawn.classes, origin=(box[0], box[1]), unit=unit)
        return Tile(content, "application/x-gridgis-shapes")
    return Tile(png(paint_source(source, box, (TILE_PX, TILE_PX))), "image/png")


def whole(source: FrameSource, *, extra: dict[str, object] | None = None) -> bytes:
    """A small layer in one piece, to a few centimetres, with anything else the browser wants beside.

    >>> from gridgis import toy
    >>> from gridgis.maps.style import Style
    >>> len(whole(FrameSource(toy.grids(), Style())))
    210
    """
    drawn = source.whole()
    bounds = source.index.bounds or (0.5, 0.5, 0.5, 0.5)
    unit = max(_FINEST, float(np.max([bounds[2] - bounds[0], bounds[3] - bounds[1]])) / 2**29)
    return encode(drawn.flat, ids=drawn.ids, classes=drawn.classes, origin=(bounds[0], bounds[1]), unit=unit, extra=extra)


def grown(box: Box) -> Box:
    """A tile's box with the margin from which outlines reach in."""
    margin = (box[2] - box[0]) * _MARGIN
    return box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin
