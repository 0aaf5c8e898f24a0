"""Today's grids made to fit as a first plan: torn ones lose their smaller pieces, too many are dissolved, too few split."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import sparse

from gridgis.balance.kernels import best_cut
from gridgis.balance.problem import Problem
from gridgis.balance.trees import TRIES, Draft, grown
from gridgis.balance.units import Floats, Ints

_NOBODY: Final = -1


def from_today(problem: Problem, count: Ints, wish: Floats, state: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> Draft:
    """A plan with the given number of parts in each piece, as near to today's grids as simple means go.

    1. Of every grid, its largest connected piece (by units, then area) is a part.
    2. In each piece: the emptiest parts are dissolved while there are too many, the fullest are split while there are too few.
    3. Units in no part join a neighbour, the emptiest first.
    4. Where that cannot be, because of seeds, the plan is grown from nothing.

    >>> from gridgis import toy
    >>> from gridgis.balance import units_from
    >>> from gridgis.balance.problem import prepared
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> problem = prepared(units, units.load(), current={"G1": "a", "G2": "a", "G3": "b"})
    >>> wish = np.array([6.0, 6.0, 6.0, 1, 1, 1, 1, 1])
    >>> from_today(problem, np.array([2]), wish, np.array([1], np.uint64)).part.tolist()
    [0, 0, 1]
    """
    n = len(problem.units)
    if not (problem.now >= 0).any():
        return grown(problem, count, wish, state)
    part = _largest_pieces(problem)
    home = list(range(len(problem.labels)))
    for piece in range(problem.pieces):
        inside = problem.piece == piece
        _dissolve(problem, part, inside, int(count[piece]))
        if not (part[inside] >= 0).any():
            part[np.flatnonzero(inside)] = len(home)
            home.append(_NOBODY)
        _fill(problem, part, inside)
        while len(there := np.unique(part[inside])) < count[piece] or _crowded(problem, part, inside):
            if len(there) >= count[piece]:
                return grown(problem, count, wish, state)
            _split_fullest(problem, part, inside, len(home), wish, state)
            home.append(_NOBODY)
    if (part[problem.piece >= 0] < 0).any():
        return grown(problem, count, wish, state)
    used, numbered = np.unique(part[problem.piece >= 0], return_inverse=True)
    fresh = np.full(n, _NOBODY)
    fresh[problem.piece >= 0] = numbered
    return Draft(fresh, np.array(home, dtype=np.int64)[used])


def _largest_pieces(problem: Problem) -> Ints:
    """Today's grid of each unit in the largest connected piece of it, −1 elsewhere."""
    now, n = np.where(problem.piece >= 0, problem.now, _NOBODY), len(problem.units)
    tie = problem.usable & (now[problem.source] == now[problem.nbr]) & (now[problem.source] >= 0)
    graph = sparse.coo_array((np.ones(tie.sum()), (problem.source[tie], problem.nbr[tie])), shape=(n, n))
    piece = sparse.csgraph.connected_components(graph, directed=False)[1]
    units, area = np.bincount(piece), np.bincount(piece, problem.unit[:, 1])
    part = np.full(n, _NOBODY)
    for label in range(len(problem.labels)):
        mine = np.unique(piece[now == label])
        if len(mine):
            best = mine[np.lexsort((mine, -area[mine], -units[mine]))[0]]
            part[piece == best] = label
    return part


def _dissolve(problem: Problem, part: Ints, inside: np.ndarray[tuple[int], np.dtype[np.bool_]], most: int) -> None:
    there = np.unique(part[inside & (part >= 0)])
    loads = problem.loads(part, int(part.max()) + 1) if len(there) else np.zeros(0)
    for label in there[np.argsort(-loads[there], kind="stable")][most:]:
        part[part == label] = _NOBODY


def _fill(problem: Problem, part: Ints, inside: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    """Units in no part join the emptiest part next to them, until none is left (every piece has a part)."""
    loads = problem.loads(part, int(part.max()) + 1)
    while (inside & (part < 0)).any():
        edge = problem.usable & inside[problem.source] & (part[problem.source] < 0) & (part[problem.nbr] >= 0)
        entries = np.flatnonzero(edge)
        if len(entries) == 0:
            return
        at = entries[np.lexsort((entries, loads[part[problem.nbr[entries]]]))[0]]
        unit, chosen = problem.source[at], part[problem.nbr[at]]
        part[unit] = chosen
        loads[chosen] += problem.unit[unit, 0]


def _crowded(problem: Problem, part: Ints, inside: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bool:
    return bool((np.bincount(part[inside], problem.unit[inside, 3]) > 1).any())


def _split_fullest(
    problem: Problem,
    part: Ints,
    inside: np.ndarray[tuple[int], np.dtype[np.bool_]],
    number: int,
    wish: Floats,
    state: np.ndarray[tuple[int], np.dtype[np.uint64]],
) -> None:
    """Give the smaller side of the part with most seeds, then load, the next number; it has two units at least."""
    stats = problem.stats(np.where(inside, part, _NOBODY), int(part.max()) + 1)
    crowd = np.maximum(stats[:, 3] - 1, 0)
    order = np.lexsort((-stats[:, 0], -crowd))
    fullest = int(next(at for at in order if stats[at, 4] > 1))
    members = np.flatnonzero(part == fullest)
    where = np.full(len(part), _NOBODY)
    parts = max(2, int(stats[fullest, 3]))
    side, first, _ = best_cut(members, problem.ptr, problem.nbr, problem.usable, problem.unit, where, parts, wish, TRIES, state)
    part[members[side if first * 2 <= parts and side.sum() * 2 <= len(side) else ~side]] = number
