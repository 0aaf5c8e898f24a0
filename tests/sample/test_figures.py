"""The published figures of Miaoling, computed from the sample's layers without gridgis: they must come out of the data."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

import gridgis.sample
import gridgis.tasks.demo
from tests.sample.conftest import geodesic_m2, inside, middles

Town = Mapping[str, gpd.GeoDataFrame]


def test_open_grids_have_43_6_percent_of_the_area_by_geographiclib(town: Town, open_grids: gpd.GeoDataFrame) -> None:
    whole = geodesic_m2(town["areas"].query("level == 'town'").geometry)
    share = geodesic_m2(open_grids.geometry) / whole  # grids do not overlap: a sum is a union (tested elsewhere)
    assert abs(share - 0.436) < 0.0002
    assert abs(whole / 1e6 - 84) < 0.1


def test_14624_of_30340_residents_live_in_open_grids_by_ray_casting(town: Town, open_grids: gpd.GeoDataFrame) -> None:
    buildings = town["buildings"]
    points, people = middles(buildings), buildings["population"].to_numpy()
    covered = np.zeros(len(buildings), dtype=int)
    for shape in open_grids.geometry:
        covered += inside(points, shape)
    assert covered.max() == 1
    assert people[covered == 1].sum() == 14_624
    assert people.sum() == 30_340
    assert round(14_624 / 30_340 * 100, 1) == 48.2


def test_81_of_170_grids_and_7_of_16_stations_are_open(town: Town, open_grids: gpd.GeoDataFrame) -> None:
    assert (len(open_grids), len(town["grids"])) == (81, 170)
    stations = town["stations"]
    assert (stations["opened_on"].notna().sum(), len(stations)) == (7, 16)
    assert stations["batch"].value_counts().to_dict() == {"3": 9, "1": 4, "2": 3}
    assert stations.loc[stations["batch"] == "3", "opened_on"].isna().all()


def test_67_of_143_clusters_of_houses_lie_in_open_grids(town: Town, open_grids: gpd.GeoDataFrame) -> None:
    buildings = town["buildings"]
    shapes = buildings.geometry.to_numpy()
    one, other = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=50)
    count, cluster = connected_components(coo_matrix((np.ones(len(one)), (one, other)), shape=(len(shapes), len(shapes))))
    covered = np.zeros(len(buildings), dtype=bool)
    points = middles(buildings)
    for shape in open_grids.geometry:
        covered |= inside(points, shape)
    size, inside_open = np.bincount(cluster, minlength=count), np.bincount(cluster, weights=covered, minlength=count)
    village = size >= 5
    assert village.sum() == 143
    assert (village & (inside_open > size / 2)).sum() == 67
    # nothing hangs on the rule for split villages, or on the exact distance
    assert set(inside_open[village] / size[village]) == {0.0, 1.0}


def test_figures_stand_nowhere_in_the_code_of_the_sample() -> None:
    folder = Path(gridgis.sample.__file__).parent
    for file in [*folder.glob("*.py"), Path(gridgis.tasks.demo.__file__)]:
        numbers = {node.value for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Constant)}
        assert not numbers & {43.6, 0.436, 48.2, 0.482, 81, 170, 67, 143, 14_624, 30_340}, file.name
