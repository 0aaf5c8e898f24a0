"""Small pieces decided exactly: a plan within the bounds, or the proof that there is none (OR-Tools CP-SAT)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import numpy as np
from scipy import sparse

from gridgis.balance.feasibility import Bounds
from gridgis.balance.problem import Problem
from gridgis.balance.units import Ints

# larger pieces are not decided: the proof would take longer than a planner waits
MOST_UNITS: Final = 80
# work of the solver in its own seconds, the same on every machine, for one number of parts: a short look at each, then a long one
_EFFORTS: Final = (0.5, 4.0)
# loads are told to the solver as whole numbers, this many for the upper bound
_STEPS: Final = 1_000_000
_ROUNDS: Final = 200


def decided(problem: Problem, piece: int, bounds: Bounds, counts: Iterable[int]) -> Ints | Literal["impossible", "unknown"]:
    """A plan for one connected piece with one of the given numbers of parts, or whether that is impossible.

    1. Each unit is in one part, each part within the bounds and with one seed at most.
    2. Parts that a solution leaves torn are ruled out by a cut: two units of a part need one of the units around the piece of
       one of them in it as well. Solved again until a solution is whole, or there is none.

    Loads are rounded to a millionth of the upper bound towards what is allowed, and plans are checked with the loads as they
    are: "impossible" is a proof.

    Parameters
    ----------
    problem, piece
        The connected piece.
    bounds
        Both finite.
    counts
        Numbers of parts to try.

    Returns
    -------
    array, "impossible" or "unknown"
        Part 0 … of each unit of the piece, in the order of the units.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.balance import units_from
    >>> from gridgis.balance.problem import prepared
    >>> units = units_from(toy.grids().assign(households=[4, 6, 4]), weights=["households"])
    >>> decided(prepared(units, units.load()), 0, Bounds(6.0, 8.0), [2])
    'impossible'
    """
    members = np.flatnonzero(problem.piece == piece)
    if len(members) > MOST_UNITS:
        return "unknown"
    waiting = list(counts)
    for effort in _EFFORTS:
        undecided = []
        for parts in waiting:
            found = _solved(problem, members, bounds, parts, effort)
            if not isinstance(found, str):
                return found
            if found == "unknown":
                undecided.append(parts)
        waiting = undecided
    return "unknown" if waiting else "impossible"


def _solved(
    problem: Problem, members: Ints, bounds: Bounds, parts: int, effort: float
) -> Ints | Literal["impossible", "unknown"]:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    n = len(members)
    x = [[model.new_bool_var("") for _ in range(parts)] for _ in range(n)]
    load, seed = problem.unit[members, 0], problem.unit[members, 3] > 0
    scale = _STEPS / (bounds.high if np.isfinite(bounds.high) else max(float(load.sum()), 1.0))
    whole = np.rint(load * scale).astype(np.int64)
    slack = 0 if np.allclose(whole, load * scale, rtol=0, atol=1e-9) else n
    for unit in x:
        model.add_exactly_one(unit)
    for p in range(parts):
        column = [unit[p] for unit in x]
        total = sum(int(w) * v for w, v in zip(whole, column, strict=True))
        model.add(total >= int(np.ceil(bounds.low * scale - 1e-6)) - slack)
        if np.isfinite(bounds.high):
            model.add(total <= int(np.floor(bounds.high * scale + 1e-6)) + slack)
        model.add_bool_or(column)
        model.add_at_most_one([v for v, seeded in zip(column, seed, strict=True) if seeded])
    for u in range(min(n, parts - 1)):  # parts have no names: unit u is in one of the first u + 1
        model.add_bool_and([x[u][q].negated() for q in range(u + 1, parts)])
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = effort
    near = _neighbours(problem, members)
    for _ in range(_ROUNDS):
        status = solver.solve(model)
        if status == cp_model.INFEASIBLE:
            return "impossible"
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return "unknown"
        part = np.array([next(p for p in range(parts) if solver.boolean_value(unit[p])) for unit in x])
        if not _whole(model, x, part, near, parts):
            continue
        loads = np.bincount(part, load, minlength=parts).astype(np.float64)
        return part if bounds.kept(loads) else "unknown"
    return "unknown"


def _neighbours(problem: Problem, members: Ints) -> sparse.csr_array:
    """Open borders among the members."""
    place = np.full(len(problem.piece), -1)
    place[members] = np.arange(len(members))
    inside = problem.usable & (place[problem.source] >= 0) & (place[problem.nbr] >= 0)
    ends = (place[problem.source[inside]], place[problem.nbr[inside]])
    return sparse.csr_array((np.ones(inside.sum()), ends), shape=(len(members), len(members)))


def _whole(model: Any, x: list[list[Any]], part: Ints, near: sparse.csr_array, parts: int) -> bool:
    """Whether every part hangs together; if not, the model learns what a torn one lacks."""
    good = True
    for p in range(parts):
        inside = np.flatnonzero(part == p)
        pieces, piece = sparse.csgraph.connected_components(near[inside][:, inside], directed=False)
        anchor = inside[np.argmax(piece == np.argmax(np.bincount(piece)))]
        for number in range(pieces):
            torn = inside[piece == number]
            if anchor in torn:
                continue
            good = False
            ring = np.setdiff1d(np.unique(near[torn].indices), torn)
            for q in range(parts):  # what holds for one part holds for all
                model.add_bool_or([x[torn[0]][q].negated(), x[anchor][q].negated(), *(x[v][q] for v in ring)])
    return good
