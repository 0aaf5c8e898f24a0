"""Sums of Gaussian kernels at the centres of a lattice's cells, over all points however far.

exp(−(dx² + dy²) / 2h²) is a product, so the sum over points can go one axis after the other. North–south: strips of latitude,
in each of which a few nodes stand for the points, with weights that reproduce a point's Gaussian at every distance (Chebyshev
interpolation of exp(dy · d / h²), d the point's place in its strip); a matrix product spreads the nodes over the rows. East–west
either exactly, point by point over the columns, or, where points are many, by nodes too.
"""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridgis.hotspots.kernels_density import (
    FARTHEST,
    Floats,
    add_product,
    gaussian_cells,
    gaussian_nodes,
    gaussian_rows,
    gaussian_strips,
    sort_into_bins,
)
from gridgis.hotspots.stripes import centres, cores, in_stripes
from gridgis.lattice import Lattice
from gridgis.progress import Progress, silent

# Of each value: what interpolation may add, and what points beyond the reach may lack, together well below 1e-6.
_INTERPOLATION: Final = 3e-8
_BEYOND: Final = 2e-7
# Heights of a strip tried, in bandwidths, and the most nodes one may have.
_HEIGHTS: Final = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.125, 0.09, 0.0625)
_MOST_NODES: Final = 40
# Where Gaussians differ by more than exp(2Z) within a strip the nodes' rounding errors are too much for its least.
_STEEPEST: Final = 7.0
# Seconds of one exponential, of one step of a strip's sum, of a point's place among nodes, of one node's share, of one step of
# a matrix product: only their ratio matters.
_EXP_S, _STEP_S, _PLACE_S, _NODE_S, _PRODUCT_S = 5e-9, 2.5e-10, 1e-7, 3e-10, 6e-11
# Numbers of one block of strips, and how much of the reach it may be high.
_BLOCK: Final = 4_000_000
_BLOCK_HEIGHT: Final = 0.4
_STAGE: Final = "density.stage_sum"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a sum goes by strips."""

    reach: float
    """Points are left out beyond this many bandwidths in x or y."""
    height: float
    """Of a strip, bandwidths."""
    nodes: int
    """Of a strip."""
    both: bool
    """Whether nodes stand for points east–west too."""
    seconds: float
    """About what it costs, by the constants above."""


@dataclass(frozen=True, slots=True)
class _Task:
    """Points and where their sums are asked for."""

    x: Floats
    y: Floats
    weight: Floats
    lattice: Lattice
    h: float
    """Bandwidth, metres."""


def gaussian_sum(
    x: Floats,
    y: Floats,
    weight: Floats,
    *,
    lattice: Lattice,
    bandwidth_m: float,
    wanted: NDArray[np.bool_],
    progress: Progress = silent,
) -> Floats:
    """Σ weight · exp(−r² / 2h²) over all points at each cell's centre, shape (rows, columns).

    Within 1e-6 of each value of direct summation, down to 1e-270 of the highest.

    1. Where cells are few or wide against the bandwidth the sum is taken directly.
    2. Else by strips, first up to a reach R at which what lies beyond, at most Σ weight · exp(−R² / 2h²), is nothing to a
       cell with one point near. Wanted cells it is something to are summed again: directly if they are few, else all with
       the wider reach that their values ask for.

    Parameters
    ----------
    x, y, weight
        Points, shape (n,) each; weights 0 or more.
    lattice
        Whose cell centres are asked for.
    bandwidth_m
        h, metres.
    wanted
        Cells whose values must be right, shape (rows, columns).
    progress
        Told between stripes of rows.

    Examples
    --------
    >>> lattice = Lattice.covering((0, 0, 200, 100), 100, "EPSG:4547")
    >>> at, wanted = np.array([50.0]), np.ones((1, 2), dtype=bool)
    >>> gaussian_sum(at, at, np.ones(1), lattice=lattice, bandwidth_m=100.0, wanted=wanted).round(6).tolist()
    [[1.0, 0.606531]]
    """
    # from the corner: coordinates of millions of metres would round the nodes' places
    corner = replace(lattice, x0=0, y0=0, origin=(0, 0))
    task = _near(_Task(x - lattice.x0, y - lattice.y0, weight, corner, bandwidth_m), FARTHEST)
    total = float(task.weight.sum())
    if total == 0:
        return np.zeros(lattice.shape)
    direct_s = _direct_cost(task)
    reach = min(math.sqrt(2 * math.log(len(task.x) / _BEYOND)), FARTHEST)
    spread = (float(np.ptp(task.x)), float(np.ptp(task.y)))
    while True:
        plan = plan_strips(lattice, bandwidth_m, len(task.x), reach, spread_m=spread)
        if direct_s <= plan.seconds:
            return _direct(task, progress)
        out = _by_strips(task, plan, progress)
        short = wanted & (out * _BEYOND < total * math.exp(-(reach**2) / 2))
        if reach >= FARTHEST or not short.any():
            return out
        rows, columns = np.nonzero(short)
        lowest = float(out[short].min())
        needed = math.sqrt(2 * math.log(total / (_BEYOND * lowest))) if lowest > 0 else FARTHEST
        reach = min(max(needed * 1.001, reach + 1), FARTHEST)
        again_s = plan_strips(lattice, bandwidth_m, len(task.x), reach, spread_m=spread).seconds
        if len(rows) * len(task.x) * _EXP_S <= again_s:
            cx, cy = centres(corner)
            out[rows, columns] = gaussian_cells(task.x, task.y, task.weight, bandwidth_m, cx[columns], cy[rows])
            return out


def plan_strips(lattice: Lattice, bandwidth_m: float, points: int, reach: float, *, spread_m: tuple[float, float]) -> Plan:
    """The cheapest height and number of nodes that keep every Gaussian within the reach to 3e-8 of itself.

    With m Chebyshev nodes the error of one is at most 2 (Z/2)^m / m! · exp(2Z), Z = (reach + height) · height / 2.
    `spread_m` is how wide and how tall the points lie.

    >>> lattice = Lattice.covering((0, 0, 100_000, 100_000), 100, "EPSG:4547")
    >>> plan = plan_strips(lattice, 1000.0, 1_000_000, 7.7, spread_m=(1e5, 1e5))
    >>> plan.height < 1, plan.nodes < 20, plan.both
    (True, True, True)
    """
    in_reach = 2 * reach * bandwidth_m / lattice.cell_m + 1
    wide, high = min(in_reach, lattice.columns), min(in_reach, lattice.rows)
    best = Plan(reach, _HEIGHTS[-1], _MOST_NODES, both=False, seconds=math.inf)
    for height in _HEIGHTS:
        z = (reach + height) * height / 2
        bound, nodes = 2 * math.exp(2 * z), 0
        while bound > _INTERPOLATION / 2:
            nodes += 1
            bound *= z / 2 / nodes
        if nodes > _MOST_NODES or z > _STEEPEST:
            continue
        across, along = (spread / bandwidth_m / height + 1 for spread in spread_m)
        rows = min(along, points) * nodes
        spreading = rows * high * lattice.columns * _PRODUCT_S
        exact = points * (_PLACE_S + nodes * wide * _STEP_S) + spreading
        by_nodes = points * (_PLACE_S + nodes**2 * _NODE_S) + rows * across * nodes * wide * _PRODUCT_S + spreading
        both = by_nodes < exact and across * nodes * (nodes + wide) < _BLOCK
        seconds = by_nodes if both else exact
        if seconds < best.seconds:
            best = Plan(reach, height, nodes, both, seconds)
    return best


def _near(task: _Task, reach: float) -> _Task:
    west, south, east, north = task.lattice.total_bounds
    reach_m = reach * task.h
    near = (task.x > west - reach_m) & (task.x < east + reach_m) & (task.y > south - reach_m) & (task.y < north + reach_m)
    near &= task.weight > 0
    return task if near.all() else _Task(task.x[near], task.y[near], task.weight[near], task.lattice, task.h)


def _direct_cost(task: _Task) -> float:
    in_reach = 2 * FARTHEST * task.h / task.lattice.cell_m + 1
    return len(task.x) * min(in_reach, task.lattice.columns) * min(in_reach, task.lattice.rows) * _EXP_S


def _direct(task: _Task, progress: Progress) -> Floats:
    lattice, out = task.lattice, np.zeros(task.lattice.shape)
    north = lattice.total_bounds[3]
    row = np.clip(np.floor((north - task.y) / lattice.cell_m), -1, lattice.rows).astype(np.int64)
    order, starts = sort_into_bins(row + 1, lattice.rows + 2)
    x, y, weight = task.x[order], task.y[order], task.weight[order]
    cx, cy = centres(lattice)
    reach = min(math.ceil(FARTHEST * task.h / lattice.cell_m) + 1, lattice.rows + 1)

    def work(first: int, end: int) -> None:
        gaussian_rows(x, y, weight, task.h, starts, reach, cx, cy, out, first, end)

    in_stripes(work, lattice.rows, stage=_STAGE, progress=progress)
    return out


def _by_strips(task: _Task, plan: Plan, progress: Progress) -> Floats:
    lattice, h = task.lattice, task.h
    task = _near(task, plan.reach)
    out = np.zeros(lattice.shape)
    if len(task.x) == 0:
        return out
    _, cy = centres(lattice)
    strips = _Strips.of(task, plan)
    used = np.flatnonzero(np.diff(strips.starts))
    size = max(1, min(_BLOCK // (plan.nodes * strips.width), int(_BLOCK_HEIGHT * plan.reach / plan.height)))
    blocks = [used[first : first + size] for first in range(0, len(used), size)]
    reach_m = (plan.reach + plan.height) * h

    def work(block: NDArray[np.int64]) -> tuple[int, Floats]:
        """The first row that a block of strips reaches, and what it adds from there on."""
        nodes, sums = strips.columns(block)
        top, bottom = (int(row) for row in np.searchsorted(-cy, [-(nodes.max() + reach_m), -(nodes.min() - reach_m)]))
        added = np.zeros((bottom - top, lattice.columns))
        add_product(_spread(cy[top:bottom, None], nodes, plan, h), 0, sums, added, 0)
        return top, added

    with ThreadPoolExecutor(cores()) as pool:
        # added in their order, whichever is ready first; only so many at once as memory should hold
        waiting = deque(pool.submit(work, block) for block in blocks[: 2 * cores()])
        try:
            for done in range(len(blocks)):
                progress(_STAGE, done, len(blocks))
                top, added = waiting.popleft().result()
                out[top : top + len(added)] += added
                if done + 2 * cores() < len(blocks):
                    waiting.append(pool.submit(work, blocks[done + 2 * cores()]))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    progress(_STAGE, len(blocks), len(blocks))
    return out


def _spread(centre: Floats, nodes: Floats, plan: Plan, h: float) -> Floats:
    """The Gaussian between cell centres and nodes, 0 beyond the reach."""
    away = (centre - nodes) / h
    return np.where(np.abs(away) <= plan.reach + plan.height / 2, np.exp(-(away**2) / 2), 0.0)


@dataclass(frozen=True, slots=True)
class _Strips:
    """Points sorted by strip of latitude, and how they are summed east–west."""

    x: Floats
    y: Floats
    weight: Floats
    place: NDArray[np.int64]
    """Strip of longitude, or column of the lattice, that each point lies in."""
    starts: NDArray[np.int64]
    """Where each strip's points start."""
    unit: Floats
    """Chebyshev nodes of [−1, 1]."""
    half: float
    """Half a strip, metres."""
    h: float
    cell: float
    reach: float
    cx: Floats
    west: float
    """West edge of the first strip of longitude."""
    north: float
    """North edge of the first strip of latitude."""
    width: int
    """Sums in a node's row: nodes east–west, or columns of the lattice."""
    spreading: tuple[tuple[int, int, Floats], ...]
    """First node east–west, first column, and what nodes from there on add to columns from there on; empty: columns exactly."""

    @classmethod
    def of(cls, task: _Task, plan: Plan) -> _Strips:
        """Sort the points by strip, and within a strip from west to east."""
        height, lattice = plan.height * task.h, task.lattice
        cx, _ = centres(lattice)
        west, north = float(task.x.min()), float(task.y.max())
        if plan.both:
            place = np.floor((task.x - west) / height).astype(np.int64)
        else:
            place = np.floor((task.x - lattice.x0) / lattice.cell_m).astype(np.int64)
        by_place, _ = sort_into_bins(place - place.min(), int(np.ptp(place)) + 1)
        strip = np.floor((north - task.y) / height).astype(np.int64)
        order, starts = sort_into_bins(strip[by_place], int(strip.max()) + 1)
        order = by_place[order]
        unit = np.cos((2 * np.arange(plan.nodes) + 1) * math.pi / (2 * plan.nodes))[::-1].copy()
        spreading = []
        across = int(place.max()) + 1 if plan.both else 0
        nodes = (west + ((np.arange(across) + 0.5) * height)[:, None] + 0.5 * height * unit).ravel()
        size = plan.nodes * max(1, int(_BLOCK_HEIGHT * plan.reach / plan.height))
        reach_m = (plan.reach + plan.height) * task.h
        for first in range(0, len(nodes), size):
            some = nodes[first : first + size]
            left, right = np.searchsorted(cx, [some[0] - reach_m, some[-1] + reach_m])
            matrix = _spread(some[:, None], cx[left:right], plan, task.h)
            spreading.append((first, int(left), matrix))
        return cls(
            task.x[order], task.y[order], task.weight[order], place[order], starts, unit, height / 2, task.h,
            float(lattice.cell_m), plan.reach, cx, west, north, len(nodes) if plan.both else lattice.columns, tuple(spreading),
        )  # fmt: skip

    def columns(self, strips: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Where the nodes of some strips lie, north–south, and each node's sums at the lattice's columns."""
        middles = np.asarray(self.north - (2 * strips + 1) * self.half)
        nodes = (middles[:, None] + self.half * self.unit).ravel()
        sums = np.zeros((len(strips), len(self.unit), self.width))
        data = (self.x, self.y, self.weight, self.place, self.h, self.starts, strips, middles, self.half, self.unit)
        if not self.spreading:
            gaussian_strips(*data, self.reach, self.cx, self.cell, sums)
            return nodes, sums.reshape(-1, self.width)
        gaussian_nodes(*data, self.west, sums)
        out = np.zeros((len(nodes), len(self.cx)))
        for first, left, matrix in self.spreading:
            add_product(sums.reshape(-1, self.width), first, matrix, out, left)
        return nodes, out
