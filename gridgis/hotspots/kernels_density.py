"""Compiled loops of kernel density: sums over points by lattice rows, each row the work of one thread.

All loops release the interpreter's lock, so that plain threads run them side by side; a row's sum runs over its points in
one fixed order, so that the number of threads changes no bit of it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridgis.compiling import compiled

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
    x: Floats, y: Floats, h2: Floats, scale: Floats, low: Ints, fours: Ints, starts: Ints, reach: int,
    cx: Floats, cy: Floats, out: Floats, first: int, end: int,
) -> None:  # fmt: skip
    """Add scale · (h² − r²)² of every point to the cells of rows first … end − 1 nearer than h.

    Points are sorted by row, bin 0 above the lattice, bin row + 1 in it, the last below; `reach` rows hold the widest kernel.
    A point reaches from column `low` over four times `fours` columns, whatever the row: always as many steps of a vector,
    without a branch to guess, are faster than none too many.

    >>> out = np.zeros((1, 3))
    >>> one, low = np.array([1.0]), np.array([0])
    >>> quartic_rows(one, one, 4 * one, one, low, low + 1, np.array([0, 0, 1, 1]), 3, np.array([0.0, 1.0, 2.0]), one, out, 0, 1)
    >>> out.tolist()
    [[9.0, 16.0, 9.0]]
    """
    bins = len(starts) - 1
    columns = len(cx)
    step = cx[1] - cx[0] if columns > 1 else 1.0
    there = cx[0] + step * np.arange(columns + 4)
    line = np.empty(columns + 4)
    for row in range(first, end):
        line[:] = 0.0
        for i in range(starts[max(row + 1 - reach, 0)], starts[min(row + 2 + reach, bins)]):
            dy = cy[row] - y[i]
            a = h2[i] - dy * dy
            if a > 0.0:
                xi, si, column = x[i], scale[i], low[i]
                for _ in range(fours[i]):
                    at, sums = there[column : column + 4], line[column : column + 4]
                    for c in range(4):
                        dx = at[c] - xi
                        u = a - dx * dx
                        u = u if u > 0.0 else 0.0
                        sums[c] += si * (u * u)
                    column += 4
        out[row] += line[:columns]


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


@compiled
def gaussian_cells(x: Floats, y: Floats, weight: Floats, h: float, cx: Floats, cy: Floats) -> Floats:
    """Σ weight · exp(−r² / 2h²) over all points at some places, shape of `cx`.

    >>> one = np.array([1.0])
    >>> gaussian_cells(one, one, one, 1.0, 2 * one, one).round(6).tolist()
    [0.606531]
    """
    total = np.zeros(len(cx))
    for c in range(len(cx)):
        for i in range(len(x)):
            dx, dy = cx[c] - x[i], cy[c] - y[i]
            total[c] += weight[i] * math.exp(-(dx * dx + dy * dy) / (2.0 * h * h))
    return total


@compiled
def _node_weights(d: float, half: float, unit: Floats, factor: Floats, h: float, part: Floats) -> None:
    """Weights of a strip's nodes that stand for a point at d from its middle: Lagrange's, times exp((node² − d²) / 2h²)."""
    at = d / half
    product = math.exp(-d * d / (2.0 * h * h))
    for k in range(len(unit)):  # the differences before each node, then those behind it
        part[k] = product * factor[k]
        product *= at - unit[k]
    product = 1.0
    for k in range(len(unit) - 1, -1, -1):
        part[k] *= product
        product *= at - unit[k]


@compiled
def _node_factors(unit: Floats, half: float, h: float) -> Floats:
    factor = np.empty(len(unit))
    for k in range(len(unit)):
        factor[k] = math.exp((unit[k] * half) ** 2 / (2.0 * h * h))
        for j in range(len(unit)):
            if j != k:
                factor[k] /= unit[k] - unit[j]
    return factor


@compiled
def gaussian_nodes(
    x: Floats, y: Floats, weight: Floats, place: Ints, h: float, starts: Ints, strips: Ints, middles: Floats, half: float,
    unit: Floats, west: float, out: Floats,
) -> None:  # fmt: skip
    """Sum points into the nodes of strips of latitude and of longitude: shape of `out` (strips, nodes, all nodes east–west).

    Points are sorted by strip of latitude; `place` is the strip of longitude, counted from `west`.

    >>> one, zero = np.array([1.0]), np.array([0])
    >>> out = np.zeros((1, 1, 1))
    >>> at = 0 * one
    >>> gaussian_nodes(at, at, one, zero, 1.0, np.array([0, 1]), zero, at, 0.5, at, -0.5, out)
    >>> out.tolist()
    [[[1.0]]]
    """
    nodes = len(unit)
    factor = _node_factors(unit, half, h)
    up, along = np.empty(nodes), np.empty(nodes)
    for s in range(len(strips)):
        for i in range(starts[strips[s]], starts[strips[s] + 1]):
            _node_weights(y[i] - middles[s], half, unit, factor, h, up)
            _node_weights(x[i] - (west + (2.0 * place[i] + 1.0) * half), half, unit, factor, h, along)
            first = place[i] * nodes
            for k in range(nodes):
                p = up[k] * weight[i]
                for j in range(nodes):
                    out[s, k, first + j] += p * along[j]


@compiled
def gaussian_strips(
    x: Floats, y: Floats, weight: Floats, column: Ints, h: float, starts: Ints, strips: Ints, middles: Floats, half: float,
    unit: Floats, reach: float, cx: Floats, cell: float, out: Floats,
) -> None:  # fmt: skip
    """Sum points into their strips' nodes and all columns within reach: shape of `out` (strips, nodes, columns).

    Points are sorted by strip; `column` is the cell column each lies in, also outside the lattice; `unit` holds the Chebyshev
    nodes of [−1, 1].

    >>> one, zero = np.array([1.0]), np.array([0])
    >>> out = np.zeros((1, 1, 2))
    >>> at = 0 * one
    >>> gaussian_strips(at, at, one, zero, 1.0, np.array([0, 1]), zero, at, 0.5, at, 9.0, np.array([0.0, 1.0]), 1.0, out)
    >>> out.round(6).tolist()
    [[[1.0, 0.606531]]]
    """
    nodes, columns = len(unit), len(cx)
    widest = math.floor(reach * h / cell) + 2
    table = np.exp(-0.5 * (np.arange(-widest, widest + 1) * cell / h) ** 2) if cell <= h else np.zeros(0)
    line = np.empty(columns)
    part = np.empty(nodes)
    factor = _node_factors(unit, half, h)
    for s in range(len(strips)):
        for i in range(starts[strips[s]], starts[strips[s] + 1]):
            _node_weights(y[i] - middles[s], half, unit, factor, h, part)
            first, last = max(column[i] - widest + 1, 0), min(column[i] + widest - 1, columns - 1)
            if first > last:
                continue
            if cell <= h:
                away = x[i] - (cx[0] + column[i] * cell)
                ratio = math.exp(cell * away / (h * h))
                power = math.exp(-away * away / (2.0 * h * h)) * ratio ** (first - column[i])
                for c in range(first, last + 1):
                    line[c] = table[c - column[i] + widest] * power
                    power *= ratio
            else:
                for c in range(first, last + 1):
                    dx = (cx[c] - x[i]) / h
                    line[c] = math.exp(-0.5 * dx * dx)
            there = line[first : last + 1]
            for k in range(nodes):
                sums = out[s, k, first : last + 1]
                p = part[k] * weight[i]
                for c in range(len(sums)):
                    sums[c] += p * there[c]


@compiled
def add_product(a: Floats, first: int, b: Floats, out: Floats, left: int) -> None:
    """Add the matrix product of columns first … of `a` and `b` to columns left … of `out`.

    One thread's own work: a library's matrix product would share it out among threads of its own, which stand in each other's
    way where the machine has other work.

    >>> out = np.zeros((1, 3))
    >>> add_product(np.array([[0.0, 1.0, 2.0]]), 1, np.array([[1.0], [10.0]]), out, 2)
    >>> out.tolist()
    [[0.0, 0.0, 21.0]]
    """
    depth, wide = b.shape
    for start in range(0, wide, 512):
        end = min(start + 512, wide)
        for k in range(0, depth - 3, 4):
            b0, b1, b2, b3 = b[k, start:end], b[k + 1, start:end], b[k + 2, start:end], b[k + 3, start:end]
            for i in range(len(out)):
                p, q, r, s = a[i, first + k], a[i, first + k + 1], a[i, first + k + 2], a[i, first + k + 3]
                sums = out[i, left + start : left + end]
                for c in range(len(sums)):
                    sums[c] += (p * b0[c] + q * b1[c]) + (r * b2[c] + s * b3[c])
        for k in range(depth - depth % 4, depth):
            b0 = b[k, start:end]
            for i in range(len(out)):
                sums = out[i, left + start : left + end]
                p = a[i, first + k]
                for c in range(len(sums)):
                    sums[c] += p * b0[c]
