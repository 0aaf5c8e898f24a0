"""Shapes painted into a picture: the server's tiles of dense layers, pictures for reports, overlays in files."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gridgis.maps.compact import AREA, HOLE, POINT, Rings
from gridgis.maps.source import Box, Drawn, Index, Source
from gridgis.maps.style import Style, rgb
from gridgis.maps.world import Floats

Pixels = NDArray[np.uint8]

# A shape up to so many pixels wide and high is painted as its box: nobody sees the difference
SMALL_PX: Final = 8.0
# Boxes up to so many pixels are dots without outline
_DOT_PX: Final = 2.5
_FINE: Final = 2  # shapes are painted at twice the size and averaged: smooth edges without a drawing library
_TURN: Final = 0.02
_READABLE: Final = 60_000
_TRIANGLE: Final = 6  # numbers in the shortest ring worth filling


def paint_source(source: Source, box: Box, size: tuple[int, int]) -> Image.Image:
    """A layer as a picture of a world box, transparent where there is nothing.

    Parameters
    ----------
    source
        The layer.
    box
        World box u0, v0, u1, v1.
    size
        Width and height in pixels.
    """
    index, style = source.index, source.style
    rows = index.within(box)
    if len(rows) == 0:
        return Image.new("RGBA", size, (0, 0, 0, 0))
    boxes = index.boxes[rows]
    scale = size[0] / (box[2] - box[0])
    widest = float(max((boxes[:, 2] - boxes[:, 0]).max(), (boxes[:, 3] - boxes[:, 1]).max())) * scale
    if widest > SMALL_PX and len(rows) <= _READABLE:
        return paint_shapes(source.drawn(box), style, box, size)
    paint = paint_dots if widest <= 1.0 else paint_boxes
    return paint(Index(boxes, index.classes[rows]), style, box, size)


def paint_dots(index: Index, style: Style, box: Box, size: tuple[int, int]) -> Image.Image:
    """Shapes below a pixel as the pixel their middle lies in: half a million in a tenth of a second."""
    width, height = size
    x = ((index.boxes[:, 0] + index.boxes[:, 2]) / 2 - box[0]) * (width / (box[2] - box[0]))
    y = ((index.boxes[:, 1] + index.boxes[:, 3]) / 2 - box[1]) * (height / (box[3] - box[1]))
    good = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    canvas = np.zeros((height, width, 4), dtype=np.uint8)
    at = y[good].astype(np.int64) * width + x[good].astype(np.int64)
    colours = np.ascontiguousarray(_fill_table(style)).view(np.uint32).ravel()
    canvas.reshape(-1, 4).view(np.uint32).ravel()[at] = colours[index.classes[good]]
    return Image.fromarray(canvas, "RGBA")


def paint_boxes(index: Index, style: Style, box: Box, size: tuple[int, int]) -> Image.Image:
    """Small shapes as their boxes: filled, with a line on their west and north side where there is room for one."""
    width, height = size
    scale = np.array([width / (box[2] - box[0]), height / (box[3] - box[1])] * 2)
    px = (index.boxes - np.array([box[0], box[1]] * 2)) * scale
    # a stored box is that of a shape turned by the meridian: a little more, and no pixel falls between neighbours
    slack = _TURN * np.maximum(px[:, 2] - px[:, 0], px[:, 3] - px[:, 1])[:, None]
    px = px + slack * np.array([-1, -1, 1, 1])
    canvas = np.zeros((height, width, 4), dtype=np.uint8)
    fills = _fill_table(style)
    edges = None
    typical = float(np.median(np.maximum(px[:, 2] - px[:, 0], px[:, 3] - px[:, 1]))) if len(px) else 0.0
    if style.width and typical > _DOT_PX:
        # a line on every side of a cell of three pixels would be all one sees: it grows with the cell
        edges = _mixed(fills, style, min(0.6, 0.1 * typical))
    _scatter(canvas, px, index.classes, fills, edges)
    return Image.fromarray(canvas, "RGBA")


def paint_shapes(drawn: Drawn, style: Style, box: Box, size: tuple[int, int], *, fine: int = _FINE) -> Image.Image:
    """Shapes with smooth edges: fills, then outlines, then points."""
    big = (size[0] * fine, size[1] * fine)
    image = Image.new("RGBA", big, (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    flat = drawn.flat
    x = (flat.u - box[0]) * (big[0] / (box[2] - box[0]))
    y = (flat.v - box[1]) * (big[1] / (box[3] - box[1]))
    table = [tuple(int(part) for part in colour) for colour in _fill_table(style)]
    line = (*rgb(style.line), 255)
    xy = np.stack([x, y], axis=1)
    paths = [xy[a:b].ravel().tolist() for a, b in zip(flat.start[:-1], flat.start[1:], strict=True)]
    owners = flat.shape.tolist()
    kinds = flat.kind.tolist()
    if style.opacity > 0:
        for ring in _filling_order(flat):
            if len(paths[ring]) >= _TRIANGLE:
                fill = table[drawn.classes[owners[ring]]] if kinds[ring] == AREA else (0, 0, 0, 0)
                pen.polygon(paths[ring], fill=fill)
    stroke = max(1, round(style.width * fine))
    for ring, path in enumerate(paths):
        if kinds[ring] != POINT and style.width > 0 and len(path) >= 4:
            pen.line(path, fill=line, width=stroke, joint="curve" if stroke > 2 else None)
    for ring, path in enumerate(paths):
        if kinds[ring] == POINT:
            _dot(pen, path, style.radius * fine, (*table[drawn.classes[owners[ring]]][:3], 255))
    return image.reduce(fine) if fine > 1 else image


def scaled(style: Style, factor: float) -> Style:
    """A style with lines and points thicker by a factor: what is right on screen is thin in print."""
    return replace(style, width=style.width * factor, radius=style.radius * factor)


def png(image: Image.Image) -> bytes:
    """An image as PNG."""
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=4)
    return out.getvalue()


def _dot(pen: ImageDraw.ImageDraw, path: list[float], radius: float, fill: tuple[int, ...]) -> None:
    x, y = path[0], path[1]
    if x != x or y != y:
        return
    halo = radius + max(1.0, radius / 4)
    pen.ellipse((x - halo, y - halo, x + halo, y + halo), fill=(255, 255, 255, 230))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _filling_order(flat: Rings) -> list[int]:
    """Area rings in the order they are filled: shapes with holes first, so that a hole wipes out nothing of another."""
    area = np.isin(flat.kind, (AREA, HOLE))
    pierced = np.isin(flat.shape, flat.shape[flat.kind == HOLE])
    return [*np.flatnonzero(area & pierced).tolist(), *np.flatnonzero(area & ~pierced).tolist()]


def _scatter(canvas: Pixels, px: Floats, classes: Pixels, fills: Pixels, edges: Pixels | None) -> None:
    """Fill every pixel whose centre a box covers, one pixel at least; its first column and row in the colour of edges."""
    height, width = canvas.shape[:2]
    left, top = np.floor(px[:, 0] + 0.5).astype(np.int32), np.floor(px[:, 1] + 0.5).astype(np.int32)
    right = np.maximum(np.floor(px[:, 2] - 0.5).astype(np.int32), left)
    bottom = np.maximum(np.floor(px[:, 3] - 0.5).astype(np.int32), top)
    # boxes wider than the canvas need no more steps than it has
    left, top = np.maximum(left, -1), np.maximum(top, -1)
    right, bottom = np.minimum(right, width - 1), np.minimum(bottom, height - 1)
    pixels = canvas.reshape(-1, 4).view(np.uint32).ravel()
    inner, outer = (np.ascontiguousarray(table).view(np.uint32).ravel() for table in (fills, fills if edges is None else edges))
    for dx in range(int((right - left).max(initial=-1)) + 1):
        wide = np.flatnonzero((left + dx <= right) & (left + dx >= 0))
        x, first, last, number = left[wide] + dx, top[wide], bottom[wide], classes[wide]
        for dy in range(int((last - first).max(initial=-1)) + 1):
            y = first + dy
            good = (y <= last) & (y >= 0)
            colours = outer if dx == 0 or dy == 0 else inner
            pixels[y[good] * width + x[good]] = colours[number[good]]


def _mixed(fills: Pixels, style: Style, share: float) -> Pixels:
    """Fill colours with some of the line colour in them, and as opaque as both together."""
    alpha = fills[:, 3:].astype(np.float64) / 255
    together = share + alpha * (1 - share)
    colour = (np.array(rgb(style.line)) * share + fills[:, :3] * alpha * (1 - share)) / np.maximum(together, 1e-9)
    return np.concatenate([np.rint(colour), np.rint(255 * together)], axis=1).astype(np.uint8)


def _fill_table(style: Style) -> Pixels:
    """RGBA per class number, shape (256, 4)."""
    table = np.zeros((256, 4), dtype=np.uint8)
    alpha = round(255 * style.opacity)
    table[:, :3] = rgb(style.colour_of(255))
    table[:, 3] = alpha
    for number in range(len(style.colours)):
        table[number, :3] = rgb(style.colour_of(number))
    return table
