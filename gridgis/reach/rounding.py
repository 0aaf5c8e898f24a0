"""From fractions to a round: ways near a solution of the programme that join all pieces and leave no odd node."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from gridgis.reach.network import Floats, Ints
from gridgis.reach.surroundings import Surroundings, connected

# ways the programme walks are not quite free
_LEAST: Final = 1e-3


def is_round(around: Surroundings, times: Ints) -> bool:
    """Whether the streets with ways walked so often (shape (m,)) are one closed round: connected, an even number at each node.

    >>> pair = np.array([[0, 1]])
    >>> street = Surroundings(np.arange(2), pair, pair, np.zeros(1, int), np.ones(1), np.full(2, True), np.zeros(2, int))
    >>> is_round(street, np.array([1])), is_round(street, np.array([0]))
    (True, False)
    """
    ends = np.bincount(around.ways.ravel(), weights=np.repeat(times, 2), minlength=len(around.nodes))
    return bool(((ends + around.odd) % 2 == 0).all()) and whole(around, times)


def whole(around: Surroundings, times: Ints) -> bool:
    """Whether the streets and the ways walked (times above 0, shape (m,)) hang together.

    >>> pair = np.array([[0, 1]])
    >>> street = Surroundings(np.arange(2), pair, pair, np.zeros(1, int), np.ones(1), np.full(2, True), np.zeros(2, int))
    >>> whole(street, np.array([0]))
    True
    """
    walked = around.ways[times > 0]
    part = connected(len(around.nodes), around.required, walked)
    return len(np.unique(part[np.r_[around.required.ravel(), walked.ravel()]])) == 1


def lightened(around: Surroundings, times: Ints) -> Ints:
    """A round without the pairs of one way that it can do without, longest first.

    >>> pair = np.array([[0, 1]])
    >>> street = Surroundings(np.arange(2), pair, pair, np.zeros(1, int), np.ones(1), np.full(2, True), np.zeros(2, int))
    >>> lightened(street, np.array([3])).tolist()
    [1]
    """
    times = times.copy()
    for way in sorted(np.flatnonzero(times > 1).tolist(), key=lambda way: -around.length_m[way]):
        times[way] -= 2
        if not whole(around, times):
            times[way] += 2
    return times


def rounded(around: Surroundings, x: Floats) -> Ints:
    """How often each way is walked in a round near `x` (shape (m,), may be fractions or too little).

    1. Ways cost their length, less as far as `x` walks them.
    2. The cheapest ways that join all pieces as a tree, without dead ends.
    3. On the cheapest tree through all nodes, the ways that give every node an even number.
    4. Pairs of one way that the round can do without are left out (`lightened`).
    5. The same with lengths alone; the shorter round is taken.

    >>> pair = np.array([[0, 1]])
    >>> street = Surroundings(np.arange(2), pair, pair, np.zeros(1, int), np.ones(1), np.full(2, True), np.zeros(2, int))
    >>> rounded(street, np.array([0.5])).tolist()
    [1]
    """
    guided = around.length_m * (1 - np.clip(x, 0, 1 - _LEAST))  # rule 1
    return min((_at_cost(around, guided), _at_cost(around, around.length_m)), key=lambda times: float(around.length_m @ times))


def _at_cost(around: Surroundings, cost: Floats) -> Ints:
    links = _links(around, cost)
    times = np.bincount(links, minlength=len(around.ways)).astype(np.intp)
    ends = np.bincount(around.ways[links].ravel(), minlength=len(around.nodes))
    times[_evened(around, cost, (ends + around.odd) % 2)] += 1
    return lightened(around, times)


def _links(around: Surroundings, cost: Floats) -> Ints:
    """Rule 2."""
    free = np.flatnonzero(around.piece < 0)
    node = around.piece.copy()
    node[free] = around.pieces + np.arange(len(free))
    ends = node[around.ways]
    links = _tree(around.pieces + len(free), ends, cost)
    while True:
        degree = np.bincount(ends[links].ravel(), minlength=around.pieces + len(free))
        dead = (degree == 1) & (np.arange(len(degree)) >= around.pieces)
        kept = ~dead[ends[links]].any(axis=1)
        if kept.all():
            return links
        links = links[kept]


def _evened(around: Surroundings, cost: Floats, odd: Ints) -> Ints:
    """Rule 3: from the leaves of a tree towards its root, the way up is walked where the number so far is odd."""
    n = len(around.nodes)
    tree = _tree(n, around.ways, cost)
    a, b = around.ways[tree].T
    graph = sparse.csr_array((np.ones(len(tree)), (a, b)), shape=(n, n))
    order, before = csgraph.breadth_first_order(graph, 0, directed=False)
    way = {(int(low), int(high)): int(k) for low, high, k in zip(np.minimum(a, b), np.maximum(a, b), tree, strict=True)}
    odd = odd.astype(np.intp)
    walked = []
    for node in order[:0:-1].tolist():
        if odd[node] % 2:
            above = int(before[node])
            odd[above] += 1
            walked.append(way[min(node, above), max(node, above)])
    return np.array(walked, dtype=np.intp)


def _tree(n: int, pairs: Ints, cost: Floats) -> Ints:
    """Positions of the pairs of a cheapest spanning tree (forest) of n nodes."""
    order = np.lexsort((np.arange(len(cost)), cost))
    order = order[pairs[order, 0] != pairs[order, 1]]
    low, high = pairs[order].min(axis=1), pairs[order].max(axis=1)
    first = np.sort(np.unique(low * n + high, return_index=True)[1])
    # ranks instead of costs: none is zero, and they lead back to the pairs
    graph = sparse.csr_array((first + 1.0, (low[first], high[first])), shape=(n, n))
    ranks = csgraph.minimum_spanning_tree(graph).data.astype(np.intp) - 1
    found: Ints = np.sort(order[ranks])
    return found
