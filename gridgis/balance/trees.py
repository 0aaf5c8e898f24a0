"""First plans: connected pieces cut into parts along random spanning trees, or today's grids made to fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize, sparse

from gridgis.balance.kernels import best_cut
from gridgis.balance.problem import Problem
from gridgis.balance.units import Floats, Ints

# random trees drawn for one cut until one can be cut well
TRIES: Final = 30


@dataclass(slots=True, eq=False)
class Draft:
    """A plan in the making."""

    part: Ints
    """Part of each unit, 0 …; −1: in a locked grid. Shape (n,)."""
    home: Ints
    """Today's grid each part stands for, −1: none. Shape (parts,)."""


def grown(problem: Problem, count: Ints, wish: Floats, state: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> Draft:
    """A plan from nothing: every piece cut into its number of parts, half by half.

    >>> from gridgis import toy
    >>> from gridgis.balance import units_from
    >>> from gridgis.balance.problem import prepared
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> wish = np.array([6.0, 6.0, 6.0, 1, 1, 1, 1, 1])
    >>> draft = grown(prepared(units, units.load()), np.array([2]), wish, np.array([1], np.uint64))
    >>> bool(draft.part[0] == draft.part[1] != draft.part[2])
    True
    """
    part = np.full(len(problem.units), -1)
    number = 0
    for piece in range(problem.pieces):
        number = _split(problem, np.flatnonzero(problem.piece == piece), int(count[piece]), wish, state, part, number)
    return named(problem, Draft(part, np.full(number, -1)))


def named(problem: Problem, draft: Draft) -> Draft:
    """The draft whose parts stand for today's grids so that most ground stays: units first, then area.

    >>> from gridgis import toy
    >>> from gridgis.balance import units_from
    >>> from gridgis.balance.problem import prepared
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> problem = prepared(units, units.load(), current={"G1": "a", "G2": "a", "G3": "b"})
    >>> named(problem, Draft(np.array([1, 1, 0]), np.array([-1, -1]))).home
    array([1, 0])
    """
    parts = len(draft.home)
    both = (draft.part >= 0) & (problem.now >= 0)
    home = np.full(parts, -1)
    if both.any():
        ground = problem.unit[:, 1] / max(problem.unit[:, 1].sum(), 1e-300)
        shape = (parts, len(problem.labels))
        kept = sparse.coo_array((1.0 + ground[both], (draft.part[both], problem.now[both])), shape=shape).toarray()
        rows, columns = optimize.linear_sum_assignment(kept, maximize=True)
        real = kept[rows, columns] > 0
        home[rows[real]] = columns[real]
    return Draft(draft.part, home)


def _split(
    problem: Problem,
    members: Ints,
    parts: int,
    wish: Floats,
    state: np.ndarray[tuple[int], np.dtype[np.uint64]],
    part: Ints,
    number: int,
) -> int:
    """Cut a connected region into parts numbered from `number`; the next free number."""
    where = np.full(len(part), -1)
    waiting = [(members, parts)]
    while waiting:
        region, wanted = waiting.pop()
        if wanted == 1:
            part[region] = number
            number += 1
            continue
        side, first, _ = best_cut(
            region, problem.ptr, problem.nbr, problem.usable, problem.unit, where, wanted, wish, TRIES, state
        )
        waiting += [(region[~side], wanted - first), (region[side], first)]
    return number


def recut(problem: Problem, draft: Draft, chosen: Ints, wish: Floats, state: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> Ints:
    """The parts of the units if the chosen ones, connected together, are cut anew; numbers stay among the chosen.

    >>> from gridgis import toy
    >>> from gridgis.balance import units_from
    >>> from gridgis.balance.problem import prepared
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> wish, draft = np.array([6.0, 6.0, 6.0, 1, 1, 1, 1, 1]), Draft(np.array([0, 1, 1]), np.array([-1, -1]))
    >>> part = recut(prepared(units, units.load()), draft, np.array([0, 1]), wish, np.array([1], np.uint64))
    >>> bool(part[0] == part[1] != part[2])
    True
    """
    fresh = np.full(len(draft.part), -1)
    members = np.flatnonzero(np.isin(draft.part, chosen))
    _split(problem, members, len(chosen), wish, state, fresh, 0)
    part = draft.part.copy()
    # each new part takes the number of the old one it shares most units with
    kept = np.zeros((len(chosen), len(chosen)))
    np.add.at(kept, (fresh[members], np.searchsorted(chosen, draft.part[members])), 1.0)
    rows, columns = optimize.linear_sum_assignment(kept, maximize=True)
    number = np.empty(len(chosen), np.int64)
    number[rows] = chosen[columns]
    part[members] = number[fresh[members]]
    return part
