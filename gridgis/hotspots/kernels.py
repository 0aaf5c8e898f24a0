"""Loops over cells, compiled by numba when first called; they hold no lock, so that threads may share the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from gridgis.compiling import compiled

Array = np.ndarray[Any, Any]


@compiled
def count_points(x: Array, y: Array, weights: Array, x0: float, y0: float, cell: float, out: Array) -> None:
    """Add each point's weight (1 if there are no weights) to its half-open cell of `out`; points off the lattice add nothing.

    >>> out = np.zeros((1, 2))
    >>> count_points(np.array([0.0, 10.0, 20.0]), np.zeros(3), np.ones(0), 0.0, 0.0, 10.0, out)
    >>> out.tolist()
    [[1.0, 1.0]]
    """
    rows, columns = out.shape
    weighted = len(weights) > 0
    for i in range(len(x)):
        across, up = np.floor((x[i] - x0) / cell), np.floor((y[i] - y0) / cell)
        if not (-1 <= across <= columns and -1 <= up <= rows):  # also NaN
            continue
        column, line = int(across), int(up)
        # the difference and the division round; comparing with the exact lines does not
        if x[i] < x0 + column * cell:
            column -= 1
        elif x[i] >= x0 + (column + 1) * cell:
            column += 1
        if y[i] < y0 + line * cell:
            line -= 1
        elif y[i] >= y0 + (line + 1) * cell:
            line += 1
        if 0 <= column < columns and 0 <= line < rows:
            out[rows - 1 - line, column] += weights[i] if weighted else 1.0


@compiled
def moments_of_rows(values: Array, mask: Array, shift: float, power: int, out: Array, first: int, last: int) -> None:
    """Sum of (value − shift) to a power over the cells of each row; the caller adds the rows up.

    >>> out = np.zeros(1)
    >>> moments_of_rows(np.array([[1.0, 3.0]]), np.ones((1, 2), bool), 1.0, 2, out, 0, 1)
    >>> float(out[0])
    4.0
    """
    for row in range(first, last):
        total = 0.0
        for column in range(values.shape[1]):
            if mask[row, column]:
                deviation = values[row, column] - shift
                total += deviation if power == 1 else deviation * deviation if power == 2 else deviation**power
        out[row] = total


@compiled
def _running(values: Array, mask: Array, shift: float, row: int, reach: int, sums: Array, cells: Array) -> None:
    """Running sums of a row's values and cells, with `reach` places on either side so that no window meets an end."""
    total, number = 0.0, 0
    columns = values.shape[1]
    for place in range(reach + 1):
        sums[place], cells[place] = 0.0, 0
    for column in range(columns):
        if mask[row, column]:
            total += values[row, column] - shift
            number += 1
        sums[reach + 1 + column], cells[reach + 1 + column] = total, number
    for place in range(reach + 1 + columns, 2 * reach + 1 + columns):
        sums[place], cells[place] = total, number


@compiled
def _window_row(rows: int, row: int, halves: Array, ring: Array, ring_cells: Array, total: Array, number: Array) -> None:
    """Sum and number of cells in the band of every cell of a row, from the running sums of the rows around it."""
    reach = len(halves) // 2
    columns = len(total)
    total[:] = 0.0
    number[:] = 0
    for step in range(-reach, reach + 1):
        if 0 <= row + step < rows:
            half = halves[step + reach]
            place = (row + step) % len(halves)
            sums, cells = ring[place], ring_cells[place]
            upper, lower = sums[reach + half + 1 :], sums[reach - half :]
            upper_cells, lower_cells = cells[reach + half + 1 :], cells[reach - half :]
            for column in range(columns):
                total[column] += upper[column] - lower[column]
                number[column] += upper_cells[column] - lower_cells[column]


@compiled
def window_rows(
    values: Array, mask: Array, shift: float, halves: Array, sums: Array, cells: Array, first: int, last: int
) -> None:
    """Sum of (value − shift) and number of cells in the band of every cell, rows `first` to `last`; 0 outside the mask.

    >>> sums, cells = np.zeros((1, 3)), np.zeros((1, 3), np.int32)
    >>> window_rows(np.array([[1.0, 2.0, 4.0]]), np.ones((1, 3), bool), 0.0, np.array([0, 1, 0]), sums, cells, 0, 1)
    >>> sums.tolist(), cells.tolist()
    ([[3.0, 7.0, 6.0]], [[2, 3, 2]])
    """
    rows, columns = values.shape
    reach = len(halves) // 2
    ring = np.empty((2 * reach + 1, columns + 2 * reach + 1))
    ring_cells = np.empty((2 * reach + 1, columns + 2 * reach + 1), np.int32)
    total, number = np.empty(columns), np.empty(columns, np.int32)
    for row in range(max(first - reach, 0), min(first + reach, rows)):
        place = row % len(halves)
        _running(values, mask, shift, row, reach, ring[place], ring_cells[place])
    for row in range(first, last):
        if row + reach < rows:
            place = (row + reach) % len(halves)
            _running(values, mask, shift, row + reach, reach, ring[place], ring_cells[place])
        _window_row(rows, row, halves, ring, ring_cells, total, number)
        for column in range(columns):
            inside = mask[row, column]
            sums[row, column] = total[column] if inside else 0.0
            cells[row, column] = number[column] if inside else 0


@compiled
def gi_rows(
    values: Array, mask: Array, shift: float, halves: Array, moments: tuple[float, float, float], z: Array, first: int, last: int
) -> None:
    """Gi* of every cell, rows `first` to `last`; NaN outside the mask, 0 where nothing can differ.

    `moments`: number of cells, mean minus `shift`, standard deviation over the cells.

    >>> z = np.zeros((1, 3))
    >>> gi_rows(np.array([[1.0, 1.0, 4.0]]), np.ones((1, 3), bool), 0.0, np.array([0]), (3.0, 2.0, 2**0.5), z, 0, 1)
    >>> z.round(3).tolist()
    [[-0.707, -0.707, 1.414]]
    """
    n, mean, deviation = moments
    rows, columns = values.shape
    reach = len(halves) // 2
    ring = np.empty((2 * reach + 1, columns + 2 * reach + 1))
    ring_cells = np.empty((2 * reach + 1, columns + 2 * reach + 1), np.int32)
    total, number = np.empty(columns), np.empty(columns, np.int32)
    for row in range(max(first - reach, 0), min(first + reach, rows)):
        place = row % len(halves)
        _running(values, mask, shift, row, reach, ring[place], ring_cells[place])
    for row in range(first, last):
        if row + reach < rows:
            place = (row + reach) % len(halves)
            _running(values, mask, shift, row + reach, reach, ring[place], ring_cells[place])
        _window_row(rows, row, halves, ring, ring_cells, total, number)
        for column in range(columns):
            if not mask[row, column]:
                z[row, column] = np.nan
                continue
            size = float(number[column])
            spread = deviation * np.sqrt((n * size - size * size) / max(n - 1.0, 1.0))
            z[row, column] = (total[column] - mean * size) / spread if spread > 0.0 else 0.0


@compiled
def as_far_by_chance(
    values: Array, sizes: Array, middle: Array, far: Array, uniform: Array, hits: Array, first: int, last: int
) -> None:
    """Count permutations `first` to `last` that bring each unit's neighbours a sum at least `far` from `middle`.

    One draw serves every unit: an ordered sample of all units without replacement. A unit takes the first `sizes` of it,
    passing over itself; what is left of a random order when one element is struck out is a random order of the rest.

    >>> hits = np.zeros(2, np.int64)
    >>> draws = np.array([[0.0, 0.0], [0.9, 0.0]])
    >>> as_far_by_chance(np.array([1.0, 5.0]), np.array([1, 1]), np.zeros(2), np.array([5.0, 5.0]), draws, hits, 0, 2)
    >>> hits.tolist()
    [2, 0]
    """
    n, longest = len(values), uniform.shape[1]
    order, place = np.arange(n), np.full(n, n)
    swapped = np.empty(longest, np.int64)
    running = np.zeros(longest + 1)
    for draw in range(first, last):
        for step in range(longest):
            other = min(step + int(uniform[draw, step] * (n - step)), n - 1)
            swapped[step] = other
            order[step], order[other] = order[other], order[step]
            place[order[step]] = step
            running[step + 1] = running[step] + values[order[step]]
        for unit in range(n):
            size = sizes[unit]
            total = running[size] if place[unit] >= size else running[size + 1] - values[unit]
            hits[unit] += abs(total - middle[unit]) >= far[unit]
        for step in range(longest - 1, -1, -1):  # back to the first order: a draw does not depend on those before it
            place[order[step]] = n
            other = swapped[step]
            order[step], order[other] = order[other], order[step]


@compiled
def looked_up(p: Array, steps: Array, values: Array, starts: Array, out: Array, first: int, last: int) -> None:
    """The value that belongs to each p: `steps` ascending and holding every p, `starts` where each of equal parts of 0–1 begins.

    >>> out = np.zeros(3)
    >>> looked_up(np.array([0.5, np.nan, 0.1]), np.array([0.1, 0.5]), np.array([7.0, 8.0]), np.array([0, 1, 2]), out, 0, 3)
    >>> out.tolist()
    [8.0, nan, 7.0]
    """
    parts = len(starts) - 1
    for i in range(first, last):
        if np.isnan(p[i]):
            out[i] = np.nan
            continue
        part = min(int(p[i] * parts), parts - 1)
        low, high = starts[part], starts[part + 1] - 1
        while low < high:
            middle = (low + high) // 2
            if steps[middle] < p[i]:
                low = middle + 1
            else:
                high = middle
        out[i] = values[low]
