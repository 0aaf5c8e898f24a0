"""A raster to draw a landscape on: smooth noise, ways of least effort, balanced territories, and outlines without gaps.

Everything is deterministic: randomness comes in as an argument, sums run in a fixed order, coordinates are rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import dijkstra

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A corner may move this part of a cell: edges that do not meet are a whole cell apart, so below a half none can cross.
_REACH = 0.45
_ROUND = 2


@dataclass(frozen=True, slots=True)
class Canvas:
    """A raster of square cells; row 0 is the southernmost."""

    x0: float
    """Western edge, metres."""
    y0: float
    """Southern edge, metres."""
    cell_m: float
    """Side of a cell, metres."""
    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns

    def centres(self) -> tuple[Floats, Floats]:
        """Coordinates x and y of every cell's centre, both of the canvas's shape."""
        x = self.x0 + (np.arange(self.columns) + 0.5) * self.cell_m
        y = self.y0 + (np.arange(self.rows) + 0.5) * self.cell_m
        xs, ys = np.meshgrid(x, y)
        return xs, ys

    def cell_of(self, x: Floats, y: Floats) -> Ints:
        """Flat index of the cell each point lies in; points outside take the nearest cell."""
        column = np.clip((np.asarray(x) - self.x0) // self.cell_m, 0, self.columns - 1)
        row = np.clip((np.asarray(y) - self.y0) // self.cell_m, 0, self.rows - 1)
        return np.asarray(row * self.columns + column, dtype=np.int64)

    def point_of(self, cell: Ints) -> Floats:
        """Centre of each cell (flat index), shape (n, 2)."""
        row, column = np.divmod(np.asarray(cell), self.columns)
        return np.column_stack([self.x0 + (column + 0.5) * self.cell_m, self.y0 + (row + 0.5) * self.cell_m])


def noise(canvas: Canvas, rng: np.random.Generator, *, wavelength_m: float, octaves: int = 3) -> Floats:
    """Smooth noise, about −1 to 1, of the canvas's shape: random values on a lattice, each octave half as long and high."""
    total = np.zeros(canvas.shape)
    amplitude, scale = 1.0, 0.0
    for octave in range(octaves):
        step = wavelength_m / 2**octave / canvas.cell_m
        values = rng.random((int(canvas.rows / step) + 3, int(canvas.columns / step) + 3)) * 2 - 1
        row, y = _fade(np.arange(canvas.rows) / step)
        column, x = _fade(np.arange(canvas.columns) / step)
        south = values[np.ix_(row, column)] * (1 - x) + values[np.ix_(row, column + 1)] * x
        north = values[np.ix_(row + 1, column)] * (1 - x) + values[np.ix_(row + 1, column + 1)] * x
        total += amplitude * (south * (1 - y[:, None]) + north * y[:, None])
        scale += amplitude
        amplitude /= 2
    return total / scale


def _fade(position: Floats) -> tuple[Ints, Floats]:
    whole = np.floor(position)
    part = position - whole
    return whole.astype(np.int64), part * part * (3 - 2 * part)


def effort_graph(canvas: Canvas, effort: Floats, *, rooms: Ints | None = None) -> csr_matrix:
    """Who can step to whom (eight neighbours) and at what effort: metres times the mean effort of the two cells.

    With `rooms` (one number per cell) no step leads from one room into another.
    """
    index = np.arange(effort.size).reshape(canvas.shape)
    starts, ends, weights = [], [], []
    for (one, other), length in zip(_NEIGHBOURS, (1.0, 1.0, 2**0.5, 2**0.5), strict=True):
        a, b = index[one].ravel(), index[other].ravel()
        weight = (effort.ravel()[a] + effort.ravel()[b]) * (0.5 * length * canvas.cell_m)
        if rooms is not None:
            same = rooms.ravel()[a] == rooms.ravel()[b]
            a, b, weight = a[same], b[same], weight[same]
        starts += [a, b]
        ends += [b, a]
        weights += [weight, weight]
    pairs = (np.concatenate(starts), np.concatenate(ends))
    return coo_matrix((np.concatenate(weights), pairs), shape=(effort.size, effort.size)).tocsr()


_ALL, _LOW, _HIGH = slice(None), slice(None, -1), slice(1, None)
_NEIGHBOURS = (
    ((_ALL, _LOW), (_ALL, _HIGH)),
    ((_LOW, _ALL), (_HIGH, _ALL)),
    ((_LOW, _LOW), (_HIGH, _HIGH)),
    ((_LOW, _HIGH), (_HIGH, _LOW)),
)


def ways(graph: csr_matrix, sources: Ints, *, limit: float = np.inf) -> tuple[Floats, Ints]:
    """Least effort from the nearest source to every cell, and each cell's predecessor on that way (negative: none)."""
    effort, before, _ = dijkstra(graph, indices=sources, min_only=True, return_predecessors=True, limit=limit)
    return effort, before.astype(np.int64)


def trace(before: Ints, start: int, *, stop: Bools | None = None) -> Ints:
    """The cells of the way from `start` back to its source, or to the first cell of `stop`, both ends included."""
    cells = [start]
    while before[cells[-1]] >= 0 and not (stop is not None and len(cells) > 1 and stop[cells[-1]]):
        cells.append(int(before[cells[-1]]))
    return np.array(cells, dtype=np.int64)


def balance(
    efforts: Floats,
    targets: Floats,
    *,
    seeds: Ints | None = None,
    sizes: Floats | None = None,
    start: Floats | None = None,
    rounds: int = 60,
) -> tuple[Ints, Floats]:
    """Which of k seeds each cell belongs to, so that the territories have the target sizes, and the seeds' head starts.

    A cell goes to the seed of the least effort minus the seed's head start; head starts grow where a territory is too
    small; with `seeds`, never so far that one seed could take another's own place. Territories are connected, since a way
    of least effort never leaves its own. A NaN target's head start stays as it is.

    Parameters
    ----------
    efforts
        Least effort from each seed to each cell, shape (k, cells), metres.
    targets
        Size of each territory, shape (k,).
    seeds
        The seeds' cells, shape (k,); without them a territory may vanish.
    sizes
        What each cell adds to a size; one if not given.
    start
        Head starts to begin with, shape (k,); zero if not given.
    rounds
        How often to adjust.
    """
    free = np.isfinite(targets)
    begin = np.zeros(len(targets)) if start is None else start.copy()
    # only the few nearest seeds can win a cell
    rival = np.sort(np.argpartition(efforts, min(_RIVALS, len(efforts)) - 1, axis=0)[:_RIVALS], axis=0)
    effort = np.take_along_axis(efforts, rival, axis=0)
    label = _nearest(effort, rival, begin)
    best, best_begin, error, gain = label, begin, np.inf, 1.0
    side = np.sqrt(np.where(free, targets, 1.0))
    between = _LEAD * efforts[:, seeds] if seeds is not None else None
    for _ in range(rounds):
        size = np.bincount(label, weights=sizes, minlength=len(targets)).astype(float)
        miss = np.where(free, targets - size, 0.0)
        if (off := float(np.abs(miss).sum())) < error:
            best, best_begin, error = label, begin, off
        else:
            gain = max(gain * 0.9, 0.25)
        begin = begin + gain * _STRIDE_M * miss / (2 * side)
        if between is not None:
            begin = (begin[:, None] + between).min(axis=0)  # now no two differ by more than `between`
        label = _nearest(effort, rival, begin)
    return best, best_begin


def _nearest(effort: Floats, rival: Ints, begin: Floats) -> Ints:
    winner = np.argmin(effort - begin[rival], axis=0)
    return np.asarray(np.take_along_axis(rival, winner[None], axis=0)[0], dtype=np.int64)


# Metres of head start per missing cell and cell of the territory's half side: about what moves a border by one cell.
_STRIDE_M = 30.0
_LEAD = 0.5
_RIVALS = 5


def calm(label: Ints, *, cells: int = 5) -> Ints:
    """A labelled canvas without spikes: every cell takes the label most frequent around it; then as `connected`."""
    names = np.unique(label)
    votes = np.stack([ndimage.uniform_filter((label == name).astype(float), cells, mode="nearest") for name in names])
    # a running sum carries rounding errors, which must not decide between equal votes
    return connected(names[np.argmax(np.round(votes, 6), axis=0)])


def connected(label: Ints) -> Ints:
    """Every territory reduced to its largest connected part, the rest of it given to the nearest other territory."""
    names = np.unique(label)
    crumbs = np.zeros(label.shape, dtype=bool)
    for name in names:
        parts, count = ndimage.label(label == name)
        if count > 1:
            largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
            crumbs |= (parts > 0) & (parts != largest)
    nearest = ndimage.distance_transform_edt(crumbs, return_distances=False, return_indices=True)
    return np.asarray(label[tuple(nearest)], dtype=np.int64)


def outlines(canvas: Canvas, label: Ints, *, simplify_m: float) -> list[shapely.Polygon]:
    """The territories 0, 1, 2 … of a labelled canvas as polygons that share their borders exactly; negative is outside.

    Cell corners on a border are drawn towards their neighbours along it, at most 0.45 cells, which rounds off the steps
    and cannot make two borders cross; then the borders lose the vertices they do not need, together on both sides.
    """
    label = _without_pinches(np.where(label < 0, -1, label))
    start, end = _border_edges(label)
    corner, place = np.unique(np.concatenate([start, end]), return_inverse=True)
    a, b = place[: len(start)], place[len(start) :]
    row, column = np.divmod(corner, canvas.columns + 1)
    home = np.column_stack([column, row]).astype(float)
    spot = home.copy()
    degree = np.bincount(place, minlength=len(corner)).astype(float)
    for _ in range(6):
        pull = np.column_stack(
            [np.bincount(np.concatenate([a, b]), weights=np.concatenate([spot[b, k], spot[a, k]])) for k in (0, 1)]
        )
        spot = (spot + pull / degree[:, None]) / 2
        shift = spot - home
        far = np.sqrt((shift**2).sum(axis=1))
        spot = home + shift * np.minimum(1.0, _REACH / np.maximum(far, 1e-9))[:, None]
    spot = np.round(spot * canvas.cell_m + (canvas.x0, canvas.y0), _ROUND)
    edges = cast("Sequence[shapely.Geometry]", shapely.linestrings(np.stack([spot[a], spot[b]], axis=1)))
    faces = shapely.get_parts(shapely.polygonize(edges))
    return list(shapely.coverage_simplify(_by_label(canvas, label, faces), simplify_m))


def _border_edges(label: Ints) -> tuple[Ints, Ints]:
    padded = np.pad(label, 1, constant_values=-1)
    width = label.shape[1] + 1
    row, column = np.nonzero(padded[1:-1, :-1] != padded[1:-1, 1:])  # upright edges, west of `column`
    upright = row * width + column
    across_row, across_column = np.nonzero(padded[:-1, 1:-1] != padded[1:, 1:-1])
    across = across_row * width + across_column
    return np.concatenate([upright, across]), np.concatenate([upright + width, across + 1])


def _without_pinches(label: Ints) -> Ints:
    # two cells of one territory that touch only at a corner would make a ring touch itself
    label = label.copy()
    for _ in range(20):
        a, b, c, d = label[:-1, :-1], label[:-1, 1:], label[1:, :-1], label[1:, 1:]
        crossing = np.argwhere(((a == d) & (a != b) & (a != c)) | ((b == c) & (b != a) & (b != d)))
        if len(crossing) == 0:
            break
        for row, column in crossing:
            block = label[row : row + 2, column : column + 2]
            if block[0, 0] == block[1, 1] and block[0, 0] != block[0, 1]:
                block[0, 1] = block[0, 0]
            elif block[0, 1] == block[1, 0] and block[0, 0] != block[0, 1]:
                block[0, 0] = block[0, 1]
    return label


def _by_label(canvas: Canvas, label: Ints, faces: NDArray[np.object_]) -> NDArray[np.object_]:
    # a cell whose neighbours are all of its territory lies in that territory's face, wherever the corners went
    inner = np.zeros(label.shape, dtype=bool)
    inner[1:-1, 1:-1] = True
    for one, other in _NEIGHBOURS:
        same = label[one] == label[other]
        inner[one] &= same
        inner[other] &= same
    cells = np.flatnonzero(inner.ravel() & (label.ravel() >= 0))
    _, first = np.unique(label.ravel()[cells], return_index=True)
    points = shapely.points(canvas.point_of(cells[first]))
    _, face = shapely.STRtree(faces).query(points, predicate="within")
    ordered: NDArray[np.object_] = faces[face]
    return ordered
