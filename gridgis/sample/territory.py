"""Who is in charge where: villages and their grids, as seamless territories whose borders follow ridges and streams."""

from __future__ import annotations

import numpy as np
import shapely
from scipy import ndimage
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from gridgis.sample import plan
from gridgis.sample.canvas import Bools, Canvas, Floats, Ints, balance, calm, connected, effort_graph, noise, outlines, ways
from gridgis.sample.terrain import CANVAS, KM, Terrain, at_km

_REACH_M = 9000.0  # effort after which a village gives up; several times its radius
_GHOSTS = 22
SIMPLIFY_M = 8.0
"""How much detail borders lose when they are drawn: the size of the triangles cut off, as the side of a square."""
_APART_M = 200.0  # from a grid's seed, or the block of houses it lies in, to the next seed


def village_seats(rng: np.random.Generator, ground: Terrain) -> Floats:
    """Where the committees sit: the plan's places, moved by up to 150 m and out of the lake, shape (villages, 2)."""
    wish = at_km([village.seat for village in plan.VILLAGES]) + (rng.random((len(plan.VILLAGES), 2)) - 0.5) * 300
    dry = np.flatnonzero(~ground.lake.ravel())
    points = CANVAS.point_of(dry)
    return np.array([points[np.argmin(((points - place) ** 2).sum(axis=1))] for place in wish])


def village_cells(rng: np.random.Generator, ground: Terrain, seats: Floats) -> Ints:
    """The village of every cell, by its place in the plan; −1 outside the town, whose outline comes out of the same play.

    Villages and a ring of neighbours beyond the town spread from their seats over the land, faster on even ground; the
    ones too small for the plan's size get a head start.
    """
    ridge = np.clip((ground.height - 40) / 50, 0, 1.5)
    effort = 1 + _lines(rng, 1300) + _lines(rng, 600) + 3 * ridge + 6 * ground.stream + 0.3 * ground.lake
    graph = effort_graph(CANVAS, effort)
    turn = (np.arange(_GHOSTS) + rng.random(_GHOSTS) * 0.5) * (2 * np.pi / _GHOSTS)
    reach = 0.9 + 0.28 * rng.random(_GHOSTS)
    ring = np.column_stack([np.cos(turn) * reach * 7.0, np.sin(turn) * reach * 6.4]) * KM + plan.CENTRE
    ghosts = np.round(ring, 0)
    everyone = np.concatenate([seats, ghosts])
    starts = CANVAS.cell_of(everyone[:, 0], everyone[:, 1])
    efforts = np.stack([ways(graph, np.array([start]), limit=_REACH_M)[0] for start in starts])
    efforts = efforts[:, _bends(rng)]
    targets = np.array([village.km2 * KM**2 / CANVAS.cell_m**2 for village in plan.VILLAGES] + [np.nan] * _GHOSTS)
    efforts = np.where(np.isfinite(efforts), efforts, 1e9)
    aim, start = targets.copy(), None
    best, error = np.full(CANVAS.shape, -1, dtype=np.int64), np.inf
    for _ in range(6):  # calming the borders costs or brings some cells: aim that much off
        label, start = balance(efforts, aim, start=start, rounds=20)
        village = calm(np.where(label < len(plan.VILLAGES), label, -1).reshape(CANVAS.shape), cells=3)
        miss = targets - np.bincount(village[village >= 0], minlength=len(targets))
        if (off := float(np.nansum(np.abs(miss)))) < error:
            best, error = village, off
        aim = aim + 0.6 * miss
    return _trimmed(best, targets[: len(plan.VILLAGES)])


def _trimmed(village: Ints, targets: Floats) -> Ints:
    # the outline is moved by a cell here and there until the drawn villages, with their rounded corners, have their size
    for _ in range(2):
        drawn = shapely.area(outlines(CANVAS, village, simplify_m=SIMPLIFY_M)) / CANVAS.cell_m**2
        for number, miss in enumerate(np.round(targets - drawn).astype(int)):
            own, outside = village == number, village < 0
            giver, taker = (outside, own) if miss > 0 else (own, outside)
            strip = np.flatnonzero(giver & ndimage.binary_dilation(taker))
            around = ndimage.uniform_filter(taker.astype(float), 5).ravel()[strip]
            strip = strip[np.argsort(-np.round(around, 6), kind="stable")][: abs(miss)]  # bays and spits first
            village.ravel()[strip] = number if miss > 0 else -1
    return connected(village)


def _lines(rng: np.random.Generator, wavelength_m: float) -> Floats:
    # ditches, field edges and low crests: thin winding lines that are tedious to cross
    return 7 * np.clip(1 - np.abs(noise(CANVAS, rng, wavelength_m=wavelength_m, octaves=4)) / 0.06, 0, 1)


def _bends(rng: np.random.Generator) -> Ints:
    # each cell looks a little aside, by a smooth field: borders of every origin wind like old lanes
    xs, ys = CANVAS.centres()
    dx, dy = (85 * noise(CANVAS, rng, wavelength_m=520, octaves=3) for _ in range(2))
    return CANVAS.cell_of((xs + dx).ravel(), (ys + dy).ravel())


def grid_cells(rng: np.random.Generator, ground: Terrain, village: Ints, homes: Bools, barrier: Bools) -> Ints:
    """The grid of every cell, numbered over the town in the plan's order of villages; −1 outside.

    Parameters
    ----------
    village
        Village of every cell.
    homes
        Cells of built-up ground: a border never enters it, since crossing it costs nothing once reached.
    barrier
        Cells of roads and streams, which borders follow.
    """
    effort = 1 + 0.6 * (1 + noise(CANVAS, rng, wavelength_m=420)) + 2.5 * barrier + 0.4 * ground.slope * 10
    effort = np.where(homes, 1e-4, effort)
    graph = effort_graph(CANVAS, effort, rooms=village)
    out = np.full(CANVAS.shape, -1, dtype=np.int64)
    blocks, _ = ndimage.label(homes)
    first = 0
    for number, spec in enumerate(plan.VILLAGES):
        own = np.flatnonzero(village.ravel() == number)
        dry = ~ground.lake.ravel()[own]
        weight = (1 + 1.5 * homes.ravel()[own]).astype(np.float64)
        seeds = np.flatnonzero(dry)[_centres(CANVAS, own[dry], weight[dry], blocks.ravel()[own[dry]], spec.grids)]
        inner = graph[own][:, own]
        points = CANVAS.point_of(own)
        efforts = _efforts(inner, seeds)
        share = np.full(spec.grids, dry.sum() / spec.grids)
        for _ in range(5):  # Lloyd again, now in the measure of effort: every seed moves to the middle of its land
            part = np.where(dry, np.argmin(efforts, axis=0), -1)
            lands = [np.flatnonzero(part == k) for k in range(spec.grids)]
            far = np.where(dry & (weight == 1), efforts.min(axis=0), -1)
            starved = int(np.argmin([len(land) for land in lands]))
            seeds = np.array([_middle(points, land, weight) if len(land) else seeds[k] for k, land in enumerate(lands)])
            if len(lands[starved]) < 0.3 * share[starved]:
                seeds[starved] = int(np.argmax(far))  # hemmed in: it starts again where nobody is near
            efforts = _efforts(inner, seeds)
        part, _ = balance(efforts, share, seeds=seeds, sizes=dry.astype(float), rounds=25)
        out.ravel()[own] = first + _whole(part, blocks.ravel()[own])
        first += spec.grids
    return np.where(village < 0, -1, connected(out))


def _whole(part: Ints, block: Ints) -> Ints:
    # a block of houses that two grids would share goes to the one that has most of it
    part = part.copy()
    for number in np.unique(block[block > 0]):
        inside = block == number
        part[inside] = np.argmax(np.bincount(part[inside]))
    return part


def _efforts(graph: csr_matrix, seeds: Ints) -> Floats:
    return np.stack([ways(graph, np.array([seed]))[0] for seed in seeds])


def _middle(points: Floats, cells: Ints, weight: Floats) -> int:
    # the cell nearest the weighted mean of the cells
    mass = weight[cells]
    mean = (points[cells] * mass[:, None]).sum(axis=0) / mass.sum()
    return int(cells[np.argmin(((points[cells] - mean) ** 2).sum(axis=1))])


def _centres(canvas: Canvas, cells: Ints, weight: Floats, block: Ints, count: int) -> Ints:
    # Lloyd's k-means on the cells, started with the farthest-first walk: compact beats of like weight. Two seeds in one
    # block of houses would share it between them: the second one moves away
    points = canvas.point_of(cells)
    chosen = [int(np.argmin(points[:, 0]))]
    gap = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < count:
        chosen.append(int(np.argmax(gap * weight)))
        gap = np.minimum(gap, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    centre = points[chosen]
    for _ in range(20):
        own = np.argmin(((points[:, None, :] - centre[None]) ** 2).sum(axis=2), axis=1)
        mass = np.maximum(np.bincount(own, weights=weight, minlength=count), 1e-9)
        centre = np.column_stack([np.bincount(own, weights=weight * points[:, k], minlength=count) / mass for k in (0, 1)])
    free = np.ones(len(cells), dtype=bool)
    seeds = []
    for place in centre:
        away = np.where(free, ((points - place) ** 2).sum(axis=1), np.inf)
        seeds.append(int(np.argmin(away)))
        taken = points[block == block[seeds[-1]]] if block[seeds[-1]] else points[seeds[-1:]]
        gap, _ = cKDTree(taken).query(points)
        free &= gap > _APART_M
    return np.array(seeds, dtype=np.int64)
