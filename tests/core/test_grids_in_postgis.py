"""PostGIS as the judge of areas on the ellipsoid, of overlaps and of unit grids."""

from __future__ import annotations

from collections.abc import Iterator

import geopandas as gpd
import numpy as np
import psycopg
import pytest
import shapely

from gridgis.grids import unit_grid
from gridgis.measure import cell_area, ellipsoidal_area
from gridgis.topology import cover, overlaps

pytestmark = pytest.mark.postgis


@pytest.fixture(scope="module")
def judge(postgis_server: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgis_server, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def areas() -> gpd.GeoDataFrame:
    """Twenty territories of a few square kilometres with a lake in one, an enclave in another, and a small overlap."""
    rng = np.random.default_rng(7)
    points = shapely.MultiPoint(rng.random((20, 2)) * (4000, 3000))
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=shapely.box(0, 0, 4000, 3000)))
    cells = shapely.intersection(cells, shapely.Point(2000, 1500).buffer(1900, quad_segs=16))
    cells = cells[shapely.area(cells) > 0]
    cells[2] = cells[2].difference(cells[2].centroid.buffer(60, quad_segs=3))
    enclave = cells[4].centroid.buffer(90, quad_segs=4)
    cells[4], cells[5] = cells[4].difference(enclave), cells[5].union(enclave)
    cells[7] = cells[7].buffer(0.05, join_style="mitre")
    shapes = shapely.transform(cells, lambda xy: xy + np.array([437_417.25, 4_420_130.0]))
    return gpd.GeoDataFrame(geometry=shapes, index=[f"1101080220{i:02d}" for i in range(len(shapes))], crs=4548)


def load(judge: psycopg.Connection, table: str, frame: gpd.GeoDataFrame) -> None:
    """Shapes of the plane as `geom`, and on the ellipsoid as `geog`."""
    judge.execute(f"DROP TABLE IF EXISTS {table}")
    judge.execute(f"CREATE TABLE {table} (code text PRIMARY KEY, geom geometry, geog geography)")
    plane, degrees = frame.geometry.to_wkb(), frame.geometry.to_crs(4490).to_wkb()
    with judge.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} VALUES (%s, ST_GeomFromWKB(%s), ST_SetSRID(ST_GeomFromWKB(%s), 4490)::geography)",
            list(zip(frame.index, plane, degrees, strict=True)),
        )


def test_areas_are_those_of_the_geography_type(judge: psycopg.Connection, areas: gpd.GeoDataFrame) -> None:
    load(judge, "areas", areas)
    theirs = dict(judge.execute("SELECT code, ST_Area(geog) FROM areas").fetchall())
    ours = ellipsoidal_area(areas)
    assert ours.to_numpy() == pytest.approx([theirs[code] for code in ours.index], rel=1e-6)


def test_overlaps_are_those_of_a_join(judge: psycopg.Connection, areas: gpd.GeoDataFrame) -> None:
    load(judge, "areas", areas)
    query = """
        SELECT a.code, b.code, ST_Area(ST_Intersection(a.geom, b.geom)) FROM areas a JOIN areas b
        ON a.code < b.code AND ST_Intersects(a.geom, b.geom) WHERE ST_Area(ST_Intersection(a.geom, b.geom)) > 1e-6 ORDER BY 1, 2
    """
    theirs = judge.execute(query).fetchall()
    found = overlaps(areas)
    assert [(left, right) for left, right, _ in theirs] == list(zip(found["left"], found["right"], strict=True))
    assert found.area.to_numpy() == pytest.approx([m2 for *_, m2 in theirs], rel=1e-6)
    assert len(found) > 0


def test_unit_cells_fill_their_areas_and_do_not_overlap(judge: psycopg.Connection, areas: gpd.GeoDataFrame) -> None:
    grid = unit_grid(areas)
    load(judge, "fitting", cover(areas).frame)
    load(judge, "cells", grid.cells)
    valid, summed, united = judge.execute(
        "SELECT bool_and(ST_IsValid(geom)), sum(ST_Area(geom)), ST_Area(ST_Union(geom)) FROM cells"
    ).fetchone()  # type: ignore[misc]
    assert valid
    assert summed == pytest.approx(united, rel=1e-10)
    judge.execute("DROP TABLE IF EXISTS filled")
    judge.execute("CREATE TABLE filled AS SELECT left(code, 12) AS code, ST_Union(geom) AS geom FROM cells GROUP BY 1")
    differences = judge.execute(
        "SELECT f.code, ST_Area(ST_SymDifference(f.geom, a.geom)) FROM filled f FULL JOIN fitting a USING (code)"
    ).fetchall()
    assert len(differences) == len(areas)
    assert max(m2 for _, m2 in differences) < 0.001
    theirs = dict(judge.execute("SELECT code, ST_Area(geog) FROM cells").fetchall())
    assert grid.cells["area_m2"].to_numpy() == pytest.approx([theirs[code] for code in grid.cells.index], rel=1e-6)
    assert cell_area(grid.cells).to_numpy() == pytest.approx(grid.cells["area_m2"].to_numpy(), rel=1e-10)
