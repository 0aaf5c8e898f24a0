"""Values on a lattice as one picture: a pixel per cell, reprojected once, laid over the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from PIL import Image

from gridgis.maps.layer import LatticeValues
from gridgis.maps.paint import png
from gridgis.maps.source import Box
from gridgis.maps.style import Style, classify, rgb
from gridgis.maps.world import Floats, World, lonlat

_LONGEST_PX: Final = 2048
_NEAREST_PX: Final = 2  # a cell is at least so many pixels where the picture has room: its edges stay straight


@dataclass(frozen=True, slots=True)
class Overlay:
    """A picture and the place it is laid on."""

    png: bytes
    """PNG with transparency."""
    bounds: tuple[float, float, float, float]
    """West, south, east, north in degrees."""


def overlay(cells: LatticeValues, style: Style) -> Overlay:
    """A picture of the values in web-map projection, each pixel the cell its centre lies in.

    Parameters
    ----------
    cells
        Values, shape (rows, columns), row 0 in the north; NaN is transparent unless the style names it.
    style
        Classes of the values; the column's name does not matter.

    Returns
    -------
    Overlay
        At most 2,048 pixels wide or high; one transparent pixel if every value is missing.

    Examples
    --------
    >>> from gridgis.lattice import Lattice
    >>> from gridgis.maps.style import steps
    >>> lattice = Lattice.covering((500000, 3366000, 500200, 3366100), 100, "EPSG:4547")
    >>> picture = overlay(LatticeValues(lattice, np.array([[1.0, 9.0]])), steps("value", [5], ["low", "high"]))
    >>> [round(degree, 3) for degree in picture.bounds]
    [114.0, 30.414, 114.002, 30.415]
    """
    box = world_box(cells)
    rows, columns = cells.lattice.shape
    wide, high = box[2] - box[0], box[3] - box[1]
    factor = min(_NEAREST_PX, _LONGEST_PX / max(rows, columns))
    longest = max(2, round(max(rows, columns) * factor))
    width = longest if wide >= high else max(2, round(longest * wide / high))
    height = longest if high > wide else max(2, round(longest * high / wide))
    values = sample(cells, box, (width, height))
    numbers = class_numbers(values, style)
    table = np.zeros((256, 4), dtype=np.uint8)
    for number in range(256):
        table[number, :3] = rgb(style.colour_of(number))
        table[number, 3] = round(255 * style.opacity)
    if style.no_data is None:
        table[255, 3] = 0
    image = Image.fromarray(table[numbers], "RGBA")
    west, north = lonlat(box[0], box[1])
    east, south = lonlat(box[2], box[3])
    return Overlay(png(image), (west, south, east, north))


def sample(cells: LatticeValues, box: Box, size: tuple[int, int]) -> Floats:
    """The value under the centre of every pixel of a world box, shape (height, width); NaN outside the lattice."""
    width, height = size
    u = box[0] + (np.arange(width) + 0.5) / width * (box[2] - box[0])
    v = box[1] + (np.arange(height) + 0.5) / height * (box[3] - box[1])
    uu, vv = np.meshgrid(u, v)
    x, y = World.of(cells.lattice.crs).backward(uu.ravel(), vv.ravel())
    row, column = cells.lattice.cell_at(x, y)
    values = np.where(row >= 0, cells.numbers[row, column], np.nan)
    return np.asarray(values, dtype=np.float64).reshape(height, width)


def world_box(cells: LatticeValues) -> Box:
    """World box around a lattice, its edges followed."""
    west, south, east, north = map(float, cells.lattice.total_bounds)
    side = np.linspace(0, 1, 17)
    x = np.concatenate([west + side * (east - west)] * 2 + [np.full(17, west), np.full(17, east)])
    y = np.concatenate([np.full(17, south), np.full(17, north)] + [south + side * (north - south)] * 2)
    u, v = World.of(cells.lattice.crs).forward(x, y)
    return float(u.min()), float(v.min()), float(u.max()), float(v.max())


def class_numbers(values: Floats, style: Style) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Class number of every value, of the values' shape; 255 where there is none."""
    flat = values.ravel()
    if not style.classes or style.column is None:
        return np.where(np.isnan(flat), 255, 0).astype(np.uint8).reshape(values.shape)
    return classify(pd.DataFrame({style.column: flat}), style).reshape(values.shape)
