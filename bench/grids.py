"""Unit grids beside geopandas.overlay, areas beside pyproj, shared borders beside shapely; a district and a whole city."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridgis.cutting import cut
from gridgis.grids import unit_grid
from gridgis.lattice import Lattice
from gridgis.measure import cell_area, ellipsoidal_area
from gridgis.merging import shapes_of
from gridgis.tasks.gridding import grid_file
from gridgis.topology import cover, shared_borders

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "beijing_subdistricts"
DISTRICT_BAR_S = 1.5
CUT_BAR = 5.0
CITY_BAR_S, CITY_BAR_MB = 40.0, 4096.0
SAME = 1e-6


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows of the table."""
    with tempfile.TemporaryDirectory() as folder:
        district = _district(Path(folder))
        rows = [_file(district, Path(folder)), _cutting(district), _cell_areas(quick), _borders(district)]
        if not quick and (city := SHARED / "beijing_343_subdistricts.gpkg").exists():
            rows.append(_city(city, Path(folder)))
    return rows


def _district(folder: Path) -> Path:
    """Haidian, or 29 random territories of its size where the shared data is missing."""
    if (file := SHARED / "haidian-all.geojson").exists():
        return file
    rng = np.random.default_rng(29)
    ground = shapely.Point(440_000, 4_430_000).buffer(11_700, quad_segs=200)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(rng.normal((440_000, 4_430_000), 5000, (29, 2)))))
    shapes = shapely.segmentize(shapely.intersection(cells, ground), 150)
    index = pd.Index([f"1101080{i:02d}000" for i in range(29)], name="code")
    file = folder / "district.gpkg"
    gpd.GeoDataFrame(geometry=shapes, index=index, crs=4548).to_file(file)
    return file


def _areas(file: Path) -> gpd.GeoDataFrame:
    frame = gpd.read_file(file).to_crs(4548)
    return cover(frame.set_index(frame["code"].astype(str))[["geometry"]].sort_index()).frame


def _file(file: Path, folder: Path) -> dict[str, Any]:
    seconds = _best(lambda: grid_file(file, folder / "cells.gpkg", code="long"))
    result = grid_file(file, folder / "cells.gpkg", code="long").to_json()
    good = seconds <= DISTRICT_BAR_S and result["area_m2"]["within"]["share"] >= 0.99
    return {
        "work": "unit grids of a district, file to file", "size": result["parts"], "us_s": seconds, "memory_mb": _peak(),
        "bar": f"≤ {DISTRICT_BAR_S} s, ≥ 99 % of cells within 5,000–15,000 m²", "ok": good,
    }  # fmt: skip


def _cutting(file: Path) -> dict[str, Any]:
    areas = _areas(file)
    shapes = areas.geometry.to_numpy()
    lattice = Lattice.covering(areas.total_bounds.tolist(), 100, 4548)
    pieces = cut(shapes, lattice)
    ours = _best(lambda: shapes_of(cut(shapes, lattice), lattice))
    cells = np.arange(lattice.rows * lattice.columns)
    boxes = gpd.GeoDataFrame({"cell": cells}, geometry=lattice.boxes(*lattice.cell_of(cells)), crs=4548)
    owners = gpd.GeoDataFrame({"owner": range(len(areas))}, geometry=shapes, crs=4548)

    def overlay() -> gpd.GeoDataFrame:
        return gpd.overlay(boxes, owners, how="intersection", keep_geom_type=True)

    theirs = _best(overlay, 2)
    expected = overlay().assign(m2=lambda f: f.area).groupby(["owner", "cell"])["m2"].sum()
    found = pd.DataFrame({"owner": pieces.owner, "cell": lattice.flat(pieces.row, pieces.column)})
    sums = found.assign(m2=shapely.area(shapes_of(pieces, lattice))).groupby(["owner", "cell"])["m2"].sum()
    difference = (sums - expected.reindex(sums.index, fill_value=0.0)).abs().max() / 10_000
    lost = expected[~expected.index.isin(sums.index)].sum() / 10_000
    ratio = theirs / ours
    return {
        "work": "cutting 29 areas by a lattice", "size": len(pieces), "us_s": ours, "peer": "geopandas.overlay",
        "peer_s": theirs, "ratio": ratio, "bar": f"≥ {CUT_BAR:g} times, areas equal to 1e-6",
        "ok": bool(ratio >= CUT_BAR and difference < SAME and lost < SAME),
    }  # fmt: skip


def _cell_areas(quick: bool) -> dict[str, Any]:
    count = 160_000 if quick else 1_600_000
    rng = np.random.default_rng(1)
    x, y = (np.round(low + rng.random(count) * 200_000, -2) for low in (400_000, 4_380_000))
    cells = gpd.GeoSeries(shapely.box(x, y, x + 100, y + 100), crs=4548)
    ours, theirs = _best(lambda: cell_area(cells), 2), _best(lambda: ellipsoidal_area(cells), 1)
    difference = (cell_area(cells) / ellipsoidal_area(cells) - 1).abs().max()
    return {
        "work": "ellipsoidal area of cells", "size": count, "us_s": ours, "peer": "pyproj.Geod", "peer_s": theirs,
        "ratio": theirs / ours, "bar": "equal to 1e-8", "ok": bool(difference < 1e-8),
    }  # fmt: skip


def _borders(file: Path) -> dict[str, Any]:
    cells = unit_grid(_areas(file), code="long").cells
    shapes = cells.geometry.to_numpy()

    def by_intersection() -> float:
        left, right = shapely.STRtree(shapes).query(shapes, predicate="touches")
        once = left < right
        return float(shapely.length(shapely.intersection(shapes[left[once]], shapes[right[once]])).sum())

    ours, theirs = _best(lambda: shared_borders(cells)), _best(by_intersection, 1)
    same = abs(shared_borders(cells)["length_m"].sum() / by_intersection() - 1) < SAME
    return {
        "work": "shared borders of cells", "size": len(cells), "us_s": ours, "peer": "shapely.intersection", "peer_s": theirs,
        "ratio": theirs / ours, "bar": "lengths equal to 1e-6", "ok": bool(same),
    }  # fmt: skip


def _city(file: Path, folder: Path) -> dict[str, Any]:
    begun = time.perf_counter()
    result = grid_file(file, folder / "city.gpkg", code="long", layer="subdistricts")
    seconds, memory = time.perf_counter() - begun, _peak()
    return {
        "work": "unit grids of a city, file to file", "size": result.grid.report.parts, "us_s": seconds, "memory_mb": memory,
        "bar": f"≤ {CITY_BAR_S:g} s, ≤ 4 GB", "ok": seconds <= CITY_BAR_S and memory <= CITY_BAR_MB,
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
