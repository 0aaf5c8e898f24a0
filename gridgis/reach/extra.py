"""The least walking besides the streets themselves that makes one closed round of them: a linear programme and its cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy import optimize, sparse

from gridgis.reach.cuts import broken_cuts, crossing
from gridgis.reach.network import Floats, Ints
from gridgis.reach.rematching import rematched
from gridgis.reach.rounding import is_round, rounded
from gridgis.reach.surroundings import Bools, Surroundings

# rounds of cuts for many odd nodes, and as good as without end for few
_ROUNDS: Final = 400
_ENDLESS: Final = 2_000
# branches of the search where the programme leaves fractions, and how often it may meet a round in two
_BRANCHES: Final = 500
_RETRIES: Final = 10
_WHOLE: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Extra:
    """What is walked besides the streets of a round."""

    times: Ints
    """Shape (m,): how often each way is walked, 0, 1 or 2."""
    bound_m: float
    """No round of the same streets has less of it, metres."""


@dataclass(slots=True)
class _Rules:
    """Rows of the programme: sums of ways (one may count −1) that must reach a least value."""

    around: Surroundings
    ways: list[Ints] = field(default_factory=list)
    factors: list[Floats] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    known: set[tuple[bytes, int]] = field(default_factory=set)

    def add(self, nodes: Bools, least: int) -> bool:
        """A set of nodes that is left at least so often; False if that is known."""
        out = crossing(self.around, nodes)
        key = (out.tobytes(), least)
        if key in self.known:
            return False
        self.known.add(key)
        self.ways.append(out)
        self.factors.append(np.ones(len(out)))
        self.least.append(float(least))
        return True

    def add_all(self, cuts: list[tuple[Bools, int]]) -> bool:
        """Whether any of them is new."""
        return sum([self.add(nodes, least) for nodes, least in cuts]) > 0

    def matrix(self) -> tuple[sparse.csr_array, Floats]:
        """The rows as they stand."""
        starts = np.r_[0, np.cumsum([len(row) for row in self.ways], dtype=np.intp)]
        data, columns = np.concatenate([*self.factors, np.empty(0)]), np.concatenate([*self.ways, np.empty(0, dtype=np.intp)])
        return sparse.csr_array((data, columns, starts), shape=(len(self.ways), len(self.around.ways))), np.array(self.least)


def least_extra(around: Surroundings, *, exact_up_to: int = 200, tick: Callable[[], None] = lambda: None) -> Extra:
    """The least extra walking that makes the streets one closed round (route inspection; rural postman for several pieces).

    1. Every way is walked 0 to 2 times. A set with an odd number of odd nodes is left at least once; one that holds pieces of the
       streets whole, and not all, at least twice. Who comes to a node that no street of the round ends at goes on from there.
       Those rules as a linear programme, without whole numbers, bound every round from below (for one piece they describe the
       optimum: Edmonds and Johnson). Broken ones are added until none is; beyond `exact_up_to` odd nodes, 400 times at most.
    2. A solution in whole numbers is a round, hence the shortest one. Else, up to `exact_up_to` odd nodes, branch and bound
       over whole numbers decides, with a limit on branches.
    3. What is still open is rounded to a round that is near the solution, its odd nodes are paired anew where that is shorter,
       and the bound stands beside it.

    Parameters
    ----------
    around
        From `surroundings`.
    exact_up_to
        Odd nodes up to which no effort is spared.
    tick
        Called before each step; may raise.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> from gridgis import toy
    >>> from gridgis.reach.network import walk_network
    >>> from gridgis.reach.surroundings import prepared, surroundings
    >>> x, y = toy.ORIGIN
    >>> lines = [shapely.LineString([(x + a, y), (x + a + 100, y)]) for a in (0, 100)]
    >>> network = walk_network(gpd.GeoDataFrame(geometry=lines, crs=toy.CRS))
    >>> there_and_back = least_extra(surroundings(prepared(network), np.array([0, 1])))
    >>> there_and_back.times.tolist(), there_and_back.bound_m
    ([1, 1], 200.0)
    """
    if not len(around.ways):
        return Extra(np.zeros(0, dtype=np.intp), 0.0)
    thorough = np.count_nonzero(around.odd) <= exact_up_to
    rules = _first_rules(around)
    x, bound = _relaxed(rules, _ENDLESS if thorough else _ROUNDS, tick)
    whole = np.round(x).astype(np.intp)
    if np.abs(x - whole).max() <= _WHOLE and is_round(around, whole):
        return Extra(whole, bound)
    best = rematched(around, rounded(around, x), tick=tick)
    if thorough and around.length_m @ best > bound * (1 + 1e-9):
        found, low = _branched(rules, tick)
        bound = max(bound, low)
        if found is not None and around.length_m @ found < around.length_m @ best:
            best = found
    return Extra(best, bound)


def _first_rules(around: Surroundings) -> _Rules:
    rules = _Rules(around)
    for node in np.flatnonzero(around.odd):
        rules.add(np.arange(len(around.nodes)) == node, 1)
    if around.pieces > 1:
        for piece in range(around.pieces):
            rules.add(around.piece == piece, 2)
    # who comes to a node in passing goes on: each way there is walked no more than the others together
    ends, way = around.ways.ravel(), np.repeat(np.arange(len(around.ways)), 2)
    order = np.argsort(ends, kind="stable")
    starts = np.searchsorted(ends[order], np.arange(len(around.nodes) + 1))
    for node in np.flatnonzero(around.piece < 0):
        there = way[order[starts[node] : starts[node + 1]]]
        for one in there:
            rules.ways.append(there)
            rules.factors.append(np.where(there == one, -1.0, 1.0))
            rules.least.append(0.0)
    return rules


def _relaxed(rules: _Rules, most: int, tick: Callable[[], None]) -> tuple[Floats, float]:
    """The programme's solution, with cuts added up to so many times, and a bound that holds whatever its rounding errors."""
    length = rules.around.length_m
    x, bound = np.zeros(len(length)), 0.0
    while True:
        tick()
        matrix, least = rules.matrix()
        found = optimize.linprog(length, A_ub=-matrix, b_ub=-least, bounds=(0, 2), method="highs")
        if found.x is None:  # the solver gave up: what it said before still holds
            return x, bound
        x = found.x
        # any prices ≥ 0 bound the optimum: what ways still gain at those prices is counted in full
        prices = np.maximum(-found.ineqlin.marginals, 0.0)
        bound = max(bound, float(prices @ least + 2 * np.minimum(length - matrix.T @ prices, 0.0).sum()))
        most -= 1
        if most <= 0 or not rules.add_all(broken_cuts(rules.around, x)):
            return x, bound


def _branched(rules: _Rules, tick: Callable[[], None]) -> tuple[Ints | None, float]:
    """Branch and bound in whole numbers: a round if one was found, and the bound proved."""
    around = rules.around
    n, m = len(around.nodes), len(around.ways)
    ends, way = around.ways.ravel(), np.repeat(np.arange(m), 2)
    meets = sparse.csr_array((np.ones(2 * m), (ends, way)), shape=(n, m))
    # ways walked at a node and streets that end there make an even number together
    even = optimize.LinearConstraint(
        sparse.hstack([meets, -2 * sparse.eye_array(n)], format="csr"), -1.0 * around.odd, -1.0 * around.odd
    )
    cost = np.r_[around.length_m, np.zeros(n)]
    most = np.r_[np.full(m, 2.0), np.bincount(ends, minlength=n) + 1.0]
    bound = 0.0
    for _ in range(_RETRIES):
        tick()
        matrix, least = rules.matrix()
        cuts = optimize.LinearConstraint(sparse.hstack([matrix, sparse.csr_array((len(least), n))], format="csr"), least, np.inf)
        found = optimize.milp(
            cost,
            integrality=np.ones(m + n),
            bounds=optimize.Bounds(0, most),
            constraints=[even, cuts],
            options={"node_limit": _BRANCHES, "mip_rel_gap": 0.0},
        )
        if found.mip_dual_bound is not None and np.isfinite(found.mip_dual_bound):
            bound = max(bound, float(found.mip_dual_bound))
        if found.x is None:
            return None, bound
        times = np.round(found.x[:m]).astype(np.intp)
        if is_round(around, times):
            return times, bound
        if not rules.add_all(broken_cuts(around, times.astype(np.float64))):
            return None, bound
    return None, bound
