"""A map with its headline, legend and scale as one PNG for reports and slides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from gridgis.errors import DataError
from gridgis.maps import opening, paint
from gridgis.maps.fonts import Font, font
from gridgis.maps.image import class_numbers, sample, world_box
from gridgis.maps.layer import LatticeValues, MapLayer
from gridgis.maps.paint import paint_shapes, paint_source, scaled
from gridgis.maps.source import Box, FrameSource, Source
from gridgis.maps.spec import legend, mark
from gridgis.maps.style import Style, rgb
from gridgis.maps.world import lonlat
from gridgis.text import Lang, number

SIZE: Final = (1600, 1200)
"""Width and height in pixels unless asked otherwise: half a page in print, a slide on screen."""

_INK: Final = (36, 50, 59)
_SOFT: Final = (91, 107, 117)
_PAPER: Final = (255, 255, 255)
_GROUND: Final = (246, 247, 245)
_FRAME: Final = (217, 223, 227)
_WHOLE: Final = 20_000  # up to so many shapes are painted from their outlines
_SHARP: Final = 1.15  # lines of the screen, grown to the sheet
_METRES_AROUND: Final = 40_075_016.7


@dataclass(frozen=True, slots=True)
class Sheet:
    """Measures of the sheet, all from its height, so that any size looks alike."""

    image: Image.Image
    """The picture being made."""
    pen: ImageDraw.ImageDraw
    """Draws on it."""
    unit: float
    """One thousandth of the reference height: a font of 24 units is readable in print."""

    def px(self, units: float) -> int:
        """Pixels of a length in units."""
        return max(1, round(units * self.unit))


def png(
    layers: Sequence[MapLayer],
    *,
    lang: Lang,
    title: str = "",
    lines: Sequence[str] = (),
    notice: str | None = None,
    size: tuple[int, int] = SIZE,
) -> bytes:
    r"""The visible layers as a PNG under a title and lines of text.

    Parameters
    ----------
    layers
        From the ground up; those that are not `visible` are left out.
    lang
        Language of the words the picture adds.
    title, lines
        The headline and what stands under it; long lines wrap.
    notice
        A line at the foot, such as that the data is synthetic.
    size
        Width and height in pixels, 400–6,000 each.

    Raises
    ------
    DataError
        If no layer has a place, the size is out of range, or Chinese text finds no font.

    Examples
    --------
    >>> from gridgis import toy
    >>> content = png([MapLayer("grids", "Grids", toy.grids())], lang="en", title="Toy", size=(400, 400))
    >>> content[:4]
    b'\x89PNG'
    """
    if not all(400 <= side <= 6000 for side in size):
        raise DataError("maps.bad_size", width=size[0], height=size[1])
    image = Image.new("RGB", size, _PAPER)
    sheet = Sheet(image, ImageDraw.Draw(image), min(size[1], size[0] * 0.8) / 1000)
    edge = sheet.px(34)
    top = _headline(sheet, title, lines, edge)
    bottom = size[1] - edge - (_foot(sheet, notice, edge) if notice else 0)
    shown = [layer for layer in layers if layer.visible]
    frame = (edge, top, size[0] - edge, bottom)
    box = _paint(sheet, shown, frame)
    if box is None:
        raise DataError("maps.no_map")
    _legend(sheet, shown, frame)
    _scale(sheet, box, frame)
    return paint.png(image)


def _headline(sheet: Sheet, title: str, lines: Sequence[str], edge: int) -> int:
    y, width = edge, sheet.image.width - 2 * edge
    for text, size, colour, bold, gap in [(title, 40, _INK, True, 14)] + [(line, 25, _SOFT, False, 9) for line in lines]:
        if not text:
            continue
        face = font(sheet.px(size), text, bold=bold)
        for part in _wrapped(text, face, width):
            sheet.pen.text((edge, y), part, fill=colour, font=face)
            y += sheet.px(size * 1.3)
        y += sheet.px(gap)
    return y + (sheet.px(8) if y > edge else 0)


def _wrapped(text: str, face: Font, width: int) -> list[str]:
    """Lines no longer than `width`: broken at blanks, in Chinese anywhere."""
    rows, row = [], ""
    for piece in _pieces(text):
        if row and face.getlength(row + piece.rstrip()) > width:
            rows.append(row.rstrip())
            row = ""
        row += piece
    return [*rows, row.rstrip()] if row else rows


def _pieces(text: str) -> list[str]:
    pieces, word = [], ""
    for letter in text:
        word += letter
        if letter == " " or ord(letter) > 0x2E80:
            pieces.append(word)
            word = ""
    return [*pieces, word] if word else pieces


def _foot(sheet: Sheet, notice: str, edge: int) -> int:
    face = font(sheet.px(20), notice)
    height = sheet.px(34)
    sheet.pen.text((edge, sheet.image.height - edge - sheet.px(22)), notice, fill=_SOFT, font=face)
    return height


def _paint(sheet: Sheet, layers: Sequence[MapLayer], frame: tuple[int, int, int, int]) -> Box | None:
    """Paint the layers into the frame; the world box it shows."""
    x0, y0, x1, y1 = frame
    size = (x1 - x0, y1 - y0)
    sources = [None if isinstance(layer.data, LatticeValues) else _source(layer) for layer in layers]
    bounds = []
    for layer, source in zip(layers, sources, strict=True):
        box = world_box(layer.data) if isinstance(layer.data, LatticeValues) else source.bounds if source else None
        if box is not None:
            bounds.append(box)
    if not bounds:
        return None
    box = _fit(bounds, size)
    ground = Image.new("RGBA", size, (*_GROUND, 255))
    for layer, source in zip(layers, sources, strict=True):
        style = scaled(layer.style, sheet.unit * _SHARP)
        if isinstance(layer.data, LatticeValues):
            ground.alpha_composite(_cells(layer.data, style, box, size))
        elif isinstance(source, FrameSource) and len(source.frame) <= _WHOLE:
            ground.alpha_composite(paint_shapes(source.drawn(box), style, box, size))
        elif source is not None:
            ground.alpha_composite(paint_source(source, box, size))
    sheet.image.paste(ground.convert("RGB"), (x0, y0))
    sheet.pen.rectangle((x0, y0, x1 - 1, y1 - 1), outline=_FRAME, width=sheet.px(1.5))
    return box


def _source(layer: MapLayer) -> Source:
    return opening.whole(layer) if opening.count(layer) <= _WHOLE else opening.stored(layer)


def _fit(bounds: Sequence[Box], size: tuple[int, int]) -> Box:
    low, high = np.min([b[:2] for b in bounds], axis=0), np.max([b[2:] for b in bounds], axis=0)
    middle, span = (low + high) / 2, np.maximum(high - low, 1e-8) * 1.06
    step = max(span[0] / size[0], span[1] / size[1])
    half = step * np.array(size) / 2
    return float(middle[0] - half[0]), float(middle[1] - half[1]), float(middle[0] + half[0]), float(middle[1] + half[1])


def _cells(cells: LatticeValues, style: Style, box: Box, size: tuple[int, int]) -> Image.Image:
    numbers = class_numbers(sample(cells, box, size), style)
    table = np.zeros((256, 4), dtype=np.uint8)
    for entry in range(255):
        table[entry] = (*rgb(style.colour_of(entry)), round(255 * style.opacity))
    return Image.fromarray(table[numbers], "RGBA")


def _legend(sheet: Sheet, layers: Sequence[MapLayer], frame: tuple[int, int, int, int]) -> None:
    rows: list[tuple[str, MapLayer, str | None, bool]] = []
    for layer in reversed(layers):
        entries = legend(layer.style, layer.title)
        if len(entries) == 1:
            rows.append((layer.title, layer, entries[0]["colour"], False))
            continue
        rows.append((layer.title, layer, None, True))
        rows += [(entry["label"], layer, entry["colour"], False) for entry in entries]
    if not rows:
        return
    row_px, pad, swatch = sheet.px(32), sheet.px(16), sheet.px(30)
    faces = [font(sheet.px(20), text, bold=head) for text, _, _, head in rows]
    width = max(face.getlength(text) for face, (text, *_) in zip(faces, rows, strict=True))
    panel = (width + swatch + sheet.px(12) + 2 * pad, len(rows) * row_px + 2 * pad)
    x1, y0 = frame[2] - sheet.px(16), frame[1] + sheet.px(16)
    x0 = x1 - panel[0]
    sheet.pen.rounded_rectangle((x0, y0, x1, y0 + panel[1]), radius=sheet.px(8), fill=_PAPER, outline=_FRAME)
    for at, (face, (text, layer, colour, _)) in enumerate(zip(faces, rows, strict=True)):
        y = y0 + pad + at * row_px
        if colour is not None:
            _swatch(sheet, layer, colour, (x0 + pad, y + sheet.px(5), x0 + pad + swatch, y + sheet.px(25)))
        left = x0 + pad + (swatch + sheet.px(12) if colour is not None else 0)
        sheet.pen.text((left, y + sheet.px(2)), text, fill=_INK if colour is None else _SOFT, font=face)


def _swatch(sheet: Sheet, layer: MapLayer, colour: str, place: tuple[float, float, float, float]) -> None:
    x0, y0, x1, y1 = place
    style, kind = layer.style, mark(layer)
    faded = tuple(round(255 + (part - 255) * style.opacity) for part in rgb(colour))
    if kind == "line":
        sheet.pen.line((x0, (y0 + y1) / 2, x1, (y0 + y1) / 2), fill=rgb(style.line), width=sheet.px(3))
    elif kind == "point":
        middle, radius = (x0 + x1) / 2, (y1 - y0) / 2 - 1
        sheet.pen.ellipse((middle - radius, y0 + 1, middle + radius, y1 - 1), fill=rgb(colour))
    else:
        sheet.pen.rectangle(place, fill=faded, outline=rgb(style.line) if style.width else None, width=sheet.px(1))


def _scale(sheet: Sheet, box: Box, frame: tuple[int, int, int, int]) -> None:
    latitude = lonlat(box[0], (box[1] + box[3]) / 2)[1]
    metres = (box[2] - box[0]) * _METRES_AROUND * math.cos(math.radians(latitude)) / (frame[2] - frame[0])
    wish = metres * sheet.px(220)
    power = 10 ** math.floor(math.log10(wish))
    length = max(step * power for step in (1, 2, 5) if step * power <= wish)
    text = f"{number(length / 1000)} km" if length >= 1000 else f"{number(length)} m"
    x0, y = frame[0] + sheet.px(20), frame[3] - sheet.px(22)
    x1, tick = x0 + length / metres, sheet.px(9)
    sheet.pen.line((x0, y - tick, x0, y, x1, y, x1, y - tick), fill=_SOFT, width=sheet.px(2.5))
    sheet.pen.text((x0 + sheet.px(8), y - sheet.px(28)), text, fill=_INK, font=font(sheet.px(19), text))
