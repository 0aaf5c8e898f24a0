"""Redraw: one edit with all rules and figures, a plan read again, two states compared, a plan published."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.redraw.operations import Split
from gridgis.store import create_workspace
from gridgis.tasks import plan_state, plans, redraw_diff, redrawing

CRS: Final = "EPSG:4547"
AREA: Final = "420000100201"
X0, Y0, SIDE_M = 500_000.0, 3_360_000.0, 10_000.0
EDIT_BAR_S: Final = 0.3
DIFF_BAR_S: Final = 2.0
Row = dict[str, Any]


def town(count: int, *, edge_m: float, seed: int = 1) -> gpd.GeoDataFrame:
    """Voronoi cells of a square with a vertex every `edge_m`, the inner ones pushed about alike on both sides."""
    rng = np.random.default_rng(seed)
    square = shapely.box(X0, Y0, X0 + SIDE_M, Y0 + SIDE_M)
    points = shapely.MultiPoint(rng.random((count, 2)) * SIDE_M + (X0, Y0))
    cells = shapely.intersection(shapely.get_parts(shapely.voronoi_polygons(points, extend_to=square)), square)
    dense = shapely.segmentize(cells, edge_m)
    places, at = np.unique(np.round(shapely.get_coordinates(dense), 3), axis=0, return_inverse=True)
    low, high = (X0 + 0.01, Y0 + 0.01), (X0 + SIDE_M - 0.01, Y0 + SIDE_M - 0.01)
    inner = shapely.contains_xy(shapely.box(*low, *high), places)
    pushed = np.round(places + np.where(inner[:, None], rng.uniform(-2, 2, places.shape), 0.0), 3)
    shapes = shapely.set_coordinates(dense, pushed[at.ravel()])
    codes = pd.Index([f"{AREA}G{number:03d}" for number in range(1, count + 1)], name="code")
    columns = {"name": list(codes), "area_code": AREA, "state": "valid", "population": 1000.0, "households": 350.0}
    return gpd.GeoDataFrame(columns, geometry=shapes, index=codes, crs=CRS)


def run(quick: bool) -> list[Row]:
    """All rows; that nothing was lost is checked before times are."""
    grids = town(100 if quick else 623, edge_m=22.0)
    vertices = len(np.unique(shapely.get_coordinates(grids.geometry.to_numpy()), axis=0))
    ground = shapely.coverage_union_all(grids.geometry.to_numpy())
    home = gpd.GeoDataFrame(
        {"name": ["bench"], "level": ["village"]}, geometry=[ground], index=pd.Index([AREA], name="code"), crs=CRS
    )
    with tempfile.TemporaryDirectory() as folder, create_workspace(Path(folder) / "town.gpkg", crs=CRS) as ws:
        with ws.write(who="bench", why="bench") as write:
            write.upsert("areas", home)
            write.upsert("grids", grids)
        facts = plan_state.gather(ws, AREA)
        spent, state, whole = [], None, True
        for code in grids.index[:: max(1, len(grids) // 60)]:
            west, south, east, north = grids.geometry[code].bounds
            line = ((west - 1, (south + north) / 2), (east + 1, (south + north) / 2))
            begun = time.perf_counter()
            report = redrawing.edit(ws, Split(code, line), plan="default", who="b", why="b", state=state, facts=facts)
            spent.append(time.perf_counter() - begun)
            state = report.state
            sums = report.to_json()["conserved"]["population"]
            whole &= sums["before"] == sums["after"] == 1000 * len(grids)
        edit_s = float(np.median(spent[1:]))
        again, load_s = _timed(lambda: plan_state.load(ws, "default"))
        whole &= again.areas[AREA].rows == (state.areas[AREA].rows if state else {})
        found, diff_s = _timed(lambda: redraw_diff.diff(ws, redraw_diff.LIVE, "default"))
        whole &= bool(np.isclose(*found.found.totals.loc["area_m2", ["before", "after"]]))
        _, publish_s = _timed(lambda: plans.publish(ws, "default", on=dt.date(2026, 1, 1), who="b"))
    differ = len(found.found.grids)
    rows = [
        (f"redraw: an edit of {len(grids)} grids, rules, figures, commit", edit_s, EDIT_BAR_S),
        ("redraw: a plan read again", load_s, None),
        (f"redraw: plan against live, {differ} grids differ", diff_s, DIFF_BAR_S),
        ("redraw: a plan published", publish_s, None),
    ]
    return [
        {"work": work, "size": vertices, "us_s": spent_s, "ok": whole and (bar is None or spent_s <= bar)}
        | ({} if bar is None else {"bar": f"≤ {bar} s"})
        for work, spent_s, bar in rows
    ]


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun
