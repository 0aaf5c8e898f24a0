"""A round made shorter: odd nodes are paired anew, a few at a time, in the best of all pairings."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from gridgis.reach.network import Floats, Ints
from gridgis.reach.rounding import lightened, whole
from gridgis.reach.surroundings import Surroundings

# walks that are paired anew together
_TOGETHER: Final = 4
_SWEEPS: Final = 10
_LEAST_M: Final = 1e-6


def rematched(around: Surroundings, times: Ints, *, tick: Callable[[], None] = lambda: None) -> Ints:
    """A round (how often each way is walked, shape (m,)) no longer than the one given.

    1. What is walked is taken apart into walks between two odd nodes each, and what is left over.
    2. Each walk is taken with the three nearest ones; of the 105 ways to pair their eight ends by shortest ways the best is
       taken, if the round stays one and gets shorter. Again until nothing changes, ten times at most.

    >>> ways = np.array([[0, 1], [1, 2], [2, 3], [0, 3]])
    >>> length, odd = np.array([1.0, 5.0, 1.0, 5.0]), np.full(4, True)
    >>> required = np.array([[0, 2], [1, 3], [0, 2], [0, 1], [2, 3]])
    >>> square = Surroundings(np.arange(4), required, ways, np.arange(4), length, odd, np.zeros(4, int))
    >>> rematched(square, np.array([0, 1, 0, 1])).tolist()
    [1, 0, 1, 0]
    """
    odd = np.flatnonzero(around.odd).astype(np.intp)
    if len(odd) < 4:
        return lightened(around, times)
    metres, before = _shortest(around, odd)
    way = {pair: k for k, pair in enumerate(map(frozenset, around.ways.tolist()))}
    ends, walks = _walks(around, times, odd)
    total = times.copy()
    for _ in range(_SWEEPS):
        tick()
        start = _metres(around, total)
        for k in range(len(ends)):
            apart = metres[ends[k]][:, ends].min(axis=(0, 2))
            some = np.argsort(apart, kind="stable")[:_TOGETHER]
            eight = ends[some].ravel()
            choices = _pairings(len(eight))
            sums = metres[eight[choices[:, :, 0]], eight[choices[:, :, 1]]].sum(axis=1)
            pairs = eight[choices[int(np.argmin(sums))]]
            fresh = [_between(odd, before, way, a, b) for a, b in pairs.tolist()]
            trial = total.copy()
            np.subtract.at(trial, np.concatenate([walks[s] for s in some]), 1)
            np.add.at(trial, np.concatenate(fresh), 1)
            if _metres(around, trial) < _metres(around, total) - _LEAST_M and whole(around, trial):
                total, ends[some] = trial, pairs
                for s, one in zip(some.tolist(), fresh, strict=True):
                    walks[s] = one
        if _metres(around, total) > start - _LEAST_M:
            break
    return lightened(around, total - 2 * np.maximum((total - 1) // 2, 0))


def _metres(around: Surroundings, times: Ints) -> float:
    """Length walked when of three times one is enough, and of four two."""
    return float(around.length_m @ (times - 2 * np.maximum((times - 1) // 2, 0)))


def _shortest(around: Surroundings, odd: Ints) -> tuple[Floats, Ints]:
    """Metres between odd nodes (by their order), and the node before each node on the way from each of them."""
    a, b = around.ways.T
    n = len(around.nodes)
    graph = sparse.csr_array((np.r_[around.length_m, around.length_m], (np.r_[a, b], np.r_[b, a])), shape=(n, n))
    metres, before = csgraph.dijkstra(graph, indices=odd, return_predecessors=True)
    return metres[:, odd], before.astype(np.intp)


def _between(odd: Ints, before: Ints, way: dict[frozenset[int], int], start: int, end: int) -> Ints:
    """The ways from one odd node to another, given by their order."""
    found, at = [], int(odd[end])
    while at != odd[start]:
        previous = int(before[start, at])
        found.append(way[frozenset((previous, at))])
        at = previous
    return np.array(found, dtype=np.intp)


def _walks(around: Surroundings, times: Ints, odd: Ints) -> tuple[Ints, list[Ints]]:
    """Rule 1: from each odd node on along what is walked, until another one that no walk has come to yet."""
    left = times.tolist()
    at: dict[int, list[int]] = {}
    for k in np.flatnonzero(times).tolist():
        for node in around.ways[k].tolist():
            at.setdefault(node, []).append(k)
    row = {int(node): k for k, node in enumerate(odd)}
    free = set(row)
    ends, walks = [], []
    for start in odd.tolist():
        if start not in free:
            continue
        free.discard(start)
        here, walk = start, []
        while here not in free:
            k = next(k for k in at[here] if left[k])
            left[k] -= 1
            walk.append(k)
            a, b = around.ways[k].tolist()
            here = b if here == a else a
        free.discard(here)
        ends.append((row[start], row[here]))
        walks.append(np.array(walk, dtype=np.intp))
    return np.array(ends, dtype=np.intp), walks


@cache
def _pairings(count: int) -> Ints:
    """All ways to pair `count` things, shape (ways, count / 2, 2)."""

    def pair(things: tuple[int, ...]) -> list[list[tuple[int, int]]]:
        if not things:
            return [[]]
        first, rest = things[0], things[1:]
        return [[(first, other), *more] for k, other in enumerate(rest) for more in pair((*rest[:k], *rest[k + 1 :]))]

    return np.array(pair(tuple(range(count))), dtype=np.intp)
