"""Kernel density beside KDEpy's FFTKDE and scikit-learn's KernelDensity, every result first held against direct sums."""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import shapely
from KDEpy import FFTKDE
from numpy.typing import NDArray
from sklearn.neighbors import KernelDensity

from gridgis import hotspots
from gridgis.hotspots.kernel_density import KERNELS, Kernel
from gridgis.lattice import Lattice

Floats = NDArray[np.float64]
BANDWIDTH_M, CELL_M = 1000.0, 100
BAR_S, SAME, FFT_TIMES, TREE_TIMES = 1.0, 1e-6, 1.5, 20.0
LOOKED_AT = 60
COLD: Final = (
    "import time; import numpy as np; from gridgis import hotspots;"
    "from gridgis.lattice import Lattice;"
    "grid = Lattice.covering((0, 0, 100_000, 100_000), 100, 'EPSG:4547');"
    "xy = np.random.default_rng(0).uniform(0, 100_000, (1_000_000, 2)); ready = time.perf_counter();"
    "hotspots.density(xy, lattice=grid, bandwidth_m=1000, kernel='{kernel}'); print(time.perf_counter() - ready)"
)


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows of the table."""
    side = 300 if quick else 1000
    rows = [_cold(kernel) for kernel in KERNELS]
    for kernel in KERNELS:
        xy = _city(side * side, side)
        rows += [_beside_fft(xy, side, kernel, quick), _beside_tree(xy, side, kernel)]
    for kernel in KERNELS:
        rows += [_growth(number, side, kernel) for number in ((30_000, 300_000) if quick else (100_000, 1_000_000, 4_000_000))]
        rows += [_growing_lattice(number, kernel) for number in ((100, 300) if quick else (300, 1000, 3000))]
    return [*rows, *_others(side)]


def _lattice(side: int) -> Lattice:
    return Lattice.covering((0, 0, side * CELL_M, side * CELL_M), CELL_M, "EPSG:4547")


def _city(number: int, side: int) -> Floats:
    """Half of the incidents in forty quarters, half all over, a tenth of all on snap points."""
    rng = np.random.default_rng(40)
    reach = side * CELL_M
    centres = rng.uniform(0.1 * reach, 0.9 * reach, (40, 2))
    heaps = centres[rng.integers(0, 40, number // 2)] + rng.normal(0, 0.02 * reach, (number // 2, 2))
    xy = np.concatenate([heaps, rng.uniform(0, reach, (number - number // 2, 2))]).clip(0, reach - 1e-3)
    snapped = rng.random(number) < 0.1
    xy[snapped] = np.round(xy[snapped], -2)
    return rng.permutation(xy).clip(0, reach - 1e-3)


def _direct(xy: Floats, grid: Lattice, cells: NDArray[np.int64], kernel: str, h: float) -> Floats:
    cx, cy = grid.centre(*grid.cell_of(cells))
    values = []
    for x, y in zip(cx, cy, strict=True):
        r2 = ((xy - (x, y)) ** 2).sum(axis=1) / h**2
        shape = np.exp(-r2 / 2) / (2 * math.pi) if kernel == "gaussian" else 3 / math.pi * np.clip(1 - r2, 0, None) ** 2
        values.append(1e6 * shape.sum() / h**2)
    return np.array(values)


def _error(xy: Floats, grid: Lattice, found: Floats, kernel: str) -> float:
    """Largest difference from direct sums at sampled cells, as a share of each value."""
    cells = np.random.default_rng(1).integers(0, found.size, LOOKED_AT)
    expected = _direct(xy, grid, cells, kernel, BANDWIDTH_M)
    known = expected > 0
    return float(np.abs(found.ravel()[cells][known] / expected[known] - 1).max())


def _beside_fft(xy: Floats, side: int, kernel: Kernel, quick: bool) -> dict[str, Any]:
    grid = _lattice(side)
    before = _peak()
    ours, found = _best(lambda: hotspots.density(xy, lattice=grid, bandwidth_m=BANDWIDTH_M, kernel=kernel))
    more = _peak() - before
    theirs, other = _best(lambda: _fft(xy, grid, kernel))
    error, their_error = _error(xy, grid, found, kernel), _error(xy, grid, other, kernel)
    ratio = theirs / ours
    return {
        "work": f"density, {kernel}, {side} × {side} cells, 1 km", "size": len(xy), "us_s": ours, "memory_mb": more or None,
        "peer": f"KDEpy FFTKDE (off by {their_error:.0e}; ours {error:.0e})", "peer_s": theirs, "ratio": ratio,
        "bar": f"≤ {BAR_S:g} s, ≤ {FFT_TIMES:g} × its time, ≤ 1e-6 from direct sums",
        "ok": bool(ours <= BAR_S and (quick or ratio >= 1 / FFT_TIMES) and error <= SAME),
    }  # fmt: skip


def _fft(xy: Floats, grid: Lattice, kernel: str) -> Floats:
    """Its grid must hold all points, so it gets one more ring of cells."""
    name, bandwidth = ("gaussian", BANDWIDTH_M) if kernel == "gaussian" else ("biweight", BANDWIDTH_M / math.sqrt(7))
    line = (np.arange(-1, grid.columns + 1) + 0.5) * grid.cell_m
    x, y = np.meshgrid(line, line, indexing="ij")
    made = FFTKDE(kernel=name, bw=bandwidth).fit(xy).evaluate(np.column_stack([x.ravel(), y.ravel()]))
    density = made.reshape(grid.columns + 2, grid.rows + 2)[1:-1, 1:-1].T[::-1]
    return np.asarray(density * (len(xy) * 1e6))


def _beside_tree(xy: Floats, side: int, kernel: Kernel) -> dict[str, Any]:
    """Its time for all cells from its time for a sample of them, and for its tree; it has no quartic, its own is as wide."""
    grid = _lattice(side)
    ours, found = _best(lambda: hotspots.density(xy, lattice=grid, bandwidth_m=BANDWIDTH_M, kernel=kernel))
    cells = np.random.default_rng(1).integers(0, found.size, LOOKED_AT)
    at = np.column_stack(grid.centre(*grid.cell_of(cells)))
    start = time.perf_counter()
    tree = KernelDensity(
        bandwidth=BANDWIDTH_M, kernel="gaussian" if kernel == "gaussian" else "epanechnikov", rtol=SAME / 10
    ).fit(xy)
    built = time.perf_counter()
    log = tree.score_samples(at)
    theirs = built - start + (time.perf_counter() - built) * found.size / LOOKED_AT
    error = _error(xy, grid, found, kernel)
    if kernel == "gaussian":
        error = max(error, float(np.abs(np.exp(log) * len(xy) * 1e6 / found.ravel()[cells] - 1).max()))
    ratio = theirs / ours
    return {
        "work": f"density, {kernel}, {side} × {side} cells, 1 km", "size": len(xy), "us_s": ours,
        "peer": f"scikit-learn KernelDensity, from {LOOKED_AT} cells", "peer_s": theirs, "ratio": ratio,
        "bar": f"≥ {TREE_TIMES:g} times, equal to 1e-6", "ok": bool(ratio >= TREE_TIMES and error <= SAME),
    }  # fmt: skip


def _growth(number: int, side: int, kernel: Kernel) -> dict[str, Any]:
    xy, grid = _city(number, side), _lattice(side)
    seconds, _ = _best(lambda: hotspots.density(xy, lattice=grid, bandwidth_m=BANDWIDTH_M, kernel=kernel), 2)
    return {"work": f"density, {kernel}, by points", "size": number, "us_s": seconds, "ok": None}


def _growing_lattice(side: int, kernel: Kernel) -> dict[str, Any]:
    xy, grid = _city(300_000, side), _lattice(side)
    seconds, _ = _best(lambda: hotspots.density(xy, lattice=grid, bandwidth_m=BANDWIDTH_M, kernel=kernel), 2)
    return {"work": f"density, {kernel}, 300,000 points, by cells", "size": side * side, "us_s": seconds, "ok": None}


def _others(side: int) -> list[dict[str, Any]]:
    """Edge correction, a wide bandwidth, adaptive bandwidths and relative risk, with a boundary of 20,000 edges."""
    xy, grid, reach = _city(side * side, side), _lattice(side), side * CELL_M
    turn = np.linspace(0, 2 * math.pi, 20_000, endpoint=False)
    radius = reach * (0.42 + 0.05 * np.sin(23 * turn) + 0.005 * np.sin(997 * turn))
    area = shapely.Polygon(np.column_stack([reach / 2 + radius * np.cos(turn), reach / 2 + radius * np.sin(turn)]))
    rows = []
    works: list[tuple[str, Callable[[], Floats]]] = [
        (
            "density, quartic, edge of 20,000 segments",
            lambda: hotspots.density(xy, lattice=grid, bandwidth_m=BANDWIDTH_M, area=area),
        ),
        ("density, quartic, 10 km", lambda: hotspots.density(xy, lattice=grid, bandwidth_m=10_000.0)),
        ("density, adaptive", lambda: hotspots.adaptive_density(xy, lattice=grid, bandwidth_m=BANDWIDTH_M)),
        ("relative risk", lambda: hotspots.relative_risk(xy[:100_000], xy, lattice=grid, bandwidth_m=BANDWIDTH_M)),
    ]
    for name, work in works:
        seconds, _ = _best(work, 2)
        rows.append({"work": name, "size": len(xy), "us_s": seconds, "ok": None})
    return rows


def _cold(kernel: Kernel) -> dict[str, Any]:
    """The first call ever on a machine: compiling included."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", COLD.format(kernel=kernel)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "NUMBA_CACHE_DIR": folder})
        again = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "NUMBA_CACHE_DIR": folder})
    first, second = (float(out.stdout.split()[0]) for out in (told, again))
    return {
        "work": f"density, {kernel}, first call ever (compiles)", "size": 1_000_000, "us_s": first,
        "peer": "first call of the next process", "peer_s": second, "ok": None,
    }  # fmt: skip


def _best(work: Callable[[], Floats], times: int = 3) -> tuple[float, Floats]:
    best, result = math.inf, np.zeros(0)
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def _peak() -> float:
    """Peak memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
