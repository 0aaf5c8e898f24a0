"""How many grids each connected piece can have within the bounds, and what fails where it can have none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gridgis.balance.problem import Problem
from gridgis.balance.units import Floats, Ints
from gridgis.errors import DataError

# loads are sums of floats: what exceeds a bound by rounding keeps it
SAME = 1e-9


class InfeasibleError(DataError):
    """No grids within the bounds exist, or none was found; `values` name bound, units and the nearest bounds that work."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What every grid's load has to stay within."""

    low: float
    """Least load; 0: none."""
    high: float
    """Most load; infinite: none."""

    def kept(self, loads: Floats) -> bool:
        """Whether all loads are within, rounding apart.

        >>> Bounds(1.0, 2.0).kept(np.array([1.0, 2.0 + 1e-12]))
        True
        """
        return bool((self.excess(loads) <= 0).all())

    def excess(self, loads: Floats) -> Floats:
        """How far each load is out of bounds, 0 within.

        >>> Bounds(1.0, 2.0).excess(np.array([0.5, 1.5, 4.0])).tolist()
        [0.5, 0.0, 2.0]
        """
        out = np.maximum(np.maximum(self.low - loads, loads - self.high), 0.0)
        out[out <= SAME * (1.0 + np.abs(loads))] = 0.0
        return out

    def least(self, total: float) -> int:
        """Fewest grids a total needs."""
        return max(1, math.ceil(total / self.high - SAME)) if math.isfinite(self.high) else 1

    def most(self, total: float, units: int) -> int:
        """Most grids a total can fill; 0: not even one."""
        return units if self.low <= 0 else min(units, math.floor(total / self.low + SAME))


@dataclass(frozen=True, slots=True)
class Failure:
    """A bound that cannot be kept."""

    rule: str
    """Key of the message, without its group."""
    values: dict[str, object]
    """What the message names."""


def failures(problem: Problem, bounds: Bounds, k: int | None) -> list[Failure]:
    """Everything that rules out a plan by counting alone; an empty list proves nothing.

    1. `unit_over`: a unit's load is above the upper bound.
    2. `too_small`: the load of a connected piece (a village, an island) is below the lower bound.
    3. `unsplittable`: it is too much for some number of grids and too little for one more.
    4. `few_units`, `few_grids`: it has fewer units than grids it needs, or more seeds than grids it can have.
    5. `k_range`: the number of grids asked for is not between the fewest and the most; without bounds `k_pieces`.

    >>> from gridgis import toy
    >>> from gridgis.balance import units_from
    >>> from gridgis.balance.problem import prepared
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> [failure.rule for failure in failures(prepared(units, units.load()), Bounds(4.5, 5.5), None)]
    ['unit_over', 'unsplittable']
    """
    found = []
    over = np.flatnonzero((problem.piece >= 0) & (problem.unit[:, 0] > bounds.high * (1 + SAME)))
    if len(over):
        worst = over[np.argmax(problem.unit[over, 0])]
        unit = problem.units.index[worst]
        found.append(Failure("unit_over", {"unit": unit, "load": problem.unit[worst, 0], "units": len(over)}))
    fewest = most = 0
    for piece, (total, size, seeds) in enumerate(zip(problem.totals(), problem.sizes(), problem.seeds(), strict=True)):
        values = {"place": problem.name(piece), "total": float(total), "units": int(size), "seeds": int(seeds)}
        least, greatest = bounds.least(total), bounds.most(total, int(size))
        if total < bounds.low * (1 - SAME):
            found.append(Failure("too_small", values))
        elif size < least:
            found.append(Failure("few_units", {**values, "grids": least}))
        elif greatest < least:
            below = math.floor(total / bounds.low + SAME)
            found.append(Failure("unsplittable", {**values, "fewer": below, "more": below + 1}))
        elif seeds > greatest:
            found.append(Failure("few_grids", {**values, "grids": greatest}))
        fewest, most = fewest + max(least, int(seeds)), most + greatest
    if k is not None and not found and not fewest <= k <= most:
        unbounded = bounds.low <= 0 and math.isinf(bounds.high)
        found.append(Failure("k_pieces" if unbounded else "k_range", {"k": k, "fewest": fewest, "most": most}))
    return found


def nearest(problem: Problem, bounds: Bounds, k: int | None) -> Bounds:
    """The nearest bounds that counting does not rule out: each piece takes the smaller change, in parts of the bound.

    >>> from gridgis import toy
    >>> from gridgis.balance import units_from
    >>> from gridgis.balance.problem import prepared
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> nearest(prepared(units, units.load()), Bounds(4.5, 5.5), None)
    Bounds(low=4.5, high=6.0)
    """
    free = problem.piece >= 0
    low, high = bounds.low, max(bounds.high, float(problem.unit[free, 0].max(initial=0.0)))
    for total, size, seeds in zip(problem.totals(), problem.sizes(), problem.seeds(), strict=True):
        here = Bounds(low, high)
        least, greatest = max(here.least(total), int(seeds)), here.most(total, int(size))
        if greatest >= least and size >= least:
            continue
        fewer, more = min(greatest, int(size)), max(least, int(seeds), 1)
        drop = (low - total / more) / low if more <= size else math.inf
        rise = (total / fewer - high) / high if fewer >= max(1, seeds) else math.inf
        if rise <= drop:
            high = max(high, total / fewer)
        else:
            low = min(low, total / more)
    if k is None:
        return Bounds(low, high)
    return _for_number(problem, Bounds(low, high), k)


def _for_number(problem: Problem, bounds: Bounds, k: int) -> Bounds:
    """Bounds widened until k grids are between the fewest and the most."""
    totals, sizes, seeds = problem.totals(), problem.sizes(), problem.seeds()
    low, high = bounds.low, bounds.high
    count = np.array([max(bounds.least(t), s) for t, s in zip(totals, seeds, strict=True)])
    while count.sum() > k and (count > np.maximum(seeds, 1)).any():  # fewer, fuller grids
        fuller = np.where(count > np.maximum(seeds, 1), totals / np.maximum(count - 1, 1), np.inf)
        at = int(np.argmin(fuller))
        high = max(high, float(fuller[at]))
        count[at] -= 1
    count = np.array([bounds.most(t, s) for t, s in zip(totals, sizes, strict=True)])
    while count.sum() < k and (count < sizes).any():  # more, emptier grids
        emptier = np.where(count < sizes, totals / (count + 1), -np.inf)
        at = int(np.argmax(emptier))
        low = min(low, float(emptier[at]))
        count[at] += 1
    return Bounds(low, high)


def shares(problem: Problem, bounds: Bounds, k: int | None) -> Ints:
    """Number of grids of each piece, shape (pieces,); counting must not rule it out.

    With k, pieces that are fullest per grid get the next grid; without, each gets its load divided by the middle of the bounds.

    >>> from gridgis import toy
    >>> from gridgis.balance import units_from
    >>> from gridgis.balance.problem import prepared
    >>> units = units_from(toy.grids().assign(households=[4, 2, 6]), weights=["households"])
    >>> shares(prepared(units, units.load()), Bounds(3.0, 9.0), None)
    array([2])
    """
    totals, sizes, seeds = problem.totals(), problem.sizes(), problem.seeds()
    least = np.array([max(bounds.least(t), s) for t, s in zip(totals, seeds, strict=True)], dtype=np.int64)
    most = np.array([bounds.most(t, int(s)) for t, s in zip(totals, sizes, strict=True)], dtype=np.int64)
    if k is None:
        target = (bounds.low + bounds.high) / 2 if math.isfinite(bounds.high) else max(bounds.low * 4 / 3, SAME)
        return np.clip(np.rint(totals / target).astype(np.int64), least, most)
    count = least.copy()
    while count.sum() < k:
        fullness = np.where(count < most, totals / (count + 0.5), -1.0)
        count[int(np.argmax(fullness))] += 1
    return count
