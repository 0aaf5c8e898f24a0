"""What cells cost: how far from the size wished for, how ragged, and the metres of their borders that follow nothing."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gridgis.blocks.classes import Sizes
from gridgis.blocks.faces import holds, meetings
from gridgis.blocks.network import Lines

Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# a cell of the first class is wished for within this share of its target …
TENTH: Final = 0.1
# … and is cut a little inside, as cells of the plane are not quite those of the ellipsoid
_INSIDE: Final = 0.005
# what a cell costs that is not, what one out of its range costs, one that is not compact (by 1 of compactness under the least),
# and a border that follows nothing and is as long as the side of a square cell. The last weighs streets against sizes: in central
# Helsinki 0.2, 0.35 and 0.8 give 66, 61 and 50 % of dense cells within the tenth and 66, 67 and 72 % of borders on lines
_OFF: Final = 0.22
_OUT: Final = 0.6
_RAGGED: Final = 1.2
_COMPACT: Final = 0.6
BORDER: Final = 0.35
# of a metre of border on a line: what it costs on the loosest, and what it gains on the firmest, so that streets are kept as
# borders; and what one on no line costs that runs close beside a street
_ON_LINE: Final = 0.35
_KEPT: Final = 0.7
_BESIDE: Final = 1.8
_BESIDE_M: Final = 12.0


def size_price(area: Any, at: Any, table: Sizes) -> Floats:
    """What the sizes of cells cost: squared logarithm of the ratio to the target, and more out of the tenth and out of range.

    Parameters
    ----------
    area
        m², any shape.
    at
        Position of the class, of a shape that goes with it.
    table
        Sizes by class.

    Examples
    --------
    >>> from gridgis.blocks.classes import CLASSES, sizes
    >>> size_price(np.array([9_500, 12_000, 20_000]), 0, sizes(CLASSES, 10_000)).round(2).tolist()
    [0.0, 0.25, 1.56]
    """
    area = np.maximum(np.asarray(area, dtype=float), 1.0)
    target, low, high = table.target[at], table.low[at], table.high[at]
    price = np.where(np.isfinite(high), np.log(area / target) ** 2, 0.0)
    price = price + _OFF * ((np.asarray(at) == 0) & (np.abs(area / target - 1) > TENTH - _INSIDE))
    price = price + _OUT * ((area < low) | (area > high))
    return np.asarray(price + _OUT * np.log(np.maximum(np.maximum(low / area, area / high), 1.0)), dtype=float)


def shape_price(shapes: Shapes) -> Floats:
    """What the shapes of polygons cost, shape (n,).

    >>> shape_price(np.array([shapely.box(0, 0, 1, 1), shapely.box(0, 0, 9, 1)])).round(2).tolist()
    [0.0, 0.38]
    """
    return ragged_price(shapely.area(shapes), shapely.length(shapes), parts=1)


def ragged_price(area: Any, perimeter: Any, *, parts: int) -> Floats:
    """What a shape costs: nothing where 4π · area / perimeter² is 0.6 or more, or as much as a row of so many squares has.

    >>> ragged_price(np.array([9.0]), np.array([20.0]), parts=1).round(2).tolist()
    [0.38]
    """
    compact = 4 * np.pi * np.asarray(area) / np.maximum(perimeter, 1e-9) ** 2
    return np.asarray(_RAGGED * np.maximum(0.0, _COMPACT * 4 * parts / (parts + 1) ** 2 - compact), dtype=float)


def dear_metres(shapes: Shapes, lines: Lines) -> tuple[Ints, Ints, Floats, Floats]:
    """The pieces of border polygons share: positions of both, metres, and metres weighed by how little they follow.

    A metre on no line counts 1, on a line less the firmer that holds, down to a gain, so that streets are kept as borders; and
    close beside a street more: the border belongs on it.

    >>> road = Lines(shapely.linestrings([[(0, 0), (0, 9)]]), np.array([0]))
    >>> [column.tolist() for column in dear_metres(shapely.box([-9, 0], [0, 0], [0, 9], [9, 9]), road)]
    [[0], [1], [9.0], [-6.3]]
    """
    left, right, ends = meetings(shapes)
    middle = (ends[:, :2] + ends[:, 2:]) / 2
    hold = holds(middle, lines)
    weight = np.where(hold > 0, _ON_LINE * (1 - hold) - _KEPT * hold, 1.0)
    free = np.flatnonzero(hold == 0)
    streets = lines.shapes[lines.outlining]
    if len(free) and len(streets):
        near = shapely.STRtree(streets).query(shapely.points(middle[free]), predicate="dwithin", distance=_BESIDE_M)[0]
        weight[free[np.unique(near)]] = _BESIDE
    metres = np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
    return left, right, metres, weight * metres


def border_price(metres: Any, target_m2: float) -> Any:
    """What borders cost, from their metres (`dear_metres`).

    >>> border_price(np.array([50.0, 100.0]), 10_000.0).tolist()
    [0.175, 0.35]
    """
    return BORDER * metres / np.sqrt(target_m2)
