"""Where a map's shapes come from: all of them at hand, or read from a workspace where the reader looks."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import geopandas as gpd
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from gridgis.maps.compact import Rings, boxes, rings
from gridgis.maps.style import Style, classify
from gridgis.maps.world import Floats, World

Box = tuple[float, float, float, float]

# a shape with more points than this is cut to the tile before it is sent
_CUT_POINTS: Final = 64
_CUT_MARGIN: Final = 0.08


@dataclass(frozen=True, slots=True)
class Index:
    """What is known of every shape without its geometry: enough to draw it where it is smaller than a few pixels."""

    boxes: Floats
    """Shape (n, 4): world boxes u0, v0, u1, v1; NaN for a shape without geometry."""
    classes: NDArray[np.uint8]
    """Shape (n,): class numbers of the style."""

    @property
    def bounds(self) -> Box | None:
        """World box of everything; none if there is nothing."""
        if len(self.boxes) == 0 or np.isnan(self.boxes[:, 0]).all():
            return None
        low, high = np.nanmin(self.boxes[:, :2], axis=0), np.nanmax(self.boxes[:, 2:], axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def within(self, box: Box) -> NDArray[np.int64]:
        """Row numbers of the shapes whose boxes touch a world box, rising.

        >>> index = Index(np.array([[0.1, 0.1, 0.2, 0.2], [0.8, 0.8, 0.9, 0.9]]), np.zeros(2, np.uint8))
        >>> index.within((0.0, 0.0, 0.5, 0.5)).tolist()
        [0]
        """
        u0, v0, u1, v1 = box
        b = self.boxes
        return np.flatnonzero((b[:, 0] <= u1) & (b[:, 2] >= u0) & (b[:, 1] <= v1) & (b[:, 3] >= v0))


@dataclass(frozen=True, slots=True)
class Drawn:
    """Shapes ready to be drawn or sent."""

    flat: Rings
    """Rings; `flat.shape` counts within the rows of this value."""
    ids: NDArray[np.uint32]
    """Shape (n,): the same shape has the same number in every tile."""
    classes: NDArray[np.uint8]
    """Shape (n,)."""


class Source(Protocol):
    """A layer as tiles and pictures see it."""

    @property
    def style(self) -> Style:
        """The look."""

    @property
    def index(self) -> Index:
        """Boxes and classes of all shapes, read once."""

    @property
    def bounds(self) -> Box | None:
        """World box of everything, as quickly as it can be had; none if there is nothing."""

    def drawn(self, box: Box) -> Drawn:
        """The shapes that touch a world box, large ones cut to it."""

    def at(self, u: float, v: float, reach: float) -> gpd.GeoDataFrame:
        """The rows at a world point: areas that hold it, points and lines within `reach` world units; the topmost last."""


class FrameSource:
    """Shapes of a frame in memory."""

    def __init__(self, frame: gpd.GeoDataFrame, style: Style) -> None:
        self.frame = frame
        self.style = style
        self.world = World.of(frame.crs)
        self._lock = threading.Lock()
        self._index: Index | None = None

    @property
    def index(self) -> Index:
        """Boxes and classes of all shapes, computed at the first use."""
        with self._lock:
            if self._index is None:
                geometry = np.asarray(self.frame.geometry.array, dtype=object)
                self._index = Index(boxes(rings(geometry, self.world), len(geometry)), classify(self.frame, self.style))
            return self._index

    @property
    def bounds(self) -> Box | None:
        """World box of everything."""
        return self.index.bounds

    def whole(self) -> Drawn:
        """All shapes, uncut, numbered by row."""
        geometry = np.asarray(self.frame.geometry.array, dtype=object)
        count = np.arange(len(geometry), dtype=np.uint32)
        return Drawn(rings(geometry, self.world), count, classify(self.frame, self.style))

    def drawn(self, box: Box) -> Drawn:
        """The shapes that touch a world box, large ones cut to it."""
        rows = self.index.within(box)
        geometry = np.asarray(self.frame.geometry.array[rows], dtype=object)
        cut = cut_to(geometry, self.world.box(box, grow=_CUT_MARGIN))
        return Drawn(rings(cut, self.world), rows.astype(np.uint32), self.index.classes[rows])

    def at(self, u: float, v: float, reach: float) -> gpd.GeoDataFrame:
        """The rows at a world point, the topmost last."""
        rows = self.index.within((u - reach, v - reach, u + reach, v + reach))
        return touching(self.frame.iloc[rows], self.world, u, v, reach)


class StoredSource:
    """Shapes that stay in a workspace; boxes are read once, geometry where it is looked at.

    Parameters
    ----------
    read
        `read(bbox)` gives the rows whose boxes touch a box in the layer's CRS, with the columns the style needs.
    outline
        Gives boxes (n, 4: west, south, east, north in the layer's CRS) and class numbers of all rows.
    extent
        Gives the box around all rows in the layer's CRS, or none.
    crs
        The layer's CRS.
    style
        The look.
    """

    def __init__(
        self,
        read: Callable[[Sequence[float]], gpd.GeoDataFrame],
        outline: Callable[[], tuple[Floats, NDArray[np.uint8]]],
        extent: Callable[[], Sequence[float] | None],
        crs: pyproj.CRS | None,
        style: Style,
    ) -> None:
        self.style = style
        self.world = World.of(crs)
        self._read = read
        self._outline = outline
        self._extent = extent
        self._lock = threading.Lock()
        self._index: Index | None = None

    @property
    def index(self) -> Index:
        """Boxes and classes of all shapes, read at the first use."""
        with self._lock:
            if self._index is None:
                plain, classes = self._outline()
                self._index = Index(_world_boxes(plain, self.world), classes)
            return self._index

    @property
    def bounds(self) -> Box | None:
        """World box of everything, without reading the rest."""
        around = self._extent()
        return None if around is None else Index(_world_boxes(np.array([around]), self.world), np.zeros(1, np.uint8)).bounds

    def drawn(self, box: Box) -> Drawn:
        """The shapes that touch a world box, large ones cut to it."""
        bounds = self.world.box(box)
        frame = self._read(bounds)
        geometry = cut_to(np.asarray(frame.geometry.array, dtype=object), self.world.box(box, grow=_CUT_MARGIN))
        return Drawn(rings(geometry, self.world), key_numbers(frame), classify(frame, self.style))

    def at(self, u: float, v: float, reach: float) -> gpd.GeoDataFrame:
        """The rows at a world point, the topmost last."""
        frame = self._read(self.world.box((u - reach, v - reach, u + reach, v + reach)))
        return touching(frame, self.world, u, v, reach)


def key_numbers(frame: gpd.GeoDataFrame) -> NDArray[np.uint32]:
    """A number per row made of its key, the same wherever the row is read.

    >>> from gridgis import toy
    >>> len(set(key_numbers(toy.grids()).tolist()))
    3
    """
    return np.fromiter((zlib.crc32(str(key).encode()) for key in frame.index), dtype=np.uint32, count=len(frame))


def cut_to(geometry: NDArray[np.object_], box: Sequence[float]) -> NDArray[np.object_]:
    """Shapes with many points cut to a box; the others as they are.

    >>> ring = shapely.Point(0, 0).buffer(10, quad_segs=64)
    >>> float(cut_to(np.array([ring]), (0, 0, 20, 20))[0].bounds[0])
    0.0
    """
    many = shapely.get_num_coordinates(geometry) > _CUT_POINTS
    if not many.any():
        return geometry
    bounds = shapely.bounds(geometry[many])
    x0, y0, x1, y1 = box
    outside = (bounds[:, 0] < x0) | (bounds[:, 1] < y0) | (bounds[:, 2] > x1) | (bounds[:, 3] > y1)
    which = np.flatnonzero(many)[outside]
    out = geometry.copy()
    for row in which:
        try:
            out[row] = shapely.clip_by_rect(geometry[row], x0, y0, x1, y1)
        except shapely.GEOSException:
            continue  # a shape that cannot be cut is sent whole: bigger, never wrong
    return out


def touching(frame: gpd.GeoDataFrame, world: World, u: float, v: float, reach: float) -> gpd.GeoDataFrame:
    """The rows whose shape holds a world point or lies within `reach` of it."""
    x0, y0, x1, y1 = world.box((u - reach, v - reach, u + reach, v + reach))
    spot = shapely.Point((x0 + x1) / 2, (y0 + y1) / 2)
    geometry = np.asarray(frame.geometry.array, dtype=object)
    flat = shapely.get_dimensions(geometry) < 2
    near = shapely.intersects(geometry, spot)
    near[flat] = shapely.dwithin(geometry[flat], spot, max(x1 - x0, y1 - y0) / 2)
    return frame.iloc[np.flatnonzero(near)]


def _world_boxes(plain: Floats, world: World) -> Floats:
    """World boxes of boxes in the layer's system; off by the turn of the meridians, far below a pixel for small shapes."""
    u0, v1 = world.forward(plain[:, 0], plain[:, 1])
    u1, v0 = world.forward(plain[:, 2], plain[:, 3])
    return np.stack([np.minimum(u0, u1), np.minimum(v0, v1), np.maximum(u0, u1), np.maximum(v0, v1)], axis=1)
