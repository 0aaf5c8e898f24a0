"""Compiled loops of kernel density: sums over points by lattice rows, each row the work of one thread.

All loops release the interpreter's lock, so that plain threads run them side by side; a row's sum runs over its points in
one fixed order, so that the number of threads changes no bit of it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridgis.hotspots.kernels import compiled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Beyond this many bandwidths exp(-r²/2h²) is no double any more.
FARTHEST: Final = 38.7


@compiled
def _bin_starts(bins: Ints, count: int) -> Ints:
    starts = np.zeros(count + 1, dtype=np.int64)
    for i in range(len(bins)):
        starts[bins[i] + 1] += 1
    for b in range(count):
        starts[b + 1] += starts[b]
    return starts


@compiled
def _bin_order(bins: Ints, starts: Ints) -> Ints:
    at = starts.copy()
    order = np.empty(len(bins), dtype=np.int64)
    for i in range(len(bins)):
        order[at[bins[i]]] = i
        at[bins[i]] += 1
    return order


def sort_into_bins(bins: Ints, count: int) -> tuple[Ints, Ints]:
    """The order that brings points bin by bin, each bin in the order given, and where each bin starts; linear.

    >>> order, starts = sort_into_bins(np.array([1, 0, 1]), 2)
    >>> order.tolist(), starts.tolist()
    ([1, 0, 2], [0, 1, 3])
    """
    starts = _bin_starts(bins, count)
    return _bin_order(bins, starts), starts


@compiled
def quartic_rows(
    x: Floats,
    y: Floats,
    h2: Floats,
    scale: Floats,
    starts: Ints,
    reach: int,
    cx: Floats,
    cy: Floats,
    out: Floats,
    first: int,
    end: int,
) -> None:
    """Add scale · (h² − r²)² of every point to the cells of rows first … end − 1 nearer than h.

    Points are sorted by row, bin 0 above the lattice, bin row + 1 in it, the last below; `reach` rows hold the widest kernel.

    >>> out = np.zeros((1, 3))
    >>> one = np.array([1.0])
    >>> quartic_rows(one, one, 4 * one, one, np.array([0, 0, 1, 1]), 3, np.array([0.0, 1.0, 2.0]), one, out, 0, 1)
    >>> out.tolist()
    [[9.0, 16.0, 9.0]]
    """
    bins = len(starts) - 1
    columns = len(cx)
    step = cx[1] - cx[0] if columns > 1 else 1.0
    for row in range(first, end):
        line = out[row]
        for i in range(starts[max(row + 1 - reach, 0)], starts[min(row + 2 + reach, bins)]):
            dy = cy[row] - y[i]
            a = h2[i] - dy * dy
            if a > 0.0:
                half = math.sqrt(a)
                left = x[i] - cx[0]
                lowest = max(math.ceil((left - half) / step), 0.0)
                highest = min(math.floor((left + half) / step), columns - 1.0)
                xi = x[i]
                si = scale[i]
                for column in range(int(lowest), int(highest) + 1):
                    dx = cx[column] - xi
                    u = a - dx * dx
                    u = u if u > 0.0 else 0.0
                    line[column] += si * (u * u)


@compiled
def gaussian_rows(
    x: Floats,
    y: Floats,
    weight: Floats,
    h: float,
    starts: Ints,
    reach: int,
    cx: Floats,
    cy: Floats,
    out: Floats,
    first: int,
    end: int,
) -> None:
    """Add weight · exp(−r² / 2h²) of every point to the cells of rows first … end − 1; points sorted as for `quartic_rows`.

    >>> out = np.zeros((1, 1))
    >>> one = np.array([1.0])
    >>> gaussian_rows(one, one, one, 1.0, np.array([0, 0, 1, 1]), 3, 2 * one, one, out, 0, 1)
    >>> out.round(6).tolist()
    [[0.606531]]
    """
    bins = len(starts) - 1
    columns = len(cx)
    step = cx[1] - cx[0] if columns > 1 else 1.0
    far2 = (FARTHEST * h) ** 2
    for row in range(first, end):
        line = out[row]
        for i in range(starts[max(row + 1 - reach, 0)], starts[min(row + 2 + reach, bins)]):
            dy = cy[row] - y[i]
            a = far2 - dy * dy
            if a > 0.0:
                half = math.sqrt(a)
                left = x[i] - cx[0]
                lowest = max(math.ceil((left - half) / step), 0.0)
                highest = min(math.floor((left + half) / step), columns - 1.0)
                for column in range(int(lowest), int(highest) + 1):
                    dx = cx[column] - x[i]
                    line[column] += weight[i] * math.exp(-(dx * dx + dy * dy) / (2.0 * h * h))
