"""Gi* and Moran's I beside geopandas, libpysal and esda; how time grows to a hundred million cells; compiling told apart."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import esda
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from libpysal.graph import Graph
from scipy import ndimage

from gridgis import hotspots
from gridgis.hotspots import Band, CellSet
from gridgis.lattice import Lattice

CRS = "EPSG:4547"
CELL_M = 100
BAND_M = 150.0
SAME = 1e-9
COUNT_BAR_S, COUNT_RATIO = 0.5, 500.0
HUGE_BAR_S, HUGE_BAR_MB = 5.0, 2048.0
PERMUTE_BAR_S = 2.0
# how far apart two sets of 999 random permutations may put p on average
P_NEAR = 0.03

# run in a fresh process: seconds from points to classes, the first time and the second
FIRST = """
import time, numpy as np
from gridgis import hotspots
from bench.hotspots_gi import cell_set
x, y = np.random.default_rng(1).random((2, 1_000_000)) * 40_000
cells = cell_set(400, 400)
for _ in range(2):
    begun = time.perf_counter()
    hotspots.gi(cells, hotspots.count(cells, x, y), band_m=150.0)
    print(time.perf_counter() - begun)
"""


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows of the table."""
    warnings.simplefilter("ignore")
    huge = [1_000, 3_162] if quick else [1_000, 3_162, 10_000]
    return [
        *(_huge(side) for side in huge),  # first: the peak of memory is the process's
        _points(quick),
        *_first_calls(),
        _permutations(quick),
        _polygons(quick, "touching"),
        _polygons(quick, "within"),
        _moran(quick),
    ]


def cell_set(rows: int, columns: int) -> CellSet:
    """A lattice of that shape, every cell there."""
    lattice = Lattice.covering((0, 0, columns * CELL_M, rows * CELL_M), CELL_M, CRS)
    return CellSet(lattice, np.ones((rows, columns), dtype=np.bool_))


def _huge(side: int) -> dict[str, Any]:
    """Gi* alone; scipy's convolution of the same field is the judge, on a part of it."""
    values = np.random.default_rng(side).integers(0, 5, (side, side)).astype(np.float64)
    mask, z = np.ones(values.shape, dtype=np.bool_), np.zeros(values.shape)
    hotspots.gi_star(values[:50], mask[:50], Band(CELL_M, BAND_M))  # compiled
    before = _peak()
    seconds = _best(lambda: hotspots.gi_star(values, mask, Band(CELL_M, BAND_M), out=z), 3)
    memory = _peak() - before
    part = min(side, 2_000)
    same = _convolved(values, part) - z[:part, :part]
    reach = slice(0, part - 1 if part < side else part)  # the last line of a part has neighbours beyond it
    difference = float(abs(same[reach, reach]).max())
    large = side == 10_000
    good = difference < SAME and (not large or (seconds <= HUGE_BAR_S and memory <= HUGE_BAR_MB))
    return {
        "work": "Gi* of every cell", "size": side * side, "us_s": seconds, "memory_mb": memory, "ok": good,
        "bar": f"{'≤ 5 s, ≤ 2 GB beyond input and output, ' if large else ''}max difference {difference:.0e}",
    }  # fmt: skip


def _convolved(values: np.ndarray[Any, Any], part: int) -> np.ndarray[Any, Any]:
    n, mean, deviation = values.size, values.mean(), values.std()
    queen = np.ones((3, 3))
    sums = ndimage.convolve(values[:part, :part], queen, mode="constant")
    size = ndimage.convolve(np.ones((part, part)), queen, mode="constant")
    return np.asarray((sums - mean * size) / (deviation * np.sqrt((n * size - size**2) / (n - 1))))


def _points(quick: bool) -> dict[str, Any]:
    side, number = (100, 100_000) if quick else (400, 1_000_000)
    cells = cell_set(side, side)
    x, y = np.random.default_rng(1).random((2, number)) * side * CELL_M

    def ours() -> hotspots.LatticeResult:
        return hotspots.gi(cells, hotspots.count(cells, x, y), band_m=BAND_M)

    found, seconds = ours(), _best(ours)
    begun = time.perf_counter()
    squares = gpd.GeoDataFrame(geometry=cells.lattice.boxes(*cells.places()), crs=CRS)
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs=CRS)
    counted = gpd.sjoin(points, squares, predicate="within")["index_right"].value_counts()
    counts = counted.reindex(squares.index, fill_value=0).to_numpy(dtype=float)
    judged = _judge(squares, counts)
    q = scipy_fdr(2 * judged.p_norm)
    theirs = time.perf_counter() - begun
    difference = float(abs(found.z.ravel() - judged.Zs).max())
    counted_here = hotspots.count(cells, x, y)
    same = difference < SAME and np.array_equal(counts, np.ravel(counted_here)) and abs(q - found.q.ravel()).max() < SAME
    return {
        "work": "points to cells: count, Gi*, FDR", "size": number, "us_s": seconds, "peer": "geopandas + libpysal + esda",
        "peer_s": theirs, "ratio": theirs / seconds,
        "bar": f"≤ {COUNT_BAR_S} s, ≥ {COUNT_RATIO:g} times, max difference {difference:.0e}",
        "ok": bool(same and seconds <= COUNT_BAR_S and (quick or theirs / seconds >= COUNT_RATIO)),
    }  # fmt: skip


def scipy_fdr(p: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Benjamini–Hochberg as scipy has it."""
    from scipy import stats

    return np.asarray(stats.false_discovery_control(np.minimum(p, 1.0)))


def _judge(frame: gpd.GeoDataFrame, values: np.ndarray[Any, Any], permutations: int = 0) -> Any:
    """Esda's Gi* with libpysal's distance band: the faster of its two kinds of weights."""
    centres = gpd.GeoDataFrame(geometry=frame.centroid, index=frame.index, crs=frame.crs)
    weights = Graph.build_distance_band(centres, BAND_M, binary=True).assign_self_weight()
    return esda.G_Local(
        values, weights, transform="B", star=True, permutations=permutations, n_jobs=1, seed=1, keep_simulations=permutations > 0
    )


def _first_calls() -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for work in ("compiling all loops", "loops compiled earlier"):
            told = subprocess.run(
                [sys.executable, "-c", FIRST], env={**os.environ, "NUMBA_CACHE_DIR": folder},
                capture_output=True, text=True, check=True,
            ).stdout.split()  # fmt: skip
            rows.append({
                "work": f"the same, first call of a process, {work}", "size": 1_000_000, "us_s": float(told[0]),
                "bar": f"told; second call {float(told[1]):.3f} s", "ok": None,
            })  # fmt: skip
    return rows


def _permutations(quick: bool) -> dict[str, Any]:
    rows, columns = (50, 40) if quick else (250, 200)
    cells = cell_set(rows, columns)
    counts = np.random.default_rng(3).poisson(2.0, (rows, columns)).astype(float)

    def ours() -> hotspots.LatticeResult:
        return hotspots.gi(cells, counts, band_m=BAND_M, permutations=999, rng=np.random.default_rng(1))

    found, seconds = ours(), _best(ours)
    squares = cells.frame({"count": counts})
    _judge(squares.iloc[:400], counts.ravel()[:400], 99)  # esda compiles too
    begun = time.perf_counter()
    judged = _judge(squares, counts.ravel(), 999)
    theirs = time.perf_counter() - begun
    total, values = counts.sum(), counts.ravel()
    others = hotspots.neighbour_count(cells.mask, found.band).ravel() - 1
    middle = (values + others * (total - values) / (counts.size - 1)) / total  # what permutation expects of Gi*
    far = abs(judged.sim - middle) >= abs(judged.Gs - middle) - 1e-12
    difference = float(abs((far.sum(axis=0) + 1) / 1000 - found.p.ravel()).mean())
    return {
        "work": "Gi* with 999 permutations", "size": rows * columns, "us_s": seconds, "peer": "libpysal + esda, n_jobs=1",
        "peer_s": theirs, "ratio": theirs / seconds, "bar": f"≤ {PERMUTE_BAR_S:g} s; p apart by {difference:.3f} on average",
        "ok": bool(seconds <= PERMUTE_BAR_S and difference < P_NEAR),
    }  # fmt: skip


def _polygons(quick: bool, kind: str) -> dict[str, Any]:
    number = 5_000 if quick else 50_000
    rng = np.random.default_rng(5)
    side = number**0.5 * CELL_M
    places = shapely.MultiPoint(rng.random((number, 2)) * side)
    shapes = shapely.get_parts(shapely.voronoi_polygons(places, extend_to=shapely.box(0, 0, side, side)))
    frame = gpd.GeoDataFrame(geometry=shapes, index=pd.RangeIndex(len(shapes)), crs=CRS)
    values = pd.Series(rng.poisson(3.0, len(frame)).astype(float), index=frame.index)

    def ours() -> pd.DataFrame:
        if kind == "touching":
            return hotspots.gi_polygons(frame, values, neighbours=hotspots.touching(frame))
        return hotspots.gi_polygons(frame, values, band_m=BAND_M)

    def judge() -> Any:
        if kind == "touching":
            weights = Graph.build_contiguity(frame, rook=False).assign_self_weight()
            return esda.G_Local(values.to_numpy(), weights, transform="B", star=True, permutations=0)
        return _judge(frame, values.to_numpy())

    found, judged = ours(), judge()
    seconds, theirs = _best(ours), _best(judge, 1)
    difference = float(abs(found["gi_z"].to_numpy() - judged.Zs).max())
    named = "neighbours touch" if kind == "touching" else "neighbours within a distance"
    return {
        "work": f"Gi* of polygons, {named}", "size": len(frame), "us_s": seconds, "peer": "libpysal + esda", "peer_s": theirs,
        "ratio": theirs / seconds, "bar": f"ahead, max difference {difference:.0e}",
        "ok": bool(difference < SAME and theirs > seconds),
    }  # fmt: skip


def _moran(quick: bool) -> dict[str, Any]:
    rows, columns = (50, 40) if quick else (250, 200)
    cells = cell_set(rows, columns)
    counts = np.random.default_rng(7).poisson(2.0, (rows, columns)).astype(float)

    def ours() -> hotspots.MoranResult:
        return hotspots.moran(cells, counts, band_m=BAND_M)

    def judge() -> tuple[Any, Any]:
        x, y = cells.lattice.centre(*cells.places())
        centres = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs=CRS)
        weights = Graph.build_distance_band(centres, BAND_M, binary=True)
        values = counts.ravel()
        return esda.Moran(values, weights, permutations=0), esda.Moran_Local(values, weights, permutations=0)

    found, (whole, local) = ours(), judge()
    seconds, theirs = _best(ours), _best(judge, 1)
    difference = max(abs(found.z - whole.z_rand), float(abs(found.local_i.ravel() - local.Is).max()))
    return {
        "work": "Moran's I, whole map and local", "size": rows * columns, "us_s": seconds, "peer": "libpysal + esda",
        "peer_s": theirs, "ratio": theirs / seconds, "bar": f"ahead, max difference {difference:.0e}",
        "ok": bool(difference < SAME and theirs > seconds),
    }  # fmt: skip


def _best(work: Callable[[], object], times: int = 3) -> float:
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
