"""PostGIS as the judge of coverage: union, repair and geography on overlapping, outside-reaching and broken grids."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import geopandas as gpd
import numpy as np
import psycopg
import pytest
import shapely

from gridgis import toy
from gridgis.store import create_workspace
from gridgis.tasks import covering, settlements
from tests.support import shared

pytestmark = pytest.mark.postgis
X, Y = toy.ORIGIN

# covered and total square metres of the geodesic areas; geometry stays in its own CRS until it is measured
_JUDGE = """
WITH b AS (SELECT ST_Union(ST_MakeValid(ST_GeomFromWKB(g, {srid}))) AS g FROM unnest(%s::bytea[]) AS g),
     a AS (SELECT ST_Union(ST_MakeValid(ST_GeomFromWKB(g, {srid}))) AS g FROM unnest(%s::bytea[]) AS g)
SELECT ST_Area(ST_Transform(ST_Intersection(a.g, b.g), 4326)::geography), ST_Area(ST_Transform(a.g, 4326)::geography) FROM a, b
"""


def judge(server: str, total: gpd.GeoDataFrame, covered: gpd.GeoDataFrame, srid: int) -> tuple[float, float]:
    shapes = [list(frame.geometry.dropna().to_wkb()) for frame in (covered, total)]
    with psycopg.connect(server) as connection:
        row = connection.execute(_JUDGE.format(srid=srid), shapes).fetchone()
    assert row is not None
    return float(row[0]), float(row[1])


def messy_grids(seed: int) -> gpd.GeoDataFrame:
    """Stars, bow ties, boxes with holes and twice-wound rings, half of them over the town's edge."""
    rng = np.random.default_rng(seed)
    shapes: list[shapely.Geometry] = []
    for _ in range(25):
        x, y = X + rng.uniform(-50, 450), Y + rng.uniform(-50, 350)
        kind = rng.integers(4)
        if kind == 0:
            shapes.append(shapely.box(x - 40, y - 40, x + 40, y + 40))
        elif kind == 1:
            shapes.append(shapely.Polygon(rng.uniform(-60, 60, (6, 2)) + np.array([x, y])))
        elif kind == 2:
            shapes.append(shapely.Polygon([(x, y), (x + 60, y + 60), (x + 60, y), (x, y + 60)]))
        else:
            hole = [(x - 10, y - 10), (x + 70, y - 10), (x + 70, y + 10), (x - 10, y + 10)]  # sticks out of its shell
            shapes.append(shapely.Polygon([(x - 30, y - 30), (x + 30, y - 30), (x + 30, y + 30), (x - 30, y + 30)], [hole]))
    return gpd.GeoDataFrame({"code": [f"g{i}" for i in range(25)]}, geometry=shapes, crs=toy.CRS)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("crs", "ending"), [(4547, "gpkg"), (4326, "gpkg"), (4326, "geojson"), (4490, "fgb")])
def test_files_equal_postgis(postgis_server: str, tmp_path: Path, seed: int, crs: int, ending: str) -> None:
    total, covered = toy.areas().iloc[1:].to_crs(crs), messy_grids(seed).to_crs(crs)
    files = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    for file, frame in zip(files, (total.reset_index(), covered), strict=True):
        frame.to_file(file, **({"COORDINATE_PRECISION": 15} if ending == "geojson" else {}))
    figures = covering.coverage_files(*files)
    area = figures.measures["area"]
    wanted = judge(postgis_server, total, covered, crs)
    assert (area.covered, area.total) == pytest.approx(wanted, rel=1e-6)
    assert {"overlap", "outside", "repaired"} <= {note.kind for note in figures.notes}


def test_haidians_streets_equal_postgis(postgis_server: str) -> None:
    outline = shared("beijing_subdistricts/haidian-outline.geojson")
    streets = shared("beijing_subdistricts/haidian-all.geojson")
    area = covering.coverage_files(outline, streets).measures["area"]
    wanted = judge(postgis_server, gpd.read_file(outline), gpd.read_file(streets), 4326)
    assert (area.covered, area.total) == pytest.approx(wanted, rel=1e-6)


def test_a_workspace_equals_postgis_and_is_the_same_in_both_stores(
    postgis_server: str, postgis_url: str, geopackage_url: str
) -> None:
    grids = messy_grids(9)
    grids = grids[grids.is_valid].assign(name="n", area_code=toy.WEST, state="valid").set_index("code")
    told = []
    for url in (postgis_url, geopackage_url):
        with create_workspace(url, name="Toy", crs=toy.CRS) as ws:
            with ws.write(who="test", why="test") as write:
                write.upsert("areas", toy.areas())
                write.upsert("grids", grids)
                write.upsert("stations", toy.stations())
                write.upsert("buildings", toy.buildings())
            settlements.build_natural_villages(ws, distance_m=15, min_buildings=3)
            told.append(covering.coverage(ws, by="area", as_of=dt.date(2012, 12, 31)).to_json())
    area = told[0]["measures"]["area"]
    wanted = judge(postgis_server, toy.areas().iloc[:1], grids, 4547)
    assert (area["covered"], area["total"]) == pytest.approx(wanted, rel=1e-6)
    assert told[0] == told[1]
