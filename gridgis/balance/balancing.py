"""Contiguous grids of equal work within bounds: several plans to choose from, or what makes them impossible."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from gridgis.balance.exact import decided
from gridgis.balance.feasibility import Bounds, Failure, InfeasibleError, failures, nearest, shares
from gridgis.balance.improving import BOTH, FLIPS, STAY, TASTES, State, Taste, combined, improved, wishes
from gridgis.balance.pareto import Plan, Plans, ranked
from gridgis.balance.problem import Problem, prepared
from gridgis.balance.sheet import sheet
from gridgis.balance.starting import from_today
from gridgis.balance.trees import Draft, grown, named
from gridgis.balance.units import Floats, Ints, Units
from gridgis.errors import DataError
from gridgis.progress import Progress, silent
from gridgis.text import Phrase

# flips tried in one run, a tenth of a second or so, and with today's grids, which are harder to keep; per unit at least
_FLIPS: Final = 2_000_000
_FLIPS_TODAY: Final = 5_000_000
_LEAST_FLIPS: Final = 400
# flips a unit needs until a piece has settled, and for each unit of the piece; what is left is spent on other starts
_SHORT_FLIPS: Final = 500
_FLIPS_PER_UNIT: Final = 8
_MOST_TURNS: Final = 8
_LONG: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What all runs share."""

    units: Units
    problem: Problem
    bounds: Bounds
    count: Ints
    weights: Mapping[str, float] | None
    current: pd.Series | None
    mix_groups: bool
    effort: float


def balance(
    units: Units,
    *,
    weights: Mapping[str, float] | None = None,
    k: int | None = None,
    low: float | None = None,
    high: float | None = None,
    seeds: Collection[Hashable] | None = None,
    locked: Collection[Hashable] | None = None,
    current: pd.Series | None = None,
    mix_groups: bool = False,
    tastes: Sequence[Taste] = TASTES,
    starts: int = 3,
    prefer: str | None = None,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Plans:
    """Put units together to contiguous grids of equal work.

    Always kept: every unit is in one grid; a grid hangs together across borders that no barrier closes; its load is within
    the bounds; it holds units of one group unless groups may mix; locked grids stay as they are; no grid holds two seeds.
    Sought: loads alike, compact grids, what would rather stay whole in one grid, borders along streets, few units moved.

    1. Counting shows how many grids each connected piece needs and can have, or which bound fails.
    2. Every piece is cut along random spanning trees; with today's grids these, made to fit, are a start as well.
    3. Flips of border units at a falling temperature improve each start for each taste; parts out of bounds are cut anew.
    4. The plans that no other beats in balance, compactness and change at once are the answer.

    Parameters
    ----------
    units
        From `units_from`.
    weights
        Factor of each weight in a grid's load; None: every weight once.
    k
        Number of grids, locked ones included; None: each piece gets its load divided by the middle of the bounds.
    low, high
        Bounds of a grid's load; None: none.
    seeds
        Units (of stations) that have to be in grids of their own.
    locked
        Grids of `current` that stay as they are, whatever their load.
    current
        Today's grid of each unit, on the units' index.
    mix_groups
        Whether a grid may hold units of several groups.
    tastes
        What plans are searched for.
    starts
        Starts for each taste: from random trees, and with today's grids all but one from these; `stay` has twice as many, all
        from today's.
    prefer
        Name of the taste whose plans come first. None: the least faults together; with today's grids, `stay` where both bounds
        say what is even enough, as officers know the people of their grids, else `both`, as to leave all would be no answer.
    rng
        Source of all randomness: the same generator state gives the same plans.
    progress
        Told how far the search is; raises to cancel.

    Returns
    -------
    Plans
        At least one. Grids are named "1", "2", … from west to east, then north to south; with today's grids, the group
        that keeps most of a grid's ground keeps its name and others are "+1", "+2", …

    Raises
    ------
    InfeasibleError
        If a bound rules a plan out, or none was found; it says which, and the nearest bounds with a plan.

    Examples
    --------
    >>> from gridgis import toy
    >>> from gridgis.balance.units import units_from
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> balance(units, k=2, rng=np.random.default_rng(1)).best.assignment.to_dict()
    {'G1': '1', 'G2': '1', 'G3': '2'}
    """
    bounds = _bounds(k, low, high)
    if len(units) == 0:
        raise DataError("balance.no_units")
    today = None if current is None else pd.Series(current).reindex(units.index)
    load = units.load(weights)
    problem = prepared(units, load, seeds=seeds, locked=locked, current=today, mix_groups=mix_groups)
    free = None if k is None else k - len(set(locked or ()))
    runs = _runs(tastes, starts, today is not None)
    flips = max((_FLIPS if today is None else _FLIPS_TODAY) / len(units), _LEAST_FLIPS)
    task = _Task(units, problem, bounds, np.zeros(0, np.int64), weights, today, mix_groups, flips / FLIPS)
    if found := failures(problem, bounds, free):
        raise _infeasible(task, found, free, rng)
    task = _with_count(task, bounds, free)
    state = np.array([rng.integers(1 << 63)], dtype=np.uint64)
    drafts = [_run(task, *run, state, _ticks(progress, number, len(runs))) for number, run in enumerate(runs)]
    good = [(draft, taste) for draft, (taste, _) in zip(drafts, runs, strict=True) if bounds.kept(_loads(task, draft))]
    if not good:
        progress("balance.stage_prove", 0, 1)
        good = [(_rescued(task, drafts, free), runs[0][0])]
    if prefer is None and today is not None:
        prefer = STAY if low and high is not None else BOTH
    return ranked([_plan(task, draft, taste) for draft, taste in good], taste=prefer)


def _runs(tastes: Sequence[Taste], starts: int, today: bool) -> list[tuple[Taste, bool]]:
    """What is searched for, and whether from today's grids."""
    wanted = [taste for taste in tastes if today or taste.name != STAY] or list(tastes)
    times = {taste: max(starts, 1) * (2 if today and taste.name == STAY else 1) for taste in wanted}
    return [(taste, today and (start > 0 or taste.name == STAY)) for taste in wanted for start in range(times[taste])]


def _bounds(k: int | None, low: float | None, high: float | None) -> Bounds:
    if k is None and (low is None or high is None):
        raise DataError("balance.no_size")
    if k is not None and k < 1:
        raise DataError("balance.number", k=k)
    least, most = low or 0.0, math.inf if high is None else high
    if not (0 <= least <= most and most > 0):
        raise DataError("balance.bounds", low=least, high=most)
    return Bounds(least, most)


def _with_count(task: _Task, bounds: Bounds, k: int | None) -> _Task:
    count = shares(task.problem, bounds, k)
    return _Task(task.units, task.problem, bounds, count, task.weights, task.current, task.mix_groups, task.effort)


def _ticks(progress: Progress, number: int, runs: int) -> Callable[[float], None]:
    def tick(share: float) -> None:
        progress("balance.stage_search", int((number + min(share, 1.0)) * 100), runs * 100)

    return tick


def _run(task: _Task, taste: Taste, today: bool, state: State, tick: Callable[[float], None]) -> Draft:
    """One search, from random trees or from today's grids: a long one for a large piece, several for small ones."""
    problem = task.problem
    wish = wishes(problem, task.bounds, int(task.count.sum()), taste)
    enough = _SHORT_FLIPS + _FLIPS_PER_UNIT * int(problem.sizes().max(initial=1))
    turns = int(np.clip(task.effort * FLIPS / enough, 1, _MOST_TURNS))
    drafts = []
    for turn in range(turns):
        first = from_today if today else grown
        draft = first(problem, task.count, wish, state)

        def told(share: float, turn: int = turn) -> None:
            tick((turn + share) / turns)

        effort = min(task.effort / turns, _LONG * enough / FLIPS)
        drafts.append(
            improved(problem, draft, task.bounds, wish, hot=taste.hot, effort=effort, soft=taste.soft, state=state, tick=told)
        )
    return named(problem, combined(problem, drafts, wish))


def _plan(task: _Task, draft: Draft, taste: Taste) -> Plan:
    problem, bounds = task.problem, task.bounds
    label = _labels(problem, draft)
    locked = (problem.piece < 0) & (problem.now >= 0)
    text = np.empty(len(problem.units), dtype=object)
    text[draft.part >= 0] = label[draft.part[draft.part >= 0]]
    text[locked] = np.array(problem.labels, dtype=object)[problem.now[locked]]
    assignment = pd.Series(text, index=problem.units.index, name="grid")
    made = sheet(
        task.units, assignment, current=task.current, low=bounds.low, high=bounds.high, weights=task.weights,
        mix_groups=task.mix_groups,
    )  # fmt: skip
    return Plan(assignment, made, taste.name)


def _labels(problem: Problem, draft: Draft) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Names of the parts: today's where one stands for a grid, else numbers from west to east, then north to south."""
    parts = len(draft.home)
    free = draft.part >= 0
    weight = np.maximum(problem.unit[free, 1], 1e-300)
    size = np.bincount(draft.part[free], weight, minlength=parts)
    x, y = (np.bincount(draft.part[free], weight * problem.units.xy[free, i], minlength=parts) / size for i in range(2))
    label = np.empty(parts, dtype=object)
    fresh = np.flatnonzero(draft.home < 0)
    mark = "+" if problem.labels else ""
    for number, at in enumerate(fresh[np.lexsort((-y[fresh], x[fresh]))], start=1):
        label[at] = f"{mark}{number}"
    old = np.flatnonzero(draft.home >= 0)
    label[old] = np.array(problem.labels, dtype=object)[draft.home[old]]
    return label


def _infeasible(task: _Task, found: list[Failure], k: int | None, rng: np.random.Generator) -> InfeasibleError:
    """The error for a bound that counting rules out, with bounds for which a plan was made."""
    near = nearest(task.problem, task.bounds, k)
    near = _witnessed(task, near, k, rng)
    first = found[0]
    values = {"low": task.bounds.low, "high": task.bounds.high, "nearest_low": near.low, "nearest_high": near.high}
    others = len(found) - 1
    besides = Phrase("balance.more_fail", {"others": others}) if others else ""
    return InfeasibleError(f"balance.{first.rule}", **values, **first.values, others=others, besides=besides)


def _witnessed(task: _Task, near: Bounds, k: int | None, rng: np.random.Generator) -> Bounds:
    """Bounds like those given, widened to what a plan keeps."""
    if failures(task.problem, near, k):
        return near
    wider = _with_count(task, near, k)
    state = np.array([rng.integers(1 << 63)], dtype=np.uint64)
    draft = _run(wider, TASTES[0], False, state, lambda share: None)
    return _held(near, wider.problem.loads(draft.part, len(draft.home)))


def _held(bounds: Bounds, loads: Floats) -> Bounds:
    """The bounds, widened where loads need it."""
    if bounds.kept(loads):
        return bounds
    return Bounds(min(bounds.low, float(loads.min())), max(bounds.high, float(loads.max())))


def _loads(task: _Task, draft: Draft) -> Floats:
    return task.problem.loads(draft.part, len(draft.home))


def _rescued(task: _Task, drafts: Sequence[Draft], k: int | None) -> Draft:
    """The nearest draft with the pieces out of bounds taken from another one, or decided exactly."""
    best = min(drafts, key=lambda draft: float(task.bounds.excess(_loads(task, draft)).sum()))
    part, home = best.part.copy(), list(best.home)
    unknown = False
    for piece in np.flatnonzero(_piece_excess(task, best) > 0):
        inside = task.problem.piece == piece
        donor = next((draft for draft in drafts if _piece_excess(task, draft)[piece] == 0), None)
        fresh = donor.part[inside] if donor is not None else _exact(task, int(piece), k)
        if isinstance(fresh, str):
            if fresh == "impossible":
                raise _without_plan(task, best, "impossible", place=task.problem.name(int(piece)), units=int(inside.sum()))
            unknown = True
            continue
        part[inside] = len(home) + np.unique(fresh, return_inverse=True)[1]
        home += [-1] * len(np.unique(fresh))
    if unknown:
        raise _without_plan(task, best, "not_found")
    free = part >= 0
    used, part[free] = np.unique(part[free], return_inverse=True)
    return named(task.problem, Draft(part, np.full(len(used), -1)))


def _exact(task: _Task, piece: int, k: int | None) -> Ints | str:
    """A plan of one piece with its number of grids, then with any other one the bounds allow; or why there is none."""
    total, size = float(task.problem.totals()[piece]), int(task.problem.sizes()[piece])
    first = int(task.count[piece])
    others = range(task.bounds.least(total), min(task.bounds.most(total, size), size) + 1) if task.bounds.low > 0 else ()
    more = sorted((count for count in others if count != first), key=lambda count: abs(count - first))
    if k is None:
        found = decided(task.problem, piece, task.bounds, [first, *more])
        return found if others or not isinstance(found, str) else "unknown"
    found = decided(task.problem, piece, task.bounds, [first])
    if not isinstance(found, str) or not more or task.problem.pieces == 1:
        return found
    other = decided(task.problem, piece, task.bounds, more)
    if isinstance(other, str):
        return "unknown" if "unknown" in (found, other) else "impossible"
    return "unknown"


def _piece_excess(task: _Task, draft: Draft) -> Floats:
    """How far the parts of each piece are out of bounds together."""
    free = draft.part >= 0
    where = np.zeros(len(draft.home), np.int64)
    where[draft.part[free]] = task.problem.piece[free]
    return np.bincount(where, task.bounds.excess(_loads(task, draft)), minlength=task.problem.pieces).astype(np.float64)


def _without_plan(task: _Task, closest: Draft, rule: str, **values: object) -> InfeasibleError:
    """The error where no plan was found: the nearest one found says which bounds would do."""
    near = _held(task.bounds, _loads(task, closest))
    bounds = {"low": task.bounds.low, "high": task.bounds.high, "nearest_low": near.low, "nearest_high": near.high}
    return InfeasibleError(f"balance.{rule}", **bounds, **values)
