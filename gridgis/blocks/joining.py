"""Joining faces to cells: what must not stay alone, then neighbours as long as sizes, streets and shapes gain by it."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridgis.blocks.classes import Sizes
from gridgis.blocks.faces import Borders
from gridgis.blocks.prices import size_price

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# what weighs how much when two cells may become one: a border along the firmest line, the loss of compactness, a neck
_HOLD: Final = 0.5
_SHAPE: Final = 0.8
_NECK: Final = 0.6
# a common border under this share of the lesser perimeter is a neck
_NECK_SHARE: Final = 0.12


@dataclass(frozen=True, slots=True)
class Patches:
    """Polygons as the joining sees them, all of shape (n,)."""

    area: Floats
    """m²."""
    perimeter: Floats
    """m."""
    built: Floats
    """Share of the land around that is under buildings."""
    wet: Floats
    """Share of the polygon that is water."""
    owner: Ints
    """Position of the community; only patches of one are joined."""


def absorb(patches: Patches, found: Borders, gone: Bools) -> Ints:
    """Give patches that must not stay to a neighbour: the smallest first, across the longest border that no street holds.

    Parameters
    ----------
    patches, found
        Polygons and their borders.
    gone
        Shape (n,): which must not stay. One without a neighbour of its owner stays all the same.

    Returns
    -------
    array
        Shape (n,): position of the patch each is now part of.

    Examples
    --------
    >>> ones = np.ones(3)
    >>> patches = Patches(ones, ones, ones, ones, np.zeros(3, dtype=np.int64))
    >>> found = Borders(np.array([0, 1]), np.array([1, 2]), np.array([5.0, 3.0]), np.array([5.0, 0.0]))
    >>> absorb(patches, found, np.array([False, True, False])).tolist()
    [0, 2, 2]
    """
    size, near = patches.area.copy(), _neighbours(patches, found)
    root = np.arange(len(size))
    queue = [(float(size[at]), int(at)) for at in np.flatnonzero(gone)]
    heapq.heapify(queue)
    waits = gone.copy()
    while queue:
        noted, at = heapq.heappop(queue)
        if root[at] != at or noted != size[at] or not near[at]:
            continue
        # what stays comes before what is itself to be given away; that one is still to be given away when it grows
        best = max(near[at], key=lambda other: (not waits[other], near[at][other][0] - 0.9 * near[at][other][1], -other))
        _unite(best, at, root, size, near)
        if waits[best]:
            heapq.heappush(queue, (float(size[best]), best))
    return _roots(root)


def settle(patches: Patches, found: Borders, table: Sizes, *, strict: bool = False) -> Ints:
    """Join neighbours of one owner while that brings cells nearer to their class's size at a fair price.

    Each pair of neighbours is weighed: how far both are from the size their class wishes for (`prices.size_price`) against
    what they would be as one, the hold of the lines between them, the loss of
    compactness, and a penalty for a neck. The pair that gains most is joined first, until none gains.

    Parameters
    ----------
    patches, found
        Polygons and their borders.
    table
        Sizes by class.
    strict
        Whether a pair that would be too large is never joined.

    Returns
    -------
    array
        Shape (n,): position of the patch each is now part of.

    Examples
    --------
    >>> from gridgis.blocks.classes import CLASSES, sizes
    >>> edges, wet, one = np.array([260.0, 300, 380]), np.zeros(3), np.zeros(3, dtype=np.int64)
    >>> patches = Patches(np.array([4e3, 5e3, 9e3]), edges, np.ones(3), wet, one)
    >>> found = Borders(np.array([0, 1]), np.array([1, 2]), np.array([60.0, 80.0]), np.array([0.0, 0.0]))
    >>> settle(patches, found, sizes(CLASSES, 10_000)).tolist()
    [0, 0, 2]
    """
    state = _State(patches, _neighbours(patches, found), table, strict=strict)
    queue: list[tuple[float, int, int, int, int]] = []
    for a, b in zip(found.left.tolist(), found.right.tolist(), strict=True):
        if b in state.near[a]:
            state.weigh(a, b, queue)
    heapq.heapify(queue)
    while queue:
        _, a, b, age_a, age_b = heapq.heappop(queue)
        if state.age[a] != age_a or state.age[b] != age_b:
            continue
        state.join(a, b)
        for other in sorted(state.near[a]):
            state.weigh(a, other, queue)
    return _roots(state.root)


class _State:
    """The cells while they are joined."""

    def __init__(self, patches: Patches, near: list[dict[int, tuple[float, float]]], table: Sizes, *, strict: bool) -> None:
        self.near, self.table, self.strict = near, table, strict
        self.size, self.edge = patches.area.copy(), patches.perimeter.copy()
        self.built, self.wet = patches.built * patches.area, patches.wet * patches.area
        self.root = np.arange(len(self.size))
        self.age = np.zeros(len(self.size), dtype=np.int64)

    def weigh(self, a: int, b: int, queue: list[tuple[float, int, int, int, int]]) -> None:
        """Put a pair on the queue if it would gain."""
        a, b = min(a, b), max(a, b)
        length, held = self.near[a][b]
        if length <= 0:
            return
        size, edge = self.size[a] + self.size[b], self.edge[a] + self.edge[b] - 2 * length
        round_a, round_b = _round(self.size[a], self.edge[a]), _round(self.size[b], self.edge[b])
        lost = (self.size[a] * round_a + self.size[b] * round_b) / size - _round(size, edge)
        cost = _HOLD * held / length + _SHAPE * lost
        if length < _NECK_SHARE * min(self.edge[a], self.edge[b]):
            cost += _NECK
        built, wet = self.built[[a, b]], self.wet[[a, b]]
        sizes = np.array([self.size[a], self.size[b], size])
        klass = self.table.of(np.append(built, built.sum()) / sizes, np.append(wet, wet.sum()) / sizes)
        if self.strict and size > self.table.high[klass[2]]:
            return
        price = size_price(sizes, klass, self.table)
        cost += float(price[2] - price[0] - price[1])
        if cost < 0:
            heapq.heappush(queue, (round(float(cost), 9), a, b, int(self.age[a]), int(self.age[b])))

    def join(self, a: int, b: int) -> None:
        """Make two cells one, named after the first."""
        self.edge[a] += self.edge[b] - 2 * self.near[a][b][0]
        self.built[a] += self.built[b]
        self.wet[a] += self.wet[b]
        _unite(a, b, self.root, self.size, self.near)
        self.age[a] += 1
        self.age[b] += 1


def _round(size: float, edge: float) -> float:
    """Compactness: 1 for a circle (Polsby and Popper)."""
    return 4 * np.pi * size / edge**2 if edge > 0 else 0.0


def _neighbours(patches: Patches, found: Borders) -> list[dict[int, tuple[float, float]]]:
    near: list[dict[int, tuple[float, float]]] = [{} for _ in patches.area]
    rows = zip(found.left.tolist(), found.right.tolist(), found.length.tolist(), found.held.tolist(), strict=True)
    for a, b, length, held in rows:
        if patches.owner[a] == patches.owner[b]:
            near[a][b] = near[b][a] = (length, held)
    return near


def _unite(a: int, b: int, root: Ints, size: Floats, near: list[dict[int, tuple[float, float]]]) -> None:
    root[b] = a
    size[a] += size[b]
    for other, (length, held) in near[b].items():
        del near[other][b]
        if other != a:
            more = near[a].get(other, (0.0, 0.0))
            near[a][other] = near[other][a] = (length + more[0], held + more[1])
    near[b] = {}


def _roots(root: Ints) -> Ints:
    while (root[root] != root).any():
        root = root[root]
    return root
