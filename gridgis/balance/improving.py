"""Better plans from a first one: borders annealed by flips, parts out of bounds cut anew with their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridgis.balance.feasibility import Bounds
from gridgis.balance.kernels import W_BOUNDS, W_CHANGE, W_CUT, anneal, part_cost
from gridgis.balance.problem import Problem
from gridgis.balance.trees import Draft, named, recut
from gridgis.balance.units import Floats, Ints

State = np.ndarray[tuple[int], np.dtype[np.uint64]]

# flips tried per unit and sweep
FLIPS: Final = 100
# rounds of cutting anew before a plan out of bounds is given up
ROUNDS: Final = 12
_SLICES: Final = 20


@dataclass(frozen=True, slots=True)
class Taste:
    """What a plan is searched for: what one unit of each fault costs, per grid."""

    name: str
    """Names the taste in messages and JSON."""
    balance: float
    """Squared relative deviation of the load from the mean."""
    compact: float
    """One minus the Polsby-Popper score."""
    cut: float
    """Border inside the area, in sides of a square of the mean size; along streets it counts less."""
    change: float
    """Share of units that leave their grid, times the number of grids."""
    hot: float = 0.5
    """Temperature the search begins at; it ends at 0.02."""
    soft: float = 0.01
    """What a load out of bounds costs at the beginning, as a share of what it costs at the end: narrow bounds that are hard
    from the first flip leave the borders no way to each other. 1: as hard as at the end."""


BOTH: Final = "both"
# searched for only where there are grids today
STAY: Final = "stay"
TASTES: Final = (
    Taste(BOTH, balance=20.0, compact=1.0, cut=0.5, change=0.5),
    Taste("even", balance=40.0, compact=0.4, cut=0.2, change=0.5),
    Taste("compact", balance=2.0, compact=1.0, cut=0.5, change=0.5),
    Taste(STAY, balance=1.0, compact=0.5, cut=1.0, change=20.0, hot=1.0, soft=1.0),
)


def wishes(problem: Problem, bounds: Bounds, parts: int, taste: Taste) -> Floats:
    """What the compiled loops are told, shape (8,): bounds, mean load and what each fault costs.

    >>> from gridgis import toy
    >>> from gridgis.balance import units_from
    >>> from gridgis.balance.problem import prepared
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> wishes(prepared(units, units.load()), Bounds(3.0, 9.0), 2, TASTES[0])[:3]
    array([3., 9., 6.])
    """
    free = problem.piece >= 0
    mean = float(problem.unit[free, 0].sum()) / max(parts, 1)
    side = np.sqrt(max(float(problem.unit[free, 1].sum()), 1e-300) / max(parts, 1))
    moved = taste.change * parts / max(int(free.sum()), 1)
    return np.array(
        [bounds.low, bounds.high, mean if mean > 0 else 1.0, 30.0, taste.balance, taste.compact, taste.cut / (2 * side), moved]
    )


def improved(
    problem: Problem,
    draft: Draft,
    bounds: Bounds,
    wish: Floats,
    *,
    hot: float = 0.5,
    cold: float = 0.02,
    effort: float = 1.0,
    soft: float = 1.0,
    state: State,
    tick: Callable[[float], None],
) -> Draft:
    """A better plan with as many parts; `tick` is told the share done and may raise.

    1. Flips of border units, the temperature falling from `hot` to `cold`, what bounds cost rising from its share `soft`.
    2. While a part is out of bounds: it is cut anew with a neighbour, or two, and the borders settle again.
    3. Flips that only make it better.

    >>> from gridgis import toy
    >>> from gridgis.balance import units_from
    >>> from gridgis.balance.problem import prepared
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> problem, bounds = prepared(units, units.load()), Bounds(6.0, 6.0)
    >>> draft, wish = Draft(np.array([0, 1, 1]), np.array([-1, -1])), wishes(problem, bounds, 2, TASTES[0])
    >>> improved(problem, draft, bounds, wish, state=np.array([1], np.uint64), tick=lambda share: None).part.tolist()
    [0, 0, 1]
    """
    draft = _flip(problem, draft, wish, hot, cold, effort, state, tick, soft)
    for round_ in range(ROUNDS):
        if bounds.kept(problem.loads(draft.part, len(draft.home))):
            break
        draft = _mended(problem, draft, bounds, wish, state)
        tick(0.6 + 0.2 * round_ / ROUNDS)
        draft = _flip(problem, draft, wish, min(hot, 0.05), cold, effort / 5, state, None)
    tick(1.0)
    return _flip(problem, draft, wish, 1e-9, 1e-9, min(effort / 20, 2.0), state, None)


def combined(problem: Problem, drafts: Sequence[Draft], wish: Floats) -> Draft:
    """A draft of the cheapest plan of each piece: what one piece costs does not depend on the others.

    >>> from gridgis import toy
    >>> from gridgis.balance import units_from
    >>> from gridgis.balance.problem import prepared
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> problem, home = prepared(units, units.load()), np.array([-1, -1])
    >>> drafts = [Draft(np.array([0, 1, 1]), home), Draft(np.array([1, 1, 0]), home)]
    >>> combined(problem, drafts, np.array([0.0, 9.0, 6.0, 0.0, 1.0, 0.0, 0.0, 0.0])).part.tolist()
    [1, 1, 0]
    """
    if len(drafts) == 1:
        return drafts[0]
    costs = np.array([_costs(problem, draft, wish) for draft in drafts])
    part, used = np.full(len(problem.units), -1), 0
    for piece, best in enumerate(np.argmin(costs, axis=0)):
        inside = problem.piece == piece
        labels, numbered = np.unique(drafts[best].part[inside], return_inverse=True)
        part[inside] = used + numbered
        used += len(labels)
    return named(problem, Draft(part, np.full(used, -1)))


def _costs(problem: Problem, draft: Draft, wish: Floats) -> Floats:
    """What each piece costs, as the compiled loops count it, shape (pieces,)."""
    free = draft.part >= 0
    where = np.zeros(len(draft.home), np.int64)
    where[draft.part[free]] = problem.piece[free]
    stats = problem.stats(draft.part, len(draft.home))
    each = np.array([part_cost(load, area, perimeter, wish) for load, area, perimeter in stats[:, :3]])
    apart = (draft.part[problem.source] != draft.part[problem.nbr]) & free[problem.source]
    moved = free & (problem.now >= 0)
    moved[moved] = draft.home[draft.part[moved]] != problem.now[moved]
    total = np.bincount(where, each, minlength=problem.pieces)
    total += wish[W_CUT] / 2 * np.bincount(problem.piece[problem.source[apart]], problem.cut[apart], minlength=problem.pieces)
    return np.asarray(total + wish[W_CHANGE] * np.bincount(problem.piece[moved], minlength=problem.pieces))


def _flip(
    problem: Problem,
    draft: Draft,
    wish: Floats,
    hot: float,
    cold: float,
    effort: float,
    state: State,
    tick: Callable[[float], None] | None,
    soft: float = 1.0,
) -> Draft:
    parts = len(draft.home)
    part, mark = draft.part.copy(), np.zeros(len(draft.part), np.int64)
    steps = int(effort * FLIPS * len(part)) // _SLICES + 1
    fall = (cold / hot) ** (1 / _SLICES)
    for turn in range(_SLICES):
        told = wish.copy()
        told[W_BOUNDS] *= soft ** (1 - (turn + 1) / _SLICES)
        stats = problem.stats(part, parts)
        anneal(
            problem.ptr, problem.nbr, problem.length, problem.cut, problem.usable, problem.source, problem.unit, problem.now,
            part, draft.home, stats, told, mark, state, steps, hot * fall**turn, hot * fall ** (turn + 1),
        )  # fmt: skip
        if tick is not None:
            tick(0.6 * (turn + 1) / _SLICES)
    return Draft(part, draft.home)


def _mended(problem: Problem, draft: Draft, bounds: Bounds, wish: Floats, state: State) -> Draft:
    """The draft after every part out of bounds was cut anew with a neighbour, where that brings it nearer."""
    parts = len(draft.home)
    part = draft.part
    for bad in np.flatnonzero(bounds.excess(problem.loads(part, parts)) > 0):
        ring = _around(problem, part, np.array([bad]))
        wider = [np.array([bad, one, two]) for one in ring for two in _around(problem, part, np.array([bad, one]))]
        pairs = [np.array([bad, one]) for one in ring]
        for chosen in [*pairs, *wider[:12]]:
            before = bounds.excess(problem.loads(part, parts)).sum()
            if before <= 0:
                return named(problem, Draft(part, draft.home))
            fresh = recut(problem, Draft(part, draft.home), np.unique(chosen), wish, state)
            if bounds.excess(problem.loads(fresh, parts)).sum() < before:
                part = fresh
                break
    return Draft(part, draft.home)


def _around(problem: Problem, part: Ints, chosen: Ints) -> Ints:
    """Parts across an open border of the chosen ones."""
    own = np.isin(part[problem.source], chosen) & problem.usable
    return np.setdiff1d(np.unique(part[problem.nbr[own]]), chosen)
