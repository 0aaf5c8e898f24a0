"""Sums of quartic kernels that are wide against the cells: points by blocks, a polynomial for each block wholly within reach.

(h² − (X − ξ)² − (Y − η)²)² is a polynomial in the cell's place X, Y and the point's place ξ, η in its block. Summed over a
block's points it needs only ten sums of products of ξ and η, and is exact: nothing is left out. Only along the kernel's rim,
where a point may be out of reach, points are taken one by one.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from gridgis.compiling import compiled
from gridgis.hotspots.kernels_density import Floats, Ints, sort_into_bins
from gridgis.hotspots.stripes import centres, in_stripes
from gridgis.lattice import Lattice
from gridgis.progress import Progress, silent

# Sides of a block tried, in cells.
_SIDES: Final = (2, 4, 8, 16, 32)
# A block's polynomial is used where h² − r² is more than this part of h² for all of it: its rounding errors stay below 1e-11.
_DEEP: Final = 0.01
_STAGE: Final = "density.stage_sum"


def block_side(points: int, lattice: Lattice, bandwidth_m: float) -> int:
    """The side of a block, in cells, that makes the sum cheapest; 0: point by point is cheaper.

    >>> lattice = Lattice.covering((0, 0, 100_000, 100_000), 100, "EPSG:4547")
    >>> block_side(1_000_000, lattice, 1000.0), block_side(1_000_000, lattice, 10_000.0) > 1
    (0, True)
    """
    reach = bandwidth_m / lattice.cell_m
    wide, high = min(2 * reach, lattice.columns), min(2 * reach, lattice.rows)
    best, least = 0, 0.5 * points * wide * high
    for side in _SIDES:
        blocks = min((lattice.rows + 2 * reach) * (lattice.columns + 2 * reach) / side**2, points)
        steps = points * high * (4 * side + 8) + blocks * high * (0.8 * wide + 40)
        if steps < least:
            best, least = side, steps
    return best


def quartic_by_blocks(
    x: Floats, y: Floats, scale: Floats, *, lattice: Lattice, bandwidth_m: float, side: int, progress: Progress = silent
) -> Floats:
    """Σ scale · (h² − r²)² over points nearer than h, at each cell's centre, shape (rows, columns).

    All points are nearer than h to the lattice's box; `side` is a block's, in cells.

    >>> lattice = Lattice.covering((0, 0, 300, 100), 100, "EPSG:4547")
    >>> at, scale = np.array([50.0]), np.array([1e-6])
    >>> quartic_by_blocks(at, at, scale, lattice=lattice, bandwidth_m=200.0, side=2).round(3).tolist()
    [[1600.0, 900.0, 0.0]]
    """
    size = float(side * lattice.cell_m)
    west, north = float(lattice.x0), float(lattice.total_bounds[3])
    across = np.floor((x - west) / size).astype(np.int64)
    down = np.floor((north - y) / size).astype(np.int64)
    first_across, first_down = int(across.min()), int(down.min())
    wide, high = int(across.max()) - first_across + 1, int(down.max()) - first_down + 1
    by_column, _ = sort_into_bins(across - first_across, wide)
    order, rows = sort_into_bins((down - first_down)[by_column], high)
    order = by_column[order]
    number = (down[order] - first_down) * wide + across[order] - first_across
    starts = np.flatnonzero(np.diff(number, prepend=-1))  # of each block that has points
    lines = np.searchsorted(starts, rows)  # first block of each row of blocks
    ends = np.append(starts, len(order))
    column = across[order][starts]
    middle_x = np.asarray(west + (column + 0.5) * size)
    middle_y = np.asarray(north - (down[order][starts] + 0.5) * size)
    xs, ys, ws = x[order], y[order], scale[order]
    sums = _moments(xs, ys, ws, ends, middle_x, middle_y)
    cx, cy = centres(lattice)
    out = np.zeros(lattice.shape)

    def work(first: int, end: int) -> None:
        _rows(xs, ys, ws, ends, lines, first_down, middle_x, middle_y, sums, 0.5 * size, bandwidth_m, cx, cy, out, first, end)

    in_stripes(work, lattice.rows, stage=_STAGE, progress=progress)
    return out


@compiled
def _moments(x: Floats, y: Floats, weight: Floats, ends: Ints, middle_x: Floats, middle_y: Floats) -> Floats:
    """Sums over each block of 1, ξ, η, q = ξ² + η², ξ², ξη, η², ξq, ηq, q²; shape (blocks, 10)."""
    sums = np.zeros((len(middle_x), 10))
    for b in range(len(middle_x)):
        for i in range(ends[b], ends[b + 1]):
            s, t, w = x[i] - middle_x[b], y[i] - middle_y[b], weight[i]
            q = s * s + t * t
            sums[b, 0] += w
            sums[b, 1] += w * s
            sums[b, 2] += w * t
            sums[b, 3] += w * q
            sums[b, 4] += w * s * s
            sums[b, 5] += w * s * t
            sums[b, 6] += w * t * t
            sums[b, 7] += w * s * q
            sums[b, 8] += w * t * q
            sums[b, 9] += w * q * q
    return sums


@compiled
def _polynomial(m: Floats, a: float, y: float) -> tuple[float, float, float, float, float]:
    """Coefficients of 1, X, …, X⁴ for a row at Y from the block's middle, a = h² − Y²."""
    total = a * m[0] + 2.0 * y * m[2] - m[3]
    with_x = a * m[1] + 2.0 * y * m[5] - m[7]
    square = a * a * m[0] + 4.0 * y * y * m[6] + m[9] + 4.0 * a * y * m[2] - 2.0 * a * m[3] - 4.0 * y * m[8]
    return square, 4.0 * with_x, 4.0 * m[4] - 2.0 * total, -4.0 * m[1], m[0]


@compiled
def _rows(
    x: Floats, y: Floats, weight: Floats, ends: Ints, lines: Ints, first_line: int, middle_x: Floats, middle_y: Floats,
    sums: Floats, half: float, h: float, cx: Floats, cy: Floats, out: Floats, first: int, end: int,
) -> None:  # fmt: skip
    columns = len(cx)
    step = cx[1] - cx[0] if columns > 1 else 1.0
    h2, deep2 = h * h, (1.0 - _DEEP) * h * h
    for row in range(first, end):
        line = out[row]
        north = cy[0] + 0.5 * step - cy[row]
        top = max(math.floor((north - h) / (2.0 * half)) - 1 - first_line, 0)
        bottom = min(math.floor((north + h) / (2.0 * half)) + 1 - first_line, len(lines) - 2)
        for b in range(lines[min(top, len(lines) - 1)], lines[max(bottom + 1, 0)]):
            dy = cy[row] - middle_y[b]
            nearest = max(abs(dy) - half, 0.0)
            if nearest >= h:
                continue
            reach = math.sqrt(h2 - nearest * nearest) + half
            at = middle_x[b] - cx[0]
            low = int(max(math.floor((at - reach) / step), 0.0))
            high = int(min(math.ceil((at + reach) / step), columns - 1.0))
            farthest = abs(dy) + half
            inner = math.sqrt(deep2 - farthest * farthest) - half if farthest * farthest < deep2 else -1.0
            left, right = high + 1, high
            if inner > 0.0:
                left = int(min(max(math.ceil((at - inner) / step), low + 0.0), high + 1.0))
                right = int(max(min(math.floor((at + inner) / step), high + 0.0), left - 1.0))
            if right >= left:
                c0, c1, c2, c3, c4 = _polynomial(sums[b], h2 - dy * dy, dy)
                there, into = cx[left : right + 1], line[left : right + 1]
                middle = middle_x[b]
                for c in range(len(into)):
                    dx = there[c] - middle
                    into[c] += c0 + dx * (c1 + dx * (c2 + dx * (c3 + dx * c4)))
            for part in range(2):
                start, stop = (low, left) if part == 0 else (right + 1, high + 1)
                if start >= stop:
                    continue
                there, into = cx[start:stop], line[start:stop]
                for i in range(ends[b], ends[b + 1]):
                    up = cy[row] - y[i]
                    a, xi, wi = h2 - up * up, x[i], weight[i]
                    for c in range(len(into)):
                        dx = there[c] - xi
                        u = a - dx * dx
                        u = u if u > 0.0 else 0.0
                        into[c] += wi * (u * u)
