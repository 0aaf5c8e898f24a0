"""Coverage, natural villages, zonal population, point counting: beside geopandas, exactextract, rasterstats, DuckDB, PostGIS."""

from __future__ import annotations

import gc
import importlib.util
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gridgis.apportion import Raster, count_points, zonal_sum
from gridgis.counts import from_buildings
from gridgis.coverage import coverage
from gridgis.villages import natural_villages

CRS: Final = "EPSG:4547"
X0, Y0 = 500_000.0, 3_366_000.0
SIDE_M: Final = 250.0
RASTERSTATS_BAR: Final = 2.0
SJOIN_BAR: Final = 0.7
Row = dict[str, Any]
Floats = NDArray[Any]
T = TypeVar("T")


def run(quick: bool) -> list[Row]:
    """All rows; results are compared before times are."""
    grids = city(30 if quick else 100)
    houses = hamlets(5_000 if quick else 300_000, span=float(grids.total_bounds[2] - X0))
    rows = _coverage(grids, houses)
    rows += _villages([2_000, 10_000] if quick else [10_000, 100_000])
    rows += _zonal(grids, 300 if quick else 2_000, quick=quick)
    rows += _counting(grids, houses, quick=quick)
    return rows


def city(columns: int) -> gpd.GeoDataFrame:
    """Management grids of 250 m with wavy common borders, columns × columns."""
    columns_, rows_ = (axis.ravel() for axis in np.meshgrid(np.arange(columns), np.arange(columns)))
    steps = np.linspace(0, 1, 8, endpoint=False)[None, :]

    def border(column: Floats, row: Floats, across: int) -> Floats:
        """Points along a cell's southern (across = 1) or western side, its far end left out."""
        x, y = (column[:, None] + steps * across) * SIDE_M, (row[:, None] + steps * (1 - across)) * SIDE_M
        wave = 8 * np.sin((x + 2 * y) / 40) * (steps > 0)
        return np.stack([x + wave * (1 - across), y + wave * across], axis=-1)

    def back(column: Floats, row: Floats, across: int, corner: tuple[int, int]) -> Floats:
        """The same line from its far end, its near end left out."""
        end = np.stack([(columns_ + corner[0]) * SIDE_M, (rows_ + corner[1]) * SIDE_M], axis=-1)[:, None, :]
        return np.concatenate([end, border(column, row, across)[:, :0:-1]], axis=1)

    south, east = border(columns_, rows_, 1), border(columns_ + 1, rows_, 0)
    north, west = back(columns_, rows_ + 1, 1, (1, 1)), back(columns_, rows_, 0, (0, 1))
    rings = np.concatenate([south, east, north, west], axis=1) + np.array([X0, Y0])
    return gpd.GeoDataFrame(index=[f"G{i:05d}" for i in range(len(rings))], geometry=shapely.polygons(rings), crs=CRS)


def hamlets(count: int, *, span: float = 30_000.0, seed: int = 1) -> gpd.GeoDataFrame:
    """Houses in hamlets of about fifty, with people."""
    rng = np.random.default_rng(seed)
    middles = rng.uniform(0, span, (max(count // 50, 1), 2))
    places = middles[rng.integers(0, len(middles), count)] + rng.normal(0, 120, (count, 2)) + np.array([X0, Y0])
    half = rng.uniform(4, 8, (count, 2))
    low, high = places - half, places + half
    shapes = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    return gpd.GeoDataFrame({"population": rng.integers(0, 7, count)}, geometry=shapes, crs=CRS)


def _coverage(grids: gpd.GeoDataFrame, houses: gpd.GeoDataFrame) -> list[Row]:
    # the town leaves out the outermost grids' far halves, and every hundredth grid is drawn twice, shifted by 20 m
    left, bottom, right, top = grids.total_bounds
    town = gpd.GeoDataFrame(index=["town"], geometry=[shapely.box(left + 125, bottom + 125, right - 125, top - 125)], crs=CRS)
    half = len(grids) // 2
    shapes = np.concatenate([grids.geometry.iloc[:half], shapely.transform(grids.geometry.to_numpy()[::100], lambda xy: xy + 20)])
    running = gpd.GeoDataFrame(index=[f"R{i:05d}" for i in range(len(shapes))], geometry=shapes, crs=CRS)

    def ours() -> tuple[float, float]:
        figures = coverage(town, running, population=from_buildings(houses, "population")).figures["town"]
        return figures["area"].covered or 0.0, figures["population"].covered or 0.0

    def geopandas_way() -> tuple[float, float]:
        covered = shapely.intersection(running.union_all(), town.geometry.iloc[0])
        ground = gpd.GeoDataFrame(geometry=[covered], crs=CRS)
        geod = pyproj.CRS(4490).get_geod()
        area = 0.0
        if geod is not None:
            area = abs(geod.geometry_area_perimeter(shapely.normalize(ground.to_crs(4490).geometry.iloc[0]))[0])
        points = houses.set_geometry(houses.representative_point())
        return area, float(gpd.sjoin(points, ground, predicate="within")["population"].sum())

    seconds, mine = best(ours)
    peer_s, theirs = best(geopandas_way, times=1)
    same = close(mine[0], theirs[0], 1e-6) and mine[1] == theirs[1]
    work = f"coverage, area and people, {len(houses):,} houses"
    rows = [_row(work, seconds, "geopandas", peer_s, bar="≤ 1.5 s", ok=same and seconds <= 1.5, size=len(grids))]
    rows += _postgis(town, running, mine[0])
    return rows


def _postgis(town: gpd.GeoDataFrame, running: gpd.GeoDataFrame, area: float) -> list[Row]:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.postgis import missing_postgis, running_postgis

    if missing_postgis() is not None:
        return []
    import psycopg

    sql = """SELECT ST_Area(ST_Transform(ST_Intersection(ST_GeomFromWKB(%s, 4547), ST_Union(g)), 4490)::geography) FROM b"""
    with running_postgis() as server, psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE TABLE b (g geometry)")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO b VALUES (ST_GeomFromWKB(%s, 4547))", [(w,) for w in running.geometry.to_wkb()])
        whole = town.geometry.iloc[0].wkb
        peer_s, theirs = best(lambda: float((connection.execute(sql, [whole]).fetchone() or (0.0,))[0]), times=1)
    seconds, mine = best(lambda: coverage(town, running).figures["town"]["area"].covered or 0.0)
    same = close(mine, theirs, 1e-6) and close(area, theirs, 1e-6)
    return [_row("coverage, area alone", seconds, "PostGIS geography", peer_s, bar="equal to 1e-6", ok=same, size=len(running))]


def _villages(sizes: list[int]) -> list[Row]:
    rows = []
    for size in sizes:
        houses = hamlets(size, span=30_000 * (size / 100_000) ** 0.5)
        seconds, found = best(lambda houses=houses: natural_villages(houses), times=1 if size > 50_000 else 2)  # type: ignore[misc]
        begun = time.perf_counter()
        shapes = houses.geometry.to_numpy()
        first, second = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=50)
        links = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(size, size))
        label = connected_components(links, directed=False)[1]
        sizes_of = np.bincount(label)
        hulls = [
            shapely.buffer(shapely.union_all(shapely.buffer(shapes[label == one], 25)), -25)
            for one in np.flatnonzero(sizes_of >= 5)
        ]
        peer_s = time.perf_counter() - begun
        same = len(hulls) == len(found.villages) and sizes_of[sizes_of >= 5].sum() == found.villages["buildings"].sum()
        same = same and bool((found.villages.geom_type == "Polygon").all())
        bar, within = ("≤ 15 s", seconds <= 15) if size >= 100_000 else (None, True)
        rows.append(
            _row("natural villages", seconds, "dwithin, buffer, dissolve", peer_s, bar=bar, ok=same and within, size=size)
        )
    return rows


def _zonal(grids: gpd.GeoDataFrame, pixels: int, *, quick: bool) -> list[Row]:
    rng = np.random.default_rng(2)
    left, bottom, right, top = (float(value) for value in grids.total_bounds)
    people = rng.gamma(0.3, 10, (pixels, pixels))
    raster = Raster(people, (left, bottom, right, top), pyproj.CRS(CRS))
    seconds, mine = best(lambda: zonal_sum(raster, grids))
    source = NumPyRasterSource(people, left, bottom, right, top, srs_wkt=raster.crs.to_wkt())
    peer_s, theirs = best(lambda: exact_extract(source, grids.reset_index(), ["sum"], output="pandas")["sum"].to_numpy())
    same = bool(np.allclose(mine, theirs, rtol=1e-9))
    work = f"zonal population, {pixels:,}² pixels"
    rows = [_row(work, seconds, "exactextract", peer_s, bar="equal to 1e-9", ok=same, size=len(grids))]
    if importlib.util.find_spec("rasterstats"):
        from affine import Affine
        from rasterstats import zonal_stats

        transform = Affine((right - left) / pixels, 0, left, 0, (bottom - top) / pixels, top)
        peer_s, found = best(lambda: zonal_stats(grids, people, affine=transform, stats=["sum"], nodata=-1), times=1)
        centroid_rule = np.array([zone["sum"] or 0.0 for zone in found], dtype=float)
        # whole pixels by their centres: right in the sum of all zones, not in each
        same = close(float(centroid_rule.sum()), float(mine.sum()), 0.01)
        fast = quick or peer_s >= RASTERSTATS_BAR * seconds
        bar = None if quick else f"≥ {RASTERSTATS_BAR:g}"
        rows.append(_row(work, seconds, "rasterstats", peer_s, bar=bar, ok=same and fast, size=len(grids)))
    return rows


def _counting(grids: gpd.GeoDataFrame, houses: gpd.GeoDataFrame, *, quick: bool) -> list[Row]:
    points = houses.set_geometry(houses.representative_point())
    seconds, mine = best(lambda: count_points(points, grids, values=points["population"]))

    def joined() -> np.ndarray:
        pairs = gpd.sjoin(points, grids, predicate="within")
        return pairs.groupby("index_right")["population"].sum().reindex(grids.index, fill_value=0).to_numpy()

    peer_s, theirs = best(joined)
    work = f"people counted by grid, {len(points):,} points"
    same = bool((mine.to_numpy() == theirs).all())
    fast = quick or peer_s >= SJOIN_BAR * seconds
    bar = None if quick else f"≥ {SJOIN_BAR:g}"
    rows = [_row(work, seconds, "geopandas sjoin", peer_s, bar=bar, ok=same and fast, size=len(grids))]
    if (extension := _duckdb_spatial()) is not None:
        import duckdb

        with duckdb.connect() as database:
            database.execute(f"LOAD '{extension}'")
            people = pd.DataFrame({"population": points["population"], "wkb": points.geometry.to_wkb()})
            database.register("people", people)
            database.register("zones", pd.DataFrame({"code": grids.index, "wkb": grids.geometry.to_wkb()}))
            database.execute("CREATE TABLE p AS SELECT population, ST_GeomFromWKB(wkb) AS g FROM people")
            database.execute("CREATE TABLE z AS SELECT code, ST_GeomFromWKB(wkb) AS g FROM zones")
            sql = "SELECT z.code, sum(population) AS n FROM z JOIN p ON ST_Contains(z.g, p.g) GROUP BY z.code"
            peer_s, counted = best(lambda: database.execute(sql).df())
        n = counted.set_index("code")["n"].reindex(grids.index, fill_value=0).to_numpy()
        same = bool((mine.to_numpy() == n).all())
        rows.append(_row(work, seconds, "DuckDB spatial", peer_s, bar="equal", ok=same, size=len(grids)))
    return rows


def _duckdb_spatial() -> Path | None:
    """The extension as its pip package brings it: loaded from the file, without a network."""
    if importlib.util.find_spec("duckdb") is None:
        return None
    spec = importlib.util.find_spec("duckdb_extension_spatial")
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.rglob("spatial.duckdb_extension"), None)


def best(work: Callable[[], T], *, times: int = 3) -> tuple[float, T]:
    """The shortest of some runs in seconds, and the result."""
    shortest = float("inf")
    for _ in range(times):
        gc.collect()
        begun = time.perf_counter()
        result = work()
        shortest = min(shortest, time.perf_counter() - begun)
    return shortest, result


def close(one: float, other: float, relative: float) -> bool:
    return abs(one - other) <= relative * abs(other)


def _row(work: str, seconds: float, peer: str, peer_s: float, *, bar: str | None, ok: bool, size: int) -> Row:
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told: Row = {"work": work, "size": size, "us_s": seconds, "peer": peer, "peer_s": peer_s, "ratio": peer_s / seconds}
    return {**told, "bar": bar, "memory_mb": memory_mb, "ok": ok}
