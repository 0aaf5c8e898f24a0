"""What a round that is not yet one breaks: sets of nodes that too little walking leads out of, found by parts and least cuts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from gridgis.reach.network import Floats, Ints
from gridgis.reach.surroundings import Bools, Surroundings, connected

_LEVELS: Final = (1e-6, 0.3, 0.5, 0.7)
_SLACK: Final = 1e-5
# flows are whole numbers
_UNIT: Final = 1_000_000


def broken_cuts(around: Surroundings, x: Floats) -> list[tuple[Bools, int]]:
    """Sets of nodes that are left too seldom, and how often they must be, where ways are walked `x` times (or fractions of it).

    1. A set with an odd number of odd nodes is left at least once.
    2. A set that holds some pieces of the streets whole, and not all, is left at least twice.

    First the parts that hang together by ways walked more than some level are looked at; only when none of them is broken the
    least cuts are computed, which miss none. Without any, `x` meets every rule of both kinds.

    Parameters
    ----------
    around
        The graph.
    x
        Shape (m,).

    Returns
    -------
    list
        Of masks of nodes, shape (n,), with 1 or 2.

    Examples
    --------
    >>> from gridgis.reach.surroundings import Surroundings
    >>> pair = np.array([[0, 1]])
    >>> street = Surroundings(np.arange(2), pair, pair, np.zeros(1, int), np.ones(1), np.full(2, True), np.zeros(2, int))
    >>> [(nodes.tolist(), least) for nodes, least in broken_cuts(street, np.array([0.4]))][:1]
    [([True, False], 1)]
    """
    found = list(_parts(around, x))
    if not found and around.pieces > 1:
        found = list(_between_pieces(around, x))
    if not found and np.abs(x - np.round(x)).max(initial=0.0) > _SLACK:
        found = list(_between_odd(around, x))
    return found


def crossing(around: Surroundings, nodes: Bools) -> Ints:
    """Positions of the ways that lead out of a set of nodes.

    >>> from gridgis.reach.surroundings import Surroundings
    >>> pair = np.array([[0, 1]])
    >>> street = Surroundings(np.arange(2), pair, pair, np.zeros(1, int), np.ones(1), np.full(2, True), np.zeros(2, int))
    >>> crossing(street, np.array([True, False])).tolist()
    [0]
    """
    return np.flatnonzero(nodes[around.ways[:, 0]] != nodes[around.ways[:, 1]]).astype(np.intp)


def _parts(around: Surroundings, x: Floats) -> Iterator[tuple[Bools, int]]:
    own = around.piece >= 0
    for level in _LEVELS:
        walked = around.ways[x > level]
        part = connected(len(around.nodes), walked)
        odd = np.bincount(part[around.odd], minlength=part.max() + 1) % 2 == 1
        leaving = _leaving(around, part, x)
        for k in np.flatnonzero(odd & (leaving < 1 - _SLACK)):
            yield part == k, 1
        part = connected(len(around.nodes), walked, around.required)
        whole = np.unique(part[own])
        if len(whole) > 1:
            leaving = _leaving(around, part, x)
            for k in whole[leaving[whole] < 2 - _SLACK]:
                yield part == k, 2


def _leaving(around: Surroundings, part: Ints, x: Floats) -> Floats:
    """How often each part is left."""
    ends = part[around.ways]
    out = ends[:, 0] != ends[:, 1]
    return np.bincount(ends[out].ravel(), weights=np.repeat(x[out], 2), minlength=part.max() + 1).astype(np.float64)


def _between_pieces(around: Surroundings, x: Floats) -> Iterator[tuple[Bools, int]]:
    """Rule 2 by least cuts between pieces, each drawn together to one node."""
    free = np.flatnonzero(around.piece < 0)
    node = around.piece.copy()
    node[free] = around.pieces + np.arange(len(free))
    for side in _sides(node[around.ways], x, around.pieces + len(free), np.arange(around.pieces)):
        nodes = side[node]
        if x[crossing(around, nodes)].sum() < 2 - _SLACK:
            yield nodes, 2


def _between_odd(around: Surroundings, x: Floats) -> Iterator[tuple[Bools, int]]:
    """Rule 1 by the cut tree of the odd nodes: the least cut with an odd number of them is one of its edges (Padberg and Rao)."""
    terminals = np.flatnonzero(around.odd)
    if len(terminals) > 1:
        for nodes in _sides(around.ways, x, len(around.nodes), terminals):
            if np.count_nonzero(nodes & around.odd) % 2 == 1 and x[crossing(around, nodes)].sum() < 1 - _SLACK:
                yield nodes, 1


def _sides(pairs: Ints, x: Floats, n: int, terminals: Ints) -> Iterator[Bools]:
    """One side of each edge of a cut tree of the terminals, by Gusfield's method; shape (n,)."""
    capacity = np.round(x * _UNIT).astype(np.int32)
    some = (capacity > 0) & (pairs[:, 0] != pairs[:, 1])
    a, b, c = pairs[some, 0], pairs[some, 1], capacity[some]
    graph = sparse.csr_array((np.r_[c, c], (np.r_[a, b], np.r_[b, a])), shape=(n, n))
    root = int(terminals[0])
    parent = np.full(n, root)
    for node in terminals[1:].tolist():
        other = int(parent[node])
        side = _source_side(graph, node, other)
        side[node] = False
        parent[side & (parent == other)] = node
        if other != root and side[parent[other]]:
            parent[node], parent[other] = parent[other], node
    # what hangs below a terminal: follow the parents of every node up to the root
    below = {node: np.zeros(n, dtype=bool) for node in terminals[1:].tolist()}
    for node in range(n):
        at = node
        while at != root:
            if at in below:
                below[at][node] = True
            at = int(parent[at])
    yield from below.values()


def _source_side(graph: sparse.csr_array, source: int, sink: int) -> Bools:
    flow = csgraph.maximum_flow(graph, source, sink)
    rest = graph - flow.flow
    rest.data[rest.data < 0] = 0
    rest.eliminate_zeros()
    side = np.zeros(graph.shape[0], dtype=bool)
    side[csgraph.breadth_first_order(rest, source, return_predecessors=False)] = True
    return side
