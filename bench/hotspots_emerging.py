"""Emerging hot spots beside pyehsa, trends beside pymannkendall; the cube and the hours on a million incidents."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pymannkendall
from pyehsa.emerging_hotspot_analysis import EmergingHotspotAnalysis
from pyehsa.gi_star import GiStar
from pyehsa.mann_kendall import MannKendall
from pyehsa.spatial_weights import SpatialWeights

from gridgis import hotspots
from gridgis.hotspots.cells import CellSet, cells_around

CELL_M, BAND_M = 100, 150.0
BAR_S = 10.0
SAME = 1e-9


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows of the table."""
    rows = [_first_call(), _beside_pyehsa(quick)]
    rows += [_permuted(side) for side in ((50, 100) if quick else (50, 100, 200))]
    rows += [_trends(300 if quick else 2000), _cube(100_000 if quick else 1_000_000), _hours(100_000 if quick else 1_000_000)]
    return rows


def _square(side: int) -> CellSet:
    last = side * CELL_M - CELL_M / 2
    return cells_around([0, last], [0, last], cell_m=CELL_M, crs="EPSG:4547")


def _counts(side: int, periods: int) -> np.ndarray[Any, Any]:
    """Noise with one block that is hot throughout and one that heats up."""
    rng = np.random.default_rng(side)
    mean = np.full((periods, side, side), 3.0)
    block = side // 5
    mean[:, :block, :block] += 6
    mean[:, -block:, -block:] += np.linspace(0, 12, periods)[:, None, None]
    return rng.poisson(mean)


def _best(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    best, result = float("inf"), None
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def _first_call() -> dict[str, Any]:
    """What the first call in a process costs: loading (or, the very first time, compiling) the loops."""
    cells, counts = _square(20), _counts(20, 12)
    seconds, _ = _best(lambda: hotspots.emerging(cells, counts, band_m=BAND_M), 1)
    return {"work": "emerging, first call in a process (loads compiled loops)", "size": 4800, "us_s": seconds, "ok": None}


def _beside_pyehsa(quick: bool) -> dict[str, Any]:
    """225 cells, 12 periods; Gi* of each period alone and its trends compared, where definitions agree."""
    side, periods, draws = 15, 12, 9 if quick else 99
    cells, counts = _square(side), _counts(side, periods)
    frame = _pyehsa_frame(cells, counts)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        weights = SpatialWeights.calculate_spatial_weights(frame, "region")
        judge = GiStar.calculate_gi_star_spacetime(frame, weights, "region", "time", "value", k=0, nsim=1)
        start = time.perf_counter()
        EmergingHotspotAnalysis.emerging_hotspot_analysis(frame, "region", "time", "value", k=1, nsim=draws)
        peer_s = time.perf_counter() - start
    alone = hotspots.emerging(cells, counts, band_m=BAND_M, periods_back=0, reference="window")
    gi = judge["gi"].to_numpy().reshape(counts.shape)
    trends = np.array([MannKendall.mann_kendall_test(series)["sl"] for series in alone.z.reshape(periods, -1).T])
    difference = max(np.abs(gi - alone.z).max(), np.abs(trends - hotspots.mann_kendall(alone.z).p.ravel()).max())
    us_s, _ = _best(
        lambda: hotspots.emerging(cells, counts, band_m=BAND_M, permutations=draws, rng=np.random.default_rng(1)),
    )
    return {
        "work": f"emerging, 225 cells × 12 periods, {draws} permutations; Gi* and trends differ by {difference:.0e}",
        "size": counts.size,
        "us_s": us_s,
        "peer": "pyehsa",
        "peer_s": peer_s,
        "ratio": peer_s / us_s,
        "bar": f"≤ {SAME:g}",
        "ok": bool(difference <= SAME),
    }


def _pyehsa_frame(cells: CellSet, counts: np.ndarray[Any, Any]) -> gpd.GeoDataFrame:
    names = [f"{number:04d}" for number in range(cells.size)]
    # pyehsa takes degrees; only which squares touch matters to it
    shapes = list(cells.lattice.boxes(*cells.places()))
    tables = [
        pd.DataFrame({"region": names, "time": period, "value": layer.ravel().astype(float), "geometry": shapes})
        for period, layer in enumerate(counts)
    ]
    return gpd.GeoDataFrame(pd.concat(tables, ignore_index=True), geometry="geometry", crs=4326)


def _permuted(side: int) -> dict[str, Any]:
    cells, counts = _square(side), _counts(side, 36)
    hotspots.emerging(cells, counts, band_m=BAND_M)
    us_s, found = _best(lambda: hotspots.emerging(cells, counts, band_m=BAND_M, permutations=999, rng=np.random.default_rng(1)))
    block = side // 5
    inner = found.pattern[1 : block - 1, 1 : block - 1]
    planted = float(np.mean(np.isin(inner, [hotspots.PATTERNS[code].code for code in (5, 7, 9)])))
    barred = side == 100
    return {
        "work": "emerging, 36 periods, 999 permutations",
        "size": counts.size,
        "us_s": us_s,
        "bar": f"≤ {BAR_S:g} s" if barred else None,
        "ok": (us_s <= BAR_S and planted > 0.95) if barred else None,
    }


def _trends(series: int) -> dict[str, Any]:
    values = np.random.default_rng(2).poisson(3.0, (36, series)).astype(float)
    us_s, found = _best(lambda: (hotspots.mann_kendall(values), hotspots.sen_slope(values)))
    peer_s, judged = _best(lambda: [pymannkendall.original_test(values[:, one]) for one in range(series)], 1)
    difference = max(
        np.abs(found[0].p - [test.p for test in judged]).max(), np.abs(found[1] - [test.slope for test in judged]).max()
    )
    return {
        "work": f"Mann-Kendall and Sen's slope, 36 periods; differ by {difference:.0e}",
        "size": series * 36,
        "us_s": us_s,
        "peer": "pymannkendall",
        "peer_s": peer_s,
        "ratio": peer_s / us_s,
        "bar": f"≤ {SAME:g}",
        "ok": bool(difference <= SAME),
    }


def _cube(points: int) -> dict[str, Any]:
    """Beside pandas: group by cell and month."""
    rng = np.random.default_rng(3)
    cells = _square(100)
    x, y = rng.uniform(0, 10_000, (2, points))
    days = rng.integers(1_704_038_400, 1_798_732_800, points)  # 2024, 2025 and 2026 in Shanghai
    times = pd.DatetimeIndex(pd.to_datetime(days, unit="s", utc=True))
    us_s, made = _best(lambda: hotspots.cube(cells, x, y, times, zone="Asia/Shanghai"))

    def grouped() -> pd.Series:
        local = times.tz_convert("Asia/Shanghai")
        keys = {"month": local.year * 12 + local.month, "row": 99 - y // CELL_M, "column": x // CELL_M}
        return pd.DataFrame(keys).groupby(["month", "row", "column"]).size()

    peer_s, judge = _best(grouped)
    month, row, column = (judge.index.get_level_values(name).to_numpy().astype(int) for name in ("month", "row", "column"))
    expected = np.zeros((36, 100, 100))
    expected[month - 2024 * 12 - 1, row, column] = judge.to_numpy()
    return {
        "work": "space-time cube, 10,000 cells × 36 months",
        "size": points,
        "us_s": us_s,
        "peer": "pandas groupby",
        "peer_s": peer_s,
        "ratio": peer_s / us_s,
        "bar": "equal",
        "ok": bool(np.array_equal(made.counts, expected)),
    }


def _hours(intervals: int) -> dict[str, Any]:
    rng = np.random.default_rng(4)
    start = pd.DatetimeIndex(pd.to_datetime(rng.integers(1_600_000_000, 1_700_000_000, intervals), unit="s", utc=True))
    until = start + pd.to_timedelta(rng.integers(0, 48 * 3600, intervals), unit="s")
    us_s, found = _best(lambda: hotspots.when(start, zone="Europe/London", until=until))
    return {
        "work": "hours of intervals up to two days, totals conserved",
        "size": intervals,
        "us_s": us_s,
        "bar": "total to 1e-9",
        "ok": bool(abs(found.by_hour["count"].sum() / intervals - 1) <= SAME),
    }
